//! Whether some routes take every request that another one takes. Requests that stand for a route are samples: a
//! regular expression has more matches than one, a wildcard more names, a header more values.

use regex_automata::{
    Anchored,
    dfa::{Automaton, StartKind, dense},
    util::{primitives::StateID, start, syntax},
};

use model::Route;

/// Most memory of the automaton of a route's paths, and of the work to build it.
const MEMORY: usize = 1 << 20;
/// Most pairs of states that are compared.
const PAIRS: usize = 100_000;

/// Whether the winners of a route's samples win all of its requests. What cannot be decided counts as no.
pub fn is_covered(route: &Route, winners: &[&Route]) -> bool {
    winners.iter().all(|winner| {
        names_covered(route.hosts.as_deref(), winner.hosts.as_deref())
            && names_covered(route.snis.as_deref(), winner.snis.as_deref())
            && headers_covered(route, winner)
    }) && paths_covered(route, winners)
}

/// Host names and server names, which may have a wildcard at one end.
fn names_covered(names: Option<&[String]>, by: Option<&[String]>) -> bool {
    let by = by.unwrap_or_default();
    let covers = |name: &str, by: &str| {
        name == by
            || by.strip_prefix('*').is_some_and(|end| name.ends_with(end))
            || by.strip_suffix('*').is_some_and(|start| name.starts_with(start))
    };
    let names = names.unwrap_or_default();
    by.is_empty() || !names.is_empty() && names.iter().all(|name| by.iter().any(|by| covers(name, by)))
}

fn headers_covered(route: &Route, winner: &Route) -> bool {
    winner.headers.as_deref().into_iter().flatten().all(|(name, accepted)| {
        let own =
            route.headers.as_deref().into_iter().flatten().find(|(own, _)| own.eq_ignore_ascii_case(name));
        own.is_some_and(|(_, values)| values.iter().all(|value| accepted.contains(value)))
    })
}

fn paths_covered(route: &Route, winners: &[&Route]) -> bool {
    let any = |route: &&Route| route.paths.as_ref().is_none_or(|paths| paths.is_empty());
    if winners.iter().any(any) {
        return true;
    }
    let by: Vec<&str> = winners.iter().flat_map(|w| w.paths.iter().flatten()).map(String::as_str).collect();
    let own: Vec<&str> = match &route.paths {
        Some(paths) if !paths.is_empty() => paths.iter().map(String::as_str).collect(),
        _ => vec!["/"],
    };
    // Prefixes need no automaton.
    let prefix = |own: &str| by.iter().any(|by| own == *by || !by.starts_with('~') && own.starts_with(by));
    if own.iter().all(|own| prefix(own)) {
        return true;
    }
    match (automaton(&own), automaton(&by)) {
        (Some(own), Some(by)) => includes(&own, &by).unwrap_or(false),
        _ => false,
    }
}

type Dfa = dense::DFA<Vec<u32>>;

/// Builds an automaton of the request paths that the paths of routes match. `None` if it would exceed its size limit,
/// or if a pattern is not supported.
fn automaton(paths: &[&str]) -> Option<Dfa> {
    let ways: Vec<String> = paths
        .iter()
        .map(|path| {
            path.strip_prefix('~').map_or_else(|| regex_syntax::escape(path), |regex| format!("(?:{regex})"))
        })
        .collect();
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(MEMORY))
        .determinize_size_limit(Some(MEMORY));
    // Paths are bytes; what follows the part that matches is taken too, unless the expression ends with `$`.
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let mut builder = dense::Builder::new();
    builder
        .configure(config)
        .syntax(syntax)
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false));
    builder.build(&format!(r"(?s:\A(?:{}).*\z)", ways.join("|"))).ok()
}

/// Whether `by` matches everything that `own` matches. `None` if the comparison exceeds its limit.
fn includes(own: &Dfa, by: &Dfa) -> Option<bool> {
    let start = start::Config::new().anchored(Anchored::Yes);
    let first = (own.start_state(&start).ok()?, by.start_state(&start).ok()?);
    let mut seen = ahash::AHashSet::from([first]);
    let mut open: Vec<(StateID, StateID)> = vec![first];
    while let Some((a, b)) = open.pop() {
        // A path may end here.
        let ends = |dfa: &Dfa, state| dfa.is_match_state(dfa.next_eoi_state(state));
        if ends(own, a) && !ends(by, b) {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            let next = (own.next_state(a, byte), by.next_state(b, byte));
            if own.is_dead_state(next.0) {
                continue;
            }
            if own.is_quit_state(next.0) || by.is_quit_state(next.1) || seen.len() > PAIRS {
                return None;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(own: &str, by: &[&str]) -> bool {
        match (automaton(&[own]), automaton(by)) {
            (Some(own), Some(by)) => includes(&own, &by).unwrap_or(false),
            _ => false,
        }
    }

    #[test]
    fn paths_are_covered_by_expressions_that_match_all_of_them() {
        assert!(!covered(r"~/orders/\d+$", &["~/orders/1$"]));
        assert!(covered(r"~/orders/\d+$", &[r"~/orders/\w+$"]));
        assert!(covered(r"~/orders/\d+$", &["/orders"]));
        assert!(!covered(r"~/orders/\d+", &[r"~/orders/\w+$"]), "a longer path is left over");
        assert!(covered("~/orders/[ab]$", &["~/orders/a$", "~/orders/b$"]), "together");
        assert!(covered("/orders/x", &["/orders"]));
        assert!(!covered("/orders", &["/orders/x"]));
        assert!(!covered("~/(?!x)y", &["/"]), "what cannot be compiled is not decided");
    }

    #[test]
    fn names_are_covered_by_wildcards() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let covered = |own: &[&str], by: &[&str]| names_covered(Some(&names(own)), Some(&names(by)));
        assert!(covered(&["a.test"], &["*.test"]));
        assert!(covered(&["a.test"], &[]));
        assert!(!covered(&[], &["a.test"]));
        assert!(!covered(&["*.a.test"], &["any.a.test"]));
        assert!(covered(&["*.a.test"], &["*.test"]));
    }
}
