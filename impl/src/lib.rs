//! A Multi-Raft store on raft-rs, sans-I/O.
