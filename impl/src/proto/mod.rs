//! What stores persist and send: regions, commands, messages, snapshots, and their encoding.
//! Corresponds to kvproto's `metapb`, `raft_cmdpb` and `raft_serverpb`.

pub(crate) mod codec;
pub(crate) mod command;
pub(crate) mod merge;
pub(crate) mod message;
pub(crate) mod position;
pub(crate) mod recovery;
pub(crate) mod region;
pub(crate) mod snapshot;
