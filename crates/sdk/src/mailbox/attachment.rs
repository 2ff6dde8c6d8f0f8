//! Saving an attachment (SPEC 4): segments are checked one by one into a partial file, resumed at the first that is
//! missing or wrong, and the content gets its name only when everything holds.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use postfach_domain::hash::Digest;
use postfach_domain::id::MessageId;
use postfach_domain::segments::{SEGMENT_LEN, segment_len};
use postfach_envelope::attachment::{Attachment, AttachmentOpenError, SegmentHashes, open_attachment};
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;

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
    /// Downloads and opens an attachment of a letter that was read, into `target`. The folder must exist. A file that
    /// is there already is an error: names are chosen by the application. What was downloaded stays in a partial file
    /// beside it, under a short name, until it is complete; after an error the next call goes on there.
    pub async fn save_attachment(
        &self,
        record: &MessageRecord,
        attachment: &Attachment,
        target: &Path,
        progress: &Progress,
    ) -> Result<SavedAttachment, Error> {
        let download = Download {
            mailbox: self.clone(),
            message_id: record.message_id()?,
            hashes: self.segment_hashes(record.message_id()?, attachment).await?,
            attachment: attachment.clone(),
            partial: partial_path(target, attachment, "part"),
            progress: progress.clone(),
        };
        download.fetch().await?;
        download.open(target.to_owned()).await
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
    partial: PathBuf,
    progress: Progress,
}

impl Download {
    /// Fills the partial file. Ends when all segments are there and checked.
    async fn fetch(&self) -> Result<(), Error> {
        let mut next = self.checked_segments().await?;
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

    /// How many segments at the beginning of the partial file are whole and right.
    async fn checked_segments(&self) -> Result<u64, Error> {
        let (partial, hashes, ct_len) = (self.partial.clone(), self.hashes.clone(), self.attachment.ct_len);
        blocking(move |cancel| {
            checked_segments(&partial, &hashes, ct_len, cancel)
                .map_err(|e| Error::local(partial.display().to_string(), e))
        })
        .await
    }

    /// One stream from the first missing segment on, as far as it goes.
    async fn stream(&self, next: &mut u64) -> Result<(), Error> {
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

    async fn append(&self, index: u64, data: Bytes) -> Result<(), Error> {
        let (partial, hashes) = (self.partial.clone(), self.hashes.clone());
        blocking(move |_| {
            hashes.check(index, &data).map_err(|e| open_error(e, &partial))?;
            let write = || {
                let mut file = File::options().create(true).truncate(false).write(true).open(&partial)?;
                file.set_len(index * SEGMENT_LEN as u64)?;
                file.seek(SeekFrom::End(0))?;
                file.write_all(&data)
            };
            write().map_err(|e| Error::local(partial.display().to_string(), e))
        })
        .await
    }

    fn tell(&self, segments: u64) {
        let done = segments.saturating_mul(SEGMENT_LEN as u64).min(self.attachment.ct_len);
        (self.progress)(done, self.attachment.ct_len);
    }

    /// Opens the complete partial file, and names the content.
    async fn open(self, target: PathBuf) -> Result<SavedAttachment, Error> {
        blocking(move |cancel| {
            let plain = partial_path(&target, &self.attachment, "open");
            let result = self.open_into(&plain, &target, cancel);
            if result.is_err() {
                // Nothing in it may be used; there is nothing to do if it cannot go.
                let _ = fs::remove_file(&plain);
            }
            result?;
            let _ = fs::remove_file(&self.partial);
            Ok(SavedAttachment { path: target, len: self.attachment.plain_len })
        })
        .await
    }

    fn open_into(&self, plain: &Path, target: &Path, cancel: &Cancel) -> Result<(), Error> {
        let local = |path: &Path| {
            let path = path.display().to_string();
            move |e| Error::local(path, e)
        };
        let mut out = BufWriter::with_capacity(256 * 1024, create_private(plain).map_err(local(plain))?);
        let quiet = crate::progress::quiet();
        // An empty attachment still has a sealed file; it is there even where no segment was asked for.
        let source = File::open(&self.partial).map_err(local(&self.partial))?;
        let source = Watched { inner: source, cancel, progress: &quiet, done: 0, total: 0 };
        open_attachment(&self.attachment, Some(&self.hashes), source, &mut out)
            .map_err(|e| open_error(e, plain))?;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(local(plain))?;
        drop(out);
        // A hard link never replaces a file that is there; where links are not possible, look before renaming.
        match fs::hard_link(plain, target) {
            Ok(()) => fs::remove_file(plain).map_err(local(plain))?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::local(target.display().to_string(), e));
            }
            Err(_) if target.exists() => {
                return Err(Error::local(target.display().to_string(), io::ErrorKind::AlreadyExists.into()));
            }
            Err(_) => fs::rename(plain, target).map_err(local(target))?,
        }
        target.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
    }
}

fn checked_segments(partial: &Path, hashes: &SegmentHashes, ct_len: u64, cancel: &Cancel) -> io::Result<u64> {
    let file = match File::open(partial) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let mut segment = Vec::new();
    for index in 0..hashes.count() {
        cancel.check()?;
        segment.clear();
        let len = segment_len(ct_len, index).unwrap_or(0) as u64;
        file.by_ref().take(len).read_to_end(&mut segment)?;
        if hashes.check(index, &segment).is_err() {
            return Ok(index);
        }
    }
    Ok(hashes.count())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::id::AttachmentId;
    use postfach_envelope::attachment::seal_attachment;
    use rand::SeedableRng as _;

    use super::*;

    /// Resuming starts at the first segment that is missing, cut or wrong.
    #[test]
    fn a_partial_file_counts_as_far_as_it_is_right() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let plain = vec![7u8; SEGMENT_LEN * 2];
        let mut sealed_bytes = Vec::new();
        let id = AttachmentId([1; 16]);
        let sealed =
            seal_attachment(id, plain.len() as u64, plain.as_slice(), &mut sealed_bytes, &mut rng).unwrap();
        let attachment = Attachment {
            id,
            name: "a".to_owned(),
            media_type: String::new(),
            plain_len: sealed.plain_len,
            plain_sha256: sealed.plain_sha256,
            ct_len: sealed.ct_len,
            ct_root: sealed.ct_root,
            identity: sealed.identity,
        };
        let hashes = SegmentHashes::verify(&attachment, sealed.leaves).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join("p");
        let count = |bytes: &[u8]| {
            fs::write(&partial, bytes).unwrap();
            checked_segments(&partial, &hashes, sealed.ct_len, &Cancel::default()).unwrap()
        };
        assert_eq!(count(&sealed_bytes), hashes.count());
        assert_eq!(count(&sealed_bytes[..SEGMENT_LEN + 5]), 1);
        assert_eq!(count(&[]), 0);
        let mut wrong = sealed_bytes.clone();
        wrong[SEGMENT_LEN + 1] ^= 1;
        assert_eq!(count(&wrong), 1);
        fs::remove_file(&partial).unwrap();
        assert_eq!(checked_segments(&partial, &hashes, sealed.ct_len, &Cancel::default()).unwrap(), 0);
    }
}
