//! Reading on one thread, checking on all cores, and putting together in the order of reading: memory stays flat because
//! only a few pages are on their way.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use super::problem::{Checked, Failure};

/// A page on its way to a core, and where the outcome goes.
type Job<I, O> = (I, SyncSender<Checked<O>>);

/// Runs `source` until it has no more, `work` on other threads, and `sink` on what comes back, in order. The first
/// failure in that order ends it. Blocks the thread, and needs a runtime for `source`.
pub fn in_order<I: Send, O: Send>(
    source: impl AsyncFnMut() -> Checked<Option<I>> + Send,
    work: impl Fn(I) -> Checked<O> + Sync,
    mut sink: impl FnMut(O) -> Checked<()>,
) -> Checked<()> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (jobs, waiting) = sync_channel(cores);
    let (order, outcomes) = sync_channel(2 * cores);
    let (waiting, runtime) = (Mutex::new(waiting), Handle::current());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| check(&waiting, &work));
        }
        scope.spawn(move || read(&runtime, source, &jobs, &order));
        for outcome in outcomes {
            let gone = |_| Failure::Unreadable("a checking thread ended".into());
            sink(outcome.recv().map_err(gone)??)?;
        }
        // Leaving early ends the reader, whose next page nobody takes, and then the checkers.
        Ok(())
    })
}

fn read<I, O>(
    runtime: &Handle,
    mut source: impl AsyncFnMut() -> Checked<Option<I>>,
    jobs: &SyncSender<Job<I, O>>,
    order: &SyncSender<Receiver<Checked<O>>>,
) {
    loop {
        let (outcome, wait) = sync_channel(1);
        let page = runtime.block_on(source()).transpose();
        let Some(page) = page else { return };
        let failed = page.is_err();
        let sent = match page {
            Ok(page) => jobs.send((page, outcome)).is_ok(),
            Err(failure) => outcome.send(Err(failure)).is_ok(),
        };
        if !sent || order.send(wait).is_err() || failed {
            return;
        }
    }
}

fn check<I, O>(waiting: &Mutex<Receiver<Job<I, O>>>, work: impl Fn(I) -> Checked<O>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((page, outcome)) = next else { return };
        // Nobody waits where an earlier page failed.
        let _ = outcome.send(work(page));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wrong(what: &str) -> Failure {
        Failure::Unreadable(what.into())
    }

    fn run(fail_at: u64, bad_at: u64) -> (Vec<u64>, Checked<()>) {
        let (mut next, mut seen) = (0, Vec::new());
        let source = async || {
            next += 1;
            match next {
                n if n == fail_at => Err(wrong("source")),
                n if n > 100 => Ok(None),
                n => Ok(Some(n)),
            }
        };
        let work = |n: u64| {
            // Later pages may well be done first.
            std::thread::sleep(std::time::Duration::from_micros(n % 7 * 50));
            if n == bad_at { Err(wrong("work")) } else { Ok(n * n) }
        };
        let outcome = in_order(source, work, |n| {
            seen.push(n);
            Ok(())
        });
        (seen, outcome)
    }

    #[tokio::test]
    async fn outcomes_come_in_order() {
        let (seen, outcome) = run(0, 0);
        assert_eq!(outcome, Ok(()));
        assert_eq!(seen, (1..=100).map(|n| n * n).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_first_failure_ends_it() {
        assert_eq!(run(0, 40), ((1..40).map(|n| n * n).collect(), Err(wrong("work"))));
        assert_eq!(run(30, 40), ((1..30).map(|n| n * n).collect(), Err(wrong("source"))));
        assert_eq!(run(1, 0), (Vec::new(), Err(wrong("source"))));
    }
}
