//! The patrol: what it repairs, in which order and by which steps, and where it finds no target
//! store.

use rollcall_impl::pd::{
    AdminOperator, OperatorEnd, PdConfig, PdInput, PdOutput, PdRefusal, Purpose, RegionReport, StaleOperator,
    StoreState, StoreStats, Unfit,
};
use rollcall_impl::{Change, ChangeKind, Command, Member, MemberRole, StoreId};

use crate::cluster::{
    EMPTY, Pd, REGION, Truth, command, decommission, pd, pd_with, refused, region, report, reported,
    schedule, state, store_heartbeat, wait,
};

fn change(kind: ChangeKind, peer: u64, store: StoreId) -> Change {
    Change { kind, peer, store }
}

/// The commands that replace the voter on `from` by peer 1000 on `to`. With `transferee`,
/// leadership moves before the joint change.
fn move_by_joint(from: StoreId, to: StoreId, transferee: Option<StoreId>) -> Vec<Command> {
    let mut commands = vec![Command::ChangePeer(change(ChangeKind::AddLearner, 1000, to))];
    commands.extend(transferee.map(|to| Command::TransferLeader { to }));
    commands.extend([
        Command::EnterJoint(vec![
            change(ChangeKind::AddVoter, 1000, to),
            change(ChangeKind::AddLearner, from * 10, from),
        ]),
        Command::LeaveJoint,
        Command::ChangePeer(change(ChangeKind::Remove, from * 10, from)),
    ]);
    commands
}

fn nothing_to_do(pd: &mut Pd) -> bool {
    refused(pd, PdInput::Schedule { region: REGION }) == PdRefusal::NothingToDo
}

fn why_not(pd: &mut Pd) -> PdRefusal {
    refused(pd, PdInput::Schedule { region: REGION })
}

fn purpose(outputs: &[PdOutput]) -> Purpose {
    let added = outputs.iter().find_map(|output| match output {
        PdOutput::OperatorAdded { purpose, .. } => Some(*purpose),
        _ => None,
    });
    added.expect("an operator was made")
}

fn with_learner(pd: &Pd, store: StoreId) -> rollcall_impl::Region {
    let mut region = pd.region(REGION).unwrap().region.clone();
    region.peers.push(Member { id: store * 10, store, role: MemberRole::Learner });
    region.epoch.conf_ver += 1;
    region
}

#[test]
fn a_healthy_region_needs_nothing() {
    assert!(nothing_to_do(&mut pd(4, &[1, 2, 3])));
}

#[test]
fn a_follower_on_a_leaving_store_moves_by_joint_consensus() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs).name(), "replace-rule-offline-peer");
    let commands = Truth::of(&pd).settle(&mut pd, outputs);
    assert_eq!(commands, move_by_joint(3, 4, None));
    // Four members changed, two of them twice.
    assert_eq!(pd.region(REGION).unwrap().region.epoch.conf_ver, 1 + 1 + 2 + 2 + 1);
    assert!(pd.operators().next().is_none());
}

#[test]
fn a_leader_on_a_leaving_store_hands_over_before_the_joint_change() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 1);
    let outputs = schedule(&mut pd);
    let mut truth = Truth::of(&pd);
    assert_eq!(truth.settle(&mut pd, outputs), move_by_joint(1, 4, Some(2)));
    assert_eq!(truth.leader, 2);
}

/// Row 38: one operator for each region, one peer after another.
#[test]
fn two_stores_of_one_region_leave_one_after_the_other() {
    let mut pd = pd(5, &[1, 2, 3]);
    decommission(&mut pd, 1);
    decommission(&mut pd, 2);
    let first = schedule(&mut pd);
    assert_eq!(why_not(&mut pd), PdRefusal::OperatorExists);
    let mut truth = Truth::of(&pd);
    let commands = truth.settle(&mut pd, first);
    // Store 2 is leaving too, so leadership goes to 3.
    assert_eq!(commands, move_by_joint(1, 4, Some(3)));
    let second = schedule(&mut pd);
    truth.settle(&mut pd, second);
    assert_eq!(truth.voters(), [3, 4, 5]);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!((state(&pd, 1), state(&pd, 2)), (StoreState::Tombstone, StoreState::Tombstone));
}

/// pd#1923: with one replica no other peer can lead before the joint change.
#[test]
fn an_only_voter_hands_over_to_its_successor_inside_the_joint_configuration() {
    let mut pd = pd_with(PdConfig { max_replicas: 1, ..PdConfig::DEFAULT }, 2, &[1]);
    decommission(&mut pd, 1);
    let outputs = schedule(&mut pd);
    let mut truth = Truth::of(&pd);
    let commands = truth.settle(&mut pd, outputs);
    assert_eq!(commands[2], Command::TransferLeader { to: 2 });
    assert!(matches!(commands[1], Command::EnterJoint(_)) && commands[3] == Command::LeaveJoint);
    assert_eq!((truth.voters(), truth.leader), (vec![2], 2));
}

/// Row 39: three stores, three replicas, and one store is leaving.
#[test]
fn without_a_fourth_store_there_is_no_legal_target() {
    let mut pd = pd(3, &[1, 2, 3]);
    pd.step(PdInput::Decommission { store: 3, force: true }).unwrap();
    assert_eq!(why_not(&mut pd), PdRefusal::NoTarget);
    let why = pd.explain(REGION);
    assert_eq!(why, [(1, Some(Unfit::HasPeer)), (2, Some(Unfit::HasPeer)), (3, Some(Unfit::NotUp))]);
    pd.step(PdInput::AddStore { store: 4 }).unwrap();
    store_heartbeat(&mut pd, 4, EMPTY);
    schedule(&mut pd);
}

/// Row 40: `low-space-ratio` is a share of the capacity, not of the used space.
#[test]
fn a_target_needs_space() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    let mut with = |capacity, used| {
        store_heartbeat(&mut pd, 4, StoreStats { capacity, used });
        pd.explain(REGION)[3].1
    };
    assert_eq!(with(100, 80), None);
    assert_eq!(with(100, 81), Some(Unfit::LowSpace));
    assert_eq!(with(100, 200), Some(Unfit::LowSpace));
    // A store that does not report its space is not full. Neither is a new one with gigabytes left.
    assert_eq!((with(0, 0), with(1 << 40, (1 << 40) - (9 << 30))), (None, None));
    assert_eq!(with(1 << 40, (1 << 40) - (7 << 30)), Some(Unfit::LowSpace));
    assert_eq!(with(1 << 40, (1 << 40) - (8 << 30)), Some(Unfit::LowSpace), "eight are not more than eight");
    assert_eq!(why_not(&mut pd), PdRefusal::NoTarget);
}

#[test]
fn a_target_is_connected_and_has_the_fewest_regions() {
    let mut pd = pd(6, &[1, 2, 3]);
    decommission(&mut pd, 3);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 4]), 1);
    pd.step(PdInput::Decommission { store: 6, force: true }).unwrap();
    wait(&mut pd, 3, &[1, 2, 3, 4, 6]);
    let why: Vec<_> = pd.explain(REGION).into_iter().skip(3).collect();
    assert_eq!(why, [(4, None), (5, Some(Unfit::Disconnected)), (6, Some(Unfit::NotUp))]);
    wait(&mut pd, 178, &[1, 2, 3, 4, 6]);
    assert_eq!(pd.explain(REGION)[4], (5, Some(Unfit::Down)));
    store_heartbeat(&mut pd, 5, EMPTY);
    let to_five = Command::ChangePeer(change(ChangeKind::AddLearner, 1000, 5));
    assert_eq!(command(&schedule(&mut pd)), Some(to_five));
}

/// PD `replaceUnexpectedRulePeer`: without a target no operator is made, not even for the leader.
/// In seed 003, TiUP adds the scheduler that evicts leaders.
#[test]
fn without_a_target_leadership_leaves_by_hand() {
    let mut pd = pd(3, &[1, 2, 3]);
    pd.step(PdInput::Decommission { store: 1, force: true }).unwrap();
    assert_eq!(why_not(&mut pd), PdRefusal::NoTarget);
    let evict =
        |store| PdInput::AddOperator { region: REGION, operator: AdminOperator::EvictLeader { store } };
    assert_eq!(refused(&mut pd, evict(2)), PdRefusal::LedElsewhere);
    let outputs = pd.step(evict(1)).unwrap();
    assert_eq!(purpose(&outputs), Purpose::EvictLeader);
    let mut truth = Truth::of(&pd);
    assert_eq!(truth.settle(&mut pd, outputs), [Command::TransferLeader { to: 2 }]);
    assert_eq!(why_not(&mut pd), PdRefusal::NoTarget);
}

/// Row 41, seed 001: region 434317 on stores 1, 4 and 5 without a leader.
#[test]
fn a_region_without_a_leader_is_left_alone_and_keeps_its_store_from_leaving() {
    let mut pd = pd(6, &[1, 4, 5]);
    decommission(&mut pd, 5);
    let mut pd = pd.restart().unwrap();
    (1..=6).for_each(|store| store_heartbeat(&mut pd, store, EMPTY));
    assert_eq!(why_not(&mut pd), PdRefusal::NoLeader);
    assert_eq!(refused(&mut pd, PdInput::CheckStores), PdRefusal::NothingToBury);
    assert_eq!((pd.region_count(5), pd.state_name(5)), (1, Some("Offline")));
}

#[test]
fn a_missing_voter_is_made_up_by_way_of_a_learner() {
    let mut pd = pd(3, &[1, 2]);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::AddMissingPeer);
    let commands = Truth::of(&pd).settle(&mut pd, outputs);
    let [learner, voter] = [ChangeKind::AddLearner, ChangeKind::AddVoter];
    assert_eq!(commands, [learner, voter].map(|kind| Command::ChangePeer(change(kind, 1000, 3))));
    assert!(nothing_to_do(&mut pd));
}

#[test]
fn a_leftover_learner_fills_an_empty_place_or_is_removed() {
    let mut short = pd(4, &[1, 2]);
    let region = with_learner(&short, 3);
    report(&mut short, region, 1);
    let outputs = schedule(&mut short);
    assert_eq!((purpose(&outputs), short.next_id()), (Purpose::PromoteLearner, 1000));
    Truth::of(&short).settle(&mut short, outputs);
    assert!(nothing_to_do(&mut short));

    let mut full = pd(4, &[1, 2, 3]);
    let region = with_learner(&full, 4);
    report(&mut full, region, 1);
    decommission(&mut full, 4);
    let outputs = schedule(&mut full);
    assert_eq!(purpose(&outputs), Purpose::RemoveOrphanPeer);
    let mut truth = Truth::of(&full);
    truth.settle(&mut full, outputs);
    assert_eq!((truth.voters(), truth.region.peers.len()), (vec![1, 2, 3], 3));
}

/// Row 51: learners on stores without a record go as soon as the region has a leader.
#[test]
fn learners_on_forgotten_stores_are_orphans() {
    let mut pd = pd(3, &[1, 2, 3]);
    let region = with_learner(&pd, 390_553);
    report(&mut pd, region, 1);
    let outputs = schedule(&mut pd);
    let gone = change(ChangeKind::Remove, 3_905_530, 390_553);
    assert_eq!(Truth::of(&pd).settle(&mut pd, outputs), [Command::ChangePeer(gone)]);
}

/// PD `placement/fit.go newFitWorker` sorts by health and id. Leaving stores are handled later, so
/// a second operator moves the peer off store 3.
#[test]
fn of_too_many_voters_the_highest_id_is_removed() {
    let mut pd = pd(4, &[2, 1, 3, 4]);
    pd.step(PdInput::Decommission { store: 3, force: true }).unwrap();
    let outputs = schedule(&mut pd);
    let demotion = change(ChangeKind::AddLearner, 40, 4);
    assert_eq!(command(&outputs), Some(Command::EnterJoint(vec![demotion])));
    let mut truth = Truth::of(&pd);
    truth.settle(&mut pd, outputs);
    assert_eq!(truth.voters(), [2, 1, 3]);
    let outputs = schedule(&mut pd);
    truth.settle(&mut pd, outputs);
    assert_eq!(truth.voters(), [2, 1, 4]);
}

/// A leader whose follower on store 3 does not answer; that store is Down.
fn with_dead_follower(mut pd: Pd, alive: &[StoreId], learner: Option<StoreId>) -> Pd {
    wait(&mut pd, 181, alive);
    let known = pd.region(REGION).unwrap().region.clone();
    let region = learner.map_or(known, |store| with_learner(&pd, store));
    let report = RegionReport { down: vec![30], ..reported(region, 10, 6) };
    pd.step(PdInput::RegionHeartbeat(report)).unwrap();
    pd
}

#[test]
fn a_voter_is_down_only_if_leader_and_store_heartbeats_agree() {
    let mut pd = with_dead_follower(pd(4, &[1, 2, 3]), &[1, 2, 4], None);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::ReplaceDownPeer);
    assert_eq!(Truth::of(&pd).settle(&mut pd, outputs), move_by_joint(3, 4, None));

    // The leader reports it as down, but its store sends heartbeats.
    let mut alive = with_dead_follower(crate::cluster::pd(4, &[1, 2, 3]), &[1, 2, 3, 4], None);
    assert!(nothing_to_do(&mut alive));
}

/// pd#6559: two voters, one of them down, a healthy learner, and no other store. PD once neither
/// removed the learner nor used it.
#[test]
fn a_learner_replaces_a_down_voter() {
    let mut pd = with_dead_follower(pd(4, &[1, 2, 3]), &[1, 2, 4], Some(4));
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::ReplaceDownPeerWithOrphan);
    let mut truth = Truth::of(&pd);
    truth.settle(&mut pd, outputs);
    assert_eq!((truth.voters(), truth.region.peers.len()), (vec![1, 2, 4], 3));
}

#[test]
fn an_orphan_stays_while_a_voter_is_behind() {
    let mut pd = pd(4, &[1, 2, 3]);
    let region = with_learner(&pd, 4);
    let report = RegionReport { pending: vec![30], ..reported(region, 10, 6) };
    pd.step(PdInput::RegionHeartbeat(report.clone())).unwrap();
    assert!(nothing_to_do(&mut pd));
    pd.step(PdInput::RegionHeartbeat(RegionReport { pending: vec![], ..report })).unwrap();
    assert_eq!(purpose(&schedule(&mut pd)), Purpose::RemoveOrphanPeer);
}

/// tikv#17602: a region stays joint, and has no operator.
#[test]
fn a_region_left_joint_is_led_out() {
    let mut pd = pd(4, &[1, 2, 3]);
    let mut joint = with_learner(&pd, 4);
    joint.peers[0].role = MemberRole::DemotingVoter;
    joint.peers[3].role = MemberRole::IncomingVoter;
    joint.epoch.conf_ver += 2;
    report(&mut pd, joint, 1);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::LeaveJoint);
    let mut truth = Truth::of(&pd);
    let commands = truth.settle(&mut pd, outputs);
    assert_eq!(commands, [Command::TransferLeader { to: 2 }, Command::LeaveJoint]);
    assert_eq!(truth.voters(), [2, 3, 4]);
    assert_eq!(purpose(&schedule(&mut pd)), Purpose::RemoveOrphanPeer);
}

/// Row 45: a voter on a store that PD does not know fits no rule (PD `MatchLabelConstraints`).
/// Another takes its place, and it is removed.
#[test]
fn a_voter_on_an_unknown_store_is_replaced() {
    let mut pd = pd(4, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", ""), (5, 1), &[1, 2, 9]), 1);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::AddMissingPeer);
    let mut truth = Truth::of(&pd);
    truth.settle(&mut pd, outputs);
    let outputs = schedule(&mut pd);
    assert_eq!(purpose(&outputs), Purpose::RemoveOrphanPeer);
    truth.settle(&mut pd, outputs);
    assert_eq!(truth.voters(), [1, 2, 3]);
}

/// Row 47: half way through the move the store is taken back. The move continues.
#[test]
fn a_cancelled_decommission_does_not_stop_the_operator() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    let outputs = schedule(&mut pd);
    pd.step(PdInput::CancelDecommission { store: 3 }).unwrap();
    let mut truth = Truth::of(&pd);
    truth.settle(&mut pd, outputs);
    assert_eq!((truth.voters(), state(&pd, 3)), (vec![1, 2, 4], StoreState::Up));
}

/// PD `store.go IsLowSpace`: with at least that many regions, only the share counts.
#[test]
fn a_store_with_many_regions_is_no_new_one() {
    let config = PdConfig { initial_regions: 1, ..PdConfig::DEFAULT };
    let mut pd = pd_with(config, 5, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 4]), 1);
    for store in [4, 5] {
        store_heartbeat(&mut pd, store, StoreStats { capacity: 1 << 40, used: (1 << 40) - (9 << 30) });
    }
    let unfit = |store: usize| pd.explain(REGION)[store - 1].1;
    assert_eq!((unfit(4), unfit(5)), (Some(Unfit::LowSpace), None));
}

/// The first operator times out, and the second begins in the same step.
#[test]
fn a_waiting_operator_begins_when_another_times_out() {
    let config = PdConfig { schedule_limit: 1, operator_expiry: 1000, ..PdConfig::DEFAULT };
    let mut pd = pd_with(config, 4, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 3]), 1);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    pd.step(PdInput::Schedule { region: 2 }).unwrap();
    let allowed = pd.operator(REGION).unwrap().time_allowed;
    assert_eq!(wait(&mut pd, allowed, &[1, 2, 3, 4]), []);
    let outputs = wait(&mut pd, 1, &[1, 2, 3, 4]);
    assert!(matches!(outputs[0], PdOutput::OperatorEnded { region: REGION, end: OperatorEnd::Timeout, .. }));
    assert!(command(&outputs).is_some() && pd.operator(2).unwrap().started_at == Some(allowed + 1));
}

/// Row 49: of more operators than the limit, the last waits and expires.
#[test]
fn operators_beyond_the_limit_wait_for_their_turn() {
    let mut pd = pd_with(PdConfig { schedule_limit: 1, ..PdConfig::DEFAULT }, 4, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 3]), 1);
    decommission(&mut pd, 3);
    assert!(command(&schedule(&mut pd)).is_some());
    let second = PdInput::Schedule { region: 2 };
    assert_eq!(command(&pd.step(second.clone()).unwrap()), None);
    assert_eq!(pd.operator(2).unwrap().started_at, None);
    assert_eq!(refused(&mut pd, second.clone()), PdRefusal::OperatorExists);
    // `operator remove` does not find a waiting operator.
    assert_eq!(refused(&mut pd, PdInput::RemoveOperator { region: 2 }), PdRefusal::OperatorNotFound);
    // The members have changed meanwhile: the operator ends when its turn comes.
    let mut outrun = pd.clone();
    report(&mut outrun, region(2, ("m", ""), (2, 2), &[1, 2, 3, 4]), 1);
    let outputs = outrun.step(PdInput::RemoveOperator { region: REGION }).unwrap();
    let cancelled = OperatorEnd::Cancelled(StaleOperator::EpochNotMatch);
    assert!(outputs.iter().any(|output| {
        matches!(output, PdOutput::OperatorEnded { region: 2, end, .. } if *end == cancelled)
    }));
    assert!(outrun.operator(2).is_none() && command(&outputs).is_none());
    // The first ends, and the second begins in the same step.
    let outputs = pd.step(PdInput::RemoveOperator { region: REGION }).unwrap();
    assert!(command(&outputs).is_some() && pd.operator(2).unwrap().started_at == Some(0));
    schedule(&mut pd);
    assert_eq!(refused(&mut pd, PdInput::Push { region: REGION }), PdRefusal::OperatorNotFound);
    let given_up = pd.clone().step(PdInput::OperatorTimeout { region: REGION }).unwrap();
    assert!(matches!(given_up[0], PdOutput::OperatorEnded { end: OperatorEnd::Expired, .. }));
    let expired = wait(&mut pd, 2, &[1, 2, 3, 4]);
    assert_eq!((expired.len(), pd.operator(REGION)), (1, None), "{expired:?}");
    assert!(matches!(expired[0], PdOutput::OperatorEnded { end: OperatorEnd::Expired, .. }));
}
