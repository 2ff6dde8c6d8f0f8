//! Segments of attachment ciphertext and their RFC 6962 root (SPEC 4). Pure verification: nothing here seals or opens.

use crate::hash::Digest;
use crate::id::AttachmentId;

/// Bytes of every segment but the last.
pub const SEGMENT_LEN: usize = 4 * 1024 * 1024;

/// Number of segments of a ciphertext of `ct_len` bytes. None for an empty one, which no age file is.
pub fn segment_count(ct_len: u64) -> u64 {
    ct_len.div_ceil(SEGMENT_LEN as u64)
}

/// Bytes of segment `index`, or `None` where there is no such segment.
pub fn segment_len(ct_len: u64, index: u64) -> Option<usize> {
    let start = index.checked_mul(SEGMENT_LEN as u64)?;
    let rest = ct_len.checked_sub(start).filter(|rest| *rest > 0)?;
    usize::try_from(rest.min(SEGMENT_LEN as u64)).ok()
}

/// `H(00 || "mpf1/attach-seg" || 00 || id || u64 index || segment)` (SPEC 4): already a leaf hash of the tree.
pub fn segment_leaf(id: &AttachmentId, index: u64, segment: &[u8]) -> Digest {
    Digest::of_parts(&[b"\0mpf1/attach-seg\0", &id.0, &index.to_be_bytes(), segment])
}

/// The root over leaf hashes, in order (RFC 6962 section 2.1). The root of no leaves is `H("")`.
pub fn root(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut root = SegmentRoot::new();
    leaves.into_iter().for_each(|leaf| root.push(leaf));
    root.root()
}

/// Builds the root leaf by leaf; memory grows with the logarithm of the number of leaves.
#[derive(Clone, Debug, Default)]
pub struct SegmentRoot {
    /// Roots of complete subtrees, largest first; bit `i` of `count` says that one of 2^i leaves is present.
    stack: Vec<Digest>,
    count: u64,
}

impl SegmentRoot {
    /// No leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.stack.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.stack.push(node);
        self.count += 1;
    }

    /// Leaves so far.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// True before the first leaf.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The root over the leaves so far.
    pub fn root(&self) -> Digest {
        let mut nodes = self.stack.iter().rev();
        let Some(last) = nodes.next() else { return Digest::of(b"") };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962 section 2.1, written as it stands there.
    fn naive(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [one] => *one,
            more => {
                let mut k = 1;
                while k * 2 < more.len() {
                    k *= 2;
                }
                node_hash(&naive(&more[..k]), &naive(&more[k..]))
            }
        }
    }

    #[test]
    fn lengths_at_the_borders() {
        let full = SEGMENT_LEN as u64;
        assert_eq!((segment_count(0), segment_len(0, 0)), (0, None));
        assert_eq!((segment_count(1), segment_len(1, 0), segment_len(1, 1)), (1, Some(1), None));
        assert_eq!(
            (segment_count(full), segment_len(full, 0), segment_len(full, 1)),
            (1, Some(SEGMENT_LEN), None)
        );
        assert_eq!((segment_count(full + 1), segment_len(full + 1, 1)), (2, Some(1)));
        assert_eq!(segment_len(u64::MAX, u64::MAX), None);
    }

    #[test]
    fn position_and_attachment_are_part_of_the_leaf() {
        let id = AttachmentId([1; 16]);
        let leaf = segment_leaf(&id, 0, b"x");
        assert_ne!(leaf, segment_leaf(&id, 1, b"x"));
        assert_ne!(leaf, segment_leaf(&AttachmentId([2; 16]), 0, b"x"));
    }

    proptest! {
        #[test]
        fn streaming_root_is_the_naive_one(count in 0usize..70) {
            let leaves: Vec<Digest> = (0..count).map(|i| Digest::of(&i.to_be_bytes())).collect();
            prop_assert_eq!(root(leaves.iter().copied()), naive(&leaves));
        }
    }
}
