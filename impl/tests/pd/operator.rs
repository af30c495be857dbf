//! Operators: when a step is done, what it does to the conf_ver, and how an
//! operator ends.

use rollcall_impl::pd::{
    AdminOperator, KnownRegion, Operator, OperatorEnd, OperatorStep, PdConfig, PdInput, PdOutput, PdRefusal,
    Purpose, RegionReport, Seat, StaleOperator,
};
use rollcall_impl::{ChangeKind, Command, Member, MemberRole, Region, Sound, StoreId};

use crate::cluster::{
    Pd, REGION, Truth, command, decommission, dispatched, key, pd, pd_with, refused, region, report,
    reported, schedule, wait,
};

const NEW: Seat = Seat { store: 4, peer: 1000 };
const OLD: Seat = Seat { store: 3, peer: 30 };

fn known(pd: &mut Pd, region: Region, leader: StoreId, pending: &[u64]) -> KnownRegion {
    let leader = region.member_on(leader).expect("leads").id;
    let report = RegionReport { pending: pending.to_vec(), ..reported(region, leader, 6) };
    pd.step(PdInput::RegionHeartbeat(report)).unwrap();
    pd.region(REGION).unwrap().clone()
}

/// Voters on stores 1 and 2, and the given roles on 3 and 4.
fn members(old: Option<MemberRole>, new: Option<MemberRole>) -> Region {
    let mut region = region(REGION, ("", ""), (9, 1), &[1, 2]);
    let seats = [(OLD, old), (NEW, new)];
    region.peers.extend(
        seats
            .into_iter()
            .filter_map(|(seat, role)| Some(Member { id: seat.peer, store: seat.store, role: role? })),
    );
    region
}

fn ended(outputs: &[PdOutput]) -> Option<OperatorEnd> {
    outputs.iter().find_map(|output| match output {
        PdOutput::OperatorEnded { end, .. } => Some(*end),
        _ => None,
    })
}

fn add(region: u64, operator: AdminOperator) -> PdInput {
    PdInput::AddOperator { region, operator }
}

/// A member from learner to voter, through a joint configuration. For each related step: (done,
/// conf_ver delta).
#[test]
fn each_step_is_done_and_counted_at_the_right_time() {
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    let joint = |of: fn(Vec<Seat>, Vec<Seat>) -> OperatorStep| of(vec![NEW], vec![OLD]);
    let steps = [
        OperatorStep::AddLearner(NEW),
        OperatorStep::AddPeer(NEW),
        OperatorStep::PromoteLearner(NEW),
        joint(|promote, demote| OperatorStep::EnterJoint { promote, demote }),
        joint(|promote, demote| OperatorStep::LeaveJoint { promote, demote }),
        OperatorStep::RemovePeer(OLD),
    ];
    let table = [
        // old, new, then per step done and raised.
        (Some(Voter), None, [(false, 0), (false, 0), (false, 0), (false, 0), (false, 0), (false, 0)]),
        (Some(Voter), Some(Learner), [(true, 1), (false, 0), (false, 0), (false, 0), (false, 0), (false, 0)]),
        // Another operator has demoted it: half of a joint step does not count.
        (
            Some(Learner),
            Some(Learner),
            [(true, 1), (false, 0), (false, 0), (false, 0), (false, 0), (false, 0)],
        ),
        (
            Some(DemotingVoter),
            Some(IncomingVoter),
            [(false, 1), (true, 1), (false, 0), (true, 2), (false, 0), (false, 0)],
        ),
        (Some(Learner), Some(Voter), [(false, 1), (true, 1), (true, 1), (true, 2), (true, 2), (false, 0)]),
        (None, Some(Voter), [(false, 1), (true, 1), (true, 1), (false, 2), (false, 2), (true, 1)]),
    ];
    for (old, new, expected) in table {
        let known = known(&mut pd(4, &[1, 2, 3]), members(old, new), 1, &[]);
        let actual: Vec<_> =
            steps.iter().map(|step| (step.is_finished(&known), step.conf_ver_delta(&known))).collect();
        assert_eq!(actual, expected, "{old:?} {new:?}");
    }
}

#[test]
fn a_peer_that_catches_up_is_added_but_not_done_and_nothing_more_is_ordered() {
    let members = members(Some(MemberRole::Voter), Some(MemberRole::Learner));
    let known = known(&mut pd(4, &[1, 2, 3]), members, 1, &[NEW.peer]);
    let step = OperatorStep::AddLearner(NEW);
    assert_eq!((step.is_finished(&known), step.conf_ver_delta(&known)), (false, 1));
    assert_eq!((step.order(&known), step.check_in_progress(&known)), (None, Ok(())));
}

#[test]
fn steps_notice_that_they_make_no_sense_any_more() {
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    let mut pd = pd(4, &[1, 2, 3]);
    let mut check = |step: &OperatorStep, old, new, leader| {
        step.check_in_progress(&known(&mut pd, members(old, new), leader, &[]))
    };
    let enter = OperatorStep::EnterJoint { promote: vec![NEW], demote: vec![OLD] };
    let leave = OperatorStep::LeaveJoint { promote: vec![NEW], demote: vec![OLD] };
    assert_eq!(check(&enter, Some(Voter), Some(Learner), 1), Ok(()));
    assert_eq!(check(&enter, Some(Voter), None, 1), Err(StaleOperator::PeerMissing));
    assert_eq!(check(&enter, Some(DemotingVoter), Some(Learner), 1), Err(StaleOperator::NotAtomic));
    assert_eq!(check(&enter, Some(Voter), Some(DemotingVoter), 1), Err(StaleOperator::WrongRole));
    assert_eq!(check(&leave, Some(DemotingVoter), Some(IncomingVoter), 1), Ok(()));
    assert_eq!(check(&leave, Some(DemotingVoter), Some(IncomingVoter), 3), Err(StaleOperator::LeaderRemoval));
    assert_eq!(check(&leave, Some(Voter), Some(Learner), 1), Err(StaleOperator::WrongRole));
    assert_eq!(check(&leave, Some(Learner), Some(Learner), 1), Err(StaleOperator::WrongRole));
    assert_eq!(check(&leave, Some(Voter), Some(Voter), 1), Err(StaleOperator::WrongRole));
    assert_eq!(check(&leave, Some(DemotingVoter), None, 1), Err(StaleOperator::PeerMissing));
    let remove = OperatorStep::RemovePeer(OLD);
    assert_eq!(check(&remove, Some(Voter), None, 3), Err(StaleOperator::LeaderRemoval));
    assert_eq!(check(&remove, Some(Learner), None, 1), Ok(()));
    let add = OperatorStep::AddLearner(Seat { peer: 1001, ..NEW });
    assert_eq!(check(&add, None, Some(Learner), 1), Err(StaleOperator::PeerExists));
    let transfer = OperatorStep::TransferLeader { to: 4 };
    assert_eq!(check(&transfer, None, None, 1), Err(StaleOperator::PeerMissing));
    assert_eq!(check(&transfer, None, Some(Learner), 1), Err(StaleOperator::WrongRole));
    assert_eq!(check(&transfer, None, Some(Voter), 1), Ok(()));
}

/// pd#1714: at no point of a move may the operator treat its own changes as another's.
#[test]
fn an_operator_accounts_for_all_that_it_does() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 1);
    let mut outputs = schedule(&mut pd);
    let mut truth = Truth::of(&pd);
    let mut seen = Vec::new();
    while let Some(dispatch) = dispatched(&outputs).cloned() {
        let operator: Operator = pd.operator(REGION).unwrap().clone();
        truth.obey(&dispatch);
        outputs = report(&mut pd, truth.region.clone(), truth.leader);
        let known = pd.region(REGION).unwrap();
        let risen = known.region.epoch.conf_ver - operator.epoch.conf_ver;
        assert_eq!(operator.conf_ver_delta(known, Sound), risen, "after {dispatch:?}");
        seen.push(risen);
    }
    assert_eq!((seen, ended(&outputs)), (vec![1, 1, 3, 5, 6], Some(OperatorEnd::Success)));
}

#[test]
fn another_change_cancels_the_operator() {
    let mut pd = pd(5, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    // None of its steps was done, but the conf_ver rose.
    let mut other = pd.region(REGION).unwrap().region.clone();
    other.peers.push(Member { id: 50, store: 5, role: MemberRole::Learner });
    other.epoch.conf_ver += 1;
    let outputs = report(&mut pd, other, 1);
    assert_eq!(ended(&outputs), Some(OperatorEnd::Cancelled(StaleOperator::EpochNotMatch)));
    assert!(dispatched(&outputs).is_none() && pd.operator(REGION).is_none());
}

#[test]
fn a_split_does_not_cancel_a_move_and_the_next_order_has_its_epoch() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let outputs = report(&mut pd, region(REGION, ("", "m"), (1, 2), &[1, 2, 3]), 1);
    assert_eq!(dispatched(&outputs).unwrap().epoch.version, 2);
}

#[test]
fn an_operator_times_out_after_the_sum_of_its_steps() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let allowed = pd.operator(REGION).unwrap().time_allowed;
    assert_eq!(allowed, 60 + 3 * 6 + 3 * 6 + 6);
    assert_eq!(ended(&wait(&mut pd, allowed, &[1, 2, 3])), None);
    // Its target is Disconnected. No new operator would choose it, but this one stays.
    let same = pd.region(REGION).unwrap().region.clone();
    assert!(dispatched(&report(&mut pd, same, 1)).is_some());
    assert_eq!(ended(&wait(&mut pd, 1, &[1, 2, 3])), Some(OperatorEnd::Timeout));
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::NoTarget);
}

#[test]
fn an_operator_that_begins_late_has_all_its_time() {
    let mut pd = pd(4, &[1, 2, 3]);
    wait(&mut pd, 300, &[1, 2, 3, 4]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let allowed = pd.operator(REGION).unwrap().time_allowed;
    assert_eq!(ended(&wait(&mut pd, allowed, &[1, 2, 3, 4])), None);
    assert_eq!(ended(&wait(&mut pd, 1, &[1, 2, 3, 4])), Some(OperatorEnd::Timeout));
}

#[test]
fn a_target_that_is_down_is_found_at_the_next_heartbeat() {
    let config = PdConfig { down_after: 5, ..PdConfig::DEFAULT };
    let mut pd = pd_with(config, 4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    wait(&mut pd, 6, &[1, 2, 3]);
    let same = pd.region(REGION).unwrap().region.clone();
    let outputs = report(&mut pd, same, 1);
    assert_eq!(ended(&outputs), Some(OperatorEnd::Cancelled(StaleOperator::StoreDown)));
}

#[test]
fn an_administrators_operator_replaces_a_checkers_and_not_the_reverse() {
    let mut pd = pd(5, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let transfer = add(REGION, AdminOperator::TransferLeader { store: 2 });
    let outputs = pd.step(transfer.clone()).unwrap();
    assert_eq!(ended(&outputs), Some(OperatorEnd::Replaced));
    assert_eq!(command(&outputs), Some(Command::TransferLeader { to: 2 }));
    assert_eq!(pd.operator(REGION).unwrap().purpose, Purpose::AdminTransferLeader);
    let again = refused(&mut pd, transfer);
    assert_eq!(again, PdRefusal::OperatorExists);
    assert_eq!(refused(&mut pd, PdInput::Schedule { region: REGION }), PdRefusal::OperatorExists);
    let outputs = pd.step(PdInput::RemoveOperator { region: REGION }).unwrap();
    assert_eq!(ended(&outputs), Some(OperatorEnd::Removed));
    assert_eq!(refused(&mut pd, PdInput::RemoveOperator { region: REGION }), PdRefusal::OperatorNotFound);
}

/// Row 36, seed 000: the order goes to a former leader again and again, the operator blocks every
/// other, and times out.
#[test]
fn an_operator_for_a_former_leader_waits_until_it_times_out() {
    let mut pd = pd(8, &[5, 7, 8]);
    report(&mut pd, region(REGION, ("", ""), (44, 176), &[5, 7, 8]), 7);
    let outputs = pd.step(add(REGION, AdminOperator::RemovePeer { store: 7 })).unwrap();
    let to_phantom = dispatched(&outputs).unwrap().clone();
    assert_eq!((to_phantom.to.store, to_phantom.epoch.version), (7, 176));
    // PD refuses the report of the real leader, on store 5, because it lags behind.
    let behind = reported(region(REGION, ("", "m"), (44, 174), &[5, 7, 8]), 50, 9);
    assert_eq!(refused(&mut pd, PdInput::RegionHeartbeat(behind)), PdRefusal::RegionStale);
    let pushed = pd.step(PdInput::Push { region: REGION }).unwrap();
    assert_eq!(dispatched(&pushed), Some(&to_phantom));
    let other = add(REGION, AdminOperator::TransferLeader { store: 8 });
    assert_eq!(refused(&mut pd, other.clone()), PdRefusal::OperatorExists);
    let allowed = pd.operator(REGION).unwrap().time_allowed;
    assert_eq!(ended(&wait(&mut pd, allowed, &[5, 7, 8])), None);
    assert_eq!(ended(&wait(&mut pd, 1, &[5, 7, 8])), Some(OperatorEnd::Timeout));
    pd.step(other).unwrap();
    let given_up = pd.step(PdInput::OperatorTimeout { region: REGION }).unwrap();
    assert_eq!(ended(&given_up), Some(OperatorEnd::Timeout));
    for gone in [PdInput::OperatorTimeout { region: REGION }, PdInput::Push { region: REGION }] {
        assert_eq!(refused(&mut pd, gone), PdRefusal::OperatorNotFound);
    }
}

#[test]
fn a_displaced_regions_operator_ends() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let outputs = report(&mut pd, region(2, ("", ""), (1, 2), &[1, 2, 4]), 1);
    assert_eq!(ended(&outputs), Some(OperatorEnd::RegionGone));
    assert!(pd.operators().next().is_none());
}

#[test]
fn an_order_is_for_the_leader_of_the_last_believed_report() {
    let mut pd = pd(4, &[1, 2, 3]);
    decommission(&mut pd, 3);
    schedule(&mut pd);
    let same = pd.region(REGION).unwrap().region.clone();
    let outputs = report(&mut pd, same, 2);
    let dispatch = dispatched(&outputs).unwrap();
    assert_eq!((dispatch.to.store, dispatch.region), (2, REGION));
}

#[test]
fn a_split_operator_ends_when_the_range_changes() {
    let mut pd = pd(3, &[1, 2, 3]);
    let outputs = pd.step(add(REGION, AdminOperator::Split { keys: vec![key("m")] })).unwrap();
    let order = rollcall_impl::pd::Order::Split { keys: vec![key("m")] };
    assert_eq!(dispatched(&outputs).unwrap().order, order);
    let outputs = report(&mut pd, region(REGION, ("m", ""), (1, 2), &[1, 2, 3]), 1);
    assert_eq!(ended(&outputs), Some(OperatorEnd::Success));
}

#[test]
fn the_old_way_adds_a_voter_at_once() {
    let mut pd = pd(4, &[1, 2, 3]);
    let outputs = pd.step(add(REGION, AdminOperator::AddVoter { store: 4 })).unwrap();
    let commands = Truth::of(&pd).settle(&mut pd, outputs);
    let [Command::ChangePeer(change)] = commands[..] else { panic!("{commands:?}") };
    assert_eq!((change.kind, change.peer, change.store), (ChangeKind::AddVoter, 1000, 4));
}
