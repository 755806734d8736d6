//! What runs, since when, and what the last refused configuration said.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    config::{LoadError, Loaded},
    runtime::Gateway,
    server::reload::Hash,
};

/// The gateway's state for people and probes. Written by reloads, read by `GET /status`.
pub struct Status {
    inner: Mutex<Inner>,
    draining: AtomicBool,
}

struct Inner {
    hash: Hash,
    applied: SystemTime,
    last_error: Option<Value>,
}

impl Status {
    /// The state of a gateway that begins with this configuration.
    pub fn new(loaded: &Loaded) -> Self {
        let inner = Inner { hash: Hash::of(loaded), applied: SystemTime::now(), last_error: None };
        Status { inner: Mutex::new(inner), draining: AtomicBool::new(false) }
    }

    /// Hash of the running configuration.
    pub fn hash(&self) -> Hash {
        self.inner.lock().hash
    }

    pub(in crate::server) fn applied(&self, loaded: &Loaded, _generation: u64) {
        *self.inner.lock() = Inner { hash: Hash::of(loaded), applied: SystemTime::now(), last_error: None };
    }

    pub(in crate::server) fn refused(&self, loaded: &Loaded) {
        let findings: Vec<Value> = loaded.findings.iter().map(|f| f.to_json(&loaded.sources)).collect();
        self.set_error(json!({ "at": seconds(SystemTime::now()), "findings": findings }));
    }

    pub(in crate::server) fn unreadable(&self, error: &LoadError) {
        self.set_error(json!({ "at": seconds(SystemTime::now()), "message": error.to_string() }));
    }

    fn set_error(&self, error: Value) {
        self.inner.lock().last_error = Some(error);
    }

    /// Says from now on that the gateway is about to end.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is about to end.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The answer of `GET /status`.
    pub fn told(&self, gateway: &Gateway) -> Value {
        let inner = self.inner.lock();
        json!({
            "configuration_hash": inner.hash.to_string(),
            "configuration": {
                "generation": gateway.generation(),
                "applied_at": seconds(inner.applied),
                "age": inner.applied.elapsed().unwrap_or_default().as_secs(),
                "last_error": inner.last_error,
            },
            "draining": self.draining(),
        })
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
