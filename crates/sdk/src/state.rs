//! What a client remembers between runs, as plain structs that the application stores: the largest checkpoints, pinned
//! chains, its own chain, and how far it has read.
//!
//! [`Trust`] may be saved by several commands at once: load what is stored, [`Trust::absorb`] ours, store. [`SyncState`]
//! belongs to whoever syncs, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use postfach_domain::time::Timestamp;
use postfach_ledger::follow::{Floor, Floors};
use serde::{Deserialize, Serialize};

use crate::base64_bytes;

/// What must never go back: checkpoints seen, chains pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// Of the log of keys.
    pub keys_log: LogMemory,
    /// Of the log of evidence.
    pub evidence_log: LogMemory,
    /// Times before which no later event may be dated.
    pub times: Vec<TimeSeen>,
    /// Sizes of the log of keys that no later event may fall behind.
    pub key_sizes: Vec<KeysSeen>,
    /// Highest chain head seen of each mailbox, by the address's text.
    pub pins: BTreeMap<String, Pin>,
    /// The owner's own chain, as signed.
    pub own_chain: Option<StoredChain>,
    /// How far the log of keys was read for links on the owner's label.
    pub key_scan: KeyScan,
}

/// A place in the log of keys, with the tiles that are needed to go on there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyScan {
    /// Entries read.
    pub size: u64,
    /// Right edge of the tree of that size.
    pub tiles: Vec<StoredTile>,
}

/// One tile of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTile {
    /// Level, 0 holds hashes of leaves.
    pub level: u8,
    /// Index in the level.
    pub index: u64,
    /// Its hashes, 32 bytes each.
    #[serde(with = "base64_bytes")]
    pub hashes: Vec<u8>,
}

/// Checkpoints of one log, as signed notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogMemory {
    /// The largest that everything seen before is linked to; empty before the first.
    #[serde(with = "base64_bytes")]
    pub largest: Vec<u8>,
    /// Met, and not yet linked to the largest by a consistency proof.
    #[serde(with = "base64_bytes::list")]
    pub unlinked: Vec<Vec<u8>>,
}

/// The time of a verified event, and the size of the log under which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSeen {
    /// An event at or beyond this index must not be dated earlier.
    pub size: u64,
    /// Milliseconds since the Unix epoch.
    pub occurred_at: u64,
}

/// The sizes of both logs at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysSeen {
    /// An event at or beyond this index was decided when the log of keys had at least as many leaves.
    pub size: u64,
    /// Leaves of the log of keys.
    pub keys_size: u64,
}

/// The highest head of a chain that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its number in the chain.
    pub seq: u32,
    /// Its hash, hexadecimal.
    pub link_hash: String,
}

/// A chain with the places of its links in the log of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredChain {
    /// Encoded `postfach.format.v1.Signed`, genesis first.
    #[serde(with = "base64_bytes::list")]
    pub links: Vec<Vec<u8>>,
    /// Index of each link in the log of keys, as the service says; empty before registration.
    pub indexes: Vec<u64>,
}

/// How far a mailbox was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncState {
    /// Where to go on, opaque.
    pub cursor: String,
    /// Place in the evidence log behind the last event of the pages before, so that page after page comes to an end. Not
    /// stored: a false cursor does not spoil a profile, the next run may begin at it.
    #[serde(skip)]
    pub behind: u64,
    /// What was seen of each sender, by issuer text.
    pub pairs: BTreeMap<String, PairState>,
    /// Messages whose covers are asked for again later.
    pub waiting: Vec<Waiting>,
}

/// Numbers of the messages of one sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PairState {
    /// Highest `pair_seq` seen.
    pub highest: u64,
    /// Numbers below it that were not seen, and not explained by an erasure; at most 1,000 are listed.
    pub missing: BTreeSet<u64>,
    /// How many more are missing.
    pub unlisted: u64,
    /// How many were missing when a sync came to its end, and were told then.
    pub told: u64,
}

/// A message that came without its cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which message.
    pub message_id: String,
    /// Where its page began.
    pub cursor: String,
    /// Place of its ACCEPTED event in the evidence log.
    pub index: u64,
    /// When to ask again, milliseconds since the Unix epoch.
    pub available_at: u64,
}

/// Missing numbers that are listed for one sender.
const LISTED: usize = 1000;

impl PairState {
    /// A number came; those between it and the highest are missing.
    pub(crate) fn skip_to(&mut self, number: u64) {
        let gap = number.saturating_sub(self.highest).saturating_sub(1);
        let room = LISTED.saturating_sub(self.missing.len());
        self.missing.extend((self.highest + 1..number).take(room));
        self.unlisted = self.unlisted.saturating_add(gap.saturating_sub(room as u64));
        self.highest = number;
    }

    /// How many numbers are missing.
    pub fn missing_count(&self) -> u64 {
        self.unlisted.saturating_add(self.missing.len() as u64)
    }
}

impl Trust {
    /// Takes over what another run has seen, so that nothing is lost. The smaller of two checkpoints is kept to be
    /// linked; nothing is trusted more than before.
    pub fn absorb(&mut self, other: &Self) {
        self.keys_log.absorb(&other.keys_log);
        self.evidence_log.absorb(&other.evidence_log);
        other.times.iter().for_each(|time| self.see_time(time.size, Timestamp(time.occurred_at)));
        other.key_sizes.iter().for_each(|seen| self.see_keys(seen.size, seen.keys_size));
        for (address, pin) in &other.pins {
            match self.pins.get(address) {
                Some(known) if known.seq >= pin.seq => {}
                _ => {
                    self.pins.insert(address.clone(), pin.clone());
                }
            }
        }
        if other.key_scan.size > self.key_scan.size {
            self.key_scan.clone_from(&other.key_scan);
        }
        let length =
            |chain: &Option<StoredChain>| chain.as_ref().map_or(0, |c| c.links.len() + c.indexes.len());
        if length(&other.own_chain) > length(&self.own_chain) {
            self.own_chain.clone_from(&other.own_chain);
        }
    }
}

impl Trust {
    /// True where an event that stands behind a size seen before is dated before an event under that size.
    pub(crate) fn is_back_dated(&self, index: u64, occurred_at: Timestamp) -> bool {
        self.time_floors().is_below(index, occurred_at.0)
    }

    /// Remembers the time of an event verified under a log of `size`.
    pub(crate) fn see_time(&mut self, size: u64, occurred_at: Timestamp) {
        let mut floors = self.time_floors();
        floors.add(Floor { size, least: occurred_at.0 });
        let seen = |floor: &Floor| TimeSeen { size: floor.size, occurred_at: floor.least };
        self.times = floors.as_slice().iter().map(seen).collect();
    }

    /// True where an event that stands behind a size seen before claims fewer keys than stood beside that size: as if a
    /// revocation had not been there yet.
    pub(crate) fn falls_behind_keys(&self, index: u64, keys_size: u64) -> bool {
        self.key_floors().is_below(index, keys_size)
    }

    /// Remembers the sizes of both logs at one moment.
    pub(crate) fn see_keys(&mut self, size: u64, keys_size: u64) {
        let mut floors = self.key_floors();
        floors.add(Floor { size, least: keys_size });
        let seen = |floor: &Floor| KeysSeen { size: floor.size, keys_size: floor.least };
        self.key_sizes = floors.as_slice().iter().map(seen).collect();
    }

    fn time_floors(&self) -> Floors {
        let floor = |seen: &TimeSeen| Floor { size: seen.size, least: seen.occurred_at };
        Floors::restore(self.times.iter().map(floor))
    }

    fn key_floors(&self) -> Floors {
        let floor = |seen: &KeysSeen| Floor { size: seen.size, least: seen.keys_size };
        Floors::restore(self.key_sizes.iter().map(floor))
    }
}

impl LogMemory {
    fn absorb(&mut self, other: &Self) {
        let known = std::mem::take(&mut self.unlinked);
        let mut notes: Vec<_> = known.into_iter().chain(other.unlinked.iter().cloned()).collect();
        if self.largest.is_empty() || note_size(&other.largest) > note_size(&self.largest) {
            notes.push(std::mem::replace(&mut self.largest, other.largest.clone()));
        } else {
            notes.push(other.largest.clone());
        }
        for note in notes {
            if !note.is_empty() && note != self.largest && !self.unlinked.contains(&note) {
                self.unlinked.push(note);
            }
        }
    }
}

/// The tree size in a note that was verified before it was stored.
fn note_size(note: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(note);
    text.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn note(size: u64) -> Vec<u8> {
        format!("post.example/keys\n{size}\nroot\n\n— sig\n").into_bytes()
    }

    fn trust(size: u64) -> Trust {
        let keys_log = LogMemory { largest: note(size), unlinked: Vec::new() };
        Trust { keys_log, ..Trust::default() }
    }

    #[test]
    fn absorbing_keeps_the_larger_and_remembers_to_link_the_smaller() {
        for (ours, theirs) in [(5, 9), (9, 5)] {
            let mut state = trust(ours);
            state.absorb(&trust(theirs));
            assert_eq!(state.keys_log.largest, note(9));
            assert_eq!(state.keys_log.unlinked, [note(5)]);
        }
        let mut same = trust(7);
        same.absorb(&trust(7));
        assert_eq!(same, trust(7));
        let mut empty = Trust::default();
        empty.absorb(&trust(7));
        assert_eq!(empty, trust(7));
    }

    #[test]
    fn pins_and_times_only_grow() {
        let with = |seq, size| {
            let pin = Pin { seq, link_hash: format!("{seq}") };
            let mut trust = Trust { pins: BTreeMap::from([("a".to_owned(), pin)]), ..Trust::default() };
            trust.see_time(size, Timestamp(size));
            trust
        };
        let mut state = with(3, 10);
        state.absorb(&with(2, 20));
        assert_eq!(state.pins["a"].seq, 3);
        assert!(state.is_back_dated(20, Timestamp(19)));
        assert!(!state.is_back_dated(19, Timestamp(19)));
        state.see_keys(10, 5);
        let mut other = with(1, 1);
        other.see_keys(20, 7);
        state.absorb(&other);
        assert!(state.falls_behind_keys(10, 4) && state.falls_behind_keys(20, 6));
        assert!(!state.falls_behind_keys(9, 4) && !state.falls_behind_keys(19, 5));
    }

    #[test]
    fn gaps_are_listed_up_to_a_bound() {
        let mut pair = PairState::default();
        pair.skip_to(1);
        assert_eq!(pair.missing_count(), 0);
        pair.skip_to(4);
        assert_eq!(pair.missing, BTreeSet::from([2, 3]));
        pair.skip_to(u64::MAX);
        assert_eq!(pair.missing.len(), LISTED);
        assert_eq!(pair.missing_count(), u64::MAX - 3);
    }

    #[test]
    fn state_survives_its_text_form_and_older_forms_are_read() {
        let state = trust(7);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Trust>(&text).unwrap(), state);
        assert_eq!(serde_json::from_str::<Trust>("{}").unwrap(), Trust::default());
    }
}
