//! Judges a receipt against a service card: inclusion in both logs, who acted, and that every field says the same. What
//! nobody can see from the file alone (revocations, time without witnesses) is named in the result, not guessed.

use postfach_domain::act::Act;
use postfach_domain::authority::AuthorityCert;
use postfach_domain::event::{Event, commitment};
use postfach_domain::id::Party;
use postfach_domain::outer::Outer;

use super::error::ReceiptError;
use super::trust::Trust;
use super::{Receipt, party};
use crate::checkpoint::VerifiedCheckpoint;
use crate::leaf::EvidenceLeaf;
use crate::scan::KeyClaim;

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
