//! Following both logs: every checkpoint is verified when it comes, and linked to the largest one by a consistency proof
//! before the command ends. An unprovable one is a fork, a smaller log a rollback; both checkpoints are kept as proof.

use postfach_ledger::checkpoint::{LogKeys, SignedCheckpoint};
use postfach_ledger::hash::Hash;
use postfach_ledger::proof::{verify_consistency, verify_inclusion};
use postfach_proto::v1;

use crate::client::{Client, MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::state::{LogMemory, Trust};

/// Checkpoints that one request links at most; the largest and the newest come besides.
const BATCH: usize = 90;

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Keys,
    Evidence,
}

impl Log {
    fn keys(self, client: &Client) -> &LogKeys {
        match self {
            Self::Keys => &client.service().keys_log,
            Self::Evidence => &client.service().evidence_log,
        }
    }

    fn memory(self, trust: &mut Trust) -> &mut LogMemory {
        match self {
            Self::Keys => &mut trust.keys_log,
            Self::Evidence => &mut trust.evidence_log,
        }
    }

    fn wire(self) -> v1::LogName {
        match self {
            Self::Keys => v1::LogName::Keys,
            Self::Evidence => v1::LogName::Evidence,
        }
    }
}

/// The verified checkpoints of one answer; all its proofs are under these.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    keys: Option<SignedCheckpoint>,
    evidence: Option<SignedCheckpoint>,
}

impl Seen {
    pub(crate) fn keys(&self) -> Result<&SignedCheckpoint, Error> {
        self.keys.as_ref().ok_or_else(|| Error::answer("no checkpoint of the log of keys"))
    }

    pub(crate) fn evidence(&self) -> Result<&SignedCheckpoint, Error> {
        self.evidence.as_ref().ok_or_else(|| Error::answer("no checkpoint of the log of evidence"))
    }
}

/// Checks that a leaf stands where the answer says.
pub(crate) fn check_inclusion(
    what: &str,
    leaf: &Hash,
    index: u64,
    proof: &[Vec<u8>],
    under: &SignedCheckpoint,
) -> Result<Vec<Hash>, Error> {
    let wrong = |why: String| Error::evidence(EvidenceFault::Inclusion(format!("{what}: {why}")));
    let hashes: Option<Vec<_>> = proof.iter().map(|hash| Hash::from_slice(hash)).collect();
    let hashes = hashes.ok_or_else(|| wrong("a hash has not 32 bytes".to_owned()))?;
    let checkpoint = &under.checkpoint;
    verify_inclusion(index, checkpoint.size, leaf, &hashes, &checkpoint.root)
        .map_err(|e| wrong(e.to_string()))?;
    Ok(hashes)
}

/// Checks that the events of a page lie behind everything before it, in the order of the log, and that there is one where
/// more is to follow: whoever asks for page after page comes to an end. Answers the place behind the last one.
pub(crate) fn check_order<'a>(
    events: impl Iterator<Item = &'a v1::LoggedEvent>,
    behind: u64,
    has_more: bool,
    seen: &Seen,
) -> Result<u64, Error> {
    let (mut next, end) = (behind, seen.evidence()?.checkpoint.size);
    for event in events {
        // What was erased is not proven; at least it cannot hide what comes later.
        if event.index < next || event.index >= end {
            return Err(Error::answer("a page goes back, or beyond the log"));
        }
        next = event.index + 1;
    }
    if has_more && next == behind {
        return Err(Error::answer("a page brings nothing and says that more follows"));
    }
    Ok(next)
}

impl Client {
    /// Verifies the checkpoints of an answer and remembers them to be linked.
    pub(crate) fn observe(&self, checkpoints: Option<&v1::Checkpoints>) -> Result<Seen, Error> {
        let checkpoints = checkpoints.ok_or_else(|| Error::answer("no checkpoints"))?;
        let seen = Seen {
            keys: self.observe_one(Log::Keys, &checkpoints.keys)?,
            evidence: self.observe_one(Log::Evidence, &checkpoints.evidence)?,
        };
        if let (Some(keys), Some(evidence)) = (&seen.keys, &seen.evidence) {
            let (size, keys_size) = (evidence.checkpoint.size, keys.checkpoint.size);
            self.with_trust(|trust| trust.see_keys(size, keys_size));
        }
        Ok(seen)
    }

    fn observe_one(&self, log: Log, note: &[u8]) -> Result<Option<SignedCheckpoint>, Error> {
        if note.is_empty() {
            return Ok(None);
        }
        let signed = self.verify_note(log, note)?;
        self.with_trust(|trust| {
            let memory = log.memory(trust);
            if memory.largest != note && !memory.unlinked.iter().any(|known| known == note) {
                memory.unlinked.push(note.to_vec());
            }
        });
        Ok(Some(signed))
    }

    fn verify_note(&self, log: Log, note: &[u8]) -> Result<SignedCheckpoint, Error> {
        let verified = log.keys(self).verify(note, &self.service().witnesses).map_err(|e| {
            let proof = vec![(format!("{log:?}.checkpoint").to_lowercase(), note.to_vec())];
            Error::evidence_with(EvidenceFault::Checkpoint(e.to_string()), proof)
        })?;
        Ok(verified.signed)
    }

    /// Links every checkpoint met to the largest. Call it before a command ends and before anything that was
    /// verified counts: after it, the log has only grown since the last time.
    pub async fn settle(&self) -> Result<(), Error> {
        self.settle_log(Log::Keys).await?;
        self.settle_log(Log::Evidence).await
    }

    /// The largest checkpoint of the log of keys that is linked to all others.
    pub(crate) fn largest_keys_checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        let note = self.with_trust(|trust| trust.keys_log.largest.clone());
        self.stored(Log::Keys, &note)
    }

    async fn settle_log(&self, log: Log) -> Result<(), Error> {
        loop {
            let memory = self.with_trust(|trust| log.memory(trust).clone());
            if memory.unlinked.is_empty() {
                return Ok(());
            }
            let largest = self.stored(log, &memory.largest)?;
            let notes = memory.unlinked.iter().take(BATCH);
            let unlinked: Vec<_> = notes.map(|n| self.verify_note(log, n)).collect::<Result<_, _>>()?;
            let known = ordered(largest.iter().cloned().chain(unlinked))?;
            let newest = match &known[..] {
                [only] => only.clone(),
                _ => self.link(log, &known).await?,
            };
            self.with_trust(|trust| {
                let memory_now = log.memory(trust);
                memory_now.unlinked.retain(|n| !known.iter().any(|k| k.note == *n));
                // Another task may have linked a larger one meanwhile; then ours is linked to it next.
                if memory_now.largest == memory.largest {
                    memory_now.largest.clone_from(&newest.note);
                } else if memory_now.largest != newest.note {
                    memory_now.unlinked.push(newest.note.clone());
                }
            });
        }
    }

    fn stored(&self, log: Log, note: &[u8]) -> Result<Option<SignedCheckpoint>, Error> {
        if note.is_empty() { Ok(None) } else { self.verify_note(log, note).map(Some) }
    }

    /// One GetConsistencyProof over all sizes; the newest checkpoint, linked to all of them.
    async fn link(&self, log: Log, known: &[SignedCheckpoint]) -> Result<SignedCheckpoint, Error> {
        let sizes: Vec<u64> = known.iter().map(|k| k.checkpoint.size).filter(|size| *size > 0).collect();
        let request = v1::GetConsistencyProofRequest { log: log.wire().into(), sizes };
        let answer = self
            .call(Pace::Normal, request, |channel, request| async move {
                let mut service = v1::evidence_service_client::EvidenceServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER);
                service.get_consistency_proof(request).await
            })
            .await;
        match answer {
            Ok(answer) => check_links(known, &answer, self.verify_note(log, &answer.checkpoint)?),
            // The server refuses sizes that it signed: it shows less than before, or cannot link what it showed.
            Err(Error::BadInput { .. } | Error::NotFound { .. } | Error::Conflict { .. }) => {
                let newest = self.newest(log).await?;
                check_growth(known, &newest)?;
                Err(fork(known.first().unwrap_or(&newest), &newest))
            }
            Err(error) => Err(error),
        }
    }

    async fn newest(&self, log: Log) -> Result<SignedCheckpoint, Error> {
        let request = v1::GetCheckpointRequest { log: log.wire().into() };
        let answer = self
            .call(Pace::Normal, request, |channel, request| async move {
                v1::evidence_service_client::EvidenceServiceClient::new(channel).get_checkpoint(request).await
            })
            .await?;
        self.verify_note(log, &answer.checkpoint)
    }
}

/// Sorts by size and drops repeats; two roots for one size are a fork.
fn ordered(checkpoints: impl Iterator<Item = SignedCheckpoint>) -> Result<Vec<SignedCheckpoint>, Error> {
    let mut all: Vec<_> = checkpoints.collect();
    all.sort_by_key(|signed| signed.checkpoint.size);
    for pair in all.windows(2) {
        let (old, new) = (&pair[0].checkpoint, &pair[1].checkpoint);
        if old.size == new.size && old.root != new.root {
            return Err(fork(&pair[0], &pair[1]));
        }
    }
    all.dedup_by(|a, b| a.checkpoint == b.checkpoint);
    Ok(all)
}

fn check_growth(known: &[SignedCheckpoint], newest: &SignedCheckpoint) -> Result<(), Error> {
    let Some(largest) = known.last() else { return Ok(()) };
    let (seen, now) = (largest.checkpoint.size, newest.checkpoint.size);
    if now >= seen {
        return Ok(());
    }
    let log = newest.checkpoint.origin.clone();
    Err(Error::evidence_with(EvidenceFault::Rollback { log, seen, now }, proof_of(newest, largest)))
}

/// Checks each proof from one known checkpoint to the next, and from the last to the newest.
fn check_links(
    known: &[SignedCheckpoint],
    answer: &v1::GetConsistencyProofResponse,
    newest: SignedCheckpoint,
) -> Result<SignedCheckpoint, Error> {
    check_growth(known, &newest)?;
    let ends = known.iter().skip(1).chain(std::iter::once(&newest));
    for (old, new) in known.iter().zip(ends) {
        let (from, to) = (&old.checkpoint, &new.checkpoint);
        let trivial = from.size == 0 || from.size == to.size;
        let found = answer.proofs.iter().find(|p| p.old_size == from.size && p.new_size == to.size);
        let hashes: Option<Vec<_>> = match found {
            Some(proof) => proof.hashes.iter().map(|hash| Hash::from_slice(hash)).collect(),
            None => trivial.then(Vec::new),
        };
        let holds = hashes.is_some_and(|hashes| {
            verify_consistency(from.size, to.size, &hashes, &from.root, &to.root).is_ok()
        });
        if !holds {
            return Err(fork(old, new));
        }
    }
    Ok(newest)
}

fn fork(old: &SignedCheckpoint, new: &SignedCheckpoint) -> Error {
    let log = new.checkpoint.origin.clone();
    let what = EvidenceFault::Fork { log, old: old.checkpoint.size, new: new.checkpoint.size };
    Error::evidence_with(what, proof_of(old, new))
}

fn proof_of(one: &SignedCheckpoint, other: &SignedCheckpoint) -> Vec<(String, Vec<u8>)> {
    let name = |signed: &SignedCheckpoint, n: u8| {
        let log = signed.checkpoint.origin.rsplit('/').next().unwrap_or_default();
        format!("{log}-{}-{n}.checkpoint", signed.checkpoint.size)
    };
    vec![(name(one, 1), one.note.clone()), (name(other, 2), other.note.clone())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::sign::SecretKey;
    use postfach_ledger::checkpoint::Checkpoint;
    use postfach_ledger::hash::leaf_hash;
    use postfach_ledger::tree::TreeEdge;
    use postfach_ledger::vkey::LogSigner;

    use super::*;

    fn signer() -> LogSigner {
        LogSigner::new("post.example/keys", SecretKey::from_seed(&[4; 32])).unwrap()
    }

    /// A checkpoint over leaves 0..size, where every leaf from `fork_at` differs.
    fn checkpoint(size: u64, fork_at: u64) -> SignedCheckpoint {
        let mut tree = TreeEdge::new();
        let leaf = |i: u64| leaf_hash(&[&i.to_be_bytes()[..], &[u8::from(i >= fork_at)]].concat());
        tree.append((0..size).map(leaf)).unwrap();
        Checkpoint::sign(&signer(), size, tree.root())
    }

    fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> EvidenceFault {
        match result.unwrap_err() {
            Error::Evidence(e) => {
                assert_eq!(e.proof.len(), 2);
                e.what
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn one_size_with_two_roots_is_a_fork() {
        let fine = ordered([checkpoint(5, 99), checkpoint(3, 99), checkpoint(5, 99)].into_iter()).unwrap();
        assert_eq!(fine.iter().map(|c| c.checkpoint.size).collect::<Vec<_>>(), [3, 5]);
        let forked = ordered([checkpoint(5, 99), checkpoint(5, 2)].into_iter());
        assert!(matches!(fault(forked), EvidenceFault::Fork { old: 5, new: 5, .. }));
    }

    #[test]
    fn a_smaller_log_is_a_rollback() {
        let answer = v1::GetConsistencyProofResponse::default();
        let back = check_links(&[checkpoint(5, 99)], &answer, checkpoint(4, 99));
        assert!(matches!(fault(back), EvidenceFault::Rollback { seen: 5, now: 4, .. }));
    }

    #[test]
    fn each_pair_needs_its_proof() {
        // From 1 to 2 the proof is the second leaf's hash.
        let (one, two) = (checkpoint(1, 99), checkpoint(2, 99));
        let second = leaf_hash(&[&1u64.to_be_bytes()[..], &[0]].concat());
        let proof = v1::ConsistencyProof { old_size: 1, new_size: 2, hashes: vec![second.as_ref().to_vec()] };
        let answer = v1::GetConsistencyProofResponse { proofs: vec![proof], checkpoint: two.note.clone() };
        assert_eq!(check_links(std::slice::from_ref(&one), &answer, two.clone()).unwrap(), two);
        let none = v1::GetConsistencyProofResponse::default();
        assert!(matches!(fault(check_links(&[one], &none, two.clone())), EvidenceFault::Fork { .. }));
        let other = checkpoint(1, 0);
        assert!(matches!(fault(check_links(&[other], &answer, two)), EvidenceFault::Fork { .. }));
    }

    #[test]
    fn pages_go_on_in_the_order_of_the_log_and_end() {
        let seen = Seen { keys: None, evidence: Some(checkpoint(9, 99)) };
        let page = |indexes: &[u64], behind, has_more| {
            let event = |index: &u64| v1::LoggedEvent { index: *index, ..v1::LoggedEvent::default() };
            let events: Vec<_> = indexes.iter().map(event).collect();
            check_order(events.iter(), behind, has_more, &seen).ok()
        };
        assert_eq!(page(&[0, 3, 8], 0, true), Some(9));
        assert_eq!((page(&[], 4, false), page(&[4], 4, true)), (Some(4), Some(5)));
        for wrong in [&[3, 3][..], &[4, 3], &[2], &[9], &[u64::MAX]] {
            assert_eq!(page(wrong, 3, false), None, "{wrong:?}");
        }
        assert_eq!((page(&[], 4, true), page(&[], 0, true)), (None, None));
    }

    #[test]
    fn inclusion_is_checked_with_its_exact_length() {
        let checkpoint = checkpoint(1, 99);
        let leaf = leaf_hash(&[&0u64.to_be_bytes()[..], &[0]].concat());
        assert!(check_inclusion("x", &leaf, 0, &[], &checkpoint).is_ok());
        assert!(check_inclusion("x", &leaf, 0, &[vec![0; 32]], &checkpoint).is_err());
        assert!(check_inclusion("x", &leaf_hash(b"y"), 0, &[], &checkpoint).is_err());
        assert!(check_inclusion("x", &leaf, 0, &[vec![0; 31]], &checkpoint).is_err());
    }
}
