//! The health of upstreams and their targets.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{body::Fields, entities, page::Page, reply::Reply};
use model::DisplayState;
use upstream::{canonical_target, host_and_port};

/// Kong's health status of a target without health checks.
const UNCHECKED: &str = "HEALTHCHECKS_OFF";

/// `/upstreams/x/health`.
pub fn of_upstream(state: DisplayState<'_>, node: Uuid, text: &str, query: &Fields) -> Result<Reply, Reply> {
    let (upstream, targets) = entities::upstream(state, text)?;
    let id = state.upstreams.rows()[upstream].id;
    if query.get("balancer_health") == Some("1") {
        let data = json!({ "health": UNCHECKED, "id": id });
        return Ok(Reply::ok(&json!({ "data": data, "next": null, "node_id": node })));
    }
    let keys = targets.into_iter().map(|row| (state.targets.rows()[row].id.to_string(), row)).collect();
    let show = |row: usize| {
        let target = &state.targets.rows()[row];
        let mut reply = serde_json::to_value(target).unwrap_or_default();
        reply["target"] = canonical_target(&target.target).into();
        reply["health"] = UNCHECKED.into();
        reply["data"] = addresses(&target.target, target.weight.unwrap_or(100).into());
        reply
    };
    let page = Page::new(query, true)?.without_query_in_next();
    let path = format!("/upstreams/{}/health", entities::escaped(text));
    Ok(page.reply(keys, show, &path, &[("node_id", json!(node))]))
}

/// Renders the addresses of a target. A host name has none, since it is resolved only when a request needs it.
fn addresses(target: &str, weight: u64) -> Value {
    let (host, port) = host_and_port(target);
    let literal = host.parse::<std::net::IpAddr>().is_ok();
    let addresses = match literal {
        true => json!([{ "ip": host, "port": port, "weight": weight, "health": UNCHECKED }]),
        false => json!([]),
    };
    json!({
        "host": host,
        "port": port,
        "nodeWeight": weight,
        "weight": { "total": weight, "available": weight, "unavailable": 0 },
        "dns": if literal { "" } else { "A" },
        "addresses": addresses,
    })
}

/// `/upstreams/x/targets/y/healthy`: rejected, since the health of targets is not tracked.
pub fn set(state: DisplayState<'_>, upstream: &str, target: &str) -> Result<Reply, Reply> {
    entities::find_target(state, upstream, target)?;
    Ok(Reply::message(StatusCode::BAD_REQUEST, "the health of targets is not kept yet"))
}
