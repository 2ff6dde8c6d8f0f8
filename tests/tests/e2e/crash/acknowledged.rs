//! What the server acknowledged, or showed to anybody: each of it has to be there for ever.

use std::collections::{BTreeMap, HashMap};

use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use postfach_sdk::VerifiedEvent;

/// One event that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub message: Option<MessageId>,
    pub event_type: EventType,
    pub bytes: Vec<u8>,
    pub salt: [u8; 32],
}

/// All events that anybody holds, and all checkpoints.
#[derive(Default)]
pub struct Acknowledged {
    facts: BTreeMap<u64, Fact>,
    places: HashMap<(MessageId, EventType), u64>,
    /// Evidence checkpoints by size.
    pub notes: BTreeMap<u64, Vec<u8>>,
}

impl Acknowledged {
    /// Takes an event that verified. What was said before about its place, or about the message, must be the same.
    pub fn hold(&mut self, verified: &VerifiedEvent) {
        let event = &verified.event;
        let fact = Fact {
            message: event.message_id,
            event_type: event.event_type,
            bytes: verified.bytes.clone(),
            salt: verified.salt,
        };
        let before = self.facts.insert(verified.index, fact.clone());
        assert!(before.is_none_or(|b| b == fact), "another event stands at {} now", verified.index);
        if let Some(message) = event.message_id.filter(|_| comes_once(event.event_type)) {
            let before = self.places.insert((message, event.event_type), verified.index);
            let same = before.is_none_or(|before| before == verified.index);
            assert!(same, "{message} {:?} was at {before:?}, now at {}", event.event_type, verified.index);
        }
        let size = verified.checkpoint.checkpoint.size;
        let note = self.notes.entry(size).or_insert_with(|| verified.checkpoint.note.clone());
        assert_eq!(*note, verified.checkpoint.note, "two checkpoints of {size} leaves");
    }

    /// All facts, by place.
    pub fn facts(&self) -> &BTreeMap<u64, Fact> {
        &self.facts
    }

    /// Where a message was accepted, as far as anybody was told.
    pub fn accepted(&self, id: MessageId) -> Option<u64> {
        self.places.get(&(id, EventType::Accepted)).copied()
    }
}

/// A dispute may be said again, under another act: after a lost answer the client does. Everything else comes once.
pub fn comes_once(event_type: EventType) -> bool {
    event_type != EventType::Disputed
}
