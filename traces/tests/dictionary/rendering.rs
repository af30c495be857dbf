//! What people see.

use proptest::prelude::*;
use rollcall_traces::render::{action_in, changes, changes_in, mermaid, terminal, terminal_in};
use rollcall_traces::*;

use crate::arbitrary::{action, outcome, view};
use crate::toy::{Toy, allotter, peer, put, region, scope};

fn sample() -> Trace {
    let actions = [
        Action::Campaign { region: 1, store: 2 },
        put(2, "k1", "v1"),
        Action::Vote { region: 1, candidate: 2, voter: 1, reply: Reply::Dropped },
        Action::Crash { store: 1 },
    ];
    let mut trace = record(&mut Toy::default(), &scope("sample", &[1, 2]), actions).unwrap();
    trace.header.title = "A <sample> & \"more\"".into();
    trace.header.source = "nowhere".into();
    trace.header.without = vec!["single_change".into()];
    trace.header.properties = vec!["election_safety".into()];
    trace.steps[2].note = "this 'voter' <b>never</b> answers".into();
    trace.steps[3].violated = vec!["election_safety".into()];
    trace.verdict = Some(Verdict::violated("election_safety", 4));
    trace
}

#[test]
fn on_a_terminal() {
    insta::assert_snapshot!(terminal(&sample()));
}

#[test]
fn as_a_diagram() {
    insta::assert_snapshot!(mermaid(&sample()));
}

/// Where it is narrow an outcome stands beside its action or below it, and never further out.
#[test]
fn outcomes_are_placed_for_the_terminal() {
    let text = terminal_in(&sample(), 60);
    let steps: Vec<&str> = text.lines().filter(|line| line.ends_with("done")).collect();
    assert!(steps.len() >= 3 && steps.iter().all(|line| line.len() <= 60), "{text}");
}

/// Region 1 of store 1, before its split at m or behind it, while store 2 is slow.
fn splitting(split: bool) -> View {
    let whole = Region { start: Key::empty(), end: Key::empty(), ..region(&[1, 2]) };
    let epoch = Epoch { conf_ver: 1, version: 2 };
    let mut view = View { pd: allotter(13), ..View::default() };
    for store in [1, 2] {
        let mut parent = peer(store, whole.clone());
        parent.data = [("a".into(), "1".into()), ("x".into(), "2".into()), ("y".into(), "3".into())].into();
        view.stores.insert(store, Store { peers: [(1, parent)].into(), ..Store::default() });
    }
    if split {
        let store = view.stores.get_mut(&1).unwrap();
        let parent = store.peers.get_mut(&1).unwrap();
        (parent.region.epoch, parent.region.end, parent.applied) = (epoch, "m".into(), 6);
        let data = parent.data.split_off(&"m".into());
        let member = |id, store| Member { id, store, role: MemberRole::Voter };
        let peers = vec![member(11, 1), member(12, 2)];
        let region = Region { id: 10, start: "m".into(), end: Key::empty(), epoch, peers };
        store.peers.insert(10, Peer { data, ..peer(11, region.clone()) });
        let entry = |region: &Region| RangeEntry {
            start: region.start.clone(),
            end: region.end.clone(),
            region: region.id,
        };
        store.ranges = vec![entry(&store.peers[&1].region), entry(&region)];
        let position = LogPosition { index: 5, term: 5 };
        view.stores.get_mut(&2).unwrap().pending_messages.push(Held {
            region: 10,
            from: member(11, 1),
            to: member(12, 2),
            term: 6,
            epoch,
            range: region.range(),
            message: Message::VoteRequest { last: position, commit: position },
        });
    }
    view
}

#[test]
fn a_split_is_rendered_part_by_part() {
    let asked = View { pd: allotter(10), ..splitting(false) };
    assert_eq!(changes(&asked, &splitting(false)), ["PD: next id 10->13"]);
    insta::assert_snapshot!(changes(&splitting(false), &splitting(true)).join("\n"));
}

/// A snapshot that a peer received is rendered at the peer; what its store keeps free
/// beside that is an anomaly, and rendered.
#[test]
fn a_pending_range_is_rendered_where_no_peer_has_its_snapshot() {
    let before = splitting(true);
    let child = before.stores[&1].ranges[1].clone();
    let mut kept = before.clone();
    kept.stores.get_mut(&2).unwrap().pending_ranges.push(child.clone());
    assert_eq!(changes(&before, &kept), ["store 2: it reserves for snapshots 10 [m, \"\")"]);

    let mut received = before.clone();
    let store = received.stores.get_mut(&1).unwrap();
    let (position, peer) = (LogPosition { index: 9, term: 6 }, store.peers.get_mut(&10).unwrap());
    let (region, data) = (peer.region.clone(), peer.data.clone());
    peer.snapshot = Some(Snapshot { position, region, data });
    let shown = changes(&before, &received);
    received.stores.get_mut(&1).unwrap().pending_ranges.push(child);
    assert_eq!(changes(&before, &received), shown);
    let mut lost = received.clone();
    lost.stores.get_mut(&1).unwrap().pending_ranges.clear();
    assert_eq!(changes(&received, &lost), ["store 1: it reserves no range for a snapshot"]);
}

#[test]
fn ids_for_a_split_are_asked_for_and_arrive_late() {
    let children = vec![Child { key: "m".into(), region: 10, peers: vec![11, 12] }];
    let ask = Action::AskSplit {
        region: 1,
        store: 1,
        keys: vec!["m".into()],
        derive: Derive::Left,
        reply: Reply::Delayed,
    };
    let nobody = Member { id: 0, store: 0, role: MemberRole::Learner };
    let leader = Member { id: 1, store: 1, role: MemberRole::Voter };
    let message = Message::AskSplitResponse { children: children.clone(), derive: Derive::Left };
    let (epoch, range) = (Epoch { conf_ver: 1, version: 1 }, KeyRange::default());
    let held = Held { region: 1, from: nobody, to: leader, term: 0, epoch, range, message };
    let before = View { pd: allotter(10), ..splitting(false) };
    let between = View { held: vec![held], ..splitting(false) };
    let mut trace = Trace::scenario(Header::new(scope("asked", &[1, 2])), [ask, Action::Late { slot: 0 }]);
    trace.header.view = Some(before);
    let [asked, late] = &mut trace.steps[..] else { unreachable!("two steps") };
    (asked.outcome, asked.view) =
        (Some(Outcome::Done(Returned::Allotted { children, refused: None })), Some(between));
    (late.outcome, late.view) = (Some(Outcome::DONE), Some(splitting(false)));
    insta::assert_snapshot!(format!("{}\n{}", terminal(&trace), mermaid(&trace)));
    assert!(!mermaid(&trace).contains("S0"), "the placement driver is no store");
}

/// Four stores, of which the first three have region 1; PD knows as much.
fn decommissioning() -> View {
    let whole = region(&[1, 2, 3]);
    let store = |store: StoreId| {
        let peers = whole.member_on(store).map(|member| (1, peer(member.id, whole.clone())));
        (store, Store { peers: peers.into_iter().collect(), ..Store::default() })
    };
    let known = KnownStore {
        state: StoreState::Up,
        physically_destroyed: false,
        liveness: Liveness::Connected,
        full: false,
    };
    let believed = KnownRegion {
        region: whole.clone(),
        leader: 0,
        term: 0,
        pending: Default::default(),
        down: Default::default(),
    };
    let pd = PlacementDriver {
        next_id: 10,
        stores: (1..=4).map(|store| (store, known)).collect(),
        regions: [(1, believed)].into(),
        operators: Default::default(),
        waiting: Vec::new(),
        relearns: false,
        recovery: None,
        recovery_step: 0,
    };
    View { stores: (1..=4).map(store).collect(), held: Vec::new(), pd }
}

/// A decommission as PD sees it, from the order to the record that is removed.
/// The views are forged: what a cluster would do between is left out.
fn decommission() -> Trace {
    let mut scope = scope("decommission", &[1, 2, 3, 4]);
    (scope.regions, scope.next_id, scope.max_replicas) = (vec![region(&[1, 2, 3])], 10, 3);
    scope.full = vec![4];
    let mut trace = Trace::scenario(Header::new(scope), []);
    let mut view = decommissioning();
    trace.header.view = Some(view.clone());
    let mut take = |action: Action, outcome: Outcome, change: &dyn Fn(&mut View)| {
        change(&mut view);
        let index = trace.steps.len() as u64 + 1;
        let step = Step { outcome: Some(outcome), view: Some(view.clone()), ..Step::new(index, action) };
        trace.steps.push(step);
    };
    let (epoch, seat) = (region(&[1]).epoch, Seat { store: 4, peer: 10 });
    let learner = Change { kind: ChangeKind::AddLearner, peer: 10, store: 4 };
    let order = Order::Propose(Command::ChangePeer(learner));
    let leader = region(&[1]).peers[0];
    let ordered = |refused| Outcome::Done(Returned::Ordered { order: order.clone(), refused });
    let report = || Held::region_report(leader, 6, region(&[1, 2, 3]), [2].into(), [3].into());
    take(Action::Decommission { store: 3, force: false }, Outcome::DONE, &|view| {
        view.pd.stores.get_mut(&3).unwrap().state = StoreState::Offline;
    });
    let reply = Reply::Delivered;
    take(Action::Schedule { region: 1, reply }, Outcome::Refused(Reason::NoLeader), &|_| {});
    take(Action::RegionHeartbeat { region: 1, store: 1, reply }, Outcome::DONE, &|view| {
        let known = view.pd.regions.get_mut(&1).unwrap();
        (known.leader, known.term) = (1, 6);
    });
    take(Action::Schedule { region: 1, reply: Reply::Delayed }, ordered(None), &|view| {
        let steps = vec![
            OperatorStep::AddLearner(seat),
            OperatorStep::EnterJoint { promote: vec![seat], demote: vec![Seat { store: 3, peer: 3 }] },
        ];
        let operator = Operator { purpose: Purpose::ReplaceRuleOfflinePeer, epoch, steps, done: 0 };
        view.pd.operators.insert(1, operator);
        view.pd.next_id = 11;
        view.held.push(Held::order(1, leader, epoch, order.clone()));
    });
    take(Action::Late { slot: 0 }, Outcome::Refused(Reason::NotLeader), &|_| {});
    take(Action::MissedHeartbeat { store: 3 }, Outcome::DONE, &|view| {
        view.pd.stores.get_mut(&3).unwrap().liveness = Liveness::Disconnected;
    });
    let to_pd = Action::Hold { region: 1, from: 1, to: 0, message: Outgoing::RegionReport };
    take(to_pd, Outcome::DONE, &|view| view.held.push(report()));
    take(Action::RegionHeartbeat { region: 1, store: 1, reply: Reply::Dropped }, ordered(None), &|view| {
        view.pd.operators.get_mut(&1).unwrap().done = 1;
    });
    take(Action::Late { slot: 1 }, Outcome::DONE, &|view| {
        view.held.pop();
        let known = view.pd.regions.get_mut(&1).unwrap();
        (known.pending, known.down) = ([2].into(), [3].into());
    });
    take(Action::RegionHeartbeat { region: 1, store: 1, reply }, ordered(Some(Reason::StoreDown)), &|view| {
        view.pd.regions.get_mut(&1).unwrap().pending.clear();
    });
    let operator = AdminOperator::Split { keys: vec!["m".into()] };
    let typed = Action::AddOperator { region: 1, operator, reply };
    take(typed, Outcome::Refused(Reason::InvalidSplitKey), &|_| {});
    take(Action::StoreHeartbeat { store: 4, reply: Reply::Delivered }, Outcome::DONE, &|view| {
        view.pd.stores.get_mut(&4).unwrap().full = true;
    });
    take(Action::PdRestart, Outcome::DONE, &|view| {
        view.pd.operators.clear();
        for known in view.pd.stores.values_mut() {
            (known.liveness, known.full) = (Liveness::Disconnected, false);
        }
        let known = view.pd.regions.get_mut(&1).unwrap();
        (known.leader, known.term) = (0, 0);
        known.down.clear();
    });
    take(Action::CheckStores, Outcome::DONE, &|view| {
        view.pd.stores.get_mut(&3).unwrap().state = StoreState::Tombstone;
        view.pd.regions.clear();
    });
    take(Action::RemoveTombstone { store: 3 }, Outcome::DONE, &|view| {
        view.pd.stores.retain(|store, _| *store != 3)
    });
    trace
}

#[test]
fn a_decommission_on_a_terminal() {
    insta::assert_snapshot!(terminal(&decommission()));
}

#[test]
fn a_decommission_as_a_diagram() {
    insta::assert_snapshot!(mermaid(&decommission()));
}

/// Stores 2 and 3 are given up: what PD, the store that is left and its peer say of it.
#[test]
fn a_recovery_is_rendered_stage_by_stage() {
    let before = decommissioning();
    let stage = |stage, plans: &[(StoreId, RecoveryPlan)]| {
        let reports = [(1, None), (4, None)].into();
        let plans = plans.iter().cloned().collect();
        Recovery { failed_stores: [2, 3].into(), stage, began: 1, reports, plans, aborted: false }
    };
    let recovering = |recovery: &Recovery| {
        let mut view = decommissioning();
        view.pd.recovery = Some(Box::new(recovery.clone()));
        view
    };
    let collects = stage(RecoveryStage::CollectReport, &[]);
    assert_eq!(changes(&before, &recovering(&collects)), ["PD: recovery: collect report"]);
    let mut reported = collects.clone();
    reported.reports.insert(4, Some(Vec::new()));
    let shown = changes(&recovering(&collects), &recovering(&reported));
    assert_eq!(shown, ["PD: store 4 has reported, 1 to come"]);

    let forced = ForceLeader { above: 6, committed: LogPosition { index: 5, term: 5 } };
    let forces = ForceLeaders { failed_stores: [2, 3].into(), regions: [(1, forced)].into() };
    let force = RecoveryPlan { step: 3, force_leaders: Some(forces), ..RecoveryPlan::default() };
    let nothing = ForceLeaders::default();
    let stays = RecoveryPlan { force_leaders: Some(nothing), ..force.clone() };
    let leads = stage(RecoveryStage::ForceLeader, &[(1, force), (4, stays)]);
    assert_eq!(
        changes(&recovering(&reported), &recovering(&leads)),
        [
            "PD: recovery: force leader",
            "PD: plan for store 1: force leader on regions 1",
            "PD: plan for store 4: nothing",
        ]
    );
    let exits = RecoveryPlan { step: 4, ..RecoveryPlan::default() };
    let made = Region { id: 10, ..region(&[1]) };
    let (demotes, tombstones, creates) = ([(1, vec![2, 3])].into(), [7].into(), vec![made]);
    let much = RecoveryPlan { demotes, tombstones, creates, ..exits.clone() };
    let demotes = stage(RecoveryStage::DemoteFailedVoter, &[(1, much), (4, exits)]);
    let aborted = Recovery { aborted: true, ..stage(RecoveryStage::ExitForceLeader, &[]) };
    let shown = changes(&recovering(&leads), &recovering(&demotes));
    assert_eq!(shown[0], "PD: recovery: demote failed voter");
    let plan = "PD: plan for store 1: region 1 demotes peers 2, 3, tombstone the peer of region 7, create ";
    assert!(shown[1].starts_with(plan), "{}", shown[1]);
    assert_eq!(shown[2], "PD: plan for store 4: exit force leader");
    let shown = changes(&recovering(&demotes), &recovering(&aborted));
    assert_eq!(shown, ["PD: recovery: exit force leader, aborted"]);
    assert_eq!(changes(&recovering(&aborted), &before), ["PD: no recovery is under way"]);
}

/// What a store carries out, and what its peer has still to do for it.
#[test]
fn a_recovery_is_rendered_of_the_stores() {
    let with = |plan: Option<PlanUnderWay>, recovery: Option<PeerRecovery>| {
        let mut view = decommissioning();
        let store = view.stores.get_mut(&1).unwrap();
        store.plan = plan;
        store.peers.get_mut(&1).unwrap().recovery = recovery;
        view
    };
    let (old, new) = ([3, 4]).map(|step| PlanUnderWay { step, exits: true }).into();
    let shown = |before: &View, after: &View| changes(before, after).join("; ");
    let none = with(None, None);
    assert_eq!(shown(&none, &with(Some(old), None)), "store 1: executes the recovery plan of step 3");
    let taken = shown(&with(Some(old), None), &with(Some(new), None));
    assert_eq!(taken, "store 1: executes the recovery plan of step 4");
    assert_eq!(shown(&with(Some(old), None), &none), "store 1: has no recovery plan left");
    let demotes = with(None, Some(PeerRecovery::Demotes(vec![2, 3])));
    assert!(shown(&none, &demotes).ends_with("must demote or remove peers 2, 3"));
    let proposed = with(None, Some(PeerRecovery::Demotes(Vec::new())));
    assert!(shown(&demotes, &proposed).ends_with("has proposed their removal"));
    assert!(shown(&proposed, &none).ends_with("has nothing left to do for the recovery plan"));
    let failed = with(None, Some(PeerRecovery::Failed));
    assert!(shown(&demotes, &failed).ends_with("cannot execute the plan, and still leads"));
}

/// An administrator's commands act on PD, whichever store they name.
#[test]
fn what_is_typed_is_drawn_at_the_placement_driver() {
    let mut trace = decommission();
    for (action, words) in [
        (Action::SetTombstone { store: 2 }, "SetTombstone store 2"),
        (Action::CancelDecommission { store: 2 }, "CancelDecommission store 2"),
        (Action::RemoveOperator { region: 1 }, "RemoveOperator region 1"),
        (Action::RemoveFailedStores { stores: vec![2, 3] }, "RemoveFailedStores stores 2, 3"),
        (Action::RecoveryTimeout, "RecoveryTimeout"),
        (Action::OperatorTimeout { region: 1 }, "OperatorTimeout region 1"),
        (Action::PushOperator { region: 1, reply: Reply::Delayed }, "PushOperator region 1, order delayed"),
        (
            Action::AddOperator {
                region: 1,
                operator: AdminOperator::RemovePeer { store: 2 },
                reply: Reply::Dropped,
            },
            "AddOperator region 1: remove-peer on store 2, order dropped",
        ),
    ] {
        trace.steps = vec![Step::new(1, action)];
        assert!(mermaid(&trace).contains(&format!("  note over PD: 1 {words}\n")), "{}", mermaid(&trace));
    }
}

#[test]
fn a_scenario_shows_its_actions() {
    let trace = Trace::scenario(Header::new(scope("plain", &[1])), [put(1, "a", "b")]);
    for text in [terminal(&trace), mermaid(&trace)] {
        assert!(text.contains("put a=b"), "{text}");
    }
}

#[test]
fn every_reason_has_a_meaning_in_chinese() {
    let shown: std::collections::BTreeSet<String> = Reason::ALL.iter().map(Chinese::in_chinese).collect();
    assert_eq!(shown.len(), Reason::ALL.len(), "each its own");
}

/// What a letter behind a peer means is said where one is.
#[test]
fn marked_peers_have_a_legend() {
    let mut trace = Trace::scenario(Header::new(scope("plain", &[1])), [put(1, "a", "b")]);
    let legend = "I an incoming and D a demoting voter";
    assert!(!terminal(&trace).contains(legend));
    trace.header.scope.regions[0].peers[0].role = MemberRole::DemotingVoter;
    let text = terminal(&trace);
    assert!(text.contains("@1D") && text.contains(legend), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn no_change_goes_unsaid(a in view(), b in view()) {
        prop_assert_eq!(changes(&a, &b).is_empty(), a == b);
        for line in changes(&a, &b) {
            prop_assert!(!line.contains('\n') && !line.ends_with(": "), "{}", line);
        }
        let chinese = changes_in(Language::Chinese, &a, &b);
        prop_assert_eq!(chinese.len(), changes(&a, &b).len(), "both languages tell the same");
    }

    #[test]
    fn every_action_and_outcome_has_chinese(action in action(), outcome in outcome(), before in view()) {
        let is_chinese = |text: &str| text.chars().any(|is| ('\u{4e00}'..='\u{9fff}').contains(&is));
        // Rounds between two stores are rendered by an arrow.
        let shown = action_in(Language::Chinese, &action, Some(&before));
        prop_assert!(is_chinese(&shown) || shown.contains('：'), "{}", shown);
        prop_assert!(is_chinese(&outcome.in_chinese()), "{}", outcome.in_chinese());
    }

    #[test]
    fn nothing_breaks_out_of_its_place(
        action in action(), outcome in outcome(), before in view(), after in view(), note in any::<String>()
    ) {
        let max_replicas = 3 * u64::from(note.len() % 2 == 0);
        let scope = Scope { max_replicas, ..scope("any", &[1, 2]) };
        let mut trace = Trace::scenario(Header::new(scope), [action]);
        trace.header.title = note.clone();
        trace.header.view = Some(before);
        let step = &mut trace.steps[0];
        (step.outcome, step.view, step.note) = (Some(outcome), Some(after), note.clone());
        step.violated = vec![note];
        let diagram = mermaid(&trace);
        for line in diagram.lines().skip(4) {
            prop_assert!(line.starts_with("  "), "{}", line);
        }
        prop_assert!(terminal(&trace).contains(&trace.steps[0].action.to_string()));
    }
}
