//! Metrics, the record of a request, and access logs.
//!
//! This crate knows no routes, sockets or plugins: the proxy hands it label values and a [`Record`]. A [`Registry`]
//! holds metrics, whose values are sharded by worker; an [`AccessLog`] formats records and writes them on its own
//! thread.

mod access_log;
mod metrics;
mod record;

pub use access_log::{AccessLog, Destination, Escape, Format, FormatError, QueryLogging};
pub use metrics::{
    Buckets, Counter, CounterFamily, Exposition, Gauge, GaugeFamily, Histogram, HistogramFamily, Kind, OTHER,
    RegisterError, Registry, set_worker,
};
pub use record::{EndedBy, Headers, Record, RequestLine, Source, Tls, Try};
