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
