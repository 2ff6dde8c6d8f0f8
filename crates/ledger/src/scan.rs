//! Reading the keys log leaf by leaf to check what the service only asserts: that no revocation and no later link
//! stood against a key when an event was logged, and that the mailbox had one chain (docs/spec, section 5). Fetching
//! tiles is the caller's business.

use postfach_domain::hash::Digest;

use crate::checkpoint::Checkpoint;
use crate::leaf::KeyLeaf;
use crate::tree::TreeEdge;

/// What a receipt, sync item or head statement claims about the keys log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The certificate or head link that was proven.
    pub leaf: KeyLeaf,
    /// link_hash of each link of the chain from genesis up to the head link; empty for a certificate.
    pub chain: Vec<Digest>,
    /// Where the leaf stands.
    pub index: u64,
    /// Size of the keys log when the event was logged: what stands at or beyond it came later.
    pub keys_size: u64,
    /// The signed checkpoint under which the leaf was proven.
    pub checkpoint: Checkpoint,
}

/// What the log says about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing stands against the key below `keys_size`.
    Clear,
    /// A revocation of the key stands at this index.
    Revoked {
        /// Index of the revocation.
        index: u64,
    },
    /// A later link of the mailbox stands at this index; whether it revokes the key is shown by the link itself.
    LaterLink {
        /// Index of the link.
        index: u64,
        /// Its sequence number.
        seq: u32,
    },
}

/// Why a scan gives no answer. Each one but `Short` is evidence against the service (exit 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// An entry is no key leaf.
    #[error("entry {0} of the keys log is malformed")]
    Malformed(u64),
    /// The entries do not give the root that was signed at this size.
    #[error("the keys log has another root at size {0} than was signed")]
    Root(u64),
    /// The claimed leaf does not stand where the proof put it.
    #[error("entry {0} of the keys log is not the proven one")]
    Leaf(u64),
    /// An entry names another link in a place of the claimed chain, or another certificate of the claimed key: the
    /// service showed two histories of one mailbox or key.
    #[error("entry {0} of the keys log contradicts the proven one")]
    Contradiction(u64),
    /// The entries or the checkpoints end before the claim.
    #[error("the keys log ends at {0}, before the checkpoint")]
    Short(u64),
}

/// A scan in progress: feed every entry from index 0, then finish.
#[derive(Clone, Debug)]
pub struct KeyScan {
    claim: KeyClaim,
    /// The signed checkpoint that the scanned entries have to give.
    upto: Checkpoint,
    tree: TreeEdge,
    finding: Finding,
}

impl KeyScan {
    /// Checks a claim against the entries under `upto`, a verified checkpoint of the keys log.
    pub fn new(claim: KeyClaim, upto: Checkpoint) -> Self {
        Self { claim, upto, tree: TreeEdge::new(), finding: Finding::Clear }
    }

    /// Entries that are wanted: up to the larger of the two checkpoints.
    pub fn wanted(&self) -> u64 {
        self.signed_size().max(self.claim.keys_size).max(self.claim.index.saturating_add(1))
    }

    /// What is signed ends here.
    fn signed_size(&self) -> u64 {
        self.upto.size.max(self.claim.checkpoint.size)
    }

    /// The next entry.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), ScanError> {
        let index = self.tree.size();
        let leaf = KeyLeaf::decode(entry).ok_or(ScanError::Malformed(index))?;
        if index == self.claim.index && leaf != self.claim.leaf {
            return Err(ScanError::Leaf(index));
        }
        if index < self.claim.keys_size {
            if self.claim.is_contradicted_by(&leaf) {
                return Err(ScanError::Contradiction(index));
            }
            if self.finding == Finding::Clear {
                self.finding = against(&self.claim.leaf, &leaf, index);
            }
        }
        self.tree.append([leaf.leaf_hash()]).map_err(|_| ScanError::Malformed(index))?;
        if self.tree.size().is_multiple_of(256) {
            self.tree.settle();
        }
        self.check_root(&self.upto)?;
        self.check_root(&self.claim.checkpoint)
    }

    /// The answer, once all wanted entries were fed.
    pub fn finish(self) -> Result<Finding, ScanError> {
        // Entries that no checkpoint covers say nothing.
        let covered = self.tree.size().min(self.signed_size());
        if covered < self.wanted() { Err(ScanError::Short(covered)) } else { Ok(self.finding) }
    }

    fn check_root(&self, signed: &Checkpoint) -> Result<(), ScanError> {
        let wrong = self.tree.size() == signed.size && self.tree.root() != signed.root;
        if wrong { Err(ScanError::Root(signed.size)) } else { Ok(()) }
    }
}

impl KeyClaim {
    /// True if the leaf puts something else in the place of a link of the claimed chain or of the certificate.
    fn is_contradicted_by(&self, leaf: &KeyLeaf) -> bool {
        if leaf.subject() != self.leaf.subject() {
            return false;
        }
        let claimed = match (&self.leaf, leaf) {
            (KeyLeaf::Link { .. }, KeyLeaf::Link { seq, .. }) if *seq < self.leaf.seq() => {
                usize::try_from(*seq).ok().and_then(|seq| self.chain.get(seq)).copied()
            }
            _ => (leaf.seq() == self.leaf.seq()).then(|| self.leaf.hash()),
        };
        claimed.is_some_and(|hash| hash != leaf.hash())
    }
}

/// What one leaf says against another.
fn against(claimed: &KeyLeaf, leaf: &KeyLeaf, index: u64) -> Finding {
    if leaf.subject() != claimed.subject() || leaf.seq() <= claimed.seq() {
        return Finding::Clear;
    }
    match (claimed, leaf) {
        (KeyLeaf::Certificate { .. }, KeyLeaf::Revocation { .. }) => Finding::Revoked { index },
        (KeyLeaf::Link { .. }, KeyLeaf::Link { seq, .. }) => Finding::LaterLink { index, seq: *seq },
        _ => Finding::Clear,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::id::{KeyId, Label};

    use super::*;

    fn link(seq: u32) -> KeyLeaf {
        KeyLeaf::Link { label: Label([1; 32]), seq, link_hash: Digest([9; 32]) }
    }

    fn log() -> Vec<KeyLeaf> {
        let (key_id, hash) = (KeyId([2; 32]), Digest([3; 32]));
        let other = KeyLeaf::Link { label: Label([7; 32]), seq: 5, link_hash: hash };
        let (certificate, revocation) =
            (KeyLeaf::Certificate { key_id, hash }, KeyLeaf::Revocation { key_id, hash });
        vec![link(0), certificate, other, link(1), revocation, other]
    }

    fn checkpoint(size: usize) -> Checkpoint {
        let mut tree = TreeEdge::new();
        tree.append(log()[..size].iter().map(KeyLeaf::leaf_hash)).unwrap();
        Checkpoint { origin: "a/keys".into(), size: tree.size(), root: tree.root() }
    }

    fn claim(index: usize, keys_size: u64) -> KeyClaim {
        let index_there = u64::try_from(index).unwrap();
        let leaf = log()[index];
        let is_link = matches!(leaf, KeyLeaf::Link { .. });
        let chain = if is_link { vec![Digest([9; 32]); leaf.seq() as usize + 1] } else { Vec::new() };
        KeyClaim { leaf, chain, index: index_there, keys_size, checkpoint: checkpoint(5) }
    }

    fn scan(claim: KeyClaim, upto: Checkpoint, entries: &[KeyLeaf]) -> Result<Finding, ScanError> {
        let mut scan = KeyScan::new(claim, upto);
        for entry in entries {
            scan.push(&entry.encode())?;
        }
        scan.finish()
    }

    #[test]
    fn only_what_stood_before_the_event_counts() {
        let all = log();
        let of = |index, keys_size| scan(claim(index, keys_size), checkpoint(6), &all).unwrap();
        assert_eq!(of(1, 4), Finding::Clear);
        assert_eq!(of(1, 5), Finding::Revoked { index: 4 });
        assert_eq!(of(0, 3), Finding::Clear);
        assert_eq!(of(0, 4), Finding::LaterLink { index: 3, seq: 1 });
        assert_eq!(of(3, 5), Finding::Clear);
    }

    /// Both checkpoints are those of the given entries: the service signed whatever stands there.
    fn scan_signed(claim: KeyClaim, entries: &[KeyLeaf]) -> Result<Finding, ScanError> {
        let mut tree = TreeEdge::new();
        tree.append(entries.iter().map(KeyLeaf::leaf_hash)).unwrap();
        let signed = Checkpoint { origin: "a/keys".into(), size: tree.size(), root: tree.root() };
        scan(KeyClaim { checkpoint: signed.clone(), ..claim }, signed, entries)
    }

    #[test]
    fn two_histories_of_one_mailbox_or_key_are_noticed() {
        let hash = Digest([8; 32]);
        let other_link = |seq| KeyLeaf::Link { label: Label([1; 32]), seq, link_hash: hash };
        let other_certificate = KeyLeaf::Certificate { key_id: KeyId([2; 32]), hash };
        let with = |at: usize, leaf: KeyLeaf| {
            let mut entries = log();
            entries.insert(at, leaf);
            entries
        };
        // The claim is link 1 at index 3, and every entry below 6 stood there before the event.
        let of_link = |entries: &[KeyLeaf]| scan_signed(claim(3, 6), entries);
        assert_eq!(of_link(&with(4, other_link(1))), Err(ScanError::Contradiction(4)));
        assert_eq!(of_link(&with(4, other_link(0))), Err(ScanError::Contradiction(4)));
        assert_eq!(of_link(&with(4, link(0))), Ok(Finding::Clear));
        assert_eq!(of_link(&with(6, other_link(1))), Ok(Finding::Clear), "after the event");
        // The other link came first.
        let first = KeyClaim { index: 4, ..claim(3, 6) };
        assert_eq!(scan_signed(first, &with(2, other_link(1))), Err(ScanError::Contradiction(2)));
        let of_certificate = |entries: &[KeyLeaf]| scan_signed(claim(1, 4), entries);
        assert_eq!(of_certificate(&with(3, other_certificate)), Err(ScanError::Contradiction(3)));
        assert_eq!(of_certificate(&log()), Ok(Finding::Clear));
    }

    #[test]
    fn what_no_checkpoint_covers_gives_no_answer() {
        let all = log();
        assert_eq!(scan(claim(1, 6), checkpoint(5), &all), Err(ScanError::Short(5)));
        assert_eq!(scan(claim(5, 4), checkpoint(5), &all), Err(ScanError::Short(5)));
        assert!(scan(claim(1, 6), checkpoint(6), &all).is_ok());
    }

    #[test]
    fn a_log_that_was_not_signed_gives_no_answer() {
        let all = log();
        assert_eq!(scan(claim(1, 5), checkpoint(6), &all[..5]), Err(ScanError::Short(5)));
        let mut other = all.clone();
        other[4] = link(2);
        assert_eq!(scan(claim(1, 5), checkpoint(6), &other), Err(ScanError::Root(5)));
        other = all.clone();
        other[1] = link(2);
        assert_eq!(scan(claim(1, 5), checkpoint(6), &other), Err(ScanError::Leaf(1)));
        let mut bad = KeyScan::new(claim(1, 5), checkpoint(6));
        assert_eq!(bad.push(&[0; 69]), Err(ScanError::Malformed(0)));
    }
}
