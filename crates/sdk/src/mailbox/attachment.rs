//! Saving an attachment (SPEC 4): segments are checked one by one into a partial file, resumed at the first that is
//! missing or wrong, and the content gets its name only when everything holds.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postfach_domain::hash::Digest;
use postfach_domain::id::MessageId;
use postfach_domain::segments::SEGMENT_LEN;
use postfach_envelope::attachment::{Attachment, AttachmentOpenError, SegmentHashes, open_attachment};
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use sha2::{Digest as _, Sha256};

use super::partial::Partial;
use super::{Mailbox, MessageRecord};
use crate::client::{MAX_ANSWER, Pace, Patience, TRANSFER_LIMIT};
use crate::error::{Error, EvidenceFault};
use crate::files::{create_private, sync_folder};
use crate::progress::Progress;
use crate::work::{Cancel, Watched, blocking};

/// Segment hashes asked for at once: 2 GiB of attachment.
const HASH_PAGE: u32 = 500;
/// Pause after a broken stream.
const PAUSE: Duration = Duration::from_millis(300);

/// A saved attachment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SavedAttachment {
    /// Where its content is.
    pub path: PathBuf,
    /// Length of the content in bytes.
    pub len: u64,
}

impl Mailbox {
    /// Downloads and opens an attachment of a letter that was read, into `target`. The folder must exist. Another file
    /// that is there already is an error: names are chosen by the application. What was downloaded stays in a partial
    /// file beside it, under a short name, until it is complete; after an error the next call goes on there. Where
    /// another call saves the same attachment into the same folder, this one waits for it for as long as the client's
    /// timeout.
    pub async fn save_attachment(
        &self,
        record: &MessageRecord,
        attachment: &Attachment,
        target: &Path,
        progress: &Progress,
    ) -> Result<SavedAttachment, Error> {
        let hashes = self.segment_hashes(record.message_id()?, attachment).await?;
        let (path, patience) = (partial_path(target, attachment, "part"), self.client.timeout());
        let partial = blocking(move |cancel| Partial::claim(&path, patience, cancel)).await?;
        let download = Arc::new(Download {
            mailbox: self.clone(),
            message_id: record.message_id()?,
            hashes,
            attachment: attachment.clone(),
            partial,
            target: target.to_owned(),
            progress: progress.clone(),
        });
        if !download.is_saved().await? {
            download.fetch().await?;
            // What came changed on this machine after it was checked: the wrong part is fetched again, once.
            if !download.open().await? {
                download.fetch().await?;
                if !download.open().await? {
                    let changed = io::Error::new(io::ErrorKind::InvalidData, "it changes while it is read");
                    return Err(download.partial.failed(changed));
                }
            }
        }
        download.partial.remove();
        Ok(SavedAttachment { path: target.to_owned(), len: attachment.plain_len })
    }

    /// The hashes of all segments, checked against the root that the sender signed.
    async fn segment_hashes(
        &self,
        message_id: MessageId,
        attachment: &Attachment,
    ) -> Result<SegmentHashes, Error> {
        let most = attachment.ct_len.div_ceil(SEGMENT_LEN as u64);
        let (mut leaves, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListSegmentHashesRequest {
                message_id: message_id.to_vec(),
                attachment_id: attachment.id.to_vec(),
                page_size: HASH_PAGE,
                page_token,
            };
            let answer = self
                .client
                .call(Pace::Normal, request, |channel, request| async move {
                    AttachmentServiceClient::new(channel).list_segment_hashes(request).await
                })
                .await?;
            if answer.leaves.is_empty() && !answer.next_page_token.is_empty() {
                return Err(Error::answer("a page without segment hashes says that more follow"));
            }
            let page: Result<Vec<_>, _> =
                answer.leaves.iter().map(|leaf| Digest::try_from(leaf.as_slice())).collect();
            leaves.extend(page.map_err(|_| Error::answer("a segment hash has not 32 bytes"))?);
            page_token = answer.next_page_token;
            if page_token.is_empty() || leaves.len() as u64 > most {
                return SegmentHashes::verify(attachment, leaves).map_err(|e| open_error(e, Path::new("")));
            }
        }
    }
}

/// The name of a temporary file beside a target, whatever the length of the target's own name.
fn partial_path(target: &Path, attachment: &Attachment, ending: &str) -> PathBuf {
    let id = attachment.id.to_string();
    target.with_file_name(format!(".mpf-{}.{ending}", &id[..16]))
}

struct Download {
    mailbox: Mailbox,
    message_id: MessageId,
    attachment: Attachment,
    hashes: SegmentHashes,
    partial: Partial,
    target: PathBuf,
    progress: Progress,
}

impl Download {
    /// True where the target is there already with this very content: another call saved it.
    async fn is_saved(self: &Arc<Self>) -> Result<bool, Error> {
        let download = Arc::clone(self);
        blocking(move |cancel| download.target_holds(cancel)).await
    }

    fn target_holds(&self, cancel: &Cancel) -> Result<bool, Error> {
        let is_it = || -> io::Result<bool> {
            let mut file = File::open(&self.target)?;
            if file.metadata()?.len() != self.attachment.plain_len {
                return Ok(false);
            }
            let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
            loop {
                cancel.check()?;
                match file.read(&mut buffer)? {
                    0 => break,
                    n => hasher.update(&buffer[..n]),
                }
            }
            Ok(Digest(hasher.finalize().into()) == self.attachment.plain_sha256)
        };
        match is_it() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map_err(|e| Error::local(self.target.display().to_string(), e)),
        }
    }

    /// Fills the partial file. Ends when all segments are there and checked.
    async fn fetch(self: &Arc<Self>) -> Result<(), Error> {
        let download = Arc::clone(self);
        let checked = blocking(move |cancel| {
            download.partial.checked_segments(&download.hashes, download.attachment.ct_len, cancel)
        });
        let mut next = checked.await?;
        self.tell(next);
        let patience = || Patience::of_transfer(self.mailbox.client.timeout());
        let mut now = patience();
        while next < self.hashes.count() {
            let before = next;
            let result = self.stream(&mut next).await;
            if next > before {
                now = patience();
            }
            match result {
                Ok(()) => {}
                Err(Error::ServerAway { .. }) if now.holds(PAUSE) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One stream from the first missing segment on, as far as it goes.
    async fn stream(self: &Arc<Self>, next: &mut u64) -> Result<(), Error> {
        let request = v1::ReadSegmentsRequest {
            message_id: self.message_id.to_vec(),
            attachment_id: self.attachment.id.to_vec(),
            first: *next,
            count: 0,
        };
        let mut stream = self
            .mailbox
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                AttachmentServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .read_segments(request)
                    .await
            })
            .await?;
        while *next < self.hashes.count() {
            let away = |detail: &str| Error::ServerAway { retry_after: None, detail: detail.to_owned() };
            let message = tokio::time::timeout(TRANSFER_LIMIT, stream.message()).await;
            let message = message.map_err(|_| away("no segment in time"))?;
            let message = message.map_err(|status| crate::status::Failure::of(&status).into_error())?;
            let segment = message.ok_or_else(|| away("the stream ended early"))?;
            if segment.index != *next {
                return Err(Error::answer("segments out of order"));
            }
            self.append(*next, segment.data).await?;
            *next += 1;
            self.tell(*next);
        }
        Ok(())
    }

    async fn append(self: &Arc<Self>, index: u64, data: Bytes) -> Result<(), Error> {
        let download = Arc::clone(self);
        blocking(move |_| {
            download.hashes.check(index, &data).map_err(|e| open_error(e, &download.target))?;
            download.partial.write(index, &data)
        })
        .await
    }

    fn tell(&self, segments: u64) {
        let done = segments.saturating_mul(SEGMENT_LEN as u64).min(self.attachment.ct_len);
        (self.progress)(done, self.attachment.ct_len);
    }

    /// Opens the complete partial file, and names the content. False where the file is not any more what was checked.
    async fn open(self: &Arc<Self>) -> Result<bool, Error> {
        let download = Arc::clone(self);
        blocking(move |cancel| {
            let plain = partial_path(&download.target, &download.attachment, "open");
            let result = download.open_into(&plain, cancel);
            if !matches!(result, Ok(true)) {
                // Nothing in it may be used; there is nothing to do if it cannot go.
                let _ = fs::remove_file(&plain);
            }
            result
        })
        .await
    }

    fn open_into(&self, plain: &Path, cancel: &Cancel) -> Result<bool, Error> {
        let local = |path: &Path| {
            let path = path.display().to_string();
            move |e| Error::local(path, e)
        };
        let mut out = BufWriter::with_capacity(256 * 1024, create_private(plain).map_err(local(plain))?);
        let quiet = crate::progress::quiet();
        let source = self.partial.rewound().map_err(|e| self.partial.failed(e))?;
        let source = Watched { inner: source, cancel, progress: &quiet, done: 0, total: 0 };
        match open_attachment(&self.attachment, Some(&self.hashes), source, &mut out) {
            Ok(()) => {}
            Err(error) if is_not_as_signed(&error) => return Ok(false),
            Err(error) => return Err(open_error(error, plain)),
        }
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(local(plain))?;
        drop(out);
        self.name(plain, cancel).map(|()| true)
    }

    /// Gives the opened content its name.
    fn name(&self, plain: &Path, cancel: &Cancel) -> Result<(), Error> {
        let target = &self.target;
        let local = |path: &Path| {
            let path = path.display().to_string();
            move |e| Error::local(path, e)
        };
        let there_is_another =
            || Error::local(target.display().to_string(), io::ErrorKind::AlreadyExists.into());
        // A hard link never replaces a file that is there; where links are not possible, look before renaming.
        match fs::hard_link(plain, target) {
            Ok(()) => fs::remove_file(plain).map_err(local(plain))?,
            Err(_) if target.exists() && self.target_holds(cancel)? => {
                fs::remove_file(plain).map_err(local(plain))?;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(there_is_another()),
            Err(_) if target.exists() => return Err(there_is_another()),
            Err(_) => fs::rename(plain, target).map_err(local(target))?,
        }
        target.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
    }
}

/// True where the bytes that were read are not those that were signed. Each was checked when it came: they changed here.
fn is_not_as_signed(error: &AttachmentOpenError) -> bool {
    let is_file = matches!(error, AttachmentOpenError::Read(_) | AttachmentOpenError::Write(_));
    !is_file && !error.is_the_senders_fault()
}

/// What a failed check or file means.
fn open_error(error: AttachmentOpenError, path: &Path) -> Error {
    match error {
        AttachmentOpenError::Read(e) | AttachmentOpenError::Write(e) => {
            Error::local(path.display().to_string(), e)
        }
        e if e.is_the_senders_fault() => Error::BadMessage { reason: e.to_string() },
        e => Error::evidence(EvidenceFault::Attachment(e.to_string())),
    }
}
