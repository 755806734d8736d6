//! Headers that the settings `headers` and `headers_upstream` switch.

use super::{BadValue, Setting};

/// Headers that the gateway adds to responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ResponseHeaders {
    pub via: bool,
    pub server: bool,
    pub proxy_latency: bool,
    pub upstream_latency: bool,
    pub response_latency: bool,
    pub admin_latency: bool,
    pub upstream_status: bool,
    pub request_id: bool,
}

/// Headers that the gateway adds to upstream requests, beyond the mandatory ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamHeaders {
    /// `X-Kong-Request-Id`.
    pub request_id: bool,
}

/// Returns the flags that a keyword of `headers`, in lower case, controls.
fn switches<'a>(headers: &'a mut ResponseHeaders, name: &str) -> Option<Vec<&'a mut bool>> {
    Some(match name {
        "server_tokens" => vec![&mut headers.via, &mut headers.server],
        "latency_tokens" => vec![
            &mut headers.proxy_latency,
            &mut headers.upstream_latency,
            &mut headers.response_latency,
            &mut headers.admin_latency,
        ],
        "via" => vec![&mut headers.via],
        "server" => vec![&mut headers.server],
        "x-kong-proxy-latency" => vec![&mut headers.proxy_latency],
        "x-kong-upstream-latency" => vec![&mut headers.upstream_latency],
        "x-kong-response-latency" => vec![&mut headers.response_latency],
        "x-kong-admin-latency" => vec![&mut headers.admin_latency],
        "x-kong-upstream-status" => vec![&mut headers.upstream_status],
        "x-kong-request-id" => vec![&mut headers.request_id],
        _ => return None,
    })
}

const HEADER_NAMES: &[&str] = &[
    "server_tokens",
    "latency_tokens",
    "Via",
    "Server",
    "X-Kong-Proxy-Latency",
    "X-Kong-Upstream-Latency",
    "X-Kong-Response-Latency",
    "X-Kong-Admin-Latency",
    "X-Kong-Upstream-Status",
    "X-Kong-Request-Id",
];

impl Setting for ResponseHeaders {
    const FORM: &'static str =
        "`server_tokens`, `latency_tokens` and names of headers, separated by commas, or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let mut headers = ResponseHeaders::default();
        let mut off = false;
        for (i, name) in Vec::<String>::parse(text)?.iter().enumerate() {
            if name == "off" {
                off |= i == 0;
                continue;
            }
            match switches(&mut headers, &name.to_ascii_lowercase()) {
                Some(on) => on.into_iter().for_each(|s| *s = true),
                None => {
                    let help = match crate::nearest(name, HEADER_NAMES.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the names are {}", HEADER_NAMES.join(", ")),
                    };
                    let message = format!("`{name}` is not a header that can be switched");
                    return Err(BadValue { message, help: Some(help) });
                }
            }
        }
        Ok(if off { ResponseHeaders::default() } else { headers })
    }
    fn show(&self) -> String {
        let mut names = Vec::new();
        let mut copy = *self;
        for name in HEADER_NAMES {
            let switched = switches(&mut copy, &name.to_ascii_lowercase()).unwrap_or_default();
            if switched.iter().all(|s| **s) {
                switched.into_iter().for_each(|s| *s = false);
                names.push(*name);
            }
        }
        if names.is_empty() { "off".to_owned() } else { names.join(", ") }
    }
}

impl Setting for UpstreamHeaders {
    const FORM: &'static str = "`X-Kong-Request-Id` or `off`";
    fn parse(text: &str) -> Result<Self, BadValue> {
        let names = Vec::<String>::parse(text)?;
        let known = |name: &String| name == "off" || name.eq_ignore_ascii_case("x-kong-request-id");
        if let Some(wrong) = names.iter().find(|n| !known(n)) {
            return Err(BadValue::not::<Self>(wrong));
        }
        Ok(UpstreamHeaders { request_id: names.first().is_some_and(|n| n != "off") })
    }
    fn show(&self) -> String {
        if self.request_id { "X-Kong-Request-Id" } else { "off" }.to_owned()
    }
}
