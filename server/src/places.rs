//! How much one caller may do at once: places are taken and given back. Who waits for a place, and for how long, is the
//! caller's matter.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of everybody who has one. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Places<K> {
    taken: Mutex<HashMap<K, usize>>,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { taken: Mutex::default() }
    }
}

/// One place; it is given back when this is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    places: Arc<Places<K>>,
    whose: K,
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// Takes a place, unless they have `limit` already.
    pub fn take(self: &Arc<Self>, whose: &K, limit: usize) -> Option<Place<K>> {
        let mut taken = self.lock();
        let count = taken.entry(whose.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), whose: whose.clone() })
    }
}

impl<K> Places<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_are_counted_for_each_and_come_back() {
        let places = Arc::new(Places::default());
        let (first, second) = (places.take(&1, 2).unwrap(), places.take(&1, 2));
        assert!(second.is_some() && places.take(&1, 2).is_none());
        assert!(places.take(&2, 2).is_some(), "somebody else has places of their own");
        drop(first);
        let third = places.take(&1, 2);
        assert!(third.is_some() && places.take(&1, 2).is_none());
        drop((second, third));
        assert!(places.lock().is_empty());
    }
}
