//! A region divides: asking for ids, what fits, and what becomes of the parts.
//!
//! Follows TiKV `apply.rs` (`validate_batch_split`, `exec_batch_split`),
//! `fsm/peer.rs` (`on_ready_split_region`, `on_prepare_split_region`) and PD
//! `HandleAskBatchSplit`. One thing is stricter: a child that replaces an
//! uninitialised peer keeps its vote (TiKV does not write the hard state of
//! an uninitialised peer, so the child there begins without one).

use std::collections::BTreeMap;

use rollcall_traces::{
    Child, Command, Derive, Entry, Epoch, Held, Key, Peer, PeerState, Reason, Region, RegionId, Reply,
    Returned, StoreId, Value,
};

use super::propose::propose;
use super::{epoch, late, pd, raft, ranges, recovery};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::{FIRST, first_peer};
use crate::rules::peer::{is_live, member_of_own_region};
use crate::unsound;

/// The leader asks the placement driver for ids. What comes back is proposed
/// under the epoch of the asking; if that is refused the ids are gone.
pub(crate) fn ask(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    keys: &[Key],
    derive: Derive,
    reply: Reply,
) -> Result<Returned, Reason> {
    let leader = cluster.leader(store, region)?;
    recovery::check_command(leader, None)?;
    let (to, epoch) = (member_of_own_region(leader, store), leader.region.epoch);
    let members = leader.region.peers.len();
    if leader.state == PeerState::Merging {
        return Err(Reason::Merging);
    }
    if keys.is_empty() {
        return Err(Reason::NoSplitKey);
    }
    if keys.iter().any(Key::is_empty) {
        return Err(Reason::SplitKeyEmpty);
    }
    if cluster.pd().is_absent() {
        return Err(Reason::NoPlacementDriver);
    }
    pd::check_asking(cluster, &leader.region)?;
    let children = allot(&mut cluster.pd_mut().next_id, keys, members);
    let mut refused = None;
    match reply {
        Reply::Delivered => {
            let command = Command::Split { children: children.clone(), derive };
            refused = propose(cluster, region, store, &command, Some(epoch)).err();
        }
        Reply::Delayed => cluster.hold(Held::ask_split_response(region, to, epoch, children.clone(), derive)),
        Reply::Dropped => {}
    }
    Ok(Returned::Allotted { children, refused })
}

/// For each key an id for the region, and one for each of its peers.
fn allot(next_id: &mut u64, keys: &[Key], members: usize) -> Vec<Child> {
    let mut id = || std::mem::replace(next_id, *next_id + 1);
    let child =
        |key: &Key| Child { key: key.clone(), region: id(), peers: (0..members).map(|_| id()).collect() };
    keys.iter().map(child).collect()
}

/// The placement driver's answer reaches the store late.
pub(crate) fn answered(
    cluster: &mut impl ClusterMut,
    held: &Held,
    children: &[Child],
    derive: Derive,
) -> Result<(), Reason> {
    let command = Command::Split { children: children.to_vec(), derive };
    let fits_members = cluster.holds(Guard::SplitIdsFitMembers);
    let epoch = if fits_members { Some(held.epoch) } else { unsound::epoch_of_the_proposal() };
    propose(cluster, held.region, held.to.store, &command, epoch)
}

/// Whether the split fits the region. Says the same on every replica.
pub(crate) fn validate(region: &Region, children: &[Child], guards: GuardSet) -> Result<(), Reason> {
    if children.is_empty() {
        return Err(Reason::NoSplitKey);
    }
    for (at, Child { key, peers, .. }) in children.iter().enumerate() {
        if key.is_empty() {
            return Err(Reason::SplitKeyEmpty);
        }
        if *key == region.start {
            return Err(Reason::SplitKeyAtStart);
        }
        if *key < region.start {
            return Err(Reason::SplitKeyOutside);
        }
        if !region.end.is_empty() && *key >= region.end {
            return Err(Reason::SplitKeyAtEnd);
        }
        if at > 0 && *key <= children[at - 1].key {
            return Err(Reason::SplitKeysOutOfOrder);
        }
        if guards.holds(Guard::SplitIdsFitMembers) && peers.len() != region.peers.len() {
            return Err(Reason::SplitIdsMismatch);
        }
    }
    let repeats = children.iter().enumerate().any(|(at, child)| {
        let earlier = &children[..at];
        child.region == region.id
            || child.region == 0
            || child.peers.contains(&0)
            || earlier.iter().any(|other| other.region == child.region)
            || child.peers.iter().enumerate().any(|(place, id)| {
                region.member(*id).is_some()
                    || child.peers[..place].contains(id)
                    || earlier.iter().any(|other| other.peers.contains(id))
            })
    });
    if repeats { Err(Reason::IdInUse) } else { Ok(()) }
}

/// Whether the asked store has never heard of the ids. Asked at propose alone:
/// another store knows other regions.
pub(crate) fn check_unknown(
    cluster: &impl ClusterMut,
    store: StoreId,
    children: &[Child],
) -> Result<(), Reason> {
    let known = cluster.regions_on(store).any(|region| {
        cluster.peer(store, region).is_some_and(|peer| {
            children.iter().any(|child| {
                child.region == region
                    || child.peers.contains(&peer.id)
                    || is_live(peer) && child.peers.iter().any(|id| peer.region.member(*id).is_some())
            })
        })
    });
    if known { Err(Reason::IdInUse) } else { Ok(()) }
}

/// What a valid split makes of the region: what keeps its id, and the children.
fn divide(region: &Region, children: &[Child], derive: Derive) -> (Region, Vec<Region>) {
    let epoch = Epoch { version: region.epoch.version + children.len() as u64, ..region.epoch };
    let keys = children.iter().map(|child| &child.key);
    let borders: Vec<&Key> = [&region.start].into_iter().chain(keys).chain([&region.end]).collect();
    let part = |of: usize| (borders[of].clone(), borders[of + 1].clone());
    let (own, first) = match derive {
        Derive::Left => (0, 1),
        Derive::Right => (children.len(), 0),
    };
    let (start, end) = part(own);
    let parent = Region { start, end, epoch, ..region.clone() };
    let child = |(at, child): (usize, &Child)| {
        let mut peers = region.peers.clone();
        for (peer, id) in peers.iter_mut().zip(&child.peers) {
            peer.id = *id;
        }
        let (start, end) = part(first + at);
        Region { id: child.region, start, end, epoch, peers }
    };
    (parent, children.iter().enumerate().map(child).collect())
}

/// The parts, if the entry is a split that fits the region as it is now.
fn parts_of(region: &Region, entry: &Entry, guards: GuardSet) -> Option<(Region, Vec<Region>)> {
    let command = entry.command.as_ref()?;
    let Command::Split { children, derive } = command else { return None };
    let in_time = epoch::check_epoch_at_apply(&region.epoch, entry, guards);
    (in_time && validate(region, children, guards).is_ok()).then(|| divide(region, children, *derive))
}

/// What keeps its id of a region, if the entry is a split that fits.
pub(super) fn parent_of(peer: &Peer, entry: &Entry, guards: GuardSet) -> Option<Region> {
    parts_of(&peer.region, entry, guards).map(|(parent, _)| parent)
}

/// The ranges of the children of a split of `region` enter the store's index.
pub(super) fn index_children(
    cluster: &mut impl ClusterMut,
    store: StoreId,
    region: &Region,
    split: &Command,
) {
    let Command::Split { children, derive } = split else { return };
    for child in divide(region, children, *derive).1 {
        ranges::set(cluster, store, &child);
    }
}

/// A committed split takes effect.
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
    // Who asked is answered `EpochNotMatch`.
    peer.read = None;
    let born: Vec<&Region> = children.iter().filter(|child| bring(cluster, store, child, &data)).collect();
    for child in &born {
        // One that knows of an election has no need of another.
        let fresh = cluster.peer(store, child.id).is_some_and(|peer| peer.term == FIRST.term);
        if leads && fresh {
            raft::campaign(cluster.peer_mut(store, child.id), guards);
        } else {
            take_pending_messages(cluster, store, child);
        }
    }
    let is_known = |held: &Held| born.iter().any(|child| child.id == held.region);
    if cluster.pending_messages(store).iter().any(is_known) {
        cluster.pending_messages_mut(store).retain(|held| !is_known(held));
    }
}

fn share(data: &BTreeMap<Key, Value>, region: &Region, guards: GuardSet) -> BTreeMap<Key, Value> {
    if !guards.holds(Guard::DataDivided) {
        return unsound::whole_data(data);
    }
    let in_share = |key: &Key| region.contains(key);
    data.iter().filter(|(key, _)| in_share(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Creates the child's peer, unless the store knows its region already: an
/// uninitialised peer of the same id gives way, everything else stays. One that
/// stands where a tombstone stood stays too: it belongs to a later life of the
/// region here (TiKV asks `pending_create_peers`, and then the disk).
fn bring(cluster: &mut impl ClusterMut, store: StoreId, child: &Region, data: &BTreeMap<Key, Value>) -> bool {
    let Some(id) = child.member_on(store).map(|member| member.id) else { return false };
    let known = cluster.peer(store, child.id);
    let gives_way = known.is_none_or(|known| {
        known.state == PeerState::Uninitialised && known.id == id && !known.replaces_tombstone
    });
    if cluster.holds(Guard::SplitSparesTheKnown) && !gives_way {
        return false;
    }
    let (term, vote) = if cluster.holds(Guard::SplitKeepsVote) {
        // A tombstone has neither; it gives way only without `split_spares_the_known`.
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

/// The first message that waited for the child reaches it.
fn take_pending_messages(cluster: &mut impl ClusterMut, store: StoreId, child: &Region) {
    let Some(id) = child.member_on(store).map(|member| member.id) else { return };
    let waits = |held: &Held| held.region == child.id && held.to.id == id;
    let Some(at) = cluster.pending_messages(store).iter().position(waits) else { return };
    let message = cluster.pending_messages_mut(store).remove(at);
    // If it is refused it is gone, as a message is that comes in time.
    if let (_, Some(reply)) = late::deliver(cluster, message) {
        cluster.say(reply);
    }
}
