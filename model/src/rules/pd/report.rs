//! What a leader reports to the placement driver, except its down peers.
//!
//! A report contains no log entry, no vote and no follower's progress.

use std::collections::BTreeSet;

use rollcall_traces::{Member, Peer, PeerId, Reason, Region, StoreId, StoreStatus};

use crate::rules::peer::{is_live, member_of_own_region};

/// A leader's report of its region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Report {
    pub(crate) from: Member,
    pub(crate) term: u64,
    pub(crate) region: Region,
    /// The peers that need a snapshot (TiKV `collect_pending_peers`).
    pub(crate) pending: BTreeSet<PeerId>,
}

impl Report {
    /// The report that `store` gives of a region, from its peer or tombstone there.
    ///
    /// # Errors
    /// The store does not run, has no live peer of the region, or its peer does not lead.
    pub(crate) fn of(store: StoreId, status: StoreStatus, peer: Option<&Peer>) -> Result<Self, Reason> {
        if status != StoreStatus::Up {
            return Err(Reason::StoreDown);
        }
        let peer = peer.filter(|peer| is_live(peer)).ok_or(Reason::RegionNotFound)?;
        let leading = peer.leading.as_ref().ok_or(Reason::NotLeader)?;
        let behind = |id: &PeerId, matched: u64| *id != peer.id && matched < peer.log.truncated.index;
        let pending = leading.matched.iter().filter(|(id, matched)| behind(id, **matched));
        Ok(Self {
            from: member_of_own_region(peer, store),
            term: peer.term,
            region: peer.region.clone(),
            pending: pending.map(|(id, _)| *id).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Leading, LogPosition, MemberRole, PeerState};

    use super::*;

    const LEADER: u64 = 1;
    const FOLLOWER: u64 = 2;

    /// A peer on store 1 that leads a region of three. It has discarded its log up to index 8, and
    /// `matched` is its progress of the two others.
    fn leader(matched: [u64; 2]) -> Peer {
        let member = |id| Member { id, store: id, role: MemberRole::Voter };
        let region = Region { peers: (1..=3).map(member).collect(), ..Region::unknown(1) };
        let matched = [(1, 0), (2, matched[0]), (3, matched[1])].into();
        let mut peer = Peer::blank(LEADER, PeerState::Normal, region);
        peer.term = 7;
        peer.log.truncated = LogPosition { index: 8, term: 6 };
        peer.leading = Some(Leading { matched, ..Leading::default() });
        peer
    }

    fn of(status: StoreStatus, peer: &Peer) -> Result<Report, Reason> {
        Report::of(1, status, Some(peer))
    }

    #[test]
    fn pending_is_whom_a_snapshot_alone_can_bring_further() {
        for (matched, pending) in [([8, 9], vec![]), ([7, 8], vec![2]), ([0, 7], vec![2, 3])] {
            let leader = leader(matched);
            let report = of(StoreStatus::Up, &leader).unwrap();
            assert_eq!((report.from.id, report.term, report.region), (LEADER, 7, leader.region));
            assert_eq!(report.pending, pending.into_iter().collect());
        }
    }

    #[test]
    fn who_does_not_lead_here_says_why() {
        let follower = Peer { leading: None, ..leader([8, 8]) };
        let tombstone = Peer::blank(FOLLOWER, PeerState::Tombstone, Region::unknown(3));
        assert!(of(StoreStatus::Up, &leader([8, 8])).is_ok());
        assert_eq!(of(StoreStatus::Up, &follower), Err(Reason::NotLeader));
        assert_eq!(of(StoreStatus::Up, &tombstone), Err(Reason::RegionNotFound));
        assert_eq!(Report::of(1, StoreStatus::Up, None), Err(Reason::RegionNotFound));
        for status in [StoreStatus::Down, StoreStatus::DiskLost] {
            assert_eq!(of(status, &leader([8, 8])), Err(Reason::StoreDown));
        }
    }

    /// Peers that differ only in their logs give the same report.
    #[test]
    fn logs_and_who_follows_are_no_part_of_a_report() {
        let quiet = of(StoreStatus::Up, &leader([8, 8]));
        let busy = Peer { commit: 12, applied: 11, vote: 3, ..leader([12, 10]) };
        assert_eq!(of(StoreStatus::Up, &busy), quiet);
        let newer = Peer { term: 8, ..leader([8, 8]) };
        assert_ne!(of(StoreStatus::Up, &newer), quiet);
    }
}
