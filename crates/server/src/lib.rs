//! The tenant server: HTTP API, store, automations.
