//! The form of the database, brought up to date by sqlx under its advisory lock: the same files for every run, checked
//! by their hashes. A form that is newer than this version is refused.

use sqlx::Connection as _;

use super::errors::{failed, unfit};
use super::session::{self, Purpose};
use super::url::DatabaseUrl;
use crate::storage::{Query, StoreError};

/// All migrations of this version.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// Applies what is new. Nodes that start at the same time wait for each other.
pub(super) async fn bring_up_to_date(url: &DatabaseUrl) -> Result<(), StoreError> {
    let mut connection = session::open(url, Purpose::Migrate).await?;
    // What `run` does; its own future cannot be sent to another thread.
    MIGRATIONS.run_direct(None, &mut connection, false).await.map_err(unfit)?;
    connection.close().await.map_err(failed)
}

/// The database has had all migrations of this version, and no others.
pub(super) async fn check(query: &mut dyn Query) -> Result<(), StoreError> {
    let sql = "SELECT version, checksum, CAST(success AS TEXT) FROM _sqlx_migrations ORDER BY version";
    let mut found = query.fetch(sql.into(), Vec::new()).await?.into_iter();
    for wanted in MIGRATIONS.iter() {
        let version = wanted.version;
        let fits = match found.next() {
            Some(mut row) => {
                row.int(0)? == version && row.blob(1)? == *wanted.checksum && row.text(2)? == "true"
            }
            None => false,
        };
        if !fits {
            return Err(StoreError::Corrupt(format!("migration {version} is not the one of this version")));
        }
    }
    match found.next() {
        Some(mut row) => Err(StoreError::Corrupt(format!("migration {} is unknown", row.int(0)?))),
        None => Ok(()),
    }
}
