//! Refused commands of an administrator, with their messages, and the ways to remove a peer.

use rollcall_impl::pd::{AdminOperator, PdConfig, PdInput, PdOutput, PdRefusal, RegionReport};
use rollcall_impl::{Child, Command, Derive, MemberRole, Sound, StoreId};

use crate::cluster::{
    EMPTY, Pd, REGION, Truth, decommission, key, pd, refused, region, report, reported, store_heartbeat, wait,
};

fn add(operator: AdminOperator) -> PdInput {
    PdInput::AddOperator { region: REGION, operator }
}

fn remove(store: StoreId) -> PdInput {
    add(AdminOperator::RemovePeer { store })
}

fn reason(pd: &mut Pd, operator: AdminOperator) -> PdRefusal {
    refused(pd, add(operator))
}

/// Seed 001, step 1: three commands, one answer.
#[test]
fn no_operator_is_built_for_a_region_without_a_leader() {
    let mut pd = pd(6, &[1, 4, 5]).restart().unwrap();
    (1..=6).for_each(|store| store_heartbeat(&mut pd, store, EMPTY));
    for operator in [
        AdminOperator::TransferLeader { store: 4 },
        AdminOperator::AddPeer { store: 6 },
        AdminOperator::AddVoter { store: 6 },
        AdminOperator::RemovePeer { store: 5 },
        AdminOperator::Split { keys: vec![key("m")] },
    ] {
        assert_eq!(reason(&mut pd, operator), PdRefusal::NoLeader);
    }
}

#[test]
fn targets_that_do_not_fit_are_refused_by_name() {
    let mut pd = pd(6, &[1, 2, 3]);
    let peer = |store| AdminOperator::AddPeer { store };
    for (store, why) in [(2, PdRefusal::PeerExists), (9, PdRefusal::StoreNotFound)] {
        assert_eq!(reason(&mut pd, peer(store)), why);
        assert_eq!(reason(&mut pd, AdminOperator::AddVoter { store }), why);
    }
    decommission(&mut pd, 4);
    // An administrator may add a peer on a store that is leaving.
    pd.step(add(peer(4))).unwrap();
    pd.step(PdInput::RemoveOperator { region: REGION }).unwrap();
    pd.step(PdInput::CheckStores).unwrap();
    assert_eq!(reason(&mut pd, peer(4)), PdRefusal::StoreRemoved);
    wait(&mut pd, PdConfig::DEFAULT.down_after + 1, &[1, 2, 3, 6]);
    assert_eq!(reason(&mut pd, peer(5)), PdRefusal::StoreUnhealthy);
    pd.step(add(peer(6))).unwrap();
    let unknown = PdInput::AddOperator { region: 77, operator: peer(6) };
    assert_eq!(refused(&mut pd, unknown), PdRefusal::RegionNotFound);
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: 77 }), PdRefusal::RegionNotFound);
    assert_eq!(refused(&mut pd, PdInput::Push { region: 77 }), PdRefusal::RegionNotFound);
}

#[test]
fn leadership_goes_to_another_voter_only() {
    let mut pd = pd(4, &[1, 2, 3]);
    let transfer = |store| AdminOperator::TransferLeader { store };
    assert_eq!(reason(&mut pd, transfer(4)), PdRefusal::NoVoterThere);
    assert_eq!(reason(&mut pd, transfer(1)), PdRefusal::AlreadyLeader);
    let mut with_learner = region(REGION, ("", ""), (2, 1), &[1, 2, 3, 4]);
    with_learner.peers[3].role = MemberRole::Learner;
    report(&mut pd, with_learner, 1);
    assert_eq!(reason(&mut pd, transfer(4)), PdRefusal::NoVoterThere);
}

#[test]
fn a_joint_region_only_allows_a_leader_transfer() {
    let mut pd = pd(4, &[1, 2, 3]);
    let mut joint = region(REGION, ("", ""), (3, 1), &[1, 2, 3]);
    joint.peers[2].role = MemberRole::DemotingVoter;
    report(&mut pd, joint, 1);
    assert_eq!(reason(&mut pd, AdminOperator::AddPeer { store: 4 }), PdRefusal::JointState);
    assert_eq!(reason(&mut pd, AdminOperator::AddVoter { store: 4 }), PdRefusal::JointState);
    assert_eq!(reason(&mut pd, AdminOperator::RemovePeer { store: 2 }), PdRefusal::JointState);
    assert_eq!(reason(&mut pd, AdminOperator::Split { keys: vec![key("m")] }), PdRefusal::JointState);
    pd.step(add(AdminOperator::TransferLeader { store: 2 })).unwrap();
}

#[test]
fn one_of_three_is_removed_directly_and_a_leader_hands_over_first() {
    let mut pd = pd(4, &[1, 2, 3]);
    assert_eq!(reason(&mut pd, AdminOperator::RemovePeer { store: 4 }), PdRefusal::PeerNotFound);
    let outputs = pd.step(remove(1)).unwrap();
    let mut truth = Truth::of(&pd);
    let commands = truth.settle(&mut pd, outputs);
    assert!(matches!(commands[..], [Command::TransferLeader { to: 2 }, Command::ChangePeer(_)]));
    assert_eq!(truth.voters(), [2, 3]);
}

/// Row 15, tikv#10595: a direct removal could take the other's quorum with it.
#[test]
fn one_of_two_is_demoted_first() {
    let mut pd = pd(2, &[1, 2]);
    let outputs = pd.step(remove(2)).unwrap();
    let mut truth = Truth::of(&pd);
    let commands = truth.settle(&mut pd, outputs);
    assert!(matches!(commands[..], [Command::EnterJoint(_), Command::ChangePeer(_)]), "{commands:?}");
    assert_eq!(truth.voters(), [1]);
    assert_eq!(reason(&mut pd, AdminOperator::RemovePeer { store: 1 }), PdRefusal::LastVoter);
}

/// Row 46: the script of seed 003 on a region with a replica that is down.
#[test]
fn a_live_voter_is_not_removed_from_a_majority_that_needs_it() {
    let mut pd = pd(4, &[1, 2, 3]);
    let known = pd.region(REGION).unwrap().region.clone();
    let down = RegionReport { down: vec![30], ..reported(known.clone(), 10, 6) };
    pd.step(PdInput::RegionHeartbeat(down)).unwrap();
    assert_eq!(refused(&mut pd, remove(2)), PdRefusal::MajorityLost);
    let behind = RegionReport { pending: vec![30], ..reported(known.clone(), 10, 6) };
    pd.step(PdInput::RegionHeartbeat(behind)).unwrap();
    assert_eq!(refused(&mut pd, remove(2)), PdRefusal::MajorityLost);
    // A down peer may be removed: the majority does not get worse.
    pd.step(remove(3)).unwrap();
    pd.step(PdInput::RemoveOperator { region: REGION }).unwrap();
    // It answers again, but its disk was declared destroyed (row 44).
    report(&mut pd, known, 1);
    pd.step(PdInput::Decommission { store: 3, force: true }).unwrap();
    assert_eq!(refused(&mut pd, remove(2)), PdRefusal::MajorityLost);
    pd.step(PdInput::AddStore { store: 5 }).unwrap();
}

#[test]
fn a_leader_without_a_transferee_is_not_removed() {
    let mut pd = pd(4, &[1, 2, 3]);
    // The leader reports that they are up, but they sent no heartbeat for a while.
    wait(&mut pd, 3, &[1, 4]);
    assert_eq!(reason(&mut pd, AdminOperator::RemovePeer { store: 1 }), PdRefusal::NoNewLeader);
    store_heartbeat(&mut pd, 2, EMPTY);
    pd.step(remove(1)).unwrap();
}

#[test]
fn split_keys_lie_inside_and_ascend() {
    let mut pd = pd(3, &[1, 2, 3]);
    report(&mut pd, region(REGION, ("b", "y"), (1, 2), &[1, 2, 3]), 1);
    for keys in [vec![], vec!["b"], vec!["y"], vec!["a"], vec!["n", "m"], vec!["m", "m"]] {
        let keys = keys.into_iter().map(key).collect();
        assert_eq!(reason(&mut pd, AdminOperator::Split { keys }), PdRefusal::InvalidSplitKey);
    }
}

#[test]
fn split_ids_are_refused_to_a_stale_region() {
    let mut pd = pd(3, &[1, 2, 3]);
    let now = region(REGION, ("", ""), (4, 4), &[1, 2]);
    report(&mut pd, now.clone(), 1);
    let ask = |region, keys| PdInput::AskSplit { region, keys, derive: Derive::Right };
    let behind = |epoch| region(REGION, ("", ""), epoch, &[1, 2, 3]);
    assert_eq!(refused(&mut pd, ask(behind((4, 3)), vec![key("m")])), PdRefusal::RegionStale);
    assert_eq!(refused(&mut pd, ask(behind((3, 4)), vec![key("m")])), PdRefusal::RegionStale);
    assert_eq!(refused(&mut pd, ask(now.clone(), vec![])), PdRefusal::InvalidSplitKey);
    let outputs = pd.step(ask(now.clone(), vec![key("m")])).unwrap();
    let child = Child { key: key("m"), region: 1000, peers: vec![1001, 1002] };
    let (region, epoch, derive) = (REGION, now.epoch, Derive::Right);
    assert_eq!(outputs, [PdOutput::SplitIds { region, epoch, children: vec![child], derive }]);
    // A range that no region in PD covers.
    let mut hole = Pd::open(Default::default(), Sound, Default::default()).unwrap();
    assert_eq!(refused(&mut hole, ask(now, vec![key("m")])), PdRefusal::RegionNotFound);
}
