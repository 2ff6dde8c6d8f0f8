//! One event of the evidence log, proven to stand there. Whose signature it carries is judged by who uses it.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::event::{Event, EventSigned, EventType, commitment};
use postfach_domain::format;
use postfach_domain::hash::Digest;
use postfach_domain::id::{MessageId, Origin, Party};
use postfach_domain::sign::PublicKey;
use postfach_ledger::checkpoint::SignedCheckpoint;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::receipt::act_mismatch;
use postfach_proto::v1;

use super::follow::{Seen, check_inclusion};
use crate::client::Client;
use crate::error::{Error, EvidenceFault};

/// An event whose commitment stands in the log under a checkpoint of the service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedEvent {
    /// What it says.
    pub event: Event,
    /// Its bytes as logged.
    pub bytes: Vec<u8>,
    /// The salt of its commitment.
    pub salt: [u8; 32],
    /// Its place in the evidence log.
    pub index: u64,
    /// The checkpoint that it was proven under.
    pub checkpoint: SignedCheckpoint,
}

impl VerifiedEvent {
    /// The commitment that the next event of the same message names.
    pub fn commitment(&self) -> Digest {
        commitment(&self.salt, &self.bytes)
    }

    /// An evidence error about this event.
    #[allow(clippy::needless_pass_by_value)] // takes texts and errors alike, also from map_err
    pub(crate) fn fault(&self, reason: impl ToString) -> Error {
        let what = EvidenceFault::Event { index: self.index, reason: reason.to_string() };
        Error::evidence_with(what, self.proof())
    }

    /// What to keep as proof.
    fn proof(&self) -> Vec<(String, Vec<u8>)> {
        vec![
            (format!("event-{}.bin", self.index), self.bytes.clone()),
            (format!("event-{}.salt", self.index), self.salt.to_vec()),
            (
                format!("evidence-{}.checkpoint", self.checkpoint.checkpoint.size),
                self.checkpoint.note.clone(),
            ),
        ]
    }

    /// The act that made the event, as signed; an error where its type asks for one and it carries none, or where act
    /// and event differ.
    pub(crate) fn signed_act(&self) -> Result<(&format::Signed, Act), Error> {
        let Some(EventSigned::Act(signed)) = &self.event.signed else {
            return Err(self.fault("it carries no act"));
        };
        let act = Act::peek(signed).map_err(|e| self.fault(e))?;
        let same_message = act.message.map(|m| m.message_id) == self.event.message_id
            && act.message.map(|m| (m.outer_hash, m.letter_hash))
                == self.event.hashes.map(|h| (h.outer, h.letter));
        if act.act_type.event_type() != Some(self.event.event_type) || !same_message {
            return Err(self.fault("its act is about something else"));
        }
        Ok((signed, act))
    }

    /// Checks the act's signature with the actor's key.
    pub(crate) fn check_act(&self, key: &PublicKey) -> Result<Act, Error> {
        let (signed, _) = self.signed_act()?;
        Act::verify(signed, key).map_err(|e| self.fault(e))
    }

    /// Checks that the event records an act of this type about these very bytes. Whose act it is, and that it is signed,
    /// is still to be checked.
    pub(crate) fn stands_for(&self, act_type: ActType, message: MessageRef) -> Result<(), Error> {
        let event_type = act_type.event_type();
        let event_type = event_type.ok_or_else(|| self.fault("it should not have been logged"))?;
        self.expect(event_type, Some(message.message_id))?;
        let (_, act) = self.signed_act()?;
        if act.message != Some(message) {
            return Err(self.fault("its act is about other bytes"));
        }
        Ok(())
    }

    /// The event's act, which must be by this party and say what the event says, also when. Any of the party's keys may
    /// have signed it, and not only just now: another device or clerk may have said the same before, or this one, whose
    /// answer got lost.
    pub(crate) fn act_by(&self, party: &Party, origin: &Origin) -> Result<Act, Error> {
        let (_, act) = self.signed_act()?;
        if act.actor != *party || act.origin != *origin {
            return Err(self.fault("its act is by somebody else"));
        }
        match act_mismatch(&act, &self.event, origin) {
            Some(field) => Err(self.fault(format!("its act says another {field}"))),
            None => Ok(act),
        }
    }

    /// Checks that this is the answer to what was asked for.
    pub(crate) fn expect(&self, event_type: EventType, message_id: Option<MessageId>) -> Result<(), Error> {
        if self.event.event_type != event_type || self.event.message_id != message_id {
            return Err(self.fault("it is not the event that was asked for"));
        }
        Ok(())
    }
}

impl Client {
    /// Checks commitment, inclusion and date of an event, and reads it.
    pub(crate) fn verify_event(&self, logged: &v1::LoggedEvent, seen: &Seen) -> Result<VerifiedEvent, Error> {
        let index = logged.index;
        let fault = |reason: String| Error::evidence(EvidenceFault::Event { index, reason });
        let salt: [u8; 32] =
            logged.salt.as_slice().try_into().map_err(|_| fault("the salt has not 32 bytes".to_owned()))?;
        let checkpoint = seen.evidence()?;
        let leaf = EvidenceLeaf { commitment: commitment(&salt, &logged.event) }.leaf_hash();
        check_inclusion(&format!("event {index}"), &leaf, index, &logged.inclusion, checkpoint)?;
        let event = Event::parse(&logged.event).map_err(|e| fault(e.to_string()))?;
        let verified =
            VerifiedEvent { event, bytes: logged.event.clone(), salt, index, checkpoint: checkpoint.clone() };
        self.check_times(&verified, seen)?;
        Ok(verified)
    }

    fn check_times(&self, verified: &VerifiedEvent, seen: &Seen) -> Result<(), Error> {
        let (index, occurred_at) = (verified.index, verified.event.occurred_at);
        let back_dated = self.with_trust(|trust| {
            let back_dated = trust.is_back_dated(index, occurred_at);
            trust.see_time(verified.checkpoint.checkpoint.size, occurred_at);
            back_dated
        });
        if back_dated {
            return Err(Error::evidence_with(EvidenceFault::BackDated { index }, verified.proof()));
        }
        if self.with_trust(|trust| trust.falls_behind_keys(index, verified.event.keys_size)) {
            return Err(verified.fault("it claims fewer keys than the log of keys had before it"));
        }
        if seen.keys().is_ok_and(|keys| verified.event.keys_size > keys.checkpoint.size) {
            return Err(verified.fault("it names more keys than the log of keys has"));
        }
        Ok(())
    }
}
