//! What the links of a chain come to, without checking a signature: enough for `--quick`, and for the small facts that
//! later checks need. With signatures the rules of `postfach_domain::chain` are asked besides.

use postfach_domain::chain::{Link, Op};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::KeyId;
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

use super::facts::{Context, MemberFact, ROLE_DEVICE, ROLE_RECOVERY};

/// Where a chain stands after some links.
#[derive(Debug, Default)]
pub struct Replay {
    /// Links so far.
    pub next_seq: u32,
    /// Generation of the mailbox key.
    pub generation: u32,
    /// All keys that ever were.
    pub members: Vec<MemberFact>,
    /// Links that wraps belong to.
    pub wraps_at: Vec<u32>,
    /// Time of the newest link.
    pub time: Timestamp,
    /// CLOSE came.
    pub closed: bool,
    /// How many signatures stand in the links.
    pub signatures: u64,
    genesis: Option<Digest>,
    newest: Digest,
}

impl Replay {
    /// Does the link stand where it belongs, in the right chain, and name the key of its signature?
    pub fn check_place(&self, context: &Context, link: &Link, signed: &Signed) -> Result<(), &'static str> {
        let named = signed.signature.as_ref().map(|signature| signature.key_id.as_slice());
        if named != Some(link.signer.as_bytes().as_slice()) {
            return Err("the signature names another key than the link");
        }
        if link.origin != context.origin {
            return Err("the link belongs to another deployment");
        }
        if link.seq != self.next_seq || link.prev_hash != self.newest || link.genesis_hash != self.genesis {
            return Err("the link does not follow the one before it");
        }
        if self.closed {
            return Err("the link follows the end of the chain");
        }
        if link.time < self.time {
            return Err("the time of the link is before that of the one before it");
        }
        Ok(())
    }

    /// Takes a link in.
    pub fn apply(&mut self, link: &Link, hash: Digest) {
        let seq = link.seq;
        self.signatures += 1;
        match &link.op {
            Op::Genesis { device, recovery, .. } => {
                self.add(device.key_id, &device.sign_pub, ROLE_DEVICE, seq);
                self.add(recovery.key_id, &recovery.sign_pub, ROLE_RECOVERY, seq);
                self.wraps_at.push(seq);
            }
            Op::AddDevice { device, .. } => {
                self.add(device.key_id, &device.sign_pub, ROLE_DEVICE, seq);
                self.wraps_at.push(seq);
            }
            Op::RevokeDevice { key_id, mailbox } => {
                self.remove(|member| member.key_id == *key_id, seq);
                self.turn(mailbox.generation, seq);
            }
            Op::RotateMailbox { mailbox } => self.turn(mailbox.generation, seq),
            Op::RotateRecovery { recovery, mailbox, .. } => {
                self.remove(|member| member.role == ROLE_RECOVERY, seq);
                self.add(recovery.key_id, &recovery.sign_pub, ROLE_RECOVERY, seq);
                self.turn(mailbox.generation, seq);
            }
            Op::Close { .. } => self.closed = true,
            Op::Propose(_) => {}
        }
        self.genesis.get_or_insert(hash);
        self.newest = hash;
        self.time = link.time;
        self.next_seq = seq.saturating_add(1);
    }

    fn turn(&mut self, generation: u32, seq: u32) {
        self.generation = generation;
        self.wraps_at.push(seq);
    }

    fn add(&mut self, key_id: KeyId, public: &PublicKey, role: u32, seq: u32) {
        // The new member signed too.
        self.signatures += u64::from(seq > 0 || role == ROLE_RECOVERY);
        let public = public.to_bytes();
        self.members.push(MemberFact { key_id, public, role, added_seq: seq, removed_seq: None });
    }

    fn remove(&mut self, which: impl Fn(&MemberFact) -> bool, seq: u32) {
        for member in self.members.iter_mut().filter(|member| member.removed_seq.is_none() && which(member)) {
            member.removed_seq = Some(seq);
        }
    }
}
