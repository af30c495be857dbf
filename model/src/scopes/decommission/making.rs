//! Setups for scopes with a placement driver.

use rollcall_traces::{Action, AdminOperator, Entries, RegionId, Reply, Scope, SplitKeys, StoreId};

use super::super::making::{REGION, apply, behind, put, region, round, scope};

/// A region whose first member leads, has written a value that all members have applied, and has
/// reported.
pub(crate) fn placed(name: &str, question: &str, stores: &[StoreId], voters: &[StoreId]) -> Scope {
    let region = region(voters, &[]);
    let round = |store: &StoreId| round(REGION, *store);
    let write = Action::Propose { region: REGION, store: voters[0], command: put("v"), epoch: None };
    let placed = Scope {
        max_replicas: voters.len() as u64,
        next_id: 10,
        rounds: vec![Entries::All],
        ..scope(name, question, stores, region)
    };
    let written = behind(behind(placed, [write]), voters[1..].iter().map(round));
    // A peer that had the entry before it was committed learns its commit, too.
    let informed = behind(written, voters[1..].iter().take(voters.len() / 2).map(round));
    behind(informed, [reported(REGION, voters[0])])
}

pub(crate) fn reported(region: RegionId, store: StoreId) -> Action {
    Action::RegionHeartbeat { region, store, reply: Reply::Delivered }
}

pub(crate) fn leaves(store: StoreId) -> Action {
    Action::Decommission { store, force: false }
}

pub(crate) fn scheduled() -> Action {
    Action::Schedule { region: REGION, reply: Reply::Delivered }
}

/// The patrol has found the voter to move. Its successor has joined as a learner and caught up, and
/// the leader knows that.
pub(crate) fn successor_joined(scope: Scope, on: StoreId) -> Scope {
    let others: Vec<StoreId> = scope.regions[0].peers[1..].iter().map(|member| member.store).collect();
    let ordered = behind(scope, [scheduled()]);
    let committed = behind(ordered, others.into_iter().map(|store| round(REGION, store)));
    // It is created, gets a snapshot, and acknowledges it.
    let round = || round(REGION, on);
    let snapshot = Action::ApplySnapshot { region: REGION, store: on };
    behind(committed, [apply(REGION, 1), round(), round(), snapshot, round()])
}

/// A region with two replicas has entered the joint configuration that replaces one of them, and
/// the leader has applied that.
pub(crate) fn joint_entered(scope: Scope, on: StoreId) -> Scope {
    let joined = behind(successor_joined(scope, on), [reported(REGION, 1)]);
    behind(joined, [round(REGION, 2), round(REGION, on), apply(REGION, 1)])
}

pub(crate) fn operator(region: RegionId, operator: AdminOperator) -> Action {
    Action::AddOperator { region, operator, reply: Reply::Delivered }
}

/// The child has a leader, which has not reported it.
pub(crate) fn divided(scope: Scope, at: &SplitKeys) -> Scope {
    let (keys, derive, reply) = (at.keys.clone(), at.derive, Reply::Delivered);
    let round = || round(REGION, 2);
    let ask = Action::AskSplit { region: REGION, store: 1, keys, derive, reply };
    let vote = Action::Vote { region: 10, candidate: 1, voter: 2, reply };
    behind(scope, [ask, round(), apply(REGION, 1), round(), apply(REGION, 2), vote])
}
