//! Our proofs against another implementation: `tlog_tiles`, a port of Go's `sumdb/tlog`.

use core::convert::Infallible;

use countersign_domain::{
    Digest,
    journal::{
        Frontier, NodeRow, consistency_proof, inclusion_proof, leaf_hash, verify_consistency,
        verify_inclusion,
    },
};
use tlog_tiles::{
    Error, Hash, HashReader, check_record, check_tree, prove_record, prove_tree, stored_hashes, tree_hash,
};

use crate::seeded::{each, is_long};

/// One log kept twice.
struct Twins {
    rows: Vec<Vec<Digest>>,
    /// The root over the first 0, 1, 2, … leaves.
    roots: Vec<Digest>,
    theirs: Stored,
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

impl Twins {
    fn new(size: u64) -> Self {
        let mut ours = Frontier::new();
        let mut twins = Self {
            rows: Vec::new(),
            roots: vec![ours.root()],
            theirs: Stored(Vec::new()),
        };
        for number in 0..size {
            let leaf = format!("entry {number}");
            twins.rows.push(ours.append(leaf_hash(leaf.as_bytes())));
            twins.roots.push(ours.root());
            let hashes = stored_hashes(number, leaf.as_bytes(), &twins.theirs).expect("in order");
            twins.theirs.0.extend(hashes);
        }
        twins
    }

    fn node(&self, level: u32, index: u64) -> Result<Digest, Infallible> {
        let row = NodeRow::of(level, index);
        Ok(self.rows[row.seq as usize - 1][row.offset / 32])
    }

    /// What differs between the two, if anything does.
    fn difference(&self, size: u64, smaller: u64) -> Option<&'static str> {
        let root = self.roots[size as usize];
        let node = |level, index| self.node(level, index);
        let ours = inclusion_proof(size, smaller - 1, node).expect("within");
        let theirs = prove_record(size, smaller - 1, &self.theirs).expect("within");
        let leaf = self.rows[smaller as usize - 1][0];
        if ours != digests(&theirs) {
            return Some("the proof");
        }
        if check_record(&theirs, size, hash(root), smaller - 1, hash(leaf)).is_err()
            || verify_inclusion(leaf, smaller - 1, size, root, &digests(&theirs)).is_err()
        {
            return Some("the verdict on the proof");
        }
        let before = self.roots[smaller as usize];
        let ours = consistency_proof(smaller, size, node).expect("within");
        let theirs = prove_tree(size, smaller, &self.theirs).expect("within");
        if ours != digests(&theirs) {
            return Some("the consistency");
        }
        if check_tree(&theirs, size, hash(root), smaller, hash(before)).is_err()
            || verify_consistency(smaller, before, size, root, &digests(&theirs)).is_err()
        {
            return Some("the verdict on the consistency");
        }
        None
    }
}

fn hash(digest: Digest) -> Hash {
    Hash(*digest.as_bytes())
}

fn digests(hashes: &[Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest::from_bytes(hash.0)).collect()
}

#[test]
fn every_proof_of_every_tree_is_the_one_that_another_implementation_makes() {
    let largest = if is_long() { 2_000 } else { 300 };
    let twins = Twins::new(largest);
    each(1, largest, |size| {
        let theirs = tree_hash(size, &twins.theirs).expect("within");
        if theirs != hash(twins.roots[size as usize]) {
            return Err(format!("the root over {size} entries"));
        }
        (1..=size).try_for_each(|smaller| match twins.difference(size, smaller) {
            None => Ok(()),
            Some(what) => Err(format!("{what} of {smaller} in {size}")),
        })
    });
    let pairs = largest * (largest + 1) / 2;
    println!("{pairs} proofs of inclusion and {pairs} of consistency, all equal");
}
