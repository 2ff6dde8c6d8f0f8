//! Names that survive a power cut: a file's or folder's entry is on disk once the folder above it was flushed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Flushes a folder's entries.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let here = Path::new(".");
    File::open(if folder.as_os_str().is_empty() { here } else { folder })?.sync_all()
}

/// Makes a folder with this mode, and those above it that are missing; their names are on disk when it returns.
pub(crate) fn make_folders(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folders(above, mode)?;
    DirBuilder::new().mode(mode).create(folder)?;
    sync_folder(above)
}

/// Flushes a file if there is one: what another process left to the kernel.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
