//! Detection of the file format (YAML or JSON), and parsing.

use super::{Document, FileId, Finding, Findings, Limits, NodeId, SourceMap, Span, parse_json, parse_yaml};

/// Format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// YAML 1.1 as parsed by Kong; nearly a superset of JSON.
    Yaml,
    /// JSON.
    Json,
    /// JSON if it parses as such, else YAML: Kong's behaviour for input without a file name.
    #[default]
    Auto,
}

impl Format {
    /// Returns the format for a file name. `None` if Kong rejects the name: it accepts names that end in `json`,
    /// `yaml` or `yml`, with or without a dot.
    pub fn of_name(name: &str) -> Option<Format> {
        if name.ends_with("json") {
            Some(Format::Json)
        } else if name.ends_with("yaml") || name.ends_with("yml") {
            Some(Format::Yaml)
        } else {
            None
        }
    }
}

/// Parses a file into `doc` and returns its root; `None` if an error was added to `findings`.
pub fn parse(
    sources: &SourceMap,
    file: FileId,
    format: Format,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> Option<NodeId> {
    match format {
        Format::Yaml => parse_yaml(sources, file, doc, limits, findings),
        Format::Json => parse_json(sources, file, doc, limits, findings),
        Format::Auto => {
            let mark = doc.mark();
            let mut as_json = Findings::default();
            if let Some(root) = parse_json(sources, file, doc, limits, &mut as_json) {
                findings.append(&mut as_json);
                return Some(root);
            }
            doc.truncate(mark);
            let mut as_yaml = Findings::default();
            let root = parse_yaml(sources, file, doc, limits, &mut as_yaml);
            // Invalid in both formats: report the JSON error if the text starts like JSON.
            let braces = sources.get(file).text().trim_start().starts_with(['{', '[']);
            if root.is_some() && Format::of_name(sources.get(file).name()) == Some(Format::Json) {
                as_yaml.push(not_json(&as_json, file));
            }
            findings.append(if root.is_none() && braces { &mut as_json } else { &mut as_yaml });
            root
        }
    }
}

/// Builds the warning about YAML content in a file named as JSON.
fn not_json(as_json: &Findings, file: FileId) -> Finding {
    let place = as_json.iter().find_map(Finding::span).unwrap_or(Span::start_of(file));
    let message = "this is YAML under a name for JSON: Kong, which goes by the name, refuses it";
    Finding::warning("source/yaml-in-json", message)
        .at(place, "no JSON from here on")
        .help("name the file `.yml`, or write it as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, format: Format) -> Result<serde_json::Value, &'static str> {
        let mut sources = SourceMap::default();
        let file = sources.add("text", text);
        let mut doc = Document::new(Span::start_of(file));
        let mut findings = Findings::default();
        match parse(&sources, file, format, &mut doc, &Limits::default(), &mut findings) {
            Some(root) => Ok(doc.to_json(root)),
            None => Err(findings.0[0].code),
        }
    }

    #[test]
    fn the_file_name_determines_the_format() {
        assert_eq!(Format::of_name("a/kong.yml"), Some(Format::Yaml));
        assert_eq!(Format::of_name("kong.yaml"), Some(Format::Yaml));
        assert_eq!(Format::of_name("kong.json"), Some(Format::Json));
        assert_eq!(Format::of_name("kong.toml"), None);
    }

    #[test]
    fn a_text_without_a_name_is_json_before_it_is_yaml() {
        // In YAML the surrogate pair would be an error and the key a number.
        let both = r#"{"010": "\ud83d\ude00"}"#;
        assert_eq!(read(both, Format::Auto), Ok(serde_json::json!({"010": "😀"})));
        assert_eq!(read("a: 010\n", Format::Auto), Ok(serde_json::json!({"a": 8})));
        assert_eq!(read("{a: 1}", Format::Auto), Ok(serde_json::json!({"a": 1})));
        assert_eq!(read("", Format::Auto), Ok(serde_json::Value::Null));
    }

    #[test]
    fn an_invalid_text_is_reported_in_the_format_it_resembles() {
        assert_eq!(read("{\"a\": [1,\n", Format::Auto), Err("source/json-syntax"));
        assert_eq!(read("a: [1,\n", Format::Auto), Err("source/yaml-syntax"));
    }
}
