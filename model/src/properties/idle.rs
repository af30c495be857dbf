//! Scopes in which a property or a goal is vacuous: it holds, but nothing can break it.

use rollcall_traces::{Action, Command, Scope};

use super::Property;
use crate::liveness::Goal;

impl Property {
    /// Why nothing in the scope could break it; `None` if something could.
    pub fn idle_in(self, scope: &Scope) -> Option<&'static str> {
        use Property::{
            NoLostWrite, NoUnsafePlan, OneOperator, PdView, ReadSafety, SplitLineage, TombstoneAbsorbing,
            TombstoneStoreEmpty,
        };
        let budgets = &scope.budgets;
        match self {
            ReadSafety if budgets.reads == 0 && !begins_with(scope, is_read) => {
                Some("the scope has no reads")
            }
            NoLostWrite if budgets.writes == 0 && !begins_with(scope, is_write) => {
                Some("the scope has no writes")
            }
            SplitLineage if budgets.splits == 0 && !begins_with(scope, is_split) => {
                Some("the scope has no splits")
            }
            PdView | NoUnsafePlan | OneOperator | TombstoneAbsorbing | TombstoneStoreEmpty
                if scope.max_replicas == 0 =>
            {
                Some("there is no placement driver that places peers (`max_replicas`)")
            }
            _ => None,
        }
    }
}

impl Goal {
    /// Why it is never owed in the scope; `None` if it may be.
    pub fn idle_in(self, scope: &Scope) -> Option<&'static str> {
        match self {
            Goal::PdViewCurrent | Goal::OperatorsEnd | Goal::ReplicasWhole | Goal::StoreLeaves
                if scope.max_replicas == 0 =>
            {
                Some("there is no placement driver that places peers (`max_replicas`)")
            }
            Goal::StoreLeaves
                if (scope.budgets.admin == 0 || !scope.admin.iter().any(is_decommission))
                    && !begins_with(scope, is_decommission) =>
            {
                Some("no store leaves")
            }
            _ => None,
        }
    }
}

fn begins_with(scope: &Scope, is: fn(&Action) -> bool) -> bool {
    scope.setup.iter().any(is)
}

fn is_read(action: &Action) -> bool {
    matches!(action, Action::Read { .. })
}

fn is_decommission(action: &Action) -> bool {
    matches!(action, Action::Decommission { .. })
}

fn is_write(action: &Action) -> bool {
    let Action::Propose { command, .. } = action else { return false };
    matches!(command, Command::Put { .. } | Command::Delete { .. })
}

fn is_split(action: &Action) -> bool {
    let splits = matches!(action, Action::Propose { command: Command::Split { .. }, .. });
    splits || matches!(action, Action::AskSplit { .. } | Action::Late { .. })
}

#[cfg(test)]
mod tests {
    use crate::liveness::Goal;
    use crate::properties::Property;
    use crate::scopes;

    #[test]
    fn what_a_scope_cannot_break_is_listed() {
        let of = |name| scopes::named(name).expect("a scope of that name").scope;
        let (reads, split) = (of("reads_across_leaders_smoke"), of("split_and_crash_smoke"));
        assert_eq!(Property::ReadSafety.idle_in(&reads), None);
        assert!(Property::ReadSafety.idle_in(&split).is_some());
        assert!(
            Property::SplitLineage.idle_in(&reads).is_some()
                && Property::SplitLineage.idle_in(&split).is_none()
        );
        assert!(Goal::StoreLeaves.idle_in(&split).is_some());
        assert_eq!(Goal::StoreLeaves.idle_in(&of("one_store_leaves_smoke")), None);
        assert_eq!(Property::ElectionSafety.idle_in(&split), None);
    }

    /// No exhibit's property is idle in a scope whose dropped guard breaks it.
    #[test]
    fn a_scope_in_which_a_store_may_leave_owes_its_end() {
        let leaves = |plan: &scopes::ScopePlan| {
            let types = |action: &_| matches!(action, rollcall_traces::Action::Decommission { .. });
            plan.scope.max_replicas > 0 && plan.scope.budgets.admin > 0 && plan.scope.admin.iter().any(types)
        };
        let leaving: Vec<_> = scopes::all().into_iter().filter(leaves).collect();
        assert!(leaving.len() > 10);
        assert!(leaving.iter().all(|plan| Goal::StoreLeaves.idle_in(&plan.scope).is_none()));
    }
}
