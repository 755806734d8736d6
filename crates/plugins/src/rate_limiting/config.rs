//! Configuration of `rate-limiting`, its defaults, and the rules that span several fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::super::shared::redis::Redis;
use plugin::Diagnostics;
use store::{Limits, Period};

/// Limits how many requests a consumer, an IP address or another entity can make per second, minute, hour, day, month
/// or year.
///
/// Windows are calendar windows in UTC: an `hour` limit counts from the full hour, a `month` limit from the first of
/// the month. A request is allowed if no limit is exceeded; a rejected request is not counted in any window. Counting
/// is exact across all workers. Counters are retained across reloads, so that a changed limit also applies to requests
/// that have already been counted.
///
/// ```yaml
/// plugins:
/// - name: rate-limiting
///   config:
///     minute: 100
///     hour: 2000
///     limit_by: consumer
/// ```
///
/// **Counters.** `limit_by` selects the entity by which requests are counted. If a request does not have it (no
/// consumer, no such header, another path), its client IP address is used. Plugins on the same route or service, or
/// all that are on neither, share their counters: a plugin on a consumer without a service counts across all services.
///
/// **Response headers** (unless `hide_client_headers`): `X-RateLimit-Limit-…` and `X-RateLimit-Remaining-…` for each
/// window, such as `X-RateLimit-Limit-Hour`; `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds)
/// for the window with the fewest remaining requests, or the longest of several such windows; `Retry-After` if the
/// request is rejected.
///
/// **Errors:** `error_code` (429) with `error_message` if a limit is exceeded.
///
/// **Policy `redis`** is accepted but not supported yet. Depending on `fault_tolerant`, requests are proxied without
/// being counted, or rejected with 500, as if the Redis server could not be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(
    extend("x-plugin-checks" = [
        {"at_least_one_of": [
            "config.second", "config.minute", "config.hour", "config.day", "config.month", "config.year"
        ]},
        {"if": "config.policy", "is": "redis", "then": "config.redis.host", "required": true},
        {"if": "config.policy", "is": "redis", "then": "config.redis.port", "required": true},
        {"if": "config.policy", "is": "redis", "then": "config.redis.timeout", "required": true},
        {"if": "config.limit_by", "is": "header", "then": "config.header_name", "required": true},
        {"if": "config.limit_by", "is": "path", "then": "config.path", "required": true},
    ]),
    extend("x-shorthands" = [
        {"name": "redis_host", "type": "string", "to": ["redis.host"], "deprecated": true},
        {"name": "redis_port", "type": "integer", "to": ["redis.port"], "deprecated": true},
        {"name": "redis_password", "type": "string", "minLength": 0, "x-encrypted": true,
         "to": ["redis.password"], "deprecated": true},
        {"name": "redis_username", "type": "string", "to": ["redis.username"], "deprecated": true},
        {"name": "redis_ssl", "type": "boolean", "to": ["redis.ssl"], "deprecated": true},
        {"name": "redis_ssl_verify", "type": "boolean", "to": ["redis.ssl_verify"], "deprecated": true},
        {"name": "redis_server_name", "type": "string", "to": ["redis.server_name"], "deprecated": true},
        {"name": "redis_timeout", "type": "integer", "to": ["redis.timeout"], "deprecated": true},
        {"name": "redis_database", "type": "integer", "to": ["redis.database"], "deprecated": true},
    ])
)]
pub struct Config {
    /// Maximum number of requests per second.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub second: Option<Number>,
    /// Maximum number of requests per minute.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub minute: Option<Number>,
    /// Maximum number of requests per hour.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub hour: Option<Number>,
    /// Maximum number of requests per day.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub day: Option<Number>,
    /// Maximum number of requests per calendar month.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub month: Option<Number>,
    /// Maximum number of requests per calendar year.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub year: Option<Number>,
    /// Entity by which requests are counted: the consumer (or the credential if there is no consumer), the
    /// credential, the client IP address, the service, the value of the header `header_name`, or the path `path`.
    pub limit_by: Option<LimitBy>,
    /// Header for `limit_by: header`. Header names are case-insensitive, and `_` also matches `-`.
    #[schemars(extend("x-rule" = "header_name"))]
    pub header_name: Option<String>,
    /// Path for `limit_by: path`. It is compared with the whole path of the request.
    #[schemars(extend("x-rule" = "path"))]
    pub path: Option<String>,
    /// Where counters are stored: in this process, or in Redis.
    pub policy: Option<Policy>,
    /// Whether requests are proxied if the counters are unavailable. Otherwise they are rejected with 500.
    pub fault_tolerant: bool,
    /// Redis server for the policy `redis`.
    pub redis: Redis,
    /// Whether the rate limit headers are omitted from responses.
    pub hide_client_headers: bool,
    /// Status code of the rejection, from 400 to 599.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub error_code: Option<Number>,
    /// Message of the rejection.
    pub error_message: Option<String>,
    /// Interval in seconds at which counters are synchronised with Redis, at least 0.02; -1 to query Redis for each
    /// request.
    pub sync_rate: Number,
}

/// Entity by which requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitBy {
    Consumer,
    Credential,
    Ip,
    Service,
    Header,
    Path,
}

/// Where counters are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    Local,
    Redis,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            second: None,
            minute: None,
            hour: None,
            day: None,
            month: None,
            year: None,
            limit_by: Some(LimitBy::Consumer),
            header_name: None,
            path: None,
            policy: Some(Policy::Local),
            fault_tolerant: true,
            redis: Redis::default(),
            hide_client_headers: false,
            error_code: Some(429.into()),
            error_message: Some("API rate limit exceeded".to_owned()),
            sync_rate: (-1).into(),
        }
    }
}

impl Config {
    /// Returns the limits with the names of their fields.
    pub fn named_limits(&self) -> [(&'static str, Option<Number>); 6] {
        let Config { second, minute, hour, day, month, year, .. } = self;
        [
            ("second", second.clone()),
            ("minute", minute.clone()),
            ("hour", hour.clone()),
            ("day", day.clone()),
            ("month", month.clone()),
            ("year", year.clone()),
        ]
    }

    /// Returns the limits by period.
    pub fn limits(&self) -> Limits {
        [&self.second, &self.minute, &self.hour, &self.day, &self.month, &self.year]
            .map(|limit| limit.as_ref().and_then(Number::as_f64))
    }

    /// Checks the rules that span several fields. Messages are those of Kong.
    pub fn check(&self, checks: &mut Diagnostics) {
        if let Some(message) = self.contradicting_limits() {
            checks.error("", message);
        }
        let sync_rate = self.sync_rate.as_f64().unwrap_or(-1.0);
        match self.policy {
            Some(Policy::Redis) => {
                if sync_rate != -1.0 && sync_rate < 0.02 {
                    checks.error("", "sync_rate must be greater than 0.02, or -1 to disable");
                }
                checks.unsupported(
                    "plugin/redis-not-yet",
                    "/policy",
                    format!(
                        "policy redis is not served yet: {} (fault_tolerant is {})",
                        if self.fault_tolerant {
                            "requests pass uncounted"
                        } else {
                            "every request is answered 500"
                        },
                        self.fault_tolerant
                    ),
                );
            }
            _ if sync_rate != -1.0 => checks.error("", "sync_rate can only be used with the redis policy"),
            _ => {}
        }
    }

    /// Returns the error for the first pair of periods of which the longer one has the lower limit.
    fn contradicting_limits(&self) -> Option<String> {
        let limits = self.limits();
        for shorter in Period::ALL {
            let Some(less) = limits[shorter.index()] else { continue };
            for longer in Period::ALL.into_iter().filter(|longer| *longer > shorter) {
                if let Some(more) = limits[longer.index()].filter(|more| *more < less) {
                    return Some(format!(
                        "The limit for {}({more:.1}) cannot be lower than the limit for {}({less:.1})",
                        longer.name(),
                        shorter.name()
                    ));
                }
            }
        }
        None
    }
}
