//! Connections that are kept open and lent out one by one. No look at a connection before it is lent: that would be a trip
//! for each statement. One that turns out to be dead is replaced, and what had not begun is begun again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, raw_sql};
use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::errors::{failed, is_lost};
use super::session::{self, Purpose, TURN};
use super::url::DatabaseUrl;
use super::{rows, session::CONNECT};
use crate::storage::{Row, Sql, StoreError, Value};

/// How long a caller waits for a connection: all who stand before it may have to wait for their turn too.
const PLACE: Duration = TURN.saturating_add(CONNECT);

/// How long nobody tries to connect after a try that took at least as long.
const PAUSE: Duration = Duration::from_secs(1);

fn silent() -> StoreError {
    StoreError::Unavailable("the database does not answer".into())
}

/// See the module.
pub(super) struct Pool {
    url: DatabaseUrl,
    purpose: Purpose,
    idle: Mutex<Vec<Idle>>,
    places: Arc<Semaphore>,
    /// When the database last did not answer.
    silence: Mutex<Option<Instant>>,
}

/// A connection that nobody uses, and the runtime that carries it.
struct Idle {
    connection: PgConnection,
    runtime: Id,
}

/// A statement that was not answered well.
struct Broken {
    error: StoreError,
    /// The connection is of no more use; another one may be.
    lost: bool,
}

impl Broken {
    fn new(error: sqlx::Error) -> Self {
        Self { lost: is_lost(&error), error: failed(error) }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({}, {:?})", self.url, self.purpose)
    }
}

impl Pool {
    /// `most` connections at most, opened when they are wanted.
    pub(super) fn new(url: &DatabaseUrl, purpose: Purpose, most: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(most));
        let (idle, silence) = (Mutex::default(), Mutex::default());
        Arc::new(Self { url: url.clone(), purpose, idle, places, silence })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection, a kept one if there is any.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let closed = |_| StoreError::Unavailable("the store is closed".into());
        let full = |_| StoreError::Unavailable("all connections to the database are in use".into());
        let place =
            timeout(PLACE, self.places.clone().acquire_owned()).await.map_err(full)?.map_err(closed)?;
        let runtime = Handle::current().id();
        let kept = {
            let mut idle = self.idle();
            let at = idle.iter().rposition(|kept| kept.runtime == runtime);
            // One that another runtime carries would cost a hop for each answer, or is dead with it: makes room.
            at.map(|at| idle.swap_remove(at)).or_else(|| idle.pop().and(None))
        };
        let (connection, kept) = match kept {
            Some(kept) => (kept.connection, true),
            None => (self.open().await?, false),
        };
        Ok(Lease {
            connection: Some(connection),
            runtime,
            home: self.clone(),
            _place: place,
            kept,
            sound: true,
        })
    }

    /// Opens a connection. Where that just took long in vain, nobody waits for it again so soon.
    async fn open(&self) -> Result<PgConnection, StoreError> {
        let silence = *self.silence();
        if silence.is_some_and(|since| since.elapsed() < PAUSE) {
            return Err(silent());
        }
        let begun = Instant::now();
        let opened = session::open(&self.url, self.purpose).await;
        if opened.is_err() && begun.elapsed() > PAUSE {
            self.note_silence();
        }
        opened
    }

    fn silence(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database did not answer in time: what else is kept will not be answered either.
    fn note_silence(&self) {
        *self.silence() = Some(Instant::now());
        self.idle().clear();
    }

    /// Lends a connection on which `begin` was run; answers the number in the last row.
    pub(super) async fn begin(
        self: &Arc<Self>,
        begin: &'static str,
    ) -> Result<(Lease, Option<u64>), StoreError> {
        let mut lease = self.take().await?;
        let mut begun = lease.begin(begin).await;
        if begun.as_ref().is_err_and(|broken| broken.lost) && lease.kept {
            lease = self.renew(lease).await?;
            begun = lease.begin(begin).await;
        }
        begun.map(|answer| (lease, answer)).map_err(|broken| broken.error)
    }

    /// One question for itself.
    pub(super) async fn ask(self: &Arc<Self>, sql: Sql, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let mut lease = self.take().await?;
        if !lease.kept {
            return lease.fetch(sql, args).await;
        }
        match lease.run_fetch(sql.clone(), args.clone()).await {
            Err(broken) if broken.lost => self.renew(lease).await?.fetch(sql, args).await,
            answered => answered.map_err(|broken| broken.error),
        }
    }

    /// Another connection for one that was dead, and away with all that were kept as long.
    async fn renew(self: &Arc<Self>, dead: Lease) -> Result<Lease, StoreError> {
        self.idle().clear();
        drop(dead);
        self.take().await
    }

    /// Lends nothing more and closes what is kept.
    pub(super) fn close(&self) {
        self.places.close();
        self.idle().clear();
    }
}

/// A lent connection. It goes home when dropped; where something is still under way on it, it is closed, and the
/// database gives up what was not committed.
pub(super) struct Lease {
    connection: Option<PgConnection>,
    runtime: Id,
    home: Arc<Pool>,
    _place: OwnedSemaphorePermit,
    /// It was idle before: it may have died meanwhile.
    kept: bool,
    /// Nothing is under way: no statement, no transaction.
    sound: bool,
}

impl Lease {
    fn connection(&mut self) -> &mut PgConnection {
        // Safe because only `drop` takes it.
        self.connection.as_mut().expect("a live lease has its connection")
    }

    /// The caller has waited enough: no other connection is tried.
    fn late(&self) -> Broken {
        self.home.note_silence();
        Broken { error: silent(), lost: false }
    }

    async fn begin(&mut self, begin: &'static str) -> Result<Option<u64>, Broken> {
        self.sound = false;
        let answer = timeout(self.home.purpose.answer(), raw_sql(begin).fetch_all(self.connection())).await;
        let rows = answer.map_err(|_| self.late())?.map_err(Broken::new)?;
        let number = rows.last().and_then(|row| rows::text(row, 0).ok()?.parse().ok());
        Ok(number)
    }

    /// Ends the transaction; the connection may be used again.
    pub(super) async fn end(mut self, end: &'static str) -> Result<(), StoreError> {
        let answer = timeout(self.home.purpose.answer(), raw_sql(end).execute(self.connection())).await;
        let ended = answer.map_err(|_| self.late()).and_then(|ended| ended.map_err(Broken::new));
        self.sound = ended.is_ok();
        ended.map(drop).map_err(|broken| broken.error)
    }

    /// All rows of a question.
    pub(super) async fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.run_fetch(sql, args).await.map_err(|broken| broken.error)
    }

    async fn run_fetch(&mut self, sql: Sql, args: Vec<Value>) -> Result<Vec<Row>, Broken> {
        let sound = std::mem::replace(&mut self.sound, false);
        let unbound = |error| Broken { error, lost: false };
        let query = sqlx::query_with(rows::statement(sql), rows::bind(args).map_err(unbound)?);
        let answer = timeout(self.home.purpose.answer(), query.fetch_all(self.connection())).await;
        let found = answer.map_err(|_| self.late())?.map_err(Broken::new)?;
        self.sound = sound;
        found.iter().map(rows::row).collect::<Result<_, _>>().map_err(unbound)
    }

    /// Runs a statement that writes; how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Result<u64, StoreError> {
        let query = sqlx::query_with(rows::statement(sql), rows::bind(args)?);
        let answer = timeout(self.home.purpose.answer(), query.execute(self.connection())).await;
        let done = answer.map_err(|_| self.late()).and_then(|done| done.map_err(Broken::new));
        done.map(|done| done.rows_affected()).map_err(|broken| broken.error)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) =
            self.connection.take().filter(|_| self.sound && !self.home.places.is_closed())
        {
            self.home.idle().push(Idle { connection, runtime: self.runtime });
        }
    }
}
