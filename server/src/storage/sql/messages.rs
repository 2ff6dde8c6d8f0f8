//! Messages: what the rules need (`message`), what was submitted (`content`), counters of pairs, and acts.

use postfach_domain::event::EventType;
use postfach_domain::format::Signature;
use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, Address, MessageId, Party};
use postfach_domain::submission::Hashes;
use postfach_domain::terms::LegalRegime;
use postfach_domain::time::Timestamp;
use prost::Message as _;

use super::{corrupt, digest, party};
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx};

/// One event of a message: its type (`None` once erased) and its index.
pub type Stage = (Option<EventType>, u64);

/// A message as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Index of its first event.
    pub no: u64,
    /// Chosen by the sender.
    pub message_id: MessageId,
    /// Who sent.
    pub sender_no: u64,
    /// Who sent, by name.
    pub sender: Party,
    /// To whom.
    pub recipient_no: u64,
    /// To whom, by name.
    pub recipient: Address,
    /// `None` once erased.
    pub hashes: Option<Hashes>,
    /// `None` once erased.
    pub regime: Option<LegalRegime>,
    /// 0 where it was refused.
    pub pair_seq: u64,
    /// `occurred_at` of its first event.
    pub accepted_at: Timestamp,
    /// When its content becomes available.
    pub available_at: Timestamp,
    /// Commitment of its newest event.
    pub last_commitment: Digest,
    /// All its events, in order.
    pub events: Vec<Stage>,
    /// Bytes of the cover envelope; `None` once erased.
    pub cover_length: Option<u64>,
    /// Bytes of the letter envelope; `None` once erased.
    pub letter_length: Option<u64>,
}

impl Message {
    /// The first event of a type, if it happened and was not erased.
    pub fn first(&self, event_type: EventType) -> Option<u64> {
        self.events.iter().find(|(t, _)| *t == Some(event_type)).map(|(_, index)| *index)
    }

    /// True if an event of this type stands.
    pub fn has(&self, event_type: EventType) -> bool {
        self.first(event_type).is_some()
    }
}

const STAGE_LEN: usize = 9;

fn pack(stages: &[Stage]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(stages.len() * STAGE_LEN);
    for (event_type, index) in stages {
        bytes.push(event_type.map_or(0, |t| u8::try_from(t.to_wire()).unwrap_or(u8::MAX)));
        bytes.extend_from_slice(&index.to_be_bytes());
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Result<Vec<Stage>, StoreError> {
    let (stages, rest) = bytes.as_chunks::<STAGE_LEN>();
    if !rest.is_empty() {
        return Err(corrupt("list of events"));
    }
    let stage = |[kind, index @ ..]: &[u8; STAGE_LEN]| {
        let event_type = match kind {
            0 => None,
            kind => Some(EventType::from_wire(i32::from(*kind)).ok_or_else(|| corrupt("event type"))?),
        };
        Ok((event_type, u64::from_be_bytes(*index)))
    };
    stages.iter().map(stage).collect()
}

macro_rules! columns {
    () => {
        "m.no, m.message_id, m.sender_no, a.authority_id, s.address, m.recipient_no, r.address, m.outer_hash,
         m.cover_hash, m.letter_hash, m.regime, m.pair_seq, m.accepted_at, m.available_at, m.last_commitment,
         m.events, m.cover_length, m.letter_length"
    };
}

macro_rules! joins {
    () => {
        "LEFT JOIN authority AS a ON a.no = m.sender_no LEFT JOIN mailbox AS s ON s.no = m.sender_no
         JOIN mailbox AS r ON r.no = m.recipient_no"
    };
}

fn message(row: &mut Row) -> Result<Message, StoreError> {
    let hashes = match (row.opt_array(7)?, row.opt_array(8)?, row.opt_array(9)?) {
        (Some(outer), Some(cover), Some(letter)) => {
            Some(Hashes { outer: Digest(outer), cover: Digest(cover), letter: Digest(letter) })
        }
        (None, None, None) => None,
        _ => return Err(corrupt("hashes of a message")),
    };
    let regime = match row.opt_int(10)? {
        Some(number) => {
            let known = i32::try_from(number).ok().and_then(LegalRegime::from_wire);
            Some(known.ok_or_else(|| corrupt("regime"))?)
        }
        None => None,
    };
    Ok(Message {
        no: row.unsigned(0)?,
        message_id: MessageId(row.array(1)?),
        sender_no: row.unsigned(2)?,
        sender: party(row, 3, 4)?,
        recipient_no: row.unsigned(5)?,
        recipient: Address(row.array(6)?),
        hashes,
        regime,
        pair_seq: row.unsigned(11)?,
        accepted_at: Timestamp(row.unsigned(12)?),
        available_at: Timestamp(row.unsigned(13)?),
        last_commitment: digest(row, 14)?,
        events: unpack(&row.blob(15)?)?,
        cover_length: row.opt_unsigned(16)?,
        letter_length: row.opt_unsigned(17)?,
    })
}

/// The messages that exist among these ids.
pub async fn by_id(
    query: &mut dyn Query,
    ids: impl IntoIterator<Item = &MessageId>,
) -> Result<Vec<Message>, StoreError> {
    static SELECT: InList = InList::new(concat!(
        "SELECT ",
        columns!(),
        " FROM message AS m ",
        joins!(),
        " WHERE m.message_id IN {in}"
    ));
    let rows = SELECT.fetch(query, ids.into_iter().map(|id| vec![id.as_bytes().into()]).collect()).await?;
    rows.into_iter().map(|mut row| message(&mut row)).collect()
}

/// The messages with these numbers.
pub async fn by_no(
    query: &mut dyn Query,
    nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<Message>, StoreError> {
    static SELECT: InList =
        InList::new(concat!("SELECT ", columns!(), " FROM message AS m ", joins!(), " WHERE m.no IN {in}"));
    let rows = SELECT.fetch(query, nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter().map(|mut row| message(&mut row)).collect()
}

/// Messages from a number on, in order; of one sender or of all.
pub async fn page(
    query: &mut dyn Query,
    from: u64,
    sender_no: Option<u64>,
    limit: u64,
) -> Result<Vec<Message>, StoreError> {
    let all = concat!(
        "SELECT ",
        columns!(),
        " FROM message AS m ",
        joins!(),
        " WHERE m.no >= $1 ORDER BY m.no LIMIT $2"
    );
    // The first event of a message carries the message's number, and events are indexed by sender.
    let of_sender = concat!(
        "SELECT ",
        columns!(),
        " FROM event AS e JOIN message AS m ON m.no = e.idx ",
        joins!(),
        " WHERE e.sender_no = $3 AND e.idx >= $1 ORDER BY e.idx LIMIT $2"
    );
    let mut args = vec![from.into(), limit.into()];
    let sql = match sender_no {
        Some(no) => {
            args.push(no.into());
            of_sender
        }
        None => all,
    };
    query.fetch(sql.into(), args).await?.iter_mut().map(message).collect()
}

/// How many messages there are.
pub async fn count(query: &mut dyn Query) -> Result<u64, StoreError> {
    super::mailboxes::first_number(query, "SELECT count(*) FROM message").await
}

/// Adds messages.
pub async fn insert(tx: &mut dyn Tx, messages: &[&Message]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO message (no, message_id, sender_no, recipient_no, outer_hash, cover_hash, letter_hash, regime,
                              pair_seq, accepted_at, available_at, last_commitment, events, cover_length,
                              letter_length)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        15,
    );
    let row = |m: &&Message| {
        let hash = |pick: fn(&Hashes) -> &Digest| m.hashes.as_ref().map(|h| pick(h).to_vec());
        vec![
            m.no.into(),
            m.message_id.as_bytes().into(),
            m.sender_no.into(),
            m.recipient_no.into(),
            hash(|h| &h.outer).into(),
            hash(|h| &h.cover).into(),
            hash(|h| &h.letter).into(),
            crate::storage::Value::Int(m.regime.map(|r| i64::from(r.to_wire()))),
            m.pair_seq.into(),
            m.accepted_at.into(),
            m.available_at.into(),
            m.last_commitment.as_bytes().into(),
            pack(&m.events).into(),
            m.cover_length.into(),
            m.letter_length.into(),
        ]
    };
    INSERT.write(tx, messages.iter().map(row).collect()).await
}

/// Writes what later events change: newest commitment and list of events; nothing signed changes.
pub async fn update_stages(tx: &mut dyn Tx, messages: &[&Message]) -> Result<(), StoreError> {
    static UPDATE: ManyRows = ManyRows::new(
        "UPDATE message SET last_commitment = column2, events = column3 FROM {v} AS v WHERE no = column1",
        3,
    );
    let row = |m: &&Message| vec![m.no.into(), m.last_commitment.as_bytes().into(), pack(&m.events).into()];
    UPDATE.write(tx, messages.iter().map(row).collect()).await
}

/// Takes out what erasing removes: hashes, regime, lengths; the content row goes with [`delete_content`].
pub async fn blank(tx: &mut dyn Tx, message_nos: &[u64]) -> Result<(), StoreError> {
    static UPDATE: ManyRows = ManyRows::new(
        "UPDATE message SET outer_hash = NULL, cover_hash = NULL, letter_hash = NULL, regime = NULL,
                            cover_length = NULL, letter_length = NULL
         FROM {v} AS v WHERE no = column1",
        1,
    );
    UPDATE.write(tx, message_nos.iter().map(|no| vec![(*no).into()]).collect()).await
}

/// What was submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Its message.
    pub message_no: u64,
    /// Encoded outer header, as transported.
    pub outer: Vec<u8>,
    /// The submission signature.
    pub signature: Signature,
    /// The sender's own copy of the file keys.
    pub sender_copy: Option<Vec<u8>>,
    /// Absent where the message was refused.
    pub cover: Option<Vec<u8>>,
    /// Absent where the message was refused.
    pub letter: Option<Vec<u8>>,
}

/// Adds contents.
pub async fn insert_contents(tx: &mut dyn Tx, contents: Vec<Content>) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO content (message_no, outer_bytes, signature, sender_copy, cover, letter)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        6,
    );
    let row = |c: Content| {
        vec![
            c.message_no.into(),
            c.outer.into(),
            c.signature.encode_to_vec().into(),
            c.sender_copy.into(),
            c.cover.into(),
            c.letter.into(),
        ]
    };
    INSERT.write(tx, contents.into_iter().map(row).collect()).await
}

/// Removes contents: outer header, envelopes, copy.
pub async fn delete_content(tx: &mut dyn Tx, message_nos: &[u64]) -> Result<(), StoreError> {
    static DELETE: ManyRows =
        ManyRows::new("DELETE FROM content WHERE message_no IN (SELECT column1 FROM {v} AS v)", 1);
    DELETE.write(tx, message_nos.iter().map(|no| vec![(*no).into()]).collect()).await
}

/// Everything of one message; `None` once erased.
pub async fn content(query: &mut dyn Query, message_no: u64) -> Result<Option<Content>, StoreError> {
    let sql = "SELECT outer_bytes, signature, sender_copy, cover, letter FROM content WHERE message_no = $1";
    let rows = query.fetch(sql.into(), vec![message_no.into()]).await?;
    rows.into_iter()
        .next()
        .map(|mut row| {
            Ok(Content {
                message_no,
                outer: row.blob(0)?,
                signature: signature(&row.blob(1)?)?,
                sender_copy: row.opt_blob(2)?,
                cover: row.opt_blob(3)?,
                letter: row.opt_blob(4)?,
            })
        })
        .transpose()
}

fn signature(bytes: &[u8]) -> Result<Signature, StoreError> {
    Signature::decode(bytes).map_err(|_| corrupt("signature"))
}

/// Outer header and submission signature of one message.
pub async fn outer(
    query: &mut dyn Query,
    message_no: u64,
) -> Result<Option<(Vec<u8>, Signature)>, StoreError> {
    let sql = "SELECT outer_bytes, signature FROM content WHERE message_no = $1";
    let rows = query.fetch(sql.into(), vec![message_no.into()]).await?;
    let read = |mut row: Row| Ok((row.blob(0)?, signature(&row.blob(1)?)?));
    rows.into_iter().next().map(read).transpose()
}

/// What a list of covers shows of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverRow {
    /// Its message.
    pub message_no: u64,
    /// Encoded outer header.
    pub outer: Vec<u8>,
    /// The sender's copy.
    pub sender_copy: Vec<u8>,
    /// Cover envelope.
    pub cover: Vec<u8>,
}

/// Covers of these messages, as far as they have content.
pub async fn covers(
    query: &mut dyn Query,
    nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<CoverRow>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT message_no, outer_bytes, sender_copy, cover FROM content WHERE message_no IN {in}",
    );
    let rows = SELECT.fetch(query, nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(CoverRow {
                message_no: row.unsigned(0)?,
                outer: row.blob(1)?,
                sender_copy: row.opt_blob(2)?.unwrap_or_default(),
                cover: row.opt_blob(3)?.unwrap_or_default(),
            })
        })
        .collect()
}

/// Bytes that [`covers`] would read of these messages.
pub async fn cover_sizes(
    query: &mut dyn Query,
    nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<(u64, u64)>, StoreError> {
    static SELECT: InList = InList::new(
        "SELECT message_no,
                length(outer_bytes) + coalesce(length(sender_copy), 0) + coalesce(length(cover), 0)
         FROM content WHERE message_no IN {in}",
    );
    let rows = SELECT.fetch(query, nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter().map(|mut row| Ok((row.unsigned(0)?, row.unsigned(1)?))).collect()
}

/// Outer headers of these messages, as far as they have content.
pub async fn outers(
    query: &mut dyn Query,
    nos: impl IntoIterator<Item = u64>,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    static SELECT: InList =
        InList::new("SELECT message_no, outer_bytes FROM content WHERE message_no IN {in}");
    let rows = SELECT.fetch(query, nos.into_iter().map(|no| vec![no.into()]).collect()).await?;
    rows.into_iter().map(|mut row| Ok((row.unsigned(0)?, row.blob(1)?))).collect()
}

/// A message with its letter envelope, `None` where that is gone or never was.
pub async fn with_letter(
    query: &mut dyn Query,
    message_id: MessageId,
) -> Result<Option<(Message, Option<Vec<u8>>)>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", c.letter FROM message AS m ",
        joins!(),
        " LEFT JOIN content AS c ON c.message_no = m.no WHERE m.message_id = $1"
    );
    let rows = query.fetch(sql.into(), vec![message_id.as_bytes().into()]).await?;
    rows.into_iter().next().map(|mut row| Ok((message(&mut row)?, row.opt_blob(18)?))).transpose()
}

/// How many messages were accepted for pairs of (sender, recipient).
pub async fn pairs(
    query: &mut dyn Query,
    keys: impl IntoIterator<Item = (u64, u64)>,
) -> Result<Vec<((u64, u64), u64)>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT p.sender_no, p.recipient_no, p.seq FROM {in} AS v
         JOIN pair AS p ON p.sender_no = v.column1 AND p.recipient_no = v.column2",
        2,
    );
    let keys = keys.into_iter().map(|(sender, recipient)| vec![sender.into(), recipient.into()]).collect();
    let read = |mut row: Row| Ok(((row.unsigned(0)?, row.unsigned(1)?), row.unsigned(2)?));
    SELECT.fetch(query, keys).await?.into_iter().map(read).collect()
}

/// Writes counters.
pub async fn upsert_pairs(tx: &mut dyn Tx, pairs: &[((u64, u64), u64)]) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO pair (sender_no, recipient_no, seq) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (sender_no, recipient_no) DO UPDATE SET seq = excluded.seq",
        3,
    );
    let row = |((sender, recipient), seq): &((u64, u64), u64)| {
        vec![(*sender).into(), (*recipient).into(), (*seq).into()]
    };
    UPSERT.write(tx, pairs.iter().map(row).collect()).await
}

/// An act that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// Chosen by the actor.
    pub act_id: ActId,
    /// Who acted.
    pub actor_no: u64,
    /// Hash of the signed body.
    pub body_hash: Digest,
    /// Its event; `None` for SETTINGS.
    pub event_idx: Option<u64>,
}

/// The acts that exist among these ids.
pub async fn acts(
    query: &mut dyn Query,
    ids: impl IntoIterator<Item = &ActId>,
) -> Result<Vec<ActRow>, StoreError> {
    static SELECT: InList =
        InList::new("SELECT act_id, actor_no, body_hash, event_idx FROM act WHERE act_id IN {in}");
    let rows = SELECT.fetch(query, ids.into_iter().map(|id| vec![id.as_bytes().into()]).collect()).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(ActRow {
                act_id: ActId(row.array(0)?),
                actor_no: row.unsigned(1)?,
                body_hash: digest(&mut row, 2)?,
                event_idx: row.opt_unsigned(3)?,
            })
        })
        .collect()
}

/// Adds acts.
pub async fn insert_acts(tx: &mut dyn Tx, acts: &[ActRow]) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO act (act_id, actor_no, body_hash, event_idx)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        4,
    );
    let row = |act: &ActRow| {
        vec![
            act.act_id.as_bytes().into(),
            act.actor_no.into(),
            act.body_hash.as_bytes().into(),
            act.event_idx.into(),
        ]
    };
    INSERT.write(tx, acts.iter().map(row).collect()).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_of_events_round_trip() {
        let stages = vec![(Some(EventType::Accepted), 7), (None, 1 << 40), (Some(EventType::Erased), 9)];
        assert_eq!(unpack(&pack(&stages)).unwrap(), stages);
        assert!(unpack(&[1]).is_err());
        assert!(unpack(&[200, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
