//! Rows of one kind in a working set: what was loaded, what changed.

use std::collections::HashMap;
use std::hash::Hash;

/// Rows by key. A key that was asked for and is not here does not exist.
#[derive(Debug)]
pub struct Table<K, V> {
    rows: HashMap<K, V>,
    changed: Vec<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: HashMap::new(), changed: Vec::new() }
    }
}

impl<K: Eq + Hash + Clone, V> Table<K, V> {
    /// Takes in what was read.
    pub(super) fn load(&mut self, rows: impl IntoIterator<Item = (K, V)>) {
        self.rows.extend(rows);
    }

    /// The row, as the operations before left it.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// Adds or replaces a row.
    pub fn put(&mut self, key: K, row: V) {
        if !self.changed.contains(&key) {
            self.changed.push(key.clone());
        }
        self.rows.insert(key, row);
    }

    /// Removes a row from sight; whoever does so writes the removal itself.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.changed.retain(|changed| changed != key);
        self.rows.remove(key)
    }

    /// What was put, in the order of the first put.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.changed.iter().filter_map(|key| self.rows.get_key_value(key))
    }
}
