//! The document for programs, with decK's keys.

use serde_json::{Value, json};

use super::Report;
use crate::diff::Action;

pub fn render(report: &Report<'_>) -> String {
    let mut document = document(report, &[]);
    if let Some(impact) = report.impact {
        document["impact"] = json!(impact);
    }
    format!("{document:#}\n")
}

/// The document where a side is not valid.
pub fn refused(errors: &[String]) -> String {
    format!("{:#}\n", document(&Report { changes: &[], impact: None, whole: false }, errors))
}

fn document(report: &Report<'_>, errors: &[String]) -> Value {
    let of = |action: Action| -> Vec<Value> {
        let changes = report.changes.iter().filter(|c| c.action == action);
        let item = |c: &crate::diff::Change| {
            let mut item = json!({
                "name": c.name, "kind": c.singular(), "body": { "old": c.old, "new": c.new },
            });
            if action == Action::Update {
                item["fields"] = json!(c.fields);
            }
            item
        };
        changes.map(item).collect()
    };
    let (creating, updating, deleting) = (of(Action::Create), of(Action::Update), of(Action::Delete));
    json!({
        "summary": {
            "creating": creating.len(), "updating": updating.len(), "deleting": deleting.len(),
            "total": report.changes.len(),
        },
        "changes": { "creating": creating, "updating": updating, "deleting": deleting },
        "warnings": [],
        "errors": errors,
    })
}
