//! Files that are plainly something else: said once, in place of every field that the gateway does not know.

use super::Loaded;
use source::{Document, Finding, Level, NodeId, Value};

/// The file is of another program.
const OTHER_FORMAT: &str = "config/other-format";

/// A format of another program.
struct Format {
    /// What a file of it is called.
    name: &'static str,
    /// Keys at its top; all of them are there.
    keys: &'static [&'static str],
    /// What to do with it.
    help: &'static str,
}

const FORMATS: &[Format] = &[
    Format {
        name: "a Kubernetes manifest",
        keys: &["apiVersion", "kind"],
        help: "give the declarative configuration itself, which such a manifest may hold as text under `data`",
    },
    Format {
        name: "an OpenAPI description",
        keys: &["openapi"],
        help: "`deck file openapi2kong` makes a configuration of it",
    },
    Format {
        name: "an OpenAPI description",
        keys: &["swagger"],
        help: "`deck file openapi2kong` makes a configuration of it",
    },
    Format { name: "npm's package.json", keys: &["name", "version", "scripts"], help: NO_HELP },
    Format { name: "npm's package.json", keys: &["name", "version", "dependencies"], help: NO_HELP },
    Format { name: "npm's package.json", keys: &["name", "private", "scripts"], help: NO_HELP },
    Format { name: "a Helm chart", keys: &["apiVersion", "name", "version"], help: NO_HELP },
    Format { name: "a configuration of Prometheus", keys: &["scrape_configs"], help: NO_HELP },
    Format { name: "a configuration of Envoy", keys: &["static_resources"], help: NO_HELP },
];

const NO_HELP: &str = "a declarative configuration begins with `_format_version: \"3.0\"`";

/// Puts one finding in place of all errors about a file of another format. Kong's answer keeps them.
pub(super) fn merge(loaded: &mut Loaded, root: NodeId) {
    let Loaded { document: doc, findings, .. } = loaded;
    let versioned = doc.get(root, "_format_version").is_some()
        && !findings.iter().any(|finding| finding.code == super::dialect::NO_VERSION);
    if versioned || !findings.has_errors() {
        return;
    }
    let Some((key, name, help)) = recognise(doc, root) else { return };
    let mut merged =
        Finding::error(OTHER_FORMAT, format!("this is {name}, not a configuration of the gateway"))
            .at(doc.span(key), "")
            .help(help);
    let versions = findings.take(|finding| finding.code == super::dialect::NO_VERSION);
    for error in findings.take_level(Level::Error).into_iter().chain(versions) {
        merged.absorb(error);
    }
    findings.put(merged);
}

/// The key that shows a format, what a file of it is called, and what to do with it.
fn recognise(doc: &Document, root: NodeId) -> Option<(NodeId, &'static str, &'static str)> {
    let format = FORMATS.iter().find(|format| format.keys.iter().all(|key| doc.get(root, key).is_some()));
    if let Some(format) = format {
        let kind = doc.get(root, "kind").and_then(|kind| doc.str(kind));
        // Of manifests these alone hold other files.
        let help = match kind {
            Some("ConfigMap" | "Secret") | None => format.help,
            Some(_) => NO_HELP,
        };
        return Some((doc.entry(root, format.keys[0])?.key, format.name, help));
    }
    // Compose has services too, but by name.
    let services = doc.entry(root, "services")?;
    let Value::Map(entries) = doc.value(services.value) else { return None };
    let container = |service| ["image", "build"].iter().any(|key| doc.get(service, key).is_some());
    entries.iter().any(|entry| container(entry.value)).then_some((
        services.key,
        "a file for Docker Compose",
        NO_HELP,
    ))
}
