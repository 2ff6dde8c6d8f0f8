//! Logs revocations of the registrar. A revoked key counts for nothing that is logged after it.

use postfach_domain::authority::{AuthorityRevocation, revocation_hash};
use postfach_domain::decide::{Refusal, RevokeState, decide_revoke};
use postfach_domain::format::Signed;
use postfach_domain::keylog::revocation_leaf;

use super::{App, AppError};
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::storage::Ask;
use crate::storage::sql::authorities;

impl App {
    /// Logs revocations; answers their positions in the keys log.
    pub async fn revoke_authority(&self, revocations: Vec<Signed>) -> Result<Vec<u64>, AppError> {
        if revocations.is_empty() {
            return Err(AppError::invalid("revocations", "empty"));
        }
        let mut indexes = Vec::with_capacity(revocations.len());
        for signed in revocations {
            let invalid = |error| AppError::invalid("revocations", error);
            let parsed = AuthorityRevocation::verify(&signed, &self.registrar).map_err(invalid)?;
            if parsed.origin != self.origin {
                return Err(AppError::invalid("revocations.origin", "another deployment"));
            }
            let key_id = parsed.key_id;
            self.submit(Revoke { parsed, signed }).await?;
            let found = authorities::keys(&mut Ask(&*self.store), [&key_id]).await?;
            let index = found.into_iter().next().and_then(|key| key.revocation_index);
            indexes.push(index.ok_or(AppError::Internal)?);
        }
        Ok(indexes)
    }
}

/// A revocation on its way.
#[derive(Debug)]
struct Revoke {
    parsed: AuthorityRevocation,
    signed: Signed,
}

impl Operation for Revoke {
    fn extends_keys(&self) -> bool {
        true
    }

    fn needs(&self, needs: &mut Needs) {
        needs.authority_keys.insert(self.parsed.key_id);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let key = set.authority_keys.get(&self.parsed.key_id).cloned();
        let state = key.as_ref().map(|key| RevokeState {
            authority: key.authority_id.clone(),
            revoked: key.revocation_index.is_some(),
        });
        if !decide_revoke(state.as_ref(), &self.parsed.authority_id)? {
            return Ok(Applied::Known(None));
        }
        let mut key = key.ok_or(Refusal::NotFound)?;
        let leaf = revocation_leaf(&key.key_id, &revocation_hash(&self.signed));
        let index = set.log_key(leaf);
        key.revocation_index = Some(index);
        set.changes.revocations.push((key.key_id, self.signed.clone(), index));
        set.authority_keys.put(key.key_id, key);
        Ok(Applied::Logged { keys: vec![index], events: Vec::new() })
    }
}
