//! The tenant server: HTTP API, store, automations.

pub mod cards;
pub mod clock;
pub mod executor;
pub mod ingress;
pub mod random;
pub mod tenant;
