//! What may happen: one pure decision for each verb. The server loads plain state, asks here, and writes what comes back.
//!
//! Signatures, hashes and forms were checked before; whether a key *counts now* is decided here, under the head lock.
//! Decisions of one batch follow each other on the same state, so states are small and plain.

mod append_link;
mod certify;
mod consent;
mod deliver;
mod erase;
mod on_message;
mod refusal;
mod register;
mod withdraw;

#[cfg(test)]
mod tests;

pub use append_link::{Appended, check_wraps, decide_append_link};
pub use certify::{Certified, CertifyState, KnownAuthority, RevokeState, decide_certify, decide_revoke};
pub use consent::{ConsentState, decide_consent, decide_settings};
pub use deliver::{DeliverCommand, DeliverState, Delivered, RecipientState, decide_deliver};
pub use erase::decide_erase;
pub use on_message::{decide_confirm, decide_delete, decide_dispute, decide_hand_over, decide_reject};
pub use refusal::{REASONS, Refusal};
pub use register::{CodeState, Registration, decide_register};
pub use withdraw::{WithdrawRules, decide_withdraw};

use crate::act::{Act, TIME_WINDOW_MS};
use crate::event::{Event, EventSigned, EventType};
use crate::format;
use crate::hash::Digest;
use crate::head::ChainHead;
use crate::id::{Address, MessageId, Party};
use crate::submission::Hashes;
use crate::terms::LegalRegime;
use crate::time::Timestamp;

/// When and where in the logs an operation is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `occurred_at` of the event (SPEC 5): never before the last one.
    pub occurred_at: Timestamp,
    /// Size of the keys log when the operation is applied.
    pub keys_size: u64,
}

/// What a decision asks the server to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Log this event and apply what follows from its type.
    Log(Box<Event>),
    /// The message already has this event, which can happen once only: answer with it.
    Stands(EventType),
}

/// The key and the chain of whoever acts, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorState {
    /// The signer is active for the actor: certified, valid today and unrevoked, or a device of the chain.
    pub key_active: bool,
    /// The newest link, where a mailbox acts.
    pub head: Option<ChainHead>,
}

/// What the rules need to know of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageState {
    /// Its id.
    pub message_id: MessageId,
    /// Who sent.
    pub sender: Party,
    /// To whom.
    pub recipient: Address,
    /// The three hashes; `None` once erased.
    pub hashes: Option<Hashes>,
    /// Chosen by the sender.
    pub regime: LegalRegime,
    /// `occurred_at` of the first event.
    pub accepted_at: Timestamp,
    /// `available_at` of ACCEPTED.
    pub available_at: Timestamp,
    /// pair_seq of ACCEPTED; 0 when refused.
    pub pair_seq: u64,
    /// Commitment of its newest event.
    pub last_commitment: Digest,
    /// Its events with their indexes in the evidence log, in order.
    pub events: Vec<(EventType, u64)>,
}

impl MessageState {
    /// Did this happen?
    pub fn has(&self, event_type: EventType) -> bool {
        self.events.iter().any(|(t, _)| *t == event_type)
    }

    /// Index of the first event of this type.
    pub fn index_of(&self, event_type: EventType) -> Option<u64> {
        self.events.iter().find(|(t, _)| *t == event_type).map(|(_, index)| *index)
    }

    /// Its hashes, or the refusal that it is erased.
    fn hashes(&self) -> Result<Hashes, Refusal> {
        self.hashes.ok_or(Refusal::Erased)
    }
}

/// An act that was checked outside the lock, with the bytes that were signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedAct<'a> {
    /// Parsed.
    pub act: &'a Act,
    /// As transported.
    pub signed: &'a format::Signed,
}

/// Was this act taken before under its id? The same body is answered again, another one is refused.
pub fn decide_repeat(earlier: Option<Digest>, body: &[u8]) -> Result<bool, Refusal> {
    match earlier {
        None => Ok(false),
        Some(hash) if hash == Digest::of(body) => Ok(true),
        Some(_) => Err(Refusal::ActIdReused),
    }
}

/// Time, key and head of an act (SPEC 5): what every act must satisfy before its own rules are asked.
pub fn check_actor(act: &Act, actor: &ActorState, moment: Moment) -> Result<(), Refusal> {
    if act.time.distance_ms(moment.occurred_at) > TIME_WINDOW_MS {
        return Err(Refusal::ActTimeOff { server_time: moment.occurred_at });
    }
    if !actor.key_active {
        return Err(Refusal::KeyNotActive);
    }
    match (act.actor_head, actor.head) {
        (Some(named), Some(newest)) if named == newest => Ok(()),
        (None, None) => Ok(()),
        (_, Some(newest)) => Err(Refusal::HeadNotNewest { head: newest }),
        (Some(_), None) => Err(Refusal::KeyNotActive),
    }
}

/// The event of an act on a message.
fn act_event(
    event_type: EventType,
    act: SignedAct<'_>,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    Ok(Outcome::Log(Box::new(Event {
        event_type,
        message_id: Some(message.message_id),
        sender: Some(message.sender.clone()),
        recipient: Some(message.recipient),
        hashes: Some(message.hashes()?),
        occurred_at: moment.occurred_at,
        available_at: message.available_at,
        pair_seq: 0,
        keys_size: moment.keys_size,
        signed: Some(EventSigned::Act(act.signed.clone())),
        prev_commitment: message.last_commitment,
        reason: act.act.reason.clone(),
        details: act.act.details.clone(),
    })))
}
