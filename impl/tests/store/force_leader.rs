//! A peer that leads by force, by what is made up for voters that are gone.

use rollcall_impl::{
    Change, ChangeKind, Command, Config, Dropped, Epoch, Guard, Guards, INITIAL_POSITION, Input, Member,
    MemberRole, MemoryEngine, Position, Refusal, Region, Sound, StateRole, Store,
};

/// Store 1 with peer 11; 12 and 13 are elsewhere.
fn one_of_three<G: Guards>(guards: G) -> Store<G> {
    let mut store = Store::open(1, Config::SIMULATOR, guards, MemoryEngine::new()).expect("an empty disk");
    let member = |store| Member { id: 10 + store, store, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver: 1, version: 1 };
    let region = Region { epoch, peers: [1, 2, 3].map(member).into(), ..Region::unknown(7) };
    store.bootstrap(region).expect("a first region");
    store
}

#[test]
fn it_leads_commits_and_changes_the_members_alone() {
    let mut store = one_of_three(Sound);
    store.force_campaign(7, 9, INITIAL_POSITION).expect("a voter");
    let peer = store.peer(7).expect("it lives");
    assert_eq!((peer.role(), peer.term()), (StateRole::Candidate, 10));
    store.force_votes(7, &[12, 13]).expect("made up");
    assert_eq!(store.peer(7).map(|peer| (peer.role(), peer.commit())), Some((StateRole::Leader, 5)));
    let failed = [12, 13];
    store.force_acknowledgements(7, &failed).expect("made up");
    let demote = |peer| Change { kind: ChangeKind::AddLearner, peer, store: peer - 10 };
    for command in [Command::EnterJoint(failed.map(demote).into()), Command::LeaveJoint] {
        store.step(Input::Propose { region: 7, command, epoch: None }).expect("a leader by force proposes");
        store.force_acknowledgements(7, &failed).expect("made up");
        store.step(Input::Apply { region: 7 }).expect("it is committed");
    }
    store.exit_force_leader(7).expect("it lives");
    let peer = store.peer(7).expect("it lives");
    assert_eq!((peer.role(), peer.term(), peer.commit()), (StateRole::Follower, 10, 8));
    let voters = peer.region().peers.iter().filter(|member| member.role == MemberRole::Voter).count();
    assert_eq!((peer.region().epoch.conf_ver, voters), (5, 1));
    // What it came to is on its disk.
    let mut store = Store::open(1, Config::SIMULATOR, Sound, store.into_engine()).expect("its own disk");
    store.step(Input::Campaign { region: 7 }).expect("the only voter");
    assert_eq!(store.peer(7).map(|peer| (peer.role(), peer.commit())), Some((StateRole::Leader, 9)));
}

/// raft-rs does not let it campaign: nothing is led by force then.
#[test]
fn who_may_not_campaign_is_a_follower_of_the_term() {
    let mut store = one_of_three(Sound);
    let refused = store.force_campaign(8, 9, INITIAL_POSITION).expect_err("no such region");
    assert_eq!(refused.refusal(), Some(Refusal::RegionNotFound));
    store.exit_force_leader(7).expect("who does not lead stays what it is");
    assert_eq!(store.peer(7).map(|peer| (peer.role(), peer.term())), Some((StateRole::Follower, 5)));
}

/// What it lacks is committed: of an entry beyond its log, and of another one in
/// the place of its own.
#[test]
fn force_keeps_what_is_committed() {
    let lacking = [Position { index: 6, term: 5 }, Position { term: 4, ..INITIAL_POSITION }];
    for committed in lacking {
        let mut store = one_of_three(Sound);
        let refused = store.force_campaign(7, 9, committed).expect_err("it would be written over");
        assert_eq!(refused.refusal(), Some(Refusal::NotPromotable));
        let peer = store.peer(7).expect("it lives");
        assert_eq!((peer.role(), peer.term(), peer.vote()), (StateRole::Follower, 5, 0));
        let mut unsound = one_of_three(Dropped(Guard::ForceKeepsWhatIsCommitted));
        unsound.force_campaign(7, 9, committed).expect("nobody asks");
        assert_eq!(unsound.peer(7).map(|peer| peer.role()), Some(StateRole::Candidate));
    }
    // What it has discarded it had applied.
    let mut store = one_of_three(Sound);
    store.force_campaign(7, 9, Position { index: 4, term: 4 }).expect("it has that");
}
