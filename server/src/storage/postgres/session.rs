//! One connection: opened within a time, set up the same way every time, and refused where the database would not keep
//! what it commits.

use std::time::Duration;

use sqlx::{ConnectOptions as _, PgConnection, raw_sql};

use super::errors::failed;
use super::url::DatabaseUrl;
use crate::storage::StoreError;

/// How long opening a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long the database works on one statement before it gives up.
const STATEMENT: Duration = Duration::from_secs(10);
/// The same for an audit, which counts the rows of whole tables.
const AUDIT: Duration = Duration::from_mins(10);
/// How much later than the database we give up: it is first, unless it or the line is gone.
const SLACK: Duration = Duration::from_secs(2);
/// How long the turn to write may take to come. Other nodes' batches take milliseconds.
pub(super) const TURN: Duration = Duration::from_secs(10);
/// After which silence the database ends a transaction: a node that hangs must not keep the turn.
const SILENCE: Duration = Duration::from_secs(10);
/// How long another node may take to bring the database up to date.
const MIGRATION: Duration = Duration::from_mins(10);
/// Older versions of PostgreSQL are no longer maintained or lack `client_connection_check_interval`.
const OLDEST: i64 = 140_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Short transactions.
    Write,
    /// Questions; an audit holds its instant for as long as it checks.
    Read,
    /// Everything that is stored, table by table; a standby will do.
    Audit,
    /// Migrations.
    Migrate,
}

impl Purpose {
    /// In milliseconds: statement, lock, silence in a transaction; 0 for no end.
    fn limits(self) -> (u128, u128, u128) {
        match self {
            Self::Write => (STATEMENT.as_millis(), TURN.as_millis(), SILENCE.as_millis()),
            Self::Read => (STATEMENT.as_millis(), TURN.as_millis(), 0),
            Self::Audit => (AUDIT.as_millis(), TURN.as_millis(), 0),
            Self::Migrate => (0, MIGRATION.as_millis(), 0),
        }
    }

    /// How long a statement's answer may take.
    pub(super) fn answer(self) -> Duration {
        if self == Self::Audit { AUDIT + SLACK } else { STATEMENT + SLACK }
    }

    /// Settings of the session. Every table is reached by an index, whatever the planner thinks of an empty table: so plans
    /// that are made once stay good.
    fn settings(self) -> String {
        let (statement, lock, silence) = self.limits();
        format!(
            "SET synchronous_commit = on;
             SET statement_timeout = {statement};
             SET lock_timeout = {lock};
             SET idle_in_transaction_session_timeout = {silence};
             SET client_connection_check_interval = 1000;
             SET plan_cache_mode = force_generic_plan;
             SET enable_seqscan = off;
             SET enable_hashjoin = off;
             SET enable_mergejoin = off;
             SET jit = off;
             SELECT current_setting('synchronous_commit'), current_setting('fsync'),
                 current_setting('full_page_writes'), current_setting('server_encoding'),
                 current_setting('server_version_num'), CAST(pg_is_in_recovery() AS TEXT)"
        )
    }
}

/// Opens a connection.
pub(super) async fn open(url: &DatabaseUrl, purpose: Purpose) -> Result<PgConnection, StoreError> {
    let opened = async {
        let mut connection = url.options().connect().await.map_err(failed)?;
        let settings = raw_sql(sqlx::AssertSqlSafe(purpose.settings()));
        let row = settings.fetch_one(&mut connection).await.map_err(failed)?;
        let mut told = Vec::new();
        for at in 0..6 {
            told.push(super::rows::text(&row, at)?);
        }
        check(&told, purpose)?;
        Ok(connection)
    };
    let late = |_| StoreError::Unavailable("no connection to the database in time".into());
    tokio::time::timeout(CONNECT, opened).await.map_err(late)?
}

/// What is acknowledged must survive a power cut.
fn check(told: &[String], purpose: Purpose) -> Result<(), StoreError> {
    let refuse = |problem: String| Err(StoreError::Unavailable(problem));
    let [commit, fsync, pages, encoding, version, standby] = told else {
        return refuse("the database does not tell its settings".into());
    };
    for (name, value) in [("synchronous_commit", commit), ("fsync", fsync), ("full_page_writes", pages)] {
        if value != "on" {
            return refuse(format!(
                "the database has {name} = {value}: what it commits can be lost; set it to on"
            ));
        }
    }
    if encoding != "UTF8" {
        return refuse(format!("the database has the encoding {encoding} instead of UTF8"));
    }
    if version.parse::<i64>().unwrap_or(0) < OLDEST {
        return refuse(format!("PostgreSQL {version} is too old; 14 is the oldest version that works"));
    }
    if standby != "false" && purpose != Purpose::Audit {
        return refuse("the database is a standby: name the primary".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_database_that_can_lose_commits_is_refused() {
        let good = ["on", "on", "on", "UTF8", "150004", "false"].map(str::to_owned);
        check(&good, Purpose::Write).unwrap();
        for (at, bad, named) in [
            (0, "off", "synchronous_commit"),
            (1, "off", "fsync"),
            (2, "off", "full_page_writes"),
            (3, "SQL_ASCII", "encoding"),
            (4, "130010", "too old"),
            (5, "true", "standby"),
        ] {
            let mut told = good.clone();
            bad.clone_into(&mut told[at]);
            assert!(check(&told, Purpose::Read).unwrap_err().to_string().contains(named), "{named}");
        }
    }
}
