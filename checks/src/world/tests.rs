//! Drives the world by hand: short lists of actions with their expected outcomes.

use std::collections::BTreeMap;

use rollcall_impl::Sound;
use rollcall_model::{GuardSet, Rollcall};
use rollcall_traces::{
    Action, Change, ChangeKind, Child, Command, Derive, Entries, Epoch, Key, LogPosition, Member, MemberRole,
    Message, Outcome, Outgoing, Peer, PeerState, Reason, Region, Reply, Returned, Role, Scope, StoreId,
    StoreStatus, Subject,
};

use super::World;

mod pd;
mod recovery;

const REGION: u64 = 1;

/// The first region: voters on these stores, with store ids as peer ids.
fn region(voters: &[StoreId]) -> Region {
    let member = |id: &StoreId| Member { id: *id, store: *id, role: MemberRole::Voter };
    Region {
        id: REGION,
        start: Key::empty(),
        end: Key::from("m"),
        epoch: Epoch { conf_ver: 1, version: 1 },
        peers: voters.iter().map(member).collect(),
    }
}

/// `stores` stores, with voters on those named; ids are allotted from 10 on.
fn scope(stores: u64, voters: &[StoreId]) -> Scope {
    Scope {
        stores: (1..=stores).collect(),
        regions: vec![region(voters)],
        next_id: 10,
        ..Scope::empty("by hand")
    }
}

fn world(stores: u64, voters: &[StoreId]) -> World {
    begun(&scope(stores, voters))
}

fn begun(scope: &Scope) -> World {
    let mut world = World::new(Sound);
    world.reset(scope).expect("a sound scope");
    world
}

fn campaign(store: StoreId) -> Action {
    Action::Campaign { region: REGION, store }
}

fn vote(candidate: StoreId, voter: StoreId, reply: Reply) -> Action {
    Action::Vote { region: REGION, candidate, voter, reply }
}

fn replicate(leader: StoreId, follower: StoreId, entries: Entries, reply: Reply) -> Action {
    Action::Replicate { region: REGION, leader, follower, entries, reply }
}

fn all(leader: StoreId, follower: StoreId) -> Action {
    replicate(leader, follower, Entries::All, Reply::Delivered)
}

fn apply(store: StoreId) -> Action {
    Action::Apply { region: REGION, store }
}

fn propose(store: StoreId, command: Command) -> Action {
    Action::Propose { region: REGION, store, command, epoch: None }
}

fn put(store: StoreId, key: &str) -> Action {
    propose(store, Command::Put { key: Key::from(key), value: Key::from(key) })
}

fn change(kind: ChangeKind, peer: u64, store: StoreId) -> Change {
    Change { kind, peer, store }
}

fn simple(leader: StoreId, kind: ChangeKind, peer: u64, store: StoreId) -> Action {
    propose(leader, Command::ChangePeer(change(kind, peer, store)))
}

impl World {
    #[track_caller]
    fn done(&mut self, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            let outcome = self.apply(&action);
            assert_eq!(outcome, Outcome::DONE, "{action:?}");
        }
    }

    #[track_caller]
    fn refused(&mut self, action: Action, reason: Reason) {
        let before = self.view();
        assert_eq!(self.apply(&action), Outcome::Refused(reason), "{action:?}");
        assert_eq!(self.view(), before, "refused, and changed all the same: {action:?}");
    }

    #[track_caller]
    fn at(&self, store: StoreId) -> Peer {
        self.peer(store, REGION).expect("a peer or a tombstone")
    }

    #[track_caller]
    fn elect(&mut self, leader: StoreId, voters: &[StoreId]) {
        self.done([campaign(leader), vote(leader, voters[0], Reply::Delivered)]);
        assert_eq!(self.at(leader).role, Role::Leader);
        // The second round carries the commit index of the first.
        for _ in 0..2 {
            for voter in voters {
                self.apply(&all(leader, *voter));
            }
        }
        let committed = self.at(leader).commit;
        assert!(voters.iter().all(|voter| self.at(*voter).commit == committed));
    }
}

fn roles(peer: &Peer) -> BTreeMap<u64, MemberRole> {
    peer.region.peers.iter().map(|member| (member.id, member.role)).collect()
}

#[test]
fn a_voter_is_removed_and_a_new_peer_joins_on_its_store() {
    let mut world = world(3, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([put(1, "a"), simple(1, ChangeKind::Remove, 3, 3)]);
    world.refused(simple(1, ChangeKind::Remove, 2, 2), Reason::PendingConfChange);
    world.done([all(1, 3), all(1, 2), apply(1)]);
    // Peer 3 has the entry but does not know that it is committed, and the leader no longer has it
    // as a member.
    world.refused(all(1, 3), Reason::NotInConfig);
    world.refused(apply(3), Reason::NothingToApply);
    world.done([apply(2)]);
    world.refused(simple(1, ChangeKind::Remove, 2, 2), Reason::DemoteFirst);

    // It campaigns and receives the removal.
    world.done([campaign(3), vote(3, 2, Reply::Delivered)]);
    let tombstone = world.at(3);
    assert_eq!(tombstone.state, PeerState::Tombstone);
    // It received the removal message and did not apply its removal, so it keeps its last region.
    assert_eq!(tombstone.region.epoch, Epoch { conf_ver: 1, version: 1 });
    assert!(tombstone.region.member_on(3).is_some());

    // A new peer on its store: created by a heartbeat, initialised by a snapshot.
    world.done([simple(1, ChangeKind::AddVoter, 13, 3), all(1, 2), apply(1)]);
    world.refused(replicate(1, 3, Entries::One, Reply::Dropped), Reason::NoReply);
    world.done([all(1, 3)]);
    assert_eq!((world.at(3).id, world.at(3).state), (13, PeerState::Uninitialised));
    world.refused(campaign(3), Reason::NotPromotable);
    world.done([all(1, 3)]);
    assert_eq!(world.at(3).snapshot.expect("a snapshot waits").position, position(&world.at(1)));
    world.refused(all(1, 3), Reason::ApplyingSnapshot);
    world.done([Action::ApplySnapshot { region: REGION, store: 3 }]);
    let peer = world.at(3);
    assert_eq!((peer.state, peer.data.len()), (PeerState::Normal, 1));
    assert_eq!(peer.region.epoch.conf_ver, 3);
    assert_eq!(world.view().stores[&3].ranges.len(), 1);
}

/// The position of a snapshot of this peer.
fn position(peer: &Peer) -> LogPosition {
    let term = peer.log.term(peer.applied).expect("its term is known");
    LogPosition { index: peer.applied, term }
}

#[test]
fn a_voter_is_replaced_through_a_joint_configuration() {
    use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
    let mut world = world(4, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([simple(1, ChangeKind::AddLearner, 4, 4), all(1, 2), apply(1)]);
    world.done([all(1, 4), all(1, 4), Action::ApplySnapshot { region: REGION, store: 4 }]);

    let changes = vec![change(ChangeKind::AddVoter, 4, 4), change(ChangeKind::AddLearner, 3, 3)];
    world.done([propose(1, Command::EnterJoint { changes }), all(1, 2), apply(1)]);
    assert_eq!(roles(&world.at(1)), [(1, Voter), (2, Voter), (3, DemotingVoter), (4, IncomingVoter)].into());
    assert_eq!(world.at(1).region.epoch.conf_ver, 4);
    world.refused(simple(1, ChangeKind::Remove, 3, 3), Reason::AlreadyJoint);

    // {1,2,3} alone does not commit: {1,2,4} has only 1.
    world.done([propose(1, Command::LeaveJoint)]);
    let last = world.at(1).log.last_index();
    world.done([replicate(1, 3, Entries::All, Reply::Delivered)]);
    assert!(world.at(1).commit < last);
    world.done([all(1, 4)]);
    assert_eq!(world.at(1).commit, last);
    world.done([apply(1)]);
    assert_eq!(roles(&world.at(1)), [(1, Voter), (2, Voter), (3, Learner), (4, Voter)].into());
    assert_eq!(world.at(1).region.epoch.conf_ver, 6);
    world.refused(propose(1, Command::LeaveJoint), Reason::NotJoint);
}

#[test]
fn a_learner_needs_a_snapshot_behind_a_compacted_log() {
    let mut world = world(3, &[1, 2]);
    world.elect(1, &[2]);
    world.done([put(1, "a"), all(1, 2), simple(1, ChangeKind::AddLearner, 3, 3), all(1, 2), apply(1)]);
    let applied = world.at(1).applied;
    world.refused(propose(1, Command::CompactLog { index: applied + 1 }), Reason::InvalidCompactIndex);
    world.done([propose(1, Command::CompactLog { index: applied }), all(1, 2), apply(1)]);
    assert_eq!(world.at(1).log.truncated.index, applied);
    world.done([all(1, 3), all(1, 3)]);
    // A crash drops the staged snapshot. Term and peer stay.
    let term = world.at(3).term;
    world.done([Action::Crash { store: 3 }]);
    assert_eq!(world.view().stores[&3].status, StoreStatus::Down);
    assert_eq!((world.at(3).snapshot, world.at(3).term), (None, term));
    world.refused(all(1, 3), Reason::StoreDown);
    world.done([Action::Restart { store: 3 }, all(1, 3)]);
    world.done([Action::ApplySnapshot { region: REGION, store: 3 }]);
    // The leader learns of it only in the next round.
    assert_eq!(world.at(1).leading.expect("leads").matched[&3], 0);
    world.done([put(1, "b"), all(1, 3)]);
    assert_eq!(world.at(1).leading.expect("leads").matched[&3], world.at(1).log.last_index());
}

#[test]
fn a_late_vote_elects_a_leader_of_an_old_term() {
    let mut world = world(3, &[1, 2, 3]);
    world.done([campaign(1), vote(1, 2, Reply::Delayed)]);
    assert_eq!(world.view().held.len(), 1);
    // A second leader of a higher term, before the first acts.
    world.done([campaign(3)]);
    world.refused(vote(3, 2, Reply::Dropped), Reason::NoEffect);
    assert_eq!((world.at(2).term, world.at(2).vote), (6, 1), "one vote a term");
    world.done([campaign(3), vote(3, 2, Reply::Delivered)]);
    assert_eq!((world.at(3).role, world.at(3).term), (Role::Leader, 7));
    world.done([Action::Late { slot: 0 }]);
    assert_eq!((world.at(1).role, world.at(1).term), (Role::Leader, 6));
    assert!(world.view().held.is_empty());
    world.refused(all(1, 2), Reason::StaleTerm);
    world.refused(Action::Late { slot: 0 }, Reason::NothingHeld);
    // The first message of the new leader deposes the old one.
    world.done([replicate(3, 1, Entries::One, Reply::Dropped)]);
    assert_eq!((world.at(1).role, world.at(1).leader), (Role::Follower, 3));
}

#[test]
fn a_removed_peer_learns_of_it_only_if_the_answer_arrives() {
    let mut world = world(3, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([simple(1, ChangeKind::Remove, 3, 3), all(1, 2), apply(1), all(1, 2), apply(2)]);
    world.done([campaign(3)]);
    world.refused(vote(3, 1, Reply::Dropped), Reason::SenderRemoved);
    // The message may come late.
    world.done([vote(3, 1, Reply::Delayed)]);
    assert_eq!(world.at(3).state, PeerState::Normal);
    world.done([Action::Late { slot: 0 }]);
    assert_eq!(world.at(3).state, PeerState::Tombstone);
    assert_eq!(world.at(1).role, Role::Leader, "its term did not rise");
    world.refused(campaign(3), Reason::RegionNotFound);
}

#[test]
fn leadership_is_transferred() {
    let mut world = world(3, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([put(1, "a")]);
    world.done([propose(1, Command::TransferLeader { to: 2 })]);
    world.refused(put(1, "b"), Reason::TransferringLeader);
    world.refused(propose(1, Command::TransferLeader { to: 2 }), Reason::NoEffect);
    let timeout_now = Action::TimeoutNow { region: REGION, leader: 1 };
    world.refused(timeout_now.clone(), Reason::NoTimeoutNow);
    world.done([all(1, 2)]);
    assert!(world.at(1).leading.and_then(|leading| leading.transfer).is_some_and(|to| to.timeout_now));
    // It may time out and begin again.
    world.done([Action::TransferTimeout { region: REGION, store: 1 }]);
    world.refused(timeout_now.clone(), Reason::NoTimeoutNow);
    world.done([propose(1, Command::TransferLeader { to: 2 })]);
    world.done([Action::Hold { region: REGION, from: 1, to: 2, message: Outgoing::TimeoutNow }]);
    world.refused(timeout_now, Reason::NoTimeoutNow);
    world.done([Action::Late { slot: 0 }]);
    assert_eq!((world.at(2).role, world.at(2).term), (Role::Candidate, 7));
    world.done([vote(2, 1, Reply::Delivered)]);
    assert_eq!((world.at(2).role, world.at(1).role), (Role::Leader, Role::Follower));
}

/// tikv#17363: the applied index of the transferee decides, if the transferee replies.
#[test]
fn the_transferee_is_asked_before_leadership_is_transferred() {
    let mut world = world(4, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([simple(1, ChangeKind::AddLearner, 4, 4), all(1, 2), all(1, 3), all(1, 2)]);
    let hand_over = propose(1, Command::TransferLeader { to: 2 });
    world.done([apply(3)]);
    world.refused(hand_over.clone(), Reason::PendingConfChange);
    world.done([apply(2), Action::Crash { store: 2 }]);
    world.refused(hand_over.clone(), Reason::StoreDown);
    world.done([Action::Restart { store: 2 }, campaign(3)]);
    world.done([vote(3, 2, Reply::Delivered)]);
    world.refused(hand_over, Reason::StaleTerm);
    // The present leader has applied no entry of its own term; store 2 has.
    assert_eq!((world.at(3).role, world.at(1).role), (Role::Leader, Role::Leader));
    assert!(world.at(1).applied < world.at(1).leading.expect("it leads").pending_conf_index);
    world.done([propose(3, Command::TransferLeader { to: 2 })]);
}

#[test]
fn a_read_is_acknowledged_by_a_round_and_answered_once() {
    let mut world = world(3, &[1, 2, 3]);
    let read = Action::Read { region: REGION, store: 1, key: Key::from("a") };
    let reply = Action::AnswerRead { region: REGION, store: 1 };
    world.done([campaign(1), vote(1, 2, Reply::Delivered), put(1, "a")]);
    world.refused(read.clone(), Reason::NotCommittedTerm);
    world.done([all(1, 2), read.clone()]);
    world.refused(read, Reason::ReadPending);
    world.refused(reply.clone(), Reason::NoReadReady);
    world.done([replicate(1, 3, Entries::One, Reply::Dropped)]);
    world.refused(reply.clone(), Reason::NoReadReady);
    world.done([replicate(1, 3, Entries::One, Reply::Delivered)]);
    let value =
        Returned::Value { key: Key::from("a"), value: Some(Key::from("a")), region: region(&[1, 2, 3]) };
    assert_eq!(world.apply(&reply), Outcome::Done(value));
    world.refused(reply, Reason::NoReadReady);
    world.refused(Action::Read { region: REGION, store: 1, key: Key::from("z") }, Reason::KeyNotInRegion);
}

#[test]
fn shows_compares_every_visible_field() {
    let mut world = world(3, &[1, 2, 3]);
    world.elect(1, &[2, 3]);
    world.done([put(1, "a"), all(1, 2), Action::Read { region: REGION, store: 1, key: Key::from("a") }]);
    world.done([campaign(3), Action::LoseDisk { store: 2 }]);
    let view = world.view();
    assert!(world.shows(&view));
    let mut peer = view.clone();
    peer.stores.get_mut(&3).expect("there").peers.get_mut(&REGION).expect("there").vote = 2;
    let mut data = view.clone();
    data.stores.get_mut(&1).expect("there").peers.get_mut(&REGION).expect("there").data.clear();
    let mut read = view.clone();
    read.stores.get_mut(&1).expect("there").peers.get_mut(&REGION).expect("there").read = None;
    let mut status = view.clone();
    status.stores.get_mut(&2).expect("there").status = StoreStatus::Down;
    let mut ranges = view.clone();
    ranges.stores.get_mut(&1).expect("there").ranges.clear();
    let mut fewer = view;
    fewer.stores.remove(&2);
    for other in [peer, data, read, status, ranges, fewer] {
        assert!(!world.shows(&other));
    }
}

/// Store 1 asks for ids; `reply` decides whether the response arrives.
fn ask(reply: Reply) -> Action {
    let keys = vec![Key::from("c")];
    Action::AskSplit { region: REGION, store: 1, keys, derive: Derive::Left, reply }
}

/// A leader of three that has applied its first entry.
fn led() -> World {
    let mut world = world(3, &[1, 2, 3]);
    world.done([campaign(1), vote(1, 2, Reply::Delivered), all(1, 2), all(1, 3)]);
    world
}

#[test]
fn ids_are_allotted_even_if_the_response_is_lost() {
    let mut world = led();
    let child =
        |from: u64| Child { key: Key::from("c"), region: from, peers: vec![from + 1, from + 2, from + 3] };
    let allotted = |from| Outcome::Done(Returned::Allotted { children: vec![child(from)], refused: None });
    assert_eq!(world.apply(&ask(Reply::Dropped)), allotted(10));
    assert_eq!(world.apply(&ask(Reply::Delayed)), allotted(14));
    assert_eq!(world.view().pd.next_id, 18);
    let held = &world.view().held[0];
    assert_eq!(held.message, Message::AskSplitResponse { children: vec![child(14)], derive: Derive::Left });
    assert_eq!((held.from.store, held.to.store, held.epoch), (0, 1, region(&[1]).epoch));
    world.done([Action::Late { slot: 0 }]);
    let entries = world.peer(1, REGION).unwrap().log.entries;
    let command = entries.last().and_then(|entry| entry.command.clone());
    assert_eq!(command, Some(Command::Split { children: vec![child(14)], derive: Derive::Left }));
}

/// The ids are used up all the same.
#[test]
fn a_split_refused_after_allotting_gives_the_reason() {
    let mut world = led();
    world.done([propose(1, Command::TransferLeader { to: 2 })]);
    let Outcome::Done(Returned::Allotted { refused, .. }) = world.apply(&ask(Reply::Delivered)) else {
        panic!("ids are allotted")
    };
    assert_eq!(refused, Some(Reason::TransferringLeader));
    assert_eq!((world.view().pd.next_id, world.peer(1, REGION).unwrap().log.last_index()), (14, 6));
}

#[test]
fn a_child_asks_for_votes_where_its_parent_led() {
    let mut world = led();
    assert!(world.apply(&ask(Reply::Delivered)).is_done());
    world.done([all(1, 2), apply(1)]);
    assert_eq!(world.peer(1, 10).unwrap().role, Role::Candidate);
    // Store 2 has not applied the split: the request is kept as a pending first message.
    let asks = Action::Vote { region: 10, candidate: 1, voter: 2, reply: Reply::Delivered };
    world.done([asks.clone()]);
    assert_eq!(world.view().stores[&2].pending_messages.len(), 1);
    world.refused(asks, Reason::MessageAlreadyPending);
    world.done([all(1, 2), apply(2)]);
    assert!(world.view().stores[&2].pending_messages.is_empty());
    let voter = world.peer(2, 10).unwrap();
    assert_eq!((voter.term, voter.vote), (6, 11), "it received the request and voted");
}

#[test]
fn pending_messages_are_gone_after_a_crash() {
    let mut world = led();
    assert!(world.apply(&ask(Reply::Delivered)).is_done());
    world.done([all(1, 2), apply(1)]);
    world.done([Action::Vote { region: 10, candidate: 1, voter: 3, reply: Reply::Delivered }]);
    assert_eq!(world.view().stores[&3].pending_messages.len(), 1);
    world.done([Action::Crash { store: 3 }]);
    assert!(world.view().stores[&3].pending_messages.is_empty());
}

#[test]
fn without_a_pd_no_region_splits() {
    let mut world = begun(&Scope { next_id: 0, ..scope(3, &[1, 2, 3]) });
    world.elect(1, &[2, 3]);
    world.refused(ask(Reply::Delivered), Reason::NoPlacementDriver);
}

/// A round that its sender refuses has read one store; one that its receiver refuses has read two.
#[test]
fn a_step_has_read_the_stores_that_it_reached() {
    let scope = scope(3, &[1, 2, 3]);
    let model = Rollcall::new(&scope, GuardSet::ALL, &[], &[]).expect("a sound scope");
    let mut world = begun(&scope);
    let looked = |world: &mut World, action: Action, reason: Reason| {
        world.notice_afresh();
        assert_eq!(world.apply(&action), Outcome::Refused(reason), "{action}");
        world.read_set(&model)
    };
    let at = |stores: &[StoreId], pd: bool| model.read_set(stores.iter().copied(), false, pd);
    let vote = |voter| Action::Vote { region: REGION, candidate: 1, voter, reply: Reply::Delivered };
    assert_eq!(looked(&mut world, vote(2), Reason::NotCandidate), at(&[1], false));
    world.apply(&Action::Campaign { region: REGION, store: 1 });
    world.apply(&Action::Crash { store: 2 });
    assert_eq!(looked(&mut world, vote(2), Reason::StoreDown), at(&[1, 2], false));
    assert_eq!(looked(&mut world, Action::Late { slot: 0 }, Reason::NothingHeld), {
        model.read_set([].into_iter(), true, false)
    });
    assert_eq!(looked(&mut world, Action::CheckStores, Reason::NoPlacementDriver), at(&[], true));
}
