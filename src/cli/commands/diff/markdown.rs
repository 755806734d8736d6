//! Changes and their impact as a comment on a pull request.

use std::fmt::Write as _;

use super::{
    Report,
    human::{destination, unmoved},
    route, some,
};
use crate::{
    diff::{Action, FieldChange},
    impact::{Impact, Severity},
};

/// Most rows of a table: a comment has a longest length.
const ROWS: usize = 50;
/// Most facts in one cell.
const FACTS: usize = 8;

pub fn render(report: &Report<'_>) -> String {
    let mut text = format!("### Gateway configuration: {}\n", report.summary());
    if let Some(impact) = report.impact {
        risks(impact, &mut text);
    }
    if !report.changes.is_empty() {
        text += "\n<details><summary>Changes</summary>\n\n| | entity | field | before | after |\n|---|---|---|---|---|\n";
        let mut rows = Vec::new();
        for change in report.changes {
            let sign = sign(change.action);
            let entity = cell(&change.to_string());
            if change.fields.is_empty() {
                rows.push(format!("| {sign} | {entity} | | | |"));
            }
            rows.extend(change.fields.iter().map(|field| {
                let (old, new) = (code(&field.old.to_string()), code(&field.new.to_string()));
                format!("| {sign} | {entity} | {} | {old} | {new} |", code(&field.name()))
            }));
        }
        table(&rows, &mut text);
        text += "\n</details>\n";
    }
    if let Some(impact) = report.impact {
        traffic(impact, &mut text);
    }
    text
}

fn sign(action: Action) -> &'static str {
    match action {
        Action::Create => "➕",
        Action::Update => "✏️",
        Action::Delete => "➖",
    }
}

/// A field that differs, in one line.
fn field(field: &FieldChange) -> String {
    let (old, new) = (code(&field.old.to_string()), code(&field.new.to_string()));
    format!("{}: {old} → {new}", code(&field.name()))
}

fn table(rows: &[String], text: &mut String) {
    for row in rows.iter().take(ROWS) {
        let _ = writeln!(text, "{row}");
    }
    if rows.len() > ROWS {
        let _ = write!(text, "\n… and {} more.\n", rows.len() - ROWS);
    }
}

fn risks(impact: &Impact, text: &mut String) {
    if impact.risks.is_empty() {
        *text += "\nNo risk found in what it does to traffic.\n";
        return;
    }
    *text += "\n| risk | what | targets |\n|---|---|---|\n";
    let rows: Vec<String> = impact
        .risks
        .iter()
        .map(|risk| {
            let severity = match risk.severity {
                Severity::High => "🔴 high",
                Severity::Medium => "🟠 medium",
            };
            let whose = risk.consumer.as_ref().map_or_else(String::new, |c| format!(", consumer {c}"));
            format!("| {severity} | {} | {} |", cell(&risk.what), cell(&(some(&risk.targets, 5) + &whose)))
        })
        .collect();
    table(&rows, text);
}

fn traffic(impact: &Impact, text: &mut String) {
    if impact.requests.is_empty() {
        let _ = write!(text, "\n{}\n", unmoved(impact));
    }
    let mut section = |title: &str, head: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            let columns = head.matches('|').count() - 1;
            let _ = write!(
                text,
                "\n<details><summary>{title}</summary>\n\n{head}\n|{}\n",
                "---|".repeat(columns)
            );
            table(&rows, text);
            *text += "\n</details>\n";
        }
    };
    let fields = |fields: &[FieldChange]| -> Vec<String> {
        let mut rows: Vec<String> = fields.iter().take(FACTS).map(field).collect();
        if fields.len() > FACTS {
            rows.push(format!("and {} more", fields.len() - FACTS));
        }
        rows
    };
    let moved = impact.requests.iter().map(|m| {
        let client = m.client.as_ref().map_or_else(String::new, |c| format!(" by {}", cell(c)));
        let example = m.examples.first().map(|e| code(&e.to_string())).unwrap_or_default() + &client;
        let (before, after) = (route(m.before.as_deref()), route(m.after.as_deref()));
        format!("| {} | {} | {} | {example} |", cell(before), cell(after), fields(&m.fields).join("<br>"))
    });
    let count: usize = impact.requests.iter().map(|moved| moved.count).sum();
    let title = format!("{count} of {} sampled requests change", impact.sampled);
    section(&title, "| from | to | what | for example |", moved.collect());
    let routes = impact.routes.iter().map(|change| {
        let mut what: Vec<String> = Vec::new();
        for cause in change.causes.iter().take(FACTS) {
            what.push(format!("{} {}", sign(cause.action), cell(&cause.entity)));
            what.extend(fields(&cause.fields));
        }
        if change.causes.len() > FACTS {
            what.push(format!("and {} more", change.causes.len() - FACTS));
        }
        format!("| {} | {} |", cell(&some(&change.routes, 5)), what.join("<br>"))
    });
    section("Routes concerned", "| routes | what changes for them |", routes.collect());
    let chains = impact.chains.iter().map(|c| {
        let mut what: Vec<String> = c.removed.iter().map(|p| format!("➖ {p}")).collect();
        what.extend(c.added.iter().map(|p| format!("➕ {p}")));
        for changed in &c.changed {
            what.extend(changed.fields.iter().map(|f| format!("✏️ {} {}", cell(&changed.plugin), field(f))));
        }
        let whose = c.consumer.as_ref().map_or_else(String::new, |c| format!(", consumer {c}"));
        format!("| {} | {} |", cell(&(some(&c.routes, 5) + &whose)), what.join("<br>"))
    });
    section("Plugins", "| routes | plugins |", chains.collect());
    let destinations = impact.destinations.iter().map(|d| {
        format!(
            "| {} | {} | {} |",
            cell(&d.service),
            code(&destination(&d.before)),
            code(&destination(&d.after))
        )
    });
    section("Destinations", "| service | before | after |", destinations.collect());
    if let Some(replayed) = &impact.replayed {
        let changed: usize = replayed.changed.iter().map(|fate| fate.count).sum();
        let rows = replayed.changed.iter().map(|fate| {
            let (before, after) = (route(fate.before.as_deref()), route(fate.after.as_deref()));
            format!(
                "| {} | {} | {} | {} | {} |",
                fate.count,
                code(&fate.request.to_string()),
                cell(before),
                cell(after),
                fate.why.join(", ")
            )
        });
        let title = format!("{changed} of {} recorded requests change", replayed.requests);
        section(&title, "| count | request | before | after | why |", rows.collect());
    }
}

/// Text that does not end its cell, and is no markup.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            '<' => safe.push_str("&lt;"),
            '\n' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Text as code in a cell.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
