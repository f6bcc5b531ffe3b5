//! The desktop's backend without a window: a replica of the tenant's journal, an outbox of signed decisions, three
//! reconcilers (sync, execute, notify), and ports for what the operating system gives.
//!
//! [`Engine`] is a cheap handle; a shell makes one call for each thing that a person does and asks again after each
//! [`EngineEvent`].
//!
//! - A decision is on the disk of this device before it is shown as saved, and shown as effective only when the journal
//!   says so.
//! - Nothing executes without the tenant: an offline device decides, it causes no effect.
//! - Without its keychain nothing is opened or changed, and a device that was set up is never set up again by itself.

pub mod keychain;
pub mod ports;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod views;

mod acts;
mod client;
mod connect;
mod decide;
mod device;
mod edit;
mod engine;
mod enrol;
mod error;
mod event;
mod evidence;
mod export;
mod first_look;
mod journal;
mod opening;
mod overlay;
mod provider;
mod reconcile;
mod refused;
mod remarks;
mod rotate;
mod rules;
mod schedule;
mod seat;
mod store;
mod undo;
mod unpack;
mod withdraw;

pub use acts::Resolve;
pub use client::{Address, InvalidAddress};
pub use connect::{Connect, Credential};
pub use decide::{Choice, Decide, MAX_COMMENT};
pub use edit::{Edit, EditForm, Edited};
pub use engine::{Engine, Phase};
pub use error::{EngineError, ErrorCode};
pub use event::EngineEvent;
pub use export::{Export, SavedJournal};
pub use provider::{BroughtBack, ByProvider};
pub use refused::Refused;
pub use rules::Arm;
pub use seat::{Link, LinkState};

#[cfg(test)]
mod tests;
