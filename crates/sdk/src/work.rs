//! Blocking work (files, age) off the async threads, stopped when nobody waits for it any more.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::progress::Progress;

/// Told to the work when its caller went away.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::Error::other("cancelled")) } else { Ok(()) }
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread for blocking work. If the future is dropped, the work is told by its [`Cancel`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Cancel) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let cancel = Cancel::default();
    let guard = CancelOnDrop(cancel.clone());
    let result = tokio::task::spawn_blocking(move || work(&cancel)).await;
    drop(guard);
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::local("background work", io::Error::other("the runtime stopped"))),
        },
    }
}

/// Counts what is read, tells it, and stops when cancelled.
pub(crate) struct Watched<'a, R> {
    pub(crate) inner: R,
    pub(crate) cancel: &'a Cancel,
    pub(crate) progress: &'a Progress,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        let n = self.inner.read(buffer)?;
        self.done += n as u64;
        (self.progress)(self.done.min(self.total), self.total);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_is_told_when_nobody_waits() {
        let (told, hears) = std::sync::mpsc::channel();
        let work = blocking(move |cancel| {
            while cancel.check().is_ok() {
                std::thread::yield_now();
            }
            told.send(()).map_err(|e| Error::local("test", io::Error::other(e)))
        });
        assert!(tokio::time::timeout(Duration::from_millis(5), work).await.is_err());
        hears.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[tokio::test]
    async fn results_come_back() {
        assert_eq!(blocking(|_| Ok(5)).await.unwrap(), 5);
    }
}
