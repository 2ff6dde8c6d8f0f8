//! One SQLite connection: how it is opened, and statements with our plain values.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql};

use crate::storage::{Row, Sql, StoreError, Value};

/// Prepared statements kept for each connection.
const STATEMENTS: usize = 1024;
/// How long a statement waits for another process (an audit) that holds a lock.
const BUSY: Duration = Duration::from_secs(10);

/// What the caller can do about an error of the engine.
#[allow(clippy::needless_pass_by_value)] // the shape that map_err takes
pub(in crate::storage) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Opens a connection to a database that has its newest form.
pub(super) fn open(path: &Path, cache: i64, read_only: bool) -> Result<Connection, StoreError> {
    let set_up = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for (pragma, value) in [
            // A commit is on disk when it returns.
            ("synchronous", "FULL"),
            // What is erased must not stay readable in free pages (SPEC 5).
            ("secure_delete", "ON"),
            ("temp_store", "MEMORY"),
            // Checkpoints are made off the commit path.
            ("wal_autocheckpoint", "0"),
            ("query_only", if read_only { "ON" } else { "OFF" }),
        ] {
            connection.pragma_update(None, pragma, value)?;
        }
        connection.pragma_update(None, "cache_size", cache)?;
        Ok(connection)
    };
    set_up().map_err(failed)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Int(None) | Self::Text(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

fn text(sql: &Sql) -> &str {
    match sql {
        Sql::Fixed(text) => text,
        Sql::Listed(text) => text,
    }
}

/// Binds arguments by their numbers: SQLite numbers `$3` by where it stands, not by its name.
fn bind(statement: &mut Statement<'_>, args: &[Value]) -> Result<(), StoreError> {
    for at in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(at) {
            Some(name) => name.trim_start_matches('$').parse().unwrap_or(0),
            None => at,
        };
        let arg = args.get(number.wrapping_sub(1));
        let arg = arg.ok_or_else(|| StoreError::Unavailable(format!("no argument for mark {at}")))?;
        statement.raw_bind_parameter(at, arg).map_err(failed)?;
    }
    Ok(())
}

/// All rows of a question.
pub(in crate::storage) fn ask(
    connection: &mut Connection,
    sql: &Sql,
    args: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached(text(sql)).map_err(failed)?;
    let width = statement.column_count();
    bind(&mut statement, args)?;
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let cells = (0..width).map(|at| value(at, row.get_ref(at).map_err(failed)?));
        rows.push(Row(cells.collect::<Result<_, StoreError>>()?));
    }
    Ok(rows)
}

/// Runs a statement that writes; how many rows it touched.
pub(super) fn run(connection: &mut Connection, sql: &Sql, args: &[Value]) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(text(sql)).map_err(failed)?;
    bind(&mut statement, args)?;
    statement.raw_execute().map(|touched| touched as u64).map_err(failed)
}

/// Runs a WAL checkpoint; answers whether it was held up (not 0), and the pages in the log.
pub(super) fn checkpoint(connection: &Connection, pragma: &str) -> Result<(i64, i64), StoreError> {
    connection.query_row(pragma, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)
}

fn value(at: usize, cell: ValueRef<'_>) -> Result<Value, StoreError> {
    match cell {
        ValueRef::Null => Ok(Value::Blob(None)),
        ValueRef::Integer(number) => Ok(Value::Int(Some(number))),
        ValueRef::Blob(bytes) => Ok(Value::Blob(Some(bytes.to_vec()))),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Value::Text(Some(text.to_owned()))),
            Err(_) => Err(StoreError::Corrupt(format!("column {at} is not UTF-8"))),
        },
        ValueRef::Real(_) => Err(StoreError::Corrupt(format!("column {at} has type REAL"))),
    }
}
