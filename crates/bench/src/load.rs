//! A closed loop of callers: each makes its next call when the last one was answered.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::{Figure, Latency};

/// Makes `count` calls, `callers` at a time; call `i` is `work(caller, i)`. Fails with the first call that fails.
pub async fn run<F>(
    name: &str,
    callers: usize,
    count: usize,
    work: impl Fn(usize, usize) -> F + Send + Sync + 'static,
) -> Result<Figure>
where
    F: Future<Output = Result<()>> + Send,
{
    let (work, next) = (Arc::new(work), Arc::new(AtomicUsize::new(0)));
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (work, next) = (Arc::clone(&work), Arc::clone(&next));
        tasks.spawn(async move {
            let mut samples: Vec<Duration> = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(samples);
                }
                let begin = Instant::now();
                work(caller, index).await?;
                samples.push(begin.elapsed());
            }
        });
    }
    let mut samples = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        samples.extend(done??);
    }
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let per_second = samples.len() as f64 / begin.elapsed().as_secs_f64();
    Ok(Figure {
        name: name.to_owned(),
        per_second,
        latency: Latency::of(samples),
        server_cores: None,
        verified: 0,
    })
}
