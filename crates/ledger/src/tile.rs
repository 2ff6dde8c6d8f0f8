//! Names and bytes of C2SP tlog-tiles: hash tiles, entry bundles and their URL paths. No tree arithmetic beyond
//! which tile exists at which size, no I/O.

use crate::hash::{HASH_SIZE, Hash};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Largest level that a path may name.
pub const MAX_LEVEL: u8 = 63;
/// Largest tree that we keep: sizes are stored as signed 64-bit integers.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// Which hash tile: level, index in the level, and how many hashes it has (1..=256).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileCoord {
    level: u8,
    index: u64,
    width: u16,
}

impl TileCoord {
    /// A coordinate; `None` for a level above 63 or a width outside 1..=256.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        (level <= MAX_LEVEL && (1..=TILE_WIDTH).contains(&width)).then_some(Self { level, index, width })
    }

    /// The tile as a tree of `size` leaves has it; `None` where that tree has no such tile.
    pub fn at_size(level: u8, index: u64, size: u64) -> Option<Self> {
        Self::new(level, index, width_at_size(level, index, size)?)
    }

    /// 0 holds leaf hashes, level n+1 the roots of full tiles of level n.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Position within the level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in the tile, 1..=256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// True for a full tile, which never changes again.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Path below the log's prefix: `tile/0/x001/067.p/12` (C2SP tlog-tiles).
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }
}

/// Which entry bundle: index and how many entries it has (1..=256).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleCoord {
    index: u64,
    width: u16,
}

impl BundleCoord {
    /// A coordinate; `None` for a width outside 1..=256.
    pub fn new(index: u64, width: u16) -> Option<Self> {
        (1..=TILE_WIDTH).contains(&width).then_some(Self { index, width })
    }

    /// The bundle as a tree of `size` leaves has it; `None` where that tree has no such bundle.
    pub fn at_size(index: u64, size: u64) -> Option<Self> {
        Self::new(index, width_at_size(0, index, size)?)
    }

    /// Position of the bundle; its first entry is leaf `index * 256`.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Entries in the bundle, 1..=256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Leaf index of the first entry.
    pub const fn first_leaf(&self) -> u64 {
        self.index.saturating_mul(TILE_WIDTH as u64)
    }

    /// Path below the log's prefix: `tile/entries/x001/067.p/12` (C2SP tlog-tiles).
    pub fn path(&self) -> String {
        format!("tile/entries/{}", index_path(self.index, self.width))
    }
}

/// What a GET below the log's prefix asks for (C2SP tlog-tiles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `checkpoint`
    Checkpoint,
    /// `tile/<L>/<N>[.p/<W>]`
    Tile(TileCoord),
    /// `tile/entries/<N>[.p/<W>]`
    Entries(BundleCoord),
}

impl Resource {
    /// Reads a path below the prefix, without a leading slash. Only the one canonical spelling is accepted.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = parse_index(rest)?;
        let found = if level == "entries" {
            Self::Entries(BundleCoord::new(index, width)?)
        } else {
            Self::Tile(TileCoord::new(level.parse().ok()?, index, width)?)
        };
        // Leading zeros, plus signs and superfluous path elements do not survive the way back.
        (found.path() == path).then_some(found)
    }

    /// The path below the prefix.
    pub fn path(&self) -> String {
        match self {
            Self::Checkpoint => "checkpoint".to_owned(),
            Self::Tile(coord) => coord.path(),
            Self::Entries(coord) => coord.path(),
        }
    }
}

/// Hashes of a tile in order, as stored and served: 32 bytes each, 1..=256 of them.
#[derive(Clone, PartialEq, Eq)]
pub struct TileData(Vec<u8>);

impl TileData {
    /// Wraps bytes; `None` unless they are 1..=256 whole hashes.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let whole = bytes.len().is_multiple_of(HASH_SIZE);
        (whole && (1..=usize::from(TILE_WIDTH)).contains(&(bytes.len() / HASH_SIZE))).then_some(Self(bytes))
    }

    /// Collects hashes; `None` unless there are 1..=256.
    pub fn from_hashes<'a>(hashes: impl IntoIterator<Item = &'a Hash>) -> Option<Self> {
        let mut bytes = Vec::with_capacity(usize::from(TILE_WIDTH) * HASH_SIZE);
        for hash in hashes {
            bytes.extend_from_slice(hash.as_bytes());
        }
        Self::from_bytes(bytes)
    }

    /// How many hashes.
    pub fn width(&self) -> u16 {
        // The constructors allow at most 256 hashes.
        u16::try_from(self.0.len() / HASH_SIZE).unwrap_or(TILE_WIDTH)
    }

    /// The hash at a position of the tile.
    pub fn get(&self, position: u16) -> Option<Hash> {
        let start = usize::from(position) * HASH_SIZE;
        Hash::from_slice(self.0.get(start..start + HASH_SIZE)?)
    }

    /// All hashes in order.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> + '_ {
        self.0.chunks_exact(HASH_SIZE).filter_map(Hash::from_slice)
    }

    /// The first `width` hashes: a partial tile cut from a wider one. `None` if there are fewer.
    pub fn truncated(&self, width: u16) -> Option<Self> {
        Self::from_bytes(self.0.get(..usize::from(width) * HASH_SIZE)?.to_vec())
    }

    /// The bytes as stored and served.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as stored and served, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl std::fmt::Debug for TileData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TileData({} hashes)", self.width())
    }
}

/// Encodes an entry bundle: each entry behind its u16 big endian length. `None` if one has more than 65,535
/// bytes or there are not 1..=256 of them.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Option<Vec<u8>> {
    if !(1..=usize::from(TILE_WIDTH)).contains(&entries.len()) {
        return None;
    }
    let mut bytes = Vec::with_capacity(entries.iter().map(|e| 2 + e.as_ref().len()).sum());
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.as_ref().len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry.as_ref());
    }
    Some(bytes)
}

/// Splits an entry bundle into its entries. `None` on a cut entry, an empty bundle or more than 256 entries.
pub fn decode_bundle(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (entry, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = tail;
    }
    (rest.is_empty() && (1..=usize::from(TILE_WIDTH)).contains(&entries.len())).then_some(entries)
}

/// How many hashes the tile has in a tree of `size` leaves; `None` where there is no such tile.
fn width_at_size(level: u8, index: u64, size: u64) -> Option<u16> {
    let hashes = if level < 8 { size >> (8 * u32::from(level)) } else { 0 };
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let width = hashes.checked_sub(first)?.min(u64::from(TILE_WIDTH));
    u16::try_from(width).ok().filter(|width| *width > 0)
}

fn index_path(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < TILE_WIDTH {
        path = format!("{path}.p/{width}");
    }
    path
}

fn parse_index(text: &str) -> Option<(u64, u16)> {
    let (path, width) = match text.split_once(".p/") {
        Some((path, width)) => (path, width.parse().ok().filter(|w| *w < TILE_WIDTH)?),
        None => (text, TILE_WIDTH),
    };
    let mut index = 0u64;
    for element in path.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        let value = digits.parse::<u64>().ok().filter(|value| *value < 1000)?;
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    Some((index, width))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_text() {
        let path = |level, index, width| TileCoord::new(level, index, width).unwrap().path();
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(0, 1067, 12), "tile/0/x001/067.p/12");
        assert_eq!(path(63, 0, 255), "tile/63/000.p/255");
        assert_eq!(BundleCoord::new(999, 256).unwrap().path(), "tile/entries/999");
        assert_eq!(BundleCoord::new(1000, 1).unwrap().path(), "tile/entries/x001/000.p/1");
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            "/",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/00/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/64/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/+1",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/+0/000",
            "tile/0/+00",
            "tile/0/xx01/000",
            "tile/0/000/",
            "/tile/0/000",
            "tile/entries/000.p/256",
            "tile/data/000",
            "checkpoint/",
            "tile/0/000.p/1.p/2",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(Resource::parse(bad), None, "{bad}");
        }
        assert_eq!(Resource::parse("checkpoint"), Some(Resource::Checkpoint));
    }

    #[test]
    fn widths_follow_the_example_of_the_text() {
        // "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width
        // 112, one full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1."
        let width = |level, index, size| TileCoord::at_size(level, index, size).map(|coord| coord.width());
        assert_eq!(width(0, 272, 70_000), Some(256));
        assert_eq!(width(0, 273, 70_000), Some(112));
        assert_eq!(width(0, 274, 70_000), None);
        assert_eq!(width(1, 0, 70_000), Some(256));
        assert_eq!(width(1, 1, 70_000), Some(17));
        assert_eq!(width(2, 0, 70_000), Some(1));
        assert_eq!(width(3, 0, 70_000), None);
        assert_eq!(width(1, 0, 256), Some(1));
        assert_eq!(width(0, 1, 256), None);
        assert_eq!(width(63, 0, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn path_round_trip(level in 0u8..=63, index: u64, width in 1u16..=256) {
            let tile = Resource::Tile(TileCoord::new(level, index, width).unwrap());
            prop_assert_eq!(Resource::parse(&tile.path()), Some(tile));
            let entries = Resource::Entries(BundleCoord::new(index, width).unwrap());
            prop_assert_eq!(Resource::parse(&entries.path()), Some(entries));
        }

        #[test]
        fn path_matches_the_other_implementation(level in 0u8..=63, index: u64, width in 1u16..=256) {
            let theirs = tlog_tiles::Tile::new(8, level, index, u32::from(width), false).path();
            let ours = TileCoord::new(level, index, width).unwrap().path();
            prop_assert_eq!(ours, theirs.replacen("tile/8/", "tile/", 1));
        }

        #[test]
        fn any_text_parses_to_its_own_path_or_not_at_all(text in "(tile/)?(entries|[0-9]{1,2})/[x0-9/.p]{1,20}") {
            if let Some(resource) = Resource::parse(&text) {
                prop_assert_eq!(resource.path(), text);
            }
        }

        #[test]
        fn bundle_round_trip(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..=256)) {
            let bytes = encode_bundle(&entries).unwrap();
            prop_assert_eq!(decode_bundle(&bytes).unwrap(), entries);
            prop_assert!(decode_bundle(&bytes[..bytes.len() - 1]).is_none());
        }
    }

    #[test]
    fn bundle_bytes_and_limits() {
        assert_eq!(encode_bundle(&[b"ab".as_slice(), b""]).unwrap(), [0, 2, b'a', b'b', 0, 0]);
        assert!(encode_bundle(&[vec![0u8; 65_536]]).is_none());
        assert!(encode_bundle::<Vec<u8>>(&[]).is_none());
        assert!(decode_bundle(&[]).is_none());
        assert!(decode_bundle(&[0; 2 * 257]).is_none());
        assert_eq!(decode_bundle(&[0; 2 * 256]).unwrap().len(), 256);
    }

    #[test]
    fn tile_data_is_whole_hashes() {
        assert!(TileData::from_bytes(vec![]).is_none());
        assert!(TileData::from_bytes(vec![0; 33]).is_none());
        assert!(TileData::from_bytes(vec![0; 32 * 257]).is_none());
        let data = TileData::from_bytes((0..64).collect()).unwrap();
        assert_eq!(data.width(), 2);
        assert_eq!(data.get(1).unwrap().as_bytes()[0], 32);
        assert_eq!(data.get(2), None);
        assert_eq!(data.truncated(1).unwrap().as_bytes(), &data.as_bytes()[..32]);
        assert!(data.truncated(3).is_none() && data.truncated(0).is_none());
    }
}
