//! The keys that calls were signed with lately, so that not every call asks the database. How a key is looked up is the
//! use cases' business, which keys a change touches the committer's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use postfach_domain::id::{KeyId, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

use crate::halves::Halves;

/// What a key may be used for in a token (SPEC 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// A device of a mailbox.
    Device,
    /// The current recovery key: GetChain, GetWraps and AppendLink only.
    Recovery,
    /// A certified key of an authority.
    Authority,
}

/// An active key, as the token layer needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// The key that must have signed the token.
    pub public: PublicKey,
    /// What it may do.
    pub role: KeyRole,
}

/// Keys in each half of the book.
const KEYS: usize = 32 * 1024;

/// What is known of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyEntry {
    /// The key.
    pub(crate) key: CallerKey,
    /// Validity of a certificate; without end for members of chains.
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Option<Timestamp>,
    /// Revoked keys stay known, for the signatures they once made.
    pub(crate) revoked: bool,
}

impl KeyEntry {
    pub(crate) fn active(&self, now: Timestamp) -> bool {
        !self.revoked && now >= self.not_before && self.not_after.is_none_or(|end| now <= end)
    }
}

/// Keys looked up lately. The committer strikes out the keys of a party in the same breath in which it commits a change
/// to them, before anybody is answered, so that a look into the book is as good as one into the database. That holds where
/// one committer writes the database. What other nodes change their notices strike out, a moment after they have answered:
/// there the book is good enough for who has just been let in and for who only waits, not for letting anybody in.
#[derive(Debug)]
pub struct KeyBook {
    entries: Mutex<Halves<(Party, KeyId), KeyEntry>>,
    /// Counts changes, so that a look-up that began before one is not remembered after it.
    changes: AtomicU64,
    /// Notices of other nodes do not come in: nothing is known for longer than it takes to say it.
    deaf: AtomicBool,
}

impl Default for KeyBook {
    fn default() -> Self {
        Self {
            entries: Mutex::new(Halves::new(KEYS)),
            changes: AtomicU64::new(0),
            deaf: AtomicBool::new(false),
        }
    }
}

impl KeyBook {
    fn lock(&self) -> MutexGuard<'_, Halves<(Party, KeyId), KeyEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a key, where it was looked up lately.
    pub(crate) fn find(&self, key: &(Party, KeyId)) -> Option<KeyEntry> {
        self.lock().get(key)
    }

    /// How many changes there were; asked before a look-up that is to be remembered.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Strikes out keys that a commit changed.
    pub(crate) fn strike(&self, keys: impl IntoIterator<Item = (Party, KeyId)>) {
        let mut entries = self.lock();
        for key in keys {
            self.changes.fetch_add(1, Ordering::SeqCst);
            entries.remove(&key);
        }
    }

    /// Forgets everything, since it is not known what changed; remembers again once notices come in.
    pub(crate) fn forget(&self, deaf: bool) {
        let mut entries = self.lock();
        self.deaf.store(deaf, Ordering::SeqCst);
        self.changes.fetch_add(1, Ordering::SeqCst);
        entries.clear();
    }

    /// Remembers what a look-up found, unless keys changed since it began.
    pub(crate) fn remember(&self, key: (Party, KeyId), entry: KeyEntry, seen: u64) {
        let mut entries = self.lock();
        if !self.deaf.load(Ordering::SeqCst) && self.changes.load(Ordering::SeqCst) == seen {
            entries.insert(key, entry);
        }
    }
}
