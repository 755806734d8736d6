//! Detection of files of another program, reported once instead of an error per unknown field.

use super::Loaded;
use source::{Document, Finding, Level, NodeId, Value};

/// Finding code: the file belongs to another program.
const OTHER_FORMAT: &str = "config/other-format";

/// File format of another program.
struct Format {
    /// Name of its files.
    name: &'static str,
    /// Top-level keys that must all be present.
    keys: &'static [&'static str],
    /// Suggested action.
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
    Format {
        name: "a file of values for Kong's Helm chart",
        keys: &["dblessConfig"],
        help: "give the text under `dblessConfig.config`, in a file of its own",
    },
    Format {
        name: "a file of values for Kong's Helm chart",
        keys: &["ingressController", "image"],
        help: NO_HELP,
    },
    Format {
        name: "an answer of Kong's Admin API",
        keys: &["data", "next"],
        help: "`deck gateway dump` writes the whole configuration as a file",
    },
    Format { name: "a configuration of Prometheus", keys: &["scrape_configs"], help: NO_HELP },
    Format { name: "a configuration of Envoy", keys: &["static_resources"], help: NO_HELP },
];

const NO_HELP: &str = "a declarative configuration begins with `_format_version: \"3.0\"`";

/// Replaces all errors about a file of another format by a single one. The admin API's response keeps the
/// originals.
pub(super) fn merge(loaded: &mut Loaded, root: NodeId) {
    let Loaded { document: doc, findings, .. } = loaded;
    if !super::dialect::lacks_version(doc, root) || !findings.has_errors() {
        return;
    }
    let Some((key, name, help)) = recognise(doc, root) else { return };
    let mut merged =
        Finding::error(OTHER_FORMAT, format!("this is {name}, not a configuration of the gateway"))
            .at(doc.span(key), "")
            .help(help);
    let versions = findings.remove_where(|finding| finding.code == super::dialect::NO_VERSION);
    for error in findings.take_level(Level::Error).into_iter().chain(versions) {
        merged.merge_consequence(error);
    }
    findings.push_retained(merged);
}

/// Returns the identifying key, the format's name, and the suggested action.
fn recognise(doc: &Document, root: NodeId) -> Option<(NodeId, &'static str, &'static str)> {
    let format = FORMATS.iter().find(|format| format.keys.iter().all(|key| doc.get(root, key).is_some()));
    if let Some(format) = format {
        let kind = doc.get(root, "kind").and_then(|kind| doc.str(kind));
        // Of Kubernetes manifests only these contain other files.
        let help = match kind {
            Some("ConfigMap" | "Secret") | None => format.help,
            Some(_) => NO_HELP,
        };
        return Some((doc.entry(root, format.keys[0])?.key, format.name, help));
    }
    let inside = |map: &str, keys: &[&str]| {
        let entry = doc.entry(root, map)?;
        keys.iter().any(|key| doc.get(entry.value, key).is_some()).then_some(entry.key)
    };
    let traefik =
        ["http", "tcp", "udp"].iter().find_map(|key| inside(key, &["routers", "services", "middlewares"]));
    if let Some(key) = traefik {
        return Some((key, "a configuration of Traefik", NO_HELP));
    }
    if let Some(key) = apisix(doc, root) {
        return Some((key, "a configuration of APISIX", NO_HELP));
    }
    // Docker Compose has `services` too, but as a map by name.
    let services = doc.entry(root, "services")?;
    let Value::Map(entries) = doc.value(services.value) else { return None };
    let container = |service| ["image", "build"].iter().any(|key| doc.get(service, key).is_some());
    entries.iter().any(|entry| container(entry.value)).then_some((
        services.key,
        "a file for Docker Compose",
        NO_HELP,
    ))
}

/// Returns the key that identifies an APISIX file: routes with a `uri` and an inline upstream.
fn apisix(doc: &Document, root: NodeId) -> Option<NodeId> {
    let routes = doc.entry(root, "routes")?;
    let is_own = |&route: &NodeId| {
        let has = |keys: &[&str]| keys.iter().any(|key| doc.get(route, key).is_some());
        has(&["uri", "uris"]) && has(&["upstream", "upstream_id", "service_id", "plugin_config_id"])
    };
    doc.items(routes.value).iter().any(is_own).then_some(routes.key)
}
