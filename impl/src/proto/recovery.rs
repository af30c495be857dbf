//! What a store and the placement driver tell each other for an unsafe recovery.
//!
//! A report goes with a store's heartbeat, a plan with the answer, and each carries the
//! step that it belongs to (kvproto `StoreReport`, `RecoveryPlan`). Two things go beyond
//! kvproto, and for both the store alone would not know better: a report says where each
//! term of the log ends and which regions uncommitted entries take in, and a plan what a
//! forced leader must have.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::position::Position;
use crate::proto::region::{MemberRole, PeerId, Region, RegionId, StoreId};

/// What a store reports of its peers (kvproto `StoreReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreReport {
    /// The step whose plan it has carried out.
    pub step: u64,
    /// Its live peers, in the order of their regions.
    pub peers: Vec<PeerReport>,
}

/// What a store reports of one of its peers (kvproto `PeerReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerReport {
    /// The peer.
    pub peer: PeerId,
    /// Its region as it has applied it; without members while it is uninitialised.
    pub region: Region,
    /// Its term.
    pub term: u64,
    /// The last entry that is discarded, and the last of each term in what is there.
    pub log: Vec<Position>,
    /// The last index that it knows to be committed.
    pub commit: u64,
    /// It leads by force, or asks to.
    pub by_force: bool,
    /// The regions that entries take in which it does not know to be committed.
    pub sources: BTreeSet<RegionId>,
}

impl PeerReport {
    /// Whether it knows its region.
    pub(crate) fn is_initialized(&self) -> bool {
        !self.region.peers.is_empty()
    }

    /// Its role in its own configuration.
    pub(crate) fn role(&self) -> MemberRole {
        self.region.member(self.peer).map_or(MemberRole::Learner, |member| member.role)
    }

    /// The last entry of its log.
    pub fn last(&self) -> Position {
        self.log.last().copied().unwrap_or_default()
    }

    /// The last entry that it knows to be committed. That is none from before what is
    /// discarded.
    pub fn committed(&self) -> Position {
        Position { index: self.commit, term: self.log_term(self.commit).unwrap_or_default() }
    }

    /// Whether its log has that entry, or has discarded it.
    pub fn has(&self, entry: Position) -> bool {
        let is_discarded = self.log.first().is_some_and(|discarded| entry.index < discarded.index);
        is_discarded || self.log_term(entry.index) == Some(entry.term)
    }

    /// The term of an entry that is not discarded.
    fn log_term(&self, index: u64) -> Option<u64> {
        self.log.iter().find(|run| index <= run.index).map(|run| run.term)
    }
}

/// What a store is to do for a recovery, one step's worth (kvproto `RecoveryPlan`). One
/// that forces no leader ends with everybody a forced leader stepping down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecoveryPlan {
    /// The step.
    pub step: u64,
    /// Leaders that are to be forced. Empty in a stage that forces some elsewhere: those
    /// that are there stay.
    pub force_leaders: Option<ForceLeaders>,
    /// The failed members that forced leaders are to be rid of, by region.
    pub demotes: BTreeMap<RegionId, Vec<PeerId>>,
    /// The regions whose peers are to be destroyed: others have taken their range.
    pub tombstones: BTreeSet<RegionId>,
    /// The regions that are to be made anew, empty.
    pub creates: Vec<Region>,
}

/// The leaders that a store is to force (kvproto `ForceLeader`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ForceLeaders {
    /// The stores whose votes and acknowledgements are made up.
    pub failed_stores: BTreeSet<StoreId>,
    /// The regions.
    pub regions: BTreeMap<RegionId, ForceLeader>,
}

/// A leader that is to be forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForceLeader {
    /// It asks in a term beyond this one, the highest that anybody who is left reported.
    pub above: u64,
    /// The last entry that anybody who is left knows to be committed: it must have that.
    pub committed: Position,
}
