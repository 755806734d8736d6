//! The order of routes: splitting of routes with several paths, and the priorities of the parts in Kong's engine since
//! 3.0.

use uuid::Uuid;

use super::{PriorityMode, fields::is_stream};
use model::{Cidr, Route, Set};

/// The namespace from which the ids of split routes are derived.
const SPLIT: Uuid = Uuid::from_u128(0x7f145bf9_0dce_4f91_98eb_debbce4b9f6b);
/// Priority bits of a route with an expression: it precedes every route without.
const EXPRESSION: u64 = 0xff << 56;
const PLAIN_HOSTS: u64 = 1 << 60;
const REGEX_PATH: u64 = 1 << 51;
const STREAM_NAME: u64 = 1 << 61;
/// Most headers that count.
const MAX_HEADERS: usize = 255;

/// A part of a route: its paths, and the id that breaks ties.
pub(super) struct Part<'r> {
    pub id: Uuid,
    pub paths: Vec<&'r str>,
}

/// Splits a route by its paths: one part for all regular expressions, and one for the plain paths of each length.
pub(super) fn split(route: &Route) -> Vec<Part<'_>> {
    let paths = route.paths.as_deref().unwrap_or_default();
    let mut groups: Vec<(usize, Vec<&str>)> = Vec::new();
    if route.expression.is_none() && !is_stream(route) {
        for path in paths {
            let key = if path.starts_with('~') { 0 } else { path.len() };
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, group)) => group.push(path),
                None => groups.push((key, vec![path])),
            }
        }
    }
    if groups.len() < 2 {
        return vec![Part { id: route.id, paths: groups.pop().map(|(_, paths)| paths).unwrap_or_default() }];
    }
    let id = |number: usize| Uuid::new_v5(&SPLIT, format!("{}#{number}", route.id).as_bytes());
    groups.into_iter().enumerate().map(|(i, (_, paths))| Part { id: id(i + 1), paths }).collect()
}

fn given<T>(field: &Option<Set<T>>) -> bool {
    field.as_ref().is_some_and(|values| !values.is_empty())
}

/// Computes the priority of a part of a route; higher priorities are tried first.
pub(super) fn priority(route: &Route, paths: &[&str], calculation: PriorityMode) -> u64 {
    if route.expression.is_some() {
        return EXPRESSION | route.priority.unwrap_or(0);
    }
    if is_stream(route) {
        return stream(route);
    }
    let hosts = route.hosts.as_deref();
    let headers = route.headers.as_ref().map_or(0, |headers| headers.len());
    let categories = [
        given(&route.sources),
        given(&route.destinations),
        given(&route.methods),
        hosts.is_some_and(|hosts| !hosts.is_empty()),
        headers > 0,
        given(&route.snis),
        !paths.is_empty(),
    ];
    let weight = categories.into_iter().filter(|&set| set).count();
    let headers = headers.min(MAX_HEADERS);
    let regex = paths.first().is_some_and(|path| path.starts_with('~'));
    let regex_priority = if regex { route.regex_priority.unwrap_or(0) } else { 0 };
    let length = if regex { 0 } else { paths.first().map_or(0, |path| path.len()) as u64 & 0x7ffff };

    let mut priority = length;
    // An empty list counts as plain hosts.
    if hosts.is_some_and(|hosts| !hosts.iter().any(|host| host.contains('*'))) {
        priority |= PLAIN_HOSTS;
    }
    if regex {
        priority |= REGEX_PATH;
    }
    priority
        | match calculation {
            PriorityMode::Strict => {
                (weight as u64) << 61 | (headers as u64) << 52 | (regex_priority as u64) << 19
            }
            // Kong 3.9 shifts these three as 32-bit numbers, so that shift distances are modulo 32; a result with bit 31
            // set is negative and sign-extends into the upper half.
            PriorityMode::Original => {
                let short = |value: u32, distance: u32| (value << (distance % 32)) as i32 as i64 as u64;
                short(weight as u32, 61) | short(headers as u32, 52) | short(regex_priority as u32, 19)
            }
        }
}

/// Computes the priority of a stream route: addresses weigh more than ports, ports more than networks; sources more than
/// destinations; a server name as much as both together.
fn stream(route: &Route) -> u64 {
    let weigh = |nets: &Option<Set<Cidr>>| {
        nets.iter().flat_map(|nets| nets.iter()).fold(0_u64, |bits, net| {
            let ip = net.ip.as_ref().map_or(0, |ip| if ip.contains('/') { 1 } else { 8 });
            bits | ip | if net.port.is_some() { 4 } else { 0 }
        })
    };
    let name = given(&route.snis) || (given(&route.sources) && given(&route.destinations));
    (if name { STREAM_NAME } else { 0 }) | weigh(&route.sources) << 4 | weigh(&route.destinations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hex(fields: serde_json::Value, calculation: PriorityMode) -> String {
        let mut route = json!({ "id": "00000000-0000-0000-0000-000000000001" });
        route.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let route: Route = serde_json::from_value(route).unwrap();
        let parts = split(&route);
        assert_eq!(parts.len(), 1);
        format!("{:016x}", priority(&route, &parts[0].paths, calculation))
    }

    #[test]
    fn priorities_are_those_of_kong_3_9() {
        for (fields, expected) in [
            (json!({"paths": ["/abc"]}), "0000000020000004"),
            (json!({"paths": ["~/abc"]}), "0008000020000000"),
            (json!({"paths": ["~/abc"], "regex_priority": 5}), "0008000020280000"),
            (json!({"hosts": ["a.com"]}), "1000000020000000"),
            (json!({"hosts": ["*.a.com"]}), "0000000020000000"),
            (json!({"headers": {"a": ["1"]}}), "0000000020100000"),
            (json!({"headers": {"a": ["1"], "b": ["1"]}}), "0000000020200000"),
            (json!({"hosts": ["a.com"], "paths": ["/a"]}), "1000000040000002"),
            (json!({"hosts": ["*.com"], "paths": ["/a"]}), "0000000040000002"),
            (json!({"hosts": ["a.com"], "paths": ["~/a"]}), "1008000040000000"),
            (json!({"methods": ["GET"], "paths": ["/a"], "headers": {"a": ["1"]}}), "0000000060100002"),
            (json!({"hosts": ["a.com"], "paths": ["/a"], "methods": ["GET"]}), "1000000060000002"),
            (
                json!({"hosts": ["a.com"], "paths": ["/a"], "methods": ["GET"], "headers": {"a": ["1"]}}),
                "ffffffff80100002",
            ),
            (json!({"hosts": [], "paths": ["/a"]}), "1000000020000002"),
        ] {
            assert_eq!(hex(fields.clone(), PriorityMode::Original), expected, "{fields}");
        }
    }

    #[test]
    fn strict_priorities_have_the_documented_layout() {
        for (fields, expected) in [
            (json!({"paths": ["/abc"]}), "2000000000000004"),
            (json!({"hosts": ["a.com"], "paths": ["~/a"], "regex_priority": 5}), "5008000000280000"),
            (json!({"methods": ["GET"], "paths": ["/a"], "headers": {"a": ["1"]}}), "6010000000000002"),
        ] {
            assert_eq!(hex(fields.clone(), PriorityMode::Strict), expected, "{fields}");
        }
    }

    #[test]
    fn paths_are_split_by_kind_and_length() {
        let route: Route = serde_json::from_value(json!({
            "id": "00000000-0000-0000-0000-000000000001",
            "paths": ["~/r1", "/long", "/one", "/two", "~/r2"]
        }))
        .unwrap();
        let parts: Vec<Vec<&str>> = split(&route).into_iter().map(|part| part.paths).collect();
        assert_eq!(parts, [vec!["~/r1", "~/r2"], vec!["/long"], vec!["/one", "/two"]]);
        assert_eq!(split(&route)[1].id, Uuid::new_v5(&SPLIT, b"00000000-0000-0000-0000-000000000001#2"));
    }
}
