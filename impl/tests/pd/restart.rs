//! What a restart restores, and what it does not.

use rollcall_impl::pd::{
    AdminOperator, PdConfig, PdEngine, PdError, PdInput, PdMemoryEngine, PdOutput, PdPersisted, PdRefusal,
    PdWrite, PlacementDriver, StoreState,
};
use rollcall_impl::{Derive, EngineError, Sound};

use crate::cluster::{
    EMPTY, Pd, REGION, Truth, decommission, key, pd, pd_with, refused, region, report, reported, schedule,
    state, store_heartbeat,
};
use crate::recovery::{peer, reports};

#[test]
fn stores_and_regions_come_back_and_leaders_operators_and_counters_do_not() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    pd.step(PdInput::Tick).unwrap();
    assert_eq!(pd.now(), 1);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 2);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 3]), 2);
    let pd = pd.restart().unwrap();
    assert_eq!(pd.stores().map(|info| info.record.state).collect::<Vec<_>>()[2], StoreState::Offline);
    assert_eq!(pd.regions().map(|known| known.region.id).collect::<Vec<_>>(), [1, 2]);
    let known = pd.region(REGION).unwrap();
    assert_eq!((known.leader, known.term, known.region.epoch.version), (None, 0, 2));
    assert!(pd.operators().next().is_none());
    assert_eq!((pd.now(), pd.state_name(1), pd.state_name(3)), (0, Some("Disconnected"), Some("Offline")));
    // The region count comes from the loaded regions.
    assert_eq!((pd.region_count(3), pd.region_count(4)), (2, 0));
}

/// Row 42: after a restart the region is known, without a leader and with size 0.
#[test]
fn a_leaving_store_is_not_buried_over_a_region_that_was_only_loaded() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    let mut pd = pd.restart().unwrap();
    assert_eq!(pd.region(REGION).unwrap().approximate_size, 0);
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
}

#[test]
fn a_move_goes_on_after_a_restart_from_where_the_region_stands() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    let mut truth = Truth::of(&pd);
    let outputs = schedule(&mut pd);
    // The learner exists; then PD loses its plan.
    truth.obey(crate::cluster::dispatched(&outputs).unwrap());
    report(&mut pd, truth.region.clone(), 1);
    let mut pd = pd.restart().unwrap();
    (1..=4).for_each(|store| store_heartbeat(&mut pd, store, EMPTY));
    assert_eq!(report(&mut pd, truth.region.clone(), 1), []);
    // PD treats the learner as an orphan, removes it, and begins again.
    for voters in [vec![1, 2, 3], vec![1, 2, 4]] {
        let outputs = schedule(&mut pd);
        truth.settle(&mut pd, outputs);
        assert_eq!(truth.voters(), voters);
    }
    pd.step(PdInput::CheckStores).unwrap();
    let pd = pd.restart().unwrap();
    assert_eq!(state(&pd, 3), StoreState::Tombstone);
}

#[test]
fn a_tombstone_that_was_thrown_away_does_not_come_back() {
    // pd#4941: it did, from a follower's cache.
    let mut pd = pd(5, &[1, 2, 3]);
    decommission(&mut pd, 5);
    pd.step(PdInput::CheckStores).unwrap();
    pd.step(PdInput::RemoveTombstone { store: 5 }).unwrap();
    let pd = pd.restart().unwrap();
    assert!(pd.store(5).is_none());
}

#[test]
fn no_id_is_allotted_twice_although_the_reserve_is_lost() {
    let config = PdConfig { id_step: 5, ..PdConfig::DEFAULT };
    let mut pd = pd_with(config, 4, &[1, 2, 3]);
    let mut ids = Vec::new();
    for _ in 0..4 {
        for _ in 0..2 {
            let whole = pd.region(REGION).unwrap().region.clone();
            let ask = PdInput::AskSplit { region: whole, keys: vec![key("m")], derive: Derive::Left };
            let outputs = pd.step(ask).unwrap();
            let [PdOutput::SplitIds { children, .. }] = &outputs[..] else { panic!("{outputs:?}") };
            ids.push(children[0].region);
            ids.extend(&children[0].peers);
        }
        pd = pd.restart().unwrap();
    }
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]) && ids[0] >= 1000, "{ids:?}");
    assert_eq!(ids.len(), 32);
}

#[test]
fn ids_reserved_one_by_one_are_all_allotted() {
    let config = PdConfig { id_step: 1, ..PdConfig::DEFAULT };
    let mut pd = pd_with(config, 4, &[1, 2, 3]);
    for next in [1000, 1004, 1008] {
        pd = pd.restart().unwrap();
        assert_eq!((pd.next_id(), pd.engine().load().unwrap().id_limit), (next, next));
        let whole = pd.region(REGION).unwrap().region.clone();
        pd.step(PdInput::AskSplit { region: whole, keys: vec![key("m")], derive: Derive::Left }).unwrap();
    }
}

#[test]
fn a_cluster_of_many_regions_begins() {
    let mut pd = Pd::open(PdConfig::DEFAULT, Sound, PdMemoryEngine::new()).unwrap();
    let halves = [region(1, ("", "m"), (1, 1), &[1, 2]), region(2, ("m", ""), (1, 1), &[2, 3])];
    pd.bootstrap(&[1, 2, 3], &halves, 7).unwrap();
    let pd = pd.restart().unwrap();
    assert_eq!(pd.regions().map(|known| known.region.clone()).collect::<Vec<_>>(), halves);
    assert_eq!((pd.region_count(2), pd.stores().count()), (2, 3));
}

#[test]
fn a_refused_operator_uses_no_id() {
    let mut pd = pd(4, &[1, 2, 3]);
    let add = |store| PdInput::AddOperator { region: REGION, operator: AdminOperator::AddPeer { store } };
    pd.step(add(4)).unwrap();
    assert_eq!(pd.next_id(), 1001);
    assert_eq!(refused(&mut pd, add(4)), PdRefusal::OperatorExists);
    assert_eq!(pd.next_id(), 1001);
}

#[test]
fn a_cluster_begins_once() {
    let mut pd = pd(3, &[1, 2, 3]);
    let again = pd.bootstrap(&[4], &[region(7, ("", ""), (1, 1), &[4])], 1).unwrap_err();
    assert_eq!(again.refusal(), Some(PdRefusal::Bootstrapped));
    let mut empty = Pd::open(PdConfig::DEFAULT, Sound, PdMemoryEngine::new()).unwrap();
    empty.step(PdInput::AddStore { store: 4 }).unwrap();
    let known = empty.bootstrap(&[3, 4], &[region(7, ("", ""), (1, 1), &[4])], 1).unwrap_err();
    assert_eq!(known.refusal(), Some(PdRefusal::StoreExists));
    assert!(empty.store(3).is_none() && empty.regions().next().is_none());
}

#[test]
fn unsynced_writes_can_be_read_and_lost() {
    let mut engine = PdMemoryEngine::new();
    engine.write(vec![PdWrite::IdLimit(7)]).unwrap();
    engine.sync().unwrap();
    engine.write(vec![PdWrite::IdLimit(9), PdWrite::Region(region(1, ("", ""), (1, 1), &[1]))]).unwrap();
    assert_eq!(engine.load().unwrap().id_limit, 9);
    engine.lose_unsynced();
    assert_eq!(engine.load().unwrap(), PdPersisted { id_limit: 7, ..PdPersisted::default() });
}

/// A disk that fails every write.
#[derive(Debug)]
struct Broken;

impl PdEngine for Broken {
    fn write(&mut self, _: Vec<PdWrite>) -> Result<(), EngineError> {
        Err(EngineError { what: "write", reason: "no space left".into() })
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    fn load(&self) -> Result<PdPersisted, EngineError> {
        Ok(PdPersisted::default())
    }
}

#[test]
fn a_disk_that_fails_is_an_error_and_no_refusal() {
    let mut pd = PlacementDriver::open(PdConfig::DEFAULT, Sound, Broken).unwrap();
    let error = pd.step(PdInput::AddStore { store: 1 }).unwrap_err();
    assert!(error.refusal().is_none() && matches!(error, PdError::Engine(_)), "{error}");
    assert!(error.to_string().contains("restart it from its engine"), "{error}");
}

/// After an unsafe recovery, PD's old records are newer than any report of the remaining stores.
/// They are dropped, on the disk too. Until PD knows every key again, no store counts as empty,
/// even after a restart.
#[test]
fn regions_are_dropped_and_no_store_is_buried_before_their_next_heartbeat() {
    let mut pd = pd(3, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 3]), 1);
    let lost = [2, 3];
    for store in lost {
        pd.step(PdInput::MissedHeartbeat { store }).unwrap();
    }
    pd.step(PdInput::RemoveFailedStores { stores: lost.into() }).unwrap();
    pd.step(PdInput::Decommission { store: 1, force: true }).unwrap();
    let left = region(REGION, ("", ""), (1, 1), &[1, 2, 3]);
    reports(&mut pd, 1, vec![peer(&left, 1, (8, 7))]);
    assert_eq!((pd.regions().count(), pd.relearns()), (0, true));
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
    assert_eq!(refused(&mut pd, PdInput::RemoveTombstone { store: 2 }), PdRefusal::StoreHasRegions);
    let mut pd = pd.restart().unwrap();
    assert_eq!((pd.regions().count(), pd.relearns()), (0, true));
    // Store 1 has not applied the split.
    report(&mut pd, region(REGION, ("", "m"), (3, 1), &[1]), 1);
    assert!(pd.relearns(), "nothing is known from m on");
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
    report(&mut pd, region(REGION, ("", ""), (3, 1), &[1]), 1);
    assert!(!pd.relearns());
    let why = "region 1 has a peer there";
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury, "{why}");
    // Heartbeats of a failed store are ignored.
    let given_up = reported(region(2, ("m", ""), (9, 9), &[2]), 20, 9);
    assert_eq!(refused(&mut pd, PdInput::RegionHeartbeat(given_up)), PdRefusal::StoreRemoved);
}
