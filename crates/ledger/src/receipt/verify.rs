//! Judges a receipt against a service card: inclusion in both logs, who acted, and that every field says the same. What
//! nobody can see from the file alone (revocations, time without witnesses) is named in the result, not guessed.

use postfach_domain::act::{Act, ActError};
use postfach_domain::authority::{AuthorityCert, AuthorityError};
use postfach_domain::card::ServiceCard;
use postfach_domain::chain::ChainError;
use postfach_domain::event::{Event, EventError, EventType, commitment};
use postfach_domain::id::{Origin, Party};
use postfach_domain::outer::{Outer, OuterError};
use postfach_domain::sign::{PublicKey, SignatureError};

use super::{Receipt, ReceiptFormatError, party};
use crate::checkpoint::{LogKeys, VerifiedCheckpoint};
use crate::leaf::EvidenceLeaf;
use crate::scan::KeyClaim;
use crate::tlog_proof::TlogProofError;
use crate::vkey::{LogVerifier, VkeyError};
use crate::witness::{WitnessPolicy, WitnessVerifier};

/// What the holder of a receipt trusts: the content of the service card.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The deployment.
    pub origin: Origin,
    /// The registrar's root key.
    pub registrar: PublicKey,
    /// Keys of `<origin>/keys`.
    pub keys_log: LogKeys,
    /// Keys of `<origin>/evidence`.
    pub evidence_log: LogKeys,
    /// Witnesses in card order.
    pub witnesses: WitnessPolicy,
    /// Accept checkpoints with fewer cosignatures than the card asks for; the result says so.
    pub allow_unwitnessed: bool,
}

/// Why a service card gives no [`Trust`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A log or witness key is malformed, weak or of the wrong type.
    #[error(transparent)]
    Vkey(#[from] VkeyError),
    /// A log key whose name is not `<origin>/keys` or `<origin>/evidence`, or one that stands twice.
    #[error("a log key of the card has a wrong name or stands twice")]
    LogName,
    /// A witness that stands twice, or a quorum above their number.
    #[error("the witness policy of the card cannot be met")]
    Witnesses,
}

impl Trust {
    /// Reads the keys of a verified card. Cosignatures are demanded as the card says.
    pub fn from_card(card: &ServiceCard) -> Result<Self, TrustError> {
        let mut former = Vec::with_capacity(card.former_logs.len());
        for log in &card.former_logs {
            former.push((LogVerifier::from_vkey(&log.vkey)?, log.final_size));
        }
        let names = [card.origin.keys_log(), card.origin.evidence_log()];
        if former.iter().any(|(key, _)| !names.iter().any(|name| name == key.name())) {
            return Err(TrustError::LogName);
        }
        let keys = |name: &str, current: &str| -> Result<LogKeys, TrustError> {
            let current = LogVerifier::from_vkey(current)?;
            let own = former.iter().filter(|(key, _)| key.name() == name).cloned().collect();
            LogKeys::new(current, own).filter(|keys| keys.name() == name).ok_or(TrustError::LogName)
        };
        let policy = &card.witness_policy;
        let witnesses: Result<Vec<_>, _> =
            policy.witnesses.iter().map(|vkey| WitnessVerifier::from_vkey(vkey)).collect();
        let quorum = usize::try_from(policy.quorum).map_err(|_| TrustError::Witnesses)?;
        Ok(Self {
            origin: card.origin.clone(),
            registrar: card.registrar,
            keys_log: keys(&names[0], &card.keys_log)?,
            evidence_log: keys(&names[1], &card.evidence_log)?,
            witnesses: WitnessPolicy::new(witnesses?, quorum).ok_or(TrustError::Witnesses)?,
            allow_unwitnessed: false,
        })
    }
}

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

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedReceipt {
    /// What happened.
    pub event: Event,
    /// Its index in the evidence log.
    pub index: u64,
    /// The outer header, where the event has a message.
    pub outer: Option<Outer>,
    /// The act, where one was signed.
    pub act: Option<Act>,
    /// The certificate, where an authority acted: its display name is what people see.
    pub certificate: Option<AuthorityCert>,
    /// The evidence checkpoint with its cosignatures.
    pub checkpoint: VerifiedCheckpoint,
    /// The keys checkpoint with its cosignatures, where a party acted.
    pub keys_checkpoint: Option<VerifiedCheckpoint>,
    /// What was proven of the acting key. That nothing stood against it below `keys_size` is the operator's word
    /// until [`crate::scan::KeyScan`] has checked it.
    pub key_claim: Option<KeyClaim>,
    /// True where every checkpoint carries as many cosignatures as the card asks for, and at least one.
    pub witnessed: bool,
}

impl VerifiedReceipt {
    /// Who acted; `None` for the service.
    pub fn actor(&self) -> Option<&Party> {
        let by_act = self.act.as_ref().map(|act| &act.actor);
        by_act.or_else(|| self.key_claim.as_ref().and(self.event.sender.as_ref()))
    }

    /// Earliest time, in seconds since the Unix epoch, at which a witness had seen the event in the log. `None`: the
    /// time is the operator's word.
    pub fn witnessed_by(&self) -> Option<u64> {
        self.checkpoint.cosignatures.iter().map(|cosignature| cosignature.time).min()
    }
}

/// Reads and judges a receipt file.
pub fn verify(bytes: &[u8], trust: &Trust) -> Result<VerifiedReceipt, ReceiptError> {
    Receipt::parse(bytes)?.verify(trust)
}

impl Receipt {
    /// Judges a receipt.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedReceipt, ReceiptError> {
        let leaf = EvidenceLeaf { commitment: commitment(&self.salt, &self.event) }.leaf_hash();
        let checkpoint = self
            .evidence_proof
            .verify(&leaf, &trust.evidence_log, &trust.witnesses)
            .map_err(ReceiptError::Evidence)?;
        let event = Event::parse(&self.event)?;
        let outer = self.outer_of(&event, trust)?;
        let party = party::verify(self, &event, outer.as_ref(), trust)?;
        let witnessed = is_witnessed(&checkpoint, trust)
            && party.keys_checkpoint.as_ref().is_none_or(|keys| is_witnessed(keys, trust));
        if !witnessed && trust.witnesses.quorum() > 0 && !trust.allow_unwitnessed {
            return Err(ReceiptError::Unwitnessed);
        }
        Ok(VerifiedReceipt {
            event,
            index: self.evidence_proof.index,
            outer,
            act: party.act,
            certificate: party.certificate,
            checkpoint,
            keys_checkpoint: party.keys_checkpoint,
            key_claim: party.key_claim,
            witnessed,
        })
    }

    /// The outer header, present exactly where the event names its hash, and saying the same.
    fn outer_of(&self, event: &Event, trust: &Trust) -> Result<Option<Outer>, ReceiptError> {
        let mismatch = |field| Err(ReceiptError::OuterMismatch(field));
        let Some(hashes) = &event.hashes else {
            return if self.outer.is_empty() { Ok(None) } else { mismatch("outer_hash") };
        };
        if postfach_domain::outer::outer_hash(&self.outer) != hashes.outer {
            return mismatch("outer_hash");
        }
        let outer = Outer::parse(&self.outer)?;
        if outer.origin != trust.origin {
            mismatch("origin")
        } else if Some(outer.message_id) != event.message_id {
            mismatch("message_id")
        } else if Some(&outer.sender) != event.sender.as_ref() {
            mismatch("sender")
        } else if Some(outer.recipient) != event.recipient {
            mismatch("recipient")
        } else {
            Ok(Some(outer))
        }
    }
}

fn is_witnessed(checkpoint: &VerifiedCheckpoint, trust: &Trust) -> bool {
    checkpoint.cosignatures.len() >= trust.witnesses.quorum().max(1)
}

/// Who makes an event of this type.
pub(super) enum Maker {
    /// The sender, by the signature of the submission.
    Submission,
    /// The sender, by an act.
    SenderAct,
    /// The recipient's mailbox, by an act.
    RecipientAct,
    /// The service alone.
    Service,
}

pub(super) fn maker(event_type: EventType) -> Maker {
    match event_type {
        EventType::Accepted | EventType::Refused => Maker::Submission,
        EventType::Withdrawn => Maker::SenderAct,
        EventType::HandedOver
        | EventType::Confirmed
        | EventType::RejectedByRecipient
        | EventType::Disputed
        | EventType::Deleted
        | EventType::Consent
        | EventType::ConsentRevoked => Maker::RecipientAct,
        EventType::Notified | EventType::NotificationFailed | EventType::Lapsed | EventType::Erased => {
            Maker::Service
        }
    }
}
