//! Field types that several entities share, and the schemas of texts with rules.
//!
//! A marker such as [`Name`] is never held: it stands in `#[schemars(with = "Option<Name>")]` for a plain
//! `String` and brings the field's constraints into the schema. What the `x-` keywords mean is said in
//! [`crate::rule`] (`x-rule`) and where schemas are compiled, in `config::validator`.

use serde::{Deserialize, Deserializer, Serialize};

/// Seconds since 1970 (UTC).
pub type Timestamp = i64;

/// What a route or plugin applies to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Protocol {
    Grpc,
    Grpcs,
    Http,
    Https,
    Tcp,
    Tls,
    TlsPassthrough,
    Udp,
}

/// A list in which duplicates are dropped silently, the first kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Set<T>(pub Box<[T]>);

impl<T: schemars::JsonSchema> schemars::JsonSchema for Set<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Set_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let items = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": items, "x-set": true })
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Set(Box::default())
    }
}

impl<T> std::ops::Deref for Set<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: PartialEq> From<Vec<T>> for Set<T> {
    fn from(mut items: Vec<T>) -> Self {
        let mut kept = 0;
        for i in 0..items.len() {
            if !items[..kept].contains(&items[i]) {
                items.swap(kept, i);
                kept += 1;
            }
        }
        items.truncate(kept);
        Set(items.into_boxed_slice())
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Set::from)
    }
}

/// A whole number of seconds, from a number with or without a fraction.
///
/// # Errors
/// Never; what is no number counts as absent.
pub(super) fn lenient_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
        _ => None,
    })
}

/// Reads a value; null counts as absent.
///
/// # Errors
/// When there is something of another type.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Skips whatever is there.
///
/// # Errors
/// Never.
pub(super) fn ignored<'de, D: Deserializer<'de>, T: Default>(deserializer: D) -> Result<T, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| T::default())
}

/// Declares markers: types that exist only for their schema.
macro_rules! markers {
    ($($(#[$meta:meta])* $name:ident = { $($schema:tt)* };)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ $($schema)* })
            }
        }
    )* };
}

markers! {
    /// An id that is made when absent.
    Id = { "type": "string", "format": "uuid", "x-auto": true };
    /// The id of another entity.
    OtherId = { "type": "string", "format": "uuid" };
    /// A time that is filled in when absent.
    Created = { "type": "integer", "x-auto": true, "x-timestamp": true };
    /// The same, with fractions of a second.
    CreatedFraction = { "type": "number", "x-auto": true, "x-timestamp": true };
    /// A time that is always the time of loading; what the file says is ignored.
    Updated = { "x-auto": true, "x-ignored": true };
    /// Something that is read but never checked.
    Ignored = { "x-ignored": true };
    /// How long an entity lives, in seconds.
    Ttl = { "type": "number", "minimum": 0 };
    /// A time given by someone.
    Time = { "type": "integer", "x-timestamp": true };
    /// Text that is made up at random when absent.
    RandomText = { "type": "string", "x-auto": true };
    /// The same, and a secret.
    RandomSecret = { "type": "string", "x-auto": true, "x-encrypted": true };
    /// Name of an upstream: a host name.
    UpstreamName = { "type": "string", "x-rule": "upstream_name" };
    /// Address of a target.
    TargetAddress = { "type": "string", "x-rule": "target" };
    /// An HTTP status in a list of health checks.
    Status = { "type": "integer", "minimum": 100, "maximum": 999 };
    /// Name of a WebAssembly filter: none is installed.
    NoFilter = { "type": "string", "enum": [], "x-err": "no such filter" };
    /// Name of a workspace.
    WorkspaceName = { "type": "string", "x-rule": "name", "x-not-enum": [
        "workspaces", "consumers", "certificates", "services", "routes", "snis", "upstreams", "targets", "plugins",
        "tags", "ca_certificates", "clustering_data_planes", "parameters", "vaults", "key_sets", "keys",
        "filter_chains"
    ] };
    /// How a PKCE challenge was made.
    ChallengeMethod = { "type": "string", "enum": ["S256"] };
    /// Hash of a configuration.
    ConfigHash = { "type": "string", "x-length": 32 };
    /// Version of a gateway.
    GatewayVersion = { "type": "string", "x-rule": "version" };
    /// A time with fractions of a second.
    FractionTime = { "type": "number", "x-timestamp": true };
    /// Any text but the empty one.
    Text = { "type": "string" };
    /// Any text.
    AnyText = { "type": "string", "minLength": 0 };
    /// A secret that may be a vault reference.
    Secret = { "type": "string", "x-referenceable": true, "x-encrypted": true };
    /// Text that may be a vault reference.
    Referenceable = { "type": "string", "x-referenceable": true };
    /// A unique name.
    Name = { "type": "string", "x-rule": "name" };
    /// A free label.
    Tag = { "type": "string", "x-rule": "tag" };
    /// Host name or address without port.
    Host = { "type": "string", "x-rule": "host" };
    /// Host name or address, with or without a port.
    HostWithPort = { "type": "string", "x-rule": "host_with_port" };
    /// Name of a TLS server, without wildcard.
    ServerName = { "type": "string", "x-rule": "sni" };
    /// Name of a TLS server, with a wildcard at one end at most.
    WildcardServerName = { "type": "string", "x-rule": "wildcard_sni" };
    /// A route's host.
    RouteHost = { "type": "string", "x-rule": "route_host" };
    /// A route's path.
    RoutePath = { "type": "string", "x-rule": "route_path" };
    /// A path of RFC 3986 characters.
    Path = { "type": "string", "x-rule": "path" };
    /// Name of a header.
    HeaderName = { "type": "string", "x-rule": "header_name" };
    /// Name of a cookie (RFC 2616 token).
    CookieName = { "type": "string", "x-rule": "cookie_name" };
    /// An HTTP method, upper case.
    Method = { "type": "string", "pattern": "^[A-Z]+$" };
    /// Address.
    Ip = { "type": "string", "x-rule": "ip" };
    /// Address or network.
    IpOrCidr = { "type": "string", "x-rule": "ip_or_cidr" };
    /// TCP or UDP port.
    Port = { "type": "integer", "minimum": 0, "maximum": 65535 };
    /// Milliseconds, at least one.
    Timeout = { "type": "integer", "minimum": 1, "maximum": 2147483646_i64 };
    /// A URL with scheme and host.
    Url = { "type": "string", "x-rule": "url" };
    /// A URL with scheme and host, without fragment.
    RedirectUri = { "type": "string", "x-rule": "redirect_uri" };
    /// Text of a regular expression (PCRE).
    Regex = { "type": "string", "x-rule": "regex" };
    /// Certificate chain in PEM.
    CertificatePem = { "type": "string", "x-rule": "certificate", "x-referenceable": true };
    /// Certificate in PEM that may not come from a vault.
    PlainCertificatePem = { "type": "string", "x-rule": "certificate" };
    /// Private key in PEM.
    KeyPem = { "type": "string", "x-rule": "key", "x-referenceable": true, "x-encrypted": true };
    /// Whether a vault's settings name variables that exist.
    VariablePrefix = { "type": "string", "pattern": "^[A-Za-z_-][A-Za-z0-9_-]*$" };
}

#[cfg(test)]
mod tests {
    use super::Set;

    #[test]
    fn a_set_keeps_the_first_of_equal_items_in_their_order() {
        let set = |items: &[u8]| Set::from(items.to_vec()).0.to_vec();
        assert_eq!(set(&[3, 1, 3, 2, 1, 2, 4]), [3, 1, 2, 4]);
        assert_eq!(set(&[7, 7, 7]), [7]);
        assert!(set(&[]).is_empty());
    }
}
