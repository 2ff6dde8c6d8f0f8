//! Rows with their table and key, so that whatever is wrong with one can be named precisely.

use crate::storage::{Query, Row, StoreError, Value};

/// A table as the audit reads it: key columns first, in the order of the key.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// All columns that are read.
    pub columns: &'static [&'static str],
    /// How many of them make up the key.
    pub keys: usize,
    /// The first rows: `$1` is the limit.
    pub first: &'static str,
    /// Rows after a key: `$1` is the limit, then the key.
    pub next: &'static str,
    /// Rows whose first key column lies in `$1..$2`.
    pub range: &'static str,
    /// The row of a key.
    pub one: &'static str,
    /// How many rows there are.
    pub count: &'static str,
}

impl Table {
    /// How many rows there are.
    pub async fn count(&'static self, query: &mut dyn Query) -> Result<u64, StoreError> {
        let rows = query.fetch(self.count.into(), Vec::new()).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.unsigned(0))
    }

    /// The row of a key, if there is one.
    pub async fn at(
        &'static self,
        query: &mut dyn Query,
        key: Vec<Value>,
    ) -> Result<Option<Record>, StoreError> {
        let rows = query.fetch(self.one.into(), key).await?;
        Ok(rows.into_iter().next().map(|row| Record::new(self, row)))
    }

    /// Rows whose first key column lies in `from..to`, in the order of the key.
    pub async fn range(
        &'static self,
        query: &mut dyn Query,
        from: u64,
        to: u64,
    ) -> Result<Vec<Record>, StoreError> {
        let rows = query.fetch(self.range.into(), vec![from.into(), to.into()]).await?;
        Ok(rows.into_iter().map(|row| Record::new(self, row)).collect())
    }
}

/// One row. Columns are read in the order of the table, each once.
#[derive(Debug)]
pub struct Record {
    table: &'static Table,
    row: Row,
    at: usize,
}

impl Record {
    fn new(table: &'static Table, row: Row) -> Self {
        Self { table, row, at: 0 }
    }

    /// The table's name.
    pub fn table(&self) -> &'static str {
        self.table.name
    }

    /// The key as text: `mailbox_no=3, seq=0`; bytes are hexadecimal.
    pub fn key(&self) -> String {
        let pairs = self.table.columns.iter().zip(&self.row.0).take(self.table.keys);
        pairs.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(", ")
    }

    /// The key's values.
    fn key_values(&self) -> impl Iterator<Item = Value> + '_ {
        self.row.0.iter().take(self.table.keys).cloned()
    }

    /// The first key column, if it is a number.
    pub fn first_key(&self) -> Option<i64> {
        match self.row.0.first() {
            Some(Value::Int(number)) => *number,
            _ => None,
        }
    }

    /// The first key column, if it is bytes.
    pub fn first_blob(&self) -> Option<&[u8]> {
        match self.row.0.first() {
            Some(Value::Blob(bytes)) => bytes.as_deref(),
            _ => None,
        }
    }

    /// Reads the next column.
    fn read<T>(&mut self, read: impl FnOnce(&mut Row, usize) -> Result<T, StoreError>) -> Result<T, Misread> {
        let at = self.at;
        self.at += 1;
        // Bytes are taken out of the row; a key has to stay for messages.
        let kept = (at < self.table.keys).then(|| self.row.0[at].clone());
        let outcome = read(&mut self.row, at);
        if let Some(kept) = kept {
            self.row.0[at] = kept;
        }
        outcome.map_err(|_| Misread {
            table: self.table.name,
            row: self.key(),
            column: self.table.columns.get(at).copied().unwrap_or("?"),
        })
    }

    /// Leaves the next column unread.
    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// A number that cannot be negative.
    pub fn unsigned(&mut self) -> Result<u64, Misread> {
        self.read(Row::unsigned)
    }

    /// Such a number, or NULL.
    pub fn opt_unsigned(&mut self) -> Result<Option<u64>, Misread> {
        self.read(Row::opt_unsigned)
    }

    /// A number of 32 bits.
    pub fn small(&mut self) -> Result<u32, Misread> {
        self.read(Row::small)
    }

    /// A number of 32 bits, or NULL.
    pub fn opt_small(&mut self) -> Result<Option<u32>, Misread> {
        self.read(|row, at| {
            let number = row.opt_unsigned(at)?;
            let large = |_| StoreError::Corrupt(format!("column {at} is too large"));
            number.map(u32::try_from).transpose().map_err(large)
        })
    }

    /// Text.
    pub fn text(&mut self) -> Result<String, Misread> {
        self.read(Row::text)
    }

    /// Bytes.
    pub fn blob(&mut self) -> Result<Vec<u8>, Misread> {
        self.read(Row::blob)
    }

    /// Bytes, or NULL.
    pub fn opt_blob(&mut self) -> Result<Option<Vec<u8>>, Misread> {
        self.read(Row::opt_blob)
    }

    /// Bytes of one fixed length.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        self.read(Row::array)
    }

    /// Bytes of one fixed length, or NULL.
    pub fn opt_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Misread> {
        self.read(Row::opt_array)
    }
}

/// A column that does not hold what its type says: NULL where a value has to stand, bytes of a wrong length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The table.
    pub table: &'static str,
    /// The key of the row.
    pub row: String,
    /// The column.
    pub column: &'static str,
}

fn text(value: &Value) -> String {
    match value {
        Value::Int(Some(number)) => number.to_string(),
        Value::Text(Some(text)) => format!("{text:?}"),
        Value::Blob(Some(bytes)) => hex::encode(bytes),
        Value::Int(None) | Value::Text(None) | Value::Blob(None) => "NULL".to_owned(),
    }
}

/// All rows of a table in the order of its key, page by page.
#[derive(Debug)]
pub struct Pager {
    table: &'static Table,
    limit: u64,
    last: Option<Vec<Value>>,
    ended: bool,
}

impl Pager {
    /// `limit` rows at a time.
    pub fn new(table: &'static Table, limit: u64) -> Self {
        Self { table, limit, last: None, ended: false }
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self, query: &mut dyn Query) -> Result<Vec<Record>, StoreError> {
        if self.ended {
            return Ok(Vec::new());
        }
        let limit = Value::from(self.limit);
        let rows = match self.last.take() {
            None => query.fetch(self.table.first.into(), vec![limit]).await?,
            Some(key) => {
                let args = std::iter::once(limit).chain(key).collect();
                query.fetch(self.table.next.into(), args).await?
            }
        };
        self.ended = (rows.len() as u64) < self.limit;
        let records: Vec<_> = rows.into_iter().map(|row| Record::new(self.table, row)).collect();
        self.last = records.last().map(|record| record.key_values().collect());
        Ok(records)
    }
}
