//! The append engine: the right edge of a tree in memory, grown batch by batch. It hands out the tiles to store and
//! the proofs of what was appended; storing, locking and signing are the committer's business.

use std::ops::Range;

use crate::hash::Hash;
use crate::nodes::{NodePlace, NodeReader, TileNodes};
use crate::proof::{self, TreeError};
use crate::tile::{MAX_SIZE, TILE_WIDTH, TileCoord, TileData};

/// The tiles that must be read to load a tree of `size` leaves: the partial tile of every level that has one, at
/// most one for each level.
pub fn edge_tiles(size: u64) -> Vec<TileCoord> {
    (0u8..8)
        .filter_map(|level| {
            let hashes = size >> (8 * u32::from(level));
            TileCoord::at_size(level, hashes >> 8, size).filter(|coord| !coord.is_full())
        })
        .collect()
}

/// Tiles of one level that this batch may still read or change.
#[derive(Clone, Debug, Default)]
struct Level {
    /// Index of the first tile held.
    first: u64,
    /// Consecutive tiles; only the last one may be partial, and none is empty.
    tiles: Vec<TileNodes>,
    /// True once a hash was added since loading or settling.
    dirty: bool,
}

/// A tree of which only the right edge and the current batch are in memory.
///
/// Load it under the head lock, append, store [`TreeEdge::dirty_tiles`] with the leaves and the new size in one
/// transaction, and call [`TreeEdge::settle`] only once the commit is known good. After a failed commit throw it away
/// and load it again.
#[derive(Clone, Debug, Default)]
pub struct TreeEdge {
    base: u64,
    size: u64,
    levels: Vec<Level>,
}

impl TreeEdge {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loads a tree of `size` leaves; `tile` answers each coordinate of [`edge_tiles`], a wider tile is cut.
    /// About 100 µs. The caller compares [`TreeEdge::root`] with the stored root.
    pub fn load(size: u64, mut tile: impl FnMut(TileCoord) -> Option<TileData>) -> Result<Self, TreeError> {
        if size > MAX_SIZE {
            return Err(TreeError::Range);
        }
        let mut levels = Vec::new();
        for level in 0u8..8 {
            let hashes = size >> (8 * u32::from(level));
            if hashes == 0 {
                break;
            }
            levels.push(Level { first: hashes >> 8, ..Level::default() });
        }
        for coord in edge_tiles(size) {
            let missing = TreeError::MissingTile { level: coord.level(), index: coord.index() };
            let data = tile(coord).and_then(|data| data.truncated(coord.width())).ok_or(missing)?;
            levels[usize::from(coord.level())].tiles.push(TileNodes::new(&data));
        }
        Ok(Self { base: size, size, levels })
    }

    /// Leaves in the tree, those of this batch included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Leaves in the tree when it was loaded or last settled.
    pub fn base_size(&self) -> u64 {
        self.base
    }

    /// Adds leaf hashes and answers their indexes. About one hash for each leaf.
    pub fn append(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Result<Range<u64>, TreeError> {
        let first = self.size;
        for leaf in leaves {
            if self.size >= MAX_SIZE {
                return Err(TreeError::Range);
            }
            self.size += 1;
            let (mut carry, mut level) = (Some(leaf), 0);
            while let Some(hash) = carry {
                carry = self.push(level, hash);
                level += 1;
            }
        }
        Ok(first..self.size)
    }

    /// Root of the whole tree.
    #[expect(clippy::missing_panics_doc, reason = "an invariant of the type, not a matter of data")]
    pub fn root(&self) -> Hash {
        // Safe because `load` demands every tile of the right edge and `append` keeps it.
        proof::root(self.size, self).expect("the right edge is in memory")
    }

    /// Tiles that changed since loading or settling, to be upserted: one row for each (level, index), the wider
    /// replaces the narrower.
    pub fn dirty_tiles(&self) -> Vec<(TileCoord, TileData)> {
        let mut changed = Vec::new();
        for (level, held) in (0u8..).zip(&self.levels).filter(|(_, held)| held.dirty) {
            for (index, tile) in (held.first..).zip(&held.tiles) {
                if let (Some(coord), Some(data)) =
                    (TileCoord::new(level, index, tile.width()), tile.to_data())
                {
                    changed.push((coord, data));
                }
            }
        }
        changed
    }

    /// Proof for a leaf of this batch (index at or above [`TreeEdge::base_size`]) under the current root. Older
    /// leaves answer [`TreeError::MissingTile`] unless their tiles happen to be in memory.
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, TreeError> {
        proof::inclusion_proof(index, self.size, self)
    }

    /// After a commit: forgets full tiles, so that the next batch starts from here.
    pub fn settle(&mut self) {
        for (level, held) in (0u32..).zip(&mut self.levels) {
            let first = (self.size >> (8 * level)) >> 8;
            held.tiles.retain(|tile| tile.width() < TILE_WIDTH);
            held.first = first;
            held.dirty = false;
        }
        self.base = self.size;
    }

    /// Adds a hash to a level; the root of the tile that became full goes to the level above.
    fn push(&mut self, level: usize, hash: Hash) -> Option<Hash> {
        if self.levels.len() == level {
            self.levels.push(Level::default());
        }
        let held = &mut self.levels[level];
        held.dirty = true;
        if held.tiles.last().is_none_or(|tile| tile.width() == TILE_WIDTH) {
            held.tiles.push(TileNodes::empty());
        }
        held.tiles.last_mut().and_then(|tile| tile.push(hash))
    }
}

impl NodeReader for TreeEdge {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let place = NodePlace::of(height, index);
        let held = self.levels.get(usize::from(place.level))?;
        let position = usize::try_from(place.tile.checked_sub(held.first)?).ok()?;
        place.read(held.tiles.get(position)?)
    }
}
