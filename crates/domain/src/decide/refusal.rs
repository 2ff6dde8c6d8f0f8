//! Why a rule says no, by what the caller can do about it. Reason codes are stable; docs/errors.md lists them.

use crate::chain::LinkError;
use crate::head::ChainHead;
use crate::id::AttachmentId;
use crate::time::Timestamp;

/// A rule that says no. Nothing was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The id stands for another message. Choose a new one.
    MessageIdReused,
    /// The act_id stands for another act. Choose a new one.
    ActIdReused,
    /// The sender sealed for an old chain or generation. Seal again for this head, under the same id.
    ChainStale {
        /// Newest link of the recipient.
        head: ChainHead,
        /// Newest generation.
        generation: u32,
    },
    /// The key is unknown, revoked, not valid yet or no longer.
    KeyNotActive,
    /// The act names an old head of the actor's chain. Fetch the chain and sign again.
    HeadNotNewest {
        /// Newest link.
        head: ChainHead,
    },
    /// The act's time is more than five minutes off. Sign again with the server's.
    ActTimeOff {
        /// The server's clock.
        server_time: Timestamp,
    },
    /// Citizens write to authorities only.
    RecipientNotAuthority,
    /// An attachment was not uploaded by this sender, or not committed, or differs in length or root.
    AttachmentNotReady {
        /// Which one.
        id: AttachmentId,
    },
    /// The letter is not available yet.
    NotYetAvailable {
        /// From when.
        available_at: Timestamp,
    },
    /// The letter was not handed over yet; read it first.
    NotHandedOver,
    /// The sender took the message back.
    Withdrawn,
    /// The provision lapsed.
    Lapsed,
    /// The recipient deleted it.
    Deleted,
    /// The content was erased.
    Erased,
    /// Too late to withdraw: it was handed over, or its deemed day has come.
    WithdrawTooLate,
    /// The act's hashes are not those of the message.
    HashMismatch,
    /// A consent act must be later than the one before.
    ConsentNotNewer {
        /// Time of the newest one.
        newest: Timestamp,
    },
    /// The mailbox is closed.
    MailboxClosed,
    /// No such activation code, or a wrong proof.
    CodeUnknown,
    /// The activation code expired. Ask for a new one.
    CodeExpired,
    /// The activation code was used for another mailbox. Ask for a new one.
    CodeUsed,
    /// A mailbox with this genesis exists already, with another code.
    MailboxExists,
    /// The chain has another link in this place. Fetch it and make a new link.
    LinkConflict {
        /// Newest link.
        head: ChainHead,
    },
    /// The link breaks a rule of the key chain.
    LinkInvalid {
        /// Which one.
        rule: LinkError,
    },
    /// Wraps did not come for exactly the members that need them. Seal for those of the new chain.
    WrapsIncomplete,
    /// This authority id exists; a request for a further key carries no GENESIS.
    AuthorityExists,
    /// The first certificate of an authority comes with the GENESIS of its mailbox.
    GenesisMissing,
    /// The certificate names another mailbox than the authority's.
    MailboxMismatch,
    /// The key is certified already, for another authority or with another certificate.
    KeyAlreadyCertified,
}

/// Every reason code with its meaning.
pub const REASONS: &[(&str, &str)] = &[
    ("NOT_FOUND", "There is no such thing, or the caller may not know of it."),
    ("MESSAGE_ID_REUSED", "The message id stands for another message. Choose a new one."),
    ("ACT_ID_REUSED", "The act id stands for another act. Choose a new one."),
    (
        "CHAIN_STALE",
        "Sealed for an old key of the recipient. Fetch the chain and seal again under the same id.",
    ),
    ("KEY_NOT_ACTIVE", "The key is unknown, revoked, not valid yet or no longer."),
    ("HEAD_NOT_NEWEST", "The act names an old head of the chain. Fetch the chain and sign again."),
    ("ACT_TIME_OFF", "The act's time is more than five minutes off. Sign again with the server's time."),
    ("RECIPIENT_NOT_AUTHORITY", "Citizens write to authorities only."),
    ("ATTACHMENT_NOT_READY", "An attachment is not uploaded and committed with this length and root."),
    ("NOT_YET_AVAILABLE", "The letter is not available yet. The error says from when."),
    ("NOT_HANDED_OVER", "The letter was not handed over yet. Read it first."),
    ("WITHDRAWN", "The sender took the message back."),
    ("LAPSED", "The letter was not fetched in time; its provision lapsed."),
    ("DELETED", "The recipient deleted the message."),
    ("ERASED", "The content was erased; its evidence stays."),
    ("WITHDRAW_TOO_LATE", "The message was handed over, or its deemed day has come."),
    ("HASH_MISMATCH", "The act's hashes are not those of the message."),
    ("CONSENT_NOT_NEWER", "A consent must be later than the one before."),
    ("MAILBOX_CLOSED", "The mailbox is closed."),
    ("CODE_UNKNOWN", "No such activation code. Check it, or ask for a new one."),
    ("CODE_EXPIRED", "The activation code expired. Ask for a new one."),
    ("CODE_USED", "The activation code was used for another mailbox. Ask for a new one."),
    ("MAILBOX_EXISTS", "A mailbox with this genesis exists already."),
    ("LINK_CONFLICT", "The chain has another link in this place. Fetch it and make a new link."),
    ("LINK_INVALID", "The link breaks a rule of the key chain."),
    (
        "WRAPS_INCOMPLETE",
        "Wraps have to come for every active device and the recovery key, and for nobody else.",
    ),
    ("AUTHORITY_EXISTS", "This authority exists. A request for a further key carries no GENESIS."),
    ("GENESIS_MISSING", "The first certificate of an authority comes with the GENESIS of its mailbox."),
    ("MAILBOX_MISMATCH", "The certificate names another mailbox than the authority's."),
    ("KEY_ALREADY_CERTIFIED", "The key has another certificate already."),
];

impl Refusal {
    /// The stable code.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::MessageIdReused => "MESSAGE_ID_REUSED",
            Self::ActIdReused => "ACT_ID_REUSED",
            Self::ChainStale { .. } => "CHAIN_STALE",
            Self::KeyNotActive => "KEY_NOT_ACTIVE",
            Self::HeadNotNewest { .. } => "HEAD_NOT_NEWEST",
            Self::ActTimeOff { .. } => "ACT_TIME_OFF",
            Self::RecipientNotAuthority => "RECIPIENT_NOT_AUTHORITY",
            Self::AttachmentNotReady { .. } => "ATTACHMENT_NOT_READY",
            Self::NotYetAvailable { .. } => "NOT_YET_AVAILABLE",
            Self::NotHandedOver => "NOT_HANDED_OVER",
            Self::Withdrawn => "WITHDRAWN",
            Self::Lapsed => "LAPSED",
            Self::Deleted => "DELETED",
            Self::Erased => "ERASED",
            Self::WithdrawTooLate => "WITHDRAW_TOO_LATE",
            Self::HashMismatch => "HASH_MISMATCH",
            Self::ConsentNotNewer { .. } => "CONSENT_NOT_NEWER",
            Self::MailboxClosed => "MAILBOX_CLOSED",
            Self::CodeUnknown => "CODE_UNKNOWN",
            Self::CodeExpired => "CODE_EXPIRED",
            Self::CodeUsed => "CODE_USED",
            Self::MailboxExists => "MAILBOX_EXISTS",
            Self::LinkConflict { .. } => "LINK_CONFLICT",
            Self::LinkInvalid { .. } => "LINK_INVALID",
            Self::WrapsIncomplete => "WRAPS_INCOMPLETE",
            Self::AuthorityExists => "AUTHORITY_EXISTS",
            Self::GenesisMissing => "GENESIS_MISSING",
            Self::MailboxMismatch => "MAILBOX_MISMATCH",
            Self::KeyAlreadyCertified => "KEY_ALREADY_CERTIFIED",
        }
    }
}
