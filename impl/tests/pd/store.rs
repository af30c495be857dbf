//! The life cycle of a store: allowed changes, and the messages of refused ones.

use rollcall_impl::Sound;
use rollcall_impl::pd::{Liveness, NodeState, PdConfig, PdInput, PdRefusal, StoreState, StoreStats};

use crate::cluster::{
    EMPTY, REGION, Truth, decommission, pd, pd_with, refused, region, report, reported, state,
    store_heartbeat, wait,
};

#[test]
fn delete_is_only_a_switch_and_saying_it_again_changes_nothing() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    assert_eq!((state(&pd, 3), pd.state_name(3)), (StoreState::Offline, Some("Offline")));
    assert_eq!(pd.store(3).unwrap().record.node_state(), NodeState::Removing);
    let again = refused(&mut pd, PdInput::Decommission { store: 3, force: false });
    assert_eq!(again, PdRefusal::AlreadyLeaving);
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
}

#[test]
fn a_store_that_leaves_too_few_is_kept_unless_its_disk_is_gone() {
    let mut pd = pd(3, &[1, 2, 3]);
    let polite = PdInput::Decommission { store: 3, force: false };
    assert_eq!(refused(&mut pd, polite.clone()), PdRefusal::StoresNotEnough);
    pd.step(PdInput::Decommission { store: 3, force: true }).unwrap();
    assert!(pd.store(3).unwrap().record.physically_destroyed);
    assert_eq!(refused(&mut pd, polite), PdRefusal::PhysicallyDestroyed);
    let forced = PdInput::Decommission { store: 3, force: true };
    assert_eq!(refused(&mut pd, forced), PdRefusal::AlreadyLeaving);
    assert_eq!(refused(&mut pd, PdInput::CancelDecommission { store: 3 }), PdRefusal::PhysicallyDestroyed);
}

#[test]
fn of_two_stores_the_second_may_leave_while_enough_are_up() {
    let mut pd = pd(5, &[1, 2, 3]);
    decommission(&mut pd, 1);
    decommission(&mut pd, 2);
    let third = PdInput::Decommission { store: 3, force: false };
    assert_eq!(refused(&mut pd, third), PdRefusal::StoresNotEnough);
    // A leaving store can still be declared destroyed.
    pd.step(PdInput::Decommission { store: 2, force: true }).unwrap();
    assert!(pd.store(2).unwrap().record.physically_destroyed);
}

#[test]
fn a_decommission_is_cancelled_until_the_store_is_tombstone() {
    let mut pd = pd(5, &[1, 2, 3]);
    let cancel = |store| PdInput::CancelDecommission { store };
    assert_eq!(refused(&mut pd, cancel(4)), PdRefusal::NotLeaving);
    decommission(&mut pd, 4);
    pd.step(cancel(4)).unwrap();
    assert_eq!(state(&pd, 4), StoreState::Up);
    decommission(&mut pd, 4);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!((state(&pd, 4), pd.state_name(4)), (StoreState::Tombstone, Some("Tombstone")));
    assert_eq!(refused(&mut pd, cancel(4)), PdRefusal::StoreRemoved);
    let again = PdInput::Decommission { store: 4, force: true };
    assert_eq!(refused(&mut pd, again), PdRefusal::StoreRemoved);
    let heartbeat = PdInput::StoreHeartbeat { store: 4, stats: EMPTY, report: None };
    assert_eq!(refused(&mut pd, heartbeat), PdRefusal::StoreRemoved);
    assert_eq!(refused(&mut pd, PdInput::AddStore { store: 4 }), PdRefusal::StoreRemoved);
    assert_eq!(pd.step(PdInput::AddStore { store: 3 }).unwrap(), [], "it registers at each start");
}

#[test]
fn a_leaving_store_is_buried_by_the_number_of_regions_not_by_their_size() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    // The region's size was never reported: pd#9333 would bury the store.
    assert_eq!((pd.region(REGION).unwrap().approximate_size, pd.region_count(3)), (0, 1));
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
    report(&mut pd, region(REGION, ("", ""), (3, 1), &[1, 2, 4]), 1);
    assert_eq!(pd.region_count(3), 0);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!(state(&pd, 3), StoreState::Tombstone);
    assert_eq!(state(&pd, 4), StoreState::Up);
}

#[test]
fn a_tombstone_is_thrown_away_only_when_no_region_lists_it() {
    let mut pd = pd(5, &[1, 2, 3]);
    let remove = |store| PdInput::RemoveTombstone { store };
    assert_eq!(refused(&mut pd, remove(9)), PdRefusal::StoreNotFound);
    assert_eq!(refused(&mut pd, remove(4)), PdRefusal::NotTombstone);
    decommission(&mut pd, 4);
    assert_eq!(refused(&mut pd, remove(4)), PdRefusal::NotTombstone);
    pd.step(PdInput::CheckStores).unwrap();
    // A late report lists the store once more.
    let mut late = region(REGION, ("", ""), (2, 1), &[1, 2, 3, 4]);
    report(&mut pd, late.clone(), 1);
    assert_eq!(refused(&mut pd, remove(4)), PdRefusal::StoreHasRegions);
    late.peers.pop();
    late.epoch.conf_ver += 1;
    report(&mut pd, late, 1);
    pd.step(remove(4)).unwrap();
    assert!(pd.store(4).is_none() && pd.state_name(4).is_none());
    let unknown = PdInput::Decommission { store: 4, force: false };
    assert_eq!(refused(&mut pd, unknown), PdRefusal::StoreNotFound);
}

#[test]
fn silence_shows_first_as_disconnected_then_as_down() {
    let mut pd = pd(3, &[1, 2, 3]);
    let names = |ticks, pd: &mut _| {
        wait(pd, ticks, &[1, 2]);
        (pd.state_name(3).unwrap(), pd.state_name(1).unwrap())
    };
    assert_eq!(names(2, &mut pd), ("Up", "Up"));
    assert_eq!(names(1, &mut pd), ("Disconnected", "Up"));
    assert_eq!(names(177, &mut pd), ("Disconnected", "Up"));
    assert_eq!(names(1, &mut pd), ("Down", "Up"));
    assert_eq!(state(&pd, 3), StoreState::Up);
    store_heartbeat(&mut pd, 3, EMPTY);
    assert_eq!((pd.state_name(3), pd.liveness(3)), (Some("Up"), Some(Liveness::Connected)));
}

#[test]
fn one_store_can_be_silent_while_no_time_passes() {
    let mut pd = pd(4, &[1, 2, 3]);
    let silent = |store| PdInput::MissedHeartbeat { store };
    assert_eq!(refused(&mut pd, silent(9)), PdRefusal::StoreNotFound);
    for name in ["Disconnected", "Down"] {
        assert_eq!(pd.step(silent(3)).unwrap(), []);
        assert_eq!((pd.state_name(3), pd.state_name(1), pd.now()), (Some(name), Some("Up"), 0));
    }
    assert_eq!(refused(&mut pd, silent(3)), PdRefusal::AlreadyDown);
    store_heartbeat(&mut pd, 3, EMPTY);
    assert_eq!(pd.state_name(3), Some("Up"));
    // It is silent since its last heartbeat, and time passes for it as well.
    wait(&mut pd, 1, &[]);
    pd.step(silent(3)).unwrap();
    assert_eq!((pd.state_name(3), pd.state_name(1)), (Some("Disconnected"), Some("Up")));
    wait(&mut pd, 177, &[1, 2, 4]);
    assert_eq!(pd.state_name(3), Some("Disconnected"));
    wait(&mut pd, 1, &[1, 2, 4]);
    assert_eq!(pd.state_name(3), Some("Down"));
    // A store without a heartbeat since PD started is Disconnected already.
    let mut pd = pd.restart().unwrap();
    pd.step(silent(3)).unwrap();
    assert_eq!((pd.state_name(3), pd.state_name(2)), (Some("Down"), Some("Disconnected")));
    decommission(&mut pd, 4);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!(refused(&mut pd, silent(4)), PdRefusal::StoreRemoved);
}

#[test]
fn a_store_cannot_be_set_to_tombstone_by_hand() {
    let mut pd = pd(5, &[1, 2, 3]);
    let declare = |store| PdInput::SetTombstone { store };
    assert_eq!(refused(&mut pd, declare(9)), PdRefusal::StateNotAllowed, "whoever is named");
    assert_eq!(refused(&mut pd, declare(5)), PdRefusal::StateNotAllowed);
    decommission(&mut pd, 5);
    assert_eq!(refused(&mut pd, declare(5)), PdRefusal::StateNotAllowed);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!(refused(&mut pd, declare(5)), PdRefusal::StateNotAllowed);
}

#[test]
fn a_new_store_is_not_trusted_before_its_first_heartbeat() {
    let mut pd = pd(3, &[1, 2, 3]);
    pd.step(PdInput::AddStore { store: 4 }).unwrap();
    assert_eq!(pd.state_name(4), Some("Disconnected"));
    decommission(&mut pd, 3);
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::NoTarget);
    store_heartbeat(&mut pd, 4, EMPTY);
    pd.step(PdInput::Schedule { region: REGION }).unwrap();
}

#[test]
fn an_unknown_store_is_refused_everywhere() {
    let mut pd = pd(3, &[1, 2, 3]);
    let stats = StoreStats { capacity: 1, used: 0 };
    for input in [
        PdInput::StoreHeartbeat { store: 9, stats, report: None },
        PdInput::Decommission { store: 9, force: true },
        PdInput::CancelDecommission { store: 9 },
        PdInput::RegionHeartbeat(reported(region(7, ("", ""), (9, 9), &[9]), 90, 6)),
    ] {
        assert_eq!(refused(&mut pd, input), PdRefusal::StoreNotFound);
    }
}

#[test]
fn one_leaves_from_up_to_tombstone() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 1);
    let mut truth = Truth::of(&pd);
    let first = pd.step(PdInput::Schedule { region: REGION }).unwrap();
    truth.settle(&mut pd, first);
    assert_eq!(truth.voters(), [2, 3, 4]);
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::NothingToDo);
    pd.step(PdInput::CheckStores).unwrap();
    pd.step(PdInput::RemoveTombstone { store: 1 }).unwrap();
    assert_eq!(pd.stores().map(|info| info.record.id).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_configuration_without_sense_is_refused() {
    use rollcall_impl::pd::{PdConfigError, PdError, PdMemoryEngine, PlacementDriver};
    let open = |config| match PlacementDriver::open(config, Sound, PdMemoryEngine::new()) {
        Err(PdError::Config(error)) => error,
        other => panic!("{other:?}"),
    };
    let sound = PdConfig::default();
    assert_eq!(open(PdConfig { max_replicas: 0, ..sound }), PdConfigError::NoReplicas);
    assert_eq!(open(PdConfig { id_step: 0, ..sound }), PdConfigError::NoIdStep);
    assert_eq!(open(PdConfig { low_space_percent: 101, ..sound }), PdConfigError::LowSpace(101));
    let early = PdConfigError::DownBeforeDisconnected { down: 2, disconnected: 2 };
    assert_eq!(open(PdConfig { down_after: 2, ..sound }), early);
    pd_with(PdConfig { id_step: 1, ..sound }, 1, &[1]);
}
