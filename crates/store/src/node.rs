//! Who this node is.

use std::sync::Arc;

use uuid::Uuid;

/// A node's identity, equal for the whole life of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    /// Id of this process: what Kong calls `node_id`.
    pub id: Uuid,
    /// The machine's host name.
    pub hostname: Arc<str>,
    /// Whether expressions of Lua in the configuration are evaluated (setting `untrusted_lua`).
    pub untrusted_lua: bool,
}

impl Default for Node {
    fn default() -> Self {
        Node { id: Uuid::new_v4(), hostname: hostname().into(), untrusted_lua: true }
    }
}

/// As the kernel tells; `localhost` where it does not.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
