//! Which peer becomes the forced leader, by the stores' reports.
//!
//! Stricter than PD (`selectLeader`, `isRaftStale`): the forced leader must have every entry that
//! any remaining peer, learners included, knows to be committed. Votes do not ensure this. A
//! learner does not vote. A voter that knows an entry of an old term to be committed (Figure 8 of
//! the Raft paper) votes for a candidate with a newer, uncommitted entry in its place.
//!
//! Among those peers the newest log wins, as in an election. PD compares the peers' terms first.
//! But all remaining voters must grant their votes, and one with a newer log does not.

use std::cmp::Reverse;

use rollcall_traces::{ForceLeader, LogPosition, MemberRole, PeerReport, StoreId};

use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// The store whose peer is to lead, and how. `reports` are of initialised peers of one region.
pub(super) fn leader(reports: &[(StoreId, &PeerReport)], guards: GuardSet) -> Option<(StoreId, ForceLeader)> {
    let committed = committed(reports);
    let keeps_committed = guards.holds(Guard::ForceKeepsWhatIsCommitted);
    let may_lead = reports.iter().filter(|(_, report)| !keeps_committed || report.has(committed));
    let (store, best) = may_lead.max_by_key(|(store, report)| rank(*store, report, guards))?;
    // TiKV's candidate would be rejected.
    let mut voters = reports.iter().filter(|(_, report)| report.region.is_voter(report.peer));
    if voters.any(|(_, voter)| end(voter) > end(best)) {
        return None;
    }
    let above = reports.iter().map(|(_, report)| report.term).max()?;
    Some((*store, ForceLeader { above, committed }))
}

/// The last entry that any remaining peer knows to be committed.
fn committed(reports: &[(StoreId, &PeerReport)]) -> LogPosition {
    let known = reports.iter().map(|(_, report)| report.committed());
    known.max_by_key(|known| known.index).unwrap_or_default()
}

fn end(report: &PeerReport) -> (u64, u64) {
    let LogPosition { index, term } = report.last();
    (term, index)
}

/// Orders peers by log as in an election, then by commit index. Learners and demoting voters rank
/// behind their equals.
fn rank(store: StoreId, report: &PeerReport, guards: GuardSet) -> impl Ord {
    let stays_voter = match report.region.member(report.peer).map(|member| member.role) {
        Some(MemberRole::Voter | MemberRole::IncomingVoter) => true,
        Some(MemberRole::DemotingVoter) if !guards.holds(Guard::DemotingVoterRanksLast) => {
            unsound::stays_voter()
        }
        Some(MemberRole::DemotingVoter | MemberRole::Learner) | None => false,
    };
    (end(report), report.commit, stays_voter, Reverse(store))
}
