//! Uploading sealed attachments (SPEC 4): several segments at once, idempotent, resumed at what is missing.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{SEGMENT_LEN, segment_leaf, segment_len};
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use tokio::task::JoinSet;

use super::prepare::spool_path;
use super::{OutboxAttachment, OutboxEntry, Sender};
use crate::client::{Client, MAX_ANSWER, Pace};
use crate::error::Error;
use crate::progress::Progress;
use crate::work::blocking;

/// Segments on their way at once: 4 MiB of memory each.
const PARALLEL: usize = 2;

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
                leaves: attachment.leaves().into(),
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
struct Job {
    client: Client,
    id: AttachmentId,
    ct_len: u64,
    leaves: Arc<[Digest]>,
    path: PathBuf,
    report: Report,
}

#[derive(Clone)]
struct Report {
    progress: Progress,
    done: Arc<AtomicU64>,
    total: u64,
}

impl Report {
    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(done.min(self.total), self.total);
    }
}

impl Job {
    async fn run(&self, attachment: &OutboxAttachment) -> Result<(), Error> {
        let request = v1::CreateUploadRequest { attachment_id: self.id.to_vec(), ct_len: self.ct_len };
        let created = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                AttachmentServiceClient::new(channel).create_upload(request).await
            })
            .await?;
        let mut state = created.upload.ok_or_else(|| Error::answer("no upload state"))?;
        if state.committed {
            self.report.add(self.ct_len);
            return Ok(());
        }
        let missing: u64 = state.missing.iter().map(|run| run.count).sum();
        if missing < attachment.segments() && state.missing.len() < 1000 {
            self.report.add(attachment.segments().saturating_sub(missing) * SEGMENT_LEN as u64);
        }
        // A state lists up to 1,000 gaps, in their order: the next one lies behind what was sent.
        let mut sent = 0;
        while !state.missing.is_empty() {
            sent = check_missing(&state.missing, sent, attachment.segments())?;
            self.write(&state.missing).await?;
            state = self.state().await?;
        }
        self.commit(attachment.root()).await
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

    /// Sends the missing segments, a few at once. The first failure stops the rest.
    async fn write(&self, missing: &[v1::SegmentRange]) -> Result<(), Error> {
        // Collected, because a closure that lives over an await keeps callers from spawning this as a task.
        let runs: Vec<_> = missing.iter().map(|run| run.first..run.first + run.count).collect();
        let mut tasks = JoinSet::new();
        for index in runs.into_iter().flatten() {
            if tasks.len() >= PARALLEL {
                joined(tasks.join_next().await)?;
            }
            let job = self.clone();
            tasks.spawn(async move { job.write_one(index).await });
        }
        while let Some(done) = tasks.join_next().await {
            joined(Some(done))?;
        }
        Ok(())
    }

    async fn write_one(&self, index: u64) -> Result<(), Error> {
        let (job, len) = (self.clone(), segment_len(self.ct_len, index).unwrap_or(0));
        let data = blocking(move |_| job.read(index, len)).await?;
        let request = v1::WriteSegmentRequest { attachment_id: self.id.to_vec(), index, data: data.into() };
        let answer = self
            .client
            .call(Pace::Transfer, request, |channel, request| async move {
                AttachmentServiceClient::new(channel)
                    .max_encoding_message_size(MAX_ANSWER)
                    .write_segment(request)
                    .await
            })
            .await?;
        if self.leaf(index).map(|leaf| leaf.as_bytes().as_slice()) != Some(answer.leaf.as_slice()) {
            // Ours changed on the disk, or the server's is another one.
            let job = self.clone();
            blocking(move |_| job.check(index, len)).await?;
            return Err(Error::answer("the server stored another segment than was sent"));
        }
        self.report.add(len as u64);
        Ok(())
    }

    /// The hash of a segment as it was sealed.
    fn leaf(&self, index: u64) -> Option<&Digest> {
        usize::try_from(index).ok().and_then(|i| self.leaves.get(i))
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
    fn check(&self, index: u64, len: usize) -> Result<(), Error> {
        let leaf = segment_leaf(&self.id, index, &self.read(index, len)?);
        if self.leaf(index) == Some(&leaf) {
            return Ok(());
        }
        let reason = format!("segment {index} of {} changed", self.path.display());
        Err(Error::Damaged { what: "spool file", reason })
    }

    async fn commit(&self, root: Digest) -> Result<(), Error> {
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
