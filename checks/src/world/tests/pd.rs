//! The placement driver in the world: a store leaves, and messages are late, lost or refused.

use rollcall_traces::{
    Action, AdminOperator, Change, ChangeKind, Command, Held, Key, Liveness, Message, Order, Outcome,
    Outgoing, Purpose, Reason, Region, Reply, Returned, Role, Scope, StoreId, StoreState, Subject,
};

use super::{
    REGION, World, all, apply, ask, begun, campaign, change, propose, put, region, scope, simple, vote, world,
};

/// `stores` stores, and a region of the whole key space with voters on those named; that is also
/// the wanted number of voters.
fn placed(stores: u64, voters: &[StoreId]) -> World {
    begun(&placing(stores, voters))
}

fn placing(stores: u64, voters: &[StoreId]) -> Scope {
    let whole = Region { end: Key::empty(), ..region(voters) };
    Scope { regions: vec![whole], max_replicas: voters.len() as u64, ..scope(stores, voters) }
}

/// The same, led by the peer on store 1, which PD knows.
fn known(stores: u64, voters: &[StoreId]) -> World {
    let mut world = placed(stores, voters);
    world.elect(1, &voters[1..]);
    world.done([heartbeat(1, Reply::Delivered)]);
    world
}

fn heartbeat(store: StoreId, reply: Reply) -> Action {
    Action::RegionHeartbeat { region: REGION, store, reply }
}

fn schedule(reply: Reply) -> Action {
    Action::Schedule { region: REGION, reply }
}

fn decommission(store: StoreId) -> Action {
    Action::Decommission { store, force: false }
}

fn admin(operator: AdminOperator, reply: Reply) -> Action {
    Action::AddOperator { region: REGION, operator, reply }
}

fn hold_report(from: StoreId) -> Action {
    Action::Hold { region: REGION, from, to: 0, message: Outgoing::RegionReport }
}

/// The first step of a move to store 4.
fn add_learner() -> Order {
    Order::Propose(Command::ChangePeer(change(ChangeKind::AddLearner, 10, 4)))
}

impl World {
    /// PD's order, and the receiver's reason if it refuses.
    #[track_caller]
    fn ordered(&mut self, action: Action) -> (Order, Option<Reason>) {
        match self.apply(&action) {
            Outcome::Done(Returned::Ordered { order, refused }) => (order, refused),
            other => panic!("{action:?}: {other:?}"),
        }
    }

    /// PD replies to this report with `order`, which is carried out.
    #[track_caller]
    fn orders(&mut self, action: Action, order: Order) {
        assert_eq!(self.ordered(action), (order, None));
    }

    #[track_caller]
    fn state(&self, store: StoreId) -> StoreState {
        self.view().pd.stores[&store].state
    }

    fn purpose(&self) -> Option<Purpose> {
        self.view().pd.operators.get(&REGION).map(|running| running.purpose)
    }
}

#[test]
fn a_store_leaves() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([put(1, "a"), all(1, 2), decommission(3)]);
    world.refused(decommission(3), Reason::AlreadyLeaving);
    world.orders(schedule(Reply::Delivered), add_learner());
    world.refused(schedule(Reply::Delivered), Reason::OperatorExists);
    // Not applied: the leader reports the old region and receives the order again.
    let again = world.ordered(heartbeat(1, Reply::Delivered));
    assert_eq!(again, (add_learner(), Some(Reason::PendingConfChange)));
    world.done([all(1, 2), apply(1)]);
    // The learner needs a snapshot: PD orders nothing more.
    world.done([heartbeat(1, Reply::Delivered)]);
    assert_eq!(world.view().pd.regions[&REGION].pending, [10].into());
    world.refused(heartbeat(1, Reply::Delivered), Reason::NoEffect);
    world.done([all(1, 4), all(1, 4), Action::ApplySnapshot { region: REGION, store: 4 }, all(1, 4)]);

    let changes = vec![
        Change { kind: ChangeKind::AddVoter, peer: 10, store: 4 },
        Change { kind: ChangeKind::AddLearner, peer: 3, store: 3 },
    ];
    world.orders(heartbeat(1, Reply::Delivered), Order::Propose(Command::EnterJoint { changes }));
    world.done([all(1, 2), apply(1)]);
    world.orders(heartbeat(1, Reply::Delivered), Order::Propose(Command::LeaveJoint));
    world.done([all(1, 2), all(1, 4), apply(1)]);
    world.refused(Action::CheckStores, Reason::NothingToBury);
    let remove = Order::Propose(Command::ChangePeer(change(ChangeKind::Remove, 3, 3)));
    world.orders(heartbeat(1, Reply::Delivered), remove);
    world.done([all(1, 2), all(1, 4), apply(1), heartbeat(1, Reply::Delivered)]);
    assert_eq!(world.purpose(), None);
    world.refused(schedule(Reply::Delivered), Reason::NothingToDo);

    world.done([Action::CheckStores]);
    assert_eq!(world.state(3), StoreState::Tombstone);
    world.refused(Action::CancelDecommission { store: 3 }, Reason::StoreRemoved);
    world.refused(Action::StoreHeartbeat { store: 3, reply: Reply::Delivered }, Reason::StoreRemoved);
    world.refused(Action::CheckStores, Reason::NothingToBury);
    world.done([Action::RemoveTombstone { store: 3 }]);
    world.refused(decommission(3), Reason::UnknownStore);
    assert_eq!(world.peer(4, REGION).unwrap().data.len(), 1);
}

#[test]
fn an_order_that_was_held_is_carried_out_late() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([decommission(3)]);
    world.orders(schedule(Reply::Delayed), add_learner());
    let to = world.at(1).region.member_on(1).copied().unwrap();
    let epoch = world.at(1).region.epoch;
    assert_eq!(world.view().held, [Held::order(REGION, to, epoch, add_learner())]);
    world.done([Action::Late { slot: 0 }]);
    assert!(world.view().held.is_empty());
    let entries = world.at(1).log.entries;
    let proposed = entries.last().and_then(|entry| entry.command.clone()).map(Order::Propose);
    assert_eq!(proposed, Some(add_learner()));
}

#[test]
fn an_order_for_an_old_epoch_or_leader_stays_under_way() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([decommission(3)]);
    world.orders(schedule(Reply::Delayed), add_learner());
    world.done([simple(1, ChangeKind::AddLearner, 9, 4), all(1, 2), apply(1)]);
    world.refused(Action::Late { slot: 0 }, Reason::EpochNotMatch);
    world.done([Action::Crash { store: 1 }]);
    world.refused(Action::Late { slot: 0 }, Reason::StoreDown);
    world.done([Action::Restart { store: 1 }]);
    world.refused(Action::Late { slot: 0 }, Reason::NotLeader);
    assert_eq!(world.view().held.len(), 1);
}

#[test]
fn an_order_that_is_lost_is_sent_again_with_the_next_report() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([decommission(3)]);
    world.orders(schedule(Reply::Dropped), add_learner());
    let last = world.at(1).log.last_index();
    world.orders(heartbeat(1, Reply::Dropped), add_learner());
    assert_eq!(world.at(1).log.last_index(), last);
    world.orders(heartbeat(1, Reply::Delivered), add_learner());
    assert_eq!(world.at(1).log.last_index(), last + 1);
}

/// Row 41: PD keeps sending orders to the former leader.
#[test]
fn a_former_leader_refuses_and_sends_pd_nothing() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([Action::Crash { store: 1 }, decommission(3)]);
    assert_eq!(world.ordered(schedule(Reply::Delivered)), (add_learner(), Some(Reason::StoreDown)));
    world.done([Action::Restart { store: 1 }, Action::OperatorTimeout { region: REGION }]);
    world.refused(Action::OperatorTimeout { region: REGION }, Reason::NoOperator);
    let (_, refused) = world.ordered(schedule(Reply::Delivered));
    assert_eq!((refused, world.view().pd.next_id), (Some(Reason::NotLeader), 12));
    world.refused(heartbeat(1, Reply::Delivered), Reason::NotLeader);
    world.done([Action::RemoveOperator { region: REGION }]);
}

#[test]
fn a_late_report_is_stale_once_pd_knows_better() {
    let mut world = known(4, &[1, 2, 3]);
    let no_peer = Action::Hold { region: REGION, from: 1, to: 2, message: Outgoing::RegionReport };
    world.refused(no_peer, Reason::NotInConfig);
    world.done([hold_report(1), hold_report(1)]);
    // PD accepts the report although it brings nothing new: the message is used up.
    world.done([Action::Late { slot: 0 }]);
    assert_eq!(world.view().held.len(), 1);
    world.done([
        simple(1, ChangeKind::AddLearner, 9, 4),
        all(1, 2),
        apply(1),
        heartbeat(1, Reply::Delivered),
    ]);
    world.refused(Action::Late { slot: 0 }, Reason::RegionStale);
    assert!(matches!(world.view().held[0].message, Message::RegionReport { .. }));
    // After a restart PD has the epoch and not the term.
    world.done([Action::PdRestart]);
    world.refused(Action::Late { slot: 0 }, Reason::RegionStale);
    world.done([decommission(2)]);
    world.refused(hold_report(2), Reason::NotLeader);
}

#[test]
fn a_late_report_of_an_old_leader_makes_it_the_leader_again() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([Action::PdRestart, hold_report(1), campaign(2), vote(2, 3, Reply::Delivered)]);
    world.done([heartbeat(2, Reply::Delivered)]);
    world.refused(Action::Late { slot: 0 }, Reason::RegionStale);
    world.done([Action::PdRestart, Action::Late { slot: 0 }]);
    let believed = world.view().pd.regions[&REGION].clone();
    assert_eq!((believed.leader, believed.term, world.at(2).role), (1, 6, Role::Leader));
}

#[test]
fn a_pd_that_restarts_knows_no_leader_no_operator_and_every_id() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([decommission(3)]);
    world.orders(schedule(Reply::Dropped), add_learner());
    world.done([Action::PdRestart]);
    let pd = world.view().pd;
    let known = &pd.regions[&REGION];
    assert_eq!((pd.next_id, known.leader, known.term, pd.operators.len()), (11, 0, 0, 0));
    assert!(pd.stores.values().all(|store| store.liveness == Liveness::Disconnected));
    assert_eq!((world.state(3), world.state(4)), (StoreState::Offline, StoreState::Up));
    world.refused(Action::PdRestart, Reason::NoEffect);
    world.refused(schedule(Reply::Delivered), Reason::NoLeader);
    world.refused(admin(AdminOperator::AddPeer { store: 4 }, Reply::Delivered), Reason::NoLeader);
    world.done([heartbeat(1, Reply::Delivered)]);
    world.refused(schedule(Reply::Delivered), Reason::NoTarget);
    world.done([Action::StoreHeartbeat { store: 4, reply: Reply::Delivered }]);
    world.refused(Action::StoreHeartbeat { store: 4, reply: Reply::Delivered }, Reason::NoEffect);
    let second = Order::Propose(Command::ChangePeer(change(ChangeKind::AddLearner, 11, 4)));
    world.orders(schedule(Reply::Delivered), second);
}

#[test]
fn a_silent_store_is_disconnected_then_down_and_its_peer_replaced() {
    let mut world = known(4, &[1, 2, 3]);
    let silent = Action::MissedHeartbeat { store: 3 };
    world.done([Action::Crash { store: 3 }, silent.clone(), silent.clone()]);
    world.refused(silent, Reason::NoEffect);
    world.refused(Action::StoreHeartbeat { store: 3, reply: Reply::Delivered }, Reason::StoreDown);
    assert_eq!(world.view().pd.stores[&3].liveness, Liveness::Down);
    // The leader must miss its heartbeats too.
    world.refused(schedule(Reply::Delivered), Reason::NothingToDo);
    world.done([heartbeat(1, Reply::Delivered)]);
    assert_eq!(world.view().pd.regions[&REGION].down, [3].into());
    world.orders(schedule(Reply::Delivered), add_learner());
    assert_eq!(world.purpose(), Some(Purpose::ReplaceRuleDownPeer));
}

#[test]
fn a_full_store_is_no_target() {
    let mut world = begun(&Scope { full: vec![4], ..placing(4, &[1, 2, 3]) });
    world.elect(1, &[2, 3]);
    world.done([heartbeat(1, Reply::Delivered), decommission(3)]);
    assert!(world.view().pd.stores[&4].full && !world.view().pd.stores[&1].full);
    world.refused(schedule(Reply::Delivered), Reason::NoTarget);
    // PD does not know that a store is full before its heartbeat.
    world.done([Action::PdRestart]);
    assert!(!world.view().pd.stores[&4].full);
    world.done([Action::StoreHeartbeat { store: 4, reply: Reply::Delivered }]);
    assert!(world.view().pd.stores[&4].full);
}

#[test]
fn an_administrators_split_asks_for_ids_and_is_proposed() {
    let mut world = known(3, &[1, 2, 3]);
    let split = |reply| admin(AdminOperator::Split { keys: vec![Key::from("c")] }, reply);
    let order = Order::Split { keys: vec![Key::from("c")] };
    world.orders(split(Reply::Delayed), order.clone());
    world.refused(split(Reply::Delivered), Reason::OperatorExists);
    world.done([Action::Late { slot: 0 }]);
    assert_eq!(world.view().pd.next_id, 14);
    // Ordered again before the first is applied: the ids are used up.
    let again = world.ordered(heartbeat(1, Reply::Delivered));
    assert_eq!((again, world.view().pd.next_id), ((order, Some(Reason::EpochChanging)), 18));
    world.done([all(1, 2), apply(1), heartbeat(1, Reply::Delivered)]);
    assert_eq!((world.purpose(), world.view().pd.regions.len()), (None, 1));
    world.done([Action::Vote { region: 10, candidate: 1, voter: 2, reply: Reply::Delivered }, all(1, 2)]);
    world.done([apply(2), Action::Campaign { region: 10, store: 2 }]);
    world.done([Action::Vote { region: 10, candidate: 2, voter: 1, reply: Reply::Delivered }]);
    world.done([Action::RegionHeartbeat { region: 10, store: 2, reply: Reply::Delivered }]);
    assert_eq!(world.view().pd.regions.len(), 2);
}

/// The ids of a refused split proposal are used up, and so is the order.
#[test]
fn a_late_split_order_uses_up_its_ids() {
    let mut world = known(3, &[1, 2, 3]);
    let split = admin(AdminOperator::Split { keys: vec![Key::from("c")] }, Reply::Delayed);
    world.orders(split, Order::Split { keys: vec![Key::from("c")] });
    world.done([propose(1, Command::TransferLeader { to: 2 }), Action::Late { slot: 0 }]);
    assert_eq!((world.view().pd.next_id, world.view().held.len()), (14, 0));
    assert_eq!(world.at(1).log.last_index(), 6);
}

#[test]
fn ids_are_refused_to_a_region_that_is_older_than_pds() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([campaign(2), vote(2, 3, Reply::Delivered), all(2, 3)]);
    world.done([
        simple(2, ChangeKind::AddLearner, 9, 4),
        all(2, 3),
        apply(2),
        heartbeat(2, Reply::Delivered),
    ]);
    assert_eq!(world.at(1).role, Role::Leader, "it does not know the other");
    world.refused(ask(Reply::Delivered), Reason::RegionStale);
    world.refused(heartbeat(1, Reply::Delivered), Reason::RegionStale);
    assert_eq!(world.view().pd.next_id, 10);
}

#[test]
fn commands_that_make_no_sense_are_refused_in_the_order_of_the_checks() {
    let mut world = placed(4, &[1, 2, 3]);
    world.refused(heartbeat(1, Reply::Delivered), Reason::NotLeader);
    world.refused(heartbeat(4, Reply::Delivered), Reason::RegionNotFound);
    world.refused(schedule(Reply::Delivered), Reason::NoLeader);
    world.refused(Action::Schedule { region: 77, reply: Reply::Delivered }, Reason::UnknownRegion);
    world.refused(Action::SetTombstone { store: 4 }, Reason::StateNotAllowed);
    world.refused(Action::SetTombstone { store: 9 }, Reason::StateNotAllowed);
    world.refused(Action::StoreHeartbeat { store: 9, reply: Reply::Delivered }, Reason::StoreDown);
    world.refused(Action::MissedHeartbeat { store: 9 }, Reason::UnknownStore);
    world.refused(Action::RemoveTombstone { store: 4 }, Reason::NotTombstone);
    world.refused(Action::CancelDecommission { store: 4 }, Reason::NotLeaving);
    world.refused(Action::CheckStores, Reason::NothingToBury);
    world.elect(1, &[2, 3]);
    world.done([heartbeat(1, Reply::Delivered)]);
    for (operator, reason) in [
        (AdminOperator::AddPeer { store: 2 }, Reason::PeerExists),
        (AdminOperator::AddPeer { store: 9 }, Reason::UnknownStore),
        (AdminOperator::RemovePeer { store: 4 }, Reason::NoPeer),
        (AdminOperator::TransferLeader { store: 4 }, Reason::NoVoter),
        (AdminOperator::TransferLeader { store: 1 }, Reason::AlreadyLeader),
        (AdminOperator::Split { keys: vec![] }, Reason::InvalidSplitKey),
    ] {
        world.refused(admin(operator, Reply::Delivered), reason);
    }
    world.done([Action::Decommission { store: 4, force: true }]);
    world.refused(decommission(4), Reason::PhysicallyDestroyed);
    world.refused(Action::CancelDecommission { store: 4 }, Reason::PhysicallyDestroyed);
    world.refused(decommission(3), Reason::StoresNotEnough);
}

#[test]
fn without_replicas_to_place_there_is_no_pd() {
    let mut world = world(4, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    for action in [
        heartbeat(1, Reply::Delivered),
        hold_report(1),
        schedule(Reply::Delivered),
        decommission(1),
        admin(AdminOperator::AddPeer { store: 4 }, Reply::Delivered),
        Action::StoreHeartbeat { store: 1, reply: Reply::Delivered },
        Action::MissedHeartbeat { store: 1 },
        Action::CheckStores,
        Action::PdRestart,
        Action::OperatorTimeout { region: REGION },
    ] {
        world.refused(action, Reason::NoPlacementDriver);
    }
    world.refused(heartbeat(2, Reply::Delivered), Reason::NotLeader);
    assert_eq!((world.view().pd.next_id, world.view().pd.stores.len()), (10, 0));
}

#[test]
fn the_view_of_pd_is_compared() {
    let mut world = known(4, &[1, 2, 3]);
    world.done([decommission(3)]);
    world.orders(schedule(Reply::Delayed), add_learner());
    let view = world.view();
    assert!(world.shows(&view));
    let (mut id, mut store, mut region, mut operator) =
        (view.clone(), view.clone(), view.clone(), view.clone());
    id.pd.next_id += 1;
    store.pd.stores.get_mut(&2).unwrap().liveness = Liveness::Down;
    region.pd.regions.get_mut(&REGION).unwrap().pending.insert(2);
    operator.pd.operators.get_mut(&REGION).unwrap().done += 1;
    for other in [id, store, region, operator] {
        assert!(!world.shows(&other));
    }
}

#[test]
fn a_tombstone_by_hand_is_refused_in_the_order_of_the_checks() {
    let mut world = known(4, &[1, 2, 3]);
    let by_hand = |region, store, force| Action::TombstonePeer { region, store, force };
    world.refused(by_hand(REGION, 9, false), Reason::StoreDown);
    world.refused(by_hand(REGION, 3, true), Reason::StoreUp);
    world.done([Action::Crash { store: 3 }, Action::LoseDisk { store: 4 }]);
    world.refused(by_hand(REGION, 4, true), Reason::StoreDown);
    world.refused(by_hand(77, 3, false), Reason::RegionNotFound);
    world.refused(by_hand(REGION, 3, false), Reason::InvalidConfVer);
    world.orders(
        admin(AdminOperator::RemovePeer { store: 3 }, Reply::Delivered),
        Order::Propose(Command::ChangePeer(change(ChangeKind::Remove, 3, 3))),
    );
    world.done([all(1, 2), apply(1)]);
    world.refused(by_hand(REGION, 3, false), Reason::InvalidConfVer);
    world.done([heartbeat(1, Reply::Delivered), by_hand(REGION, 3, false)]);
    assert_eq!(world.view().stores[&3].peers[&REGION].region, world.at(1).region, "as PD knows it");
    world.refused(by_hand(REGION, 3, true), Reason::RegionNotFound);
}
