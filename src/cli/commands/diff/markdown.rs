//! Changes and their impact as a comment on a pull request.

use std::fmt::Write as _;

use super::{Report, human::destination, route, some};
use crate::{
    diff::Action,
    impact::{Impact, Severity},
};

/// Most rows of a table: a comment has a longest length.
const ROWS: usize = 50;

pub fn render(report: &Report<'_>) -> String {
    let mut text = format!("### Gateway configuration: {}\n", report.summary());
    if let Some(impact) = report.impact {
        risks(impact, &mut text);
    }
    if !report.changes.is_empty() {
        text += "\n<details><summary>Changes</summary>\n\n| | entity | field | before | after |\n|---|---|---|---|---|\n";
        let mut rows = Vec::new();
        for change in report.changes {
            let sign = match change.action {
                Action::Create => "➕",
                Action::Update => "✏️",
                Action::Delete => "➖",
            };
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
    *text += "\n| risk | what | whom |\n|---|---|---|\n";
    let rows: Vec<String> = impact
        .risks
        .iter()
        .map(|risk| {
            let severity = match risk.severity {
                Severity::High => "🔴 high",
                Severity::Medium => "🟠 medium",
            };
            let whose = risk.consumer.as_ref().map_or_else(String::new, |c| format!(", consumer {c}"));
            format!("| {severity} | {} | {} |", cell(&risk.what), cell(&(some(&risk.whom, 5) + &whose)))
        })
        .collect();
    table(&rows, text);
}

fn traffic(impact: &Impact, text: &mut String) {
    if impact.is_none() {
        *text += "\nTraffic stays as it is.\n";
        return;
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
    let moved = impact.requests.iter().map(|m| {
        let example = m.examples.first().map(|e| code(&e.to_string())).unwrap_or_default();
        let (before, after) = (route(m.before.as_deref()), route(m.after.as_deref()));
        format!("| {} | {} | {example} |", cell(before), cell(after))
    });
    section("Requests that go elsewhere", "| from | to | for example |", moved.collect());
    let chains = impact.chains.iter().map(|c| {
        let mut what: Vec<String> = c.removed.iter().map(|p| format!("➖ {p}")).collect();
        what.extend(c.added.iter().map(|p| format!("➕ {p}")));
        for changed in &c.changed {
            what.extend(changed.fields.iter().map(|f| {
                let (old, new) = (code(&f.old.to_string()), code(&f.new.to_string()));
                format!("✏️ {} {}: {old} → {new}", changed.plugin, f.name())
            }));
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
