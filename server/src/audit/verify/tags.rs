//! Halves of hashes that stand for what they are made of, where whole ones would only cost memory.

use postfach_domain::hash::Digest;
use postfach_domain::submission::Hashes;

/// The first half of a hash: enough to compare by, where whole ones would only cost memory.
pub fn half(digest: &Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.0[..16]);
    half
}

/// Stands for a commitment in comparisons: half of a hash over all of it.
pub fn tag_of(commitment: &Digest) -> [u8; 16] {
    half(&Digest::of(commitment.as_bytes()))
}

/// Half a hash over the three hashes of a message.
pub fn half_of(hashes: &Hashes) -> [u8; 16] {
    half(&Digest::of_parts(&[hashes.outer.as_bytes(), hashes.cover.as_bytes(), hashes.letter.as_bytes()]))
}

/// Stands for the commitment that a first event names.
pub fn no_commitment() -> [u8; 16] {
    tag_of(&Digest::ZERO)
}
