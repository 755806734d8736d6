//! The endpoint table: paths, methods, handlers. Endpoints of entities are derived from the kinds.

use std::sync::LazyLock;

use http::Method;
use percent_encoding::percent_decode_str;

use super::collections::{COLLECTIONS, Collection};
use model::KindInfo;
use plugin::AdminRoute;

/// Handler of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Handler {
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
    /// One entity of a kind.
    Entity(&'static Collection),
    /// The entity that a foreign field refers to.
    Foreign(&'static Collection, &'static str, &'static Collection),
    /// The entities that refer to another one with that field.
    Children(&'static Collection, &'static Collection, &'static str),
    /// One of the entities that refer to another one.
    Child(&'static Collection, &'static Collection, &'static str),
    /// An endpoint of a plugin.
    Plugin(&'static AdminRoute),
}

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const PUT: &[&str] = &["PUT"];
const LIST: &[&str] = &["GET", "POST"];
const ONE: &[&str] = &["DELETE", "GET", "PATCH", "PUT"];

/// Endpoints that are not derived from a kind, or override a derived one. A segment that starts with a colon is a
/// parameter. The first match wins.
const NAMED: &[(&str, &[&str], Handler)] = &[
    ("/", GET, Handler::Node),
    ("/status", GET, Handler::Status),
    ("/status/dns", GET, Handler::Dns),
    ("/metrics", GET, Handler::Metrics),
    ("/config", LIST, Handler::Config),
    ("/endpoints", GET, Handler::Endpoints),
    ("/timers", GET, Handler::Timers),
    ("/debug/node/log-level", GET, Handler::LogLevel),
    ("/debug/node/log-level/:log_level", PUT, Handler::SetLogLevel),
    ("/cache", &["DELETE"], Handler::Cache),
    ("/cache/:key", &["DELETE", "GET"], Handler::Cache),
    ("/clustering/status", GET, Handler::ControlPlaneOnly),
    ("/clustering/data-planes", GET, Handler::ControlPlaneOnly),
    ("/plugins/enabled", GET, Handler::PluginsEnabled),
    ("/plugins/schema/:name", GET, Handler::PluginSettingsSchema),
    ("/schemas/plugins/validate", POST, Handler::ValidatePlugin),
    ("/schemas/vaults/validate", POST, Handler::ValidateVault),
    ("/schemas/plugins/:name", GET, Handler::PluginSchema),
    ("/schemas/vaults/:name", GET, Handler::VaultSchema),
    ("/schemas/filters/:name", GET, Handler::FilterSchema),
    ("/schemas/:name/validate", POST, Handler::Validate),
    ("/schemas/:name", GET, Handler::Schema),
    ("/tags", GET, Handler::Tags),
    ("/tags/:tags", GET, Handler::Tag),
    ("/upstreams/:upstreams/health", GET, Handler::Health),
    ("/upstreams/:upstreams/targets/all", GET, Handler::TargetsAll),
    ("/upstreams/:upstreams/targets/:targets", ONE, Handler::Target),
    ("/upstreams/:upstreams/targets/:targets/healthy", PUT, Handler::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/unhealthy", PUT, Handler::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/:address/healthy", PUT, Handler::TargetHealth),
    ("/upstreams/:upstreams/targets/:targets/:address/unhealthy", PUT, Handler::TargetHealth),
    ("/filter-chains", LIST, Handler::WasmOnly),
    ("/filter-chains/:filter_chains", ONE, Handler::WasmOnly),
    ("/filter-chains/:filter_chains/route", ONE, Handler::WasmOnly),
    ("/filter-chains/:filter_chains/service", ONE, Handler::WasmOnly),
    ("/routes/:routes/filter-chains", LIST, Handler::WasmOnly),
    ("/routes/:routes/filter-chains/:filter_chains", ONE, Handler::WasmOnly),
    ("/services/:services/filter-chains", LIST, Handler::WasmOnly),
    ("/services/:services/filter-chains/:filter_chains", ONE, Handler::WasmOnly),
    ("/routes/:routes/filters/enabled", GET, Handler::WasmOnly),
    ("/routes/:routes/filters/disabled", GET, Handler::WasmOnly),
    ("/routes/:routes/filters/all", GET, Handler::WasmOnly),
];

/// The endpoints of `status_listen`: health and metrics, nothing that exposes the configuration.
const STATUS: &[(&str, &[&str], Handler)] = &[
    ("/status", GET, Handler::Status),
    ("/status/ready", LIST, Handler::Ready),
    ("/status/dns", GET, Handler::Dns),
    ("/metrics", GET, Handler::Metrics),
    ("/upstreams/:upstreams/health", GET, Handler::Health),
    ("/upstreams/:upstreams/targets/all", GET, Handler::TargetsAll),
];

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Path template; parameters start with a colon.
    pub path: String,
    /// Supported methods in alphabetical order, without `HEAD` and `OPTIONS`, which are always supported.
    pub methods: Vec<&'static str>,
    /// Its handler.
    pub handler: Handler,
}

/// A set of endpoints.
#[derive(Debug)]
pub struct Endpoints {
    all: Vec<Endpoint>,
    /// Whether responses may expose the content of the configuration.
    pub exposes_config: bool,
}

/// Returns the endpoints of the admin API: its own, then those of plugins.
pub fn admin(plugins: impl IntoIterator<Item = &'static AdminRoute>) -> Endpoints {
    let mut all = named(NAMED);
    for collection in COLLECTIONS.iter() {
        all.extend(of_kind(collection));
    }
    let of_plugins = plugins.into_iter();
    all.extend(
        of_plugins.map(|route| endpoint(route.path.to_owned(), route.methods, Handler::Plugin(route))),
    );
    Endpoints { all, exposes_config: true }
}

/// Endpoints of the status API.
pub static STATUS_ONLY: LazyLock<Endpoints> =
    LazyLock::new(|| Endpoints { all: named(STATUS), exposes_config: false });

fn endpoint(path: String, methods: &[&'static str], handler: Handler) -> Endpoint {
    Endpoint { path, methods: methods.to_vec(), handler }
}

fn named(list: &[(&str, &[&'static str], Handler)]) -> Vec<Endpoint> {
    list.iter().map(|(path, methods, handler)| endpoint((*path).to_owned(), methods, *handler)).collect()
}

/// Derives the endpoints of a kind: its list and entities, their foreign entities, and the lists under those.
fn of_kind(this: &'static Collection) -> Vec<Endpoint> {
    let Collection { kind, path, nested, .. } = this;
    let mut all = Vec::new();
    if this.top {
        all.push(endpoint(format!("/{path}"), LIST, Handler::List(this)));
        all.push(endpoint(format!("/{path}/:{kind}"), ONE, Handler::Entity(this)));
    }
    for foreign in KindInfo::of(kind).map_or(&[][..], |info| info.foreign) {
        let Some(other) = COLLECTIONS.iter().find(|c| c.kind == foreign.kind) else { continue };
        let field = foreign.field;
        if this.top && (*kind, field) != ("snis", "certificate") {
            all.push(endpoint(format!("/{path}/:{kind}/{field}"), ONE, Handler::Foreign(this, field, other)));
        }
        let (parent, of) = (other.path, other.kind);
        all.push(endpoint(format!("/{parent}/:{of}/{nested}"), LIST, Handler::Children(other, this, field)));
        all.push(endpoint(
            format!("/{parent}/:{of}/{nested}/:{kind}"),
            ONE,
            Handler::Child(other, this, field),
        ));
    }
    all
}

/// A matched endpoint with its path parameters.
#[derive(Debug)]
pub struct RouteMatch<'e> {
    /// The endpoint.
    pub endpoint: &'e Endpoint,
    /// The path parameters, percent-decoded, in order.
    pub parts: Vec<String>,
}

impl Endpoints {
    /// Finds the endpoint of a path. A trailing slash is ignored.
    pub fn find(&self, path: &str) -> Option<RouteMatch<'_>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.all
            .iter()
            .find_map(|endpoint| Some(RouteMatch { endpoint, parts: match_path(&endpoint.path, path)? }))
    }

    /// Lists all path templates with parameters in braces, ordered by segments.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.all.iter().map(|e| with_braces(&e.path)).collect();
        paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        // A nested collection may have two endpoints with the same path.
        paths.dedup();
        paths
    }
}

impl Endpoint {
    /// Whether it supports a method.
    pub fn supports(&self, method: &Method) -> bool {
        match *method {
            Method::HEAD => self.methods.contains(&"GET"),
            Method::OPTIONS => true,
            _ => self.methods.contains(&method.as_str()),
        }
    }

    /// Formats the value of the `Allow` header field.
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

/// Matches a path without a trailing slash against a template; returns the parameters.
fn match_path(pattern: &str, path: &str) -> Option<Vec<String>> {
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

fn with_braces(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    static ADMIN: LazyLock<Endpoints> = LazyLock::new(|| admin([]));

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
    fn a_trailing_slash_is_ignored() {
        assert_eq!(to("/").as_deref(), Some("/ "));
        assert_eq!(to("/services/").as_deref(), Some("/services "));
        assert_eq!(to("/services/a%20b/routes/").as_deref(), Some("/services/:services/routes a b"));
        assert_eq!(to("/services//routes"), None);
    }

    #[test]
    fn endpoints_that_kong_disables_do_not_exist() {
        for path in ["/targets", "/targets/x", "/snis/x/certificate", "/workspaces", "/consumer_groups"] {
            assert_eq!(to(path), None, "{path}");
        }
    }

    #[test]
    fn every_path_is_unique() {
        let paths = ADMIN.paths();
        let twice: Vec<_> = paths.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
