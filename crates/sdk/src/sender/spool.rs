//! A file of sealed bytes that goes to the disk while it is written, so that nobody waits for all of it at the end. Only
//! [`SpoolFile::finish`] says that it is durable.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::files::create_private;

/// Bytes after which a flush is due.
const FLUSH_EVERY: usize = 32 * 1024 * 1024;

/// See the module.
pub(super) struct SpoolFile {
    file: File,
    unflushed: usize,
    flusher: Option<Flusher>,
}

struct Flusher {
    asked: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl SpoolFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: create_private(path)?, unflushed: 0, flusher: None })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unflushed += bytes.len();
        if self.unflushed >= FLUSH_EVERY {
            let flusher = match self.flusher.take() {
                Some(flusher) => flusher,
                None => Flusher::of(self.file.try_clone()?)?,
            };
            // One that is still busy takes these bytes with its next flush.
            if flusher.asked.try_send(()).is_ok() {
                self.unflushed = 0;
            }
            self.flusher = Some(flusher);
        }
        Ok(())
    }

    /// Makes all of it durable.
    pub(super) fn finish(self) -> io::Result<()> {
        // The system tells of a failed flush once: whoever heard of it passes it on.
        self.flusher.map_or(Ok(()), Flusher::end)?;
        self.file.sync_all()
    }
}

impl Flusher {
    fn of(file: File) -> io::Result<Self> {
        let (asked, asks) = sync_channel(1);
        let flush = move || asks.into_iter().try_for_each(|()| file.sync_data());
        let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(flush)?;
        Ok(Self { asked, thread })
    }

    fn end(self) -> io::Result<()> {
        drop(self.asked);
        match self.thread.join() {
            Ok(flushed) => flushed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
