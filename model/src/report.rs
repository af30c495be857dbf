//! What a leader reports to the placement driver, but for whom it misses.
//!
//! That is little of what a store holds: no entry of a log, no vote, nothing of
//! who follows how far. So what comes of a report is worked out once for all the
//! states in which it is the same (`memo.rs`).

use std::collections::BTreeSet;

use rollcall_traces::{Member, Peer, PeerId, Reason, Region, RegionId, StoreId, StoreStatus};

use crate::draft::{is_live, member_of_own_region};

/// What a store says to whoever asks for its leaders' reports: of each region of
/// which it has a live peer, what that reports, if it leads. Nothing if the store
/// does not run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reports(Option<Vec<(RegionId, Option<Report>)>>);

impl Reports {
    pub(crate) fn of<'a>(
        store: StoreId,
        status: StoreStatus,
        peers: impl Iterator<Item = (RegionId, &'a Peer)>,
    ) -> Self {
        let live = peers.filter(|(_, peer)| is_live(peer));
        let reports = || live.map(|(region, peer)| (region, Report::of(peer, store))).collect();
        Self((status == StoreStatus::Up).then(reports))
    }

    /// What the leader of `region` reports.
    pub(crate) fn leader(&self, region: RegionId) -> Result<&Report, Reason> {
        let reports = self.0.as_ref().ok_or(Reason::StoreDown)?;
        let (_, report) = reports.iter().find(|(of, _)| *of == region).ok_or(Reason::RegionNotFound)?;
        report.as_ref().ok_or(Reason::NotLeader)
    }
}

/// What a leader says of its region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Report {
    pub(crate) from: Member,
    pub(crate) term: u64,
    pub(crate) region: Region,
    /// Who needs a snapshot (TiKV `collect_pending_peers`).
    pub(crate) pending: BTreeSet<PeerId>,
}

impl Report {
    /// What the peer says; nothing unless it leads.
    fn of(peer: &Peer, store: StoreId) -> Option<Self> {
        let leading = peer.leading.as_ref()?;
        let behind = |id: &PeerId, matched: u64| *id != peer.id && matched < peer.log.truncated.index;
        let pending = leading.matched.iter().filter(|(id, matched)| behind(id, **matched));
        Some(Self {
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

    /// A peer on store 1 that leads a region of three, has discarded its log up to
    /// index 8 and knows so much of the two others.
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

    fn reports(status: StoreStatus, peers: &[(RegionId, Peer)]) -> Reports {
        Reports::of(1, status, peers.iter().map(|(region, peer)| (*region, peer)))
    }

    #[test]
    fn pending_is_whom_a_snapshot_alone_can_bring_further() {
        for (matched, pending) in [([8, 9], vec![]), ([7, 8], vec![2]), ([0, 7], vec![2, 3])] {
            let peers = [(1, leader(matched))];
            let reports = reports(StoreStatus::Up, &peers);
            let report = reports.leader(1).unwrap();
            assert_eq!((report.from.id, report.term, &report.region), (LEADER, 7, &peers[0].1.region));
            assert_eq!(report.pending, pending.into_iter().collect());
        }
    }

    #[test]
    fn who_does_not_lead_here_says_why() {
        let follower = Peer { leading: None, ..leader([8, 8]) };
        let tombstone = Peer::blank(FOLLOWER, PeerState::Tombstone, Region::unknown(3));
        let peers = [(1, leader([8, 8])), (2, follower), (3, tombstone)];
        let up = reports(StoreStatus::Up, &peers);
        assert!(up.leader(1).is_ok());
        assert_eq!(up.leader(2), Err(Reason::NotLeader));
        assert_eq!(up.leader(3), Err(Reason::RegionNotFound));
        assert_eq!(up.leader(4), Err(Reason::RegionNotFound));
        for status in [StoreStatus::Down, StoreStatus::Destroyed] {
            assert_eq!(reports(status, &peers).leader(1), Err(Reason::StoreDown));
        }
    }

    /// What a report does not show does not tell two stores apart.
    #[test]
    fn logs_and_who_follows_are_no_part_of_a_report() {
        let quiet = reports(StoreStatus::Up, &[(1, leader([8, 8]))]);
        let busy = Peer { commit: 12, applied: 11, vote: 3, ..leader([12, 10]) };
        assert_eq!(reports(StoreStatus::Up, &[(1, busy)]), quiet);
        let newer = Peer { term: 8, ..leader([8, 8]) };
        assert_ne!(reports(StoreStatus::Up, &[(1, newer)]), quiet);
    }
}
