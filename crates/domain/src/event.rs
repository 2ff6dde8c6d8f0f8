//! Events of the evidence log: typed form, bytes and salted commitment (SPEC 5). Proofs are the ledger's; when an
//! event happens is decided in `decide`.

use prost::Message as _;

use crate::format;
use crate::hash::Digest;
use crate::id::{Address, MessageId, Party};
use crate::pae::context;
use crate::submission::Hashes;
use crate::time::Timestamp;

/// Bytes of the salt of one event.
pub const SALT_LEN: usize = 32;

macro_rules! event_types {
    ($($(#[$doc:meta])* $case:ident, $name:literal, $etsi:expr;)*) => {
        /// What happened.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum EventType {
            $($(#[$doc])* $case,)*
        }

        impl EventType {
            /// Every type, in the order of the format.
            pub const ALL: &[Self] = &[$(Self::$case,)*];

            /// The name, for example `HANDED_OVER`; also the name of the stage.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$case => $name,)*
                }
            }

            /// The names of ETSI EN 319 522; empty where the event is our own.
            pub const fn etsi(self) -> &'static [&'static str] {
                match self {
                    $(Self::$case => $etsi,)*
                }
            }
        }

        impl From<EventType> for format::EventType {
            fn from(event_type: EventType) -> Self {
                match event_type {
                    $(EventType::$case => Self::$case,)*
                }
            }
        }
    };
}

event_types! {
    /// Stored durably; cover and letter are available from `available_at`.
    Accepted, "ACCEPTED", &["SubmissionAcceptance", "ContentConsignment"];
    /// A validly signed submission that the recipient's state does not allow; final for its id.
    Refused, "REFUSED", &["SubmissionRejection"];
    /// One successful notification.
    Notified, "NOTIFIED", &["ConsignmentNotification"];
    /// One notification that failed.
    NotificationFailed, "NOTIFICATION_FAILED", &["ConsignmentNotificationFailure"];
    /// The citizen's device asked for the letter and it was released.
    HandedOver, "HANDED_OVER", &["ContentHandover"];
    /// The citizen's device says that the letter opened and every check held.
    Confirmed, "CONFIRMED", &["ContentAccessTracking"];
    /// The citizen's device says that all hashes match and an inner check failed.
    RejectedByRecipient, "REJECTED_BY_RECIPIENT", &["ContentHandoverFailure"];
    /// The citizen's device contradicts the service.
    Disputed, "DISPUTED", &["ContentHandoverFailure"];
    /// Taken back by the sender.
    Withdrawn, "WITHDRAWN", &[];
    /// Not handed over in time: provision lapsed.
    Lapsed, "LAPSED", &["AcceptanceRejectionExpiry"];
    /// The citizen removed the content for herself.
    Deleted, "DELETED", &[];
    /// The service removed content, events and salts.
    Erased, "ERASED", &[];
    /// The citizen agreed to receive electronically.
    Consent, "CONSENT", &[];
    /// The citizen revoked that.
    ConsentRevoked, "CONSENT_REVOKED", &[];
}

impl EventType {
    /// Reads the number; unspecified and unknown ones are `None`.
    pub fn from_wire(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.to_wire() == number)
    }

    /// The number that stands in the bytes.
    pub fn to_wire(self) -> i32 {
        format::EventType::from(self).into()
    }

    /// Reads a stage name such as `HANDED_OVER`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.as_str() == name)
    }
}

/// What a party signed for an event.
#[derive(Clone, PartialEq, Debug)]
pub enum EventSigned {
    /// The act, body and signature as transported.
    Act(format::Signed),
    /// The sender's signature over the three hashes.
    Submission(format::Signature),
}

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The message; `None` for events on a whole mailbox.
    pub message_id: Option<MessageId>,
    /// The sender of the message.
    pub sender: Option<Party>,
    /// The recipient of the message, or the mailbox that acted; `None` in ERASED of an account.
    pub recipient: Option<Address>,
    /// The three hashes of the message; `None` in ERASED and for events without a message.
    pub hashes: Option<Hashes>,
    /// The instant that counts in law.
    pub occurred_at: Timestamp,
    /// When cover and letter become available: the same in every event of one message but ERASED; 0 there and where
    /// there is no message.
    pub available_at: Timestamp,
    /// Counts ACCEPTED of one (sender, recipient) from 1 without gaps; 0 elsewhere.
    pub pair_seq: u64,
    /// Size of the key log when the operation was applied.
    pub keys_size: u64,
    /// What the acting party signed; `None` for the service's own events.
    pub signed: Option<EventSigned>,
    /// Commitment of the previous event of the same message; zeros if first.
    pub prev_commitment: Digest,
    /// A stable code; may be empty.
    pub reason: String,
    /// Details of the type; may be empty.
    pub details: Vec<u8>,
}

/// Which field of an event is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not a protobuf message.
    #[error("the event is not well formed")]
    Malformed,
    /// A field, by its name in the format.
    #[error("field {0} of the event is wrong")]
    Field(&'static str),
}

/// `H(PAE("mpf1/event", salt, event bytes))` (SPEC 5).
pub fn commitment(salt: &[u8; SALT_LEN], event_bytes: &[u8]) -> Digest {
    Digest::of_pae(context::EVENT, &[salt, event_bytes])
}

impl Event {
    /// Reads the bytes as stored and proven.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let wire = format::Event::decode(bytes).map_err(|_| EventError::Malformed)?;
        Self::try_from(wire)
    }

    /// The deterministic protobuf bytes that are committed to.
    pub fn encode(&self) -> Vec<u8> {
        format::Event::from(self).encode_to_vec()
    }

    /// Commitment of this event under a salt.
    pub fn commitment(&self, salt: &[u8; SALT_LEN]) -> Digest {
        commitment(salt, &self.encode())
    }
}

impl TryFrom<format::Event> for Event {
    type Error = EventError;

    fn try_from(wire: format::Event) -> Result<Self, EventError> {
        let field = EventError::Field;
        let message_id = match wire.message_id.as_slice() {
            [] => None,
            bytes => Some(MessageId::try_from(bytes).map_err(|_| field("message_id"))?),
        };
        let recipient = match wire.recipient.as_slice() {
            [] => None,
            bytes => Some(Address::try_from(bytes).map_err(|_| field("recipient"))?),
        };
        Ok(Self {
            event_type: EventType::from_wire(wire.r#type).ok_or(field("type"))?,
            message_id,
            sender: wire.sender.as_ref().map(Party::try_from).transpose().map_err(|_| field("sender"))?,
            recipient,
            hashes: hashes(&wire)?,
            occurred_at: Timestamp::checked(wire.occurred_at).ok_or(field("occurred_at"))?,
            available_at: Timestamp::checked(wire.available_at).ok_or(field("available_at"))?,
            pair_seq: wire.pair_seq,
            keys_size: wire.keys_size,
            prev_commitment: Digest::try_from(wire.prev_commitment.as_slice())
                .map_err(|_| field("prev_commitment"))?,
            reason: wire.reason,
            details: wire.details,
            signed: wire.signed.map(|signed| match signed {
                format::event::Signed::Act(act) => EventSigned::Act(act),
                format::event::Signed::Submission(signature) => EventSigned::Submission(signature),
            }),
        })
    }
}

/// All three or none.
fn hashes(wire: &format::Event) -> Result<Option<Hashes>, EventError> {
    let parts = [&wire.outer_hash, &wire.cover_hash, &wire.letter_hash];
    if parts.iter().all(|part| part.is_empty()) {
        return Ok(None);
    }
    let read = |bytes: &[u8], name| Digest::try_from(bytes).map_err(|_| EventError::Field(name));
    Ok(Some(Hashes {
        outer: read(&wire.outer_hash, "outer_hash")?,
        cover: read(&wire.cover_hash, "cover_hash")?,
        letter: read(&wire.letter_hash, "letter_hash")?,
    }))
}

impl From<&Event> for format::Event {
    fn from(event: &Event) -> Self {
        let hash = |pick: fn(&Hashes) -> Digest| event.hashes.map(|h| pick(&h).to_vec()).unwrap_or_default();
        Self {
            r#type: event.event_type.to_wire(),
            message_id: event.message_id.map(MessageId::to_vec).unwrap_or_default(),
            sender: event.sender.as_ref().map(Into::into),
            recipient: event.recipient.map(Address::to_vec).unwrap_or_default(),
            outer_hash: hash(|h| h.outer),
            cover_hash: hash(|h| h.cover),
            letter_hash: hash(|h| h.letter),
            occurred_at: event.occurred_at.0,
            available_at: event.available_at.0,
            pair_seq: event.pair_seq,
            keys_size: event.keys_size,
            prev_commitment: event.prev_commitment.to_vec(),
            reason: event.reason.clone(),
            details: event.details.clone(),
            signed: event.signed.as_ref().map(|signed| match signed {
                EventSigned::Act(act) => format::event::Signed::Act(act.clone()),
                EventSigned::Submission(signature) => format::event::Signed::Submission(signature.clone()),
            }),
        }
    }
}

/// Details of ERASED.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ErasedDetails {
    /// Indexes of the evidence log whose salt and event were erased, ascending, each once.
    pub indexes: Vec<u64>,
    /// pair_seq of the erased ACCEPTED, so that the recipient sees no gap; 0 where no message is named.
    pub pair_seq: u64,
}

impl ErasedDetails {
    /// Reads `details` of an ERASED event.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let wire = format::ErasedDetails::decode(bytes).map_err(|_| EventError::Field("details"))?;
        if !wire.indexes.is_sorted_by(|before, after| before < after) {
            return Err(EventError::Field("details"));
        }
        Ok(Self { indexes: wire.indexes, pair_seq: wire.pair_seq })
    }

    /// The bytes for `details`.
    pub fn encode(&self) -> Vec<u8> {
        format::ErasedDetails { indexes: self.indexes.clone(), pair_seq: self.pair_seq }.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn sample() -> Event {
        Event {
            event_type: EventType::Accepted,
            message_id: Some(MessageId([1; 16])),
            sender: Some(Party::Authority("amt".parse().unwrap())),
            recipient: Some(Address([2; 32])),
            hashes: Some(Hashes::of(b"o", b"c", b"l")),
            occurred_at: Timestamp(5),
            available_at: Timestamp(6),
            pair_seq: 7,
            keys_size: 8,
            signed: None,
            prev_commitment: Digest::ZERO,
            reason: String::new(),
            details: ErasedDetails { indexes: vec![3, 1 << 40], pair_seq: 9 }.encode(),
        }
    }

    #[test]
    fn round_trips_and_commits_to_everything() {
        let event = sample();
        assert_eq!(Event::parse(&event.encode()).unwrap(), event);
        assert_eq!(ErasedDetails::parse(&event.details).unwrap().indexes, [3, 1 << 40]);
        let mut other = event.clone();
        other.pair_seq += 1;
        assert_ne!(event.commitment(&[0; 32]), other.commitment(&[0; 32]));
        assert_ne!(event.commitment(&[0; 32]), event.commitment(&[1; 32]));
    }

    #[test]
    fn erased_places_ascend_and_stand_once() {
        let parse = |indexes: &[u64]| {
            ErasedDetails::parse(&ErasedDetails { indexes: indexes.to_vec(), pair_seq: 1 }.encode())
        };
        assert_eq!(parse(&[3, 4, 9]).unwrap().indexes, [3, 4, 9]);
        assert!(parse(&[]).is_ok());
        for wrong in [[4, 3, 9], [3, 9, 4], [3, 3, 9], [3, 9, 9]] {
            assert_eq!(parse(&wrong), Err(EventError::Field("details")), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_known_in_both_directions() {
        for event_type in EventType::ALL {
            assert_eq!(EventType::from_name(event_type.as_str()), Some(*event_type));
            assert_eq!(EventType::from_wire(event_type.to_wire()), Some(*event_type));
        }
        assert_eq!(EventType::from_wire(0), None);
    }

    #[test]
    fn a_bad_field_is_named() {
        let mut wire = format::Event::from(&sample());
        wire.letter_hash.clear();
        assert_eq!(Event::parse(&wire.encode_to_vec()), Err(EventError::Field("letter_hash")));
        wire = format::Event::from(&sample());
        wire.prev_commitment.clear();
        assert_eq!(Event::parse(&wire.encode_to_vec()), Err(EventError::Field("prev_commitment")));
    }
}
