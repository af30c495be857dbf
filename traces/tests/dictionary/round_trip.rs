//! What is written is read again as it was.

use proptest::prelude::*;
use rollcall_traces::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arbitrary::{action, key, number, outcome, purpose, view};
use crate::toy;

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("the dictionary is JSON");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn expect() -> impl Strategy<Value = Expect> {
    use proptest::collection::btree_map;
    use proptest::option;
    let keys = btree_map(key(), option::of(key()), 0..3);
    (btree_map(1..=2_u64, keys, 0..3), btree_map(number(), 1..=2_u64, 0..2), option::of(number()))
        .prop_map(|(data, leader, conf_ver_at_least)| {
            let leader = leader.into_iter().map(|(region, store)| (region, Some(store))).collect();
            Expect { data, leader, conf_ver_at_least, ..Expect::default() }
        })
        .prop_filter("a reader refuses to expect nothing", |expect| expect.count() > 0)
}

fn step() -> impl Strategy<Value = Step> {
    use proptest::collection::vec;
    use proptest::option;
    let words = || prop_oneof!["[a-z_]{1,9}", any::<String>()];
    let shown = (option::of(outcome()), option::of(view()), option::of(expect()));
    (action(), shown, vec(words(), 0..2), words()).prop_map(
        |(action, (outcome, view, expect), violated, note)| Step {
            index: 0,
            action,
            outcome,
            if_any: false,
            view,
            violated,
            note,
            expect,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn actions(action in action()) {
        prop_assert_eq!(through_json(&action), action);
    }

    #[test]
    fn purposes_by_their_names_in_pd(purpose in purpose()) {
        prop_assert_eq!(serde_json::to_value(purpose).expect("a word"), purpose.name());
        prop_assert_eq!(through_json(&purpose), purpose);
    }

    #[test]
    fn outcomes(outcome in outcome()) {
        prop_assert_eq!(through_json(&outcome), outcome);
    }

    #[test]
    fn views(view in view()) {
        prop_assert_eq!(through_json(&view), view);
    }

    #[test]
    fn whole_traces(steps in proptest::collection::vec(step(), 0..4), first in view()) {
        // The reader knows which stores there are: the scope names them all.
        let mut stores: Vec<StoreId> = steps.iter().flat_map(|step| step.action.stores()).collect();
        stores.extend([1, 2]);
        stores.sort_unstable();
        stores.dedup();
        let mut header = Header::new(Scope { stores, ..toy::scope("any", &[1, 2]) });
        header.view = Some(first);
        let steps = (1..).zip(steps).map(|(index, step)| Step { index, ..step }).collect();
        let trace = Trace { header, steps, verdict: Some(Verdict::HOLDS) };
        let text = trace.to_text().expect("numbers are small enough");
        prop_assert_eq!(Trace::parse("any.jsonl", &text).expect("it was written so"), trace);
    }
}

#[test]
fn outcomes_have_the_forms_that_people_write() {
    let parse = |text: &str| serde_json::from_str::<Outcome>(text);
    assert_eq!(serde_json::to_string(&Outcome::DONE).unwrap(), r#""done""#);
    assert_eq!(parse(r#"{"done":"nothing"}"#).unwrap(), Outcome::DONE);
    assert_eq!(parse(r#"{"refused":"not_leader"}"#).unwrap(), Outcome::Refused(Reason::NotLeader));
    for wrong in
        [r#""don""#, r#"{"refuse":"not_leader"}"#, "{}", r#"{"refused":"not_leader","done":"nothing"}"#]
    {
        assert!(parse(wrong).is_err(), "{wrong} is no outcome");
    }
}

#[test]
fn every_reason_shows_under_its_name_in_traces() {
    for &reason in Reason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.to_string());
    }
}
