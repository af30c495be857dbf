//! Who is to lead by force.
//!
//! Follows `PD unsafe_recovery_controller.go` (`selectLeader`, `isRaftStale`). Stricter than PD: whoever leads has what anybody who is left knows to
//! be committed, and would be granted by every voter that is left.

use std::cmp::Reverse;

use crate::guard::{Guard, Guards};
use crate::proto::position::Position;
use crate::proto::region::{MemberRole, StoreId};

/// How a peer that is left compares with the others of its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
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
pub fn force_leader(left: &[Standing], guards: impl Guards) -> Option<StoreId> {
    let end = |peer: &Standing| (peer.last.term, peer.last.index);
    let stays_voter = |role| match role {
        MemberRole::Voter | MemberRole::IncomingVoter => true,
        MemberRole::DemotingVoter => !guards.holds(Guard::DemotingVoterRanksLast),
        MemberRole::Learner => false,
    };
    let rank = |peer: &&Standing| (end(peer), peer.commit, stays_voter(peer.role), Reverse(peer.store));
    let any = !guards.holds(Guard::ForceKeepsWhatIsCommitted);
    let best = left.iter().filter(|peer| any || peer.has_committed).max_by_key(rank)?;
    let mut voters = left.iter().filter(|peer| peer.role != MemberRole::Learner);
    voters.all(|voter| end(voter) <= end(best)).then_some(best.store)
}
