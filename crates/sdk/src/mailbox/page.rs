//! What a sync hands to the application.

use postfach_domain::id::MessageId;
use postfach_domain::submission::Hashes;
use postfach_envelope::open::OpenedCover;

use super::MessageRecord;
use crate::evidence::VerifiedEvent;
use crate::stages::Stage;

/// What the application remembers of messages that came before.
pub trait MailboxMemory {
    /// Place of the message's ACCEPTED event in the evidence log, where the message is known.
    fn accepted_index(&self, id: &MessageId) -> Option<u64>;

    /// The hashes of a known message; asked for once for each later event.
    fn hashes(&self, id: &MessageId) -> Option<Hashes>;
}

/// One page, in the order of the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct SyncPage {
    /// What happened. Store it together with the [`SyncState`].
    pub items: Vec<SyncItem>,
    /// What a person should know, though nothing is proven wrong.
    pub warnings: Vec<SyncWarning>,
    /// Call again.
    pub has_more: bool,
}

/// One thing that happened in the mailbox.
#[derive(Debug)]
#[non_exhaustive]
pub enum SyncItem {
    /// A new message, or one whose cover has become available.
    Message(Box<ReceivedMessage>),
    /// Something happened to a message, or to the mailbox.
    Event(Box<MailboxEvent>),
    /// An event whose content was erased; only its place is left.
    Erased {
        /// In the evidence log.
        index: u64,
    },
}

/// A message that came.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// Its id.
    pub message_id: MessageId,
    /// The ACCEPTED event.
    pub accepted: VerifiedEvent,
    /// As a stage.
    pub stage: Stage,
    /// What to store of it.
    pub record: MessageRecord,
    /// Its cover, or why it is not shown.
    pub content: Content,
}

/// What may be shown of a message before it is read.
#[derive(Debug)]
pub enum Content {
    /// All checks passed.
    Opened(Box<OpenedCover>),
    /// The cover did not come: the sender wants it to be readable later, or the owner deleted it, which a later event
    /// says. It is asked for again with each sync from its time on.
    NotYet,
    /// A check failed: nothing of the content is shown.
    Defect(Defect),
}

/// Which check failed, by who is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// What came is not what was signed and logged: evidence against the service (exit 8).
    #[error("the service gave out something else than was accepted: {0}")]
    Server(String),
    /// The bytes are as signed, and wrong inside: the owner may reject the message.
    #[error("the sender made a message that does not hold: {0}")]
    Sender(String),
    /// This device lacks the mailbox key of that generation.
    #[error("this device does not hold generation {0} of the mailbox key")]
    NoKey(u32),
}

/// A later event.
#[derive(Debug)]
#[non_exhaustive]
pub struct MailboxEvent {
    /// About which message; `None` for consent.
    pub message_id: Option<MessageId>,
    /// The event.
    pub event: VerifiedEvent,
    /// As a stage.
    pub stage: Stage,
}

/// Something odd that is not proof of anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncWarning {
    /// Messages of this sender did not come: their numbers are missing and no erasure explains them.
    MissingMessages {
        /// Authority id or address.
        issuer: String,
        /// How many numbers.
        count: u64,
    },
    /// The cover of a message is not given out though its time has come and nothing explains it.
    CoverMissing {
        /// Which message.
        message_id: MessageId,
    },
    /// A number of this sender came twice.
    RepeatedNumber {
        /// Authority id or address.
        issuer: String,
        /// Which number.
        pair_seq: u64,
    },
}
