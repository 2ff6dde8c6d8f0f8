//! Identifiers: parsed once at the edge, then carried as types.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32m, Hrp};

use crate::format;
use crate::hash::Digest;
use crate::id_error::IdError;

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Owned bytes, for protobuf fields.
            pub fn to_vec(self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Length { expected: $len, got: bytes.len() })
            }
        }
    };
}

macro_rules! hex_text {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes = hex::decode(text).map_err(|_| IdError::Malformed($what))?;
                Self::try_from(bytes.as_slice())
            }
        }
    };
}

bytes_id!(
    /// Chosen by the sender, a UUIDv7; the idempotency key of a delivery.
    MessageId,
    16
);
bytes_id!(
    /// Names a public key: `H("mpf1/key-id" || 00 || u8 alg || pub)` (SPEC 1). Text is hexadecimal.
    KeyId,
    32
);
bytes_id!(
    /// A mailbox: the hash of its genesis link (SPEC 2). Text is bech32m with prefix `mpf`.
    Address,
    32
);
bytes_id!(
    /// What the key log shows of an address (SPEC 2): `H("mpf1/label" || 00 || address)`.
    Label,
    32
);
bytes_id!(
    /// 16 random bytes chosen by the actor; the idempotency key of an act.
    ActId,
    16
);
bytes_id!(
    /// 16 random bytes chosen by the sender.
    AttachmentId,
    16
);
hex_text!(KeyId, "key id");
hex_text!(Label, "label");
hex_text!(ActId, "act id");
hex_text!(AttachmentId, "attachment id");

impl MessageId {
    /// A UUIDv7 from a time in milliseconds and ten random bytes.
    pub fn new(now: crate::time::Timestamp, random: [u8; 10]) -> Self {
        Self(*uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid().as_bytes())
    }

    /// True for the only version that the service accepts, 7.
    pub fn is_version_7(&self) -> bool {
        let id = uuid::Uuid::from_bytes(self.0);
        id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&uuid::Uuid::from_bytes(self.0).hyphenated(), f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = uuid::Uuid::try_parse(text).map_err(|_| IdError::Malformed("message id"))?;
        Ok(Self(*id.as_bytes()))
    }
}

const ADDRESS_HRP: Hrp = Hrp::parse_unchecked("mpf");

impl Address {
    /// The address that a genesis link defines (SPEC 2).
    pub fn of_genesis(link_hash: &Digest) -> Self {
        Self(Digest::of_parts(&[b"mpf1/address\0", link_hash.as_bytes()]).0)
    }

    /// What the key log shows of this address.
    pub fn label(&self) -> Label {
        Label(Digest::of_parts(&[b"mpf1/label\0", &self.0]).0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, ADDRESS_HRP, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text.trim()).map_err(
            |e| match e {
                bech32::primitives::decode::CheckedHrpstringError::Checksum(_) => {
                    IdError::Checksum("address")
                }
                _ => IdError::Malformed("address"),
            },
        )?;
        if checked.hrp() != ADDRESS_HRP {
            return Err(IdError::Malformed("address"));
        }
        // The bits after the last byte have to be zero, so that an address has one text.
        checked.validate_segwit_padding().map_err(|_| IdError::Malformed("address"))?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        Self::try_from(bytes.as_slice())
    }
}

/// True where a text has the form of an address, whether or not it is one.
fn looks_like_an_address(text: &str) -> bool {
    text.starts_with("mpf1") && text.len() > 50
}

/// An authority's name in the system, `[a-z0-9-]{1,63}`; nothing that looks like an address, since both name parties.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AuthorityId(String);

impl AuthorityId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AuthorityId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !looks_like_an_address(text);
        if valid { Ok(Self(text.to_owned())) } else { Err(IdError::Malformed("authority id")) }
    }
}

/// The deployment's name: a lower-case host name that clients pin (SPEC 1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin(String);

impl Origin {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the key log, `<origin>/keys`.
    pub fn keys_log(&self) -> String {
        format!("{}/keys", self.0)
    }

    /// Name of the evidence log, `<origin>/evidence`.
    pub fn evidence_log(&self) -> String {
        format!("{}/evidence", self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if text.len() <= 253 && text.split('.').all(label_ok) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Malformed("origin"))
        }
    }
}

/// A sender or actor: an authority by id, a mailbox by address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Party {
    /// An authority.
    Authority(AuthorityId),
    /// A mailbox: a citizen's, or an authority's own.
    Mailbox(Address),
}

impl Party {
    /// The `iss` of this party's tokens: authority id or address text (SPEC 6).
    pub fn issuer(&self) -> String {
        match self {
            Self::Authority(id) => id.to_string(),
            Self::Mailbox(address) => address.to_string(),
        }
    }

    /// Reads `iss`: an address where it has an address's form, else an authority id.
    pub fn from_issuer(text: &str) -> Result<Self, IdError> {
        if looks_like_an_address(text) {
            // An address may be typed with spaces around it. What a machine wrote has one spelling.
            let address: Address = text.parse()?;
            let exact = address.to_string() == text;
            return if exact { Ok(Self::Mailbox(address)) } else { Err(IdError::Malformed("address")) };
        }
        text.parse().map(Self::Authority)
    }
}

impl TryFrom<&format::Party> for Party {
    type Error = IdError;

    fn try_from(party: &format::Party) -> Result<Self, IdError> {
        match &party.party {
            Some(format::party::Party::AuthorityId(id)) => id.parse().map(Self::Authority),
            Some(format::party::Party::Address(bytes)) => {
                Address::try_from(bytes.as_slice()).map(Self::Mailbox)
            }
            None => Err(IdError::Malformed("party")),
        }
    }
}

impl From<&Party> for format::Party {
    fn from(party: &Party) -> Self {
        let party = match party {
            Party::Authority(id) => format::party::Party::AuthorityId(id.to_string()),
            Party::Mailbox(address) => format::party::Party::Address(address.to_vec()),
        };
        Self { party: Some(party) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn address_text_round_trips_and_notices_a_typo() {
        let address = Address([7; 32]);
        let text = address.to_string();
        assert!(text.starts_with("mpf1"));
        assert_eq!(text.parse::<Address>().unwrap(), address);
        let mut typo = text.clone().into_bytes();
        typo[20] = if typo[20] == b'q' { b'p' } else { b'q' };
        let typo = String::from_utf8(typo).unwrap();
        assert_eq!(typo.parse::<Address>(), Err(IdError::Checksum("address")));
    }

    #[test]
    fn an_address_has_one_text() {
        use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
        let mut symbols: Vec<bech32::Fe32> = [7; 32].iter().copied().bytes_to_fes().collect();
        let text = |symbols: &[bech32::Fe32]| -> String {
            symbols.iter().copied().with_checksum::<Bech32m>(&ADDRESS_HRP).chars().collect()
        };
        assert_eq!(text(&symbols).parse(), Ok(Address([7; 32])));
        // 256 bits fill 51.2 symbols: the last one has four bits to spare.
        symbols[51] = bech32::Fe32::try_from(symbols[51].to_u8() | 1).unwrap();
        assert_eq!(text(&symbols).parse::<Address>(), Err(IdError::Malformed("address")));
    }

    #[test]
    fn no_authority_is_called_like_an_address() {
        let text = Address([7; 32]).to_string();
        assert_eq!(text.parse::<AuthorityId>(), Err(IdError::Malformed("authority id")));
        assert!("mpf1-amt".parse::<AuthorityId>().is_ok() && "a".repeat(63).parse::<AuthorityId>().is_ok());
    }

    #[test]
    fn issuer_round_trips() {
        for party in
            [Party::Authority("finanzamt-muenchen".parse().unwrap()), Party::Mailbox(Address([9; 32]))]
        {
            assert_eq!(Party::from_issuer(&party.issuer()).unwrap(), party);
            for other in [format!("{} ", party.issuer()), format!("{}\n", party.issuer())] {
                assert!(Party::from_issuer(&other).is_err(), "{other:?}");
            }
        }
    }

    #[test]
    fn message_ids_are_version_7() {
        assert!(MessageId::new(crate::time::Timestamp(1_795_000_000_000), [3; 10]).is_version_7());
        assert!(!MessageId([0; 16]).is_version_7());
    }
}
