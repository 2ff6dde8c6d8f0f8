//! A page of everything that happened in a mailbox, with covers, certificates and chains to check it: all under one
//! checkpoint, at most 500 rows and 3.5 MiB.

use std::collections::{BTreeSet, HashMap};

use postfach_domain::event::EventType;
use postfach_domain::head::ChainHead;
use postfach_domain::id::Party;
use postfach_domain::limits;

use super::get_chain::own_address;
use super::{App, AppError, Caller, SignedHead, SyncItem, SyncPage, cursor};
use crate::evidence::{LogName, LoggedEvent};
use crate::logs::Snapshot;
use crate::storage::sql::events::{self, EventRow};
use crate::storage::sql::mailboxes::{self, Link, Mailbox};
use crate::storage::sql::messages::{self, CoverRow, Message};
use crate::storage::{Ask, Query};

/// Bytes that a row takes beside its contents: event, salt, proof.
const ROW_BYTES: usize = 2048;
/// Bytes of a link with two recipients, rounded up.
const LINK_BYTES: usize = 4096;

impl App {
    /// What happened in the caller's mailbox after a cursor (empty: from the start).
    pub async fn sync(&self, caller: &Caller, cursor: &str, page_size: u32) -> Result<SyncPage, AppError> {
        self.require_member(caller).await?;
        let address = own_address(caller)?;
        let (from, limit) = (cursor::index("cursor", cursor)?, cursor::page_size(page_size)?);
        // The state first: what is read after it is at least as new, and what is newer is left out.
        let snapshot = self.view.newest().await?;
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        let size = snapshot.size(LogName::Evidence);
        // One instant for events and covers: an erasure in between would look as if the service hid something.
        let mut query = self.store.snapshot().await?;
        let mut rows = events::of_recipient(&mut *query, mailbox.no, from, size, limit + 1).await?;
        let mut has_more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut content = Content::of(&mut *query, &rows).await?;
        drop(query);
        let fitting = content.fitting(&rows);
        has_more |= fitting < rows.len();
        rows.truncate(fitting);
        let next = if has_more { rows.last().map_or(from, |row| row.index + 1) } else { from.max(size) };
        let head = if has_more { None } else { Some(self.own_head(&mailbox, &snapshot).await?) };
        let (authorities, senders) = self.actors(&rows, &content, &snapshot).await?;
        let erased: Vec<bool> = rows.iter().map(|row| row.event.is_none()).collect();
        let facts: Vec<_> = rows.iter().map(|row| (row.event_type, row.message_no)).collect();
        let events = self.logged_events(rows, &snapshot).await?;
        let items = events
            .into_iter()
            .zip(facts)
            .zip(erased)
            .map(|((event, (event_type, message_no)), erased)| {
                content.item(event, event_type, message_no, erased, self.now())
            })
            .collect();
        Ok(SyncPage {
            items,
            next_cursor: cursor::of_index(next),
            has_more,
            authorities,
            senders: self.logged_chains(senders, &snapshot).await?,
            head,
            checkpoints: snapshot.checkpoints(),
        })
    }

    /// Certificates of the authorities and chains of the citizens who sent, once each.
    async fn actors(
        &self,
        rows: &[EventRow],
        content: &Content,
        snapshot: &Snapshot,
    ) -> Result<(Vec<super::AuthorityKey>, Vec<Vec<Link>>), AppError> {
        let mut authorities = BTreeSet::new();
        let mut citizens = BTreeSet::new();
        for message in rows.iter().filter_map(|row| content.messages.get(&row.message_no?)) {
            match &message.sender {
                Party::Authority(_) => authorities.insert(message.sender_no),
                Party::Mailbox(_) => citizens.insert(message.sender_no),
            };
        }
        let keys = self.authority_keys(authorities, snapshot).await?;
        let mut chains = Vec::new();
        for no in citizens {
            chains.push(self.links(no, snapshot).await?);
        }
        Ok((keys.into_iter().map(|(_, key)| key).collect(), chains))
    }

    async fn own_head(&self, mailbox: &Mailbox, snapshot: &Snapshot) -> Result<SignedHead, AppError> {
        let key = (mailbox.address, mailbox.head_seq);
        let newest = mailboxes::link_hashes(&mut Ask(&*self.store), [key]).await?;
        let size = snapshot.size(LogName::Keys);
        let head = match newest.first() {
            Some((_, (link_hash, index))) if *index < size => {
                ChainHead { seq: mailbox.head_seq, link_hash: *link_hash }
            }
            // A link came in since: the statement is about the tree of this state.
            _ => {
                let links = self.links(mailbox.no, snapshot).await?;
                // None where the mailbox itself is younger than this state.
                let newest = links.last().ok_or(AppError::NotFound)?;
                ChainHead { seq: newest.seq, link_hash: newest.link_hash }
            }
        };
        Ok(self.signed_head(&mailbox.address, head, snapshot))
    }
}

/// What the rows of a page refer to.
struct Content {
    messages: HashMap<u64, Message>,
    covers: HashMap<u64, CoverRow>,
    /// Size of outer header, copy and cover, by message.
    cover_bytes: HashMap<u64, usize>,
    /// Size of the chains of citizens who sent, by number.
    chain_bytes: HashMap<u64, usize>,
}

impl Content {
    /// Messages of the page, and covers of those that it accepts.
    async fn of(query: &mut dyn Query, rows: &[EventRow]) -> Result<Self, AppError> {
        let nos: BTreeSet<u64> = rows.iter().filter_map(|row| row.message_no).collect();
        let found = messages::by_no(query, nos).await?;
        let accepted = |rows: &[EventRow]| -> Vec<u64> {
            let accepted = rows.iter().filter(|row| row.event_type == Some(EventType::Accepted));
            accepted.filter_map(|row| row.message_no).collect()
        };
        let sizes = messages::cover_sizes(query, accepted(rows)).await?;
        let size = |(no, bytes)| (no, usize::try_from(bytes).unwrap_or(limits::PAGE_LEN));
        let cover_bytes = sizes.into_iter().map(size).collect();
        let messages: HashMap<u64, Message> = found.into_iter().map(|m| (m.no, m)).collect();
        let mut content = Self { messages, covers: HashMap::new(), cover_bytes, chain_bytes: HashMap::new() };
        let mailboxes: BTreeSet<_> = content
            .messages
            .values()
            .filter_map(|message| match message.sender {
                Party::Mailbox(address) => Some((message.sender_no, address)),
                Party::Authority(_) => None,
            })
            .collect();
        for (no, address) in mailboxes {
            let found = mailboxes::by_address(query, [&address]).await?;
            let links = found.first().map_or(0, |mailbox| mailbox.head_seq as usize + 1);
            content.chain_bytes.insert(no, links * LINK_BYTES);
        }
        let fitting = content.fitting(rows);
        let covers = messages::covers(query, accepted(&rows[..fitting])).await?;
        content.covers = covers.into_iter().map(|cover| (cover.message_no, cover)).collect();
        Ok(content)
    }

    /// How many rows fit into one page; at least one.
    fn fitting(&self, rows: &[EventRow]) -> usize {
        let mut chains = BTreeSet::new();
        let mut bytes = 0;
        for (count, row) in rows.iter().enumerate() {
            bytes += ROW_BYTES + row.event.as_ref().map_or(0, Vec::len);
            if let Some(message) = row.message_no.and_then(|no| self.messages.get(&no)) {
                if row.event_type == Some(EventType::Accepted) {
                    bytes += self.cover_bytes.get(&message.no).copied().unwrap_or_default();
                }
                if chains.insert(message.sender_no) {
                    bytes += self.chain_bytes.get(&message.sender_no).copied().unwrap_or_default();
                }
            }
            if bytes > limits::PAGE_LEN && count > 0 {
                return count;
            }
        }
        rows.len()
    }

    fn item(
        &mut self,
        event: LoggedEvent,
        event_type: Option<EventType>,
        message_no: Option<u64>,
        erased: bool,
        now: postfach_domain::time::Timestamp,
    ) -> SyncItem {
        let mut item = SyncItem {
            event,
            outer: bytes::Bytes::new(),
            cover: bytes::Bytes::new(),
            sender_copy: bytes::Bytes::new(),
            letter_length: 0,
            erased,
        };
        let message = message_no.and_then(|no| self.messages.get(&no));
        let (Some(EventType::Accepted), Some(message)) = (event_type, message) else { return item };
        item.letter_length = message.letter_length.unwrap_or_default();
        let Some(row) = self.covers.remove(&message.no) else { return item };
        item.outer = row.outer.into();
        item.sender_copy = row.sender_copy.into();
        // What she deleted stays deleted, and nothing is shown before its time.
        if !message.has(EventType::Deleted) && now >= message.available_at {
            item.cover = row.cover.into();
        }
        item
    }
}
