//! Code shared by several plugins.

pub(crate) mod address_set;
pub(crate) mod auth;
pub(crate) mod body_args;
pub(crate) mod body_format;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod redis;
pub(crate) mod status;
pub(crate) mod template;
pub(crate) mod transform;
