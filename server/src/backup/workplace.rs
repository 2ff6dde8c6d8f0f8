//! Places of a command's own: a folder or a file that goes on every way out. What a killed command left is swept by the
//! next one, and at the server's start.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::blobs::FolderHold;
use crate::deployment::folder::Folder;
use crate::durable::sync_folder;
use crate::failure::{Failure, Outcome};

/// A private folder, removed when dropped.
#[derive(Debug)]
pub struct Workplace(PathBuf);

impl Workplace {
    /// Makes it anew with mode 0700. The caller knows that nobody else works there.
    pub fn make(path: &Path) -> Outcome<Self> {
        remove_folder(path)?;
        DirBuilder::new().mode(0o700).create(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a private folder stays behind until the next start");
        }
    }
}

/// A file under a temporary name, removed when dropped, unless it was kept.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    kept: bool,
}

impl Partial {
    /// Makes `<target>.partial` with mode 0600, in place of what a killed command left there.
    pub fn make(target: &Path) -> Outcome<(Self, File)> {
        let mut name = target.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file(&path, &error));
            }
            _ => {}
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Failure::file(&path, &error))?;
        Ok((Self { path, kept: false }, file))
    }

    /// Flushes it and gives it its name, durably; answers its length in bytes.
    pub fn keep(mut self, target: &Path) -> Outcome<u64> {
        let keep = || {
            let file = File::open(&self.path)?;
            file.sync_all()?;
            fs::rename(&self.path, target)?;
            sync_folder(&folder_of(target))?;
            Ok(file.metadata()?.len())
        };
        let length = keep().map_err(|error: io::Error| Failure::file(target, &error))?;
        self.kept = true;
        Ok(length)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // The next try makes it anew.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Lets one backup at a time be made of a data folder; `None` where one is at work.
pub fn alone(folder: &Folder) -> Outcome<Option<FolderHold>> {
    FolderHold::take(folder.path()).map_err(|error| Failure::file(folder.path(), &error))
}

/// Removes what a killed `backup create` left in the data folder, unless one is at work.
pub fn sweep(folder: &Folder) -> Outcome<()> {
    let path = folder.backup_work();
    if !path.exists() {
        return Ok(());
    }
    match alone(folder)? {
        Some(_alone) => remove_folder(&path),
        None => Ok(()),
    }
}

/// Removes a folder with all that is in it; nothing where it is absent.
pub fn remove_folder(path: &Path) -> Outcome<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(path, &error)),
        _ => Ok(()),
    }
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
