//! The plugins, one file or folder each, and the one table of them.

use crate::plugin::{Entry, Registry};

mod shared;

/// Declares a plugin's module and its row. Modules named here are not seen by `cargo fmt`: format with
/// `rustfmt --check $(git ls-files '*.rs')`.
macro_rules! plugins {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// The plugins of this crate.
        pub fn registry() -> Registry {
            Registry::new(vec![$(Entry::of::<$name::Plugin>()),*])
        }
    };
}

plugins! {
    acl,
    correlation_id,
    cors,
    ip_restriction,
    jwt,
    key_auth,
    rate_limiting,
    redirect,
    request_size_limiting,
    request_termination,
    request_transformer,
    response_transformer,
}
