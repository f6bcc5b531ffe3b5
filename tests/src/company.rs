//! The company of the suites that run the server as a process: who owns it.

/// Who signs in.
pub const OWNER: &str = "ada@acme.example";
/// With what.
pub const PASSWORD: &str = "correct horse battery";
