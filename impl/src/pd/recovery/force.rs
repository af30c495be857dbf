//! The choice of the forced leader.
//!
//! Follows `PD unsafe_recovery_controller.go` (`selectLeader`, `isRaftStale`). Stricter than PD:
//! the forced leader has every entry that a remaining peer knows to be committed, and every
//! remaining voter would grant its vote.

use std::cmp::Reverse;

use crate::guard::{Guard, Guards};
use crate::proto::position::Position;
use crate::proto::region::{MemberRole, StoreId};

/// A remaining peer, as the choice compares it with the others of its region.
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
    /// It has every entry that a remaining peer knows to be committed.
    pub has_committed: bool,
}

/// The store of the forced leader. Among the peers with all known committed entries the newest log
/// wins, as in an election, then the highest commit index. Learners and demoting voters rank behind
/// their equals. None, if a remaining voter has a newer log: it would reject the vote.
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
