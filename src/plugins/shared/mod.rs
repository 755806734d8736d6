//! What several plugins need.

pub(in crate::plugins) mod body_args;
pub(in crate::plugins) mod body_format;
pub(in crate::plugins) mod consumer;
#[cfg(test)]
pub(in crate::plugins) mod fixture;
pub(in crate::plugins) mod header;
pub(in crate::plugins) mod json;
pub(in crate::plugins) mod multipart;
pub(in crate::plugins) mod number;
pub(in crate::plugins) mod redis;
pub(in crate::plugins) mod status;
pub(in crate::plugins) mod template;
pub(in crate::plugins) mod transform;
