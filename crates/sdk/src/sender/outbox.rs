//! What is kept of a message until it is delivered: all bytes that are needed to send it again, and nothing in the clear.
//! The submission is sealed; who wants to read it needs the sender's own mailbox key.

use postfach_domain::format;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, AttachmentId, MessageId};
use postfach_domain::outer::Outer;
use postfach_domain::segments::{SegmentRoot, segment_count};
use postfach_domain::sign::PublicKey;
use postfach_domain::submission::Hashes;
use postfach_envelope::attachment::SealedAttachment;
use postfach_envelope::seal::Sealed;
use postfach_proto::v1;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::base64_bytes;
use crate::error::Error;

/// Version of the stored form.
const VERSION: u32 = 1;

/// A sealed submission with the places of its attachments. Store it durably before it is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    version: u32,
    #[serde(with = "base64_bytes")]
    outer: Vec<u8>,
    #[serde(with = "base64_bytes")]
    cover_envelope: Vec<u8>,
    #[serde(with = "base64_bytes")]
    letter_envelope: Vec<u8>,
    /// Encoded `postfach.format.v1.Signature`.
    #[serde(with = "base64_bytes")]
    signature: Vec<u8>,
    #[serde(with = "base64_bytes")]
    sender_copy: Vec<u8>,
    attachments: Vec<OutboxAttachment>,
}

/// A sealed attachment in the spool folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxAttachment {
    /// Hexadecimal.
    id: String,
    /// Name of the file in the spool folder.
    file: String,
    ct_len: u64,
    /// Hashes of the segments, 32 bytes each.
    #[serde(with = "base64_bytes")]
    leaves: Vec<u8>,
}

impl OutboxEntry {
    pub(super) fn new(sealed: Sealed, attachments: Vec<OutboxAttachment>) -> Self {
        Self {
            version: VERSION,
            outer: sealed.outer,
            cover_envelope: sealed.cover_envelope,
            letter_envelope: sealed.letter_envelope,
            signature: sealed.submission_signature.encode_to_vec(),
            sender_copy: sealed.sender_copy.unwrap_or_default(),
            attachments,
        }
    }

    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Safe because the struct has only strings, numbers and lists of them.
        serde_json::to_vec(self).expect("plain data")
    }

    /// Reads stored bytes and checks them against the signature of `key`, so that damage is found before anything
    /// is sent.
    pub fn from_bytes(bytes: &[u8], key: &PublicKey) -> Result<Self, Error> {
        let damaged = |reason: String| Error::Damaged { what: "outbox entry", reason };
        let entry: Self = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if entry.version != VERSION {
            return Err(damaged(format!("version {} is not known", entry.version)));
        }
        let outer = entry.outer()?;
        entry.hashes().verify(key, &entry.signature()?).map_err(|e| damaged(e.to_string()))?;
        let fits = outer.attachments.len() == entry.attachments.len()
            && outer.attachments.iter().zip(&entry.attachments).all(|(signed, stored)| {
                stored.id().is_ok_and(|id| id == signed.id)
                    && stored.ct_len == signed.ct_len
                    && stored.root() == signed.ct_root
            });
        if fits { Ok(entry) } else { Err(damaged("the attachments are not the signed ones".to_owned())) }
    }

    /// The outer header.
    pub fn outer(&self) -> Result<Outer, Error> {
        Outer::parse(&self.outer).map_err(|e| Error::Damaged { what: "outbox entry", reason: e.to_string() })
    }

    /// The message's id.
    pub fn message_id(&self) -> Result<MessageId, Error> {
        self.outer().map(|outer| outer.message_id)
    }

    /// Whom it is for.
    pub fn recipient(&self) -> Result<Address, Error> {
        self.outer().map(|outer| outer.recipient)
    }

    /// The attachments in the spool.
    pub fn attachments(&self) -> &[OutboxAttachment] {
        &self.attachments
    }

    pub(super) fn outer_bytes(&self) -> &[u8] {
        &self.outer
    }

    pub(super) fn cover_envelope(&self) -> &[u8] {
        &self.cover_envelope
    }

    pub(super) fn letter_envelope(&self) -> &[u8] {
        &self.letter_envelope
    }

    pub(super) fn sender_copy(&self) -> &[u8] {
        &self.sender_copy
    }

    pub(super) fn hashes(&self) -> Hashes {
        Hashes::of(&self.outer, &self.cover_envelope, &self.letter_envelope)
    }

    pub(super) fn signature(&self) -> Result<format::Signature, Error> {
        format::Signature::decode(self.signature.as_slice())
            .map_err(|e| Error::Damaged { what: "outbox entry", reason: e.to_string() })
    }

    /// The submission as it goes over the wire.
    /// Bytes that count for the limits of a batch.
    pub(super) fn submission_len(&self) -> usize {
        self.outer.len() + self.cover_envelope.len() + self.letter_envelope.len() + self.sender_copy.len()
    }

    pub(super) fn submission(&self) -> Result<v1::Submission, Error> {
        Ok(v1::Submission {
            outer: self.outer.clone().into(),
            cover_envelope: self.cover_envelope.clone().into(),
            letter_envelope: self.letter_envelope.clone().into(),
            signature: Some(self.signature()?),
            sender_copy: self.sender_copy.clone().into(),
        })
    }
}

impl OutboxAttachment {
    pub(super) fn new(sealed: &SealedAttachment, file: String) -> Self {
        let leaves = sealed.leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
        Self { id: sealed.id.to_string(), file, ct_len: sealed.ct_len, leaves }
    }

    /// The attachment's id.
    pub fn id(&self) -> Result<AttachmentId, Error> {
        self.id.parse().map_err(|_| Error::Damaged {
            what: "outbox entry",
            reason: "an attachment id is malformed".to_owned(),
        })
    }

    /// Name of its file in the spool folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Length of the sealed file in bytes.
    pub fn ct_len(&self) -> u64 {
        self.ct_len
    }

    pub(super) fn leaves(&self) -> Vec<Digest> {
        self.leaves.as_chunks().0.iter().map(|leaf| Digest(*leaf)).collect()
    }

    pub(super) fn root(&self) -> Digest {
        let mut root = SegmentRoot::new();
        self.leaves().into_iter().for_each(|leaf| root.push(leaf));
        root.root()
    }

    pub(super) fn segments(&self) -> u64 {
        segment_count(self.ct_len)
    }
}
