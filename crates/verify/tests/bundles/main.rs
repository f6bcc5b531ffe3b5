//! Exported journals: honest ones are whole, and whatever is done to one is found, and where.

// Helpers of tests are tests to clippy too.
#![cfg(test)]

mod command;
mod honest;
mod journals;
mod lies;
mod mutations;
mod proofs;
mod seeded;
