//! Findings as SARIF 2.1.0 (OASIS), the form that code scanning services read: rules with their documentation,
//! places with columns in characters, and fixes.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::Report;
use crate::{
    cli::code_docs::code_docs,
    edit,
    source::{Edit, FileId, Finding, SourceMap, Span},
};

pub fn render(report: Report<'_>) -> String {
    let mut rules: IndexMap<&str, usize> = IndexMap::new();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let next = rules.len();
            let rule = *rules.entry(finding.code).or_insert(next);
            result(finding, rule, report)
        })
        .collect();
    let code_docs = code_docs();
    let rules: Vec<Value> = rules
        .keys()
        .map(|code| {
            let mut rule = json!({ "id": code });
            if let Some(doc) = code_docs.iter().find(|doc| doc.code == *code) {
                rule["shortDescription"] = json!({ "text": doc.summary });
                rule["fullDescription"] = json!({ "text": doc.text });
                rule["help"] = json!({
                    "text": format!("{}\n\ngatewayctl explain {code} shows examples.", doc.text),
                });
            }
            rule
        })
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "gatewayctl",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn result(finding: &Finding, rule: usize, report: Report<'_>) -> Value {
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.level.as_str(),
        "message": { "text": format!("{}{help}", finding.message) },
    });
    if let Some(span) = finding.span() {
        let mut location = place(report.sources, span);
        if let Some(path) = &finding.path {
            location["logicalLocations"] = json!([{ "fullyQualifiedName": path }]);
        }
        result["locations"] = json!([location]);
    }
    let related: Vec<Value> = (finding.labels.iter().skip(1).enumerate())
        .map(|(i, label)| {
            let mut location = place(report.sources, label.span);
            location["id"] = json!(i + 1);
            location["message"] = json!({ "text": label.text });
            location
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = Value::from(related);
    }
    if let Some(fix) = fix(finding, report) {
        result["fixes"] = json!([fix]);
    }
    result
}

fn place(sources: &SourceMap, span: Span) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(sources, span.file) },
        "region": region(sources, span.file, span.start as usize, span.end as usize),
    } })
}

fn region(sources: &SourceMap, file: FileId, start: usize, end: usize) -> Value {
    let source = sources.get(file);
    let (start, end) = (source.position(start as u32), source.position(end as u32));
    json!({
        "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
    })
}

/// A file's name as a reference: relative ones to where the program ran.
fn uri(sources: &SourceMap, file: FileId) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const PATH: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b']')
        .add(b'\\')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}')
        .add(b':');
    let name = sources.get(file).name();
    let path = utf8_percent_encode(name.trim_start_matches("./"), PATH).to_string();
    if name.starts_with('/') { format!("file://{path}") } else { path }
}

/// Renders the change that fixes a finding. `None` if it would contain a secret.
fn fix(finding: &Finding, report: Report<'_>) -> Option<Value> {
    let hidden = |edit: &Edit| {
        let (Edit::Replace { span, .. } | Edit::Remove { span }) = edit;
        report.secrets.iter().any(|s| s.file == span.file && s.start < span.end && span.start < s.end)
    };
    if finding.fix.is_empty() || finding.fix.iter().any(hidden) {
        return None;
    }
    let changes = edit::changes(&finding.fix, report.sources)?;
    let file = changes.first()?.0;
    let replacements: Vec<Value> = changes
        .iter()
        .map(|(file, (range, text))| {
            json!({
                "deletedRegion": region(report.sources, *file, range.start, range.end),
                "insertedContent": { "text": text },
            })
        })
        .collect();
    Some(json!({
        "description": { "text": finding.help.clone().unwrap_or_else(|| finding.message.clone()) },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(report.sources, file) },
            "replacements": replacements,
        }],
    }))
}
