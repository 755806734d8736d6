//! Holds the facts of a plugin against the plugin.

use http::HeaderMap;

use super::PluginHarness;
use crate::{Condition, Effect, Exchange, Gate, HookResult};
use router::RequestInput;

/// Runs the access hook and compares what happened with the facts of the plugin's configuration.
///
/// # Errors
/// If the plugin did what its facts exclude, with a description. Without facts there is nothing to compare.
pub fn check(harness: &PluginHarness, exchange: &mut Exchange) -> Result<(), String> {
    let Some(gates) = harness.facts() else { return Ok(()) };
    let expected = Expected::of(&gates, harness, exchange);
    let before = HeaderMap::clone(&exchange.request.headers);
    let result = harness.access(exchange);
    expected.compare(&result, exchange)?;
    compare_headers(&gates, &before, &exchange.request.headers)
}

/// What the gates say about one request.
#[derive(Debug, Default)]
struct Expected {
    /// The plugin must respond.
    responds: bool,
    /// The plugin may respond.
    may_respond: bool,
    /// The plugin authenticates the client; whether it falls back to an anonymous consumer.
    authenticates: Option<bool>,
}

impl Expected {
    fn of(gates: &[Gate], harness: &PluginHarness, exchange: &Exchange) -> Self {
        let mut expected = Expected::default();
        for gate in gates {
            if gate.when.as_ref().is_some_and(|when| !holds(when, exchange)) {
                continue;
            }
            let groups = exchange.consumer.map_or(&[][..], |consumer| harness.state.groups(consumer));
            let is_member =
                |names: &[String]| groups.iter().any(|group| names.iter().any(|n| **n == **group));
            match &gate.effect {
                Effect::Passes => break,
                Effect::Responds => {
                    expected.responds = true;
                    break;
                }
                Effect::MayRespond | Effect::Limits { .. } | Effect::LimitsBody { .. } => {
                    expected.may_respond = true;
                }
                Effect::Authenticates { anonymous, .. } => {
                    expected.authenticates = Some(anonymous.is_some());
                }
                Effect::NeedsGroup(names) => expected.responds |= !is_member(names),
                Effect::DeniesGroup(names) => {
                    expected.responds |= exchange.consumer.is_none() || is_member(names);
                }
                Effect::SetsRequestHeader { .. } | Effect::SetsResponseHeader(_) => {}
            }
        }
        expected
    }

    fn compare(&self, result: &HookResult, exchange: &Exchange) -> Result<(), String> {
        let fail = |text: &str| Err(format!("{text}; {self:?}, {result:?}"));
        match (result, self.authenticates) {
            (Ok(()), _) if self.responds && !self.may_respond => fail("the facts exclude that it passes"),
            (Ok(()), Some(false)) if exchange.credential.is_none() => {
                fail("the request passes without a credential")
            }
            (Err(_), Some(true)) if !self.may_respond && exchange.consumer.is_none() => {
                fail("the anonymous consumer is rejected")
            }
            (Err(_), None) if !self.responds && !self.may_respond => {
                fail("the facts exclude that it responds")
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether a request meets a condition.
fn holds(condition: &Condition, exchange: &Exchange) -> bool {
    let (request, client) = (&exchange.request, &exchange.client);
    let input = RequestInput {
        method: request.method.as_str(),
        https: client.is_tls,
        host: request.header("host"),
        query: request.query().unwrap_or(""),
        headers: &request.headers,
        sni: client.sni.as_deref(),
        source: (client.ip, client.peer.port()),
        destination: (client.local.ip(), client.local.port()),
    };
    condition.matches(&input, &router::normalize(request.path()))
}

/// Checks that each header that differs is named by a gate.
fn compare_headers(gates: &[Gate], before: &HeaderMap, after: &HeaderMap) -> Result<(), String> {
    for name in before.keys().chain(after.keys()) {
        let is_equal = before.get_all(name).iter().eq(after.get_all(name));
        let is_named = gates.iter().any(
            |gate| matches!(&gate.effect, Effect::SetsRequestHeader { name: stated, .. } if stated == name),
        );
        if !is_equal && !is_named {
            return Err(format!("the header {name} is changed, which no fact states"));
        }
    }
    Ok(())
}
