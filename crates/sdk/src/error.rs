//! One error for all calls, cut by what the caller can do about it. The command line's exit codes follow these cases.

use std::time::Duration;

/// What went wrong, by what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server did not answer in time, or asks to wait. Everything may safely be tried again (exit 6).
    #[error("the server does not answer: {detail}")]
    ServerAway {
        /// How long the server asks to wait, if it said.
        retry_after: Option<Duration>,
        /// For the log, not for people.
        detail: String,
    },
    /// The address answers, but not as the service of the card: wrong certificate or TLS version (exit 8).
    #[error("this is not the service of the card: {detail}")]
    NotTheService {
        /// For the log, not for people.
        detail: String,
    },
    /// Nothing of that name, or nothing that is ours (exit 3).
    #[error("not found ({reason})")]
    NotFound {
        /// Stable code.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// The service does not know the caller's key: not registered yet, revoked, or another deployment (exit 4 or 5).
    #[error("the service does not accept this key ({reason})")]
    NotAccepted {
        /// Stable code.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// Known, but not allowed (exit 5).
    #[error("not allowed ({reason})")]
    NotAllowed {
        /// Stable code.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// The state of things forbids it (exit 9).
    #[error("the state forbids it ({reason})")]
    Conflict {
        /// Stable code, for example `MESSAGE_ID_REUSED`.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// Too late (exit 9).
    #[error("expired ({reason})")]
    Expired {
        /// Stable code, for example `CODE_EXPIRED`.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// The recipient takes no electronic post from this sender: send paper (exit 5). A logged refusal stands where a
    /// message was submitted.
    #[error("the recipient has to be written to on paper")]
    PaperRequired,
    /// An input is wrong (exit 2).
    #[error("{field}: {reason}")]
    BadInput {
        /// Which one.
        field: String,
        /// Why.
        reason: String,
    },
    /// Sealed for another key, or damaged where nobody signed (exit 7).
    #[error("cannot decrypt {what}: {reason}")]
    CannotDecrypt {
        /// Which thing.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// What came does not verify (exit 8).
    #[error(transparent)]
    Evidence(#[from] Box<EvidenceError>),
    /// A signed message is wrong inside although all hashes hold: the sender's fault, the reader may reject (exit 8).
    #[error("the message is not what its sender signed for: {reason}")]
    BadMessage {
        /// Which check failed.
        reason: String,
    },
    /// The letter that came is not the signed one. A dispute stands in the log now (exit 8).
    #[error("the letter that came is not the signed one; a dispute is recorded")]
    LetterNotReceived,
    /// The server answered that it failed (exit 1).
    #[error("the server failed ({reason})")]
    Server {
        /// Stable code or status name.
        reason: String,
        /// For a question to the operator.
        request_id: Option<String>,
    },
    /// A file or another local thing failed (exit 1).
    #[error("{what}: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// What the application stored cannot be read (exit 1).
    #[error("stored {what} is damaged: {reason}")]
    Damaged {
        /// Which thing.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// Evidence that does not hold, with what proves it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
#[non_exhaustive]
pub struct EvidenceError {
    /// Which check failed.
    pub what: EvidenceFault,
    /// What to keep as proof: names and bytes, for example the two checkpoints of a fork.
    pub proof: Vec<(String, Vec<u8>)>,
}

/// Which check failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFault {
    /// A checkpoint that the log's key did not sign.
    #[error("a checkpoint does not verify: {0}")]
    Checkpoint(String),
    /// Two checkpoints of one log that no proof links.
    #[error("the log {log} shows two histories (sizes {old} and {new})")]
    Fork {
        /// Name of the log.
        log: String,
        /// Smaller size.
        old: u64,
        /// Larger size.
        new: u64,
    },
    /// The server shows less than it showed before.
    #[error("the log {log} went back from size {seen} to {now}")]
    Rollback {
        /// Name of the log.
        log: String,
        /// What was seen.
        seen: u64,
        /// What the server has.
        now: u64,
    },
    /// An event later in the log with an earlier time.
    #[error("event {index} is dated before an event that was already in the log")]
    BackDated {
        /// Index in the evidence log.
        index: u64,
    },
    /// A leaf that is not where the proof says.
    #[error("an inclusion proof does not hold: {0}")]
    Inclusion(String),
    /// An event that contradicts what was signed or came before.
    #[error("event {index} does not fit: {reason}")]
    Event {
        /// Index in the evidence log.
        index: u64,
        /// Which check.
        reason: String,
    },
    /// A key chain that breaks the rules.
    #[error("a key chain does not verify: {0}")]
    Chain(String),
    /// A chain that is shorter or other than the one seen before.
    #[error("the key chain of {address} is not the one seen before")]
    Pin {
        /// Whose.
        address: String,
    },
    /// The statement about a chain's head.
    #[error("the statement about a chain's head does not hold: {0}")]
    Head(String),
    /// A certificate or revocation.
    #[error("a certificate does not verify: {0}")]
    Certificate(String),
    /// What stands in the log of keys, read entry by entry.
    #[error("the log of keys: {0}")]
    KeyLog(String),
    /// Stored bytes of an attachment that are not the signed ones.
    #[error("an attachment is not the one that was signed: {0}")]
    Attachment(String),
    /// A receipt.
    #[error("the receipt does not verify: {0}")]
    Receipt(String),
    /// The answer lacks something that the protocol promises.
    #[error("the server's answer is malformed: {0}")]
    Answer(String),
}

impl Error {
    /// An evidence error without further proof.
    pub(crate) fn evidence(what: EvidenceFault) -> Self {
        Self::evidence_with(what, Vec::new())
    }

    /// An evidence error with its proof.
    pub(crate) fn evidence_with(what: EvidenceFault, proof: Vec<(String, Vec<u8>)>) -> Self {
        Self::Evidence(Box::new(EvidenceError { what, proof }))
    }

    /// An answer without a part that it must have.
    pub(crate) fn answer(what: impl Into<String>) -> Self {
        Self::evidence(EvidenceFault::Answer(what.into()))
    }

    /// A local failure.
    pub(crate) fn local(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Local { what: what.into(), source }
    }

    /// A wrong input.
    #[allow(clippy::needless_pass_by_value)] // takes texts and errors alike, also from map_err
    pub(crate) fn bad_input(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::BadInput { field: field.into(), reason: reason.to_string() }
    }

    /// The server's or our stable code, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotFound { reason, .. }
            | Self::NotAccepted { reason, .. }
            | Self::NotAllowed { reason, .. }
            | Self::Conflict { reason, .. }
            | Self::Expired { reason, .. }
            | Self::Server { reason, .. } => Some(reason),
            Self::PaperRequired => Some("PAPER_REQUIRED"),
            Self::LetterNotReceived => Some("LETTER_NOT_RECEIVED"),
            _ => None,
        }
    }

    /// What to name in a question to the operator.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::NotFound { request_id, .. }
            | Self::NotAccepted { request_id, .. }
            | Self::NotAllowed { request_id, .. }
            | Self::Conflict { request_id, .. }
            | Self::Expired { request_id, .. }
            | Self::Server { request_id, .. } => request_id.as_deref(),
            _ => None,
        }
    }
}
