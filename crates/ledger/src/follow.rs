//! How a client follows a log (docs/spec, section 5): what a checkpoint that it meets means beside the largest one it
//! knows, and whether an event is back-dated. Keeping checkpoints and asking for proofs is the client's business.

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::proof::{ProofError, verify_consistency};

/// Where a verified checkpoint was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// As the log's newest, in an answer to a call made after the known checkpoint was read from the profile.
    Newest,
    /// Anywhere else: in a receipt, or in an answer that another command may have overtaken.
    Past,
}

/// What a met checkpoint means beside the largest known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same tree: nothing to do.
    Same,
    /// Larger. Ask for the proof from `old` to `new`, check it with [`link`], then keep the met one.
    Newer {
        /// Size of the known checkpoint.
        old: u64,
        /// Size of the met checkpoint.
        new: u64,
    },
    /// Smaller. Ask for the proof from `old` to `new` and check it with [`link`]; keep the known one.
    Older {
        /// Size of the met checkpoint.
        old: u64,
        /// Size of the known checkpoint.
        new: u64,
    },
    /// The log's newest is smaller than what it showed before: it lost or hides entries. Exit 8.
    Rollback,
    /// One size, two roots: the log shows two histories. Exit 8; both notes together are the proof.
    Fork,
    /// A checkpoint of another log; nothing follows from it.
    OtherLog,
}

/// Compares a verified checkpoint with the largest known one of the same log.
pub fn compare(known: &Checkpoint, met: &Checkpoint, place: Met) -> Standing {
    if known.origin != met.origin {
        Standing::OtherLog
    } else if met.size > known.size {
        Standing::Newer { old: known.size, new: met.size }
    } else if met.size == known.size {
        if met.root == known.root { Standing::Same } else { Standing::Fork }
    } else if place == Met::Newest {
        Standing::Rollback
    } else {
        Standing::Older { old: met.size, new: known.size }
    }
}

/// Checks that the larger of two checkpoints extends the smaller one. An error is a fork (exit 8): the log signed
/// both and cannot link them.
pub fn link(one: &Checkpoint, other: &Checkpoint, proof: &[Hash]) -> Result<(), ProofError> {
    if one.origin != other.origin {
        return Err(ProofError::Root);
    }
    let (old, new) = if one.size <= other.size { (one, other) } else { (other, one) };
    verify_consistency(old.size, new.size, proof, &old.root, &new.root)
}

/// What a client saw: when the log had `size` leaves, something that only grows along the log stood at `least`: the time
/// of an event under it, or the size of the log of keys beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// A verified tree size.
    pub size: u64,
    /// No event at or beyond that size may claim less.
    pub least: u64,
}

/// Floors that a client keeps to notice events that claim to be older than they are, oldest first: sizes and values both
/// grow. Where they become too many, the one goes without which the fewest claims would pass: long ago they grow sparse and
/// never end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floors(Vec<Floor>);

impl Floors {
    /// Floors kept.
    pub const LIMIT: usize = 64;

    /// Restores kept floors, in any order.
    pub fn restore(floors: impl IntoIterator<Item = Floor>) -> Self {
        let mut all = Self::default();
        for floor in floors {
            all.add(floor);
        }
        all
    }

    /// The floors to keep.
    pub fn as_slice(&self) -> &[Floor] {
        &self.0
    }

    /// Remembers a floor.
    pub fn add(&mut self, floor: Floor) {
        let implied = |by: &Floor, floor: &Floor| by.size <= floor.size && by.least >= floor.least;
        if self.0.iter().any(|known| implied(known, &floor)) {
            return;
        }
        self.0.retain(|known| !implied(&floor, known));
        let place = self.0.partition_point(|known| known.size < floor.size);
        self.0.insert(place, floor);
        if self.0.len() > Self::LIMIT {
            self.drop_least();
        }
    }

    /// Drops the floor whose neighbours say nearly the same. Without it, events between its size and the next one's could
    /// claim values between the one before's and its own.
    fn drop_least(&mut self) {
        let open_to = |at: usize| {
            let before = at.checked_sub(1).map_or(0, |before| self.0[before].least);
            let after = self.0.get(at + 1).map_or(u64::MAX, |next| next.size);
            u128::from(after - self.0[at].size) * u128::from(self.0[at].least - before)
        };
        if let Some(least) = (0..self.0.len()).min_by_key(|at| open_to(*at)) {
            self.0.remove(least);
        }
    }

    /// True if an event at `index` claims less than stood when the log had at most `index` leaves. Exit 8.
    pub fn is_below(&self, index: u64, claimed: u64) -> bool {
        self.0.iter().any(|floor| index >= floor.size && claimed < floor.least)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::TreeEdge;

    fn checkpoint(leaves: &[u8]) -> (Checkpoint, TreeEdge) {
        let mut tree = TreeEdge::new();
        tree.append(leaves.iter().map(|leaf| leaf_hash(&[*leaf]))).unwrap();
        (Checkpoint { origin: "a/keys".into(), size: tree.size(), root: tree.root() }, tree)
    }

    #[test]
    fn each_standing() {
        let (three, _) = checkpoint(&[1, 2, 3]);
        let (other, _) = checkpoint(&[1, 2, 4]);
        let (five, grown) = checkpoint(&[1, 2, 3, 4, 5]);
        assert_eq!(compare(&three, &three, Met::Newest), Standing::Same);
        assert_eq!(compare(&three, &five, Met::Newest), Standing::Newer { old: 3, new: 5 });
        assert_eq!(compare(&five, &three, Met::Past), Standing::Older { old: 3, new: 5 });
        assert_eq!(compare(&five, &three, Met::Newest), Standing::Rollback);
        assert_eq!(compare(&three, &other, Met::Past), Standing::Fork);
        let elsewhere = Checkpoint { origin: "b/keys".into(), ..three.clone() };
        assert_eq!(compare(&three, &elsewhere, Met::Newest), Standing::OtherLog);

        let proof = crate::proof::consistency_proof(3, 5, &grown).unwrap();
        assert_eq!(link(&three, &five, &proof), Ok(()));
        assert_eq!(link(&five, &three, &proof), Ok(()));
        assert_eq!(link(&other, &five, &proof), Err(ProofError::Root));
        assert_eq!(link(&elsewhere, &five, &proof), Err(ProofError::Root));
        assert_eq!(link(&three, &three, &[]), Ok(()));
        assert_eq!(link(&three, &other, &[]), Err(ProofError::Root));
    }

    fn mark(size: u64, least: u64) -> Floor {
        Floor { size, least }
    }

    #[test]
    fn an_event_behind_a_seen_size_is_not_earlier() {
        let marks = Floors::restore([mark(10, 1000)]);
        assert!(marks.is_below(10, 999));
        assert!(!marks.is_below(10, 1000));
        assert!(!marks.is_below(9, 1), "it may have stood under that size");
    }

    #[test]
    fn marks_stay_few() {
        let marks = Floors::restore((0..1000).map(|i| mark(i, i)));
        assert_eq!(marks.as_slice().len(), Floors::LIMIT);
        assert!(marks.is_below(2000, 998));
    }

    #[test]
    fn what_was_seen_long_ago_still_counts() {
        // A sync a day for three years, each with ten more leaves.
        let time = |day: u64| 1_795_000_000_000 + 86_400_000 * day;
        let marks = Floors::restore((0..1000).map(|day| mark(10 * day, time(day))));
        for day in [0, 100, 500, 900] {
            let claimed = time(day) - 60 * 86_400_000;
            assert!(marks.is_below(10 * day, claimed), "day {day}");
            assert!(!marks.is_below(10 * day, time(day)), "day {day}");
        }
    }

    proptest! {
        #[test]
        fn marks_say_what_all_sightings_say(
            seen in prop::collection::vec((0u64..50, 0u64..50), 0..20),
            index in 0u64..60,
            time in 0u64..60,
        ) {
            let marks = Floors::restore(seen.iter().map(|(size, at)| mark(*size, *at)));
            let expected = seen.iter().any(|(size, at)| index >= *size && time < *at);
            prop_assert_eq!(marks.is_below(index, time), expected);
            prop_assert!(marks.as_slice().windows(2).all(|w| w[0].size < w[1].size && w[0].least < w[1].least));
        }
    }
}
