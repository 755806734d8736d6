//! Uniform access to entities of all kinds: by row, by id, by name, by reference, as JSON.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use model::{self, DisplayState, Row, Table};
use upstream::canonical_target;

/// Names of a kind in the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// The kind, as in a file.
    pub kind: &'static str,
    /// Path segment of its list.
    pub path: &'static str,
    /// Path segment of its list under another entity.
    pub nested: &'static str,
    /// The field that can identify an entity instead of its id.
    pub key: Option<&'static str>,
    /// Whether it has endpoints; others only appear as references.
    pub own: bool,
    /// Whether it has top-level endpoints, and not only endpoints under another entity.
    pub top: bool,
}

const fn kind(kind: &'static str, path: &'static str, nested: &'static str, key: &'static str) -> Collection {
    let key = if key.is_empty() { None } else { Some(key) };
    Collection { kind, path, nested, key, own: true, top: true }
}

/// All kinds of the API.
pub const COLLECTIONS: &[Collection] = &[
    kind("services", "services", "services", "name"),
    kind("routes", "routes", "routes", "name"),
    kind("consumers", "consumers", "consumers", "username"),
    kind("plugins", "plugins", "plugins", "instance_name"),
    kind("upstreams", "upstreams", "upstreams", "name"),
    Collection { top: false, ..kind("targets", "targets", "targets", "target") },
    kind("certificates", "certificates", "certificates", ""),
    kind("ca_certificates", "ca_certificates", "ca_certificates", ""),
    kind("snis", "snis", "snis", "name"),
    kind("vaults", "vaults", "vaults", "prefix"),
    kind("keys", "keys", "keys", "name"),
    kind("key_sets", "key-sets", "key-sets", "name"),
    kind("acls", "acls", "acls", ""),
    kind("basicauth_credentials", "basic-auths", "basic-auth", "username"),
    kind("hmacauth_credentials", "hmac-auths", "hmac-auth", "username"),
    kind("jwt_secrets", "jwts", "jwt", "key"),
    kind("keyauth_credentials", "key-auths", "key-auth", "key"),
    kind("oauth2_credentials", "oauth2", "oauth2", "client_id"),
    kind("oauth2_tokens", "oauth2_tokens", "oauth2_tokens", "access_token"),
    kind("sessions", "sessions", "sessions", "session_id"),
    kind("acme_storage", "acme_storage", "acme_storage", ""),
];

/// The rows of one kind.
pub trait Rows {
    /// Number of rows.
    fn len(&self) -> usize;
    /// Returns the id of a row.
    fn id(&self, row: usize) -> Uuid;
    /// Serializes a row with all its fields, absent ones as null.
    fn json(&self, row: usize) -> Value;
    /// Returns the tags of a row.
    fn tags(&self, row: usize) -> &[String];
    /// Returns the id that a foreign field of a row refers to.
    fn linked(&self, row: usize, field: &str) -> Option<Uuid>;
    /// Finds a row by id.
    fn by_id(&self, id: Uuid) -> Option<usize>;
    /// Finds a row by name.
    fn by_name(&self, name: &str) -> Option<usize>;
}

/// Rows that may have tags.
trait Tagged {
    fn tags(&self) -> &[String] {
        &[]
    }
}

impl<T: Row + Tagged + Serialize> Rows for Table<T> {
    fn len(&self) -> usize {
        self.len()
    }
    fn id(&self, row: usize) -> Uuid {
        self.rows()[row].id()
    }
    fn json(&self, row: usize) -> Value {
        serde_json::to_value(&self.rows()[row]).unwrap_or_default()
    }
    fn tags(&self, row: usize) -> &[String] {
        self.rows()[row].tags()
    }
    fn linked(&self, row: usize, field: &str) -> Option<Uuid> {
        self.rows()[row].linked(field)
    }
    fn by_id(&self, id: Uuid) -> Option<usize> {
        self.by_id(id).map(model::Ix::get)
    }
    fn by_name(&self, name: &str) -> Option<usize> {
        self.by_name(name).map(model::Ix::get)
    }
}

macro_rules! tables {
    (tagged { $($table:ident: $row:ident,)* } plain { $($other:ident: $without:ident,)* }) => {
        $(impl Tagged for model::$row {
            fn tags(&self) -> &[String] {
                self.tags.as_ref().map_or(&[], |tags| &tags.0)
            }
        })*
        $(impl Tagged for model::$without {})*

        /// Returns the rows of a kind; `None` if the kind is unknown.
        pub fn rows<'s>(state: DisplayState<'s>, kind: &str) -> Option<&'s dyn Rows> {
            match kind {
                $(stringify!($table) => Some(&state.rows().$table),)*
                $(stringify!($other) => Some(&state.rows().$other),)*
                _ => None,
            }
        }

        /// The kinds whose entities may have tags.
        pub const TAGGED: &[&str] = &[$(stringify!($table)),*];
    };
}

tables! {
    tagged {
        services: Service,
        routes: Route,
        consumers: Consumer,
        plugins: PluginEntity,
        upstreams: Upstream,
        targets: Target,
        certificates: Certificate,
        ca_certificates: CaCertificate,
        snis: Sni,
        vaults: Vault,
        keys: Key,
        key_sets: KeySet,
        filter_chains: FilterChain,
        acls: Acl,
        basicauth_credentials: BasicAuth,
        hmacauth_credentials: HmacAuth,
        jwt_secrets: JwtSecret,
        keyauth_credentials: KeyAuth,
        oauth2_credentials: OAuth2Credential,
    }
    plain {
        oauth2_tokens: OAuth2Token,
        sessions: Session,
        acme_storage: AcmeStorage,
    }
}

/// Renders an entity for the API. A certificate includes its SNIs, a target its port.
pub fn shown(state: DisplayState<'_>, kind: &str, rows: &dyn Rows, row: usize) -> Value {
    let mut json = rows.json(row);
    if kind == "certificates" {
        let id = rows.id(row);
        let names = state.snis.rows().iter().filter(|sni| sni.certificate.id == id).map(|sni| &sni.name);
        json["snis"] = json!(names.collect::<Vec<_>>());
    }
    if let ("targets", Some(target)) = (kind, json["target"].as_str()) {
        json["target"] = canonical_target(target).into();
    }
    json
}
