//! The events of one message: which may follow which, and the list of them that its row repeats.

use postfach_domain::event::EventType;
use postfach_domain::hash::Digest;

use super::tags::{half, no_commitment};

/// A list of events, by a hash over it. `message.events` spells it out: u8 type and u64 index each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages([u8; 16]);

impl Stages {
    /// The list with one more event; `None` for one that is erased.
    #[must_use]
    pub fn with(self, event_type: Option<EventType>, index: u64) -> Self {
        let kind = event_type.map_or(0, |t| u8::try_from(t.to_wire()).unwrap_or(u8::MAX));
        Self(half(&Digest::of_parts(&[&self.0, &[kind], &index.to_be_bytes()])))
    }

    /// The list in a column; `None` where it is none.
    pub fn of_column(bytes: &[u8]) -> Option<Self> {
        let (stages, rest) = bytes.as_chunks::<9>();
        rest.is_empty().then(|| {
            stages.iter().fold(Self::default(), |list, stage| {
                Self(half(&Digest::of_parts(&[&list.0, stage.as_slice()])))
            })
        })
    }
}

/// One bit for each type.
pub fn bit(event_type: EventType) -> u32 {
    1u32.checked_shl(event_type.to_wire().unsigned_abs()).unwrap_or_default()
}

/// May this event begin a message? `prev` stands for the commitment that it follows.
pub fn first_is_sound(event_type: EventType, prev: [u8; 16]) -> Result<(), &'static str> {
    if !matches!(event_type, EventType::Accepted | EventType::Refused) {
        return Err("a message begins with an event that is neither ACCEPTED nor REFUSED");
    }
    if prev != no_commitment() {
        return Err("the first event of a message names a commitment before it");
    }
    Ok(())
}

/// May this event follow these?
pub fn check_order(before: u32, event_type: EventType) -> Result<(), &'static str> {
    let has = |event_type| before & bit(event_type) != 0;
    if has(EventType::Erased) {
        return Err("an event follows ERASED");
    }
    if has(EventType::Refused) && event_type != EventType::Erased {
        return Err("an event follows REFUSED");
    }
    let once = [
        EventType::HandedOver,
        EventType::Confirmed,
        EventType::Withdrawn,
        EventType::Lapsed,
        EventType::Deleted,
    ];
    if once.contains(&event_type) && has(event_type) {
        return Err("this type of event can stand once only");
    }
    let barred: &[EventType] = match event_type {
        EventType::HandedOver => &[EventType::Withdrawn, EventType::Lapsed, EventType::Deleted],
        EventType::Withdrawn | EventType::Lapsed => &[EventType::HandedOver],
        _ => &[],
    };
    if barred.iter().any(|earlier| has(*earlier)) {
        return Err("the message had ended before this event");
    }
    match event_type {
        EventType::Confirmed if !has(EventType::HandedOver) => Err("CONFIRMED without HANDED_OVER"),
        EventType::Accepted | EventType::Refused => Err("a second beginning of one message"),
        EventType::Consent | EventType::ConsentRevoked => Err("an act of consent belongs to no message"),
        _ => Ok(()),
    }
}
