//! Files that must be private and durable.

use std::fs::File;
use std::path::Path;

use crate::error::Error;

/// A new or emptied file that only its owner may read.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes new names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    let sync = || if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) };
    sync().map_err(|e| Error::local(folder.display().to_string(), e))
}
