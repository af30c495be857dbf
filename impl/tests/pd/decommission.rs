//! A store leaves, with real stores: from Up to Tombstone, and what is on the disks at the end.

use rollcall_impl::pd::{AdminOperator, PdConfig, PdInput, PdRefusal, StoreState};
use rollcall_impl::{Input, StoreId};

use crate::cluster::{REGION, dispatched, key, state};
use crate::real::Real;

fn leave(real: &mut Real, store: StoreId) {
    real.tell(PdInput::Decommission { store, force: false }).unwrap();
}

/// Rounds until the store is Tombstone.
fn rounds_until_tombstone(real: &mut Real, store: StoreId) -> usize {
    for round in 1..=20 {
        real.round();
        assert_eq!(real.listed_tombstones(), []);
        if state(&real.pd, store) == StoreState::Tombstone {
            return round;
        }
    }
    panic!("store {store} never leaves: {:?}", real.pd);
}

#[test]
fn a_leaders_store_leaves_and_its_data_is_elsewhere() {
    let mut real = Real::new(PdConfig::DEFAULT, 4, &[1, 2, 3]);
    leave(&mut real, 1);
    rounds_until_tombstone(&mut real, 1);
    assert_eq!((real.live(1), real.live(4)), (vec![], vec![REGION]));
    let peer = real.stores[&4].peer(REGION).unwrap();
    assert_eq!(peer.data().get(&key("k")), Some(&key("v")));
    assert_eq!(peer.region(), &real.pd.region(REGION).unwrap().region);
}

#[test]
fn two_stores_of_one_region_leave() {
    let mut real = Real::new(PdConfig::DEFAULT, 5, &[1, 2, 3]);
    leave(&mut real, 1);
    leave(&mut real, 2);
    rounds_until_tombstone(&mut real, 1);
    rounds_until_tombstone(&mut real, 2);
    let members: Vec<_> = real.pd.region(REGION).unwrap().voters().map(|member| member.store).collect();
    assert_eq!(members, [3, 4, 5]);
}

#[test]
fn a_split_in_the_middle_of_a_move_leaves_no_peer_behind() {
    let mut real = Real::new(PdConfig::DEFAULT, 4, &[1, 2, 3]);
    leave(&mut real, 1);
    real.tell(PdInput::Schedule { region: REGION }).unwrap();
    real.settle();
    let split = Input::AskSplit {
        region: REGION,
        keys: vec![key("m")],
        derive: rollcall_impl::Derive::Left,
        ordered_at: None,
    };
    let leader = (1..=4).find(|store| real.leads(*store, REGION)).unwrap();
    real.step(leader, split).unwrap();
    real.settle();
    rounds_until_tombstone(&mut real, 1);
    assert_eq!(real.pd.regions().count(), 2);
    for known in real.pd.regions() {
        let mut stores: Vec<_> = known.voters().map(|member| member.store).collect();
        stores.sort_unstable();
        assert_eq!((stores, known.region.peers.len()), (vec![2, 3, 4], 3));
    }
}

#[test]
fn one_of_two_is_removed_by_way_of_a_learner() {
    let mut real = Real::new(PdConfig { max_replicas: 1, ..PdConfig::DEFAULT }, 3, &[1, 2]);
    let operator = AdminOperator::RemovePeer { store: 1 };
    real.tell(PdInput::AddOperator { region: REGION, operator }).unwrap();
    for _ in 0..8 {
        real.settle();
        real.region_heartbeats();
    }
    assert!(real.leads(2, REGION) && real.live(1).is_empty() && real.pd.operator(REGION).is_none());
}

#[test]
fn a_pd_that_restarts_again_and_again_finishes_all_the_same() {
    let mut real = Real::new(PdConfig::DEFAULT, 4, &[1, 2, 3]);
    leave(&mut real, 3);
    for _ in 0..3 {
        real.tell(PdInput::Schedule { region: REGION }).unwrap();
        real.settle();
        real.pd = real.pd.clone().restart().unwrap();
        assert_eq!(real.tell(PdInput::CheckStores), Err(PdRefusal::NothingToBury));
        real.store_heartbeats();
        real.region_heartbeats();
    }
    rounds_until_tombstone(&mut real, 3);
}

/// Row 48: the process stops while the store is Offline. The move needs only the other stores.
#[test]
fn a_store_that_stops_while_it_leaves_is_replaced() {
    let mut real = Real::new(PdConfig::DEFAULT, 4, &[1, 2, 3]);
    leave(&mut real, 3);
    let gone = real.stores.remove(&3).unwrap();
    rounds_until_tombstone(&mut real, 3);
    // The process's disk is unchanged: no message reached it.
    assert!(gone.peer(REGION).is_some());
}

/// An order carries only an epoch. This one is held back while its operator times out and its
/// target leaves. The region still has that epoch, so the leader carries the order out, and adds a
/// peer on a Tombstone store. The patrol repairs that after the next report.
#[test]
fn an_order_that_was_held_back_can_put_a_peer_on_a_tombstone() {
    let mut real = Real::new(PdConfig::DEFAULT, 5, &[1, 2, 3]);
    let operator = AdminOperator::AddPeer { store: 4 };
    let outputs = real.pd.step(PdInput::AddOperator { region: REGION, operator }).unwrap();
    let held = dispatched(&outputs).unwrap().clone();
    real.tell(PdInput::RemoveOperator { region: REGION }).unwrap();
    leave(&mut real, 4);
    real.tell(PdInput::CheckStores).unwrap();
    assert_eq!((state(&real.pd, 4), real.listed_tombstones()), (StoreState::Tombstone, vec![]));
    real.obey(&held).unwrap();
    real.settle();
    assert_eq!(real.listed_tombstones(), [4]);
    assert_eq!(real.tell(PdInput::RemoveTombstone { store: 4 }).map(drop), Ok(()));
    real.region_heartbeats();
    assert_eq!(real.pd.region_count(4), 1);
    (0..4).for_each(|_| real.round());
    assert_eq!((real.pd.region_count(4), real.live(4)), (0, vec![]));
}

/// PD counts reported peers. A peer that was added and not yet reported does not prevent its store
/// from being buried. In PD only timing prevents this; this test has no time.
#[test]
fn a_store_can_be_buried_before_its_new_peer_is_reported() {
    let mut real = Real::new(PdConfig::DEFAULT, 5, &[1, 2, 3]);
    let operator = AdminOperator::AddPeer { store: 4 };
    real.tell(PdInput::AddOperator { region: REGION, operator }).unwrap();
    real.settle();
    leave(&mut real, 4);
    real.tell(PdInput::CheckStores).unwrap();
    assert_eq!(real.listed_tombstones(), [4]);
    // The report arrives. The operator continues and promotes the peer, and then the patrol moves
    // it away.
    (0..6).for_each(|_| real.round());
    assert_eq!((real.pd.region_count(4), real.live(4)), (0, vec![]));
}

#[test]
fn an_administrators_split_divides_the_region() {
    let mut real = Real::new(PdConfig::DEFAULT, 3, &[1, 2, 3]);
    let operator = AdminOperator::Split { keys: vec![key("m")] };
    real.tell(PdInput::AddOperator { region: REGION, operator }).unwrap();
    real.settle();
    real.region_heartbeats();
    assert_eq!(real.pd.regions().count(), 2);
    assert!(real.pd.operator(REGION).is_none());
}
