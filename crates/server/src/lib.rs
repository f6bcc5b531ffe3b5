//! The tenant server: HTTP API, store, automations.

pub mod clock;
pub mod random;
pub mod tenant;
