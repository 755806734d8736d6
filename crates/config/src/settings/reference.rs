//! Reference page of all settings, as Markdown.

use std::fmt::Write;

use super::{
    known::{ignored_names, unsupported_reason},
    table::ROWS,
};

/// Renders `docs/settings.md`: every setting with its variable, flag, form, default and description.
pub fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Generated from the table of settings; edit that, not this page.\n\n\
         A setting is given in a `kong.conf` (`name = value`, `#` begins a comment), by a variable, or by a flag: \
         `--set name=value`, for which some have a flag of their own. A flag wins over a variable, a variable over the file, the file over the default. Lists are separated by \
         commas. Switches take `on` and `off`. Sizes take `k`, `m` and `g`; times are in seconds unless a unit \
         follows (`ms`, `s`, `m`, `h`, `d`). A value may be a reference to a variable, `{vault://env/name}`.\n\n\
         A setting that is marked \"no effect yet\" is read and checked, and changes nothing; a warning at the start names \
         each that was set. So it does for [Kong's other settings](#settings-of-kong-without-effect).\n",
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
        let shown = if row.secret { ", never shown" } else { "" };
        let _ = write!(
            page,
            "\n### {}\n\n{meaning}\n\n- variable `{}`\n- value: {}{shown}\n- default: {default}\n",
            row.name,
            row.variable(),
            row.form,
        );
        if let Some(why) = unsupported_reason(row.name) {
            let _ = writeln!(page, "- **no effect yet**: {why}");
        }
    }
    page.push_str(
        "\n## Settings of Kong without effect\n\n\
         They are accepted. A name that ends in `*` covers all that begin so, unless a setting above has that name.\n\n\
         | setting | why |\n|---|---|\n",
    );
    for (name, why) in ignored_names() {
        let _ = writeln!(page, "| `{name}` | {why} |");
    }
    page
}
