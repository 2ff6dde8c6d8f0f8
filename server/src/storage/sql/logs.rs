//! Heads, tiles and leaves of the two logs.

use postfach_domain::keylog::KeyLeaf;
use postfach_domain::time::Timestamp;
use postfach_ledger::hash::Hash;
use postfach_ledger::tile::{TileCoord, TileData};

use crate::evidence::LogName;
use crate::storage::{InList, ManyRows, Query, Row, StoreError, Tx, Value};

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Newest instant that an operation was given.
    pub last_time: Timestamp,
    /// Newest signed checkpoint, of this size and root.
    pub checkpoint: Vec<u8>,
}

/// Both logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Keys log.
    pub keys: Head,
    /// Evidence log.
    pub evidence: Head,
}

impl Heads {
    /// One of the two.
    pub fn of(&self, log: LogName) -> &Head {
        match log {
            LogName::Keys => &self.keys,
            LogName::Evidence => &self.evidence,
        }
    }
}

fn number(log: LogName) -> Value {
    Value::from(match log {
        LogName::Keys => 0u32,
        LogName::Evidence => 1,
    })
}

fn heads(rows: Vec<Row>) -> Result<Option<Heads>, StoreError> {
    let (mut keys, mut evidence) = (None, None);
    for mut row in rows {
        let head = Head {
            size: row.unsigned(1)?,
            root: Hash::from_bytes(row.array(2)?),
            last_time: Timestamp(row.unsigned(3)?),
            checkpoint: row.blob(4)?,
        };
        match row.int(0)? {
            0 => keys = Some(head),
            1 => evidence = Some(head),
            other => return Err(StoreError::Corrupt(format!("log {other}"))),
        }
    }
    match (keys, evidence) {
        (Some(keys), Some(evidence)) => Ok(Some(Heads { keys, evidence })),
        (None, None) => Ok(None),
        _ => Err(StoreError::Corrupt("one log without the other".into())),
    }
}

/// Both heads as committed; `None` before the first start.
pub async fn read_heads(query: &mut dyn Query) -> Result<Option<Heads>, StoreError> {
    let sql = "SELECT log, size, root, last_time, checkpoint FROM log_head";
    heads(query.fetch(sql.into(), Vec::new()).await?)
}

/// How far both logs go, keys before evidence.
pub async fn sizes(query: &mut dyn Query) -> Result<(u64, u64), StoreError> {
    let mut rows = query.fetch("SELECT size FROM log_head ORDER BY log".into(), Vec::new()).await?;
    match &mut rows[..] {
        [keys, evidence] => Ok((keys.unsigned(0)?, evidence.unsigned(0)?)),
        _ => Err(StoreError::Corrupt("no log heads".into())),
    }
}

/// Both heads, locked until the transaction ends, keys before evidence. They must exist.
pub async fn lock_heads(tx: &mut dyn Tx) -> Result<Heads, StoreError> {
    // An upsert locks rows on every engine, in the order of the list.
    let sql = "INSERT INTO log_head (log, size, root, last_time, checkpoint)
               VALUES (0, 0, $1, 0, $1), (1, 0, $1, 0, $1)
               ON CONFLICT (log) DO UPDATE SET size = log_head.size
               RETURNING log, size, root, last_time, checkpoint";
    let rows = tx.fetch(sql.into(), vec![Value::from(&[][..])]).await?;
    heads(rows)?.ok_or_else(|| StoreError::Corrupt("no log heads".into()))
}

/// The first heads of a new database.
pub async fn insert_head(tx: &mut dyn Tx, log: LogName, head: &Head) -> Result<(), StoreError> {
    static INSERT: ManyRows = ManyRows::new(
        "INSERT INTO log_head (log, size, root, last_time, checkpoint)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL",
        5,
    );
    INSERT.write(tx, vec![head_row(log, head)]).await
}

fn head_row(log: LogName, head: &Head) -> Vec<Value> {
    vec![
        number(log),
        head.size.into(),
        head.root.as_bytes().into(),
        head.last_time.into(),
        head.checkpoint.clone().into(),
    ]
}

/// Writes both heads.
pub async fn update_heads(tx: &mut dyn Tx, heads: &Heads) -> Result<(), StoreError> {
    static UPDATE: ManyRows = ManyRows::new(
        "UPDATE log_head SET size = column2, root = column3, last_time = column4, checkpoint = column5
         FROM {v} AS v WHERE log = column1",
        5,
    );
    let rows = vec![head_row(LogName::Keys, &heads.keys), head_row(LogName::Evidence, &heads.evidence)];
    UPDATE.write(tx, rows).await
}

/// The stored tiles among the coordinates asked for; a stored tile may be wider than asked.
pub async fn tiles(
    query: &mut dyn Query,
    log: LogName,
    coords: &[TileCoord],
) -> Result<Vec<(u8, u64, TileData)>, StoreError> {
    static SELECT: InList = InList::rows(
        "SELECT t.level, t.idx, t.hashes FROM {in} AS v
         JOIN log_tile AS t ON t.log = v.column1 AND t.level = v.column2 AND t.idx = v.column3",
        3,
    );
    let key = |coord: &TileCoord| vec![number(log), u32::from(coord.level()).into(), coord.index().into()];
    let rows = SELECT.fetch(query, coords.iter().map(key).collect()).await?;
    rows.into_iter()
        .map(|mut row| {
            let level = u8::try_from(row.int(0)?).map_err(|_| StoreError::Corrupt("tile level".into()))?;
            let data = TileData::from_bytes(row.blob(2)?);
            let data = data.ok_or_else(|| StoreError::Corrupt(format!("tile {level}")))?;
            Ok((level, row.unsigned(1)?, data))
        })
        .collect()
}

/// Writes tiles; a wider one replaces a narrower.
pub async fn upsert_tiles(
    tx: &mut dyn Tx,
    log: LogName,
    tiles: Vec<(TileCoord, TileData)>,
) -> Result<(), StoreError> {
    static UPSERT: ManyRows = ManyRows::new(
        "INSERT INTO log_tile (log, level, idx, hashes)
         SELECT * FROM {v} AS v WHERE column1 IS NOT NULL
         ON CONFLICT (log, level, idx) DO UPDATE SET hashes = excluded.hashes",
        4,
    );
    let row = |(coord, data): (TileCoord, TileData)| {
        vec![number(log), u32::from(coord.level()).into(), coord.index().into(), data.into_bytes().into()]
    };
    UPSERT.write(tx, tiles.into_iter().map(row).collect()).await
}

/// Adds leaves of the keys log, the first at index `first`.
pub async fn insert_key_leaves(tx: &mut dyn Tx, first: u64, leaves: &[KeyLeaf]) -> Result<(), StoreError> {
    static INSERT: ManyRows =
        ManyRows::new("INSERT INTO key_leaf (idx, leaf) SELECT * FROM {v} AS v WHERE column1 IS NOT NULL", 2);
    let rows = (first..).zip(leaves).map(|(index, leaf)| vec![index.into(), leaf.into()]).collect();
    INSERT.write(tx, rows).await
}

/// Leaves of the keys log in `from..to`.
pub async fn key_leaves(query: &mut dyn Query, from: u64, to: u64) -> Result<Vec<KeyLeaf>, StoreError> {
    let sql = "SELECT leaf FROM key_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    let rows = query.fetch(sql.into(), vec![from.into(), to.into()]).await?;
    rows.into_iter().map(|mut row| row.array(0)).collect()
}

/// Commitments of the evidence log in `from..to`.
pub async fn commitments(query: &mut dyn Query, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
    let sql = "SELECT commitment FROM event WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    let rows = query.fetch(sql.into(), vec![from.into(), to.into()]).await?;
    rows.into_iter().map(|mut row| row.array(0)).collect()
}
