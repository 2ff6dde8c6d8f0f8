//! Receipts (docs/spec, section 5): one file that proves one event to anybody who holds the service card, offline.
//! Here is the file's one spelling; `verify` judges what it says.

mod error;
mod party;
mod trust;
mod verify;

use postfach_domain::{format, limits};
use prost::Message as _;

pub use self::error::ReceiptError;
pub use self::party::act_mismatch;
pub use self::trust::{Trust, TrustError};
pub use self::verify::{VerifiedReceipt, verify};
use crate::tlog_proof::{TlogProof, TlogProofError};

/// First bytes of the file: the name and version 1.
pub const MAGIC: &[u8; 5] = b"MPFR\x01";
/// Longest receipt that is read, in bytes: 1,000 links of the largest size, an event, an outer header and two proofs stay
/// below.
pub const MAX_RECEIPT: usize = 17 * 1024 * 1024;
/// Key of the field `chain` as it stands on the wire.
const CHAIN_KEY: u8 = 4 << 3 | 2;

/// Who acted, with what shows that the key was theirs.
#[derive(Clone, Debug, PartialEq)]
pub enum Actor {
    /// The service itself.
    Service,
    /// A mailbox: all links from genesis to the head that it named, and the proof of that head link in the keys log.
    Mailbox {
        /// Links 0..=head.
        links: Vec<format::Signed>,
        /// Proof of the head link.
        key_proof: TlogProof,
    },
    /// An authority: its certificate and the proof of that in the keys log.
    Authority {
        /// The registrar's certificate for the key that signed.
        certificate: format::Signed,
        /// Proof of the certificate.
        key_proof: TlogProof,
    },
}

/// The parts of a receipt. Parsed is not verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Encoded event, as logged.
    pub event: Vec<u8>,
    /// Salt of its commitment.
    pub salt: [u8; 32],
    /// Encoded outer header, as transported; empty where the event has no message.
    pub outer: Vec<u8>,
    /// Who acted.
    pub actor: Actor,
    /// Proof of the event in the evidence log.
    pub evidence_proof: TlogProof,
}

/// The bytes are not a receipt in its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFormatError {
    /// Another kind of file, another version, or longer than [`MAX_RECEIPT`].
    #[error("not a receipt of version 1")]
    NotAReceipt,
    /// Damaged, cut, or written by something that does not keep to the one spelling.
    #[error("malformed receipt")]
    Malformed,
    /// A proof inside is malformed.
    #[error("malformed proof in the receipt")]
    Proof(#[from] TlogProofError),
}

impl Receipt {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        use format::receipt::Actor as Wire;
        let (actor, key_proof) = match &self.actor {
            Actor::Service => (None, Vec::new()),
            Actor::Mailbox { links, key_proof } => {
                (Some(Wire::Chain(format::ReceiptChain { links: links.clone() })), key_proof.encode())
            }
            Actor::Authority { certificate, key_proof } => {
                (Some(Wire::Certificate(certificate.clone())), key_proof.encode())
            }
        };
        let message = format::Receipt {
            event: self.event.clone(),
            salt: self.salt.to_vec(),
            outer: self.outer.clone(),
            actor,
            key_proof,
            evidence_proof: self.evidence_proof.encode(),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&message.encode_to_vec());
        bytes
    }

    /// Reads a file. The protobuf must equal its own re-encoding, so unknown fields, other field orders and trailing
    /// bytes are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptFormatError> {
        use format::receipt::Actor as Wire;
        let body = bytes.strip_prefix(MAGIC).ok_or(ReceiptFormatError::NotAReceipt)?;
        if bytes.len() > MAX_RECEIPT {
            return Err(ReceiptFormatError::NotAReceipt);
        }
        if count_links(body).is_none_or(|links| links > limits::CHAIN_LINKS) {
            return Err(ReceiptFormatError::Malformed);
        }
        let message = format::Receipt::decode(body).map_err(|_| ReceiptFormatError::Malformed)?;
        let actor = match message.actor {
            None if message.key_proof.is_empty() => Actor::Service,
            None => return Err(ReceiptFormatError::Malformed),
            Some(Wire::Chain(chain)) => {
                Actor::Mailbox { links: chain.links, key_proof: TlogProof::parse(&message.key_proof)? }
            }
            Some(Wire::Certificate(certificate)) => {
                Actor::Authority { certificate, key_proof: TlogProof::parse(&message.key_proof)? }
            }
        };
        let receipt = Self {
            event: message.event,
            salt: message.salt.try_into().map_err(|_| ReceiptFormatError::Malformed)?,
            outer: message.outer,
            actor,
            evidence_proof: TlogProof::parse(&message.evidence_proof)?,
        };
        if receipt.encode() == bytes { Ok(receipt) } else { Err(ReceiptFormatError::Malformed) }
    }
}

/// Counts the links of a receipt without reading them: an empty link has two bytes in the file and forty times as many in
/// memory. `None` where a field is none of ours, all of which have a length and a number below 16.
fn count_links(body: &[u8]) -> Option<usize> {
    let (mut rest, mut links) = (body, 0);
    while !rest.is_empty() {
        let (key, value, after) = split_field(rest)?;
        let mut chain = if key == CHAIN_KEY { value } else { &[] };
        while !chain.is_empty() {
            (_, _, chain) = split_field(chain)?;
            links += 1;
        }
        rest = after;
    }
    Some(links)
}

/// Key and content of the first field, and what follows it.
fn split_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (key, mut rest) = bytes.split_first()?;
    let length = prost::decode_length_delimiter(&mut rest).ok()?;
    let (value, after) = rest.split_at_checked(length)?;
    (key & 0x87 == 2).then_some((*key, value, after))
}
