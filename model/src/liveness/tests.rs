//! Goals and stuck reasons, each with a forged miss and a near miss. The clusters are initial
//! states of scopes, changed by hand.

use rollcall_traces::{
    Action, Cluster, Entries, Entry, Key, MemberRole, Peer, PeerState, Read, Reply, Scope, StoreId,
    StoreState, StoreStatus, View,
};

use super::missed::write_to;
use super::*;
use crate::guard::{Guard, GuardSet};
use crate::model::{Rollcall, State};
use crate::scopes;

fn model(scope: &str) -> Rollcall {
    let plan = scopes::named(scope).expect("a scope of that name");
    Rollcall::new(&plan.scope, GuardSet::ALL, &[], &[]).expect("the scope can be begun")
}

/// Three voters; the first leads.
fn three() -> Rollcall {
    model("replace_a_lost_store_smoke")
}

fn changed(model: &Rollcall, change: impl FnOnce(&mut View)) -> State {
    let mut view = model.cluster(&model.first()).view();
    change(&mut view);
    model.state_of(&view).expect("the stores of the scope")
}

fn peer(view: &mut View, store: StoreId) -> &mut Peer {
    let store = view.stores.get_mut(&store).expect("a store of the scope");
    store.peers.get_mut(&1).expect("a peer of region 1")
}

fn goals(model: &Rollcall, state: &State) -> Vec<Goal> {
    missed(model, state).into_iter().map(|missed| missed.goal).collect()
}

/// Where healing ends.
fn healed(model: &Rollcall, state: State) -> State {
    let mut at = state;
    while let Some(action) = next(model, &at) {
        at = model.step(&at, &action).0;
    }
    at
}

/// What is stuck there.
fn ends_with(model: &Rollcall, state: State) -> Vec<StuckReason> {
    let at = healed(model, state);
    assert_eq!(missed(model, &at), []);
    stuck_reasons(model, &at)
}

#[test]
fn nothing_is_missed_and_nothing_excused_where_all_is_well() {
    let model = three();
    assert_eq!(goals(&model, &model.first()), []);
    assert_eq!(stuck_reasons(&model, &model.first()), []);
}

#[test]
fn what_a_leader_took_and_did_not_apply_is_missed() {
    let model = three();
    let state = changed(&model, |view| {
        let leader = peer(view, 1);
        let entry = Entry { term: leader.term, command: Some(write_to(leader)), epoch: leader.region.epoch };
        leader.log.entries.push(entry);
    });
    assert_eq!(goals(&model, &state), [Goal::RequestsEnd]);
    assert_eq!(ends_with(&model, state), []);
}

#[test]
fn a_read_that_waits_is_missed_and_healing_answers_it() {
    let model = three();
    let state = changed(&model, |view| {
        let leader = peer(view, 1);
        let (key, index) = (Key::from("k"), leader.commit);
        leader.read = Some(Read { key, index, acks: [leader.id].into(), ready: false });
    });
    assert_eq!(goals(&model, &state), [Goal::RequestsEnd]);
    assert_eq!(ends_with(&model, state), []);
}

#[test]
fn a_majority_without_disks_excuses_and_one_disk_less_does_not() {
    let model = three();
    let lose = |stores: &[StoreId]| {
        changed(&model, |view| {
            for store in stores {
                let store = view.stores.get_mut(store).expect("a store of the scope");
                *store = rollcall_traces::Store { status: StoreStatus::DiskLost, ..Default::default() };
            }
        })
    };
    assert_eq!(ends_with(&model, lose(&[2, 3])), [StuckReason::MajorityLost { region: 1 }]);
    assert_eq!(ends_with(&model, lose(&[3])), [StuckReason::DiskLost { region: 1, store: 3 }]);
    // Store 4 has no peer.
    assert_eq!(ends_with(&model, lose(&[4])), []);
}

#[test]
fn a_majority_that_was_ended_by_hand_excuses_and_one_peer_less_does_not() {
    let model = three();
    let end = |stores: &[StoreId]| {
        changed(&model, |view| {
            for store in stores {
                let ended = peer(view, *store);
                *ended = Peer::blank(ended.id, PeerState::Tombstone, ended.region.clone());
            }
            for store in view.stores.values_mut() {
                store.ranges = crate::rules::index_of(store.peers.values());
            }
        })
    };
    assert_eq!(ends_with(&model, end(&[2, 3])), [StuckReason::EndedByHand { region: 1 }]);
    assert_eq!(ends_with(&model, end(&[3])), [StuckReason::IdTakenAgain { region: 1, store: 3 }]);
}

#[test]
fn a_store_that_leaves_without_a_target_excuses_and_says_why() {
    let model = model("no_legal_target_smoke");
    let no_target = StuckReason::NoTarget { region: 1 };
    assert_eq!(ends_with(&model, model.first()), [no_target]);
    let because = no_target.because(&model, &model.first());
    assert!(because.ends_with("store 3 is full, store 4 lost its disk"), "{because}");
    // With store 4 alive there is a target.
    let alive = changed(&model, |view| {
        view.stores.get_mut(&4).expect("a store of the scope").status = StoreStatus::Up;
    });
    assert_eq!(ends_with(&model, alive), []);
}

/// PD ignores reports from a store without a record, and so cannot act on a region that is led
/// there. It replaces a member there (PD `placement/fit.go`).
#[test]
fn a_leader_on_a_store_that_pd_forgot_excuses_and_a_member_there_does_not() {
    let model = model("split_racing_a_decommission");
    let forgotten = |store: StoreId| {
        let state = changed(&model, |view| {
            view.pd.stores.remove(&store);
            view.pd.stores.values_mut().for_each(|known| known.state = StoreState::Up);
        });
        ends_with(&model, state)
    };
    assert_eq!(forgotten(1), [StuckReason::LeaderForgotten { region: 1, store: 1 }]);
    assert_eq!(forgotten(2), []);
    assert_eq!(ends_with(&model, model.first()), []);
}

#[test]
fn a_removed_peer_stays_where_the_disk_hangs_and_goes_elsewhere() {
    let plan = scopes::named("stalled_leaders_store_leaves_smoke").expect("a scope of that name");
    let of = |scope: &Scope| Rollcall::new(scope, GuardSet::ALL, &[], &[]).expect("the scope can be begun");
    let (apply_stalled, well) =
        (of(&plan.scope), of(&Scope { apply_stalled: Vec::new(), ..plan.scope.clone() }));
    assert_eq!(
        ends_with(&apply_stalled, apply_stalled.first()),
        [StuckReason::DiskHangs { region: 1, store: 1 }]
    );
    assert_eq!(ends_with(&well, well.first()), []);
    let left = apply_stalled.cluster(&healed(&apply_stalled, apply_stalled.first())).view();
    let left = well.state_of(&left).expect("the stores of the scope");
    assert_eq!(goals(&well, &left), [Goal::RemovedGone]);
    assert_eq!(ends_with(&well, left), []);
}

/// A removed learner asks the members that it knows: one live member is enough.
#[test]
fn a_removed_peer_that_knows_nobody_is_allowed_stuck_and_one_that_knows_a_member_goes() {
    let model = model("learner_removed_while_cut_off_smoke");
    // Both learners are removed and do not know it, nor do they know any member.
    let removed = |unknowing: &[StoreId]| {
        changed(&model, |view| {
            let leader = peer(view, 1);
            leader.region.peers.retain(|member| member.id == 1);
            leader.region.epoch.conf_ver += 2;
            leader.leading.as_mut().expect("it leads").matched.retain(|id, _| *id == 1);
            for store in unknowing {
                peer(view, *store).region.peers.retain(|member| member.id != 1);
            }
        })
    };
    let alone = |store| StuckReason::NobodyToAsk { region: 1, store };
    assert_eq!(ends_with(&model, removed(&[2, 3])), [alone(2), alone(3)]);
    assert_eq!(ends_with(&model, removed(&[3])), [alone(3)]);
    assert_eq!(goals(&model, &removed(&[])), [Goal::RemovedGone]);
    assert_eq!(ends_with(&model, removed(&[])), []);
}

/// No goal waits for the peer on a given-up store that still runs. A lost disk needs no reason if
/// PD replaces the peer.
#[test]
fn a_member_on_a_store_that_was_given_up_excuses_while_the_store_runs() {
    let model = model("forced_behind_a_learner_smoke");
    let given_up = Action::RemoveFailedStores { stores: vec![1, 2] };
    let silent = Action::MissedHeartbeat { store: 1 };
    let after = |actions: &[&Action]| {
        actions.iter().fold(model.first(), |at, action| {
            let (next, outcome) = model.step(&at, action);
            assert!(outcome.is_done(), "{action}: {outcome}");
            next
        })
    };
    let stays = StuckReason::GivenUp { region: 1, store: 1 };
    assert!(ends_with(&model, after(&[&silent, &given_up])).contains(&stays));
    let gone = ends_with(&model, after(&[&Action::LoseDisk { store: 1 }, &silent, &given_up]));
    assert!(!gone.contains(&stays), "{gone:?}");
}

/// The learner knows a write to be committed. It leads by force if the remaining voter is behind
/// it. If that voter has a newer entry in the place of the write, no peer may lead until the voter
/// has the write.
#[test]
fn a_region_that_was_given_up_goes_on_once_somebody_may_lead() {
    let model = model("forced_behind_a_learner_smoke");
    let round = |follower| {
        let (region, leader) = (1, 1);
        Action::Replicate { region, leader, follower, entries: Entries::One, reply: Reply::Delivered }
    };
    let take = |at: State, action: Action| {
        let (next, outcome) = model.step(&at, &action);
        assert!(outcome.is_done(), "{action}: {outcome}");
        next
    };
    let give_up = || Action::RemoveFailedStores { stores: vec![1, 2] };
    let newer = StuckReason::NewerLogLeft { region: 1, store: 3 };
    let stuck =
        [round(4), Action::MissedHeartbeat { store: 1 }, give_up()].into_iter().fold(model.first(), take);
    assert_eq!(ends_with(&model, stuck), [newer]);
    // Repeating the command does not help there.
    let left = healed(&model, stuck);
    assert!(model.cluster(&left).pd().recovery.is_none());
    assert_eq!(ends_with(&model, take(left, give_up())), [newer]);
    // Store 1 was given up but still runs.
    let caught_up = take(left, round(3));
    let ends = ends_with(&model, caught_up);
    assert!(!ends.contains(&newer), "{ends:?}");
    let mut healing =
        std::iter::successors(Some(caught_up), |at| next(&model, at).map(|action| model.step(at, &action).0));
    assert!(healing.any(|at| next(&model, &at) == Some(give_up())), "nobody tries it again");
    // The voter's log is shorter than the learner's.
    let behind = changed(&model, |view| {
        let voter = peer(view, 3);
        voter.log.entries.truncate((voter.commit - voter.log.truncated.index) as usize);
    });
    let led = [round(4), Action::MissedHeartbeat { store: 1 }, give_up()].into_iter().fold(behind, take);
    let led = healed(&model, led);
    let members = model.cluster(&led).view().stores[&4].peers[&1].region.peers.clone();
    assert!(
        members.iter().any(|member| member.store == 4 && member.role == MemberRole::Voter),
        "{members:?}"
    );
}

/// Each obstacle to recovery by force, by its name; and none if a remaining peer could lead.
#[test]
fn what_keeps_a_region_from_going_on_by_force() {
    let model = model("forced_by_hand_smoke");
    let given_up = |view: &mut View| {
        for store in [1, 2] {
            let known = view.pd.stores.get_mut(&store).expect("a store of the scope");
            (known.state, known.physically_destroyed) = (StoreState::Tombstone, true);
            let gone = rollcall_traces::Store { status: StoreStatus::DiskLost, ..Default::default() };
            view.stores.insert(store, gone);
        }
    };
    let could = changed(&model, given_up);
    assert_eq!(stuck_reasons(&model, &could), []);
    assert_eq!(goals(&model, &could), [Goal::LeaderElectable]);
    let ended = changed(&model, |view| {
        given_up(view);
        let left = peer(view, 3);
        *left = Peer::blank(left.id, PeerState::Tombstone, left.region.clone());
        let index = crate::rules::index_of(view.stores[&3].peers.values());
        view.stores.get_mut(&3).expect("a store of the scope").ranges = index;
    });
    assert_eq!(stuck_reasons(&model, &ended), [StuckReason::NobodyLeft { region: 1 }]);
    // Its keys are owed once a recovery gave up the stores.
    assert_eq!(goals(&model, &ended), []);
}

/// A region without a remaining peer: its keys are owed an empty region, which healing creates.
#[test]
fn keys_that_nobody_has_are_covered_anew() {
    let give_up = Action::RemoveFailedStores { stores: vec![1, 2] };
    let ended = |guards| {
        let plan = scopes::named("forced_by_hand_smoke").expect("a scope of that name");
        let model = Rollcall::new(&plan.scope, guards, &[], &[]).expect("the scope can be begun");
        let by_hand = Action::TombstonePeer { region: 1, store: 3, force: true };
        let steps = [Action::Crash { store: 3 }, by_hand, Action::Restart { store: 3 }, give_up.clone()];
        let taken = steps.iter().fold(model.first(), |at, action| {
            let (after, outcome) = model.step(&at, action);
            assert!(outcome.is_done(), "{action}: {outcome}");
            after
        });
        (model, taken)
    };
    let (model, state) = ended(GuardSet::ALL);
    assert_eq!(goals(&model, &state), [Goal::KeysCovered]);
    let end = healed(&model, state);
    assert_eq!(goals(&model, &end), []);
    let (model, state) = ended(GuardSet::without(Guard::RecoveryFillsHoles));
    let end = super::healed(&model, &state);
    assert!(end.missed.iter().any(|missed| missed.starts_with("keys_covered")), "{:?}", end.missed);
}

/// Without the guard only the store whose disk hangs ever leads (tikv#17363), and PD's move ends
/// where it began: with a learner.
#[test]
fn a_hung_leader_that_may_not_hand_over_keeps_its_store_from_leaving() {
    let plan = scopes::named("stalled_leaders_store_leaves_smoke").expect("a scope of that name");
    let guards = GuardSet::without(Guard::LaggingLeaderHandsOver);
    let model = Rollcall::new(&plan.scope, guards, &[], &[]).expect("the scope can be begun");
    let end = healed(&model, model.first());
    let missed = goals(&model, &end);
    assert!(missed.contains(&Goal::RequestsEnd), "{missed:?}");
    assert!(missed.contains(&Goal::OperatorsEnd), "{missed:?}");
    assert!(missed.contains(&Goal::StoreLeaves), "{missed:?}");
}

#[test]
fn every_part_of_liveness_has_its_goal() {
    for part in 1..=9 {
        let part = format!("L{part}");
        let asked = Goal::ALL.iter().any(|goal| goal.liveness().split(' ').any(|of| of == part));
        assert!(asked, "no goal asks for {part}");
    }
}
