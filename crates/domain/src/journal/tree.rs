//! The Merkle tree of RFC 6962 §2.1 and the little of it that must be kept to append.

use super::proof::NodeSource;
use crate::Digest;

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], leaf])
}

/// The hash of the node above two others.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of a tree without leaves.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Where a store finds a node: each entry's row keeps what [`Frontier::append`] returned for it.
///
/// The node at `(level, index)` is the root over the leaves from `index << level` up to `(index + 1) << level`, and the
/// last of these leaves completes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRow {
    /// The sequence number of the entry that completed the node.
    pub seq: u64,
    /// Where the node's 32 bytes begin in that row.
    pub offset: usize,
}

impl NodeRow {
    /// The place of the node at `(level, index)`.
    pub const fn of(level: u32, index: u64) -> Self {
        Self {
            seq: (index + 1) << level,
            offset: 32 * level as usize,
        }
    }
}

/// A compact range from the first leaf: the roots of the perfect subtrees that the tree is made of.
///
/// It is enough to append and to know the root, and never longer than 64 hashes.
// INVARIANT: one root for each bit set in `size`, the largest subtree first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

/// The bytes are not what [`Frontier::to_bytes`] gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stored frontier")]
pub struct InvalidFrontier;

impl Frontier {
    /// The frontier of a tree without leaves.
    pub const fn new() -> Self {
        Self {
            size: 0,
            roots: Vec::new(),
        }
    }

    /// The frontier as it was at `size`, from stored nodes.
    ///
    /// # Errors
    /// When a node cannot be had.
    pub fn stored<E>(size: u64, nodes: impl NodeSource<E>) -> Result<Self, E> {
        let mut roots = Vec::new();
        let mut start = 0;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            roots.push(nodes(level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, roots })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        fold(&self.roots)
    }

    /// Appends a leaf by its hash and returns the roots of all perfect subtrees that it completes, lowest first.
    ///
    /// The first is the leaf itself, so that the node of level `n` is the `n`-th: this is the row to store for the entry,
    /// see [`NodeRow`].
    pub fn append(&mut self, leaf: Digest) -> Vec<Digest> {
        let merges = self.size.trailing_ones() as usize;
        let mut completed = Vec::with_capacity(merges + 1);
        completed.push(leaf);
        let mut node = leaf;
        for left in self.roots.drain(self.roots.len() - merges..).rev() {
            node = node_hash(&left, &node);
            completed.push(node);
        }
        self.roots.push(node);
        self.size += 1;
        completed
    }

    /// The form in which databases keep it: the size as eight bytes, big-endian, then the roots.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.roots.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for root in &self.roots {
            bytes.extend_from_slice(root.as_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// When there are not exactly as many roots as the size needs.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFrontier> {
        let (size, roots) = bytes.split_first_chunk().ok_or(InvalidFrontier)?;
        let size = u64::from_be_bytes(*size);
        let (roots, rest) = roots.as_chunks();
        if !rest.is_empty() || roots.len() != size.count_ones() as usize {
            return Err(InvalidFrontier);
        }
        Ok(Self {
            size,
            roots: roots.iter().copied().map(Digest::from_bytes).collect(),
        })
    }
}

/// The root over neighbouring perfect subtrees, the largest first.
pub(super) fn fold(roots: &[Digest]) -> Digest {
    let Some((last, others)) = roots.split_last() else {
        return empty_root();
    };
    others
        .iter()
        .rev()
        .fold(*last, |right, left| node_hash(left, &right))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves that Certificate Transparency tests with, and the roots over the first 1, 2, … of them.
    const CT_LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const CT_ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut frontier = Frontier::new();
        assert_eq!(
            frontier.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in CT_LEAVES.iter().zip(CT_ROOTS) {
            frontier.append(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(
                frontier.root().to_string(),
                root,
                "after {} leaves",
                frontier.size()
            );
        }
    }

    #[test]
    fn a_node_is_in_the_row_of_the_leaf_that_completes_it() {
        let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
        let mut frontier = Frontier::new();
        let rows: Vec<_> = (0..64).map(|index| frontier.append(leaf(index))).collect();
        for level in 0..=6 {
            for index in 0..64_u64 >> level {
                let mut alone = Frontier::new();
                for under in index << level..(index + 1) << level {
                    alone.append(leaf(under));
                }
                let row = NodeRow::of(level, index);
                let stored: Vec<u8> = rows[row.seq as usize - 1]
                    .iter()
                    .flat_map(|node| *node.as_bytes())
                    .collect();
                let stored = Digest::from_slice(&stored[row.offset..row.offset + 32]);
                assert_eq!(stored, Ok(alone.root()), "level {level}, index {index}");
            }
        }
        assert_eq!(
            rows.iter().map(Vec::len).sum::<usize>(),
            127,
            "every node is stored once, and no other"
        );
    }

    #[test]
    fn the_frontier_at_any_earlier_size_is_in_the_stored_nodes() {
        let mut frontier = Frontier::new();
        let (mut rows, mut then) = (Vec::new(), vec![frontier.clone()]);
        for index in 0..300_u64 {
            rows.push(frontier.append(leaf_hash(&index.to_be_bytes())));
            then.push(frontier.clone());
        }
        for (size, then) in then.iter().enumerate() {
            let again = Frontier::stored(size as u64, |level, index| {
                let row = NodeRow::of(level, index);
                assert!(row.seq <= size as u64, "a node of later entries");
                Ok::<_, core::convert::Infallible>(rows[row.seq as usize - 1][row.offset / 32])
            });
            assert_eq!(again.as_ref(), Ok(then), "size {size}");
        }
    }

    #[test]
    fn a_stored_frontier_goes_on_where_it_stopped() {
        let mut frontier = Frontier::new();
        for index in 0..300_u64 {
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier.clone()), "size {index}");
            assert_eq!(
                Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()),
                Err(InvalidFrontier),
                "a root too many"
            );
            assert_eq!(
                Frontier::from_bytes(&bytes[..bytes.len() - 1]),
                Err(InvalidFrontier),
                "a byte too few"
            );
            frontier.append(leaf_hash(&index.to_be_bytes()));
        }
    }
}
