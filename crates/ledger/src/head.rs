//! Head statements (docs/spec, section 5): the service's signed word on the newest link of a mailbox or the newest
//! statement on an authority's key. A statement that the log contradicts is transferable proof of fraud.

use postfach_domain::format;
use postfach_domain::hash::Digest;
use postfach_domain::pae::context;
use postfach_domain::sign::SignatureError;
use postfach_domain::time::Timestamp;
use prost::Message as _;

use crate::checkpoint::{Checkpoint, LogKeys};
use crate::hash::Hash;
use crate::leaf::KeyLeaf;
use crate::proof::{ProofError, verify_inclusion};
use crate::vkey::LogSigner;

/// Why a head statement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The bytes are no statement.
    #[error("malformed head statement")]
    Malformed,
    /// Not signed by a key of the keys log that may speak for this tree size.
    #[error("head statement is not signed by a key of the keys log")]
    Key,
    /// The signature is refused.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The statement names another tree than the checkpoint, or its leaf is not in it.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

/// What the service says about one label or key id when the keys log had `tree_size` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadStatement {
    /// Label of a mailbox or key id of an authority key.
    pub subject: [u8; 32],
    /// Sequence number of the newest link; 0 or 1 for a certificate or revocation.
    pub seq: u32,
    /// link_hash, or hash of the certificate or revocation.
    pub hash: Digest,
    /// Size of the keys log.
    pub tree_size: u64,
    /// When the service said so.
    pub time: Timestamp,
}

impl HeadStatement {
    /// The encoded protobuf message in which it travels beside its signature.
    pub fn encode(&self) -> Vec<u8> {
        format::HeadStatement {
            subject: self.subject.to_vec(),
            seq: self.seq,
            hash: self.hash.to_vec(),
            tree_size: self.tree_size,
            time: self.time.0,
        }
        .encode_to_vec()
    }

    /// `SIG(key of the keys log, "mpf1/head", subject, u32 seq, hash, u64 tree_size, u64 time)`
    pub fn sign(&self, keys_log: &LogSigner) -> format::Signature {
        self.with_parts(|parts| keys_log.expose_key().sign(context::HEAD, parts))
    }

    /// Reads a statement and checks its signature; a former key speaks only for sizes up to its last.
    pub fn verify(
        statement: &[u8],
        signature: &format::Signature,
        keys_log: &LogKeys,
    ) -> Result<Self, HeadError> {
        let head = Self::decode(statement).ok_or(HeadError::Malformed)?;
        let (verifier, _) = keys_log
            .all()
            .find(|(key, last)| {
                key.public_key().key_id().as_bytes() == signature.key_id.as_slice() && head.tree_size <= *last
            })
            .ok_or(HeadError::Key)?;
        head.with_parts(|parts| verifier.public_key().verify(context::HEAD, parts, signature))?;
        Ok(head)
    }

    /// Checks that `leaf`, which the statement is about, stands in the log under a checkpoint of the statement's size.
    pub fn verify_leaf(
        &self,
        leaf: &KeyLeaf,
        index: u64,
        proof: &[Hash],
        checkpoint: &Checkpoint,
    ) -> Result<(), HeadError> {
        if checkpoint.size != self.tree_size || !self.is_about(leaf) || leaf.hash() != self.hash {
            return Err(HeadError::Inclusion(ProofError::Root));
        }
        verify_inclusion(index, checkpoint.size, &leaf.leaf_hash(), proof, &checkpoint.root)?;
        Ok(())
    }

    /// True if a leaf proven at `index` makes the statement a lie: a later link, or another one of the same number,
    /// stood below `tree_size` when the service signed.
    pub fn is_refuted_by(&self, leaf: &KeyLeaf, index: u64) -> bool {
        let same_subject = leaf.subject() == self.subject;
        let later = leaf.seq() > self.seq || (leaf.seq() == self.seq && leaf.hash() != self.hash);
        same_subject && index < self.tree_size && later
    }

    fn is_about(&self, leaf: &KeyLeaf) -> bool {
        leaf.subject() == self.subject && leaf.seq() == self.seq
    }

    fn with_parts<T>(&self, act: impl FnOnce(&[&[u8]]) -> T) -> T {
        let (seq, size, time) =
            (self.seq.to_be_bytes(), self.tree_size.to_be_bytes(), self.time.0.to_be_bytes());
        act(&[&self.subject, &seq, self.hash.as_bytes(), &size, &time])
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = format::HeadStatement::decode(bytes).ok()?;
        Some(Self {
            subject: message.subject.try_into().ok()?,
            seq: message.seq,
            hash: Digest(message.hash.try_into().ok()?),
            tree_size: message.tree_size,
            time: Timestamp(message.time),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::id::Label;
    use postfach_domain::sign::SecretKey;

    use super::*;
    use crate::tree::TreeEdge;

    const HEAD: HeadStatement = HeadStatement {
        subject: [7; 32],
        seq: 3,
        hash: Digest([9; 32]),
        tree_size: 2,
        time: Timestamp(1_795_000_000_000),
    };

    fn signer(seed: u8) -> LogSigner {
        LogSigner::new("post.example/keys", SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    fn keys() -> LogKeys {
        LogKeys::new(signer(1).verifier().clone(), vec![(signer(2).verifier().clone(), 1)]).unwrap()
    }

    fn link(seq: u32, hash: u8) -> KeyLeaf {
        KeyLeaf::Link { label: Label([7; 32]), seq, link_hash: Digest([hash; 32]) }
    }

    #[test]
    fn every_field_is_signed() {
        let signature = HEAD.sign(&signer(1));
        assert_eq!(HeadStatement::verify(&HEAD.encode(), &signature, &keys()), Ok(HEAD));
        for other in [
            HeadStatement { subject: [8; 32], ..HEAD },
            HeadStatement { seq: 4, ..HEAD },
            HeadStatement { hash: Digest([8; 32]), ..HEAD },
            HeadStatement { tree_size: 3, ..HEAD },
            HeadStatement { time: Timestamp(0), ..HEAD },
        ] {
            let result = HeadStatement::verify(&other.encode(), &signature, &keys());
            assert_eq!(result, Err(HeadError::Signature(SignatureError::Invalid)));
        }
        assert_eq!(HeadStatement::verify(b"\x0a\x01", &signature, &keys()), Err(HeadError::Malformed));
        assert_eq!(HeadStatement::verify(b"", &signature, &keys()), Err(HeadError::Malformed));
    }

    #[test]
    fn former_and_foreign_keys_do_not_speak_for_this_size() {
        for seed in [2, 3] {
            let signature = HEAD.sign(&signer(seed));
            assert_eq!(HeadStatement::verify(&HEAD.encode(), &signature, &keys()), Err(HeadError::Key));
        }
    }

    #[test]
    fn the_leaf_stands_under_the_stated_size() {
        let mut tree = TreeEdge::new();
        tree.append([link(2, 1).leaf_hash(), link(3, 9).leaf_hash()]).unwrap();
        let checkpoint = Checkpoint { origin: "post.example/keys".into(), size: 2, root: tree.root() };
        let proof = tree.inclusion_proof(1).unwrap();
        assert_eq!(HEAD.verify_leaf(&link(3, 9), 1, &proof, &checkpoint), Ok(()));
        assert!(HEAD.verify_leaf(&link(2, 1), 0, &tree.inclusion_proof(0).unwrap(), &checkpoint).is_err());
        assert!(HEAD.verify_leaf(&link(3, 9), 0, &proof, &checkpoint).is_err());
        let larger = Checkpoint { size: 3, ..checkpoint };
        assert!(HEAD.verify_leaf(&link(3, 9), 1, &proof, &larger).is_err());
    }

    #[test]
    fn a_later_link_that_stood_already_refutes() {
        assert!(HEAD.is_refuted_by(&link(4, 1), 1));
        assert!(HEAD.is_refuted_by(&link(3, 8), 0));
        assert!(!HEAD.is_refuted_by(&link(3, 9), 1));
        assert!(!HEAD.is_refuted_by(&link(4, 1), 2), "appended after the statement");
        assert!(!HEAD.is_refuted_by(&link(2, 1), 0));
    }
}
