//! Values with a YAML tag that means nothing, such as a password that begins with `!`: what the rest of the value is
//! found lacking follows from it.

use super::Loaded;
use source::{Level, TAG};

/// Reports errors of tagged values as the one mistake. The text after a `!` may be meant as a secret.
pub(super) fn merge(loaded: &mut Loaded) {
    let Loaded { findings, secrets, .. } = loaded;
    let tagged: Vec<_> = findings.iter().filter(|f| f.code == TAG).filter_map(|f| f.span()).collect();
    for span in tagged {
        secrets.push(span);
        let errors = findings.take(|f| f.code != TAG && f.level == Level::Error && f.span() == Some(span));
        if let Some(tag) = findings.0.iter_mut().find(|f| f.code == TAG && f.span() == Some(span)) {
            for error in errors {
                tag.level = Level::Error;
                tag.path = error.path.clone();
                tag.tree.extend(error.tree);
                tag.implied.extend(error.implied);
            }
        }
    }
}
