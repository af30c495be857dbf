//! The forgeries: what each property forbids, forged on one store.

use super::super::forge::*;
use super::{GONE, LEFT, Run};
use rollcall_traces::{
    Action, Epoch, Key, Liveness, Member, Operator, OperatorStep, Outcome, Purpose, Read, Region, Reply,
    Returned, Seat, StoreId, StoreState, StoreStatus, View,
};

pub(super) fn second_leader(run: &mut Run, on: StoreId) {
    run.then(on, |view| lead(view, 1, 6));
    run.then(on, |view| lead(view, on, 6));
}

pub(super) fn other_entry_of_the_term(run: &mut Run, on: StoreId) {
    run.then(on, |view| append(view, 1, put(6, "a", "1")));
    run.then(on, |view| append(view, on, put(6, "a", "2")));
}

pub(super) fn leader_without_the_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| lead(view, on, 7));
}

pub(super) fn other_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| write(view, on, put(7, "a", "2")));
}

pub(super) fn other_data(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| write(view, on, put(6, "b", "1")));
}

pub(super) fn epoch_back(run: &mut Run, on: StoreId) {
    run.then(on, |view| peer(view, on).region.epoch.version = 3);
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

pub(super) fn epoch_beside(run: &mut Run, on: StoreId) {
    run.then(on, |view| peer(view, 1).region.epoch.conf_ver = 2);
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

pub(super) fn two_changes(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        lead(view, on, 6);
        append(view, on, add_voter(6, 4));
        append(view, on, add_voter(6, 5));
    });
}

/// Region 1 as its newest configuration is without the member on `store`.
fn without(store: StoreId) -> Region {
    let mut region = three_voters();
    region.peers.retain(|member: &Member| member.store != store);
    region.epoch.conf_ver = 2;
    region
}

pub(super) fn resurrection(run: &mut Run, on: StoreId) {
    run.then(on, |view| write_tombstone(view, on, without(on)));
    run.then(on, |view| {
        create(view, on, on);
        reindex(view);
    });
}

pub(super) fn tombstone_with_a_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        write_tombstone(view, on, three_voters());
        peer(view, on).commit = 5;
    });
}

pub(super) fn child_beside_the_whole(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.then(on, |view| {
        split(view, on);
        peer(view, on).region.end = Key::empty();
        reindex(view);
    });
}

pub(super) fn hole(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        peer(view, on).region = halves().0;
        reindex(view);
    });
}

pub(super) fn range_kept_beyond_the_split(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.by(apply(1), |view| split(view, 1));
    run.then(on, |view| peer(view, on).region.epoch.version = 3);
}

pub(super) fn child_of_another_epoch(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.by(apply(on), |view| {
        split(view, on);
        peer_of(view, on, CHILD).region.epoch.version = 3;
    });
}

pub(super) fn empty_index(run: &mut Run, on: StoreId) {
    run.then(on, |view| store(view, on).ranges.clear());
}

/// For the existing peer.
pub(super) fn pending_for_nothing(run: &mut Run, on: StoreId) {
    run.then(on, |view| store(view, on).pending_messages.push(vote_request(1, on)));
}

/// A majority of the region has the write, and its leader has said so.
fn acknowledged(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        lead(view, 1, 6);
        write(view, 1, put(6, "a", "1"));
    });
}

pub(super) fn write_not_shown(run: &mut Run, on: StoreId) {
    acknowledged(run, on);
    run.then(on, |view| {
        write(view, on, put(6, "a", "1"));
        peer(view, on).data.clear();
    });
}

/// A client reads the key, which another client knows to be 1.
fn read(run: &mut Run, on: StoreId, value: Option<Key>) {
    let key = || Key::from("a");
    acknowledged(run, on);
    run.by(Action::Read { region: 1, store: on, key: key() }, |view| {
        peer(view, on).read = Some(Read { key: key(), index: 5, acks: [on].into(), ready: true });
    });
    let returned = Returned::Value { key: key(), value, region: three_voters() };
    let reply = Action::AnswerRead { region: 1, store: on };
    run.returning(&Outcome::Done(returned), reply, |view| peer(view, on).read = None);
}

/// The peer answers with what it holds, which is nothing yet.
pub(super) fn stale_read(run: &mut Run, on: StoreId) {
    read(run, on, None);
}

pub(super) fn wrong_answer(run: &mut Run, on: StoreId) {
    read(run, on, Some(Key::from("1")));
}

pub(super) fn buried_with_a_member(run: &mut Run, on: StoreId) {
    run.by(Action::CheckStores, |view| known(view, on).state = StoreState::Tombstone);
}

/// PD knows a configuration without the store and buries it. `applied` is the configuration of the
/// remaining stores.
fn buried_as_empty(run: &mut Run, on: StoreId, applied: Region) {
    run.then(on, |view| {
        believe(view, without(on));
        known(view, on).state = StoreState::Tombstone;
        peer(view, 1).region = applied;
    });
}

pub(super) fn member_in_what_pd_knew_empty(run: &mut Run, on: StoreId) {
    buried_as_empty(run, on, Region { epoch: without(on).epoch, ..three_voters() });
}

pub(super) fn member_in_what_is_older(run: &mut Run, on: StoreId) {
    buried_as_empty(run, on, three_voters());
}

/// Region 1 lists a peer there.
pub(super) fn record_thrown_away(run: &mut Run, on: StoreId) {
    run.by(Action::RemoveTombstone { store: on }, |view| forget(view, on));
}

pub(super) fn forget(view: &mut View, store: StoreId) {
    view.pd.stores.remove(&store);
}

fn plan(view: &mut View, purpose: Purpose, step: OperatorStep) {
    let operator = Operator { purpose, epoch: three_voters().epoch, steps: vec![step], done: 0 };
    view.pd.operators.insert(1, operator);
}

pub(super) fn remove_peer(view: &mut View, on: StoreId) {
    plan(view, Purpose::AdminRemovePeer, OperatorStep::RemovePeer(Seat { store: on, peer: on }));
}

/// Of the other two stores only the first runs, and the leader removes the peer of `on`.
pub(super) fn removal_beside_a_store_that_is_down(run: &mut Run, on: StoreId) {
    let other = LEFT + GONE - on;
    run.by(Action::Crash { store: other }, |view| store(view, other).status = StoreStatus::Down);
    run.then(1, |view| lead(view, 1, 6));
    run.then(1, |view| append(view, 1, removal(6, on)));
}

/// Of the other two stores only the first answers.
pub(super) fn removal_beside_a_silent_store(run: &mut Run, on: StoreId) {
    let other = LEFT + GONE - on;
    run.by(Action::MissedHeartbeat { store: other }, |view| known(view, other).liveness = Liveness::Down);
    run.by(Action::CheckStores, |view| remove_peer(view, on));
}

pub(super) fn displaced_operator(run: &mut Run, on: StoreId) {
    let schedule = || Action::Schedule { region: 1, reply: Reply::Dropped };
    for to in [on, 1] {
        let step = OperatorStep::TransferLeader { to };
        run.by(schedule(), |view| plan(view, Purpose::EvictLeader, step));
    }
}

pub(super) fn risen_tombstone(run: &mut Run, on: StoreId) {
    run.by(Action::CheckStores, |view| known(view, on).state = StoreState::Tombstone);
    run.by(Action::CancelDecommission { store: on }, |view| known(view, on).state = StoreState::Up);
}

pub(super) fn returned_disk(run: &mut Run, on: StoreId) {
    let destroyed = |is| move |view: &mut View| known(view, on).physically_destroyed = is;
    run.by(Action::Decommission { store: on, force: true }, destroyed(true));
    run.by(Action::CancelDecommission { store: on }, destroyed(false));
}

pub(super) fn replica_beside_the_belief(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        peer(view, 1).region.epoch.conf_ver = 2;
        let newest = peer(view, 1).region.clone();
        believe(view, newest);
    });
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

fn reported(run: &mut Run, on: StoreId, conf_ver: u64) {
    let report = Action::RegionHeartbeat { region: 1, store: on, reply: Reply::Delivered };
    let epoch = Epoch { conf_ver, version: 1 };
    run.by(report, |view| believe(view, Region { epoch, ..three_voters() }));
}

pub(super) fn belief_in_what_nobody_has(run: &mut Run, on: StoreId) {
    reported(run, on, 2);
}

pub(super) fn belief_gone_back(run: &mut Run, on: StoreId) {
    reported(run, on, 2);
    reported(run, on, 1);
}
