//! Expected values against what was seen. Everything that differs is collected, not only the first.

use serde_json::Value;

use super::interpolate::plain;

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// What: `status`, `header X-Id`, `json.items[2].name`.
    pub what: String,
    /// What was expected, in words or as JSON.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
}

impl Mismatch {
    /// A difference in words.
    pub fn new(what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Mismatch { what: what.into(), expected: expected.into(), seen: truncate(seen.into()) }
    }
}

/// Longest value shown whole, in bytes.
const MAX_SHOWN_CHARS: usize = 600;

fn truncate(text: String) -> String {
    if text.len() <= MAX_SHOWN_CHARS {
        return text;
    }
    let end = (0..=MAX_SHOWN_CHARS).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("{} … ({} bytes)", &text[..end], text.len())
}

/// A value as the reader of a difference wants it.
fn describe(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// The names of tests. A map of nothing but these is a test, any other a map of which those keys must fit.
const TESTS: &[&str] =
    &["match", "contains", "absent", "present", "one_of", "gte", "lte", "not", "length", "count", "type"];

/// Adds to `found` where the value seen (none: there is none) differs from the expected one. Of maps only the keys
/// expected count; lists must be equally long; a text equals a number that is written like it.
pub fn compare(want: &Value, seen: Option<&Value>, what: &str, found: &mut Vec<Mismatch>) {
    // An absent value and null are one: that is what `null` means to an author of a case.
    let seen = seen.filter(|v| !v.is_null());
    match want {
        Value::Object(tests) if !tests.is_empty() && tests.keys().all(|k| TESTS.contains(&k.as_str())) => {
            for (name, argument) in tests {
                if let Err(expected) = test(name, argument, seen) {
                    found.push(Mismatch::new(what, expected, describe(seen)));
                }
            }
        }
        Value::Object(map) => match seen {
            Some(Value::Object(other)) => {
                for (key, want) in map {
                    compare(want, other.get(key), &format!("{what}.{key}"), found);
                }
            }
            _ => found.push(Mismatch::new(what, describe(Some(want)), describe(seen))),
        },
        Value::Array(items) => match seen {
            Some(Value::Array(others)) if others.len() == items.len() => {
                for (i, (want, seen)) in items.iter().zip(others).enumerate() {
                    compare(want, Some(seen), &format!("{what}[{i}]"), found);
                }
            }
            _ => found.push(Mismatch::new(what, describe(Some(want)), describe(seen))),
        },
        _ if same(want, seen) => {}
        Value::Null => found.push(Mismatch::new(what, "nothing", describe(seen))),
        _ => found.push(Mismatch::new(what, describe(Some(want)), describe(seen))),
    }
}

/// Whether two values are equal as an author of YAML means it.
fn same(want: &Value, seen: Option<&Value>) -> bool {
    match (want, seen) {
        (Value::Null, None) => true,
        (_, None) => false,
        (Value::Number(a), Some(Value::Number(b))) => a == b || a.as_f64() == b.as_f64(),
        (Value::Number(a), Some(Value::String(b))) => a.to_string() == *b,
        (a, Some(b)) => a == b,
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// Whether the value contains another: a text a part, a list an item, a map a key.
fn contains(seen: &Value, part: &Value) -> bool {
    match seen {
        Value::String(s) => s.contains(&plain(part)),
        Value::Array(items) => items.iter().any(|item| same(part, Some(item))),
        Value::Object(map) => map.contains_key(&plain(part)),
        _ => false,
    }
}

fn length(seen: &Value) -> Option<usize> {
    match seen {
        Value::String(s) => Some(s.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

/// One test; an error says what was expected.
fn test(name: &str, argument: &Value, seen: Option<&Value>) -> Result<(), String> {
    let limit = || number(Some(argument)).unwrap_or(f64::NAN);
    let (passes, expected) = match name {
        "absent" | "present" => {
            let present = (name == "present") == argument.as_bool().unwrap_or(true);
            (seen.is_some() == present, if present { "anything" } else { "nothing" }.to_owned())
        }
        "match" => {
            let pattern = plain(argument);
            // Dots match line ends: bodies have several lines.
            let regex = fancy_regex::Regex::new(&format!("(?s){pattern}"));
            let regex = regex.map_err(|error| format!("a regular expression, not /{pattern}/: {error}"))?;
            (
                seen.is_some_and(|s| regex.is_match(&plain(s)).unwrap_or(false)),
                format!("a match of /{pattern}/"),
            )
        }
        "contains" => {
            let parts = match argument {
                Value::Array(parts) => parts.as_slice(),
                one => std::slice::from_ref(one),
            };
            let passes = seen.is_some_and(|s| parts.iter().all(|part| contains(s, part)));
            (passes, format!("something that contains {argument}"))
        }
        "one_of" => {
            let all = argument.as_array().map(Vec::as_slice).unwrap_or_default();
            (all.iter().any(|one| same(one, seen)), format!("one of {argument}"))
        }
        "gte" => (number(seen).is_some_and(|n| n >= limit()), format!("at least {argument}")),
        "lte" => (number(seen).is_some_and(|n| n <= limit()), format!("at most {argument}")),
        "not" => (!same(argument, seen), format!("anything but {argument}")),
        "length" => {
            let passes = seen.and_then(length).is_some_and(|n| same(argument, Some(&n.into())));
            (passes, format!("a length of {argument}"))
        }
        "count" => {
            let count = match seen {
                None => 0,
                Some(Value::Array(items)) => items.len(),
                Some(_) => 1,
            };
            (same(argument, Some(&count.into())), format!("{argument} of them"))
        }
        _ => {
            let kind = plain(argument);
            let passes = match (kind.as_str(), seen) {
                ("string", Some(Value::String(_)))
                | ("number", Some(Value::Number(_)))
                | ("boolean", Some(Value::Bool(_)))
                | ("array", Some(Value::Array(_)))
                | ("object", Some(Value::Object(_))) => true,
                ("integer", Some(Value::Number(n))) => n.is_i64() || n.is_u64(),
                _ => false,
            };
            (passes, format!("a value of type {kind}"))
        }
    };
    if passes { Ok(()) } else { Err(expected) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether nothing differs.
    fn fits(want: &Value, seen: &Value) -> bool {
        let mut found = Vec::new();
        compare(want, Some(seen), "", &mut found);
        found.is_empty()
    }

    #[test]
    fn maps_are_compared_by_the_keys_named_and_lists_item_by_item() {
        assert!(fits(&json!({ "a": 1 }), &json!({ "a": 1.0, "b": 2 })));
        assert!(fits(&json!({ "a": [1, { "b": null }] }), &json!({ "a": [1, {}] })));
        assert!(!fits(&json!([1]), &json!([1, 2])));
        assert!(!fits(&json!({ "a": null }), &json!({ "a": 0 })));
    }

    #[test]
    fn a_header_value_equals_the_number_written_like_it() {
        assert!(fits(&json!(5), &json!("5")));
        assert!(!fits(&json!(true), &json!("true")));
        assert!(!fits(&json!("5"), &json!(5)));
    }

    #[test]
    fn every_test_passes_and_fails_where_it_should() {
        let table = [
            (json!({ "match": "^a.c$" }), json!("a\nc"), json!("abcd")),
            (json!({ "contains": ["a", "b"] }), json!("xaxb"), json!("xa")),
            (json!({ "contains": 2 }), json!([1, 2]), json!([1])),
            (json!({ "absent": true }), json!(null), json!("x")),
            (json!({ "present": true }), json!(0), json!(null)),
            (json!({ "one_of": [1, "x"] }), json!("x"), json!("y")),
            (json!({ "gte": 2, "lte": 3 }), json!("2.5"), json!(4)),
            (json!({ "not": 401 }), json!(200), json!(401)),
            (json!({ "length": 2 }), json!([1, 2]), json!("abc")),
            (json!({ "count": 1 }), json!("one"), json!(["one", "two"])),
            (json!({ "type": "integer" }), json!(1), json!(1.5)),
        ];
        for (test, good, bad) in table {
            assert!(fits(&test, &good), "{test} should accept {good}");
            assert!(!fits(&test, &bad), "{test} should refuse {bad}");
        }
    }

    #[test]
    fn a_mismatch_names_the_place() {
        let mut found = Vec::new();
        compare(&json!({ "a": [{ "b": 1 }] }), Some(&json!({ "a": [{ "b": 2 }] })), "json", &mut found);
        assert_eq!(found, [Mismatch::new("json.a[0].b", "1", "2")]);
    }
}
