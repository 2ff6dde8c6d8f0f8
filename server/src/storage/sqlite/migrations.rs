//! The form of the database, brought up to date by sqlx: the same files for every run, checked by their hashes.

use std::path::Path;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqlSafeStr as _, SqlStr, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};

use crate::storage::{Row, Sql, StoreError, Value};

/// All migrations of this version.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Makes the file if it is absent and applies what is new.
pub(super) async fn bring_up_to_date(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        // Set once, when the file is made.
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    MIGRATIONS.run(&mut connection).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(connection.close().await?)
}

/// Fixed texts and lists of placeholders only: never made from data.
fn text(sql: Sql) -> SqlStr {
    match sql {
        Sql::Fixed(text) => text.into_sql_str(),
        Sql::Listed(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

/// All rows of a question to a connection that runs migrations.
pub(crate) async fn fetch(
    connection: &mut SqliteConnection,
    sql: Sql,
    args: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let bound = bind(args)?;
    let rows = sqlx::query_with(text(sql), bound).fetch_all(connection).await?;
    rows.iter().map(row).collect()
}

fn bind(args: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    use sqlx::Arguments as _;
    let mut bound = SqliteArguments::default();
    bound.reserve(args.len(), 0);
    for arg in args {
        let added = match arg {
            Value::Int(value) => bound.add(value),
            Value::Text(value) => bound.add(value),
            Value::Blob(value) => bound.add(value),
        };
        added.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    }
    Ok(bound)
}

fn row(row: &SqliteRow) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let raw = row.try_get_raw(at)?;
        values.push(if raw.is_null() {
            Value::Blob(None)
        } else {
            match raw.type_info().name() {
                "INTEGER" => Value::Int(row.try_get_unchecked(at)?),
                "TEXT" => Value::Text(row.try_get_unchecked(at)?),
                "BLOB" => Value::Blob(row.try_get_unchecked(at)?),
                other => return Err(StoreError::Corrupt(format!("column {at} has type {other}"))),
            }
        });
    }
    Ok(Row(values))
}
