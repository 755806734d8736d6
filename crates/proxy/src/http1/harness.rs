//! Serves a connection on any stream, for tests that compare responses with requests.

use std::sync::Arc;

use super::connection::Io;
use crate::http2::harness::loopback_context;
use runtime::Gateway;

/// Serves a client's connection to that gateway until it ends.
pub async fn serve(gateway: &Arc<Gateway>, stream: impl Io) {
    super::serve(loopback_context(gateway), stream).await;
}
