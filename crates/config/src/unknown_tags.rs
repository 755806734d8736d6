//! Unknown YAML tags, such as of an unquoted password that starts with `!`. Other errors about the value are
//! consequences.

use super::Loaded;
use source::{Level, UNKNOWN_TAG};

/// Merges the errors of tagged values into the finding about the tag. The text after `!` may be a secret.
pub(super) fn merge(loaded: &mut Loaded) {
    let Loaded { findings, secrets, .. } = loaded;
    let tagged: Vec<_> = findings.iter().filter(|f| f.code == UNKNOWN_TAG).filter_map(|f| f.span()).collect();
    for span in tagged {
        secrets.push(span);
        let errors = findings
            .remove_where(|f| f.code != UNKNOWN_TAG && f.level == Level::Error && f.span() == Some(span));
        if let Some(tag) = findings.0.iter_mut().find(|f| f.code == UNKNOWN_TAG && f.span() == Some(span)) {
            for error in errors {
                tag.level = Level::Error;
                tag.path = error.path.clone();
                tag.kong_errors.extend(error.kong_errors);
                tag.implied_errors.extend(error.implied_errors);
            }
        }
    }
}
