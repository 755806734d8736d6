//! Rendering of a field-based route in the router's language, as Kong does it: for Kong's error messages when such a
//! route is rejected, and to show the meaning of the fields.

use std::{fmt::Write, net::IpAddr};

use super::{fields, match_input::split_port};
use model::{Cidr, Route};

/// Renders the fields of a route with a subset of its paths; empty if no field is set.
pub(super) fn source(route: &Route, paths: &[&str]) -> String {
    let stream = fields::is_stream(route);
    let mut parts: Vec<String> = Vec::new();
    if let Some(snis) = route.snis.as_deref().filter(|list| !list.is_empty()) {
        let protocol = if stream { "tls" } else { "https" };
        let names = any(snis.iter().map(|sni| {
            let (op, name) = fields::wildcard_sni(sni);
            format!("tls.sni {} {}", symbol(op), quote(name))
        }));
        parts.push(format!("(net.protocol != {} || {names})", quote(protocol)));
    }
    for (list, side) in [(&route.sources, "src"), (&route.destinations, "dst")] {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            parts.push(any(list.iter().map(|net| self::net(net, side))));
        }
    }
    if !stream {
        if let Some(methods) = route.methods.as_deref().filter(|list| !list.is_empty()) {
            parts.push(any(methods.iter().map(|method| format!("http.method == {}", quote(method)))));
        }
        if let Some(hosts) = route.hosts.as_deref().filter(|list| !list.is_empty()) {
            parts.push(any(hosts.iter().map(|host| self::host(host))));
        }
        if !paths.is_empty() {
            parts.push(any(paths.iter().map(|path| match path.strip_prefix('~') {
                Some(regex) => format!("http.path ~ {}", quote(&fields::anchored(regex))),
                None => format!("http.path ^= {}", quote(path)),
            })));
        }
        for (name, values) in route.headers.as_deref().into_iter().flatten() {
            let name = name.replace('-', "_").to_ascii_lowercase();
            parts.push(any(values.iter().map(|value| {
                let (op, value) =
                    value.strip_prefix("~*").map_or(("==", value.as_str()), |regex| ("~", regex));
                format!("any(lower(http.headers.{name})) {op} {}", quote(&value.to_ascii_lowercase()))
            })));
        }
    }
    parts.join(" && ")
}

fn any(parts: impl Iterator<Item = String>) -> String {
    format!("({})", parts.collect::<Vec<_>>().join(" || "))
}

fn symbol(op: super::expr::TextOp) -> &'static str {
    use super::expr::TextOp::{Contains, Equal, NotEqual, Prefix, Suffix};
    match op {
        Equal => "==",
        NotEqual => "!=",
        Prefix => "^=",
        Suffix => "=^",
        Contains => "contains",
    }
}

/// Quotes a string literal: raw, unless the text contains the raw delimiter.
fn quote(text: &str) -> String {
    if text.contains("\"#") {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("r#\"{text}\"#")
    }
}

fn host(host: &str) -> String {
    let (name, port) = split_port(host);
    let (op, name) = fields::wildcard_host(name);
    let test = format!("http.host {} r#\"{name}\"#", symbol(op));
    match port {
        Some(port) => format!("({test} && net.dst.port == {port})"),
        None => test,
    }
}

fn net(net: &Cidr, side: &str) -> String {
    let mut parts = Vec::new();
    if let Some(ip) = &net.ip {
        let mut test = format!("net.{side}.ip {} ", if ip.contains('/') { "in" } else { "==" });
        // Host bits of an IPv4 network are cleared; those of an IPv6 network are rejected by the parser.
        let _ = match ip.parse::<ipnet::Ipv4Net>() {
            Ok(network) => write!(test, "{}", network.trunc()),
            Err(_) => match ip.parse::<IpAddr>() {
                Ok(address) => write!(test, "{address}"),
                Err(_) => write!(test, "{ip}"),
            },
        };
        parts.push(test);
    }
    if let Some(port) = net.port {
        parts.push(format!("net.{side}.port == {port}"));
    }
    if parts.len() == 1 { parts.remove(0) } else { format!("({})", parts.join(" && ")) }
}
