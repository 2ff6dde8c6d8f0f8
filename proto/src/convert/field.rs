//! One function for each kind of field. The caller passes the field's name as the wire knows it.

use postfach_domain::format::{Party as WireParty, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, AttachmentId, AuthorityId, KeyId, MessageId, Party};
use postfach_domain::id_error::IdError;
use postfach_domain::limits;
use postfach_domain::outer::TrustLevel;

use crate::v1;

/// Which field of a request is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path as in the `.proto` file.
    pub field: &'static str,
    /// For a person, English.
    pub problem: String,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for FieldError {}

fn wrong<T>(field: &'static str, problem: impl Into<String>) -> Result<T, FieldError> {
    Err(FieldError { field, problem: problem.into() })
}

fn id<T>(field: &'static str, parsed: Result<T, IdError>) -> Result<T, FieldError> {
    parsed.or_else(|error| wrong(field, error.to_string()))
}

/// A message field that must be there.
pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T, FieldError> {
    value.map_or_else(|| wrong(field, "is missing"), Ok)
}

/// 16 bytes.
pub fn message_id(field: &'static str, bytes: &[u8]) -> Result<MessageId, FieldError> {
    id(field, MessageId::try_from(bytes))
}

/// 32 bytes.
pub fn address(field: &'static str, bytes: &[u8]) -> Result<Address, FieldError> {
    id(field, Address::try_from(bytes))
}

/// 32 bytes.
pub fn key_id(field: &'static str, bytes: &[u8]) -> Result<KeyId, FieldError> {
    id(field, KeyId::try_from(bytes))
}

/// 16 bytes.
pub fn attachment_id(field: &'static str, bytes: &[u8]) -> Result<AttachmentId, FieldError> {
    id(field, AttachmentId::try_from(bytes))
}

/// 32 bytes.
pub fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, FieldError> {
    id(field, Digest::try_from(bytes))
}

/// 32 bytes that are no digest.
pub fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], FieldError> {
    bytes.try_into().or_else(|_| wrong(field, format!("expected 32 bytes, got {}", bytes.len())))
}

/// `[a-z0-9-]{1,63}`
pub fn authority_id(field: &'static str, text: &str) -> Result<AuthorityId, FieldError> {
    id(field, text.parse())
}

/// An authority id or an address.
pub fn party(field: &'static str, value: Option<&WireParty>) -> Result<Party, FieldError> {
    id(field, Party::try_from(required(field, value)?))
}

/// A signed body with its signature; what it says is checked later.
pub fn signed(field: &'static str, value: Option<Signed>) -> Result<Signed, FieldError> {
    let signed = required(field, value)?;
    if signed.body.is_empty() {
        return wrong(field, "has no body");
    }
    if signed.signature.is_none() {
        return wrong(field, "has no signature");
    }
    Ok(signed)
}

/// A signed act, within its limit.
pub fn act(field: &'static str, value: Option<Signed>) -> Result<Signed, FieldError> {
    let act = signed(field, value)?;
    if act.body.len() > limits::ACT_LEN {
        return wrong(field, format!("is longer than {} bytes", limits::ACT_LEN));
    }
    Ok(act)
}

/// A signed body that may be absent, but not half there.
pub fn optional_signed(field: &'static str, value: Option<Signed>) -> Result<Option<Signed>, FieldError> {
    value.map(|value| signed(field, Some(value))).transpose()
}

/// Wraps: each member once, none empty, none over the limit.
pub fn wraps(field: &'static str, wraps: Vec<v1::Wrap>) -> Result<Vec<(KeyId, Vec<u8>)>, FieldError> {
    // Every device and the recovery key.
    if wraps.len() > limits::DEVICES + 1 {
        return wrong(field, format!("at most {}", limits::DEVICES + 1));
    }
    let mut checked: Vec<(KeyId, Vec<u8>)> = Vec::with_capacity(wraps.len());
    for wrap in wraps {
        let member = key_id(field, &wrap.member)?;
        if wrap.sealed.is_empty() || wrap.sealed.len() > limits::WRAP_LEN {
            return wrong(field, format!("a wrap has 1 to {} bytes", limits::WRAP_LEN));
        }
        if checked.iter().any(|(known, _)| *known == member) {
            return wrong(field, "the same member twice");
        }
        checked.push((member, wrap.sealed));
    }
    Ok(checked)
}

/// A trust level; unspecified is basic.
pub fn trust_level(field: &'static str, value: i32) -> Result<TrustLevel, FieldError> {
    match value {
        0 => Ok(TrustLevel::Basic),
        value => TrustLevel::from_wire(value)
            .map_or_else(|| wrong(field, format!("{value} is no trust level")), Ok),
    }
}

/// 1 to 100 tree sizes, ascending.
pub fn sizes(field: &'static str, sizes: Vec<u64>) -> Result<Vec<u64>, FieldError> {
    if !(1..=100).contains(&sizes.len()) {
        return wrong(field, format!("expected 1 to 100 sizes, got {}", sizes.len()));
    }
    if !sizes.is_sorted_by(|a, b| a < b) {
        return wrong(field, "sizes must ascend");
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use postfach_domain::format::Signature;

    #[test]
    fn errors_name_the_field() {
        let error = message_id("message_id", &[1; 15]).unwrap_err();
        assert_eq!(error.to_string(), "message_id: expected 16 bytes, got 15");
        assert!(address("address", &[1; 32]).is_ok());
        assert!(authority_id("authority_id", "No Good").is_err());
        assert!(party("sender", Some(&WireParty { party: None })).is_err());
    }

    #[test]
    fn half_a_signature_is_none() {
        let signature = Some(Signature { alg: 1, key_id: vec![0; 32], sig: vec![0; 64] });
        assert!(signed("act", None).is_err());
        assert!(signed("act", Some(Signed { body: vec![1], signature: None })).is_err());
        assert!(signed("act", Some(Signed { body: vec![], signature: signature.clone() })).is_err());
        assert!(signed("act", Some(Signed { body: vec![1], signature: signature.clone() })).is_ok());
        assert_eq!(optional_signed("consent", None), Ok(None));
        let long = Signed { body: vec![1; limits::ACT_LEN + 1], signature };
        assert!(act("act", Some(long)).is_err());
    }

    #[test]
    fn wraps_are_one_for_each_member() {
        let wrap = |member: u8, len: usize| v1::Wrap { member: vec![member; 32], sealed: vec![1; len] };
        assert_eq!(wraps("wraps", vec![wrap(1, 9), wrap(2, 9)]).unwrap().len(), 2);
        assert!(wraps("wraps", vec![wrap(1, 9), wrap(1, 9)]).is_err());
        assert!(wraps("wraps", vec![wrap(1, 0)]).is_err());
        assert!(wraps("wraps", vec![wrap(1, limits::WRAP_LEN + 1)]).is_err());
        assert!(wraps("wraps", (0..18).map(|n| wrap(n, 1)).collect()).is_err());
    }

    #[test]
    fn sizes_ascend() {
        assert!(sizes("sizes", vec![1, 2, 9]).is_ok());
        for bad in [vec![], vec![2, 2], vec![3, 1], (0..101).collect()] {
            assert!(sizes("sizes", bad).is_err());
        }
    }

    #[test]
    fn an_unknown_trust_level_is_no_basic_one() {
        assert_eq!(trust_level("trust_level", 0), Ok(TrustLevel::Basic));
        assert_eq!(trust_level("trust_level", 4), Ok(TrustLevel::High));
        assert!(trust_level("trust_level", 9).is_err());
    }
}
