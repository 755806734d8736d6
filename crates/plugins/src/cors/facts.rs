//! What `cors` means to tools: the requests that it answers, and the risks of a change.

use http::{
    HeaderName,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::{AllowedMethod, Config};
use plugin::{
    ConfigChange, Effect, Gate, Risks, beyond,
    facts::{has_header, header},
};

/// Headers that it sets on responses.
const RESPONSE_HEADERS: [HeaderName; 4] =
    [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS, VARY];

/// Returns the facts: preflight requests are answered.
pub fn gates(config: &Config) -> Option<Vec<Gate>> {
    let mut gates = Vec::new();
    if !config.preflight_continue {
        let origin = header(ORIGIN.as_str());
        let is_preflight = |origin: &str| {
            let method = has_header(ACCESS_CONTROL_REQUEST_METHOD.as_str());
            format!("http.method == \"OPTIONS\" && {method} && {origin} != \"\"")
        };
        gates.push(Gate::when(is_preflight(&origin), Effect::Responds)?);
        // Of several origins the first one decides, which the router's language cannot select.
        gates.push(Gate::when(is_preflight(&format!("any({origin})")), Effect::MayRespond)?);
    }
    gates.extend(RESPONSE_HEADERS.map(|name| Gate::always(Effect::SetsResponseHeader(name))));
    Some(gates)
}

/// Reports origins, methods and headers that pages may use from then on, or no longer.
pub fn compare(change: ConfigChange<'_, Config>, risks: &mut Risks) {
    let (old, new) = match (change.old, change.new) {
        (Some(old), Some(new)) => (old, new),
        (Some(_), None) => return risks.medium("CORS lost: browsers withhold responses from other origins"),
        (None, _) => return,
    };
    let list = |field: &Option<Vec<String>>| field.clone().unwrap_or_default();
    let (before, after) = (list(&old.origins), list(&new.origins));
    let any = |origins: &[String]| origins.is_empty() || origins.iter().any(|origin| origin == "*");
    match (any(&before), any(&after)) {
        (false, true) => risks.high("CORS widened: any origin may read responses"),
        (true, false) => risks.medium(format!("CORS narrowed: only origins {}", after.join(", "))),
        (false, false) => {
            if let Some(more) = beyond(&after, &before) {
                risks.medium(format!("CORS widened: origins {more}"));
            }
            if let Some(fewer) = beyond(&before, &after) {
                risks.medium(format!("CORS narrowed: origins {fewer} are removed"));
            }
        }
        (true, true) => {}
    }
    match (old.credentials, new.credentials) {
        (false, true) => risks.medium("CORS widened: credentials may be sent"),
        (true, false) => risks.medium("CORS narrowed: credentials may not be sent"),
        _ => {}
    }
    let methods = |config: &Config| -> Vec<&str> {
        let names = config.methods.iter().flatten();
        names.filter_map(|m| AllowedMethod::ALL.iter().find(|(of, _)| of == m)).map(|(_, n)| *n).collect()
    };
    let (old_headers, new_headers) = (list(&old.headers), list(&new.headers));
    let (old_exposed, new_exposed) = (list(&old.exposed_headers), list(&new.exposed_headers));
    let removed = [
        ("methods", beyond(&methods(old), &methods(new))),
        ("headers", beyond(&old_headers, &new_headers)),
        ("exposed_headers", beyond(&old_exposed, &new_exposed)),
    ];
    for (field, fewer) in removed {
        if let Some(fewer) = fewer {
            risks.medium(format!("CORS narrowed: {field} {fewer} are removed"));
        }
    }
}
