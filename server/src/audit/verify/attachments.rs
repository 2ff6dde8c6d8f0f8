//! Attachments and their segments: uses are counted, roots follow from segment hashes. The ciphertext itself is checked
//! in `blobs`.

use std::collections::{HashMap, HashSet, VecDeque};

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{SegmentRoot, segment_count};

use super::facts::Keys;
use super::history::History;
use super::problem::{Checked, bad, bad_at, hold};
use super::report::Counts;
use crate::blobs::BlobKey;
use crate::storage::Query;
use crate::storage::audit::{ATTACHMENT, GARBAGE, Pager, Record, SEGMENT};

/// An attachment, as far as its ciphertext must fit it.
#[derive(Clone, Copy, Debug)]
pub struct AttachmentFacts {
    /// Chosen by the sender; part of every segment's hash.
    pub id: AttachmentId,
    /// Bytes of ciphertext.
    pub ct_len: u64,
}

/// All blobs that the database knows.
#[derive(Debug, Default)]
pub struct Blobs {
    /// By name.
    pub attachments: HashMap<BlobKey, AttachmentFacts>,
    /// Those that wait for deletion.
    pub garbage: HashSet<BlobKey>,
}

/// Checks both tables and the list of garbage.
pub async fn check_attachments(
    query: &mut dyn Query,
    keys: &Keys,
    history: &History,
    counts: &mut Counts,
) -> Checked<Blobs> {
    let mut blobs = Blobs::default();
    let mut segments = Segments { pager: Pager::new(&SEGMENT, 4096), rows: VecDeque::new() };
    let mut used = 0;
    let mut pager = Pager::new(&ATTACHMENT, 1024);
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            break;
        }
        for mut row in page {
            let blob = BlobKey(row.array()?);
            let sender = row.unsigned()?;
            let party = keys.authorities.contains_key(&sender) || keys.mailbox(sender).is_some();
            hold(&row, party, "sender_no names nobody")?;
            let id = AttachmentId(row.array()?);
            let ct_len = row.unsigned()?;
            let root: Option<Digest> = row.opt_array()?.map(Digest);
            row.unsigned()?;
            let refs = row.unsigned()?;
            let uses = history.uses.get(&blob).copied().unwrap_or_default();
            hold(&row, refs == uses, format!("refs is {refs}, but {uses} messages use it"))?;
            used += u64::from(uses > 0);
            let (found, count) = segments.root_of(query, &row, blob, ct_len).await?;
            if let Some(root) = root {
                hold(&row, count == segment_count(ct_len), "a segment of the attachment is missing")?;
                hold(&row, found == root, "ct_root is not that of the segments")?;
            }
            counts.attachments += 1;
            counts.segments += count;
            blobs.attachments.insert(blob, AttachmentFacts { id, ct_len });
        }
    }
    if let Some(row) = segments.rows.front() {
        return Err(bad(row, "there is no such attachment"));
    }
    if used != history.uses.len() as u64 {
        return Err(bad_at("attachment", "", "a message uses an attachment that is not there"));
    }
    check_garbage(query, &mut blobs).await?;
    Ok(blobs)
}

async fn check_garbage(query: &mut dyn Query, blobs: &mut Blobs) -> Checked<()> {
    let mut pager = Pager::new(&GARBAGE, 4096);
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            return Ok(());
        }
        for mut row in page {
            let blob = BlobKey(row.array()?);
            hold(&row, !blobs.attachments.contains_key(&blob), "an attachment still has this blob")?;
            blobs.garbage.insert(blob);
        }
    }
}

/// Segments of all blobs, read ahead.
struct Segments {
    pager: Pager,
    rows: VecDeque<Record>,
}

impl Segments {
    /// Root over the segments of one blob, and how many there are. Only an upload that is still open may have gaps, and
    /// its root means nothing.
    async fn root_of(
        &mut self,
        query: &mut dyn Query,
        attachment: &Record,
        blob: BlobKey,
        ct_len: u64,
    ) -> Checked<(Digest, u64)> {
        let mut root = SegmentRoot::new();
        let wanted = attachment.first_blob();
        loop {
            if self.rows.is_empty() {
                self.rows = self.pager.next(query).await?.into();
            }
            let Some(front) = self.rows.front() else { break };
            if front.first_blob() > wanted {
                break;
            }
            let Some(mut row) = self.rows.pop_front() else { break };
            let (named, index, leaf) = (BlobKey(row.array()?), row.unsigned()?, Digest(row.array()?));
            hold(&row, named == blob, "there is no such attachment")?;
            hold(&row, index < segment_count(ct_len), "the attachment has no such segment")?;
            root.push(leaf);
        }
        Ok((root.root(), root.len()))
    }
}
