//! The tree in tiles, as C2SP `tlog-tiles` serves it (<https://c2sp.org/tlog-tiles>): each holds up to 256
//! neighbouring hashes of one level, and each hash of level L + 1 is the root of a full tile of level L.
//!
//! Full tiles never change, so they can be stored and served for ever; at most one tile a level, the rightmost,
//! is partial.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::digest::Hash;
use crate::tree::{Frontier, Node, node_hash};

/// How many hashes a full tile holds.
pub const WIDTH: u16 = 256;
/// How many levels of the tree a tile spans: `2^HEIGHT` is [`WIDTH`].
const HEIGHT: u32 = 8;
/// The highest level that a tree of up to 2^64 entries can have.
const HIGHEST: u8 = 7;

/// Why something is no tile, or a hash cannot be had from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The bytes are not `width` hashes.
    #[error("{id} is {expected} bytes, these are {found}")]
    Length {
        /// Which tile.
        id: TileId,
        /// How many bytes it should have.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// The tile that holds the hash was not given.
    #[error(
        "the tile at level {level}, index {index} is missing or too narrow for what is asked of it"
    )]
    Missing {
        /// The tile's level.
        level: u8,
        /// Its index within the level.
        index: u64,
    },
    /// The tiles that were given are not the right edge of a tree of this size.
    #[error("the partial tiles that were given are not those of a tree of {size} entries")]
    Edge {
        /// The tree's size.
        size: u64,
    },
}

/// Which tile: its level, its index within the level, and how many hashes of it there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 holds leaf hashes.
    pub level: u8,
    /// Counted from 0 from the left.
    pub index: u64,
    /// 1 to 256; below 256 the tile is partial.
    pub width: u16,
}

/// A level's step in leaves as a power of two.
fn shift(level: u8) -> u32 {
    HEIGHT * u32::from(level)
}

/// How many hashes a level has in a tree of `size` entries.
fn count_at(level: u8, size: u64) -> u64 {
    size.checked_shr(shift(level)).unwrap_or(0)
}

/// How many hashes of the tile there are when its level has `count`; `None` for none.
fn width_in(index: u64, count: u64) -> Option<u16> {
    let from = index.checked_mul(u64::from(WIDTH))?;
    let there = count.checked_sub(from)?.min(u64::from(WIDTH));
    u16::try_from(there).ok().filter(|width| *width > 0)
}

impl TileId {
    /// The tile that holds the hash of `node`, or the hashes to compute it from, in a tree of `size` entries.
    pub fn of(node: Node, size: u64) -> Option<Self> {
        let level = u8::try_from(node.level / HEIGHT).ok()?;
        let index = node.index.checked_shl(node.level % HEIGHT)? / u64::from(WIDTH);
        let width = width_in(index, count_at(level, size))?;
        Some(Self {
            level,
            index,
            width,
        })
    }

    /// Whether the tile will not change any more.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }
}

/// `x001/x234/067`.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = Vec::new();
    let mut rest = index;
    while rest >= 1000 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    groups.push(rest);
    let (last, above) = groups.split_first().unwrap_or((&0, &[]));
    for group in above.iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{last:03}")
}

fn write_width(f: &mut fmt::Formatter<'_>, width: u16) -> fmt::Result {
    if width == WIDTH {
        Ok(())
    } else {
        write!(f, ".p/{width}")
    }
}

/// The path as it is served: `tile/0/x001/067`, `tile/0/x001/067.p/8`.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index)?;
        write_width(f, self.width)
    }
}

/// What a path of a tiled log names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `checkpoint`: the latest signed head.
    Checkpoint,
    /// `tile/<L>/<N>[.p/<W>]`: hashes.
    Tile(TileId),
    /// `tile/entries/<N>[.p/<W>]`: the entries beneath a tile of level 0.
    Entries {
        /// Counted from 0: the first entry is `256 * index`.
        index: u64,
        /// How many entries.
        width: u16,
    },
}

impl Resource {
    /// Reads a path without a leading `/`. Each resource has exactly one path; any other is `None`.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => (index, plain(width).filter(|w| (1..WIDTH).contains(w))?),
        };
        let index = parse_index(index)?;
        if level == "entries" {
            return Some(Self::Entries { index, width });
        }
        let level = plain(level).and_then(|level| u8::try_from(level).ok())?;
        (level < 64).then_some(Self::Tile(TileId {
            level,
            index,
            width,
        }))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Tile(id) => write!(f, "{id}"),
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                write_index(f, *index)?;
                write_width(f, *width)
            }
        }
    }
}

/// A decimal number without leading zeros.
fn plain(text: &str) -> Option<u16> {
    let digits =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| digits)
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let is_last = groups.peek().is_none();
        let digits = if is_last {
            group
        } else {
            group.strip_prefix('x')?
        };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if first && !is_last && digits == "000" {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        first = false;
    }
    Some(index)
}

/// A tile with its hashes; always as many as its width says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    id: TileId,
    hashes: Vec<Hash>,
}

impl Tile {
    /// The tile of `width` hashes, as they are stored and served: side by side.
    pub fn from_bytes(id: TileId, bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != usize::from(id.width) {
            let expected = 32 * usize::from(id.width);
            return Err(TileError::Length {
                id,
                expected,
                found: bytes.len(),
            });
        }
        Ok(Self {
            id,
            hashes: hashes.to_vec(),
        })
    }

    /// The hashes side by side.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.as_flattened().to_vec()
    }

    /// Which tile this is.
    pub fn id(&self) -> TileId {
        self.id
    }

    /// The hashes, from the left.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root over a full tile: the hash that stands for it one level up. `None` for a partial tile.
    pub fn root(&self) -> Option<Hash> {
        self.id
            .is_full()
            .then(|| perfect_root(&self.hashes))
            .flatten()
    }
}

/// The root over a power of two of hashes; `None` for none.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied()
}

/// Tiles that are at hand, to take the hashes of a proof from.
#[derive(Debug, Clone, Default)]
pub struct TileSet(BTreeMap<(u8, u64), Tile>);

impl TileSet {
    /// Adds a tile; a wider one replaces a narrower one.
    pub fn insert(&mut self, tile: Tile) {
        let place = self.0.entry((tile.id.level, tile.id.index));
        let kept = place.or_insert_with(|| tile.clone());
        if kept.id.width < tile.id.width {
            *kept = tile;
        }
    }

    /// The hash of a perfect subtree.
    pub fn hash(&self, node: Node) -> Result<Hash, TileError> {
        let level = u8::try_from(node.level / HEIGHT).unwrap_or(u8::MAX);
        let within = node.level % HEIGHT;
        let from = node.index.checked_shl(within).unwrap_or(u64::MAX);
        let index = from / u64::from(WIDTH);
        let missing = TileError::Missing { level, index };
        let tile = self.0.get(&(level, index)).ok_or_else(|| missing.clone())?;
        let offset = usize::try_from(from % u64::from(WIDTH)).unwrap_or(usize::MAX);
        let hashes = tile.hashes.get(offset..offset.saturating_add(1 << within));
        hashes.and_then(perfect_root).ok_or(missing)
    }
}

impl FromIterator<Tile> for TileSet {
    fn from_iter<I: IntoIterator<Item = Tile>>(tiles: I) -> Self {
        let mut set = Self::default();
        tiles.into_iter().for_each(|tile| set.insert(tile));
        set
    }
}

/// The tiles of a tree of `size` entries that hold these nodes, e.g. [`crate::proof::Plan::nodes`].
pub fn needed(nodes: &[Node], size: u64) -> BTreeSet<TileId> {
    nodes
        .iter()
        .filter_map(|node| TileId::of(*node, size))
        .collect()
}

/// The partial tiles of a tree of `size` entries, from level 0 up; a level without one is left out.
pub(crate) fn partials(size: u64) -> Vec<TileId> {
    let at = |level| {
        let count = count_at(level, size);
        let index = count / u64::from(WIDTH);
        width_in(index, count).map(|width| TileId {
            level,
            index,
            width,
        })
    };
    (0..=HIGHEST).filter_map(at).collect()
}

/// The right edge of a growing tree: its partial tiles. Leaves go in, full tiles come out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a tree of `size` entries from its partial tiles, those of [`partials`] in that order.
    pub(crate) fn from_tiles(size: u64, tiles: &[Tile]) -> Result<Self, TileError> {
        if !tiles.iter().map(|tile| tile.id).eq(partials(size)) {
            return Err(TileError::Edge { size });
        }
        let mut levels = Vec::new();
        for tile in tiles {
            levels.resize(usize::from(tile.id.level), Vec::new());
            levels.push(tile.hashes.clone());
        }
        Ok(Self { size, levels })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash and hands over each tile that became full, from level 0 up.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(Tile)) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=HIGHEST {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(at) else {
                return;
            };
            row.push(hash);
            if row.len() < usize::from(WIDTH) {
                return;
            }
            let index = count_at(level, self.size) / u64::from(WIDTH) - 1;
            let hashes = std::mem::take(row);
            let root = perfect_root(&hashes);
            full(Tile {
                id: TileId {
                    level,
                    index,
                    width: WIDTH,
                },
                hashes,
            });
            match root {
                Some(root) => hash = root,
                None => return,
            }
        }
    }

    /// The partial tiles, from the leaves up, at most one a level.
    pub fn tiles(&self) -> Vec<Tile> {
        let rows = partials(self.size).into_iter();
        rows.filter_map(|id| {
            let hashes = self.levels.get(usize::from(id.level))?.clone();
            Some(Tile { id, hashes })
        })
        .collect()
    }

    /// The tree's compact range.
    pub(crate) fn frontier(&self) -> Frontier {
        let set: TileSet = self.tiles().into_iter().collect();
        let nodes = crate::tree::cover(0, self.size);
        let hashes: Vec<Hash> = nodes
            .iter()
            .filter_map(|node| set.hash(*node).ok())
            .collect();
        // The edge holds each of these hashes: a subtree of level l lies in the partial tile of level l / 8.
        Frontier::from_hashes(self.size, &hashes).unwrap_or_default()
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }
}

/// A bundle of entries: each with its length in two bytes, big-endian, before it. `None` if one is longer than
/// 65,535 bytes.
pub fn encode_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "tile_tests.rs"]
mod tests;
