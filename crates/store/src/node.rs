//! Identity of this node.

use std::sync::Arc;

use uuid::Uuid;

/// Identity of a node, constant for the lifetime of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    /// Id of this process (Kong's `node_id`).
    pub id: Uuid,
    /// Host name of the machine.
    pub hostname: Arc<str>,
    /// Whether Lua expressions in the configuration are evaluated (setting `untrusted_lua`).
    pub untrusted_lua: bool,
}

impl Default for Node {
    fn default() -> Self {
        Node { id: Uuid::new_v4(), hostname: hostname().into(), untrusted_lua: true }
    }
}

/// Returns the host name that the kernel reports; `localhost` if it reports none.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
