//! What can be wrong with a receipt, one case for each check of `verify` and `party`.

use postfach_domain::act::ActError;
use postfach_domain::authority::AuthorityError;
use postfach_domain::chain::ChainError;
use postfach_domain::event::EventError;
use postfach_domain::outer::OuterError;
use postfach_domain::sign::SignatureError;

use super::ReceiptFormatError;
use crate::tlog_proof::TlogProofError;

/// Why a receipt proves nothing. Every case is exit 8.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReceiptError {
    /// The file is damaged or no receipt.
    #[error(transparent)]
    Format(#[from] ReceiptFormatError),
    /// The event is not in the evidence log, or its checkpoint is refused.
    #[error("event in the evidence log: {0}")]
    Evidence(#[source] TlogProofError),
    /// The event is in the log and cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The outer header is absent, superfluous, or not the one that the event names.
    #[error("field {0} of the outer header and the event disagree")]
    OuterMismatch(&'static str),
    /// The outer header cannot be read.
    #[error(transparent)]
    Outer(#[from] OuterError),
    /// The receipt shows another kind of actor than the event has.
    #[error("the receipt shows another actor than the event")]
    Actor,
    /// The certificate is refused.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    /// The certificate is of another deployment, authority, key or time.
    #[error("the certificate has another {0}")]
    CertificateMismatch(&'static str),
    /// The links are no valid chain of the mailbox.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The links do not end with the head that was signed.
    #[error("the chain does not end with the head that was named")]
    ChainHead,
    /// The signer is no active device at that head.
    #[error("the signer is no active device of the mailbox")]
    KeyNotActive,
    /// The submission's signature is refused.
    #[error("signature of the submission: {0}")]
    Submission(#[source] SignatureError),
    /// The act is refused.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The act is about something else than the event.
    #[error("field {0} of the act and the event disagree")]
    ActMismatch(&'static str),
    /// The certificate or head link is not in the keys log, or its checkpoint is refused.
    #[error("key in the keys log: {0}")]
    KeyProof(#[source] TlogProofError),
    /// The certificate or head link came into the keys log after the event.
    #[error("the key came into the keys log after the event")]
    KeyTooLate,
    /// The keys checkpoint is older than the event says the keys log was.
    #[error("the keys checkpoint is older than the event")]
    KeysCheckpoint,
    /// The card asks for more cosignatures.
    #[error("fewer witnesses cosigned than the card asks for")]
    Unwitnessed,
}
