//! The rules that hold for every link; those of one operation are in `ops`.

use crate::chain::candidate::Candidate;
use crate::chain::link::{Link, Op, link_hash};
use crate::chain::{AppliedLink, Chain, DeviceState, LinkError, RESERVED_FROM_SEQ, RecoveryState};
use crate::chain::{Generation, ops};
use crate::format;
use crate::hash::Digest;
use crate::head::ChainHead;
use crate::id::Origin;
use crate::limits;
use crate::pae::context;
use crate::sign::{PublicKey, signature_of};

impl Chain {
    /// Verifies a genesis link and opens a chain with it.
    pub fn genesis(origin: &Origin, signed: &format::Signed) -> Result<(Self, AppliedLink), LinkError> {
        let link = Link::parse(&signed.body)?;
        let Op::Genesis { device, mailbox, recovery, member, reverse_sig } = &link.op else {
            return Err(LinkError::GenesisPlace);
        };
        if link.origin != *origin {
            return Err(LinkError::Origin);
        }
        if link.seq != 0 {
            return Err(LinkError::Seq { expected: 0, got: link.seq });
        }
        if link.genesis_hash.is_some() {
            return Err(LinkError::Genesis);
        }
        if link.prev_hash != Digest::ZERO {
            return Err(LinkError::PrevHash);
        }
        if mailbox.generation != 0 {
            return Err(LinkError::Generation { expected: 0, got: mailbox.generation });
        }
        if link.signer != device.key_id {
            return Err(LinkError::SignerNotActive);
        }
        if recovery.key_id == device.key_id {
            return Err(LinkError::KeyReused);
        }
        verify_signature(signed, &device.sign_pub)?;
        super::verify_reverse(&recovery.sign_pub, origin, &[], &link.signer, member, reverse_sig)?;

        let hash = link_hash(signed);
        let head = ChainHead { seq: 0, link_hash: hash };
        let generation = Generation { generation: 0, recipient: mailbox.recipient.clone(), from_seq: 0 };
        let chain = Self {
            origin: origin.clone(),
            genesis_hash: hash,
            head,
            head_time: link.time,
            link_hashes: vec![hash],
            devices: vec![DeviceState { device: device.clone(), from_seq: 0, revoked_seq: None }],
            recoveries: vec![RecoveryState { recovery: recovery.clone(), from_seq: 0, replaced_seq: None }],
            generations: vec![generation],
            proposals: Vec::new(),
            closed: false,
        };
        let applied = AppliedLink {
            head,
            signer: link.signer,
            by_recovery: false,
            added: vec![device.key_id, recovery.key_id],
            revoked: Vec::new(),
            generation: Some(0),
            closed: false,
        };
        Ok((chain, applied))
    }

    /// Verifies the next link and takes it in. A refused link changes nothing.
    pub fn append(&mut self, signed: &format::Signed) -> Result<AppliedLink, LinkError> {
        let link = Link::parse(&signed.body)?;
        self.check_place(&link)?;
        let by_recovery = self.check_signer(&link, signed)?;
        let head = ChainHead { seq: link.seq, link_hash: link_hash(signed) };
        let candidate = Candidate { link: &link, head, by_recovery };
        // Every operation checks all of its rules before it changes anything.
        let mut applied = AppliedLink {
            head,
            signer: link.signer,
            by_recovery,
            added: Vec::new(),
            revoked: Vec::new(),
            generation: None,
            closed: false,
        };
        self.apply_op(&candidate, &mut applied)?;
        self.head = head;
        self.head_time = link.time;
        self.link_hashes.push(head.link_hash);
        if by_recovery {
            // The recovery key spoke: no earlier proposal of a device stands.
            self.proposals.retain(|proposal| proposal.link.seq == link.seq);
        }
        Ok(applied)
    }

    fn check_place(&self, link: &Link) -> Result<(), LinkError> {
        if link.origin != self.origin {
            return Err(LinkError::Origin);
        }
        if matches!(link.op, Op::Genesis { .. }) {
            return Err(LinkError::GenesisPlace);
        }
        if link.genesis_hash != Some(self.genesis_hash) {
            return Err(LinkError::Genesis);
        }
        if self.closed {
            return Err(LinkError::Closed);
        }
        if self.link_hashes.len() >= limits::CHAIN_LINKS {
            return Err(LinkError::Full);
        }
        let expected = self.head.seq + 1;
        if link.seq != expected {
            return Err(LinkError::Seq { expected, got: link.seq });
        }
        if link.prev_hash != self.head.link_hash {
            return Err(LinkError::PrevHash);
        }
        if link.time < self.head_time {
            return Err(LinkError::TimeDecreases);
        }
        Ok(())
    }

    /// True where the recovery key signed.
    fn check_signer(&self, link: &Link, signed: &format::Signed) -> Result<bool, LinkError> {
        let by_recovery = self.is_recovery(&link.signer);
        let key = if by_recovery { Some(&self.recovery().sign_pub) } else { self.active_key(&link.signer) };
        verify_signature(signed, key.ok_or(LinkError::SignerNotActive)?)?;
        if !by_recovery && link.seq >= RESERVED_FROM_SEQ {
            return Err(LinkError::ReservedForRecovery);
        }
        Ok(by_recovery)
    }

    fn apply_op(&mut self, candidate: &Candidate<'_>, applied: &mut AppliedLink) -> Result<(), LinkError> {
        match &candidate.link.op {
            Op::Genesis { .. } => Err(LinkError::GenesisPlace),
            Op::AddDevice { device, member, reverse_sig } => {
                ops::add_device(self, candidate, device, member, reverse_sig, applied)
            }
            Op::RevokeDevice { key_id, mailbox } => {
                ops::revoke_device(self, candidate, key_id, mailbox, applied)
            }
            Op::RotateMailbox { mailbox } => ops::rotate_mailbox(self, candidate, mailbox, applied),
            Op::RotateRecovery { .. } => ops::rotate_recovery(self, candidate, applied),
            Op::Close { proposal } => ops::close(self, candidate, proposal.as_ref(), applied),
            Op::Propose(what) => {
                ops::propose(self, candidate, what);
                Ok(())
            }
        }
    }
}

fn verify_signature(signed: &format::Signed, key: &PublicKey) -> Result<(), LinkError> {
    let signature = signature_of(signed).map_err(LinkError::Signature)?;
    key.verify(context::LINK, &[&signed.body], signature).map_err(LinkError::Signature)
}
