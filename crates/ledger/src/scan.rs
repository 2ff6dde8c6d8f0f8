//! Reading the keys log leaf by leaf to check what the service only asserts: that no revocation and no later link
//! stood against a key when an event was logged (docs/spec, section 5). Fetching tiles is the caller's business.

use crate::checkpoint::Checkpoint;
use crate::leaf::KeyLeaf;
use crate::tree::TreeEdge;

/// What a receipt, sync item or head statement claims about the keys log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The certificate or head link that was proven.
    pub leaf: KeyLeaf,
    /// Where it stands.
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
    /// The entries end before the claim or the checkpoint.
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
        self.upto.size.max(self.claim.checkpoint.size).max(self.claim.keys_size)
    }

    /// The next entry.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), ScanError> {
        let index = self.tree.size();
        let leaf = KeyLeaf::decode(entry).ok_or(ScanError::Malformed(index))?;
        if index == self.claim.index && leaf != self.claim.leaf {
            return Err(ScanError::Leaf(index));
        }
        if self.finding == Finding::Clear && index < self.claim.keys_size {
            self.finding = against(&self.claim.leaf, &leaf, index);
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
        if self.tree.size() < self.wanted() {
            Err(ScanError::Short(self.tree.size()))
        } else {
            Ok(self.finding)
        }
    }

    fn check_root(&self, signed: &Checkpoint) -> Result<(), ScanError> {
        let wrong = self.tree.size() == signed.size && self.tree.root() != signed.root;
        if wrong { Err(ScanError::Root(signed.size)) } else { Ok(()) }
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
    use postfach_domain::hash::Digest;
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
        KeyClaim { leaf: log()[index], index: index_there, keys_size, checkpoint: checkpoint(5) }
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
