//! Follows a tenant's journal for whoever collects events elsewhere, and raises an alarm when the log does not go on as it
//! was.
//!
//! Every page is held against what came before it, by the same [`Follower`](countersign_domain::journal::Follower) as on
//! a desktop, and becomes lines only when it is in order. How far it got is durable after the lines are out: a crash in
//! between repeats lines, which their `seq` tells, and loses none. After an alarm nothing is forgotten: the next start
//! raises it again until somebody has looked.

mod lines;
mod sink;
mod state;
mod tenant;

pub use lines::{Alarm, begin, take};
pub use sink::{Ended, Settings, follow};
pub use state::{State, StateError};
pub use tenant::{CallError, Tenant};
