//! Checks an exported journal with nothing but the file: no network, no app, no database.
//!
//! A bundle is read once, from front to end. Its format is checked by `countersign_domain::bundle`; here the entries are put
//! into the tree, signatures are checked with the keys that the journal itself had enrolled by then, and everything that
//! counts or ran is asked again whether it had to. `docs/bundle.md` says what a verdict means.

mod judge;
mod nodes;
mod proposals;
mod read;
mod report;
mod story;

pub use judge::Found;
pub use read::verify;
pub use report::{About, Options, Report, Verdict};
pub use story::{Chapter, Story};
