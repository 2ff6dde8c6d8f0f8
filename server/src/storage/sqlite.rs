//! SQLite: one file, one writing connection, a few reading ones. WAL with synchronous=FULL, so a commit is on disk
//! when it returns; WAL checkpoints run on a connection of their own, off the commit path. No SQL of use cases here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Row as _, SqlSafeStr as _, SqlStr, SqliteConnection, TypeInfo as _,
    ValueRef as _,
};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{Marks, Query, Row, Sql, Store, StoreError, Tx, Value, Work};

/// Prepared statements kept for each connection.
const STATEMENTS: usize = 1024;
/// How long a statement waits for another process (an audit) that holds a lock.
const BUSY: Duration = Duration::from_secs(10);
/// Pages in the write-ahead log above which it starts anew: 256 MiB.
const WAL_FRAMES: i64 = 32 * 1024;
/// Pages of 8 KiB in the writer's cache: 64 MiB.
const WRITER_CACHE: &str = "-65536";
/// Pages in each reader's cache: 16 MiB.
const READER_CACHE: &str = "-16384";

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// A connection, and whether somebody left a transaction open on it.
#[derive(Debug)]
struct Slot {
    connection: SqliteConnection,
    open: bool,
}

impl Slot {
    async fn start(&mut self, begin: &'static str) -> Result<(), StoreError> {
        // Whoever dropped a transaction could not wait for its rollback; it happens here, before the next one.
        if self.open {
            self.finish("ROLLBACK").await?;
        }
        // Set first: if we are cancelled inside, the next user rolls back what may have begun.
        self.open = true;
        plain(&mut self.connection, begin).await
    }

    async fn finish(&mut self, end: &'static str) -> Result<(), StoreError> {
        let outcome = plain(&mut self.connection, end).await;
        match outcome {
            // A commit that failed may have ended the transaction or not; a rollback sets it right.
            Err(error) if end == "COMMIT" => {
                let _ = plain(&mut self.connection, "ROLLBACK").await;
                self.open = false;
                Err(error)
            }
            // "no transaction is active" is what we want.
            Err(_) | Ok(()) => {
                self.open = false;
                Ok(())
            }
        }
    }
}

/// The embedded engine.
pub struct SqliteStore {
    path: PathBuf,
    writer: Arc<Mutex<Slot>>,
    readers: Arc<Readers>,
    keeper: Mutex<SqliteConnection>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.path.display())
    }
}

impl SqliteStore {
    /// Opens the database file, makes it if absent, and brings it to the newest form. `readers` is the number of
    /// reading connections, at least one.
    pub async fn open(path: &Path, readers: usize) -> Result<Self, StoreError> {
        let base = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(8192)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(false)
            // What is erased must not stay readable in free pages (SPEC 5).
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", "0")
            .statement_cache_capacity(STATEMENTS)
            .row_buffer_size(1024)
            .disable_statement_logging();
        let mut writer = base.clone().pragma("cache_size", WRITER_CACHE).connect().await?;
        MIGRATIONS.run(&mut writer).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let keeper = base.clone().connect().await?;
        let reading = base.pragma("cache_size", READER_CACHE).pragma("query_only", "ON");
        let mut slots = Vec::new();
        for _ in 0..readers.max(1) {
            slots.push(Slot { connection: reading.clone().connect().await?, open: false });
        }
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(Mutex::new(Slot { connection: writer, open: false })),
            readers: Arc::new(Readers::new(slots)),
            keeper: Mutex::new(keeper),
        })
    }

    async fn checkpoint(&self, thorough: bool) -> Result<(), StoreError> {
        let mut keeper = self.keeper.lock().await;
        // Copies what it can beside readers and writers.
        let (_, frames) = checkpoint(&mut keeper, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        let ending = match (thorough, frames > WAL_FRAMES) {
            (true, _) => "PRAGMA wal_checkpoint(TRUNCATE)",
            (false, true) => "PRAGMA wal_checkpoint(RESTART)",
            (false, false) => return Ok(()),
        };
        // Under steady load the log would never start anew: hold the writer back for the little that is left.
        let mut writer = self.writer.lock().await;
        if writer.open {
            writer.finish("ROLLBACK").await?;
        }
        match checkpoint(&mut keeper, ending).await? {
            (0, _) => Ok(()),
            _ => Err(StoreError::Unavailable("the write-ahead log is in use".into())),
        }
    }
}

impl Store for SqliteStore {
    fn begin(&self) -> Work<'_, Box<dyn Tx>> {
        Box::pin(async move {
            let mut slot = self.writer.clone().lock_owned().await;
            slot.start("BEGIN IMMEDIATE").await?;
            Ok(Box::new(SqliteTx { slot }) as Box<dyn Tx>)
        })
    }

    fn snapshot(&self) -> Work<'_, Box<dyn Query>> {
        Box::pin(async move {
            let mut reader = self.readers.take().await?;
            reader.slot_mut().start("BEGIN").await?;
            Ok(Box::new(reader) as Box<dyn Query>)
        })
    }

    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move {
            let mut reader = self.readers.take().await?;
            let slot = reader.slot_mut();
            if slot.open {
                slot.finish("ROLLBACK").await?;
            }
            fetch(&mut slot.connection, sql, args).await
        })
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }

    fn tidy(&self, thorough: bool) -> Work<'_, ()> {
        Box::pin(self.checkpoint(thorough))
    }

    fn close(&self) -> Work<'_, ()> {
        Box::pin(async move {
            self.readers.close();
            // Everything into the main file, so that the folder can be copied.
            if let Err(error) = self.checkpoint(true).await {
                tracing::warn!(%error, "the write-ahead log stays behind; it is read at the next start");
            }
            Ok(())
        })
    }
}

/// The writing transaction; holds the only writing connection.
struct SqliteTx {
    slot: OwnedMutexGuard<Slot>,
}

impl Query for SqliteTx {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(fetch(&mut self.slot.connection, sql, args))
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }
}

impl Tx for SqliteTx {
    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64> {
        Box::pin(async move {
            let bound = bind(args)?;
            let query = sqlx::query_with(text(sql), bound);
            Ok(query.execute(&mut self.slot.connection).await?.rows_affected())
        })
    }

    fn commit(mut self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move { self.slot.finish("COMMIT").await })
    }

    fn rollback(mut self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move { self.slot.finish("ROLLBACK").await })
    }
}

/// The reading connections. Our own pool: sqlx's pings a connection each time it comes back, a hop to its thread.
#[derive(Debug)]
struct Readers {
    idle: std::sync::Mutex<Vec<Slot>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    fn new(slots: Vec<Slot>) -> Self {
        let permits = Arc::new(Semaphore::new(slots.len()));
        Self { idle: std::sync::Mutex::new(slots), permits }
    }

    async fn take(self: &Arc<Self>) -> Result<Reader, StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".into());
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let slot = self.lock().pop().ok_or_else(closed)?;
        Ok(Reader { slot: Some(slot), home: self.clone(), _permit: permit })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn close(&self) {
        self.permits.close();
        self.lock().clear();
    }
}

/// A reading connection that goes home when dropped.
struct Reader {
    slot: Option<Slot>,
    home: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn slot_mut(&mut self) -> &mut Slot {
        // Safe because only `drop` takes the slot.
        self.slot.as_mut().expect("a live reader has its connection")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take().filter(|_| !self.home.permits.is_closed()) {
            self.home.lock().push(slot);
        }
    }
}

impl Query for Reader {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(fetch(&mut self.slot_mut().connection, sql, args))
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }
}

/// Fixed texts and lists of placeholders only: never made from data.
fn text(sql: Sql) -> SqlStr {
    match sql {
        Sql::Fixed(text) => text.into_sql_str(),
        Sql::Listed(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

/// Runs a WAL checkpoint; answers whether it was held up (not 0), and the pages in the log.
async fn checkpoint(keeper: &mut SqliteConnection, pragma: &'static str) -> Result<(i64, i64), StoreError> {
    let rows = fetch(keeper, pragma.into(), Vec::new()).await?;
    let mut row = rows.into_iter().next().ok_or_else(|| StoreError::Corrupt("no checkpoint".into()))?;
    Ok((row.int(0)?, row.int(1)?))
}

async fn plain(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

pub(super) async fn fetch(
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
