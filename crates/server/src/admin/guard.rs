//! Access control of the admin and status APIs. Both require no authentication by default, so a web page that an operator
//! has open must not be able to reach them through the operator's browser.
//!
//! Three checks precede all other processing of a request:
//!
//! - **Host.** A page may resolve a name of its own to this address (DNS rebinding); its requests then are same-origin
//!   for the browser, and their `Host` is that name. So a name that public DNS can resolve is rejected unless a setting
//!   lists it. Addresses, and names that only a host or a cluster can resolve, are accepted.
//! - **Origin.** Browsers send forms and multipart bodies across origins without a preflight request. They identify the
//!   page in `Origin`, or its relation in `Sec-Fetch-Site`; other clients send neither.
//! - **Token**, where one is set. `GET` and `HEAD` on the status API need none, since probes and scrapers have none.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts, uri::Authority};

use super::reply::Reply;
use config::settings::{AdminToken, HostPattern, WebOrigin};
use net::Role;

/// Access control settings.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Allowed hosts that public DNS can resolve.
    pub hosts: Vec<HostPattern>,
    /// Allowed origins.
    pub origins: Vec<WebOrigin>,
    /// The token that requests must contain.
    pub token: Option<AdminToken>,
}

/// Outcome of all checks.
pub struct Admission {
    /// The origin of the request, if it is allowed; sent back in `Access-Control-Allow-Origin`.
    pub origin: Option<HeaderValue>,
    /// The response to a rejected request.
    pub refusal: Option<Reply>,
}

impl Guard {
    /// Checks the head of a request.
    pub fn admit(&self, role: Role, head: &Parts) -> Admission {
        let host = self.check_host(head);
        let origin = host.and_then(|()| self.check_origin(&head.headers));
        let (origin, refusal) = match origin {
            Ok(origin) if is_preflight(head) => (origin, None),
            Ok(origin) => (origin, self.check_token(role, head).err()),
            Err(refusal) => (None, Some(refusal)),
        };
        Admission { origin, refusal }
    }

    /// Checks all hosts of the request: in its target, and in `Host`.
    fn check_host(&self, head: &Parts) -> Result<(), Reply> {
        // An empty `Host` is valid (RFC 9110, section 7.2).
        let fields = head.headers.get_all(header::HOST).iter().filter(|value| !value.is_empty());
        let named = fields.map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        for authority in head.uri.authority().cloned().map(Some).into_iter().chain(named) {
            let host = authority.as_ref().map_or("", Authority::host).to_ascii_lowercase();
            let host = host.strip_suffix('.').unwrap_or(&host);
            if !is_local_name(host) && !self.hosts.iter().any(|pattern| pattern.matches(host)) {
                let message = format!(
                    "the host '{}' is not allowed: public DNS may hold it; list it in admin_allowed_hosts",
                    host.escape_default()
                );
                return Err(Reply::message(StatusCode::FORBIDDEN, message));
            }
        }
        Ok(())
    }

    /// Checks the origin of the request and returns it, if there is one.
    fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Reply> {
        let refused = |what: &str| {
            let message = format!("{what} is not allowed; list the page in admin_allowed_origins");
            Err(Reply::message(StatusCode::FORBIDDEN, message))
        };
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) => {
                let text = origin.to_str().unwrap_or_default();
                match WebOrigin::parse(text).is_some_and(|origin| self.origins.contains(&origin)) {
                    true => Ok(Some(origin.clone())),
                    false => refused(&format!("a request of the page '{}'", text.escape_default())),
                }
            }
            (Some(_), Some(_)) => refused("a request with several origins"),
            (None, _) => match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
                None | Some(b"none" | b"same-origin") => Ok(None),
                Some(_) => refused("a request of another site's page"),
            },
        }
    }

    /// Checks the token. Reads of the status API need none, since probes have none.
    fn check_token(&self, role: Role, head: &Parts) -> Result<(), Reply> {
        let is_probe = role != Role::Admin && matches!(head.method, Method::GET | Method::HEAD);
        let Some(token) = self.token.as_ref().filter(|_| !is_probe) else { return Ok(()) };
        let headers = &head.headers;
        let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
            let (scheme, rest) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
        });
        let own = headers.get_all("kong-admin-token").iter().map(|value| value.as_bytes());
        if bearer.chain(own).any(|shown| token.matches(shown)) {
            return Ok(());
        }
        let reply = Reply::message(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong");
        Err(reply.with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
    }
}

/// Whether the request is a CORS preflight request (Fetch standard), which browsers send without a token.
fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether public DNS cannot resolve a host, given in lower case and without port.
fn is_local_name(host: &str) -> bool {
    /// Special-use names (RFC 6761, 6762, 8375, ICANN for `internal`), names in use on private networks (RFC 6762,
    /// appendix G), and the Kubernetes suffix of services within a namespace's search path.
    const LOCAL: [&str; 14] = [
        "corp",
        "example",
        "home",
        "home.arpa",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "private",
        "svc",
        "test",
    ];
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.parse::<IpAddr>().is_ok() || literal.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
        return true;
    }
    let Some((_, last)) = host.rsplit_once('.') else {
        // One label: resolved by a search list, never by public DNS.
        return !host.is_empty();
    };
    let number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    let below = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.ends_with('.'));
    // A host whose last label is numeric is an IPv4 address in a short form.
    number || LOCAL.iter().any(below)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use config::settings::Setting;

    fn guard() -> Guard {
        Guard {
            hosts: vec![HostPattern::parse("*.example.com").expect("a pattern")],
            origins: vec![WebOrigin::parse("https://gui.example.com").expect("an origin")],
            token: None,
        }
    }

    fn admit(guard: &Guard, role: Role, method: Method, fields: &[(&str, &str)]) -> (Option<u16>, bool) {
        let mut request = Request::builder().method(method).uri("/config");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = request.body(()).expect("a request").into_parts().0;
        let Admission { origin, refusal } = guard.admit(role, &head);
        (refusal.map(|reply| reply.into_response().status().as_u16()), origin.is_some())
    }

    fn post(guard: &Guard, fields: &[(&str, &str)]) -> (Option<u16>, bool) {
        admit(guard, Role::Admin, Method::POST, fields)
    }

    #[test]
    fn hosts_that_public_dns_can_resolve_are_rejected() {
        let guard = guard();
        for host in [
            "127.0.0.1:8001",
            "[::1]:8001",
            "10.1.2.3",
            "127.1",
            "localhost:8001",
            "LOCALHOST",
            "api.localhost",
            "kong",
            "kong-admin:8001",
            "kong-admin.kong.svc",
            "kong-admin.kong.svc.cluster.local:8444",
            "gw.internal.",
            "gw.home.arpa",
            "node.example.com",
        ] {
            assert_eq!(post(&guard, &[("host", host)]).0, None, "{host}");
        }
        for host in [
            "evil.net",
            "evil.net.:8001",
            "127.0.0.1.nip.io",
            "localhost.evil.net",
            "internal.evil.net",
            "svc.evil.net",
            "notlocal",
            "example.com",
            "a b",
            ":8001",
        ] {
            let expected = if host == "notlocal" { None } else { Some(403) };
            assert_eq!(post(&guard, &[("host", host)]).0, expected, "{host}");
        }
        assert_eq!(post(&guard, &[]).0, None, "no browser leaves `Host` out");
        assert_eq!(post(&guard, &[("host", "")]).0, None, "or empty");
        assert_eq!(post(&guard, &[("host", "localhost"), ("host", "evil.net")]).0, Some(403));
        let head = Request::get("http://evil.net/config").body(()).expect("a request").into_parts().0;
        assert!(guard.admit(Role::Status, &head).refusal.is_some(), "the target names a host too");
    }

    #[test]
    fn other_origins_are_rejected_unless_listed() {
        let guard = guard();
        for fields in [
            [("host", "localhost"), ("origin", "http://localhost:8001")],
            [("host", "localhost"), ("origin", "null")],
            [("host", "localhost"), ("origin", "")],
            [("host", "localhost"), ("origin", "https://gui.example.com.evil.net")],
            [("host", "localhost"), ("sec-fetch-site", "cross-site")],
            [("host", "localhost"), ("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(post(&guard, &fields), (Some(403), false), "{fields:?}");
            assert_eq!(admit(&guard, Role::Status, Method::GET, &fields), (Some(403), false), "{fields:?}");
        }
        assert_eq!(post(&guard, &[("sec-fetch-site", "none")]), (None, false));
        assert_eq!(post(&guard, &[("sec-fetch-site", "same-origin")]), (None, false));
        let listed = [("origin", "https://gui.example.com"), ("sec-fetch-site", "same-site")];
        assert_eq!(post(&guard, &listed), (None, true));
    }

    #[test]
    fn the_admin_api_requires_the_token_except_for_preflights() {
        let token = "0123456789abcdef";
        let guard = Guard { token: Some(AdminToken::parse(token).expect("a token")), ..guard() };
        assert_eq!(post(&guard, &[]).0, Some(401));
        assert_eq!(admit(&guard, Role::Status, Method::GET, &[]).0, None);
        assert_eq!(
            admit(&guard, Role::Status, Method::POST, &[]).0,
            Some(401),
            "it takes the node out of rotation"
        );
        assert_eq!(post(&guard, &[("authorization", "Bearer 0123456789abcdef")]).0, None);
        assert_eq!(post(&guard, &[("authorization", "bearer 0123456789abcdef")]).0, None);
        assert_eq!(post(&guard, &[("kong-admin-token", token)]).0, None);
        assert_eq!(post(&guard, &[("kong-admin-token", "0123456789abcdeg")]).0, Some(401));
        assert_eq!(post(&guard, &[("authorization", "Basic 0123456789abcdef")]).0, Some(401));
        let preflight = [("origin", "https://gui.example.com"), ("access-control-request-method", "POST")];
        assert_eq!(admit(&guard, Role::Admin, Method::OPTIONS, &preflight), (None, true));
        assert_eq!(admit(&guard, Role::Admin, Method::OPTIONS, &preflight[..1]).0, Some(401));
    }
}
