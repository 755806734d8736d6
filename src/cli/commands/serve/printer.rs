//! What a running gateway prints.

use std::{net::SocketAddr, time::Duration};

use crate::{
    cli::{
        commands::validate,
        console::Console,
        render::{self, Report},
    },
    config::{LoadError, Loaded},
    proxy::{Listener, Traffic},
    server::{self, ConfigHash, Observer, ReadyInfo, handover::HandoverError},
    source::Level,
};

/// Writes on standard error what the gateway does: for people, or as events of the log where that is JSON.
pub struct Printer {
    color: bool,
    json: bool,
}

impl Printer {
    pub fn new(color: bool, json: bool) -> Self {
        Printer { color, json }
    }

    fn line(&self, text: &str) {
        match self.json {
            true => tracing::info!("{text}"),
            false => Console::new(Some(self.color)).err(&format!("{text}\n")),
        }
    }

    /// What an operator has to act on.
    fn alarm(&self, text: &str) {
        match self.json {
            true => tracing::error!("{text}"),
            false => self.line(text),
        }
    }

    fn findings(&self, loaded: &Loaded) {
        let report = Report {
            findings: &loaded.findings,
            sources: &loaded.sources,
            secrets: &loaded.secrets,
            masks: loaded.catalog.secrets(),
            fails_from: Level::Error,
        };
        if !self.json {
            Console::new(Some(self.color)).err(&render::render(report, render::Format::Human, self.color));
            return;
        }
        // Rendered first, for what is masked and bounded there.
        let rendered = serde_json::from_str(&render::render(report, render::Format::Json, false));
        let Ok(serde_json::Value::Object(rendered)) = rendered else { return };
        for finding in rendered.get("findings").and_then(|findings| findings.as_array()).into_iter().flatten()
        {
            let text = |name: &str| finding[name].as_str();
            let place = &finding["place"];
            let (code, file, line) = (text("code"), place["file"].as_str(), place["line"].as_u64());
            let message = text("message").unwrap_or_default();
            match text("level") {
                Some("error") => tracing::error!(code, file, line, "{message}"),
                Some("warning") => tracing::warn!(code, file, line, "{message}"),
                _ => tracing::info!(code, file, line, "{message}"),
            }
        }
    }
}

impl Observer for Printer {
    fn ready(&self, ready: &ReadyInfo<'_>) {
        self.findings(ready.loaded);
        self.line(&format!(
            "serving on {}, generation {}, hash {}, ready after {} ms{}",
            listening(ready),
            ready.generation,
            ConfigHash::of(ready.loaded),
            ready.took.as_millis(),
            validate::contents(ready.loaded)
        ));
    }

    fn reloaded(&self, loaded: &Loaded, hash: ConfigHash, generation: u64, took: Duration) {
        self.findings(loaded);
        let (milliseconds, contents) = (took.as_millis(), validate::contents(loaded));
        match self.json {
            true => {
                tracing::info!(generation, %hash, duration_ms = milliseconds as u64, "reloaded{contents}")
            }
            false => self.line(&format!(
                "reloaded in {milliseconds} ms: generation {generation}, hash {hash}{contents}"
            )),
        }
        if let Some(warning) = server::no_routes_warning(loaded) {
            tracing::warn!("{warning}");
        }
    }

    fn refused(&self, loaded: &Loaded, running: bool) {
        self.findings(loaded);
        let errors = loaded.findings.count(Level::Error);
        let noun = if errors == 1 { "error" } else { "errors" };
        let then = if running { "what ran before goes on" } else { "nothing is served" };
        self.alarm(&format!("the configuration is refused: {errors} {noun}; {then}"));
    }

    fn unreadable(&self, error: &LoadError) {
        self.alarm(&format!("the configuration cannot be read: {error}; what ran before goes on"));
    }

    fn draining(&self, signal: &str, limit: Duration) {
        self.line(&format!("{signal}: no new requests; those in flight have {} s to end", limit.as_secs()));
    }

    fn readiness_failed(&self, signal: &str, delay: Duration) {
        self.line(&format!(
            "{signal}: not ready from now on; connections are accepted for {} s",
            delay.as_secs()
        ));
    }

    fn handed_over(&self, to: u32) {
        self.line(&format!("process {to} serves now"));
    }

    fn handover_failed(&self, error: &HandoverError) {
        self.line(&format!("no hand-over: {error}; this process serves on"));
    }

    fn stopped(&self, cut: usize) {
        if cut > 0 {
            self.line(&format!("{cut} connections were cut"));
        }
    }
}

/// Renders every listener: its addresses, and the flags of its setting that name its protocols.
fn listening(ready: &ReadyInfo<'_>) -> String {
    let flags = |listener: &Listener| {
        let datagrams = listener.traffic == Traffic::Datagrams;
        let flags = [(listener.tls, " ssl"), (listener.http2, " http2"), (datagrams, " udp")];
        flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect::<String>()
    };
    let of = |http: bool| {
        let listeners = ready.listeners.iter().filter(|listener| (listener.traffic == Traffic::Http) == http);
        listeners.map(|l| format!("{}{}", l.address, flags(l))).collect::<Vec<_>>().join(", ")
    };
    let list = |all: &[SocketAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let proxy = of(true);
    let mut text = if proxy.is_empty() { "no proxy address".to_owned() } else { proxy };
    for (what, addresses) in
        [("streams", of(false)), ("admin API", list(ready.admin)), ("status API", list(ready.status))]
    {
        if !addresses.is_empty() {
            text += &format!(", {what} on {addresses}");
        }
    }
    text
}
