//! Who the authorities are: their certificates and revocations with proofs.

use postfach_domain::id::AuthorityId;

use super::{App, AppError, AuthorityEntry, AuthorityKey, Page, cursor};
use crate::evidence::{Checkpoints, LogName};
use crate::storage::Ask;
use crate::storage::sql::authorities;

impl App {
    /// All keys of an authority.
    pub async fn get_authority(
        &self,
        id: &AuthorityId,
    ) -> Result<(Vec<AuthorityKey>, Checkpoints), AppError> {
        let found = authorities::by_id(&mut Ask(&*self.store), [id]).await?;
        let authority = found.into_iter().next().ok_or(AppError::NotFound)?;
        // Its number is the place of its first certificate.
        let snapshot = self.view.state_with(LogName::Keys, authority.no).await?;
        let keys = self.authority_keys([authority.no], &snapshot).await?;
        Ok((keys.into_iter().map(|(_, key)| key).collect(), snapshot.checkpoints()))
    }

    /// Authorities by id. `page_size` 0 means the default of 100.
    pub async fn list_authorities(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Page<AuthorityEntry>, Checkpoints), AppError> {
        let limit = cursor::page_size(page_size)?;
        let after = match page_token {
            "" => "",
            token => token
                .strip_prefix("a.")
                .filter(|id| id.parse::<AuthorityId>().is_ok())
                .ok_or_else(|| AppError::invalid("page_token", "unknown token"))?,
        };
        let mut found = authorities::page(&mut Ask(&*self.store), after, limit + 1).await?;
        let more = found.len() as u64 > limit;
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = found.last().filter(|_| more).map(|last| format!("a.{}", last.id));
        let snapshot = self.view.newest().await?;
        let keys = self.authority_keys(found.iter().map(|authority| authority.no), &snapshot).await?;
        let newest = |no: u64| {
            let mut own = keys.iter().filter(|(authority_no, _)| *authority_no == no);
            own.rfind(|(_, key)| key.revocation.is_none()).map(|(_, key)| key.certificate.clone())
        };
        let entry = |authority: authorities::Authority| {
            let certificate = newest(authority.no)?;
            Some(AuthorityEntry { id: authority.id, certificate })
        };
        // Authorities whose every key was revoked are not listed.
        let items = found.into_iter().filter_map(entry).collect();
        Ok((Page { items, next }, snapshot.checkpoints()))
    }
}
