//! What a store does in an unsafe recovery: plans, demotions and reports.

use rollcall_impl::{
    Change, ChangeKind, Command, Derive, Dropped, Epoch, ForceLeader, ForceLeaders, Guard, Guards,
    INITIAL_POSITION, Input, Member, MemberRole, Output, PeerId, PeerRecovery, PlanUnderWay, Position,
    RecoveryPlan, Refusal, Region, RegionId, StateRole, StoreId, StoreReport,
};
use rollcall_impl::{PeerState, Sound};

use crate::cluster::{Cluster, REGION, bytes, change, child, put};
use crate::merge::{LEFT, RIGHT, apply, epoch, is_merging, prepare, two};

/// The stores of the other two voters.
const LOST: [StoreId; 2] = [2, 3];

fn recovery_plan(step: u64) -> RecoveryPlan {
    RecoveryPlan { step, ..RecoveryPlan::default() }
}

/// Forces leaders of these regions without those stores, in a term above 9.
fn forces(step: u64, regions: &[RegionId], failed: &[StoreId]) -> Input {
    forces_with(step, regions, failed, INITIAL_POSITION)
}

fn forces_with(step: u64, regions: &[RegionId], failed: &[StoreId], committed: Position) -> Input {
    let order = ForceLeader { above: 9, committed };
    let regions = regions.iter().map(|region| (*region, order)).collect();
    let failed_stores = failed.iter().copied().collect();
    let force_leaders = Some(ForceLeaders { failed_stores, regions });
    Input::RecoveryPlan(RecoveryPlan { force_leaders, ..recovery_plan(step) })
}

fn demotes(step: u64, regions: &[(RegionId, &[PeerId])]) -> Input {
    let demotes = regions.iter().map(|(region, failed)| (*region, failed.to_vec())).collect();
    Input::RecoveryPlan(RecoveryPlan { demotes, ..recovery_plan(step) })
}

/// The store's report with its next heartbeat, if its plan is finished.
fn reported<G: Guards>(cluster: &mut Cluster<G>, store: StoreId) -> Option<StoreReport> {
    let outputs = cluster.outputs(store, Input::StoreHeartbeat).unwrap();
    outputs.into_iter().find_map(|output| match output {
        Output::StoreReport(report) => Some(report),
        _ => None,
    })
}

fn under_way<G: Guards>(cluster: &Cluster<G>, store: StoreId) -> Option<(u64, bool)> {
    cluster.stores[&store].recovery_plan().map(|PlanUnderWay { step, exits }| (step, exits))
}

fn recovery<G: Guards>(cluster: &Cluster<G>, region: RegionId) -> Option<PeerRecovery> {
    cluster.of(1, region).recovery().cloned()
}

fn leads_by_force<G: Guards>(cluster: &Cluster<G>, region: RegionId) -> bool {
    let peer = cluster.of(1, region);
    peer.role() == StateRole::Leader && !peer.failed_stores().is_empty()
}

/// Three voters; the first has led and is the only one left.
fn alone<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 3, &[1, 2, 3]);
    cluster.elect(1);
    cluster.sent.clear();
    cluster
}

#[test]
fn a_store_ordered_to_lead_leads_and_reports() {
    let mut cluster = alone(Sound);
    cluster.propose(1, put("a")).unwrap();
    assert_eq!(reported(&mut cluster, 1), None, "nobody has asked");
    cluster.step(1, Input::RecoveryPlan(recovery_plan(2))).unwrap();
    assert_eq!(under_way(&cluster, 1), Some((2, true)));
    let report = reported(&mut cluster, 1).expect("nothing was to be done");
    let first = &report.peers[0];
    assert_eq!((report.step, first.peer, first.term, first.commit, first.by_force), (2, 1, 6, 6, false));
    let runs = [(5, 5), (7, 6)].map(|(index, term)| Position { index, term });
    assert_eq!((&first.log[..], first.committed()), (&runs[..], Position { index: 6, term: 6 }));
    assert!(first.has(Position { index: 4, term: 4 }) && !first.has(Position { index: 8, term: 6 }));
    assert_eq!(under_way(&cluster, 1), None);
    // It was an elected leader and could not commit. It steps down and campaigns by force.
    cluster.step(1, forces_with(3, &[REGION], &LOST, first.committed())).unwrap();
    assert!(leads_by_force(&cluster, REGION));
    assert_eq!((cluster.peer(1).term(), cluster.peer(1).commit()), (10, 8));
    assert_eq!(cluster.keys(1, REGION), "a");
    let report = reported(&mut cluster, 1).expect("all of it is applied");
    assert!(report.peers[0].by_force && leads_by_force(&cluster, REGION), "it stays for the next plan");
    cluster.step(1, Input::RecoveryPlan(recovery_plan(4))).unwrap();
    let report = reported(&mut cluster, 1).expect("nothing was to be done");
    assert!(!report.peers[0].by_force);
    assert_eq!((cluster.peer(1).role(), cluster.peer(1).term()), (StateRole::Follower, 10));
}

#[test]
fn an_uninitialised_peer_is_reported_without_members() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, change(ChangeKind::AddLearner, 3)).unwrap();
    cluster.deliver();
    cluster.apply(1);
    // A heartbeat creates it, and the log that it would need is lost.
    cluster.step(1, Input::Tick { region: REGION }).unwrap();
    cluster.deliver_only(&[rollcall_impl::eraftpb::MessageType::MsgHeartbeat]);
    assert_eq!(cluster.peer(3).state(), PeerState::Uninitialised);
    cluster.step(3, forces(2, &[REGION], &[1, 2])).unwrap();
    let report = reported(&mut cluster, 3).expect("nothing came of it");
    assert_eq!(report.peers[0].region, Region::unknown(REGION));
    assert_eq!((&report.peers[0].log[..], report.peers[0].by_force), (&[Position::default()][..], false));
}

/// An entry that may merge another region is reported until it is known to be committed.
#[test]
fn a_merge_that_may_be_committed_is_reported() {
    let mut cluster = two(Sound);
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    crate::merge::settle(&mut cluster);
    crate::merge::commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.step(1, Input::RecoveryPlan(recovery_plan(2))).unwrap();
    let report = reported(&mut cluster, 1).expect("nothing was to be done");
    let sources = |report: &StoreReport| -> Vec<Vec<RegionId>> {
        report.peers.iter().map(|peer| peer.sources.iter().copied().collect()).collect()
    };
    assert_eq!(sources(&report), [vec![], vec![LEFT]]);
    cluster.deliver();
    cluster.step(1, Input::RecoveryPlan(recovery_plan(3))).unwrap();
    assert_eq!(reported(&mut cluster, 1), None, "it is committed, and to be applied");
    while apply(&mut cluster, 1, RIGHT).is_ok() {}
    let report = reported(&mut cluster, 1).expect("it is");
    assert_eq!((sources(&report), report.peers.len()), (vec![vec![]], 1));
}

/// Every state of a peer in which it is not forced to lead.
#[test]
fn peers_that_may_not_or_need_not_lead_are_skipped() {
    let mut cluster = alone(Sound);
    // Two of three remain; the region is not here; it lacks a committed entry.
    cluster.step(1, forces(2, &[REGION, 77], &[3])).unwrap();
    assert_eq!((cluster.peer(1).role(), cluster.peer(1).term()), (StateRole::Leader, 6));
    cluster.step(1, forces_with(3, &[REGION], &LOST, Position { index: 7, term: 6 })).unwrap();
    assert!(!leads_by_force(&cluster, REGION));
    assert!(reported(&mut cluster, 1).is_some_and(|report| report.step == 3));
    // A committed change comes first.
    let mut cluster = Cluster::new(Sound, 4, &[1, 2, 3]);
    cluster.elect(1);
    cluster.propose(1, change(ChangeKind::AddLearner, 4)).unwrap();
    cluster.deliver();
    cluster.step(1, forces(2, &[REGION], &LOST)).unwrap();
    assert!(!leads_by_force(&cluster, REGION));
    assert_eq!(reported(&mut cluster, 1), None, "it is to be applied first");
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    assert!(reported(&mut cluster, 1).is_some());
    cluster.step(1, forces(3, &[REGION], &LOST)).unwrap();
    assert!(leads_by_force(&cluster, REGION));
    // It is a forced leader: nothing changes, although other stores are said to have failed.
    let term = cluster.peer(1).term();
    cluster.step(1, forces(4, &[REGION], &[2, 3, 4])).unwrap();
    assert_eq!((cluster.peer(1).term(), cluster.peer(1).failed_stores().len()), (term, 2));
}

/// The plan is finished once the candidate leads or was rejected.
#[test]
fn a_candidate_keeps_its_plan_open() {
    let mut cluster = Cluster::new(Sound, 5, &[1, 2, 3, 4, 5]);
    cluster.elect(1);
    let ahead = cluster.peer(1).last_index();
    cluster.step(1, forces(2, &[REGION], &[3, 4, 5])).unwrap();
    assert_eq!(cluster.peer(1).role(), StateRole::Candidate);
    assert_eq!(reported(&mut cluster, 1), None);
    // Its election times out. It campaigns in a new term, still by force.
    cluster.sent.clear();
    cluster.step(1, Input::Campaign { region: REGION }).unwrap();
    assert_eq!((cluster.peer(1).term(), cluster.peer(1).failed_stores().len()), (11, 3));
    // With another plan it campaigns once more.
    cluster.step(1, forces(3, &[REGION], &[3, 4, 5])).unwrap();
    assert_eq!((cluster.peer(1).term(), cluster.peer(1).last_index()), (12, ahead));
    let asks = |message: &rollcall_impl::Message| message.to.store == 2;
    cluster.sent.retain(asks);
    while let Some(message) = cluster.sent.pop_front() {
        if [1, 2].contains(&message.to.store) {
            let _ = cluster.step(message.to.store, Input::Message(message));
        }
    }
    assert!(leads_by_force(&cluster, REGION));
    assert!(reported(&mut cluster, 1).is_some());
    assert_eq!(cluster.peer(1).commit(), ahead + 1, "store 2 has it");
    // A plan that makes all step down does not wait for a candidate.
    cluster.step(1, Input::ForceLeaderTimeout { region: REGION }).unwrap();
    cluster.step(1, forces(4, &[REGION], &[3, 4, 5])).unwrap();
    cluster.step(1, Input::RecoveryPlan(recovery_plan(5))).unwrap();
    assert_eq!((cluster.peer(1).role(), cluster.peer(1).failed_stores().len()), (StateRole::Candidate, 3));
    let report = reported(&mut cluster, 1).expect("it does not wait");
    assert_eq!((report.step, cluster.peer(1).role()), (5, StateRole::Follower));
    // Its store ends it after a timeout.
    cluster.step(1, forces(6, &[REGION], &[3, 4, 5])).unwrap();
    cluster.step(1, Input::ForceLeaderTimeout { region: REGION }).unwrap();
    assert_eq!((cluster.peer(1).role(), cluster.peer(1).failed_stores().len()), (StateRole::Follower, 0));
    let refused = |cluster: &mut Cluster<Sound>, region| {
        cluster.step(1, Input::ForceLeaderTimeout { region }).unwrap_err()
    };
    assert_eq!(refused(&mut cluster, REGION), Refusal::NotByForce);
    assert_eq!(refused(&mut cluster, 77), Refusal::RegionNotFound);
}

#[test]
fn a_forced_leader_changes_members_and_serves_no_client() {
    let mut cluster = alone(Sound);
    cluster.step(1, forces(2, &[REGION], &LOST)).unwrap();
    let split = Command::Split { children: vec![child("m", 2, &[21, 22, 23])], derive: Derive::Left };
    let commands = [
        put("a"),
        Command::Delete { key: bytes("a") },
        split.clone(),
        Command::CompactLog { index: 6 },
        Command::TransferLeader { to: 2 },
        Command::prepare_merge(Region::unknown(2)),
        Command::commit_merge(2),
    ];
    for command in commands {
        assert_eq!(cluster.propose(1, command), Err(Refusal::RecoveryInProgress));
    }
    // Whatever its epoch.
    let epoch = Some(Epoch::default());
    let stale = Input::Propose { region: REGION, command: put("a"), epoch };
    assert_eq!(cluster.step(1, stale), Err(Refusal::RecoveryInProgress));
    assert_eq!(cluster.propose(1, Command::rollback_merge()), Err(Refusal::NotMerging));
    let (region, key, keys) = (REGION, bytes("a"), vec![bytes("m")]);
    for read in [Input::Read { region, key }, Input::Snap { region }] {
        assert_eq!(cluster.step(1, read), Err(Refusal::RecoveryInProgress));
    }
    let ask = Input::AskSplit { region, keys, derive: Derive::Left, ordered_at: None };
    assert_eq!(cluster.step(1, ask), Err(Refusal::RecoveryInProgress));
    let Command::Split { children, derive } = split else { unreachable!() };
    let epoch = cluster.peer(1).region().epoch;
    let ids = Input::AskSplitResponse { region, epoch, children, derive };
    assert_eq!(cluster.step(1, ids), Err(Refusal::RecoveryInProgress));
    assert_eq!(cluster.outputs(1, Input::SplitCheck { region }), Ok(vec![]));
    let demote = |peer| Change { kind: ChangeKind::AddLearner, peer, store: peer };
    cluster.propose(1, Command::EnterJoint(vec![demote(2), demote(3)])).unwrap();
}

/// One plan at a time: none interrupts a demotion, and none is begun twice.
#[test]
fn a_demotion_is_not_interrupted() {
    let mut cluster = alone(Sound);
    cluster.step(1, forces(2, &[REGION], &LOST)).unwrap();
    assert_eq!(cluster.step(1, forces(2, &[REGION], &LOST)), Err(Refusal::NoEffect));
    cluster.step(1, demotes(3, &[(REGION, &[2, 3]), (77, &[2])])).unwrap();
    assert_eq!(recovery(&cluster, REGION), Some(PeerRecovery::Demotes(vec![])), "both are proposed");
    assert_eq!(cluster.step(1, demotes(3, &[])), Err(Refusal::NoEffect));
    assert_eq!(cluster.step(1, demotes(4, &[])), Err(Refusal::RecoveryInProgress));
    assert_eq!(reported(&mut cluster, 1), None);
    cluster.apply(1);
    assert_eq!((recovery(&cluster, REGION), epoch(&cluster, 1, REGION)), (None, (5, 1)));
    let learners = cluster.peer(1).region().peers.iter().filter(|peer| peer.role == MemberRole::Learner);
    assert_eq!(learners.map(|learner| learner.id).collect::<Vec<_>>(), [2, 3], "they stay, as learners");
    let report = reported(&mut cluster, 1).expect("it is done");
    assert_eq!((report.step, report.peers[0].by_force), (3, false));
    // There is no forced leader any more: nothing is demoted.
    cluster.step(1, demotes(5, &[(REGION, &[2, 3])])).unwrap();
    assert_eq!(recovery(&cluster, REGION), None);
}

/// The region was left joint: that ends first. A failed learner is removed, and a learner that
/// leads becomes a voter.
#[test]
fn a_demotion_leaves_the_joint_configuration_first() {
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    let joint = |roles: [(StoreId, MemberRole); 4]| {
        let mut cluster = Cluster::new(Sound, 1, &[]);
        let member = |(store, role)| Member { id: store, store, role };
        let epoch = Epoch { conf_ver: 7, version: 1 };
        let peers = roles.map(member).into();
        let region = Region { epoch, peers, ..Region::unknown(REGION) };
        cluster.stores.get_mut(&1).unwrap().bootstrap(region).unwrap();
        cluster.step(1, forces(2, &[REGION], &[2, 3, 4])).unwrap();
        assert!(leads_by_force(&cluster, REGION));
        cluster.step(1, demotes(3, &[(REGION, &[2, 3, 4])])).unwrap();
        let mut steps = vec![recovery(&cluster, REGION)];
        while cluster.step(1, Input::Apply { region: REGION }).is_ok() {
            steps.push(recovery(&cluster, REGION));
        }
        let last = cluster.peer(1).region().peers.iter().map(|peer| (peer.id, peer.role));
        (steps, last.collect::<Vec<_>>())
    };
    let wanted = |failed: &[PeerId]| Some(PeerRecovery::Demotes(failed.to_vec()));
    let (steps, last) = joint([(1, Voter), (2, IncomingVoter), (3, DemotingVoter), (4, Voter)]);
    assert_eq!(steps, [wanted(&[2, 3, 4]), wanted(&[]), wanted(&[]), None]);
    assert_eq!(last, [(1, Voter), (2, Learner), (4, Learner)]);
    // It demotes itself by that, and is promoted again.
    let (steps, last) = joint([(1, DemotingVoter), (2, IncomingVoter), (3, Voter), (4, Learner)]);
    assert_eq!(steps, [wanted(&[2, 3, 4]), wanted(&[]), wanted(&[]), None]);
    assert_eq!(last, [(1, Voter), (2, Learner), (3, Learner)]);
    let (steps, last) = joint([(1, Learner), (2, Voter), (3, Voter), (4, Learner)]);
    assert_eq!((steps.len(), last), (3, vec![(1, Voter), (2, Learner), (3, Learner)]));
}

/// A merge that can no longer be committed is rolled back before any voter is demoted. After a
/// refusal, the forced leader stays and waits for the next plan (tikv#15580).
#[test]
fn a_demotion_rolls_a_merge_back_first() {
    fn merging<G: Guards>(guards: G) -> (Cluster<G>, Option<PeerRecovery>) {
        let mut cluster = two(guards);
        prepare(&mut cluster, LEFT, RIGHT).unwrap();
        crate::merge::settle(&mut cluster);
        assert!(is_merging(&cluster, 1, LEFT));
        let committed = |region| {
            let peer = cluster.of(1, region);
            Position { index: peer.commit(), term: peer.term() }
        };
        let order = |region| (region, ForceLeader { above: 9, committed: committed(region) });
        let regions = [LEFT, RIGHT].map(order).into();
        let force_leaders = Some(ForceLeaders { failed_stores: LOST.into(), regions });
        let forces = RecoveryPlan { force_leaders, ..recovery_plan(2) };
        cluster.step(1, Input::RecoveryPlan(forces)).unwrap();
        cluster.step(1, demotes(3, &[(LEFT, &[2, 3]), (RIGHT, &[22, 23])])).unwrap();
        // The target is unchanged: the source cannot know that it will not be merged.
        assert_eq!(recovery(&cluster, LEFT), Some(PeerRecovery::Failed));
        while apply(&mut cluster, 1, RIGHT).is_ok() {}
        let report = reported(&mut cluster, 1).expect("one is done, and one has failed");
        assert_eq!(report.peers.iter().map(|peer| peer.by_force).collect::<Vec<_>>(), [true, false]);
        cluster.step(1, demotes(4, &[(LEFT, &[2, 3])])).unwrap();
        let next = recovery(&cluster, LEFT);
        (cluster, next)
    }
    let (mut cluster, next) = merging(Sound);
    assert_eq!(next, Some(PeerRecovery::Demotes(vec![2, 3])));
    apply(&mut cluster, 1, LEFT).unwrap();
    assert_eq!((is_merging(&cluster, 1, LEFT), recovery(&cluster, LEFT)), {
        (false, Some(PeerRecovery::Demotes(vec![])))
    });
    while apply(&mut cluster, 1, LEFT).is_ok() {}
    assert!(reported(&mut cluster, 1).is_some_and(|report| !report.peers[0].by_force));
    let (_, next) = merging(Dropped(Guard::ForceRollsBack));
    assert_eq!(next, Some(PeerRecovery::Failed));
}

/// The next plan forgets the failure. A failed forced leader steps down after its own timeout.
#[test]
fn one_that_failed_leads_on() {
    let mut cluster = Cluster::new(Sound, 5, &[1, 2, 3, 4, 5]);
    cluster.step(1, forces(2, &[REGION], &[3, 4, 5])).unwrap();
    let between = |message: &rollcall_impl::Message| [1, 2].contains(&message.to.store);
    while let Some(message) = cluster.sent.pop_front() {
        if between(&message) && cluster.peer(1).role() != StateRole::Leader {
            let _ = cluster.step(message.to.store, Input::Message(message));
        }
    }
    assert!(leads_by_force(&cluster, REGION));
    // Store 2 has not acknowledged the leader's first entry: no change may be proposed.
    cluster.step(1, demotes(3, &[(REGION, &[3, 4, 5])])).unwrap();
    assert_eq!(recovery(&cluster, REGION), Some(PeerRecovery::Failed));
    assert_eq!(reported(&mut cluster, 1), None, "not all that it has is applied");
    cluster.step(1, Input::RecoveryPlan(recovery_plan(4))).unwrap();
    assert_eq!(recovery(&cluster, REGION), None);
    cluster.step(1, demotes(5, &[(REGION, &[3, 4, 5])])).unwrap();
    cluster.step(1, Input::ForceLeaderTimeout { region: REGION }).unwrap();
    assert_eq!((cluster.peer(1).role(), recovery(&cluster, REGION)), (StateRole::Follower, None));
}

/// A new region is created if its range is free, and skipped otherwise; it is durable.
#[test]
fn an_empty_region_is_created_where_its_range_is_free() {
    let empty = |id, range: (&str, &str), store| {
        let peers = vec![Member { id: id + 1, store, role: MemberRole::Voter }];
        let (start, end) = (bytes(range.0), bytes(range.1));
        Region { id, start, end, epoch: Epoch { conf_ver: 1, version: 1 }, peers }
    };
    let creates =
        |step, creates: Vec<Region>| Input::RecoveryPlan(RecoveryPlan { creates, ..recovery_plan(step) });
    let mut cluster = Cluster::new(Sound, 1, &[]);
    let two = vec![empty(50, ("", "m"), 1), empty(52, ("f", ""), 1), empty(54, ("m", ""), 2)];
    cluster.step(1, creates(2, two)).unwrap();
    assert_eq!(cluster.ranges(1), "[,m)=50", "the second overlaps it, the third is another store's");
    let peer = cluster.of(1, 50);
    assert_eq!((peer.id(), peer.term(), peer.commit(), peer.applied()), (51, 5, 5, 5));
    assert_eq!(peer.truncated(), INITIAL_POSITION);
    // It exists already; its plan was sent again.
    cluster.step(1, creates(3, vec![empty(50, ("", "m"), 1), empty(52, ("m", ""), 1)])).unwrap();
    assert_eq!(cluster.ranges(1), "[,m)=50 [m,)=52");
    let report = reported(&mut cluster, 1).expect("they are made");
    assert_eq!(report.peers.iter().map(|peer| peer.peer).collect::<Vec<_>>(), [51, 53]);
    // Peers whose range other regions have are destroyed, and stay destroyed.
    let tombstones = [50, 77].into();
    cluster.step(1, Input::RecoveryPlan(RecoveryPlan { tombstones, ..recovery_plan(4) })).unwrap();
    assert_eq!(cluster.ranges(1), "[m,)=52");
    cluster.step(1, creates(5, vec![empty(50, ("", "m"), 1)])).unwrap();
    cluster.restart(Sound, 1);
    assert_eq!((under_way(&cluster, 1), cluster.ranges(1).as_str()), (None, "[m,)=52"));
    let gone = cluster.stores[&1].tombstone(50).expect("a tombstone");
    assert_eq!((gone.id, gone.region), (51, &empty(50, ("", "m"), 1)));
    cluster.step(1, Input::Campaign { region: 52 }).unwrap();
    assert_eq!(cluster.of(1, 52).role(), StateRole::Leader);
}

/// A pending snapshot reserves its range, and must be applied first.
#[test]
fn a_snapshot_that_waits_keeps_its_range_and_its_plan() {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, change(ChangeKind::AddLearner, 3)).unwrap();
    cluster.deliver();
    cluster.apply(1);
    for _ in 0..3 {
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.deliver();
    }
    assert!(cluster.peer(3).staged().is_some());
    let peers = vec![Member { id: 51, store: 3, role: MemberRole::Voter }];
    let empty = Region { epoch: Epoch { conf_ver: 1, version: 1 }, peers, ..Region::unknown(50) };
    let creates = vec![empty];
    cluster.step(3, Input::RecoveryPlan(RecoveryPlan { creates, ..recovery_plan(2) })).unwrap();
    assert!(cluster.stores[&3].peer(50).is_none());
    assert_eq!(reported(&mut cluster, 3), None);
    cluster.step(3, forces(3, &[REGION], &[1, 2])).unwrap();
    assert!(cluster.peer(3).failed_stores().is_empty());
    cluster.step(3, Input::ApplySnapshot { region: REGION }).unwrap();
    let report = reported(&mut cluster, 3).expect("it has taken effect");
    assert_eq!((report.step, report.peers[0].region.peers.len()), (3, 3));
}

/// A crash at any point loses the plan.
#[test]
fn a_crash_loses_the_plan_and_the_forced_leader() {
    let mut cluster = alone(Sound);
    cluster.step(1, forces(2, &[REGION], &LOST)).unwrap();
    cluster.step(1, demotes(3, &[(REGION, &[2, 3])])).unwrap();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    cluster.restart(Sound, 1);
    let peer = cluster.peer(1);
    assert_eq!((under_way(&cluster, 1), peer.role(), peer.recovery()), (None, StateRole::Follower, None));
    assert!(peer.failed_stores().is_empty() && peer.region().is_joint());
    assert_eq!(reported(&mut cluster, 1), None);
    // What it committed by force stays committed: it continues where it was.
    let last = Position { index: cluster.peer(1).last_index(), term: cluster.peer(1).term() };
    assert_eq!(cluster.peer(1).commit(), last.index);
    cluster.apply(1);
    assert_eq!(epoch(&cluster, 1, REGION), (5, 1));
}
