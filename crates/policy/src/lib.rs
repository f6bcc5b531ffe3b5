//! Rules in, decision and requirement out.
