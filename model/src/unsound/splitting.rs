//! Splits.

use std::collections::BTreeMap;

use rollcall_traces::{Change, ChangeKind, Command, Epoch, Key, Peer, PeerId, RegionId, StoreId, Value};

use crate::cluster::ClusterMut;

/// Without `split_ids_fit_members` the store proposes a split with PD's ids under the epoch that
/// its region has by then (row 23).
pub(crate) fn epoch_of_the_proposal() -> Option<Epoch> {
    None
}

/// Without `split_taken_by_every_replica` a follower that its log promoted skips a split (row 24,
/// tikv#8967).
pub(crate) fn skips_split(peer: &Peer) -> bool {
    let promotes = |change: &Change| change.kind == ChangeKind::AddVoter && change.peer == peer.id;
    let was_promoted = peer.log.iter().any(|(index, entry)| {
        index <= peer.applied
            && matches!(&entry.command, Some(Command::ChangePeer(change)) if promotes(change))
    });
    was_promoted && peer.leading.is_none()
}

/// Without `data_divided` each part of a region keeps all of its data (TiKV's split check).
pub(crate) fn whole_data(data: &BTreeMap<Key, Value>) -> BTreeMap<Key, Value> {
    data.clone()
}

/// Without `split_keeps_vote` a child loses the term and vote of the uninitialised peer that it
/// replaces, as in TiKV, which does not write them.
pub(crate) fn child_without_vote(first_term: u64) -> (u64, PeerId) {
    (first_term, 0)
}

/// Without `destroy_spares_the_replaced` the destruction of the replaced uninitialised peer is
/// under way, and destroys the child instead (tikv#13311).
pub(crate) fn destroy_the_child_too(cluster: &mut impl ClusterMut, store: StoreId, child: RegionId) -> bool {
    cluster.put_peer(store, child, None);
    false
}
