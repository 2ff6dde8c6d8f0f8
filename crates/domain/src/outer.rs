//! The outer header of a message: what the server reads (SPEC 3). Parsed from the bytes as transported, one error for
//! each bad field. Whether sender and recipient may exchange it is a decision (`decide::deliver`).

use std::fmt;
use std::str::FromStr;

use prost::Message as _;

use crate::format;
use crate::hash::Digest;
use crate::head::{ChainHead, RecipientHead};
use crate::id::{Address, AttachmentId, KeyId, MessageId, Origin, Party};
use crate::id_error::IdError;
use crate::limits;
pub use crate::terms::{LegalRegime, TrustLevel};
use crate::time::Timestamp;

/// Kind of notice, `[a-z0-9-]{1,32}`, for example `notice`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kind(String);

impl Kind {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Kind {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(IdError::Malformed("kind")) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An attachment as the server sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OuterAttachment {
    /// Chosen by the sender.
    pub id: AttachmentId,
    /// Bytes of ciphertext.
    pub ct_len: u64,
    /// Root over the segments (SPEC 4).
    pub ct_root: Digest,
}

/// The outer header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outer {
    /// The deployment.
    pub origin: Origin,
    /// UUIDv7, the idempotency key.
    pub message_id: MessageId,
    /// Who sends.
    pub sender: Party,
    /// The key that signs cover, letter and submission.
    pub signer: KeyId,
    /// The sender's chain head; present exactly where the sender is a mailbox.
    pub sender_head: Option<ChainHead>,
    /// Who receives.
    pub recipient: Address,
    /// The recipient's chain as the sender saw it.
    pub recipient_head: RecipientHead,
    /// The sender's claim.
    pub created_at: Timestamp,
    /// Kind of notice.
    pub kind: Kind,
    /// The law under which it is served.
    pub regime: LegalRegime,
    /// The recipient must be bound at least this well.
    pub min_trust_level: TrustLevel,
    /// The sender asks for CONFIRMED.
    pub confirmation_requested: bool,
    /// No hand-over before this instant; `None` means at once.
    pub not_before: Option<Timestamp>,
    /// The message that this one answers.
    pub in_reply_to: Option<MessageId>,
    /// At most 100, ids unique.
    pub attachments: Vec<OuterAttachment>,
}

/// Which field of an outer header is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OuterError {
    /// Longer than the limit.
    #[error("the outer header is too large")]
    TooLarge,
    /// Not a protobuf message.
    #[error("the outer header is not well formed")]
    Malformed,
    /// Not a host name.
    #[error("origin is not a lower-case host name")]
    Origin,
    /// Not 16 bytes or not version 7.
    #[error("message_id is not a UUIDv7")]
    MessageId,
    /// Absent or malformed.
    #[error("sender is missing or malformed")]
    Sender,
    /// Not 32 bytes.
    #[error("signer is not a key id")]
    Signer,
    /// Malformed, absent for a mailbox, or present for an authority.
    #[error("sender_head must be given by mailboxes and by nobody else")]
    SenderHead,
    /// Not 32 bytes.
    #[error("recipient is not an address")]
    Recipient,
    /// Absent or malformed.
    #[error("recipient_head is missing or malformed")]
    RecipientHead,
    /// Zero, or beyond the year 9999.
    #[error("created_at is not a time")]
    CreatedAt,
    /// Not `[a-z0-9-]{1,32}`.
    #[error("kind has to be 1 to 32 of a-z, 0-9 and -")]
    Kind,
    /// Unspecified or unknown.
    #[error("regime is unspecified or unknown")]
    Regime,
    /// Unspecified or unknown.
    #[error("min_trust_level is unspecified or unknown")]
    MinTrustLevel,
    /// Beyond the year 9999.
    #[error("not_before is not a time")]
    NotBefore,
    /// Not 16 bytes or not version 7.
    #[error("in_reply_to is not a UUIDv7")]
    InReplyTo,
    /// More than the limit.
    #[error("more than {} attachments", limits::ATTACHMENTS)]
    TooManyAttachments,
    /// An id that has not 16 bytes, or that stands twice.
    #[error("an attachment id is malformed or repeated")]
    AttachmentId,
    /// Empty or above the limit.
    #[error("the length of an attachment is out of bounds")]
    AttachmentLength,
    /// Not 32 bytes.
    #[error("the root of an attachment is malformed")]
    AttachmentRoot,
}

impl OuterError {
    /// Path of the field, for field violations.
    pub fn field(self) -> &'static str {
        match self {
            Self::TooLarge | Self::Malformed => "outer",
            Self::Origin => "outer.origin",
            Self::MessageId => "outer.message_id",
            Self::Sender => "outer.sender",
            Self::Signer => "outer.signer",
            Self::SenderHead => "outer.sender_head",
            Self::Recipient => "outer.recipient",
            Self::RecipientHead => "outer.recipient_head",
            Self::CreatedAt => "outer.created_at",
            Self::Kind => "outer.kind",
            Self::Regime => "outer.regime",
            Self::MinTrustLevel => "outer.min_trust_level",
            Self::NotBefore => "outer.not_before",
            Self::InReplyTo => "outer.in_reply_to",
            Self::TooManyAttachments => "outer.attachments",
            Self::AttachmentId => "outer.attachments.id",
            Self::AttachmentLength => "outer.attachments.ct_len",
            Self::AttachmentRoot => "outer.attachments.ct_root",
        }
    }
}

/// `H(outer)` over the bytes as transported.
pub fn outer_hash(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

impl Outer {
    /// From when on cover and letter are there, for a message that was accepted at `occurred_at`.
    pub fn available_at(&self, occurred_at: Timestamp) -> Timestamp {
        self.not_before.unwrap_or_default().max(occurred_at)
    }

    /// Reads the bytes as transported.
    pub fn parse(bytes: &[u8]) -> Result<Self, OuterError> {
        if bytes.len() > limits::OUTER_LEN {
            return Err(OuterError::TooLarge);
        }
        let wire = format::Outer::decode(bytes).map_err(|_| OuterError::Malformed)?;
        Self::try_from(&wire)
    }

    /// The bytes to hash, sign and send.
    pub fn encode(&self) -> Vec<u8> {
        format::Outer::from(self).encode_to_vec()
    }

    /// True where a citizen (or another mailbox) sends, false where an authority does.
    pub fn is_from_mailbox(&self) -> bool {
        matches!(self.sender, Party::Mailbox(_))
    }
}

impl TryFrom<&format::Outer> for Outer {
    type Error = OuterError;

    fn try_from(wire: &format::Outer) -> Result<Self, OuterError> {
        let sender = wire.sender.as_ref().and_then(|p| Party::try_from(p).ok()).ok_or(OuterError::Sender)?;
        let sender_head = sender_head(wire, &sender)?;
        Ok(Self {
            origin: wire.origin.parse().map_err(|_| OuterError::Origin)?,
            message_id: message_id(&wire.message_id).ok_or(OuterError::MessageId)?,
            sender,
            signer: KeyId::try_from(wire.signer.as_slice()).map_err(|_| OuterError::Signer)?,
            sender_head,
            recipient: Address::try_from(wire.recipient.as_slice()).map_err(|_| OuterError::Recipient)?,
            recipient_head: wire
                .recipient_head
                .as_ref()
                .and_then(RecipientHead::from_wire)
                .ok_or(OuterError::RecipientHead)?,
            created_at: Timestamp::checked(wire.created_at)
                .filter(|at| at.0 > 0)
                .ok_or(OuterError::CreatedAt)?,
            kind: wire.kind.parse().map_err(|_| OuterError::Kind)?,
            regime: LegalRegime::from_wire(wire.regime).ok_or(OuterError::Regime)?,
            min_trust_level: TrustLevel::from_wire(wire.min_trust_level).ok_or(OuterError::MinTrustLevel)?,
            confirmation_requested: wire.confirmation_requested,
            not_before: optional(
                wire.not_before != 0,
                || Timestamp::checked(wire.not_before),
                OuterError::NotBefore,
            )?,
            in_reply_to: optional(
                !wire.in_reply_to.is_empty(),
                || message_id(&wire.in_reply_to),
                OuterError::InReplyTo,
            )?,
            attachments: attachments(&wire.attachments)?,
        })
    }
}

/// Reads an optional field: absent is `None`, bad is the error.
fn optional<T>(
    present: bool,
    read: impl FnOnce() -> Option<T>,
    error: OuterError,
) -> Result<Option<T>, OuterError> {
    if present { read().map(Some).ok_or(error) } else { Ok(None) }
}

fn message_id(bytes: &[u8]) -> Option<MessageId> {
    MessageId::try_from(bytes).ok().filter(MessageId::is_version_7)
}

fn sender_head(wire: &format::Outer, sender: &Party) -> Result<Option<ChainHead>, OuterError> {
    match (sender, &wire.sender_head) {
        (Party::Authority(_), None) => Ok(None),
        (Party::Mailbox(_), Some(head)) => ChainHead::from_wire(head).map(Some).ok_or(OuterError::SenderHead),
        _ => Err(OuterError::SenderHead),
    }
}

fn attachments(wire: &[format::OuterAttachment]) -> Result<Vec<OuterAttachment>, OuterError> {
    if wire.len() > limits::ATTACHMENTS {
        return Err(OuterError::TooManyAttachments);
    }
    let mut list: Vec<OuterAttachment> = Vec::with_capacity(wire.len());
    for a in wire {
        let id = AttachmentId::try_from(a.id.as_slice()).map_err(|_| OuterError::AttachmentId)?;
        if list.iter().any(|other| other.id == id) {
            return Err(OuterError::AttachmentId);
        }
        if a.ct_len == 0 || a.ct_len > limits::ATTACHMENT_CT_LEN {
            return Err(OuterError::AttachmentLength);
        }
        let ct_root = Digest::try_from(a.ct_root.as_slice()).map_err(|_| OuterError::AttachmentRoot)?;
        list.push(OuterAttachment { id, ct_len: a.ct_len, ct_root });
    }
    Ok(list)
}

impl From<&Outer> for format::Outer {
    fn from(outer: &Outer) -> Self {
        Self {
            origin: outer.origin.to_string(),
            message_id: outer.message_id.to_vec(),
            sender: Some((&outer.sender).into()),
            signer: outer.signer.to_vec(),
            sender_head: outer.sender_head.map(Into::into),
            recipient: outer.recipient.to_vec(),
            recipient_head: Some(outer.recipient_head.into()),
            created_at: outer.created_at.0,
            kind: outer.kind.to_string(),
            regime: outer.regime.to_wire(),
            min_trust_level: outer.min_trust_level.to_wire(),
            confirmation_requested: outer.confirmation_requested,
            not_before: outer.not_before.map_or(0, |at| at.0),
            in_reply_to: outer.in_reply_to.map(MessageId::to_vec).unwrap_or_default(),
            attachments: outer.attachments.iter().map(Into::into).collect(),
        }
    }
}

impl From<&OuterAttachment> for format::OuterAttachment {
    fn from(a: &OuterAttachment) -> Self {
        Self { id: a.id.to_vec(), ct_len: a.ct_len, ct_root: a.ct_root.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> format::Outer {
        format::Outer {
            origin: "post.example".into(),
            message_id: MessageId::new(Timestamp(1_795_000_000_000), [3; 10]).to_vec(),
            sender: Some(format::Party { party: Some(format::party::Party::AuthorityId("amt".into())) }),
            signer: vec![1; 32],
            sender_head: None,
            recipient: vec![2; 32],
            recipient_head: Some(format::RecipientHead { seq: 4, link_hash: vec![5; 32], generation: 1 }),
            created_at: 1_795_000_000_000,
            kind: "notice".into(),
            regime: 6,
            min_trust_level: 1,
            confirmation_requested: true,
            not_before: 1_795_000_000_001,
            in_reply_to: MessageId::new(Timestamp(1_795_000_000_000), [4; 10]).to_vec(),
            attachments: vec![format::OuterAttachment { id: vec![6; 16], ct_len: 9, ct_root: vec![7; 32] }],
        }
    }

    #[test]
    fn round_trips() {
        let bytes = sample().encode_to_vec();
        assert_eq!(Outer::parse(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn each_bad_field_has_its_error() {
        type Break = fn(&mut format::Outer);
        let cases: &[(Break, OuterError)] = &[
            (|o| o.origin = "Post.Example".into(), OuterError::Origin),
            (|o| o.message_id = vec![0; 16], OuterError::MessageId),
            (|o| o.sender = None, OuterError::Sender),
            (|o| o.signer.clear(), OuterError::Signer),
            (
                |o| o.sender_head = Some(format::ChainHead { seq: 0, link_hash: vec![0; 32] }),
                OuterError::SenderHead,
            ),
            (|o| o.recipient.push(0), OuterError::Recipient),
            (|o| o.recipient_head = None, OuterError::RecipientHead),
            (|o| o.created_at = 0, OuterError::CreatedAt),
            (|o| o.kind = "No tice".into(), OuterError::Kind),
            (|o| o.kind = "a".repeat(33), OuterError::Kind),
            (|o| o.regime = 0, OuterError::Regime),
            (|o| o.min_trust_level = 9, OuterError::MinTrustLevel),
            (|o| o.not_before = u64::MAX, OuterError::NotBefore),
            (|o| o.in_reply_to = vec![1], OuterError::InReplyTo),
            (|o| o.attachments = vec![o.attachments[0].clone(); 2], OuterError::AttachmentId),
            (|o| o.attachments = vec![o.attachments[0].clone(); 101], OuterError::TooManyAttachments),
            (|o| o.attachments[0].ct_len = 0, OuterError::AttachmentLength),
            (|o| o.attachments[0].ct_len = u64::MAX, OuterError::AttachmentLength),
            (|o| o.attachments[0].ct_root.clear(), OuterError::AttachmentRoot),
        ];
        for (break_it, error) in cases {
            let mut wire = sample();
            break_it(&mut wire);
            assert_eq!(Outer::parse(&wire.encode_to_vec()), Err(*error));
        }
        assert_eq!(Outer::parse(&[0xff]), Err(OuterError::Malformed));
        assert_eq!(Outer::parse(&vec![0; limits::OUTER_LEN + 1]), Err(OuterError::TooLarge));
    }
}
