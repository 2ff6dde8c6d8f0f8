//! A log's tree, built again from its leaves, and what it is compared with: tiles, head, and every checkpoint that was
//! ever kept.

use std::collections::{BTreeMap, HashMap};

use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::{Checkpoint, LogKeys};
use postfach_ledger::hash::Hash;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::witness::WitnessPolicy;
use serde::{Deserialize, Serialize};

use super::problem::{Checked, bad, bad_at, hold};
use crate::storage::Query;
use crate::storage::audit::{LOG_HEAD, LOG_TILE, Pager, Record};

/// Leaves that are appended at once.
const CHUNK: usize = 2048;

/// A checkpoint that the log has to extend.
#[derive(Debug)]
pub struct KeptCheckpoint {
    /// The file that it came from.
    pub file: String,
    /// What it says; its signature was checked.
    pub checkpoint: Checkpoint,
    /// A log that does not extend it is no error, but told in the report.
    pub tolerated: bool,
}

/// How a log does not extend a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Astray {
    /// It has fewer leaves.
    Older,
    /// It has other leaves.
    Forked,
}

/// A tolerated checkpoint that the log does not extend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Its file.
    pub file: String,
    /// Leaves that it was signed for.
    pub size: u64,
    /// How it does not fit.
    pub astray: Astray,
}

fn stray(kept: KeptCheckpoint, astray: Astray) -> Stray {
    Stray { file: kept.file, size: kept.checkpoint.size, astray }
}

/// One log, growing.
#[derive(Debug)]
pub struct Tree {
    name: &'static str,
    verifier: LogKeys,
    witnesses: WitnessPolicy,
    edge: TreeEdge,
    pending: Vec<Hash>,
    tiles: HashMap<(u8, u64), Digest>,
    /// Those not reached yet, by size.
    kept: BTreeMap<u64, Vec<KeptCheckpoint>>,
    strays: Vec<Stray>,
    compared: Option<u64>,
}

impl Tree {
    /// An empty tree that will be compared with these checkpoints on its way.
    pub fn new(
        name: &'static str,
        verifier: LogKeys,
        witnesses: WitnessPolicy,
        checkpoints: Vec<KeptCheckpoint>,
    ) -> Checked<Self> {
        let mut kept: BTreeMap<u64, Vec<KeptCheckpoint>> = BTreeMap::new();
        for checkpoint in checkpoints {
            kept.entry(checkpoint.checkpoint.size).or_default().push(checkpoint);
        }
        let compared = kept
            .iter()
            .filter(|(_, kept)| kept.iter().any(|kept| kept.tolerated))
            .map(|(size, _)| *size)
            .max();
        let (edge, pending) = (TreeEdge::new(), Vec::with_capacity(CHUNK));
        let mut tree = Self {
            name,
            verifier,
            witnesses,
            edge,
            pending,
            tiles: HashMap::new(),
            kept,
            strays: Vec::new(),
            compared,
        };
        tree.compare()?;
        Ok(tree)
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.edge.size() + self.pending.len() as u64
    }

    /// Adds a leaf.
    pub fn append(&mut self, leaf: Hash) -> Checked<()> {
        self.pending.push(leaf);
        let size = self.size();
        if self.pending.len() == CHUNK || self.kept.contains_key(&size) {
            self.flush()?;
            self.compare()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Checked<()> {
        self.edge.settle();
        let leaves = std::mem::take(&mut self.pending);
        self.edge.append(leaves).map_err(|error| bad_at("log_head", self.name, error))?;
        for (coord, data) in self.edge.dirty_tiles() {
            self.tiles.insert((coord.level(), coord.index()), Digest::of(data.as_bytes()));
        }
        Ok(())
    }

    /// Compares the root with the checkpoints of this size.
    fn compare(&mut self) -> Checked<()> {
        let root = self.edge.root();
        for kept in self.kept.remove(&self.edge.size()).into_iter().flatten() {
            if kept.checkpoint.root != root && kept.tolerated {
                self.strays.push(stray(kept, Astray::Forked));
            } else if kept.checkpoint.root != root {
                let what = format!("the log does not extend this checkpoint of {} leaves", self.edge.size());
                return Err(bad_at("file", kept.file, what));
            }
        }
        Ok(())
    }

    /// After the last leaf: every checkpoint must have been reached.
    pub fn finish(&mut self) -> Checked<()> {
        self.flush()?;
        self.compare()?;
        let size = self.edge.size();
        for kept in std::mem::take(&mut self.kept).into_values().flatten() {
            if !kept.tolerated {
                let signed = kept.checkpoint.size;
                let what = format!("the log has {size} leaves, this checkpoint was signed for {signed}");
                return Err(bad_at("file", kept.file, what));
            }
            self.strays.push(stray(kept, Astray::Older));
        }
        Ok(())
    }

    /// Leaves that the newest tolerated checkpoint was signed for, if there is one.
    pub fn compared(&self) -> Option<u64> {
        self.compared
    }

    /// Tolerated checkpoints that the log does not extend, after [`Self::finish`].
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }
}

/// Both logs.
#[derive(Debug)]
pub struct Trees {
    /// Links, certificates, revocations.
    pub keys: Tree,
    /// Events.
    pub evidence: Tree,
}

/// Between which instants the keys log grew last, as far as events show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastTimes {
    /// `occurred_at` of the newest event that is not erased.
    pub newest_event: Option<Timestamp>,
    /// The newest event of all is not erased.
    pub newest_stands: bool,
    /// The latest event that saw a smaller keys log.
    pub before_keys: Option<Timestamp>,
    /// The earliest event that saw the keys log as it is.
    pub after_keys: Option<Timestamp>,
}

impl Trees {
    /// Compares heads and tiles with both trees; answers how many tiles there are.
    pub async fn check_stored(&self, query: &mut dyn Query, times: &LastTimes) -> Checked<u64> {
        let heads = Pager::new(&LOG_HEAD, 16).next(query).await?;
        let count = heads.len();
        for row in heads {
            self.check_head(row, times)?;
        }
        if count != 2 {
            return Err(bad_at("log_head", "", format!("{count} rows instead of 2")));
        }
        let mut pager = Pager::new(&LOG_TILE, 1024);
        let mut tiles = 0;
        loop {
            let page = pager.next(query).await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                tiles += 1;
                self.check_tile(row)?;
            }
        }
        // Each row was found among the tiles of its tree, so equal numbers mean equal sets.
        let wanted = self.keys.tiles.len() + self.evidence.tiles.len();
        if tiles == wanted as u64 {
            return Ok(tiles);
        }
        Err(bad_at("log_tile", "", format!("{tiles} tiles instead of {wanted}")))
    }

    fn of(&self, row: &Record, log: u64) -> Checked<&Tree> {
        match log {
            0 => Ok(&self.keys),
            1 => Ok(&self.evidence),
            _ => Err(bad(row, "there is no such log")),
        }
    }

    fn check_tile(&self, mut row: Record) -> Checked<()> {
        let log = row.unsigned()?;
        let level = row.small()?;
        let index = row.unsigned()?;
        let hashes = Digest::of(&row.blob()?);
        let tiles = &self.of(&row, log)?.tiles;
        let wanted = u8::try_from(level).ok().and_then(|level| tiles.get(&(level, index)));
        match wanted {
            None => Err(bad(&row, "the tree has no such tile")),
            Some(wanted) => hold(&row, *wanted == hashes, "the hashes are not those of the tree"),
        }
    }

    fn check_head(&self, mut row: Record, times: &LastTimes) -> Checked<()> {
        let log = row.unsigned()?;
        let tree = self.of(&row, log)?;
        let size = row.unsigned()?;
        let root = Hash::from_bytes(row.array()?);
        let last_time = Timestamp(row.unsigned()?);
        let note = row.blob()?;
        let found = tree.edge.size();
        hold(&row, size == found, format!("size is {size}, but there are {found} leaves"))?;
        hold(&row, root == tree.edge.root(), "root is not that of the leaves")?;
        let verified = tree.verifier.verify(&note, &tree.witnesses).map_err(|error| bad(&row, error))?;
        let stated = &verified.signed.checkpoint;
        hold(&row, (stated.size, stated.root) == (size, root), "the checkpoint is of another size or root")?;
        let fits = match (log, size) {
            (_, 0) => last_time == Timestamp::default(),
            (0, _) => {
                times.before_keys.is_none_or(|at| at <= last_time)
                    && times.after_keys.is_none_or(|at| last_time <= at)
            }
            _ if times.newest_stands => times.newest_event == Some(last_time),
            _ => times.newest_event.is_none_or(|at| at <= last_time),
        };
        hold(&row, fits, "last_time does not fit the events")
    }
}
