//! Mailboxes: heads, links, members, wraps, consents, settings and activation codes.

use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, AuthorityId, KeyId};
use postfach_domain::terms::TrustLevel;
use postfach_domain::time::Timestamp;
use prost::Message as _;

use super::{corrupt, digest};
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx, Value};

/// A mailbox as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Index of its GENESIS in the keys log.
    pub no: u64,
    /// Its address.
    pub address: Address,
    /// The authority that it belongs to.
    pub authority_no: Option<u64>,
    /// seq of the newest link.
    pub head_seq: u32,
    /// Hash of the newest link.
    pub head_hash: Digest,
    /// Newest generation of the mailbox key.
    pub generation: u32,
    /// As the operator gave it.
    pub trust_level: TrustLevel,
    /// Time of the newest consent act.
    pub consent_time: Option<Timestamp>,
    /// Since when it is suspended.
    pub suspended_at: Option<Timestamp>,
    /// When CLOSE was stored.
    pub closed_at: Option<Timestamp>,
}

fn mailbox(row: &mut Row) -> Result<Mailbox, StoreError> {
    let level = i32::try_from(row.int(6)?).ok().and_then(TrustLevel::from_wire);
    Ok(Mailbox {
        no: row.unsigned(0)?,
        address: Address(row.array(1)?),
        authority_no: row.opt_unsigned(2)?,
        head_seq: row.small(3)?,
        head_hash: digest(row, 4)?,
        generation: row.small(5)?,
        trust_level: level.ok_or_else(|| corrupt("trust level"))?,
        consent_time: row.opt_unsigned(7)?.map(Timestamp),
        suspended_at: row.opt_unsigned(8)?.map(Timestamp),
        closed_at: row.opt_unsigned(9)?.map(Timestamp),
    })
}

fn row_of(mailbox: &Mailbox) -> Vec<Value> {
    vec![
        mailbox.no.into(),
        mailbox.address.as_bytes().into(),
        mailbox.authority_no.into(),
        mailbox.head_seq.into(),
        mailbox.head_hash.as_bytes().into(),
        mailbox.generation.into(),
        i64::from(mailbox.trust_level.to_wire()).into(),
        mailbox.consent_time.map(|t| t.0).into(),
        mailbox.suspended_at.map(|t| t.0).into(),
        mailbox.closed_at.map(|t| t.0).into(),
    ]
}

/// The mailboxes that exist among these addresses.
pub async fn by_address(
    query: &mut dyn Query,
    addresses: impl IntoIterator<Item = &Address>,
) -> Result<Vec<Mailbox>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT no, address, authority_no, head_seq, head_hash, generation, trust_level, consent_time,
                suspended_at, closed_at
         FROM mailbox WHERE address IN {in}",
    );
    let keys = addresses.into_iter().map(|address| vec![address.as_bytes().into()]).collect();
    SELECT.fetch(query, keys).await?.iter_mut().map(mailbox).collect()
}

/// Adds or replaces mailboxes.
pub async fn upsert(tx: &mut dyn Tx, mailboxes: &[&Mailbox]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO mailbox (no, address, authority_no, head_seq, head_hash, generation, trust_level, consent_time,
                              suspended_at, closed_at)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (no) DO UPDATE SET authority_no = excluded.authority_no, head_seq = excluded.head_seq,
             head_hash = excluded.head_hash, generation = excluded.generation, trust_level = excluded.trust_level,
             consent_time = excluded.consent_time, suspended_at = excluded.suspended_at, closed_at = excluded.closed_at",
        10,
    );
    UPSERT.write(tx, mailboxes.iter().map(|mailbox| row_of(mailbox)).collect()).await
}

/// How many mailboxes there are.
pub async fn count(query: &mut dyn Query) -> Result<u64, StoreError> {
    first_number(query, "SELECT count(*) FROM mailbox").await
}

pub(super) async fn first_number(query: &mut dyn Query, sql: &'static str) -> Result<u64, StoreError> {
    let rows = query.fetch(sql.into(), Vec::new()).await?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.unsigned(0))
}

/// A stored link.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Whose.
    pub mailbox_no: u64,
    /// Position in the chain.
    pub seq: u32,
    /// As it was signed.
    pub signed: Signed,
    /// Its hash.
    pub link_hash: Digest,
    /// Position in the keys log.
    pub key_index: u64,
}

fn link(row: &mut Row) -> Result<Link, StoreError> {
    Ok(Link {
        mailbox_no: row.unsigned(0)?,
        seq: row.small(1)?,
        signed: Signed::decode(row.blob(2)?.as_slice()).map_err(|_| corrupt("link"))?,
        link_hash: digest(row, 3)?,
        key_index: row.unsigned(4)?,
    })
}

/// The whole chain of a mailbox, genesis first.
pub async fn chain(query: &mut dyn Query, mailbox_no: u64) -> Result<Vec<Link>, StoreError> {
    let sql =
        "SELECT mailbox_no, seq, signed, link_hash, key_index FROM link WHERE mailbox_no = $1 ORDER BY seq";
    query.fetch(sql.into(), vec![mailbox_no.into()]).await?.iter_mut().map(link).collect()
}

/// Hash and position of the links among (mailbox, seq) that exist.
pub async fn link_hashes(
    query: &mut dyn Query,
    keys: impl IntoIterator<Item = (Address, u32)>,
) -> Result<Vec<((Address, u32), (Digest, u64))>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT m.address, l.seq, l.link_hash, l.key_index FROM {in} AS v
         JOIN mailbox AS m ON m.address = v.column1 JOIN link AS l ON l.mailbox_no = m.no AND l.seq = v.column2",
        2,
    );
    let keys = keys.into_iter().map(|(address, seq)| vec![address.as_bytes().into(), seq.into()]).collect();
    let read =
        |row: &mut Row| Ok(((Address(row.array(0)?), row.small(1)?), (digest(row, 2)?, row.unsigned(3)?)));
    SELECT.fetch(query, keys).await?.iter_mut().map(read).collect()
}

/// Adds links.
pub async fn insert_links(tx: &mut dyn Tx, links: &[Link]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO link (mailbox_no, seq, signed, link_hash, key_index)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        5,
    );
    let row = |link: &Link| {
        vec![
            link.mailbox_no.into(),
            link.seq.into(),
            link.signed.encode_to_vec().into(),
            link.link_hash.as_bytes().into(),
            link.key_index.into(),
        ]
    };
    INSERT.write(tx, links.iter().map(row).collect()).await
}

/// What a member of a chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A device.
    Device,
    /// The recovery key.
    Recovery,
}

/// A key of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whose chain.
    pub mailbox_no: u64,
    /// The key.
    pub key_id: KeyId,
    /// What it is.
    pub role: Role,
    /// Ed25519 public key.
    pub public: [u8; 32],
    /// The link that added it.
    pub added_seq: u32,
    /// The link that removed it.
    pub removed_seq: Option<u32>,
}

fn member(row: &mut Row) -> Result<Member, StoreError> {
    let role = match row.int(2)? {
        1 => Role::Device,
        2 => Role::Recovery,
        _ => return Err(corrupt("role")),
    };
    let removed = row.opt_unsigned(5)?.map(u32::try_from).transpose().map_err(|_| corrupt("seq"))?;
    Ok(Member {
        mailbox_no: row.unsigned(0)?,
        key_id: KeyId(row.array(1)?),
        role,
        public: row.array(3)?,
        added_seq: row.small(4)?,
        removed_seq: removed,
    })
}

/// The members that exist among (address, key).
pub async fn members(
    query: &mut dyn Query,
    keys: impl IntoIterator<Item = &(Address, KeyId)>,
) -> Result<Vec<(Address, Member)>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT k.mailbox_no, k.key_id, k.role, k.public, k.added_seq, k.removed_seq, m.address FROM {in} AS v
         JOIN mailbox AS m ON m.address = v.column1
         JOIN member AS k ON k.mailbox_no = m.no AND k.key_id = v.column2",
        2,
    );
    let key = |(address, key): &(Address, KeyId)| vec![address.as_bytes().into(), key.as_bytes().into()];
    let rows = SELECT.fetch(query, keys.into_iter().map(key).collect()).await?;
    rows.into_iter().map(|mut row| Ok((Address(row.array(6)?), member(&mut row)?))).collect()
}

/// Adds members or ends them.
pub async fn upsert_members(tx: &mut dyn Tx, members: &[Member]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO member (mailbox_no, key_id, role, public, added_seq, removed_seq)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (mailbox_no, key_id) DO UPDATE SET removed_seq = excluded.removed_seq",
        6,
    );
    let row = |member: &Member| {
        vec![
            member.mailbox_no.into(),
            member.key_id.as_bytes().into(),
            match member.role {
                Role::Device => 1u32.into(),
                Role::Recovery => 2u32.into(),
            },
            (&member.public).into(),
            member.added_seq.into(),
            member.removed_seq.map(u64::from).into(),
        ]
    };
    UPSERT.write(tx, members.iter().map(row).collect()).await
}

/// Sealed seeds for one member, as they came with one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapRow {
    /// Whose mailbox.
    pub mailbox_no: u64,
    /// For whom.
    pub member: KeyId,
    /// With which link they came.
    pub link_seq: u32,
    /// One age file.
    pub sealed: Vec<u8>,
}

/// Adds wraps.
pub async fn insert_wraps(tx: &mut dyn Tx, wraps: &[WrapRow]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO wrap (mailbox_no, member, link_seq, sealed) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        4,
    );
    let row = |wrap: &WrapRow| {
        vec![
            wrap.mailbox_no.into(),
            wrap.member.as_bytes().into(),
            wrap.link_seq.into(),
            wrap.sealed.clone().into(),
        ]
    };
    INSERT.write(tx, wraps.iter().map(row).collect()).await
}

/// All wraps for one member, oldest first.
pub async fn wraps(
    query: &mut dyn Query,
    mailbox_no: u64,
    member: KeyId,
) -> Result<Vec<WrapRow>, StoreError> {
    let sql = "SELECT link_seq, sealed FROM wrap WHERE mailbox_no = $1 AND member = $2 ORDER BY link_seq";
    let rows = query.fetch(sql.into(), vec![mailbox_no.into(), member.as_bytes().into()]).await?;
    rows.into_iter()
        .map(|mut row| Ok(WrapRow { mailbox_no, member, link_seq: row.small(0)?, sealed: row.blob(1)? }))
        .collect()
}

/// The newest consent act of a mailbox for one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Whose.
    pub mailbox_no: u64,
    /// To whom; `None` for every authority.
    pub authority: Option<AuthorityId>,
    /// Time of the act.
    pub time: Timestamp,
    /// True where it grants, false where it revokes.
    pub granted: bool,
}

fn consent(row: &mut Row) -> Result<Consent, StoreError> {
    let id = row.text(1)?;
    let authority = if id.is_empty() { None } else { Some(id.parse().map_err(|_| corrupt("authority id"))?) };
    let (time, granted) = match (row.opt_unsigned(2)?, row.opt_unsigned(3)?) {
        (Some(at), None) => (at, true),
        (None, Some(at)) => (at, false),
        _ => return Err(corrupt("consent")),
    };
    Ok(Consent { mailbox_no: row.unsigned(0)?, authority, time: Timestamp(time), granted })
}

/// The consents that exist among (mailbox, authority or all).
pub async fn consents(
    query: &mut dyn Query,
    keys: impl IntoIterator<Item = (u64, Option<AuthorityId>)>,
) -> Result<Vec<Consent>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT c.mailbox_no, c.authority_id, c.granted_at, c.revoked_at FROM {in} AS v
         JOIN consent AS c ON c.mailbox_no = v.column1 AND c.authority_id = v.column2",
        2,
    );
    let key = |(no, authority): (u64, Option<AuthorityId>)| {
        vec![no.into(), authority.as_ref().map_or("", AuthorityId::as_str).into()]
    };
    let rows = SELECT.fetch(query, keys.into_iter().map(key).collect()).await?;
    rows.into_iter().map(|mut row| consent(&mut row)).collect()
}

/// All consents of one mailbox.
pub async fn all_consents(query: &mut dyn Query, mailbox_no: u64) -> Result<Vec<Consent>, StoreError> {
    let sql = "SELECT mailbox_no, authority_id, granted_at, revoked_at FROM consent WHERE mailbox_no = $1";
    query.fetch(sql.into(), vec![mailbox_no.into()]).await?.iter_mut().map(consent).collect()
}

/// Adds or replaces consents.
pub async fn upsert_consents(tx: &mut dyn Tx, consents: &[&Consent]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO consent (mailbox_no, authority_id, granted_at, revoked_at)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (mailbox_no, authority_id)
             DO UPDATE SET granted_at = excluded.granted_at, revoked_at = excluded.revoked_at",
        4,
    );
    let row = |consent: &&Consent| {
        vec![
            consent.mailbox_no.into(),
            consent.authority.as_ref().map_or("", AuthorityId::as_str).into(),
            consent.granted.then_some(consent.time.0).into(),
            (!consent.granted).then_some(consent.time.0).into(),
        ]
    };
    UPSERT.write(tx, consents.iter().map(row).collect()).await
}

/// Times of the stored settings of these mailboxes.
pub async fn setting_times(
    query: &mut dyn Query,
    mailbox_nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<(u64, Timestamp)>, StoreError> {
    static SELECT: InList = InList::new("SELECT mailbox_no, act_time FROM setting WHERE mailbox_no IN {in}");
    let rows = SELECT.fetch(query, mailbox_nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter().map(|mut row| Ok((row.unsigned(0)?, Timestamp(row.unsigned(1)?)))).collect()
}

/// Replaces the stored settings of a mailbox.
pub async fn upsert_setting(
    tx: &mut dyn Tx,
    mailbox_no: u64,
    act_time: Timestamp,
    signed: &Signed,
) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO setting (mailbox_no, act_time, signed) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (mailbox_no) DO UPDATE SET act_time = excluded.act_time, signed = excluded.signed",
        3,
    );
    UPSERT.write(tx, vec![vec![mailbox_no.into(), act_time.into(), signed.encode_to_vec().into()]]).await
}

/// An activation code as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// H(code_id).
    pub code_hash: Digest,
    /// Checks proofs; gone once redeemed.
    pub activation_key: Option<[u8; 32]>,
    /// Given with the code.
    pub trust_level: TrustLevel,
    /// End of life.
    pub expires_at: Timestamp,
    /// Who redeemed it: mailbox number and address.
    pub redeemed_by: Option<(u64, Address)>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({}, redeemed: {})", self.code_hash, self.redeemed_by.is_some())
    }
}

/// The codes that exist among these hashes.
pub async fn codes(
    query: &mut dyn Query,
    hashes: impl IntoIterator<Item = &Digest>,
) -> Result<Vec<Code>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT c.code_hash, c.activation_key, c.trust_level, c.expires_at, c.mailbox_no, m.address
         FROM activation_code AS c LEFT JOIN mailbox AS m ON m.no = c.mailbox_no WHERE c.code_hash IN {in}",
    );
    let rows = SELECT.fetch(query, hashes.into_iter().map(|h| vec![h.as_bytes().into()]).collect()).await?;
    rows.into_iter()
        .map(|mut row| {
            let level = i32::try_from(row.int(2)?).ok().and_then(TrustLevel::from_wire);
            let redeemed_by = match (row.opt_unsigned(4)?, row.opt_array(5)?) {
                (Some(no), Some(address)) => Some((no, Address(address))),
                _ => None,
            };
            Ok(Code {
                code_hash: digest(&mut row, 0)?,
                activation_key: row.opt_array(1)?,
                trust_level: level.ok_or_else(|| corrupt("trust level"))?,
                expires_at: Timestamp(row.unsigned(3)?),
                redeemed_by,
            })
        })
        .collect()
}

/// Adds codes or marks them redeemed.
pub async fn upsert_codes(tx: &mut dyn Tx, codes: &[&Code]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO activation_code (code_hash, activation_key, trust_level, expires_at, mailbox_no)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (code_hash) DO UPDATE SET activation_key = excluded.activation_key,
             mailbox_no = excluded.mailbox_no",
        5,
    );
    let row = |code: &&Code| {
        vec![
            code.code_hash.as_bytes().into(),
            code.activation_key.map(|key| key.to_vec()).into(),
            i64::from(code.trust_level.to_wire()).into(),
            code.expires_at.into(),
            code.redeemed_by.map(|(no, _)| no).into(),
        ]
    };
    UPSERT.write(tx, codes.iter().map(row).collect()).await
}
