//! The costs of actions. Each action draws on the scope's budgets, and none may overdraw one.

use rollcall_traces::{Action, Budget, Budgets, Command, Order, Outcome, Reply, Returned, Scope};

/// The budget of an action, if it has one.
fn cost(action: &Action) -> Option<Budget> {
    Some(match action {
        Action::Campaign { .. } => Budget::Elections,
        Action::Crash { .. } => Budget::Crashes,
        Action::LoseDisk { .. } => Budget::DiskLosses,
        Action::Vote { reply, .. } | Action::Replicate { reply, .. } | Action::Heartbeat { reply, .. } => {
            match reply {
                Reply::Delivered => return None,
                Reply::Dropped => Budget::Lost,
                Reply::Delayed => Budget::Late,
            }
        }
        Action::CheckStalePeer { reply: Reply::Delayed, .. } => Budget::Late,
        Action::CheckStalePeer { .. } => Budget::StaleChecks,
        Action::Hold { .. } => Budget::Late,
        Action::Propose { command, .. } => match command {
            Command::Put { .. } | Command::Delete { .. } => Budget::Writes,
            Command::Split { .. } => Budget::Splits,
            Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => Budget::Changes,
            Command::TransferLeader { .. } => Budget::Transfers,
            Command::CompactLog { .. } => Budget::Compactions,
            Command::PrepareMerge { .. } => Budget::Merges,
            Command::CommitMerge { .. } | Command::RollbackMerge { .. } => return None,
        },
        Action::AskSplit { .. } => Budget::Splits,
        Action::Read { .. } => Budget::Reads,
        Action::AddStore { .. }
        | Action::Decommission { .. }
        | Action::CancelDecommission { .. }
        | Action::SetTombstone { .. }
        | Action::RemoveTombstone { .. }
        | Action::AddOperator { .. }
        | Action::RemoveOperator { .. }
        | Action::TombstonePeer { .. }
        | Action::RemoveFailedStores { .. } => Budget::Admin,
        Action::Schedule { .. } => Budget::Schedules,
        Action::MissedHeartbeat { .. } => Budget::MissedHeartbeats,
        Action::OperatorTimeout { .. } | Action::RecoveryTimeout | Action::ForceLeaderTimeout { .. } => {
            Budget::Timeouts
        }
        Action::StoreHeartbeat { reply: Reply::Dropped, .. } => Budget::Lost,
        Action::StoreHeartbeat { reply: Reply::Delayed, .. } => Budget::Late,
        // A delayed push takes effect only when it arrives.
        Action::PushOperator { reply: Reply::Delayed, .. } => return None,
        Action::PushOperator { .. } => Budget::Pushes,
        Action::PdRestart => Budget::PdRestarts,
        Action::RegionHeartbeat { .. }
        | Action::StoreHeartbeat { reply: Reply::Delivered, .. }
        | Action::CheckStores
        | Action::ApplySnapshot { .. }
        | Action::Apply { .. }
        | Action::AnswerRead { .. }
        | Action::TimeoutNow { .. }
        | Action::TransferTimeout { .. }
        | Action::Restart { .. }
        | Action::Persist { .. }
        | Action::Late { .. } => return None,
    })
}

/// What becomes of an order that the placement driver may send in this action.
fn fate(action: &Action) -> Option<Reply> {
    match action {
        Action::RegionHeartbeat { reply, .. }
        | Action::Schedule { reply, .. }
        | Action::AddOperator { reply, .. }
        | Action::PushOperator { reply, .. } => Some(*reply),
        _ => None,
    }
}

/// The budgets of an action that was done: its own, and those of the order that was sent with it. A
/// leader that starts a transfer always uses the budget of transfers, whoever ordered it, because a
/// transfer raises the term. A delayed order uses it when it is sent. A transfer order that is
/// dropped or refused costs nothing: the leader may abort the transfer as well.
fn costs(action: &Action, outcome: &Outcome) -> [Option<Budget>; 3] {
    let own = cost(action);
    if let Outcome::Done(Returned::Entered(_)) = outcome {
        return [own, Some(Budget::Stages), None];
    }
    let (Some(fate), Outcome::Done(Returned::Ordered { order, refused })) = (fate(action), outcome) else {
        return [own, None, None];
    };
    let hands_over = matches!(order, Order::Propose(Command::TransferLeader { .. }));
    let transfer = |begins: bool| if hands_over && begins { Some(Budget::Transfers) } else { None };
    match fate {
        Reply::Delivered => [own, transfer(refused.is_none()), None],
        Reply::Dropped if hands_over => [own, None, None],
        Reply::Dropped => [own, Some(Budget::Lost), None],
        Reply::Delayed => [own, transfer(true), Some(Budget::Late)],
    }
}

/// Spends the cost of an action that was done.
pub(crate) fn spend(spent: &mut Budgets, action: &Action, outcome: &Outcome) -> bool {
    let mut counts = false;
    for budget in costs(action, outcome).into_iter().flatten() {
        let count = spent.count_mut(budget);
        *count = count.saturating_add(1);
        counts = true;
    }
    counts
}

/// Whether the budgets allow an action with this outcome. Only the outcome shows whether an order
/// was sent and which. Without an order, nothing is dropped or delayed.
pub(crate) fn affords(left: &Budgets, action: &Action, outcome: &Outcome) -> bool {
    let sent = matches!(outcome, Outcome::Done(Returned::Ordered { .. }));
    if !sent && fate(action).is_some_and(|fate| fate != Reply::Delivered) {
        return false;
    }
    exceeded(left, action, outcome).is_none()
}

/// The first budget that an action with this outcome would overdraw.
pub(crate) fn exceeded(left: &Budgets, action: &Action, outcome: &Outcome) -> Option<Budget> {
    let mut left = *left;
    costs(action, outcome).into_iter().flatten().find(|budget| {
        let count = left.count_mut(*budget);
        let is_none_left = *count == 0;
        *count = count.saturating_sub(1);
        is_none_left
    })
}

/// Whether any budget of the scope is overdrawn.
pub(crate) fn is_overdrawn(scope: &Scope, spent: &Budgets) -> bool {
    Budget::ALL.iter().any(|budget| spent.count(*budget) > scope.budgets.count(*budget))
}

/// What remains of each budget.
pub(crate) fn left(scope: &Scope, spent: &Budgets) -> Budgets {
    scope.budgets.without(spent)
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

    const ONE_OF_ALL: Budgets = Budgets::of_each(1);

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

    /// A report that completes a step gets the next order in reply. Its budget depends on that
    /// order.
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

    /// What is affordable overdraws no budget, whatever was spent before. One more does.
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
