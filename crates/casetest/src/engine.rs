//! The engine under test: the same settings, loading, compiling and listeners as `serve`, in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;

use config::{
    Catalog, Input, LoadError, Loaded,
    settings::{self, Sources},
};
use model::{PluginEntity, Upstream};
use runtime::{self, Mock};
use server::{
    ApplyOutcome, ConfigHash, Observer, ReadOptions, ReadyInfo, ServeError, ServeOptions, ServerHandle,
};
use source::{ErrorPathSegment, Level};
use store::Clock;
use upstream::HostOverrides;

/// A running engine.
pub struct Engine {
    running: ServerHandle,
}

/// Why there is none.
#[derive(Debug)]
pub enum StartError {
    /// The configuration or a setting is not accepted: the findings.
    Refused(String),
    /// Something else.
    Broken(String),
}

impl Engine {
    /// Starts it with those variables as its whole environment. Blocks; not to be called within a runtime.
    ///
    /// # Errors
    /// When the configuration is refused or a port is missing.
    pub fn start(
        catalog: &'static Catalog,
        input: Input,
        variables: Vec<(String, String)>,
        hosts: Option<HostOverrides>,
        clock: Clock,
    ) -> Result<Engine, StartError> {
        let own = [
            ("proxy_listen", "127.0.0.1:0, 127.0.0.1:0 http2 ssl"),
            ("admin_listen", "127.0.0.1:0"),
            ("status_listen", "off"),
        ];
        let mut flags: Vec<_> = own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        // One worker: what is spread over targets is spread the same way every time.
        if !variables.iter().any(|(name, _)| name == "KONG_NGINX_WORKER_PROCESSES") {
            flags.push(("nginx_worker_processes".to_owned(), "1".to_owned()));
        }
        let sources = Sources { environment: variables.clone(), flags, ..Sources::default() };
        let (settings, issues) = settings::load(&sources);
        let wrong: Vec<String> =
            issues.iter().filter(|i| i.level == Level::Error).map(ToString::to_string).collect();
        if !wrong.is_empty() {
            return Err(StartError::Refused(wrong.join("\n")));
        }
        let node = settings.clone();
        let read = ReadOptions {
            catalog,
            kong_strict: false,
            flavor: router::Flavor::default(),
            vault_env_prefix: None,
            env: Arc::new(move |name| {
                variables.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone())
            }),
            plugin_enabled: Arc::new(move |name| node.allows_plugin(name)),
            allow_unsupported: true,
        };
        let heard = Arc::new(CapturedErrors::default());
        let serve = ServeOptions::new(&settings, input, read, Mock::Off)
            .map_err(|e| StartError::Broken(e.to_string()))?;
        let options = runtime::Options { host_overrides: hosts.map(Arc::new), ..serve.options };
        let serve = ServeOptions { options, watch: false, drain: Duration::ZERO, clock, ..serve };
        match ServerHandle::start(serve, Arc::clone(&heard) as Arc<dyn Observer>) {
            Ok(running) => Ok(Engine { running }),
            Err(ServeError::Refused | ServeError::Load(_)) => {
                Err(StartError::Refused(heard.0.lock().clone()))
            }
            Err(error) => Err(StartError::Broken(error.to_string())),
        }
    }

    /// Where it takes requests.
    pub fn http(&self) -> SocketAddr {
        self.running.proxy_addresses()[0]
    }

    /// Where it takes requests over TLS.
    pub fn https(&self) -> SocketAddr {
        self.running.proxy_addresses()[1]
    }

    /// Where its admin API is.
    pub fn admin(&self) -> SocketAddr {
        self.running.admin_addresses()[0]
    }

    /// Whether nothing but the clock makes a difference while no request is under way: no queue waits to be sent,
    /// no target is probed, no other server counts.
    pub fn can_use_virtual_time(&self) -> bool {
        let state = &self.running.gateway().snapshot().state;
        let keeps_time = |plugin: &PluginEntity| {
            let config = plugin.config.json();
            config.get("queue").is_some() || config.get("policy").is_some_and(|policy| policy == "redis")
        };
        // In JSON, because any of the probes' settings may be absent.
        let probes = |upstream: &Upstream| {
            let active = &serde_json::to_value(&upstream.healthchecks).unwrap_or_default()["active"];
            let often = |kind: &str| active[kind]["interval"].as_f64().unwrap_or(0.0);
            often("healthy") > 0.0 || often("unhealthy") > 0.0
        };
        !state.upstreams.iter().any(|(_, upstream)| probes(upstream))
            && !state.plugins.iter().any(|(_, plugin)| keeps_time(plugin))
    }

    /// Another configuration; an error says why it is refused.
    pub async fn reload(&self, input: Input) -> Result<(), String> {
        match self.running.apply(input).await {
            Some(ApplyOutcome::Applied(_) | ApplyOutcome::Unchanged) => Ok(()),
            Some(ApplyOutcome::Refused(loaded)) => Err(render_findings(&loaded)),
            Some(ApplyOutcome::Unreadable(error)) => Err(error.to_string()),
            None => Err("the gateway has ended".to_owned()),
        }
    }

    /// Ends it. Blocks.
    pub fn stop(self) {
        self.running.stop("the end of the case");
    }
}

/// The findings in words, a line each with its place.
fn render_findings(loaded: &Loaded) -> String {
    let mut lines = Vec::new();
    for finding in loaded.findings.iter() {
        let place = finding
            .span()
            .map(|span| format!("{}: ", loaded.sources.display_position(span)))
            .unwrap_or_default();
        lines.push(format!("{place}{} [{}]: {}", finding.level.as_str(), finding.code, finding.message));
        let labels = finding.labels.iter().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
        lines.extend(labels.chain(finding.help.as_deref()).map(|text| format!("  {text}")));
        // The words of the admin API's answer are Kong's.
        for (path, text) in &finding.kong_errors {
            let path: Vec<String> = path
                .iter()
                .map(|seg| match seg {
                    ErrorPathSegment::Key(key) => key.clone(),
                    ErrorPathSegment::Index(index) => index.to_string(),
                    ErrorPathSegment::Entity => "@entity".to_owned(),
                })
                .collect();
            lines.push(format!("  {}: {text}", path.join(".")));
        }
    }
    lines.join("\n")
}

/// Keeps what the engine says of a configuration it does not take.
#[derive(Default)]
struct CapturedErrors(Mutex<String>);

impl Observer for CapturedErrors {
    fn ready(&self, _: &ReadyInfo<'_>) {}

    fn reloaded(&self, _: &Loaded, _: ConfigHash, _: u64, _: Duration) {}

    fn refused(&self, loaded: &Loaded, _: bool) {
        *self.0.lock() = render_findings(loaded);
    }

    fn unreadable(&self, error: &LoadError) {
        *self.0.lock() = error.to_string();
    }

    fn draining(&self, _: &str, _: Duration) {}

    fn stopped(&self, _: usize) {}
}
