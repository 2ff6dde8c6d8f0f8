//! The two logs as readers see them: the newest committed state in memory, and proofs under it. The committer moves
//! it forward after each commit of this node; what other nodes committed is read when it is needed. Nothing here writes to
//! the database.

mod kept;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postfach_ledger::hash::Hash;
use postfach_ledger::nodes::{NodeReader, TileNodes, Tiles};
use postfach_ledger::proof::{self, TreeError};
use postfach_ledger::tile::{TileCoord, TileData};
use postfach_ledger::tree::TreeEdge;
use tokio::sync::watch;

use crate::evidence::{Checkpoints, LogName};
use crate::halves::Halves;
use crate::storage::sql::logs::{self, Head, Heads};
use crate::storage::{Ask, Query, Store, StoreError};
pub use kept::{KeptCheckpoints, KeptError};

/// Full tiles in each half of the cache: 32 MiB in all.
const TILES: usize = 1024;
/// How long an answer waits for a commit to be published. That comes right after it, unless its outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(5);

/// Both logs at one commit.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Sizes, roots, checkpoints.
    pub heads: Heads,
    /// Right edge of the keys tree.
    pub keys: TreeEdge,
    /// Right edge of the evidence tree.
    pub evidence: TreeEdge,
}

impl Snapshot {
    /// Reads both edges at these heads and compares the roots.
    pub async fn load(query: &mut dyn Query, heads: Heads) -> Result<Self, StoreError> {
        let keys = load_edge(query, LogName::Keys, &heads.keys).await?;
        let evidence = load_edge(query, LogName::Evidence, &heads.evidence).await?;
        Ok(Self { heads, keys, evidence })
    }

    /// The edge of one log.
    pub fn edge(&self, log: LogName) -> &TreeEdge {
        match log {
            LogName::Keys => &self.keys,
            LogName::Evidence => &self.evidence,
        }
    }

    /// Size of one log.
    pub fn size(&self, log: LogName) -> u64 {
        self.heads.of(log).size
    }

    /// True where the logs go at least this far.
    pub(crate) fn reaches(&self, keys: u64, evidence: u64) -> bool {
        self.heads.keys.size >= keys && self.heads.evidence.size >= evidence
    }

    /// Both signed checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints {
            keys: self.heads.keys.checkpoint.clone(),
            evidence: self.heads.evidence.checkpoint.clone(),
        }
    }
}

async fn load_edge(query: &mut dyn Query, log: LogName, head: &Head) -> Result<TreeEdge, StoreError> {
    let coords = postfach_ledger::tree::edge_tiles(head.size);
    let mut tiles = logs::tiles(query, log, &coords).await?;
    let mut take = |coord: TileCoord| {
        let at =
            tiles.iter().position(|(level, index, _)| (*level, *index) == (coord.level(), coord.index()))?;
        Some(tiles.swap_remove(at).2)
    };
    let edge = TreeEdge::load(head.size, &mut take).map_err(|error| damaged(log, error))?;
    if edge.root() == head.root {
        Ok(edge)
    } else {
        Err(StoreError::Corrupt(format!("the tiles of {log:?} lead to another root than its head")))
    }
}

/// The database forgot what it had committed, or has other leaves: an old copy, or a standby that took over too early.
fn set_back() -> StoreError {
    StoreError::Corrupt("the database does not extend what this node has signed or shown".into())
}

fn damaged(log: LogName, error: TreeError) -> StoreError {
    StoreError::Corrupt(format!("{log:?}: {error}"))
}

/// The newest committed state of both logs, and proofs under it.
#[derive(Debug)]
pub struct LogView {
    store: Arc<dyn Store>,
    current: watch::Sender<Arc<Snapshot>>,
    /// Full tiles with their inner nodes, which never change; 16 KiB each.
    full_tiles: Mutex<Halves<(LogName, u8, u64), Arc<TileNodes>>>,
    /// One reads what other nodes did, the others wait for him.
    reading: tokio::sync::Mutex<()>,
}

impl LogView {
    /// Starts with a state that was read from the store.
    pub fn new(store: Arc<dyn Store>, first: Snapshot) -> Self {
        let full_tiles = Mutex::new(Halves::new(TILES));
        let current = watch::Sender::new(Arc::new(first));
        Self { store, current, full_tiles, reading: tokio::sync::Mutex::default() }
    }

    /// The newest state of all nodes: what anybody was told before this was asked is in it, so that a client may change
    /// nodes between two calls. A question to the database where there can be other nodes, none where there cannot.
    pub async fn newest(&self) -> Result<Arc<Snapshot>, StoreError> {
        let known = self.snapshot();
        if !self.store.is_shared() {
            return Ok(known);
        }
        let (keys, evidence) = logs::sizes(&mut Ask(&*self.store)).await?;
        let (known_keys, known_evidence) = (known.size(LogName::Keys), known.size(LogName::Evidence));
        if keys < known_keys || evidence < known_evidence {
            return Err(set_back());
        }
        if (keys, evidence) == (known_keys, known_evidence) {
            return Ok(known);
        }
        self.at_least(keys, evidence).await
    }

    /// A state that goes at least this far, as the database does; it is asked where that is not known yet.
    pub(crate) async fn at_least(&self, keys: u64, evidence: u64) -> Result<Arc<Snapshot>, StoreError> {
        let _alone = self.reading.lock().await;
        let known = self.snapshot();
        if known.reaches(keys, evidence) {
            return Ok(known);
        }
        let mut look = self.store.snapshot().await?;
        let heads = logs::read_heads(&mut *look).await?;
        let heads = heads.ok_or_else(|| StoreError::Corrupt("no log heads".into()))?;
        let next = Snapshot::load(&mut *look, heads).await?;
        drop(look);
        self.require_extension(&known, &next).await?;
        self.publish(next);
        Ok(self.snapshot())
    }

    /// Refuses a state that does not go on from one that was published: clients hold that, signed.
    pub(crate) async fn require_extension(
        &self,
        known: &Snapshot,
        next: &Snapshot,
    ) -> Result<(), StoreError> {
        for log in [LogName::Keys, LogName::Evidence] {
            let head = known.heads.of(log);
            if head.size > next.size(log) || self.root_at(next, log, head.size).await? != head.root {
                return Err(set_back());
            }
        }
        Ok(())
    }

    /// The newest state that is known here. Everything in it is durable.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.borrow().clone()
    }

    /// The newest state that has this leaf. What a reader finds in the store was committed, but for a moment it is not
    /// published yet; an answer that must not be without it waits here. Where there can be other nodes the state is read.
    pub async fn state_with(&self, log: LogName, index: u64) -> Result<Arc<Snapshot>, StoreError> {
        let newest = self.newest().await?;
        if index < newest.size(log) {
            return Ok(newest);
        }
        let mut news = self.current.subscribe();
        let published = async {
            let state = news.wait_for(|state| index < state.size(log)).await;
            state.map(|state| Arc::clone(&state))
        };
        match tokio::time::timeout(PATIENCE, published).await {
            Ok(Ok(state)) => Ok(state),
            _ => Err(StoreError::Unavailable(format!("leaf {index} of {log:?} is not published"))),
        }
    }

    /// Who is told of news now, or waits for them.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        self.current.receiver_count()
    }

    /// Told whenever the logs grew.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.subscribe()
    }

    /// Moves forward, never back, to what is known to be committed.
    pub(crate) fn publish(&self, next: Snapshot) {
        self.current.send_if_modified(|current| {
            let newer = next.reaches(current.size(LogName::Keys), current.size(LogName::Evidence));
            let newer = newer && next.heads != current.heads;
            if newer {
                *current = Arc::new(next);
            }
            newer
        });
    }

    /// Audit paths of leaves, all under the same state.
    pub async fn prove(
        &self,
        snapshot: &Snapshot,
        log: LogName,
        indexes: &[u64],
    ) -> Result<Vec<Vec<Hash>>, StoreError> {
        let size = snapshot.size(log);
        let mut wanted = Vec::new();
        for index in indexes {
            let tiles = proof::inclusion_tiles(*index, size).map_err(|error| damaged(log, error))?;
            wanted.extend(tiles);
        }
        let nodes = self.nodes(snapshot, log, wanted).await?;
        let prove = |index: &u64| proof::inclusion_proof(*index, size, &nodes);
        indexes.iter().map(prove).collect::<Result<_, _>>().map_err(|error| damaged(log, error))
    }

    /// Proof that the tree of `old` leaves is a prefix of the one of `new`, which is at most the snapshot's size.
    pub async fn prove_consistency(
        &self,
        snapshot: &Snapshot,
        log: LogName,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        let wanted = proof::consistency_tiles(old, new).map_err(|error| damaged(log, error))?;
        let nodes = self.nodes(snapshot, log, wanted).await?;
        proof::consistency_proof(old, new, &nodes).map_err(|error| damaged(log, error))
    }

    /// Root of the tree of the first `size` leaves.
    pub async fn root_at(&self, snapshot: &Snapshot, log: LogName, size: u64) -> Result<Hash, StoreError> {
        let nodes = self.nodes(snapshot, log, proof::root_tiles(size)).await?;
        proof::root(size, &nodes).map_err(|error| damaged(log, error))
    }

    /// A stored tile, cut to the width asked for. `None` where this state has no such tile.
    pub async fn tile(
        &self,
        snapshot: &Snapshot,
        log: LogName,
        coord: TileCoord,
    ) -> Result<Option<TileData>, StoreError> {
        let there = TileCoord::at_size(coord.level(), coord.index(), snapshot.size(log));
        if there.is_none_or(|there| there.width() < coord.width()) {
            return Ok(None);
        }
        let found = logs::tiles(&mut Ask(&*self.store), log, &[coord]).await?;
        Ok(found.into_iter().next().and_then(|(_, _, data)| data.truncated(coord.width())))
    }

    /// Everything below the coordinates: full tiles from the cache or the store, partial ones from the edge.
    async fn nodes<'a>(
        &self,
        snapshot: &'a Snapshot,
        log: LogName,
        mut wanted: Vec<TileCoord>,
    ) -> Result<Nodes<'a>, StoreError> {
        let size = snapshot.size(log);
        wanted.sort_unstable();
        wanted.dedup_by_key(|coord| (coord.level(), coord.index()));
        let mut tiles = Tiles::new();
        let mut missing = Vec::new();
        {
            let mut cache = self.full_tiles.lock().unwrap_or_else(PoisonError::into_inner);
            for coord in wanted {
                // A tile that was partial at an old size may be full by now; the edge holds what is partial now.
                let full =
                    TileCoord::at_size(coord.level(), coord.index(), size).is_some_and(|c| c.is_full());
                if !full {
                    continue;
                }
                match cache.get(&(log, coord.level(), coord.index())) {
                    Some(nodes) => tiles.insert_nodes(coord.level(), coord.index(), nodes),
                    None => missing.push(coord),
                }
            }
        }
        for (level, index, data) in logs::tiles(&mut Ask(&*self.store), log, &missing).await? {
            let nodes = Arc::new(TileNodes::new(&data));
            let mut cache = self.full_tiles.lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert((log, level, index), nodes.clone());
            tiles.insert_nodes(level, index, nodes);
        }
        Ok(Nodes { tiles, edge: snapshot.edge(log) })
    }
}

/// Nodes of one tree at one state.
struct Nodes<'a> {
    tiles: Tiles,
    edge: &'a TreeEdge,
}

impl NodeReader for Nodes<'_> {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.tiles.node(height, index).or_else(|| self.edge.node(height, index))
    }
}
