//! One file a command: its arguments, and what running it does.

pub mod completions;
pub mod diff;
pub mod explain;
pub mod input;
pub mod lint;
pub mod man;
pub mod plugins;
pub mod schema;
#[cfg(feature = "serve")]
pub mod serve;
pub mod simulate;
#[cfg(feature = "serve")]
pub mod test;
pub mod validate;
pub mod version;
