//! Unit tests for a gateway's configuration: cases, mock upstreams, and the real engine in this process.
//!
//! A case (`case`) is read from a file (`read`); its names are filled in (`interpolate`), its mocks (`mock`, `sink`)
//! are started, the engine is started on its configuration exactly as `serve` would (`engine`), and its steps
//! (`steps`) send requests (`client`) and judge what came of them (`assertions`, `compare`). Each case has its own gateway,
//! ports and clock, so that cases run side by side. The command line prints the results.

mod assertions;
pub mod case;
mod client;
mod compare;
mod engine;
mod generators;
mod interpolate;
mod mock;
mod raw_http;
mod read;
mod run;
mod sink;
mod steps;

pub use compare::Mismatch;
pub use read::{LoadedCase, Suite, files};
pub use run::{Plan, run};

/// How a case ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// It needs a service that is not there: the reason.
    Skipped(String),
    /// Otherwise.
    Failed(Box<Failure>),
}

/// Why a case failed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Failure {
    /// The step, from 1; none: the gateway did not start.
    pub step: Option<usize>,
    /// Its line in the case file.
    pub line: usize,
    /// What it does, in a few words.
    pub action: String,
    /// All that is not as expected.
    pub mismatches: Vec<Mismatch>,
    /// The answer, where there was one.
    pub answer: Option<String>,
}

/// A case that ran.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its number in the list that was to run.
    pub index: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: std::time::Duration,
}

/// The JSON Schema of a case.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(case::Case).to_value()
}
