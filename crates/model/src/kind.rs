//! Descriptions of all kinds of entity: nesting, unique fields, derivation of ids.

use super::*;

/// Derivation of an entity's id if the file contains none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// From `<kind>:*:` and these fields joined by `:`; random if one of the `needed` fields is absent.
    CacheKey {
        /// The fields.
        fields: &'static [&'static str],
        /// The required fields.
        needed: &'static [&'static str],
    },
    /// From the unique field; random if that is absent.
    Name,
    /// Random.
    Random,
    /// It has no id: these fields are its key.
    Natural(&'static [&'static str]),
}

/// A reference to another entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The field.
    pub field: &'static str,
    /// The kind it refers to.
    pub kind: &'static str,
}

/// A kind of entity that may be nested in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// The kind, which is also the key of the nested list.
    pub kind: &'static str,
    /// The field of the child that refers to its parent.
    pub field: &'static str,
}

/// One kind of entity.
#[derive(Clone, Copy)]
pub struct KindInfo {
    /// The key of its list at top level.
    pub key: &'static str,
    /// Unique field by which others may refer to it.
    pub name: Option<&'static str>,
    /// Other unique fields.
    pub unique: &'static [&'static str],
    /// Derivation of its id.
    pub id: IdRule,
    /// Its references.
    pub foreign: &'static [Foreign],
    /// Kinds that may be nested in it.
    pub children: &'static [Child],
    /// Its schema, without nested entities.
    pub schema: fn() -> schemars::Schema,
}

impl std::fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

impl KindInfo {
    /// Finds a kind by its key.
    pub fn of(key: &str) -> Option<&'static KindInfo> {
        KINDS.iter().find(|k| k.key == key)
    }

    /// Finds the index of a kind in [`KINDS`].
    pub fn number(key: &str) -> Option<usize> {
        KINDS.iter().position(|k| k.key == key)
    }
}

/// Generates the schema of a type with all definitions inlined, without `$ref`.
pub fn inline_schema<T: schemars::JsonSchema>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>()
}

const fn to(field: &'static str, kind: &'static str) -> Foreign {
    Foreign { field, kind }
}

const fn child(kind: &'static str, field: &'static str) -> Child {
    Child { kind, field }
}

const CONSUMER: &[Foreign] = &[to("consumer", "consumers")];

const BASE: KindInfo = KindInfo {
    key: "",
    name: None,
    unique: &[],
    id: IdRule::Random,
    foreign: &[],
    children: &[],
    schema: inline_schema::<EmptyRecord>,
};

/// The default workspace, which exists whether or not a file contains it.
pub const DEFAULT_WORKSPACE: uuid::Uuid = uuid::Uuid::from_u128(0x0dc6f45b_8f8d_40d2_a504_473544ee190b);

/// All kinds in the order of loading: referenced kinds come first.
pub const KINDS: &[KindInfo] = &[
    KindInfo {
        key: "workspaces",
        name: Some("name"),
        id: IdRule::CacheKey { fields: &["name"], needed: &["name"] },
        schema: inline_schema::<Workspace>,
        ..BASE
    },
    KindInfo {
        key: "ca_certificates",
        unique: &["cert_digest"],
        schema: inline_schema::<CaCertificate>,
        ..BASE
    },
    KindInfo {
        key: "certificates",
        children: &[
            child("services", "client_certificate"),
            child("snis", "certificate"),
            child("upstreams", "client_certificate"),
        ],
        schema: inline_schema::<Certificate>,
        ..BASE
    },
    KindInfo { key: "clustering_data_planes", schema: inline_schema::<ClusteringDataPlane>, ..BASE },
    KindInfo {
        key: "consumers",
        name: Some("username"),
        unique: &["custom_id"],
        id: IdRule::Name,
        children: &[
            child("acls", "consumer"),
            child("basicauth_credentials", "consumer"),
            child("hmacauth_credentials", "consumer"),
            child("jwt_secrets", "consumer"),
            child("keyauth_credentials", "consumer"),
            child("oauth2_credentials", "consumer"),
            child("plugins", "consumer"),
        ],
        schema: inline_schema::<Consumer>,
        ..BASE
    },
    KindInfo {
        key: "key_sets",
        name: Some("name"),
        id: IdRule::Name,
        children: &[child("keys", "set")],
        schema: inline_schema::<KeySet>,
        ..BASE
    },
    KindInfo {
        key: "keys",
        name: Some("name"),
        id: IdRule::CacheKey { fields: &["kid", "set"], needed: &["kid"] },
        foreign: &[to("set", "key_sets")],
        schema: inline_schema::<Key>,
        ..BASE
    },
    KindInfo { key: "parameters", id: IdRule::Natural(&["key"]), schema: inline_schema::<Parameter>, ..BASE },
    KindInfo {
        key: "services",
        name: Some("name"),
        id: IdRule::Name,
        foreign: &[to("client_certificate", "certificates")],
        children: &[
            child("filter_chains", "service"),
            child("oauth2_authorization_codes", "service"),
            child("oauth2_tokens", "service"),
            child("plugins", "service"),
            child("routes", "service"),
        ],
        schema: inline_schema::<Service>,
        ..BASE
    },
    KindInfo {
        key: "routes",
        name: Some("name"),
        id: IdRule::Name,
        foreign: &[to("service", "services")],
        children: &[child("filter_chains", "route"), child("plugins", "route")],
        schema: inline_schema::<Route>,
        ..BASE
    },
    KindInfo {
        key: "filter_chains",
        name: Some("name"),
        unique: &["route", "service"],
        id: IdRule::CacheKey { fields: &["route", "service"], needed: &[] },
        foreign: &[to("route", "routes"), to("service", "services")],
        schema: inline_schema::<FilterChain>,
        ..BASE
    },
    KindInfo {
        key: "plugins",
        name: Some("instance_name"),
        id: IdRule::CacheKey { fields: &["name", "route", "service", "consumer"], needed: &["name"] },
        foreign: &[to("route", "routes"), to("service", "services"), to("consumer", "consumers")],
        children: &[child("oauth2_authorization_codes", "plugin")],
        schema: inline_schema::<PluginRow>,
        ..BASE
    },
    KindInfo {
        key: "snis",
        name: Some("name"),
        id: IdRule::Name,
        foreign: &[to("certificate", "certificates")],
        schema: inline_schema::<Sni>,
        ..BASE
    },
    KindInfo {
        key: "upstreams",
        name: Some("name"),
        id: IdRule::Name,
        foreign: &[to("client_certificate", "certificates")],
        children: &[child("targets", "upstream")],
        schema: inline_schema::<Upstream>,
        ..BASE
    },
    KindInfo {
        key: "targets",
        id: IdRule::CacheKey { fields: &["upstream", "target"], needed: &["upstream", "target"] },
        foreign: &[to("upstream", "upstreams")],
        schema: inline_schema::<Target>,
        ..BASE
    },
    KindInfo {
        key: "vaults",
        name: Some("prefix"),
        id: IdRule::CacheKey { fields: &["prefix"], needed: &["prefix"] },
        schema: inline_schema::<Vault>,
        ..BASE
    },
    KindInfo {
        key: "acls",
        id: IdRule::CacheKey { fields: &["consumer", "group"], needed: &["consumer", "group"] },
        foreign: CONSUMER,
        schema: inline_schema::<Acl>,
        ..BASE
    },
    KindInfo { key: "acme_storage", unique: &["key"], schema: inline_schema::<AcmeStorage>, ..BASE },
    KindInfo {
        key: "basicauth_credentials",
        name: Some("username"),
        id: IdRule::CacheKey { fields: &["username"], needed: &["username"] },
        foreign: CONSUMER,
        schema: inline_schema::<BasicAuth>,
        ..BASE
    },
    KindInfo {
        key: "hmacauth_credentials",
        name: Some("username"),
        id: IdRule::CacheKey { fields: &["username"], needed: &["username"] },
        foreign: CONSUMER,
        schema: inline_schema::<HmacAuth>,
        ..BASE
    },
    KindInfo {
        key: "jwt_secrets",
        name: Some("key"),
        foreign: CONSUMER,
        schema: inline_schema::<JwtSecret>,
        ..BASE
    },
    KindInfo {
        key: "keyauth_credentials",
        name: Some("key"),
        foreign: CONSUMER,
        schema: inline_schema::<KeyAuth>,
        ..BASE
    },
    KindInfo {
        key: "oauth2_credentials",
        name: Some("client_id"),
        foreign: CONSUMER,
        children: &[child("oauth2_authorization_codes", "credential"), child("oauth2_tokens", "credential")],
        schema: inline_schema::<OAuth2Credential>,
        ..BASE
    },
    KindInfo {
        key: "oauth2_authorization_codes",
        unique: &["code"],
        foreign: &[
            to("service", "services"),
            to("credential", "oauth2_credentials"),
            to("plugin", "plugins"),
        ],
        schema: inline_schema::<OAuth2AuthorizationCode>,
        ..BASE
    },
    KindInfo {
        key: "oauth2_tokens",
        name: Some("access_token"),
        unique: &["refresh_token"],
        foreign: &[to("service", "services"), to("credential", "oauth2_credentials")],
        schema: inline_schema::<OAuth2Token>,
        ..BASE
    },
    KindInfo {
        key: "ratelimiting_metrics",
        id: IdRule::Natural(&["identifier", "period", "period_date", "service_id", "route_id"]),
        schema: inline_schema::<RateLimitingMetric>,
        ..BASE
    },
    KindInfo {
        key: "sessions",
        name: Some("session_id"),
        id: IdRule::CacheKey { fields: &["session_id"], needed: &["session_id"] },
        schema: inline_schema::<Session>,
        ..BASE
    },
];
