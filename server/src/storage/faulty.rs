//! A store that fails at a chosen step, once: *failed* (nothing was done) or *failed but stored* (done, and the caller
//! told otherwise); or that keeps silent about commits that are done. For tests of what must survive all of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::{Marks, Query, Row, Sql, Store, StoreError, Tx, Value, Work};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step is not done.
    Failed,
    /// The step is done and reported as failed.
    FailedButStored,
}

/// Counts the steps of writing transactions (begin, each statement, commit) and fails at one of them.
#[derive(Debug, Default)]
struct Plan {
    /// Steps to go, and what happens then.
    next: Option<(u64, Fault)>,
}

impl Plan {
    fn step(&mut self) -> Option<Fault> {
        match &mut self.next {
            Some((0, fault)) => {
                let fault = *fault;
                self.next = None;
                Some(fault)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }
}

/// Wraps a store.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Arc<Mutex<Plan>>,
    gate: Arc<RwLock<()>>,
    /// Reads outside writing transactions.
    asked: AtomicU64,
}

/// While it lives, commits are done and not reported.
pub type Silence = OwnedRwLockWriteGuard<()>;

fn step(plan: &Mutex<Plan>) -> Option<Fault> {
    plan.lock().unwrap_or_else(PoisonError::into_inner).step()
}

fn broken() -> StoreError {
    StoreError::Unavailable("fault on purpose".into())
}

impl FaultyStore {
    /// Works like the store inside until told otherwise.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Arc::default(), gate: Arc::default(), asked: AtomicU64::new(0) }
    }

    /// Fails once, after so many steps of writing transactions.
    pub fn fail_after(&self, steps: u64, fault: Fault) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).next = Some((steps, fault));
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
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).next.is_some()
    }
}

impl Store for FaultyStore {
    fn begin(&self) -> Work<'_, Box<dyn Tx>> {
        Box::pin(async move {
            if step(&self.plan).is_some() {
                return Err(broken());
            }
            let inner = self.inner.begin().await?;
            let (plan, gate) = (self.plan.clone(), self.gate.clone());
            Ok(Box::new(FaultyTx { inner, plan, gate }) as Box<dyn Tx>)
        })
    }

    fn snapshot(&self) -> Work<'_, Box<dyn Query>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.snapshot()
    }

    fn ask(&self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.ask(sql, args)
    }

    fn marks(&self) -> Marks {
        self.inner.marks()
    }

    fn tidy(&self, thorough: bool) -> Work<'_, ()> {
        self.inner.tidy(thorough)
    }

    fn close(&self) -> Work<'_, ()> {
        self.inner.close()
    }
}

struct FaultyTx {
    inner: Box<dyn Tx>,
    plan: Arc<Mutex<Plan>>,
    gate: Arc<RwLock<()>>,
}

impl Query for FaultyTx {
    fn fetch(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, Vec<Row>> {
        if step(&self.plan).is_some() {
            return Box::pin(async { Err(broken()) });
        }
        self.inner.fetch(sql, args)
    }

    fn marks(&self) -> Marks {
        self.inner.marks()
    }
}

impl Tx for FaultyTx {
    fn execute(&mut self, sql: Sql, args: Vec<Value>) -> Work<'_, u64> {
        if step(&self.plan).is_some() {
            return Box::pin(async { Err(broken()) });
        }
        self.inner.execute(sql, args)
    }

    fn commit(self: Box<Self>) -> Work<'static, ()> {
        match step(&self.plan) {
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
