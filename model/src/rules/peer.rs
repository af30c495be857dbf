//! A peer as others see it: whether it is live, which member it is, and its snapshot.

use rollcall_traces::{Log, LogPosition, Member, MemberRole, Peer, PeerState, Region, Snapshot, StoreId};

/// The term and index at which every replica's log begins (TiKV
/// `RAFT_INIT_LOG_TERM`, `RAFT_INIT_LOG_INDEX`).
pub const FIRST: LogPosition = LogPosition { index: 5, term: 5 };

/// Whether the peer is not a tombstone.
pub(crate) fn is_live(peer: &Peer) -> bool {
    peer.state != PeerState::Tombstone
}

/// The peer as a member of its own region. A peer that its region does not list, because it has none
/// yet, counts as a learner.
pub(crate) fn member_of_own_region(peer: &Peer, store: StoreId) -> Member {
    peer.region.member(peer.id).copied().unwrap_or(Member { id: peer.id, store, role: MemberRole::Learner })
}

/// The snapshot that a peer would send now.
pub(crate) fn snapshot_of(peer: &Peer) -> Snapshot {
    Snapshot {
        position: LogPosition { index: peer.applied, term: peer.log.term(peer.applied).unwrap_or_default() },
        region: peer.region.clone(),
        data: peer.data.clone(),
    }
}

/// A replica of a new region.
pub fn first_peer(region: &Region, id: u64) -> Peer {
    Peer {
        term: FIRST.term,
        log: Log { truncated: FIRST, entries: Vec::new() },
        commit: FIRST.index,
        applied: FIRST.index,
        ..Peer::blank(id, PeerState::Normal, region.clone())
    }
}
