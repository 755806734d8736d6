//! The built-in plugins, one module each, and their registry.

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

/// Returns the registry of the built-in plugins. A new plugin adds its `mod` line above and an entry here.
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
