//! SQLite: one file, one writing connection, a few reading ones. WAL with synchronous=FULL, so a commit is on disk when
//! it returns; WAL checkpoints run on a connection of their own, off the commit path. No SQL of use cases here.
//!
//! Statements run on the thread that asks, without a hop to another: the committer has a thread to itself, and what
//! calls read is short. Longer lists are read on a thread where waiting is allowed.

mod connection;
mod migrations;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postfach_domain::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{Marks, Query, Row, Sql, Store, StoreError, Tx, Value, Work, spoiled};
use crate::durable::sync_file;
pub(super) use connection::{ask, failed};
use connection::{checkpoint, run};
pub(crate) use migrations::{MIGRATIONS, fetch};

/// Pages in the write-ahead log above which it starts anew: 256 MiB.
const WAL_FRAMES: i64 = 32 * 1024;
/// Pages by which it grows before another try, where a reader stood in the way: 64 MiB.
const WAL_PATIENCE: i64 = WAL_FRAMES / 4;
/// How long the writer is held back for readers of the write-ahead log. An audit or a backup reads for minutes.
const KEEPER_PATIENCE: Duration = Duration::from_millis(500);
/// KiB of pages in the writer's cache, negative as SQLite wants it: 64 MiB.
const WRITER_CACHE: i64 = -64 * 1024;
/// The same for each reader: 16 MiB.
const READER_CACHE: i64 = -16 * 1024;
/// Arguments of a list above which a question counts as long.
const SHORT_LIST: usize = 16;

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The embedded engine.
pub struct SqliteStore {
    path: PathBuf,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    readers: Arc<Readers>,
    keeper: Arc<Mutex<Connection>>,
    /// Pages above which the write-ahead log is started anew.
    too_long: AtomicI64,
    closed: AtomicBool,
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
        flush(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        migrations::bring_up_to_date(path).await?;
        let idle = (0..readers.max(1)).map(|_| connection::open(path, READER_CACHE, true));
        let idle = idle.collect::<Result<Vec<_>, _>>()?;
        let keeper = connection::open(path, READER_CACHE, false)?;
        keeper.busy_timeout(KEEPER_PATIENCE).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(tokio::sync::Mutex::new(connection::open(path, WRITER_CACHE, false)?)),
            readers: Arc::new(Readers {
                permits: Arc::new(Semaphore::new(idle.len())),
                idle: Mutex::new(idle),
            }),
            keeper: Arc::new(Mutex::new(keeper)),
            too_long: AtomicI64::new(WAL_FRAMES),
            closed: AtomicBool::new(false),
        })
    }

    /// A WAL checkpoint, which waits for the disk.
    async fn checkpoint(&self, pragma: &'static str) -> Result<(i64, i64), StoreError> {
        let keeper = self.keeper.clone();
        let work = tokio::task::spawn_blocking(move || checkpoint(&lock(&keeper), pragma));
        work.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    async fn tidy_up(&self, thorough: bool) -> Result<(), StoreError> {
        // Copies what it can beside readers and writers.
        let (_, frames) = self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)").await?;
        let ending = match (thorough, frames > self.too_long.load(Ordering::Relaxed)) {
            (true, _) => "PRAGMA wal_checkpoint(TRUNCATE)",
            (false, true) => "PRAGMA wal_checkpoint(RESTART)",
            (false, false) => return Ok(()),
        };
        // Under steady load the log would never start anew: hold the writer back for the little that is left.
        let _writer = self.writer.lock().await;
        let held_up = self.checkpoint(ending).await?.0 != 0;
        self.too_long.store(if held_up { frames + WAL_PATIENCE } else { WAL_FRAMES }, Ordering::Relaxed);
        if held_up {
            return Err(StoreError::Unavailable("the write-ahead log is in use".into()));
        }
        Ok(())
    }
}

impl Store for SqliteStore {
    fn begin(&self) -> Work<'_, Box<dyn Tx>> {
        Box::pin(async move {
            let writer = self.writer.clone().lock_owned().await;
            if self.closed.load(Ordering::SeqCst) {
                return Err(closed());
            }
            writer.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
            Ok(Box::new(SqliteTx { connection: writer, spoiled: false }) as Box<dyn Tx>)
        })
    }

    fn snapshot(&self) -> Work<'_, Box<dyn Query>> {
        Box::pin(async move {
            let mut reader = self.readers.take().await?;
            reader.connection().execute_batch("BEGIN").map_err(failed)?;
            // The state is fixed by the first question, not by BEGIN.
            ask(reader.connection(), &"SELECT count(*) FROM sqlite_master".into(), &[])?;
            Ok(Box::new(reader) as Box<dyn Query>)
        })
    }

    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move {
            let mut reader = self.readers.take().await?;
            if matches!(sql, Sql::Fixed(_)) || args.len() <= SHORT_LIST {
                return ask(reader.connection(), &sql, &args);
            }
            // The reader goes along and finds home by itself, also if nobody waits any more.
            let work = tokio::task::spawn_blocking(move || ask(reader.connection(), &sql, &args));
            work.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
        })
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }

    fn now(&self) -> Work<'_, Option<Timestamp>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn tidy(&self, thorough: bool) -> Work<'_, ()> {
        Box::pin(self.tidy_up(thorough))
    }

    fn close(&self) -> Work<'_, ()> {
        Box::pin(async move {
            self.readers.close();
            self.closed.store(true, Ordering::SeqCst);
            // Everything into the main file, so that the folder can be copied.
            if let Err(error) = self.tidy_up(true).await {
                tracing::warn!(%error, "the write-ahead log stays behind; it is read at the next start");
            }
            Ok(())
        })
    }
}

/// Flushes what a process that was killed had written and not flushed: SQLite would take it for committed, and people
/// would be told of it. Before the first connection, because closing a file gives up all of SQLite's locks on it.
fn flush(path: &Path) -> std::io::Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    sync_file(Path::new(&log))?;
    sync_file(path)
}

/// Ends whatever is open; nothing if a commit has ended it.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// The writing transaction; holds the only writing connection.
struct SqliteTx {
    connection: OwnedMutexGuard<Connection>,
    /// A statement failed.
    spoiled: bool,
}

impl Query for SqliteTx {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move {
            let rows = ask(&mut self.connection, &sql, &args);
            self.spoiled |= rows.is_err();
            rows
        })
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }
}

impl Tx for SqliteTx {
    fn now(&self) -> Option<Timestamp> {
        None
    }

    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64> {
        Box::pin(async move {
            let touched = run(&mut self.connection, &sql, &args);
            self.spoiled |= touched.is_err();
            touched
        })
    }

    fn commit(self: Box<Self>) -> Work<'static, ()> {
        // What a failed commit leaves open is rolled back when the transaction is dropped.
        Box::pin(async move {
            if self.spoiled {
                return Err(spoiled());
            }
            self.connection.execute_batch("COMMIT").map_err(failed)
        })
    }

    fn rollback(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            drop(self);
            Ok(())
        })
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        roll_back(&self.connection);
    }
}

/// The reading connections.
#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    async fn take(self: &Arc<Self>) -> Result<Reader, StoreError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let connection = lock(&self.idle).pop().ok_or_else(closed)?;
        Ok(Reader { connection: Some(connection), home: self.clone(), _permit: permit })
    }

    fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
    }
}

/// A reading connection that goes home when dropped.
struct Reader {
    connection: Option<Connection>,
    home: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn connection(&mut self) -> &mut Connection {
        // Safe because only `drop` takes it.
        self.connection.as_mut().expect("a live reader has its connection")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.home.permits.is_closed()) {
            roll_back(&connection);
            lock(&self.home.idle).push(connection);
        }
    }
}

impl Query for Reader {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move { ask(self.connection(), &sql, &args) })
    }

    fn marks(&self) -> Marks {
        Marks::Plain
    }
}
