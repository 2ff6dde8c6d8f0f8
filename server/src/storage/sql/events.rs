//! Leaves of the evidence log with what they commit to.

use postfach_domain::event::EventType;
use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;

use super::{corrupt, digest};
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx};

/// What the service stores of a leaf. Salt, bytes, type and time are `None` once erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Position in the evidence log.
    pub index: u64,
    /// What the leaf shows.
    pub commitment: Digest,
    /// Blinds the commitment.
    pub salt: Option<[u8; 32]>,
    /// Encoded event.
    pub event: Option<Vec<u8>>,
    /// What happened.
    pub event_type: Option<EventType>,
    /// When.
    pub occurred_at: Option<Timestamp>,
    /// The message that it belongs to.
    pub message_no: Option<u64>,
    /// Sender of that message.
    pub sender_no: Option<u64>,
    /// Recipient of that message, or the mailbox that acted.
    pub recipient_no: Option<u64>,
}

fn event(row: &mut Row) -> Result<EventRow, StoreError> {
    let known = |number| i32::try_from(number).ok().and_then(EventType::from_wire);
    let event_type = row.opt_int(4)?.map(|n| known(n).ok_or_else(|| corrupt("event type"))).transpose()?;
    Ok(EventRow {
        index: row.unsigned(0)?,
        commitment: digest(row, 1)?,
        salt: row.opt_array(2)?,
        event: row.opt_blob(3)?,
        event_type,
        occurred_at: row.opt_unsigned(5)?.map(Timestamp),
        message_no: row.opt_unsigned(6)?,
        sender_no: row.opt_unsigned(7)?,
        recipient_no: row.opt_unsigned(8)?,
    })
}

macro_rules! columns {
    () => {
        "idx, commitment, salt, event, event_type, occurred_at, message_no, sender_no, recipient_no"
    };
}

/// The events at these indexes, ascending.
pub async fn by_index(
    query: &mut dyn Query,
    indexes: impl IntoIterator<Item = u64>,
) -> Result<Vec<EventRow>, StoreError> {
    static SELECT: InList =
        InList::new(concat!("SELECT ", columns!(), " FROM event WHERE idx IN {in} ORDER BY idx"));
    let rows = SELECT.fetch(query, indexes.into_iter().map(|index| vec![index.into()]).collect()).await?;
    rows.into_iter().map(|mut row| event(&mut row)).collect()
}

/// Events in `from..to` of the log, at most `limit`, ascending.
pub async fn range(
    query: &mut dyn Query,
    from: u64,
    to: u64,
    limit: u64,
) -> Result<Vec<EventRow>, StoreError> {
    let sql =
        concat!("SELECT ", columns!(), " FROM event WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3");
    query.fetch(sql.into(), vec![from.into(), to.into(), limit.into()]).await?.iter_mut().map(event).collect()
}

/// Events in `from..to` that a mailbox received or made, at most `limit`, ascending.
pub async fn of_recipient(
    query: &mut dyn Query,
    recipient_no: u64,
    from: u64,
    to: u64,
    limit: u64,
) -> Result<Vec<EventRow>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM event WHERE recipient_no = $1 AND idx >= $2 AND idx < $3 ORDER BY idx LIMIT $4"
    );
    let args = vec![recipient_no.into(), from.into(), to.into(), limit.into()];
    query.fetch(sql.into(), args).await?.iter_mut().map(event).collect()
}

/// Events in `from..to` of messages that a party sent, at most `limit`, ascending.
pub async fn of_sender(
    query: &mut dyn Query,
    sender_no: u64,
    from: u64,
    to: u64,
    limit: u64,
) -> Result<Vec<EventRow>, StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM event WHERE sender_no = $1 AND idx >= $2 AND idx < $3 ORDER BY idx LIMIT $4"
    );
    let args = vec![sender_no.into(), from.into(), to.into(), limit.into()];
    query.fetch(sql.into(), args).await?.iter_mut().map(event).collect()
}

/// Adds events.
pub async fn insert(tx: &mut dyn Tx, events: Vec<EventRow>) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO event (idx, commitment, salt, event, event_type, occurred_at, message_no, sender_no,
                            recipient_no)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        9,
    );
    let row = |e: EventRow| {
        vec![
            e.index.into(),
            e.commitment.as_bytes().into(),
            e.salt.map(|salt| salt.to_vec()).into(),
            e.event.into(),
            crate::storage::Value::Int(e.event_type.map(|t| i64::from(t.to_wire()))),
            e.occurred_at.map(|t| t.0).into(),
            e.message_no.into(),
            e.sender_no.into(),
            e.recipient_no.into(),
        ]
    };
    INSERT.write(tx, events.into_iter().map(row).collect()).await
}

/// Makes leaves unreadable for ever: salt, event, type and time go, the commitment stays.
pub async fn erase(tx: &mut dyn Tx, indexes: &[u64]) -> Result<(), StoreError> {
    static UPDATE: ManyRows = ManyRows::new(
        "UPDATE event SET salt = NULL, event = NULL, event_type = NULL, occurred_at = NULL
         FROM {v} AS v WHERE idx = column1",
        1,
    );
    UPDATE.write(tx, indexes.iter().map(|index| vec![(*index).into()]).collect()).await
}
