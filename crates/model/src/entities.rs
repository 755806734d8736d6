//! The table of entities: one entry has everything that the program knows about a kind of entity.
//!
//! The tables of [`State`], the order of loading, the endpoints of the admin API, the identity of rows in `diff`,
//! suggestions and lints are derived from it. To add a kind, write its type (a struct with `id`, `origin` and the
//! fields of the format) and its entry here; an entry that lacks an attribute does not compile. Secrets are not listed
//! here: a field of the type [`Secret`](super::field::Secret), or with `x-encrypted`, is one everywhere.

use super::{
    kind::{Admin, Comparison, IdRule, Role},
    kind_macro::entities,
    *,
};

entities! {
    /// Name spaces; there is only one.
    workspaces: Workspace {
        name: (name),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (-),
        unique: &[],
        id: IdRule::CacheKey { fields: &["name"], needed: &["name"] },
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: None,
        comparison: None,
    }
    /// Certificate authorities.
    ca_certificates: CaCertificate {
        name: (-),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &["cert_digest"],
        id: IdRule::Random,
        main_field: "cert",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("ca_certificates")),
        comparison: Some(Comparison::by(&["cert"], "ca-certificate")),
    }
    /// Certificates with their keys.
    certificates: Certificate {
        name: (-),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Random,
        main_field: "cert",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("certificates")),
        comparison: Some(Comparison::by(&["cert"], "certificate")),
    }
    /// Data planes that a control plane has seen.
    clustering_data_planes: ClusteringDataPlane {
        name: (-),
        refers_to: {},
        created: (last_seen),
        updated: (updated_at),
        generated: [],
        tags: (-),
        unique: &[],
        id: IdRule::Random,
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(None),
        admin: None,
        comparison: None,
    }
    /// Users of services.
    consumers: Consumer {
        name: (?username),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &["custom_id"],
        id: IdRule::Name,
        main_field: "username",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("consumers")),
        comparison: Some(Comparison::by(&["username", "custom_id"], "consumer")),
    }
    /// Sets of keys.
    key_sets: KeySet {
        name: (?name),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Name,
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("key-sets")),
        comparison: Some(Comparison::by(&["name"], "key-set")),
    }
    /// Keys.
    keys: Key {
        name: (?name),
        refers_to: { set: KeySet },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["kid", "set"], needed: &["kid"] },
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("keys")),
        comparison: Some(Comparison::by(&["name", "kid"], "key").with_owners()),
    }
    /// Texts by name.
    parameters: Parameter {
        name: (-),
        refers_to: {},
        created: (created_at),
        updated: (-),
        generated: [],
        tags: (-),
        unique: &[],
        id: IdRule::Natural(&["key"]),
        main_field: "key",
        other_names: &[],
        role: Role::Configuration,
        admin: None,
        comparison: None,
    }
    /// Services.
    services: Service {
        name: (?name),
        refers_to: { client_certificate: Certificate },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Name,
        main_field: "name",
        other_names: &["apis"],
        role: Role::Configuration,
        admin: Some(Admin::at("services")),
        comparison: Some(Comparison::by(&["name"], "service").unordered(&["ca_certificates"])),
    }
    /// Routes.
    routes: Route {
        name: (?name),
        refers_to: { service: Service },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Name,
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("routes")),
        comparison: Some(Comparison::by(&["name"], "route").unordered(&["hosts", "paths"])),
    }
    /// Chains of WebAssembly filters.
    filter_chains: FilterChain {
        name: (?name),
        refers_to: { route: Route, service: Service },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &["route", "service"],
        id: IdRule::CacheKey { fields: &["route", "service"], needed: &[] },
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: None,
        comparison: Some(Comparison::by(&["name"], "filter-chain").with_owners()),
    }
    /// Plugins, each with its settings.
    plugins: PluginEntity written as PluginRow {
        name: (?instance_name),
        refers_to: { route: Route, service: Service, consumer: Consumer },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["name", "route", "service", "consumer"], needed: &["name"] },
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("plugins")),
        comparison: Some(Comparison::by(&["name"], "plugin").with_owners()),
    }
    /// Server names with their certificates.
    snis: Sni {
        name: (name),
        refers_to: { certificate: Certificate },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Name,
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("snis")),
        comparison: Some(Comparison::by(&["name"], "sni")),
    }
    /// Upstreams: names that balance over targets.
    upstreams: Upstream {
        name: (name),
        refers_to: { client_certificate: Certificate },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::Name,
        main_field: "name",
        other_names: &["clusters", "backends"],
        role: Role::Configuration,
        admin: Some(Admin::at("upstreams")),
        comparison: Some(Comparison::by(&["name"], "upstream")),
    }
    /// Targets of upstreams.
    targets: Target {
        name: (-),
        refers_to: { upstream: Upstream },
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["upstream", "target"], needed: &["upstream", "target"] },
        main_field: "target",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("targets").by("target").nested_only()),
        comparison: Some(Comparison::by(&["target"], "target").with_owners()),
    }
    /// Vaults that references may name.
    vaults: Vault {
        name: (prefix),
        refers_to: {},
        created: (created_at),
        updated: (updated_at),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["prefix"], needed: &["prefix"] },
        main_field: "name",
        other_names: &[],
        role: Role::Configuration,
        admin: Some(Admin::at("vaults")),
        comparison: Some(Comparison::by(&["prefix"], "vault")),
    }
    /// Groups of consumers, for the plugin `acl`.
    acls: Acl {
        name: (-),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["consumer", "group"], needed: &["consumer", "group"] },
        main_field: "group",
        other_names: &["acl"],
        role: Role::Group("acl"),
        admin: Some(Admin::at("acls")),
        comparison: Some(Comparison::by(&["group"], "acl-group").with_owners()),
    }
    /// What the plugin `acme` stores.
    acme_storage: AcmeStorage {
        name: (-),
        refers_to: {},
        created: (created_at),
        updated: (-),
        generated: [key, value],
        tags: (-),
        unique: &["key"],
        id: IdRule::Random,
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(Some("acme")),
        admin: Some(Admin::at("acme_storage")),
        comparison: None,
    }
    /// User names and passwords.
    basicauth_credentials: BasicAuth {
        name: (username),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["username"], needed: &["username"] },
        main_field: "username",
        other_names: &["basic_auth", "basicauth"],
        role: Role::Credential("basic-auth"),
        admin: Some(Admin::at("basic-auths").nested_at("basic-auth")),
        comparison: Some(Comparison::by(&["username"], "basic-auth")),
    }
    /// User names and secrets of signed requests.
    hmacauth_credentials: HmacAuth {
        name: (username),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [secret],
        tags: (tags),
        unique: &[],
        id: IdRule::CacheKey { fields: &["username"], needed: &["username"] },
        main_field: "username",
        other_names: &["hmac_auth", "hmacauth"],
        role: Role::Credential("hmac-auth"),
        admin: Some(Admin::at("hmac-auths").nested_at("hmac-auth")),
        comparison: Some(Comparison::by(&["username"], "hmac-auth")),
    }
    /// Keys that tokens are signed with.
    jwt_secrets: JwtSecret {
        name: (key),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [key, secret],
        tags: (tags),
        unique: &[],
        id: IdRule::Random,
        main_field: "key",
        other_names: &["jwt", "jwts", "jwt_credentials", "jwt_keys"],
        role: Role::Credential("jwt"),
        admin: Some(Admin::at("jwts").nested_at("jwt")),
        comparison: Some(Comparison::by(&["key"], "jwt-auth")),
    }
    /// API keys.
    keyauth_credentials: KeyAuth {
        name: (key),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [key],
        tags: (tags),
        unique: &[],
        id: IdRule::Random,
        main_field: "key",
        other_names: &["key_auth", "keyauth", "api_keys", "apikeys", "keys"],
        role: Role::Credential("key-auth"),
        admin: Some(Admin::at("key-auths").nested_at("key-auth")),
        comparison: Some(Comparison::by(&["key"], "key-auth")),
    }
    /// OAuth 2.0 clients.
    oauth2_credentials: OAuth2Credential {
        name: (client_id),
        refers_to: { consumer: Consumer },
        created: (created_at),
        updated: (-),
        generated: [client_id, client_secret],
        tags: (tags),
        unique: &[],
        id: IdRule::Random,
        main_field: "name",
        other_names: &["oauth2", "oauth2_apps"],
        role: Role::Credential("oauth2"),
        admin: Some(Admin::at("oauth2")),
        comparison: Some(Comparison::by(&["client_id"], "oauth2-cred").unordered(&["redirect_uris"])),
    }
    /// Authorization codes that the plugin `oauth2` has issued.
    oauth2_authorization_codes: OAuth2AuthorizationCode {
        name: (-),
        refers_to: { service: Service, credential: OAuth2Credential, plugin: PluginEntity },
        created: (created_at),
        updated: (-),
        generated: [code],
        tags: (-),
        unique: &["code"],
        id: IdRule::Random,
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(Some("oauth2")),
        admin: None,
        comparison: None,
    }
    /// Tokens that the plugin `oauth2` has issued.
    oauth2_tokens: OAuth2Token {
        name: (access_token),
        refers_to: { service: Service, credential: OAuth2Credential },
        created: (created_at),
        updated: (-),
        generated: [access_token],
        tags: (-),
        unique: &["refresh_token"],
        id: IdRule::Random,
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(Some("oauth2")),
        admin: Some(Admin::at("oauth2_tokens")),
        comparison: None,
    }
    /// Counters of the rate-limiting plugins with the policy `cluster`.
    ratelimiting_metrics: RateLimitingMetric {
        name: (-),
        refers_to: {},
        created: (-),
        updated: (-),
        generated: [],
        tags: (-),
        unique: &[],
        id: IdRule::Natural(&["identifier", "period", "period_date", "service_id", "route_id"]),
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(Some("rate-limiting")),
        admin: None,
        comparison: None,
    }
    /// Sessions of the plugin `session`.
    sessions: Session {
        name: (session_id),
        refers_to: {},
        created: (created_at),
        updated: (-),
        generated: [],
        tags: (-),
        unique: &[],
        id: IdRule::CacheKey { fields: &["session_id"], needed: &["session_id"] },
        main_field: "name",
        other_names: &[],
        role: Role::RuntimeData(Some("session")),
        admin: Some(Admin::at("sessions")),
        comparison: None,
    }
}
