//! Trees and proofs against the definitions of RFC 6962 written out naively, and against another implementation.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use postfach_ledger::hash::{Hash, leaf_hash, node_hash};
use postfach_ledger::nodes::Tiles;
use postfach_ledger::proof::{
    ProofError, TreeError, consistency_proof, consistency_tiles, inclusion_proof, inclusion_tiles, root,
    root_tiles, verify_consistency, verify_inclusion,
};
use postfach_ledger::tile::{TileCoord, TileData};
use postfach_ledger::tree::{TreeEdge, edge_tiles};
use proptest::prelude::*;

/// RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962, section 2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if index < k {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - k, right), naive_root(left))
    };
    path.push(other);
    path
}

/// RFC 6962, section 2.1.2.
fn naive_subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { vec![] } else { vec![naive_root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if m <= k {
        (naive_subproof(m, left, whole), naive_root(right))
    } else {
        (naive_subproof(m - k, right, false), naive_root(left))
    };
    path.push(other);
    path
}

fn split(length: usize) -> usize {
    length.next_power_of_two() / 2
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn index(position: usize) -> u64 {
    u64::try_from(position).unwrap()
}

/// The database: one row for each tile, replaced as it grows.
#[derive(Default)]
struct Rows(HashMap<(u8, u64), TileData>);

impl Rows {
    fn store(&mut self, edge: &TreeEdge) {
        for (coord, data) in edge.dirty_tiles() {
            assert_eq!(coord.width(), data.width());
            let row = self.0.insert((coord.level(), coord.index()), data.clone());
            if let Some(old) = row {
                assert!(data.as_bytes().starts_with(old.as_bytes()), "tiles only grow");
                assert!(data.width() > old.width(), "only changed tiles are dirty");
            }
        }
    }

    fn get(&self, coord: TileCoord) -> Option<TileData> {
        self.0.get(&(coord.level(), coord.index())).cloned()
    }

    fn read(&self, coords: &[TileCoord]) -> Tiles {
        let mut tiles = Tiles::new();
        for coord in coords {
            let data = self.get(*coord).expect("the tile is stored");
            assert!(data.width() >= coord.width());
            tiles.insert(coord.level(), coord.index(), &data.truncated(coord.width()).unwrap());
        }
        tiles
    }
}

/// Appends in the given batches, reloading from storage every other time, and checks each batch's own proofs.
fn grow(all: &[Hash], batches: &[usize]) -> Rows {
    let mut rows = Rows::default();
    let mut edge = TreeEdge::new();
    let (mut at, mut turn) = (0, 0usize);
    while at < all.len() {
        let end = (at + batches[turn % batches.len()]).min(all.len());
        assert_eq!(edge.append(all[at..end].iter().copied()).unwrap(), index(at)..index(end));
        for position in [at, usize::midpoint(at, end - 1), end - 1] {
            let proof = edge.inclusion_proof(index(position)).unwrap();
            verify_inclusion(index(position), index(end), &all[position], &proof, &edge.root()).unwrap();
        }
        rows.store(&edge);
        if turn % 2 == 0 {
            edge.settle();
            assert!(edge.dirty_tiles().is_empty());
        } else {
            edge = TreeEdge::load(index(end), |coord| rows.get(coord)).unwrap();
        }
        assert_eq!(edge.base_size(), index(end));
        (at, turn) = (end, turn + 1);
    }
    assert_eq!(edge.root(), naive_root(all));
    rows
}

/// Every way to damage a proof a little.
fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(at, leaf_hash(b"added"));
        all.push(longer);
    }
    for at in 0..proof.len() {
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        all.push(shorter);
        let mut other = proof.to_vec();
        let mut bytes = other[at].to_bytes();
        bytes[at % 32] ^= 1 << (at % 8);
        other[at] = Hash::from_bytes(bytes);
        all.push(other);
        if at + 1 < proof.len() && proof[at] != proof[at + 1] {
            let mut swapped = proof.to_vec();
            swapped.swap(at, at + 1);
            all.push(swapped);
        }
    }
    all
}

/// The root as the library has it; the tests compare it with the naive one where they check a size.
fn tree_root(rows: &Rows, size: usize) -> Hash {
    root(index(size), &rows.read(&root_tiles(index(size)))).unwrap()
}

fn check_inclusion(all: &[Hash], rows: &Rows, position: usize, size: usize) {
    let (i, n) = (index(position), index(size));
    let tiles = rows.read(&inclusion_tiles(i, n).unwrap());
    let proof = inclusion_proof(i, n, &tiles).unwrap();
    if size < 2000 {
        assert_eq!(proof, naive_path(position, &all[..size]));
    }
    let top = tree_root(rows, size);
    verify_inclusion(i, n, &all[position], &proof, &top).unwrap();
    for bad in damaged(&proof) {
        assert!(verify_inclusion(i, n, &all[position], &bad, &top).is_err());
    }
    if size > 1 {
        assert!(verify_inclusion(i ^ 1, n, &all[position], &proof, &top).is_err());
        assert_eq!(verify_inclusion(i, n, &leaf_hash(b"other"), &proof, &top), Err(ProofError::Root));
    }
    assert_eq!(verify_inclusion(n, n, &all[position], &proof, &top), Err(ProofError::Range));
}

fn check_consistency(all: &[Hash], rows: &Rows, old: usize, new: usize) {
    let (m, n) = (index(old), index(new));
    let tiles = rows.read(&consistency_tiles(m, n).unwrap());
    let proof = consistency_proof(m, n, &tiles).unwrap();
    if old > 0 && new < 2000 {
        assert_eq!(proof, naive_subproof(old, &all[..new], true));
    }
    let (old_root, new_root) = (tree_root(rows, old), tree_root(rows, new));
    verify_consistency(m, n, &proof, &old_root, &new_root).unwrap();
    for bad in damaged(&proof) {
        assert!(verify_consistency(m, n, &bad, &old_root, &new_root).is_err());
    }
    let other = leaf_hash(b"fork");
    assert!(verify_consistency(m, n, &proof, &other, &new_root).is_err());
    // Every tree extends the empty one; elsewhere the new root is bound as well.
    assert_eq!(verify_consistency(m, n, &proof, &old_root, &other).is_ok(), old == 0 && new > 0);
}

#[test]
fn every_small_tree() {
    let all = leaves(40);
    let rows = grow(&all, &[1, 2, 3]);
    for size in 0..=all.len() {
        assert_eq!(tree_root(&rows, size), naive_root(&all[..size]));
        for position in 0..size {
            check_inclusion(&all, &rows, position, size);
        }
        for old in 0..=size {
            check_consistency(&all, &rows, old, size);
        }
    }
}

#[test]
fn around_the_tile_borders() {
    let all = leaves(66_100);
    let rows = grow(&all, &[255, 1, 1, 700, 256, 9000]);
    for size in [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_100] {
        assert_eq!(tree_root(&rows, size), naive_root(&all[..size]));
        for position in [0, 1, 254, 255, 256, size / 2, size - 2, size - 1] {
            if position < size {
                check_inclusion(&all, &rows, position, size);
            }
        }
        for old in [1, 3, 128, 255, 256, 257, size / 2, size - 1, size] {
            if old <= size {
                check_consistency(&all, &rows, old, size);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_trees_and_batches(
        count in 1usize..1500,
        batches in prop::collection::vec(1usize..600, 1..6),
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 4),
    ) {
        let all = leaves(count);
        let rows = grow(&all, &batches);
        for (a, b) in picks {
            let size = a.index(count) + 1;
            prop_assert_eq!(tree_root(&rows, size), naive_root(&all[..size]));
            check_inclusion(&all, &rows, b.index(size), size);
            check_consistency(&all, &rows, b.index(size + 1), size);
        }
    }

    #[test]
    fn same_as_the_other_implementation(count in 1u64..700, a: prop::sample::Index, b: prop::sample::Index) {
        struct Stored(Vec<tlog_tiles::Hash>);
        impl tlog_tiles::HashReader for Stored {
            fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
                Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
            }
        }
        let mut stored = Stored(vec![]);
        for i in 0..count {
            let more = tlog_tiles::stored_hashes(i, &usize::try_from(i).unwrap().to_be_bytes(), &stored).unwrap();
            stored.0.extend(more);
        }
        let all = leaves(usize::try_from(count).unwrap());
        let rows = grow(&all, &[100]);
        let theirs = |hash: &Hash| tlog_tiles::Hash(hash.to_bytes());
        let top = naive_root(&all);
        prop_assert_eq!(theirs(&top), tlog_tiles::tree_hash(count, &stored).unwrap());

        let position = u64::try_from(a.index(all.len())).unwrap();
        let tiles = rows.read(&inclusion_tiles(position, count).unwrap());
        let proof: Vec<_> = inclusion_proof(position, count, &tiles).unwrap().iter().map(theirs).collect();
        let leaf = theirs(&all[a.index(all.len())]);
        prop_assert_eq!(&proof, &tlog_tiles::prove_record(count, position, &stored).unwrap());
        tlog_tiles::check_record(&proof, count, theirs(&top), position, leaf).unwrap();

        let old = u64::try_from(b.index(all.len())).unwrap() + 1;
        let tiles = rows.read(&consistency_tiles(old, count).unwrap());
        let proof: Vec<_> = consistency_proof(old, count, &tiles).unwrap().iter().map(theirs).collect();
        prop_assert_eq!(&proof, &tlog_tiles::prove_tree(count, old, &stored).unwrap());

        // Which tiles there are, and what stands in them.
        for tile in tlog_tiles::Tile::new_tiles(8, 0, count) {
            let ours = rows.0[&(tile.level(), tile.level_index())].clone();
            prop_assert_eq!(ours.into_bytes(), tile.read_data(&stored).unwrap());
        }
    }
}

#[test]
fn ranges_are_checked() {
    let tiles = Tiles::new();
    assert_eq!(inclusion_tiles(5, 5), Err(TreeError::Range));
    assert_eq!(inclusion_proof(0, u64::MAX, &tiles), Err(TreeError::Range));
    assert_eq!(consistency_tiles(6, 5), Err(TreeError::Range));
    assert_eq!(consistency_proof(1, u64::MAX, &tiles), Err(TreeError::Range));
    assert_eq!(root(u64::MAX, &tiles), Err(TreeError::Range));
    assert_eq!(root(3, &tiles), Err(TreeError::MissingTile { level: 0, index: 0 }));
    let largest = u64::try_from(i64::MAX).unwrap();
    assert!(inclusion_tiles(largest - 1, largest).is_ok());
    assert!(consistency_tiles(largest - 1, largest).is_ok());
    assert!(TreeEdge::load(u64::MAX, |_| None).is_err());
    assert_eq!(
        TreeEdge::load(300, |_| None).map(|edge| edge.size()),
        Err(TreeError::MissingTile { level: 0, index: 1 })
    );
}

#[test]
fn edge_is_at_most_one_tile_a_level() {
    let paths = |size| edge_tiles(size).iter().map(TileCoord::path).collect::<Vec<_>>();
    assert!(paths(0).is_empty());
    assert_eq!(paths(256), ["tile/1/000.p/1"]);
    assert_eq!(paths(70_000), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(paths(65_536), ["tile/2/000.p/1"]);
}
