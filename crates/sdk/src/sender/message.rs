//! What a sender writes, before it is sealed.

use std::path::PathBuf;

use postfach_domain::id::MessageId;
use postfach_domain::outer::Kind;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_envelope::sealed::{Action, BodyType, LegalInfo, PaymentRequest};

/// A message to one recipient (SPEC 3): what the server reads, and what only the recipient can.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Chosen by the sender and its idempotency key; `None` for a new one.
    pub message_id: Option<MessageId>,
    /// Kind of notice; the server reads it.
    pub kind: Kind,
    /// The law under which it is served; the server reads it.
    pub regime: LegalRegime,
    /// How well the mailbox must be bound to a person.
    pub min_trust_level: TrustLevel,
    /// Ask the reader to confirm.
    pub confirmation_requested: bool,
    /// Not readable earlier; `None` means now.
    pub not_before: Option<Timestamp>,
    /// The message that this one answers.
    pub in_reply_to: Option<MessageId>,
    /// At most 1,024 characters; stands in the cover.
    pub subject: String,
    /// Free text that names the document; stands in the cover.
    pub kind_detail: String,
    /// The letter's text.
    pub body: String,
    /// How to read it.
    pub body_type: BodyType,
    /// What the authority states of the law.
    pub legal: Option<LegalInfo>,
    /// Requests to pay.
    pub payments: Vec<PaymentRequest>,
    /// What the reader is asked to do.
    pub actions: Vec<Action>,
    /// At most 100.
    pub attachments: Vec<FileToSend>,
}

/// A file to attach.
#[derive(Debug, Clone)]
pub struct FileToSend {
    /// Where it is.
    pub path: PathBuf,
    /// The base name, sent as it is; at most 255 bytes.
    pub name: String,
    /// For example `application/pdf`.
    pub media_type: String,
}
