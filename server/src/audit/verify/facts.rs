//! What the chains and certificates of the keys log come to, small enough to hold for all mailboxes at once: who was
//! who, and which key counted at which size of the log.

use std::collections::{BTreeMap, HashMap};

use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, AuthorityId, KeyId, Origin, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

/// What every check needs besides rows.
#[derive(Debug)]
pub struct Context {
    /// The deployment's name.
    pub origin: Origin,
    /// Signs certificates and revocations.
    pub registrar: PublicKey,
    /// False with `--quick`.
    pub signatures: bool,
}

/// A link.
#[derive(Clone, Debug)]
pub struct LinkFact {
    /// Its hash.
    pub hash: Digest,
    /// Its position in the keys log.
    pub key_index: u64,
    /// Generation of the mailbox key after it.
    pub generation: u32,
}

/// What a member of a chain is, as the database numbers it.
pub const ROLE_DEVICE: u32 = 1;
/// See [`ROLE_DEVICE`].
pub const ROLE_RECOVERY: u32 = 2;

/// A key of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFact {
    /// Names the key.
    pub key_id: KeyId,
    /// The key.
    pub public: [u8; 32],
    /// Device or recovery.
    pub role: u32,
    /// The link that brought it.
    pub added_seq: u32,
    /// The link that ended it.
    pub removed_seq: Option<u32>,
}

impl MemberFact {
    /// Did it count right after this link?
    pub fn counts_at(&self, seq: u32) -> bool {
        self.added_seq <= seq && self.removed_seq.is_none_or(|removed| seq < removed)
    }
}

/// A mailbox.
#[derive(Clone, Debug)]
pub struct MailboxFacts {
    /// Index of its GENESIS in the keys log.
    pub no: u64,
    /// Its address.
    pub address: Address,
    /// The authority that it belongs to.
    pub authority_no: Option<u64>,
    /// As the operator gave it.
    pub trust_level: u32,
    /// Time of the newest act of consent, as the row says.
    pub consent_time: Option<u64>,
    /// All links, the number being the index.
    pub links: Box<[LinkFact]>,
    /// All keys that ever were.
    pub members: Box<[MemberFact]>,
}

impl MailboxFacts {
    /// The newest link that stands below a size of the keys log.
    pub fn head_at(&self, keys_size: u64) -> Option<(ChainHead, &LinkFact)> {
        let below = self.links.partition_point(|link| link.key_index < keys_size);
        let newest = below.checked_sub(1)?;
        let link = &self.links[newest];
        let head = ChainHead { seq: u32::try_from(newest).ok()?, link_hash: link.hash };
        Some((head, link))
    }
}

/// A certified key.
#[derive(Clone, Debug)]
pub struct AuthorityKeyFacts {
    /// Whose.
    pub authority_no: u64,
    /// The key.
    pub public: PublicKey,
    /// From when the certificate holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Option<Timestamp>,
    /// Position of the certificate in the keys log.
    pub certificate_index: u64,
    /// Position of the revocation.
    pub revocation_index: Option<u64>,
}

/// An authority.
#[derive(Clone, Debug)]
pub struct AuthorityFacts {
    /// Its id.
    pub id: AuthorityId,
    /// Its own mailbox.
    pub mailbox_no: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Keys {
    /// Leaves in the keys log.
    pub size: u64,
    /// By number, ascending.
    pub mailboxes: Vec<MailboxFacts>,
    /// By number.
    pub authorities: BTreeMap<u64, AuthorityFacts>,
    /// By key id.
    pub authority_keys: HashMap<KeyId, AuthorityKeyFacts>,
}

impl Keys {
    /// The mailbox of that number.
    pub fn mailbox(&self, no: u64) -> Option<&MailboxFacts> {
        let at = self.mailboxes.binary_search_by_key(&no, |mailbox| mailbox.no).ok()?;
        Some(&self.mailboxes[at])
    }

    /// Has the authority or mailbox of that number this name?
    pub fn is_party(&self, no: u64, party: &Party) -> bool {
        match party {
            Party::Authority(id) => self.authorities.get(&no).is_some_and(|authority| authority.id == *id),
            Party::Mailbox(address) => self.mailbox(no).is_some_and(|mailbox| mailbox.address == *address),
        }
    }

    /// The key by which a party signed, if it counted at that moment (SPEC 5): certified below `keys_size` and not
    /// revoked below it, or a device of the chain at the newest link below it. `head` is the link that was signed.
    pub fn signer(
        &self,
        party_no: u64,
        signer: &KeyId,
        head: Option<ChainHead>,
        moment: (u64, Timestamp),
    ) -> Result<Signer, &'static str> {
        let (keys_size, at) = moment;
        if self.authorities.contains_key(&party_no) {
            if head.is_some() {
                return Err("an authority names a link of a chain");
            }
            let key = self.authority_keys.get(signer).filter(|key| key.authority_no == party_no);
            let key = key.ok_or("the signer is no key of the authority")?;
            if key.certificate_index >= keys_size {
                return Err("the signer was not certified yet");
            }
            if key.revocation_index.is_some_and(|index| index < keys_size) {
                return Err("the signer was revoked");
            }
            if at < key.not_before || key.not_after.is_some_and(|end| at > end) {
                return Err("the signer's certificate did not hold at that time");
            }
            return Ok(Signer::Certified(key.public));
        }
        let mailbox = self.mailbox(party_no).ok_or("the signer's mailbox does not exist")?;
        let (newest, _) = mailbox.head_at(keys_size).ok_or("the signer's mailbox did not exist yet")?;
        if head != Some(newest) {
            return Err("the link that the signer names was not the newest");
        }
        let counts = |member: &&MemberFact| {
            member.role == ROLE_DEVICE && member.key_id == *signer && member.counts_at(newest.seq)
        };
        let member = mailbox.members.iter().find(counts);
        Ok(Signer::Member(member.ok_or("the signer was no active device of the mailbox")?.public))
    }
}

/// A key that counted.
#[derive(Clone, Copy, Debug)]
pub enum Signer {
    /// Of an authority.
    Certified(PublicKey),
    /// Of a chain, as it stands there.
    Member([u8; 32]),
}

impl Signer {
    /// The key itself; reading a point takes a tenth of checking a signature.
    pub fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Certified(key) => Some(*key),
            Self::Member(bytes) => PublicKey::from_bytes(bytes).ok(),
        }
    }
}
