//! PostgreSQL: one database shared by all nodes of a deployment. An advisory lock gives turns to whoever writes, on
//! whichever node; the database's clock counts, so that all nodes use the same. No SQL of use cases here.
//!
//! Everything that waits has an end: a database that is slow, away or failing over becomes an error that the caller may
//! repeat. Connections live in the runtime that uses them, so that a statement costs one trip and no hop.

mod errors;
mod listen;
mod migrations;
mod pool;
mod rows;
mod schema;
mod session;
mod url;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use postfach_domain::time::Timestamp;

use super::{Marks, Notices, Query, Row, Sql, Store, StoreError, Tx, Value, Work, spoiled};
use listen::Listened;
use pool::{Lease, Pool};
use session::Purpose;
pub use url::{DatabaseUrl, UrlError};

/// Begins and waits for the turn of the whole deployment; answers the database's clock, in milliseconds since the Unix
/// epoch, once the turn has come. One trip. The number is "postfach" in ASCII.
///
/// READ COMMITTED: each statement sees all that was committed before it, and while the lock is held nobody commits.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT pg_advisory_xact_lock(8101821198433870696);
    SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
/// Begins a look at one instant, which the first question fixes.
const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
/// The clock alone.
const NOW: &str = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// A PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    url: DatabaseUrl,
    listened: Listened,
    /// One connection: of the writers of this node only the first waits in the database.
    writer: Arc<Pool>,
    readers: Arc<Pool>,
}

impl PostgresStore {
    /// Connects, refuses a database that does not keep what it commits, and brings it to the newest form; other nodes that
    /// start at the same time wait. `readers` is the number of reading connections at most, at least one.
    pub async fn open(url: &DatabaseUrl, readers: usize) -> Result<Self, StoreError> {
        migrations::bring_up_to_date(url).await?;
        let (writer, readers) =
            (Pool::new(url, Purpose::Write, 1), Pool::new(url, Purpose::Read, readers.max(1)));
        // A database that refuses us is to be known now.
        drop(readers.take().await?);
        Ok(Self { url: url.clone(), listened: Listened::default(), writer, readers })
    }
}

/// Opens one instant of a database for reading only, compares its form with the one of this version, and changes nothing. A
/// standby will do.
pub(super) async fn open_read_only(url: &DatabaseUrl) -> Result<Box<dyn Query>, StoreError> {
    let (lease, _) = Pool::new(url, Purpose::Audit, 1).begin(LOOK).await?;
    let mut look = Look { lease: Some(lease) };
    migrations::check(&mut look).await?;
    schema::check(&mut look).await?;
    Ok(Box::new(look))
}

impl Store for PostgresStore {
    fn begin(&self) -> Work<'_, Box<dyn Tx>> {
        Box::pin(async move {
            let (lease, answer) = self.writer.begin(BEGIN).await?;
            let now = answer.ok_or_else(|| StoreError::Corrupt("the database tells no time".into()))?;
            Ok(Box::new(PostgresTx { lease, now: Timestamp(now), spoiled: false }) as Box<dyn Tx>)
        })
    }

    fn snapshot(&self) -> Work<'_, Box<dyn Query>> {
        Box::pin(async move {
            let (lease, _) = self.readers.begin(LOOK).await?;
            Ok(Box::new(Look { lease: Some(lease) }) as Box<dyn Query>)
        })
    }

    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(self.readers.ask(sql, args))
    }

    fn now(&self) -> Work<'_, Option<Timestamp>> {
        Box::pin(async move {
            let rows = self.readers.ask(NOW.into(), Vec::new()).await?;
            rows.into_iter().next().map(|mut row| row.unsigned(0).map(Timestamp)).transpose()
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn notices(&self) -> Work<'_, Box<dyn Notices>> {
        Box::pin(listen::listen(&self.url, &self.listened))
    }

    fn tidy(&self, _thorough: bool) -> Work<'_, ()> {
        // PostgreSQL keeps house by itself. What was deleted stays in pages until vacuum and reuse, in the write-ahead log
        // and on standbys for as long as the operator keeps them; no statement of ours could promise more.
        // docs/operations.md says what to set.
        Box::pin(std::future::ready(Ok(())))
    }

    fn marks(&self) -> Marks {
        Marks::Numbered
    }

    fn close(&self) -> Work<'_, ()> {
        Box::pin(async move {
            self.writer.close();
            self.readers.close();
            self.listened.close().await;
            Ok(())
        })
    }
}

/// The writing transaction. Dropped without an end it closes its connection, and the database rolls back.
struct PostgresTx {
    lease: Lease,
    now: Timestamp,
    /// A statement failed. PostgreSQL would answer COMMIT with a rollback that looks like success.
    spoiled: bool,
}

impl Query for PostgresTx {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move {
            // Also true while a statement runs: a call that is cancelled leaves it so.
            let spoiled = std::mem::replace(&mut self.spoiled, true);
            let rows = self.lease.fetch(sql, args).await?;
            self.spoiled = spoiled;
            Ok(rows)
        })
    }
}

impl Tx for PostgresTx {
    fn now(&self) -> Option<Timestamp> {
        Some(self.now)
    }

    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64> {
        Box::pin(async move {
            let spoiled = std::mem::replace(&mut self.spoiled, true);
            let touched = self.lease.execute(sql, args).await?;
            self.spoiled = spoiled;
            Ok(touched)
        })
    }

    fn announce(&mut self, notice: String) -> Work<'_, ()> {
        Box::pin(async move {
            self.execute(listen::NOTIFY.into(), vec![notice.into()]).await?;
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            if self.spoiled {
                return Err(spoiled());
            }
            self.lease.end(COMMIT).await
        })
    }

    fn rollback(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(self.lease.end(ROLLBACK))
    }
}

/// A look at one instant.
struct Look {
    lease: Option<Lease>,
}

impl Query for Look {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        Box::pin(async move {
            // Safe because only `drop` takes it.
            self.lease.as_mut().expect("a live look has its connection").fetch(sql, args).await
        })
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        // Ended beside the caller; where no runtime is left, the connection closes instead.
        if let (Some(lease), Ok(runtime)) = (self.lease.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(lease.end(ROLLBACK));
        }
    }
}
