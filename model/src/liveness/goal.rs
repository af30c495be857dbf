//! The goals: the catalogue's L1 to L9, by name.
//!
//! | | asks for | goal | owed |
//! |---|---|---|---|
//! | L1 | a leader | `leader_electable`; `keys_covered` | while a majority of the newest configuration remains; of keys whose regions were lost with stores that were given up by force, while another store remains |
//! | L2 | a conf change is applied or answered | `requests_end`, `changes_possible`; with PD `operators_end`, `replicas_whole` | as L1; `replicas_whole` while a store may take a peer |
//! | L3 | a request is answered | `leader_electable`, `requests_end` | as L1 |
//! | L4 | the removed are destroyed | `removed_gone` | as L1, of peers whose disk is not stalled and that know a member to ask; of a merged region always |
//! | L5 | the added catch up | `members_caught_up` | as L1, of members whose disk is intact and not stalled, whose store was not given up, and whose peer did not learn of its removal |
//! | L6 | an Offline store becomes Tombstone | `store_leaves` | while its regions keep majorities, enough stores stay, and some store may take each peer |
//! | L7 | PD knows epoch and leader | `pd_view_current` | as L1 |
//! | L8 | an oversized region splits | `requests_end` and, of the children, `leader_electable` | once the split was proposed, as L1 |
//! | L9 | a transfer ends | `transfer_ends`; with PD `operators_end` | as L1 |
//!
//! The model has no sizes, so no region is oversized here (rows 31 and 32 are guards of the
//! implementation alone, each with its test). `settles` demands that healing ends at all. If a goal
//! is not owed, there is a [`StuckReason`](super::StuckReason), which the scope has to list.

use std::fmt;

use rollcall_traces::RegionId;

macro_rules! goals {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $liveness:literal,)+) => {
        /// A state that must be reached once faults stop.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Goal {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Goal {
            /// Every goal.
            pub const ALL: &'static [Goal] = &[$(Goal::$variant,)+];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Goal::$variant => $name,)+ }
            }

            /// The goal of that name.
            pub fn from_name(name: &str) -> Option<Goal> {
                Goal::ALL.iter().copied().find(|goal| goal.name() == name)
            }

            /// What it demands, and when it is owed, in a line.
            pub fn statement(self) -> &'static str {
                match self { $(Goal::$variant => concat!($($doc,)+).trim_ascii_start(),)+ }
            }

            /// The catalogue's L1 to L9 that it is part of.
            pub fn liveness(self) -> &'static str {
                match self { $(Goal::$variant => $liveness,)+ }
            }
        }
    };
}

goals! {
    /// The region has a leader that takes writes, if a majority of its newest configuration is left.
    LeaderElectable = "leader_electable", "L1 L3 L8",
    /// After stores were given up by force, every key is in a region on a remaining store, if any store remains.
    KeysCovered = "keys_covered", "L1",
    /// Every entry that a leader accepted is applied, and no read waits, if a majority of the region's newest configuration is left.
    RequestsEnd = "requests_end", "L2 L3 L8",
    /// Every member exists, is initialised, and has applied what the leader has, unless its disk is lost or stalled, or its peer learned of its removal.
    MembersCaughtUp = "members_caught_up", "L5",
    /// Every peer that the newest configuration does not list is destroyed, learners and uninitialised peers included, unless its disk is stalled or it knows no member to ask. Every peer of a merged region is destroyed.
    RemovedGone = "removed_gone", "L4",
    /// No leadership transfer is under way.
    TransferEnds = "transfer_ends", "L9",
    /// The region is not joint, and it would accept a conf change.
    ChangesPossible = "changes_possible", "L2",
    /// Healing ends although clients keep writing.
    Settles = "settles", "L1 L9",
    /// PD knows the region's leader, and the region as its leader has it.
    PdViewCurrent = "pd_view_current", "L7",
    /// No operator is running.
    OperatorsEnd = "operators_end", "L2 L9",
    /// The region has as many voters as PD wants, on stores that are not leaving, and no other peer, if some store may take a peer.
    ReplicasWhole = "replicas_whole", "L2 L6",
    /// A leaving store becomes Tombstone, if enough others stay and its regions' peers can be moved.
    StoreLeaves = "store_leaves", "L6",
}

impl Goal {
    /// Whether some key has no leader without it.
    pub fn is_of_keys(self) -> bool {
        matches!(self, Goal::LeaderElectable | Goal::KeysCovered)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A goal that was not reached, where, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The goal.
    pub goal: Goal,
    /// The region; 0 for a store's goal.
    pub region: RegionId,
    /// The state instead, in words.
    pub what: String,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.region {
            0 => write!(f, "{}: {}", self.goal, self.what),
            region => write!(f, "{}: region {region}: {}", self.goal, self.what),
        }
    }
}
