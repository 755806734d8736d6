//! Correlation ids: an id in a request header, optionally also in the response.

use std::fmt::Write as _;

use http::HeaderValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::shared::header::HeaderKey;
use http_codec::HeaderSpelling;
use plugin::{
    self, BuildContext, BuildError, Ctx, Effect, Exchange, Gate, Hook, HookResult, Phase, PhaseSet, Phases,
    PluginTraits,
};
use store::{Clock, next_request_seq};

const DEFAULT_HEADER_NAME: &str = "Kong-Request-ID";

/// Adds a unique id to each request in a header, so that the request can be traced across services and logs.
///
/// An id that the client sends is retained. Otherwise, or if it is empty, an id is generated and sent to the upstream.
/// With `echo_downstream` the id is also sent to the client, including in rejections and errors.
///
/// ```yaml
/// plugins:
/// - name: correlation-id
///   config:
///     header_name: X-Request-ID
///     generator: uuid
///     echo_downstream: true
/// ```
///
/// | generator | format |
/// |---|---|
/// | `uuid` | `d0bbd2d0-2e10-4e9d-a5f1-5b0a1f3fd6e5`: random for each request |
/// | `uuid#counter` | `8c5b0e3d-7a7e-4c87-9c5e-5a0f6a0d2c11#42`: a random id of the worker and its request counter |
/// | `tracker` | `10.0.0.1-8000-512-7-1-1700000000.123`: server IP, server port, process id, connection number, request number on the connection, seconds since 1970 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Header that carries the id.
    pub header_name: Option<String>,
    /// Generator of the id.
    pub generator: Generator,
    /// Whether the id is sent to the client as well.
    pub echo_downstream: bool,
}

/// Generator of correlation ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Generator {
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "uuid#counter")]
    Counter,
    #[serde(rename = "tracker")]
    Tracker,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            header_name: Some(DEFAULT_HEADER_NAME.to_owned()),
            generator: Generator::Counter,
            echo_downstream: false,
        }
    }
}

/// The plugin `correlation-id`.
pub struct Plugin {
    name: HeaderSpelling,
    lookup: HeaderKey,
    generator: Generator,
    echo_downstream: bool,
    clock: Clock,
}

/// Id of the request, carried from the access phase to the header filter.
#[derive(Default)]
struct CorrelationId(Option<HeaderValue>);

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "correlation-id";
    const PRIORITY: i32 = 100_001;
    const PHASES: Phases<Self> =
        Phases { access: Hook::Sync(Self::access), header_filter: Some(Self::header_filter), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { transforms: true, ..PluginTraits::NONE };
    type Config = Config;

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        let name = config.header_name.as_deref().unwrap_or(DEFAULT_HEADER_NAME);
        let name = http::HeaderName::try_from(name).ok()?;
        let mut gates = vec![Gate::always(Effect::SetsRequestHeader { name: name.clone(), retains: true })];
        if config.echo_downstream {
            gates.push(Gate::always(Effect::SetsResponseHeader(name)));
        }
        Some(gates)
    }

    fn phases(&self) -> PhaseSet {
        Self::PHASES.set().with(Phase::HeaderFilter, self.echo_downstream)
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let name = config.header_name.as_deref().unwrap_or(DEFAULT_HEADER_NAME);
        let invalid = |_| BuildError::at("/header_name", format!("'{name}' cannot be the name of a header"));
        Ok(Plugin {
            lookup: HeaderKey::new(name).map_err(invalid)?,
            name: HeaderSpelling::new(name).map_err(invalid)?,
            generator: config.generator,
            echo_downstream: config.echo_downstream,
            clock: context.stores.clock.clone(),
        })
    }
}

impl Plugin {
    fn access(&self, ctx: Ctx<'_>) -> HookResult {
        let exchange = ctx.exchange;
        let id = match self.client_id(exchange) {
            Some(id) => id,
            None => {
                let id = self.generate(exchange);
                exchange.request.headers.set(&self.name, id.clone());
                id
            }
        };
        if self.echo_downstream {
            exchange.extension_mut::<CorrelationId>().0 = Some(id);
        }
        Ok(())
    }

    fn header_filter(&self, ctx: Ctx<'_>) {
        let exchange = ctx.exchange;
        // A request that was rejected before its access phase has no id yet.
        let assigned = exchange.extension::<CorrelationId>().and_then(|id| id.0.clone());
        let id = assigned.or_else(|| self.client_id(exchange)).unwrap_or_else(|| self.generate(exchange));
        exchange.response.headers.set(&self.name, id);
    }

    /// Returns the id that the client sent, unless it is empty.
    fn client_id(&self, exchange: &Exchange) -> Option<HeaderValue> {
        self.lookup.get(&exchange.request.headers).filter(|id| !id.is_empty()).cloned()
    }

    fn generate(&self, exchange: &Exchange) -> HeaderValue {
        let mut id = String::with_capacity(64);
        // Writing to a String cannot fail.
        let _ = match self.generator {
            Generator::Uuid => write!(id, "{}", Uuid::new_v4()),
            Generator::Counter => {
                let sequence = next_request_seq();
                write!(id, "{}#{}", sequence.worker, sequence.number)
            }
            Generator::Tracker => {
                let client = &exchange.client;
                let now = self.clock.now();
                write!(
                    id,
                    "{}-{}-{}-{}-{}-{}.{:03}",
                    client.local.ip(),
                    client.local.port(),
                    std::process::id(),
                    client.connection_number,
                    client.request_number,
                    now.as_secs(),
                    now.subsec_millis()
                )
            }
        };
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, StatusCode};
    use serde_json::{Value, json};

    use super::*;
    use plugin::testing::{PluginHarness, request};

    fn harness(config: Value) -> PluginHarness {
        PluginHarness::new::<Plugin>(config, model::State::default()).expect("settings are valid")
    }

    /// The id that the upstream gets, and the one that the client gets.
    fn ids(harness: &PluginHarness, sent: &[(&str, &str)], name: &str) -> (String, Option<String>) {
        let mut exchange = request("GET", "/", sent, "");
        harness.access(&mut exchange).expect("the request passes");
        harness.header_filter(&mut exchange, StatusCode::OK, HeaderMap::new());
        let text = |headers: &HeaderMap| headers.get(name).map(|v| v.to_str().expect("text").to_owned());
        (text(&exchange.request.headers).expect("the upstream gets an id"), text(&exchange.response.headers))
    }

    #[test]
    fn a_client_id_is_retained() {
        let harness = harness(json!({"echo_downstream": true}));
        let (up, down) = ids(&harness, &[("Kong-Request-ID", "mine")], DEFAULT_HEADER_NAME);
        assert_eq!((up.as_str(), down.as_deref()), ("mine", Some("mine")));
    }

    #[test]
    fn an_empty_client_id_is_replaced() {
        let harness = harness(json!({"echo_downstream": true}));
        let (up, down) = ids(&harness, &[("Kong-Request-ID", "")], DEFAULT_HEADER_NAME);
        assert!(up.contains('#'), "{up}");
        assert_eq!(down, Some(up));
    }

    #[test]
    fn the_counter_is_per_worker() {
        let harness = harness(json!({}));
        let (first, down) = ids(&harness, &[], DEFAULT_HEADER_NAME);
        assert_eq!(down, None);
        let (second, _) = ids(&harness, &[], DEFAULT_HEADER_NAME);
        let (worker, number) = first.split_once('#').expect("uuid#counter");
        let number: u64 = number.parse().expect("a number");
        Uuid::parse_str(worker).expect("a uuid");
        assert_eq!(second, format!("{worker}#{}", number + 1));
    }

    #[test]
    fn uuids_are_random() {
        let harness =
            harness(json!({"header_name": "X-Trace", "generator": "uuid", "echo_downstream": true}));
        let (first, down) = ids(&harness, &[], "X-Trace");
        assert_eq!(Uuid::parse_str(&first).expect("a uuid").get_version_num(), 4);
        assert_eq!(down.as_ref(), Some(&first));
        assert_ne!(ids(&harness, &[], "X-Trace").0, first);
    }

    #[test]
    fn a_tracker_has_address_and_time() {
        let harness = harness(json!({"generator": "tracker"}));
        harness.stores.clock.advance(std::time::Duration::from_millis(45));
        let expected = format!("127.0.0.1-8000-{}-7-1-1700000000.045", std::process::id());
        assert_eq!(ids(&harness, &[], DEFAULT_HEADER_NAME).0, expected);
    }

    #[test]
    fn a_response_without_access_phase_has_an_id_too() {
        let harness = harness(json!({"echo_downstream": true, "generator": "uuid"}));
        let mut exchange = request("GET", "/", &[], "");
        harness.header_filter(&mut exchange, StatusCode::NOT_FOUND, HeaderMap::new());
        assert!(exchange.response.headers.contains_key(DEFAULT_HEADER_NAME));
    }

    #[test]
    fn the_upstreams_own_id_is_replaced() {
        let harness = harness(json!({"echo_downstream": true}));
        let mut exchange = request("GET", "/", &[("Kong-Request-ID", "mine")], "");
        harness.access(&mut exchange).expect("the request passes");
        let upstream = HeaderMap::from_iter([(
            HeaderName::from_static("kong-request-id"),
            HeaderValue::from_static("theirs"),
        )]);
        harness.header_filter(&mut exchange, StatusCode::OK, upstream);
        let all: Vec<_> = exchange.response.headers.get_all(DEFAULT_HEADER_NAME).iter().collect();
        assert_eq!(all, ["mine"]);
    }

    #[test]
    fn an_invalid_header_name_is_rejected() {
        let error = PluginHarness::new::<Plugin>(json!({"header_name": "a b"}), model::State::default())
            .err()
            .expect("refused");
        assert_eq!(error.pointer, "/header_name");
    }
}
