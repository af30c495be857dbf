//! What actions cost: each draws on the budgets of its scope, and none is taken that
//! would overdraw one.

use rollcall_traces::{Action, Budgets, Command, Order, Outcome, Reply, Returned, Scope};

/// The budget that an action draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Nothing,
    Election,
    Crash,
    LoseDisk,
    Lost,
    Late,
    Write,
    Change,
    Split,
    Merge,
    Transfer,
    Compaction,
    Read,
    Admin,
    Schedule,
    Silence,
    Timeout,
    Push,
    PdRestart,
    StaleCheck,
    Stage,
}

fn cost(action: &Action) -> Cost {
    match action {
        Action::Campaign { .. } => Cost::Election,
        Action::Crash { .. } => Cost::Crash,
        Action::LoseDisk { .. } => Cost::LoseDisk,
        Action::Vote { reply, .. } | Action::Replicate { reply, .. } | Action::Heartbeat { reply, .. } => {
            match reply {
                Reply::Delivered => Cost::Nothing,
                Reply::Dropped => Cost::Lost,
                Reply::Delayed => Cost::Late,
            }
        }
        Action::CheckStalePeer { reply: Reply::Delayed, .. } => Cost::Late,
        Action::CheckStalePeer { .. } => Cost::StaleCheck,
        Action::Hold { .. } => Cost::Late,
        Action::Propose { command, .. } => match command {
            Command::Put { .. } | Command::Delete { .. } => Cost::Write,
            Command::Split { .. } => Cost::Split,
            Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => Cost::Change,
            Command::TransferLeader { .. } => Cost::Transfer,
            Command::CompactLog { .. } => Cost::Compaction,
            Command::PrepareMerge { .. } => Cost::Merge,
            Command::CommitMerge { .. } | Command::RollbackMerge { .. } => Cost::Nothing,
        },
        Action::AskSplit { .. } => Cost::Split,
        Action::Read { .. } => Cost::Read,
        Action::AddStore { .. }
        | Action::Decommission { .. }
        | Action::CancelDecommission { .. }
        | Action::SetTombstone { .. }
        | Action::RemoveTombstone { .. }
        | Action::AddOperator { .. }
        | Action::RemoveOperator { .. }
        | Action::TombstonePeer { .. }
        | Action::RemoveFailedStores { .. } => Cost::Admin,
        Action::Schedule { .. } => Cost::Schedule,
        Action::MissedHeartbeat { .. } => Cost::Silence,
        Action::OperatorTimeout { .. } | Action::RecoveryTimeout | Action::ForceLeaderTimeout { .. } => {
            Cost::Timeout
        }
        Action::StoreHeartbeat { reply: Reply::Dropped, .. } => Cost::Lost,
        Action::StoreHeartbeat { reply: Reply::Delayed, .. } => Cost::Late,
        // One that comes late was not pushed.
        Action::PushOperator { reply: Reply::Delayed, .. } => Cost::Nothing,
        Action::PushOperator { .. } => Cost::Push,
        Action::PdRestart => Cost::PdRestart,
        Action::RegionHeartbeat { .. }
        | Action::StoreHeartbeat { reply: Reply::Delivered, .. }
        | Action::CheckStores
        | Action::ApplySnapshot { .. }
        | Action::Apply { .. }
        | Action::AnswerRead { .. }
        | Action::TimeoutNow { .. }
        | Action::TransferTimeout { .. }
        | Action::Restart { .. }
        | Action::Late { .. } => Cost::Nothing,
    }
}

/// The counter in `budgets` that a cost counts against, if any.
fn counter(budgets: &mut Budgets, cost: Cost) -> Option<&mut u8> {
    Some(match cost {
        Cost::Nothing => return None,
        Cost::Election => &mut budgets.elections,
        Cost::Crash => &mut budgets.crashes,
        Cost::LoseDisk => &mut budgets.disk_losses,
        Cost::Lost => &mut budgets.lost,
        Cost::Late => &mut budgets.late,
        Cost::Write => &mut budgets.writes,
        Cost::Change => &mut budgets.changes,
        Cost::Split => &mut budgets.splits,
        Cost::Merge => &mut budgets.merges,
        Cost::Transfer => &mut budgets.transfers,
        Cost::Compaction => &mut budgets.compactions,
        Cost::Read => &mut budgets.reads,
        Cost::Admin => &mut budgets.admin,
        Cost::Schedule => &mut budgets.schedules,
        Cost::Silence => &mut budgets.missed_heartbeats,
        Cost::Timeout => &mut budgets.timeouts,
        Cost::Push => &mut budgets.pushes,
        Cost::PdRestart => &mut budgets.pd_restarts,
        Cost::StaleCheck => &mut budgets.stale_checks,
        Cost::Stage => &mut budgets.stages,
    })
}

/// What becomes of an order that the placement driver may send with this.
fn fate(action: &Action) -> Option<Reply> {
    match action {
        Action::RegionHeartbeat { reply, .. }
        | Action::Schedule { reply, .. }
        | Action::AddOperator { reply, .. }
        | Action::PushOperator { reply, .. } => Some(*reply),
        _ => None,
    }
}

/// What an action that was done draws on: a budget of its own, and those of the order
/// that was sent with it. Whoever orders it, a leader that begins to hand over counts
/// as a transfer, for it raises the term like any other; one that comes late does when
/// it is sent. Such an order costs nothing if it is lost or refused: the leader that
/// takes it may give it up as well.
fn costs(action: &Action, outcome: &Outcome) -> [Cost; 3] {
    let own = cost(action);
    if let Outcome::Done(Returned::Entered(_)) = outcome {
        return [own, Cost::Stage, Cost::Nothing];
    }
    let (Some(fate), Outcome::Done(Returned::Ordered { order, refused })) = (fate(action), outcome) else {
        return [own, Cost::Nothing, Cost::Nothing];
    };
    let hands_over = matches!(order, Order::Propose(Command::TransferLeader { .. }));
    let transfer = |begins: bool| if hands_over && begins { Cost::Transfer } else { Cost::Nothing };
    match fate {
        Reply::Delivered => [own, transfer(refused.is_none()), Cost::Nothing],
        Reply::Dropped if hands_over => [own, Cost::Nothing, Cost::Nothing],
        Reply::Dropped => [own, Cost::Lost, Cost::Nothing],
        Reply::Delayed => [own, transfer(true), Cost::Late],
    }
}

/// Counts an action that was done.
pub(crate) fn spend(spent: &mut Budgets, action: &Action, outcome: &Outcome) -> bool {
    let mut counts = false;
    for cost in costs(action, outcome) {
        if let Some(count) = counter(spent, cost) {
            *count = count.saturating_add(1);
            counts = true;
        }
    }
    counts
}

/// Whether an action that would come to this is within what is left. Which order is
/// sent, and whether one is, only the step says: where none is, nothing is lost or late.
pub(crate) fn affords(left: &Budgets, action: &Action, outcome: &Outcome) -> bool {
    let sent = matches!(outcome, Outcome::Done(Returned::Ordered { .. }));
    if !sent && fate(action).is_some_and(|fate| fate != Reply::Delivered) {
        return false;
    }
    let mut left = *left;
    costs(action, outcome).into_iter().all(|cost| match counter(&mut left, cost) {
        Some(count) => {
            let is_left = *count > 0;
            *count = count.saturating_sub(1);
            is_left
        }
        None => true,
    })
}

/// Whether more is spent than the scope allows, of anything.
pub(crate) fn is_overdrawn(scope: &Scope, spent: &Budgets) -> bool {
    let (mut all, mut spent) = (scope.budgets, *spent);
    EVERY_COST.into_iter().any(|cost| counter(&mut spent, cost) > counter(&mut all, cost))
}

const EVERY_COST: [Cost; 20] = [
    Cost::Election,
    Cost::Crash,
    Cost::LoseDisk,
    Cost::Lost,
    Cost::Late,
    Cost::Write,
    Cost::Change,
    Cost::Split,
    Cost::Merge,
    Cost::Transfer,
    Cost::Compaction,
    Cost::Read,
    Cost::Admin,
    Cost::Schedule,
    Cost::Silence,
    Cost::Timeout,
    Cost::Push,
    Cost::PdRestart,
    Cost::StaleCheck,
    Cost::Stage,
];

/// What is left of each budget.
pub(crate) fn left(scope: &Scope, spent: &Budgets) -> Budgets {
    let (all, spent) = (&scope.budgets, spent);
    Budgets {
        elections: all.elections.saturating_sub(spent.elections),
        crashes: all.crashes.saturating_sub(spent.crashes),
        disk_losses: all.disk_losses.saturating_sub(spent.disk_losses),
        lost: all.lost.saturating_sub(spent.lost),
        late: all.late.saturating_sub(spent.late),
        writes: all.writes.saturating_sub(spent.writes),
        changes: all.changes.saturating_sub(spent.changes),
        splits: all.splits.saturating_sub(spent.splits),
        merges: all.merges.saturating_sub(spent.merges),
        transfers: all.transfers.saturating_sub(spent.transfers),
        compactions: all.compactions.saturating_sub(spent.compactions),
        reads: all.reads.saturating_sub(spent.reads),
        admin: all.admin.saturating_sub(spent.admin),
        schedules: all.schedules.saturating_sub(spent.schedules),
        missed_heartbeats: all.missed_heartbeats.saturating_sub(spent.missed_heartbeats),
        timeouts: all.timeouts.saturating_sub(spent.timeouts),
        pushes: all.pushes.saturating_sub(spent.pushes),
        pd_restarts: all.pd_restarts.saturating_sub(spent.pd_restarts),
        stale_checks: all.stale_checks.saturating_sub(spent.stale_checks),
        stages: all.stages.saturating_sub(spent.stages),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_traces::Reason;

    use super::*;

    fn ordered(command: Command, refused: Option<Reason>) -> Outcome {
        Outcome::Done(Returned::Ordered { order: Order::Propose(command), refused })
    }

    fn hands_over(refused: Option<Reason>) -> Outcome {
        ordered(Command::TransferLeader { to: 2 }, refused)
    }

    fn everybody_who_orders(reply: Reply) -> [Action; 4] {
        let operator = rollcall_traces::AdminOperator::TransferLeader { store: 2 };
        [
            Action::RegionHeartbeat { region: 1, store: 1, reply },
            Action::Schedule { region: 1, reply },
            Action::AddOperator { region: 1, operator, reply },
            Action::PushOperator { region: 1, reply },
        ]
    }

    const ONE_OF_ALL: Budgets = Budgets {
        elections: 1,
        crashes: 1,
        disk_losses: 1,
        lost: 1,
        late: 1,
        writes: 1,
        changes: 1,
        splits: 1,
        merges: 1,
        transfers: 1,
        compactions: 1,
        reads: 1,
        admin: 1,
        schedules: 1,
        missed_heartbeats: 1,
        timeouts: 1,
        pushes: 1,
        pd_restarts: 1,
        stale_checks: 1,
        stages: 1,
    };

    #[test]
    fn whoever_orders_a_handover_it_is_a_transfer() {
        let none_left = Budgets { transfers: 0, ..ONE_OF_ALL };
        for action in everybody_who_orders(Reply::Delivered) {
            assert!(affords(&ONE_OF_ALL, &action, &hands_over(None)), "{action}");
            assert!(!affords(&none_left, &action, &hands_over(None)), "{action}");
            assert!(
                affords(&none_left, &action, &hands_over(Some(Reason::NotLeader))),
                "{action}: not begun"
            );
            assert!(
                affords(&none_left, &action, &ordered(Command::LeaveJoint, None)),
                "{action}: another order"
            );
            let mut spent = Budgets::default();
            assert!(spend(&mut spent, &action, &hands_over(None)));
            assert_eq!(spent.transfers, 1, "{action}");
        }
        for action in everybody_who_orders(Reply::Delayed) {
            let late = Budgets { late: 0, ..ONE_OF_ALL };
            assert!(affords(&ONE_OF_ALL, &action, &hands_over(None)), "{action}");
            assert!(!affords(&none_left, &action, &hands_over(None)), "{action}");
            assert!(!affords(&late, &action, &ordered(Command::LeaveJoint, None)), "{action}");
        }
    }

    /// A report that ends the step under way is answered with the next order: which one
    /// that is decides what may become of it.
    #[test]
    fn an_order_is_lost_within_a_budget_unless_it_is_to_hand_over() {
        let none_left = Budgets { lost: 0, transfers: 0, ..ONE_OF_ALL };
        for action in everybody_who_orders(Reply::Dropped) {
            assert!(affords(&none_left, &action, &hands_over(None)), "{action}");
            assert!(!affords(&none_left, &action, &ordered(Command::LeaveJoint, None)), "{action}");
            assert!(!affords(&ONE_OF_ALL, &action, &Outcome::DONE), "{action}: nothing was sent");
            let mut spent = Budgets::default();
            spend(&mut spent, &action, &ordered(Command::LeaveJoint, None));
            assert_eq!(spent.lost, 1, "{action}");
        }
    }

    /// What is afforded never overdraws, of no budget, whatever was spent before; one more does.
    #[test]
    fn what_is_afforded_overdraws_nothing() {
        let scope = crate::scopes::named("two_voters_to_one_smoke").expect("a scope of that name").scope;
        let scope = Scope { budgets: ONE_OF_ALL, ..scope };
        for reply in [Reply::Delivered, Reply::Dropped, Reply::Delayed] {
            let round = Action::Vote { region: 1, candidate: 1, voter: 2, reply };
            for action in everybody_who_orders(reply).into_iter().chain([round, Action::PdRestart]) {
                for outcome in [hands_over(None), ordered(Command::LeaveJoint, None), Outcome::DONE] {
                    let mut spent = Budgets::default();
                    let mut taken = 0;
                    while taken < 3 && affords(&left(&scope, &spent), &action, &outcome) {
                        spend(&mut spent, &action, &outcome);
                        taken += 1;
                        assert!(!is_overdrawn(&scope, &spent), "{action}: {outcome}");
                    }
                    let counts = spend(&mut spent, &action, &outcome);
                    assert!(!counts || taken == 0 || is_overdrawn(&scope, &spent), "{action}: {outcome}");
                }
            }
        }
        assert!(is_overdrawn(&scope, &Budgets { pd_restarts: 2, ..Budgets::default() }));
    }
}
