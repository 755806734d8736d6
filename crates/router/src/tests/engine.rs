//! Kong's own engine, asked about the same random tables and requests: not only must the index answer as
//! a list would, the list must answer as Kong does, to the captures.

use std::collections::HashMap;

use atc_router::{ast::Value as Literal, context::Context, router::Router as Engine};

use super::{
    random::{cases, check, mixed, route},
    *,
};
use crate::{
    expressions::{self, HTTP_SCHEMA},
    priority, text,
};

type Ids = HashMap<uuid::Uuid, Ix<Route>>;

fn build(state: &State, flavor: Flavor) -> (Engine<'static>, Ids) {
    let mut engine = Engine::new(&HTTP_SCHEMA);
    let mut ids = Ids::new();
    for (ix, route) in state.routes.iter() {
        for part in priority::split(route) {
            let mut source = route.expression.clone().unwrap_or_else(|| text::source(route, &part.paths));
            let protocols: Vec<String> = route
                .protocols
                .iter()
                .map(|protocol| format!("net.protocol == {}", json!(protocol)))
                .collect();
            if flavor == Flavor::Expressions && json!(route.protocols) != json!(["https"]) {
                source = format!("{source} && ({})", protocols.join(" || "));
            }
            let priority = priority::priority(route, &part.paths, Calculation::Original);
            engine.add_matcher(priority as usize, part.id, &source).unwrap();
            ids.insert(part.id, ix);
        }
    }
    (engine, ids)
}

/// The request as Kong hands it to its engine; none where a value is not UTF-8.
fn context(engine: &Engine<'static>, line: &RequestLine<'_>, path: &[u8]) -> Option<Context<'static>> {
    let mut context = Context::new(&HTTP_SCHEMA);
    let view = View::of_request(line, path);
    let mut readable = true;
    for name in engine.fields.keys() {
        let field = expressions::field(name).unwrap();
        if let Some(number) = view.number(&field) {
            context.add_value(name, Literal::Int(number));
        } else if let Some(address) = view.address(&field) {
            context.add_value(name, Literal::IpAddr(address));
        } else {
            view.each(&field, |value| {
                match String::from_utf8(value.to_vec()) {
                    Ok(text) => context.add_value(name, Literal::String(text)),
                    Err(_) => readable = false,
                }
                true
            });
        }
    }
    readable.then_some(context)
}

type Answer = (Ix<Route>, usize, HashMap<String, String>);

fn ask(engine: &Engine<'static>, ids: &Ids, asking: &Asking) -> Option<Answer> {
    let mut context = asking.with(|line, path| context(engine, line, path))?;
    engine.execute(&mut context);
    let found = context.result?;
    let matched = match found.matches.get("http.path") {
        Some(Literal::String(text)) => text.len(),
        _ => 0,
    };
    // A whole match alone counts as no captures.
    let captures = found.captures.into_iter().collect::<HashMap<_, _>>();
    let captures = if captures.len() > 1 { captures } else { HashMap::new() };
    Some((ids[&found.uuid], matched, captures))
}

fn compare(flavor: Flavor, state: &State) -> impl FnMut(&Router, &Asking) + use<> {
    let (engine, ids) = build(state, flavor);
    move |router, asking| {
        let found = asking.find(router).map(|found| {
            let captures = found.captures.iter().map(|(name, text)| (name.to_string(), text.to_string()));
            (found.route, found.matched, captures.collect())
        });
        assert_eq!(found, ask(&engine, &ids, asking), "{asking:?}");
    }
}

#[test]
fn the_router_answers_as_kongs_engine_does() {
    let flavor = Flavor::TraditionalCompatible;
    check(flavor, 0x0dd_ba11, cases(2_000), route, |state| compare(flavor, state));
}

#[test]
fn the_router_answers_as_kongs_engine_does_with_expressions() {
    let flavor = Flavor::Expressions;
    check(flavor, 0xc0ff_ee00_c0ff_ee00, cases(2_000), mixed, |state| compare(flavor, state));
}
