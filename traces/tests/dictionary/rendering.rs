//! What people see.

use proptest::prelude::*;
use rollcall_traces::render::{changes, html, mermaid, terminal};
use rollcall_traces::*;

use crate::arbitrary::{action, outcome, view};
use crate::toy::{Toy, peer, put, region, scope};

fn sample() -> Trace {
    let actions = [
        Action::Campaign { region: 1, store: 2 },
        put(2, "k1", "v1"),
        Action::Vote { region: 1, candidate: 2, voter: 1, answer: Answer::Lost },
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

#[test]
fn as_a_page() {
    let page = html(&sample());
    insta::assert_snapshot!(page);
    for foreign in ["http:", "https:", "src=", "href=", "@import", "<script", "<b>", "<sample>"] {
        assert!(!page.contains(foreign), "the page holds `{foreign}`");
    }
}

/// Region 1 of store 1, before its split at m or behind it, while store 2 is slow.
fn splitting(split: bool) -> View {
    let whole = Region { start: Key::empty(), end: Key::empty(), ..region(&[1, 2]) };
    let epoch = Epoch { conf_ver: 1, version: 2 };
    let mut view = View { pd: PlacementDriver { next_id: 13 }, ..View::default() };
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
        view.stores.get_mut(&2).unwrap().parked.push(Held {
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
fn a_split_is_told_part_by_part() {
    let asked = View { pd: PlacementDriver { next_id: 10 }, ..splitting(false) };
    assert_eq!(changes(&asked, &splitting(false)), ["placement driver: next id 10->13"]);
    insta::assert_snapshot!(changes(&splitting(false), &splitting(true)).join("\n"));
}

#[test]
fn ids_for_a_split_are_asked_for_and_arrive_late() {
    let children = vec![Child { key: "m".into(), region: 10, peers: vec![11, 12] }];
    let ask = Action::AskSplit {
        region: 1,
        store: 1,
        keys: vec!["m".into()],
        derive: Derive::Left,
        answer: Answer::Held,
    };
    let nobody = Member { id: 0, store: 0, role: MemberRole::Learner };
    let leader = Member { id: 1, store: 1, role: MemberRole::Voter };
    let message = Message::SplitAnswer { children: children.clone(), derive: Derive::Left };
    let (epoch, range) = (Epoch { conf_ver: 1, version: 1 }, KeyRange::default());
    let held = Held { region: 1, from: nobody, to: leader, term: 0, epoch, range, message };
    let before = View { pd: PlacementDriver { next_id: 10 }, ..splitting(false) };
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

#[test]
fn a_scenario_shows_its_actions() {
    let trace = Trace::scenario(Header::new(scope("plain", &[1])), [put(1, "a", "b")]);
    for text in [terminal(&trace), mermaid(&trace), html(&trace)] {
        assert!(text.contains("put a=b"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn no_change_goes_unsaid(a in view(), b in view()) {
        prop_assert_eq!(changes(&a, &b).is_empty(), a == b);
        for line in changes(&a, &b) {
            prop_assert!(!line.contains('\n') && !line.ends_with(": "), "{}", line);
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_place(
        action in action(), outcome in outcome(), before in view(), after in view(), note in any::<String>()
    ) {
        let mut trace = Trace::scenario(Header::new(scope("any", &[1, 2])), [action]);
        trace.header.title = note.clone();
        trace.header.view = Some(before);
        let step = &mut trace.steps[0];
        (step.outcome, step.view, step.note) = (Some(outcome), Some(after), note.clone());
        step.violated = vec![note];
        let page = html(&trace);
        prop_assert_eq!(page.matches("<tr").count(), 3, "head, first state, one step");
        let diagram = mermaid(&trace);
        for line in diagram.lines().skip(4) {
            prop_assert!(line.starts_with("  "), "{}", line);
        }
        prop_assert!(terminal(&trace).contains(&trace.steps[0].action.to_string()));
    }
}
