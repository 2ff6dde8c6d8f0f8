//! Starting and stopping: reads where the logs stand, refuses a database that is not the one it once signed, starts the
//! committer and the housekeeping.

use std::sync::{Arc, Mutex};

use postfach_ledger::checkpoint::{Checkpoint, LogKeys};
use postfach_ledger::hash::Hash;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::housekeeping::Housekeeping;
use super::{App, Deployment};
use crate::blobs::BlobStore;
use crate::clock::{Chance, Clock, StoreClock};
use crate::commit::{Committer, Parts};
use crate::evidence::LogName;
use crate::key_book::KeyBook;
use crate::logs::{KeptCheckpoints, KeptError, LogView, Snapshot};
use crate::news::Follower;
use crate::storage::sql::logs::{self, Head, Heads};
use crate::storage::{Ask, Store, StoreError};
use crate::watch::Hub;

/// Why a deployment cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not answer, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database does not fit the checkpoints kept beside it.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The database's own checkpoint was signed by another deployment's key.
    #[error(
        "the database belongs to another deployment: its checkpoint of {log:?} is not signed by this node's key"
    )]
    OtherDeployment {
        /// Which log.
        log: LogName,
    },
    /// The database's own checkpoint is not of its head.
    #[error("the database's checkpoint of {log:?} is not this deployment's: {problem}")]
    Foreign {
        /// Which log.
        log: LogName,
        /// What is wrong.
        problem: String,
    },
    /// No randomness.
    #[error("no randomness: {0}")]
    Chance(String),
}

impl App {
    /// Opens a deployment over its store. A new store gets its first, empty checkpoints.
    pub async fn open(
        deployment: Deployment,
        store: Arc<dyn Store>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        mut chance: Chance,
    ) -> Result<Self, OpenError> {
        let clock = Arc::new(StoreClock::new(clock));
        clock.follow(store.now().await?);
        let Deployment { origin, registrar, keys_signer, evidence_signer, checkpoints } = deployment;
        if logs::read_heads(&mut Ask(&*store)).await?.is_none() {
            first_heads(&*store, &keys_signer, &evidence_signer).await?;
        }
        let view = Arc::new(LogView::new(store.clone(), newest(&*store).await?));
        let kept = KeptCheckpoints::open(&checkpoints).map_err(KeptError::Io)?;
        for (log, signer) in [(LogName::Keys, &keys_signer), (LogName::Evidence, &evidence_signer)] {
            check(log, signer, &view, &kept).await?;
        }
        let salts = StdRng::from_rng(&mut *chance).map_err(|error| OpenError::Chance(error.to_string()))?;
        let (keys_signer, evidence_signer) = (Arc::new(keys_signer), Arc::new(evidence_signer));
        let (keys, hub) = (Arc::new(KeyBook::default()), Arc::new(Hub::default()));
        let committer = Committer::start(Parts {
            store: store.clone(),
            view: view.clone(),
            keys_signer: keys_signer.clone(),
            evidence_signer,
            clock: clock.clone(),
            chance: Box::new(salts),
            keys: keys.clone(),
            hub: hub.clone(),
        });
        let committer =
            Arc::new(committer.map_err(|error| StoreError::Unavailable(format!("committer: {error}")))?);
        let housekeeping = Housekeeping {
            store: store.clone(),
            blobs: blobs.clone(),
            committer: committer.clone(),
            clock: clock.clone(),
        };
        let mut workers = vec![kept.clone().follow(view.subscribe())];
        workers.extend(housekeeping.spawn());
        if store.is_shared() {
            keys.forget(true);
            let (store, view, hub, keys) = (store.clone(), view.clone(), hub.clone(), keys.clone());
            workers.push(tokio::spawn(Follower { store, view, hub, keys }.run()));
        }
        Ok(Self {
            origin,
            registrar,
            keys_signer,
            store,
            blobs,
            clock,
            chance: Mutex::new(chance),
            view,
            committer,
            hub,
            keys,
            readers: Arc::default(),
            workers: Mutex::new(workers),
            kept,
        })
    }

    /// Takes no more changes, finishes those under way, keeps the last checkpoints and closes the store.
    pub async fn close(&self) {
        self.committer.close().await;
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for worker in workers {
            worker.abort();
            // An aborted worker ends with an error, which is what we asked for.
            let _ = worker.await;
        }
        if let Err(error) = self.kept.write(&self.view.snapshot()) {
            tracing::error!(%error, "the last checkpoints could not be kept");
        }
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "closing the store");
        }
    }
}

/// Where both logs stand, all of it from one instant: other nodes may write meanwhile.
async fn newest(store: &dyn Store) -> Result<Snapshot, StoreError> {
    let mut query = store.snapshot().await?;
    let heads = logs::read_heads(&mut *query).await?;
    Snapshot::load(&mut *query, heads.ok_or_else(|| StoreError::Corrupt("no log heads".into()))?).await
}

/// Signs the empty logs of a new database, unless another node just did.
async fn first_heads(
    store: &dyn Store,
    keys_signer: &LogSigner,
    evidence_signer: &LogSigner,
) -> Result<(), StoreError> {
    let empty = |signer: &LogSigner| {
        let root = Hash::EMPTY_ROOT;
        let checkpoint = Checkpoint::sign(signer, 0, root).note;
        Head { size: 0, root, last_time: postfach_domain::time::Timestamp::default(), checkpoint }
    };
    let heads = Heads { keys: empty(keys_signer), evidence: empty(evidence_signer) };
    let mut tx = store.begin().await?;
    if logs::read_heads(&mut *tx).await?.is_some() {
        return tx.rollback().await;
    }
    logs::insert_head(&mut *tx, LogName::Keys, &heads.keys).await?;
    logs::insert_head(&mut *tx, LogName::Evidence, &heads.evidence).await?;
    tx.commit().await
}

/// The database's checkpoint is ours and of its head, and the kept one is extended by it.
async fn check(
    log: LogName,
    signer: &LogSigner,
    view: &LogView,
    kept: &KeptCheckpoints,
) -> Result<(), OpenError> {
    let foreign = |problem: &dyn std::fmt::Display| OpenError::Foreign { log, problem: problem.to_string() };
    let keys = LogKeys::new(signer.verifier().clone(), Vec::new()).ok_or_else(|| foreign(&"log key"))?;
    let snapshot = view.snapshot();
    let head = snapshot.heads.of(log);
    // What names another log or another key: the keys of the nodes of a deployment are the same.
    let verified = keys.verify(&head.checkpoint, &WitnessPolicy::none());
    let verified = verified.map_err(|_| OpenError::OtherDeployment { log })?;
    let stated = verified.signed.checkpoint;
    if (stated.size, stated.root) != (head.size, head.root) {
        return Err(foreign(&"it states another size or root than the head"));
    }
    kept.check(log, &keys, view).await?;
    Ok(())
}
