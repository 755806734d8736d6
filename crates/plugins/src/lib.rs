//! The plugins, one file or folder each, and the one table of them.

mod shared;

mod acl;
mod correlation_id;
mod cors;
mod ip_restriction;
mod jwt;
mod key_auth;
mod rate_limiting;
mod redirect;
mod request_size_limiting;
mod request_termination;
mod request_transformer;
mod response_transformer;

use plugin::{Entry, Registry};

/// The plugins of this crate. A new one has its `mod` line above and its row here.
pub fn registry() -> Registry {
    Registry::new(vec![
        Entry::of::<acl::Plugin>(),
        Entry::of::<correlation_id::Plugin>(),
        Entry::of::<cors::Plugin>(),
        Entry::of::<ip_restriction::Plugin>(),
        Entry::of::<jwt::Plugin>(),
        Entry::of::<key_auth::Plugin>(),
        Entry::of::<rate_limiting::Plugin>(),
        Entry::of::<redirect::Plugin>(),
        Entry::of::<request_size_limiting::Plugin>(),
        Entry::of::<request_termination::Plugin>(),
        Entry::of::<request_transformer::Plugin>(),
        Entry::of::<response_transformer::Plugin>(),
    ])
}
