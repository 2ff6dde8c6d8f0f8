//! The transparency log of Mein Postfach (docs/spec, section 5): RFC 6962 trees in C2SP tiles, signed checkpoints,
//! proofs and receipts. It does no I/O, takes time and randomness as arguments, and opens no sealed content.

pub mod checkpoint;
pub mod cosign;
pub mod follow;
pub mod hash;
pub mod head;
pub mod leaf;
pub mod nodes;
pub mod proof;
pub mod receipt;
pub mod scan;
#[cfg(test)]
mod testing;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
pub mod vkey;
pub mod witness;
