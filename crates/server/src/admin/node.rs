//! Information about the node: version, plugins, settings, metrics.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Admin, reply::Reply};
use model::State;
use plugin::PluginDescriptor;
use telemetry::{Exposition, Kind};

/// The version of Kong that is implemented; clients check it.
pub const KONG_VERSION: &str = "3.9.3";

/// `GET /`.
pub fn root(admin: &Admin, state: &State) -> Reply {
    let node = &admin.gateway.stores.node;
    let available: Map<String, Value> = enabled(admin)
        .map(|e| (e.name.to_string(), json!({ "version": KONG_VERSION, "priority": e.priority })))
        .collect();
    let mut in_use: Vec<&str> = state.plugins.rows().iter().map(|plugin| plugin.name.as_str()).collect();
    in_use.sort_unstable();
    in_use.dedup();
    Reply::ok(&json!({
        "tagline": "Welcome to kong",
        "version": KONG_VERSION,
        "edition": "community",
        "implementation": { "name": "gatewayctl", "version": env!("CARGO_PKG_VERSION") },
        "hostname": &*node.hostname,
        "node_id": node.id,
        "timers": { "running": 0, "pending": 0 },
        "plugins": { "available_on_server": available, "enabled_in_cluster": in_use },
        // There is no Lua; clients expect a string here.
        "lua_version": "none",
        "configuration": admin.settings,
        "pids": { "master": std::process::id(), "workers": [std::process::id()] },
    }))
}

/// Iterates over the plugins that the node's settings enable.
fn enabled(admin: &Admin) -> impl Iterator<Item = &PluginDescriptor> {
    admin.read.catalog.registry().descriptors().filter(|entry| (admin.read.plugin_enabled)(&entry.name))
}

/// `GET /plugins/enabled`.
pub fn plugins_enabled(admin: &Admin) -> Reply {
    let names: Vec<&str> = enabled(admin).map(|entry| &*entry.name).collect();
    Reply::ok(&json!({ "enabled_plugins": names }))
}

/// `GET /timers`.
pub fn timers(admin: &Admin) -> Reply {
    let workers = admin.workers();
    Reply::ok(&json!({ "worker": { "id": 0, "count": workers }, "stats": { "timers": {} } }))
}

/// `GET /metrics`: metrics of the node and of its requests.
pub fn metrics(admin: &Admin) -> Reply {
    let memory = &admin.gateway.memory;
    let node = &admin.gateway.stores.node;
    let mut text = Exposition::default();
    let node_id = node.id.to_string();
    text.family("kong_node_info", "Kong Node metadata information", Kind::Gauge);
    text.sample("kong_node_info", "", &[("node_id", &node_id), ("version", KONG_VERSION)], 1);
    for (name, help, kind, value) in [
        ("kong_datastore_reachable", "Datastore reachable from Kong, 0 is unreachable", Kind::Gauge, 1),
        (
            "gatewayctl_config_generation",
            "Number of configurations that have served",
            Kind::Gauge,
            admin.gateway.generation(),
        ),
        (
            "gatewayctl_config_applied_timestamp_seconds",
            "When the running configuration was applied",
            Kind::Gauge,
            admin.status.applied_at(),
        ),
        (
            "gatewayctl_config_last_reload_successful",
            "Whether the last configuration offered was accepted",
            Kind::Gauge,
            u64::from(!admin.status.failed()),
        ),
        (
            "gatewayctl_buffered_bodies_bytes",
            "Memory reserved for buffered bodies and for fast transfers",
            Kind::Gauge,
            memory.used_bytes(),
        ),
        (
            "gatewayctl_buffered_bodies_max_bytes",
            "Memory that may be reserved (setting body_buffer_total_size)",
            Kind::Gauge,
            memory.max_bytes(),
        ),
        (
            "gatewayctl_buffered_bodies_peak_bytes",
            "The most memory that was reserved at one time",
            Kind::Gauge,
            memory.peak_bytes(),
        ),
        (
            "gatewayctl_buffered_bodies_refused_total",
            "Reservations refused since the start, by the budget of the process or of a connection",
            Kind::Counter,
            memory.refused_count(),
        ),
    ] {
        text.single(name, help, kind, value);
    }
    admin.gateway.stores.metrics.write(&mut text);
    Reply::text(text.into_text())
}

/// `GET /debug/node/log-level`.
pub fn log_level(admin: &Admin) -> Reply {
    let level = admin.settings["log_level"].as_str().unwrap_or("notice");
    Reply::message(StatusCode::OK, format!("log level: {level}"))
}
