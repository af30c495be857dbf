//! The store from outside, several at a time.

mod basic_conf_change;
mod cluster;
mod ctl;
mod engine;
mod force_leader;
mod guards;
mod late;
mod lifecycle;
mod merge;
mod message_size;
mod pending_messages;
mod pending_ranges;
mod proposals;
mod ranges;
mod recorder;
mod redb_file;
mod replica;
mod size;
mod snapshot;
mod split;
mod split_guards;
mod stale;
mod storm;
mod transfer;
mod unsafe_recovery;
mod wire;
