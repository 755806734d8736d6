//! Compilation of field-based routes to expressions, for flavors `traditional_compatible` and `expressions`, in the order
//! in which Kong's engine evaluates the conditions.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    PriorityMode,
    expr::{Attribute, Case, Expr, Field, HeaderField, NumberOp, Op, Predicate, TextOp},
    match_input::split_port,
    pattern::{Patterns, Syntax},
};
use model::{Cidr, Protocol, Route};

/// Whether a route is a stream route, not an HTTP route.
pub(super) fn is_stream(route: &Route) -> bool {
    use Protocol::{Tcp, Tls, TlsPassthrough, Udp};
    matches!(route.protocols.first(), Some(Tcp | Udp | Tls | TlsPassthrough))
}

/// Compiles the fields of a route, with a subset of its paths. Fails where Kong's parser would.
pub(super) fn expression(
    route: &Route,
    paths: &[&str],
    calculation: PriorityMode,
    patterns: &mut Patterns,
) -> Result<Expr, String> {
    let mut parts = Vec::new();
    if let Some(snis) = set(&route.snis) {
        let names = snis.iter().map(|sni| {
            let (op, name) = wildcard_sni(sni);
            text(Field::Sni, op, name)
        });
        // With `strict`, a TLS-only route does not match requests without TLS.
        let tls_only = matches!(&*route.protocols, [Protocol::Https | Protocol::Grpcs | Protocol::Tls]);
        let secure = if is_stream(route) { "tls" } else { "https" };
        let elsewhere = text(Field::Protocol, TextOp::NotEqual, secure);
        parts.push(match calculation {
            PriorityMode::Strict if tls_only => any(names.collect()),
            _ => Expr::Any(std::iter::once(elsewhere).chain(names).collect()),
        });
    }
    if let Some(sources) = set(&route.sources) {
        parts.push(nets(sources, Field::SourceIp, Field::SourcePort)?);
    }
    if let Some(destinations) = set(&route.destinations) {
        parts.push(nets(destinations, Field::DestinationIp, Field::DestinationPort)?);
    }
    if !is_stream(route) {
        if let Some(methods) = set(&route.methods) {
            parts
                .push(any(methods.iter().map(|method| text(Field::Method, TextOp::Equal, method)).collect()));
        }
        if let Some(hosts) = set(&route.hosts) {
            parts.push(any(hosts.iter().map(|host| self::host(host)).collect()));
        }
        if !paths.is_empty() {
            parts.push(any(paths.iter().map(|path| self::path(path, patterns)).collect::<Result<_, _>>()?));
        }
        for (name, values) in route.headers.as_deref().into_iter().flatten() {
            parts.push(header(name, values, patterns)?);
        }
    }
    match parts.len() {
        0 => Err("no conditions".to_owned()),
        1 => Ok(parts.remove(0)),
        _ => Ok(Expr::All(parts.into())),
    }
}

/// Returns the values of a field; `None` if it is absent or empty.
pub(super) fn set<T>(field: &Option<impl std::ops::Deref<Target = [T]>>) -> Option<&[T]> {
    field.as_deref().filter(|values| !values.is_empty())
}

pub(super) fn any(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { Expr::Any(parts.into()) }
}

pub(super) fn text(field: Field, op: TextOp, text: &str) -> Expr {
    Expr::Is(Predicate { attribute: field.into(), op: Op::Text(op, text.into()) })
}

pub(super) fn number(field: Field, number: impl Into<i64>) -> Expr {
    Expr::Is(Predicate { attribute: field.into(), op: Op::Number(NumberOp::Equal, number.into()) })
}

/// How a server name is compared, and with what. One dot at the end of a full name does not count.
pub(super) fn wildcard_sni(sni: &str) -> (TextOp, &str) {
    if let (false, Some(start)) = (sni.starts_with('*'), sni.strip_suffix('*')) {
        return (TextOp::Prefix, start);
    }
    let name = if sni.len() > 1 { sni.strip_suffix('.').unwrap_or(sni) } else { sni };
    match name.strip_prefix('*') {
        Some(end) => (TextOp::Suffix, end),
        None => (TextOp::Equal, name),
    }
}

/// How a host without port is compared, and with what.
pub(super) fn wildcard_host(name: &str) -> (TextOp, &str) {
    if let Some(end) = name.strip_prefix('*') {
        (TextOp::Suffix, end)
    } else if let Some(start) = name.strip_suffix('*') {
        (TextOp::Prefix, start)
    } else {
        (TextOp::Equal, name)
    }
}

fn host(host: &str) -> Expr {
    let (name, port) = split_port(host);
    let (op, name) = wildcard_host(name);
    let test = text(Field::Host, op, name);
    match port {
        Some(port) => Expr::All([test, number(Field::DestinationPort, port)].into()),
        None => test,
    }
}

fn path(path: &str, patterns: &mut Patterns) -> Result<Expr, String> {
    Ok(match path.strip_prefix('~') {
        None => text(Field::Path, TextOp::Prefix, path),
        Some(regex) => {
            let pattern = patterns.get(Syntax::Rust, &anchored(regex))?;
            Expr::Is(Predicate { attribute: Field::Path.into(), op: Op::Regex(pattern) })
        }
    })
}

/// Converts the regular expression of a path for the engine. Like Kong, this rewrites every `?<`, which makes look-behind
/// fail.
pub(super) fn anchored(regex: &str) -> String {
    format!("^{}", regex.replace("?<", "?P<"))
}

fn header(name: &str, values: &[String], patterns: &mut Patterns) -> Result<Expr, String> {
    if values.is_empty() {
        return Err(format!("header '{name}' has no values"));
    }
    let name = name.replace('-', "_").to_ascii_lowercase();
    let field = HeaderField::new(&name).ok_or_else(|| format!("bad header name '{name}'"))?;
    let attribute = Attribute { field: Field::Header(Box::new(field)), case: Case::Lower, any: true };
    let test = |value: &String| {
        let op = match value.strip_prefix("~*") {
            // The pattern is converted to lower case too, including its character classes.
            Some(regex) => Op::Regex(patterns.get(Syntax::Rust, &regex.to_ascii_lowercase())?),
            None => Op::Text(TextOp::Equal, value.to_ascii_lowercase().into()),
        };
        Ok(Expr::Is(Predicate { attribute: attribute.clone(), op }))
    };
    Ok(any(values.iter().map(test).collect::<Result<_, String>>()?))
}

pub(super) fn nets(list: &[Cidr], ip: Field, port: Field) -> Result<Expr, String> {
    let one = |net: &Cidr| {
        let mut parts = Vec::new();
        if let Some(text) = &net.ip {
            let op = parse_net(text)?;
            parts.push(Expr::Is(Predicate { attribute: ip.clone().into(), op }));
        }
        if let Some(value) = net.port {
            parts.push(number(port.clone(), value));
        }
        match parts.len() {
            0 => Err("sources/destinations elements must not be empty".to_owned()),
            1 => Ok(parts.remove(0)),
            _ => Ok(Expr::All(parts.into())),
        }
    };
    Ok(any(list.iter().map(one).collect::<Result<_, _>>()?))
}

/// Parses an address or a network. Host bits of an IPv4 network are cleared; in an IPv6 network they are an error.
pub(super) fn parse_net(text: &str) -> Result<Op, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Op::Address { equal: true, address });
    }
    let network: IpNet = text.parse().map_err(|_| format!("invalid ip or cidr range: '{text}'"))?;
    if matches!(network, IpNet::V6(_)) && network.trunc() != network {
        return Err(format!("host part of address was not zero: '{text}'"));
    }
    Ok(Op::Network { inside: true, network: network.trunc() })
}
