//! Guards of merge: each holds in the sound store, and dropping it does harm.
//! `merge_forwards_commit` is in `catch_up.rs`, with the steps of its incident.

use rollcall_impl::{Dropped, Guard, Sound};

use super::*;

/// No message of the source reaches store 3.
fn deaf(message: &Message) -> bool {
    message.region != LEFT || message.to.store != 3
}

/// The source's members, and whether it is merging, after a conf change was proposed right after
/// `PrepareMerge`.
#[test]
fn merge_stops_changes() {
    fn change_behind_prepare_merge(guards: impl Guards) -> (Result<(), Refusal>, usize, bool) {
        let mut cluster = two(guards);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        let proposed = propose(&mut cluster, 1, LEFT, remove(3));
        settle(&mut cluster);
        (proposed, cluster.of(1, LEFT).region().peers.len(), is_merging(&cluster, 1, LEFT))
    }
    assert_eq!(change_behind_prepare_merge(Sound), (Err(Refusal::EpochChanging), 3, true));
    let unsound = change_behind_prepare_merge(Dropped(Guard::MergeStopsChanges));
    assert_eq!(unsound, (Ok(()), 2, true), "merging, and no longer on its target's stores");
}

/// The range index of store 3, which only has a peer of the source.
#[test]
fn merge_needs_same_stores() {
    fn source_beside_no_target<G: Guards>(guards: G) -> Result<Cluster<G>, Refusal> {
        let mut cluster = two(guards);
        propose(&mut cluster, 1, RIGHT, remove(23)).unwrap();
        settle(&mut cluster);
        prepare(&mut cluster, LEFT, RIGHT)?;
        settle(&mut cluster);
        commit(&mut cluster, 1, LEFT, RIGHT)?;
        settle(&mut cluster);
        Ok(cluster)
    }
    assert_eq!(source_beside_no_target(Sound).err(), Some(Refusal::StoresNotMatch));
    let mut cluster = source_beside_no_target(Dropped(Guard::MergeNeedsSameStores)).ok().unwrap();
    cluster.step(3, Input::Campaign { region: LEFT }).unwrap();
    settle(&mut cluster);
    assert_eq!((cluster.ranges(1), cluster.ranges(3)), ("[,)=2".into(), "[,m)=1".into()));
    assert!(is_merging(&cluster, 3, LEFT), "and will for ever");
}

/// The target's keys on stores 1 and 3, if the source on store 3 missed a write.
#[test]
fn merge_waits_for_source() {
    fn merged_data(guards: impl Guards) -> [(String, u64); 2] {
        let mut cluster = two(guards);
        propose(&mut cluster, 1, LEFT, put("b")).unwrap();
        settle_where(&mut cluster, deaf);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        settle_where(&mut cluster, deaf);
        commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
        settle_where(&mut cluster, deaf);
        [1, 3].map(|store| (cluster.keys(store, RIGHT), cluster.of(store, RIGHT).applied()))
    }
    let [one, three] = merged_data(Sound);
    assert_eq!((&one, one.0.as_str()), (&three, "abhmt"));
    let [one, three] = merged_data(Dropped(Guard::MergeWaitsForSource));
    assert_eq!((one.0.as_str(), three.0.as_str(), one.1), ("abhmt", "ahmt", three.1));
}

/// The target's keys on stores 1 and 3, after a write to its merging source.
#[test]
fn merge_stops_writes() {
    fn merged_data(guards: impl Guards) -> Result<[(String, u64); 2], Refusal> {
        let mut cluster = two(guards);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        settle(&mut cluster);
        propose(&mut cluster, 1, LEFT, put("b"))?;
        settle_where(&mut cluster, deaf);
        commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
        settle_where(&mut cluster, deaf);
        Ok([1, 3].map(|store| (cluster.keys(store, RIGHT), cluster.of(store, RIGHT).applied())))
    }
    assert_eq!(merged_data(Sound), Err(Refusal::Merging));
    let [one, three] = merged_data(Dropped(Guard::MergeStopsWrites)).unwrap();
    assert_eq!((one.0.as_str(), three.0.as_str(), one.1), ("abhmt", "ahmt", three.1));
}

/// Store 3 lacks entries that the source's leader has truncated.
#[test]
fn merge_gap_bounded() {
    fn merge_over_a_compacted_gap<G: Guards>(guards: G) -> Result<Cluster<G>, Refusal> {
        let mut cluster = two(guards);
        for key in ["b", "c"] {
            propose(&mut cluster, 1, LEFT, put(key)).unwrap();
        }
        settle_where(&mut cluster, deaf);
        let index = cluster.of(1, LEFT).applied();
        propose(&mut cluster, 1, LEFT, Command::CompactLog { index }).unwrap();
        settle_where(&mut cluster, deaf);
        prepare(&mut cluster, LEFT, RIGHT)?;
        settle_where(&mut cluster, deaf);
        commit(&mut cluster, 1, LEFT, RIGHT)?;
        settle_where(&mut cluster, deaf);
        Ok(cluster)
    }
    assert_eq!(merge_over_a_compacted_gap(Sound).err(), Some(Refusal::LogGapTooLarge));
    let mut cluster = merge_over_a_compacted_gap(Dropped(Guard::MergeGapBounded)).ok().unwrap();
    assert_eq!(cluster.ranges(1), "[,)=2");
    settle(&mut cluster);
    assert_eq!(apply(&mut cluster, 3, RIGHT), Err(Refusal::WaitsForSource));
    assert_eq!((cluster.ranges(3), epoch(&cluster, 3, RIGHT)), ("[,m)=1 [m,)=2".into(), (1, 2)));
}

/// Store 2 has merged; the source's leader on store 1 rolls the merge back.
#[test]
fn rollback_needs_cause() {
    fn rolled_back<G: Guards>(guards: G) -> Result<Cluster<G>, Refusal> {
        let mut cluster = two(guards);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        settle(&mut cluster);
        commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
        cluster.deliver();
        cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
        cluster.deliver();
        apply(&mut cluster, 2, RIGHT).unwrap();
        propose(&mut cluster, 1, LEFT, Command::rollback_merge())?;
        cluster.deliver();
        for store in [1, 3] {
            let _ = cluster.step(1, Input::Tick { region: LEFT });
            cluster.deliver();
            while apply(&mut cluster, store, LEFT).is_ok() {}
        }
        Ok(cluster)
    }
    assert_eq!(rolled_back(Sound).err(), Some(Refusal::MergeTargetUnchanged));
    let mut cluster = rolled_back(Dropped(Guard::RollbackNeedsCause)).ok().unwrap();
    propose(&mut cluster, 1, LEFT, put("b")).unwrap();
    settle(&mut cluster);
    // Both regions serve the range, and the target on stores 1 and 3 waits for ever.
    assert_eq!((cluster.ranges(1), cluster.ranges(2)), ("[,m)=1 [m,)=2".into(), "[,)=2".into()));
    assert_eq!((cluster.keys(1, LEFT), cluster.keys(2, RIGHT)), ("abh".into(), "ahmt".into()));
    assert_eq!(apply(&mut cluster, 1, RIGHT), Err(Refusal::WaitsForSource));
}

/// The versions of the target and of its source, which was split more often.
#[test]
fn merge_version_above_both() {
    fn versions(guards: impl Guards) -> (u64, u64) {
        let mut cluster = two(guards);
        for (key, region) in [("b", 3), ("c", 4)] {
            let ids = [1, 2, 3].map(|store| 10 * region + store);
            let children = vec![crate::cluster::child(key, region, &ids)];
            let divide = Command::Split { children, derive: rollcall_impl::Derive::Right };
            propose(&mut cluster, 1, LEFT, divide).unwrap();
            settle(&mut cluster);
        }
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        settle(&mut cluster);
        commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
        settle(&mut cluster);
        let source = cluster.stores[&3].tombstone(LEFT).unwrap().region.epoch.version;
        (cluster.of(3, RIGHT).region().epoch.version, source)
    }
    assert_eq!(versions(Sound), (6, 5));
    assert_eq!(versions(Dropped(Guard::MergeVersionAboveBoth)), (3, 5));
}
