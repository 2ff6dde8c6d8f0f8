//! Consent to electronic delivery, given and revoked for the future; and signed settings.

use super::{ActorState, Moment, Refusal, SignedAct, check_actor};
use crate::act::ActType;
use crate::event::{Event, EventSigned, EventType};
use crate::hash::Digest;
use crate::id::Party;
use crate::time::Timestamp;

/// A mailbox as its owner's consent meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentState {
    /// Key and head.
    pub actor: ActorState,
    /// Time of the newest consent act.
    pub newest: Option<Timestamp>,
    /// By its owner.
    pub closed: bool,
}

/// Decides on CONSENT and CONSENT_REVOKED: times of one actor increase. The event to log.
pub fn decide_consent(act: SignedAct<'_>, state: &ConsentState, moment: Moment) -> Result<Event, Refusal> {
    check_owner(act, state, moment)?;
    if let Some(newest) = state.newest.filter(|newest| act.act.time <= *newest) {
        return Err(Refusal::ConsentNotNewer { newest });
    }
    let Party::Mailbox(address) = &act.act.actor else { return Err(Refusal::NotFound) };
    let event_type =
        act.act.act_type.event_type().filter(|t| matches!(t, EventType::Consent | EventType::ConsentRevoked));
    Ok(Event {
        event_type: event_type.ok_or(Refusal::NotFound)?,
        message_id: None,
        sender: None,
        recipient: Some(*address),
        hashes: None,
        occurred_at: moment.occurred_at,
        available_at: Timestamp::default(),
        pair_seq: 0,
        keys_size: moment.keys_size,
        signed: Some(EventSigned::Act(act.signed.clone())),
        prev_commitment: Digest::ZERO,
        reason: act.act.reason.clone(),
        details: act.act.details.clone(),
    })
}

/// Decides on SETTINGS, which are stored with their signature and not logged; older ones do not replace newer ones.
pub fn decide_settings(act: SignedAct<'_>, state: &ConsentState, moment: Moment) -> Result<(), Refusal> {
    if act.act.act_type != ActType::Settings {
        return Err(Refusal::NotFound);
    }
    check_owner(act, state, moment)?;
    match state.newest.filter(|newest| act.act.time <= *newest) {
        Some(newest) => Err(Refusal::ConsentNotNewer { newest }),
        None => Ok(()),
    }
}

fn check_owner(act: SignedAct<'_>, state: &ConsentState, moment: Moment) -> Result<(), Refusal> {
    if state.closed {
        return Err(Refusal::MailboxClosed);
    }
    check_actor(act.act, &state.actor, moment)
}
