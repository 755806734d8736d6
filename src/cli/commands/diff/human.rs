//! Changes and their impact for a terminal.

use std::fmt::Write as _;

use super::{Report, route, some};
use crate::{
    diff::{Action, FieldChange},
    impact::{Destination, Impact, Severity},
};

/// Most requests of a log that are listed.
const LISTED: usize = 20;
/// Most facts listed for one group of requests.
const FACTS: usize = 8;

pub fn render(report: &Report<'_>, color: bool) -> String {
    let mut page = Page { text: String::new(), color };
    page.changes(report);
    if let Some(impact) = report.impact {
        page.impact(impact);
    }
    page.text
}

struct Page {
    text: String,
    color: bool,
}

/// Codes of colours.
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BOLD: &str = "1";

impl Page {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        let text = self.paint(BOLD, text);
        let _ = write!(self.text, "\n{text}\n");
    }

    fn field(&mut self, indent: &str, head: &str, field: &FieldChange) {
        let (old, new) = (self.paint(RED, &field.old.to_string()), self.paint(GREEN, &field.new.to_string()));
        self.line(&format!("{indent}{head}{}: {old} -> {new}", field.name()));
    }

    fn changes(&mut self, report: &Report<'_>) {
        if report.changes.is_empty() {
            let is_empty = report.is_empty();
            return self.line(if is_empty { "No changes." } else { "No entity changes, but traffic does:" });
        }
        for change in report.changes {
            let (sign, code) = sign(change.action);
            let head = self.paint(code, &format!("{sign} {change}"));
            self.line(&head);
            for field in &change.fields {
                self.field("    ", "", field);
            }
            if report.whole {
                let whole = change.new.as_ref().or(change.old.as_ref());
                for line in whole.map(|v| format!("{v:#}")).unwrap_or_default().lines() {
                    self.line(&format!("    {line}"));
                }
            }
        }
        self.line(&format!("\n{}", report.summary()));
    }

    fn impact(&mut self, impact: &Impact) {
        if impact.is_none() {
            self.heading(&unmoved(impact));
        }
        if !impact.risks.is_empty() {
            self.heading("Risks");
            for risk in &impact.risks {
                let mark = match risk.severity {
                    Severity::High => self.paint(RED, "high  "),
                    Severity::Medium => self.paint(YELLOW, "medium"),
                };
                let whose = risk.consumer.as_ref().map_or_else(String::new, |c| format!(" for consumer {c}"));
                self.line(&format!("  {mark}  {}{whose}", risk.what));
                self.line(&format!("          {}", some(&risk.targets, 5)));
            }
        }
        for (title, list) in
            [("Routes that appear", &impact.appearing), ("Routes that vanish", &impact.vanishing)]
        {
            if !list.is_empty() {
                self.heading(title);
                self.line(&format!("  {}", some(list, LISTED)));
            }
        }
        if !impact.requests.is_empty() {
            let count: usize = impact.requests.iter().map(|moved| moved.count).sum();
            self.heading(&format!("{count} of {} sampled requests change", impact.sampled));
            for moved in &impact.requests {
                let (before, after) = (route(moved.before.as_deref()), route(moved.after.as_deref()));
                if before == after {
                    self.line(&format!("  {before}"));
                } else {
                    self.line(&format!("  {} -> {}", self.paint(RED, before), self.paint(GREEN, after)));
                }
                for field in moved.fields.iter().take(FACTS) {
                    self.field("      ", "", field);
                }
                if moved.fields.len() > FACTS {
                    self.line(&format!("      and {} more facts", moved.fields.len() - FACTS));
                }
                for example in &moved.examples {
                    let client = moved.client.as_ref().map_or_else(String::new, |c| format!(" by {c}"));
                    self.line(&format!("      {example}{client}"));
                }
            }
        } else if !impact.is_none() {
            self.heading(&unmoved(impact));
        }
        if !impact.routes.is_empty() {
            self.heading("Routes concerned");
            for change in &impact.routes {
                self.line(&format!("  {}", some(&change.routes, 5)));
                for cause in change.causes.iter().take(LISTED) {
                    let (sign, code) = sign(cause.action);
                    let head = self.paint(code, &format!("{sign} {}", cause.entity));
                    self.line(&format!("    {head}"));
                    for field in &cause.fields {
                        self.field("        ", "", field);
                    }
                }
                if change.causes.len() > LISTED {
                    self.line(&format!("    and {} more", change.causes.len() - LISTED));
                }
            }
        }
        if !impact.chains.is_empty() {
            self.heading("Plugins");
            for change in &impact.chains {
                let whose = change.consumer.as_ref().map_or_else(String::new, |c| format!(", consumer {c}"));
                self.line(&format!("  {}{whose}", some(&change.routes, 5)));
                for plugin in &change.removed {
                    self.line(&format!("    {}", self.paint(RED, &format!("- {plugin}"))));
                }
                for plugin in &change.added {
                    self.line(&format!("    {}", self.paint(GREEN, &format!("+ {plugin}"))));
                }
                for changed in &change.changed {
                    let head = self.paint(YELLOW, &format!("~ {}", changed.plugin)) + " ";
                    for field in &changed.fields {
                        self.field("    ", &head, field);
                    }
                }
            }
        }
        if !impact.destinations.is_empty() {
            self.heading("Destinations");
            for change in &impact.destinations {
                self.line(&format!("  {}", change.service));
                self.line(&format!("    {}", self.paint(RED, &format!("- {}", destination(&change.before)))));
                self.line(&format!(
                    "    {}",
                    self.paint(GREEN, &format!("+ {}", destination(&change.after)))
                ));
            }
        }
        self.replayed(impact);
    }

    fn replayed(&mut self, impact: &Impact) {
        let Some(replayed) = &impact.replayed else { return };
        let changed: usize = replayed.changed.iter().map(|fate| fate.count).sum();
        self.heading(&format!("{changed} of {} recorded requests change", replayed.requests));
        for fate in replayed.changed.iter().take(LISTED) {
            let (before, after) = (route(fate.before.as_deref()), route(fate.after.as_deref()));
            let moves = if before == after { before.to_owned() } else { format!("{before} -> {after}") };
            self.line(&format!("  {:>7} x {}: {moves} ({})", fate.count, fate.request, fate.why.join(", ")));
        }
        if replayed.changed.len() > LISTED {
            self.line(&format!(
                "  and {} more kinds; --format json lists all",
                replayed.changed.len() - LISTED
            ));
        }
        if replayed.unrehearsed > 0 {
            self.line(&format!(
                "  {} more belong to changed routes and were not rehearsed",
                replayed.unrehearsed
            ));
        }
        if replayed.unreadable > 0 {
            let lines = match replayed.unreadable {
                1 => "1 line of the log holds".to_owned(),
                n => format!("{n} lines of the log hold"),
            };
            self.line(&format!("  {lines} no request"));
        }
    }
}

fn sign(action: Action) -> (char, &'static str) {
    match action {
        Action::Create => ('+', GREEN),
        Action::Update => ('~', YELLOW),
        Action::Delete => ('-', RED),
    }
}

/// What is claimed if no sample changes: no more than what samples show.
pub fn unmoved(impact: &Impact) -> String {
    format!("No sampled request changes ({} sampled).", impact.sampled)
}

/// An address and its targets in one line.
pub fn destination(destination: &Destination) -> String {
    let mut text = destination.url.clone();
    if let Some(verified) = destination.verified {
        text += if verified { ", certificate verified" } else { ", certificate not verified" };
    }
    if !destination.targets.is_empty() {
        let shares: Vec<String> =
            destination.targets.iter().map(|t| format!("{} {} %", t.target, t.percent)).collect();
        text += &format!(" ({})", shares.join(", "));
    }
    text
}
