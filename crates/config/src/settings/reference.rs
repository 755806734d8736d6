//! The reference page of all settings, as Markdown.

use std::fmt::Write;

use super::table::ROWS;

/// `docs/settings.md`: every setting with its variable, flag, form, default and meaning.
pub fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Generated from the table of settings; edit that, not this page.\n\n\
         A setting is given in a `kong.conf` (`name = value`, `#` begins a comment), by a variable, or by a flag: \
         `--set name=value`, for which some have a flag of their own. A flag wins over a variable, a variable over the file, the file over the default. Lists are separated by \
         commas. Switches take `on` and `off`. Sizes take `k`, `m` and `g`; times are in seconds unless a unit \
         follows (`ms`, `s`, `m`, `h`, `d`). A value may be a reference to a variable, `{vault://env/name}`.\n\n\
         Kong's other settings are accepted, with a note that says why they mean nothing here.\n",
    );
    let mut section = "";
    for row in ROWS {
        if row.section != section {
            section = row.section;
            let _ = write!(page, "\n## {section}\n");
        }
        let default = match row.default {
            "" => "none".to_owned(),
            text => format!("`{text}`"),
        };
        let meaning = row.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let _ = write!(
            page,
            "\n### {}\n\n{meaning}\n\n- variable `{}`\n- value: {}\n- default: {default}\n",
            row.name,
            row.variable(),
            row.form,
        );
    }
    page
}
