//! The ciphertext of attachments, segment file by segment file (`--blobs`). What changed while the audit ran is looked
//! up again before it is called wrong.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use postfach_domain::hash::Digest;
use postfach_domain::segments::{segment_leaf, segment_len};

use super::attachments::{AttachmentFacts, Blobs};
use super::pipeline::in_order;
use super::problem::{Checked, Failure, bad_at};
use crate::blobs::{BlobKey, LocalBlobs, SegmentName};
use crate::storage::Query;
use crate::storage::audit::{ATTACHMENT, GARBAGE, Pager, Record, SEGMENT, Table, open_read_only};

/// Segment files that go to another thread at once.
const FILES: u64 = 16;

/// A segment that must be there.
struct Wanted {
    name: SegmentName,
    attachment: AttachmentFacts,
}

/// Checks that every segment is there with its hash, and nothing else; answers how many files were read.
pub async fn check_blobs(
    query: &mut dyn Query,
    database: &Path,
    folder: &Path,
    blobs: &Blobs,
) -> Checked<u64> {
    let mut pager = Pager::new(&SEGMENT, FILES);
    let mut read = 0;
    let mut suspects = Vec::new();
    let work = |rows: Vec<Record>| check_files(folder, blobs, rows);
    let sink = |(files, bad): (u64, Vec<(SegmentName, Failure)>)| {
        read += files;
        suspects.extend(bad);
        Ok(())
    };
    let source = async || {
        let page = pager.next(query).await?;
        Ok(if page.is_empty() { None } else { Some(page) })
    };
    in_order(source, work, sink)?;
    for (name, failure) in suspects {
        // Expired, erased or written anew meanwhile?
        let now = row_of(database, &SEGMENT, name.blob, Some(name.index)).await?;
        if now.map(|mut row| leaf_of(&mut row)).transpose()? == Some(name.leaf) {
            return Err(failure);
        }
    }
    nothing_else(database, folder, blobs).await?;
    Ok(read)
}

fn check_files(
    folder: &Path,
    blobs: &Blobs,
    rows: Vec<Record>,
) -> Checked<(u64, Vec<(SegmentName, Failure)>)> {
    let mut suspects = Vec::new();
    let mut read = 0;
    for mut row in rows {
        let (blob, index, leaf) = (BlobKey(row.array()?), row.unsigned()?, Digest(row.array()?));
        let Some(attachment) = blobs.attachments.get(&blob).copied() else { continue };
        let name = SegmentName { blob, index, leaf };
        match check_file(folder, &Wanted { name, attachment }) {
            Ok(()) => {}
            Err(Failure::Bad(problem)) => suspects.push((name, Failure::Bad(problem))),
            Err(other) => return Err(other),
        }
        read += 1;
    }
    Ok((read, suspects))
}

fn check_file(folder: &Path, wanted: &Wanted) -> Checked<()> {
    let SegmentName { index, leaf, .. } = wanted.name;
    let path = LocalBlobs::path_in(folder, wanted.name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(bad_at("file", shown(folder, &path), "the segment is missing"));
        }
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let length = segment_len(wanted.attachment.ct_len, index);
    if length != Some(bytes.len()) {
        return Err(bad_at("file", shown(folder, &path), "the segment has another length"));
    }
    if segment_leaf(&wanted.attachment.id, index, &bytes) != leaf {
        return Err(bad_at("file", shown(folder, &path), "the segment has another hash"));
    }
    Ok(())
}

/// A file's name as people find it: below the data folder.
fn shown(folder: &Path, path: &Path) -> String {
    let base = folder.parent().unwrap_or(folder);
    path.strip_prefix(base).unwrap_or(path).display().to_string()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreadable(format!("{}: {error}", path.display()))
}

/// The row as it is now, in a snapshot of its own.
async fn row_of(
    database: &Path,
    table: &'static Table,
    blob: BlobKey,
    index: Option<u64>,
) -> Checked<Option<Record>> {
    let mut now = open_read_only(database).await?;
    Ok(table.at(&mut now, std::iter::once((&blob.0).into()).chain(index.map(Into::into)).collect()).await?)
}

fn leaf_of(row: &mut Record) -> Checked<Digest> {
    row.skip();
    row.skip();
    Ok(Digest(row.array()?))
}

/// Every file in the folder belongs to a blob that the database knows, or waits for deletion.
async fn nothing_else(database: &Path, folder: &Path, blobs: &Blobs) -> Checked<()> {
    for outer in entries(folder)? {
        if name_of(&outer) == "incoming" {
            continue;
        }
        for path in entries(&outer)?.iter().map(|inner| entries(inner)).collect::<Checked<Vec<_>>>()?.concat()
        {
            let Some(blob) = blob_of(folder, &path) else {
                return Err(bad_at("file", shown(folder, &path), "no attachment has such a name"));
            };
            match blobs.attachments.get(&blob) {
                Some(attachment) => check_folder(folder, (blob, attachment), &path)?,
                None if blobs.garbage.contains(&blob) => {}
                None => check_stranger(database, folder, blob, &path).await?,
            }
        }
    }
    Ok(())
}

fn blob_of(folder: &Path, path: &Path) -> Option<BlobKey> {
    let blob = BlobKey(hex::decode(name_of(path)).ok()?.try_into().ok()?);
    (LocalBlobs::folder_in(folder, blob) == path).then_some(blob)
}

/// A blob that the snapshot does not know: begun since, or deleted since.
async fn check_stranger(database: &Path, folder: &Path, blob: BlobKey, path: &Path) -> Checked<()> {
    let mut known = row_of(database, &ATTACHMENT, blob, None).await?.is_some();
    known |= row_of(database, &GARBAGE, blob, None).await?.is_some();
    if known || !path.exists() {
        Ok(())
    } else {
        Err(bad_at("file", shown(folder, path), "no attachment has this blob"))
    }
}

/// Each file in the folder of a blob is named for one of its segments. Bytes that were written anew before the upload
/// was committed lie beside those that count.
fn check_folder(folder: &Path, (blob, attachment): (BlobKey, &AttachmentFacts), path: &Path) -> Checked<()> {
    for file in entries(path)? {
        let name = name_of(&file);
        let segment = name.split_once('-').and_then(|(index, leaf)| {
            let leaf = Digest(hex::decode(leaf).ok()?.try_into().ok()?);
            Some(SegmentName { blob, index: index.parse().ok()?, leaf })
        });
        let belongs = segment.is_some_and(|name| {
            LocalBlobs::path_in(folder, name) == file && segment_len(attachment.ct_len, name.index).is_some()
        });
        if !belongs {
            return Err(bad_at("file", shown(folder, &file), "the attachment has no such segment"));
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What lies in a folder; nothing where it is gone.
fn entries(folder: &Path) -> Checked<Vec<PathBuf>> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(bad_at("file", folder.display().to_string(), "a file where only folders belong"));
        }
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let paths: Result<Vec<_>, _> = listed.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| unreadable(folder, &error))?;
    paths.sort_unstable();
    Ok(paths)
}
