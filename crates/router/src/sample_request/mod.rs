//! Sample requests, derived from the conditions of routes, to query routers with.

use std::{fmt, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

mod regex_sample;

use super::{RequestInput, Router, normalize, split_port};
use model::{Ix, Protocol, Route, is_credential_name};

/// The parts of a request on which routing depends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SampleRequest {
    /// Method.
    pub method: String,
    /// Whether the client uses TLS.
    pub https: bool,
    /// Host header; `None` if it is unknown.
    pub host: Option<String>,
    /// Path as sent, without query.
    pub path: String,
    /// Other headers.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "serialize_headers")]
    pub headers: Vec<(String, String)>,
    /// Server name of the TLS connection, if it is not the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
}

/// Most samples of one route.
const MAX_PER_ROUTE: usize = 48;
/// Address of the client and of the listener, on which HTTP routes do not depend.
const PLACEHOLDER_ADDR: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

impl SampleRequest {
    /// Queries a router for the route of this request.
    pub fn find_route(&self, router: &Router) -> Option<Ix<Route>> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                continue;
            };
            headers.append(name, value);
        }
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let host = self.host.as_deref();
        let sni = self.sni.as_deref().or(host.map(|h| split_port(h).0));
        let line = RequestInput {
            method: &self.method,
            https: self.https,
            host,
            query,
            headers: &headers,
            sni: sni.filter(|_| self.https),
            source: PLACEHOLDER_ADDR,
            destination: PLACEHOLDER_ADDR,
        };
        router.find(&line, &normalize(path)).map(|found| found.route)
    }

    /// Creates requests at the boundaries of the paths and header values of `route` that `other` lacks.
    pub fn at_boundaries(route: &Route, other: &Route) -> Vec<SampleRequest> {
        let Some(base) = SampleRequest::of(route).into_iter().next() else { return Vec::new() };
        let mut probes = Vec::new();
        let known = other.paths.as_deref().unwrap_or_default();
        for path in route.paths.as_deref().unwrap_or_default().iter().filter(|path| !known.contains(path)) {
            let paths = path.strip_prefix('~').map(regex_sample::boundaries).unwrap_or_default();
            let paths = paths.into_iter().filter(|path| path.starts_with('/'));
            probes.extend(paths.map(|path| SampleRequest { path, ..base.clone() }));
        }
        for (name, values) in route.headers.as_deref().into_iter().flatten() {
            let mut others = other.headers.as_deref().into_iter().flatten();
            let known = others.find(|(other, _)| *other == name).map(|(_, values)| values);
            for value in values.iter().filter(|value| known.is_none_or(|known| !known.contains(value))) {
                let values = match value.strip_prefix("~*") {
                    Some(regex) => regex_sample::boundaries(regex),
                    None => vec![value.clone()],
                };
                for value in values {
                    let mut probe = base.clone();
                    probe.headers.retain(|(other, _)| other != name);
                    probe.headers.push((name.clone(), value));
                    probes.push(probe);
                }
            }
        }
        probes
    }

    /// Creates requests that match the conditions of a route, and some with longer paths.
    pub fn of(route: &Route) -> Vec<SampleRequest> {
        let has = |p: Protocol| route.protocols.contains(&p);
        let (clear, tls) =
            (has(Protocol::Http) || has(Protocol::Grpc), has(Protocol::Https) || has(Protocol::Grpcs));
        if !clear && !tls {
            return Vec::new();
        }
        let literals = Literals::of(route);
        let mut headers = Vec::new();
        for (name, values) in route.headers.as_deref().into_iter().flatten() {
            let value = values.iter().find_map(|v| match v.strip_prefix("~*") {
                Some(regex) => regex_sample::matching(regex),
                None => Some(v.clone()),
            });
            headers.extend(value.map(|value| (name.clone(), value)));
        }
        let sni = route.snis.iter().flat_map(|s| s.iter()).next().map(|name| concrete(name));
        let mut probes = Vec::new();
        for path in &literals.paths {
            for host in &literals.hosts {
                for method in &literals.methods {
                    for https in [false, true] {
                        if if https { tls } else { clear } && probes.len() < MAX_PER_ROUTE {
                            probes.push(SampleRequest {
                                method: method.clone(),
                                https,
                                host: Some(host.clone()),
                                path: path.clone(),
                                headers: headers.clone(),
                                sni: sni.clone().filter(|_| https),
                            });
                        }
                    }
                }
            }
        }
        probes
    }
}

/// Literals in the conditions of a route.
struct Literals {
    paths: Vec<String>,
    hosts: Vec<String>,
    methods: Vec<String>,
}

impl Literals {
    fn of(route: &Route) -> Self {
        let list = |list: Option<&[String]>| list.unwrap_or_default().to_vec();
        let mut literals = Literals {
            paths: Vec::new(),
            hosts: list(route.hosts.as_deref()).iter().map(|h| concrete(h)).collect(),
            methods: list(route.methods.as_deref()),
        };
        for path in list(route.paths.as_deref()) {
            match path.strip_prefix('~') {
                Some(regex) => literals.paths.extend(regex_sample::matching(regex)),
                None => {
                    literals.paths.push(path.clone());
                    literals.paths.push(format!("{}/more", path.trim_end_matches('/')));
                }
            }
        }
        if let Some(expression) = &route.expression {
            literals.read(expression);
        }
        let or = |list: &mut Vec<String>, default: &str| {
            if list.is_empty() {
                list.push(default.to_owned());
            }
        };
        or(&mut literals.paths, "/");
        or(&mut literals.hosts, "gateway.test");
        or(&mut literals.methods, "GET");
        literals
    }

    /// Extracts the literals that an expression compares path, host and method with.
    fn read(&mut self, expression: &str) {
        for field in ["http.path", "http.host", "http.method"] {
            for (at, _) in expression.match_indices(field) {
                let rest = expression[at + field.len()..].trim_start_matches(')').trim_start();
                let operator: String = rest.chars().take_while(|c| !matches!(c, ' ' | '"' | 'r')).collect();
                let Some((quoted, raw)) = rest[operator.len()..]
                    .trim_start()
                    .split_once('"')
                    .map(|(before, rest)| (rest, before.starts_with('r')))
                else {
                    continue;
                };
                let Some(text) = (if raw { quoted.split("\"#").next() } else { quoted.split('"').next() })
                else {
                    continue;
                };
                let value = match operator.as_str() {
                    "~" => regex_sample::matching(&text.replace(r"\\", r"\")),
                    "=^" if field == "http.host" => Some(format!("any{text}")),
                    "==" | "^=" | "=^" | "contains" => Some(text.to_owned()),
                    _ => None,
                };
                match field {
                    "http.path" => self.paths.extend(value.filter(|v| v.starts_with('/'))),
                    "http.host" => self.hosts.extend(value),
                    _ => self.methods.extend(value),
                }
            }
        }
    }
}

/// Returns a name that matches a pattern with a wildcard.
fn concrete(pattern: &str) -> String {
    if let Some(rest) = pattern.strip_prefix("*.") {
        format!("any.{rest}")
    } else if let Some(rest) = pattern.strip_suffix(".*") {
        format!("{rest}.test")
    } else {
        pattern.replace('*', "any")
    }
}

/// Redacts the value of a credential header.
fn redacted<'v>(name: &str, value: &'v str) -> &'v str {
    if is_credential_name(name) { "***" } else { value }
}

fn serialize_headers<S: Serializer>(headers: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, value)| (name, redacted(name, value))))
}

impl fmt::Display for SampleRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{} {scheme}://{}{}", self.method, self.host.as_deref().unwrap_or("?"), self.path)?;
        for (name, value) in &self.headers {
            write!(f, " {name}: {}", redacted(name, value))?;
        }
        Ok(())
    }
}
