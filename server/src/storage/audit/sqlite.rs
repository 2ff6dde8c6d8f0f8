//! The database file, opened for reading only: beside a running server, or on a folder at rest, even one that cannot
//! be written. All questions answer from one snapshot.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::storage::sqlite::{MIGRATIONS, fetch};
use crate::storage::{Query, Row, Sql, StoreError, Value, Work};

/// Pages in the cache: 64 MiB.
const CACHE: &str = "-65536";
/// How long a question waits for the server's lock.
const BUSY: Duration = Duration::from_secs(10);

/// One instant of a database that is only read.
#[derive(Debug)]
pub struct ReadOnlyStore {
    connection: SqliteConnection,
}

impl Query for ReadOnlyStore {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(fetch(&mut self.connection, sql, args))
    }
}

/// Opens the file and a snapshot of it, and compares the schema with the one that the migrations make.
pub async fn open_read_only(path: &Path) -> Result<ReadOnlyStore, StoreError> {
    let connection = match open(path, false).await {
        // In a folder that cannot be written SQLite cannot make the files that sharing takes. Without a write-ahead
        // log nobody shares, and the main file is all there is.
        Err(_) if path.exists() && !wal_of(path).exists() => open(path, true).await?,
        opened => opened?,
    };
    let mut store = ReadOnlyStore { connection };
    check_schema(&mut store).await?;
    Ok(store)
}

fn wal_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn open(path: &Path, immutable: bool) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(immutable)
        .busy_timeout(BUSY)
        .foreign_keys(false)
        .pragma("query_only", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", CACHE)
        .row_buffer_size(4096)
        .disable_statement_logging()
        .connect()
        .await?;
    for begin in ["BEGIN", "SELECT count(*) FROM sqlite_master"] {
        // The snapshot begins with the first question, not with BEGIN.
        fetch(&mut connection, begin.into(), Vec::new()).await?;
    }
    Ok(connection)
}

/// Tables, indexes, and nothing else: a trigger or view would change what statements do.
async fn check_schema(store: &mut ReadOnlyStore) -> Result<(), StoreError> {
    let mut fresh = SqliteConnection::connect("sqlite::memory:").await?;
    MIGRATIONS.run(&mut fresh).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    for (what, sql) in [
        (
            "the schema of",
            "SELECT name, type, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name",
        ),
        (
            "migration",
            "SELECT CAST(version AS TEXT), checksum, CAST(success AS TEXT) FROM _sqlx_migrations ORDER BY version",
        ),
    ] {
        let wanted = fetch(&mut fresh, sql.into(), Vec::new()).await?;
        let found = store.fetch(sql.into(), Vec::new()).await?;
        let odd = wanted.iter().find(|row| !found.contains(row));
        if let Some(row) = odd.or_else(|| found.iter().find(|row| !wanted.contains(row))) {
            let name = row.clone().text(0)?;
            return Err(StoreError::Corrupt(format!("{what} {name} is not the one of this version")));
        }
        if wanted.len() != found.len() {
            return Err(StoreError::Corrupt(format!("{what} something stands twice")));
        }
    }
    Ok(())
}
