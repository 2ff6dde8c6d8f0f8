//! The ciphertext of attachments, segment by segment (`--blobs`), wherever it lies. What changed while the audit ran is
//! looked up again before it is called wrong.

use postfach_domain::hash::Digest;
use postfach_domain::segments::{segment_leaf, segment_len};
use tokio::runtime::Handle;

use super::attachments::{AttachmentFacts, Blobs};
use super::pipeline::in_order;
use super::problem::{Checked, Failure, bad_at};
use crate::blobs::{BlobError, BlobKey, BlobStore, SegmentName};
use crate::storage::Query;
use crate::storage::audit::{ATTACHMENT, GARBAGE, Pager, Record, SEGMENT, Source, Table};

/// Segments that go to another thread at once.
const SEGMENTS: u64 = 16;

/// A segment that must be there.
struct Wanted {
    name: SegmentName,
    attachment: AttachmentFacts,
}

/// Checks that every segment is there with its hash, and nothing else; answers how many were read.
pub async fn check_blobs(
    query: &mut dyn Query,
    source: &Source,
    store: &dyn BlobStore,
    blobs: &Blobs,
) -> Checked<u64> {
    let mut pager = Pager::new(&SEGMENT, SEGMENTS);
    let mut read = 0;
    let mut suspects = Vec::new();
    let runtime = Handle::current();
    let work = |rows: Vec<Record>| check_segments(&runtime, store, blobs, rows);
    let sink = |(files, bad): (u64, Vec<(SegmentName, Failure)>)| {
        read += files;
        suspects.extend(bad);
        Ok(())
    };
    let next = async || {
        let page = pager.next(query).await?;
        Ok(if page.is_empty() { None } else { Some(page) })
    };
    in_order(next, work, sink)?;
    for (name, failure) in suspects {
        // Expired, erased or written anew meanwhile?
        let now = row_of(source, &SEGMENT, name.blob, Some(name.index)).await?;
        if now.map(|mut row| leaf_of(&mut row)).transpose()? == Some(name.leaf) {
            return Err(failure);
        }
    }
    nothing_else(source, store, blobs).await?;
    Ok(read)
}

fn check_segments(
    runtime: &Handle,
    store: &dyn BlobStore,
    blobs: &Blobs,
    rows: Vec<Record>,
) -> Checked<(u64, Vec<(SegmentName, Failure)>)> {
    let mut suspects = Vec::new();
    let mut read = 0;
    for mut row in rows {
        let (blob, index, leaf) = (BlobKey(row.array()?), row.unsigned()?, Digest(row.array()?));
        let Some(attachment) = blobs.attachments.get(&blob).copied() else { continue };
        let name = SegmentName { blob, index, leaf };
        match check_segment(runtime, store, &Wanted { name, attachment }) {
            Ok(()) => {}
            Err(Failure::Bad(problem)) => suspects.push((name, Failure::Bad(problem))),
            Err(other) => return Err(other),
        }
        read += 1;
    }
    Ok((read, suspects))
}

fn check_segment(runtime: &Handle, store: &dyn BlobStore, wanted: &Wanted) -> Checked<()> {
    let SegmentName { index, leaf, .. } = wanted.name;
    let path = wanted.name.path();
    let wrong = |what: &str| Err(bad_at("file", shown(&path), what));
    let bytes = match runtime.block_on(store.get(wanted.name)) {
        Ok(bytes) => bytes,
        Err(BlobError::NotFound) => return wrong("the segment is missing"),
        Err(BlobError::Damaged) => return wrong("the segment has another hash"),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    if segment_len(wanted.attachment.ct_len, index) != Some(bytes.len()) {
        return wrong("the segment has another length");
    }
    if segment_leaf(&wanted.attachment.id, index, &bytes) == leaf {
        Ok(())
    } else {
        wrong("the segment has another hash")
    }
}

/// A path as people find it.
fn shown(path: &str) -> String {
    format!("blobs/{path}")
}

fn unreadable(path: &str, error: &BlobError) -> Failure {
    Failure::Unreadable(format!("{}: {error}", shown(path)))
}

/// The row as it is now, in a snapshot of its own.
async fn row_of(
    source: &Source,
    table: &'static Table,
    blob: BlobKey,
    index: Option<u64>,
) -> Checked<Option<Record>> {
    let mut now = source.open().await?;
    Ok(table.at(&mut *now, std::iter::once((&blob.0).into()).chain(index.map(Into::into)).collect()).await?)
}

fn leaf_of(row: &mut Record) -> Checked<Digest> {
    row.skip();
    row.skip();
    Ok(Digest(row.array()?))
}

/// Everything that is stored belongs to a blob that the database knows, or waits for deletion. Bytes that were written anew
/// before the upload was committed lie beside those that count.
async fn nothing_else(source: &Source, store: &dyn BlobStore, blobs: &Blobs) -> Checked<()> {
    let mut names = store.names();
    // Names come blob by blob.
    let mut excused = None;
    while let Some(path) = names.recv().await {
        let path = path.map_err(|error| Failure::Unreadable(format!("blobs: {error}")))?;
        let Some(name) = SegmentName::from_path(&path) else {
            return Err(bad_at("file", shown(&path), "no segment of any attachment has such a name"));
        };
        match blobs.attachments.get(&name.blob) {
            Some(attachment) if segment_len(attachment.ct_len, name.index).is_some() => {}
            Some(_) => return Err(bad_at("file", shown(&path), "the attachment has no such segment")),
            None if blobs.garbage.contains(&name.blob) || excused == Some(name.blob) => {}
            None => {
                check_stranger(source, store, name).await?;
                excused = Some(name.blob);
            }
        }
    }
    Ok(())
}

/// A blob that the snapshot does not know: begun since, or deleted since.
async fn check_stranger(source: &Source, store: &dyn BlobStore, name: SegmentName) -> Checked<()> {
    let mut known = row_of(source, &ATTACHMENT, name.blob, None).await?.is_some();
    known |= row_of(source, &GARBAGE, name.blob, None).await?.is_some();
    if known {
        return Ok(());
    }
    match store.get(name).await {
        Err(BlobError::NotFound) => Ok(()),
        Ok(_) | Err(BlobError::Damaged) => {
            Err(bad_at("file", shown(&name.path()), "no attachment has this blob"))
        }
        Err(error) => Err(unreadable(&name.path(), &error)),
    }
}
