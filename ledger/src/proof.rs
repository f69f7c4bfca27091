//! Proofs over the tree: that an entry is in it, and that a larger tree continues a smaller one.
//!
//! They are planned first and filled second: [`Plan::nodes`] says which hashes are needed, the caller gets
//! them, from tiles or anywhere, in one go, and [`Plan::resolve`] puts the proof together. Making them follows
//! RFC 6962 sections 2.1.1 and 2.1.2, verifying them RFC 9162 sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use crate::digest::Hash;
use crate::tree::{EMPTY_ROOT, Node, cover, node_hash, root_of};

/// Why there is no such proof, or why it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such entry.
    #[error("a tree of {size} entries has no entry {index}; its last is {}", size.saturating_sub(1))]
    Index {
        /// The entry that was asked for.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A tree does not continue a larger one.
    #[error("a tree of {new} entries cannot continue one of {old}, which is larger")]
    Sizes {
        /// The size of the tree that is to be continued.
        old: u64,
        /// The size of the tree that is to continue it.
        new: u64,
    },
    /// The proof has more or fewer hashes than the sizes demand.
    #[error("the proof has {found} hashes, which is not what these sizes demand")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to the root {found}, not to {expected}")]
    Root {
        /// In hex.
        found: String,
        /// In hex.
        expected: String,
    },
}

/// What a proof consists of: the roots over these ranges of leaves, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    spans: Vec<Range<u64>>,
}

/// The largest power of two below `width`, which is at least 2: where RFC 6962 splits a tree.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

impl Plan {
    /// `PATH(index, D[0:size])`: that the entry at `index` is in the tree of `size` entries.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::Index { index, size });
        }
        let mut spans = Vec::new();
        let (mut begin, mut end) = (0, size);
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if index < middle {
                spans.push(middle..end);
                end = middle;
            } else {
                spans.push(begin..middle);
                begin = middle;
            }
        }
        spans.reverse();
        Ok(Self { spans })
    }

    /// `PROOF(old, D[0:new])`: that the tree of `new` entries begins with the tree of `old`. Empty where there is
    /// nothing to prove: from size 0, and between equal sizes.
    pub fn consistency(old: u64, new: u64) -> Result<Self, ProofError> {
        if old > new {
            return Err(ProofError::Sizes { old, new });
        }
        let mut spans = Vec::new();
        if old == 0 {
            return Ok(Self { spans });
        }
        let (mut begin, mut end) = (0, new);
        while old != end {
            let middle = begin + split(end - begin);
            if old <= middle {
                spans.push(middle..end);
                end = middle;
            } else {
                spans.push(begin..middle);
                begin = middle;
            }
        }
        // The old tree itself is known to whoever checks; a part of it is not.
        if begin > 0 {
            spans.push(begin..end);
        }
        spans.reverse();
        Ok(Self { spans })
    }

    /// The perfect subtrees whose hashes the proof needs.
    pub fn nodes(&self) -> Vec<Node> {
        self.spans
            .iter()
            .flat_map(|span| cover(span.start, span.end))
            .collect()
    }

    /// The proof, from the hashes of [`Plan::nodes`], siblings from the leaf up.
    pub fn resolve<E>(
        &self,
        mut hash: impl FnMut(Node) -> Result<Hash, E>,
    ) -> Result<Vec<Hash>, E> {
        let mut proof = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            let nodes = cover(span.start, span.end).into_iter();
            let hashes = nodes.map(&mut hash).collect::<Result<Vec<_>, E>>()?;
            proof.extend(root_of(hashes.into_iter()));
        }
        Ok(proof)
    }
}

fn expect_root(found: &Hash, expected: &Hash) -> Result<(), ProofError> {
    if found == expected {
        return Ok(());
    }
    Err(ProofError::Root {
        found: hex::encode(found),
        expected: hex::encode(expected),
    })
}

/// Checks that the leaf `leaf` ([`crate::tree::leaf_hash`] of the entry) stands at `index` in the tree of `size`
/// entries with this root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let wrong = ProofError::Length { found: proof.len() };
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(wrong);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // At the right edge, levels without a sibling are passed over.
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong);
    }
    expect_root(&hash, root)
}

/// Checks that the tree of `new` entries with `new_root` begins with the tree of `old` entries with `old_root`.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let wrong = ProofError::Length { found: proof.len() };
    match old {
        _ if old > new => return Err(ProofError::Sizes { old, new }),
        _ if (old == 0 || old == new) && !proof.is_empty() => return Err(wrong),
        0 => return expect_root(old_root, &EMPTY_ROOT),
        _ if old == new => return expect_root(old_root, new_root),
        _ => {}
    }
    let mut hashes = proof.iter();
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let first = if at == 0 {
        Some(old_root)
    } else {
        hashes.next()
    };
    let (mut left, mut right) = first
        .map(|hash| (*hash, *hash))
        .ok_or_else(|| wrong.clone())?;
    for sibling in hashes {
        if last == 0 {
            return Err(wrong);
        }
        if at & 1 == 1 || at == last {
            left = node_hash(sibling, &left);
            right = node_hash(sibling, &right);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            right = node_hash(&right, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong);
    }
    expect_root(&left, old_root)?;
    expect_root(&right, new_root)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::tests::{leaves, naive_root};

    /// RFC 6962 2.1.1, word for word.
    fn naive_path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = if at < left.len() {
            (naive_path(at, left), naive_root(right))
        } else {
            (naive_path(at - left.len(), right), naive_root(left))
        };
        path.push(sibling);
        path
    }

    /// RFC 6962 2.1.2, word for word.
    fn naive_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole {
                Vec::new()
            } else {
                vec![naive_root(leaves)]
            };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut proof, sibling) = if old <= left.len() {
            (naive_subproof(old, left, whole), naive_root(right))
        } else {
            (
                naive_subproof(old - left.len(), right, false),
                naive_root(left),
            )
        };
        proof.push(sibling);
        proof
    }

    fn resolve(plan: &Plan, leaves: &[Hash]) -> Vec<Hash> {
        let hash = |node: Node| {
            let begin = usize::try_from(node.index << node.level).unwrap();
            Ok::<_, Infallible>(naive_root(&leaves[begin..begin + (1 << node.level)]))
        };
        plan.resolve(hash).unwrap()
    }

    fn size(leaves: &[Hash]) -> u64 {
        u64::try_from(leaves.len()).unwrap()
    }

    fn both(at: usize, old: usize, leaves: &[Hash]) -> Result<(), TestCaseError> {
        let (root, new) = (naive_root(leaves), size(leaves));
        if at < leaves.len() {
            let index = u64::try_from(at).unwrap();
            let proof = resolve(&Plan::inclusion(index, new).unwrap(), leaves);
            prop_assert_eq!(&proof, &naive_path(at, leaves));
            prop_assert_eq!(
                verify_inclusion(index, new, &leaves[at], &proof, &root),
                Ok(())
            );
        }
        let proof = resolve(
            &Plan::consistency(size(&leaves[..old]), new).unwrap(),
            leaves,
        );
        if old > 0 {
            prop_assert_eq!(&proof, &naive_subproof(old, leaves, true));
        }
        let old_root = naive_root(&leaves[..old]);
        let old = size(&leaves[..old]);
        prop_assert_eq!(
            verify_consistency(old, &old_root, new, &root, &proof),
            Ok(())
        );
        Ok(())
    }

    #[test]
    fn every_proof_of_every_small_tree() {
        let leaves = leaves(40);
        for size in 0..=leaves.len() {
            for at in 0..=size {
                both(at, at, &leaves[..size]).unwrap();
            }
        }
    }

    #[test]
    fn what_cannot_be_proved_is_refused() {
        assert!(Plan::inclusion(0, 0).is_err());
        assert!(Plan::inclusion(5, 5).is_err());
        assert!(Plan::consistency(6, 5).is_err());
        let (a, b) = ([1; 32], [2; 32]);
        assert!(verify_inclusion(5, 5, &a, &[], &a).is_err());
        assert!(verify_consistency(0, &a, 5, &b, &[]).is_err());
        assert!(verify_consistency(0, &EMPTY_ROOT, 5, &b, &[]).is_ok());
        assert!(verify_consistency(0, &EMPTY_ROOT, 5, &b, &[a]).is_err());
        assert!(verify_consistency(5, &a, 5, &b, &[]).is_err());
        assert!(verify_consistency(5, &a, 5, &a, &[b]).is_err());
        assert!(verify_consistency(6, &a, 5, &a, &[]).is_err());
        assert!(verify_consistency(3, &a, 5, &a, &[]).is_err());
    }

    proptest! {
        #[test]
        fn proofs_of_any_tree_are_the_rfcs(count in 1_usize..600, at: prop::sample::Index, old: prop::sample::Index) {
            both(at.index(count), old.index(count + 1), &leaves(count))?;
        }

        #[test]
        fn a_changed_inclusion_proof_fails(count in 2_usize..200, at: prop::sample::Index, which: prop::sample::Index, bit in 0_u8..8, byte in 0_usize..32) {
            let leaves = leaves(count);
            let (root, at) = (naive_root(&leaves), at.index(count));
            let index = u64::try_from(at).unwrap();
            let good = naive_path(at, &leaves);
            let mut proof = good.clone();
            proof[which.index(good.len())][byte] ^= 1 << bit;
            prop_assert!(verify_inclusion(index, size(&leaves), &leaves[at], &proof, &root).is_err());
            prop_assert!(verify_inclusion(index, size(&leaves), &leaves[at], &good[1..], &root).is_err());
            let mut longer = good.clone();
            longer.push(root);
            prop_assert!(verify_inclusion(index, size(&leaves), &leaves[at], &longer, &root).is_err());
            prop_assert!(verify_inclusion(index ^ 1, size(&leaves), &leaves[at], &good, &root).is_err());
        }

        #[test]
        fn a_changed_consistency_proof_fails(count in 2_usize..200, old: prop::sample::Index, which: prop::sample::Index, bit in 0_u8..8, byte in 0_usize..32) {
            let leaves = leaves(count);
            let old = 1 + old.index(count - 1);
            let roots = (naive_root(&leaves[..old]), naive_root(&leaves));
            let (small, large) = (size(&leaves[..old]), size(&leaves));
            let good = naive_subproof(old, &leaves, true);
            let mut proof = good.clone();
            proof[which.index(good.len())][byte] ^= 1 << bit;
            prop_assert!(verify_consistency(small, &roots.0, large, &roots.1, &proof).is_err());
            prop_assert!(verify_consistency(small, &roots.0, large, &roots.1, &good[1..]).is_err());
            prop_assert!(verify_consistency(small, &roots.1, large, &roots.1, &good).is_err());
            prop_assert!(verify_consistency(small, &roots.0, large, &roots.0, &good).is_err());
        }

        #[test]
        fn nothing_makes_verifying_panic(index: u64, size: u64, proof in prop::collection::vec(any::<Hash>(), 0..70), a: Hash, b: Hash) {
            let _ = verify_inclusion(index, size, &a, &proof, &b);
            let _ = verify_consistency(index, &a, size, &b, &proof);
            if let Ok(plan) = Plan::consistency(index, size) {
                prop_assert!(plan.nodes().len() < 3 * 64 * 64);
            }
        }
    }
}
