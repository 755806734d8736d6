//! The thread that runs lookups, so that neither a busy worker nor the end of one delays those of the others.

use std::{io, thread};

use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Where lookups run.
#[derive(Debug)]
pub enum Executor {
    /// On a thread of their own.
    Thread(LookupThread),
    /// On a runtime of the caller.
    Runtime(Handle),
}

impl Executor {
    /// Returns the runtime; starts the thread if it has none yet.
    ///
    /// # Errors
    /// Returns an error if the system refuses a thread.
    pub fn handle(&self) -> io::Result<Handle> {
        match self {
            Executor::Thread(thread) => thread.handle(),
            Executor::Runtime(handle) => Ok(handle.clone()),
        }
    }
}

/// A thread that starts with the first lookup: a gateway whose upstreams are addresses has none. It ends when this is
/// dropped.
#[derive(Debug, Default)]
pub struct LookupThread {
    running: Mutex<Option<(Handle, oneshot::Sender<()>)>>,
}

impl LookupThread {
    fn handle(&self) -> io::Result<Handle> {
        let mut running = self.running.lock();
        if let Some((handle, _)) = &*running {
            return Ok(handle.clone());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (owner, owner_dropped) = oneshot::channel();
        thread::Builder::new().name("dns".to_owned()).spawn(move || {
            let _ = runtime.block_on(owner_dropped);
        })?;
        *running = Some((handle.clone(), owner));
        Ok(handle)
    }
}
