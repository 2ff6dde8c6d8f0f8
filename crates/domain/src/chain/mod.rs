//! The key chain of a mailbox: verification of whole chains and of the next link (SPEC 2), and what follows from one.
//! Not here: wraps (opaque to everybody but their members) and the key log's proofs.

mod apply;
mod build;
mod candidate;
mod error;
mod link;
mod member;
mod ops;

#[cfg(test)]
mod tests;

pub use build::{GenesisParts, LinkBuilder, make_genesis};
pub use error::{ChainError, LinkError};
pub use link::{Link, NewGeneration, Op, Proposed, address_of, link_hash};
pub use member::{AGE_RECIPIENT_LEN, Device, Generation, Recovery, reverse_sign, verify_reverse};

use crate::act::time_fits;
use crate::format;
use crate::hash::Digest;
use crate::head::ChainHead;
use crate::id::{Address, KeyId, Label, Origin};
use crate::sign::PublicKey;
use crate::time::Timestamp;

/// From this link on only the recovery key may sign (SPEC 2).
pub const RESERVED_FROM_SEQ: u32 = 968;
/// How old a proposal has to be before a device may carry it out: 14 days, in milliseconds.
pub const PROPOSAL_AGE_MS: u64 = 14 * 24 * 3600 * 1000;

/// A device and the links between which it is active.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceState {
    /// The device.
    pub device: Device,
    /// The link that added it.
    pub from_seq: u32,
    /// The link that revoked it.
    pub revoked_seq: Option<u32>,
}

/// A recovery key and the links between which it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryState {
    /// The key.
    pub recovery: Recovery,
    /// The link that brought it.
    pub from_seq: u32,
    /// The link that replaced it.
    pub replaced_seq: Option<u32>,
}

/// A PROPOSE that nobody carried out and that the recovery key did not overrule by signing a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its link.
    pub link: ChainHead,
    /// Who signed it.
    pub signer: KeyId,
    /// Its time; 14 days later a device may carry it out.
    pub time: Timestamp,
    /// What it announces.
    pub what: Proposed,
}

/// A member that needs the seeds of the mailbox, and the recipient to seal them to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrapMember<'a> {
    /// Device or recovery key.
    pub key_id: KeyId,
    /// Raw recipient, 1,216 bytes.
    pub age_recipient: &'a [u8],
}

/// What one link changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedLink {
    /// Number and hash of the link.
    pub head: ChainHead,
    /// Who signed it.
    pub signer: KeyId,
    /// True where the recovery key signed.
    pub by_recovery: bool,
    /// Keys that became active: devices, and the recovery key.
    pub added: Vec<KeyId>,
    /// Keys that may not sign any more.
    pub revoked: Vec<KeyId>,
    /// The generation that it brought.
    pub generation: Option<u32>,
    /// True for CLOSE.
    pub closed: bool,
}

impl AppliedLink {
    /// True where wraps for every member have to come in the same call: a member or a generation was added.
    pub fn needs_wraps(&self) -> bool {
        !self.added.is_empty() || self.generation.is_some()
    }
}

/// A verified chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    origin: Origin,
    genesis_hash: Digest,
    head: ChainHead,
    head_time: Timestamp,
    link_hashes: Vec<Digest>,
    devices: Vec<DeviceState>,
    recoveries: Vec<RecoveryState>,
    generations: Vec<Generation>,
    proposals: Vec<Proposal>,
    closed: bool,
}

impl Chain {
    /// Verifies all links from genesis to head. The address follows from link 0: compare it, or use
    /// [`Chain::verify_for`].
    pub fn verify(origin: &Origin, links: &[format::Signed]) -> Result<Self, ChainError> {
        let (genesis, rest) = links.split_first().ok_or(ChainError::Empty)?;
        let (mut chain, _) =
            Self::genesis(origin, genesis).map_err(|error| ChainError::Link { seq: 0, error })?;
        for link in rest {
            let seq = chain.head.seq + 1;
            chain.append(link).map_err(|error| ChainError::Link { seq, error })?;
        }
        Ok(chain)
    }

    /// Verifies all links, and that they are this address's.
    pub fn verify_for(
        origin: &Origin,
        address: &Address,
        links: &[format::Signed],
    ) -> Result<Self, ChainError> {
        let first = links.first().ok_or(ChainError::Empty)?;
        if address_of(first) != *address {
            return Err(ChainError::Address);
        }
        Self::verify(origin, links)
    }

    /// The deployment.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The address that the chain certifies.
    pub fn address(&self) -> Address {
        Address::of_genesis(&self.genesis_hash)
    }

    /// What the key log shows of the address.
    pub fn label(&self) -> Label {
        self.address().label()
    }

    /// link_hash of link 0.
    pub fn genesis_hash(&self) -> Digest {
        self.genesis_hash
    }

    /// The newest link.
    pub fn head(&self) -> ChainHead {
        self.head
    }

    /// Time of the newest link.
    pub fn head_time(&self) -> Timestamp {
        self.head_time
    }

    /// link_hash of link `seq`, where there is one.
    pub fn link_hash_at(&self, seq: u32) -> Option<Digest> {
        self.link_hashes.get(usize::try_from(seq).ok()?).copied()
    }

    /// True where `head` is a link of this chain.
    pub fn contains(&self, head: &ChainHead) -> bool {
        self.link_hash_at(head.seq) == Some(head.link_hash)
    }

    /// Every device that ever was.
    pub fn devices(&self) -> &[DeviceState] {
        &self.devices
    }

    /// Active devices, oldest first; at most 16.
    pub fn active_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|d| d.revoked_seq.is_none()).map(|d| &d.device)
    }

    /// The recovery key that counts now.
    pub fn recovery(&self) -> &Recovery {
        // Safe because GENESIS brings one and none is ever removed.
        &self.recoveries.last().expect("a recovery key").recovery
    }

    /// Every recovery key that ever was.
    pub fn recoveries(&self) -> &[RecoveryState] {
        &self.recoveries
    }

    /// The generation that senders seal to now.
    pub fn generation(&self) -> &Generation {
        // Safe because GENESIS brings one and none is ever removed.
        self.generations.last().expect("a generation")
    }

    /// All generations, the number being the index.
    pub fn generations(&self) -> &[Generation] {
        &self.generations
    }

    /// The generation that counted at link `seq`.
    pub fn generation_at(&self, seq: u32) -> Option<&Generation> {
        self.generations.iter().rev().find(|g| g.from_seq <= seq)
    }

    /// Proposals that stand.
    pub fn proposals(&self) -> &[Proposal] {
        &self.proposals
    }

    /// True after CLOSE. The last active keys may still read, hand over, confirm and export.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The public key of a device that is active at the head. The recovery key is none: it signs links and tokens for
    /// three calls only.
    pub fn active_key(&self, key_id: &KeyId) -> Option<&PublicKey> {
        self.active_devices().find(|device| device.key_id == *key_id).map(|device| &device.sign_pub)
    }

    /// True where a device is active at the head.
    pub fn key_active(&self, key_id: &KeyId) -> bool {
        self.active_key(key_id).is_some()
    }

    /// The public key of a device that was active right after link `seq`.
    pub fn active_key_at(&self, key_id: &KeyId, seq: u32) -> Option<&PublicKey> {
        let was_active = |d: &&DeviceState| {
            d.device.key_id == *key_id && d.from_seq <= seq && d.revoked_seq.is_none_or(|at| at > seq)
        };
        self.devices.iter().find(was_active).map(|d| &d.device.sign_pub)
    }

    /// True where a device was active right after link `seq`.
    pub fn key_active_at(&self, key_id: &KeyId, seq: u32) -> bool {
        self.active_key_at(key_id, seq).is_some()
    }

    /// True for the recovery key that counts now.
    pub fn is_recovery(&self, key_id: &KeyId) -> bool {
        self.recovery().key_id == *key_id
    }

    /// Everybody who needs wraps with a link that adds a member or a generation: active devices and the recovery key.
    pub fn wrap_members(&self) -> impl Iterator<Item = WrapMember<'_>> {
        let devices = self
            .active_devices()
            .map(|device| WrapMember { key_id: device.key_id, age_recipient: &device.age_recipient });
        let recovery = self.recovery();
        devices.chain(std::iter::once(WrapMember {
            key_id: recovery.key_id,
            age_recipient: &recovery.age_recipient,
        }))
    }
}

/// True where the time of a link is within 5 minutes of the server's: the server's own check when it stores one.
pub fn check_link_time(link: &Link, server: Timestamp) -> Result<(), LinkError> {
    if time_fits(link.time, server) { Ok(()) } else { Err(LinkError::TimeOff) }
}
