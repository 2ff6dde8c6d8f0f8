//! One batch from lock to commit: read what it needs, decide in memory, append to both trees, sign, write, commit.

use postfach_domain::decide::Refusal;
use postfach_domain::id::{KeyId, Party};
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::Checkpoint;
use postfach_ledger::hash::{Hash, leaf_hash};
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::proof::TreeError;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::vkey::LogSigner;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::{Applied, CLOCK_TOLERANCE_MS, Needs, Operation, Outcome, Parts, Rejected, WorkingSet, changes};
use crate::clock::Clock;
use crate::evidence::{Checkpoints, LogName, LoggedEvent};
use crate::logs::Snapshot;
use crate::news::{Concerned, Notice};
use crate::storage::sql::logs::{self, Head, Heads};
use crate::storage::{Query, Store, StoreError, Tx};
use crate::watch::Topic;

type Answers = Vec<Result<Outcome, Rejected>>;

/// Runs batches, one after the other.
pub(super) struct Engine {
    parts: Parts,
    /// What the last commit left. Believed only while the heads in the database say the same.
    known: Option<Snapshot>,
}

impl Engine {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, known: None }
    }

    /// Applies a batch. An error means that nothing was answered and that it is unknown whether it was stored.
    pub(super) async fn batch(&mut self, operations: &[&dyn Operation]) -> Result<Answers, StoreError> {
        let mut tx = self.parts.store.begin().await?;
        match self.inside(&mut *tx, operations).await {
            Ok(Done { answers, next, begin, concerned, write: true }) => {
                let committed = tx.commit().await;
                // Also after an error: it may be stored.
                self.parts.keys.strike(concerned.struck.iter().cloned());
                self.parts.hub.tell_keys(concerned.struck.iter().cloned());
                committed?;
                self.settle(next, begin, concerned);
                Ok(answers)
            }
            Ok(Done { answers, next, begin, concerned, write: false }) => {
                tx.rollback().await?;
                self.settle(next, begin, concerned);
                Ok(answers)
            }
            Err(error) => {
                // The first error is the one to tell.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn inside(&mut self, tx: &mut dyn Tx, operations: &[&dyn Operation]) -> Result<Done, StoreError> {
        let heads = logs::lock_heads(tx).await?;
        let mut next = match self.known.take() {
            Some(known) if known.heads == heads => known,
            // Another node wrote, or a commit whose outcome was unknown is there.
            _ => self.go_on(tx, heads).await?,
        };
        let (now, last) = (self.parts.clock.follow(tx.now()), last_time(&next.heads));
        if !clock_fits(&next.heads, now) {
            tracing::error!(ahead_ms = last.0 - now.0, "the clock stands behind the log, writes are refused");
            let answers = operations.iter().map(|_| Err(Rejected::ClockBehind(now))).collect();
            return Ok(Done::nothing(answers, next));
        }
        let sizes = (next.keys.size(), next.evidence.size());
        let salts =
            StdRng::from_rng(&mut *self.parts.chance).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let mut set = WorkingSet::new(now.max(last), sizes, salts);
        load(tx, &mut set, operations).await?;
        let applied = apply(&mut set, operations);
        if !applied
            .iter()
            .any(|a| matches!(a, Ok(Applied::Logged { .. } | Applied::Stored | Applied::Refused(_))))
        {
            let answers = applied.iter().map(unlogged).collect();
            return Ok(Done::nothing(answers, next));
        }
        grow(&mut next, &set, &self.parts.keys_signer, &self.parts.evidence_signer).map_err(damaged)?;
        let answers = answer(&applied, &set, &next)?;
        let concerned = concerned(&set);
        changes::write(tx, &mut set).await?;
        write_logs(tx, &next, set.changes.probe).await?;
        let grown = (next.keys.size(), next.evidence.size()) != sizes;
        if grown && self.parts.store.is_shared() {
            tx.announce(Notice::of(&next, concerned.clone()).encode()).await?;
        }
        Ok(Done { answers, next, begin: sizes.1, concerned, write: true })
    }

    /// The state of the logs at these heads, which extends what was shown.
    async fn go_on(&self, tx: &mut dyn Tx, heads: Heads) -> Result<Snapshot, StoreError> {
        let shown = self.parts.view.snapshot();
        if shown.heads == heads {
            return Ok((*shown).clone());
        }
        let next = Snapshot::load(tx, heads).await?;
        self.parts.view.require_extension(&shown, &next).await?;
        Ok(next)
    }

    /// After the commit: readers see it, listeners hear of it, and the next batch starts from it. `begin` is where its news
    /// begin: what stands before that and was not published yet, an earlier batch stored although its commit seemed to fail,
    /// or, where there can be other nodes, one of theirs: of both tells a notice.
    fn settle(&mut self, mut next: Snapshot, begin: u64, concerned: Concerned) {
        next.keys.settle();
        next.evidence.settle();
        let (end, unheard) = (next.evidence.size(), self.parts.view.snapshot().evidence.size() < begin);
        self.parts.view.publish(next.clone());
        if unheard && !self.parts.store.is_shared() {
            self.parts.hub.tell_all(end);
        } else {
            let Concerned { received, sent, .. } = concerned;
            self.parts.hub.tell(received.into_iter().map(|no| (Topic::Received(no), end)));
            self.parts.hub.tell(sent.into_iter().map(|no| (Topic::Sent(no), end)));
        }
        self.known = Some(next);
    }
}

/// What a batch came to.
struct Done {
    answers: Answers,
    next: Snapshot,
    /// Size of the evidence log before it.
    begin: u64,
    /// Whom the new events concern, and which keys ended.
    concerned: Concerned,
    /// False where nothing is to be committed.
    write: bool,
}

impl Done {
    /// Nothing is written.
    fn nothing(answers: Answers, next: Snapshot) -> Self {
        let begin = next.evidence.size();
        Self { answers, next, begin, concerned: Concerned::default(), write: false }
    }
}

/// Whom this batch concerns.
fn concerned(set: &WorkingSet) -> Concerned {
    let events = &set.changes.events;
    Concerned {
        received: events.iter().filter_map(|row| row.recipient_no).collect(),
        sent: events.iter().filter_map(|row| row.sender_no).collect(),
        struck: struck(set),
    }
}

/// Keys that this batch ended.
fn struck(set: &WorkingSet) -> Vec<(Party, KeyId)> {
    let members = set.members.changed().filter(|(_, member)| member.removed_seq.is_some());
    let members = members.map(|((address, key), _)| (Party::Mailbox(*address), *key));
    let certified = set.authority_keys.changed().filter(|(_, key)| key.revocation_index.is_some());
    let certified = certified.map(|(id, key)| (Party::Authority(key.authority_id.clone()), *id));
    members.chain(certified).collect()
}

/// The newest logged instant is not too far ahead of the clock (SPEC 5).
pub(crate) fn clock_fits(heads: &Heads, now: Timestamp) -> bool {
    last_time(heads).0 <= now.0.saturating_add(CLOCK_TOLERANCE_MS)
}

fn last_time(heads: &Heads) -> Timestamp {
    heads.keys.last_time.max(heads.evidence.last_time)
}

async fn load(
    query: &mut dyn Query,
    set: &mut WorkingSet,
    operations: &[&dyn Operation],
) -> Result<(), StoreError> {
    let mut needs = Needs::default();
    for operation in operations {
        operation.needs(&mut needs);
    }
    needs.load(query, set).await?;
    let mut needs = Needs::default();
    for operation in operations {
        operation.needs_then(set, &mut needs);
    }
    needs.load(query, set).await
}

/// Applies all, those that extend the keys log first; answers in the order of the operations.
fn apply(set: &mut WorkingSet, operations: &[&dyn Operation]) -> Vec<Result<Applied, Refusal>> {
    let mut order: Vec<usize> = (0..operations.len()).collect();
    order.sort_by_key(|at| !operations[*at].extends_keys());
    let mut applied: Vec<Option<Result<Applied, Refusal>>> = operations.iter().map(|_| None).collect();
    for at in order {
        applied[at] = Some(operations[at].apply(set));
    }
    applied.into_iter().flatten().collect()
}

/// Appends the new leaves to both trees and signs what grew.
fn grow(
    next: &mut Snapshot,
    set: &WorkingSet,
    keys_signer: &LogSigner,
    evidence_signer: &LogSigner,
) -> Result<(), TreeError> {
    let keys = set.changes.key_leaves.iter().map(|leaf| leaf_hash(leaf));
    grow_one(&mut next.keys, &mut next.heads.keys, keys, set.now(), keys_signer)?;
    let events = set.changes.events.iter().map(|row| EvidenceLeaf { commitment: row.commitment }.leaf_hash());
    grow_one(&mut next.evidence, &mut next.heads.evidence, events, set.now(), evidence_signer)
}

fn grow_one(
    edge: &mut TreeEdge,
    head: &mut Head,
    leaves: impl Iterator<Item = Hash>,
    now: Timestamp,
    signer: &LogSigner,
) -> Result<(), TreeError> {
    if edge.append(leaves)?.is_empty() {
        return Ok(());
    }
    let (size, root) = (edge.size(), edge.root());
    *head = Head { size, root, last_time: now, checkpoint: Checkpoint::sign(signer, size, root).note };
    Ok(())
}

async fn write_logs(tx: &mut dyn Tx, next: &Snapshot, probe: bool) -> Result<(), StoreError> {
    let mut grown = probe;
    for (log, edge) in [(LogName::Keys, &next.keys), (LogName::Evidence, &next.evidence)] {
        if edge.size() > edge.base_size() {
            logs::upsert_tiles(tx, log, edge.dirty_tiles()).await?;
            grown = true;
        }
    }
    if grown {
        logs::update_heads(tx, &next.heads).await?;
    }
    Ok(())
}

fn unlogged(applied: &Result<Applied, Refusal>) -> Result<Outcome, Rejected> {
    match applied {
        Ok(Applied::Known(index)) => Ok(Outcome::Known(*index)),
        Ok(Applied::Refused(refusal)) | Err(refusal) => Err(Rejected::Refused(*refusal)),
        Ok(_) => Ok(Outcome::Stored),
    }
}

/// The answers, with all proofs under the new heads. Nothing of it leaves before the commit.
fn answer(
    applied: &[Result<Applied, Refusal>],
    set: &WorkingSet,
    next: &Snapshot,
) -> Result<Answers, StoreError> {
    let checkpoints = next.checkpoints();
    let outcome = |applied: &Result<Applied, Refusal>| match applied {
        Ok(Applied::Logged { keys, events }) => {
            logged(keys, events, set, next, &checkpoints).map(Ok).map_err(damaged)
        }
        other => Ok(unlogged(other)),
    };
    applied.iter().map(outcome).collect()
}

fn damaged(error: TreeError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

fn logged(
    keys: &[u64],
    events: &[u64],
    set: &WorkingSet,
    next: &Snapshot,
    checkpoints: &Checkpoints,
) -> Result<Outcome, TreeError> {
    let key = |index: &u64| Ok((*index, next.keys.inclusion_proof(*index)?));
    let event = |index: &u64| {
        let inclusion = next.evidence.inclusion_proof(*index)?;
        let row = set.event(*index);
        let (event, salt) = row.map_or((None, None), |row| (row.event.clone(), row.salt));
        Ok(LoggedEvent {
            event: event.unwrap_or_default(),
            salt: salt.map(Vec::from).unwrap_or_default(),
            index: *index,
            inclusion,
        })
    };
    Ok(Outcome::Logged {
        keys: keys.iter().map(key).collect::<Result<_, TreeError>>()?,
        events: events.iter().map(event).collect::<Result<_, TreeError>>()?,
        checkpoints: checkpoints.clone(),
    })
}

/// What would happen to an operation now, without doing it (`validate_only`).
pub(crate) async fn try_out(
    store: &dyn Store,
    clock: &dyn Clock,
    salts: StdRng,
    operation: &dyn Operation,
) -> Result<Applied, Rejected> {
    let decide = async {
        let mut query = store.snapshot().await?;
        let heads = logs::read_heads(&mut *query).await?;
        let heads = heads.ok_or_else(|| StoreError::Corrupt("no log heads".into()))?;
        let now = clock.now().max(last_time(&heads));
        let mut set = WorkingSet::new(now, (heads.keys.size, heads.evidence.size), salts);
        load(&mut *query, &mut set, &[operation]).await?;
        Ok(operation.apply(&mut set))
    };
    decide.await.map_err(Rejected::Failed)?.map_err(Rejected::Refused)
}
