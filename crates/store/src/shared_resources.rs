//! Resources that a new configuration shares with the previous one.

use std::{
    any::{Any, TypeId},
    convert::Infallible,
    fmt,
    sync::{Arc, Weak},
};

use ahash::AHashMap;
use parking_lot::Mutex;

type AnyValue = dyn Any + Send + Sync;

/// Registry of weak references by type and key.
///
/// A new configuration finds the values that the previous one still owns. A value is dropped with the last configuration
/// that owns it. Used only while plugins and services are built, not by requests.
#[derive(Clone, Default)]
pub struct SharedResources {
    registry: Arc<Mutex<Registry>>,
}

#[derive(Default)]
struct Registry {
    values: AHashMap<(TypeId, Box<str>), Weak<AnyValue>>,
    /// Length from which dropped values are removed.
    sweep_at: usize,
}

impl SharedResources {
    /// Returns the value of a type and key, or creates it. The key should consist of stable ids and the settings that the
    /// value depends on, so that changed settings create a new value.
    ///
    /// `create` must not use the same registry, whose lock is held.
    pub fn get_or_create<T: Send + Sync + 'static>(&self, key: &str, create: impl FnOnce() -> T) -> Arc<T> {
        let result: Result<_, Infallible> = self.try_get_or_create(key, || Ok(create()));
        let Ok(value) = result;
        value
    }

    /// Fallible form of [`SharedResources::get_or_create`].
    ///
    /// # Errors
    /// Returns the error of `create`.
    pub fn try_get_or_create<T: Send + Sync + 'static, E>(
        &self,
        key: &str,
        create: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut registry = self.registry.lock();
        let key = (TypeId::of::<T>(), key.into());
        if let Some(Ok(value)) = registry.values.get(&key).and_then(Weak::upgrade).map(Arc::downcast) {
            return Ok(value);
        }
        let value = Arc::new(create()?);
        if registry.values.len() >= registry.sweep_at {
            registry.values.retain(|_, value| value.strong_count() > 0);
            registry.sweep_at = (2 * registry.values.len()).max(16);
        }
        let shared: Arc<AnyValue> = value.clone();
        registry.values.insert(key, Arc::downgrade(&shared));
        Ok(value)
    }
}

impl fmt::Debug for SharedResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carry").field("values", &self.registry.lock().values.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_it_is_owned() {
        let carry = SharedResources::default();
        let first = carry.get_or_create("queue", || 1_u32);
        assert_eq!(*carry.get_or_create("queue", || 2_u32), 1);
        drop(first);
        assert_eq!(*carry.get_or_create("queue", || 3_u32), 3);
    }

    #[test]
    fn values_differ_by_key_and_type() {
        let carry = SharedResources::default();
        let number = carry.get_or_create("a", || 1_u32);
        let text = carry.get_or_create("a", || "one".to_owned());
        let other = carry.get_or_create("b", || 2_u32);
        assert_eq!((*number, text.as_str(), *other), (1, "one", 2));
    }

    #[test]
    fn dropped_values_are_removed() {
        let carry = SharedResources::default();
        for n in 0..100 {
            carry.get_or_create(&n.to_string(), || n);
        }
        assert!(carry.registry.lock().values.len() <= 16);
    }
}
