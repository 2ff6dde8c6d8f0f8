//! The database file, opened for reading only: beside a running server, or on a folder at rest, even one that cannot
//! be written. All questions answer from one snapshot.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use sqlx::{Connection as _, SqliteConnection};

use crate::storage::sqlite::{MIGRATIONS, ask, failed, fetch};
use crate::storage::{Query, Row, Sql, StoreError, Value, Work};

/// KiB of pages in the cache, negative as SQLite wants it: 64 MiB.
const CACHE: i64 = -64 * 1024;
/// How long a question waits for the server's lock.
const BUSY: Duration = Duration::from_secs(10);
/// Pages of a copy between two looks at whether it shall go on: 8 MiB.
const PAGES: i32 = 1024;

/// One instant of a database that is only read. Questions are answered on the thread that asks.
#[derive(Debug)]
pub struct ReadOnlyStore {
    connection: Connection,
}

impl Query for ReadOnlyStore {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        let answer = ask(&mut self.connection, &sql, &args);
        Box::pin(std::future::ready(answer))
    }
}

impl ReadOnlyStore {
    /// Copies this instant into a new database file, page by page, while others write. Answers false, with half a file,
    /// where `go_on` said so. The copy is not flushed.
    pub fn copy_to(&self, target: &Path, mut go_on: impl FnMut() -> bool) -> Result<bool, StoreError> {
        let mut copy = Connection::open(target).map_err(failed)?;
        for pragma in ["journal_mode", "synchronous"] {
            copy.pragma_update(None, pragma, "OFF").map_err(failed)?;
        }
        let backup = Backup::new(&self.connection, &mut copy).map_err(failed)?;
        while go_on() {
            match backup.step(PAGES).map_err(failed)? {
                StepResult::Done => return Ok(true),
                StepResult::More => {}
                // Nobody else has the copy, and the snapshot is held already.
                _ => return Err(StoreError::Unavailable("the database is in use".into())),
            }
        }
        Ok(false)
    }
}

/// Opens the file and a snapshot of it, and compares the schema with the one that the migrations make.
pub async fn open_read_only(path: &Path) -> Result<ReadOnlyStore, StoreError> {
    let mut store = ReadOnlyStore { connection: open(path).map_err(failed)? };
    check_schema(&mut store).await?;
    Ok(store)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    match snapshot(path, false) {
        // In a folder that cannot be written SQLite cannot make the files that sharing takes. Without a write-ahead
        // log nobody shares, and the main file is all there is.
        Err(_) if path.exists() && !wal_of(path).exists() => snapshot(path, true),
        opened => opened,
    }
}

fn wal_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn snapshot(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = format!("file:{escaped}?immutable=1");
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.execute_batch("BEGIN")?;
    // The snapshot begins with the first question, not with BEGIN.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
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
