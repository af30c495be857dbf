//! An unsafe recovery in stages: each heartbeat of a remaining store brings its report and gets its
//! next plan.

use rollcall_traces::{
    Action, ChangeKind, Command, Derive, Held, Key, Outgoing, PeerRecovery, PlanUnderWay, Reason, Recovery,
    RecoveryPlan, RecoveryStage, Region, Reply, Returned, Role, StoreId, StoreState, Subject,
};
use rollcall_traces::{MemberRole, Outcome, PeerState, Scope, StoreStatus};

use super::{REGION, World, all, apply, begun, campaign, propose, put, region, roles, scope, simple, vote};

/// Stores with voters on all of them. Some have failed, and PD knows that.
fn without(stores: u64, gone: &[StoreId], happens: impl FnOnce(&mut World)) -> World {
    let voters: Vec<StoreId> = (1..=stores).collect();
    without_some(&placing(stores, &voters), gone, happens)
}

fn without_some(scope: &Scope, gone: &[StoreId], happens: impl FnOnce(&mut World)) -> World {
    let mut world = begun(scope);
    happens(&mut world);
    world.done(gone.iter().map(|store| Action::Crash { store: *store }));
    world.done(gone.iter().map(|store| Action::MissedHeartbeat { store: *store }));
    world
}

fn placing(stores: u64, voters: &[StoreId]) -> Scope {
    let whole = Region { end: Key::empty(), ..region(voters) };
    Scope { regions: vec![whole], max_replicas: voters.len() as u64, ..scope(stores, voters) }
}

/// The peer on store 1 leads, and all others know the commit index.
fn leads(world: &mut World, others: &[StoreId]) {
    world.done([campaign(1)]);
    for voter in others {
        world.apply(&vote(1, *voter, Reply::Delivered));
    }
    for follower in [others, others].concat() {
        world.apply(&all(1, follower));
    }
}

fn gives_up(stores: &[StoreId]) -> Action {
    Action::RemoveFailedStores { stores: stores.to_vec() }
}

fn lives(store: StoreId, reply: Reply) -> Action {
    Action::StoreHeartbeat { store, reply }
}

fn demoting(world: &World, store: StoreId) -> Option<PeerRecovery> {
    world.at(store).recovery
}

impl World {
    /// The store's heartbeat moves the recovery to that stage.
    #[track_caller]
    fn enters(&mut self, store: StoreId, stage: RecoveryStage) {
        let outcome = self.apply(&lives(store, Reply::Delivered));
        assert_eq!(outcome, Outcome::Done(Returned::Entered(stage)));
        let recovery = self.view().pd.recovery;
        let ended = matches!(stage, RecoveryStage::Finished | RecoveryStage::Failed);
        assert_eq!(recovery.map(|recovery| recovery.stage), (!ended).then_some(stage));
    }

    /// The store's heartbeat only brings a report or gets a plan; the stage stays.
    #[track_caller]
    fn send_store_heartbeat(&mut self, store: StoreId) {
        self.done([lives(store, Reply::Delivered)]);
    }

    fn recovery(&self) -> Recovery {
        *self.view().pd.recovery.expect("is under way")
    }

    fn recovery_plan(&self, store: StoreId) -> Option<PlanUnderWay> {
        self.view().stores[&store].plan
    }
}

/// Stores 2 and 3 have failed. Store 1 has an entry that it could not commit.
#[test]
fn a_remaining_peer_recovers_its_region_stage_by_stage() {
    let mut world = without(3, &[2, 3], |world| {
        world.elect(1, &[2, 3]);
        world.done([put(1, "a")]);
    });
    world.refused(gives_up(&[]), Reason::NoEffect);
    world.refused(gives_up(&[2, 9]), Reason::UnknownStore);
    world.refused(gives_up(&[1, 2]), Reason::StoreConnected);
    world.refused(Action::RecoveryTimeout, Reason::NoRecovery);
    world.done([gives_up(&[3, 2])]);
    assert_eq!(world.view().pd.stores[&2].state, StoreState::Tombstone);
    let recovery = world.recovery();
    assert_eq!((recovery.began, world.view().pd.recovery_step), (1, 2));
    assert_eq!((recovery.stage, recovery.reports), (RecoveryStage::CollectReport, [(1, None)].into()));
    world.refused(gives_up(&[2]), Reason::RecoveryRunning);
    world.refused(Action::Schedule { region: REGION, reply: Reply::Delivered }, Reason::RecoveryRunning);

    world.send_store_heartbeat(1);
    assert_eq!(world.recovery_plan(1), Some(PlanUnderWay { step: 2, exits: true }));
    // It was an elected leader. Now it campaigns by force, and the voters that it would ask have
    // failed.
    world.enters(1, RecoveryStage::ForceLeader);
    assert_eq!(world.recovery_plan(1), Some(PlanUnderWay { step: 3, exits: false }));
    let leader = world.at(1);
    assert_eq!((leader.role, leader.failed_stores.clone()), (Role::Leader, [2, 3].into()));
    assert_eq!((leader.commit, leader.applied), (leader.log.last_index(), leader.log.last_index()));
    world.enters(1, RecoveryStage::DemoteFailedVoter);
    assert_eq!(demoting(&world, 1), Some(PeerRecovery::Demotes(vec![])));
    world.refused(lives(1, Reply::Delivered), Reason::NoEffect);
    world.done([apply(1)]);
    assert!(world.at(1).region.is_joint());
    world.done([apply(1)]);
    assert_eq!((demoting(&world, 1), world.at(1).role), (None, Role::Leader));
    world.enters(1, RecoveryStage::Finished);
    let left = world.at(1);
    assert_eq!((left.role, left.data.len(), left.failed_stores.len()), (Role::Follower, 1, 0));
    assert_eq!(left.region.incoming_voters().collect::<Vec<_>>(), [1]);
    let pd = world.view().pd;
    assert_eq!((pd.regions.len(), pd.relearns, pd.recovery_step), (0, true, 5));
    assert_eq!(world.recovery_plan(1), None);
    world.done([campaign(1)]);
    assert_eq!(world.at(1).role, Role::Leader);
}

/// Under a forced leader only members change, and no client is served.
#[test]
fn a_forced_leader_serves_no_client() {
    let mut world = without(4, &[3, 4], |world| leads(world, &[2, 3, 4]));
    world.done([gives_up(&[3, 4])]);
    world.send_store_heartbeat(1);
    world.send_store_heartbeat(2);
    world.send_store_heartbeat(1);
    world.enters(2, RecoveryStage::ForceLeader);
    world.refused(Action::ForceLeaderTimeout { region: REGION, store: 1 }, Reason::NotByForce);
    // The peer with the best log is on store 1. It learns that from its own heartbeat's response.
    world.send_store_heartbeat(1);
    assert_eq!((world.at(1).role, world.at(1).failed_stores.len()), (Role::Candidate, 2));
    world.refused(put(1, "a"), Reason::NotLeader);
    world.done([vote(1, 2, Reply::Delivered)]);
    assert_eq!(world.at(1).role, Role::Leader);
    world.refused(put(1, "a"), Reason::RecoveryInProgress);
    world.refused(propose(1, Command::TransferLeader { to: 2 }), Reason::RecoveryInProgress);
    let read = Action::Read { region: REGION, store: 1, key: Key::from("a") };
    world.refused(read, Reason::RecoveryInProgress);
    let (keys, derive, reply) = (vec![Key::from("c")], Derive::Left, Reply::Delivered);
    let split = Action::AskSplit { region: REGION, store: 1, keys, derive, reply };
    world.refused(split, Reason::RecoveryInProgress);
    // It answers a membership change as any leader does.
    world.refused(simple(1, ChangeKind::AddLearner, 9, 9), Reason::NotAppliedTerm);
    world.done([all(1, 2), Action::ForceLeaderTimeout { region: REGION, store: 1 }]);
    assert_eq!((world.at(1).role, world.at(1).failed_stores.len()), (Role::Follower, 0));
    world.refused(Action::ForceLeaderTimeout { region: 7, store: 1 }, Reason::RegionNotFound);
    world.refused(Action::ForceLeaderTimeout { region: REGION, store: 3 }, Reason::StoreDown);
    world.refused(put(1, "a"), Reason::NotLeader);
}

/// Both remaining peers must grant their votes, have the log and have applied it before the stage
/// is over.
#[test]
fn a_plan_is_over_when_all_of_it_has_taken_effect() {
    let mut world = without(4, &[3, 4], |world| leads(world, &[2, 3, 4]));
    world.done([gives_up(&[3, 4])]);
    for store in [1, 2, 1] {
        world.send_store_heartbeat(store);
    }
    world.enters(2, RecoveryStage::ForceLeader);
    world.send_store_heartbeat(1);
    world.refused(lives(1, Reply::Delivered), Reason::NoEffect);
    world.done([lives(2, Reply::Delivered), vote(1, 2, Reply::Delivered)]);
    assert_eq!(world.recovery().reports[&1], None);
    world.refused(lives(1, Reply::Delivered), Reason::NoEffect);
    world.done([all(1, 2)]);
    world.enters(1, RecoveryStage::DemoteFailedVoter);
    // Two of four remain. Both continue once the others are demoted.
    world.done([all(1, 2), apply(1), all(1, 2), apply(1)]);
    assert_eq!(demoting(&world, 1), None);
    // Store 2 does not know that all is committed. It reports what it knows.
    world.send_store_heartbeat(1);
    world.send_store_heartbeat(2);
    world.refused(lives(2, Reply::Delivered), Reason::NoEffect);
    world.done([apply(2)]);
    world.enters(2, RecoveryStage::Finished);
    let voter = [(1, MemberRole::Voter), (2, MemberRole::Voter)];
    let learner = [(3, MemberRole::Learner), (4, MemberRole::Learner)];
    assert_eq!(roles(&world.at(1)), voter.into_iter().chain(learner).collect());
}

/// A lost plan is sent again. A late one is ignored or carried out.
#[test]
fn lost_and_late_recovery_plans() {
    let mut world = without(3, &[2, 3], |world| world.elect(1, &[2, 3]));
    world.refused(lives(1, Reply::Dropped), Reason::NoEffect);
    world.refused(lives(1, Reply::Delayed), Reason::NoEffect);
    world.refused(lives(2, Reply::Delayed), Reason::StoreDown);
    world.done([gives_up(&[2, 3])]);
    world.refused(lives(1, Reply::Dropped), Reason::NoEffect);
    world.done([lives(1, Reply::Delayed)]);
    let plan = RecoveryPlan { step: 2, ..RecoveryPlan::default() };
    assert_eq!(world.view().held, [Held::recovery_plan(1, plan)]);
    world.send_store_heartbeat(1);
    world.refused(Action::Late { slot: 0 }, Reason::NoEffect);
    // The response with the next stage's plan is lost, so the store asks again.
    let entered = Outcome::Done(Returned::Entered(RecoveryStage::ForceLeader));
    assert_eq!(world.apply(&lives(1, Reply::Dropped)), entered);
    assert_eq!((world.recovery_plan(1), world.at(1).failed_stores.len()), (None, 0));
    world.send_store_heartbeat(1);
    assert_eq!(world.at(1).failed_stores.len(), 2);
    // An old plan replaces the new one. PD ignores its report.
    world.done([Action::Late { slot: 0 }]);
    assert_eq!(
        (world.recovery_plan(1), world.view().held.len()),
        (Some(PlanUnderWay { step: 2, exits: true }), 0)
    );
    world.send_store_heartbeat(1);
    assert_eq!(world.recovery().reports[&1], None);
    assert_eq!(world.recovery_plan(1), Some(PlanUnderWay { step: 3, exits: false }), "asked once more");
    assert_eq!(world.at(1).failed_stores.len(), 2);
    world.enters(1, RecoveryStage::DemoteFailedVoter);
    world.done([lives(1, Reply::Delayed)]);
    world.refused(Action::Late { slot: 0 }, Reason::NoEffect);
}

/// A store takes no other plan while members are being demoted.
#[test]
fn a_plan_waits_for_a_demotion() {
    let mut world = without(3, &[2, 3], |world| world.elect(1, &[2, 3]));
    world.done([gives_up(&[2, 3])]);
    world.done([lives(1, Reply::Delayed)]);
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::ForceLeader);
    world.enters(1, RecoveryStage::DemoteFailedVoter);
    world.refused(Action::Late { slot: 0 }, Reason::RecoveryInProgress);
    // The recovery is aborted. The order to exit changes nothing.
    let entered = Outcome::Done(Returned::Entered(RecoveryStage::ExitForceLeader));
    assert_eq!(world.apply(&Action::RecoveryTimeout), entered);
    assert!(world.recovery().aborted && world.recovery().plans.is_empty());
    world.refused(lives(1, Reply::Delivered), Reason::NoEffect);
    world.done([apply(1), apply(1), lives(1, Reply::Delivered)]);
    assert_eq!(world.recovery_plan(1), Some(PlanUnderWay { step: 5, exits: true }));
    world.enters(1, RecoveryStage::Failed);
    assert_eq!(world.at(1).role, Role::Follower);
    // PD dropped its regions before it changed anything in them.
    assert_eq!((world.view().pd.regions.len(), world.view().pd.relearns), (0, true));
    world.refused(Action::RecoveryTimeout, Reason::NoRecovery);
}

/// A store's plan and PD's recovery are volatile. Each begins again.
#[test]
fn volatile_recovery_state_begins_again() {
    let mut world = without(3, &[2, 3], |world| world.elect(1, &[2, 3]));
    world.done([gives_up(&[2, 3])]);
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::ForceLeader);
    world.done([Action::Crash { store: 1 }]);
    assert_eq!((world.recovery_plan(1), world.at(1).failed_stores.len()), (None, 0));
    world.done([Action::Restart { store: 1 }]);
    world.send_store_heartbeat(1);
    assert_eq!((world.at(1).failed_stores.len(), world.recovery().stage), (2, RecoveryStage::ForceLeader));
    world.enters(1, RecoveryStage::DemoteFailedVoter);
    world.done([apply(1), Action::PdRestart]);
    assert_eq!((world.view().pd.recovery, world.view().pd.recovery_step), (None, 4));
    // The store finishes the plan.
    world.done([apply(1), lives(1, Reply::Delivered)]);
    assert_eq!((world.recovery_plan(1), world.at(1).role), (None, Role::Follower));
    // No failed store is left, and nothing is to be done.
    let reply = Reply::Delivered;
    world.done([campaign(1), Action::RegionHeartbeat { region: REGION, store: 1, reply }]);
    world.done([gives_up(&[2, 3])]);
    assert_eq!((world.recovery().began, world.view().pd.recovery_step), (5, 6));
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::Finished);
    assert_eq!((world.view().pd.regions.len(), world.view().pd.recovery_step), (1, 7), "nothing was done");
    assert_eq!(world.view().stores[&2].status, StoreStatus::Down);
}

/// Every peer of the region is gone. An empty region takes its place.
#[test]
fn a_hole_is_filled_by_an_empty_region() {
    let scope = placing(2, &[2]);
    let mut world = without_some(&scope, &[2], |world| world.done([campaign(2)]));
    world.done([gives_up(&[2])]);
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::CreateEmptyRegion);
    let created = &world.view().stores[&1].peers[&10];
    assert_eq!((created.state, created.id, created.commit), (PeerState::Normal, 11, 5));
    assert_eq!(world.view().pd.next_id, 12);
    world.enters(1, RecoveryStage::Finished);
    world.done([Action::Campaign { region: 10, store: 1 }]);
    let reply = Reply::Delivered;
    world.done([Action::RegionHeartbeat { region: 10, store: 1, reply }]);
    assert!(!world.view().pd.relearns);
}

/// Three of five voters have failed. The longer log is on store 2. Store 4 has campaigned in a term
/// that no other peer knows, and the forced leader campaigns in a higher one.
#[test]
fn the_best_log_leads_in_a_term_above_all_others() {
    let mut world = without(5, &[1, 3, 5], |world| {
        world.done([campaign(1), vote(1, 2, Reply::Delivered), vote(1, 3, Reply::Delivered)]);
        world.done([2, 3, 4, 5].map(|follower| all(1, follower)));
        world.done([put(1, "a"), all(1, 2), campaign(4)]);
    });
    world.done([gives_up(&[1, 3, 5])]);
    for store in [2, 4, 2] {
        world.send_store_heartbeat(store);
    }
    world.enters(4, RecoveryStage::ForceLeader);
    world.send_store_heartbeat(2);
    assert_eq!((world.at(2).role, world.at(2).term, world.at(4).term), (Role::Candidate, 8, 7));
    world.done([vote(2, 4, Reply::Delivered), all(2, 4), all(2, 4)]);
    let (best, other) = (world.at(2), world.at(4));
    assert_eq!((best.vote, other.vote, other.term), (2, 2, 8));
    assert_eq!((&best.log, best.data.len(), other.data.len()), (&other.log, 1, 1));
    world.send_store_heartbeat(2);
    world.enters(4, RecoveryStage::DemoteFailedVoter);
    world.send_store_heartbeat(2);
    world.done([all(2, 4), apply(2), all(2, 4), apply(2)]);
    assert_eq!(world.at(2).region.incoming_voters().collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn a_region_that_keeps_its_majority_is_left_alone() {
    let mut world = without(3, &[3], |world| world.elect(1, &[2, 3]));
    let before = world.view().stores;
    world.done([gives_up(&[3])]);
    for store in [1, 2, 1] {
        world.send_store_heartbeat(store);
    }
    world.enters(2, RecoveryStage::Finished);
    assert_eq!(world.view().stores, before);
    assert_eq!((world.view().pd.regions.len(), world.view().pd.relearns), (1, false));
}

fn holds_report(region: u64, from: StoreId) -> Action {
    Action::Hold { region, from, to: 0, message: Outgoing::StoreReport }
}

/// Store 1's report is in flight, and PD asks once more. A late report counts only in its own
/// stage, even if its store has failed meanwhile.
#[test]
fn a_late_report_counts_in_its_own_step() {
    let mut world = without(3, &[2, 3], |world| world.elect(1, &[2, 3]));
    world.refused(holds_report(0, 1), Reason::NothingToDo);
    world.done([gives_up(&[2, 3])]);
    world.send_store_heartbeat(1);
    world.refused(holds_report(0, 2), Reason::StoreDown);
    world.refused(holds_report(REGION, 1), Reason::NotInConfig);
    world.done([holds_report(0, 1)]);
    assert_eq!((world.recovery_plan(1), world.recovery().reports), (None, [(1, None)].into()));
    world.refused(holds_report(0, 1), Reason::NothingToDo);
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::ForceLeader);
    // It belongs to the stage before.
    world.done([Action::Late { slot: 0 }]);
    assert_eq!((world.view().held.len(), world.recovery().reports), (0, [(1, None)].into()));
    world.done([holds_report(0, 1), Action::Crash { store: 1 }]);
    let outcome = world.apply(&Action::Late { slot: 0 });
    assert_eq!(outcome, Outcome::Done(Returned::Entered(RecoveryStage::DemoteFailedVoter)));
    // The forced leader is gone. PD orders one again.
    world.done([Action::Restart { store: 1 }]);
    world.send_store_heartbeat(1);
    world.enters(1, RecoveryStage::ForceLeader);
}
