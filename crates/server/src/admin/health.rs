//! The health of upstreams and their targets.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{answer::Answer, body::Fields, entities, page::Page};
use model::DisplayState;
use upstream::{host_and_port, shown_target};

/// What is told of a target that nobody checks.
const UNCHECKED: &str = "HEALTHCHECKS_OFF";

/// `/upstreams/x/health`.
pub fn of_upstream(
    state: DisplayState<'_>,
    node: Uuid,
    text: &str,
    query: &Fields,
) -> Result<Answer, Answer> {
    let (upstream, targets) = entities::upstream(state, text)?;
    let id = state.upstreams.rows()[upstream].id;
    if query.get("balancer_health") == Some("1") {
        let data = json!({ "health": UNCHECKED, "id": id });
        return Ok(Answer::ok(&json!({ "data": data, "next": null, "node_id": node })));
    }
    let keys = targets.into_iter().map(|row| (state.targets.rows()[row].id.to_string(), row)).collect();
    let show = |row: usize| {
        let target = &state.targets.rows()[row];
        let mut told = serde_json::to_value(target).unwrap_or_default();
        told["target"] = shown_target(&target.target).into();
        told["health"] = UNCHECKED.into();
        told["data"] = addresses(&target.target, target.weight.unwrap_or(100).into());
        told
    };
    let page = Page::new(query, true)?.forgetful();
    let path = format!("/upstreams/{}/health", entities::escaped(text));
    Ok(page.answer(keys, show, &path, &[("node_id", json!(node))]))
}

/// A target's addresses; a name is told without any, since the workers look it up, each for itself.
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

/// `/upstreams/x/targets/y/healthy`: refused while nobody keeps the health of targets.
pub fn set(state: DisplayState<'_>, upstream: &str, target: &str) -> Result<Answer, Answer> {
    entities::find_target(state, upstream, target)?;
    Ok(Answer::message(StatusCode::BAD_REQUEST, "the health of targets is not kept yet"))
}
