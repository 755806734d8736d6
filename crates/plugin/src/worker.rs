//! What a plugin can use of the worker that runs it.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    fmt,
    rc::Rc,
};

use ahash::AHashMap;
use client::Client;
use store::{Clock, Leases, Stores};

/// Handle of the worker that runs a hook or a task. Cheap to clone; it stays on its thread.
///
/// ```
/// use plugin::WorkerHandle;
///
/// /// Connection of this worker to a server.
/// struct Connection { server: String }
///
/// fn connection(worker: &WorkerHandle, server: &str) -> std::rc::Rc<Connection> {
///     worker.local(server, || Connection { server: server.to_owned() })
/// }
///
/// let worker = WorkerHandle::new(0, &store::Stores::default(), client::Client::default());
/// let first = connection(&worker, "redis.internal");
/// assert!(std::rc::Rc::ptr_eq(&first, &connection(&worker, "redis.internal")));
/// assert_eq!(first.server, "redis.internal");
/// ```
#[derive(Clone)]
pub struct WorkerHandle(Rc<Inner>);

struct Inner {
    number: usize,
    http: Client,
    clock: Clock,
    leases: Leases,
    locals: RefCell<Locals>,
}

/// Values of a worker, by type and key.
#[derive(Default)]
struct Locals {
    by_type: AHashMap<TypeId, AHashMap<Box<str>, Local>>,
    /// Number of configurations that this worker has had.
    generation: u64,
}

struct Local {
    value: Rc<dyn Any>,
    /// Generation in which the value was used last.
    last_used: u64,
}

impl WorkerHandle {
    /// Creates the handle of a worker, whose number is unique in the process.
    pub fn new(number: usize, stores: &Stores, http: Client) -> Self {
        WorkerHandle(Rc::new(Inner {
            number,
            http,
            clock: stores.clock.clone(),
            leases: stores.leases.clone(),
            locals: RefCell::default(),
        }))
    }

    /// Returns the number of the worker, from 0.
    pub fn number(&self) -> usize {
        self.0.number
    }

    /// Returns the HTTP client of the worker. For URLs that come from outside, use its [`Client::external`].
    pub fn http(&self) -> &Client {
        &self.0.http
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Returns the leases that the workers of the process share.
    pub fn leases(&self) -> &Leases {
        &self.0.leases
    }

    /// Returns this worker's value of a type and key, or creates it: a connection, a virtual machine, a cache. No lock is
    /// taken, and the value need not be `Send`.
    ///
    /// The key should consist of the settings that the value depends on, so that changed settings create a new value. A
    /// value outlives reloads; it is dropped when it was not used during a whole generation of the configuration.
    pub fn local<T: 'static>(&self, key: &str, init: impl FnOnce() -> T) -> Rc<T> {
        if let Some(value) = self.find(key) {
            return value;
        }
        // The storage is not borrowed here: `init` may use other values of this worker.
        let value = Rc::new(init());
        let mut locals = self.0.locals.borrow_mut();
        let last_used = locals.generation;
        let of_type = locals.by_type.entry(TypeId::of::<T>()).or_default();
        of_type.insert(key.into(), Local { value: Rc::<T>::clone(&value), last_used });
        value
    }

    fn find<T: 'static>(&self, key: &str) -> Option<Rc<T>> {
        let mut locals = self.0.locals.borrow_mut();
        let generation = locals.generation;
        let local = locals.by_type.get_mut(&TypeId::of::<T>())?.get_mut(key)?;
        local.last_used = generation;
        Rc::clone(&local.value).downcast().ok()
    }

    /// Starts the next generation: drops the values that were not used during the last one. The worker calls it when it
    /// has a new configuration.
    pub fn next_generation(&self) {
        let mut unused = Vec::new();
        let mut locals = self.0.locals.borrow_mut();
        let last = locals.generation;
        locals.generation += 1;
        locals.by_type.retain(|_, of_type| {
            unused
                .extend(of_type.extract_if(|_, local| local.last_used < last).map(|(_, local)| local.value));
            !of_type.is_empty()
        });
        // A value may use the storage while it is dropped.
        drop(locals);
        drop(unused);
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").field("number", &self.0.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerHandle {
        WorkerHandle::new(0, &Stores::default(), Client::default())
    }

    #[test]
    fn values_differ_by_type_and_key() {
        let worker = worker();
        let number = worker.local("a", || 1_u32);
        let text = worker.local("a", || "one".to_owned());
        let other = worker.local("b", || 2_u32);
        let again = worker.clone().local("a", || 3_u32);
        assert_eq!((*number, text.as_str(), *other, *again), (1, "one", 2, 1));
    }

    #[test]
    fn a_value_may_use_others_while_it_is_created_and_dropped() {
        struct Outer(WorkerHandle);
        impl Drop for Outer {
            fn drop(&mut self) {
                self.0.local("dropped", || true);
            }
        }
        let worker = worker();
        worker.local("outer", || {
            worker.local("inner", || 1_u32);
            Outer(worker.clone())
        });
        worker.next_generation();
        worker.next_generation();
        assert!(*worker.local("dropped", || false));
    }

    #[test]
    fn a_value_is_dropped_after_a_generation_without_use() {
        let worker = worker();
        let dropped = Rc::downgrade(&worker.local("a", || 1_u32));
        worker.next_generation();
        assert_eq!(*worker.local("a", || 2_u32), 1, "used in the generation that created it");
        worker.next_generation();
        assert_eq!(*worker.local("a", || 2_u32), 1, "used in the last generation");
        worker.next_generation();
        worker.next_generation();
        assert!(dropped.upgrade().is_none());
        assert_eq!(*worker.local("a", || 2_u32), 2);
    }
}
