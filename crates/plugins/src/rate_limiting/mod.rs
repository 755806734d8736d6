//! Rate limiting in fixed calendar windows. `store::Counters` counts; this module selects what is counted, and sets
//! the rate limit headers.

mod config;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};

use self::config::{Config, LimitBy, Policy};
use super::shared::{header::HeaderKey, number, status::error_status};
use model::State;
use plugin::{
    self, BuildContext, BuildError, ConfigChange, Ctx, Diagnostics, Effect, Exchange, Gate, Hook, HookFuture,
    HookResult, LocalReply, LocalReplyBody, Phases, PluginTraits, Risks, ShortCircuit,
};
use router::normalize;
use store::{
    Acquired, CalendarWindows, Clock, CounterSubject, Counters, Limits, Period, Scope, StoreError,
    StoreFuture,
};

const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The plugin `rate-limiting`.
pub struct Plugin {
    identifier: Identifier,
    scope: Scope,
    limits: Limits,
    windows: Vec<Window>,
    clock: Clock,
    /// `None` for the policy `redis`, which is not supported yet.
    counters: Option<Counters>,
    fault_tolerant: bool,
    hide_headers: bool,
    rejection: Rejection,
    warned: AtomicBool,
}

/// Entity by which requests are counted.
enum Identifier {
    Consumer,
    Credential,
    Ip,
    Service,
    Header(HeaderKey),
    Path(String),
}

/// A window with a limit, and the names of its headers.
struct Window {
    period: Period,
    limit: f64,
    limit_name: HeaderName,
    remaining_name: HeaderName,
}

/// The response when a limit is exceeded. An invalid status is retained as an error message.
struct Rejection {
    status: Result<StatusCode, String>,
    body: LocalReplyBody,
}

impl plugin::Plugin for Plugin {
    const NAME: &'static str = "rate-limiting";
    const PRIORITY: i32 = 910;
    const PHASES: Phases<Self> = Phases { access: Hook::Async(Self::access), ..Phases::NONE };
    const TRAITS: PluginTraits = PluginTraits { limits: true, ..PluginTraits::NONE };
    type Config = Config;

    fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
        let limits = |config: Option<&Config>| config.map(Config::named_limits).unwrap_or_default();
        if let (Some(_), None) = (change.old, change.new) {
            return risks.high(format!("limit lost: {} is removed", Self::NAME));
        }
        for ((_, old), (field, new)) in limits(change.old).iter().zip(limits(change.new)) {
            let name = format!("{}.{field}", Self::NAME);
            match change.old {
                None => risks.limit_added(&name, new.as_ref()),
                Some(_) => risks.limit(&name, old.as_ref(), new.as_ref()),
            }
        }
    }

    fn facts(config: &Config) -> Option<Vec<Gate>> {
        const DAY_SECS: u64 = 86_400;
        if config.policy == Some(Policy::Redis) {
            // Requests are not counted yet.
            let effect = if config.fault_tolerant { None } else { Some(Effect::Responds) };
            return Some(effect.into_iter().map(Gate::always).collect());
        }
        let limits = config.limits();
        let gates = Period::ALL.into_iter().filter_map(|period| {
            let period_secs = match period {
                Period::Second => 1,
                Period::Minute => 60,
                Period::Hour => 3600,
                Period::Day => DAY_SECS,
                Period::Month => 30 * DAY_SECS,
                Period::Year => 365 * DAY_SECS,
            };
            let at_most = limits[period.index()]?;
            Some(Gate::always(Effect::Limits { at_most, period_secs }))
        });
        Some(gates.collect())
    }

    fn check(config: &Config, checks: &mut Diagnostics) {
        config.check(checks);
    }

    fn build(config: Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        let limits = config.limits();
        let windows = Period::ALL.into_iter().filter_map(|period| Window::of(period, &limits)).collect();
        let row = context.row;
        Ok(Plugin {
            identifier: Identifier::of(&config)?,
            scope: Scope::new(Self::NAME, row.route.map(|r| r.id), row.service.map(|s| s.id)),
            limits,
            windows,
            clock: context.stores.clock.clone(),
            counters: match config.policy {
                Some(Policy::Redis) => None,
                _ => Some(context.stores.counters.clone()),
            },
            fault_tolerant: config.fault_tolerant,
            hide_headers: config.hide_client_headers,
            rejection: Rejection::of(&config),
            warned: AtomicBool::new(false),
        })
    }
}

impl Plugin {
    fn access<'a>(&'a self, ctx: Ctx<'a>) -> HookFuture<'a> {
        let Some(counters) = &self.counters else {
            return HookFuture::Ready(self.without_counters("policy redis is not served yet"));
        };
        let Ctx { exchange, state } = ctx;
        let now = CalendarWindows::at(self.clock.now());
        match counters.try_acquire(&self.scope, self.identifier.subject(exchange, state), &now, &self.limits)
        {
            StoreFuture::Ready(result) => HookFuture::Ready(self.decide(result, &now, exchange)),
            StoreFuture::Boxed(result) => {
                HookFuture::boxed(async move { self.decide(result.await, &now, exchange) })
            }
        }
    }

    /// Lets a request pass or rejects it.
    fn decide(
        &self,
        result: Result<Acquired, StoreError>,
        now: &CalendarWindows,
        exchange: &mut Exchange,
    ) -> HookResult {
        let acquired = match result {
            Ok(acquired) => acquired,
            Err(error) => return self.without_counters(&error.to_string()),
        };
        if !self.hide_headers {
            self.set_rate_limit_headers(&acquired, now, &mut exchange.response.headers);
        }
        if acquired.counted {
            return Ok(());
        }
        exchange.limited_by = Some(self.identifier.name());
        Err(self.rejection.to_stop())
    }

    /// Handles a request that cannot be counted.
    fn without_counters(&self, reason: &str) -> HookResult {
        if !self.fault_tolerant {
            return Err(ShortCircuit::Fail(format!("rate-limiting: {reason}")));
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("rate-limiting: {reason}: requests pass uncounted");
        }
        Ok(())
    }

    /// Sets the rate limit headers: those of each window, and those of the window with the fewest remaining requests.
    fn set_rate_limit_headers(&self, acquired: &Acquired, now: &CalendarWindows, headers: &mut HeaderMap) {
        headers.reserve(2 * self.windows.len() + 4);
        let mut scarcest: Option<(&Window, f64)> = None;
        for window in &self.windows {
            let used = acquired.used[window.period.index()] + u64::from(acquired.counted);
            let remaining = (window.limit - used as f64).max(0.0);
            headers.insert(window.limit_name.clone(), number_header(window.limit));
            headers.insert(window.remaining_name.clone(), number_header(remaining));
            // Windows are ordered from the shortest to the longest, so that the longest of equals is selected.
            if scarcest.is_none_or(|(_, fewest)| remaining <= fewest) {
                scarcest = Some((window, remaining));
            }
        }
        if let Some((window, remaining)) = scarcest {
            let reset = number::header_value(now.remaining_seconds(window.period));
            headers.insert(RATELIMIT_LIMIT, number_header(window.limit));
            headers.insert(RATELIMIT_REMAINING, number_header(remaining));
            if !acquired.counted {
                headers.insert(RETRY_AFTER, reset.clone());
            }
            headers.insert(RATELIMIT_RESET, reset);
        }
    }
}

impl Identifier {
    fn of(config: &Config) -> Result<Identifier, BuildError> {
        Ok(match config.limit_by {
            Some(LimitBy::Consumer) => Identifier::Consumer,
            Some(LimitBy::Credential) => Identifier::Credential,
            Some(LimitBy::Service) => Identifier::Service,
            Some(LimitBy::Header) => {
                let name = config.header_name.as_deref().unwrap_or_default();
                Identifier::Header(
                    HeaderKey::new(name).map_err(|e| BuildError::at("/header_name", e.to_string()))?,
                )
            }
            Some(LimitBy::Path) => Identifier::Path(config.path.clone().unwrap_or_default()),
            Some(LimitBy::Ip) | None => Identifier::Ip,
        })
    }

    /// Returns the value of `limit_by`.
    fn name(&self) -> &'static str {
        match self {
            Identifier::Consumer => "consumer",
            Identifier::Credential => "credential",
            Identifier::Ip => "ip",
            Identifier::Service => "service",
            Identifier::Header(_) => "header",
            Identifier::Path(_) => "path",
        }
    }

    /// Returns the counter key of a request. The client address is used if the configured entity is absent.
    fn subject<'a>(&'a self, exchange: &'a Exchange, state: &State) -> CounterSubject<'a> {
        let found = match self {
            Identifier::Ip => None,
            Identifier::Consumer => exchange
                .consumer
                .map(|consumer| state.consumers[consumer].id)
                .or_else(|| exchange.credential.as_ref().map(|credential| credential.id))
                .map(CounterSubject::Id),
            Identifier::Credential => {
                exchange.credential.as_ref().map(|credential| CounterSubject::Id(credential.id))
            }
            Identifier::Service => {
                exchange.service().map(|service| CounterSubject::Id(state.services[service].id))
            }
            Identifier::Header(name) => {
                name.get(&exchange.request.headers).map(|value| CounterSubject::Text(value.as_bytes()))
            }
            Identifier::Path(path) => (*normalize(exchange.request.path()) == *path.as_bytes())
                .then_some(CounterSubject::Text(path.as_bytes())),
        };
        found.unwrap_or(CounterSubject::Ip(exchange.client.ip))
    }
}

impl Window {
    fn of(period: Period, limits: &Limits) -> Option<Window> {
        let [limit_name, remaining_name] = match period {
            Period::Second => ["x-ratelimit-limit-second", "x-ratelimit-remaining-second"],
            Period::Minute => ["x-ratelimit-limit-minute", "x-ratelimit-remaining-minute"],
            Period::Hour => ["x-ratelimit-limit-hour", "x-ratelimit-remaining-hour"],
            Period::Day => ["x-ratelimit-limit-day", "x-ratelimit-remaining-day"],
            Period::Month => ["x-ratelimit-limit-month", "x-ratelimit-remaining-month"],
            Period::Year => ["x-ratelimit-limit-year", "x-ratelimit-remaining-year"],
        }
        .map(HeaderName::from_static);
        limits[period.index()].map(|limit| Window { period, limit, limit_name, remaining_name })
    }
}

impl Rejection {
    fn of(config: &Config) -> Rejection {
        let status = config.error_code.as_ref().map_or(Ok(StatusCode::TOO_MANY_REQUESTS), error_status);
        Rejection {
            status: status.map_err(|reason| format!("rate-limiting: error_code {reason}")),
            body: LocalReplyBody::Message(config.error_message.clone()),
        }
    }

    fn to_stop(&self) -> ShortCircuit {
        match &self.status {
            Ok(status) => {
                LocalReply { status: *status, headers: HeaderMap::new(), body: self.body.clone() }.into()
            }
            Err(reason) => ShortCircuit::Fail(reason.clone()),
        }
    }
}

/// Formats a number as a header value.
fn number_header(number: f64) -> HeaderValue {
    if number.fract() == 0.0 && (0.0..1e14).contains(&number) {
        return number::header_value(number as u64);
    }
    HeaderValue::try_from(number::format(number)).unwrap_or(HeaderValue::from_static("0"))
}
