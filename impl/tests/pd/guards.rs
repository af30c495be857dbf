//! The placement driver's guards over records, reports and operators: each holds in the sound PD,
//! and dropping it does harm. Guards over plans are in `guards_of_plans.rs`.

use std::collections::BTreeSet;

use rollcall_impl::pd::{
    AdminOperator, OperatorEnd, PdConfig, PdInput, PdOutput, PdRefusal, Purpose, RecoveryStage, Standing,
    StoreState, force_leader,
};
use rollcall_impl::{
    ChangeKind, Command, Decider, Dropped, Guard, Guards, MemberRole, PeerReport, Position, RegionId, Sound,
};

use crate::cluster::{
    EMPTY, Pd, REGION, Truth, command, decommission, dispatched, key, pd_of, region, report, reported,
    schedule, state, store_heartbeat,
};
use crate::recovery::{begun, peer, reports};

/// PD with `stores` stores, and a region on the first three.
pub(crate) fn pd<G: Guards>(guards: G, stores: u64) -> Pd<G> {
    pd_of(guards, Default::default(), stores, &[1, 2, 3])
}

/// The outputs of an input, or the reason why it is refused.
pub(crate) fn step<G: Guards>(pd: &mut Pd<G>, input: PdInput) -> Result<Vec<PdOutput>, PdRefusal> {
    pd.step(input).map_err(|error| error.refusal().expect("is refused, and did not fail"))
}

pub(crate) fn admin(operator: AdminOperator) -> PdInput {
    PdInput::AddOperator { region: REGION, operator }
}

#[test]
fn every_guard_of_the_pd_has_a_test_of_its_name() {
    let sources = [include_str!("guards.rs"), include_str!("guards_of_plans.rs")].concat();
    let tests: BTreeSet<&str> =
        sources.split("#[test]\nfn ").skip(1).filter_map(|test| test.split('(').next()).collect();
    let of_pd = Guard::ALL.iter().filter(|guard| guard.decider() == Decider::PlacementDriver);
    let missing: Vec<&str> = of_pd.map(|guard| guard.name()).filter(|name| !tests.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

/// Row 42, pd#9333: after a restart no region has a size before it is reported.
#[test]
fn buried_by_count() {
    fn after_a_restart(guards: impl Guards) -> StoreState {
        let mut pd = pd(guards, 4);
        decommission(&mut pd, 3);
        assert_eq!(step(&mut pd, PdInput::CheckStores), Err(PdRefusal::NothingToBury));
        let mut pd = pd.restart().unwrap();
        let _ = pd.step(PdInput::CheckStores);
        assert_eq!(pd.region_count(3), 1, "a voter is there");
        state(&pd, 3)
    }
    assert_eq!(after_a_restart(Sound), StoreState::Offline);
    assert_eq!(after_a_restart(Dropped(Guard::BuriedByCount)), StoreState::Tombstone);
}

/// Row 35, tikv#3868: a stale peer reports the whole key space as it used to be.
#[test]
fn stale_report_refused() {
    fn regions_after_a_report_of_long_ago(guards: impl Guards) -> Vec<u64> {
        let mut pd = pd(guards, 4);
        report(&mut pd, region(REGION, ("", "m"), (5, 3), &[1, 2, 3]), 1);
        report(&mut pd, region(2, ("m", ""), (5, 3), &[1, 2, 3]), 2);
        let _ = pd.step(PdInput::RegionHeartbeat(reported(region(REGION, ("", ""), (1, 1), &[1]), 10, 6)));
        pd.regions().map(|known| known.region.id).collect()
    }
    assert_eq!(regions_after_a_report_of_long_ago(Sound), [REGION, 2]);
    assert_eq!(regions_after_a_report_of_long_ago(Dropped(Guard::StaleReportRefused)), [REGION]);
}

/// Only leadership moves: without the guard PD keeps sending orders to the previous leader.
#[test]
fn leader_change_believed() {
    fn believed_leader(guards: impl Guards) -> Option<u64> {
        let mut pd = pd(guards, 4);
        report(&mut pd, region(REGION, ("", ""), (5, 3), &[1, 2, 3]), 1);
        report(&mut pd, region(REGION, ("", ""), (5, 3), &[1, 2, 3]), 2);
        let known = pd.regions().find(|known| known.region.id == REGION)?;
        known.leader
    }
    assert_eq!(believed_leader(Sound), Some(20), "the peer on store 2");
    assert_eq!(believed_leader(Dropped(Guard::LeaderChangeBelieved)), Some(10));
}

/// Row 38: the patrol checks the region in the middle of a move and begins another, because the
/// first one's learner is a peer that no rule asks for.
#[test]
fn one_operator_a_region() {
    fn second_operator<G: Guards>(guards: G) -> Result<Purpose, PdRefusal> {
        let mut pd = pd(guards, 4);
        decommission(&mut pd, 3);
        let outputs = schedule(&mut pd);
        let mut truth = Truth::of(&pd);
        truth.obey(dispatched(&outputs).unwrap());
        report(&mut pd, truth.region.clone(), truth.leader);
        step(&mut pd, PdInput::Schedule { region: REGION })?;
        assert_eq!(pd.operators().count(), 1);
        Ok(pd.operator(REGION).unwrap().purpose)
    }
    assert_eq!(second_operator(Sound), Err(PdRefusal::OperatorExists));
    let unsound = second_operator(Dropped(Guard::OneOperatorARegion));
    assert_eq!(unsound, Ok(Purpose::RemoveOrphanPeer), "it takes away what the first had added");
}

/// pd#1714: the learner that the operator added counts as another's change.
#[test]
fn own_changes_counted() {
    fn after_its_first_step(guards: impl Guards) -> Option<OperatorEnd> {
        let mut pd = pd(guards, 4);
        decommission(&mut pd, 3);
        let outputs = schedule(&mut pd);
        let mut truth = Truth::of(&pd);
        truth.obey(dispatched(&outputs).unwrap());
        let outputs = report(&mut pd, truth.region.clone(), truth.leader);
        outputs.into_iter().find_map(|output| match output {
            PdOutput::OperatorEnded { end, .. } => Some(end),
            _ => None,
        })
    }
    assert_eq!(after_its_first_step(Sound), None);
    let end = after_its_first_step(Dropped(Guard::OwnChangesCounted));
    assert!(matches!(end, Some(OperatorEnd::Cancelled(_))), "{end:?}");
}

/// Row 47: a store that has left is taken back.
#[test]
fn tombstone_absorbs() {
    fn state_after_cancel(guards: impl Guards) -> StoreState {
        let mut pd = pd(guards, 4);
        decommission(&mut pd, 4);
        pd.step(PdInput::CheckStores).unwrap();
        let _ = pd.step(PdInput::CancelDecommission { store: 4 });
        state(&pd, 4)
    }
    assert_eq!(state_after_cancel(Sound), StoreState::Tombstone);
    assert_eq!(state_after_cancel(Dropped(Guard::TombstoneAbsorbs)), StoreState::Up);
}

/// Row 45: a store with a voter is set to Tombstone. PD cannot learn of the voter any more, and
/// cannot remove the store's record either.
#[test]
fn tombstone_by_patrol_alone() {
    fn after_declaring<G: Guards>(guards: G) -> (Result<usize, PdRefusal>, StoreState, usize) {
        let mut pd = pd(guards, 4);
        let declared = step(&mut pd, PdInput::SetTombstone { store: 3 }).map(|outputs| outputs.len());
        (declared, state(&pd, 3), pd.region_count(3))
    }
    assert_eq!(after_declaring(Sound), (Err(PdRefusal::StateNotAllowed), StoreState::Up, 1));
    let without = Dropped(Guard::TombstoneByPatrolAlone);
    assert_eq!(after_declaring(without), (Ok(1), StoreState::Tombstone, 1));
    let mut pd = pd(without, 4);
    pd.step(PdInput::SetTombstone { store: 3 }).unwrap();
    assert_eq!(step(&mut pd, PdInput::SetTombstone { store: 3 }), Ok(vec![]), "said twice, changed once");
    assert_eq!(step(&mut pd, PdInput::RemoveTombstone { store: 3 }), Err(PdRefusal::StoreHasRegions));
}

/// Row 39: the third of three stores leaves, and its region can never move.
#[test]
fn enough_stores_left() {
    fn may_leave(guards: impl Guards) -> Result<PdRefusal, PdRefusal> {
        let mut pd = pd(guards, 3);
        step(&mut pd, PdInput::Decommission { store: 3, force: false })?;
        Ok(step(&mut pd, PdInput::Schedule { region: REGION }).unwrap_err())
    }
    assert_eq!(may_leave(Sound), Err(PdRefusal::StoresNotEnough));
    assert_eq!(may_leave(Dropped(Guard::EnoughStoresLeft)), Ok(PdRefusal::NoTarget));
}

/// The guard is about an administrator's operator over a patrol's; for two equal split orders it
/// decides everything.
#[test]
fn without_the_guard_an_operator_gives_way_to_one_of_a_lower_priority() {
    let mut pd = pd(Dropped(Guard::OneOperatorARegion), 4);
    pd.step(admin(AdminOperator::Split { keys: vec![key("m")] })).unwrap();
    decommission(&mut pd, 3);
    store_heartbeat(&mut pd, 4, EMPTY);
    let outputs = schedule(&mut pd);
    let replaced =
        |output: &PdOutput| matches!(output, PdOutput::OperatorEnded { end: OperatorEnd::Replaced, .. });
    assert!(outputs.iter().any(replaced), "{outputs:?}");
    let Some(Command::ChangePeer(change)) = command(&outputs) else { panic!("{outputs:?}") };
    assert_eq!((change.kind, change.store), (ChangeKind::AddLearner, 4));
}

/// Row 36: the order goes to a former leader, and the region can get no other operator meanwhile.
#[test]
fn operators_time_out() {
    fn after_a_long_time<G: Guards>(guards: G) -> Result<(), PdRefusal> {
        let mut pd = pd(guards, 5);
        store_heartbeat(&mut pd, 4, EMPTY);
        pd.step(admin(AdminOperator::AddPeer { store: 4 })).unwrap();
        crate::cluster::wait(&mut pd, 100, &[1, 2, 3, 4, 5]);
        step(&mut pd, admin(AdminOperator::RemovePeer { store: 3 })).map(drop)
    }
    assert_eq!(after_a_long_time(Sound), Ok(()));
    let without = Dropped(Guard::OperatorsTimeOut);
    assert_eq!(after_a_long_time(without), Err(PdRefusal::OperatorExists));
    let mut pd = pd(without, 4);
    let times_out = PdInput::OperatorTimeout { region: REGION };
    assert_eq!(step(&mut pd, times_out.clone()), Err(PdRefusal::OperatorNotFound));
    pd.step(admin(AdminOperator::TransferLeader { store: 2 })).unwrap();
    assert_eq!(step(&mut pd, times_out), Ok(vec![]));
    assert!(pd.operator(REGION).is_some());
}

/// Row 49, pd#3820: an administrator's transfer is running, and the limit is one.
#[test]
fn limit_counts_own_kind() {
    fn second<G: Guards>(guards: G) -> Result<bool, PdRefusal> {
        let config = PdConfig { schedule_limit: 1, waiting_limit: 0, ..PdConfig::DEFAULT };
        let mut pd = pd_of(guards, config, 4, &[1, 2, 3]);
        report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
        report(&mut pd, region(2, ("m", ""), (1, 2), &[1, 2, 3]), 1);
        pd.step(admin(AdminOperator::TransferLeader { store: 2 })).unwrap();
        decommission(&mut pd, 3);
        let outputs = step(&mut pd, PdInput::Schedule { region: 2 })?;
        Ok(command(&outputs).is_some())
    }
    assert_eq!(second(Sound), Ok(true));
    assert_eq!(second(Dropped(Guard::LimitCountsOwnKind)), Err(PdRefusal::ScheduleLimit));
}

/// Row 44: the disk is destroyed, and the store is taken back.
#[test]
fn destroyed_stays_gone() {
    fn taken_back<G: Guards>(guards: G, how: PdInput) -> (Result<usize, PdRefusal>, bool) {
        let mut pd = pd(guards, 4);
        pd.step(PdInput::Decommission { store: 3, force: true }).unwrap();
        let outcome = step(&mut pd, how).map(|outputs| outputs.len());
        (outcome, pd.store(3).unwrap().record.physically_destroyed)
    }
    let without = Dropped(Guard::DestroyedStaysGone);
    for how in [PdInput::CancelDecommission { store: 3 }, PdInput::Decommission { store: 3, force: false }] {
        let refused = Err(PdRefusal::PhysicallyDestroyed);
        assert_eq!(taken_back(Sound, how.clone()), (refused, true), "{how:?}");
        assert_eq!(taken_back(without, how), (Ok(1), false));
    }
}

/// pd#3664: the record of a store with peers is removed. The patrol finds no store to replace, so
/// the peer gets no place and stays until another store exists.
#[test]
fn record_kept_while_listed() {
    fn patrol_after_removal<G: Guards>(guards: G) -> (Result<(), PdRefusal>, Result<Purpose, PdRefusal>) {
        let mut pd = pd(guards, 4);
        store_heartbeat(&mut pd, 4, EMPTY);
        crate::cluster::wait(&mut pd, 3, &[1, 2, 4]);
        pd.step(PdInput::RemoveFailedStores { stores: [3].into() }).unwrap();
        let whole = region(REGION, ("", ""), (1, 1), &[1, 2, 3]);
        for store in [1, 2] {
            reports(&mut pd, store, vec![peer(&whole, store, (8, 7))]);
        }
        assert_eq!(reports(&mut pd, 4, vec![]), Some(RecoveryStage::Finished), "a majority is left");
        let removed = step(&mut pd, PdInput::RemoveTombstone { store: 3 }).map(drop);
        let made = step(&mut pd, PdInput::Schedule { region: REGION });
        (removed, made.map(|_| pd.operator(REGION).unwrap().purpose))
    }
    let mended = Ok(Purpose::ReplaceOfflinePeer);
    assert_eq!(patrol_after_removal(Sound), (Err(PdRefusal::StoreHasRegions), mended));
    let without = Dropped(Guard::RecordKeptWhileListed);
    assert_eq!(patrol_after_removal(without), (Ok(()), Ok(Purpose::AddMissingPeer)));
}

/// tikv#12627: a forced leader of a merge's source, in a new term, before the target has committed
/// the merge.
#[test]
fn force_target_first() {
    fn first_led(guards: impl Guards) -> Vec<RegionId> {
        let mut pd = begun(guards, 3, &[2, 3]);
        let target = region(7, ("", "m"), (3, 4), &[1, 2, 3]);
        let source = region(8, ("m", ""), (3, 4), &[1, 2, 3]);
        let takes = PeerReport { sources: [8].into(), ..peer(&target, 1, (8, 7)) };
        reports(&mut pd, 1, vec![takes, peer(&source, 1, (8, 7))]);
        let plan = &pd.recovery().expect("is under way").plans[&1];
        plan.force_leaders.as_ref().expect("forces some").regions.keys().copied().collect()
    }
    assert_eq!(first_led(Sound), [7]);
    assert_eq!(first_led(Dropped(Guard::ForceTargetFirst)), [7, 8]);
}

/// PD `generateDemoteFailedVoterPlan`, by its code: the source is destroyed on a store whose target
/// still has to merge it.
#[test]
fn force_spares_sources() {
    fn destroyed(guards: impl Guards) -> Option<Vec<RegionId>> {
        let mut pd = begun(guards, 5, &[3, 4, 5]);
        let merged = region(7, ("", ""), (1, 5), &[1, 2, 3, 4, 5]);
        let target = region(7, ("", "m"), (1, 3), &[1, 2, 3, 4, 5]);
        let source = region(8, ("m", ""), (2, 4), &[1, 2, 3, 4, 5]);
        reports(&mut pd, 1, vec![PeerReport { by_force: true, ..peer(&merged, 1, (9, 8)) }]);
        reports(&mut pd, 2, vec![peer(&target, 2, (9, 8)), peer(&source, 2, (8, 7))]);
        let plan = pd.recovery().expect("is under way").plans.get(&2)?;
        Some(plan.tombstones.iter().copied().collect())
    }
    assert_eq!(destroyed(Sound), None);
    assert_eq!(destroyed(Dropped(Guard::ForceSparesSources)), Some(vec![8]));
}

/// PD `TestJointState`: of two peers with the same log, the one on the lower store is a demoting
/// voter.
#[test]
fn demoting_voter_ranks_last() {
    let left = |store, role| {
        let last = Position { index: 9, term: 6 };
        Standing { store, role, last, commit: 8, has_committed: true }
    };
    let both = [left(1, MemberRole::DemotingVoter), left(2, MemberRole::IncomingVoter)];
    assert_eq!(force_leader(&both, Sound), Some(2));
    assert_eq!(force_leader(&both, Dropped(Guard::DemotingVoterRanksLast)), Some(1));
    // A learner leads if no voter remains, or if its log is better.
    let learner = left(3, MemberRole::Learner);
    assert_eq!(force_leader(&[learner], Sound), Some(3));
    assert_eq!(force_leader(&[left(4, MemberRole::Voter), learner], Sound), Some(4));
    let ahead = Standing { last: Position { index: 10, term: 6 }, ..learner };
    assert_eq!(force_leader(&[left(4, MemberRole::Voter), ahead], Sound), Some(3));
    // A voter with a newer entry in place of a committed one grants no vote.
    let newer = Position { index: 9, term: 7 };
    let newer = Standing { last: newer, has_committed: false, ..left(4, MemberRole::Voter) };
    assert_eq!(force_leader(&[newer, learner], Sound), None);
    assert_eq!(force_leader(&[newer, learner], Dropped(Guard::ForceKeepsWhatIsCommitted)), Some(4));
}

/// PD's records from the lost stores are newer than what the others report.
#[test]
fn recovery_drops_regions() {
    fn after_a_recovery(guards: impl Guards) -> Result<(), PdRefusal> {
        let mut pd = begun(guards, 3, &[1, 2]);
        report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 3);
        let behind = region(REGION, ("", ""), (1, 1), &[1, 2, 3]);
        reports(&mut pd, 3, vec![peer(&behind, 3, (8, 7))]);
        let left = reported(region(REGION, ("", ""), (5, 1), &[3]), 30, 7);
        step(&mut pd, PdInput::RegionHeartbeat(left)).map(drop)
    }
    assert_eq!(after_a_recovery(Sound), Ok(()));
    assert_eq!(after_a_recovery(Dropped(Guard::RecoveryDropsRegions)), Err(PdRefusal::RegionStale));
}

/// No remaining store has a region for the keys from `m` on.
#[test]
fn recovery_fills_holes() {
    fn after_a_report(guards: impl Guards) -> (Option<RecoveryStage>, Option<usize>) {
        let mut pd = begun(guards, 3, &[1, 2]);
        let left = region(REGION, ("", "m"), (1, 1), &[3]);
        let stage = reports(&mut pd, 3, vec![peer(&left, 3, (8, 7))]);
        let recovery = pd.recovery();
        (stage, recovery.and_then(|recovery| recovery.plans.get(&3)).map(|plan| plan.creates.len()))
    }
    assert_eq!(after_a_report(Sound), (Some(RecoveryStage::CreateEmptyRegion), Some(1)));
    let none = (Some(RecoveryStage::Finished), None);
    assert_eq!(after_a_report(Dropped(Guard::RecoveryFillsHoles)), none);
}

/// A recovery that fails half way has changed regions all the same.
#[test]
fn recovery_drops_regions_first() {
    fn after_one_that_failed(guards: impl Guards) -> (usize, bool) {
        let mut pd = begun(guards, 3, &[2, 3]);
        let left = region(REGION, ("", ""), (1, 1), &[1, 2, 3]);
        let stage = reports(&mut pd, 1, vec![peer(&left, 1, (8, 7))]);
        assert_eq!(stage, Some(RecoveryStage::ForceLeader));
        for _ in 0..2 {
            step(&mut pd, PdInput::RecoveryTimeout).unwrap();
        }
        (pd.regions().count(), pd.relearns())
    }
    assert_eq!(after_one_that_failed(Sound), (0, true));
    assert_eq!(after_one_that_failed(Dropped(Guard::RecoveryDropsRegionsFirst)), (1, false));
}
