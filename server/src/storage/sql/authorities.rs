//! Authorities and their certified keys.

use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, AuthorityId, KeyId};
use postfach_domain::keylog::KeyLeaf;
use postfach_domain::time::Timestamp;
use prost::Message as _;

use super::corrupt;
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx, Value};

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Index of its first certificate in the keys log.
    pub no: u64,
    /// Its id.
    pub id: AuthorityId,
    /// Its own mailbox.
    pub mailbox_no: u64,
    /// Address of that.
    pub mailbox: Address,
}

fn authority(row: &mut Row) -> Result<Authority, StoreError> {
    Ok(Authority {
        no: row.unsigned(0)?,
        id: row.text(1)?.parse().map_err(|_| corrupt("authority id"))?,
        mailbox_no: row.unsigned(2)?,
        mailbox: Address(row.array(3)?),
    })
}

/// The authorities that exist among these ids.
pub async fn by_id(
    query: &mut dyn Query,
    ids: impl IntoIterator<Item = &AuthorityId>,
) -> Result<Vec<Authority>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT a.no, a.authority_id, a.mailbox_no, m.address FROM authority AS a
         JOIN mailbox AS m ON m.no = a.mailbox_no WHERE a.authority_id IN {in}",
    );
    let rows = SELECT.fetch(query, ids.into_iter().map(|id| vec![id.as_str().into()]).collect()).await?;
    rows.into_iter().map(|mut row| authority(&mut row)).collect()
}

/// Authorities after an id, in the order of their ids.
pub async fn page(query: &mut dyn Query, after: &str, limit: u64) -> Result<Vec<Authority>, StoreError> {
    let sql = "SELECT a.no, a.authority_id, a.mailbox_no, m.address FROM authority AS a
               JOIN mailbox AS m ON m.no = a.mailbox_no WHERE a.authority_id > $1
               ORDER BY a.authority_id LIMIT $2";
    query.fetch(sql.into(), vec![after.into(), limit.into()]).await?.iter_mut().map(authority).collect()
}

/// Adds authorities.
pub async fn insert(tx: &mut dyn Tx, authorities: &[Authority]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO authority (no, authority_id, mailbox_no) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        3,
    );
    let row = |a: &Authority| vec![a.no.into(), a.id.as_str().into(), a.mailbox_no.into()];
    INSERT.write(tx, authorities.iter().map(row).collect()).await
}

/// A certified key as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityKeyRow {
    /// The key.
    pub key_id: KeyId,
    /// Whose.
    pub authority_no: u64,
    /// Whose, by id.
    pub authority_id: AuthorityId,
    /// Ed25519 public key.
    pub public: [u8; 32],
    /// Seat; empty where unknown.
    pub ags: String,
    /// From when the certificate holds.
    pub not_before: Timestamp,
    /// Until when; `None` for no end.
    pub not_after: Option<Timestamp>,
    /// What the keys log shows of the certificate.
    pub certificate_hash: Digest,
    /// Position of the certificate in the keys log.
    pub certificate_index: u64,
    /// Position of the revocation.
    pub revocation_index: Option<u64>,
}

impl AuthorityKeyRow {
    /// May it sign at this instant? Certified by now, inside its validity, not revoked.
    pub fn active(&self, at: Timestamp) -> bool {
        self.revocation_index.is_none() && at >= self.not_before && self.not_after.is_none_or(|end| at <= end)
    }
}

/// The hash stands at the end of the key's leaf.
fn certificate_hash(leaf: KeyLeaf) -> Digest {
    let mut hash = Digest::ZERO;
    hash.0.copy_from_slice(&leaf[leaf.len() - 32..]);
    hash
}

fn key_row(row: &mut Row) -> Result<AuthorityKeyRow, StoreError> {
    Ok(AuthorityKeyRow {
        key_id: KeyId(row.array(0)?),
        authority_no: row.unsigned(1)?,
        authority_id: row.text(2)?.parse().map_err(|_| corrupt("authority id"))?,
        public: row.array(3)?,
        not_before: Timestamp(row.unsigned(4)?),
        not_after: Some(Timestamp(row.unsigned(5)?)).filter(|t| t.0 != 0),
        certificate_index: row.unsigned(6)?,
        revocation_index: row.opt_unsigned(7)?,
        ags: row.text(8)?,
        certificate_hash: certificate_hash(row.array(9)?),
    })
}

/// The keys that exist among these.
pub async fn keys(
    query: &mut dyn Query,
    key_ids: impl IntoIterator<Item = &KeyId>,
) -> Result<Vec<AuthorityKeyRow>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT k.key_id, k.authority_no, a.authority_id, k.public, k.not_before, k.not_after,
                k.certificate_index, k.revocation_index, k.ags, l.leaf
         FROM authority_key AS k JOIN authority AS a ON a.no = k.authority_no
         JOIN key_leaf AS l ON l.idx = k.certificate_index WHERE k.key_id IN {in}",
    );
    let rows = SELECT.fetch(query, key_ids.into_iter().map(|k| vec![k.as_bytes().into()]).collect()).await?;
    rows.into_iter().map(|mut row| key_row(&mut row)).collect()
}

/// A certificate and its revocation as they were signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Statements {
    /// Whose.
    pub authority_no: u64,
    /// The key.
    pub key_id: KeyId,
    /// AuthorityCert and its position in the keys log.
    pub certificate: (Signed, u64),
    /// AuthorityRevocation and its position.
    pub revocation: Option<(Signed, u64)>,
}

/// What was signed about all keys of these authorities, in the order of the log.
pub async fn statements(
    query: &mut dyn Query,
    authority_nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<Statements>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT authority_no, key_id, certificate, certificate_index, revocation, revocation_index
         FROM authority_key WHERE authority_no IN {in} ORDER BY certificate_index",
    );
    let rows = SELECT.fetch(query, authority_nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter().map(|mut row| statement(&mut row)).collect()
}

fn statement(row: &mut Row) -> Result<Statements, StoreError> {
    let signed = |bytes: Vec<u8>| Signed::decode(bytes.as_slice()).map_err(|_| corrupt("certificate"));
    let revocation = match (row.opt_blob(4)?, row.opt_unsigned(5)?) {
        (Some(bytes), Some(index)) => Some((signed(bytes)?, index)),
        (None, None) => None,
        _ => return Err(corrupt("revocation")),
    };
    Ok(Statements {
        authority_no: row.unsigned(0)?,
        key_id: KeyId(row.array(1)?),
        certificate: (signed(row.blob(2)?)?, row.unsigned(3)?),
        revocation,
    })
}

/// Adds certified keys.
pub async fn insert_keys(tx: &mut dyn Tx, keys: &[(AuthorityKeyRow, Signed)]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO authority_key (key_id, authority_no, public, ags, not_before, not_after, certificate,
                                    certificate_index)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        8,
    );
    let row = |(key, certificate): &(AuthorityKeyRow, Signed)| -> Vec<Value> {
        vec![
            key.key_id.as_bytes().into(),
            key.authority_no.into(),
            (&key.public).into(),
            key.ags.as_str().into(),
            key.not_before.into(),
            key.not_after.unwrap_or_default().into(),
            certificate.encode_to_vec().into(),
            key.certificate_index.into(),
        ]
    };
    INSERT.write(tx, keys.iter().map(row).collect()).await
}

/// Marks keys revoked: key, revocation, its position in the keys log.
pub async fn revoke_keys(tx: &mut dyn Tx, revoked: &[(KeyId, Signed, u64)]) -> Result<(), StoreError> {
    static UPDATE: ManyRows = ManyRows::new(
        "UPDATE authority_key SET revocation = column2, revocation_index = column3 FROM {v} AS v
         WHERE key_id = column1",
        3,
    );
    let row = |(key, signed, index): &(KeyId, Signed, u64)| {
        vec![key.as_bytes().into(), signed.encode_to_vec().into(), (*index).into()]
    };
    UPDATE.write(tx, revoked.iter().map(row).collect()).await
}
