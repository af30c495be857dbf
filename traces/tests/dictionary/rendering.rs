//! What people see.

use proptest::prelude::*;
use rollcall_traces::render::{changes, html, mermaid, terminal};
use rollcall_traces::*;

use crate::arbitrary::{action, outcome, view};
use crate::toy::{Toy, put, scope};

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
