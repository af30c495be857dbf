//! Which region heartbeats PD accepts.

use rollcall_impl::pd::{PdInput, PdOutput, PdRefusal, RegionReport};
use rollcall_impl::{Epoch, Member, MemberRole, Region};

use crate::cluster::{Pd, REGION, key, pd, refused, region, report, reported};

fn heartbeat(region: Region, term: u64) -> PdInput {
    let leader = region.peers[0].id;
    PdInput::RegionHeartbeat(reported(region, leader, term))
}

/// Two regions, [,m) and [m,), both at version 3.
fn halves() -> Pd {
    let mut pd = pd(4, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", "m"), (5, 3), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (5, 3), &[1, 2, 3]), 2);
    pd
}

#[test]
fn the_same_region_is_stale_by_term_version_or_conf_ver() {
    let mut pd = halves();
    let stale = |epoch, term| heartbeat(region(REGION, ("", "m"), epoch, &[1, 2, 3]), term);
    assert_eq!(refused(&mut pd, stale((5, 3), 5)), PdRefusal::RegionStale);
    assert_eq!(refused(&mut pd, stale((5, 2), 9)), PdRefusal::RegionStale);
    assert_eq!(refused(&mut pd, stale((4, 3), 9)), PdRefusal::RegionStale);
    // One higher part of the epoch does not make up for the other.
    assert_eq!(refused(&mut pd, stale((4, 7), 9)), PdRefusal::RegionStale);
    // Equal is not stale, and a leader without a term is not compared by term.
    assert_eq!(pd.step(stale((5, 3), 6)).unwrap(), []);
    assert_eq!(pd.step(stale((5, 3), 0)).unwrap(), []);
}

/// Row 35, seed 000: a replica that has not applied the merge leads its target. PD keeps the
/// previous leader.
#[test]
fn pd_refuses_a_leader_that_lags_in_applying() {
    let mut pd = pd(8, &[5, 7, 8]);
    report(&mut pd, region(REGION, ("a", "z"), (44, 176), &[5, 7, 8]), 7);
    let behind = region(REGION, ("a", "m"), (44, 174), &[5, 7, 8]);
    assert_eq!(refused(&mut pd, heartbeat(behind, 99)), PdRefusal::RegionStale);
    assert_eq!(pd.region(REGION).unwrap().leader().unwrap().store, 7);
}

#[test]
fn an_overlap_with_a_newer_version_is_stale_and_with_an_older_displaces_it() {
    let mut pd = halves();
    // A region from before the split, under its own id and under another.
    assert_eq!(refused(&mut pd, heartbeat(region(3, ("", ""), (9, 2), &[1, 2]), 9)), PdRefusal::RegionStale);
    assert_eq!(refused(&mut pd, heartbeat(region(3, ("x", "y"), (9, 2), &[1]), 9)), PdRefusal::RegionStale);
    // An adjacent region may have an older version. Overlapping regions with equal versions are
    // displaced.
    let merged = region(REGION, ("", ""), (5, 4), &[1, 2, 3]);
    assert_eq!(report(&mut pd, merged, 1), [PdOutput::RegionDisplaced { region: 2 }]);
    assert!(pd.region(2).is_none());
    assert_eq!(pd.region_by_key(&key("x")).unwrap().region.id, REGION);
    let equal = region(4, ("k", "l"), (1, 4), &[4]);
    assert_eq!(report(&mut pd, equal, 4), [PdOutput::RegionDisplaced { region: REGION }]);
    assert_eq!((pd.region_count(1), pd.region_count(4)), (0, 1));
    assert!(pd.region_by_key(&key("a")).is_none(), "a hole in the key space");
}

#[test]
fn a_recreated_region_is_believed_unless_it_is_the_bootstrap_region() {
    let mut pd = halves();
    // tikv#3868: a stale peer reports the whole key space once more.
    let bootstrap = region(9, ("", ""), (1, 1), &[1]);
    assert_eq!(refused(&mut pd, heartbeat(bootstrap, 99)), PdRefusal::RegionStale);
    let recreated = region(9, ("m", ""), (1, 1), &[4]);
    assert_eq!(report(&mut pd, recreated.clone(), 4), [PdOutput::RegionDisplaced { region: 2 }]);
    assert_eq!(pd.region(9).unwrap().region.epoch, Epoch { conf_ver: 1, version: 1 });
    // Under an id that is known at a higher epoch it is accepted as well.
    let mut same_id = recreated;
    (same_id.id, same_id.start, same_id.end) = (REGION, key(""), key("m"));
    report(&mut pd, same_id, 4);
    assert_eq!(pd.region(REGION).unwrap().region.epoch.version, 1);
}

#[test]
fn regions_are_found_by_key_and_by_store() {
    let mut pd = halves();
    let id = |pd: &Pd, text| pd.region_by_key(&key(text)).map(|known| known.region.id);
    assert_eq!(
        (id(&pd, ""), id(&pd, "lz"), id(&pd, "m"), id(&pd, "zz")),
        (Some(1), Some(1), Some(2), Some(2))
    );
    report(&mut pd, region(2, ("m", ""), (6, 3), &[1, 2, 4]), 2);
    let on = |store| pd.regions_on(store).map(|known| known.region.id).collect::<Vec<_>>();
    assert_eq!((on(1), on(3), on(4), on(9)), (vec![1, 2], vec![1], vec![2], vec![]));
}

/// PD checks the store and not the peer. It accepts a leader that kept leading after its own
/// removal, and for every plan the region has no leader.
#[test]
fn a_leader_that_is_no_member_is_believed_and_leads_nothing() {
    let mut pd = halves();
    let smaller = region(REGION, ("", "m"), (6, 3), &[1, 2]);
    let removed = Member { id: 30, store: 3, role: MemberRole::Voter };
    let report = RegionReport::new(smaller.clone(), removed, 7);
    pd.step(PdInput::RegionHeartbeat(report)).unwrap();
    let known = pd.region(REGION).unwrap();
    assert_eq!((known.leader, known.leader(), known.region.epoch.conf_ver), (Some(30), None, 6));
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::NoLeader);
    let nobody = RegionReport::new(smaller, Member { id: 0, ..removed }, 7);
    assert_eq!(refused(&mut pd, PdInput::RegionHeartbeat(nobody)), PdRefusal::InvalidLeader);
}
