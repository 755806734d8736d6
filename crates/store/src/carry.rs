//! What a new configuration takes over from the one before it.

use std::{
    any::{Any, TypeId},
    convert::Infallible,
    fmt,
    sync::{Arc, Weak},
};

use ahash::AHashMap;
use parking_lot::Mutex;

type Shared = dyn Any + Send + Sync;

/// A registry of weak references by type and key. A new configuration finds what the old one still owns;
/// what no configuration owns any more is gone. Asked while plugins are built, never by a request.
#[derive(Clone, Default)]
pub struct Carry {
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    values: AHashMap<(TypeId, Box<str>), Weak<Shared>>,
    /// Looked through for what is gone when there are this many.
    full: usize,
}

impl Carry {
    /// The value of that type under that key, made now if nobody holds one. The key should be made of
    /// stable ids and of the settings the value depends on: other settings, another key, a fresh value.
    ///
    /// `make` must not ask the same registry.
    pub fn get_or<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let made: Result<_, Infallible> = self.try_get_or(key, || Ok(make()));
        let Ok(value) = made;
        value
    }

    /// The same where the value may be impossible to make.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_get_or<T: Send + Sync + 'static, E>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut held = self.held.lock();
        let key = (TypeId::of::<T>(), key.into());
        if let Some(Ok(value)) = held.values.get(&key).and_then(Weak::upgrade).map(Arc::downcast) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        if held.values.len() >= held.full {
            held.values.retain(|_, value| value.strong_count() > 0);
            held.full = (2 * held.values.len()).max(16);
        }
        let shared: Arc<Shared> = value.clone();
        held.values.insert(key, Arc::downgrade(&shared));
        Ok(value)
    }
}

impl fmt::Debug for Carry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carry").field("held", &self.held.lock().values.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_someone_holds_it() {
        let carry = Carry::default();
        let first = carry.get_or("queue", || 1_u32);
        assert_eq!(*carry.get_or("queue", || 2_u32), 1);
        drop(first);
        assert_eq!(*carry.get_or("queue", || 3_u32), 3);
    }

    #[test]
    fn keys_and_types_are_apart() {
        let carry = Carry::default();
        let number = carry.get_or("a", || 1_u32);
        let text = carry.get_or("a", || "one".to_owned());
        let other = carry.get_or("b", || 2_u32);
        assert_eq!((*number, text.as_str(), *other), (1, "one", 2));
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let carry = Carry::default();
        for n in 0..100 {
            carry.get_or(&n.to_string(), || n);
        }
        assert!(carry.held.lock().values.len() <= 16);
    }
}
