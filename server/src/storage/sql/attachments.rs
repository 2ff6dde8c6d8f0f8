//! Attachments, their segments, and blobs that wait for deletion.

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::time::Timestamp;

use super::digest;
use crate::blobs::BlobKey;
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx};

/// An attachment of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name in the blob store.
    pub blob: BlobKey,
    /// Who uploaded it.
    pub sender_no: u64,
    /// Chosen by the sender.
    pub attachment_id: AttachmentId,
    /// Bytes of ciphertext.
    pub ct_len: u64,
    /// Set once committed.
    pub ct_root: Option<Digest>,
    /// When it goes if no message uses it.
    pub expires_at: Timestamp,
    /// Messages that use it.
    pub refs: u64,
}

fn attachment(row: &mut Row) -> Result<Attachment, StoreError> {
    Ok(Attachment {
        blob: BlobKey(row.array(0)?),
        sender_no: row.unsigned(1)?,
        attachment_id: AttachmentId(row.array(2)?),
        ct_len: row.unsigned(3)?,
        ct_root: row.opt_array(4)?.map(Digest),
        expires_at: Timestamp(row.unsigned(5)?),
        refs: row.unsigned(6)?,
    })
}

/// The attachments that exist among (sender, id).
pub async fn by_id(
    query: &mut dyn Query,
    keys: impl IntoIterator<Item = (u64, AttachmentId)>,
) -> Result<Vec<Attachment>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT a.blob, a.sender_no, a.attachment_id, a.ct_len, a.ct_root, a.expires_at, a.refs FROM {in} AS v
         JOIN attachment AS a ON a.sender_no = v.column1 AND a.attachment_id = v.column2",
        2,
    );
    let keys = keys.into_iter().map(|(sender, id)| vec![sender.into(), id.as_bytes().into()]).collect();
    SELECT.fetch(query, keys).await?.iter_mut().map(attachment).collect()
}

/// The attachments of one message.
pub async fn of_message(query: &mut dyn Query, message_no: u64) -> Result<Vec<Attachment>, StoreError> {
    let sql = "SELECT a.blob, a.sender_no, a.attachment_id, a.ct_len, a.ct_root, a.expires_at, a.refs
               FROM message_attachment AS m JOIN attachment AS a ON a.blob = m.blob WHERE m.message_no = $1";
    query.fetch(sql.into(), vec![message_no.into()]).await?.iter_mut().map(attachment).collect()
}

/// How many uploads of a sender are open: not committed and not expired.
pub async fn open_uploads(query: &mut dyn Query, sender_no: u64, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM attachment WHERE sender_no = $1 AND ct_root IS NULL AND expires_at > $2";
    let rows = query.fetch(sql.into(), vec![sender_no.into(), now.into()]).await?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.unsigned(0))
}

/// Attachments that no message uses and whose time is over, at most `limit`.
pub async fn expired(
    query: &mut dyn Query,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Attachment>, StoreError> {
    let sql = "SELECT blob, sender_no, attachment_id, ct_len, ct_root, expires_at, refs FROM attachment
               WHERE refs = 0 AND expires_at <= $1 LIMIT $2";
    query.fetch(sql.into(), vec![now.into(), limit.into()]).await?.iter_mut().map(attachment).collect()
}

/// Adds or replaces attachments.
pub async fn upsert(tx: &mut dyn Tx, attachments: &[&Attachment]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO attachment (blob, sender_no, attachment_id, ct_len, ct_root, expires_at, refs)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (blob) DO UPDATE SET ct_root = excluded.ct_root, expires_at = excluded.expires_at,
             refs = excluded.refs",
        7,
    );
    let row = |a: &&Attachment| {
        vec![
            (&a.blob.0).into(),
            a.sender_no.into(),
            a.attachment_id.as_bytes().into(),
            a.ct_len.into(),
            a.ct_root.map(Digest::to_vec).into(),
            a.expires_at.into(),
            a.refs.into(),
        ]
    };
    UPSERT.write(tx, attachments.iter().map(row).collect()).await
}

/// Says which message uses which attachment.
pub async fn insert_uses(tx: &mut dyn Tx, uses: &[(u64, AttachmentId, BlobKey)]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO message_attachment (message_no, attachment_id, blob)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        3,
    );
    let row = |(message_no, id, blob): &(u64, AttachmentId, BlobKey)| {
        vec![(*message_no).into(), id.as_bytes().into(), (&blob.0).into()]
    };
    INSERT.write(tx, uses.iter().map(row).collect()).await
}

/// Forgets which attachments a message used; answers how many.
pub async fn delete_uses(tx: &mut dyn Tx, message_no: u64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM message_attachment WHERE message_no = $1";
    tx.execute(sql.into(), vec![message_no.into()]).await
}

/// Removes attachments with their segments and lists their blobs as garbage.
pub async fn delete(tx: &mut dyn Tx, blobs: &[BlobKey]) -> Result<(), StoreError> {
    static DELETE: ManyRows =
        ManyRows::new("DELETE FROM attachment WHERE blob IN (SELECT column1 FROM {v} AS v)", 1);
    DELETE.write(tx, blobs.iter().map(|blob| vec![(&blob.0).into()]).collect()).await?;
    for blob in blobs {
        tx.execute("DELETE FROM segment WHERE blob = $1".into(), vec![(&blob.0).into()]).await?;
    }
    insert_garbage(tx, blobs).await
}

/// Lists blobs that wait for deletion; they may be listed already.
pub async fn insert_garbage(tx: &mut dyn Tx, blobs: &[BlobKey]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO garbage (blob) SELECT column1 FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (blob) DO NOTHING",
        1,
    );
    INSERT.write(tx, blobs.iter().map(|blob| vec![(&blob.0).into()]).collect()).await
}

/// Segments of a blob from an index on: index and leaf, ascending, at most `limit`.
pub async fn segments(
    query: &mut dyn Query,
    blob: BlobKey,
    from: u64,
    limit: u64,
) -> Result<Vec<(u64, Digest)>, StoreError> {
    let sql = "SELECT idx, leaf FROM segment WHERE blob = $1 AND idx >= $2 ORDER BY idx LIMIT $3";
    let rows = query.fetch(sql.into(), vec![(&blob.0).into(), from.into(), limit.into()]).await?;
    rows.into_iter().map(|mut row| Ok((row.unsigned(0)?, digest(&mut row, 1)?))).collect()
}

/// Leaves of all segments of a blob that are stored, in order.
pub async fn leaves(query: &mut dyn Query, blob: BlobKey) -> Result<Vec<Digest>, StoreError> {
    /// Rows at a time: they take more room than their leaves.
    const PAGE: usize = 4096;
    let (mut leaves, mut next) = (Vec::new(), 0);
    loop {
        let page = segments(query, blob, next, PAGE as u64).await?;
        next = page.last().map_or(next, |(index, _)| index + 1);
        let last = page.len() < PAGE;
        leaves.extend(page.into_iter().map(|(_, leaf)| leaf));
        if last {
            return Ok(leaves);
        }
    }
}

/// Writes segments; the same index again replaces the leaf.
pub async fn upsert_segments(tx: &mut dyn Tx, segments: &[(BlobKey, u64, Digest)]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO segment (blob, idx, leaf) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (blob, idx) DO UPDATE SET leaf = excluded.leaf",
        3,
    );
    let row = |(blob, index, leaf): &(BlobKey, u64, Digest)| {
        vec![(&blob.0).into(), (*index).into(), leaf.as_bytes().into()]
    };
    UPSERT.write(tx, segments.iter().map(row).collect()).await
}

/// Blobs that wait for deletion, at most `limit`.
pub async fn garbage(query: &mut dyn Query, limit: u64) -> Result<Vec<BlobKey>, StoreError> {
    let rows = query.fetch("SELECT blob FROM garbage LIMIT $1".into(), vec![limit.into()]).await?;
    rows.into_iter().map(|mut row| row.array(0).map(BlobKey)).collect()
}

/// Forgets a blob that the blob store has deleted.
pub async fn forget_garbage(tx: &mut dyn Tx, blob: BlobKey) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM garbage WHERE blob = $1".into(), vec![(&blob.0).into()]).await
}
