//! WebSocket: once both sides have agreed, bytes pass through untouched.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, task::spawn_local};

/// Joins the two connections as soon as both have switched; ends when either side does.
pub fn join(client: OnUpgrade, upstream: OnUpgrade) {
    spawn_local(async move {
        let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else {
            tracing::debug!("an upgrade did not come about");
            return;
        };
        let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
        if let Err(error) = copy_bidirectional(&mut client, &mut upstream).await {
            tracing::debug!("an upgraded connection ended: {error}");
        }
    });
}
