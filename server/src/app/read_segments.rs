//! Gives out attachment ciphertext: to its sender, and after HANDED_OVER to the recipient (SPEC 4).

use std::sync::Arc;

use bytes::Bytes;
use postfach_domain::event::EventType;
use postfach_domain::id::{AttachmentId, MessageId, Party};
use postfach_domain::limits;
use postfach_domain::segments::segment_count;

use super::hand_over::check_given;
use super::{App, AppError, Caller, Page, Refusal, SegmentLeaf, cursor};
use crate::blobs::{BlobError, BlobStore, SegmentName};
use crate::places::Place;
use crate::storage::sql::attachments::{self, Attachment};
use crate::storage::{Ask, Store};

/// Leaves of a page, whatever is asked: 32 bytes each.
const LEAVES: u64 = 10_000;

impl App {
    /// Leaf hashes of an attachment, for its sender or, after HANDED_OVER, its recipient.
    pub async fn list_segment_hashes(
        &self,
        caller: &Caller,
        message_id: MessageId,
        id: AttachmentId,
        page_size: u32,
        page_token: &str,
    ) -> Result<Page<SegmentLeaf>, AppError> {
        let attachment = self.readable(caller, message_id, id).await?;
        let from = cursor::index("page_token", page_token)?;
        let limit = if page_size == 0 { LEAVES } else { u64::from(page_size).min(LEAVES) };
        let mut found =
            attachments::segments(&mut Ask(&*self.store), attachment.blob, from, limit + 1).await?;
        let more = found.len() as u64 > limit;
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = found.last().filter(|_| more).map(|(index, _)| cursor::of_index(index + 1));
        Ok(Page { items: found.into_iter().map(|(_, leaf)| leaf).collect(), next })
    }

    /// Opens an attachment for reading segment by segment, under the same rule.
    pub async fn read_segments(
        &self,
        caller: &Caller,
        message_id: MessageId,
        id: AttachmentId,
    ) -> Result<AttachmentReader, AppError> {
        let attachment = self.readable(caller, message_id, id).await?;
        let place = self.readers.take(&caller.party, limits::READ_STREAMS);
        Ok(AttachmentReader {
            segment_count: segment_count(attachment.ct_len),
            ct_len: attachment.ct_len,
            place: Arc::new(place.ok_or(AppError::Limit("read_streams"))?),
            attachment,
            store: self.store.clone(),
            blobs: self.blobs.clone(),
        })
    }

    async fn readable(
        &self,
        caller: &Caller,
        message_id: MessageId,
        id: AttachmentId,
    ) -> Result<Attachment, AppError> {
        self.require_member(caller).await?;
        let message = self.message(message_id).await?.ok_or(AppError::NotFound)?;
        if message.sender != caller.party {
            if Party::Mailbox(message.recipient) != caller.party || message.has(EventType::Refused) {
                return Err(AppError::NotFound);
            }
            check_given(&message)?;
            if !message.has(EventType::HandedOver) {
                return Err(Refusal::NotHandedOver.into());
            }
        }
        let found = attachments::of_message(&mut Ask(&*self.store), message.no).await?;
        found.into_iter().find(|attachment| attachment.attachment_id == id).ok_or(AppError::NotFound)
    }
}

/// An attachment opened for reading.
#[derive(Debug)]
pub struct AttachmentReader {
    /// Segments that it has.
    pub segment_count: u64,
    /// Length of the ciphertext in bytes.
    pub ct_len: u64,
    /// To be kept for as long as any segment of it is in memory.
    pub place: Arc<Place<Party>>,
    attachment: Attachment,
    store: Arc<dyn Store>,
    blobs: Arc<dyn BlobStore>,
}

impl AttachmentReader {
    /// One segment, 4 MiB but for the last. `NotFound` at or above `segment_count`.
    pub async fn read(&self, index: u64) -> Result<Bytes, AppError> {
        if index >= self.segment_count {
            return Err(AppError::NotFound);
        }
        let blob = self.attachment.blob;
        let found = attachments::segments(&mut Ask(&*self.store), blob, index, 1).await?;
        let Some((_, leaf)) = found.into_iter().find(|(at, _)| *at == index) else {
            return Err(AppError::Internal);
        };
        match self.blobs.get(SegmentName { blob, index, leaf }).await {
            Err(BlobError::NotFound) => {
                tracing::error!(%blob, index, "a stored segment is missing");
                Err(AppError::Internal)
            }
            other => Ok(other?),
        }
    }
}
