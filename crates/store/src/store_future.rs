//! Results of store operations, which are available immediately unless a server has to respond.

use std::{future::Future, pin::Pin};

/// Result of an operation of a store: available immediately, or a future. The memory backend always returns
/// [`StoreFuture::Ready`], which allocates nothing. A backend that waits for a server boxes its future.
///
/// A synchronous caller matches on the variants; an asynchronous one awaits [`StoreFuture::finish`].
#[must_use = "a remote store performs the operation when the future is awaited"]
pub enum StoreFuture<'a, T> {
    /// The operation has been performed.
    Ready(T),
    /// The operation waits for I/O.
    Boxed(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> StoreFuture<'a, T> {
    /// Boxes a future.
    pub fn boxed(future: impl Future<Output = T> + Send + 'a) -> Self {
        StoreFuture::Boxed(Box::pin(future))
    }

    /// Awaits the result.
    pub async fn finish(self) -> T {
        match self {
            StoreFuture::Ready(result) => result,
            StoreFuture::Boxed(future) => future.await,
        }
    }
}

/// Error of a store. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The entry is longer than the store accepts.
    #[error("an entry of {bytes} bytes exceeds the limit of {max_bytes} bytes")]
    EntryTooLarge {
        /// Length of key and value, with the overhead of an entry.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The server of a remote store did not perform the operation.
    #[error("the store is unavailable: {0}")]
    Unavailable(std::sync::Arc<str>),
}
