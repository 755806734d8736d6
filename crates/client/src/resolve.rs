//! Name resolution, as far as the client needs it.

use std::{future::Future, io, net::IpAddr, pin::Pin};

/// Result of a name resolution, in the order in which the addresses are tried.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolver of host names. It is called once per new connection.
pub trait Resolve: Send + Sync + 'static {
    /// Resolves a name to its addresses. The client only passes names that are no literal addresses.
    fn resolve<'a>(&'a self, host: &'a str) -> ResolveFuture<'a>;
}

/// Resolver of the operating system (`getaddrinfo`), on a thread for blocking calls. For programs that run once: it
/// has no cache, and its calls cannot be cancelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> ResolveFuture<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
