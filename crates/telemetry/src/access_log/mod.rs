//! Access logs: formats, and files that are written on a thread of their own.

mod escape;
mod format;
mod json;
mod query;
mod time;
mod variable;
mod writer;

#[cfg(test)]
mod tests;

pub use self::{
    escape::Escape,
    format::{Format, FormatError},
    query::QueryLogging,
    writer::{AccessLog, Destination},
};
