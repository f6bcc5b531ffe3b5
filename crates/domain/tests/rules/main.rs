//! The rules as stories and properties: what may count, what may run, what a person sees.

// Helpers of tests are tests to clippy too.
#![cfg(test)]

mod acts;
mod answers;
mod authority;
mod bodies;
mod card;
mod cards;
mod characters;
mod decisions;
mod display;
mod edits;
mod forgery;
mod keys;
mod merge;
mod people;
mod prefixes;
mod previews;
mod proposals;
mod radar;
mod reasons;
mod remarks;
mod runs;
mod samples;
mod scene;
mod successors;
mod support;
mod wire;
