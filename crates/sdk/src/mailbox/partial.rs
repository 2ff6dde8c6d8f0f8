//! The file into which an attachment is fetched: sealed, resumable, and one command's at a time. What it holds is checked
//! again whenever it is opened; what is wrong in it is fetched again and nobody's fault but this machine's.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postfach_domain::segments::{SEGMENT_LEN, segment_len};
use postfach_envelope::attachment::SegmentHashes;

use crate::error::Error;
use crate::work::Cancel;

/// Between two looks whether another command still fetches it.
const PAUSE: Duration = Duration::from_millis(50);
/// Another command fetches the same attachment into the same folder.
const BUSY: &str = "ATTACHMENT_BUSY";

/// A partial file that nobody else writes to until this is dropped.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Opens or makes it, and waits at most `patience` for whoever has it.
    pub(super) fn claim(path: &Path, patience: Duration, cancel: &Cancel) -> Result<Self, Error> {
        let local = |e| Error::local(path.display().to_string(), e);
        let begin = Instant::now();
        loop {
            let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
            let file = file.map_err(local)?;
            match file.try_lock() {
                // Whoever had it may have ended meanwhile, and have removed it.
                Ok(()) if is_at(&file, path) => return Ok(Self { path: path.to_owned(), file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begin.elapsed() < patience => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Conflict { reason: BUSY.to_owned(), request_id: None });
                }
                // Some network folders have no locks.
                Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { path: path.to_owned(), file });
                }
                Err(TryLockError::Error(e)) => return Err(local(e)),
            }
            cancel.check().map_err(local)?;
        }
    }

    /// How many segments at its beginning are whole and right.
    pub(super) fn checked_segments(
        &self,
        hashes: &SegmentHashes,
        ct_len: u64,
        cancel: &Cancel,
    ) -> Result<u64, Error> {
        self.read_segments(hashes, ct_len, cancel).map_err(|e| self.failed(e))
    }

    fn read_segments(&self, hashes: &SegmentHashes, ct_len: u64, cancel: &Cancel) -> io::Result<u64> {
        let mut file = BufReader::with_capacity(256 * 1024, self.rewound()?);
        let mut segment = Vec::new();
        for index in 0..hashes.count() {
            cancel.check()?;
            segment.clear();
            let len = segment_len(ct_len, index).unwrap_or(0) as u64;
            file.by_ref().take(len).read_to_end(&mut segment)?;
            if hashes.check(index, &segment).is_err() {
                return Ok(index);
            }
        }
        Ok(hashes.count())
    }

    /// Writes a checked segment; what stood behind it is gone.
    pub(super) fn write(&self, index: u64, data: &[u8]) -> Result<(), Error> {
        let write = || {
            let mut file = &self.file;
            file.set_len(index * SEGMENT_LEN as u64)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(data)
        };
        write().map_err(|e| self.failed(e))
    }

    /// What it holds, from the beginning.
    pub(super) fn rewound(&self) -> io::Result<&File> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Its content is saved, and it is not needed any more.
    pub(super) fn remove(&self) {
        // There is nothing to do if it cannot go; the next one that is saved there finds it.
        let _ = fs::remove_file(&self.path);
    }

    /// A failure of this file.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        Error::local(self.path.display().to_string(), error)
    }
}

/// True where the path still names this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Elsewhere a file that somebody has open does not lose its name.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::id::AttachmentId;
    use postfach_envelope::attachment::{Attachment, seal_attachment};
    use rand::SeedableRng as _;

    use super::*;

    fn claim(path: &Path, patience: Duration) -> Result<Partial, Error> {
        Partial::claim(path, patience, &Cancel::default())
    }

    /// Resuming starts at the first segment that is missing, cut or wrong.
    #[test]
    fn a_partial_file_counts_as_far_as_it_is_right() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let plain = vec![7u8; SEGMENT_LEN * 2];
        let mut sealed_bytes = Vec::new();
        let id = AttachmentId([1; 16]);
        let sealed =
            seal_attachment(id, plain.len() as u64, plain.as_slice(), &mut sealed_bytes, &mut rng).unwrap();
        let attachment = Attachment {
            id,
            name: "a".to_owned(),
            media_type: String::new(),
            plain_len: sealed.plain_len,
            plain_sha256: sealed.plain_sha256,
            ct_len: sealed.ct_len,
            ct_root: sealed.ct_root,
            identity: sealed.identity,
        };
        let hashes = SegmentHashes::verify(&attachment, sealed.leaves).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let count = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let partial = claim(&path, Duration::ZERO).unwrap();
            // Twice: reading moves within the file.
            let read = || partial.checked_segments(&hashes, sealed.ct_len, &Cancel::default()).unwrap();
            assert_eq!(read(), read());
            read()
        };
        assert_eq!(count(&sealed_bytes), hashes.count());
        assert_eq!(count(&sealed_bytes[..SEGMENT_LEN + 5]), 1);
        assert_eq!(count(&[]), 0);
        let mut wrong = sealed_bytes.clone();
        wrong[SEGMENT_LEN + 1] ^= 1;
        assert_eq!(count(&wrong), 1);
        // The next segment takes the place of what was wrong, and of all behind it.
        let partial = claim(&path, Duration::ZERO).unwrap();
        partial.write(1, &sealed_bytes[SEGMENT_LEN..2 * SEGMENT_LEN]).unwrap();
        assert!(fs::read(&path).unwrap() == sealed_bytes[..2 * SEGMENT_LEN]);
    }

    #[test]
    fn it_belongs_to_one_at_a_time_and_a_new_one_is_made_after_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let first = claim(&path, Duration::ZERO).unwrap();
        first.write(0, b"of the first").unwrap();
        let busy = claim(&path, Duration::from_millis(60)).err().unwrap();
        assert_eq!(busy.reason(), Some(BUSY));
        let waiting = {
            let path = path.clone();
            std::thread::spawn(move || claim(&path, Duration::from_mins(1)).unwrap().write(0, b"second"))
        };
        std::thread::sleep(4 * PAUSE);
        first.remove();
        drop(first);
        waiting.join().unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second", "not in the file that was removed");
    }
}
