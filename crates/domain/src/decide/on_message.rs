//! What a recipient may do with a message: take it, confirm, reject, dispute, delete (SPEC 3 and 5).

use super::{ActorState, MessageState, Moment, Outcome, Refusal, SignedAct, act_event, check_actor};
use crate::act::ActType;
use crate::event::EventType;
use crate::id::Party;

/// Checks that hold for every act of a recipient: it is of this type, theirs, and about an accepted message; then key,
/// head, time and hashes.
fn check(
    act_type: ActType,
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<(), Refusal> {
    let theirs = act.act.act_type == act_type && act.act.actor == Party::Mailbox(message.recipient);
    if !theirs || message.has(EventType::Refused) {
        return Err(Refusal::NotFound);
    }
    check_actor(act.act, actor, moment)?;
    check_hashes(act, message)
}

/// The act names this message by id and by its hashes.
pub(super) fn check_hashes(act: SignedAct<'_>, message: &MessageState) -> Result<(), Refusal> {
    let named = act.act.message.ok_or(Refusal::NotFound)?;
    let hashes = message.hashes()?;
    if named.message_id != message.message_id {
        return Err(Refusal::NotFound);
    }
    if named.outer_hash != hashes.outer || named.letter_hash != hashes.letter {
        return Err(Refusal::HashMismatch);
    }
    Ok(())
}

/// The recipient's device takes the letter. It can stand once only.
pub fn decide_hand_over(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    check(ActType::HandedOver, act, actor, message, moment)?;
    if message.has(EventType::HandedOver) {
        return Ok(Outcome::Stands(EventType::HandedOver));
    }
    check_readable(message, moment)?;
    act_event(EventType::HandedOver, act, message, moment)
}

/// May the letter be given out at all?
fn check_readable(message: &MessageState, moment: Moment) -> Result<(), Refusal> {
    for (ended, refusal) in [
        (EventType::Withdrawn, Refusal::Withdrawn),
        (EventType::Lapsed, Refusal::Lapsed),
        (EventType::Deleted, Refusal::Deleted),
        (EventType::Erased, Refusal::Erased),
    ] {
        if message.has(ended) {
            return Err(refusal);
        }
    }
    if moment.occurred_at < message.available_at {
        return Err(Refusal::NotYetAvailable { available_at: message.available_at });
    }
    Ok(())
}

/// The recipient confirms that the letter was read. Only what was handed over; it can stand once only.
pub fn decide_confirm(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    check(ActType::Confirmed, act, actor, message, moment)?;
    if message.has(EventType::Confirmed) {
        return Ok(Outcome::Stands(EventType::Confirmed));
    }
    require_handed_over(message)?;
    act_event(EventType::Confirmed, act, message, moment)
}

/// All hashes match, and an inner check fails: the sender is at fault. Also before a hand-over, since the cover is checked
/// before one is signed (SPEC 3).
pub fn decide_reject(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    check(ActType::RejectedByRecipient, act, actor, message, moment)?;
    act_event(EventType::RejectedByRecipient, act, message, moment)
}

/// The recipient contradicts the service: something did not arrive, or not as it was signed. Also before a hand-over: a
/// cover that differs from its signed hash is LETTER_NOT_RECEIVED too (SPEC 3).
pub fn decide_dispute(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    check(ActType::Disputed, act, actor, message, moment)?;
    act_event(EventType::Disputed, act, message, moment)
}

/// The recipient removes the content for herself; evidence and the sender's copy stay. It can stand once only.
pub fn decide_delete(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    check(ActType::Deleted, act, actor, message, moment)?;
    if message.has(EventType::Deleted) {
        return Ok(Outcome::Stands(EventType::Deleted));
    }
    act_event(EventType::Deleted, act, message, moment)
}

fn require_handed_over(message: &MessageState) -> Result<(), Refusal> {
    if message.has(EventType::HandedOver) { Ok(()) } else { Err(Refusal::NotHandedOver) }
}
