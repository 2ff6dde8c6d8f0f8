//! The first bad place, named precisely, and what else can stop an audit.

use std::fmt;

use serde::Serialize;

use crate::storage::StoreError;
use crate::storage::audit::{Misread, Record};

/// Where what is stored contradicts what was signed or logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The table; `file` for something outside the database.
    pub table: &'static str,
    /// The key of the row (`idx=17`), or the file's name below the data folder.
    pub row: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, row, what } = self;
        if row.is_empty() { write!(f, "{table}: {what}") } else { write!(f, "{table} [{row}]: {what}") }
    }
}

/// Why an audit did not come to "everything holds".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something is wrong.
    #[error("{0}")]
    Bad(Problem),
    /// It could not be read; says nothing about the evidence.
    #[error("{0}")]
    Unreadable(String),
    /// A file that the caller named could not be read.
    #[error("{}", .0.message)]
    Named(crate::failure::Failure),
}

/// What a check answers.
pub type Checked<T> = Result<T, Failure>;

/// Something is wrong with a place.
pub fn bad_at(table: &'static str, row: impl Into<String>, what: impl fmt::Display) -> Failure {
    Failure::Bad(Problem { table, row: row.into(), what: what.to_string() })
}

/// Something is wrong with a row.
pub fn bad(record: &Record, what: impl fmt::Display) -> Failure {
    bad_at(record.table(), record.key(), what)
}

/// Nothing where it holds, else something is wrong with the row.
pub fn hold(record: &Record, holds: bool, what: impl fmt::Display) -> Checked<()> {
    if holds { Ok(()) } else { Err(bad(record, what)) }
}

impl From<Misread> for Failure {
    fn from(misread: Misread) -> Self {
        let what = format!("column {} does not hold what belongs there", misread.column);
        bad_at(misread.table, misread.row, what)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(what) => bad_at("database", "", what),
            StoreError::Unavailable(what) => Self::Unreadable(what),
        }
    }
}
