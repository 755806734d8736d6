//! What others work out of a configuration once and share: kept beside the data and dropped with it.

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;

type Filed = (TypeId, Arc<dyn Any + Send + Sync>);

/// One value per type, made when it is first asked for. A copy of the configuration starts without any.
#[derive(Default)]
pub struct Derived(Mutex<Vec<Filed>>);

impl Derived {
    /// The value of that type, made now if nobody asked before. `make` must not ask for another one.
    ///
    /// Takes a lock: ask while a plugin is built, and keep what you get.
    pub fn get_or<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let id = TypeId::of::<T>();
        let mut filed = self.0.lock();
        if let Some(found) = filed.iter().find(|(i, _)| *i == id).and_then(|(_, v)| v.clone().downcast().ok())
        {
            return found;
        }
        let made = Arc::new(make());
        filed.push((id, made.clone()));
        made
    }
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Derived::default()
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Derived").field(&self.0.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_shared() {
        let derived = Derived::default();
        let first = derived.get_or(|| 7_u32);
        assert!(Arc::ptr_eq(&first, &derived.get_or(|| 8_u32)));
        assert_eq!(*derived.get_or(|| "text"), "text");
        assert_eq!(*derived.clone().get_or(|| 9_u32), 9, "a copy may hold other data");
    }
}
