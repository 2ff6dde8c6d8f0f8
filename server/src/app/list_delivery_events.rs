//! Everything that happened to the messages that the caller sent, page by page.

use postfach_domain::id::Party;

use super::{App, AppError, Caller, DeliveryEvents, cursor};
use crate::evidence::LogName;
use crate::storage::sql::{authorities, events};
use crate::storage::{Ask, StoreError};

impl App {
    /// What happened to the caller's messages after a cursor (empty: from the start).
    pub async fn list_delivery_events(
        &self,
        caller: &Caller,
        cursor: &str,
        page_size: u32,
    ) -> Result<DeliveryEvents, AppError> {
        self.require_member(caller).await?;
        let (from, limit) = (cursor::index("cursor", cursor)?, cursor::page_size(page_size)?);
        let sender_no = self.party_no(&caller.party).await?.ok_or(AppError::NotFound)?;
        let snapshot = self.view.newest().await?;
        let size = snapshot.size(LogName::Evidence);
        let mut rows = events::of_sender(&mut Ask(&*self.store), sender_no, from, size, limit + 1).await?;
        let has_more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let cursors = rows.iter().map(|row| cursor::of_index(row.index + 1)).collect();
        let next = rows.last().map_or(from.max(size), |row| row.index + 1);
        let events = self.logged_events(rows, &snapshot).await?;
        Ok(DeliveryEvents {
            events,
            cursors,
            next_cursor: cursor::of_index(next),
            has_more,
            checkpoints: snapshot.checkpoints(),
        })
    }

    /// The number of a party.
    pub(super) async fn party_no(&self, party: &Party) -> Result<Option<u64>, StoreError> {
        match party {
            Party::Mailbox(address) => Ok(self.mailbox(address).await?.map(|mailbox| mailbox.no)),
            Party::Authority(id) => {
                let found = authorities::by_id(&mut Ask(&*self.store), [id]).await?;
                Ok(found.into_iter().next().map(|authority| authority.no))
            }
        }
    }
}
