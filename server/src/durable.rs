//! Names that survive a power cut: a file's or folder's entry is on disk once the folder above it was flushed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
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

/// Puts new content in the place of a file: whoever looks finds the old or the new, whole. The name is on disk once the
/// folder was flushed.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(mode).open(Path::new(&temporary))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Flushes a file if there is one: what another process left to the kernel.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
