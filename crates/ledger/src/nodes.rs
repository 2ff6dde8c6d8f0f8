//! Hashes of perfect subtrees, looked up by height and index, from tiles in memory. Which nodes a proof needs is
//! decided in `proof`; nothing here reads storage.

use std::collections::HashMap;
use std::sync::Arc;

use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_WIDTH, TileCoord, TileData};

/// Tree heights that one tile spans.
const TILE_HEIGHT: u8 = 8;
/// Nodes of a full tile: 256 + 128 + … + 1.
const TILE_NODES: usize = 511;

/// Looks up perfect subtrees of a tree.
pub trait NodeReader {
    /// Hash over the leaves `index << height .. (index + 1) << height`; `None` where the tile that holds it is
    /// not at hand. A reader never answers with a hash of other leaves.
    fn node(&self, height: u8, index: u64) -> Option<Hash>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        (**self).node(height, index)
    }
}

/// A tile with all its inner nodes, so that each proof costs look-ups only (16 KiB a tile).
#[derive(Clone)]
pub struct TileNodes {
    width: u16,
    nodes: Box<[Hash]>,
}

impl TileNodes {
    /// An empty tile to push to.
    pub(crate) fn empty() -> Self {
        Self { width: 0, nodes: vec![Hash::EMPTY_ROOT; TILE_NODES].into_boxed_slice() }
    }

    /// Computes the inner nodes of a tile: 255 hashes for a full one, about 25 µs.
    pub fn new(data: &TileData) -> Self {
        let mut tile = Self::empty();
        for hash in data.hashes() {
            tile.push(hash);
        }
        tile
    }

    /// Hashes in the tile.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The tile's own hashes, as stored and served; `None` for an empty tile.
    pub fn to_data(&self) -> Option<TileData> {
        TileData::from_hashes(&self.nodes[..usize::from(self.width)])
    }

    /// Adds a hash and every inner node that it completes. The root, once the tile is full.
    /// A full tile takes nothing more and answers `None`.
    pub(crate) fn push(&mut self, hash: Hash) -> Option<Hash> {
        if self.width == TILE_WIDTH {
            return None;
        }
        let (mut index, mut node, mut height) = (usize::from(self.width), hash, 0);
        self.nodes[index] = node;
        while index % 2 == 1 {
            node = node_hash(&self.nodes[row(height) + index - 1], &node);
            index /= 2;
            height += 1;
            self.nodes[row(height) + index] = node;
        }
        self.width += 1;
        (self.width == TILE_WIDTH).then_some(node)
    }

    /// A perfect subtree inside the tile; height 0..8 above the tile's own hashes, index within that row.
    fn get(&self, height: u8, index: u16) -> Option<Hash> {
        let complete = index < self.width >> height;
        complete.then(|| self.nodes[row(height) + usize::from(index)])
    }
}

impl std::fmt::Debug for TileNodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TileNodes({} hashes)", self.width)
    }
}

/// Where the row of a height starts among a tile's nodes.
fn row(height: u8) -> usize {
    512 - (512 >> height)
}

/// Where a perfect subtree is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodePlace {
    pub(crate) level: u8,
    pub(crate) tile: u64,
    height_in_tile: u8,
    index_in_row: u16,
}

impl NodePlace {
    pub(crate) fn of(height: u8, index: u64) -> Self {
        let (level, height_in_tile) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let row_bits = TILE_HEIGHT - height_in_tile;
        let in_row = index & ((1 << row_bits) - 1);
        // Safe because at most eight bits are left after the mask.
        let index_in_row = u16::try_from(in_row).expect("at most 255");
        Self { level, tile: index >> row_bits, height_in_tile, index_in_row }
    }

    pub(crate) fn read(&self, tile: &TileNodes) -> Option<Hash> {
        tile.get(self.height_in_tile, self.index_in_row)
    }
}

/// Tiles read from storage for one or more proofs. A tile may be wider than asked for: tiles only grow.
#[derive(Clone, Debug, Default)]
pub struct Tiles {
    tiles: HashMap<(u8, u64), Arc<TileNodes>>,
}

impl Tiles {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tile, computing its inner nodes. The wider of two stays.
    pub fn insert(&mut self, level: u8, index: u64, data: &TileData) {
        self.insert_nodes(level, index, Arc::new(TileNodes::new(data)));
    }

    /// Adds a tile whose inner nodes are known, for callers that keep often used tiles. The wider of two stays.
    pub fn insert_nodes(&mut self, level: u8, index: u64, nodes: Arc<TileNodes>) {
        let known = self.tiles.get(&(level, index)).map_or(0, |tile| tile.width());
        if known < nodes.width() {
            self.tiles.insert((level, index), nodes);
        }
    }

    /// True if the tile is there, at least as wide as the coordinate says.
    pub fn contains(&self, coord: &TileCoord) -> bool {
        self.tiles.get(&(coord.level(), coord.index())).is_some_and(|tile| tile.width() >= coord.width())
    }
}

impl NodeReader for Tiles {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let place = NodePlace::of(height, index);
        place.read(self.tiles.get(&(place.level, place.tile))?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hash::leaf_hash;

    #[test]
    fn rows_follow_each_other() {
        assert_eq!((row(0), row(1), row(7), row(8)), (0, 256, 508, 510));
    }

    #[test]
    fn incomplete_subtrees_are_absent() {
        let hashes: Vec<_> = (0..5u8).map(|i| leaf_hash(&[i])).collect();
        let tile = TileNodes::new(&TileData::from_hashes(&hashes).unwrap());
        assert_eq!(tile.get(0, 4), Some(hashes[4]));
        assert_eq!(tile.get(0, 5), None);
        assert_eq!(tile.get(1, 1), Some(node_hash(&hashes[2], &hashes[3])));
        assert_eq!(tile.get(1, 2), None);
        assert_eq!(tile.get(3, 0), None);
    }

    #[test]
    fn a_full_tile_gives_its_root_once() {
        let mut tile = TileNodes::empty();
        assert!(tile.to_data().is_none());
        for i in 0..255u8 {
            assert_eq!(tile.push(leaf_hash(&[i])), None);
        }
        let root = tile.push(leaf_hash(&[255])).unwrap();
        assert_eq!(tile.push(root), None);
        let halves = (tile.get(7, 0).unwrap(), tile.get(7, 1).unwrap());
        assert_eq!(root, node_hash(&halves.0, &halves.1));
        assert_eq!(tile.to_data().unwrap().width(), 256);
    }

    #[test]
    fn the_wider_tile_stays() {
        let hashes: Vec<_> = (0..3u8).map(|i| leaf_hash(&[i])).collect();
        let mut tiles = Tiles::new();
        tiles.insert(0, 0, &TileData::from_hashes(&hashes).unwrap());
        tiles.insert(0, 0, &TileData::from_hashes(&hashes[..1]).unwrap());
        assert!(tiles.contains(&TileCoord::new(0, 0, 3).unwrap()));
        assert!(!tiles.contains(&TileCoord::new(0, 0, 4).unwrap()));
        assert_eq!(tiles.node(0, 2), Some(hashes[2]));
    }
}
