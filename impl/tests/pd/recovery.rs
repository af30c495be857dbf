//! PD's side of an unsafe recovery: reports and plans.

use rollcall_impl::pd::{
    AdminOperator, OperatorEnd, PdConfig, PdEngine, PdInput, PdOutput, PdRefusal, Recovery, RecoveryStage,
};
use rollcall_impl::{
    Derive, Dropped, ForceLeader, ForceLeaders, Guard, Guards, MemberRole, PeerReport, Position,
    RecoveryPlan, Region, RegionId, Sound, StoreId, StoreReport,
};

use crate::cluster::{EMPTY, Pd, REGION, key, pd, pd_of, refused, region, report};

/// The report of the region's peer on a store. All entries but the last are known to be committed.
pub(crate) fn peer(region: &Region, store: StoreId, last: (u64, u64)) -> PeerReport {
    let (index, term) = last;
    let discarded = Position { index: 5, term: 5 };
    PeerReport {
        peer: region.member_on(store).expect("a member").id,
        region: region.clone(),
        term,
        log: vec![discarded, Position { index: 6, term: 6 }, Position { index, term }],
        commit: 6,
        by_force: false,
        sources: [].into(),
    }
}

fn by_force(report: PeerReport) -> PeerReport {
    PeerReport { by_force: true, ..report }
}

fn taking(sources: &[RegionId], report: PeerReport) -> PeerReport {
    PeerReport { sources: sources.iter().copied().collect(), ..report }
}

/// Voters on all stores; those in `gone` are disconnected and declared failed.
pub(crate) fn begun<G: Guards>(guards: G, stores: u64, gone: &[StoreId]) -> Pd<G> {
    let voters: Vec<StoreId> = (1..=stores).collect();
    let mut pd = pd_of(guards, PdConfig::DEFAULT, stores, &voters);
    silent(&mut pd, gone);
    pd.step(gives_up(gone)).unwrap();
    pd
}

fn silent<G: Guards>(pd: &mut Pd<G>, stores: &[StoreId]) {
    for store in stores {
        pd.step(PdInput::MissedHeartbeat { store: *store }).unwrap();
    }
}

fn gives_up(stores: &[StoreId]) -> PdInput {
    PdInput::RemoveFailedStores { stores: stores.iter().copied().collect() }
}

/// The store's heartbeat reports that it has carried out the step's plan. Returns the new stage and
/// the next plan.
fn lives<G: Guards>(
    pd: &mut Pd<G>,
    store: StoreId,
    report: Option<StoreReport>,
) -> (Option<RecoveryStage>, Option<RecoveryPlan>) {
    let outputs = pd.step(PdInput::StoreHeartbeat { store, stats: EMPTY, report }).unwrap();
    let stage = outputs.iter().find_map(|output| match output {
        PdOutput::RecoveryStage(stage) => Some(*stage),
        _ => None,
    });
    let plan = outputs.iter().find_map(|output| match output {
        PdOutput::RecoveryPlan { plan, .. } => Some(plan.clone()),
        _ => None,
    });
    (stage, plan)
}

pub(crate) fn reports<G: Guards>(
    pd: &mut Pd<G>,
    store: StoreId,
    peers: Vec<PeerReport>,
) -> Option<RecoveryStage> {
    let step = pd.recovery_step();
    lives(pd, store, Some(StoreReport { step, peers })).0
}

fn under_way<G: Guards>(pd: &Pd<G>) -> &Recovery {
    pd.recovery().expect("is under way")
}

fn plan<G: Guards>(pd: &Pd<G>, store: StoreId) -> &RecoveryPlan {
    let plan = &under_way(pd).plans[&store];
    assert_eq!(plan.step, pd.recovery_step());
    plan
}

/// The regions whose leaders the store must force.
fn forced<G: Guards>(pd: &Pd<G>, store: StoreId) -> Vec<RegionId> {
    plan(pd, store).force_leaders.as_ref().expect("forces some").regions.keys().copied().collect()
}

fn whole(conf_ver: u64, version: u64, stores: &[StoreId]) -> Region {
    region(REGION, ("", ""), (conf_ver, version), stores)
}

#[test]
fn an_invalid_recovery_command_is_refused_and_buries_no_store() {
    let mut pd = pd(4, &[1, 2, 3]);
    silent(&mut pd, &[3]);
    assert_eq!(refused(&mut pd, gives_up(&[])), PdRefusal::NoStoreSpecified);
    assert_eq!(refused(&mut pd, gives_up(&[3, 9])), PdRefusal::StoreNotFound);
    assert_eq!(refused(&mut pd, gives_up(&[2, 3])), PdRefusal::StoreConnected);
    assert_eq!(refused(&mut pd, PdInput::RecoveryTimeout), PdRefusal::NoRecovery);
    // A leaving store that is physically destroyed is not asked for a report either.
    pd.step(PdInput::Decommission { store: 4, force: true }).unwrap();
    pd.step(gives_up(&[3])).unwrap();
    assert_eq!(under_way(&pd).reports.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((under_way(&pd).began, pd.recovery_step()), (1, 2));
    assert_eq!(refused(&mut pd, gives_up(&[])), PdRefusal::RecoveryRunning);
    // The patrol pauses and splits are refused; region heartbeats are accepted.
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::RecoveryRunning);
    let ask =
        PdInput::AskSplit { region: whole(1, 1, &[1, 2, 3]), keys: vec![key("m")], derive: Derive::Left };
    assert_eq!(refused(&mut pd, ask), PdRefusal::RecoveryRunning);
    report(&mut pd, whole(2, 1, &[1, 2, 3]), 2);
    assert_eq!(pd.region(REGION).and_then(|known| known.leader), Some(20));
}

/// The best remaining peer is to lead. A store without a task gets a plan that keeps its forced
/// leaders.
#[test]
fn a_region_is_led_demoted_and_let_go() {
    let mut pd = begun(Sound, 5, &[3, 4, 5]);
    let region = whole(1, 1, &[1, 2, 3, 4, 5]);
    let nothing = RecoveryPlan { step: 2, ..RecoveryPlan::default() };
    assert_eq!(lives(&mut pd, 1, None), (None, Some(nothing.clone())));
    assert_eq!(lives(&mut pd, 1, None), (None, Some(nothing)), "as often as it asks");
    assert_eq!(reports(&mut pd, 1, vec![peer(&region, 1, (8, 7))]), None);
    assert_eq!(lives(&mut pd, 1, None), (None, None), "it has reported");
    let stage = reports(&mut pd, 2, vec![peer(&region, 2, (9, 6))]);
    assert_eq!((stage, pd.recovery_step()), (Some(RecoveryStage::ForceLeader), 3));
    let step = ForceLeader { above: 7, committed: Position { index: 6, term: 6 } };
    let forces = ForceLeaders { failed_stores: [3, 4, 5].into(), regions: [(REGION, step)].into() };
    assert_eq!(plan(&pd, 1).force_leaders, Some(forces), "the newer term is the better log");
    assert_eq!(plan(&pd, 2).force_leaders, Some(ForceLeaders::default()));
    assert!(under_way(&pd).reports.values().all(Option::is_none));

    reports(&mut pd, 1, vec![by_force(peer(&region, 1, (9, 8)))]);
    let stage = reports(&mut pd, 2, vec![peer(&region, 2, (9, 8))]);
    assert_eq!(stage, Some(RecoveryStage::DemoteFailedVoter));
    assert_eq!(plan(&pd, 1).demotes, [(REGION, vec![30, 40, 50])].into());
    assert_eq!(under_way(&pd).plans.len(), 1);
    // Regions that were reported meanwhile are dropped at the end as well.
    assert_eq!((pd.regions().count(), pd.relearns()), (0, true));
    report(&mut pd, region.clone(), 1);
    assert_eq!((pd.regions().count(), pd.relearns()), (1, false));
    let done = whole(4, 1, &[1, 2]);
    reports(&mut pd, 2, vec![peer(&done, 2, (12, 8))]);
    assert_eq!(reports(&mut pd, 1, vec![peer(&done, 1, (12, 8))]), Some(RecoveryStage::Finished));
    assert!(pd.recovery().is_none());
    assert_eq!((pd.regions().count(), pd.relearns(), pd.recovery_step()), (0, true, 5));
}

/// PD reports the regions that it drops, and their operators end.
#[test]
fn dropped_regions_take_their_operators_with_them() {
    let mut pd = pd(3, &[1, 2, 3]);
    let region = whole(1, 1, &[1, 2, 3]);
    report(&mut pd, region.clone(), 1);
    let operator = AdminOperator::TransferLeader { store: 2 };
    pd.step(PdInput::AddOperator { region: REGION, operator }).unwrap();
    silent(&mut pd, &[2, 3]);
    pd.step(gives_up(&[2, 3])).unwrap();
    assert_eq!(pd.operators().count(), 1, "collecting reports drops nothing");
    let report = StoreReport { step: 2, peers: vec![peer(&region, 1, (8, 7))] };
    let outputs = pd.step(PdInput::StoreHeartbeat { store: 1, stats: EMPTY, report: Some(report) }).unwrap();
    let is_displaced = |output: &PdOutput| matches!(output, PdOutput::RegionDisplaced { region: REGION });
    let is_ended =
        |output: &PdOutput| matches!(output, PdOutput::OperatorEnded { end: OperatorEnd::RegionGone, .. });
    assert!(outputs.iter().any(is_displaced) && outputs.iter().any(is_ended), "{outputs:?}");
    assert_eq!((pd.operators().count(), pd.regions().count()), (0, 0));
}

/// At the end only remaining forced leaders get a plan: to step down.
#[test]
fn unneeded_forced_leaders_step_down() {
    let mut pd = begun(Sound, 5, &[5]);
    let region = whole(1, 1, &[1, 2, 3, 4, 5]);
    for store in 2..=4 {
        reports(&mut pd, store, vec![peer(&region, store, (8, 7))]);
    }
    let stage = reports(&mut pd, 1, vec![by_force(peer(&region, 1, (8, 7)))]);
    assert_eq!(stage, Some(RecoveryStage::ExitForceLeader));
    let exits = RecoveryPlan { step: 3, ..RecoveryPlan::default() };
    assert_eq!(under_way(&pd).plans, [(1, exits)].into());
    for store in 1..=3 {
        reports(&mut pd, store, vec![peer(&region, store, (8, 7))]);
    }
    assert_eq!(reports(&mut pd, 4, vec![]), Some(RecoveryStage::Finished));
}

#[test]
fn a_report_of_another_step_is_none() {
    let mut pd = begun(Sound, 3, &[3]);
    let region = whole(1, 1, &[1, 2, 3]);
    for step in [1, 3] {
        let stale = StoreReport { step, peers: vec![peer(&region, 1, (8, 7))] };
        let (stage, plan) = lives(&mut pd, 1, Some(stale));
        assert_eq!((stage, plan.map(|plan| plan.step)), (None, Some(2)));
    }
    assert_eq!(under_way(&pd).reports[&1], None);
    // Of two reports of this store the later counts.
    reports(&mut pd, 1, vec![peer(&region, 1, (8, 7))]);
    reports(&mut pd, 1, vec![peer(&region, 1, (9, 7))]);
    assert_eq!(under_way(&pd).reports[&1].as_ref().map(|peers| peers[0].last().index), Some(9));
    // PD does not wait for a store that joined later.
    pd.step(PdInput::AddStore { store: 9 }).unwrap();
    assert_eq!(lives(&mut pd, 9, None), (None, None));
    let stage = reports(&mut pd, 2, vec![]);
    assert_eq!((stage, pd.regions().count()), (Some(RecoveryStage::Finished), 1), "nothing was done");
}

/// tikv#12627: the target may have committed the merge, and its source waits until that is known.
/// One replica's report is enough.
#[test]
fn a_possibly_committed_merge_is_forced_first() {
    let target = region(7, ("", "m"), (3, 4), &[1, 2, 3, 4]);
    let source = region(8, ("m", ""), (3, 4), &[1, 2, 3, 4]);
    let left = |store| vec![peer(&target, store, (8, 7)), peer(&source, store, (8, 7))];
    let behind = |store| vec![taking(&[8], peer(&target, store, (8, 7))), peer(&source, store, (8, 7))];
    let mut pd = begun(Sound, 4, &[3, 4]);
    reports(&mut pd, 1, left(1));
    let stage = reports(&mut pd, 2, behind(2));
    assert_eq!(stage, Some(RecoveryStage::ForceLeaderForCommitMerge));
    assert_eq!((forced(&pd, 1), forced(&pd, 2)), (vec![7], vec![]));
    // The target leads and knows that the merge is committed. Now the source can be led.
    let led = vec![by_force(peer(&target, 1, (9, 8))), peer(&source, 1, (8, 7))];
    reports(&mut pd, 1, led);
    assert_eq!(reports(&mut pd, 2, left(2)), Some(RecoveryStage::ForceLeader));
    assert_eq!((forced(&pd, 1), forced(&pd, 2)), (vec![8], vec![]));

    let mut careless = begun(Dropped(Guard::ForceTargetFirst), 4, &[3, 4]);
    reports(&mut careless, 1, left(1));
    assert_eq!(reports(&mut careless, 2, behind(2)), Some(RecoveryStage::ForceLeader));
    assert_eq!(forced(&careless, 1), [7, 8]);
}

/// A learner has the committed entry, and a voter has a newer one in its place: no peer can lead
/// the target. Target and source are left; the others continue.
#[test]
fn a_region_without_an_electable_peer_is_left_with_its_sources() {
    let mut target = region(7, ("", "f"), (3, 4), &[1, 2, 3, 4]);
    target.peers[0].role = MemberRole::Learner;
    let source = region(8, ("f", "m"), (3, 4), &[1, 2, 3, 4]);
    let other = region(9, ("m", ""), (3, 4), &[1, 2, 3, 4]);
    let knows = PeerReport { commit: 8, ..taking(&[8], peer(&target, 1, (8, 6))) };
    let newer = PeerReport {
        log: [(5, 5), (7, 6), (8, 7)].map(|(index, term)| Position { index, term }).into(),
        ..peer(&target, 2, (8, 7))
    };
    let beside = |store| [&source, &other].map(|region| peer(region, store, (8, 7)));
    let mut pd = begun(Sound, 4, &[3, 4]);
    reports(&mut pd, 1, std::iter::once(knows.clone()).chain(beside(1)).collect());
    let stage = reports(&mut pd, 2, std::iter::once(newer.clone()).chain(beside(2)).collect());
    assert_eq!(stage, Some(RecoveryStage::ForceLeader));
    assert_eq!((forced(&pd, 1), forced(&pd, 2)), (vec![9], vec![]));
    // Once the other region is done, nothing more can be done.
    let mut led = |led: PeerReport, done: Region| {
        reports(&mut pd, 1, vec![knows.clone(), peer(&source, 1, (8, 7)), led]);
        let rest = [peer(&source, 2, (8, 7)), peer(&done, 2, (8, 7))];
        reports(&mut pd, 2, std::iter::once(newer.clone()).chain(rest).collect())
    };
    assert_eq!(led(by_force(peer(&other, 1, (9, 8))), other.clone()), Some(RecoveryStage::DemoteFailedVoter));
    let done = region(9, ("m", ""), (5, 4), &[1, 2]);
    assert_eq!(led(peer(&done, 1, (9, 8)), done.clone()), Some(RecoveryStage::Finished));
}

/// PD `getFailedPeers`: if the remaining voters are a majority after the joint configuration, none
/// is demoted. Failed learners are removed with the others.
#[test]
fn failed_members_of_a_joint_region() {
    let demoted = |roles: &[(usize, MemberRole)]| {
        let mut pd = begun(Sound, 5, &[4, 5]);
        let mut region = whole(5, 1, &[1, 2, 3, 4, 5]);
        roles.iter().for_each(|(at, role)| region.peers[*at].role = *role);
        for store in [2, 3] {
            reports(&mut pd, store, vec![peer(&region, store, (8, 7))]);
        }
        reports(&mut pd, 1, vec![by_force(peer(&region, 1, (8, 7)))]);
        let stage = under_way(&pd).stage;
        (stage, under_way(&pd).plans.get(&1).and_then(|plan| plan.demotes.get(&REGION).cloned()))
    };
    use MemberRole::{DemotingVoter, IncomingVoter, Learner};
    let demotes = |failed: &[u64]| (RecoveryStage::DemoteFailedVoter, Some(failed.to_vec()));
    assert_eq!(demoted(&[]), (RecoveryStage::ExitForceLeader, None), "three of five are left");
    // The outgoing half has lost its majority, and the incoming half has not.
    let outgoing = [(1, IncomingVoter), (2, IncomingVoter), (3, DemotingVoter), (4, DemotingVoter)];
    assert_eq!(demoted(&outgoing), demotes(&[]));
    let incoming = [(1, DemotingVoter), (2, DemotingVoter), (3, IncomingVoter), (4, IncomingVoter)];
    assert_eq!(demoted(&incoming), demotes(&[40, 50]));
    assert_eq!(demoted(&[(1, Learner), (2, Learner), (4, Learner)]), demotes(&[40, 50]));
}

/// A member that its store does not report is removed with the failed ones. A reported one stays,
/// even uninitialised.
#[test]
fn a_forced_leader_removes_unreported_members() {
    let demoted = |on_2: Option<PeerReport>| {
        let mut pd = begun(Sound, 5, &[3, 4, 5]);
        reports(&mut pd, 1, vec![by_force(peer(&whole(1, 1, &[1, 2, 3, 4, 5]), 1, (8, 7)))]);
        assert_eq!(reports(&mut pd, 2, on_2.into_iter().collect()), Some(RecoveryStage::DemoteFailedVoter));
        plan(&pd, 1).demotes[&REGION].clone()
    };
    let empty = |id| PeerReport { region: Region::unknown(id), ..peer(&whole(1, 1, &[2]), 2, (0, 0)) };
    assert_eq!(demoted(None), [20, 30, 40, 50]);
    assert_eq!(demoted(Some(empty(77))), [20, 30, 40, 50]);
    assert_eq!(demoted(Some(empty(REGION))), [30, 40, 50]);
}

/// Store 1 has not applied the merge that destroyed the region, and needs the peer for it.
#[test]
fn a_peer_that_may_be_taken_in_stays() {
    let source = region(8, ("m", ""), (2, 3), &[1, 2, 3, 4]);
    let (target, merged) =
        (region(7, ("", "m"), (1, 2), &[1, 2, 3, 4]), region(7, ("", ""), (1, 4), &[1, 2, 3, 4]));
    let displaced = |on_1: &Region| {
        let mut pd = begun(Sound, 4, &[3, 4]);
        reports(&mut pd, 2, vec![by_force(peer(&merged, 2, (9, 8)))]);
        reports(&mut pd, 1, vec![peer(on_1, 1, (8, 7)), peer(&source, 1, (8, 7))]);
        assert_eq!(plan(&pd, 2).demotes.len(), 1);
        under_way(&pd).plans.get(&1).map(|plan| plan.tombstones.clone())
    };
    assert_eq!(displaced(&target), None);
    assert_eq!(displaced(&merged), Some([8].into()), "it is past that");
}

/// Among overlapping regions the newest counts. A peer of an older one is destroyed if its region
/// cannot continue by itself, and so is an uninitialised peer.
#[test]
fn a_peer_whose_range_others_have_taken_is_destroyed() {
    let mut pd = begun(Sound, 5, &[3, 4, 5]);
    let newest = region(7, ("", ""), (1, 9), &[1, 2]);
    let lost = region(8, ("m", ""), (1, 8), &[1, 3, 4]);
    let alive = region(9, ("", "m"), (1, 8), &[1, 2, 3]);
    let empty = PeerReport { region: Region::unknown(6), log: vec![], ..peer(&newest, 1, (8, 7)) };
    let on_1 = [&newest, &lost, &alive].map(|region| peer(region, 1, (8, 7)));
    reports(&mut pd, 1, std::iter::once(empty).chain(on_1).collect());
    let stage = reports(&mut pd, 2, vec![peer(&newest, 2, (8, 7))]);
    assert_eq!(stage, Some(RecoveryStage::DemoteFailedVoter));
    assert_eq!((&plan(&pd, 1).tombstones, plan(&pd, 1).demotes.len()), (&[6, 8].into(), 0));
    assert!(plan(&pd, 1).force_leaders.is_none());
}

/// A region may have had no leader when leaders were forced, for example because it was split off
/// later. It is checked again before regions are created.
#[test]
fn a_region_split_off_since_is_led_as_well() {
    let mut pd = begun(Sound, 3, &[2, 3]);
    let (left, right) = (region(7, ("", "m"), (1, 2), &[1, 2, 3]), region(8, ("m", ""), (1, 2), &[1, 2, 3]));
    reports(&mut pd, 1, vec![peer(&left, 1, (8, 7))]);
    assert_eq!(forced(&pd, 1), [7]);
    reports(&mut pd, 1, vec![by_force(peer(&left, 1, (9, 8)))]);
    let done = region(7, ("", "m"), (3, 2), &[1]);
    let stage = reports(&mut pd, 1, vec![peer(&done, 1, (11, 8)), peer(&right, 1, (8, 7))]);
    assert_eq!((stage, forced(&pd, 1)), (Some(RecoveryStage::ForceLeader), vec![8]));
    // A region without a leader gets its plan again as long as PD waits.
    let stage = reports(&mut pd, 1, vec![peer(&done, 1, (11, 8)), peer(&right, 1, (8, 7))]);
    assert_eq!((stage, pd.recovery_step()), (Some(RecoveryStage::ForceLeader), 6));
}

/// The holes in the key space, each with its neighbour's store.
#[test]
fn holes_are_filled_with_ids_in_order() {
    let mut pd = begun(Sound, 5, &[3, 4, 5]);
    let next = pd.next_id();
    let (first, second) = (region(7, ("b", "d"), (1, 2), &[1]), region(8, ("f", "h"), (1, 2), &[2]));
    reports(&mut pd, 1, vec![peer(&first, 1, (8, 7))]);
    let stage = reports(&mut pd, 2, vec![peer(&second, 2, (8, 7))]);
    assert_eq!(stage, Some(RecoveryStage::CreateEmptyRegion));
    let made = |at: u64, range: (&str, &str), store| {
        let mut made = region(next + 2 * at, range, (1, 1), &[store]);
        made.peers[0].id = next + 2 * at + 1;
        made
    };
    assert_eq!(plan(&pd, 1).creates, [made(0, ("", "b"), 1)]);
    assert_eq!(plan(&pd, 2).creates, [made(1, ("d", "f"), 2), made(2, ("h", ""), 2)]);
    assert_eq!(pd.next_id(), next + 6);
    let all: Vec<PeerReport> = plan(&pd, 2).creates.iter().map(|made| peer(made, 2, (8, 7))).collect();
    let filled = plan(&pd, 1).creates[0].clone();
    reports(&mut pd, 1, vec![peer(&filled, 1, (8, 7)), peer(&first, 1, (8, 7))]);
    let rest = all.into_iter().chain([peer(&second, 2, (8, 7))]).collect();
    assert_eq!(reports(&mut pd, 2, rest), Some(RecoveryStage::Finished));

    // If no region exists, the first store gets the whole key space.
    let mut pd = begun(Sound, 3, &[1]);
    reports(&mut pd, 2, vec![]);
    assert_eq!(reports(&mut pd, 3, vec![]), Some(RecoveryStage::CreateEmptyRegion));
    let creates = &plan(&pd, 2).creates;
    assert_eq!((creates.len(), creates[0].start.len(), creates[0].end.len()), (1, 0, 0));
}

/// A peer that is older than its neighbours reaches into the hole. PD cannot know who owns those
/// keys, and the recovery fails. The ids are used up.
#[test]
fn a_hole_that_a_peer_reaches_into_ends_the_recovery() {
    let mut pd = begun(Sound, 5, &[3, 4, 5]);
    let next = pd.next_id();
    let newest = region(7, ("", "m"), (1, 9), &[1, 2]);
    // It can elect a leader, so it is not destroyed.
    let older = region(8, ("f", ""), (1, 2), &[1, 2, 3]);
    let left = |store| [&newest, &older].map(|region| peer(region, store, (8, 7))).into();
    reports(&mut pd, 1, left(1));
    assert_eq!(reports(&mut pd, 2, left(2)), Some(RecoveryStage::ExitForceLeader));
    assert!(under_way(&pd).aborted && under_way(&pd).plans.is_empty());
    assert_eq!((pd.next_id(), pd.regions().count()), (next + 2, 1));
    // Both get the plan nevertheless, and report once more.
    let nothing = RecoveryPlan { step: 3, ..RecoveryPlan::default() };
    assert_eq!(lives(&mut pd, 1, None), (None, Some(nothing)));
    reports(&mut pd, 1, left(1));
    assert_eq!(reports(&mut pd, 2, left(2)), Some(RecoveryStage::Failed));
    assert_eq!((pd.recovery(), pd.regions().count(), pd.relearns()), (None, 1, false));
}

/// A timeout: forced leaders must step down, and PD waits for the reports once more.
#[test]
fn a_recovery_that_takes_too_long_fails() {
    let mut pd = begun(Sound, 3, &[2, 3]);
    let region = whole(1, 1, &[1, 2, 3]);
    reports(&mut pd, 1, vec![peer(&region, 1, (8, 7))]);
    let stage = |outputs: Vec<PdOutput>| match &outputs[..] {
        [PdOutput::RecoveryStage(stage)] => *stage,
        other => panic!("{other:?}"),
    };
    assert_eq!(stage(pd.step(PdInput::RecoveryTimeout).unwrap()), RecoveryStage::ExitForceLeader);
    assert_eq!(pd.recovery_step(), 4);
    // A forced leader that has done its part gets the plan again.
    let led = || vec![by_force(peer(&region, 1, (9, 8)))];
    assert_eq!(reports(&mut pd, 1, led()), Some(RecoveryStage::ExitForceLeader));
    assert_eq!(plan(&pd, 1), &RecoveryPlan { step: 5, ..RecoveryPlan::default() });
    assert_eq!(stage(pd.step(PdInput::RecoveryTimeout).unwrap()), RecoveryStage::Failed);
    assert_eq!((pd.recovery(), pd.recovery_step()), (None, 6));
    // Another recovery may begin, and continues the count of steps.
    pd.step(gives_up(&[2, 3])).unwrap();
    assert_eq!((under_way(&pd).began, pd.recovery_step()), (7, 8));
}

/// A new PD has no recovery, and ignores the reports of the old one.
#[test]
fn a_restart_forgets_the_recovery_and_keeps_the_step() {
    let mut pd = begun(Sound, 3, &[2, 3]);
    let region = whole(1, 1, &[1, 2, 3]);
    reports(&mut pd, 1, vec![peer(&region, 1, (8, 7))]);
    let mut pd = pd.restart().unwrap();
    assert_eq!((pd.recovery(), pd.recovery_step()), (None, 3));
    assert_eq!(pd.engine().load().unwrap().recovery_step, 3);
    assert_eq!(lives(&mut pd, 1, None), (None, None));
    pd.step(gives_up(&[2, 3])).unwrap();
    let old = StoreReport { step: 3, peers: vec![by_force(peer(&region, 1, (9, 8)))] };
    assert_eq!(lives(&mut pd, 1, Some(old)).0, None);
    assert_eq!((under_way(&pd).began, pd.recovery_step()), (4, 5));
}
