//! What a store persists: the engine trait, an engine in memory, and one in a file.

pub(crate) mod engine;
pub(crate) mod redb_engine;
