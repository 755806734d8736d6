//! Flavor `traditional`: the router before Kong 3.0. Hosts, headers and regular expressions have different semantics than
//! in the later engine, and routes are ordered by the number of their categories first.
//!
//! Not modelled: Kong narrows its candidates by the first value that matches anywhere, which sometimes lets a route of a
//! lower category win.

use std::cmp::Reverse;

use super::{
    expr::{Attribute, Case, Expr, Field, HeaderField, Op, Predicate, TextOp},
    fields::{any, is_stream, nets, number, set, text, wildcard_host},
    match_input::split_port,
    pattern::{Patterns, Syntax},
};
use model::Route;

/// Sort key of routes, in descending order: number of categories, category bits, submatch weight, number of headers,
/// `regex_priority`, path length, age.
pub(super) type Order = (u32, u32, u32, usize, i64, usize, Reverse<i64>);

/// Returns the creation time of all keys, if they have the same.
pub(super) fn common_created_at(orders: &[Order]) -> Option<i64> {
    let made = orders.first()?.6.0;
    orders.iter().all(|order| order.6.0 == made).then_some(made)
}

/// Sets the creation time of a key.
pub(super) fn set_created_at(order: &mut Order, created_at: i64) {
    order.6 = Reverse(created_at);
}

const HOST: u32 = 0x40;
const HEADER: u32 = 0x20;
const PATH: u32 = 0x10;
const METHOD: u32 = 0x08;
const NAME: u32 = 0x04;
const SOURCE: u32 = 0x02;
const DESTINATION: u32 = 0x01;

const REGEX_PATH: u32 = 1;
const PLAIN_HOSTS: u32 = 2;
const WILDCARD_PORT: u32 = 4;

/// Compiles a route to one part per path, with their sort keys.
pub(super) fn parts(route: &Route, patterns: &mut Patterns) -> Result<Vec<(Order, Expr)>, String> {
    match set(&route.paths) {
        None => Ok(vec![part(route, None, patterns)?]),
        Some(paths) => paths.iter().map(|path| part(route, Some(path), patterns)).collect(),
    }
}

fn part(route: &Route, path: Option<&String>, patterns: &mut Patterns) -> Result<(Order, Expr), String> {
    let mut bits = 0;
    let mut finer = 0;
    let mut conditions = Vec::new();
    let http = !is_stream(route);
    let mut add = |bit, condition| {
        bits |= bit;
        conditions.push(condition);
    };
    if let Some(snis) = set(&route.snis) {
        let names = snis.iter().map(|sni| {
            let name = if sni.len() > 1 { sni.strip_suffix('.').unwrap_or(sni) } else { sni };
            text(Field::Sni, TextOp::Equal, name)
        });
        let elsewhere = http.then(|| text(Field::Protocol, TextOp::NotEqual, "https"));
        add(NAME, any(elsewhere.into_iter().chain(names).collect()));
    }
    if let Some(sources) = set(&route.sources) {
        add(SOURCE, nets(sources, Field::SourceIp, Field::SourcePort)?);
    }
    if let Some(destinations) = set(&route.destinations) {
        add(DESTINATION, nets(destinations, Field::DestinationIp, Field::DestinationPort)?);
    }
    let mut headers = 0;
    if http {
        if let Some(methods) = set(&route.methods) {
            let upper = methods.iter().map(|method| method.to_ascii_uppercase());
            add(METHOD, any(upper.map(|method| text(Field::Method, TextOp::Equal, &method)).collect()));
        }
        if let Some(hosts) = set(&route.hosts) {
            add(HOST, any(hosts.iter().map(|host| self::host(host)).collect()));
        }
        if let Some(path) = path {
            let op = match path.strip_prefix('~') {
                Some(regex) => {
                    finer |= REGEX_PATH;
                    Op::Regex(patterns.get(Syntax::PerlPath, regex)?)
                }
                None => Op::Text(TextOp::Prefix, path.as_str().into()),
            };
            add(PATH, Expr::Is(Predicate { attribute: Field::Path.into(), op }));
        }
        for (name, values) in route.headers.as_deref().into_iter().flatten() {
            let name = name.to_ascii_lowercase();
            if name != "host" {
                headers += 1;
                add(HEADER, header(&name, values, patterns)?);
            }
        }
        if let Some(hosts) = &route.hosts {
            let wild = |host: &&String| host.contains('*');
            if !hosts.iter().any(|host| wild(&host)) {
                finer |= PLAIN_HOSTS;
            }
            if hosts.iter().filter(wild).any(|host| split_port(host).1.is_some()) {
                finer |= WILDCARD_PORT;
            }
        }
    }
    let regex = finer & REGEX_PATH != 0;
    let order = (
        bits.count_ones(),
        bits,
        finer,
        headers,
        if regex { route.regex_priority.unwrap_or(0) } else { 0 },
        if regex { 0 } else { path.map_or(0, String::len) },
        Reverse(route.created_at),
    );
    match conditions.len() {
        0 => Err("could not categorize route".to_owned()),
        1 => Ok((order, conditions.remove(0))),
        _ => Ok((order, Expr::All(conditions.into()))),
    }
}

/// Compiles a host. It is compared with the Host header including its port, or without; a wildcard's port is compared
/// with that of the header, or else with the protocol's default.
fn host(host: &str) -> Expr {
    let (name, port) = split_port(host);
    match (wildcard_host(name), port) {
        ((TextOp::Equal, _), _) if host.contains(':') => text(Field::HostAsSent, TextOp::Equal, host),
        ((op, name), None) => text(Field::Host, op, name),
        ((op, name), Some(port)) => {
            Expr::All([text(Field::Host, op, name), number(Field::HostPort, port)].into())
        }
    }
}

/// Compiles a header condition. Values are literals; a single value may also be a regular expression.
fn header(name: &str, values: &[String], patterns: &mut Patterns) -> Result<Expr, String> {
    let field = HeaderField::new(name).ok_or_else(|| format!("bad header name '{name}'"))?;
    let attribute = Attribute { field: Field::Header(Box::new(field)), case: Case::LowerAscii, any: true };
    let mut tests: Vec<Expr> = values
        .iter()
        .map(|value| {
            let op = Op::Text(TextOp::Equal, value.to_ascii_lowercase().into());
            Expr::Is(Predicate { attribute: attribute.clone(), op })
        })
        .collect();
    if let [value] = values
        && let Some(regex) = value.strip_prefix("~*")
    {
        tests.push(Expr::Is(Predicate { attribute, op: Op::Regex(patterns.get(Syntax::Perl, regex)?) }));
    }
    Ok(any(tests))
}
