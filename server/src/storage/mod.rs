//! Where the server keeps what it must not lose. Engines run small statements with plain values; every SQL text stands
//! once, in `sql`, and is the same for each engine. Rules live in `postfach_domain`, never here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use postfach_domain::time::Timestamp;

pub mod audit;
mod many;
mod postgres;
pub mod sql;
mod sqlite;
mod value;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub mod faulty;

pub use many::{InList, ManyRows};
pub use postgres::{DatabaseUrl, PostgresStore, UrlError};
pub use sqlite::SqliteStore;
pub use value::{Row, Value};

/// Why a statement or a commit failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine could not do it (busy, disk full, connection lost). Whether a failed commit was stored is unknown.
    #[error("storage not available: {0}")]
    Unavailable(String),
    /// What came back is not what was once written: a bug or a damaged file.
    #[error("storage is damaged: {0}")]
    Corrupt(String),
}

/// Why a transaction cannot be committed after an error.
fn spoiled() -> StoreError {
    StoreError::Unavailable("a statement of the transaction failed".into())
}

/// A future that borrows what it works on.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Text of one statement, `$1` for the first argument. Never made from data.
#[derive(Clone, Debug)]
pub enum Sql {
    /// Written in `sql`.
    Fixed(&'static str),
    /// A list of rows filled into a text written in `sql`.
    Listed(Arc<str>),
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

/// Something that answers questions: a store (each question for itself) or a transaction (all at one instant).
pub trait Query: Send {
    /// All rows of a SELECT. In a store each call may see a newer state than the one before.
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>>;

    /// How the arguments of long lists are marked.
    fn marks(&self) -> Marks {
        Marks::Numbered
    }
}

/// How the arguments of long lists are marked in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// `?`: SQLite compares the names of numbered ones in a chain, which costs their square.
    Plain,
    /// `$1`, `$2` …
    Numbered,
}

/// One transaction that may write. It sees its own writes and no one else's; only one is open at a time in the whole
/// deployment, the others wait. Dropped without `commit`, it leaves no trace, but an engine may hold its lock until the
/// next one begins. After a statement that failed there is only `rollback`: a commit is an error then.
pub trait Tx: Query {
    /// The engine's clock, read after the turn had come (SPEC 5). `None` where the engine lives in this process: the
    /// node's clock counts. No trip.
    fn now(&self) -> Option<Timestamp>;

    /// Runs a statement that writes; answers how many rows it touched.
    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64>;

    /// Tells every node of the deployment, this one too, once the commit is done and in the order of commits; nobody hears
    /// of what is not committed. At most [`NOTICE_LEN`] bytes. Nothing where the engine lives in this process.
    fn announce(&mut self, _notice: String) -> Work<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Makes everything durable. `Ok`: it is on disk and survives a power cut. `Err`: **unknown**, it may be stored
    /// or not, all of it or nothing; the caller finds out by reading.
    fn commit(self: Box<Self>) -> Work<'static, ()>;

    /// Gives everything up and lets the next transaction in at once.
    fn rollback(self: Box<Self>) -> Work<'static, ()>;
}

/// Bytes of one notice at most.
pub const NOTICE_LEN: usize = 7900;

/// Hears what was announced, on whichever node, since it began. An error ends it: what comes afterwards it misses.
pub trait Notices: Send {
    /// Waits for the next notice. May be given up at any time without losing one.
    fn next(&mut self) -> Work<'_, String>;
}

/// An engine.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Opens the transaction that may write, waiting for its turn.
    fn begin(&self) -> Work<'_, Box<dyn Tx>>;

    /// Opens a look at one instant: all questions answer from the same committed state. Never waits for writers.
    fn snapshot(&self) -> Work<'_, Box<dyn Query>>;

    /// One question outside any transaction, from the newest committed state; the cheapest way to read.
    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>>;

    /// The engine's own clock, which counts for the whole deployment; `None` where the engine lives in this process.
    fn now(&self) -> Work<'_, Option<Timestamp>>;

    /// True where other nodes may work on the same data at the same time: what this one remembers may be out of date.
    fn is_shared(&self) -> bool {
        false
    }

    /// Begins to hear what is announced.
    fn notices(&self) -> Work<'_, Box<dyn Notices>> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable("nobody else announces anything".into()))))
    }

    /// Housekeeping that must not slow commits down (SQLite: WAL checkpoint). May be called at any time, as often as
    /// wanted. With `thorough`, what was deleted is gone from every file when it returns.
    fn tidy(&self, thorough: bool) -> Work<'_, ()>;

    /// How the arguments of long lists are marked.
    fn marks(&self) -> Marks;

    /// Finishes and closes all connections; nothing may be called afterwards.
    fn close(&self) -> Work<'_, ()>;
}

/// Questions put to a store one by one.
#[derive(Debug)]
pub struct Ask<'a>(pub &'a dyn Store);

impl Query for Ask<'_> {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        self.0.ask(sql, args)
    }

    fn marks(&self) -> Marks {
        self.0.marks()
    }
}
