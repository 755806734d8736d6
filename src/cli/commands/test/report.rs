//! The results of a run: for people as they come, for programs as a whole; always in the order of the files.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::Format;
use crate::{
    casetest::{Failure, LoadedCase, Ran, Verdict},
    cli::render::junit,
};

/// Results, and what of them was not yet printed.
pub struct Report<'a> {
    cases: &'a [LoadedCase],
    ran: Vec<Option<Ran>>,
    /// The first that has not ended.
    next: usize,
    format: Format,
    verbose: bool,
    color: bool,
}

impl<'a> Report<'a> {
    /// A report of those cases.
    pub fn new(cases: &'a [LoadedCase], format: Format, verbose: bool, color: bool) -> Self {
        Report { cases, ran: vec![None; cases.len()], next: 0, format, verbose, color }
    }

    /// Takes a result; returns what can be printed now.
    pub fn add(&mut self, ran: Ran) -> String {
        let index = ran.index;
        self.ran[index] = Some(ran);
        let mut out = String::new();
        while let Some(ran) = self.ran.get(self.next).and_then(Option::as_ref) {
            if self.format == Format::Human {
                out += &self.human(ran);
            }
            self.next += 1;
        }
        out
    }

    /// Renders what is printed at the end.
    pub fn end(&self, took: Duration) -> String {
        match self.format {
            Format::Human => {
                // With --fail-fast, cases in the middle may not have run: those after them are not reported yet.
                let rest: String =
                    self.ran[self.next..].iter().flatten().map(|ran| self.human(ran)).collect();
                format!("{rest}{}\n", self.summary(took))
            }
            Format::Json => format!("{:#}\n", self.json(took)),
            Format::Junit => self.junit(took),
        }
    }

    /// How many failed.
    pub fn failed(&self) -> usize {
        self.count(|v| matches!(v, Verdict::Failed(_)))
    }

    fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.ran.iter().flatten().filter(|ran| which(&ran.verdict)).count()
    }

    fn skipped(&self) -> usize {
        self.count(|v| matches!(v, Verdict::Skipped(_)))
    }

    fn ended(&self) -> usize {
        self.ran.iter().flatten().count()
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn human(&self, ran: &Ran) -> String {
        let case = &self.cases[ran.index];
        let place = format!("{}:{}", case.file, case.line);
        match &ran.verdict {
            Verdict::Passed if !self.verbose => String::new(),
            Verdict::Passed => {
                let millis = self.paint("2", &format!("({} ms)", ran.took.as_millis()));
                format!("{}  {place}  {} {millis}\n", self.paint("32", "ok  "), case.name)
            }
            Verdict::Skipped(why) => {
                format!("{}  {place}  {}: {why}\n", self.paint("33", "skip"), case.name)
            }
            Verdict::Failed(failure) => {
                format!(
                    "{}  {place}  {}\n{}",
                    self.paint("1;31", "FAIL"),
                    self.paint("1", &case.name),
                    self.failure(case, failure)
                )
            }
        }
    }

    fn failure(&self, case: &LoadedCase, failure: &Failure) -> String {
        let mut out = String::new();
        let step = failure.step.map_or_else(String::new, |n| format!("step {n}, "));
        let _ = writeln!(out, "      {step}{}:{}: {}", case.file, failure.line, failure.action);
        for mismatch in &failure.mismatches {
            let _ = writeln!(out, "        {}", mismatch.what);
            for (sign, code, text) in [("-", "31", &mismatch.expected), ("+", "32", &mismatch.seen)] {
                let word = if sign == "-" { "expected" } else { "seen    " };
                let text = text.replace('\n', "\n                      ");
                let _ = writeln!(out, "          {}", self.paint(code, &format!("{sign} {word}  {text}")));
            }
        }
        if let Some(answer) = failure.answer.as_ref().filter(|_| self.verbose) {
            let _ = writeln!(out, "        the answer");
            for line in answer.lines() {
                let _ = writeln!(out, "          {}", self.paint("2", &format!("| {line}")));
            }
        }
        out
    }

    fn summary(&self, took: Duration) -> String {
        let (ended, failed, skipped) = (self.ended(), self.failed(), self.skipped());
        let noun = if ended == 1 { "case" } else { "cases" };
        let mut out = format!("{ended} {noun}: {} passed", ended - failed - skipped);
        if failed > 0 {
            out += &format!(", {}", self.paint("1;31", &format!("{failed} failed")));
        }
        if skipped > 0 {
            out += &format!(", {skipped} skipped");
        }
        if ended < self.cases.len() {
            out += &format!(", {} not run", self.cases.len() - ended);
        }
        out + &format!(" in {:.1} s", took.as_secs_f64())
    }

    fn json(&self, took: Duration) -> Value {
        let cases: Vec<Value> = self
            .ran
            .iter()
            .flatten()
            .map(|ran| {
                let case = &self.cases[ran.index];
                let (verdict, more) = match &ran.verdict {
                    Verdict::Passed => ("passed", Value::Null),
                    Verdict::Skipped(why) => ("skipped", json!({ "reason": why })),
                    Verdict::Failed(failure) => ("failed", json!({ "failure": failure })),
                };
                let mut out = json!({
                    "file": case.file, "line": case.line, "name": case.name, "verdict": verdict,
                    "seconds": rounded(ran.took),
                });
                for (key, value) in more.as_object().into_iter().flatten() {
                    out[key] = value.clone();
                }
                out
            })
            .collect();
        let (ended, failed, skipped) = (self.ended(), self.failed(), self.skipped());
        json!({
            "summary": {
                "cases": self.cases.len(), "passed": ended - failed - skipped, "failed": failed,
                "skipped": skipped, "not_run": self.cases.len() - ended, "seconds": rounded(took),
            },
            "cases": cases,
        })
    }

    fn junit(&self, took: Duration) -> String {
        let ran: Vec<&Ran> = self.ran.iter().flatten().collect();
        let suites: Vec<junit::Suite> = ran
            .chunk_by(|a, b| self.cases[a.index].file == self.cases[b.index].file)
            .map(|suite| junit::Suite {
                name: self.cases[suite[0].index].file.clone(),
                cases: suite.iter().map(|ran| self.junit_case(ran)).collect(),
            })
            .collect();
        junit::document("gatewayctl test", &suites, took)
    }

    fn junit_case(&self, ran: &Ran) -> junit::Case {
        let case = &self.cases[ran.index];
        let outcome = match &ran.verdict {
            Verdict::Passed => junit::Outcome::Passed(String::new()),
            Verdict::Skipped(why) => junit::Outcome::Skipped(why.clone()),
            Verdict::Failed(failure) => {
                let first = failure.mismatches.first();
                let message = first
                    .map(|m| format!("{}: expected {}, seen {}", m.what, m.expected, m.seen))
                    .unwrap_or_default();
                let plain = Report { color: false, verbose: true, ran: Vec::new(), ..*self };
                let text = plain.failure(case, failure);
                junit::Outcome::Failed { kind: "mismatch".to_owned(), message, text }
            }
        };
        junit::Case {
            class: case.file.clone(),
            name: case.name.clone(),
            place: Some((case.file.clone(), case.line)),
            time: ran.took,
            outcome,
        }
    }
}

fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
