//! Several commands may run on one profile: short locks around each change, and one for whoever syncs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::files::open_private;

const PAUSE: Duration = Duration::from_millis(20);

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another command holds it, and did so all the time.
    Busy,
    /// The file system says no.
    Io(io::Error),
}

/// Takes the lock at `path`, waiting at most `patience`.
pub fn lock(path: &Path, patience: Duration) -> Result<Lock, LockError> {
    let file = open_private(OpenOptions::new().create(true).truncate(false).write(true), path)
        .map_err(LockError::Io)?;
    let end = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(LockError::Busy),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let held = lock(&path, Duration::ZERO).unwrap();
        assert!(matches!(lock(&path, Duration::ZERO), Err(LockError::Busy)));
        drop(held);
        lock(&path, Duration::ZERO).unwrap();
    }
}
