//! The content of key-log leaves (SPEC 5): 69 bytes that show nothing but hashed names. Trees and proofs are the
//! ledger's.

use crate::hash::Digest;
use crate::id::{KeyId, Label};

/// Bytes of every key leaf.
pub const KEY_LEAF_LEN: usize = 69;

/// Content of one key leaf.
pub type KeyLeaf = [u8; KEY_LEAF_LEN];

/// `01 || label || u32 seq || link_hash`.
pub fn link_leaf(label: &Label, seq: u32, link_hash: &Digest) -> KeyLeaf {
    leaf(1, label.as_bytes(), seq, link_hash)
}

/// `02 || key_id || u32 0 || H(certificate)`; the hash is `authority::cert_hash`.
pub fn cert_leaf(key_id: &KeyId, cert_hash: &Digest) -> KeyLeaf {
    leaf(2, key_id.as_bytes(), 0, cert_hash)
}

/// `02 || key_id || u32 1 || H(revocation)`; the hash is `authority::revocation_hash`.
pub fn revocation_leaf(key_id: &KeyId, revocation_hash: &Digest) -> KeyLeaf {
    leaf(2, key_id.as_bytes(), 1, revocation_hash)
}

fn leaf(kind: u8, name: &[u8; 32], number: u32, hash: &Digest) -> KeyLeaf {
    let mut leaf = [0; KEY_LEAF_LEN];
    leaf[0] = kind;
    leaf[1..33].copy_from_slice(name);
    leaf[33..37].copy_from_slice(&number.to_be_bytes());
    leaf[37..].copy_from_slice(hash.as_bytes());
    leaf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let leaf = link_leaf(&Label([7; 32]), 258, &Digest([9; 32]));
        assert_eq!(leaf[0], 1);
        assert_eq!(leaf[1..33], [7; 32]);
        assert_eq!(leaf[33..37], [0, 0, 1, 2]);
        assert_eq!(leaf[37..], [9; 32]);
        assert_eq!(revocation_leaf(&KeyId([1; 32]), &Digest::ZERO)[36], 1);
        assert_eq!(cert_leaf(&KeyId([1; 32]), &Digest::ZERO)[..2], [2, 1]);
    }
}
