//! What a snapshot resets at its receiver, and which peer may get one. Follows `TiKV fsm/peer.rs
//! check_snapshot, on_ready_persist_snapshot`, `TiKV peer_storage.rs apply_snapshot, validate_snap`,
//! `TiKV read_queue.rs`.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    AppendLimit, ChangeKind, Command, Derive, Guards, Input, Member, MemberRole, Message, Output, PeerState,
    Refusal, RegionId, Sound,
};

use crate::cluster::{Cluster, REGION, bytes, change, child, put, split};
use crate::merge::{self, LEFT, RIGHT};
use crate::ranges::snapshot;

/// Three voters. Store 3 has led, and store 1 leads now; store 3 receives nothing and does not know
/// that.
fn deposed(before: impl FnOnce(&mut Cluster<Sound>)) -> Cluster<Sound> {
    let mut cluster = Cluster::new(Sound, 3, &[1, 2, 3]);
    cluster.elect(3);
    for key in ["a", "t"] {
        cluster.propose(3, put(key)).unwrap();
    }
    cluster.settle(3);
    before(&mut cluster);
    cluster.sent.clear();
    cluster.cut_off(3, |cluster| cluster.step(1, Input::Campaign { region: REGION }).unwrap());
    assert_eq!(cluster.peer(1).leader(), 1);
    cluster
}

/// Store 3 catches up by a snapshot.
fn catch_up(cluster: &mut Cluster<Sound>) {
    let message = snapshot(cluster, REGION);
    cluster.step(3, Input::Message(message)).unwrap();
    assert!(cluster.peer(3).staged().is_some());
    cluster.step(3, Input::ApplySnapshot { region: REGION }).unwrap();
    assert!(cluster.peer(3).staged().is_none());
}

/// A read that a quorum confirmed, waiting for an entry to be applied.
fn read_under_way(cluster: &mut Cluster<Sound>) {
    let index = cluster.peer(3).applied();
    cluster.propose(3, Command::CompactLog { index }).unwrap();
    cluster.deliver();
    cluster.step(3, Input::Read { region: REGION, key: bytes("t") }).unwrap();
    cluster.deliver();
    assert!(cluster.peer(3).read().is_some_and(|read| read.ready));
    let early = cluster.step(3, Input::AnswerRead { region: REGION });
    assert_eq!(early, Err(Refusal::NoReadReady), "not applied that far");
}

#[test]
fn a_read_ends_with_the_range_that_it_asked_in() {
    let mut cluster = deposed(read_under_way);
    cluster.cut_off(3, |cluster| cluster.propose(1, split("m", 3)).unwrap());
    catch_up(&mut cluster);
    assert_eq!(cluster.ranges(3), "[,m)=1");
    assert!(cluster.peer(3).read().is_none());
    assert_eq!(cluster.step(3, Input::AnswerRead { region: REGION }), Err(Refusal::NoReadReady));
}

#[test]
fn a_read_survives_a_snapshot_of_the_same_range() {
    let mut cluster = deposed(read_under_way);
    catch_up(&mut cluster);
    let answers = cluster.outputs(3, Input::AnswerRead { region: REGION }).unwrap();
    let [Output::Value { key, value, region }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((key, value), (&bytes("t"), &Some(bytes("t"))));
    assert_eq!(region, cluster.peer(1).region());
}

/// The counts belong to data that is gone: the next leader checks the size at once.
#[test]
fn a_snapshot_makes_the_size_unknown() {
    let look = Input::SplitCheck { region: REGION };
    let mut cluster = deposed(|cluster| {
        cluster.step(3, look.clone()).unwrap();
        cluster.propose(3, put("b")).unwrap();
        cluster.settle(3);
        assert_eq!((cluster.peer(3).approximate_size(), cluster.peer(3).size_delta()), (Some(4), 2));
    });
    cluster.cut_off(3, |cluster| cluster.propose(1, split("m", 3)).unwrap());
    catch_up(&mut cluster);
    assert_eq!((cluster.peer(3).approximate_size(), cluster.peer(3).size_delta()), (None, 0));
    cluster.elect(3);
    cluster.settle(3);
    cluster.step(3, look).unwrap();
    assert_eq!(cluster.peer(3).approximate_size(), Some(4), "a and b");
}

/// The region rolled its merge back while store 3 received nothing.
#[test]
fn a_snapshot_ends_the_merge_that_its_receiver_waits_in() {
    let mut cluster = merge::two(Sound);
    merge::prepare(&mut cluster, LEFT, RIGHT).unwrap();
    merge::settle(&mut cluster);
    assert_eq!(cluster.of(3, LEFT).state(), PeerState::Merging);
    let not_3 = |message: &Message| message.to.store != 3;
    change_the_target(&mut cluster);
    merge::settle_where(&mut cluster, not_3);
    merge::propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    merge::settle_where(&mut cluster, not_3);
    assert!(!merge::is_merging(&cluster, 1, LEFT));
    catch_up(&mut cluster);
    for restarted in [false, true] {
        let peer = cluster.of(3, LEFT);
        assert_eq!((peer.state(), peer.merge().is_none()), (PeerState::Normal, true), "{restarted}");
        if !restarted {
            cluster.restart(Sound, 3);
        }
    }
    // It may lead, and takes writes.
    merge::campaign(&mut cluster, 3, LEFT);
    merge::settle(&mut cluster);
    merge::propose(&mut cluster, 3, LEFT, put("b")).unwrap();
    merge::settle(&mut cluster);
    assert_eq!(cluster.keys(1, LEFT), "abh");
}

/// TiKV takes no Ready from raft meanwhile, so nothing is applied, sent or received.
#[test]
fn nothing_else_happens_while_a_snapshot_waits() {
    let mut cluster = deposed(|cluster| {
        // An entry that is committed there and not applied.
        let index = cluster.peer(3).applied();
        cluster.propose(3, Command::CompactLog { index }).unwrap();
        cluster.deliver();
    });
    let message = snapshot(&mut cluster, REGION);
    let heartbeat = cluster.stores.get_mut(&1).unwrap().heartbeat(REGION, 3, false).unwrap();
    cluster.step(3, Input::Message(message.clone())).unwrap();
    assert!(cluster.peer(3).applied() < cluster.peer(3).commit());
    let before = cluster.stores[&3].mark(REGION);
    let inputs = [
        Input::Campaign { region: REGION },
        Input::Apply { region: REGION },
        Input::Message(heartbeat),
        Input::Message(message),
    ];
    for input in inputs {
        let refused = cluster.step(3, input.clone());
        assert_eq!(refused, Err(Refusal::ApplyingSnapshot), "{input:?}");
    }
    assert_eq!(cluster.stores[&3].mark(REGION), before);
    cluster.step(3, Input::ApplySnapshot { region: REGION }).unwrap();
    assert_eq!(cluster.step(3, Input::Campaign { region: REGION }), Ok(()));
}

#[test]
fn a_snapshot_that_does_not_list_its_receiver() {
    let mut cluster = deposed(|_| {});
    let member = *cluster.peer(1).region().member_on(3).unwrap();
    cluster.cut_off(3, |cluster| cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap());
    cluster.cut_off(3, |cluster| cluster.propose(1, put("b")).unwrap());
    let index = cluster.peer(1).applied();
    cluster.cut_off(3, |cluster| cluster.propose(1, Command::CompactLog { index }).unwrap());
    let mut message = sent_to(&mut cluster, REGION, 2).expect("its log does not reach back");
    message.to = Member { role: MemberRole::Voter, ..member };
    let before = cluster.stores[&3].mark(REGION);
    assert_eq!(cluster.step(3, Input::Message(message)), Err(Refusal::NotInConfig));
    assert_eq!(cluster.stores[&3].mark(REGION), before);
    assert_eq!(cluster.pending_ranges(3), "");
}

/// The snapshot that the leader on store 1 sends to a peer that only has the first entries.
fn sent_to<G: Guards>(cluster: &mut Cluster<G>, region: RegionId, store: u64) -> Option<Message> {
    let to = cluster.of(1, region).region().member_on(store).unwrap().id;
    let outputs = cluster.stores.get_mut(&1).unwrap().probe(region, to, 1, AppendLimit::All).unwrap();
    outputs.into_iter().find_map(|output| match output {
        Output::Message(message) if message.raft_type() == Some(MessageType::MsgSnapshot) => Some(message),
        _ => None,
    })
}

/// The snapshot would bring a region that is about to be merged (`TiKV peer_storage.rs` takes none
/// either), and no replica needs it, because the log gap was bounded before.
#[test]
fn a_merging_region_gives_no_snapshot() {
    let mut cluster = merge::two(Sound);
    let index = cluster.of(1, LEFT).applied();
    merge::propose(&mut cluster, 1, LEFT, Command::CompactLog { index }).unwrap();
    merge::settle(&mut cluster);
    assert!(sent_to(&mut cluster, LEFT, 3).is_some());
    merge::prepare(&mut cluster, LEFT, RIGHT).unwrap();
    merge::settle(&mut cluster);
    assert_eq!(sent_to(&mut cluster, LEFT, 3), None);
    change_the_target(&mut cluster);
    merge::settle(&mut cluster);
    merge::propose(&mut cluster, 1, LEFT, Command::rollback_merge()).unwrap();
    merge::settle(&mut cluster);
    assert!(sent_to(&mut cluster, LEFT, 3).is_some());
}

/// A pending entry here commits the merge. No snapshot may destroy the source before that, because
/// the entry needs the source's data.
#[test]
fn a_snapshot_spares_a_source_whose_entry_waits() {
    let mut cluster = merge::two(Sound);
    merge::prepare(&mut cluster, LEFT, RIGHT).unwrap();
    merge::settle(&mut cluster);
    merge::commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
    cluster.deliver();
    for store in [1, 2] {
        merge::apply_all(&mut cluster, store);
    }
    let waits = cluster.of(3, RIGHT);
    assert_eq!(waits.commit(), waits.applied() + 1);
    // The source on store 3 asks, and learns its merge target.
    cluster.step(3, Input::Campaign { region: LEFT }).unwrap();
    merge::deliver_where(&mut cluster, |message| message.region == LEFT);
    assert_eq!(cluster.stores[&3].merged_elsewhere_into(LEFT).map(|then| then.id), Some(RIGHT));
    // The log no longer has that entry.
    let index = cluster.of(1, RIGHT).applied();
    merge::propose(&mut cluster, 1, RIGHT, Command::CompactLog { index }).unwrap();
    merge::deliver_where(&mut cluster, |message| message.to.store != 3);
    merge::apply_all(&mut cluster, 1);
    let message = sent_to(&mut cluster, RIGHT, 3).expect("its log does not reach back");
    let before = cluster.stores[&3].mark(RIGHT);
    assert_eq!(cluster.step(3, Input::Message(message.clone())), Err(Refusal::SnapshotOverlap));
    assert_eq!((cluster.stores[&3].mark(RIGHT), cluster.ranges(3)), (before, "[,m)=1 [m,)=2".into()));
    merge::apply(&mut cluster, 3, RIGHT).unwrap();
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "ahmt".into()));
    let tombstone = cluster.stores[&3].tombstone(LEFT).unwrap();
    assert_eq!(tombstone.merged_into.map(|then| (then.id, then.epoch.version)), Some((RIGHT, 2)));
    // Now the snapshot is accepted.
    cluster.step(3, Input::Message(message)).unwrap();
    cluster.step(3, Input::ApplySnapshot { region: RIGHT }).unwrap();
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "ahmt".into()));
}

/// Changes the target of a prepared merge, so that the merge may be rolled back.
fn change_the_target(cluster: &mut Cluster<Sound>) {
    let third = Command::Split { children: vec![child("t", 3, &[31, 32, 33])], derive: Derive::Left };
    merge::propose(cluster, 1, RIGHT, third).unwrap();
}

/// An entry that is not applied exists only in the log, and a truncated one cannot be truncated
/// again.
#[test]
fn a_log_is_compacted_up_to_what_is_applied() {
    let mut cluster = Cluster::new(Sound, 2, &[1, 2]);
    cluster.elect(1);
    cluster.propose(1, put("a")).unwrap();
    cluster.settle(1);
    let (truncated, applied) = (cluster.peer(1).truncated().index, cluster.peer(1).applied());
    for index in [0, truncated, applied + 1] {
        assert_eq!(cluster.propose(1, Command::CompactLog { index }), Err(Refusal::InvalidCompactIndex));
    }
    cluster.propose(1, Command::CompactLog { index: truncated + 1 }).unwrap();
    cluster.settle(1);
    cluster.propose(1, Command::CompactLog { index: applied }).unwrap();
    cluster.settle(1);
    assert_eq!((cluster.peer(1).truncated().index, cluster.peer(2).truncated().index), (applied, applied));
}
