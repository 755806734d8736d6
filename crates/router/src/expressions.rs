//! Flavor `expressions`: routes written in the router's own language. Parser and validation are those of
//! Kong's engine (crate `atc-router`); what it parses becomes the same expressions as every other route.

use std::{collections::HashMap, sync::LazyLock};

use atc_router::{
    ast::{BinaryOperator, Expression, LogicalExpression, Predicate, Type, Value},
    parser::parse,
    schema::Schema,
    semantics::{FieldCounter, Validate},
};

use super::{
    Calculation, Flavor,
    expr::{Attribute, Case, Expr, Field, HeaderField, NumberOp, Op, Test, TextOp},
    fields,
    pattern::{Patterns, Syntax},
    text,
};
use model::{Protocol, Route};

const SEGMENTS: &str = "http.path.segments.";

/// Fields of streams; HTTP has them too.
const COMMON: [(&str, Type); 6] = [
    ("net.protocol", Type::String),
    ("tls.sni", Type::String),
    ("net.src.port", Type::Int),
    ("net.dst.port", Type::Int),
    ("net.src.ip", Type::IpAddr),
    ("net.dst.ip", Type::IpAddr),
];
const HTTP: [(&str, Type); 7] = [
    ("http.method", Type::String),
    ("http.host", Type::String),
    ("http.path", Type::String),
    ("http.path.segments.*", Type::String),
    ("http.headers.*", Type::String),
    ("http.queries.*", Type::String),
    ("http.path.segments.len", Type::Int),
];

static STREAM_SCHEMA: LazyLock<Schema> = LazyLock::new(|| schema(false));
pub(super) static HTTP_SCHEMA: LazyLock<Schema> = LazyLock::new(|| schema(true));

fn schema(http: bool) -> Schema {
    let mut schema = Schema::default();
    for (name, kind) in COMMON.into_iter().chain(http.then_some(HTTP).into_iter().flatten()) {
        schema.add_field(name, kind);
    }
    schema
}

fn schema_of(route: &Route) -> &'static Schema {
    if fields::is_stream(route) { &STREAM_SCHEMA } else { &HTTP_SCHEMA }
}

/// The expression of a part of a route in this flavor: the route's own or that of its fields, and the
/// protocols it is for.
pub(super) fn expression(
    route: &Route,
    paths: &[&str],
    calculation: Calculation,
    patterns: &mut Patterns,
) -> Result<Expr, String> {
    let expr = match &route.expression {
        Some(source) => read(&amend(source), schema_of(route), patterns)?,
        None => fields::expression(route, paths, calculation, patterns)?,
    };
    Ok(match protocols(route) {
        None => expr,
        Some(protocols) => match expr {
            Expr::All(parts) => Expr::All(parts.into_iter().chain([protocols]).collect()),
            expr => Expr::All([expr, protocols].into()),
        },
    })
}

/// The condition on the protocol, if there is one that can fail. Routes for TLS alone have none, so that
/// plain requests can be redirected.
fn protocols(route: &Route) -> Option<Expr> {
    use Protocol::{Grpc, Grpcs, Http, Https, Tcp, Tls, TlsPassthrough, Udp};
    if matches!(&*route.protocols, [] | [Https | Tls | TlsPassthrough]) {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for protocol in route.protocols.iter() {
        let name = match protocol {
            Http | Grpc => "http",
            Https | Grpcs => "https",
            Tcp | TlsPassthrough => "tcp",
            Tls => "tls",
            Udp => "udp",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let every: &[&str] = if fields::is_stream(route) { &["tcp", "tls", "udp"] } else { &["http", "https"] };
    if every.iter().all(|name| names.contains(name)) {
        return None;
    }
    Some(fields::any(names.iter().map(|name| fields::text(Field::Protocol, TextOp::Equal, name)).collect()))
}

/// `net.port`, an old spelling, becomes `net.dst.port` wherever a comparison follows.
fn amend(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("net.port") {
        let after = &rest[at + "net.port".len()..];
        out.push_str(&rest[..at]);
        let compared = after.trim_start().starts_with(['=', '>', '<', '!']);
        out.push_str(if compared { "net.dst.port" } else { "net.port" });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn checked(source: &str, schema: &Schema) -> Result<Expression, String> {
    let expression = parse(source).map_err(|e| e.to_string())?;
    expression.validate(schema)?;
    Ok(expression)
}

fn read(source: &str, schema: &Schema, patterns: &mut Patterns) -> Result<Expr, String> {
    convert(&checked(source, schema)?, patterns)
}

fn convert(expression: &Expression, patterns: &mut Patterns) -> Result<Expr, String> {
    /// Adds the parts of a chain of one operator, first things first.
    fn chain(
        expression: &Expression,
        and: bool,
        into: &mut Vec<Expr>,
        patterns: &mut Patterns,
    ) -> Result<(), String> {
        if let Expression::Logical(logical) = expression {
            match (&**logical, and) {
                (LogicalExpression::And(left, right), true) | (LogicalExpression::Or(left, right), false) => {
                    chain(left, and, into, patterns)?;
                    return chain(right, and, into, patterns);
                }
                _ => {}
            }
        }
        into.push(convert(expression, patterns)?);
        Ok(())
    }
    let mut parts = Vec::new();
    Ok(match expression {
        Expression::Predicate(predicate) => Expr::Is(test(predicate, patterns)?),
        Expression::Logical(logical) => match &**logical {
            LogicalExpression::Not(inner) => Expr::Not(Box::new(convert(inner, patterns)?)),
            LogicalExpression::And(..) => {
                chain(expression, true, &mut parts, patterns)?;
                Expr::All(parts.into())
            }
            LogicalExpression::Or(..) => {
                chain(expression, false, &mut parts, patterns)?;
                Expr::Any(parts.into())
            }
        },
    })
}

fn test(predicate: &Predicate, patterns: &mut Patterns) -> Result<Test, String> {
    let (lower, any) = predicate.lhs.get_transformations();
    let case = if lower { Case::Lower } else { Case::Kept };
    let attribute = Attribute { field: field(&predicate.lhs.var_name)?, case, any };
    let op = match (&predicate.rhs, &predicate.op) {
        (Value::Regex(regex), _) => Op::Regex(patterns.get(Syntax::Rust, regex.as_str())?),
        (Value::String(text), op) => Op::Text(text_op(op)?, text.as_str().into()),
        (Value::Int(number), op) => Op::Number(number_op(op)?, *number),
        (Value::IpAddr(address), op) => {
            Op::Address { equal: *op == BinaryOperator::Equals, address: *address }
        }
        (Value::IpCidr(network), op) => Op::Network {
            inside: *op == BinaryOperator::In,
            network: ipnet::IpNet::new(network.first_address(), network.network_length())
                .map_err(|e| e.to_string())?,
        },
    };
    Ok(Test { attribute, op })
}

fn text_op(op: &BinaryOperator) -> Result<TextOp, String> {
    Ok(match op {
        BinaryOperator::Equals => TextOp::Equal,
        BinaryOperator::NotEquals => TextOp::NotEqual,
        BinaryOperator::Prefix => TextOp::Prefix,
        BinaryOperator::Postfix => TextOp::Suffix,
        BinaryOperator::Contains => TextOp::Contains,
        _ => return Err("operator does not go with a string".to_owned()),
    })
}

fn number_op(op: &BinaryOperator) -> Result<NumberOp, String> {
    Ok(match op {
        BinaryOperator::Equals => NumberOp::Equal,
        BinaryOperator::NotEquals => NumberOp::NotEqual,
        BinaryOperator::Greater => NumberOp::Greater,
        BinaryOperator::GreaterOrEqual => NumberOp::GreaterOrEqual,
        BinaryOperator::Less => NumberOp::Less,
        BinaryOperator::LessOrEqual => NumberOp::LessOrEqual,
        _ => return Err("operator does not go with a number".to_owned()),
    })
}

/// The field of that name.
pub(super) fn field(name: &str) -> Result<Field, String> {
    Ok(match name {
        "net.protocol" => Field::Protocol,
        "tls.sni" => Field::Sni,
        "net.src.ip" => Field::SourceIp,
        "net.src.port" => Field::SourcePort,
        "net.dst.ip" => Field::DestinationIp,
        "net.dst.port" => Field::DestinationPort,
        "http.method" => Field::Method,
        "http.host" => Field::Host,
        "http.path" => Field::Path,
        "http.path.segments.len" => Field::SegmentCount,
        _ => {
            if let Some(name) = name.strip_prefix("http.headers.") {
                let header = HeaderField::new(name).ok_or_else(|| format!("bad header name '{name}'"))?;
                return Ok(Field::Header(Box::new(header)));
            }
            if let Some(name) = name.strip_prefix("http.queries.") {
                return Ok(Field::Query(name.into()));
            }
            let (first, last) = name.strip_prefix(SEGMENTS).and_then(segments).ok_or("Unknown LHS field")?;
            Field::Segments(first, last)
        }
    })
}

/// `N` or `N_M` with N < M, without leading zeros.
fn segments(suffix: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        if plain { text.parse::<u32>().ok() } else { None }
    };
    match suffix.split_once('_') {
        None => number(suffix).map(|only| (only, only)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first < last).then_some((first, last))
        }
    }
}

/// Why Kong's newer engine refuses a route, without the words that every such message starts with.
pub(super) fn refusal(route: &Route) -> Option<String> {
    const FIELDS: &str = "'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations'";
    let by_fields = fields::set(&route.snis).is_some()
        || fields::set(&route.sources).is_some()
        || fields::set(&route.destinations).is_some()
        || fields::set(&route.methods).is_some()
        || fields::set(&route.hosts).is_some()
        || fields::set(&route.paths).is_some()
        || route.headers.as_ref().is_some_and(|headers| !headers.is_empty());
    let source = match &route.expression {
        None if !by_fields => return None,
        Some(_) if by_fields => return Some(format!("cannot set 'expression' with {FIELDS} simultaneously")),
        Some(_) if route.regex_priority.unwrap_or(0) != 0 => {
            return Some("cannot set 'regex_priority' with 'expression' simultaneously".to_owned());
        }
        None if route.priority.unwrap_or(0) != 0 => {
            return Some(format!("cannot set 'priority' with {FIELDS} simultaneously"));
        }
        Some(source) => amend(source),
        // A parser is needed only for what can fail.
        None if surely_compiles(route) => return None,
        None => text::source(route, &every_path(route)),
    };
    let expression = match checked(&source, schema_of(route)) {
        Ok(expression) => expression,
        Err(reason) => return Some(reason),
    };
    let mut names = HashMap::new();
    expression.add_to_counter(&mut names);
    names
        .keys()
        .filter_map(|name| name.strip_prefix(SEGMENTS))
        .any(|suffix| suffix != "len" && segments(suffix).is_none())
        .then(|| "illformed http.path.segments.* field".to_owned())
}

fn every_path(route: &Route) -> Vec<&str> {
    route.paths.iter().flatten().map(String::as_str).collect()
}

/// Whether a field-based route can be turned into an expression without a look at the text of it.
fn surely_compiles(route: &Route) -> bool {
    let plain = |text: &String| !text.contains('"');
    // Most routes are these: texts to compare with, none of which can fail.
    let texts_only = !fields::is_stream(route)
        && fields::set(&route.sources).is_none()
        && fields::set(&route.destinations).is_none()
        && route.headers.is_none()
        && !route.paths.iter().flatten().any(|path| path.starts_with('~'));
    let compiles =
        || fields::expression(route, &every_path(route), Calculation::Original, &mut Patterns::default());
    (texts_only || compiles().is_ok())
        && route.hosts.iter().flatten().all(plain)
        && route.paths.iter().flatten().all(plain)
        && route.headers.as_deref().into_iter().flatten().flat_map(|(_, values)| values).all(plain)
        && route.snis.iter().flat_map(|snis| snis.iter()).all(plain)
}

/// Why Kong would refuse the route's conditions, in its words (see the entity check of routes); config
/// asks this of every route.
pub fn validate_route(route: &Route, flavor: Flavor) -> Result<(), String> {
    match flavor {
        Flavor::Traditional => Ok(()),
        Flavor::TraditionalCompatible | Flavor::Expressions => match refusal(route) {
            None => Ok(()),
            Some(reason) => Err(format!("Router Expression failed validation: {reason}")),
        },
    }
}
