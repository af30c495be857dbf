//! Dialects: differences between raft libraries that are known and harmless.
//!
//! The rules are raft-rs's. Another library of the same descent may differ in what loses
//! nobody anything; where it does, and why that is harmless, is named here, and the rules
//! have a switch for it ([`GuardSet::speaks`](crate::GuardSet::speaks)). None is spoken
//! unless somebody asks: every scope is explored in raft-rs's own.

use std::fmt;

/// One difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dialect {
    /// Neither a vote request nor its answer tells of a commit index.
    VotesTellNoCommit,
}

impl Dialect {
    /// All of them.
    pub const ALL: &'static [Dialect] = &[Dialect::VotesTellNoCommit];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => "votes_tell_no_commit",
        }
    }

    /// What differs.
    pub fn differs(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => {
                "raft-rs alone puts the commit index into vote requests and rejections \
                 (`maybe_commit_by_vote`, raft-rs#392); etcd's raft and its other descendants do not"
            }
        }
    }

    /// Why nobody loses anything by it.
    pub fn reason(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => {
                "the sender of a commit index knew it already: a peer that does not get it \
                 learns it from the next leader, later"
            }
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
