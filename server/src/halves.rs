//! A bounded memory of what was used lately.

use std::collections::HashMap;
use std::hash::Hash;

/// Two halves: what is used goes to the young one; when that is full, the old one goes. At most twice `half` entries.
#[derive(Debug)]
pub(crate) struct Halves<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Halves<K, V> {
    pub(crate) fn new(half: usize) -> Self {
        Self { half, young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let (key, found) = self.old.remove_entry(key)?;
        self.insert(key, found.clone());
        Some(found)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_memory_is_bounded() {
        let mut halves = Halves::new(10);
        for key in 0..100 {
            halves.insert(key, key);
            assert_eq!(halves.get(&0), Some(0));
            assert!(halves.young.len() + halves.old.len() <= 21);
        }
        assert_eq!(halves.get(&5), None);
        halves.remove(&0);
        assert_eq!(halves.get(&0), None);
        halves.clear();
        assert_eq!(halves.get(&99), None);
    }
}
