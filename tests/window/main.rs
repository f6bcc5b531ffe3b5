//! The real app in a real window, with real peers: what no smaller test can show.
//!
//! Each test is one story. Limits of time are for giving up only, and generous: nothing here says how fast something is.

mod app;
mod auditing;
mod closed;
mod company;
mod devices;
mod first_run;
mod keychain;
mod links;
mod mail_trouble;
mod office;
mod provider;
mod stage;
mod stopping;
mod story;
mod tray;
