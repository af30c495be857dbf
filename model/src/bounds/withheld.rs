//! The actions that the rules would take and a scope does not offer, each with what keeps it back.
//! Nothing is explored by this: it answers a reader who misses an action.

use rollcall_traces::{Action, Budget, Command, Key, Outcome, Reply, Role, Scope, Value};

use crate::bounds::costs;
use crate::cluster::ClusterInScope;

/// Why a scope does not offer an action that the rules would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// Nothing is left of this budget.
    Budget(Budget),
    /// It is not among the scope's commands, splits, merges, keys to read or administrator's
    /// commands.
    Command,
    /// The scope lets other stores do this.
    Store,
    /// It would give the id of a removed peer to another one, which PD never does.
    Id,
    /// The scope leaves it out.
    Other,
}

/// Adds a write for each leader of a scope without writes, because its commands cannot name one.
pub(crate) fn writes(scope: &Scope, cluster: impl ClusterInScope, actions: &mut Vec<Action>) {
    if scope.commands.iter().any(|command| command.written_key().is_some()) {
        return;
    }
    for region in cluster.regions() {
        for (store, peer) in cluster.replicas(region) {
            if peer.role == Role::Leader {
                let key = if peer.region.contains(&Key::from("k")) {
                    Key::from("k")
                } else {
                    peer.region.start.clone()
                };
                let command = Command::Put { key, value: Value::from("v") };
                actions.push(Action::Propose { region, store, command, epoch: None });
            }
        }
    }
}

/// What keeps back an action that is done and not offered; `None` if something else of the same
/// effect is offered, or it would do nothing that counts.
pub(crate) fn why(
    scope: &Scope,
    cluster: &impl ClusterInScope,
    action: &Action,
    outcome: &Outcome,
) -> Option<Withheld> {
    if !is_a_command(scope, action) {
        return Some(Withheld::Command);
    }
    let left = costs::left(scope, cluster.spent());
    if let Some(budget) = costs::exceeded(&left, action, outcome) {
        return Some(Withheld::Budget(budget));
    }
    if !costs::affords(&left, action, outcome) {
        return None; // An order that was not sent cannot be dropped.
    }
    Some(match action {
        // The n-th write has the scope's n-th value, and that one is offered.
        Action::Propose { command, .. } if command.written_key().is_some() => return None,
        Action::Propose { epoch: Some(_), .. } => return None,
        Action::Propose { command: Command::ChangePeer(_) | Command::EnterJoint { .. }, .. } => Withheld::Id,
        Action::Campaign { .. }
        | Action::Crash { .. }
        | Action::LoseDisk { .. }
        | Action::MissedHeartbeat { .. } => Withheld::Store,
        _ => Withheld::Other,
    })
}

/// Whether the scope has the command of the action, if it is a command.
fn is_a_command(scope: &Scope, action: &Action) -> bool {
    match action {
        Action::Propose { region, command, .. } => match command {
            Command::Put { .. } | Command::Delete { .. } => {
                scope.commands.iter().any(|own| own.written_key().is_some())
            }
            Command::CompactLog { .. } => scope.budgets.compactions > 0,
            Command::PrepareMerge { .. } | Command::RollbackMerge { .. } => {
                scope.merges.iter().any(|(source, _)| source == region)
            }
            Command::CommitMerge { .. } => scope.merges.iter().any(|(_, target)| target == region),
            command => {
                scope.commands.contains(command)
                    || scope.child_commands.iter().any(|child| child.command == *command)
            }
        },
        Action::AskSplit { keys, derive, .. } => {
            scope.splits.iter().any(|split| split.keys == *keys && split.derive == *derive)
        }
        Action::Read { key, .. } => scope.keys.contains(key),
        Action::AddStore { .. }
        | Action::Decommission { .. }
        | Action::CancelDecommission { .. }
        | Action::SetTombstone { .. }
        | Action::RemoveTombstone { .. }
        | Action::AddOperator { .. }
        | Action::RemoveOperator { .. }
        | Action::TombstonePeer { .. }
        | Action::RemoveFailedStores { .. } => {
            let delivered = |action: &Action| match action {
                Action::AddOperator { region, operator, .. } => {
                    let (region, operator) = (*region, operator.clone());
                    Action::AddOperator { region, operator, reply: Reply::Delivered }
                }
                other => other.clone(),
            };
            scope.admin.iter().any(|own| delivered(own) == delivered(action))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use rollcall_traces::Change;

    use super::*;
    use crate::{GuardSet, Rollcall, properties::Property, scopes};

    fn model(name: &str, change: impl FnOnce(&mut Scope)) -> Rollcall {
        let mut scope = scopes::named(name).expect("a scope of that name").scope;
        change(&mut scope);
        Rollcall::new(&scope, GuardSet::ALL, Property::ALL, &[]).expect("it can be begun")
    }

    fn why_not(model: &Rollcall, is_it: impl Fn(&Action) -> bool) -> Option<Withheld> {
        let found = model.withheld(&model.first()).into_iter().find(|(action, _)| is_it(action));
        found.map(|(_, why)| why)
    }

    #[test]
    fn what_keeps_an_action_back_is_told() {
        let name = "three_voters_to_one_smoke";
        let crash = |action: &Action| matches!(action, Action::Crash { store: 1 });
        let campaign = |action: &Action| matches!(action, Action::Campaign { store: 2, .. });
        let write = |action: &Action| {
            matches!(action, Action::Propose { command: Command::Put { .. }, epoch: None, .. })
        };
        let none = model(name, |scope| scope.budgets = rollcall_traces::Budgets::default());
        assert_eq!(why_not(&none, crash), Some(Withheld::Budget(Budget::Crashes)));
        assert_eq!(why_not(&none, campaign), Some(Withheld::Budget(Budget::Elections)));
        let some = model(name, |scope| {
            scope.budgets = rollcall_traces::Budgets::of_each(1);
            (scope.crashers, scope.campaigners) = (vec![2], vec![1]);
            scope.commands.clear();
        });
        assert_eq!(why_not(&some, crash), Some(Withheld::Store));
        assert_eq!(why_not(&some, campaign), Some(Withheld::Store));
        assert_eq!(why_not(&some, write), Some(Withheld::Command));
        let change = |action: &Action| {
            matches!(action, Action::Propose { command: Command::ChangePeer(Change { .. }), epoch: None, .. })
        };
        assert_eq!(why_not(&some, change), Some(Withheld::Command));
    }

    /// Whatever the rules take is offered, is kept back for a reason, or does nothing; and nothing
    /// is both offered and kept back.
    #[test]
    fn no_action_of_a_scope_is_passed_over() {
        let mut kept_back = 0;
        for plan in scopes::all().into_iter().filter(|plan| plan.size == scopes::Size::Smoke) {
            let model = Rollcall::new(&plan.scope, GuardSet::ALL, Property::ALL, &[]).expect("a model");
            let (state, mut offered) = (model.first(), Vec::new());
            model.expand(&state, |_, action, _| offered.push(action.clone()));
            for (action, _) in model.withheld(&state) {
                assert!(model.step(&state, &action).1.is_done(), "{action}");
                assert!(!offered.contains(&action), "{action}");
                kept_back += 1;
            }
        }
        assert!(kept_back > 10, "{kept_back}");
    }
}
