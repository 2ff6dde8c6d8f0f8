//! How calls come: a closed loop of callers, each of whom makes the next call when the last one was answered; or arrivals that
//! wait for nobody.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::Rng as _;
use rand::rngs::OsRng;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

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

/// Makes `count` calls that arrive by chance, so many a second on average, whatever became of those before. Gives the number of
/// each with the time from when it was due to its answer. Fails with the first call that fails.
pub async fn arrivals<F>(
    per_second: usize,
    count: usize,
    work: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Result<Vec<(usize, Duration)>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let schedule = schedule(per_second, count, || OsRng.r#gen());
    let (runtime, (done, mut answers)) = (Handle::current(), mpsc::unbounded_channel());
    // A thread of its own: the runtime's timers have whole milliseconds, and it may be busy.
    let pacer = std::thread::spawn(move || {
        let begin = Instant::now();
        for (index, after) in schedule.into_iter().enumerate() {
            let due = begin + after;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (call, done) = (work(index), done.clone());
            runtime.spawn(async move {
                let outcome = call.await;
                // Nobody listens once a call has failed.
                let _ = done.send((index, due.elapsed(), outcome));
            });
        }
    });
    let mut samples = Vec::with_capacity(count);
    while let Some((index, took, outcome)) = answers.recv().await {
        outcome?;
        samples.push((index, took));
    }
    pacer.join().map_err(|_| anyhow::anyhow!("the pacer failed"))?;
    Ok(samples)
}

/// When each call is due: a Poisson process, from chance that is even between 0 and 1.
#[allow(clippy::cast_precision_loss)] // far below 2^52
fn schedule(per_second: usize, count: usize, mut chance: impl FnMut() -> f64) -> Vec<Duration> {
    let mut at = 0.0;
    let next = |_| {
        at -= (1.0 - chance()).ln() / per_second.max(1) as f64;
        Duration::from_secs_f64(at)
    };
    (0..count).map(next).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrivals_have_the_rate_on_average() {
        let mut step = 0_u32;
        let mut even = || {
            step = (step + 611) % 1000;
            f64::from(step) / 1000.0
        };
        let schedule = schedule(500, 10_000, &mut even);
        assert!(schedule.is_sorted());
        let length = schedule.last().unwrap().as_secs_f64();
        assert!((19.5..20.5).contains(&length), "{length}");
        assert_eq!(super::schedule(500, 1, || 0.0), [Duration::ZERO]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_slow_call_delays_no_other_and_waiting_counts() {
        // One call takes a tenth of a second; a closed loop of one caller would take ten seconds.
        let begin = Instant::now();
        let slow = |_: usize| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        };
        let samples = arrivals(2000, 100, slow).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        assert_eq!(samples.len(), 100);
        assert!(samples.iter().all(|(_, took)| *took >= Duration::from_millis(100)));
    }

    #[tokio::test]
    async fn a_call_that_fails_fails_the_run() {
        let failing = |index: usize| async move {
            anyhow::ensure!(index != 7, "seven");
            Ok(())
        };
        assert!(arrivals(10_000, 20, failing).await.is_err());
    }
}
