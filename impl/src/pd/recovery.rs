//! Who is to lead by force, and which regions first.
//!
//! Follows `PD unsafe_recovery_controller.go` (`selectLeader`, `isRaftStale`,
//! `generatePlan`). Stricter than PD: whoever leads has what anybody who is left knows to
//! be committed, and would be granted by every voter that is left.

use std::cmp::Reverse;

use crate::engine::Position;
use crate::guard::{Guard, Guards};
use crate::region::{MemberRole, StoreId};

/// In which regions leaders are forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForceStage {
    /// Where somebody who is left has a `CommitMerge` that is not known to be committed.
    /// What they would take in is led by nobody unless they are led (tikv#12627).
    ForCommitMerge,
    /// In every other that has lost its majority.
    Others,
}

/// The stages, in order.
pub fn force_stages(guards: impl Guards) -> &'static [ForceStage] {
    if guards.holds(Guard::ForceTargetFirst) {
        &[ForceStage::ForCommitMerge, ForceStage::Others]
    } else {
        &[ForceStage::Others]
    }
}

/// What a peer that is left reports of itself (kvproto `PeerReport`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// Its store.
    pub store: StoreId,
    /// Its role in its own configuration.
    pub role: MemberRole,
    /// Its last entry.
    pub last: Position,
    /// The last entry that it knows to be committed.
    pub commit: u64,
    /// It has what anybody who is left knows to be committed.
    pub has_committed: bool,
}

/// The store of the peer that is to lead by force: the best log of those who have what
/// is committed, as in an election, then by what they know to be committed; a learner
/// and one that is being demoted come behind their equals. Nobody, where a voter that is
/// left has a better log: it would not grant.
pub fn force_leader(reports: &[PeerReport], guards: impl Guards) -> Option<StoreId> {
    let end = |report: &PeerReport| (report.last.term, report.last.index);
    let stays_voter = |role| match role {
        MemberRole::Voter | MemberRole::IncomingVoter => true,
        MemberRole::DemotingVoter => !guards.holds(Guard::DemotingVoterRanksLast),
        MemberRole::Learner => false,
    };
    let rank =
        |report: &&PeerReport| (end(report), report.commit, stays_voter(report.role), Reverse(report.store));
    let any = !guards.holds(Guard::ForceKeepsWhatIsCommitted);
    let best = reports.iter().filter(|report| any || report.has_committed).max_by_key(rank)?;
    let mut voters = reports.iter().filter(|report| report.role != MemberRole::Learner);
    voters.all(|voter| end(voter) <= end(best)).then_some(best.store)
}
