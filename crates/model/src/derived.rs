//! Values derived from a configuration, computed once, shared, and dropped with it.

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;

type CachedValue = (TypeId, Arc<dyn Any + Send + Sync>);

/// Cache of one value per type, computed on first use. A clone starts empty, since the cloned configuration may change.
#[derive(Default)]
pub struct DerivedCache(Mutex<Vec<CachedValue>>);

impl DerivedCache {
    /// Returns the value of type `T`, computing it on first use. `make` must not call this method again: the lock is not
    /// reentrant.
    ///
    /// It takes a lock, so plugins call it when they are built and store the result.
    pub fn get_or_compute<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let id = TypeId::of::<T>();
        let mut values = self.0.lock();
        if let Some(found) =
            values.iter().find(|(i, _)| *i == id).and_then(|(_, v)| v.clone().downcast().ok())
        {
            return found;
        }
        let value = Arc::new(make());
        values.push((id, value.clone()));
        value
    }
}

impl Clone for DerivedCache {
    fn clone(&self) -> Self {
        DerivedCache::default()
    }
}

impl fmt::Debug for DerivedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Derived").field(&self.0.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_computed_once_and_shared() {
        let derived = DerivedCache::default();
        let first = derived.get_or_compute(|| 7_u32);
        assert!(Arc::ptr_eq(&first, &derived.get_or_compute(|| 8_u32)));
        assert_eq!(*derived.get_or_compute(|| "text"), "text");
        assert_eq!(*derived.clone().get_or_compute(|| 9_u32), 9, "a copy may hold other data");
    }
}
