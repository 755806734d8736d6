//! Settings of the rate limit, their defaults, and the rules across them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::super::shared::redis::Redis;
use plugin::Checks;
use store::{Limits, Period};

/// Limits how many requests a consumer, an address or another subject may make per second, minute, hour,
/// day, month or year.
///
/// Windows are those of the calendar in UTC: an `hour` limit counts from the full hour, a `month` limit from
/// the first of the month. A request passes if every window has room; a refused one is counted in none.
/// Counting is exact over all cores, and counts outlive a reload: a raised limit applies at once to what
/// was counted before.
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
/// **Who is counted** is said by `limit_by`. Where it finds nothing (no consumer, no such header, another
/// path) the client's address is counted in its place. Rows on the same route, or service, or on neither,
/// share their counters: a consumer's own row without a service counts over all services.
///
/// **To the client,** unless `hide_client_headers`: `X-RateLimit-Limit-…` and `X-RateLimit-Remaining-…` for
/// each window (`X-RateLimit-Limit-Hour`), and `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`
/// (seconds) for the window in which the fewest requests remain, the longer one if two are equal; a rejection
/// has `Retry-After` too.
///
/// **Errors:** `error_code` (429) with `error_message` when a window is full.
///
/// **Policy `redis`** is understood but not served yet: requests pass uncounted if `fault_tolerant`, and are
/// answered 500 if not, just as when the server cannot be reached.
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
    /// Requests allowed per second.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub second: Option<Number>,
    /// Requests allowed per minute.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub minute: Option<Number>,
    /// Requests allowed per hour.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub hour: Option<Number>,
    /// Requests allowed per day.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub day: Option<Number>,
    /// Requests allowed per month of the calendar.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub month: Option<Number>,
    /// Requests allowed per year of the calendar.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub year: Option<Number>,
    /// Whose requests are counted together: a consumer's (with none, a credential's), a credential's, an
    /// address's, a service's, or those with one value of the header `header_name`, or with the path `path`.
    pub limit_by: Option<LimitBy>,
    /// Header for `limit_by: header`. In it `_` also stands for `-`, and case does not matter.
    #[schemars(extend("x-rule" = "header_name"))]
    pub header_name: Option<String>,
    /// Path for `limit_by: path`, compared with the whole path of a request.
    #[schemars(extend("x-rule" = "path"))]
    pub path: Option<String>,
    /// Where requests are counted: in this process, or in Redis.
    pub policy: Option<Policy>,
    /// Whether requests pass uncounted while they cannot be counted; if not, they are answered 500.
    pub fault_tolerant: bool,
    /// The server for policy `redis`.
    pub redis: Redis,
    /// Leaves out all headers about the limits.
    pub hide_client_headers: bool,
    /// Status of a rejection, from 400 to 599.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub error_code: Option<Number>,
    /// Message of a rejection.
    pub error_message: Option<String>,
    /// Seconds between two exchanges of counts with Redis, at least 0.02; -1 to ask for each request.
    pub sync_rate: Number,
}

/// Whose requests are counted together.
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

/// Where requests are counted.
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
    /// The limits by period.
    pub fn limits(&self) -> Limits {
        [&self.second, &self.minute, &self.hour, &self.day, &self.month, &self.year]
            .map(|limit| limit.as_ref().and_then(Number::as_f64))
    }

    /// Rules across fields, in the format's words.
    pub fn check(&self, checks: &mut Checks) {
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

    /// The first pair of periods of which the longer allows less.
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
