//! Uploads of attachment ciphertext (SPEC 4): segments in any order, durable when answered, then the root.

use bytes::Bytes;
use postfach_domain::decide::Refusal;
use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::limits;
use postfach_domain::segments::{SegmentRoot, segment_count, segment_leaf, segment_len};
use postfach_domain::time::Timestamp;

use super::{App, AppError, Caller, SegmentRange, UploadState};
use crate::blobs::{BlobKey, Deletion, SegmentName};
use crate::commit::{Applied, Needs, Operation, Outcome, WorkingSet};
use crate::storage::sql::attachments::{self, Attachment};
use crate::storage::{Ask, StoreError};

/// Runs of missing segments in one answer.
const RUNS: usize = 1000;
/// Segments read at a time.
const CHUNK: u64 = 4096;

impl App {
    /// Starts an upload. Asking twice for the same id and length gives the same upload.
    pub async fn create_upload(
        &self,
        caller: &Caller,
        id: AttachmentId,
        ct_len: u64,
    ) -> Result<UploadState, AppError> {
        self.require_member(caller).await?;
        if ct_len == 0 {
            return Err(AppError::invalid("ct_len", "empty; an age file never is"));
        }
        if ct_len > limits::ATTACHMENT_CT_LEN {
            return Err(AppError::Limit("attachment_ciphertext_bytes"));
        }
        let sender_no = self.party_no(&caller.party).await?.ok_or(AppError::NotFound)?;
        let blob = BlobKey(self.random_16());
        let outcome = self.submit(CreateUpload { sender_no, id, ct_len, blob }).await?;
        let attachment = self.attachment(sender_no, id).await?;
        match (outcome, attachment) {
            (Outcome::Known(None), None) => Err(AppError::Limit("open_uploads")),
            (_, Some(attachment)) if attachment.ct_len == ct_len => self.upload_state(&attachment).await,
            _ => Err(AppError::invalid("attachment_id", "stands for an attachment of another length")),
        }
    }

    /// Stores one segment durably and answers its leaf hash. Any order, twice is fine.
    pub async fn write_segment(
        &self,
        caller: &Caller,
        id: AttachmentId,
        index: u64,
        data: Bytes,
    ) -> Result<Digest, AppError> {
        let attachment = self.own_upload(caller, id).await?;
        match segment_len(attachment.ct_len, index) {
            Some(length) if length == data.len() => {}
            Some(_) => return Err(AppError::invalid("data", "not the length of this segment")),
            None => return Err(AppError::invalid("index", "beyond the last segment")),
        }
        let bytes = data.clone();
        let hash = move || segment_leaf(&id, index, &bytes);
        let leaf = tokio::task::spawn_blocking(hash).await.map_err(|_| AppError::Internal)?;
        if attachment.ct_root.is_some() {
            return self.committed_segment(&attachment, index, leaf).await;
        }
        self.blobs.put(SegmentName { blob: attachment.blob, index, leaf }, data).await?;
        let operation =
            RecordSegment { sender_no: attachment.sender_no, id, blob: attachment.blob, index, leaf };
        match self.submit(operation).await {
            Ok(Outcome::Known(_)) => self.committed_segment(&attachment, index, leaf).await,
            Ok(_) => Ok(leaf),
            Err(error) => {
                if matches!(error, AppError::NotFound) {
                    self.delete_orphan(attachment.blob).await;
                }
                Err(error)
            }
        }
    }

    /// Deletes what was stored for a blob that had gone meanwhile. It is listed as garbage, but where the round of cleaning
    /// that deletes the blob is just ending, it takes this entry for its own.
    async fn delete_orphan(&self, blob: BlobKey) {
        match self.blobs.delete(blob).await {
            Ok(Deletion::Done | Deletion::Held) => {}
            Err(error) => tracing::warn!(%error, "an expired upload's segment stays until the next cleaning"),
        }
    }

    /// A segment of an attachment that was committed already: the same bytes are fine.
    async fn committed_segment(
        &self,
        attachment: &Attachment,
        index: u64,
        leaf: Digest,
    ) -> Result<Digest, AppError> {
        let stored = attachments::segments(&mut Ask(&*self.store), attachment.blob, index, 1).await?;
        match stored.first() {
            Some((at, known)) if *at == index && *known == leaf => Ok(leaf),
            _ => Err(AppError::invalid("data", "differs from the committed segment")),
        }
    }

    /// Where the caller's upload stands.
    pub async fn get_upload(&self, caller: &Caller, id: AttachmentId) -> Result<UploadState, AppError> {
        let attachment = self.own_upload(caller, id).await?;
        self.upload_state(&attachment).await
    }

    /// Compares the root and makes the attachment available to Deliver.
    pub async fn commit_upload(
        &self,
        caller: &Caller,
        id: AttachmentId,
        ct_root: Digest,
    ) -> Result<UploadState, AppError> {
        let mut attachment = self.own_upload(caller, id).await?;
        if attachment.ct_root.is_none() {
            // What cannot be committed does not burden the committer.
            let (root, segments) = self.root_of(&attachment).await?;
            if segments != segment_count(attachment.ct_len) {
                return Err(AppError::invalid("attachment_id", "segments are missing"));
            }
            if root == ct_root {
                let (sender_no, blob) = (attachment.sender_no, attachment.blob);
                self.submit(CommitUpload { sender_no, id, blob, segments, ct_root }).await?;
                attachment = self.own_upload(caller, id).await?;
            }
        }
        if attachment.ct_root != Some(ct_root) {
            return Err(AppError::invalid("ct_root", "the stored segments have another root"));
        }
        self.upload_state(&attachment).await
    }

    async fn attachment(&self, sender_no: u64, id: AttachmentId) -> Result<Option<Attachment>, StoreError> {
        let found = attachments::by_id(&mut Ask(&*self.store), [(sender_no, id)]).await?;
        Ok(found.into_iter().next())
    }

    async fn own_upload(&self, caller: &Caller, id: AttachmentId) -> Result<Attachment, AppError> {
        self.require_member(caller).await?;
        let sender_no = self.party_no(&caller.party).await?.ok_or(AppError::NotFound)?;
        self.attachment(sender_no, id).await?.ok_or(AppError::NotFound)
    }

    /// Root over the segments that are stored, and how many there are.
    async fn root_of(&self, attachment: &Attachment) -> Result<(Digest, u64), StoreError> {
        let mut root = SegmentRoot::new();
        let mut next = 0;
        loop {
            let mut query = Ask(&*self.store);
            let segments = attachments::segments(&mut query, attachment.blob, next, CHUNK).await?;
            for (index, leaf) in &segments {
                if *index != next {
                    return Ok((root.root(), root.len()));
                }
                root.push(*leaf);
                next += 1;
            }
            if (segments.len() as u64) < CHUNK {
                return Ok((root.root(), root.len()));
            }
        }
    }

    async fn upload_state(&self, attachment: &Attachment) -> Result<UploadState, AppError> {
        let committed = attachment.ct_root.is_some();
        let count = segment_count(attachment.ct_len);
        let missing = if committed { Vec::new() } else { self.missing(attachment, count).await? };
        let expires_at = if attachment.refs > 0 { Timestamp::default() } else { attachment.expires_at };
        Ok(UploadState {
            attachment_id: attachment.attachment_id,
            ct_len: attachment.ct_len,
            segment_count: count,
            missing,
            committed,
            expires_at,
        })
    }

    async fn missing(&self, attachment: &Attachment, count: u64) -> Result<Vec<SegmentRange>, StoreError> {
        let mut runs = Vec::new();
        let mut next = 0;
        while runs.len() < RUNS {
            let mut query = Ask(&*self.store);
            let stored = attachments::segments(&mut query, attachment.blob, next, CHUNK).await?;
            let last = (stored.len() as u64) < CHUNK;
            for (index, _) in stored {
                if index > next {
                    runs.push(SegmentRange { first: next, count: index - next });
                }
                next = index + 1;
            }
            if last {
                if next < count {
                    runs.push(SegmentRange { first: next, count: count - next });
                }
                break;
            }
        }
        runs.truncate(RUNS);
        Ok(runs)
    }
}

/// A new upload on its way.
#[derive(Debug)]
struct CreateUpload {
    sender_no: u64,
    id: AttachmentId,
    ct_len: u64,
    blob: BlobKey,
}

impl Operation for CreateUpload {
    fn needs(&self, needs: &mut Needs) {
        needs.attachments.insert((self.sender_no, self.id));
        needs.open_uploads.insert(self.sender_no);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let key = (self.sender_no, self.id);
        let open = set.open_uploads.entry(self.sender_no).or_default();
        if set.attachments.get(&key).is_some() || *open >= limits::OPEN_UPLOADS as u64 {
            return Ok(Applied::Known(None));
        }
        *open += 1;
        let attachment = Attachment {
            blob: self.blob,
            sender_no: self.sender_no,
            attachment_id: self.id,
            ct_len: self.ct_len,
            ct_root: None,
            expires_at: set.now().plus_ms(limits::UPLOAD_LIFE_SECONDS * 1000),
            refs: 0,
        };
        set.attachments.put(key, attachment);
        Ok(Applied::Stored)
    }
}

/// A stored segment on its way into the database.
#[derive(Debug)]
struct RecordSegment {
    sender_no: u64,
    id: AttachmentId,
    blob: BlobKey,
    index: u64,
    leaf: Digest,
}

impl Operation for RecordSegment {
    fn needs(&self, needs: &mut Needs) {
        needs.attachments.insert((self.sender_no, self.id));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let attachment = set.attachments.get(&(self.sender_no, self.id));
        // It may have expired, or been committed, since the segment was stored.
        match attachment.filter(|attachment| attachment.blob == self.blob) {
            Some(attachment) if attachment.ct_root.is_none() => {
                set.changes.segments.insert((self.blob, self.index), self.leaf);
                Ok(Applied::Stored)
            }
            Some(_) => Ok(Applied::Known(None)),
            None => {
                set.changes.orphans.insert(self.blob);
                Ok(Applied::Refused(Refusal::NotFound))
            }
        }
    }
}

/// A root on its way. It was compared already, but a segment may have been written anew since: here it is compared with
/// what is committed with it.
#[derive(Debug)]
struct CommitUpload {
    sender_no: u64,
    id: AttachmentId,
    blob: BlobKey,
    /// How many there are.
    segments: u64,
    ct_root: Digest,
}

impl Operation for CommitUpload {
    /// What is loaded for it counts like what is written.
    fn weight(&self) -> usize {
        usize::try_from(self.segments).unwrap_or(usize::MAX).saturating_mul(size_of::<Digest>())
    }

    fn needs(&self, needs: &mut Needs) {
        needs.attachments.insert((self.sender_no, self.id));
        needs.leaves.insert(self.blob);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let key = (self.sender_no, self.id);
        let attachment = set.attachments.get(&key).filter(|a| a.blob == self.blob).cloned();
        let mut attachment = attachment.ok_or(Refusal::NotFound)?;
        if attachment.ct_root.is_some() || set.root_of(self.blob) != (self.ct_root, self.segments) {
            return Ok(Applied::Known(None));
        }
        attachment.ct_root = Some(self.ct_root);
        attachment.expires_at = set.now().plus_ms(limits::UPLOAD_LIFE_SECONDS * 1000);
        set.attachments.put(key, attachment);
        Ok(Applied::Stored)
    }
}
