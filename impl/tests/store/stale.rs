//! A peer that receives no message asks whether it is still a member, and the replies.

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Change, ChangeKind, Command, Config, Dropped, Epoch, Guard, Guards, Input, Lacking, Member, MemberRole,
    Message, MessagePayload, Output, Refusal, Region, Sound, StaleCheck, SyncedStore,
};

use crate::cluster::{Cluster, REGION, change, put, region};
use crate::lifecycle::{empty_store, message};

/// Voter 1 leads, and learner 3 receives nothing while `happens` runs.
fn with_learner_cut_off<G: Guards>(guards: G, happens: impl FnOnce(&mut Cluster<G>)) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 4, &[1, 2]);
    cluster.elect(1);
    let learner = Change { kind: ChangeKind::AddLearner, peer: 3, store: 3 };
    cluster.propose(1, Command::ChangePeer(learner)).unwrap();
    cluster.settle(1);
    assert_eq!(cluster.peer(3).region().peers.len(), 3);
    cluster.cut_off(3, happens);
    cluster
}

fn remove_learner<G: Guards>(cluster: &mut Cluster<G>) {
    cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
}

fn ask<G: Guards>(cluster: &mut Cluster<G>) -> Result<Vec<Output>, Refusal> {
    cluster.outputs(3, Input::CheckStalePeer { region: REGION })
}

#[test]
fn a_removed_learner_asks_every_member_and_is_destroyed() {
    let mut cluster = with_learner_cut_off(Sound, remove_learner);
    let outputs = ask(&mut cluster).unwrap();
    let asked: Vec<u64> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Message(Message { payload: MessagePayload::CheckStalePeer, to, .. }) => Some(to.store),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [1, 2]);
    assert!(outputs.contains(&Output::ValidatePeer { region: REGION }));
    cluster.deliver();
    assert!(cluster.stores[&3].tombstone(REGION).is_some());
}

#[test]
fn a_member_that_asks_stays() {
    let mut cluster = with_learner_cut_off(Sound, |cluster| cluster.propose(1, put("a")).unwrap());
    ask(&mut cluster).unwrap();
    while let Some(question) = cluster.sent.pop_front() {
        let refused = cluster.step(question.to.store, Input::Message(question));
        assert_eq!(refused, Err(Refusal::StillMember));
    }
    assert_eq!(cluster.peer(3).id(), 3);
    assert_eq!(cluster.step(1, Input::CheckStalePeer { region: REGION }), Err(Refusal::AlreadyLeader));
}

#[test]
fn without_the_guard_it_asks_nobody() {
    let mut cluster = with_learner_cut_off(Dropped(Guard::StalePeerAsks), remove_learner);
    assert_eq!(ask(&mut cluster), Err(Refusal::NoEffect));
}

#[test]
fn a_pd_record_destroys_a_peer_only_if_newer_and_without_it() {
    let mut cluster = with_learner_cut_off(Sound, remove_learner);
    let known = |conf_ver, peers: &[u64]| {
        let epoch = Epoch { conf_ver, version: 1 };
        Input::ValidatePeer { region: REGION, known: Region { epoch, ..region(peers) } }
    };
    assert_eq!(cluster.step(3, known(1, &[1, 2])), Err(Refusal::RegionStale));
    assert_eq!(cluster.step(3, known(3, &[1, 2, 3])), Err(Refusal::StillMember));
    // A store also replies to itself.
    cluster.step(3, known(3, &[1, 2])).unwrap();
    let word = cluster.sent.pop_back().expect("a word to itself");
    assert_eq!((word.from.store, word.to.id), (3, 3));
    cluster.step(3, Input::Message(word)).unwrap();
    assert!(cluster.stores[&3].tombstone(REGION).is_some());
}

/// A reply with an older epoch than the peer's has no effect.
#[test]
fn a_tombstone_that_still_lists_the_asker_names_its_members() {
    let mut cluster = with_learner_cut_off(Sound, |_| ());
    let gone = Region { epoch: Epoch { conf_ver: 4, version: 1 }, ..region(&[1, 3, 4]) };
    let word = |conf_ver| Message {
        region: REGION,
        from: Member { id: 2, store: 2, role: MemberRole::Learner },
        to: Member { id: 3, store: 3, role: MemberRole::Learner },
        epoch: Epoch { conf_ver, version: 1 },
        range: gone.range(),
        payload: MessagePayload::CheckStalePeerResponse(gone.peers.clone()),
    };
    assert_eq!(cluster.step(3, Input::Message(word(2))), Err(Refusal::NoEffect));
    cluster.step(3, Input::Message(word(4))).unwrap();
    let named = Some(StaleCheck { conf_ver: 4, peers: gone.peers.clone() });
    assert_eq!(cluster.peer(3).stale_check().cloned(), named);
    // A repeated reply has no effect, and a crash forgets it.
    assert_eq!(cluster.step(3, Input::Message(word(4))), Err(Refusal::NoEffect));
    cluster.restart(Sound, 3);
    assert_eq!(cluster.peer(3).stale_check(), None);
}

#[test]
fn an_uninitialised_peer_asks_its_creator_also_after_a_restart() {
    let creator = Member { id: 7, store: 7, role: MemberRole::Voter };
    let asked = |guards| {
        let mut store = empty_store(guards);
        store.step(Input::Message(message(MessageType::MsgHeartbeat, creator, 3, 5, 0))).unwrap();
        let created_by = store.peer(REGION).expect("it was created").created_by();
        let disk = store.into_engine();
        let mut store = SyncedStore::open(3, Config::SIMULATOR, guards, disk).unwrap();
        assert_eq!(store.peer(REGION).expect("it is there").created_by(), created_by);
        let outputs = store.step(Input::CheckStalePeer { region: REGION }).unwrap();
        outputs.into_iter().find_map(|output| match output {
            Output::Message(question) => Some(question.to),
            _ => None,
        })
    };
    assert_eq!(asked(Lacking(&[])), Some(creator));
    assert_eq!(asked(Lacking(&[Guard::CreatorRemembered])), None);
}

/// PD's record is older than the peer: the leader of epoch 5 created it.
#[test]
fn an_older_pd_record_does_not_destroy_a_peer() {
    let creator = Member { id: 1, store: 1, role: MemberRole::Voter };
    let ends = |guards, conf_ver| {
        let mut store = empty_store(guards);
        store.step(Input::Message(message(MessageType::MsgHeartbeat, creator, 3, 5, 0))).unwrap();
        let known = Region { epoch: Epoch { conf_ver, version: 1 }, ..region(&[1, 2]) };
        store.step(Input::ValidatePeer { region: REGION, known }).map(|outputs| outputs.len())
    };
    let refused = |ended: Result<usize, rollcall_impl::Error>| ended.err().and_then(|error| error.refusal());
    assert_eq!(refused(ends(Lacking(&[]), 4)), Some(Refusal::RegionStale));
    assert_eq!(ends(Lacking(&[]), 6).ok(), Some(1));
    assert_eq!(ends(Lacking(&[Guard::OldViewEndsNoNewPeer]), 4).ok(), Some(1));
}
