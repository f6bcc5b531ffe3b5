//! The peers that the other suites stand on, each shown to work: what a failing story blames must not be its stage.

mod desktop;
mod mail;
mod notifications;
mod sign_in;
mod tray;
mod window;
