//! Merkle tree hashes of RFC 6962, section 2.1, with SHA-256. Not for signatures or commitments.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Bytes of one hash.
pub const HASH_SIZE: usize = 32;

/// A hash of a leaf, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; HASH_SIZE]);

impl Hash {
    /// Root of the empty tree: the SHA-256 of nothing (RFC 6962, section 2.1).
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// Wraps 32 bytes that are already a hash.
    pub const fn from_bytes(bytes: [u8; HASH_SIZE]) -> Self {
        Self(bytes)
    }

    /// Wraps a slice; `None` unless it has exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_SIZE] {
        &self.0
    }

    /// The 32 bytes, by value.
    pub const fn to_bytes(self) -> [u8; HASH_SIZE] {
        self.0
    }

    /// Standard base64 with padding, 44 characters (C2SP tlog-checkpoint).
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads what [`Hash::to_base64`] writes and nothing else: bits after the end must be zero.
    pub fn from_base64(text: &str) -> Option<Self> {
        if text.len() != 44 {
            return None;
        }
        // The standard engine refuses missing padding and trailing bits.
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; HASH_SIZE]> for Hash {
    fn from(bytes: [u8; HASH_SIZE]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Hash of a leaf: `H(00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(data);
    Hash(hasher.finalize().into())
}

/// Hash of a node: `H(01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [1u8; 1 + 2 * HASH_SIZE];
    block[1..=HASH_SIZE].copy_from_slice(&left.0);
    block[1 + HASH_SIZE..].copy_from_slice(&right.0);
    Hash(Sha256::digest(block).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn empty_root_is_the_hash_of_nothing() {
        assert_eq!(Hash::EMPTY_ROOT.0, <[u8; 32]>::from(Sha256::digest(b"")));
    }

    #[test]
    fn leaf_and_node_match_the_other_implementation() {
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b""));
        assert_eq!(a.0, tlog_tiles::record_hash(b"a").0);
        let other = tlog_tiles::node_hash(tlog_tiles::Hash(a.0), tlog_tiles::Hash(b.0));
        assert_eq!(node_hash(&a, &b).0, other.0);
    }

    #[test]
    fn base64_is_canonical() {
        let hash = leaf_hash(b"x");
        let text = hash.to_base64();
        assert_eq!(Hash::from_base64(&text), Some(hash));
        // The last symbol before the padding carries two unused bits: setting one is refused.
        for last in ['A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8'] {
            let odd = char::from(u8::try_from(u32::from(last) + 1).unwrap());
            let bad = format!("{}{odd}=", "A".repeat(42));
            assert_eq!(Hash::from_base64(&bad), None, "{bad}");
        }
        assert_eq!(Hash::from_base64(text.trim_end_matches('=')), None);
    }
}
