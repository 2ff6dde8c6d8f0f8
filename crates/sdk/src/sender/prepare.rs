//! Sealing a message and its attachments, before anything is sent.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use postfach_domain::hash::Digest;
use postfach_domain::id::{AttachmentId, MessageId};
use postfach_domain::limits;
use postfach_domain::outer::Outer;
use postfach_envelope::Unlock;
use postfach_envelope::attachment::{AttachmentSealError, SealedAttachment, SealedSegment, seal_segments};
use postfach_envelope::draft::{Draft, DraftAttachment};
use postfach_envelope::open::{OpenedCover, OpenedLetter, Received, open_cover};
use postfach_envelope::open_sender_copy;
use postfach_envelope::seal::{Recipients, SealError, seal_message};
use rand::Rng as _;

use super::ahead::{Ahead, Feeder};
use super::spool::SpoolFile;
use super::{FileToSend, NewMessage, OutboxAttachment, OutboxEntry, Sender};
use crate::directory::Recipient;
use crate::error::Error;
use crate::files::sync_folder;
use crate::progress::Progress;
use crate::work::{Cancel, Watched, blocking};

impl Sender {
    /// Seals a message for a resolved recipient. Attachments go sealed into files in `spool`, which exists and is this
    /// message's own; they are on disk when this returns. The caller then stores the entry durably beside them.
    pub async fn prepare(
        &self,
        message: NewMessage,
        recipient: &Recipient,
        spool: &Path,
        progress: &Progress,
    ) -> Result<OutboxEntry, Error> {
        self.prepare_for(message, recipient, spool, progress, None).await
    }

    /// The same, and attachments go up while they are sealed. The caller stores the entry durably as soon as it is there,
    /// then waits for the upload to end, then sends.
    pub async fn prepare_and_upload(
        &self,
        message: NewMessage,
        recipient: &Recipient,
        spool: &Path,
        progress: &Progress,
    ) -> Result<(OutboxEntry, Ahead), Error> {
        let (ahead, feeder) = Ahead::begin(self, spool.to_owned());
        let entry = self.prepare_for(message, recipient, spool, progress, Some(feeder)).await?;
        Ok((entry, ahead))
    }

    async fn prepare_for(
        &self,
        message: NewMessage,
        recipient: &Recipient,
        spool: &Path,
        progress: &Progress,
        feeder: Option<Feeder>,
    ) -> Result<OutboxEntry, Error> {
        check_limits(&message)?;
        if !recipient.accepts {
            return Err(Error::PaperRequired);
        }
        let (sender, recipient) = (self.clone(), recipient.clone());
        let (spool, progress) = (spool.to_owned(), progress.clone());
        blocking(move |cancel| {
            let place = Place { spool: &spool, feeder };
            sender.prepare_now(&message, &recipient, place, &progress, cancel)
        })
        .await
    }

    fn prepare_now(
        &self,
        message: &NewMessage,
        recipient: &Recipient,
        place: Place<'_>,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<OutboxEntry, Error> {
        let sealed = self.seal_attachments(&message.attachments, place, progress, cancel)?;
        let stored = sealed.iter().map(|a| OutboxAttachment::new(a, spool_name(&a.id))).collect();
        let attach = |(file, sealed): (&FileToSend, SealedAttachment)| DraftAttachment {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            sealed,
        };
        let draft = Draft {
            subject: message.subject.clone(),
            kind_detail: message.kind_detail.clone(),
            body: message.body.clone(),
            body_type: message.body_type,
            legal: message.legal.clone(),
            payments: message.payments.clone(),
            actions: message.actions.clone(),
            attachments: message.attachments.iter().zip(sealed).map(attach).collect(),
        };
        let now = self.client.now();
        let mut rng = self.client.environment().rng();
        let outer = Outer {
            origin: self.client.service().origin.clone(),
            message_id: message.message_id.unwrap_or_else(|| MessageId::new(now, rng.r#gen())),
            sender: self.party.clone(),
            signer: self.key.key_id(),
            sender_head: None,
            recipient: recipient.address,
            recipient_head: recipient.head,
            created_at: now,
            kind: message.kind.clone(),
            regime: message.regime,
            min_trust_level: message.min_trust_level,
            confirmation_requested: message.confirmation_requested,
            not_before: message.not_before,
            in_reply_to: message.in_reply_to,
            attachments: Vec::new(),
        };
        self.seal(outer, &draft, recipient, stored)
    }

    /// Seals a submission again for the recipient's newest key, under the same id. Needs the sender's own mailbox key,
    /// which opens the sender copy.
    pub async fn reseal(&self, entry: &OutboxEntry, recipient: &Recipient) -> Result<OutboxEntry, Error> {
        let (sender, entry, recipient) = (self.clone(), entry.clone(), recipient.clone());
        blocking(move |_| sender.reseal_now(&entry, &recipient)).await
    }

    fn reseal_now(&self, entry: &OutboxEntry, recipient: &Recipient) -> Result<OutboxEntry, Error> {
        let damaged = |reason: String| Error::Damaged { what: "outbox entry", reason };
        let mut outer = entry.outer()?;
        if outer.recipient != recipient.address {
            return Err(damaged("it is for another recipient".to_owned()));
        }
        let (cover, letter) = self.open_own(entry)?;
        let attachment =
            |(opened, stored): (&postfach_envelope::attachment::Attachment, &OutboxAttachment)| {
                DraftAttachment {
                    name: opened.name.clone(),
                    media_type: opened.media_type.clone(),
                    sealed: SealedAttachment {
                        id: opened.id,
                        plain_len: opened.plain_len,
                        plain_sha256: opened.plain_sha256,
                        ct_len: opened.ct_len,
                        leaves: stored.leaves(),
                        ct_root: opened.ct_root,
                        identity: opened.identity.clone(),
                    },
                }
            };
        let draft = Draft {
            subject: cover.subject().to_owned(),
            kind_detail: cover.kind_detail().to_owned(),
            body: letter.body().to_owned(),
            body_type: letter.body_type(),
            legal: letter.legal().cloned(),
            payments: letter.payments().to_vec(),
            actions: letter.actions().to_vec(),
            attachments: letter.attachments().iter().zip(entry.attachments()).map(attachment).collect(),
        };
        outer.recipient_head = recipient.head;
        self.seal(outer, &draft, recipient, entry.attachments().to_vec())
    }

    /// Length in bytes and SHA-256 of the files that were sealed, in order.
    pub async fn sealed_files(&self, entry: &OutboxEntry) -> Result<Vec<(u64, Digest)>, Error> {
        let (sender, entry) = (self.clone(), entry.clone());
        blocking(move |_| {
            let (_, letter) = sender.open_own(&entry)?;
            Ok(letter.attachments().iter().map(|a| (a.plain_len, a.plain_sha256)).collect())
        })
        .await
    }

    /// Opens what this sender sealed, by the keys in the sender copy.
    fn open_own(&self, entry: &OutboxEntry) -> Result<(OpenedCover, OpenedLetter), Error> {
        let damaged = |reason: String| Error::Damaged { what: "outbox entry", reason };
        let keys = self
            .mailbox
            .generations
            .values()
            .rev()
            .find_map(|own| open_sender_copy(entry.sender_copy(), own).ok())
            .ok_or_else(|| damaged("its sender copy does not open".to_owned()))?;
        let received = Received {
            origin: &self.client.service().origin,
            recipient: entry.recipient()?,
            signer: &self.key.public(),
            hashes: entry.hashes(),
            outer: entry.outer_bytes(),
        };
        let cover = open_cover(&received, entry.cover_envelope(), Unlock::FileKey(&keys.cover))
            .map_err(|e| damaged(e.to_string()))?;
        let letter = cover
            .open_letter(entry.letter_envelope(), Unlock::FileKey(&keys.letter))
            .map_err(|e| damaged(e.to_string()))?;
        Ok((cover, letter))
    }

    fn seal(
        &self,
        outer: Outer,
        draft: &Draft,
        recipient: &Recipient,
        stored: Vec<OutboxAttachment>,
    ) -> Result<OutboxEntry, Error> {
        let own = self.mailbox.generations.last_key_value().map(|(_, key)| key.to_recipient());
        let recipients = Recipients { mailbox: &recipient.key, sender_copy: own.as_ref() };
        let sealed = seal_message(outer, draft, &self.key, recipients).map_err(seal_error)?;
        Ok(OutboxEntry::new(sealed, stored))
    }

    fn seal_attachments(
        &self,
        files: &[FileToSend],
        mut place: Place<'_>,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<Vec<SealedAttachment>, Error> {
        let mut lengths = Vec::with_capacity(files.len());
        for file in files {
            let meta = std::fs::metadata(&file.path)
                .map_err(|e| Error::local(file.path.display().to_string(), e))?;
            if !meta.is_file() {
                return Err(Error::bad_input("attachment", format!("{} is no file", file.path.display())));
            }
            lengths.push(meta.len());
        }
        let total = lengths.iter().sum();
        let mut done = 0;
        let mut sealed = Vec::with_capacity(files.len());
        for (file, len) in files.iter().zip(lengths) {
            let id = AttachmentId(self.client.environment().random_bytes());
            let source =
                File::open(&file.path).map_err(|e| Error::local(file.path.display().to_string(), e))?;
            let source = Watched { inner: source, cancel, progress, done, total };
            sealed.push(self.seal_file(id, len, source, &mut place, file)?);
            done += len;
        }
        if !files.is_empty() {
            sync_folder(place.spool)?;
        }
        Ok(sealed)
    }

    fn seal_file(
        &self,
        id: AttachmentId,
        len: u64,
        source: impl io::Read,
        place: &mut Place<'_>,
        file: &FileToSend,
    ) -> Result<SealedAttachment, Error> {
        let path = place.spool.join(spool_name(&id));
        let local = |e| Error::local(path.display().to_string(), e);
        let mut out = SpoolFile::create(&path).map_err(local)?;
        let feeder = &mut place.feeder;
        let take = |segment: SealedSegment| {
            out.write(&segment.bytes)?;
            Ok(match feeder {
                Some(feeder) => feeder.feed(id, segment),
                None => segment.bytes,
            })
        };
        let mut rng = self.client.environment().rng();
        let sealed = seal_segments(id, len, source, take, &mut rng).map_err(|e| match e {
            AttachmentSealError::Read(e) => Error::local(file.path.display().to_string(), e),
            AttachmentSealError::Write(e) => local(e),
            other => Error::bad_input("attachment", format!("{}: {other}", file.path.display())),
        })?;
        out.finish().map_err(local)?;
        Ok(sealed)
    }
}

/// Where sealed attachments go.
struct Place<'a> {
    spool: &'a Path,
    /// Lets them go up at the same time.
    feeder: Option<Feeder>,
}

pub(super) fn spool_name(id: &AttachmentId) -> String {
    format!("{id}.age")
}

/// Where an attachment is in the spool.
pub(super) fn spool_path(spool: &Path, attachment: &OutboxAttachment) -> Result<PathBuf, Error> {
    // The name is made from the id alone: nothing stored can lead out of the folder.
    Ok(spool.join(spool_name(&attachment.id()?)))
}

/// Everything that can be checked before a large file is sealed in vain.
fn check_limits(message: &NewMessage) -> Result<(), Error> {
    let too =
        |field: &str, got: usize, max: usize| Err(Error::bad_input(field, format!("{got}, at most {max}")));
    let subject = message.subject.chars().count();
    if subject > limits::SUBJECT_CHARS {
        return too("subject", subject, limits::SUBJECT_CHARS);
    }
    if message.body.len() > limits::LETTER_LEN {
        return too("body", message.body.len(), limits::LETTER_LEN);
    }
    if message.attachments.len() > limits::ATTACHMENTS {
        return too("attachments", message.attachments.len(), limits::ATTACHMENTS);
    }
    let longest = message.attachments.iter().map(|a| a.name.len().max(a.media_type.len())).max().unwrap_or(0);
    if longest > limits::NAME_LEN {
        return too("attachment name", longest, limits::NAME_LEN);
    }
    if message.message_id.is_some_and(|id| !id.is_version_7()) {
        return Err(Error::bad_input("message-id", "not a UUIDv7"));
    }
    Ok(())
}

fn seal_error(error: SealError) -> Error {
    match error {
        SealError::Age(e) => Error::local("sealing", std::io::Error::other(e)),
        other => Error::bad_input("message", other),
    }
}
