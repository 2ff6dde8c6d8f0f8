//! Inclusion and consistency proofs of RFC 6962, section 2.1: which tiles they need, building and strict checking.
//! Reading the tiles is the caller's business.

use std::collections::BTreeSet;

use crate::hash::{Hash, node_hash};
use crate::nodes::{NodePlace, NodeReader};
use crate::tile::{MAX_SIZE, TileCoord};

/// Why a proof or root could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The index is not below the size, the sizes are in the wrong order, or a size is above [`MAX_SIZE`].
    #[error("index or size out of range")]
    Range,
    /// A tile that the tree must have was not given, or is too narrow.
    #[error("tile {level}/{index} is missing or too narrow")]
    MissingTile {
        /// Level of the tile.
        level: u8,
        /// Index in the level.
        index: u64,
    },
}

/// Why a proof does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the size, or the sizes are in the wrong order or out of range.
    #[error("index or size out of range")]
    Range,
    /// The proof has too few or too many hashes for this index and size.
    #[error("proof has the wrong number of hashes")]
    Length,
    /// The proof leads to another root: something was changed.
    #[error("proof leads to another root")]
    Root,
}

/// A step from a node to the root: the range of leaves under the sibling, and on which side it stands.
#[derive(Clone, Copy, Debug)]
struct Sibling {
    from: u64,
    to: u64,
    left: bool,
}

/// The siblings on the way from the perfect subtree (height, index) to the root of a tree of `size` leaves.
/// Heights where the way has no sibling (the right edge is lifted) are skipped.
fn siblings(height: u8, index: u64, size: u64) -> impl Iterator<Item = Sibling> {
    let last = size.saturating_sub(1);
    (height..63).take_while(move |h| last >> h > 0).filter_map(move |h| {
        let node = index >> (h - height);
        if node & 1 == 1 {
            Some(Sibling { from: (node - 1) << h, to: node << h, left: true })
        } else {
            let from = (node + 1) << h;
            (from <= last).then(|| Sibling { from, to: (from + (1 << h)).min(size), left: false })
        }
    })
}

/// The perfect subtrees that make up the leaves `from..to`, smallest (rightmost) first. `from` is a multiple of a
/// power of two that is not below `to - from`.
fn perfect_subtrees(from: u64, to: u64) -> impl Iterator<Item = (u8, u64)> {
    let length = to - from;
    (0u8..63).filter(move |h| length >> h & 1 == 1).map(move |h| (h, (to >> h) - 1))
}

/// Hash over the leaves `from..to`, aligned as in [`perfect_subtrees`].
fn range_hash(from: u64, to: u64, nodes: &impl NodeReader) -> Result<Hash, TreeError> {
    let mut hash = None;
    for (height, index) in perfect_subtrees(from, to) {
        let node = nodes.node(height, index).ok_or_else(|| {
            let place = NodePlace::of(height, index);
            TreeError::MissingTile { level: place.level, index: place.tile }
        })?;
        hash = Some(hash.map_or(node, |right| node_hash(&node, &right)));
    }
    hash.ok_or(TreeError::Range)
}

/// The last perfect subtree of a tree of `size > 0` leaves: where a consistency proof starts.
fn last_subtree(size: u64) -> (u8, u64) {
    let height = size.trailing_zeros();
    // Safe because a u64 has at most 64 trailing zeros.
    (u8::try_from(height).expect("at most 64"), (size >> height) - 1)
}

fn check_leaf(index: u64, size: u64) -> Result<(), TreeError> {
    if index < size && size <= MAX_SIZE { Ok(()) } else { Err(TreeError::Range) }
}

fn check_sizes(old: u64, new: u64) -> Result<(), TreeError> {
    if old <= new && new <= MAX_SIZE { Ok(()) } else { Err(TreeError::Range) }
}

fn tiles_of(subtrees: impl Iterator<Item = (u8, u64)>, size: u64) -> Vec<TileCoord> {
    let wanted: BTreeSet<_> = subtrees
        .filter_map(|(height, index)| {
            let place = NodePlace::of(height, index);
            TileCoord::at_size(place.level, place.tile, size)
        })
        .collect();
    wanted.into_iter().collect()
}

/// The tiles that [`root`] needs at a size: the partial tiles of the right edge.
pub fn root_tiles(size: u64) -> Vec<TileCoord> {
    tiles_of(perfect_subtrees(0, size.min(MAX_SIZE)), size)
}

/// Root of the tree of `size` leaves (RFC 6962, section 2.1).
pub fn root(size: u64, nodes: &impl NodeReader) -> Result<Hash, TreeError> {
    match size {
        0 => Ok(Hash::EMPTY_ROOT),
        1..=MAX_SIZE => range_hash(0, size, nodes),
        _ => Err(TreeError::Range),
    }
}

/// The tiles that [`inclusion_proof`] needs, with their widths at that size.
pub fn inclusion_tiles(index: u64, size: u64) -> Result<Vec<TileCoord>, TreeError> {
    check_leaf(index, size)?;
    Ok(tiles_of(siblings(0, index, size).flat_map(|s| perfect_subtrees(s.from, s.to)), size))
}

/// Proof that the leaf `index` is in the tree of `size` leaves, from the leaf's sibling up (RFC 6962, 2.1.1).
pub fn inclusion_proof(index: u64, size: u64, nodes: &impl NodeReader) -> Result<Vec<Hash>, TreeError> {
    check_leaf(index, size)?;
    siblings(0, index, size).map(|s| range_hash(s.from, s.to, nodes)).collect()
}

/// The tiles that [`consistency_proof`] needs, with their widths at the new size.
pub fn consistency_tiles(old: u64, new: u64) -> Result<Vec<TileCoord>, TreeError> {
    check_sizes(old, new)?;
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (height, index) = last_subtree(old);
    let start = (!old.is_power_of_two()).then_some((height, index));
    let path = siblings(height, index, new).flat_map(|s| perfect_subtrees(s.from, s.to));
    Ok(tiles_of(start.into_iter().chain(path), new))
}

/// Proof that the tree of `new` leaves extends the tree of `old` leaves (RFC 6962, 2.1.2). Empty for `old` 0, which
/// every tree extends, and for equal sizes.
pub fn consistency_proof(old: u64, new: u64, nodes: &impl NodeReader) -> Result<Vec<Hash>, TreeError> {
    check_sizes(old, new)?;
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (height, index) = last_subtree(old);
    let start = (!old.is_power_of_two()).then(|| range_hash(index << height, (index + 1) << height, nodes));
    let path = siblings(height, index, new).map(|s| range_hash(s.from, s.to, nodes));
    start.into_iter().chain(path).collect()
}

/// Checks that the leaf stands at `index` under the root of `size` leaves. Strict: not one hash more or less.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    check_leaf(index, size).map_err(|_| ProofError::Range)?;
    let mut rest = proof.iter();
    let mut hash = *leaf;
    for sibling in siblings(0, index, size) {
        let other = rest.next().ok_or(ProofError::Length)?;
        hash = if sibling.left { node_hash(other, &hash) } else { node_hash(&hash, other) };
    }
    if rest.next().is_some() {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree (`new`, `new_root`) extends the tree (`old`, `old_root`). Strict: not one hash more or less;
/// the empty tree must have the empty root, and equal sizes equal roots.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    check_sizes(old, new).map_err(|_| ProofError::Range)?;
    if old == 0 || old == new {
        let same = if old == 0 { *old_root == Hash::EMPTY_ROOT } else { old_root == new_root };
        let new_is_sound = new > 0 || *new_root == Hash::EMPTY_ROOT;
        return match proof {
            [] if same && new_is_sound => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    let (height, index) = last_subtree(old);
    let mut rest = proof.iter();
    let start = if old.is_power_of_two() { old_root } else { rest.next().ok_or(ProofError::Length)? };
    let (mut old_hash, mut new_hash) = (*start, *start);
    for sibling in siblings(height, index, new) {
        let other = rest.next().ok_or(ProofError::Length)?;
        if sibling.left {
            old_hash = node_hash(other, &old_hash);
            new_hash = node_hash(other, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, other);
        }
    }
    if rest.next().is_some() {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
