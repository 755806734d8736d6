//! Diagnostics for route expressions that the router's parser rejects; the parser itself reports names of grammar
//! rules.

use std::sync::LazyLock;

use regex::Regex;

use super::nearest;

/// Fields of the language; a trailing dot is followed by a user-defined name.
const FIELDS: [&str; 13] = [
    "http.method",
    "http.host",
    "http.path",
    "http.path.segments.",
    "http.path.segments.len",
    "http.headers.",
    "http.queries.",
    "net.protocol",
    "net.src.ip",
    "net.src.port",
    "net.dst.ip",
    "net.dst.port",
    "tls.sni",
];

/// Names of grammar rules in the parser's messages, and their descriptions.
const GRAMMAR: [(&str, &str); 10] = [
    ("EOI", "the end"),
    ("and_op", "`&&`"),
    ("or_op", "`||`"),
    ("binary_operator", "a comparison such as `==`"),
    ("rhs", "a value"),
    ("lhs", "a field"),
    ("term", "a condition"),
    ("expression", "a condition"),
    ("str_char", "a closing `\"`"),
    ("str_esc", ""),
];

const OPERATORS: &str = "the comparisons are `==`, `!=`, `^=` (begins with), `=^` (ends with), `~` (regular expression), \
                         `contains`, `in`, `not in`, `<`, `<=`, `>` and `>=`";

/// Translates the parser's reason; `None` if it needs no translation.
pub(super) fn reason(reason: &str) -> Option<String> {
    let expected = reason.strip_prefix("expected ")?;
    let mut names: Vec<&str> = Vec::new();
    for word in expected.split([',', ' ']).filter(|word| !word.is_empty() && *word != "or") {
        let name = GRAMMAR.iter().find(|(name, _)| *name == word).map_or(word, |(_, name)| name);
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let (last, others) = names.split_last()?;
    Some(match others {
        [] => format!("expected {last} here"),
        _ => format!("expected {} or {last} here", others.join(", ")),
    })
}

/// Suggests a correction from the text at the parser's error position. Type errors have no position.
pub(super) fn help(expression: &str, reason: &str, at: Option<usize>) -> Option<String> {
    if reason.contains("LHS field") {
        return Some(fields(expression));
    }
    if reason.contains("Type mismatch") || reason.contains("only supports") {
        return types(expression);
    }
    let at = at.filter(|at| expression.is_char_boundary(*at))?;
    let (before, rest) = expression.split_at(at);
    let (before, rest) = (before.trim_end(), rest.trim_start());
    let word: &str = rest.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')')).next().unwrap_or("");
    let last = before.split(|c: char| c.is_whitespace() || c == '(').next_back().unwrap_or("");
    let fixed = |text: &str| Some(text.to_owned());
    if reason.contains("str_char") {
        return match rest.starts_with('\\') {
            true => {
                fixed("in double quotes a `\\` begins an escape: write the regular expression as `r#\"…\"#`")
            }
            false => fixed("add the missing `\"`"),
        };
    }
    if reason.contains("binary_operator") {
        return binary(last, rest, word);
    }
    if reason.contains("and_op") {
        return match word.to_ascii_lowercase().as_str() {
            "and" => fixed("write `&&` in place of `and`"),
            "or" => fixed("write `||` in place of `or`"),
            _ if rest.starts_with('&') => fixed("write `&&`"),
            _ if rest.starts_with('|') => fixed("write `||`"),
            _ if rest.is_empty() => fixed("add the missing `)`"),
            _ if rest.starts_with(')') => fixed("remove this `)`: it closes nothing"),
            _ => fixed("put `&&` or `||` between two conditions"),
        };
    }
    if reason.contains("rhs") {
        return value(rest, word);
    }
    match last {
        "" if before.ends_with('(') => match traefik(before, rest) {
            Some(better) => Some(format!("write `{better}`")),
            None => fixed("write a condition such as `http.path ^= \"/a\"`"),
        },
        "&&" | "||" => Some(format!("add a condition after the `{last}`, or remove it")),
        _ => fixed("write a condition such as `http.path ^= \"/a\"`"),
    }
}

fn binary(last: &str, rest: &str, word: &str) -> Option<String> {
    if last == "not" || word == "not" {
        return Some("write `!(…)` in place of `not …`".to_owned());
    }
    if rest.starts_with("=~") {
        return Some("write `~` in place of `=~`".to_owned());
    }
    if rest.starts_with('=') {
        return Some("write `==` in place of `=`".to_owned());
    }
    if rest.starts_with('-') && last.starts_with("http.") {
        let whole = format!("{last}{word}").replacen("http.header.", "http.headers.", 1).replace('-', "_");
        return Some(format!("in the name of a header `_` stands for `-`: write `{whole}`"));
    }
    if last == "true" && rest.is_empty() {
        return Some("every request fulfils `http.path ^= \"/\"`".to_owned());
    }
    if rest.is_empty() {
        return Some(format!("add what it is compared with: `{last} == \"…\"`"));
    }
    Some(OPERATORS.to_owned())
}

/// Suggests a correction for an invalid value.
fn value(rest: &str, word: &str) -> Option<String> {
    if let Some(text) = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        return Some(format!("a text needs double quotes: write `\"{}\"`", text.0));
    }
    if rest.starts_with('[') {
        return Some(
            "there are no lists: write one condition for each value, with `||` between them".to_owned(),
        );
    }
    (!word.is_empty()).then(|| format!("a text needs double quotes: write `\"{word}\"`"))
}

/// Suggests a correction for Traefik matcher syntax.
fn traefik(function: &str, rest: &str) -> Option<String> {
    let function = function.trim_end_matches('(');
    let field = match function.split(|c: char| !c.is_ascii_alphanumeric()).next_back()? {
        "PathPrefix" => "http.path ^=",
        "Path" => "http.path ==",
        "PathRegexp" => "http.path ~",
        "Host" | "HostSNI" => "http.host ==",
        "Method" => "http.method ==",
        _ => return None,
    };
    let text = rest.split(['`', '"', '\'']).nth(1)?;
    Some(format!("{field} \"{text}\""))
}

/// Suggests the field that an unknown field probably means.
fn fields(expression: &str) -> String {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""(?:[^"\\]|\\.)*"|\b(?:http|net|tls)\.[A-Za-z0-9_.]+"#)
            .expect("the pattern is a constant")
    });
    let known = |name: &str| {
        FIELDS.iter().any(|field| name == *field || field.ends_with('.') && name.starts_with(field))
            || name == "net.port"
    };
    let unknown = FIELD.find_iter(expression).map(|found| found.as_str());
    let unknown = unknown.filter(|name| !name.starts_with('"')).find(|name| !known(name));
    let near = unknown.and_then(|name| {
        let (begin, own) = match name.match_indices('.').nth(1) {
            Some((dot, _)) => name.split_at(dot + 1),
            None => (name, ""),
        };
        nearest(begin, FIELDS).map(|field| format!("did you mean `{field}{own}`?"))
    });
    near.unwrap_or_else(|| {
        "the fields are http.method, http.host, http.path, http.path.segments.*, http.headers.*, http.queries.*, \
         net.protocol, net.src.ip, net.src.port, net.dst.ip, net.dst.port and tls.sni"
            .to_owned()
    })
}

/// Explains a value whose type does not match its field.
fn types(expression: &str) -> Option<String> {
    static PREDICATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"([a-z]+\.[A-Za-z0-9_.]+)\)*\s*(==|!=|\^=|=\^|~|>=|<=|>|<|contains|in|not\s+in)\s*("(?:[^"\\]|\\.)*"|[^\s()&|]+)"#,
        )
        .expect("the pattern is a constant")
    });
    PREDICATE.captures_iter(expression).find_map(|found| {
        let (field, operator, value) = (&found[1], &found[2], &found[3]);
        let bare = value.trim_matches('"');
        let number = field.ends_with(".port") || field.ends_with(".len");
        let address = field.ends_with(".ip");
        match operator {
            "==" | "!=" if address && bare.contains('/') => {
                let inside = if operator == "==" { "in" } else { "not in" };
                Some(format!("a network holds addresses: write `{field} {inside} {bare}`"))
            }
            "in" | "not in" if address && !bare.contains('/') => Some(format!("write `{field} == {bare}`")),
            _ if (number || address) && value.starts_with('"') => {
                Some(format!("write it without quotes: `{field} {operator} {bare}`"))
            }
            _ if !number && !address && !value.starts_with(['"', 'r']) => {
                Some(format!("put it in double quotes: `{field} {operator} \"{bare}\"`"))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Route;
    use router::{Flavor, validate_route};

    /// Returns the reason and the help for an expression.
    fn explain(expression: &str) -> (String, String) {
        let route: Route =
            serde_json::from_value(serde_json::json!({ "name": "r", "expression": expression }))
                .expect("a route");
        let text = validate_route(&route, Flavor::Expressions).expect_err(expression);
        let (parser_reason, place) =
            (super::super::route_conditions::reason(&text), super::super::route_conditions::place(&text));
        let help = help(expression, parser_reason, place.map(|(_, column)| column - 1));
        (reason(parser_reason).unwrap_or(parser_reason.to_owned()), help.unwrap_or_default())
    }

    #[test]
    fn foreign_expression_syntax_has_a_suggestion() {
        for (expression, wanted) in [
            (r#"http.path ^= "/a" and http.host == "x""#, "write `&&`"),
            (r#"http.path ^= "/a" or http.host == "x""#, "write `||`"),
            (r#"http.path = "/a""#, "write `==`"),
            (r#"http.path =~ "/a""#, "write `~`"),
            (r#"http.path ^= '/a'"#, "write `\"/a\"`"),
            (r#"http.method == get"#, "write `\"get\"`"),
            (r#"http.path == /a"#, "write `\"/a\"`"),
            (r#"http.headers.x-a == "b""#, "write `http.headers.x_a`"),
            (r#"http.header.x-a == "b""#, "write `http.headers.x_a`"),
            (r#"http.methods == "GET""#, "did you mean `http.method`?"),
            (r#"http.header.x_a == "GET""#, "did you mean `http.headers.x_a`?"),
            (r#"net.src.ip == 10.0.0.0/8"#, "write `net.src.ip in 10.0.0.0/8`"),
            (r#"net.dst.port == "80""#, "`net.dst.port == 80`"),
            (r#"http.path == 80"#, "`http.path == \"80\"`"),
            (r#"not http.path ^= "/a""#, "write `!(…)`"),
            (r#"http.path in ["/a", "/b"]"#, "there are no lists"),
            (r#"http.path ~ "/a/\d+""#, "as `r#\"…\"#`"),
            (r#"http.path contains "/a"#, "add the missing `\"`"),
            (r#"(http.path ^= "/a""#, "add the missing `)`"),
            (r#"http.path ^= "/a")"#, "remove this `)`"),
            (r#"http.path ^= "/a" || "#, "add a condition after the `||`"),
            (r#"http.path"#, "add what it is compared with"),
            (r#"http.path startswith "/a""#, "the comparisons are"),
            ("PathPrefix(`/a`)", "write `http.path ^= \"/a\"`"),
            ("true", "http.path ^= \"/\""),
        ] {
            let (reason, help) = explain(expression);
            assert!(help.contains(wanted), "{expression}: {reason}; {help:?}, not {wanted:?}");
            let bare = reason.contains('_') && !reason.contains('`')
                || reason.contains("EOI")
                || reason.contains("rhs");
            assert!(!bare, "{expression}: {reason}");
        }
    }
}
