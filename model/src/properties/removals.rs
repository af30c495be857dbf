//! Removals that leaders accept. After TiKV `util.rs` `check_availability_by_last_heartbeats`.

use rollcall_traces::{Cluster, History};

use super::{Property, Violation};

/// No leader accepts a change that removes or demotes a live voter, and with it the region's live
/// majority, if there is one (S12).
///
/// It is checked against the true state at propose, not against any store's knowledge: a voter is
/// live if its store runs. A voter that the change adds counts as live. Stores that stop afterwards
/// do not count, and neither do forced leaders. What PD alone can promise is `no_unsafe_plan`.
///
/// # Errors
/// Such a change; latched by the history.
pub fn no_unsafe_removal<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::NoUnsafeRemoval.not_latched(history)
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, Entry, History, HistoryParts, StoreId, StoreStatus, View};

    use super::super::forge::*;
    use super::*;

    /// What is violated when the leader on store 1 takes `entry` while these are down.
    fn proposed(down: &[StoreId], entry: Entry) -> Vec<Property> {
        let before = with(&three(), |view| {
            lead(view, 1, 6);
            down.iter().for_each(|&id| store(view, id).status = StoreStatus::Down);
        });
        let mut history = History::begin(HistoryParts::ALL, &before);
        let command = entry.command.clone().expect("a change");
        let propose = Action::Propose { region: 1, store: 1, command, epoch: None };
        let after: View = with(&before, |view| append(view, 1, entry));
        follow(&mut history, &before, propose, &after);
        let violated = |property: &Property| property.check(&after, &history).is_err();
        [Property::NoUnsafeRemoval].into_iter().filter(violated).collect()
    }

    #[test]
    fn a_living_voter_goes_while_another_is_down() {
        assert_eq!(proposed(&[3], removal(6, 2)), [Property::NoUnsafeRemoval]);
        assert_eq!(proposed(&[3], demotion(6, 2)), [Property::NoUnsafeRemoval]);
    }

    #[test]
    fn the_dead_one_goes_or_nobody_is_dead_or_most_are() {
        assert_eq!(proposed(&[3], removal(6, 3)), []);
        assert_eq!(proposed(&[3], demotion(6, 3)), []);
        assert_eq!(proposed(&[], removal(6, 2)), []);
        assert_eq!(proposed(&[2, 3], removal(6, 2)), []);
        // Another joins: three of four live.
        assert_eq!(proposed(&[3], add_voter(6, 4)), []);
    }
}
