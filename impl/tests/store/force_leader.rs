//! A forced leader, elected by simulated votes of failed voters.

use rollcall_impl::eraftpb::{self, MessageType};
use rollcall_impl::{
    Change, ChangeKind, Command, Config, Dropped, Epoch, ForceLeader, ForceLeaders, Guard, Guards,
    INITIAL_POSITION, Input, KeyRange, Member, MemberRole, MemoryEngine, Message, MessagePayload, Position,
    RecoveryPlan, Refusal, Region, RegionId, Sound, StateRole, StoreId, SyncedStore,
};

/// The stores of the other two voters.
const LOST: [StoreId; 2] = [2, 3];

/// A response of peer 12 on store 2.
fn answer(kind: MessageType, term: u64, index: u64, reject: bool) -> Message {
    let mut raft = eraftpb::Message::default();
    raft.set_msg_type(kind);
    (raft.from, raft.to, raft.term, raft.index, raft.reject) = (12, 11, term, index, reject);
    let member = |id| Member { id, store: id - 10, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver: 1, version: 1 };
    let payload = MessagePayload::Raft(Box::new(raft));
    Message { region: 7, from: member(12), to: member(11), epoch, range: KeyRange::whole(), payload }
}

/// Store 1 with peer 11; peers 12 and 13 are on other stores.
fn one_of_three<G: Guards>(guards: G) -> SyncedStore<G> {
    one_of(guards, &[1, 2, 3])
}

/// Store 1 with peer 11 of a region with voters on those stores.
fn one_of<G: Guards>(guards: G, voters: &[StoreId]) -> SyncedStore<G> {
    let mut store =
        SyncedStore::open(1, Config::SIMULATOR, guards, MemoryEngine::new()).expect("an empty disk");
    let member = |store: &StoreId| Member { id: 10 + store, store: *store, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver: 1, version: 1 };
    let region = Region { epoch, peers: voters.iter().map(member).collect(), ..Region::unknown(7) };
    store.bootstrap(region).expect("a first region");
    store
}

/// Orders the peer to lead without those stores, in a term above 9.
fn force<G: Guards>(store: &mut SyncedStore<G>, region: RegionId, failed: &[StoreId], committed: Position) {
    let regions = [(region, ForceLeader { above: 9, committed })].into();
    let forces = ForceLeaders { failed_stores: failed.iter().copied().collect(), regions };
    let plan = RecoveryPlan { step: 1, force_leaders: Some(forces), ..RecoveryPlan::default() };
    store.step(Input::RecoveryPlan(plan)).expect("the first plan");
}

#[test]
fn it_leads_commits_and_changes_the_members_alone() {
    let mut store = one_of_three(Sound);
    force(&mut store, 7, &LOST, INITIAL_POSITION);
    // No other voter remains: their responses are simulated.
    let peer = store.peer(7).expect("it lives");
    assert_eq!((peer.role(), peer.term(), peer.commit()), (StateRole::Leader, 10, 6));
    assert_eq!(*peer.failed_stores(), LOST.into());
    let demote = |peer| Change { kind: ChangeKind::AddLearner, peer, store: peer - 10 };
    for command in [Command::EnterJoint([12, 13].map(demote).into()), Command::LeaveJoint] {
        store.step(Input::Propose { region: 7, command, epoch: None }).expect("a leader by force proposes");
        store.step(Input::Apply { region: 7 }).expect("it is committed");
    }
    store.step(Input::ForceLeaderTimeout { region: 7 }).expect("it leads by force");
    let peer = store.peer(7).expect("it lives");
    assert_eq!((peer.role(), peer.term(), peer.commit()), (StateRole::Follower, 10, 8));
    assert!(peer.failed_stores().is_empty());
    let voters = peer.region().peers.iter().filter(|member| member.role == MemberRole::Voter).count();
    assert_eq!((peer.region().epoch.conf_ver, voters), (5, 1));
    // Its new state is on its disk.
    let mut store =
        SyncedStore::open(1, Config::SIMULATOR, Sound, store.into_engine()).expect("its own disk");
    store.step(Input::Campaign { region: 7 }).expect("the only voter");
    assert_eq!(store.peer(7).map(|peer| (peer.role(), peer.commit())), Some((StateRole::Leader, 9)));
}

/// Store 2 remains as well: the election waits for its vote, and a commit waits for its log.
#[test]
fn a_voter_that_is_left_must_grant_and_have_the_log() {
    let mut store = one_of(Sound, &[1, 2, 3, 4]);
    force(&mut store, 7, &[3, 4], INITIAL_POSITION);
    let role =
        |store: &SyncedStore<Sound>| store.peer(7).map(|peer| (peer.role(), peer.failed_stores().len()));
    assert_eq!(role(&store), Some((StateRole::Candidate, 2)));
    store.step(Input::Message(answer(MessageType::MsgRequestVoteResponse, 10, 0, false))).expect("a vote");
    assert_eq!(role(&store), Some((StateRole::Leader, 2)));
    assert_eq!(store.peer(7).map(|peer| peer.commit()), Some(5));
    store.step(Input::Message(answer(MessageType::MsgAppendResponse, 10, 6, false))).expect("an answer");
    assert_eq!(store.peer(7).map(|peer| peer.commit()), Some(6));
}

/// After a rejection it is an ordinary candidate.
#[test]
fn a_voter_that_rejects_ends_it() {
    let mut store = one_of(Sound, &[1, 2, 3, 4]);
    force(&mut store, 7, &[3, 4], INITIAL_POSITION);
    store
        .step(Input::Message(answer(MessageType::MsgRequestVoteResponse, 10, 0, true)))
        .expect("a rejection");
    let peer = store.peer(7).expect("it lives");
    assert_eq!((peer.role(), peer.failed_stores().len()), (StateRole::Candidate, 0));
}

#[test]
fn a_region_without_a_peer_has_no_leader() {
    let mut store = one_of_three(Sound);
    force(&mut store, 8, &LOST, INITIAL_POSITION);
    assert_eq!(store.regions().collect::<Vec<_>>(), [7]);
    let refused = store.step(Input::ForceLeaderTimeout { region: 7 }).expect_err("it does not lead");
    assert_eq!(refused.refusal(), Some(Refusal::NotByForce));
    assert_eq!(store.peer(7).map(|peer| (peer.role(), peer.term())), Some((StateRole::Follower, 5)));
}

/// Committed entries that it lacks: one beyond its log, and another one in place of its own.
#[test]
fn force_keeps_what_is_committed() {
    let lacking = [Position { index: 6, term: 5 }, Position { term: 4, ..INITIAL_POSITION }];
    for committed in lacking {
        let mut store = one_of_three(Sound);
        force(&mut store, 7, &LOST, committed);
        let peer = store.peer(7).expect("it lives");
        assert_eq!((peer.role(), peer.term(), peer.vote()), (StateRole::Follower, 5, 0));
        let mut unsound = one_of_three(Dropped(Guard::ForceKeepsWhatIsCommitted));
        force(&mut unsound, 7, &LOST, committed);
        assert_eq!(unsound.peer(7).map(|peer| peer.role()), Some(StateRole::Leader));
    }
    // It had applied what it has truncated.
    let mut store = one_of_three(Sound);
    force(&mut store, 7, &LOST, Position { index: 4, term: 4 });
    assert_eq!(store.peer(7).map(|peer| peer.role()), Some(StateRole::Leader));
}
