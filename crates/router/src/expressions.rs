//! Flavor `expressions`: routes in the router's language. Parser and validation are those of Kong's engine (crate
//! `atc-router`); the syntax tree is converted to [`Expr`], as for every other flavor.

use std::{collections::HashMap, sync::LazyLock};

use atc_router::{
    ast::{BinaryOperator, Expression, LogicalExpression, Predicate as AstPredicate, Type, Value},
    parser::parse,
    schema::Schema,
    semantics::{FieldCounter, Validate},
};

use super::{
    Flavor, PriorityMode,
    expr::{Attribute, Case, Expr, Field, HeaderField, NumberOp, Op, Predicate, TextOp},
    fields,
    pattern::{Patterns, Syntax},
    render,
};
use model::{Protocol, Route};

const SEGMENTS: &str = "http.path.segments.";

/// Fields of streams and of HTTP.
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

/// Compiles a part of a route in this flavor: its expression, or else its fields, and its protocols.
pub(super) fn expression(
    route: &Route,
    paths: &[&str],
    calculation: PriorityMode,
    patterns: &mut Patterns,
) -> Result<Expr, String> {
    let expr = match &route.expression {
        Some(source) => read(&replace_deprecated_fields(source), schema_of(route), patterns)?,
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

/// Compiles the condition on the protocol; `None` if it is always true. TLS-only routes have none, so that requests
/// without TLS can be redirected.
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

/// Replaces the deprecated `net.port` by `net.dst.port` where a comparison follows.
fn replace_deprecated_fields(source: &str) -> String {
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

/// Compiles a condition on requests.
pub(super) fn condition(source: &str) -> Result<Expr, String> {
    read(source, &HTTP_SCHEMA, &mut Patterns::default())
}

fn convert(expression: &Expression, patterns: &mut Patterns) -> Result<Expr, String> {
    /// Flattens a chain of one operator, in order.
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

fn test(predicate: &AstPredicate, patterns: &mut Patterns) -> Result<Predicate, String> {
    let (lower, any) = predicate.lhs.get_transformations();
    let case = if lower { Case::Lower } else { Case::Exact };
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
    Ok(Predicate { attribute, op })
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

/// Parses the name of a field.
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

/// Parses `N` or `N_M` with N < M, without leading zeros.
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

/// Validates a route as Kong's engine since 3.0 does. Returns its error message without the common prefix.
pub(super) fn validation_error(route: &Route) -> Option<String> {
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
        Some(source) => replace_deprecated_fields(source),
        // The parser runs only for routes that can fail.
        None if certainly_compiles(route) => return None,
        None => render::source(route, &every_path(route)),
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

/// Whether a field-based route certainly compiles, so that its rendered expression need not be parsed.
fn certainly_compiles(route: &Route) -> bool {
    let plain = |text: &String| !text.contains('"');
    // Most routes only have string comparisons, which cannot fail.
    let texts_only = !fields::is_stream(route)
        && fields::set(&route.sources).is_none()
        && fields::set(&route.destinations).is_none()
        && route.headers.is_none()
        && !route.paths.iter().flatten().any(|path| path.starts_with('~'));
    let compiles =
        || fields::expression(route, &every_path(route), PriorityMode::Original, &mut Patterns::default());
    (texts_only || compiles().is_ok())
        && route.hosts.iter().flatten().all(plain)
        && route.paths.iter().flatten().all(plain)
        && route.headers.as_deref().into_iter().flatten().flat_map(|(_, values)| values).all(plain)
        && route.snis.iter().flat_map(|snis| snis.iter()).all(plain)
}

/// Validates the conditions of a route, with Kong's error messages (see the entity check of routes). Called by `config`
/// for every route.
pub fn validate_route(route: &Route, flavor: Flavor) -> Result<(), String> {
    match flavor {
        Flavor::Traditional => Ok(()),
        Flavor::TraditionalCompatible | Flavor::Expressions => match validation_error(route) {
            None => Ok(()),
            Some(reason) => Err(format!("Router Expression failed validation: {reason}")),
        },
    }
}
