//! Every node of the tree, 64 bytes for each entry: enough for the root at any earlier size, and for any proof.

use core::convert::Infallible;

use countersign_domain::{
    Digest,
    journal::{
        BuildError, Frontier, InvalidProof, NodeRow, consistency_proof, inclusion_proof, verify_consistency,
    },
};

/// The tree of the entries read so far.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    frontier: Frontier,
    /// The rows of [`Frontier::append`], one after the other.
    rows: Vec<Digest>,
}

impl Nodes {
    pub(crate) fn push(&mut self, leaf: Digest) {
        self.rows.extend(self.frontier.append(leaf));
    }

    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Whether the first `size` entries have this root.
    pub(crate) fn had_root(&self, size: u64, root: Digest) -> bool {
        let proof = consistency_proof(size, self.size(), |level, index| self.node(level, index));
        proof.is_ok_and(|proof| {
            let verdict: Result<(), InvalidProof> =
                verify_consistency(size, root, self.size(), self.root(), &proof);
            verdict.is_ok()
        })
    }

    /// The hashes which show that entry `seq` is in the tree.
    pub(crate) fn inclusion(&self, seq: u64) -> Result<Vec<Digest>, BuildError<Infallible>> {
        inclusion_proof(self.size(), seq.saturating_sub(1), |level, index| {
            self.node(level, index)
        })
    }

    #[allow(clippy::unnecessary_wraps, reason = "the form in which nodes are asked for")]
    fn node(&self, level: u32, index: u64) -> Result<Digest, Infallible> {
        let NodeRow { seq, offset } = NodeRow::of(level, index);
        // The leaves before it have completed all nodes but those to which later leaves belong.
        let before = 2 * (seq - 1) - u64::from((seq - 1).count_ones());
        let place = before as usize + offset / 32;
        Ok(self.rows[place])
    }
}
