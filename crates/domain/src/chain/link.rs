//! One link, read from the bytes as transported. Signature and rules come with the chain.

use prost::Message as _;

use crate::authority::signed_hash;
use crate::chain::LinkError;
use crate::chain::member::{Device, Recovery, check_recipient};
use crate::format::{self, link_body};
use crate::hash::Digest;
use crate::id::{Address, KeyId, Origin};
use crate::limits;
use crate::pae::context;
use crate::time::Timestamp;

/// What a link does. Members keep the bytes that were reverse-signed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant)] // one at a time is alive while a chain is read
pub enum Op {
    /// Opens the chain.
    Genesis {
        /// The first device; it signs the link.
        device: Device,
        /// Recipient of generation 0.
        mailbox: NewGeneration,
        /// The recovery key.
        recovery: Recovery,
        /// Encoded recovery member.
        member: Vec<u8>,
        /// By the recovery key over `member`.
        reverse_sig: Vec<u8>,
    },
    /// Adds a device.
    AddDevice {
        /// The device.
        device: Device,
        /// Encoded device member.
        member: Vec<u8>,
        /// By the device over `member`.
        reverse_sig: Vec<u8>,
    },
    /// Revokes a device.
    RevokeDevice {
        /// The device.
        key_id: KeyId,
        /// The next generation, which the device does not get.
        mailbox: NewGeneration,
    },
    /// New mailbox key.
    RotateMailbox {
        /// The next generation.
        mailbox: NewGeneration,
    },
    /// New recovery key.
    RotateRecovery {
        /// The new recovery key.
        recovery: Recovery,
        /// The next generation.
        mailbox: NewGeneration,
        /// Encoded recovery member.
        member: Vec<u8>,
        /// By the new recovery key over `member`.
        reverse_sig: Vec<u8>,
        /// link_hash of the proposal that a device carries out.
        proposal: Option<Digest>,
    },
    /// Ends the chain.
    Close {
        /// link_hash of the proposal that a device carries out.
        proposal: Option<Digest>,
    },
    /// Announces what only the recovery key may do at once.
    Propose(Proposed),
}

/// A generation that a link brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewGeneration {
    /// Its number.
    pub generation: u32,
    /// Raw recipient, 1,216 bytes.
    pub recipient: Vec<u8>,
}

/// What a PROPOSE announces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proposed {
    /// This recovery key, by its member bytes.
    RotateRecovery(Vec<u8>),
    /// The end of the chain.
    Close,
}

/// One link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The deployment.
    pub origin: Origin,
    /// link_hash of link 0; `None` in link 0.
    pub genesis_hash: Option<Digest>,
    /// Its number.
    pub seq: u32,
    /// link_hash of the link before; zeros in link 0.
    pub prev_hash: Digest,
    /// Who signs.
    pub signer: KeyId,
    /// The signer's clock.
    pub time: Timestamp,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// What it does.
    pub op: Op,
}

/// `H(PAE("mpf1/link", body, sig(64)))` (SPEC 2).
pub fn link_hash(link: &format::Signed) -> Digest {
    signed_hash(context::LINK, link)
}

/// The address that a genesis link defines. The link is not verified.
pub fn address_of(genesis: &format::Signed) -> Address {
    Address::of_genesis(&link_hash(genesis))
}

impl Link {
    /// Reads a body. Cheap: no signature is checked.
    pub fn parse(body: &[u8]) -> Result<Self, LinkError> {
        if body.len() > limits::LINK_LEN {
            return Err(LinkError::TooLarge);
        }
        let wire = format::LinkBody::decode(body).map_err(|_| LinkError::Malformed)?;
        let field = LinkError::Field;
        let genesis_hash = match wire.genesis_hash.as_slice() {
            [] => None,
            bytes => Some(Digest::try_from(bytes).map_err(|_| field("genesis_hash"))?),
        };
        Ok(Self {
            origin: wire.origin.parse().map_err(|_| field("origin"))?,
            genesis_hash,
            seq: wire.seq,
            prev_hash: Digest::try_from(wire.prev_hash.as_slice()).map_err(|_| field("prev_hash"))?,
            signer: KeyId::try_from(wire.signer.as_slice()).map_err(|_| field("signer"))?,
            time: Timestamp::checked(wire.time).ok_or(field("time"))?,
            nonce: wire.nonce.as_slice().try_into().map_err(|_| field("nonce"))?,
            op: parse_op(wire.op.ok_or(LinkError::UnknownOp)?)?,
        })
    }

    /// genesis_hash as it stands in signatures: empty in link 0.
    pub fn genesis_bytes(&self) -> &[u8] {
        self.genesis_hash.as_ref().map_or(&[], |hash| hash.as_bytes().as_slice())
    }
}

fn parse_op(op: link_body::Op) -> Result<Op, LinkError> {
    Ok(match op {
        link_body::Op::Genesis(wire) => Op::Genesis {
            device: Device::parse(&wire.device)?,
            mailbox: parse_mailbox(wire.mailbox)?,
            recovery: Recovery::parse(&wire.recovery)?,
            member: wire.recovery,
            reverse_sig: wire.reverse_sig,
        },
        link_body::Op::AddDevice(wire) => Op::AddDevice {
            device: Device::parse(&wire.device)?,
            member: wire.device,
            reverse_sig: wire.reverse_sig,
        },
        link_body::Op::RevokeDevice(wire) => Op::RevokeDevice {
            key_id: KeyId::try_from(wire.key_id.as_slice()).map_err(|_| LinkError::Field("key_id"))?,
            mailbox: parse_mailbox(wire.mailbox)?,
        },
        link_body::Op::RotateMailbox(wire) => Op::RotateMailbox { mailbox: parse_mailbox(wire.mailbox)? },
        link_body::Op::RotateRecovery(wire) => Op::RotateRecovery {
            recovery: Recovery::parse(&wire.recovery)?,
            mailbox: parse_mailbox(wire.mailbox)?,
            member: wire.recovery,
            reverse_sig: wire.reverse_sig,
            proposal: parse_proposal(&wire.proposal_hash)?,
        },
        link_body::Op::Close(wire) => Op::Close { proposal: parse_proposal(&wire.proposal_hash)? },
        link_body::Op::Propose(wire) => Op::Propose(parse_proposed(wire)?),
    })
}

fn parse_mailbox(mailbox: Option<format::Mailbox>) -> Result<NewGeneration, LinkError> {
    let mailbox = mailbox.ok_or(LinkError::Field("mailbox"))?;
    check_recipient(&mailbox.age_recipient)?;
    Ok(NewGeneration { generation: mailbox.generation, recipient: mailbox.age_recipient })
}

fn parse_proposal(hash: &[u8]) -> Result<Option<Digest>, LinkError> {
    if hash.is_empty() {
        return Ok(None);
    }
    Digest::try_from(hash).map(Some).map_err(|_| LinkError::Field("proposal_hash"))
}

fn parse_proposed(propose: format::Propose) -> Result<Proposed, LinkError> {
    match propose.what.ok_or(LinkError::UnknownOp)? {
        format::propose::What::Close(_) => Ok(Proposed::Close),
        format::propose::What::RotateRecovery(member) => {
            Recovery::parse(&member)?;
            Ok(Proposed::RotateRecovery(member))
        }
    }
}
