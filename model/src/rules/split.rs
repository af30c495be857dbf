//! A region splits: which splits are valid, and the regions that result. `ask_split.rs` has the
//! request to PD, `apply_split.rs` the effect on a store.
//!
//! Follows TiKV `apply.rs` (`validate_batch_split`, `exec_batch_split`). One thing is stricter: a
//! child that replaces an uninitialised peer keeps its vote. TiKV does not write the hard state of
//! an uninitialised peer, so its child begins without a vote.

use rollcall_traces::{Child, Command, Derive, Entry, Epoch, Key, Peer, Reason, Region, StoreId};

use super::{epoch, ranges};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::is_live;

/// Whether the split is valid for the region. The result is the same on every replica.
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

/// Whether the store has never seen the ids. Checked only at propose, because other stores know
/// other regions.
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

/// The result of a valid split: the region that keeps its id, and the children.
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

/// The resulting regions, if the entry is a split that is valid for the region as it is now.
pub(super) fn parts_of(region: &Region, entry: &Entry, guards: GuardSet) -> Option<(Region, Vec<Region>)> {
    let command = entry.command.as_ref()?;
    let Command::Split { children, derive } = command else { return None };
    let in_time = epoch::is_current_at_apply(&region.epoch, entry, guards);
    (in_time && validate(region, children, guards).is_ok()).then(|| divide(region, children, *derive))
}

/// The region that keeps its id, if the entry is a valid split.
pub(super) fn parent_of(peer: &Peer, entry: &Entry, guards: GuardSet) -> Option<Region> {
    parts_of(&peer.region, entry, guards).map(|(parent, _)| parent)
}

/// Adds the children's ranges to the store's index.
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
