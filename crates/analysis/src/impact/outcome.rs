//! What becomes of a request on both sides, and in which facts it differs: the gateway's own response, or the request
//! as it leaves, its destination and its limits. Settings of plugins without an effect on it are left to the chains.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::{SampleRequest, side::Side};
use crate::diff::{FieldChange, MASK, Segment, value_fields};
use config::secret::SecretFields;
use http_codec::HeaderSpelling;
use model::{Consumer, Ix, Route, Row};
use proxy::{SimulatedOutcome, SimulatedRequest};
use router::split_port;
use upstream::canonical_target;

/// Longer than the longest window of a rate limit, a year.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(400 * 24 * 3600);

/// Facts whose values plugins make up of settings that may hold secrets; that they differ is shown, not how.
const UNSHOWN: [&str; 3] = ["query", "headers", "body"];

/// The facts in which a request's outcome differs, given the route it belongs to on each side. Empty if none does, or
/// if the request cannot be sent. The consumers are those that authentication finds; a client that it knows on no more
/// than one side is refused on the other.
pub fn differing(
    probe: &SampleRequest,
    consumers: Option<[Option<Ix<Consumer>>; 2]>,
    (old, before): (&Side<'_>, Option<Ix<Route>>),
    (new, after): (&Side<'_>, Option<Ix<Route>>),
) -> Vec<FieldChange> {
    let clients = match consumers {
        Some(consumers) => consumers.map(Client::Sought),
        None => [Client::Unknown; 2],
    };
    let (Some(a), Some(b)) =
        (outcome(probe, clients[0], old, before), outcome(probe, clients[1], new, after))
    else {
        return Vec::new();
    };
    let mut fields = value_fields(&a, &b);
    if fields.is_empty() {
        return fields;
    }
    // What differs from request to request, such as an id that a plugin adds, is no change of the configuration.
    for (client, side, route, first) in [(clients[0], old, before, &a), (clients[1], new, after, &b)] {
        let second = outcome(probe, client, side, route).unwrap_or_default();
        let volatile = value_fields(first, &second);
        fields.retain(|field| volatile.iter().all(|other| other.path != field.path));
    }
    shown(fields, new.catalog.secrets())
}

/// Leaves out what follows from a response in place of a request, or the reverse; masks what may hold secrets.
fn shown(fields: Vec<FieldChange>, masks: &SecretFields) -> Vec<FieldChange> {
    let is = |segment: &Segment, name: &str| matches!(segment, Segment::Key(key) if key == name);
    let parent = |field: &FieldChange| field.path[..field.path.len() - 1].to_vec();
    let replaced: Vec<Vec<Segment>> = fields
        .iter()
        .filter(|field| field.path.last().is_some_and(|last| is(last, "outcome")))
        .map(parent)
        .collect();
    let mut kept: Vec<FieldChange> = Vec::new();
    for mut field in fields {
        let is_outcome = field.path.last().is_some_and(|last| is(last, "outcome"));
        if !is_outcome && replaced.iter().any(|parent| field.path.starts_with(parent)) {
            continue;
        }
        let is_unshown = field.path.iter().any(|segment| UNSHOWN.iter().any(|name| is(segment, name)));
        // Those are the gateway's own.
        let is_forwarded =
            |segment: &Segment| matches!(segment, Segment::Key(key) if key.starts_with("X-Forwarded-"));
        if is_unshown && !field.path.last().is_some_and(is_forwarded) {
            let mask = |value: &Value| if value.is_null() { Value::Null } else { MASK.into() };
            (field.old, field.new) = (mask(&field.old), mask(&field.new));
        }
        field.mask(&[], masks);
        if kept.iter().all(|other| other.path != field.path) {
            kept.push(field);
        }
    }
    kept
}

/// The client that sends a request.
#[derive(Clone, Copy)]
enum Client {
    /// A client without credentials.
    Unknown,
    /// A client with a credential: the consumer that authentication identifies, `None` if it refuses the client.
    Sought(Option<Ix<Consumer>>),
}

/// All facts of a request's outcome on one side; `None` if it is no request that can be sent.
fn outcome(
    probe: &SampleRequest,
    client: Client,
    side: &Side<'_>,
    route: Option<Ix<Route>>,
) -> Option<Value> {
    let authenticates = |name: &str| side.catalog.registry().authenticates(name);
    if let Client::Sought(consumer) = client {
        let is_skipped = |name: &str| consumer.is_some() && authenticates(name);
        let mut facts = facts(rehearse(probe, consumer, side, is_skipped)?, side, route);
        let name = consumer
            .map(|ix| &side.rows.consumers[ix])
            .and_then(|row| Row::name(row).or(row.custom_id.as_deref()));
        facts.insert("consumer".to_owned(), name.into());
        return Some(facts.into());
    }
    let fate = rehearse(probe, None, side, |_| false)?;
    let refuses = |name: &str| authenticates(name) || side.catalog.registry().traits(name).authorizes;
    let is_refused = matches!(&fate, SimulatedOutcome::Responded { plugin: Some(name), .. } if refuses(name));
    let mut facts = facts(fate, side, route);
    if is_refused {
        // Samples carry no credentials: what a client with credentials gets is looked at too.
        let fate = rehearse(probe, None, side, refuses)?;
        facts.insert("after_authentication".to_owned(), self::facts(fate, side, route).into());
    }
    Some(facts.into())
}

fn rehearse(
    probe: &SampleRequest,
    consumer: Option<Ix<Consumer>>,
    side: &Side<'_>,
    is_skipped: impl Fn(&str) -> bool,
) -> Option<SimulatedOutcome> {
    let mut head = http::Request::builder().method(&*probe.method).uri(&*probe.path);
    let mut spelled = Vec::new();
    let headers = head.headers_mut()?;
    for (name, value) in &probe.headers {
        spelled.push(HeaderSpelling::new(name).ok()?);
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    if let Some(host) = &probe.host {
        headers.insert(header::HOST, HeaderValue::from_str(host).ok()?);
    }
    let sni = probe.sni.as_deref().or(probe.host.as_deref().map(|host| split_port(host).0));
    let asked = SimulatedRequest {
        head: head.body(()).ok()?,
        spellings: spelled,
        tls: probe.https,
        sni: sni.filter(|_| probe.https).map(Arc::from),
        client: Ipv4Addr::LOCALHOST.into(),
        consumer,
    };
    side.gateway.stores.clock.advance(BETWEEN_REQUESTS);
    Some(side.rehearsal.run(asked, is_skipped))
}

fn facts(fate: SimulatedOutcome, side: &Side<'_>, route: Option<Ix<Route>>) -> Map<String, Value> {
    let facts = match fate {
        SimulatedOutcome::Responded { plugin, status, headers, body } => {
            let by = plugin.map_or_else(String::new, |plugin| format!(" by {plugin}"));
            json!({
                "outcome": format!("answered {}{by}", status.as_u16()),
                "response_headers": texts(headers.keys().map(HeaderName::as_str), &headers),
                "body": String::from_utf8_lossy(&body),
            })
        }
        SimulatedOutcome::Forwarded { target, method, mut headers, names, tls, address, consumer: _ } => {
            let host = headers.remove(header::HOST);
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let mut facts = json!({
                "outcome": "sent",
                "method": method.as_str(),
                "path": path,
                "query": query,
                "host": host.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes())),
                "headers": texts(names.iter().map(String::as_str), &headers),
                "protocol": if tls { "https" } else { "http" },
            });
            if let Some(facts) = facts.as_object_mut() {
                destination(facts, side, route, address);
            }
            facts
        }
    };
    match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}

/// Where a request goes and within which limits.
fn destination(
    facts: &mut Map<String, Value>,
    side: &Side<'_>,
    route: Option<Ix<Route>>,
    address: Option<(String, u16)>,
) {
    let Some((route, service)) = route.and_then(|ix| Some((&side.rows.routes[ix], side.service_of(ix)?)))
    else {
        return;
    };
    let upstream = side.rows.upstreams.by_name(&service.host).map(|ix| &side.rows.upstreams[ix]);
    let (host, port) = address.unwrap_or_else(|| (service.host.clone(), service.port));
    let mut set = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    set("address", format!("{host}:{port}").into());
    if let Some(upstream) = upstream {
        let targets = side.rows.targets.rows().iter().filter(|target| target.upstream.id == upstream.id);
        let weights: Map<String, Value> =
            targets.map(|target| (canonical_target(&target.target), json!(target.weight))).collect();
        set("targets", weights.into());
        set("algorithm", json!(upstream.algorithm));
    }
    set("retries", json!(service.retries));
    set("connect_timeout", json!(service.connect_timeout));
    set("write_timeout", json!(service.write_timeout));
    set("read_timeout", json!(service.read_timeout));
    set("request_buffering", route.request_buffering.into());
    set("response_buffering", route.response_buffering.into());
    set("tls_verify", json!(service.tls_verify));
    set("tls_verify_depth", json!(service.tls_verify_depth));
    set("client_certificate", json!(service.client_certificate));
    set("ca_certificates", json!(service.ca_certificates));
}

/// Headers by name, those of one name in one text.
fn texts<'n>(names: impl Iterator<Item = &'n str>, headers: &http::HeaderMap) -> Map<String, Value> {
    let mut texts = Map::new();
    for name in names {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.is_empty() {
            texts.entry(name).or_insert_with(|| values.join(", ").into());
        }
    }
    texts
}
