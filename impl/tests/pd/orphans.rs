//! Which orphan is removed and when, and what an existing learner may be used for. These are the
//! cases of PD's `rule_checker_test.go` with one rule, and one test for each branch of
//! `fixOrphanPeers` that those do not cover.

use rollcall_impl::pd::{PdConfig, PdInput, PdRefusal, Purpose, RegionReport, StoreState};
use rollcall_impl::{Change, ChangeKind, Command, Member, MemberRole, Region, StoreId};

use crate::cluster::{
    EMPTY, Pd, REGION, Truth, command, decommission, pd, pd_with, region, report, reported, schedule, state,
    store_heartbeat, wait,
};

/// Three voters, and learners on others of six stores. Store 1 leads.
fn with_learners(learners: &[StoreId]) -> (Pd, Region) {
    let mut pd = pd(6, &[1, 2, 3]);
    let mut region = region(REGION, ("", ""), (9, 1), &[1, 2, 3]);
    let learner = |store: &StoreId| Member { id: store * 10, store: *store, role: MemberRole::Learner };
    region.peers.extend(learners.iter().map(learner));
    report(&mut pd, region.clone(), 1);
    (pd, region)
}

/// The leader reports the peers on these stores as down, and on those as pending.
fn unwell(pd: &mut Pd, region: &Region, down: &[StoreId], pending: &[StoreId]) {
    let ids = |stores: &[StoreId]| stores.iter().map(|store| store * 10).collect();
    let report = RegionReport { down: ids(down), pending: ids(pending), ..reported(region.clone(), 10, 6) };
    pd.step(PdInput::RegionHeartbeat(report)).unwrap();
}

/// All stores but these send heartbeats, until these are Disconnected.
fn silent(pd: &mut Pd, stores: &[StoreId]) {
    let known = pd.stores().map(|info| info.record.id);
    let received: Vec<StoreId> = known.filter(|store| !stores.contains(store)).collect();
    wait(pd, 3, &received);
}

/// The patrol's operator, and the store of the peer that it removes first (or demotes before).
fn made(pd: &Pd) -> Result<(&'static str, Option<StoreId>), PdRefusal> {
    let mut pd = pd.clone();
    let outputs = match pd.step(PdInput::Schedule { region: REGION }) {
        Ok(outputs) => outputs,
        Err(error) => return Err(error.refusal().expect("is refused")),
    };
    let removed = command(&outputs).and_then(|command| match command {
        Command::ChangePeer(Change { kind: ChangeKind::Remove, store, .. }) => Some(store),
        Command::EnterJoint(changes) => match changes[..] {
            [Change { kind: ChangeKind::AddLearner, store, .. }] => Some(store),
            _ => None,
        },
        _ => None,
    });
    Ok((pd.operator(REGION).unwrap().purpose.name(), removed))
}

/// `TestFixToManyOrphanPeers`: a voter is down, and its store is connected.
#[test]
fn of_several_healthy_orphans_one_stays_while_a_voter_is_down() {
    let (mut pd, region) = with_learners(&[4, 5, 6]);
    unwell(&mut pd, &region, &[3], &[3]);
    assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(5))));
    for store in 4..=6 {
        let mut pd = pd.clone();
        silent(&mut pd, &[store]);
        assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(store))), "store {store} is silent");
    }
    silent(&mut pd, &[4, 5, 6]);
    assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(4))));
}

/// The same, second case: healthy orphans come first, then unhealthy ones by id.
#[test]
fn of_several_orphans_the_sick_go_while_a_voter_is_down() {
    let (mut pd, region) = with_learners(&[4, 5, 6]);
    unwell(&mut pd, &region, &[3], &[4, 5]);
    assert_eq!(made(&pd), Ok(("remove-unhealthy-orphan-peer", Some(4))));
    unwell(&mut pd, &region, &[3, 4], &[5]);
    assert_eq!(made(&pd), Ok(("remove-unhealthy-orphan-peer", Some(5))), "who answers, before who does not");
    let (mut one, region) = with_learners(&[4]);
    unwell(&mut one, &region, &[3], &[4]);
    assert_eq!(made(&one), Err(PdRefusal::NothingToDo), "a single one is kept");
}

/// `TestSkipFixOrphanPeerIfSelectedPeerIsPendingOrDown`, and one step more.
#[test]
fn a_fourth_voter_stays_until_three_are_well() {
    let mut pd = pd(4, &[1, 2, 3, 4]);
    let region = pd.region(REGION).unwrap().region.clone();
    unwell(&mut pd, &region, &[], &[3, 4]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
    unwell(&mut pd, &region, &[3], &[4]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
    unwell(&mut pd, &region, &[], &[4]);
    assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(4))));
}

/// `TestPriorityFitHealthPeers`: an unhealthy voter gets no place beside a fourth voter.
#[test]
fn of_four_voters_the_unhealthy_one_is_removed() {
    let mut pd = pd(4, &[1, 2, 3, 4]);
    let region = pd.region(REGION).unwrap().region.clone();
    for (down, pending) in [(&[3][..], &[][..]), (&[], &[3])] {
        unwell(&mut pd, &region, down, pending);
        assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(3))));
    }
}

/// A healthy learner replaces a voter whose store is disconnected, even before the leader reports
/// it as down. It does not replace one that only the leader reports.
#[test]
fn an_orphan_replaces_a_voter_on_a_disconnected_store_only() {
    let (mut pd, region) = with_learners(&[4]);
    unwell(&mut pd, &region, &[3], &[]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
    unwell(&mut pd, &region, &[], &[]);
    silent(&mut pd, &[3]);
    assert_eq!(made(&pd), Ok(("replace-down-peer-with-orphan-peer", None)));
    unwell(&mut pd, &region, &[], &[4]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo), "it is not well itself");
    unwell(&mut pd, &region, &[], &[]);
    silent(&mut pd, &[3, 4]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo), "its own store is silent");
}

/// PD checks only the first place that is not healthy: behind a pending voter it looks no further.
#[test]
fn a_voter_that_waits_keeps_an_orphan_from_another_s_place() {
    let (mut pd, region) = with_learners(&[4]);
    unwell(&mut pd, &region, &[3], &[2]);
    silent(&mut pd, &[3]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
}

/// pd#7249, tikv#15799 (`TestFixOrphanPeerWithDisconnectedStoreAndRuleChanged`): three of five
/// replicas are wanted, and two stores are disconnected, whoever leads.
#[test]
fn of_five_replicas_the_silent_two_go() {
    for leader in 1..=5_u64 {
        for first in 1..=5_u64 {
            for second in first + 1..=5 {
                let followers = (1..=5).filter(|store| *store != leader);
                let voters: Vec<StoreId> = [leader].into_iter().chain(followers).collect();
                let mut pd = pd_with(PdConfig { max_replicas: 3, ..PdConfig::DEFAULT }, 6, &voters);
                silent(&mut pd, &[first, second]);
                let mut truth = Truth::of(&pd);
                for left in [4, 3] {
                    let outputs = schedule(&mut pd);
                    assert!(pd.operator(REGION).unwrap().purpose.name().contains("orphan"));
                    truth.settle(&mut pd, outputs);
                    assert_eq!(truth.region.peers.len(), left);
                }
                let mut stores = truth.voters();
                stores.sort_unstable();
                assert!(!stores.contains(&first) && !stores.contains(&second), "{leader}: {stores:?}");
            }
        }
    }
}

/// `TestPriorityFixOrphanPeer`: the learner is removed before the voter is replaced.
#[test]
fn an_orphan_goes_before_a_voter_on_a_leaving_store_is_replaced() {
    let (mut pd, region) = with_learners(&[4]);
    decommission(&mut pd, 2);
    assert_eq!(made(&pd), Ok(("remove-orphan-peer", Some(4))));
    unwell(&mut pd, &region, &[], &[2]);
    assert_eq!(made(&pd), Ok(("replace-rule-offline-peer", None)), "store 2 leaves and is behind");
}

/// `TestPromoteLearner`, `TestCheckRegion`: a learner that has a place is waited for and promoted.
/// On a leaving store another replaces it.
#[test]
fn a_learner_that_holds_a_place_is_waited_for() {
    let mut pd = pd(4, &[1, 2]);
    let mut region = pd.region(REGION).unwrap().region.clone();
    region.peers.push(Member { id: 30, store: 3, role: MemberRole::Learner });
    region.epoch.conf_ver += 1;
    for (down, pending) in [(&[][..], &[3][..]), (&[3], &[])] {
        unwell(&mut pd, &region, down, pending);
        assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
    }
    unwell(&mut pd, &region, &[], &[]);
    assert_eq!(made(&pd), Ok(("fix-peer-role", None)));
    decommission(&mut pd, 3);
    let outputs = schedule(&mut pd);
    assert_eq!(pd.operator(REGION).unwrap().purpose, Purpose::ReplaceOfflinePeer);
    let mut truth = Truth::of(&pd);
    let change = |kind, peer, store| Command::ChangePeer(Change { kind, peer, store });
    let commands = truth.settle(&mut pd, outputs);
    let [learner, voter, gone] = [
        change(ChangeKind::AddLearner, 1000, 4),
        change(ChangeKind::AddVoter, 1000, 4),
        change(ChangeKind::Remove, 30, 3),
    ];
    assert_eq!(commands, [learner, voter, gone]);
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!(state(&pd, 3), StoreState::Tombstone);
}

/// No place is empty: a second learner beside a pending one is an orphan.
#[test]
fn two_learners_for_one_place() {
    let mut pd = pd(4, &[1, 2]);
    let mut region = pd.region(REGION).unwrap().region.clone();
    region.peers.extend([3, 4].map(|store| Member { id: store * 10, store, role: MemberRole::Learner }));
    region.epoch.conf_ver += 2;
    // The healthy one has the place, whatever its id.
    unwell(&mut pd, &region, &[], &[3]);
    let mut promoted = pd.clone();
    assert_eq!(
        command(&schedule(&mut promoted)).map(|command| format!("{command:?}").contains("peer: 40")),
        Some(true)
    );
    unwell(&mut pd, &region, &[], &[3, 4]);
    assert_eq!(made(&pd), Err(PdRefusal::NothingToDo));
}

/// A voter on a disconnected store, and a healthy fourth voter.
#[test]
fn a_voter_on_a_disconnected_store_is_removed_beside_a_fourth() {
    let mut pd = pd(5, &[1, 2, 3, 4]);
    store_heartbeat(&mut pd, 5, EMPTY);
    silent(&mut pd, &[2]);
    assert_eq!(made(&pd), Ok(("remove-replaced-orphan-peer", Some(2))));
}
