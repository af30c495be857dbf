//! What a store persists: the engine trait, an engine in memory, and one in a file. For tests, a disk
//! whose machine can fail behind any operation.

pub(crate) mod crash_disk;
pub(crate) mod engine;
pub(crate) mod memory_engine;
pub(crate) mod redb_engine;
pub(crate) mod redb_file;
