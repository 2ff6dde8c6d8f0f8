//! Where an audit reads: the file in the data folder, or the database server that the settings name.

use std::path::PathBuf;

use super::sqlite;
use crate::storage::{DatabaseUrl, Query, StoreError, postgres};

/// See the module.
#[derive(Clone, Debug)]
pub enum Source {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Server(DatabaseUrl),
}

impl Source {
    /// Opens one instant of the database for reading only, and compares its schema with the one of this version.
    pub async fn open(&self) -> Result<Box<dyn Query>, StoreError> {
        Ok(match self {
            Self::File(path) => Box::new(sqlite::open_read_only(path).await?),
            Self::Server(url) => postgres::open_read_only(url).await?,
        })
    }
}
