//! Serves a connection on any stream, for tests that hold what a client gets against what it sent.

use std::sync::Arc;

use super::connection::Wire;
use crate::http2::probe::link;
use runtime::Gateway;

/// Serves a client's connection to that gateway until it ends.
pub async fn serve(gateway: &Arc<Gateway>, stream: impl Wire) {
    super::serve(link(gateway), stream).await;
}
