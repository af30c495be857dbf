//! A committed split takes effect: the parts, their data, and the children's first peers.
//!
//! Follows TiKV `fsm/peer.rs` (`on_ready_split_region`, `on_prepare_split_region`).

use std::collections::BTreeMap;

use rollcall_traces::{Entry, Held, Key, Peer, PeerState, Region, RegionId, StoreId, Value};

use super::split::parts_of;
use super::{late, raft, ranges};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::{FIRST, first_peer};
use crate::unsound;

/// Applies a committed split.
pub(super) fn apply(cluster: &mut impl ClusterMut, region: RegionId, store: StoreId, entry: &Entry) {
    let guards = cluster.guards();
    let Some(peer) = cluster.peer(store, region) else { return };
    let leads = peer.leading.is_some();
    if !guards.holds(Guard::SplitTakenByEveryReplica) && unsound::skips_split(peer) {
        return;
    }
    let Some((after, children)) = parts_of(&peer.region, entry, guards) else { return };
    ranges::set(cluster, store, &after);
    let peer = cluster.peer_mut(store, region);
    let data = peer.data.clone();
    peer.data = share(&data, &after, guards);
    peer.region = after;
    // The read ends with an epoch error: its key may have left the range.
    peer.read = None;
    let born: Vec<&Region> =
        children.iter().filter(|child| create_child_peer(cluster, store, child, &data)).collect();
    for child in &born {
        // A child that has taken part in an election needs no other.
        let fresh = cluster.peer(store, child.id).is_some_and(|peer| peer.term == FIRST.term);
        if leads && fresh {
            raft::campaign(cluster.peer_mut(store, child.id), guards);
        } else {
            take_pending_messages(cluster, store, child);
        }
    }
    cluster.drop_pending_messages(store, |held| born.iter().any(|child| child.id == held.region));
}

fn share(data: &BTreeMap<Key, Value>, region: &Region, guards: GuardSet) -> BTreeMap<Key, Value> {
    if !guards.holds(Guard::DataDivided) {
        return unsound::whole_data(data);
    }
    let in_share = |key: &Key| region.contains(key);
    data.iter().filter(|(key, _)| in_share(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Creates the child's peer. It replaces only a peer of the same id that has no region yet and did
/// not replace a tombstone. One that did belongs to a later life of the region here (TiKV asks
/// `pending_create_peers`, and then the disk).
fn create_child_peer(
    cluster: &mut impl ClusterMut,
    store: StoreId,
    child: &Region,
    data: &BTreeMap<Key, Value>,
) -> bool {
    let Some(id) = child.member_on(store).map(|member| member.id) else { return false };
    let known = cluster.peer(store, child.id);
    let gives_way = known.is_none_or(|known| {
        known.state == PeerState::Uninitialised && known.id == id && !known.replaces_tombstone
    });
    if cluster.holds(Guard::SplitSparesTheKnown) && !gives_way {
        return false;
    }
    let (term, vote) = if cluster.holds(Guard::SplitKeepsVote) {
        // A tombstone has no term and no vote; it is replaced only without
        // `split_spares_the_known`.
        let kept = known.map(|known| (known.term, known.vote));
        kept.filter(|(term, _)| *term >= FIRST.term).unwrap_or((FIRST.term, 0))
    } else {
        unsound::child_without_vote(FIRST.term)
    };
    let data = share(data, child, cluster.guards());
    let peer = Peer { term, vote, data, ..first_peer(child, id) };
    let replaces = known.is_some();
    cluster.put_peer(store, child.id, Some(peer));
    ranges::set(cluster, store, child);
    if !cluster.holds(Guard::DestroySparesTheReplaced) && replaces {
        return unsound::destroy_the_child_too(cluster, store, child.id);
    }
    true
}

/// Delivers the first pending message to the child.
fn take_pending_messages(cluster: &mut impl ClusterMut, store: StoreId, child: &Region) {
    let Some(id) = child.member_on(store).map(|member| member.id) else { return };
    let waits = |held: &Held| held.region == child.id && held.to.id == id;
    let Some(at) = cluster.pending_messages(store).iter().position(waits) else { return };
    let message = cluster.pending_messages_mut(store).remove(at);
    // A refused message is dropped, as it would be on time.
    if let (_, Some(reply)) = late::deliver(cluster, message) {
        cluster.send_reply(reply);
    }
}
