//! What a scope or schedule needs from a Raft library. What a subject lacks is skipped and
//! reported, never counted as a failure.

use std::collections::BTreeSet;

use rollcall_traces::{Action, ChangeKind, Command, MemberRole, Region, Scope};

use super::Link;
use super::wire::CAPABILITIES;

/// What no library offers: an entry placed in its log, a vote that was never granted, a sync that
/// comes later.
const INNARDS: &[(&str, &str)] = &[
    ("merges", "a merge appends entries outside of the protocol"),
    ("unsafe recovery", "a forced leader counts votes that were not granted"),
    ("late persistence", "no request of the protocol says that a sync is complete"),
];

/// What a library needs to begin a scope and, if PD plans, to continue. The needs of single actions
/// are checked one by one ([`needs_of`]).
pub fn needs_to_begin(scope: &Scope) -> BTreeSet<&'static str> {
    let mut needs = BTreeSet::from(["probe", "apply_when_told"]);
    scope.regions.iter().chain(&scope.believed).for_each(|region| of_region(region, &mut needs));
    scope.setup.iter().for_each(|action| of_action(action, &mut needs));
    if scope.late_persistence {
        needs.insert("late persistence");
    }
    if scope.max_replicas > 0 {
        // Any plan of PD adds learners, promotes and demotes by joint changes, and transfers
        // leadership.
        needs.extend(["learners", "joint", "transfer", "snapshots"]);
    }
    needs
}

/// What an action needs from the library.
pub fn needs_of(action: &Action) -> BTreeSet<&'static str> {
    let mut needs = BTreeSet::new();
    of_action(action, &mut needs);
    needs
}

/// What a scope and its steps need: names from [`CAPABILITIES`], and from what no library has.
pub fn needs<'a>(scope: &'a Scope, steps: impl IntoIterator<Item = &'a Action>) -> BTreeSet<&'static str> {
    let mut needs = needs_to_begin(scope);
    let child = scope.child_commands.iter().map(|child| &child.command);
    scope.commands.iter().chain(child).for_each(|command| of_command(command, &mut needs));
    scope.admin.iter().chain(steps).for_each(|action| of_action(action, &mut needs));
    let budgets = &scope.budgets;
    let budgeted = [
        (budgets.transfers > 0, "transfer"),
        (budgets.compactions > 0, "compact"),
        (budgets.compactions > 0, "snapshots"),
        (budgets.reads > 0, "reads"),
        (budgets.merges > 0 || !scope.merges.is_empty(), "merges"),
        (budgets.stages > 0, "unsafe recovery"),
    ];
    needs.extend(budgeted.into_iter().filter(|(is, _)| *is).map(|(_, need)| need));
    needs
}

fn of_region(region: &Region, needs: &mut BTreeSet<&'static str>) {
    for member in &region.peers {
        match member.role {
            MemberRole::Voter => {}
            MemberRole::Learner => drop(needs.insert("learners")),
            MemberRole::IncomingVoter | MemberRole::DemotingVoter => needs.extend(["joint", "learners"]),
        }
    }
}

fn of_command(command: &Command, needs: &mut BTreeSet<&'static str>) {
    let mut of_kind = |kind| match kind {
        ChangeKind::AddVoter => needs.extend(["snapshots"]),
        ChangeKind::AddLearner => needs.extend(["learners", "snapshots"]),
        ChangeKind::Remove => {}
    };
    match command {
        Command::ChangePeer(change) => of_kind(change.kind),
        Command::EnterJoint { changes } => {
            changes.iter().for_each(|change| of_kind(change.kind));
            needs.insert("joint");
        }
        Command::LeaveJoint => drop(needs.insert("joint")),
        Command::TransferLeader { .. } => drop(needs.insert("transfer")),
        Command::CompactLog { .. } => needs.extend(["compact", "snapshots"]),
        Command::PrepareMerge { .. } | Command::CommitMerge { .. } | Command::RollbackMerge { .. } => {
            needs.insert("merges");
        }
        Command::Put { .. } | Command::Delete { .. } | Command::Split { .. } => {}
    }
}

fn of_action(action: &Action, needs: &mut BTreeSet<&'static str>) {
    match action {
        Action::Propose { command, .. } => of_command(command, needs),
        Action::Read { .. } => drop(needs.insert("reads")),
        Action::TimeoutNow { .. } | Action::TransferTimeout { .. } => drop(needs.insert("transfer")),
        Action::ApplySnapshot { .. } => drop(needs.insert("snapshots")),
        Action::RemoveFailedStores { .. } | Action::RecoveryTimeout | Action::ForceLeaderTimeout { .. } => {
            needs.insert("unsafe recovery");
        }
        _ => {}
    }
}

/// The first need that the subject lacks, in words.
pub fn lacking(link: &Link, needs: &BTreeSet<&'static str>) -> Option<String> {
    let mut needs = needs.clone();
    if link.is_of_a_world() {
        // Its rounds are its own.
        needs.retain(|need| !["probe", "apply_when_told"].contains(need));
    }
    lacking_of(&link.handshake().has, &needs)
}

/// The same for a library with the capabilities `has`.
pub fn lacking_of(has: &[String], needs: &BTreeSet<&'static str>) -> Option<String> {
    let innards = INNARDS.iter().find(|(name, _)| needs.contains(name));
    let has = |name: &str| has.iter().any(|has| has == name);
    let lacks = CAPABILITIES.iter().find(|(name, _)| needs.contains(name) && !has(name));
    innards.map(|(name, why)| format!("{name}: {why}")).or_else(|| Some(format!("no `{}`", lacks?.0)))
}

#[cfg(test)]
mod tests {
    use rollcall_model::scopes;

    use super::*;

    fn of(scope: &str) -> BTreeSet<&'static str> {
        needs(&scopes::named(scope).expect("there is such a scope").scope, [])
    }

    #[test]
    fn scopes_need_what_they_do() {
        assert!(of("forced_while_merging_smoke").contains("merges"));
        assert!(of("forced_behind_a_split_smoke").contains("unsafe recovery"));
        assert!(of("power_fails_before_persistence_smoke").contains("late persistence"));
        assert!(of("reads_across_leaders_smoke").contains("reads"));
        assert!(of("demoted_while_it_needs_a_snapshot_smoke").contains("joint"));
        let plain = of("old_term_entries_smoke");
        assert_eq!(plain, BTreeSet::from(["probe", "apply_when_told"]), "elections and writes alone");
    }
}
