//! The last signed checkpoints, kept as files outside the database: a database that was set back does not extend them,
//! and the server refuses it. They are written after the commit, so they never run ahead of the database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postfach_ledger::checkpoint::{Checkpoint, CheckpointError, LogKeys};
use postfach_ledger::witness::WitnessPolicy;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LogView, Snapshot};
use crate::durable::{make_folders, replace, sync_folder};
use crate::evidence::LogName;
use crate::storage::StoreError;

const NAMES: [(LogName, &str); 2] = [(LogName::Keys, "keys"), (LogName::Evidence, "evidence")];

/// Why the database and the kept checkpoints do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The folder cannot be read or written.
    #[error("checkpoints folder: {0}")]
    Io(#[from] io::Error),
    /// A kept file is not a checkpoint that this deployment signed.
    #[error("the kept checkpoint of {log:?} is not ours: {error}")]
    NotOurs {
        /// Which log.
        log: LogName,
        /// What is wrong.
        error: CheckpointError,
    },
    /// The database has fewer leaves than the server once signed: an old copy.
    #[error("the database is older than its checkpoint of {log:?}: {database} leaves, {kept} were signed")]
    Older {
        /// Which log.
        log: LogName,
        /// Leaves in the database.
        database: u64,
        /// Leaves under the kept checkpoint.
        kept: u64,
    },
    /// The database has other leaves than the server once signed.
    #[error("the database does not extend its checkpoint of {log:?} at {kept} leaves")]
    Fork {
        /// Which log.
        log: LogName,
        /// Leaves under the kept checkpoint.
        kept: u64,
    },
    /// The tiles cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder of kept checkpoints.
#[derive(Clone, Debug)]
pub struct KeptCheckpoints {
    folder: PathBuf,
}

impl KeptCheckpoints {
    /// Opens the folder, makes it if absent.
    pub fn open(folder: &Path) -> io::Result<Self> {
        make_folders(folder, 0o777)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The kept checkpoint of a log, verified; `None` if none was kept yet.
    pub fn read(&self, log: LogName, keys: &LogKeys) -> Result<Option<Checkpoint>, KeptError> {
        match fs::read(self.path(log)) {
            Ok(note) => {
                let verified = keys.verify(&note, &WitnessPolicy::none());
                verified.map(|v| Some(v.signed.checkpoint)).map_err(|error| KeptError::NotOurs { log, error })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Compares the kept checkpoint of a log with the database.
    pub async fn check(&self, log: LogName, keys: &LogKeys, view: &LogView) -> Result<(), KeptError> {
        let Some(kept) = self.read(log, keys)? else { return Ok(()) };
        let snapshot = view.snapshot();
        let database = snapshot.size(log);
        if kept.size > database {
            return Err(KeptError::Older { log, database, kept: kept.size });
        }
        if view.root_at(&snapshot, log, kept.size).await? == kept.root {
            Ok(())
        } else {
            Err(KeptError::Fork { log, kept: kept.size })
        }
    }

    /// Writes both, durably. Blocks.
    pub fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        for (log, name) in NAMES {
            replace(&self.folder.join(name), &snapshot.heads.of(log).checkpoint, 0o666)?;
        }
        sync_folder(&self.folder)
    }

    /// Follows the logs in the background until the view is gone; then writes the last state.
    pub(crate) fn follow(self, mut news: watch::Receiver<Arc<Snapshot>>) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                let open = news.changed().await.is_ok();
                let snapshot = news.borrow_and_update().clone();
                let kept = self.clone();
                let written = tokio::task::spawn_blocking(move || kept.write(&snapshot)).await;
                match written {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "the last checkpoints could not be kept"),
                    Err(error) => tracing::error!(%error, "the last checkpoints could not be kept"),
                }
                if !open {
                    return;
                }
                // Many commits, one file: there is no hurry, and the disk belongs to the commits.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        })
    }

    fn path(&self, log: LogName) -> PathBuf {
        let name = NAMES.iter().find(|(l, _)| *l == log).map_or("", |(_, name)| name);
        self.folder.join(name)
    }
}
