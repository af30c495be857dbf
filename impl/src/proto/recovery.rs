//! The reports and plans of an unsafe recovery.
//!
//! A store's heartbeat carries its report and the response a plan. Both have the step to which they
//! belong (kvproto `StoreReport`, `RecoveryPlan`). Two things are not in kvproto, because PD cannot
//! plan safely without them: a report has the last entry of each term and the regions that
//! uncommitted entries would merge, and a plan has the position that a forced leader must have.

use std::collections::{BTreeMap, BTreeSet};

use crate::proto::position::Position;
use crate::proto::region::{MemberRole, PeerId, Region, RegionId, StoreId};

/// A store's report on its peers (kvproto `StoreReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreReport {
    /// The step whose plan the store has carried out.
    pub step: u64,
    /// Its live peers, in the order of their region ids.
    pub peers: Vec<PeerReport>,
}

/// A store's report on one peer (kvproto `PeerReport`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerReport {
    /// The peer's id.
    pub peer: PeerId,
    /// Its region at its applied index; without members while it is uninitialised.
    pub region: Region,
    /// Its term.
    pub term: u64,
    /// The last truncated entry, then the last entry of each later term.
    pub log: Vec<Position>,
    /// Its commit index.
    pub commit: u64,
    /// Whether it is a forced leader, or campaigns by force.
    pub by_force: bool,
    /// The regions that entries would merge which are not known to be committed.
    pub sources: BTreeSet<RegionId>,
}

impl PeerReport {
    /// Whether it is initialised.
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

    /// The last entry that it knows to be committed, or the last truncated one if that is later.
    pub fn committed(&self) -> Position {
        Position { index: self.commit, term: self.log_term(self.commit).unwrap_or_default() }
    }

    /// Whether its log has this entry, or has truncated it.
    pub fn has(&self, entry: Position) -> bool {
        let is_discarded = self.log.first().is_some_and(|discarded| entry.index < discarded.index);
        is_discarded || self.log_term(entry.index) == Some(entry.term)
    }

    /// The term of an entry that is not truncated.
    fn log_term(&self, index: u64) -> Option<u64> {
        self.log.iter().find(|run| index <= run.index).map(|run| run.term)
    }
}

/// What a store must do in one step of a recovery (kvproto `RecoveryPlan`). A plan without forced
/// leaders is complete once every forced leader has stepped down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecoveryPlan {
    /// The step.
    pub step: u64,
    /// The leaders to force. Empty on a store without any, in a stage that forces some elsewhere:
    /// existing forced leaders then stay.
    pub force_leaders: Option<ForceLeaders>,
    /// The failed members that forced leaders must demote or remove, by region.
    pub demotes: BTreeMap<RegionId, Vec<PeerId>>,
    /// The regions whose peers must be destroyed, because other regions have their range.
    pub tombstones: BTreeSet<RegionId>,
    /// The regions to create, empty.
    pub creates: Vec<Region>,
}

/// The leaders that a store must force (kvproto `ForceLeader`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ForceLeaders {
    /// The failed stores. Their votes and acknowledgements are simulated.
    pub failed_stores: BTreeSet<StoreId>,
    /// The regions, each with its forced leader's requirements.
    pub regions: BTreeMap<RegionId, ForceLeader>,
}

/// The requirements of a forced leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForceLeader {
    /// It campaigns in a term above this one, the highest that any remaining peer reported.
    pub above: u64,
    /// The last entry that any remaining peer knows to be committed. The leader must have it.
    pub committed: Position,
}
