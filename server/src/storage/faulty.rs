//! A store that fails at a chosen step, once: *failed* (nothing was done) or *failed but stored* (done, and the caller
//! told otherwise); or that keeps silent about commits that are done. For tests of what must survive all of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use postfach_domain::time::Timestamp;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::{Marks, Notices, Query, Row, Sql, Store, StoreError, Tx, Value, Work};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step is not done.
    Failed,
    /// The step is done and reported as failed.
    FailedButStored,
}

/// Which steps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steps {
    /// Those of writing transactions: begin, each statement, commit.
    Writing,
    /// These, questions outside of them, housekeeping, and everything that is asked of the blob store.
    All,
}

/// A fault that is to come.
#[derive(Debug)]
struct Coming {
    /// Steps to go.
    left: u64,
    fault: Fault,
    steps: Steps,
    /// Everything after it fails too, as on a disk that is gone.
    lasting: bool,
    happened: bool,
}

/// Counts steps, and fails at one of them.
#[derive(Debug, Default)]
pub struct Plan(Mutex<Option<Coming>>);

impl Plan {
    fn set(&self, coming: Option<Coming>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = coming;
    }

    /// What happens at this step.
    fn step(&self, of: Steps) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = plan.as_mut().filter(|coming| coming.steps == Steps::All || of == Steps::Writing)?;
        if coming.left > 0 {
            coming.left -= 1;
            return None;
        }
        let fault = coming.fault;
        if coming.lasting {
            coming.happened = true;
            // Nothing is stored any more once the disk is gone.
            coming.fault = Fault::Failed;
        } else {
            *plan = None;
        }
        Some(fault)
    }

    /// A step of the blob store.
    pub fn blob_step(&self) -> Option<Fault> {
        self.step(Steps::All)
    }
}

/// Wraps a store.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Arc<Plan>,
    gate: Arc<RwLock<()>>,
    /// Reads outside writing transactions.
    asked: AtomicU64,
    /// Other nodes are not to be known of.
    alone: bool,
}

/// While it lives, commits are done and not reported.
pub type Silence = OwnedRwLockWriteGuard<()>;

fn broken() -> StoreError {
    StoreError::Unavailable("fault on purpose".into())
}

impl FaultyStore {
    /// Works like the store inside until told otherwise.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Arc::default(), gate: Arc::default(), asked: AtomicU64::new(0), alone: false }
    }

    /// The same, as if no other node could work on the data.
    pub fn alone(inner: Arc<dyn Store>) -> Self {
        Self { alone: true, ..Self::new(inner) }
    }

    /// Fails once, after so many steps of writing transactions.
    pub fn fail_after(&self, steps: u64, fault: Fault) {
        self.plan.set(Some(Coming {
            left: steps,
            fault,
            steps: Steps::Writing,
            lasting: false,
            happened: false,
        }));
    }

    /// Fails after so many steps of any kind, of blobs too; once, or from there on until mended.
    pub fn fail_any_after(&self, steps: u64, fault: Fault, lasting: bool) {
        self.plan.set(Some(Coming { left: steps, fault, steps: Steps::All, lasting, happened: false }));
    }

    /// Nothing fails any more. Answers whether something did.
    pub fn mend(&self) -> bool {
        let mut plan = self.plan.0.lock().unwrap_or_else(PoisonError::into_inner);
        plan.take().is_none_or(|coming| coming.happened)
    }

    /// What else is to fail by the same plan.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// From now on commits are done and not reported: what they wrote can be read, and nobody was told of it.
    pub async fn keep_silent(&self) -> Silence {
        Arc::clone(&self.gate).write_owned().await
    }

    /// How often the store was asked outside writing transactions.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// True while the planned fault has not happened.
    pub fn is_waiting(&self) -> bool {
        self.plan.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Store for FaultyStore {
    fn begin(&self) -> Work<'_, Box<dyn Tx>> {
        Box::pin(async move {
            let fault = self.plan.step(Steps::Writing);
            if fault == Some(Fault::Failed) {
                return Err(broken());
            }
            let inner = self.inner.begin().await?;
            if fault.is_some() {
                inner.rollback().await?;
                return Err(broken());
            }
            let (plan, gate) = (self.plan.clone(), self.gate.clone());
            Ok(Box::new(FaultyTx { inner, plan, gate }) as Box<dyn Tx>)
        })
    }

    fn snapshot(&self) -> Work<'_, Box<dyn Query>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.plan.step(Steps::All) {
            None => self.inner.snapshot(),
            Some(_) => Box::pin(async { Err(broken()) }),
        }
    }

    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.plan.step(Steps::All) {
            None => self.inner.ask(sql, args),
            Some(_) => Box::pin(async { Err(broken()) }),
        }
    }

    fn marks(&self) -> Marks {
        self.inner.marks()
    }

    fn now(&self) -> Work<'_, Option<Timestamp>> {
        // Tests move the node's clock.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn is_shared(&self) -> bool {
        !self.alone && self.inner.is_shared()
    }

    fn notices(&self) -> Work<'_, Box<dyn Notices>> {
        self.inner.notices()
    }

    fn tidy(&self, thorough: bool) -> Work<'_, ()> {
        // What runs every second by itself does not count: the number of a step would be chance.
        let fault = if thorough { self.plan.step(Steps::All) } else { None };
        match fault {
            None => self.inner.tidy(thorough),
            Some(Fault::Failed) => Box::pin(async { Err(broken()) }),
            Some(Fault::FailedButStored) => Box::pin(async move {
                self.inner.tidy(thorough).await?;
                Err(broken())
            }),
        }
    }

    fn close(&self) -> Work<'_, ()> {
        self.inner.close()
    }
}

struct FaultyTx {
    inner: Box<dyn Tx>,
    plan: Arc<Plan>,
    gate: Arc<RwLock<()>>,
}

impl Query for FaultyTx {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        match self.plan.step(Steps::Writing) {
            None => self.inner.fetch(sql, args),
            Some(_) => Box::pin(async { Err(broken()) }),
        }
    }

    fn marks(&self) -> Marks {
        self.inner.marks()
    }
}

impl Tx for FaultyTx {
    fn now(&self) -> Option<Timestamp> {
        // Tests move the node's clock.
        None
    }

    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64> {
        match self.plan.step(Steps::Writing) {
            None => self.inner.execute(sql, args),
            Some(Fault::Failed) => Box::pin(async { Err(broken()) }),
            Some(Fault::FailedButStored) => Box::pin(async move {
                self.inner.execute(sql, args).await?;
                Err(broken())
            }),
        }
    }

    fn announce(&mut self, notice: String) -> Work<'_, ()> {
        match self.plan.step(Steps::Writing) {
            None => self.inner.announce(notice),
            Some(_) => Box::pin(async { Err(broken()) }),
        }
    }

    fn commit(self: Box<Self>) -> Work<'static, ()> {
        match self.plan.step(Steps::Writing) {
            None => Box::pin(async move {
                let committed = self.inner.commit().await;
                drop(self.gate.read().await);
                committed
            }),
            Some(Fault::Failed) => Box::pin(async move {
                self.inner.rollback().await?;
                Err(broken())
            }),
            Some(Fault::FailedButStored) => Box::pin(async move {
                self.inner.commit().await?;
                Err(broken())
            }),
        }
    }

    fn rollback(self: Box<Self>) -> Work<'static, ()> {
        self.inner.rollback()
    }
}
