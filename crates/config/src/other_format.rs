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

/// Puts one finding in place of all errors about a file of another format. Kong's answer keeps them.
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

/// The key that shows a file of APISIX: its routes have one `uri` and an upstream in place.
fn apisix(doc: &Document, root: NodeId) -> Option<NodeId> {
    let routes = doc.entry(root, "routes")?;
    let is_own = |&route: &NodeId| {
        let has = |keys: &[&str]| keys.iter().any(|key| doc.get(route, key).is_some());
        has(&["uri", "uris"]) && has(&["upstream", "upstream_id", "service_id", "plugin_config_id"])
    };
    doc.items(routes.value).iter().any(is_own).then_some(routes.key)
}
