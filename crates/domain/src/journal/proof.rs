//! Proofs over the tree: that a leaf is in it, and that a larger tree only appended to a smaller one.
//!
//! Making follows the definitions of RFC 6962 §2.1.1 and §2.1.2, verifying the algorithms of RFC 9162 §2.1.3.2 and
//! §2.1.4.2, which read off the sizes how long a proof must be. A size and a root are only as good as the checkpoint
//! that they come from.

use core::ops::Range;

use super::tree::{empty_root, fold, node_hash};
use crate::Digest;

/// Where stored nodes come from: gives the root over the leaves from `index << level` up to `(index + 1) << level`.
pub trait NodeSource<E>: Fn(u32, u64) -> Result<Digest, E> {}

impl<E, F: Fn(u32, u64) -> Result<Digest, E>> NodeSource<E> for F {}

/// Why a proof cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E> {
    /// The leaf, or the smaller tree, is not within the tree.
    #[error("there is no such proof: {part} is not within a tree of {size} leaves")]
    NotWithin {
        /// The leaf's index or the smaller size.
        part: u64,
        /// The tree's size.
        size: u64,
    },
    /// A node could not be had.
    #[error(transparent)]
    Source(#[from] E),
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The leaf, or the smaller tree, is not within the tree.
    #[error("the sizes do not fit each other")]
    Sizes,
    /// The proof has more or fewer hashes than these sizes need.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hashes which show that leaf `index` is in the tree of the first `size` leaves, from the bottom up.
///
/// # Errors
/// When the leaf is not in the tree, or a node cannot be had.
pub fn inclusion_proof<E>(
    size: u64,
    index: u64,
    nodes: impl NodeSource<E>,
) -> Result<Vec<Digest>, BuildError<E>> {
    if index >= size {
        return Err(BuildError::NotWithin { part: index, size });
    }
    let mut siblings = Vec::new();
    let mut rest = 0..size;
    while rest.end - rest.start > 1 {
        let (left, right) = split(rest);
        let (next, sibling) = if index < left.end {
            (left, right)
        } else {
            (right, left)
        };
        siblings.push(sibling);
        rest = next;
    }
    hashes(siblings, &nodes)
}

/// The hashes which show that the tree of the first `new` leaves begins with the tree of the first `old`, from the
/// bottom up. Nothing needs showing when both are the same or the old one is empty.
///
/// # Errors
/// When `old` is more than `new`, or a node cannot be had.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    nodes: impl NodeSource<E>,
) -> Result<Vec<Digest>, BuildError<E>> {
    if old > new {
        return Err(BuildError::NotWithin { part: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    let mut rest = 0..new;
    while rest.end != old {
        let (left, right) = split(rest);
        let (next, other) = if old <= left.end {
            (left, right)
        } else {
            (right, left)
        };
        parts.push(other);
        rest = next;
    }
    // The verifier knows the old root, and that is this part when the old tree is one perfect subtree.
    if rest.start != 0 {
        parts.push(rest);
    }
    hashes(parts, &nodes)
}

/// Holds when `proof` shows that the leaf with this hash has this index in the tree of this size and root.
///
/// # Errors
/// With what is wrong with the proof.
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    root: Digest,
    proof: &[Digest],
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof::Sizes);
    }
    let mut walk = Walk {
        place: index,
        last: size - 1,
    };
    let mut hash = leaf;
    for sibling in proof {
        hash = match walk.up()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    walk.arrived()?;
    if hash == root {
        Ok(())
    } else {
        Err(InvalidProof::Root)
    }
}

/// Holds when `proof` shows that the tree of size `new` and root `new_root` begins with the one of size `old` and root
/// `old_root`.
///
/// # Errors
/// With what is wrong with the proof.
pub fn verify_consistency(
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
    proof: &[Digest],
) -> Result<(), InvalidProof> {
    if old > new {
        return Err(InvalidProof::Sizes);
    }
    if old == 0 || old == new {
        let joined = old != new || old_root == new_root;
        let empty = old != 0 || old_root == empty_root();
        return match proof {
            [] if joined && empty => Ok(()),
            [] => Err(InvalidProof::Root),
            _ => Err(InvalidProof::Length),
        };
    }
    let (first, siblings) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, siblings) = proof.split_first().ok_or(InvalidProof::Length)?;
        (*first, siblings)
    };
    // Both trees share the perfect subtree that ends with the old one's last leaf: start above it.
    let shared = (old - 1).trailing_ones();
    let mut walk = Walk {
        place: (old - 1) >> shared,
        last: (new - 1) >> shared,
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in siblings {
        match walk.up()? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    walk.arrived()?;
    if old_hash == old_root && new_hash == new_root {
        Ok(())
    } else {
        Err(InvalidProof::Root)
    }
}

/// A way from a node up to the root: its place in its level and the place of the level's last node.
struct Walk {
    place: u64,
    last: u64,
}

/// On which side of the way the next sibling stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// Goes up to the next node that has a sibling: at the right edge of the tree levels without one are passed over.
    fn up(&mut self) -> Result<Side, InvalidProof> {
        if self.last == 0 {
            return Err(InvalidProof::Length);
        }
        let side = if self.place % 2 == 1 || self.place == self.last {
            while self.place.is_multiple_of(2) && self.place != 0 {
                self.rise();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.rise();
        Ok(side)
    }

    fn rise(&mut self) {
        self.place >>= 1;
        self.last >>= 1;
    }

    fn arrived(&self) -> Result<(), InvalidProof> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(InvalidProof::Length)
        }
    }
}

/// Splits two leaves or more as the tree does: on the left as many as the largest power of two below their number.
fn split(leaves: Range<u64>) -> (Range<u64>, Range<u64>) {
    let count = leaves.end - leaves.start;
    let middle = leaves.start + (1 << (count - 1).ilog2());
    (leaves.start..middle, middle..leaves.end)
}

/// The roots over ranges of leaves that [`split`] gave from the top down, turned to run from the bottom up.
fn hashes<E>(parts: Vec<Range<u64>>, nodes: &impl NodeSource<E>) -> Result<Vec<Digest>, BuildError<E>> {
    parts
        .into_iter()
        .rev()
        .map(|part| root_over(part, nodes).map_err(BuildError::Source))
        .collect()
}

fn root_over<E>(leaves: Range<u64>, nodes: &impl NodeSource<E>) -> Result<Digest, E> {
    let mut roots = Vec::new();
    let mut start = leaves.start;
    while start < leaves.end {
        // `split` aligns a range to its own size, so each of its perfect subtrees is a node of the tree.
        let level = (leaves.end - start).ilog2();
        roots.push(nodes(level, start >> level)?);
        start += 1 << level;
    }
    Ok(fold(&roots))
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::{cell::RefCell, collections::BTreeMap};

    use proptest::prelude::*;

    use super::*;
    use crate::journal::{Frontier, NodeRow, leaf_hash};

    const LARGEST: u64 = 300;

    fn leaf(index: u64) -> Digest {
        leaf_hash(format!("leaf {index}").as_bytes())
    }

    /// RFC 6962 §2.1, word for word, over the leaves of [`leaf`].
    #[derive(Default)]
    struct Definition(RefCell<BTreeMap<(u64, u64), Digest>>);

    impl Definition {
        fn largest_power_of_two_below(n: u64) -> u64 {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            k
        }

        fn mth(&self, from: u64, to: u64) -> Digest {
            if let Some(known) = self.0.borrow().get(&(from, to)) {
                return *known;
            }
            let hash = match to - from {
                0 => Digest::of(b""),
                1 => leaf(from),
                n => {
                    let k = Self::largest_power_of_two_below(n);
                    let (left, right) = (self.mth(from, from + k), self.mth(from + k, to));
                    Digest::of(&[&[1], &left.as_bytes()[..], right.as_bytes()].concat())
                }
            };
            self.0.borrow_mut().insert((from, to), hash);
            hash
        }

        fn path(&self, m: u64, from: u64, to: u64) -> Vec<Digest> {
            if to - from == 1 {
                return vec![];
            }
            let k = Self::largest_power_of_two_below(to - from);
            let (mut path, other) = if m < k {
                (self.path(m, from, from + k), self.mth(from + k, to))
            } else {
                (self.path(m - k, from + k, to), self.mth(from, from + k))
            };
            path.push(other);
            path
        }

        fn subproof(&self, m: u64, from: u64, to: u64, known: bool) -> Vec<Digest> {
            if m == to - from {
                return if known { vec![] } else { vec![self.mth(from, to)] };
            }
            let k = Self::largest_power_of_two_below(to - from);
            let (mut proof, other) = if m <= k {
                (self.subproof(m, from, from + k, known), self.mth(from + k, to))
            } else {
                (
                    self.subproof(m - k, from + k, to, false),
                    self.mth(from, from + k),
                )
            };
            proof.push(other);
            proof
        }
    }

    /// The rows that a store keeps, and the roots of all sizes.
    fn log() -> (Vec<Vec<Digest>>, Vec<Digest>) {
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        let mut rows = Vec::new();
        for index in 0..LARGEST {
            rows.push(frontier.append(leaf(index)));
            roots.push(frontier.root());
        }
        (rows, roots)
    }

    /// Finds nodes as a store does, and refuses to look beyond the tree that is asked about.
    fn stored(rows: &[Vec<Digest>], size: u64) -> impl NodeSource<Infallible> {
        move |level, index| {
            let row = NodeRow::of(level, index);
            assert!(
                row.seq <= size,
                "node ({level}, {index}) is not in a tree of {size}"
            );
            Ok(rows[row.seq as usize - 1][row.offset / 32])
        }
    }

    /// Every way to spoil a proof by one hash.
    fn spoilt(proof: &[Digest]) -> Vec<Vec<Digest>> {
        let mut all = vec![[proof, &[leaf(0)]].concat(), [&[leaf(0)], proof].concat()];
        for at in 0..proof.len() {
            let mut changed = proof.to_vec();
            changed[at] = Digest::of(changed[at].as_bytes());
            let mut shorter = proof.to_vec();
            shorter.remove(at);
            all.extend([changed, shorter]);
        }
        all
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_to_be_in_it() {
        let (definition, (rows, roots)) = (Definition::default(), log());
        for size in 1..=LARGEST {
            let root = roots[size as usize];
            assert_eq!(
                root,
                definition.mth(0, size),
                "the frontier's root is the defined one at {size}"
            );
            for index in 0..size {
                let proof = inclusion_proof(size, index, stored(&rows, size)).unwrap();
                assert_eq!(proof, definition.path(index, 0, size), "leaf {index} of {size}");
                assert_eq!(
                    verify_inclusion(leaf(index), index, size, root, &proof),
                    Ok(()),
                    "leaf {index} of {size}"
                );
            }
        }
    }

    #[test]
    fn every_tree_is_proved_to_continue_every_smaller_one() {
        let (definition, (rows, roots)) = (Definition::default(), log());
        for new in 1..=LARGEST {
            for old in 1..=new {
                let proof = consistency_proof(old, new, stored(&rows, new)).unwrap();
                assert_eq!(proof, definition.subproof(old, 0, new, true), "{old} to {new}");
                let (old_root, new_root) = (roots[old as usize], roots[new as usize]);
                assert_eq!(
                    verify_consistency(old, old_root, new, new_root, &proof),
                    Ok(()),
                    "{old} to {new}"
                );
            }
        }
    }

    #[test]
    fn an_inclusion_proof_proves_nothing_else() {
        let (rows, roots) = log();
        for size in (1..=40).chain([63, 64, 65, 127, 128, 129, 299, 300]) {
            let root = roots[size as usize];
            for index in 0..size {
                let proof = inclusion_proof(size, index, stored(&rows, size)).unwrap();
                for spoilt in spoilt(&proof) {
                    let verdict = verify_inclusion(leaf(index), index, size, root, &spoilt);
                    assert!(verdict.is_err(), "leaf {index} of {size} with {spoilt:?}");
                    if spoilt.len() != proof.len() {
                        assert_eq!(verdict, Err(InvalidProof::Length), "leaf {index} of {size}");
                    }
                }
                assert!(
                    verify_inclusion(leaf(index + 1), index, size, root, &proof).is_err(),
                    "another leaf"
                );
                assert!(
                    verify_inclusion(leaf(index), index, size, roots[size as usize - 1], &proof).is_err()
                );
                for other in (0..=size).filter(|&other| other != index) {
                    let verdict = verify_inclusion(leaf(index), other, size, root, &proof);
                    assert!(verdict.is_err(), "leaf {index} of {size} is not at {other}");
                }
            }
        }
    }

    #[test]
    fn a_consistency_proof_proves_nothing_else() {
        let (rows, roots) = log();
        for new in (1..=40).chain([63, 64, 65, 127, 128, 129, 299, 300]) {
            for old in 1..=new {
                let proof = consistency_proof(old, new, stored(&rows, new)).unwrap();
                let (old_root, new_root) = (roots[old as usize], roots[new as usize]);
                for spoilt in spoilt(&proof) {
                    let verdict = verify_consistency(old, old_root, new, new_root, &spoilt);
                    assert!(verdict.is_err(), "{old} to {new} with {spoilt:?}");
                    if spoilt.len() != proof.len() {
                        assert_eq!(verdict, Err(InvalidProof::Length), "{old} to {new}");
                    }
                }
                for other in [Digest::of(b"other"), leaf(0)] {
                    let other_old = verify_consistency(old, other, new, new_root, &proof);
                    assert_eq!(
                        other_old.is_ok(),
                        other == old_root,
                        "{old} to {new} from another root"
                    );
                    let other_new = verify_consistency(old, old_root, new, other, &proof);
                    assert_eq!(
                        other_new.is_ok(),
                        other == new_root,
                        "{old} to {new} to another root"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_within_the_tree_has_no_proof() {
        let (rows, roots) = log();
        assert_eq!(
            inclusion_proof(3, 3, stored(&rows, 3)),
            Err(BuildError::NotWithin { part: 3, size: 3 })
        );
        assert_eq!(
            inclusion_proof(0, 0, stored(&rows, 0)),
            Err(BuildError::NotWithin { part: 0, size: 0 })
        );
        assert_eq!(
            consistency_proof(4, 3, stored(&rows, 3)),
            Err(BuildError::NotWithin { part: 4, size: 3 })
        );
        assert_eq!(
            verify_inclusion(leaf(0), 0, 0, roots[0], &[]),
            Err(InvalidProof::Sizes)
        );
        assert_eq!(
            verify_consistency(4, roots[4], 3, roots[3], &[]),
            Err(InvalidProof::Sizes)
        );
    }

    #[test]
    fn the_empty_tree_is_the_beginning_of_all() {
        let (rows, roots) = log();
        assert_eq!(consistency_proof(0, 7, stored(&rows, 7)), Ok(vec![]));
        assert_eq!(verify_consistency(0, roots[0], 7, roots[7], &[]), Ok(()));
        assert_eq!(
            verify_consistency(0, roots[1], 7, roots[7], &[]),
            Err(InvalidProof::Root),
            "not the empty root"
        );
        assert_eq!(
            verify_consistency(0, roots[0], 7, roots[7], &[leaf(0)]),
            Err(InvalidProof::Length)
        );
        assert_eq!(verify_consistency(0, roots[0], 0, roots[0], &[]), Ok(()));
        assert_eq!(
            verify_consistency(0, roots[0], 0, roots[1], &[]),
            Err(InvalidProof::Root),
            "one size, one root"
        );
    }

    #[test]
    fn a_store_that_fails_fails_the_proof() {
        let result = inclusion_proof(2, 0, |_, _| Err("disk"));
        assert_eq!(result, Err(BuildError::Source("disk")));
    }

    proptest! {
        /// All leaves alike make every node of a level alike, so a tree of any size can be had.
        #[test]
        fn proofs_hold_in_trees_of_any_size(sizes in (1_u64..1 << 53, any::<u64>(), any::<u64>())) {
            let (size, index, old) = (sizes.0, sizes.1 % sizes.0, 1 + sizes.2 % sizes.0);
            let mut levels = vec![leaf(0)];
            for level in 0..53 {
                levels.push(node_hash(&levels[level], &levels[level]));
            }
            let nodes = |level: u32, _| Ok::<_, Infallible>(levels[level as usize]);
            let root = |size| root_over(0..size, &nodes).unwrap();
            let proof = inclusion_proof(size, index, nodes).unwrap();
            prop_assert_eq!(verify_inclusion(leaf(0), index, size, root(size), &proof), Ok(()));
            let proof = consistency_proof(old, size, nodes).unwrap();
            prop_assert_eq!(verify_consistency(old, root(old), size, root(size), &proof), Ok(()));
        }
    }
}
