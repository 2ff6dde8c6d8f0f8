//! Acts: everything a party does besides sending (SPEC 5). Typed form, signature and time window; whether an act is
//! allowed is decided in `decide`.

use prost::Message as _;

use crate::event::EventType;
use crate::format;
use crate::hash::Digest;
use crate::head::ChainHead;
use crate::id::{ActId, AuthorityId, KeyId, MessageId, Origin, Party};
use crate::limits;
use crate::pae::context;
use crate::sign::{PublicKey, SecretKey, SignatureError, signature_of};
use crate::time::Timestamp;

/// How far the time of an act or link may be from the server's, in milliseconds: 5 minutes.
pub const TIME_WINDOW_MS: u64 = limits::TOKEN_SKEW_SECONDS * 1000;

/// Reasons that acts carry. Codes are `[A-Z0-9_]{0,64}`; these are the ones with a meaning.
pub mod reason {
    /// DISPUTED: what came does not match the signed hashes, or never came.
    pub const LETTER_NOT_RECEIVED: &str = "LETTER_NOT_RECEIVED";
    /// DISPUTED: the citizen says that the notice did not reach her.
    pub const NOT_RECEIVED: &str = "NOT_RECEIVED";
    /// REJECTED_BY_RECIPIENT: all hashes match and an inner check failed.
    pub const CONTENT_INVALID: &str = "CONTENT_INVALID";
    /// REJECTED_BY_RECIPIENT: all hashes match and no key of the mailbox opens it.
    pub const CANNOT_OPEN: &str = "CANNOT_OPEN";
}

/// What a party does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ActType {
    /// Asks for the letter.
    HandedOver,
    /// Says that the letter opened and every check held.
    Confirmed,
    /// Says that all hashes match and an inner check failed.
    RejectedByRecipient,
    /// Contradicts the service.
    Disputed,
    /// The sender takes a message back.
    Withdrawn,
    /// The recipient removes the content for herself.
    Deleted,
    /// Agrees to receive electronically.
    Consent,
    /// Revokes that.
    ConsentRevoked,
    /// Stores settings; not logged.
    Settings,
}

impl ActType {
    /// Every type, in the order of the format.
    pub const ALL: &[Self] = &[
        Self::HandedOver,
        Self::Confirmed,
        Self::RejectedByRecipient,
        Self::Disputed,
        Self::Withdrawn,
        Self::Deleted,
        Self::Consent,
        Self::ConsentRevoked,
        Self::Settings,
    ];

    /// The event that this act makes; `None` for SETTINGS.
    pub fn event_type(self) -> Option<EventType> {
        Some(match self {
            Self::HandedOver => EventType::HandedOver,
            Self::Confirmed => EventType::Confirmed,
            Self::RejectedByRecipient => EventType::RejectedByRecipient,
            Self::Disputed => EventType::Disputed,
            Self::Withdrawn => EventType::Withdrawn,
            Self::Deleted => EventType::Deleted,
            Self::Consent => EventType::Consent,
            Self::ConsentRevoked => EventType::ConsentRevoked,
            Self::Settings => return None,
        })
    }

    /// The act that makes this event, where a party makes it by an act.
    pub fn of_event(event_type: EventType) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.event_type() == Some(event_type))
    }

    /// The name, for example `CONFIRMED`.
    pub fn as_str(self) -> &'static str {
        self.event_type().map_or("SETTINGS", EventType::as_str)
    }

    /// True where the act is about one message; the others are about the whole mailbox.
    pub fn needs_message(self) -> bool {
        !matches!(self, Self::Consent | Self::ConsentRevoked | Self::Settings)
    }

    /// Reads the number; unspecified and unknown ones are `None`.
    pub fn from_wire(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.to_wire() == number)
    }

    /// The number that stands in signed bytes.
    pub fn to_wire(self) -> i32 {
        let wire = match self {
            Self::HandedOver => format::ActType::HandedOver,
            Self::Confirmed => format::ActType::Confirmed,
            Self::RejectedByRecipient => format::ActType::RejectedByRecipient,
            Self::Disputed => format::ActType::Disputed,
            Self::Withdrawn => format::ActType::Withdrawn,
            Self::Deleted => format::ActType::Deleted,
            Self::Consent => format::ActType::Consent,
            Self::ConsentRevoked => format::ActType::ConsentRevoked,
            Self::Settings => format::ActType::Settings,
        };
        wire.into()
    }
}

/// The message that an act is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageRef {
    /// Its id.
    pub message_id: MessageId,
    /// H(outer).
    pub outer_hash: Digest,
    /// H(letter envelope).
    pub letter_hash: Digest,
}

/// One act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// The deployment.
    pub origin: Origin,
    /// 16 random bytes: the idempotency key.
    pub act_id: ActId,
    /// What the party does.
    pub act_type: ActType,
    /// Who acts.
    pub actor: Party,
    /// The key that signs.
    pub signer: KeyId,
    /// The actor's chain head; present exactly where the actor is a mailbox.
    pub actor_head: Option<ChainHead>,
    /// The message; present exactly where the type needs one.
    pub message: Option<MessageRef>,
    /// The actor's clock.
    pub time: Timestamp,
    /// A code `[A-Z0-9_]{0,64}`.
    pub reason: String,
    /// Details of the type (consent scope, settings); may be empty.
    pub details: Vec<u8>,
}

/// What is wrong with an act by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Longer than the limit.
    #[error("the act is too large")]
    TooLarge,
    /// Not a protobuf message.
    #[error("the act is not well formed")]
    Malformed,
    /// A field, by its name in the format.
    #[error("field {0} of the act is wrong")]
    Field(&'static str),
    /// The signature does not hold, or is not by the signer that the body names.
    #[error("the signature of the act: {0}")]
    Signature(#[from] SignatureError),
}

impl Act {
    /// Reads a body without checking a signature.
    pub fn parse(body: &[u8]) -> Result<Self, ActError> {
        if body.len() > limits::ACT_LEN {
            return Err(ActError::TooLarge);
        }
        let wire = format::Act::decode(body).map_err(|_| ActError::Malformed)?;
        Self::try_from(wire)
    }

    /// Reads a signed act without checking the signature beyond that it names the body's signer. For finding the key
    /// to verify with; nothing may rely on the content before `verify`.
    pub fn peek(signed: &format::Signed) -> Result<Self, ActError> {
        let act = Self::parse(&signed.body)?;
        if signature_of(signed)?.key_id != act.signer.as_bytes() {
            return Err(SignatureError::WrongKey.into());
        }
        Ok(act)
    }

    /// Verifies the signature over the body as transported, then reads it. The body must name `key` as its signer.
    pub fn verify(signed: &format::Signed, key: &PublicKey) -> Result<Self, ActError> {
        key.verify(context::ACT, &[&signed.body], signature_of(signed)?)?;
        let act = Self::parse(&signed.body)?;
        if act.signer == key.key_id() { Ok(act) } else { Err(SignatureError::WrongKey.into()) }
    }

    /// The bytes to sign.
    pub fn encode(&self) -> Vec<u8> {
        format::Act::from(self).encode_to_vec()
    }

    /// Encodes and signs; `key` has to be the one that `signer` names.
    pub fn sign(&self, key: &SecretKey) -> format::Signed {
        key.sign_body(context::ACT, self.encode())
    }

    /// True where the act's time is within 5 minutes of the server's.
    pub fn time_fits(&self, server: Timestamp) -> bool {
        time_fits(self.time, server)
    }

    /// The scope of CONSENT and CONSENT_REVOKED.
    pub fn consent_scope(&self) -> Result<ConsentScope, ActError> {
        ConsentScope::parse(&self.details)
    }
}

/// True where a signed time is within 5 minutes of the server's (SPEC 2, 5).
pub fn time_fits(claimed: Timestamp, server: Timestamp) -> bool {
    claimed.distance_ms(server) <= TIME_WINDOW_MS
}

impl TryFrom<format::Act> for Act {
    type Error = ActError;

    fn try_from(wire: format::Act) -> Result<Self, ActError> {
        let field = ActError::Field;
        let act_type = ActType::from_wire(wire.r#type).ok_or(field("type"))?;
        let actor =
            wire.actor.as_ref().and_then(|party| Party::try_from(party).ok()).ok_or(field("actor"))?;
        let actor_head = match (&actor, &wire.actor_head) {
            (Party::Authority(_), None) => None,
            (Party::Mailbox(_), Some(head)) => Some(ChainHead::from_wire(head).ok_or(field("actor_head"))?),
            _ => return Err(field("actor_head")),
        };
        let reason_ok = wire.reason.len() <= 64
            && wire.reason.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !reason_ok {
            return Err(field("reason"));
        }
        if wire.details.len() > limits::ACT_DETAILS_LEN {
            return Err(field("details"));
        }
        let act = Self {
            origin: wire.origin.parse().map_err(|_| field("origin"))?,
            act_id: ActId::try_from(wire.act_id.as_slice()).map_err(|_| field("act_id"))?,
            act_type,
            actor,
            signer: KeyId::try_from(wire.signer.as_slice()).map_err(|_| field("signer"))?,
            actor_head,
            message: message_ref(&wire, act_type)?,
            time: Timestamp::checked(wire.time).ok_or(field("time"))?,
            reason: wire.reason,
            details: wire.details,
        };
        match act_type {
            ActType::Consent | ActType::ConsentRevoked => act.consent_scope().map(|_| act),
            ActType::Settings => Ok(act),
            _ if act.details.is_empty() => Ok(act),
            _ => Err(field("details")),
        }
    }
}

fn message_ref(wire: &format::Act, act_type: ActType) -> Result<Option<MessageRef>, ActError> {
    let field = ActError::Field;
    if !act_type.needs_message() {
        let absent = wire.message_id.is_empty() && wire.outer_hash.is_empty() && wire.letter_hash.is_empty();
        return if absent { Ok(None) } else { Err(field("message_id")) };
    }
    Ok(Some(MessageRef {
        message_id: MessageId::try_from(wire.message_id.as_slice()).map_err(|_| field("message_id"))?,
        outer_hash: Digest::try_from(wire.outer_hash.as_slice()).map_err(|_| field("outer_hash"))?,
        letter_hash: Digest::try_from(wire.letter_hash.as_slice()).map_err(|_| field("letter_hash"))?,
    }))
}

impl From<&Act> for format::Act {
    fn from(act: &Act) -> Self {
        Self {
            origin: act.origin.to_string(),
            act_id: act.act_id.to_vec(),
            r#type: act.act_type.to_wire(),
            actor: Some((&act.actor).into()),
            signer: act.signer.to_vec(),
            actor_head: act.actor_head.map(Into::into),
            message_id: act.message.map(|m| m.message_id.to_vec()).unwrap_or_default(),
            outer_hash: act.message.map(|m| m.outer_hash.to_vec()).unwrap_or_default(),
            letter_hash: act.message.map(|m| m.letter_hash.to_vec()).unwrap_or_default(),
            time: act.time.0,
            reason: act.reason.clone(),
            details: act.details.clone(),
        }
    }
}

/// To which authorities a consent applies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConsentScope {
    /// Every authority.
    All,
    /// These, without repetition.
    Authorities(Vec<AuthorityId>),
}

impl ConsentScope {
    /// Reads `details` of CONSENT and CONSENT_REVOKED: all, or at least one id and none twice.
    pub fn parse(details: &[u8]) -> Result<Self, ActError> {
        let bad = ActError::Field("details");
        let wire = format::ConsentDetails::decode(details).map_err(|_| bad)?;
        match (wire.all, wire.authority_ids.is_empty()) {
            (true, true) => Ok(Self::All),
            (false, false) => {
                let ids: Result<Vec<AuthorityId>, _> =
                    wire.authority_ids.iter().map(|id| id.parse()).collect();
                let ids = ids.map_err(|_| bad)?;
                let repeated = (1..ids.len()).any(|i| ids[..i].contains(&ids[i]));
                if repeated { Err(bad) } else { Ok(Self::Authorities(ids)) }
            }
            _ => Err(bad),
        }
    }

    /// The bytes for `details`.
    pub fn encode(&self) -> Vec<u8> {
        let (all, ids) = match self {
            Self::All => (true, &[][..]),
            Self::Authorities(ids) => (false, ids.as_slice()),
        };
        let authority_ids = ids.iter().map(ToString::to_string).collect();
        format::ConsentDetails { all, authority_ids }.encode_to_vec()
    }

    /// True where the authority is in scope.
    pub fn covers(&self, authority: &AuthorityId) -> bool {
        match self {
            Self::All => true,
            Self::Authorities(ids) => ids.contains(authority),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::id::Address;

    fn sample(key: &SecretKey) -> Act {
        Act {
            origin: "post.example".parse().unwrap(),
            act_id: ActId([1; 16]),
            act_type: ActType::HandedOver,
            actor: Party::Mailbox(Address([2; 32])),
            signer: key.key_id(),
            actor_head: Some(ChainHead { seq: 3, link_hash: Digest([4; 32]) }),
            message: Some(MessageRef {
                message_id: MessageId([5; 16]),
                outer_hash: Digest([6; 32]),
                letter_hash: Digest([7; 32]),
            }),
            time: Timestamp(1_795_000_000_000),
            reason: String::new(),
            details: Vec::new(),
        }
    }

    #[test]
    fn events_that_a_party_makes_know_their_act() {
        for act_type in ActType::ALL {
            let again = act_type.event_type().and_then(ActType::of_event);
            assert_eq!(again, (*act_type != ActType::Settings).then_some(*act_type));
        }
        assert_eq!(ActType::of_event(EventType::Accepted), None);
    }

    #[test]
    fn signs_and_verifies_as_transported() {
        let key = SecretKey::from_seed(&[1; 32]);
        let act = sample(&key);
        let signed = act.sign(&key);
        assert_eq!(Act::verify(&signed, &key.public()).unwrap(), act);
        assert_eq!(Act::peek(&signed).unwrap(), act);
        for i in 0..signed.body.len() {
            let mut bad = signed.clone();
            bad.body[i] ^= 1;
            assert!(Act::verify(&bad, &key.public()).is_err());
        }
        let stranger = SecretKey::from_seed(&[2; 32]);
        let other = act.sign(&stranger);
        assert_eq!(Act::verify(&other, &stranger.public()), Err(SignatureError::WrongKey.into()));
        assert_eq!(Act::peek(&other), Err(SignatureError::WrongKey.into()));
    }

    type Break = fn(&mut format::Act);

    #[test]
    fn each_bad_field_is_named() {
        let key = SecretKey::from_seed(&[1; 32]);
        let cases: &[(Break, &str)] = &[
            (|a| a.origin.clear(), "origin"),
            (|a| a.act_id.clear(), "act_id"),
            (|a| a.r#type = 77, "type"),
            (|a| a.actor = None, "actor"),
            (|a| a.actor_head = None, "actor_head"),
            (|a| a.signer.clear(), "signer"),
            (|a| a.message_id.clear(), "message_id"),
            (|a| a.outer_hash.clear(), "outer_hash"),
            (|a| a.letter_hash.clear(), "letter_hash"),
            (|a| a.time = u64::MAX, "time"),
            (|a| a.reason = "free text".into(), "reason"),
            (|a| a.details = vec![1], "details"),
            (|a| a.r#type = ActType::Consent.to_wire(), "message_id"),
        ];
        for (break_it, name) in cases {
            let mut wire = format::Act::from(&sample(&key));
            break_it(&mut wire);
            assert_eq!(Act::parse(&wire.encode_to_vec()), Err(ActError::Field(name)));
        }
    }

    #[test]
    fn consent_scope_is_all_or_a_list() {
        let amt: AuthorityId = "amt".parse().unwrap();
        for scope in [ConsentScope::All, ConsentScope::Authorities(vec![amt.clone()])] {
            assert_eq!(ConsentScope::parse(&scope.encode()).unwrap(), scope);
            assert!(scope.covers(&amt));
        }
        assert!(ConsentScope::parse(&[]).is_err());
        assert!(ConsentScope::parse(&ConsentScope::Authorities(vec![amt.clone(), amt]).encode()).is_err());
    }

    #[test]
    fn the_window_is_five_minutes_both_ways() {
        let now = Timestamp(1_795_000_000_000);
        assert!(time_fits(now.plus_ms(300_000), now));
        assert!(!time_fits(now.plus_ms(300_001), now));
        assert!(time_fits(now, now.plus_ms(300_000)));
        assert!(!time_fits(now, now.plus_ms(300_001)));
    }
}
