//! Guards of split: each holds in the sound store, and dropping it does harm. The museum has longer
//! traces of those that the model has, too.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    ChangeKind, Command, Derive, Dropped, Guard, Guards, Input, Member, MemberRole, Message, Output, Refusal,
    Region, Sound, StoreId,
};

use crate::cluster::{CHILD, Cluster, REGION, bytes, change, child, put, region, split};
use crate::lifecycle::{empty_store, message};
use crate::ranges::whole_snapshot;

fn led<G: Guards>(guards: G, voters: &[StoreId]) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 3, voters);
    cluster.elect(1);
    for key in ["a", "t"] {
        cluster.propose(1, put(key)).unwrap();
    }
    cluster.settle(1);
    cluster
}

/// The results of `situation` with every guard, and without `guard`.
#[track_caller]
fn assert_bites<T: PartialEq + std::fmt::Debug>(sound: T, expected: T, unsound: T, broken: T) {
    assert_eq!(sound, expected);
    assert_eq!(unsound, broken);
}

/// Row 22: peer 2 is removed from region 1, and region 2 disappears from the index.
#[test]
fn only_destroy_clears_ranges() {
    fn ranges_after_a_removal(guards: impl Guards) -> String {
        let mut cluster = led(guards, &[1, 2, 3]);
        cluster.propose(1, split("m", 3)).unwrap();
        cluster.settle(1);
        cluster.propose(1, change(ChangeKind::Remove, 2)).unwrap();
        cluster.settle(1);
        cluster.ranges(1)
    }
    let unsound = ranges_after_a_removal(Dropped(Guard::OnlyDestroyClearsRanges));
    assert_bites(ranges_after_a_removal(Sound), "[,m)=1 [m,)=2".into(), unsound, "[,m)=1".into());
}

/// Row 29: the empty key is outside of every region but the first.
#[test]
fn keyless_read_unchecked() {
    fn read_all_of_the_right_region(guards: impl Guards) -> Result<(), Refusal> {
        let mut cluster = led(guards, &[1]);
        cluster.propose(1, split("m", 1)).unwrap();
        cluster.apply(1);
        cluster.step(1, Input::Snap { region: REGION }).unwrap();
        cluster.step(1, Input::Snap { region: CHILD })
    }
    let unsound = read_all_of_the_right_region(Dropped(Guard::KeylessReadUnchecked));
    assert_bites(read_all_of_the_right_region(Sound), Ok(()), unsound, Err(Refusal::KeyNotInRegion));
}

/// Row 32.
#[test]
fn split_reported() {
    fn regions_reported(guards: impl Guards) -> Vec<u64> {
        let mut cluster = led(guards, &[1, 2, 3]);
        let children = vec![child("h", 10, &[11, 12, 13]), child("m", 14, &[15, 16, 17])];
        cluster.propose(1, Command::Split { children, derive: Derive::Left }).unwrap();
        cluster.deliver();
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.deliver();
        // A follower has nothing to report.
        let of_follower = cluster.outputs(2, Input::Apply { region: REGION }).unwrap();
        assert!(!of_follower.iter().any(|output| matches!(output, Output::RegionHeartbeat { .. })));
        let outputs = cluster.outputs(1, Input::Apply { region: REGION }).unwrap();
        let reported = outputs.into_iter().filter_map(|output| match output {
            Output::RegionHeartbeat { region } => Some(region.id),
            _ => None,
        });
        reported.collect()
    }
    let unsound = regions_reported(Dropped(Guard::SplitReported));
    assert_bites(regions_reported(Sound), vec![REGION, 10, 14], unsound, Vec::new());
}

/// The followers have committed a split and not applied it. The child of store 1 sends them vote
/// requests.
fn one_ahead<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = led(guards, &[1, 2, 3]);
    cluster.propose(1, split("m", 3)).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Tick { region: REGION }).unwrap();
    cluster.deliver();
    cluster.step(1, Input::Apply { region: REGION }).unwrap();
    cluster
}

/// Row 33: the only vote requests come too early; the child leads all the same.
#[test]
fn first_message_pending() {
    fn leader_of_the_child(guards: impl Guards) -> u64 {
        let mut cluster = one_ahead(guards);
        cluster.deliver();
        cluster.apply(2);
        cluster.apply(3);
        cluster.deliver();
        cluster.of(1, CHILD).leader()
    }
    assert_bites(leader_of_the_child(Sound), 21, leader_of_the_child(Dropped(Guard::FirstMessagePending)), 0);
}

/// Row 34: a new leader writes a key that a split of the old term gives away.
#[test]
fn epoch_checked_at_apply() {
    fn keys_of_the_parent(guards: impl Guards) -> String {
        let mut cluster = led(guards, &[1, 2, 3]);
        cluster.propose(1, split("m", 3)).unwrap();
        cluster.deliver();
        cluster.elect(2);
        cluster.propose(2, put("z")).unwrap();
        cluster.settle(2);
        cluster.keys(2, REGION)
    }
    let unsound = keys_of_the_parent(Dropped(Guard::EpochCheckedAtApply));
    assert_bites(keys_of_the_parent(Sound), "a".into(), unsound, "az".into());
}

/// Row 23: a member leaves while PD allots ids.
#[test]
fn split_ids_fit_members() {
    fn ids_of_the_child(guards: impl Guards) -> Result<Vec<u64>, Refusal> {
        let mut cluster = led(guards, &[1, 2, 3]);
        let epoch = cluster.peer(1).region().epoch;
        cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
        cluster.settle(1);
        let children = vec![child("m", CHILD, &[21, 22, 23])];
        cluster.step(1, Input::AskSplitResponse { region: REGION, epoch, children, derive: Derive::Left })?;
        cluster.settle(1);
        Ok(cluster.of(1, CHILD).region().peers.iter().map(|member| member.id).collect())
    }
    let unsound = ids_of_the_child(Dropped(Guard::SplitIdsFitMembers));
    assert_bites(ids_of_the_child(Sound), Err(Refusal::EpochNotMatch), unsound, Ok(vec![21, 22]));
}

/// Row 24, tikv#8967.
#[test]
fn split_taken_by_every_replica() {
    fn versions(guards: impl Guards) -> [u64; 3] {
        let mut cluster = led(guards, &[1, 2]);
        for kind in [ChangeKind::AddLearner, ChangeKind::AddVoter] {
            cluster.propose(1, change(kind, 3)).unwrap();
            cluster.settle(1);
        }
        cluster.propose(1, split("m", 3)).unwrap();
        cluster.settle(1);
        [1, 2, 3].map(|store| cluster.peer(store).region().epoch.version)
    }
    assert_bites(versions(Sound), [2, 2, 2], versions(Dropped(Guard::SplitTakenByEveryReplica)), [2, 2, 1]);
}

/// Row 25: peer 3 is removed, the region split, and peer 3 added again, while store 3 receives
/// nothing. Then it applies everything at once.
#[test]
fn removed_peer_splits_nothing() {
    fn ranges_of_the_removed(guards: impl Guards) -> String {
        let mut cluster = led(guards, &[1, 2, 3]);
        for command in [change(ChangeKind::Remove, 3), split("m", 2), change(ChangeKind::AddVoter, 3)] {
            cluster.cut_off(3, |cluster| cluster.propose(1, command).unwrap());
        }
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.deliver();
        assert_eq!(cluster.peer(3).commit(), cluster.peer(1).commit());
        cluster.step(3, Input::Apply { region: REGION }).unwrap();
        assert!(cluster.stores[&3].tombstone(REGION).is_some() && cluster.stores[&3].peer(CHILD).is_none());
        let before = cluster.ranges(3);
        cluster.restart(guards, 3);
        assert_eq!(cluster.ranges(3), "", "a restart reads what is there");
        before
    }
    let unsound = ranges_of_the_removed(Dropped(Guard::RemovedPeerSplitsNothing));
    assert_bites(ranges_of_the_removed(Sound), String::new(), unsound, "[m,)=2".into());
}

/// Peer `id` of the child's region is on store 3, uninitialised, with a vote for peer 90. Then a
/// replica of the parent is added there and applies the split.
fn split_over_an_uninitialised_peer<G: Guards>(guards: G, id: u64) -> Cluster<G> {
    let mut store = empty_store(guards);
    let from = Member { id: 90, store: 1, role: MemberRole::Voter };
    let request = Message { region: CHILD, ..message(MessageType::MsgRequestVote, from, id, 1, 5) };
    store.step(Input::Message(request)).unwrap();
    store.bootstrap(region(&[1, 2, 3])).unwrap();
    let mut cluster = Cluster::new(guards, 3, &[1, 2, 3]);
    cluster.stores.insert(3, store);
    cluster.commit_a_split();
    cluster.step(3, Input::Apply { region: REGION }).unwrap();
    cluster
}

/// tikv#5852.
#[test]
fn split_spares_the_known() {
    fn peer_of_the_child(guards: impl Guards) -> u64 {
        split_over_an_uninitialised_peer(guards, 30).of(3, CHILD).id()
    }
    assert_bites(peer_of_the_child(Sound), 30, peer_of_the_child(Dropped(Guard::SplitSparesTheKnown)), 23);
}

#[test]
fn split_keeps_vote() {
    fn term_and_vote(guards: impl Guards) -> (u64, u64) {
        let cluster = split_over_an_uninitialised_peer(guards, 23);
        let born = cluster.of(3, CHILD);
        assert_eq!(born.id(), 23);
        (born.term(), born.vote())
    }
    assert_bites(term_and_vote(Sound), (8, 90), term_and_vote(Dropped(Guard::SplitKeepsVote)), (5, 0));
}

/// Row 33, TinyKV's `checkSnapshot`.
#[test]
fn snapshot_checks_overlap() {
    fn second_region_with_the_whole_range(guards: impl Guards) -> Result<String, Refusal> {
        let mut cluster = Cluster::new(guards, 3, &[1]);
        let [beat, snapshot] = whole_snapshot(7, 73);
        cluster.step(3, Input::Message(beat)).unwrap();
        let own = Region { id: 8, ..region(&[3]) };
        cluster.stores.get_mut(&3).unwrap().bootstrap(own).unwrap();
        cluster.step(3, Input::Message(snapshot))?;
        cluster.step(3, Input::ApplySnapshot { region: 7 })?;
        Ok(cluster.ranges(3))
    }
    let unsound = second_region_with_the_whole_range(Dropped(Guard::SnapshotChecksOverlap));
    let sound = second_region_with_the_whole_range(Sound);
    assert_bites(sound, Err(Refusal::SnapshotOverlap), unsound, Ok("[,)=7 [,)=8".into()));
}

/// Row 21.
#[test]
fn snapshot_updates_ranges() {
    fn ranges_after_a_snapshot(guards: impl Guards) -> String {
        let mut cluster = led(guards, &[1, 2]);
        cluster.propose(1, change(ChangeKind::AddVoter, 3)).unwrap();
        cluster.settle(1);
        assert_eq!(cluster.keys(3, REGION), "at");
        cluster.ranges(3)
    }
    let unsound = ranges_after_a_snapshot(Dropped(Guard::SnapshotUpdatesRanges));
    assert_bites(ranges_after_a_snapshot(Sound), "[,)=1".into(), unsound, String::new());
}

/// tikv#13311: the split replaces an uninitialised peer whose destruction is pending.
#[test]
fn destroy_spares_the_replaced() {
    fn child_and_ranges(guards: impl Guards) -> (bool, String) {
        let cluster = split_over_an_uninitialised_peer(guards, 23);
        (cluster.stores[&3].peer(CHILD).is_some(), cluster.ranges(3))
    }
    let whole = "[,m)=1 [m,)=2".to_string();
    let unsound = child_and_ranges(Dropped(Guard::DestroySparesTheReplaced));
    assert_bites(child_and_ranges(Sound), (true, whole.clone()), unsound, (false, whole));
}

/// Row 30: a read and a split in one batch; the read is answered in between.
#[test]
fn answer_copies_region() {
    fn value_and_version(guards: impl Guards) -> (bool, u64, bool) {
        let mut cluster = led(guards, &[1]);
        cluster.step(1, Input::Read { region: REGION, key: bytes("t") }).unwrap();
        cluster.propose(1, split("m", 1)).unwrap();
        let answered = cluster.outputs(1, Input::AnswerRead { region: REGION }).unwrap();
        let [Output::Value { key, value, region }] = &answered[..] else { panic!("{answered:?}") };
        (value.is_some(), region.epoch.version, region.contains(key))
    }
    let unsound = value_and_version(Dropped(Guard::AnswerCopiesRegion));
    assert_bites(value_and_version(Sound), (true, 1, true), unsound, (true, 2, false));
}

#[test]
fn data_divided() {
    fn keys(guards: impl Guards) -> (String, String) {
        let mut cluster = led(guards, &[1]);
        cluster.propose(1, split("m", 1)).unwrap();
        cluster.apply(1);
        cluster.restart(guards, 1);
        (cluster.keys(1, REGION), cluster.keys(1, CHILD))
    }
    let both = ("at".to_owned(), "at".to_owned());
    assert_bites(keys(Sound), ("a".into(), "t".into()), keys(Dropped(Guard::DataDivided)), both);
}
