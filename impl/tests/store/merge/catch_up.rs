//! A source that lags behind when its target merges it.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{Command, Dropped, Guard, PeerState, Sound, StateRole};

use super::*;

/// Whether the message is for the peer of `region` on store 3.
fn to_3(message: &Message, region: RegionId) -> bool {
    message.region == region && message.to.store == 3
}

/// How many entries the leader of `RIGHT` has proposed to carry.
fn carried<G: Guards>(cluster: &Cluster<G>) -> usize {
    let commits =
        cluster.of(1, RIGHT).entries().filter_map(|(_, payload)| match &payload.request()?.command {
            Command::CommitMerge(commit) => Some(commit.entries.len()),
            _ => None,
        });
    commits.last().expect("it was proposed")
}

#[test]
fn entries_that_a_replica_misses_come_with_the_target_s_log() {
    let mut cluster = two(Sound);
    // Store 3 receives nothing of the source while the source takes writes.
    let matched = cluster.of(3, LEFT).last_index();
    for key in ["b", "c"] {
        propose(&mut cluster, 1, LEFT, put(key)).unwrap();
        settle_where(&mut cluster, |message| !to_3(message, LEFT));
    }
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, |message| !to_3(message, LEFT));
    assert_eq!(cluster.of(1, LEFT).merge().unwrap().min_index, matched + 1);
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    assert_eq!(carried(&cluster), 3);
    deliver_where(&mut cluster, |message| !to_3(message, LEFT));
    cluster.step(1, Input::Tick { region: RIGHT }).unwrap();
    deliver_where(&mut cluster, |message| !to_3(message, LEFT));
    for store in [1, 2] {
        apply_all(&mut cluster, store);
        assert_eq!(cluster.keys(store, RIGHT), "abchmt");
    }
    // One step makes the source catch up; the next one must wait.
    assert!(!is_merging(&cluster, 3, LEFT));
    apply(&mut cluster, 3, RIGHT).unwrap();
    assert_eq!((cluster.of(3, LEFT).commit(), cluster.of(3, LEFT).applied()), (matched + 3, matched + 2));
    assert_eq!(cluster.keys(3, LEFT), "abch");
    let before = (cluster.stores[&3].mark(LEFT), cluster.stores[&3].mark(RIGHT));
    assert_eq!(apply(&mut cluster, 3, RIGHT), Err(Refusal::WaitsForSource));
    assert_eq!((cluster.stores[&3].mark(LEFT), cluster.stores[&3].mark(RIGHT)), before);
    apply(&mut cluster, 3, LEFT).unwrap();
    assert_eq!(cluster.of(3, LEFT).state(), PeerState::Merging);
    apply(&mut cluster, 3, RIGHT).unwrap();
    assert_eq!((cluster.ranges(3), cluster.keys(3, RIGHT)), ("[,)=2".into(), "abchmt".into()));
    settle(&mut cluster);
    assert_eq!(cluster.of(3, RIGHT).region(), cluster.of(1, RIGHT).region());
}

/// The complete rules do not begin a merge before every replica has an entry of its leader, and
/// then no entry can conflict.
#[test]
fn uncommitted_entries_are_replaced_by_carried_ones() {
    let mut cluster = two(Dropped(Guard::MergeWaitsForSnapshot));
    // Store 3 leads the source for a while and writes entries that no other store gets.
    campaign(&mut cluster, 3, LEFT);
    settle(&mut cluster);
    propose(&mut cluster, 3, LEFT, put("c")).unwrap();
    cluster.sent.clear();
    let lost = cluster.of(3, LEFT).last_index();
    cluster.step(1, Input::Campaign { region: LEFT }).unwrap();
    settle_where(&mut cluster, |message| !to_3(message, LEFT));
    // Store 1 must know what store 3 has; otherwise the merge is refused.
    assert_eq!(prepare(&mut cluster, LEFT, RIGHT), Err(Refusal::LogGapTooLarge));
    let outputs =
        cluster.stores.get_mut(&1).unwrap().probe(LEFT, 3, lost, rollcall_impl::AppendLimit::All).unwrap();
    let append = outputs.into_iter().find_map(|output| match output {
        Output::Message(message) if to_3(&message, LEFT) => Some(message),
        _ => None,
    });
    // An append whose entries were lost: it proves the common prefix.
    let mut append = append.unwrap();
    if let rollcall_impl::MessagePayload::Raft(raft) = &mut append.payload {
        raft.clear_entries();
        raft.commit = raft.index;
    }
    cluster.step(3, Input::Message(append)).unwrap();
    deliver_where(&mut cluster, |message| !to_3(message, LEFT));
    assert_eq!(cluster.of(3, LEFT).log_term(lost), Some(cluster.of(3, LEFT).term() - 1), "c is still there");
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, |message| !to_3(message, LEFT));
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, |message| !to_3(message, LEFT));
    for store in 1..=3 {
        assert_eq!((cluster.ranges(store), cluster.keys(store, RIGHT)), ("[,)=2".into(), "ahmt".into()));
    }
}

/// tikv#5512, as in `test_node_merge_catch_up_logs_empty_entries`. The source on store 3 gets the
/// first append, and with it `PrepareMerge`, but no later message with the commit index. The target
/// there gets no append until the merge is applied on the other two stores.
fn seed_000<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = two(guards);
    let mut source = one_append_to_3(LEFT);
    let mut arrives = |message: &Message| {
        let append = message.raft_type() == Some(MessageType::MsgAppend);
        source(message) && !(append && to_3(message, RIGHT))
    };
    prepare(&mut cluster, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, &mut arrives);
    let behind = cluster.of(3, LEFT);
    assert_eq!((behind.last_index(), behind.commit()), (behind.applied() + 1, behind.applied()));
    commit(&mut cluster, 1, LEFT, RIGHT).unwrap();
    settle_where(&mut cluster, &mut arrives);
    assert_eq!(carried(&cluster), 0, "everybody has everything");
    for store in [1, 2] {
        assert_eq!((epoch(&cluster, store, RIGHT), cluster.ranges(store)), ((1, 4), "[,)=2".into()));
    }
    // The network heals, and store 3 becomes leader of the target.
    let index = cluster.of(1, RIGHT).last_index();
    settle_where(&mut cluster, |message| !to_3(message, LEFT) || message.raft_type().is_none());
    assert_eq!((cluster.of(3, RIGHT).last_index(), cluster.of(3, RIGHT).commit()), (index, index));
    campaign(&mut cluster, 3, RIGHT);
    settle(&mut cluster);
    cluster
}

/// Row 35.
#[test]
fn merge_forwards_commit() {
    let sound = seed_000(Sound);
    assert_eq!((epoch(&sound, 3, RIGHT), sound.ranges(3)), ((1, 4), "[,)=2".into()));
    assert!(sound.stores[&3].tombstone(LEFT).is_some());
    assert_eq!(sound.keys(3, RIGHT), "ahmt");

    let mut cluster = seed_000(Dropped(Guard::MergeForwardsCommit));
    let phantom = cluster.of(3, RIGHT);
    assert_eq!((phantom.role(), epoch(&cluster, 3, RIGHT)), (StateRole::Leader, (1, 2)));
    assert!(phantom.applied() < phantom.commit());
    let applied = phantom.applied();
    // Nothing makes it progress: not its source, whose group does not answer, not time, and not a
    // write under its old epoch.
    propose(&mut cluster, 3, RIGHT, put("z")).unwrap();
    cluster.step(3, Input::Campaign { region: LEFT }).unwrap();
    settle(&mut cluster);
    assert_eq!(apply(&mut cluster, 3, RIGHT), Err(Refusal::WaitsForSource));
    assert_eq!(apply(&mut cluster, 3, LEFT), Err(Refusal::NothingToApply));
    assert_eq!((cluster.of(3, RIGHT).applied(), cluster.keys(3, RIGHT)), (applied, "mt".into()));
    // The leader refuses a request with the region's new epoch.
    let now = cluster.of(1, RIGHT).region().epoch;
    let write = Input::Propose { region: RIGHT, command: put("z"), epoch: Some(now) };
    assert_eq!(cluster.step(3, write), Err(Refusal::EpochNotMatch));
    // The report's second workaround: with another leader, the peer on store 3 can be removed.
    campaign(&mut cluster, 1, RIGHT);
    settle(&mut cluster);
    propose(&mut cluster, 1, RIGHT, crate::merge::remove(23)).unwrap();
    settle(&mut cluster);
    assert_eq!(epoch(&cluster, 1, RIGHT), (2, 4));
}
