//! The built-in plugins, one module each, and their registry.

mod shared;

#[cfg(test)]
mod facts_tests;

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

use plugin::{PluginType, Registry, native};

/// Returns the registry of the built-in plugins.
pub fn registry() -> Registry {
    Registry::new(types())
}

/// Returns the types of the built-in plugins. A new plugin adds its `mod` line above and an entry here.
pub fn types() -> Vec<Box<dyn PluginType>> {
    vec![
        native::<acl::Plugin>(),
        native::<correlation_id::Plugin>(),
        native::<cors::Plugin>(),
        native::<ip_restriction::Plugin>(),
        native::<jwt::Plugin>(),
        native::<key_auth::Plugin>(),
        native::<rate_limiting::Plugin>(),
        native::<redirect::Plugin>(),
        native::<request_size_limiting::Plugin>(),
        native::<request_termination::Plugin>(),
        native::<request_transformer::Plugin>(),
        native::<response_transformer::Plugin>(),
    ]
}
