//! Positions in a key chain as signed things name them: the newest link that somebody saw.

use crate::format;
use crate::hash::Digest;

/// A link of a chain: its number and hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChainHead {
    /// Number of the link, genesis is 0.
    pub seq: u32,
    /// link_hash of that link (SPEC 2).
    pub link_hash: Digest,
}

/// The link and mailbox generation that a sender sealed for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecipientHead {
    /// The newest link that the sender saw.
    pub head: ChainHead,
    /// The generation whose key the envelopes are sealed to.
    pub generation: u32,
}

impl ChainHead {
    /// Reads the wire form; `None` where the hash has not 32 bytes.
    pub fn from_wire(wire: &format::ChainHead) -> Option<Self> {
        let link_hash = Digest::try_from(wire.link_hash.as_slice()).ok()?;
        Some(Self { seq: wire.seq, link_hash })
    }
}

impl RecipientHead {
    /// Reads the wire form; `None` where the hash has not 32 bytes.
    pub fn from_wire(wire: &format::RecipientHead) -> Option<Self> {
        let link_hash = Digest::try_from(wire.link_hash.as_slice()).ok()?;
        Some(Self { head: ChainHead { seq: wire.seq, link_hash }, generation: wire.generation })
    }
}

impl From<ChainHead> for format::ChainHead {
    fn from(head: ChainHead) -> Self {
        Self { seq: head.seq, link_hash: head.link_hash.to_vec() }
    }
}

impl From<RecipientHead> for format::RecipientHead {
    fn from(recipient: RecipientHead) -> Self {
        Self {
            seq: recipient.head.seq,
            link_hash: recipient.head.link_hash.to_vec(),
            generation: recipient.generation,
        }
    }
}
