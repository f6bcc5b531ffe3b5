//! A company whose server and desktop are killed: both as processes of their own, what their calls are made to, and how
//! all of it is looked at afterwards.

mod process;
mod target;
mod verify;
mod world;

pub use process::{Death, PATIENCE, Process, Said, await_end};
pub use target::{Requests, Target};
pub use world::{World, text};
