//! Making links: what a client signs. Whoever makes one appends it to its own chain first, so that a wrong one never
//! leaves.

use prost::Message as _;

use crate::chain::member::{Device, Recovery, reverse_sign};
use crate::chain::{Chain, Proposed};
use crate::format::{self, link_body};
use crate::hash::Digest;
use crate::id::{KeyId, Origin};
use crate::pae::context;
use crate::sign::SecretKey;
use crate::time::Timestamp;

/// What GENESIS is made of.
#[derive(Debug)]
pub struct GenesisParts<'a> {
    /// The deployment.
    pub origin: &'a Origin,
    /// Key of the first device; signs the link.
    pub device_key: &'a SecretKey,
    /// Raw recipient of the device, 1,216 bytes.
    pub device_recipient: Vec<u8>,
    /// Sealed name of the device; may be empty.
    pub device_name_sealed: Vec<u8>,
    /// Raw recipient of generation 0, 1,216 bytes.
    pub mailbox_recipient: Vec<u8>,
    /// The recovery key; signs itself in.
    pub recovery_key: &'a SecretKey,
    /// Raw recipient of the recovery key, 1,216 bytes.
    pub recovery_recipient: Vec<u8>,
    /// The maker's clock.
    pub time: Timestamp,
    /// 32 random bytes.
    pub nonce: [u8; 32],
}

/// The signed genesis link.
pub fn make_genesis(parts: GenesisParts<'_>) -> format::Signed {
    let device = Device::new(parts.device_key.public(), parts.device_recipient, parts.device_name_sealed);
    let recovery = Recovery::new(parts.recovery_key.public(), parts.recovery_recipient).encode();
    let reverse_sig = reverse_sign(parts.recovery_key, parts.origin, &[], &device.key_id, &recovery);
    let op = link_body::Op::Genesis(format::Genesis {
        device: device.encode(),
        mailbox: Some(format::Mailbox { generation: 0, age_recipient: parts.mailbox_recipient }),
        recovery,
        reverse_sig: reverse_sig.to_vec(),
    });
    let body = format::LinkBody {
        origin: parts.origin.to_string(),
        genesis_hash: Vec::new(),
        seq: 0,
        prev_hash: Digest::ZERO.to_vec(),
        signer: device.key_id.to_vec(),
        time: parts.time.0,
        nonce: parts.nonce.to_vec(),
        op: Some(op),
    };
    parts.device_key.sign_body(context::LINK, body.encode_to_vec())
}

/// Makes the link after a chain's head.
#[derive(Debug)]
pub struct LinkBuilder<'a> {
    chain: &'a Chain,
    signer: &'a SecretKey,
    time: Timestamp,
    nonce: [u8; 32],
}

impl<'a> LinkBuilder<'a> {
    /// `signer` is an active device or the current recovery key; `nonce` is random. A time before the head's becomes
    /// the head's, since times never decrease.
    pub fn new(chain: &'a Chain, signer: &'a SecretKey, time: Timestamp, nonce: [u8; 32]) -> Self {
        Self { chain, signer, time: time.max(chain.head_time()), nonce }
    }

    /// ADD_DEVICE; the device answered `reverse_sig` when it was paired.
    pub fn add_device(self, device: &Device, reverse_sig: &[u8; 64]) -> format::Signed {
        let op = format::AddDevice { device: device.encode(), reverse_sig: reverse_sig.to_vec() };
        self.sign(link_body::Op::AddDevice(op))
    }

    /// REVOKE_DEVICE with the next mailbox recipient.
    pub fn revoke_device(self, key_id: &KeyId, mailbox_recipient: Vec<u8>) -> format::Signed {
        let mailbox = Some(self.next_generation(mailbox_recipient));
        self.sign(link_body::Op::RevokeDevice(format::RevokeDevice { key_id: key_id.to_vec(), mailbox }))
    }

    /// ROTATE_MAILBOX with the next mailbox recipient.
    pub fn rotate_mailbox(self, mailbox_recipient: Vec<u8>) -> format::Signed {
        let mailbox = Some(self.next_generation(mailbox_recipient));
        self.sign(link_body::Op::RotateMailbox(format::RotateMailbox { mailbox }))
    }

    /// ROTATE_RECOVERY to `recovery_key`; `proposal` names the PROPOSE that a device carries out.
    pub fn rotate_recovery(
        self,
        recovery_key: &SecretKey,
        recovery_recipient: Vec<u8>,
        mailbox_recipient: Vec<u8>,
        proposal: Option<Digest>,
    ) -> format::Signed {
        let recovery = Recovery::new(recovery_key.public(), recovery_recipient).encode();
        let genesis = self.chain.genesis_hash();
        let signer = self.signer.key_id();
        let reverse_sig =
            reverse_sign(recovery_key, self.chain.origin(), genesis.as_bytes(), &signer, &recovery);
        let op = format::RotateRecovery {
            mailbox: Some(self.next_generation(mailbox_recipient)),
            recovery,
            reverse_sig: reverse_sig.to_vec(),
            proposal_hash: proposal.map(Digest::to_vec).unwrap_or_default(),
        };
        self.sign(link_body::Op::RotateRecovery(op))
    }

    /// CLOSE; `proposal` names the PROPOSE that a device carries out.
    pub fn close(self, proposal: Option<Digest>) -> format::Signed {
        let proposal_hash = proposal.map(Digest::to_vec).unwrap_or_default();
        self.sign(link_body::Op::Close(format::Close { proposal_hash }))
    }

    /// PROPOSE.
    pub fn propose(self, what: Proposed) -> format::Signed {
        let what = match what {
            Proposed::Close => format::propose::What::Close(format::ProposeClose {}),
            Proposed::RotateRecovery(member) => format::propose::What::RotateRecovery(member),
        };
        self.sign(link_body::Op::Propose(format::Propose { what: Some(what) }))
    }

    fn next_generation(&self, age_recipient: Vec<u8>) -> format::Mailbox {
        format::Mailbox { generation: self.chain.generation().generation + 1, age_recipient }
    }

    fn sign(self, op: link_body::Op) -> format::Signed {
        let body = format::LinkBody {
            origin: self.chain.origin().to_string(),
            genesis_hash: self.chain.genesis_hash().to_vec(),
            seq: self.chain.head().seq + 1,
            prev_hash: self.chain.head().link_hash.to_vec(),
            signer: self.signer.key_id().to_vec(),
            time: self.time.0,
            nonce: self.nonce.to_vec(),
            op: Some(op),
        };
        self.signer.sign_body(context::LINK, body.encode_to_vec())
    }
}
