//! The leaves of both logs, byte for byte (docs/spec, section 5). What a link, certificate or event means is decided
//! in `postfach_domain`.

pub use postfach_domain::event::commitment;
use postfach_domain::hash::Digest;
use postfach_domain::id::{KeyId, Label};
use postfach_domain::keylog;
pub use postfach_domain::keylog::KEY_LEAF_LEN;

use crate::hash::{Hash, leaf_hash};

/// Bytes of a leaf of the evidence log.
pub const EVIDENCE_LEAF_LEN: usize = 33;

const TAG_LINK: u8 = 0x01;
const TAG_STATEMENT: u8 = 0x02;
const TAG_EVIDENCE: u8 = 0x10;

/// A leaf of the keys log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyLeaf {
    /// `01 || label || u32 seq || link_hash`
    Link {
        /// Hashed address of the mailbox.
        label: Label,
        /// Position in the mailbox's chain.
        seq: u32,
        /// link_hash of that link.
        link_hash: Digest,
    },
    /// `02 || key_id || u32 0 || H(certificate)`
    Certificate {
        /// The certified key.
        key_id: KeyId,
        /// Hash of the certificate.
        hash: Digest,
    },
    /// `02 || key_id || u32 1 || H(revocation)`
    Revocation {
        /// The revoked key.
        key_id: KeyId,
        /// Hash of the revocation.
        hash: Digest,
    },
}

impl KeyLeaf {
    /// The 69 bytes.
    pub fn encode(&self) -> [u8; KEY_LEAF_LEN] {
        match self {
            Self::Link { label, seq, link_hash } => keylog::link_leaf(label, *seq, link_hash),
            Self::Certificate { key_id, hash } => keylog::cert_leaf(key_id, hash),
            Self::Revocation { key_id, hash } => keylog::revocation_leaf(key_id, hash),
        }
    }

    /// Reads 69 bytes; `None` for another length or an unknown kind.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_LEAF_LEN] = bytes.try_into().ok()?;
        let (tag, rest) = bytes.split_first()?;
        let (subject, rest) = rest.split_first_chunk::<32>()?;
        let (seq, rest) = rest.split_first_chunk::<4>()?;
        let hash = Digest(rest.try_into().ok()?);
        match (*tag, u32::from_be_bytes(*seq)) {
            (TAG_LINK, seq) => Some(Self::Link { label: Label(*subject), seq, link_hash: hash }),
            (TAG_STATEMENT, 0) => Some(Self::Certificate { key_id: KeyId(*subject), hash }),
            (TAG_STATEMENT, 1) => Some(Self::Revocation { key_id: KeyId(*subject), hash }),
            _ => None,
        }
    }

    /// Label or key id.
    pub fn subject(&self) -> [u8; 32] {
        match self {
            Self::Link { label, .. } => label.0,
            Self::Certificate { key_id, .. } | Self::Revocation { key_id, .. } => key_id.0,
        }
    }

    /// Sequence number of the link; 0 for a certificate, 1 for a revocation.
    pub fn seq(&self) -> u32 {
        match self {
            Self::Link { seq, .. } => *seq,
            Self::Certificate { .. } => 0,
            Self::Revocation { .. } => 1,
        }
    }

    /// link_hash, or hash of the certificate or revocation.
    pub fn hash(&self) -> Digest {
        match self {
            Self::Link { link_hash: hash, .. }
            | Self::Certificate { hash, .. }
            | Self::Revocation { hash, .. } => *hash,
        }
    }

    /// The Merkle leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }
}

/// A leaf of the evidence log: `10 || commitment`. It shows nothing of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvidenceLeaf {
    /// Salted commitment of the event, see [`commitment`].
    pub commitment: Digest,
}

impl EvidenceLeaf {
    /// The 33 bytes.
    pub fn encode(&self) -> [u8; EVIDENCE_LEAF_LEN] {
        let mut bytes = [TAG_EVIDENCE; EVIDENCE_LEAF_LEN];
        bytes[1..].copy_from_slice(self.commitment.as_bytes());
        bytes
    }

    /// Reads 33 bytes; `None` for another length or kind.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let commitment = Digest(rest.try_into().ok()?);
        (*tag == TAG_EVIDENCE).then_some(Self { commitment })
    }

    /// The Merkle leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn key_leaves_round_trip() {
        let hash = Digest([3; 32]);
        for leaf in [
            KeyLeaf::Link { label: Label([1; 32]), seq: 0x0102_0304, link_hash: hash },
            KeyLeaf::Certificate { key_id: KeyId([2; 32]), hash },
            KeyLeaf::Revocation { key_id: KeyId([2; 32]), hash },
        ] {
            assert_eq!(KeyLeaf::decode(&leaf.encode()), Some(leaf));
        }
        let link = KeyLeaf::Link { label: Label([1; 32]), seq: 0x0102_0304, link_hash: hash };
        let bytes = [&[1u8][..], &[1; 32], &[1, 2, 3, 4], &[3; 32]].concat();
        assert_eq!(link.encode().as_slice(), bytes);
        let revoked = KeyLeaf::Revocation { key_id: KeyId([2; 32]), hash };
        assert_eq!(revoked.encode().as_slice(), [&[2u8][..], &[2; 32], &[0, 0, 0, 1], &[3; 32]].concat());
    }

    #[test]
    fn unknown_kinds_and_lengths_are_refused() {
        let mut bytes = KeyLeaf::Certificate { key_id: KeyId([2; 32]), hash: Digest([3; 32]) }.encode();
        assert!(KeyLeaf::decode(&bytes[1..]).is_none());
        bytes[36] = 2;
        assert!(KeyLeaf::decode(&bytes).is_none(), "only 0 and 1");
        bytes[0] = 3;
        assert!(KeyLeaf::decode(&bytes).is_none());
        let leaf = EvidenceLeaf { commitment: Digest([4; 32]) };
        assert_eq!(EvidenceLeaf::decode(&leaf.encode()), Some(leaf));
        assert_eq!(leaf.encode()[0], 0x10);
        assert!(EvidenceLeaf::decode(&leaf.encode()[..32]).is_none());
        assert!(EvidenceLeaf::decode(&[0x11; 33]).is_none());
    }
}
