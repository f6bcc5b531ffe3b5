//! The journal: everything that happens in a tenant, append-only, in one order, as an RFC 6962 Merkle tree.
//!
//! - An entry's [`Header`] in canonical JSON is one leaf. `seq` counts from 1, so the leaf's index is `seq − 1`.
//! - A [`Frontier`] is all that must be kept to append and to know the root. Server and desktop both keep one.
//! - [`inclusion_proof`] and [`consistency_proof`] are made from stored nodes; everyone can verify them.
//! - A [`Checkpoint`] is the log's signed word for a size and a root (C2SP `tlog-checkpoint`).
//! - A [`Follower`] is all that a reader keeps to hold each page against what came before.
//!
//! Bodies are not here: a header names its record by digest alone, so a body can be withheld or erased and the tree
//! still verifies.

mod checkpoint;
mod evidence;
mod follow;
mod header;
mod note;
mod proof;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use evidence::{AlarmKind, Evidence};
pub use follow::{Departure, Follower, PageHead, Seen};
pub use header::{Header, InvalidKind, Kind};
pub use note::NoteError;
pub use proof::{
    BuildError, InvalidProof, NodeSource, consistency_proof, inclusion_proof, verify_consistency,
    verify_inclusion,
};
pub use tree::{Frontier, InvalidFrontier, NodeRow, empty_root, leaf_hash, node_hash};
