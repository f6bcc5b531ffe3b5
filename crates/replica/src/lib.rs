//! The SQLite form of a tenant's folded journal.
