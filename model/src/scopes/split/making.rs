//! Setups of scopes with splits.

use rollcall_traces::{ChildCommand, Command, Derive, Key, RegionId, Scope, SplitKeys, StoreId};

use super::super::making::{region, scope};

/// The first id that the placement driver allots: the first child's.
pub(crate) const CHILD: RegionId = 10;

pub(crate) fn at(keys: &[&str], derive: Derive) -> SplitKeys {
    SplitKeys { keys: keys.iter().map(|key| Key::from(*key)).collect(), derive }
}

pub(crate) fn splitting(
    name: &str,
    question: &str,
    stores: &[StoreId],
    voters: &[StoreId],
    learners: &[StoreId],
) -> Scope {
    Scope {
        splits: vec![at(&["m"], Derive::Left)],
        next_id: CHILD,
        ..scope(name, question, stores, region(voters, learners))
    }
}

pub(crate) fn child(command: Command) -> ChildCommand {
    ChildCommand { region: CHILD, command }
}
