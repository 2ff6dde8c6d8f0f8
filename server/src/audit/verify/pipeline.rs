//! Reading on one side, checking on all cores, and putting together in the order of reading: memory stays flat because
//! only a few pages are on their way.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::problem::{Checked, Failure};

/// Runs `source` until it has no more, `work` on other threads, and `sink` on what comes back, in order. The first
/// failure in that order ends it.
pub async fn in_order<I, O>(
    mut source: impl AsyncFnMut() -> Checked<Option<I>>,
    work: Arc<dyn Fn(I) -> Checked<O> + Send + Sync>,
    mut sink: impl FnMut(O) -> Checked<()>,
) -> Checked<()>
where
    I: Send + 'static,
    O: Send + 'static,
{
    let width = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
    let mut under_way: VecDeque<JoinHandle<Checked<O>>> = VecDeque::new();
    let mut more = true;
    loop {
        while more && under_way.len() < width {
            match source().await? {
                Some(page) => {
                    let work = work.clone();
                    under_way.push_back(tokio::task::spawn_blocking(move || work(page)));
                }
                None => more = false,
            }
        }
        let Some(next) = under_way.pop_front() else { return Ok(()) };
        sink(next.await.map_err(|error| Failure::Unreadable(error.to_string()))??)?;
    }
}
