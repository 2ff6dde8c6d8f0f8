//! The text form of an inclusion proof with its checkpoint (C2SP tlog-proof), in its one canonical spelling and
//! without an `extra` line.

use crate::checkpoint::{CheckpointError, LogKeys, MAX_NOTE, SignedCheckpoint, VerifiedCheckpoint};
use crate::hash::Hash;
use crate::proof::{ProofError, verify_inclusion};
use crate::witness::WitnessPolicy;

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";
/// Hashes in the longest proof of a tree that we keep.
const MAX_HASHES: usize = 63;

/// Why a proof text proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not a tlog-proof in its one spelling.
    #[error("malformed proof")]
    Malformed,
    /// The checkpoint inside is refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not where the proof says.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

/// An inclusion proof and the checkpoint it leads to. Parsed is not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the leaf.
    pub index: u64,
    /// From the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The signed note, byte for byte.
    pub note: Vec<u8>,
}

impl TlogProof {
    /// Puts a proof and its checkpoint together.
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: &SignedCheckpoint) -> Self {
        Self { index, hashes, note: checkpoint.note.clone() }
    }

    /// The text as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}index {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&hash.to_base64());
            text.push('\n');
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.note);
        bytes
    }

    /// Reads what [`TlogProof::encode`] writes and nothing else. The note is checked by [`TlogProof::verify`] only.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        Self::read(bytes).filter(|proof| proof.encode() == bytes).ok_or(TlogProofError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_NOTE + 8192 {
            return None;
        }
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let (head, note) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]);
        let mut lines = head.strip_prefix(HEADER)?.split('\n');
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let hashes: Vec<_> = lines.take(MAX_HASHES + 1).map(Hash::from_base64).collect::<Option<_>>()?;
        (hashes.len() <= MAX_HASHES).then(|| Self { index, hashes, note: note.to_vec() })
    }

    /// Checks the checkpoint and that `leaf` stands at the proof's index under it. Whether enough witnesses cosigned
    /// is for the caller to ask.
    pub fn verify(
        &self,
        leaf: &Hash,
        keys: &LogKeys,
        witnesses: &WitnessPolicy,
    ) -> Result<VerifiedCheckpoint, TlogProofError> {
        let verified = keys.verify(&self.note, witnesses)?;
        let checkpoint = &verified.signed.checkpoint;
        verify_inclusion(self.index, checkpoint.size, leaf, &self.hashes, &checkpoint.root)?;
        Ok(verified)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::sign::SecretKey;
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::hash::leaf_hash;
    use crate::tree::TreeEdge;
    use crate::vkey::LogSigner;

    fn sample(index: u64, size: u64) -> (TlogProof, LogKeys, Hash) {
        let signer = LogSigner::new("post.example/evidence", SecretKey::from_seed(&[5; 32])).unwrap();
        let mut tree = TreeEdge::new();
        let leaf = |i: u64| leaf_hash(&i.to_be_bytes());
        tree.append((0..size).map(leaf)).unwrap();
        let checkpoint = Checkpoint::sign(&signer, size, tree.root());
        let proof = TlogProof::new(index, tree.inclusion_proof(index).unwrap(), &checkpoint);
        (proof, LogKeys::new(signer.verifier().clone(), vec![]).unwrap(), leaf(index))
    }

    proptest! {
        #[test]
        fn round_trip(size in 1u64..600, at: prop::sample::Index) {
            let index = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
            let (proof, keys, leaf) = sample(index, size);
            let parsed = TlogProof::parse(&proof.encode()).unwrap();
            prop_assert_eq!(&parsed, &proof);
            let verified = parsed.verify(&leaf, &keys, &WitnessPolicy::none()).unwrap();
            prop_assert_eq!(verified.signed.checkpoint.size, size);
            prop_assert!(parsed.verify(&leaf_hash(b"other"), &keys, &WitnessPolicy::none()).is_err());
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = String::from_utf8(sample(2, 5).0.encode()).unwrap();
        for bad in [
            text.replace("index 2", "index 02"),
            text.replace("index 2", "index +2"),
            text.replace("index 2", "extra AAAA\nindex 2"),
            text.replace("@v1", "@v2"),
            text.replace('\n', "\r\n"),
            text.replacen("=\n", "\n", 1),
            text.replacen("index 2\n", "index 2\n\n", 1),
            format!("{text}\n"),
            format!("\n{text}"),
        ] {
            let (_, keys, leaf) = sample(2, 5);
            let result = TlogProof::parse(bad.as_bytes())
                .and_then(|proof| proof.verify(&leaf, &keys, &WitnessPolicy::none()));
            assert!(result.is_err(), "{bad}");
        }
        let long = TlogProof { hashes: vec![leaf_hash(b"x"); MAX_HASHES + 1], ..sample(2, 5).0 };
        assert_eq!(TlogProof::parse(&long.encode()), Err(TlogProofError::Malformed));
    }

    #[test]
    fn a_lone_leaf_has_no_hash_lines() {
        let (proof, keys, leaf) = sample(0, 1);
        assert!(proof.encode().starts_with(b"c2sp.org/tlog-proof@v1\nindex 0\n\npost.example/evidence\n1\n"));
        assert!(
            TlogProof::parse(&proof.encode()).unwrap().verify(&leaf, &keys, &WitnessPolicy::none()).is_ok()
        );
    }

    #[test]
    fn every_damaged_byte_is_refused() {
        let (proof, keys, leaf) = sample(3, 6);
        crate::testing::each_damage(&proof.encode(), |bad| {
            let result =
                TlogProof::parse(bad).and_then(|proof| proof.verify(&leaf, &keys, &WitnessPolicy::none()));
            assert!(result.is_err());
        });
    }
}
