//! Guards that only an implementation can show: each holds in the sound store, and dropping it does
//! harm. (The museum shows the others.)

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    AppendLimit, ChangeKind, Command, Config, Dropped, Engine, Epoch, Guard, Guards, Input, KeyRange, Member,
    MemberRole, MemoryEngine, Message, MessagePayload, Refusal, Sound, SyncedStore,
};

use crate::cluster::{Cluster, REGION, bytes, change, put, region};
use crate::lifecycle::{empty_store, message};
use crate::recorder::Recorder;

#[test]
fn names_are_unique_and_documented() {
    let names: BTreeSet<_> = Guard::ALL.iter().map(|guard| guard.name()).collect();
    assert_eq!(names.len(), Guard::ALL.len());
    for guard in Guard::ALL {
        assert_eq!(Guard::from_name(guard.name()), Some(*guard));
        assert!(guard.incident().ends_with('.'), "{guard}: {}", guard.incident());
        assert!(Sound.holds(*guard) && !Dropped(*guard).holds(*guard));
    }
}

/// The leader's matched index of a follower that has truncated its log beyond the new leader's
/// first probe.
fn match_of_a_compacted_follower(guards: impl Guards) -> u64 {
    let mut cluster = Cluster::new(guards, 2, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, put("a")).unwrap();
    cluster.deliver();
    let index = cluster.peer(2).applied();
    cluster.propose(1, Command::CompactLog { index }).unwrap();
    cluster.deliver();
    // Only the follower applies it. Then the leader forgets its progress.
    let _ = cluster.step(1, Input::Tick { region: REGION });
    cluster.deliver();
    cluster.apply(2);
    assert_eq!(cluster.peer(2).truncated().index, index);
    cluster.restart(guards, 1);
    cluster.step(1, Input::Campaign { region: REGION }).unwrap();
    cluster.deliver_only(&[MessageType::MsgRequestVote, MessageType::MsgRequestVoteResponse]);
    let outputs = cluster.stores.get_mut(&1).unwrap().probe(REGION, 2, 6, AppendLimit::One).unwrap();
    cluster.queue(outputs);
    let append = cluster.sent.pop_front().unwrap();
    assert!(append.raft().is_some_and(|append| append.index < index));
    let _ = cluster.step(2, Input::Message(append));
    cluster.deliver_only(&[MessageType::MsgAppendResponse]);
    cluster.peer(1).matched().find(|(id, _)| *id == 2).unwrap().1
}

/// Row 2.
#[test]
fn ack_compacted_append() {
    assert!(match_of_a_compacted_follower(Sound) > 6);
    assert_eq!(match_of_a_compacted_follower(Dropped(Guard::AckCompactedAppend)), 0);
}

/// Row 8.
#[test]
fn context_carried() {
    fn members_after_adding_one(guards: impl Guards) -> (u64, usize) {
        let mut cluster = Cluster::new(guards, 2, &[1]);
        cluster.elect(1);
        cluster.propose(1, change(ChangeKind::AddLearner, 2)).unwrap();
        cluster.apply(1);
        let peer = cluster.peer(1);
        (peer.applied(), peer.region().peers.len())
    }
    assert_eq!(members_after_adding_one(Sound), (7, 2));
    assert_eq!(members_after_adding_one(Dropped(Guard::ContextCarried)), (7, 1));
}

/// Row 14: after a crash at any sync, region, data and applied index agree.
#[test]
fn atomic_apply() {
    fn crashes_that_part_them(guards: impl Guards) -> usize {
        let (disk, synced) = Recorder::new(MemoryEngine::new());
        let mut store = SyncedStore::open(1, Config::SIMULATOR, guards, disk).unwrap();
        store.bootstrap(region(&[1])).unwrap();
        let propose = |command| Input::Propose { region: REGION, command, epoch: None };
        store.step(Input::Campaign { region: REGION }).unwrap();
        store.step(propose(put("a"))).unwrap();
        store.step(propose(change(ChangeKind::AddLearner, 2))).unwrap();
        store.step(Input::Apply { region: REGION }).unwrap();
        let applied = store.peer(REGION).unwrap().applied();
        assert_eq!(applied, 8);
        let parted = |disk: &&MemoryEngine| {
            let kept = disk.load(REGION).unwrap().unwrap();
            let index = kept.apply_state.applied;
            let has_put = kept.data.contains_key(&bytes("a"));
            let has_learner = kept.record.region.peers.len() == 2;
            has_put != (index >= 7) || has_learner != (index >= 8)
        };
        synced.borrow().iter().filter(parted).count()
    }
    assert_eq!(crashes_that_part_them(Sound), 0);
    assert_eq!(crashes_that_part_them(Dropped(Guard::AtomicApply)), 2);
}

/// Row 27: a truncated log after a restart, read below its first index.
#[test]
fn log_bounds_checked() {
    fn send_from_the_beginning(guards: impl Guards) -> Option<MessageType> {
        let mut cluster = Cluster::new(guards, 2, &[1]);
        cluster.elect(1);
        cluster.propose(1, change(ChangeKind::AddLearner, 2)).unwrap();
        cluster.apply(1);
        cluster.propose(1, Command::CompactLog { index: 7 }).unwrap();
        cluster.apply(1);
        cluster.restart(guards, 1);
        cluster.step(1, Input::Campaign { region: REGION }).unwrap();
        cluster.sent.clear();
        let outputs = cluster.stores.get_mut(&1).unwrap().probe(REGION, 2, 1, AppendLimit::All).unwrap();
        cluster.queue(outputs);
        cluster.sent.pop_front().unwrap().raft_type()
    }
    assert_eq!(send_from_the_beginning(Sound), Some(MessageType::MsgSnapshot));
    let unsound = || send_from_the_beginning(Dropped(Guard::LogBoundsChecked));
    assert!(catch_unwind(AssertUnwindSafe(unsound)).is_err(), "slice index out of range");
}

/// tikv#10533: an uninitialised peer 30 is destroyed on store 3. Then an old voter sends a vote
/// request to peer 3, which was removed before.
#[test]
fn tombstone_lists_itself() {
    fn vote_of_long_ago(guards: impl Guards) -> Option<Refusal> {
        let mut store = empty_store(guards);
        let from = Member { id: 1, store: 1, role: MemberRole::Voter };
        let create = message(MessageType::MsgHeartbeat, from, 30, 5, 0);
        let to = create.to;
        store.step(Input::Message(create)).unwrap();
        let membership =
            rollcall_impl::Region { epoch: Epoch { conf_ver: 6, version: 1 }, ..region(&[1, 2]) };
        let payload = MessagePayload::GcPeer(Box::new(membership.clone()));
        let gone =
            Message { region: REGION, from, to, epoch: membership.epoch, range: KeyRange::whole(), payload };
        store.step(Input::Message(gone)).unwrap();
        let vote = message(MessageType::MsgRequestVote, from, 3, 1, 6);
        store.step(Input::Message(vote)).err().and_then(|error| error.refusal())
    }
    assert_eq!(vote_of_long_ago(Sound), Some(Refusal::Tombstone));
    assert_eq!(vote_of_long_ago(Dropped(Guard::TombstoneListsItself)), None);
}
