//! Text → data: reading files, dialects and format versions, shape, flattening, resolving; and the
//! node's own settings. Leaves running anything to `runtime` and what plugins mean to `plugins`.

pub mod dialect;
pub mod listen;
pub mod read;
pub mod settings;
pub mod substitute;
pub mod vault;
pub mod version;
