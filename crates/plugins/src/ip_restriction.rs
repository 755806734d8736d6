//! Access control by client IP address.

use std::net::IpAddr;

use http::StatusCode;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::shared::{address_set::AddressSet, status::error_status};
use model::Protocol;
use plugin::{
    self, ALL_PROTOCOLS, AccessLists, BuildContext, BuildError, ConfigChange, Ctx, Effect, Gate, Hook,
    HookFuture, HookResult, LocalReply, Phases, PluginTraits, Risks, ShortCircuit, StreamCtx,
    StreamRejection, StreamResult,
};

/// Allows or denies requests by client IP address: rejects clients in `deny`, and clients outside `allow` if it is set.
///
/// The client address is that of the connection, or the one that a trusted proxy (`trusted_ips`) reports. IPv4
/// networks only match IPv4 clients, IPv6 networks only IPv6 clients. Addresses are looked up by binary search, so
/// that long lists are cheap.
///
/// ```yaml
/// plugins:
/// - name: ip-restriction
///   config:
///     allow: [10.0.0.0/8, 192.168.1.7]
///     deny: [10.1.0.0/16]
/// ```
///
/// **Errors:** `status` (403) with `message`, by default `IP address not allowed:` followed by the address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-plugin-checks" = [{"at_least_one_of": ["config.allow", "config.deny"]}]))]
pub struct Config {
    /// Addresses and CIDR ranges that are allowed. If absent or empty, all addresses that are not in `deny` are
    /// allowed.
    #[schemars(extend("items" = {"type": "string", "x-rule": "ip_or_cidr"}))]
    pub allow: Option<Vec<String>>,
    /// Addresses and CIDR ranges that are denied. Takes precedence over `allow`.
    #[schemars(extend("items" = {"type": "string", "x-rule": "ip_or_cidr"}))]
    pub deny: Option<Vec<String>>,
    /// Status code of the rejection, from 400 to 599; 403 by default.
    pub status: Option<Number>,
    /// Message of the rejection.
    pub message: Option<String>,
}

impl Config {
    fn lists(&self) -> AccessLists<'_> {
        AccessLists {
            allow: self.allow.as_deref().unwrap_or_default(),
            deny: self.deny.as_deref().unwrap_or_default(),
        }
    }
}

/// The plugin `ip-restriction`.
pub struct Plugin {
    allow: Option<Networks>,
    deny: Networks,
    status: Result<StatusCode, String>,
    message: Option<String>,
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "ip-restriction";
    const PRIORITY: i32 = 990;
    const PHASES: Phases<Self> = Phases {
        access: Hook::Sync(Self::access),
        preread: Some(|plugin, ctx| HookFuture::Ready(plugin.preread(&ctx))),
        ..Phases::NONE
    };
    const PROTOCOLS: &'static [Protocol] = ALL_PROTOCOLS;
    const DEFAULT_PROTOCOLS: &'static [Protocol] =
        &[Protocol::Http, Protocol::Https, Protocol::Tcp, Protocol::Tls, Protocol::Grpc, Protocol::Grpcs];
    const TRAITS: PluginTraits = PluginTraits { restricts: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        if !risks.presence(Self::NAME, change, "access widened", "access narrowed") {
            return;
        }
        let (Some(old), Some(new)) = (change.old, change.new) else { return };
        let admitted = |config: &Config| AddressSet::admitted(config.lists());
        let (Some(before), Some(after)) = (admitted(old), admitted(new)) else {
            return risks.access_lists(Self::NAME, old.lists(), new.lists());
        };
        if let Some(more) = after.beyond(&before) {
            let text = format!("access widened: {} admits {more} too", Self::NAME);
            if after.is_all() { risks.high(text) } else { risks.medium(text) }
        }
        if let Some(fewer) = before.beyond(&after) {
            risks.medium(format!("access narrowed: {} does not admit {fewer} any more", Self::NAME));
        }
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let within = |entries: &[String]| {
            let within = |entry: &String| {
                let operator = if entry.contains('/') { "in" } else { "==" };
                format!("net.src.ip {operator} {entry}")
            };
            entries.iter().map(within).collect::<Vec<_>>().join(" || ")
        };
        let AccessLists { allow, deny } = config.lists();
        let mut gates = Vec::new();
        if !deny.is_empty() {
            gates.push(Gate::when(within(deny), Effect::Responds)?);
        }
        if !allow.is_empty() {
            gates.push(Gate::when(format!("!({})", within(allow)), Effect::Responds)?);
        }
        Some(gates)
    }

    fn build(config: Config, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let allow = config.allow.filter(|entries| !entries.is_empty());
        let status = config.status.as_ref().map_or(Ok(StatusCode::FORBIDDEN), error_status);
        Ok(Plugin {
            allow: allow.map(|entries| Networks::new(&entries, "/allow")).transpose()?,
            deny: Networks::new(&config.deny.unwrap_or_default(), "/deny")?,
            status: status.map_err(|reason| format!("ip-restriction: status {reason}")),
            message: config.message,
        })
    }
}

impl Plugin {
    fn admits(&self, ip: IpAddr) -> bool {
        !self.deny.contains(ip) && self.allow.as_ref().is_none_or(|allow| allow.contains(ip))
    }

    fn preread(&self, ctx: &StreamCtx<'_>) -> StreamResult {
        let ip = ctx.session.client.ip;
        match self.admits(ip) {
            true => Ok(()),
            false => Err(StreamRejection(format!("IP address not allowed: {ip}"))),
        }
    }

    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let ip = ctx.exchange.client.ip;
        if self.admits(ip) {
            return Ok(());
        }
        let status = self.status.clone().map_err(ShortCircuit::Fail)?;
        let message = self.message.clone().unwrap_or_else(|| format!("IP address not allowed: {ip}"));
        Err(LocalReply::error(status, message).into())
    }
}

/// A set of addresses as sorted, disjoint ranges with inclusive bounds.
struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    fn new(entries: &[String], pointer: &str) -> Result<Self, BuildError> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            match network {
                Ok(IpNet::V4(net)) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                Ok(IpNet::V6(net)) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
                Err(_) => {
                    let message = format!("invalid ip or cidr range: '{entry}'");
                    return Err(BuildError::at(format!("{pointer}/{at}"), message));
                }
            }
        }
        Ok(Networks { v4: merge_ranges(v4), v6: merge_ranges(v6) })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ranges_contain(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => ranges_contain(&self.v6, ip.to_bits()),
        }
    }
}

/// Sorts ranges and merges those that overlap.
fn merge_ranges<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, merged| {
        let overlaps = next.0 <= merged.1;
        if overlaps {
            merged.1 = merged.1.max(next.1);
        }
        overlaps
    });
    ranges
}

/// Returns whether an address is in one of the sorted ranges.
fn ranges_contain<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after > 0 && address <= ranges[after - 1].1
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use model::State;
    use plugin::{
        LocalReplyBody,
        testing::{PluginHarness, request},
    };

    fn passes(config: Value, ip: &str) -> bool {
        let harness = PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid");
        let mut exchange = request("GET", "/", &[], "");
        exchange.client.ip = ip.parse().expect("an address");
        harness.access(&mut exchange).is_ok()
    }

    #[test]
    fn addresses_and_networks_are_allowed_and_denied() {
        let cases = [
            (json!({"deny": ["127.0.0.1", "10.0.0.1"]}), "127.0.0.1", false),
            (json!({"deny": ["127.0.0.1", "10.0.0.1"]}), "127.0.0.2", true),
            (json!({"deny": ["127.0.0.0/24"]}), "127.0.0.255", false),
            (json!({"deny": ["127.0.0.0/24"]}), "127.0.1.0", true),
            (json!({"deny": ["127.0.0.77/24"]}), "127.0.0.1", false),
            (json!({"allow": ["127.0.0.2/31"]}), "127.0.0.1", false),
            (json!({"allow": ["127.0.0.2/31"]}), "127.0.0.3", true),
            (json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}), "10.1.2.3", false),
            (json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}), "10.2.2.3", true),
            (json!({"allow": [], "deny": ["10.1.0.0/16"]}), "1.1.1.1", true),
            (json!({"allow": ["1.1.1.1"], "deny": []}), "1.1.1.2", false),
            (json!({"deny": ["::/0"]}), "127.0.0.1", true),
            (json!({"deny": ["0.0.0.0/0"]}), "::1", true),
            (json!({"deny": ["::/0"]}), "2001:db8::1", false),
            (json!({"allow": ["2001:db8::/32"]}), "2001:db8:ffff::1", true),
            (json!({"allow": ["10.0.0.0/8", "10.0.0.1", "11.0.0.0/8", "9.0.0.1"]}), "10.255.0.1", true),
            (json!({"allow": ["10.0.0.0/8", "10.0.0.1", "12.0.0.0/8", "9.0.0.1"]}), "11.0.0.1", false),
        ];
        for (config, ip, expected) in cases {
            assert_eq!(passes(config.clone(), ip), expected, "{config} {ip}");
        }
    }

    #[test]
    fn a_rejection_has_the_address_unless_a_message_is_configured() {
        let reject = |config: Value| {
            let harness = PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid");
            harness.reply(&mut request("GET", "/", &[], ""))
        };
        let reply = reject(json!({"deny": ["127.0.0.1"]}));
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        let message = "IP address not allowed: 127.0.0.1";
        assert!(matches!(reply.body, LocalReplyBody::Message(Some(text)) if text == message));
        let reply = reject(json!({"deny": ["127.0.0.1"], "status": 451, "message": "no"}));
        assert_eq!(reply.status.as_u16(), 451);
        assert!(matches!(reply.body, LocalReplyBody::Message(Some(text)) if text == "no"));
    }

    #[test]
    fn an_invalid_entry_is_rejected() {
        let error =
            PluginHarness::new::<Plugin>(json!({"allow": ["::1", "300.1.1.1"]}), State::default()).err();
        let error = error.expect("refused");
        assert_eq!(error.pointer, "/allow/1");
        assert_eq!(error.message, "invalid ip or cidr range: '300.1.1.1'");
    }
}
