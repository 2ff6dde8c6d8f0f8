//! A head start: uploads attachments while they are still being sealed. Nothing relies on it. Whatever it did not do,
//! [`Sender::upload`] does, and asks the service first; where sealing breaks off, what went up belongs to no message and
//! expires after `upload_life_seconds`. As many uploads as `open_uploads` of the limits may be open: whoever is killed so
//! often within that time sends without a head start and, where attachments are to be sent, has to wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{SegmentRoot, segment_count};
use postfach_envelope::attachment::SealedSegment;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::prepare::spool_name;
use super::upload::{Flight, Job, PARALLEL, Piece, Report};
use super::{OutboxAttachment, OutboxEntry, Sender};
use crate::client::Client;
use crate::error::Error;
use crate::progress::{Progress, quiet};

/// Segments that are kept in memory for the line: those on it, and one that waits.
const IN_MEMORY: usize = PARALLEL + 1;
/// How long sealing waits for the line to take a segment from memory, once until it took one again. A slow line reads from
/// the spool: the entry must be stored soon, or all that went up was in vain when the process dies.
const PATIENCE: Duration = Duration::from_millis(20);
/// The service keeps no more uploads of this sender.
const TOO_MANY_UPLOADS: &str = "TOO_MANY_UPLOADS";
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// An upload that began before sealing ended. It stops when this is dropped.
#[must_use = "dropped, it stops"]
pub struct Ahead {
    task: JoinHandle<Result<(), Error>>,
    done: Arc<AtomicU64>,
}

/// What the one who seals has of it.
pub(super) struct Feeder {
    notices: UnboundedSender<Notice>,
    /// Memory that nobody uses; there are as many as may be on their way.
    spare: mpsc::Receiver<Vec<u8>>,
    giver: mpsc::Sender<Vec<u8>>,
    /// The last one found nothing to spare.
    behind: bool,
}

/// A segment was sealed.
struct Notice {
    id: AttachmentId,
    ct_len: u64,
    piece: Piece,
}

impl Ahead {
    pub(super) fn begin(sender: &Sender, spool: PathBuf) -> (Self, Feeder) {
        let (notices, sealed) = unbounded_channel();
        let (giver, spare) = mpsc::channel();
        for _ in 0..IN_MEMORY {
            // Its receiver stands above.
            let _ = giver.send(Vec::new());
        }
        let done = Arc::new(AtomicU64::new(0));
        let upload = Upload { client: sender.client.clone(), spool, sealed, done: done.clone() };
        let task = tokio::spawn(upload.run());
        (Self { task, done }, Feeder { notices, spare, giver, behind: false })
    }

    /// Waits until all attachments of this entry are there. The entry must be stored by now: this may take long.
    pub async fn finish(mut self, entry: &OutboxEntry, progress: &Progress) -> Result<(), Error> {
        let total = entry.attachments().iter().map(OutboxAttachment::ct_len).sum();
        loop {
            progress(self.done.load(Ordering::Relaxed).min(total), total);
            if let Ok(ended) = tokio::time::timeout(TELL_EVERY, &mut self.task).await {
                return match ended {
                    Ok(result) => result,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => Err(Error::local("upload", std::io::Error::other("the runtime stopped"))),
                    },
                };
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feeder {
    /// Passes on a segment that stands in the spool; gives memory for another one.
    pub(super) fn feed(&mut self, id: AttachmentId, segment: SealedSegment) -> Vec<u8> {
        let SealedSegment { ct_len, index, leaf, bytes } = segment;
        let notify = |bytes| {
            // A failed upload is told where it is waited for.
            let _ = self.notices.send(Notice { id, ct_len, piece: Piece { index, leaf, bytes } });
        };
        let wait = if self.behind { Duration::ZERO } else { PATIENCE };
        let other = self.spare.recv_timeout(wait);
        self.behind = other.is_err();
        if let Ok(other) = other {
            notify(Some(Bytes::from_owner(Lent { bytes, giver: self.giver.clone() })));
            other
        } else {
            notify(None);
            bytes
        }
    }
}

/// A segment in memory that comes back when it is not needed any more.
struct Lent {
    bytes: Vec<u8>,
    giver: mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Sealing may have ended.
        let _ = self.giver.send(std::mem::take(&mut self.bytes));
    }
}

struct Upload {
    client: Client,
    spool: PathBuf,
    sealed: UnboundedReceiver<Notice>,
    done: Arc<AtomicU64>,
}

impl Upload {
    async fn run(mut self) -> Result<(), Error> {
        while let Some(first) = self.sealed.recv().await {
            match self.one(first).await {
                // No head start then. One may have ended when the upload itself begins.
                Err(Error::Conflict { reason, .. }) if reason == TOO_MANY_UPLOADS => break,
                other => other?,
            }
        }
        Ok(())
    }

    /// One attachment from its first segment to its root.
    async fn one(&mut self, first: Notice) -> Result<(), Error> {
        let Notice { id, ct_len, mut piece } = first;
        let report = Report { progress: quiet(), done: self.done.clone(), total: ct_len };
        let path = self.spool.join(spool_name(&id));
        let job = Job { client: self.client.clone(), id, ct_len, path, report };
        job.create().await?;
        let (mut flight, mut root) = (Flight::default(), SegmentRoot::new());
        loop {
            root.push(piece.leaf);
            flight.send(&job, piece).await?;
            if root.len() == segment_count(ct_len) {
                break;
            }
            match self.sealed.recv().await {
                Some(next) => piece = next.piece,
                // Sealing broke off.
                None => return Ok(()),
            }
        }
        flight.land().await?;
        job.commit(root.root()).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use postfach_domain::hash::Digest;

    use super::*;

    fn segment(index: u64) -> SealedSegment {
        SealedSegment { ct_len: 100, index, leaf: Digest::ZERO, bytes: vec![u8::try_from(index).unwrap()] }
    }

    #[test]
    fn a_line_that_takes_nothing_holds_sealing_up_once_and_gets_the_rest_from_the_spool() {
        let (notices, mut sealed) = unbounded_channel();
        let (giver, spare) = mpsc::channel();
        (0..IN_MEMORY).for_each(|_| giver.send(Vec::new()).unwrap());
        let mut feeder = Feeder { notices, spare, giver, behind: false };
        let begin = Instant::now();
        let mut memory = Vec::new();
        for index in 0..100 {
            memory = feeder.feed(AttachmentId([1; 16]), segment(index));
        }
        assert_eq!(memory, [99], "what was not taken is used again");
        assert!((PATIENCE..50 * PATIENCE).contains(&begin.elapsed()), "{:?}", begin.elapsed());
        let in_memory = |notice: Notice| notice.piece.bytes;
        let first: Vec<_> = (0..IN_MEMORY).map(|_| in_memory(sealed.try_recv().unwrap()).unwrap()).collect();
        assert_eq!(first, [vec![0], vec![1], vec![2]]);
        assert!((IN_MEMORY..100).all(|_| in_memory(sealed.try_recv().unwrap()).is_none()));
        drop(first);
        assert!(!feeder.feed(AttachmentId([1; 16]), segment(100)).is_empty(), "memory comes back");
        assert_eq!(in_memory(sealed.try_recv().unwrap()).unwrap(), [100][..]);
    }
}
