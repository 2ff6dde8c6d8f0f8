//! One leaf of the evidence log by itself: commitment, form, columns, act. What depends on other events is in
//! `history`.

use postfach_domain::act::ActType;
use postfach_domain::event::{ErasedDetails, Event, EventSigned, EventType, commitment};
use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;
use postfach_ledger::hash::Hash;
use postfach_ledger::leaf::EvidenceLeaf;

use super::acts::{ActTag, ConsentAct, Numbers, check_act};
use super::facts::{Context, Keys};
use super::message::MessageFacts;
use super::problem::{Checked, bad, hold};
use super::tags::{half_of, tag_of};
use crate::storage::audit::Record;

/// What one leaf comes to.
#[derive(Debug)]
pub struct EventFacts {
    /// Its index.
    pub index: u64,
    /// Its hash in the tree.
    pub leaf: Hash,
    /// Stands for its commitment.
    pub commitment: [u8; 16],
    /// The message that it belongs to.
    pub message_no: Option<u64>,
    /// Sender and recipient.
    pub numbers: Numbers,
    /// What happened; `None` once erased.
    pub live: Option<Live>,
    /// The message that begins here.
    pub message: Option<MessageFacts>,
}

/// An event that is still there.
#[derive(Debug)]
pub struct Live {
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub occurred_at: Timestamp,
    /// Size of the keys log then.
    pub keys_size: u64,
    /// Stands for the commitment that it follows.
    pub prev: [u8; 16],
    /// Its message.
    pub message_id: Option<[u8; 16]>,
    /// Half a hash over the hashes of its message.
    pub hashes: Option<[u8; 16]>,
    /// The row of its act.
    pub act: Option<ActTag>,
    /// What it says about consent.
    pub consent: Option<ConsentAct>,
    /// What it erased.
    pub erased: Option<ErasedDetails>,
}

/// Checks one row; answers the event itself too, for the message that begins with it.
pub fn check_event(
    context: &Context,
    keys: &Keys,
    row: &mut Record,
    due: u64,
) -> Checked<(EventFacts, Option<Event>)> {
    let index = row.unsigned()?;
    hold(row, index == due, format!("leaf {due} is missing"))?;
    let stored = Digest(row.array()?);
    let (salt, bytes): (Option<[u8; 32]>, _) = (row.opt_array()?, row.opt_blob()?);
    let (event_type, occurred_at) = (row.opt_small()?, row.opt_unsigned()?);
    let message_no = row.opt_unsigned()?;
    let numbers = Numbers { sender: row.opt_unsigned()?, recipient: row.opt_unsigned()? };
    let mut facts = EventFacts {
        index,
        leaf: EvidenceLeaf { commitment: stored }.leaf_hash(),
        commitment: tag_of(&stored),
        message_no,
        numbers,
        live: None,
        message: None,
    };
    let (salt, bytes, event_type, occurred_at) = match (salt, bytes, event_type, occurred_at) {
        (Some(salt), Some(bytes), Some(event_type), Some(at)) => (salt, bytes, event_type, at),
        (None, None, None, None) => return Ok((facts, None)),
        _ => return Err(bad(row, "the event is erased in part")),
    };
    hold(row, commitment(&salt, &bytes) == stored, "the commitment is not that of salt and event")?;
    let event = Event::parse(&bytes).map_err(|error| bad(row, error))?;
    let named = u32::try_from(event.event_type.to_wire()).ok();
    hold(row, named == Some(event_type), "event_type is not that of the event")?;
    hold(row, event.occurred_at.0 == occurred_at, "occurred_at is not that of the event")?;
    check_parties(keys, row, &event, message_no, numbers)?;
    facts.live = Some(live(context, keys, row, (index, &event), numbers)?);
    Ok((facts, Some(event)))
}

/// The numbers in the row are those of the parties in the event.
fn check_parties(
    keys: &Keys,
    row: &Record,
    event: &Event,
    message_no: Option<u64>,
    numbers: Numbers,
) -> Checked<()> {
    let sender = match (&event.sender, numbers.sender) {
        (Some(party), Some(no)) => keys.is_party(no, party),
        (None, None) => true,
        _ => false,
    };
    hold(row, sender, "sender_no is not the sender of the event")?;
    let recipient = match (event.recipient, numbers.recipient) {
        (Some(address), Some(no)) => keys.mailbox(no).is_some_and(|mailbox| mailbox.address == address),
        (None, None) => true,
        _ => false,
    };
    hold(row, recipient, "recipient_no is not the recipient of the event")?;
    hold(row, event.message_id.is_some() == message_no.is_some(), "message_no does not fit the event")
}

fn live(
    context: &Context,
    keys: &Keys,
    row: &Record,
    (index, event): (u64, &Event),
    numbers: Numbers,
) -> Checked<Live> {
    let whole = event.message_id.is_some() && event.sender.is_some() && event.recipient.is_some();
    let mut act = None;
    let mut consent = None;
    let mut erased = None;
    let fits = match event.event_type {
        EventType::Accepted | EventType::Refused => {
            let first = (event.event_type == EventType::Accepted) == (event.pair_seq > 0);
            first && whole && matches!(event.signed, Some(EventSigned::Submission(_)))
        }
        EventType::Notified | EventType::NotificationFailed | EventType::Lapsed => {
            whole && event.hashes.is_some() && event.signed.is_none()
        }
        EventType::Erased => {
            erased = Some(ErasedDetails::parse(&event.details).map_err(|error| bad(row, error))?);
            let account = event.message_id.is_none() && event.sender.is_none() && event.recipient.is_none();
            (whole || account) && event.hashes.is_none() && event.signed.is_none()
        }
        EventType::Consent | EventType::ConsentRevoked => {
            event.message_id.is_none() && event.sender.is_none() && event.hashes.is_none()
        }
        _ => whole && event.hashes.is_some(),
    };
    hold(row, fits, "the event has not the parts that its type has")?;
    let counted = event.pair_seq == 0 || event.event_type == EventType::Accepted;
    hold(row, counted, "pair_seq stands in an event that is no ACCEPTED")?;
    if ActType::of_event(event.event_type).is_some() {
        let checked = check_act(context, keys, row, (index, event), numbers)?;
        (act, consent) = (Some(checked.tag), checked.consent);
    }
    Ok(Live {
        event_type: event.event_type,
        occurred_at: event.occurred_at,
        keys_size: event.keys_size,
        prev: tag_of(&event.prev_commitment),
        message_id: event.message_id.map(|id| id.0),
        hashes: event.hashes.as_ref().map(half_of),
        act,
        consent,
        erased,
    })
}
