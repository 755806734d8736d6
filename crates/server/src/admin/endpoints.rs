//! Every endpoint: its path, its methods, what it is about. Those of entities follow from the kinds.

use std::sync::LazyLock;

use http::Method;
use percent_encoding::percent_decode_str;

use super::collections::{COLLECTIONS, Collection};
use model::KindInfo;

/// What an endpoint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum To {
    Node,
    Status,
    Ready,
    Config,
    Endpoints,
    Timers,
    Dns,
    Metrics,
    LogLevel,
    SetLogLevel,
    Cache,
    ControlPlaneOnly,
    WasmOnly,
    PluginsEnabled,
    PluginSettingsSchema,
    Schema,
    PluginSchema,
    VaultSchema,
    FilterSchema,
    Validate,
    ValidatePlugin,
    ValidateVault,
    Tags,
    Tag,
    Health,
    TargetsAll,
    Target,
    TargetHealth,
    /// All entities of a kind.
    List(&'static Collection),
    /// One of them.
    One(&'static Collection),
    /// What one refers to with that field.
    Referred(&'static Collection, &'static str, &'static Collection),
    /// Those that refer to one with that field.
    Children(&'static Collection, &'static Collection, &'static str),
    /// One of those.
    Child(&'static Collection, &'static Collection, &'static str),
}

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const PUT: &[&str] = &["PUT"];
const LIST: &[&str] = &["GET", "POST"];
const ONE: &[&str] = &["DELETE", "GET", "PATCH", "PUT"];

/// The endpoints that are none of an entity's own, or stand in for one. A part that begins with a colon takes
/// any text. Of two that match the one named first counts.
const NAMED: &[(&str, &[&str], To)] = &[
    ("/", GET, To::Node),
    ("/status", GET, To::Status),
    ("/status/dns", GET, To::Dns),
    ("/metrics", GET, To::Metrics),
    ("/config", LIST, To::Config),
    ("/endpoints", GET, To::Endpoints),
    ("/timers", GET, To::Timers),
    ("/debug/node/log-level", GET, To::LogLevel),
    ("/debug/node/log-level/:log_level", PUT, To::SetLogLevel),
    ("/cache", &["DELETE"], To::Cache),
    ("/cache/:key", &["DELETE", "GET"], To::Cache),
    ("/clustering/status", GET, To::ControlPlaneOnly),
    ("/clustering/data-planes", GET, To::ControlPlaneOnly),
    ("/plugins/enabled", GET, To::PluginsEnabled),
    ("/plugins/schema/:name", GET, To::PluginSettingsSchema),
    ("/schemas/plugins/validate", POST, To::ValidatePlugin),
    ("/schemas/vaults/validate", POST, To::ValidateVault),
    ("/schemas/plugins/:name", GET, To::PluginSchema),
    ("/schemas/vaults/:name", GET, To::VaultSchema),
    ("/schemas/filters/:name", GET, To::FilterSchema),
    ("/schemas/:name/validate", POST, To::Validate),
    ("/schemas/:name", GET, To::Schema),
    ("/tags", GET, To::Tags),
    ("/tags/:tags", GET, To::Tag),
    ("/upstreams/:upstreams/health", GET, To::Health),
    ("/upstreams/:upstreams/targets/all", GET, To::TargetsAll),
    ("/upstreams/:upstreams/targets/:targets", ONE, To::Target),
    ("/upstreams/:upstreams/targets/:targets/healthy", PUT, To::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/unhealthy", PUT, To::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/:address/healthy", PUT, To::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/:address/unhealthy", PUT, To::TargetHealth),
    ("/filter-chains", LIST, To::WasmOnly),
    ("/filter-chains/:filter_chains", ONE, To::WasmOnly),
    ("/filter-chains/:filter_chains/route", ONE, To::WasmOnly),
    ("/filter-chains/:filter_chains/service", ONE, To::WasmOnly),
    ("/routes/:routes/filter-chains", LIST, To::WasmOnly),
    ("/routes/:routes/filter-chains/:filter_chains", ONE, To::WasmOnly),
    ("/services/:services/filter-chains", LIST, To::WasmOnly),
    ("/services/:services/filter-chains/:filter_chains", ONE, To::WasmOnly),
    ("/routes/:routes/filters/enabled", GET, To::WasmOnly),
    ("/routes/:routes/filters/disabled", GET, To::WasmOnly),
    ("/routes/:routes/filters/all", GET, To::WasmOnly),
];

/// The endpoints of `status_listen`: health and metrics, nothing that tells of the configuration's content.
const STATUS: &[(&str, &[&str], To)] = &[
    ("/status", GET, To::Status),
    ("/status/ready", LIST, To::Ready),
    ("/status/dns", GET, To::Dns),
    ("/metrics", GET, To::Metrics),
    ("/upstreams/:upstreams/health", GET, To::Health),
    ("/upstreams/:upstreams/targets/all", GET, To::TargetsAll),
];

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Its path, parameters with a colon.
    pub path: String,
    /// Methods it knows, in alphabetical order, without `HEAD` and `OPTIONS`, which all know.
    pub methods: Vec<&'static str>,
    /// What it is about.
    pub to: To,
}

/// A set of endpoints.
#[derive(Debug)]
pub struct Endpoints {
    all: Vec<Endpoint>,
    /// Whether they may tell what the configuration says.
    pub tell_all: bool,
}

/// Those of the admin API.
pub static ADMIN: LazyLock<Endpoints> = LazyLock::new(|| {
    let mut all = named(NAMED);
    for collection in COLLECTIONS.iter().filter(|c| c.own) {
        all.extend(of_kind(collection));
    }
    Endpoints { all, tell_all: true }
});

/// Those of the status API.
pub static STATUS_ONLY: LazyLock<Endpoints> =
    LazyLock::new(|| Endpoints { all: named(STATUS), tell_all: false });

fn endpoint(path: String, methods: &[&'static str], to: To) -> Endpoint {
    Endpoint { path, methods: methods.to_vec(), to }
}

fn named(list: &[(&str, &[&'static str], To)]) -> Vec<Endpoint> {
    list.iter().map(|(path, methods, to)| endpoint((*path).to_owned(), methods, *to)).collect()
}

/// A kind's list and entries; what they refer to; and, under that, the list and the entries again.
fn of_kind(this: &'static Collection) -> Vec<Endpoint> {
    let Collection { kind, path, nested, .. } = this;
    let mut all = Vec::new();
    if this.top {
        all.push(endpoint(format!("/{path}"), LIST, To::List(this)));
        all.push(endpoint(format!("/{path}/:{kind}"), ONE, To::One(this)));
    }
    for foreign in KindInfo::of(kind).map_or(&[][..], |info| info.foreign) {
        let Some(other) = COLLECTIONS.iter().find(|c| c.kind == foreign.kind) else { continue };
        let field = foreign.field;
        if this.top && (*kind, field) != ("snis", "certificate") {
            all.push(endpoint(format!("/{path}/:{kind}/{field}"), ONE, To::Referred(this, field, other)));
        }
        let (parent, of) = (other.path, other.kind);
        all.push(endpoint(format!("/{parent}/:{of}/{nested}"), LIST, To::Children(other, this, field)));
        all.push(endpoint(format!("/{parent}/:{of}/{nested}/:{kind}"), ONE, To::Child(other, this, field)));
    }
    all
}

/// An endpoint found, and the parts of the path it leaves open.
#[derive(Debug)]
pub struct Found<'e> {
    /// The endpoint.
    pub endpoint: &'e Endpoint,
    /// The open parts, decoded, in order.
    pub parts: Vec<String>,
}

impl Endpoints {
    /// The endpoint of a path. A slash at its end does not matter.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.all.iter().find_map(|endpoint| Some(Found { endpoint, parts: fit(&endpoint.path, path)? }))
    }

    /// All paths, parameters in braces, ordered part by part.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.all.iter().map(|e| braced(&e.path)).collect();
        paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        // A nested collection may be reached in two ways.
        paths.dedup();
        paths
    }
}

impl Endpoint {
    /// Whether it knows a method.
    pub fn knows(&self, method: &Method) -> bool {
        match *method {
            Method::HEAD => self.methods.contains(&"GET"),
            Method::OPTIONS => true,
            _ => self.methods.contains(&method.as_str()),
        }
    }

    /// All methods it knows, as `Allow` lists them.
    pub fn allow(&self) -> String {
        let mut all = self.methods.clone();
        all.push("OPTIONS");
        if all.contains(&"GET") {
            all.push("HEAD");
        }
        all.sort_unstable();
        all.join(", ")
    }
}

/// Whether a path, without a slash at its end, fits a pattern.
fn fit(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut given = path.split('/');
    for part in pattern.trim_end_matches('/').split('/') {
        let text = given.next()?;
        if part.starts_with(':') {
            if text.is_empty() {
                return None;
            }
            parts.push(percent_decode_str(text).decode_utf8_lossy().into_owned());
        } else if part != text {
            return None;
        }
    }
    given.next().is_none().then_some(parts)
}

fn braced(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(path: &str) -> Option<String> {
        ADMIN.find(path).map(|found| format!("{} {}", found.endpoint.path, found.parts.join(",")))
    }

    #[test]
    fn named_endpoints_come_before_those_of_entities() {
        assert_eq!(to("/plugins/enabled").as_deref(), Some("/plugins/enabled "));
        assert_eq!(to("/plugins/x").as_deref(), Some("/plugins/:plugins x"));
        assert_eq!(to("/schemas/plugins/validate").as_deref(), Some("/schemas/plugins/validate "));
    }

    #[test]
    fn a_slash_at_the_end_does_not_matter() {
        assert_eq!(to("/").as_deref(), Some("/ "));
        assert_eq!(to("/services/").as_deref(), Some("/services "));
        assert_eq!(to("/services/a%20b/routes/").as_deref(), Some("/services/:services/routes a b"));
        assert_eq!(to("/services//routes"), None);
    }

    #[test]
    fn what_kong_turns_off_is_not_there() {
        for path in ["/targets", "/targets/x", "/snis/x/certificate", "/workspaces", "/consumer_groups"] {
            assert_eq!(to(path), None, "{path}");
        }
    }

    #[test]
    fn every_path_is_there_once() {
        let paths = ADMIN.paths();
        let twice: Vec<_> = paths.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
