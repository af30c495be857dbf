//! Who is to lead by force, by what stores have reported.
//!
//! Two things are stricter than PD (`selectLeader`, `isRaftStale`). Whoever leads must
//! have what anybody who is left knows to be committed, a learner included: votes do not
//! see to that, for a learner gives none, and a voter that has an old term's entry
//! committed (Figure 8 of the Raft paper) grants one to who has a newer, uncommitted one
//! in its place. Of those who have it the best log leads, as in an election; PD compares
//! the terms that peers know before that, and then everybody who is left has to grant,
//! which who has the better log does not.

use std::cmp::Reverse;

use rollcall_traces::{ForceLeader, LogPosition, MemberRole, PeerReport, StoreId};

use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// The store whose peer is to lead, and how; of initialised peers of one region.
pub(super) fn leader(reports: &[(StoreId, &PeerReport)], guards: GuardSet) -> Option<(StoreId, ForceLeader)> {
    let committed = committed(reports);
    let keeps_committed = guards.holds(Guard::ForceKeepsWhatIsCommitted);
    let may_lead = reports.iter().filter(|(_, report)| !keeps_committed || report.has(committed));
    let (store, best) = may_lead.max_by_key(|(store, report)| rank(*store, report, guards))?;
    // TiKV would ask, and be rejected.
    let mut voters = reports.iter().filter(|(_, report)| report.region.is_voter(report.peer));
    if voters.any(|(_, voter)| end(voter) > end(best)) {
        return None;
    }
    let above = reports.iter().map(|(_, report)| report.term).max()?;
    Some((*store, ForceLeader { above, committed }))
}

/// The last entry that anybody who is left knows to be committed.
fn committed(reports: &[(StoreId, &PeerReport)]) -> LogPosition {
    let known = reports.iter().map(|(_, report)| report.committed());
    known.max_by_key(|known| known.index).unwrap_or_default()
}

fn end(report: &PeerReport) -> (u64, u64) {
    let LogPosition { index, term } = report.last();
    (term, index)
}

/// As in an election, then by what they know to be committed; a learner and one that is
/// being demoted come behind their equals.
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
