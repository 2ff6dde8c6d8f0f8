//! Acts inside events: form, signature, and that the event repeats them.

use postfach_domain::act::{Act, ConsentScope};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, AuthorityId};

use super::facts::{Context, Keys};
use super::problem::{Checked, bad, hold};
use super::tags::half;
use crate::storage::audit::Record;

/// Stands for one row of `act`: half a hash over all its columns.
pub type ActTag = [u8; 16];

/// The tag of an act; `event` is `None` for settings.
pub fn act_tag(act_id: &ActId, actor_no: u64, body_hash: &Digest, event: Option<u64>) -> ActTag {
    let event = event.unwrap_or(u64::MAX).to_be_bytes();
    half(&Digest::of_parts(&[&act_id.0, &actor_no.to_be_bytes(), body_hash.as_bytes(), &event]))
}

/// Consent given or revoked.
#[derive(Debug)]
pub struct ConsentAct {
    /// To these authorities, or to all.
    pub scope: ConsentScope,
    /// Time of the act.
    pub time: u64,
    /// Given, not revoked.
    pub granted: bool,
}

impl ConsentAct {
    /// The keys of the rows that it writes: `''` stands for all.
    pub fn scopes(&self) -> Vec<String> {
        match &self.scope {
            ConsentScope::All => vec![String::new()],
            ConsentScope::Authorities(ids) => ids.iter().map(AuthorityId::to_string).collect(),
        }
    }
}

/// Sender and recipient of an event, by number.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Who sent.
    pub sender: Option<u64>,
    /// Who received, or acted.
    pub recipient: Option<u64>,
}

/// An act that fits its event.
#[derive(Debug)]
pub struct CheckedAct {
    /// The row that it must have.
    pub tag: ActTag,
    /// What it says about consent.
    pub consent: Option<ConsentAct>,
}

/// Checks the act in an event of a party.
pub fn check_act(
    context: &Context,
    keys: &Keys,
    row: &Record,
    (index, event): (u64, &Event),
    numbers: Numbers,
) -> Checked<CheckedAct> {
    let Some(EventSigned::Act(signed)) = &event.signed else {
        return Err(bad(row, "the event carries no act"));
    };
    let act = Act::peek(signed).map_err(|error| bad(row, error))?;
    hold(row, act.act_type.event_type() == Some(event.event_type), "the act is of another type")?;
    hold(row, act.origin == context.origin, "the act belongs to another deployment")?;
    hold(row, act.reason == event.reason && act.details == event.details, "the act says something else")?;
    hold(row, act.time_fits(event.occurred_at), "the time of the act is far from occurred_at")?;
    let named = act.message.map(|named| (named.message_id, named.outer_hash, named.letter_hash));
    let meant = event.message_id.zip(event.hashes).map(|(id, hashes)| (id, hashes.outer, hashes.letter));
    hold(row, named == meant, "the act names another message")?;
    let by_sender = event.event_type == EventType::Withdrawn;
    let actor_no = if by_sender { numbers.sender } else { numbers.recipient };
    let actor_no = actor_no.filter(|no| keys.is_party(*no, &act.actor));
    let actor_no = actor_no.ok_or_else(|| bad(row, "somebody else acted"))?;
    check_signature(context, keys, row, (event, signed, &act), actor_no)?;
    let consent = match event.event_type {
        EventType::Consent | EventType::ConsentRevoked => Some(ConsentAct {
            scope: act.consent_scope().map_err(|error| bad(row, error))?,
            time: act.time.0,
            granted: event.event_type == EventType::Consent,
        }),
        _ => None,
    };
    let tag = act_tag(&act.act_id, actor_no, &Digest::of(&signed.body), Some(index));
    Ok(CheckedAct { tag, consent })
}

fn check_signature(
    context: &Context,
    keys: &Keys,
    row: &Record,
    (event, signed, act): (&Event, &Signed, &Act),
    actor_no: u64,
) -> Checked<()> {
    let moment = (event.keys_size, event.occurred_at);
    let signer = keys.signer(actor_no, &act.signer, act.actor_head, moment).map_err(|what| bad(row, what))?;
    if context.signatures {
        let key = signer.public().ok_or_else(|| bad(row, "the signer's key is no key"))?;
        Act::verify(signed, &key).map_err(|error| bad(row, error))?;
    }
    Ok(())
}
