//! Uploading sealed attachments (SPEC 4): several segments at once, idempotent, resumed at what is missing.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{SEGMENT_LEN, segment_leaf, segment_len};
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use tokio::task::JoinSet;

use super::prepare::spool_path;
use super::segment_call::SegmentCall;
use super::{OutboxAttachment, OutboxEntry, Sender};
use crate::client::{Client, Pace};
use crate::error::Error;
use crate::progress::Progress;
use crate::work::blocking;

/// Segments on their way at once: 4 MiB of memory each, here and at the server.
pub(super) const PARALLEL: usize = 2;

impl Sender {
    /// Uploads all attachments of an entry; what is there already is not sent again.
    pub async fn upload(&self, entry: &OutboxEntry, spool: &Path, progress: &Progress) -> Result<(), Error> {
        let total = entry.attachments().iter().map(OutboxAttachment::ct_len).sum();
        let done = Arc::new(AtomicU64::new(0));
        for attachment in entry.attachments() {
            let job = Job {
                client: self.client.clone(),
                id: attachment.id()?,
                ct_len: attachment.ct_len(),
                path: spool_path(spool, attachment)?,
                report: Report { progress: progress.clone(), done: done.clone(), total },
            };
            job.run(attachment).await?;
        }
        Ok(())
    }
}

/// One attachment on its way.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) client: Client,
    pub(super) id: AttachmentId,
    pub(super) ct_len: u64,
    /// The sealed file.
    pub(super) path: PathBuf,
    pub(super) report: Report,
}

/// A segment to send.
pub(super) struct Piece {
    pub(super) index: u64,
    /// Its hash as it was sealed.
    pub(super) leaf: Digest,
    /// The segment, where it is still in memory; else it is read from the spool.
    pub(super) bytes: Option<Bytes>,
}

#[derive(Clone)]
pub(super) struct Report {
    pub(super) progress: Progress,
    pub(super) done: Arc<AtomicU64>,
    pub(super) total: u64,
}

impl Report {
    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(done.min(self.total), self.total);
    }
}

impl Job {
    async fn run(&self, attachment: &OutboxAttachment) -> Result<(), Error> {
        let mut state = self.create().await?;
        if state.committed {
            self.report.add(self.ct_len);
            return Ok(());
        }
        // Before anything is counted with them.
        check_missing(&state.missing, 0, attachment.segments())?;
        let missing: u64 = state.missing.iter().map(|run| run.count).sum();
        if missing < attachment.segments() && state.missing.len() < 1000 {
            self.report.add(attachment.segments().saturating_sub(missing) * SEGMENT_LEN as u64);
        }
        let leaves = attachment.leaves();
        // A state lists up to 1,000 gaps, in their order: the next one lies behind what was sent.
        let mut sent = 0;
        while !state.missing.is_empty() {
            sent = check_missing(&state.missing, sent, attachment.segments())?;
            self.write(&state.missing, &leaves).await?;
            state = self.state().await?;
        }
        self.commit(attachment.root()).await
    }

    pub(super) async fn create(&self) -> Result<v1::UploadState, Error> {
        let request = v1::CreateUploadRequest { attachment_id: self.id.to_vec(), ct_len: self.ct_len };
        let created = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                AttachmentServiceClient::new(channel).create_upload(request).await
            })
            .await?;
        created.upload.ok_or_else(|| Error::answer("no upload state"))
    }

    async fn state(&self) -> Result<v1::UploadState, Error> {
        let request = v1::GetUploadRequest { attachment_id: self.id.to_vec() };
        let answer = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                AttachmentServiceClient::new(channel).get_upload(request).await
            })
            .await?;
        answer.upload.ok_or_else(|| Error::answer("no upload state"))
    }

    /// Sends the missing segments.
    async fn write(&self, missing: &[v1::SegmentRange], leaves: &[Digest]) -> Result<(), Error> {
        // Collected, because a closure that lives over an await keeps callers from spawning this as a task.
        let pieces: Vec<_> = missing
            .iter()
            .flat_map(|run| run.first..run.first + run.count)
            .filter_map(|index| piece_at(leaves, index))
            .collect();
        let mut flight = Flight::default();
        for piece in pieces {
            flight.send(self, piece).await?;
        }
        flight.land().await
    }

    async fn write_one(&self, piece: Piece) -> Result<(), Error> {
        let Piece { index, leaf, bytes } = piece;
        let len = segment_len(self.ct_len, index).unwrap_or(0);
        let data = if let Some(bytes) = bytes {
            bytes
        } else {
            let job = self.clone();
            blocking(move |_| job.read(index, len)).await?.into()
        };
        let call = SegmentCall { id: self.id, index, data };
        let answer = self
            .client
            .call(Pace::Transfer, call.request(), move |channel, request| call.clone().send(channel, request))
            .await?;
        if leaf.as_bytes().as_slice() != answer.leaf.as_slice() {
            // Ours changed on the disk, or the server's is another one.
            let job = self.clone();
            blocking(move |_| job.check(index, len, &leaf)).await?;
            return Err(Error::answer("the server stored another segment than was sent"));
        }
        self.report.add(len as u64);
        Ok(())
    }

    /// Reads a segment from the spool.
    fn read(&self, index: u64, len: usize) -> Result<Vec<u8>, Error> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(index * SEGMENT_LEN as u64))?;
            let mut data = vec![0; len];
            file.read_exact(&mut data)?;
            Ok(data)
        };
        read().map_err(|e| Error::local(self.path.display().to_string(), e))
    }

    /// Makes sure that a segment in the spool is still the one that was sealed.
    fn check(&self, index: u64, len: usize, leaf: &Digest) -> Result<(), Error> {
        if segment_leaf(&self.id, index, &self.read(index, len)?) == *leaf {
            return Ok(());
        }
        let reason = format!("segment {index} of {} changed", self.path.display());
        Err(Error::Damaged { what: "spool file", reason })
    }

    pub(super) async fn commit(&self, root: Digest) -> Result<(), Error> {
        let request = v1::CommitUploadRequest { attachment_id: self.id.to_vec(), ct_root: root.to_vec() };
        self.client
            .call(Pace::Transfer, request, |channel, request| async move {
                AttachmentServiceClient::new(channel).commit_upload(request).await
            })
            .await
            .map(|_| ())
    }
}

/// Checks that what the service misses are segments of this file, none of which it has acknowledged; answers where the
/// last one ends.
fn check_missing(missing: &[v1::SegmentRange], sent: u64, segments: u64) -> Result<u64, Error> {
    missing.iter().try_fold(sent, |before, run| {
        let end = run.first.checked_add(run.count).filter(|end| *end <= segments);
        match end {
            Some(end) if run.first >= before && run.count > 0 => Ok(end),
            _ => Err(Error::answer("it asks for segments that it has, or that there are not")),
        }
    })
}

/// Segments on their way, a few at once. The first failure stops the rest.
#[derive(Default)]
pub(super) struct Flight(JoinSet<Result<(), Error>>);

impl Flight {
    /// Sends one more, once there is room for it.
    pub(super) async fn send(&mut self, job: &Job, piece: Piece) -> Result<(), Error> {
        if self.0.len() >= PARALLEL {
            joined(self.0.join_next().await)?;
        }
        let job = job.clone();
        self.0.spawn(async move { job.write_one(piece).await });
        Ok(())
    }

    /// Waits until all are there.
    pub(super) async fn land(&mut self) -> Result<(), Error> {
        while let Some(done) = self.0.join_next().await {
            joined(Some(done))?;
        }
        Ok(())
    }
}

/// A segment that is read from the spool.
fn piece_at(leaves: &[Digest], index: u64) -> Option<Piece> {
    let leaf = *leaves.get(usize::try_from(index).ok()?)?;
    Some(Piece { index, leaf, bytes: None })
}

fn joined(done: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Result<(), Error> {
    match done {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::local("upload", std::io::Error::other("the runtime stopped"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_lies_behind_what_was_acknowledged_and_within_the_file() {
        let missing = |runs: &[(u64, u64)], sent| {
            let range = |(first, count): &(u64, u64)| v1::SegmentRange { first: *first, count: *count };
            let runs: Vec<_> = runs.iter().map(range).collect();
            check_missing(&runs, sent, 10).ok()
        };
        assert_eq!(missing(&[(0, 2), (3, 1), (9, 1)], 0), Some(10));
        assert_eq!(missing(&[(4, 2)], 4), Some(6));
        for wrong in [&[(3, 1)][..], &[(4, 0)], &[(9, 2)], &[(5, u64::MAX)], &[(6, 2), (7, 1)]] {
            assert_eq!(missing(wrong, 4), None, "{wrong:?}");
        }
    }
}
