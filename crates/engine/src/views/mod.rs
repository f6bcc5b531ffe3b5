//! What a shell shows.
