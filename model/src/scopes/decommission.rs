//! `decommission`: a store is told to leave, and the placement driver moves
//! what is on it.
//!
//! Region 1 is the whole key space, with peer n on store n. The placement
//! driver allots from 10 on, so the first new peer is peer 10. It has heard
//! from every store and, once, from the leader.

use rollcall_traces::{
    Action, AdminOperator, Answer, Budgets, Command, Derive, Entries, Key, RegionId, Scope, SplitKeys,
    StoreId,
};

use super::{
    Asked, Family, NEIGHBOUR, Plan, REGION, Size, either, elected, named_for, neighbours, put, region, scope,
};
use crate::properties::Property;
use crate::reach::Reach;

pub(super) fn plans(size: Size) -> Vec<Plan> {
    let standard = size == Size::Standard;
    vec![
        one_store_leaves(standard),
        crash_while_a_store_leaves(standard),
        leaders_store_leaves(standard),
        split_racing_a_decommission(standard),
        late_report_and_late_order(standard),
        two_stores_of_a_region_leave(standard),
        decommission_cancelled(standard),
        no_legal_target(standard),
        leaving_store_stopped(standard),
        driver_restarted(standard),
        administrator_against_the_patrol(standard),
        down_peer_and_a_learner(standard),
        one_replica(standard),
        tombstone_by_hand(standard),
        forced_by_hand(standard),
        merge_racing_a_decommission(standard),
        target_led_by_who_lags(standard),
    ]
    .into_iter()
    .map(|(scope, reachable, fires)| Plan {
        family: Family::Decommission,
        size,
        scope: named_for(scope, size),
        properties: Property::ALL.to_vec(),
        reachable,
        fires,
    })
    .collect()
}

/// A region whose first member leads, has written a value that everybody has,
/// and has reported.
fn placed(name: &str, question: &str, stores: &[StoreId], voters: &[StoreId]) -> Scope {
    let region = region(voters, &[]);
    let mut prelude = elected(&region);
    let followers = || voters[1..].iter().map(|store| round(*store));
    let write = Action::Propose { region: REGION, store: voters[0], command: put("v"), epoch: None };
    prelude.push(write);
    // Twice: who had it before it was committed hears of that, too.
    prelude.extend(followers().chain(followers().take(voters.len() / 2)));
    prelude.push(reported(voters[0]));
    Scope {
        prelude,
        max_replicas: voters.len() as u64,
        next_id: 10,
        rounds: vec![Entries::All],
        ..scope(name, question, stores, region)
    }
}

fn reported(store: StoreId) -> Action {
    Action::RegionHeartbeat { region: REGION, store, answer: Answer::Given }
}

fn leaves(store: StoreId) -> Action {
    Action::Decommission { store, force: false }
}

/// The first leader brings a store forward.
fn round(follower: StoreId) -> Action {
    Action::Replicate { region: REGION, leader: 1, follower, entries: Entries::All, answer: Answer::Given }
}

/// The patrol has found the voter that must move, and its successor has joined
/// as a learner, caught up, and is known to have.
fn successor_joined(scope: &Scope, on: StoreId) -> Vec<Action> {
    let leader = scope.regions[0].peers[0].store;
    let mut actions = vec![Action::Schedule { region: REGION, answer: Answer::Given }];
    let others = || scope.regions[0].peers[1..].iter().map(|member| member.store);
    actions.extend(others().map(round));
    actions.push(Action::Apply { region: REGION, store: leader });
    // It is created, gets a snapshot, and acknowledges what the snapshot has.
    actions.extend([round(on), round(on), Action::ApplySnapshot { region: REGION, store: on }, round(on)]);
    actions
}

fn operator(region: RegionId, operator: AdminOperator) -> Action {
    Action::AddOperator { region, operator, answer: Answer::Given }
}

fn one_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "one_store_leaves",
        "a store with a follower leaves while leaders change: does it always become Tombstone, and only once it is empty?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let mut prelude = asked.prelude.clone();
    if standard {
        prelude.push(leaves(3));
        prelude.extend(successor_joined(&asked, 4));
    }
    let scope = Scope {
        prelude,
        admin: vec![leaves(3)],
        campaigners: vec![2],
        budgets: Budgets {
            admin: either(standard, 0, 1),
            schedules: either(standard, 0, 1),
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreOffline, Reach::StoreTombstone, Reach::ReplacementVotes];
    let mut fires = vec!["region heartbeat", "check stores"];
    fires.extend(if standard { ["campaign", "vote"] } else { ["decommission", "schedule"] });
    (scope, reachable, fires)
}

fn crash_while_a_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "crash_while_a_store_leaves",
        "the leader's process ends in the middle, and another leads: does the operator go on where it was?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(2));
    let scope = Scope {
        prelude,
        campaigners: vec![1, 2],
        crashers: vec![1],
        budgets: Budgets {
            schedules: 1,
            elections: either(standard, 2, 1),
            crashes: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::StoreDown, Reach::StoreTombstone], vec!["crash", "restart", "check stores"])
}

fn leaders_store_leaves(standard: bool) -> Asked {
    let asked = placed(
        "leaders_store_leaves",
        "the store of the leader leaves: is leadership moved before the leader is demoted, whatever becomes of the transfer?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(1));
    let scope = Scope {
        prelude,
        campaigners: vec![2],
        crashers: vec![2],
        budgets: Budgets {
            schedules: 1,
            transfers: 1,
            silences: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreTombstone, Reach::Transferring, Reach::ReplacementVotes];
    (scope, reachable, vec!["schedule", "timeout now", "check stores"])
}

fn split_racing_a_decommission(standard: bool) -> Asked {
    let asked = placed(
        "split_racing_a_decommission",
        "the region divides while its peer is moved: does the store leave with a child on it?",
        &[1, 2, 3],
        &[1, 2],
    );
    let at = SplitKeys { keys: vec![Key::from("m")], derive: Derive::Right };
    let mut prelude = asked.prelude.clone();
    if !standard {
        // The child has a leader already, and nobody has reported it.
        let (keys, derive, answer) = (at.keys.clone(), at.derive, Answer::Given);
        let applied = |store| Action::Apply { region: REGION, store };
        prelude.push(Action::AskSplit { region: REGION, store: 1, keys, derive, answer });
        prelude.extend([round(2), applied(1), round(2), applied(2)]);
        prelude.push(Action::Vote { region: 10, candidate: 1, voter: 2, answer });
    }
    prelude.push(leaves(2));
    let scope = Scope {
        prelude,
        splits: vec![at],
        admin: vec![Action::RemoveTombstone { store: 2 }],
        campaigners: vec![1],
        budgets: Budgets { admin: 1, schedules: 1, splits: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable = vec![
        Reach::SplitApplied,
        Reach::ChildUnknownToDriver,
        Reach::StoreTombstone,
        Reach::BuriedUnderAChild,
    ];
    let mut fires = vec!["schedule", "region heartbeat", "remove tombstone"];
    if standard {
        fires.push("ask split");
    }
    (scope, reachable, fires)
}

fn late_report_and_late_order(standard: bool) -> Asked {
    let asked = placed(
        "late_report_and_late_order",
        "a report or an order arrives long after it was sent: can PD go back, or a leader do what nobody wants any more?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(2));
    if !standard {
        prelude.extend(successor_joined(&asked, 3));
    }
    let scope = Scope {
        prelude,
        campaigners: vec![2],
        budgets: Budgets {
            schedules: either(standard, 1, 0),
            late: 1,
            lost: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::OrderUnderWay, Reach::ReportUnderWay, Reach::DriverBehind];
    (scope, reachable, vec!["hold region report", "late region report", "late order"])
}

fn two_stores_of_a_region_leave(standard: bool) -> Asked {
    let stores: &[StoreId] = if standard { &[1, 2, 3, 4, 5] } else { &[1, 2, 3, 4] };
    let asked = placed(
        "two_stores_of_a_region_leave",
        "every store of a region leaves at once: is one peer moved after the other, and is a majority always there?",
        stores,
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.extend([leaves(1), leaves(2)]);
    let scope = Scope {
        prelude,
        crashers: vec![3],
        campaigners: vec![1],
        budgets: Budgets {
            schedules: 2,
            transfers: 1,
            silences: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::TwoStoresTombstone, Reach::ReplacementVotes], vec!["schedule", "check stores"])
}

fn decommission_cancelled(standard: bool) -> Asked {
    let asked = placed(
        "decommission_cancelled",
        "a store is told to stay after all, with its peer half-way gone: is every region whole again?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(2));
    let scope = Scope {
        prelude,
        admin: vec![
            Action::CancelDecommission { store: 2 },
            leaves(2),
            // Refused: that is the patrol's to do.
            Action::SetTombstone { store: 2 },
            Action::RemoveTombstone { store: 2 },
        ],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 2,
            schedules: either(standard, 2, 1),
            timeouts: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::CancelledHalfWay, Reach::StoreTombstone];
    (scope, reachable, vec!["cancel decommission", "remove tombstone", "operator timeout"])
}

fn no_legal_target(standard: bool) -> Asked {
    let asked = placed(
        "no_legal_target",
        "of the stores that could take the peer one is too full and one silent: what does PD say, and what may an administrator still do?",
        &[1, 2, 3, 4],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.extend([leaves(1), Action::StoreSilent { store: 4 }]);
    let scope = Scope {
        prelude,
        full: vec![3],
        admin: vec![
            operator(REGION, AdminOperator::AddPeer { store: 3 }),
            operator(REGION, AdminOperator::RemovePeer { store: 1 }),
        ],
        crashers: vec![4],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: 1,
            crashes: either(standard, 1, 0),
            silences: either(standard, 1, 0),
            transfers: 1,
            ..Budgets::default()
        },
        ..asked
    };
    (scope, vec![Reach::LeaderEvicted, Reach::StoreFull], vec!["add operator", "schedule"])
}

fn leaving_store_stopped(standard: bool) -> Asked {
    let asked = placed(
        "leaving_store_stopped",
        "the process of a leaving store is stopped, or its disk is gone, before its peer was moved: is the peer replaced, and the store buried?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(3));
    if !standard {
        prelude.push(Action::Destroy { store: 3 });
    }
    let scope = Scope {
        prelude,
        admin: vec![Action::Decommission { store: 3, force: true }],
        crashers: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            admin: either(standard, 0, 1),
            schedules: 1,
            crashes: either(standard, 1, 0),
            silences: 2,
            ..Budgets::default()
        },
        ..asked
    };
    let mut fires = vec!["store silent", "schedule"];
    if standard {
        fires.extend(["crash", "restart"]);
    }
    let last = if standard { Reach::StoreDown } else { Reach::StoreLost };
    (scope, vec![Reach::DeadStoreTombstone, last], fires)
}

fn driver_restarted(standard: bool) -> Asked {
    let asked = placed(
        "driver_restarted",
        "the placement driver restarts in the middle: is a store buried whose regions nobody has reported since?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(2));
    let scope = Scope {
        prelude,
        campaigners: vec![2],
        budgets: Budgets {
            schedules: either(standard, 2, 1),
            pd_restarts: 1,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::DriverKnowsNoLeader, Reach::StoreTombstone];
    (scope, reachable, vec!["pd restart", "store heartbeat", "check stores"])
}

fn administrator_against_the_patrol(standard: bool) -> Asked {
    let asked = placed(
        "administrator_against_the_patrol",
        "an administrator removes peers by hand while one is dead and the patrol is at work: does a majority survive?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let scope = Scope {
        admin: vec![
            operator(REGION, AdminOperator::RemovePeer { store: 2 }),
            operator(REGION, AdminOperator::RemovePeer { store: 3 }),
            operator(REGION, AdminOperator::TransferLeader { store: 2 }),
            Action::RemoveOperator { region: REGION },
            // There are too few stores for that: refused.
            leaves(2),
        ],
        crashers: vec![3],
        campaigners: vec![1],
        budgets: Budgets {
            admin: 2,
            schedules: either(standard, 1, 0),
            crashes: 1,
            silences: either(standard, 1, 0),
            transfers: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let mut fires = vec!["add operator", "remove operator"];
    if standard {
        fires.push("schedule");
    }
    (scope, vec![Reach::TwoVotersLeft, Reach::StoreDown], fires)
}

fn down_peer_and_a_learner(standard: bool) -> Asked {
    let asked = placed(
        "down_peer_and_a_learner",
        "a store is gone for good while its replacement is a learner half-way there: does the learner take the place?",
        &[1, 2, 3, 4],
        &[1, 2, 3],
    );
    let mut prelude = asked.prelude.clone();
    prelude.extend([
        leaves(3),
        Action::Schedule { region: REGION, answer: Answer::Given },
        Action::Destroy { store: 3 },
    ]);
    let scope = Scope {
        prelude,
        admin: vec![Action::RemoveOperator { region: REGION }],
        crashers: vec![3],
        campaigners: vec![2],
        budgets: Budgets {
            admin: 1,
            schedules: 2,
            silences: 2,
            elections: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::OrphanFills, Reach::DeadStoreTombstone];
    (scope, reachable, vec!["remove operator", "store silent", "schedule"])
}

fn one_replica(standard: bool) -> Asked {
    let asked = placed(
        "one_replica",
        "the only peer of a region is on the store that leaves: who leads while it is replaced?",
        &[1, 2, 3],
        &[1],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(leaves(1));
    let scope = Scope {
        prelude,
        campaigners: vec![1],
        crashers: vec![1],
        budgets: Budgets {
            schedules: 1,
            transfers: 1,
            crashes: either(standard, 1, 0),
            elections: either(standard, 1, 0),
            lost: 1,
            late: 1,
            ..Budgets::default()
        },
        ..asked
    };
    let fires = vec!["schedule, order lost", "schedule, order held", "timeout now", "check stores"];
    (scope, vec![Reach::Transferring, Reach::StoreTombstone], fires)
}

fn tombstone_by_hand(standard: bool) -> Asked {
    let asked = placed(
        "tombstone_by_hand",
        "a stopped store's peer is made a tombstone on its disk, when PD says it is gone, when PD lags behind, and by force: what is lost?",
        &[1, 2, 3],
        &[1, 2],
    );
    let mut prelude = asked.prelude.clone();
    prelude.push(operator(REGION, AdminOperator::AddPeer { store: 3 }));
    let by_hand = |store, force| Action::TombstonePeer { region: REGION, store, force };
    let scope = Scope {
        prelude,
        admin: vec![
            by_hand(3, false),
            by_hand(3, true),
            by_hand(2, true),
            operator(REGION, AdminOperator::RemovePeer { store: 3 }),
        ],
        campaigners: vec![1],
        crashers: vec![2, 3],
        budgets: Budgets {
            admin: 2,
            crashes: 1,
            elections: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::ListedTombstone];
    (scope, reachable, vec!["tombstone peer", "tombstone peer by force", "crash"])
}

fn forced_by_hand(standard: bool) -> Asked {
    let asked = placed(
        "forced_by_hand",
        "two of three voters are gone with their disks: what does the one that is left come to by force, and what is refused?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let mut prelude = asked.prelude.clone();
    prelude.extend([Action::Destroy { store: 1 }, Action::StoreSilent { store: 1 }]);
    if !standard {
        prelude.extend([Action::Destroy { store: 2 }, Action::StoreSilent { store: 2 }]);
    }
    let by_hand = |store, force| Action::TombstonePeer { region: REGION, store, force };
    let scope = Scope {
        prelude,
        admin: vec![
            Action::UnsafeRecover { stores: vec![1, 2] },
            by_hand(3, true),
            by_hand(3, false),
            leaves(3),
        ],
        campaigners: vec![3],
        crashers: either_stores(standard),
        budgets: Budgets {
            admin: 2,
            schedules: 1,
            silences: either(standard, 2, 1),
            crashes: 1,
            destroys: either(standard, 1, 0),
            elections: either(standard, 2, 1),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::StoreLost];
    (scope, reachable, vec!["unsafe recover", "tombstone peer by force", "crash"])
}

fn either_stores(standard: bool) -> Vec<StoreId> {
    if standard { vec![2, 3] } else { vec![3] }
}

fn merge_racing_a_decommission(standard: bool) -> Asked {
    let asked = placed(
        "merge_racing_a_decommission",
        "two neighbours merge while PD moves their peers off a store that leaves: does the store leave, and PD know the one region that is left?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = neighbours(asked, &[1, 2]);
    let mut prelude = asked.prelude.clone();
    prelude.extend([reported_of(REGION), reported_of(NEIGHBOUR), leaves(2)]);
    let scope = Scope {
        prelude,
        merges: vec![(REGION, NEIGHBOUR)],
        campaigners: vec![1],
        budgets: Budgets { schedules: 1, merges: 1, lost: either(standard, 1, 0), ..Budgets::default() },
        ..asked
    };
    let reachable = vec![Reach::MergedAway, Reach::MergeBesideAMove];
    (scope, reachable, vec!["prepare merge", "commit merge", "schedule", "region heartbeat"])
}

fn reported_of(region: RegionId) -> Action {
    Action::RegionHeartbeat { region, store: 1, answer: Answer::Given }
}

/// Seed 000: the merge is everywhere but on store 3, which misses nothing of
/// either log but that the source's last entry is committed (tikv#5512).
fn target_led_by_who_lags(standard: bool) -> Asked {
    let asked = placed(
        "target_led_by_who_lags",
        "PD knows of a merge that the target's next leader has not applied: does that leader catch up, and does PD believe it then?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let asked = neighbours(asked, &[1, 2, 3]);
    let round = |region, follower| Action::Replicate {
        region,
        leader: 1,
        follower,
        entries: Entries::All,
        answer: Answer::Given,
    };
    let apply = |region, store| Action::Apply { region, store };
    let propose = |region, command| Action::Propose { region, store: 1, command, epoch: None };
    let mut prelude = asked.prelude.clone();
    prelude.extend([reported_of(REGION), reported_of(NEIGHBOUR)]);
    prelude.push(propose(REGION, Command::prepare_merge(asked.regions[1].clone())));
    // Store 3 acknowledges the entry and never hears that this committed it.
    prelude.extend([round(REGION, 3), round(REGION, 2), apply(REGION, 1), apply(REGION, 2)]);
    prelude.push(propose(NEIGHBOUR, Command::commit_merge(REGION)));
    prelude.extend([round(NEIGHBOUR, 3), round(NEIGHBOUR, 2), apply(NEIGHBOUR, 1), apply(NEIGHBOUR, 2)]);
    prelude.push(reported_of(NEIGHBOUR));
    let scope = Scope {
        prelude,
        campaigners: vec![3],
        crashers: vec![1],
        budgets: Budgets {
            elections: either(standard, 2, 1),
            crashes: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::SourceMissesCommit, Reach::LeaderBehindDriver, Reach::MergedEverywhere];
    (scope, reachable, vec!["campaign", "apply", "region heartbeat"])
}
