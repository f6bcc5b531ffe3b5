//! The real app in a real window, with real peers: what no smaller test can show.
//!
//! Each test is one story. Limits of time are for giving up only, and generous: nothing here says how fast something is.

mod app;
mod company;
mod devices;
mod first_run;
mod keychain;
mod stage;
mod story;
