//! The committer: the one place where the server changes anything. It takes all operations that wait, applies them in
//! memory through the pure rules, writes facts and evidence in one transaction, and answers each caller once the
//! commit is known good. While one batch is flushed the next one gathers.

mod batch;
mod changes;
mod needs;
mod table;
mod working_set;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postfach_domain::decide::Refusal;
use postfach_domain::time::Timestamp;
use postfach_ledger::hash::Hash;
use postfach_ledger::vkey::LogSigner;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Chance, StoreClock};
use crate::evidence::{Checkpoints, LoggedEvent};
use crate::key_book::KeyBook;
use crate::logs::LogView;
use crate::storage::{Store, StoreError};
use crate::watch::Hub;
pub use needs::Needs;
pub use working_set::{Concerns, WorkingSet};

/// Operations of one batch at most.
const BATCH: usize = 256;
/// Bytes of one batch at most, as far as operations know their weight: 16 MiB.
const BATCH_BYTES: usize = 16 << 20;
/// Operations that may wait before callers are held back.
const WAITING: usize = 1024;
/// How long an operation may take to fail before the next ones are not tried.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far the newest logged instant may lie ahead of the clock, in milliseconds (SPEC 5).
const CLOCK_TOLERANCE_MS: u64 = 5000;

/// Something that changes what is stored. Signatures, hashes and forms were checked before; here only what depends on
/// the state counts.
pub trait Operation: Send + Sync + std::fmt::Debug + 'static {
    /// True where it adds to the keys log: such operations come first in a batch (SPEC 5).
    fn extends_keys(&self) -> bool {
        false
    }

    /// Bytes that it will write, roughly.
    fn weight(&self) -> usize {
        1024
    }

    /// What must be loaded to decide.
    fn needs(&self, needs: &mut Needs);

    /// What must be loaded besides, once the first answers are there.
    fn needs_then(&self, _set: &WorkingSet, _needs: &mut Needs) {}

    /// Decides and, where the answer is yes, changes the working set. An error leaves the set as it was. May run
    /// again on a fresh set if storing failed.
    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal>;
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Leaves were added: indexes in the keys log and in the evidence log.
    Logged {
        /// In the keys log.
        keys: Vec<u64>,
        /// In the evidence log.
        events: Vec<u64>,
    },
    /// It was done before; the index of its event, where it has one.
    Known(Option<u64>),
    /// Stored, nothing logged.
    Stored,
    /// A rule says no, and what the caller left elsewhere is noted to be cleaned away.
    Refused(Refusal),
}

/// What the caller of an operation learns. Everything in it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Leaves were added.
    Logged {
        /// Index and audit path in the keys log.
        keys: Vec<(u64, Vec<Hash>)>,
        /// In the evidence log.
        events: Vec<LoggedEvent>,
        /// Over both.
        checkpoints: Checkpoints,
    },
    /// It was done before; the index of its event, where it has one.
    Known(Option<u64>),
    /// Stored, nothing logged.
    Stored,
}

/// Why an operation was not done.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// A rule says no.
    Refused(Refusal),
    /// The newest logged instant lies too far ahead of the clock.
    ClockBehind(Timestamp),
    /// Storing failed; whether it was stored is unknown, and repeating it is safe.
    Failed(StoreError),
    /// The committer takes nothing more.
    Closed,
}

/// An operation on its way.
struct Job {
    operation: Box<dyn Operation>,
    answer: oneshot::Sender<Result<Outcome, Rejected>>,
}

/// An operation that waits for its batch.
struct Pending(oneshot::Receiver<Result<Outcome, Rejected>>);

impl Pending {
    async fn answer(self) -> Result<Outcome, Rejected> {
        self.0.await.map_err(|_| Rejected::Closed)?
    }
}

/// What the committer works with.
pub struct Parts {
    /// Where everything is stored.
    pub store: Arc<dyn Store>,
    /// What readers see.
    pub view: Arc<LogView>,
    /// Signs checkpoints of the keys log.
    pub keys_signer: Arc<LogSigner>,
    /// Signs checkpoints of the evidence log.
    pub evidence_signer: Arc<LogSigner>,
    /// The deployment's clock; each transaction sets it.
    pub clock: Arc<StoreClock>,
    /// For salts.
    pub chance: Chance,
    /// Keys that are remembered outside, to be struck out when they change.
    pub keys: Arc<KeyBook>,
    /// Told what was added.
    pub hub: Arc<Hub>,
}

/// Hands operations to the committer's thread.
#[derive(Debug)]
pub struct Committer {
    jobs: std::sync::Mutex<Option<mpsc::Sender<Job>>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
    healthy: Arc<AtomicBool>,
}

impl Committer {
    /// Starts the thread. It has a runtime of its own, so that an engine may work right on it.
    pub fn start(parts: Parts) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let healthy = Arc::new(AtomicBool::new(true));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (engine, seen) = (batch::Engine::new(parts), healthy.clone());
        let work = move || runtime.block_on(run(engine, waiting, seen));
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(work)?;
        Ok(Self {
            jobs: std::sync::Mutex::new(Some(jobs)),
            thread: std::sync::Mutex::new(Some(thread)),
            healthy,
        })
    }

    /// Does one operation and waits until it is durable. If the caller goes away, it may be done all the same.
    pub async fn submit(&self, operation: impl Operation) -> Result<Outcome, Rejected> {
        self.hand_in(operation).await?.answer().await
    }

    /// Does several operations, each for itself, and waits until all are durable; answers in their order. They share
    /// batches as far as these go.
    pub async fn submit_all(
        &self,
        operations: impl IntoIterator<Item = impl Operation>,
    ) -> Vec<Result<Outcome, Rejected>> {
        let mut waiting = Vec::new();
        for operation in operations {
            waiting.push(self.hand_in(operation).await);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for one in waiting {
            answers.push(match one {
                Ok(pending) => pending.answer().await,
                Err(rejected) => Err(rejected),
            });
        }
        answers
    }

    /// Queues an operation; waits while too many do.
    async fn hand_in(&self, operation: impl Operation) -> Result<Pending, Rejected> {
        let jobs = lock(&self.jobs).clone().ok_or(Rejected::Closed)?;
        let (answer, wait) = oneshot::channel();
        let job = Job { operation: Box::new(operation), answer };
        jobs.send(job).await.map_err(|_| Rejected::Closed)?;
        Ok(Pending(wait))
    }

    /// False while the last batch could not be stored, and after closing.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && lock(&self.jobs).is_some()
    }

    /// Storing is said not to work; the next operation that is stored says otherwise.
    pub fn doubt(&self) {
        self.healthy.store(false, Ordering::Relaxed);
    }

    /// Takes nothing more and finishes what waits.
    pub async fn close(&self) {
        lock(&self.jobs).take();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(())))
        {
            tracing::error!("the committer ended with a panic");
        }
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn run(mut engine: batch::Engine, mut waiting: mpsc::Receiver<Job>, healthy: Arc<AtomicBool>) {
    while let Some(first) = waiting.recv().await {
        let jobs = gather(first, &mut waiting);
        let operations: Vec<&dyn Operation> = jobs.iter().map(|job| &*job.operation).collect();
        let answers = match engine.batch(&operations).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(%error, operations = operations.len(), "batch failed, trying one by one");
                one_by_one(&mut engine, &operations).await
            }
        };
        let sick = |answer: &Result<_, Rejected>| matches!(answer, Err(Rejected::Failed(_)));
        // Only what was written shows that writing works.
        let wrote = |answer: &Result<_, _>| matches!(answer, Ok(Outcome::Logged { .. } | Outcome::Stored));
        if answers.iter().any(sick) {
            healthy.store(false, Ordering::Relaxed);
        } else if answers.iter().any(wrote) {
            healthy.store(true, Ordering::Relaxed);
        }
        for (job, answer) in jobs.into_iter().zip(answers) {
            // The caller may have gone away; what was done stays done.
            let _ = job.answer.send(answer);
        }
    }
}

/// All that waits, up to the limits. Never waits itself.
fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut weight = first.operation.weight();
    let mut jobs = vec![first];
    while jobs.len() < BATCH && weight < BATCH_BYTES {
        let Ok(job) = waiting.try_recv() else { break };
        weight += job.operation.weight();
        jobs.push(job);
    }
    jobs
}

/// After an unexpected error, whose outcome may be unknown: every operation finds out by its own idempotency key. An error
/// that takes long is not one operation's: the store is away, and the callers have waited enough.
async fn one_by_one(
    engine: &mut batch::Engine,
    operations: &[&dyn Operation],
) -> Vec<Result<Outcome, Rejected>> {
    let mut answers = Vec::with_capacity(operations.len());
    let mut away = None;
    for operation in operations {
        if let Some(error) = &away {
            answers.push(Err(Rejected::Failed(StoreError::clone(error))));
            continue;
        }
        let begun = Instant::now();
        let answer = match engine.batch(&[*operation]).await {
            Ok(mut answers) => answers.pop().unwrap_or(Err(Rejected::Closed)),
            Err(error) => {
                tracing::error!(%error, "operation failed");
                away = (begun.elapsed() > PATIENCE).then(|| error.clone());
                Err(Rejected::Failed(error))
            }
        };
        answers.push(answer);
    }
    answers
}

pub(crate) use batch::{clock_fits, try_out};
