//! Setups, actions and commands of scopes, with short names.

use rollcall_traces::{
    Action, Change, ChangeKind, Command, Entries, Epoch, Key, Member, MemberRole, Region, RegionId, Reply,
    Scope, StoreId,
};

pub(super) fn either(standard: bool, more: u8, less: u8) -> u8 {
    if standard { more } else { less }
}

/// The region with which every scope starts: the whole key space.
pub(super) const REGION: u64 = 1;

pub(super) fn region(voters: &[StoreId], learners: &[StoreId]) -> Region {
    let member = |role| move |store: &StoreId| Member { id: *store, store: *store, role };
    let voters = voters.iter().map(member(MemberRole::Voter));
    let peers = voters.chain(learners.iter().map(member(MemberRole::Learner))).collect();
    let epoch = Epoch { conf_ver: 1, version: 1 };
    Region { id: REGION, start: Key::empty(), end: Key::empty(), epoch, peers }
}

pub(super) fn scope(name: &str, question: &str, stores: &[StoreId], region: Region) -> Scope {
    Scope {
        question: question.into(),
        stores: stores.to_vec(),
        setup: elected(&region),
        regions: vec![region],
        ..Scope::empty(name)
    }
}

/// The first member leads, and all have applied its first entry.
pub(super) fn elected(region: &Region) -> Vec<Action> {
    let (id, leader) = (region.id, region.peers[0].store);
    let others: Vec<StoreId> = region.peers[1..].iter().map(|member| member.store).collect();
    let voters: Vec<StoreId> = region.peers[1..]
        .iter()
        .filter(|member| member.role == MemberRole::Voter)
        .map(|member| member.store)
        .collect();
    let mut actions = vec![Action::Campaign { region: id, store: leader }];
    for &voter in &voters[..voters.len().div_ceil(2)] {
        actions.push(Action::Vote { region: id, candidate: leader, voter, reply: Reply::Delivered });
    }
    let round = |follower: &StoreId| Action::Replicate {
        region: id,
        leader,
        follower: *follower,
        entries: Entries::One,
        reply: Reply::Delivered,
    };
    // The entry reaches all in order. A peer that had it before it was committed learns its commit
    // one round later.
    actions.extend(others.iter().map(round));
    let quorum = voters.len().div_ceil(2);
    actions.extend(voters[..quorum].iter().map(round));
    actions
}

/// The scope with these actions appended to its setup.
pub(super) fn behind(mut scope: Scope, more: impl IntoIterator<Item = Action>) -> Scope {
    scope.setup.extend(more);
    scope
}

/// A round from store 1, which leads.
pub(super) fn round(region: RegionId, follower: StoreId) -> Action {
    Action::Replicate { region, leader: 1, follower, entries: Entries::All, reply: Reply::Delivered }
}

pub(super) fn apply(region: RegionId, store: StoreId) -> Action {
    Action::Apply { region, store }
}

/// Two neighbours on the same stores, one leader for both: region 1 before `m`
/// with peer n on store n, and region 2 from there on with peer n + 3.
pub(super) fn neighbours(scope: Scope, voters: &[StoreId]) -> Scope {
    neighbours_with(scope, voters, &[], 3)
}

/// The same with learners, and peer n + `id_offset` in region 2.
pub(super) fn neighbours_with(
    scope: Scope,
    voters: &[StoreId],
    learners: &[StoreId],
    id_offset: u64,
) -> Scope {
    let whole = region(voters, learners);
    let left = Region { end: Key::from("m"), ..whole.clone() };
    let mut right = Region { id: NEIGHBOUR, start: Key::from("m"), ..whole };
    right.peers.iter_mut().for_each(|member| member.id += id_offset);
    let setup = elected(&left).into_iter().chain(elected(&right)).collect();
    Scope { setup, regions: vec![left, right], ..scope }
}

/// The first region has applied `PrepareMerge` into the second, which has committed the merge on
/// store 1 and on `others`.
pub(super) fn merged(scope: &Scope, others: &[StoreId]) -> Vec<Action> {
    let begin = Command::prepare_merge(scope.regions[1].clone());
    let mut actions = taken_by(REGION, begin, others);
    actions.extend(taken_by(NEIGHBOUR, Command::commit_merge(REGION), others));
    actions
}

/// Store 1, which leads, and `others` apply a command of the region.
pub(super) fn taken_by(region: u64, command: Command, others: &[StoreId]) -> Vec<Action> {
    let applies = [&1].into_iter().chain(others).map(|store| apply(region, *store));
    // The second round carries the commit of the first.
    let rounds = others.iter().chain(others).map(|store| round(region, *store));
    let propose = Action::Propose { region, store: 1, command, epoch: None };
    [propose].into_iter().chain(rounds).chain(applies).collect()
}

/// The neighbour of that region, in scopes with two.
pub(super) const NEIGHBOUR: u64 = 2;

pub(super) fn put(value: &str) -> Command {
    put_at("k", value)
}

pub(super) fn put_at(key: &str, value: &str) -> Command {
    Command::Put { key: Key::from(key), value: Key::from(value) }
}

pub(super) fn change(kind: ChangeKind, peer: u64, store: StoreId) -> Change {
    Change { kind, peer, store }
}

pub(super) fn add_voter(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::AddVoter, peer, store))
}

pub(super) fn add_learner(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::AddLearner, peer, store))
}

pub(super) fn remove(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::Remove, peer, store))
}

pub(super) fn enter_joint(changes: &[Change]) -> Command {
    Command::EnterJoint { changes: changes.to_vec() }
}
