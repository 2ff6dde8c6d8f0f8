//! Names of everything in the data folder, and the lock that lets one process at a time work on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure, Outcome};

/// A data folder (DIR of the command line).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

macro_rules! files {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {
        impl Folder {
            $($(#[$doc])* pub fn $name(&self) -> PathBuf {
                self.0.join($path)
            })*
        }
    };
}

files! {
    /// Settings; written by `init`, edited by the operator.
    config = "postfachd.toml";
    /// What clients pin; never rewritten by `serve`.
    card = "service-card.toml";
    /// The registrar's root key; to be moved away after `init`.
    registrar_key = "registrar.key";
    /// Folder of the keys below.
    keys = "keys";
    /// Signs checkpoints of the keys log and head statements.
    keys_log_key = "keys/keys-log.key";
    /// Signs checkpoints of the evidence log.
    evidence_log_key = "keys/evidence-log.key";
    /// Folder of the TLS files below.
    tls = "tls";
    /// Root certificate, also on the card.
    tls_root = "tls/root.pem";
    /// Signs later server certificates; to be moved away like the registrar's key.
    tls_root_key = "tls/root.key";
    /// Server certificate.
    tls_certificate = "tls/server.pem";
    /// Its key.
    tls_key = "tls/server.key";
    /// The database.
    database = "postfach.db";
    /// Ciphertext of attachments.
    blobs = "blobs";
    /// The last signed checkpoints, outside the database.
    checkpoints = "checkpoints";
    /// What a backup keeps for its own time: a copy of the database. Swept at the next start.
    backup_work = "backup.tmp";
    /// Says that the folder was restored from a backup, and what was decided about it.
    restored = "restored.json";
    /// There while a restore has not come to its end.
    restoring = ".restoring";
    /// Held by whoever works on the folder.
    lock = "lock";
    /// Where a running server takes the operator's commands.
    admin_socket = "admin.sock";
}

/// Holds the data folder until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl Folder {
    /// A folder that may or may not exist.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fails unless `init` has been here.
    pub fn require_deployment(&self) -> Outcome<()> {
        if self.config().is_file() {
            return Ok(());
        }
        if self.restoring().exists() {
            return Err(Failure::new(
                Exit::Conflict,
                "RESTORE_INCOMPLETE",
                format!("A restore into {} has not come to its end.", self.0.display()),
                "Wait for it, or run `postfachd backup restore` again: it begins anew.",
            ));
        }
        Err(Failure::new(
            Exit::NotFound,
            "NO_DEPLOYMENT",
            format!("{} holds no deployment.", self.0.display()),
            "Name the folder with --data, or make one with `postfachd init`.",
        ))
    }

    /// Takes the folder for this process; `None` where another one has it.
    pub fn try_lock(&self) -> Outcome<Option<FolderLock>> {
        let path = self.lock();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Failure::file(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FolderLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Failure::file(&path, &error)),
        }
    }

    /// Takes the folder or says who is in the way.
    pub fn lock_now(&self) -> Outcome<FolderLock> {
        self.try_lock()?.ok_or_else(|| {
            Failure::new(
                Exit::Conflict,
                "FOLDER_IN_USE",
                format!("Another postfachd works on {}.", self.0.display()),
                "Stop it first, or use its running server.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        let held = folder.lock_now().unwrap();
        assert!(folder.try_lock().unwrap().is_none());
        assert_eq!(folder.lock_now().unwrap_err().exit, Exit::Conflict);
        drop(held);
        assert!(folder.try_lock().unwrap().is_some());
    }

    #[test]
    fn an_empty_folder_is_no_deployment() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Folder::at(dir.path()).require_deployment().unwrap_err().exit, Exit::NotFound);
    }
}
