//! The SQLite form of a tenant's folded journal.
//!
//! - A [`Replica`] is the one writer of a file. [`Replica::apply`] takes a page of the journal: it extends the tree,
//!   folds the entries with the functions of `countersign-domain`, and proves the result against the log's signed head
//!   before anything is kept.
//! - A [`Reader`] reads the same file, on a connection that cannot write. Opening one is cheap; have several.
//! - [`Reader::build_snapshot`] makes a file that another desktop may start from, and [`Replica::from_snapshot`] takes
//!   such a file as hostile input.
//!
//! INVARIANT: everything in the file but the journal itself is a function of the journal. [`Replica::rebuild`] folds it
//! again, and no card, key or decision is ever read from a projected column: they come from bodies whose digests are
//! recomputed, under headers that the tree covers.
//!
//! Times are milliseconds since the Unix epoch. Nothing here reads a clock: `now` is an argument, and never taken to be
//! before the newest entry.

mod apply;
mod entries;
mod error;
mod fold;
mod inbox;
mod key;
mod open;
mod packed;
mod prepare;
mod project;
mod read;
mod search;
mod snapshot;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod verify;
mod witness;

pub use apply::{Applied, Log};
pub use error::{ApplyError, Malformed, OpenError, OtherHistory, ReadError, StorageError};
pub use fold::Gap;
pub use inbox::{Counts, Cursor, Filter, InvalidCursor, Page, Row, View};
pub use key::Key;
pub use open::Replica;
pub use read::{Card, DeviceChain, Head, Reader, Task, TaskPage};
pub use snapshot::{SignedHead, SnapshotError};
pub use verify::Verified;
