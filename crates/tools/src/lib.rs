//! trait Tool, the registry, one file per tool, and the one executor.
