//! The Merkle tree over the log's entries: RFC 6962 section 2.1 (unchanged in RFC 9162), SHA-256.
//!
//! A tree of any size is a row of perfect subtrees, its *compact range*
//! (<https://github.com/transparency-dev/merkle/blob/main/docs/compact_ranges.md>). Growing a tree and computing
//! its root need only that row, at most 64 hashes, and two rows that meet can be merged: so segments are
//! hashed in parallel and give the same root as one pass.

use sha2::{Digest, Sha256};

use crate::digest::Hash;

/// The root of the tree without leaves: `SHA256("")`.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Where leaves and ranges may not be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A subtree of this level starts only at multiples of its width.
    #[error(
        "a subtree of 2^{level} leaves cannot start at leaf {at}: it starts at a multiple of its width"
    )]
    Misaligned {
        /// The subtree's level: it has `2^level` leaves.
        level: u32,
        /// The leaf at which it was to start.
        at: u64,
    },
    /// Ranges merge only where one ends and the next begins.
    #[error("a range that begins at leaf {begin} does not follow one that ends before leaf {end}")]
    Apart {
        /// The first leaf after the left range.
        end: u64,
        /// The first leaf of the right range.
        begin: u64,
    },
    /// A tree of `size` leaves has one subtree for each bit that is set in its size.
    #[error("a tree of {size} leaves has {} subtrees, {given} were given", size.count_ones())]
    Subtrees {
        /// The tree's size in leaves.
        size: u64,
        /// How many hashes came.
        given: usize,
    },
}

/// `SHA256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    hasher.finalize().into()
}

/// `SHA256(0x01 ‖ left ‖ right)`.
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of a perfect subtree: it covers the leaves from `index << level`, `2^level` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 is a leaf.
    pub level: u32,
    /// Counted from 0 from the left within its level.
    pub index: u64,
}

/// The perfect subtrees that cover leaves `begin..end`, from the left, each as large as it can be.
pub(crate) fn cover(begin: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = begin;
    while at < end {
        // As wide as the alignment of `at` and the space that is left allow.
        let level = at.trailing_zeros().min((end - at).ilog2());
        nodes.push(Node {
            level,
            index: at.checked_shr(level).unwrap_or(0),
        });
        at += 1 << level;
    }
    nodes
}

/// The compact range of leaves `begin..end`: the hashes of the perfect subtrees that cover them, from the left, each as
/// large as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    begin: u64,
    end: u64,
    nodes: Vec<(u32, Hash)>,
}

impl Range {
    /// The empty range before leaf `begin`.
    pub(crate) fn starting_at(begin: u64) -> Self {
        Self {
            begin,
            end: begin,
            nodes: Vec::new(),
        }
    }

    /// The first leaf of the range.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The first leaf after the range.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The hashes of the subtrees, from the left.
    pub fn hashes(&self) -> impl DoubleEndedIterator<Item = &Hash> {
        self.nodes.iter().map(|(_, hash)| hash)
    }

    /// Appends one leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.place(0, leaf);
    }

    /// Appends a perfect subtree of `2^level` leaves by the hash of its root.
    pub(crate) fn push_subtree(&mut self, level: u32, root: Hash) -> Result<(), TreeError> {
        if level > 63 || self.end.trailing_zeros() < level {
            return Err(TreeError::Misaligned {
                level,
                at: self.end,
            });
        }
        self.place(level, root);
        Ok(())
    }

    /// Appends the range that begins where this one ends.
    pub fn merge(&mut self, right: &Self) -> Result<(), TreeError> {
        if right.begin != self.end {
            return Err(TreeError::Apart {
                end: self.end,
                begin: right.begin,
            });
        }
        for (level, hash) in &right.nodes {
            self.push_subtree(*level, *hash)?;
        }
        Ok(())
    }

    fn place(&mut self, level: u32, hash: Hash) {
        let (mut level, mut hash) = (level, hash);
        let mut index = self.end >> level;
        // 2^64 events are out of reach: at 10⁶ a second they take 584,000 years.
        self.end = self.end.saturating_add(1 << level);
        // A right child whose left sibling stands beside it becomes their parent.
        while index & 1 == 1 {
            match self.nodes.pop() {
                Some((left_level, left)) if left_level == level => {
                    hash = node_hash(&left, &hash);
                    level += 1;
                    index >>= 1;
                }
                other => {
                    self.nodes.extend(other);
                    break;
                }
            }
        }
        self.nodes.push((level, hash));
    }
}

/// The compact range from leaf 0: all that a tree needs to grow and to have a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier(Range);

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self(Range::starting_at(0))
    }

    /// The tree of `size` leaves, from the hashes of its perfect subtrees, the largest (leftmost) first, as
    /// [`Frontier::hashes`] gives them.
    pub(crate) fn from_hashes(size: u64, hashes: &[Hash]) -> Result<Self, TreeError> {
        let nodes = cover(0, size);
        if nodes.len() != hashes.len() {
            return Err(TreeError::Subtrees {
                size,
                given: hashes.len(),
            });
        }
        let mut frontier = Self::new();
        for (node, hash) in nodes.iter().zip(hashes) {
            frontier.push_subtree(node.level, *hash)?;
        }
        Ok(frontier)
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.0.end
    }

    /// The hashes of the perfect subtrees, the largest (leftmost) first.
    pub fn hashes(&self) -> impl DoubleEndedIterator<Item = &Hash> {
        self.0.hashes()
    }

    /// Appends one leaf by its hash ([`leaf_hash`] of the entry).
    pub fn push(&mut self, leaf: Hash) {
        self.0.push(leaf);
    }

    /// Appends a perfect subtree of `2^level` leaves.
    pub(crate) fn push_subtree(&mut self, level: u32, root: Hash) -> Result<(), TreeError> {
        self.0.push_subtree(level, root)
    }

    /// Appends the range that begins where this tree ends.
    pub fn merge(&mut self, right: &Range) -> Result<(), TreeError> {
        self.0.merge(right)
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        root_of(self.0.hashes().copied()).unwrap_or(EMPTY_ROOT)
    }
}

/// The root over perfect subtrees given from the left, each at least as wide as the next: RFC 6962 splits a
/// tree at the largest power of two below its size, so the smallest are joined first. `None` for none.
pub(crate) fn root_of(subtrees: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    subtrees
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962's recursive definition of the root, word for word.
    pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    pub(crate) fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    #[test]
    fn the_empty_root_is_sha256_of_nothing() {
        let hash: Hash = Sha256::digest([]).into();
        assert_eq!((EMPTY_ROOT, Frontier::new().root()), (hash, hash));
    }

    #[test]
    fn every_small_tree_has_the_naive_root_and_survives_storing() {
        let leaves = leaves(300);
        let mut frontier = Frontier::new();
        for (at, leaf) in leaves.iter().enumerate() {
            frontier.push(*leaf);
            assert_eq!(
                frontier.root(),
                naive_root(&leaves[..=at]),
                "size {}",
                at + 1
            );
            let hashes: Vec<Hash> = frontier.hashes().copied().collect();
            assert_eq!(
                Frontier::from_hashes(frontier.size(), &hashes).as_ref(),
                Ok(&frontier)
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut frontier = Frontier::new();
        frontier.push(EMPTY_ROOT);
        assert_eq!(
            frontier.push_subtree(1, EMPTY_ROOT),
            Err(TreeError::Misaligned { level: 1, at: 1 })
        );
        assert!(frontier.push_subtree(64, EMPTY_ROOT).is_err());
        assert_eq!(
            frontier.merge(&Range::starting_at(2)),
            Err(TreeError::Apart { end: 1, begin: 2 })
        );
        assert!(Frontier::from_hashes(3, &[EMPTY_ROOT]).is_err());
    }

    proptest! {
        #[test]
        fn merged_segments_equal_one_pass(count in 0_usize..700, cuts in prop::collection::vec(0_usize..700, 0..6)) {
            let leaves = leaves(count);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(count)).collect();
            cuts.extend([0, count]);
            cuts.sort_unstable();
            let mut merged = Frontier::new();
            for pair in cuts.windows(2) {
                let mut range = Range::starting_at(u64::try_from(pair[0]).unwrap());
                leaves[pair[0]..pair[1]].iter().for_each(|leaf| range.push(*leaf));
                let levels: Vec<u32> = range.nodes.iter().map(|(level, _)| *level).collect();
                let expected: Vec<u32> = cover(range.begin(), range.end()).iter().map(|n| n.level).collect();
                prop_assert_eq!(levels, expected);
                merged.merge(&range).unwrap();
            }
            prop_assert_eq!(merged.root(), naive_root(&leaves));
            let mut pushed = Frontier::new();
            for leaf in &leaves {
                pushed.push(*leaf);
            }
            prop_assert_eq!(merged, pushed);
        }

        #[test]
        fn cover_is_gapless_and_aligned(begin: u64, length in 0_u64..1 << 40) {
            let end = begin.saturating_add(length);
            let mut at = begin;
            for node in cover(begin, end) {
                prop_assert_eq!(node.index << node.level, at);
                at += 1 << node.level;
            }
            prop_assert_eq!(at, end);
        }
    }
}
