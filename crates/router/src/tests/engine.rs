//! Comparison with Kong's engine on random tables and requests, including captures.

use std::collections::HashMap;

use atc_router::{ast::Value as Literal, context::Context, router::Router as Engine};

use super::{
    random::{cases, check, mixed, route},
    *,
};
use crate::{
    expressions::{self, HTTP_SCHEMA},
    priority, render,
};

type Ids = HashMap<uuid::Uuid, Ix<Route>>;

fn build(state: &State, flavor: Flavor) -> (Engine<'static>, Ids) {
    let mut engine = Engine::new(&HTTP_SCHEMA);
    let mut ids = Ids::new();
    for (ix, route) in state.routes.iter() {
        for part in priority::split(route) {
            let mut source = route.expression.clone().unwrap_or_else(|| render::source(route, &part.paths));
            let protocols: Vec<String> = route
                .protocols
                .iter()
                .map(|protocol| format!("net.protocol == {}", json!(protocol)))
                .collect();
            if flavor == Flavor::Expressions && json!(route.protocols) != json!(["https"]) {
                source = format!("{source} && ({})", protocols.join(" || "));
            }
            let priority = priority::priority(route, &part.paths, PriorityMode::Original);
            engine.add_matcher(priority as usize, part.id, &source).unwrap();
            ids.insert(part.id, ix);
        }
    }
    (engine, ids)
}

/// Creates the context that Kong passes to its engine; `None` if a value is not UTF-8.
fn context(engine: &Engine<'static>, line: &RequestInput<'_>, path: &[u8]) -> Option<Context<'static>> {
    let mut context = Context::new(&HTTP_SCHEMA);
    let input = MatchInput::of_request(line, path);
    let mut is_utf8 = true;
    for name in engine.fields.keys() {
        let field = expressions::field(name).unwrap();
        if let Some(number) = input.number(&field) {
            context.add_value(name, Literal::Int(number));
        } else if let Some(address) = input.address(&field) {
            context.add_value(name, Literal::IpAddr(address));
        } else {
            input.each(&field, |value| {
                match String::from_utf8(value.to_vec()) {
                    Ok(text) => context.add_value(name, Literal::String(text)),
                    Err(_) => is_utf8 = false,
                }
                true
            });
        }
    }
    is_utf8.then_some(context)
}

type EngineMatch = (Ix<Route>, usize, HashMap<String, String>);

fn execute(engine: &Engine<'static>, ids: &Ids, request: &OwnedRequest) -> Option<EngineMatch> {
    let mut context = request.with(|line, path| context(engine, line, path))?;
    engine.execute(&mut context);
    let found = context.result?;
    let matched = match found.matches.get("http.path") {
        Some(Literal::String(text)) => text.len(),
        _ => 0,
    };
    // The capture of the whole match alone is dropped.
    let captures = found.captures.into_iter().collect::<HashMap<_, _>>();
    let captures = if captures.len() > 1 { captures } else { HashMap::new() };
    Some((ids[&found.uuid], matched, captures))
}

fn compare(flavor: Flavor, state: &State) -> impl FnMut(&Router, &OwnedRequest) + use<> {
    let (engine, ids) = build(state, flavor);
    move |router, request| {
        let found = request.find(router).map(|found| {
            let captures = found.captures.iter().map(|(name, text)| (name.to_string(), text.to_string()));
            (found.route, found.matched_len, captures.collect())
        });
        assert_eq!(found, execute(&engine, &ids, request), "{request:?}");
    }
}

#[test]
fn the_router_matches_kongs_engine() {
    let flavor = Flavor::TraditionalCompatible;
    check(flavor, 0x0dd_ba11, cases(2_000), route, |state| compare(flavor, state));
}

#[test]
fn the_router_matches_kongs_engine_with_expressions() {
    let flavor = Flavor::Expressions;
    check(flavor, 0xc0ff_ee00_c0ff_ee00, cases(2_000), mixed, |state| compare(flavor, state));
}
