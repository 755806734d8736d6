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

use plugin::{PluginDescriptor, Registry};

/// Returns the registry of the built-in plugins. A new plugin adds its `mod` line above and an entry here.
pub fn registry() -> Registry {
    Registry::new(vec![
        PluginDescriptor::of::<acl::Plugin>(),
        PluginDescriptor::of::<correlation_id::Plugin>(),
        PluginDescriptor::of::<cors::Plugin>(),
        PluginDescriptor::of::<ip_restriction::Plugin>(),
        PluginDescriptor::of::<jwt::Plugin>(),
        PluginDescriptor::of::<key_auth::Plugin>(),
        PluginDescriptor::of::<rate_limiting::Plugin>(),
        PluginDescriptor::of::<redirect::Plugin>(),
        PluginDescriptor::of::<request_size_limiting::Plugin>(),
        PluginDescriptor::of::<request_termination::Plugin>(),
        PluginDescriptor::of::<request_transformer::Plugin>(),
        PluginDescriptor::of::<response_transformer::Plugin>(),
    ])
}
