//! `serve --check`, and the conversion of listen errors to setting errors.

use std::{collections::BTreeMap, io::ErrorKind};

use super::{ServeError, ServeOptions, admin, warnings};
use config::{
    Loaded,
    settings::{Issue, Origin},
};
use net::Role;
use proxy::{StartError, Workers};
use runtime::Gateway;
use source::Level;
use store::{Queues, Stores};
use telemetry::Registry;

/// Result of a check.
pub struct CheckReport {
    /// The configuration with its findings.
    pub loaded: Loaded,
    /// Whether the gateway would start with it.
    pub is_valid: bool,
    /// The start-up warnings.
    pub warnings: Vec<String>,
}

/// Performs every step of a start that precedes listening: opens no socket and writes nothing.
///
/// # Errors
/// When a gateway could not start for a reason other than the content of the configuration.
pub fn check(serve: ServeOptions) -> Result<CheckReport, ServeError> {
    let stores = stores(&serve, Queues::default());
    let mut loaded = config::load(&serve.input, &serve.read.options())?;
    let snapshot = runtime::build(&mut loaded, &serve.options, &stores, None);
    let Some(snapshot) = snapshot else {
        return Ok(CheckReport { loaded, is_valid: false, warnings: Vec::new() });
    };
    let warnings = warnings::at_start(&serve, &loaded);
    let to_serve_error = start_error_mapper(&serve.origins);
    let gateway = Gateway::new(serve.options, stores, snapshot);
    admin::check(&serve.admin, &gateway).map_err(&to_serve_error)?;
    Workers::check(&gateway, &serve.listeners).map_err(&to_serve_error)?;
    Ok(CheckReport { loaded, is_valid: true, warnings })
}

/// Creates the state that outlives a configuration. `queues` are those of a process that serves.
pub fn stores(serve: &ServeOptions, queues: Queues) -> Stores {
    let workers = match serve.options.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let metrics = Registry::new(workers);
    let mut stores = Stores { clock: serve.clock.clone(), queues, metrics, ..Stores::default() };
    stores.node.untrusted_lua = serve.options.untrusted_lua;
    if let Some(id) = serve.node_id {
        stores.node.id = id;
    }
    stores
}

/// Returns a function that maps a start error to the setting that caused it, with a hint for the operator.
pub fn start_error_mapper(origins: &BTreeMap<&'static str, Origin>) -> impl Fn(StartError) -> ServeError {
    let origins = origins.clone();
    move |error| match error {
        StartError::System(error) => ServeError::Start(error),
        StartError::Listen { role, address, error } => {
            let setting = match role {
                Role::Proxy => "proxy_listen",
                Role::Stream => "stream_listen",
                Role::Admin => "admin_listen",
                Role::Status => "status_listen",
            };
            let shareable = matches!(role, Role::Proxy | Role::Stream);
            let (message, help) = match error.kind() {
                ErrorKind::AddrInUse => (
                    format!("address {address} is already in use"),
                    Some(if shareable {
                        "end the process that listens there, or send SIGUSR2 to a running gatewayctl to replace it; \
                         `listen_shared = on` listens beside it"
                    } else {
                        "end the process that listens there, or choose another port"
                    }),
                ),
                ErrorKind::PermissionDenied => (
                    format!("listening at {address} is not permitted"),
                    (address.port() < 1024)
                        .then_some("ports below 1024 need the capability CAP_NET_BIND_SERVICE"),
                ),
                ErrorKind::AddrNotAvailable => {
                    (format!("no interface of this machine has the address {}", address.ip()), None)
                }
                _ => (format!("cannot listen at {address}: {error}"), None),
            };
            ServeError::Setting(Issue {
                level: Level::Error,
                setting: setting.to_owned(),
                origin: origins.get(setting).cloned().unwrap_or_default(),
                message,
                help: help.map(str::to_owned),
            })
        }
    }
}
