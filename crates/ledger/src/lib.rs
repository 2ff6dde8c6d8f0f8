//! The transparency log of Mein Postfach (docs/spec, section 5): RFC 6962 trees in C2SP tiles, signed checkpoints,
//! proofs and receipts. It does no I/O, takes time and randomness as arguments, and opens no sealed content.

pub mod hash;
pub mod nodes;
pub mod proof;
pub mod tile;
pub mod tree;
