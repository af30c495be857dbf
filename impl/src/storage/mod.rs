//! What a store keeps on disk: the trait of an engine, one in memory and one in a file.

pub(crate) mod engine;
pub(crate) mod redb_engine;
