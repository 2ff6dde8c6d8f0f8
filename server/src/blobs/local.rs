//! Segments as files in a folder, each at its [`SegmentName::path`]. A segment is written beside its name, flushed, renamed, and the
//! folders are flushed before the answer. That a folder is there does not say that its name is on disk: whoever made it
//! may have failed, or died, before the flush.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand_core::RngCore as _;

use tokio::sync::mpsc::{Sender, channel};

use super::{BlobError, BlobKey, BlobStore, BlobWork, Deletion, Hold, NAMES, Names, SegmentName};
use crate::clock::system_chance;
use crate::durable::sync_folder;
use crate::halves::Halves;

/// Blobs in a local folder.
#[derive(Debug)]
pub struct LocalBlobs {
    root: PathBuf,
    /// Makes temporary names differ from those of other processes.
    run: u64,
    /// Makes them differ within this process.
    counter: AtomicU64,
    /// Folders whose names are on disk, as far as this process has seen to it. Held while folders are made.
    folders: Arc<Mutex<Known>>,
}

type Known = Halves<PathBuf, ()>;

/// Writing a segment takes seconds: after this time whoever began it is gone.
const LEFT: Duration = Duration::from_hours(1);
/// Folders in each half of what is known, some 100 bytes each.
const FOLDERS: usize = 32 * 1024;

/// Keeps a folder to its holder, in whichever process, until it is dropped: an exclusive lock (flock) on the folder. The
/// system takes it back when its holder dies.
#[derive(Debug)]
pub struct FolderHold {
    _folder: File,
}

impl FolderHold {
    /// Takes it; `None` where another one has it.
    pub fn take(root: &Path) -> io::Result<Option<Self>> {
        Self::locked(root, File::try_lock)
    }

    /// For deleting: beside others who delete, but not beside a holder.
    fn share(root: &Path) -> io::Result<Option<Self>> {
        Self::locked(root, File::try_lock_shared)
    }

    fn locked(root: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> io::Result<Option<Self>> {
        let folder = File::open(root)?;
        match lock(&folder) {
            Ok(()) => Ok(Some(Self { _folder: folder })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Where writes begin. No segment has such a path.
const INCOMING: &str = "incoming";

impl LocalBlobs {
    /// Opens a folder, makes it if absent, and removes what an interrupted write left behind.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        root.parent().map_or(Ok(()), sync_folder)?;
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        fs::create_dir(&incoming)?;
        sync_folder(root)?;
        Ok(Self::beside(root))
    }

    /// The same beside other processes that write there: only what nobody can be writing any more is removed.
    pub fn open_shared(root: &Path) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        fs::create_dir_all(&incoming)?;
        root.parent().map_or(Ok(()), sync_folder)?;
        sync_folder(root)?;
        let blobs = Self::beside(root);
        // The clock of the folder, which need not be that of this machine.
        let mark = blobs.temporary();
        let now = File::create_new(&mark)?.metadata()?.modified()?;
        for entry in fs::read_dir(&incoming)? {
            let entry = entry?;
            let age =
                entry.metadata().and_then(|metadata| metadata.modified()).map(|at| now.duration_since(at));
            if entry.path() == mark || matches!(age, Ok(Ok(age)) if age > LEFT) {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(blobs)
    }

    /// A folder as it is, beside the process that writes; for reading and holding.
    pub fn beside(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            run: system_chance().next_u64(),
            counter: AtomicU64::new(0),
            folders: Arc::new(Mutex::new(Halves::new(FOLDERS))),
        }
    }

    fn folder(&self, blob: BlobKey) -> PathBuf {
        self.root.join(blob.folder())
    }

    fn segment(&self, name: SegmentName) -> PathBuf {
        self.root.join(name.path())
    }

    fn temporary(&self) -> PathBuf {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        self.root.join(INCOMING).join(format!("{:016x}-{number}", self.run))
    }
}

impl BlobStore for LocalBlobs {
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()> {
        let (root, target, temporary) = (self.root.clone(), self.segment(name), self.temporary());
        let folders = self.folders.clone();
        off_thread(move || {
            let outcome = store(&root, &folders, &target, &temporary, &bytes);
            if outcome.is_err() {
                // The next start removes it if this fails too.
                let _ = fs::remove_file(&temporary);
            }
            outcome
        })
    }

    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes> {
        let path = self.segment(name);
        off_thread(move || fs::read(path).map(Bytes::from))
    }

    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion> {
        let (root, folder) = (self.root.clone(), self.folder(blob));
        off_thread(move || {
            let Some(_shared) = FolderHold::share(&root)? else { return Ok(Deletion::Held) };
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => folder.parent().filter(|parent| parent.exists()).map_or(Ok(()), sync_folder)?,
            }
            Ok(Deletion::Done)
        })
    }

    fn hold(&self) -> BlobWork<'_, Option<Hold>> {
        let root = self.root.clone();
        off_thread(move || Ok(FolderHold::take(&root)?.map(Hold::Folder)))
    }

    fn names(&self) -> Names {
        let (root, (sender, names)) = (self.root.clone(), channel(NAMES));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = list(&root, "", &sender) {
                let _ = sender.blocking_send(Err(BlobError::Unavailable(error.to_string())));
            }
        });
        names
    }
}

/// Sends the paths of all files below a folder, in order. A folder that is gone meanwhile has none. Ends early where nobody
/// listens.
fn list(folder: &Path, above: &str, names: &Sender<Result<String, BlobError>>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?.collect::<io::Result<Vec<_>>>()?,
    };
    let mut entries: Vec<_> = entries.into_iter().map(|entry| (entry.file_name(), entry)).collect();
    entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (name, entry) in entries {
        let path = format!("{above}{}", name.to_string_lossy());
        if path == INCOMING {
            continue;
        }
        let listed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => list(&entry.path(), &format!("{path}/"), names),
            Ok(_) if names.blocking_send(Ok(path)).is_err() => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        listed?;
    }
    Ok(())
}

fn store(
    root: &Path,
    folders: &Mutex<Known>,
    target: &Path,
    temporary: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // Safe because every target lies in a folder of its own below the root.
    let folder = target.parent().expect("a segment lies in a folder");
    let mut known = folders.lock().unwrap_or_else(PoisonError::into_inner);
    make_folders(root, folder, &mut known)?;
    drop(known);
    fs::rename(temporary, target)?;
    sync_folder(folder)
}

/// Makes the folder where it is missing, and flushes each parent whose entry is not known to be on disk.
fn make_folders(root: &Path, folder: &Path, known: &mut Known) -> io::Result<()> {
    if folder == root || (known.get(&folder.to_owned()).is_some() && folder.exists()) {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folders(root, parent, known)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    known.remove(&folder.to_owned());
    sync_folder(parent)?;
    known.insert(folder.to_owned(), ());
    Ok(())
}

fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> BlobWork<'static, T> {
    Box::pin(async move {
        let outcome = tokio::task::spawn_blocking(work).await;
        let outcome = outcome.map_err(|error| BlobError::Unavailable(error.to_string()))?;
        outcome.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::NotFound,
            _ => BlobError::Unavailable(error.to_string()),
        })
    })
}
