//! The placement driver's guards over the plan for a region: each holds in the sound PD, and
//! dropping it does harm.

use rollcall_impl::pd::{AdminOperator, PdConfig, PdInput, PdRefusal, Purpose, RegionReport, StoreState};
use rollcall_impl::{ChangeKind, Command, Dropped, Guard, Guards, Member, MemberRole, Sound, StoreId};

use crate::cluster::{
    EMPTY, Pd, REGION, command, decommission, pd_of, report, reported, state, store_heartbeat, wait,
};
use crate::guards::{admin, pd, step};
use crate::real::Real;

/// The region with a learner on one more store.
fn with_learner<G: Guards>(pd: &Pd<G>, store: StoreId) -> rollcall_impl::Region {
    let mut region = pd.region(REGION).unwrap().region.clone();
    region.peers.push(Member { id: store * 10, store, role: MemberRole::Learner });
    region.epoch.conf_ver += 1;
    region
}

/// Row 46: one of three voters does not answer, and another is to be removed.
#[test]
fn removal_keeps_majority() {
    fn removal(guards: impl Guards) -> Result<Option<Command>, PdRefusal> {
        let mut pd = pd(guards, 4);
        let known = pd.region(REGION).unwrap().region.clone();
        let down = RegionReport { down: vec![30], ..reported(known, 10, 6) };
        pd.step(PdInput::RegionHeartbeat(down)).unwrap();
        let outputs = step(&mut pd, admin(AdminOperator::RemovePeer { store: 2 }))?;
        Ok(command(&outputs))
    }
    assert_eq!(removal(Sound), Err(PdRefusal::MajorityLost));
    let unsound = removal(Dropped(Guard::RemovalKeepsMajority)).unwrap();
    assert!(matches!(unsound, Some(Command::ChangePeer(_))), "the living are one of two: {unsound:?}");
}

/// Row 15 in PD: pd#4411, tikv#10595.
#[test]
fn plan_demotes_first() {
    fn first_order(guards: impl Guards) -> Option<Command> {
        let mut pd = pd_of(guards, Default::default(), 2, &[1, 2]);
        command(&step(&mut pd, admin(AdminOperator::RemovePeer { store: 2 })).unwrap())
    }
    assert!(matches!(first_order(Sound), Some(Command::EnterJoint(_))));
    let unsound = first_order(Dropped(Guard::PlanDemotesFirst));
    assert!(matches!(unsound, Some(Command::ChangePeer(_))), "{unsound:?}");
}

/// A joint region: peer 40 replaces peer 30, or the leader.
fn joint<G: Guards>(pd: &Pd<G>, demoted: usize) -> rollcall_impl::Region {
    let mut region = with_learner(pd, 4);
    region.peers[3].role = MemberRole::IncomingVoter;
    region.peers[demoted].role = MemberRole::DemotingVoter;
    region.epoch.conf_ver += 2;
    region
}

/// etcd#12136, pd#2952: the operator that should leave the joint configuration is gone.
#[test]
fn joint_ended_by_patrol() {
    fn looked_after(guards: impl Guards) -> Result<Purpose, PdRefusal> {
        let mut pd = pd(guards, 4);
        let region = joint(&pd, 2);
        report(&mut pd, region, 1);
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(looked_after(Sound), Ok(Purpose::LeaveJoint));
    assert_eq!(looked_after(Dropped(Guard::JointEndedByPatrol)), Err(PdRefusal::JointState));
}

/// pd#3499: a leader that the joint configuration demotes may not leave it.
#[test]
fn joint_hands_over_first() {
    fn first_order(guards: impl Guards) -> Option<Command> {
        let mut pd = pd(guards, 4);
        let region = joint(&pd, 0);
        report(&mut pd, region, 1);
        command(&step(&mut pd, PdInput::Schedule { region: REGION }).unwrap())
    }
    assert!(matches!(first_order(Sound), Some(Command::TransferLeader { .. })));
    assert_eq!(first_order(Dropped(Guard::JointHandsOverFirst)), Some(Command::LeaveJoint));
}

/// Row 51: a leftover learner keeps its store from leaving for ever.
#[test]
fn orphans_leave() {
    fn leaves(guards: impl Guards) -> Result<Purpose, PdRefusal> {
        let mut pd = pd(guards, 4);
        let region = with_learner(&pd, 4);
        report(&mut pd, region, 1);
        decommission(&mut pd, 4);
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(leaves(Sound), Ok(Purpose::RemoveOrphanPeer));
    assert_eq!(leaves(Dropped(Guard::OrphansLeave)), Err(PdRefusal::NothingToDo));
}

/// Two voters of three, and a learner that needs its snapshot: another learner is added.
#[test]
fn pending_learner_counts() {
    fn made(guards: impl Guards) -> Result<Purpose, PdRefusal> {
        let mut pd = pd_of(guards, Default::default(), 4, &[1, 2]);
        let waits = RegionReport { pending: vec![30], ..reported(with_learner(&pd, 3), 10, 6) };
        pd.step(PdInput::RegionHeartbeat(waits)).unwrap();
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(made(Sound), Err(PdRefusal::NothingToDo));
    assert_eq!(made(Dropped(Guard::PendingLearnerCounts)), Ok(Purpose::AddMissingPeer));
}

/// Two voters of three, a learner in the third place on a leaving store, and another on the last
/// store.
#[test]
fn promotion_needs_no_target() {
    fn made(guards: impl Guards) -> Result<Purpose, PdRefusal> {
        let mut pd = pd_of(guards, Default::default(), 4, &[1, 2]);
        for store in [3, 4] {
            let region = with_learner(&pd, store);
            report(&mut pd, region, 1);
        }
        decommission(&mut pd, 3);
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(made(Sound), Ok(Purpose::PromoteLearner));
    assert_eq!(made(Dropped(Guard::PromotionNeedsNoTarget)), Err(PdRefusal::NoTarget));
}

/// pd#6559: two voters, one of them down, a healthy learner, and no other store.
#[test]
fn orphan_may_fill() {
    fn mends(guards: impl Guards) -> Result<Purpose, PdRefusal> {
        let mut pd = pd(guards, 4);
        let silent = PdInput::MissedHeartbeat { store: 3 };
        pd.step(silent.clone()).unwrap();
        pd.step(silent).unwrap();
        let down = RegionReport { down: vec![30], ..reported(with_learner(&pd, 4), 10, 6) };
        pd.step(PdInput::RegionHeartbeat(down)).unwrap();
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(mends(Sound), Ok(Purpose::ReplaceDownPeerWithOrphan));
    assert_eq!(mends(Dropped(Guard::OrphanMayFill)), Err(PdRefusal::NoTarget));
}

/// Store 4 has sent no heartbeat since PD started.
#[test]
fn target_connected() {
    fn target(guards: impl Guards) -> Result<Option<StoreId>, PdRefusal> {
        let mut pd = pd(guards, 4);
        decommission(&mut pd, 3);
        wait(&mut pd, 181, &[1, 2, 3]);
        assert_eq!(pd.state_name(4), Some("Down"));
        let outputs = step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(command(&outputs).map(|command| match command {
            Command::ChangePeer(change) => change.store,
            other => panic!("{other:?}"),
        }))
    }
    assert_eq!(target(Sound), Err(PdRefusal::NoTarget));
    assert_eq!(target(Dropped(Guard::TargetConnected)), Ok(Some(4)));
    // Its space is checked all the same.
    let mut pd = pd(Dropped(Guard::TargetConnected), 4);
    decommission(&mut pd, 3);
    store_heartbeat(&mut pd, 4, rollcall_impl::pd::StoreStats { used: 100, ..EMPTY });
    assert_eq!(step(&mut pd, PdInput::Schedule { region: REGION }), Err(PdRefusal::NoTarget));
}

/// pd#1923 and similar: the leader enters a joint configuration that demotes it and may not leave
/// it. The operator times out.
#[test]
fn leader_hands_over_first() {
    /// One operator moves the leader's peer: whether the region stays joint, and the voters.
    fn after_one_operator<G: Guards>(guards: G, voters: &[StoreId]) -> (bool, Vec<StoreId>) {
        let config = PdConfig { max_replicas: voters.len(), ..PdConfig::DEFAULT };
        let mut real = Real::under(guards, config, 4, voters);
        real.tell(PdInput::Decommission { store: 1, force: false }).unwrap();
        real.tell(PdInput::Schedule { region: REGION }).unwrap();
        for _ in 0..10 {
            real.settle();
            real.region_heartbeats();
        }
        assert!(real.pd.operator(REGION).is_none());
        let known = real.pd.region(REGION).unwrap();
        (known.region.is_joint(), known.voters().map(|voter| voter.store).collect())
    }
    let without = Dropped(Guard::LeaderHandsOverFirst);
    for (before, after, joint) in
        [(&[1, 2, 3][..], vec![2, 3, 4], vec![1, 2, 3, 4]), (&[1], vec![2], vec![1, 2])]
    {
        assert_eq!(after_one_operator(Sound, before), (false, after));
        assert_eq!(after_one_operator(without, before), (true, joint));
    }
}

/// pd#1923: with one replica there is no transferee.
#[test]
fn lone_leader_moves() {
    fn plan<G: Guards>(guards: G) -> Result<usize, PdRefusal> {
        let mut pd = pd_of(guards, PdConfig { max_replicas: 1, ..PdConfig::DEFAULT }, 2, &[1]);
        store_heartbeat(&mut pd, 2, EMPTY);
        decommission(&mut pd, 1);
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        Ok(pd.operator(REGION).unwrap().steps.len())
    }
    assert_eq!(plan(Sound), Ok(5));
    assert_eq!(plan(Dropped(Guard::LoneLeaderMoves)), Err(PdRefusal::NoNewLeader));
}

/// Row 48: two voters must move, and one of them answers.
#[test]
fn replacement_joins_first() {
    fn first_order<G: Guards>(guards: G) -> Option<ChangeKind> {
        let mut pd = pd(guards, 5);
        store_heartbeat(&mut pd, 4, EMPTY);
        decommission(&mut pd, 2);
        decommission(&mut pd, 3);
        let known = pd.region(REGION).unwrap().region.clone();
        let down = RegionReport { down: vec![30], ..reported(known, 10, 6) };
        pd.step(PdInput::RegionHeartbeat(down)).unwrap();
        match command(&step(&mut pd, PdInput::Schedule { region: REGION }).unwrap())? {
            Command::ChangePeer(change) => Some(change.kind),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first_order(Sound), Some(ChangeKind::AddLearner));
    assert_eq!(first_order(Dropped(Guard::ReplacementJoinsFirst)), Some(ChangeKind::Remove));
}

/// Row 40, pd#3444: 15 of 100 GiB are free, and the region is the store's first.
#[test]
fn small_store_may_fill() {
    fn target<G: Guards>(guards: G) -> Result<(), PdRefusal> {
        let mut pd = pd(guards, 4);
        let stats =
            |free: u64| rollcall_impl::pd::StoreStats { capacity: 100 << 30, used: (100 - free) << 30 };
        decommission(&mut pd, 3);
        store_heartbeat(&mut pd, 4, stats(8));
        assert_eq!(step(&mut pd, PdInput::Schedule { region: REGION }), Err(PdRefusal::NoTarget));
        store_heartbeat(&mut pd, 4, stats(15));
        step(&mut pd, PdInput::Schedule { region: REGION }).map(drop)
    }
    assert_eq!(target(Sound), Ok(()));
    assert_eq!(target(Dropped(Guard::SmallStoreMayFill)), Err(PdRefusal::NoTarget));
}

/// With one replica only the new peer can take over leadership, inside the joint configuration.
#[test]
fn the_store_of_an_only_voter_leaves() {
    let mut real = Real::new(PdConfig { max_replicas: 1, ..PdConfig::DEFAULT }, 2, &[1]);
    real.tell(PdInput::Decommission { store: 1, force: false }).unwrap();
    (0..10).for_each(|_| real.round());
    assert_eq!((state(&real.pd, 1), real.leads(2, REGION)), (StoreState::Tombstone, true));
}
