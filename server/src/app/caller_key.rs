//! Which public key belongs to a key id of a party, and whether it is active now. Who may do what is decided elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use postfach_domain::id::{Address, AuthorityId, KeyId, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

use super::{App, AppError, Caller, CallerKey, KeyRole, Refusal};
use crate::halves::Halves;
use crate::storage::sql::mailboxes::Role;
use crate::storage::sql::{authorities, mailboxes};
use crate::storage::{Ask, StoreError};

/// Keys in each half of the book.
const KEYS: usize = 32 * 1024;

/// What is known of one key.
#[derive(Clone, Copy, Debug)]
struct KeyEntry {
    key: CallerKey,
    /// Validity of a certificate; without end for members of chains.
    not_before: Timestamp,
    not_after: Option<Timestamp>,
    /// Revoked keys stay known, for the signatures they once made.
    revoked: bool,
}

impl KeyEntry {
    fn active(&self, now: Timestamp) -> bool {
        !self.revoked && now >= self.not_before && self.not_after.is_none_or(|end| now <= end)
    }
}

/// Keys looked up lately. The committer strikes out the keys of a party in the same breath in which it commits a change
/// to them, before anybody is answered, so that a look into the book is as good as one into the database. That holds
/// because one committer writes the database; with several nodes the book must be emptied by their notices.
#[derive(Debug)]
pub struct KeyBook {
    entries: Mutex<Halves<(Party, KeyId), KeyEntry>>,
    /// Counts changes, so that a look-up that began before one is not remembered after it.
    changes: AtomicU64,
}

impl Default for KeyBook {
    fn default() -> Self {
        Self { entries: Mutex::new(Halves::new(KEYS)), changes: AtomicU64::new(0) }
    }
}

impl KeyBook {
    fn lock(&self) -> MutexGuard<'_, Halves<(Party, KeyId), KeyEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Strikes out keys that a commit changed.
    pub(crate) fn strike(&self, keys: impl IntoIterator<Item = (Party, KeyId)>) {
        let mut entries = self.lock();
        for key in keys {
            self.changes.fetch_add(1, Ordering::SeqCst);
            entries.remove(&key);
        }
    }

    fn remember(&self, key: (Party, KeyId), entry: KeyEntry, seen: u64) {
        let mut entries = self.lock();
        if self.changes.load(Ordering::SeqCst) == seen {
            entries.insert(key, entry);
        }
    }
}

impl App {
    /// For the token layer, on every call: the key if it is active for this issuer now (SPEC 6), whatever its role.
    /// `None` for unknown issuers, unknown and revoked keys alike. Keys of a closed mailbox stay usable.
    pub async fn caller_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<CallerKey>, AppError> {
        let entry = self.key_entry(party, key_id).await?;
        Ok(entry.filter(|entry| entry.active(self.now())).map(|entry| entry.key))
    }

    /// The public key that signs for a party, to check a signature before the committer decides whether it counts.
    pub(super) async fn signing_key(&self, party: &Party, key_id: &KeyId) -> Result<PublicKey, AppError> {
        let entry = self.key_entry(party, key_id).await?;
        entry.map(|entry| entry.key.public).ok_or(AppError::Refused(Refusal::KeyNotActive))
    }

    /// Refuses the recovery key where it does not count (SPEC 6).
    pub(super) async fn require_member(&self, caller: &Caller) -> Result<(), AppError> {
        match self.caller_key(&caller.party, &caller.key_id).await? {
            Some(CallerKey { role: KeyRole::Device | KeyRole::Authority, .. }) => Ok(()),
            Some(CallerKey { role: KeyRole::Recovery, .. }) | None => Err(AppError::NotAllowed),
        }
    }

    async fn key_entry(&self, party: &Party, key_id: &KeyId) -> Result<Option<KeyEntry>, StoreError> {
        let key = (party.clone(), *key_id);
        if let Some(entry) = self.keys.lock().get(&key) {
            return Ok(Some(entry));
        }
        let seen = self.keys.changes.load(Ordering::SeqCst);
        let found = match party {
            Party::Mailbox(address) => self.member_entry(*address, *key_id).await?,
            Party::Authority(id) => self.authority_entry(id, *key_id).await?,
        };
        if let Some(entry) = found {
            self.keys.remember(key, entry, seen);
        }
        Ok(found)
    }

    async fn member_entry(&self, address: Address, key_id: KeyId) -> Result<Option<KeyEntry>, StoreError> {
        let found = mailboxes::members(&mut Ask(&*self.store), [&(address, key_id)]).await?;
        let Some((_, member)) = found.into_iter().next() else { return Ok(None) };
        let role = match member.role {
            Role::Device => KeyRole::Device,
            Role::Recovery => KeyRole::Recovery,
        };
        let key = CallerKey { public: stored_key(&member.public)?, role };
        let revoked = member.removed_seq.is_some();
        Ok(Some(KeyEntry { key, not_before: Timestamp::default(), not_after: None, revoked }))
    }

    async fn authority_entry(&self, id: &AuthorityId, key_id: KeyId) -> Result<Option<KeyEntry>, StoreError> {
        let found = authorities::keys(&mut Ask(&*self.store), [&key_id]).await?;
        let Some(row) = found.into_iter().find(|row| row.authority_id == *id) else { return Ok(None) };
        Ok(Some(KeyEntry {
            key: CallerKey { public: stored_key(&row.public)?, role: KeyRole::Authority },
            not_before: row.not_before,
            not_after: row.not_after,
            revoked: row.revocation_index.is_some(),
        }))
    }
}

fn stored_key(bytes: &[u8; 32]) -> Result<PublicKey, StoreError> {
    PublicKey::from_bytes(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}
