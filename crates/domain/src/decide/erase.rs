//! The service removes a message's content, and its events with their salts; what stays is that it was erased (SPEC 5).

use super::{MessageState, Moment, Outcome};
use crate::event::{ErasedDetails, Event, EventType};

/// Decides on an erasure: the ERASED event, which names every leaf whose event goes. It can stand once only.
pub fn decide_erase(message: &MessageState, moment: Moment) -> Outcome {
    if message.has(EventType::Erased) {
        return Outcome::Stands(EventType::Erased);
    }
    let indexes = message.events.iter().map(|(_, index)| *index).collect();
    let details = ErasedDetails { indexes, pair_seq: message.pair_seq };
    Outcome::Log(Box::new(Event {
        event_type: EventType::Erased,
        message_id: Some(message.message_id),
        sender: Some(message.sender.clone()),
        recipient: Some(message.recipient),
        hashes: None,
        occurred_at: moment.occurred_at,
        available_at: crate::time::Timestamp::default(),
        pair_seq: 0,
        keys_size: moment.keys_size,
        signed: None,
        prev_commitment: message.last_commitment,
        reason: String::new(),
        details: details.encode(),
    }))
}
