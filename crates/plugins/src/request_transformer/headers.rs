//! Application of header rules.

use http::{HeaderValue, header::HOST};
use smallvec::SmallVec;

use super::rules::{HeaderRules, HeaderText};
use crate::shared::{
    template::{Env, RenderError},
    transform::header_value,
};
use plugin::Exchange;

/// Applies the header rules to a request. Templates use the original headers.
pub fn apply(rules: &HeaderRules, exchange: &mut Exchange) -> Result<(), RenderError> {
    let mut rendered = SmallVec::<[HeaderValue; 4]>::new();
    {
        let env = Env::of(exchange);
        for template in rules.templates() {
            rendered.push(header_value(&template.render(&env)?));
        }
    }
    let mut rendered = rendered.into_iter();
    let mut value = |text: &HeaderText| match text {
        HeaderText::Constant(value) => value.clone(),
        HeaderText::Template(_) => rendered.next().expect("one value was rendered for each template"),
    };
    let headers = &mut exchange.request.headers;
    for name in &rules.remove {
        headers.remove(name);
    }
    for (old, new) in &rules.rename {
        if !headers.contains_key(old) {
            continue;
        }
        if *old == new.name {
            headers.set_spelling(new);
            continue;
        }
        let values: SmallVec<[HeaderValue; 2]> = headers.get_all(old).iter().cloned().collect();
        headers.remove(old);
        if new.name == HOST {
            exchange.upstream_overrides.host = values.into_iter().next();
            continue;
        }
        headers.remove(&new.name);
        for value in values {
            headers.add(new, value);
        }
    }
    for (name, text) in &rules.replace {
        let value = value(text);
        if name.name == HOST {
            exchange.upstream_overrides.host = Some(value);
        } else if headers.contains_key(&name.name) {
            headers.set(name, value);
        }
    }
    for (name, text) in &rules.add {
        let value = value(text);
        if !headers.contains_key(&name.name) {
            headers.set(name, value);
        }
    }
    for (name, text) in &rules.append {
        headers.add(name, value(text));
    }
    Ok(())
}
