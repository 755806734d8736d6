//! JSONPath (RFC 9535), with the spellings that Spectral rulesets use on top: keys (`~`) and parents (`^`) at
//! the end, regular expressions in filters, `===`, names with dashes.

use std::sync::LazyLock;

use regex::Regex;
use serde_json_path::{JsonPath, PathElement};

/// One step down: a key or a number as text.
pub type Path = Vec<String>;

/// A path expression, ready to be asked.
#[derive(Clone, Debug)]
pub struct Given {
    path: JsonPath,
    /// Whether the keys of what is found are meant.
    pub keys: bool,
    parents: usize,
}

impl Given {
    /// Reads an expression.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(text: &str) -> Result<Given, String> {
        let mut rest = text.trim();
        let keys = rest.ends_with('~');
        rest = rest.strip_suffix('~').unwrap_or(rest);
        let parents = rest.len() - rest.trim_end_matches('^').len();
        rest = rest.trim_end_matches('^');
        let path = JsonPath::parse(&standard(rest)).map_err(|e| format!("{text:?} is no JSONPath: {e}"))?;
        Ok(Given { path, keys, parents })
    }

    /// The paths of all that is found in a document, from its root.
    pub fn find(&self, json: &serde_json::Value) -> Vec<Path> {
        let mut found: Vec<Path> = Vec::new();
        for node in self.path.query_located(json).iter() {
            let mut path: Path = node
                .location()
                .iter()
                .map(|element| match element {
                    PathElement::Name(name) => (*name).to_owned(),
                    PathElement::Index(index) => index.to_string(),
                })
                .collect();
            path.truncate(path.len().saturating_sub(self.parents));
            if self.parents == 0 || !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }
}

/// The expression as the standard spells it.
fn standard(text: &str) -> String {
    static SPELLINGS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        let regex = |text| Regex::new(text).expect("the pattern is a constant, and a test uses it");
        [
            (regex(r"(@[\w.\[\]'-]*)\.match\(/((?:[^/\\]|\\.)*)/\w*\)"), "search($1, '$2')"),
            (regex(r"(@[\w.\[\]'-]*)\s*=~\s*/((?:[^/\\]|\\.)*)/\w*"), "search($1, '$2')"),
            (regex(r"(@[\w.\[\]'-]*)\.length\b"), "length($1)"),
            (regex(r"([=!])=="), "$1="),
            (regex(r"(\.\.?)(\w+-[\w-]+)"), "$1['$2']"),
        ]
    });
    let mut text = text.to_owned();
    for (spelling, with) in SPELLINGS.iter() {
        text = spelling.replace_all(&text, *with).into_owned();
    }
    // A dot before a bracket is left over from names with dashes.
    text.replace("...['", "..['")
        .replace("..['", "\u{1}")
        .replace(".['", "['")
        .replace('\u{1}', "..['")
        .replace("\\/", "/")
        .replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_rulesets_are_understood() {
        let json = serde_json::json!({"services": [
            {"name": "a-1", "x-team": "red", "routes": [{"paths": ["/x"]}]},
            {"name": "b", "routes": []},
        ]});
        let find = |text: &str| -> Vec<String> {
            let given = Given::new(text).unwrap_or_else(|e| panic!("{e}"));
            given.find(&json).iter().map(|path| path.join("/")).collect()
        };
        assert_eq!(find("$.services[*].name"), ["services/0/name", "services/1/name"]);
        assert_eq!(find("$.services[*].x-team"), ["services/0/x-team"]);
        assert_eq!(find("$..x-team^"), ["services/0"]);
        assert_eq!(find(r"$.services[?(@.name =~ /^a-\d/)]"), ["services/0"]);
        assert_eq!(find("$.services[?(@.name.match(/b/))]"), ["services/1"]);
        assert_eq!(find("$.services[?(@.name === 'b')].name"), ["services/1/name"]);
        assert_eq!(find("$.services[?(@.routes.length > 0)]"), ["services/0"]);
        assert_eq!(find("$.services[?(@.x-team)]"), ["services/0"]);
        assert!(Given::new("$.[").is_err());
    }
}
