//! Which public key belongs to a key id of a party, and whether it is active now. Who may do what is decided elsewhere.

use postfach_domain::id::{Address, AuthorityId, KeyId, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

use super::{App, AppError, Caller, Refusal};
use crate::key_book::{CallerKey, KeyEntry, KeyRole};
use crate::storage::sql::mailboxes::Role;
use crate::storage::sql::{authorities, mailboxes};
use crate::storage::{Ask, StoreError};

impl App {
    /// For the token layer, on every call: the key if it is active for this issuer now (SPEC 6), whatever its role.
    /// `None` for unknown issuers, unknown and revoked keys alike. Keys of a closed mailbox stay usable. Where other nodes
    /// can end keys, the database is asked.
    pub async fn caller_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<CallerKey>, AppError> {
        let entry = if self.store.is_shared() {
            self.find_key(party, key_id).await?
        } else {
            self.key_entry(party, key_id).await?
        };
        Ok(entry.filter(|entry| entry.active(self.now())).map(|entry| entry.key))
    }

    /// The same for who was let in a moment ago, or waits and gets nothing: what was found then, unless it is known to have
    /// ended.
    pub(super) async fn known_key(
        &self,
        party: &Party,
        key_id: &KeyId,
    ) -> Result<Option<CallerKey>, AppError> {
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
        match self.known_key(&caller.party, &caller.key_id).await? {
            Some(CallerKey { role: KeyRole::Device | KeyRole::Authority, .. }) => Ok(()),
            Some(CallerKey { role: KeyRole::Recovery, .. }) | None => Err(AppError::NotAllowed),
        }
    }

    async fn key_entry(&self, party: &Party, key_id: &KeyId) -> Result<Option<KeyEntry>, StoreError> {
        match self.keys.find(&(party.clone(), *key_id)) {
            Some(entry) => Ok(Some(entry)),
            None => self.find_key(party, key_id).await,
        }
    }

    /// Asks the database, and remembers.
    async fn find_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<KeyEntry>, StoreError> {
        let seen = self.keys.changes();
        let found = match party {
            Party::Mailbox(address) => self.member_entry(*address, *key_id).await?,
            Party::Authority(id) => self.authority_entry(id, *key_id).await?,
        };
        if let Some(entry) = found {
            self.keys.remember((party.clone(), *key_id), entry, seen);
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
