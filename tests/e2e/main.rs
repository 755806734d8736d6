//! The proxy over real sockets: ports the system chooses, deadlines in place of sleeps.
#![allow(clippy::unwrap_used)]

mod access_log;
mod admin;
mod admin_access;
mod admin_limits;
mod contract;
#[path = "../../crates/upstream/src/resolver/tests/server.rs"]
#[allow(dead_code, reason = "shared with the tests of the resolver")]
mod dns_server;
mod drain;
mod drain_http;
mod early;
mod example;
mod failures;
mod forwarding;
mod frames;
mod grpc;
mod handover;
mod hostile;
mod http1;
mod http2;
mod http2_bodies;
mod http2_conformance;
mod http2_messages;
mod http2_rules;
mod interim;
mod lifecycle;
mod log;
mod metrics;
mod mutual;
mod names;
mod one_reading;
mod process;
mod prometheus;
mod proxy_protocol;
mod records;
mod reload;
mod replacing;
mod requests;
mod rig;
mod startup;
mod stream;
mod tls;
mod transform;
mod upgrade;
mod upstreams;
