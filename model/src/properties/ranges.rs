//! Which keys belong to which region, on one store and in the cluster. After
//! TiKV `apply.rs` `exec_batch_split`, `fsm/peer.rs` `check_snapshot`,
//! `fsm/store.rs` `maybe_create_peer`.
//!
//! Left out: a store's range index, see `stores`.

use rollcall_traces::{
    Claimant, Cluster, ClusterSummary, History, Peer, RangeClaim, RegionId, StoreId, StoreStatus,
};

use super::{Few, Property, Violation, is_initialized};

/// On one store the ranges of initialised peers are pairwise disjoint (S4).
/// Tombstones and peers that are not initialised have no range.
///
/// # Errors
/// Two peers on a store that own the same key.
pub fn range_disjoint<C: Cluster>(cluster: &C, _: &History) -> Result<(), Violation> {
    let regions = Few::of(cluster.regions());
    for (store, _) in cluster.stores() {
        let peers = Few::of(initialised_on(cluster, &regions, store));
        for (a, b) in peers.pairs() {
            if a.region.overlaps(&b.region) {
                let what = format!("on store {store} {} and {} share a key", a.region, b.region);
                return Err(Violation::new(Property::RangeDisjoint, a.region.id, what));
            }
        }
    }
    Ok(())
}

fn initialised_on<'a, C: Cluster>(
    cluster: &'a C,
    regions: &'a Few<RegionId>,
    store: StoreId,
) -> impl Iterator<Item = &'a Peer> {
    regions.iter().filter_map(move |region| cluster.peer(store, region)).filter(|peer| is_initialized(peer))
}

/// The newest known ranges of all regions are disjoint, and leave no gap if those of the first
/// state left none (S4).
///
/// The newest range of a region is that of its highest version on any store, tombstones included.
/// Slow replicas need no exception, because their older range is not the newest. The first replica
/// that applies a split shows the parent's new range and, in the same step, each child, unless its
/// store knows the child already; then the child is shown elsewhere. A snapshot of the parent comes
/// from such a replica. A region does not vanish when all its replicas are removed: a tombstone
/// keeps the region as of the removal. Only a peer created under a newer configuration replaces the
/// tombstone, and the creator shows at least as new a range.
///
/// A merged region has no range: its newest is the one of its `PrepareMerge`, and a tombstone says
/// so. If the region lives on beyond that, both it and the target claim the range, which is a
/// violation.
///
/// A range can disappear only with a disk, so nothing is checked once a disk was lost.
///
/// # Errors
/// A key that two regions own, or none.
pub fn range_cover<C: ClusterSummary>(cluster: &C, history: &History) -> Result<(), Violation> {
    if cluster.stores().any(|(_, status)| status == StoreStatus::DiskLost) {
        return Ok(());
    }
    let newest = newest_claims(cluster);
    for (at, one) in newest.iter().enumerate() {
        if let Some(other) = newest[at + 1..].iter().find(|other| one.range.overlaps(&other.range)) {
            let what = format!("it is now {one} and shares a key with {other}");
            return Err(Violation::new(Property::RangeCover, one.region, what));
        }
    }
    if history.began_whole() { covered(&newest) } else { Ok(()) }
}

/// Goes from each range to the one that begins at its end. The ranges are disjoint, so this ends.
fn covered(newest: &[RangeClaim]) -> Result<(), Violation> {
    let mut last: Option<&RangeClaim> = None;
    for _ in newest {
        let from = last.map_or(&[][..], |claim| claim.range.end.as_bytes());
        match newest.iter().find(|claim| claim.range.start.as_bytes() == from) {
            Some(claim) if claim.range.end.is_empty() => return Ok(()),
            Some(claim) => last = Some(claim),
            None => break,
        }
    }
    let (region, from) =
        last.map_or((0, "first".to_owned()), |claim| (claim.region, claim.range.end.to_string()));
    let what = format!("no region has the keys from the {from} on");
    Err(Violation::new(Property::RangeCover, region, what))
}

/// The newest claims of the regions that were not merged away, by region.
fn newest_claims<C: ClusterSummary>(cluster: &C) -> Vec<RangeClaim> {
    let mut newest: Vec<RangeClaim> = Vec::new();
    for claim in cluster.range_claims().filter(|claim| claim.by != Claimant::Snapshot) {
        match newest.iter_mut().find(|known| known.region == claim.region) {
            Some(known) if known.version < claim.version => *known = claim.into_owned(),
            Some(_) => {}
            None => newest.push(claim.into_owned()),
        }
    }
    let ends = |claim: &RangeClaim, known: &RangeClaim| {
        claim.by == Claimant::MergedAway && claim.region == known.region && claim.version >= known.version
    };
    newest.retain(|known| !cluster.range_claims().any(|claim| ends(&claim, known)));
    newest.sort_by_key(|claim| claim.region);
    newest
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{HistoryParts, Key, PeerState, View};

    use super::super::forge::*;
    use super::*;

    /// Stores 1 and 2 have split, store 3 has not.
    fn slow_third() -> View {
        with(&three(), |view| {
            commit_split(view);
            split(view, 1);
            split(view, 2);
        })
    }

    /// Store 3 received the child by a message or a snapshot, and still has the whole parent.
    fn child_beside_the_parent(state: PeerState) -> View {
        with(&slow_third(), |view| {
            let child = three_split().stores[&3].peers[&CHILD].clone();
            view.stores.get_mut(&3).unwrap().peers.insert(CHILD, Peer { state, ..child });
        })
    }

    #[test]
    fn two_peers_of_a_store_share_a_key() {
        let view = child_beside_the_parent(PeerState::Normal);
        let violation = range_disjoint(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("on store 3 region 1"), "{violation}");
    }

    #[test]
    fn a_peer_without_a_range_beside_one_that_has_it() {
        for state in [PeerState::Uninitialised, PeerState::Tombstone] {
            assert_eq!(range_disjoint(&child_beside_the_parent(state), &History::default()), Ok(()));
        }
    }

    #[test]
    fn a_slow_parent_shares_keys_with_the_child_on_another_store() {
        assert_eq!(range_disjoint(&slow_third(), &History::default()), Ok(()));
        assert_eq!(range_disjoint(&three_split(), &History::default()), Ok(()));
    }

    /// Region 1 has merged the child on every store.
    fn taken_in() -> View {
        with(&three_split(), |view| {
            for store in 1..=3 {
                let before = peer(view, store).region.clone();
                let child = peer_of(view, store, CHILD);
                (child.state, child.merged_into) = (PeerState::Tombstone, Some(before));
                let target = &mut peer(view, store).region;
                (target.end, target.epoch.version) = (Key::empty(), 3);
            }
            reindex(view);
        })
    }

    #[test]
    fn a_region_that_was_merged_away_has_no_range() {
        assert_eq!(cover(&taken_in(), true), Ok(()));
        let removed = with(&taken_in(), |view| {
            (1..=3).for_each(|store| peer_of(view, store, CHILD).merged_into = None);
        });
        let violation = cover(&removed, true).unwrap_err();
        assert!(violation.what.contains("shares a key"), "{violation}");
    }

    #[test]
    fn a_region_that_lives_on_beyond_its_merge_has_its_range_still() {
        let rolled_back = with(&taken_in(), |view| {
            let child = peer_of(view, 3, CHILD);
            (child.state, child.merged_into) = (PeerState::Normal, None);
            child.region.epoch.version += 2;
        });
        assert!(cover(&rolled_back, true).is_err());
    }

    /// The history of a cluster whose regions began with every key, or not.
    fn cover(view: &View, whole: bool) -> Result<(), Violation> {
        let first = with(&three(), |view| {
            for store in 1..=3 {
                peer(view, store).region.start = Key::from(if whole { "" } else { "a" });
            }
        });
        let history = History::begin(HistoryParts::ALL, &first);
        assert_eq!(history.began_whole(), whole);
        range_cover(view, &history)
    }

    #[test]
    fn the_newest_ranges_share_no_key_while_one_store_is_slow() {
        for view in [three(), slow_third(), three_split()] {
            assert_eq!(cover(&view, true), Ok(()));
        }
    }

    /// Store 3's parent has a later version and its old range: it split elsewhere.
    #[test]
    fn the_newest_ranges_share_a_key() {
        let view = with(&slow_third(), |view| peer(view, 3).region.epoch.version = 3);
        for whole in [true, false] {
            let violation = cover(&view, whole).unwrap_err();
            assert!(violation.what.contains("shares a key with region 10"), "{violation}");
        }
    }

    fn without_child(view: &mut View) {
        view.stores.values_mut().for_each(|store| drop(store.peers.remove(&CHILD)));
    }

    #[test]
    fn a_split_brings_nothing_to_have_the_keys() {
        let view = with(&slow_third(), without_child);
        let violation = cover(&view, true).unwrap_err();
        assert!(violation.what.contains("from the m on"), "{violation}");
        let first = with(&three_split(), |view| {
            view.stores.values_mut().for_each(|store| drop(store.peers.remove(&1)));
        });
        assert!(cover(&first, true).unwrap_err().what.contains("from the first on"));
    }

    #[test]
    fn regions_that_began_with_a_part_of_the_keys() {
        assert_eq!(cover(&with(&slow_third(), without_child), false), Ok(()));
    }

    #[test]
    fn the_child_is_gone_with_a_disk() {
        let view = with(&slow_third(), |view| {
            without_child(view);
            lose_disk(view, 1);
        });
        assert_eq!(cover(&view, true), Ok(()));
    }

    #[test]
    fn tombstones_are_all_that_is_left_of_a_region() {
        let view = with(&slow_third(), |view| {
            for store in [1, 2] {
                peer_of(view, store, CHILD).state = PeerState::Tombstone;
            }
        });
        assert_eq!(cover(&view, true), Ok(()));
    }

    #[test]
    fn two_first_regions_cover_every_key_only_together() {
        let began = |view: &View| History::begin(HistoryParts::ALL, view).began_whole();
        assert!(began(&three_split()));
        assert!(!began(&with(&three_split(), without_child)));
        let parts = HistoryParts { cover: false, ..HistoryParts::ALL };
        assert!(!History::begin(parts, &three_split()).began_whole());
    }
}
