//! C2SP `tlog-proof@v1`: one file that says, with the signed head in it, that an entry stands in the log.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::digest::{Hash, entry};
use crate::proof::{Plan, ProofError};
use crate::record::Record;
use crate::tile::{Edge, TileError, TileId, TileSet, needed};
use crate::tree::leaf_hash;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// What the name of a proof's file ends in; before it stands the position.
pub(super) const ENDING: &str = ".tlog-proof";
/// A tree of 2^64 entries has no longer proof.
const MOST_SIBLINGS: usize = 64;

/// A proof as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's position.
    pub index: u64,
    /// Siblings from the leaf up.
    pub siblings: Vec<Hash>,
    /// The signed head, verbatim.
    pub checkpoint: String,
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nindex {}", self.index)?;
        for sibling in &self.siblings {
            writeln!(f, "{}", BASE64.encode(sibling))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl TlogProof {
    /// Reads a proof; the error says in words what is wrong with it. Extra data, which proves nothing, is passed over.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (proof, checkpoint) = text
            .split_once("\n\n")
            .ok_or("there is no empty line before a signed head")?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(format!("the first line is not {FIRST_LINE}"));
        }
        let mut line = lines.next().unwrap_or_default();
        if let Some(extra) = line.strip_prefix("extra ") {
            BASE64
                .decode(extra)
                .map_err(|_| "the extra data is not base64")?;
            line = lines.next().unwrap_or_default();
        }
        let number = line.strip_prefix("index ").unwrap_or_default();
        let index: u64 = number.parse().map_err(|_| "there is no index")?;
        if index.to_string() != number {
            return Err(format!("the index is written {number:?}"));
        }
        let hash = |line: &str| BASE64.decode(line).ok()?.try_into().ok();
        let siblings: Option<Vec<Hash>> = lines.take(MOST_SIBLINGS + 1).map(hash).collect();
        let siblings = siblings.ok_or("a sibling is not 32 bytes in base64")?;
        if siblings.len() > MOST_SIBLINGS {
            return Err("there are more siblings than any tree has levels".to_owned());
        }
        Ok(Self {
            index,
            siblings,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

/// Gathers, while a whole log goes by, what the proofs of some of its entries need. Memory grows with those alone.
#[derive(Debug)]
pub struct Prover {
    size: u64,
    plans: Vec<(u64, Plan)>,
    needed: BTreeSet<TileId>,
    edge: Edge,
    tiles: TileSet,
}

impl Prover {
    /// For these positions of a log of `size` entries.
    pub fn new(positions: impl IntoIterator<Item = u64>, size: u64) -> Result<Self, ProofError> {
        let plan = |seq| Ok((seq, Plan::inclusion(seq, size)?));
        let plans: Vec<(u64, Plan)> = positions.into_iter().map(plan).collect::<Result<_, _>>()?;
        let nodes: Vec<_> = plans.iter().flat_map(|(_, plan)| plan.nodes()).collect();
        Ok(Self {
            size,
            plans,
            needed: needed(&nodes, size),
            edge: Edge::new(),
            tiles: TileSet::default(),
        })
    }

    /// The next entry, from position 0 on.
    pub fn push(&mut self, record: &Record) {
        if self.plans.is_empty() || self.edge.size() >= self.size {
            return;
        }
        let leaf = leaf_hash(&entry(record.header.seq, &record.event_hash, &record.chain));
        let (needed, tiles) = (&self.needed, &mut self.tiles);
        self.edge.push(leaf, |tile| {
            if needed.contains(&tile.id()) {
                tiles.insert(tile);
            }
        });
    }

    /// The proofs, once every entry went by: positions and siblings.
    pub fn finish(mut self) -> Result<Vec<(u64, Vec<Hash>)>, TileError> {
        for tile in self.edge.tiles() {
            self.tiles.insert(tile);
        }
        let tiles = &self.tiles;
        self.plans
            .iter()
            .map(|(seq, plan)| Ok((*seq, plan.resolve(|node| tiles.hash(node))?)))
            .collect()
    }
}
