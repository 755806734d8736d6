//! `/status`: the running configuration, readiness, and the last rejected configuration.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{body::Fields, reply::Reply};
use crate::reload::ConfigHash;
use config::{LoadError, Loaded};
use runtime::Gateway;

/// Status of the gateway. Updated by reloads, read by `GET /status`.
pub struct Status {
    inner: Mutex<Inner>,
    draining: AtomicBool,
    /// Another process serves the same addresses: connections are closed after their requests.
    handed_over: AtomicBool,
    /// Set by `POST /status/ready`: readiness probes fail, though requests are still served.
    retired: AtomicBool,
}

struct Inner {
    hash: ConfigHash,
    applied: SystemTime,
    last_error: Option<Value>,
    /// The text of a configuration from `POST /config`, which is in no file.
    posted: Option<Arc<str>>,
}

impl Inner {
    fn of(loaded: &Loaded) -> Self {
        let posted = loaded.sources.iter().map(|(_, file)| file).find(|file| file.name() == POSTED);
        Inner {
            hash: ConfigHash::of(loaded),
            applied: SystemTime::now(),
            last_error: None,
            posted: posted.map(|file| file.text().into()),
        }
    }
}

/// Source name of a configuration from `POST /config`.
pub const POSTED: &str = "POST /config";

impl Status {
    /// Creates the status of a gateway that starts with this configuration.
    pub fn new(loaded: &Loaded) -> Self {
        Status {
            inner: Mutex::new(Inner::of(loaded)),
            draining: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        }
    }

    /// Returns the hash of the running configuration.
    pub fn hash(&self) -> ConfigHash {
        self.inner.lock().hash
    }

    /// Returns the time when the running configuration was applied, in seconds since the Unix epoch.
    pub fn applied_at(&self) -> u64 {
        seconds(self.inner.lock().applied)
    }

    /// Whether the last reload failed.
    pub fn failed(&self) -> bool {
        self.inner.lock().last_error.is_some()
    }

    pub(crate) fn applied(&self, loaded: &Loaded) {
        *self.inner.lock() = Inner::of(loaded);
    }

    /// Records that the running configuration was applied again, which clears the last error.
    pub(crate) fn unchanged(&self) {
        self.inner.lock().last_error = None;
    }

    pub(crate) fn refused(&self, loaded: &Loaded) {
        let findings: Vec<Value> = loaded.findings.iter().map(|f| f.to_json(&loaded.sources)).collect();
        self.set_error(json!({
            "at": seconds(SystemTime::now()),
            "message": "the configuration is not valid",
            "findings": findings,
            "omitted": loaded.findings.omitted().total(),
        }));
    }

    pub(crate) fn unreadable(&self, error: &LoadError) {
        self.set_error(json!({ "at": seconds(SystemTime::now()), "message": error.to_string() }));
    }

    fn set_error(&self, error: Value) {
        self.inner.lock().last_error = Some(error);
    }

    /// Records that the gateway drains.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Records that another process serves the same addresses.
    pub(crate) fn set_handed_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Whether another process serves the same addresses.
    pub(crate) fn handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    /// Returns the text of the running configuration, if it is from `POST /config`.
    pub(crate) fn posted(&self) -> Option<Arc<str>> {
        self.inner.lock().posted.clone()
    }

    /// Whether the gateway drains.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// `GET /status`: Kong's fields, with additional ones under `configuration`. `warnings` is set on the admin API, which
    /// also shows the findings of the last error: they quote the configuration.
    pub fn render(&self, gateway: &Gateway, query: &Fields, warnings: Option<&[String]>) -> Reply {
        let unit = query.get("unit").unwrap_or("m");
        let scale = query.get("scale").and_then(|s| s.parse().ok()).unwrap_or(2.0);
        let memory = match resident().map_or(Ok(None), |bytes| size(bytes, unit, scale).map(Some)) {
            Ok(memory) => memory,
            Err(why) => return Reply::bad_request(why),
        };
        let inner = self.inner.lock();
        let mut last_error = inner.last_error.clone();
        if let Some(Value::Object(error)) = last_error.as_mut().filter(|_| warnings.is_none()) {
            error.remove("findings");
        }
        let bodies = &gateway.memory;
        let mut status = json!({
            "memory": {
                "resident": memory,
                "buffered_bodies": {
                    "bytes": bodies.used_bytes(),
                    "peak_bytes": bodies.peak_bytes(),
                    "max_bytes": bodies.max_bytes(),
                    "refused": bodies.refused_count(),
                },
                "workers_lua_vms": [],
                "lua_shared_dicts": {},
            },
            "configuration_hash": inner.hash.to_string(),
            "configuration": {
                "generation": gateway.generation(),
                "applied_at": seconds(inner.applied),
                "age": inner.applied.elapsed().unwrap_or_default().as_secs(),
                "last_error": last_error,
            },
            "draining": self.draining(),
        });
        if let Some(warnings) = warnings.filter(|warnings| !warnings.is_empty()) {
            status["warnings"] = json!(warnings);
        }
        Reply::ok(&status)
    }

    /// `GET /status/ready`: whether the node should receive requests.
    pub fn ready(&self) -> Reply {
        let unready = |why| Reply::message(StatusCode::SERVICE_UNAVAILABLE, why);
        if self.draining() || self.retired.load(Ordering::Relaxed) {
            return unready("draining");
        }
        if self.hash() == ConfigHash::EMPTY {
            return unready("no configuration available (empty configuration present)");
        }
        Reply::message(StatusCode::OK, "ready")
    }

    /// `POST /status/ready` with `status=draining`: fails readiness probes from now on.
    pub fn retire(&self, wanted: Option<&str>) -> Reply {
        if wanted != Some("draining") {
            return Reply::empty(StatusCode::BAD_REQUEST);
        }
        self.retired.store(true, Ordering::Relaxed);
        Reply::empty(StatusCode::NO_CONTENT)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Reads the resident set size of this process in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Formats bytes in a unit (`k`, `m`, `g`, `b` or empty), with `scale` decimal places.
fn size(bytes: u64, unit: &str, scale: f64) -> Result<String, String> {
    let (divisor, name) = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => return Ok(bytes.to_string()),
        "k" => (10, "KiB"),
        "m" => (20, "MiB"),
        "g" => (30, "GiB"),
        _ => return Err(format!("invalid unit '{unit}' (expected 'k/K', 'm/M', or 'g/G')")),
    };
    if !(0.0..=100.0).contains(&scale) {
        return Err("scale must be equal or greater than 0".to_owned());
    }
    let digits = scale as usize;
    Ok(format!("{:.digits$} {name}", bytes as f64 / f64::from(1_u32 << divisor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_formatted_in_the_requested_unit() {
        assert_eq!(size(5_497_558, "m", 2.0).as_deref(), Ok("5.24 MiB"));
        assert_eq!(size(5_497_558, "G", 3.0).as_deref(), Ok("0.005 GiB"));
        assert_eq!(size(5_497_558, "b", 2.0).as_deref(), Ok("5497558"));
        assert!(size(1, "x", 2.0).is_err());
        assert!(size(1, "m", -1.0).is_err());
    }
}
