//! The examples of `docs/scenarios.md`, on the model and on the implementation.

use std::path::Path;

use rollcall_checks::judge::Judge;
use rollcall_checks::world::World;
use rollcall_impl::Sound;
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{
    Difference, Language, ReplayError, Replayed, Scenario, Sides, Trace, difference_in, record_again, replay,
};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The lines of the page's examples. A header begins each scenario.
fn examples() -> Vec<String> {
    let mut scenarios: Vec<String> = Vec::new();
    let mut inside = false;
    for line in page().lines() {
        match line {
            "```jsonl" => inside = true,
            "```" => inside = false,
            line if inside && line.contains(r#""record":"header""#) => scenarios.push(format!("{line}\n")),
            line if inside => {
                let scenario = scenarios.last_mut().expect("a header comes first");
                scenario.push_str(line);
                scenario.push('\n');
            }
            _ => {}
        }
    }
    scenarios
}

/// The steps of a scenario that agrees with the model to its end.
fn taken(scenario: &Scenario, model: &mut ModelSubject) -> Result<Trace, ReplayError> {
    let (trace, error) = scenario.taken_as_far(model, Sides::TRACE_AND_MODEL)?;
    error.map_or(Ok(trace), Err)
}

fn on_both_sides(text: &str) -> Replayed {
    let scenario = Scenario::parse("docs/scenarios.md", text).unwrap_or_else(|error| panic!("{error}"));
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let trace = taken(&scenario, &mut model).unwrap_or_else(|error| panic!("{error}"));
    let mut judge = Judge::named(&trace.header.properties).expect("known properties");
    let trace =
        record_again(&mut model, &trace, |view, taken| judge.names(view, taken)).expect("taken before");
    assert!(trace.steps.iter().all(|step| step.violated.is_empty()));
    replay(&mut World::new(Sound), &trace, Sides::MODEL_AND_IMPL).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_example_is_taken_on_both_sides() {
    let examples = examples();
    assert_eq!(examples.len(), 3);
    for (text, least) in examples.into_iter().zip([11, 11, 2]) {
        let replayed = on_both_sides(&text);
        assert!(replayed.expectations >= least, "{replayed:?}");
    }
}

/// How a divergence tells of the field at this path.
fn in_words(path: &str) -> String {
    let one = Difference { path: path.into(), expected: None, actual: None };
    difference_in(Language::English, &one).words
}

/// An inverted expectation fails, so every kind of expectation is really checked.
#[test]
fn every_kind_of_expectation_can_fail() {
    // The third example is a scope of its own, with no other kind of expectation.
    let examples = &examples()[..2];
    let all = examples.concat();
    for (is, wrong, path) in [
        (r#""3":{"6b":null}"#, r#""3":{"6b":"76"}"#, "stores/3/holds/k"),
        (r#""leader":{"1":1}"#, r#""leader":{"1":null}"#, "regions/1/leader"),
        (r#""conf_ver":2},"members""#, r#""conf_ver":3},"members""#, "regions/1/epoch/conf_ver"),
        (r#""4":"learner"},"start""#, r#""4":"voter"},"start""#, "regions/1/members"),
        (r#""conf_ver_at_least":2"#, r#""conf_ver_at_least":3"#, "regions/1/conf_ver_at_least"),
        (r#""state":"normal""#, r#""state":"absent""#, "peers/1/4/state"),
        (r#""snapshot":false"#, r#""snapshot":true"#, "peers/1/4/snapshot"),
        (r#""last":8"#, r#""last":9"#, "peers/1/4/last"),
        (r#""data":{"6b":"76"}}}}}"#, r#""data":{"6b":null}}}}}"#, "peers/1/4/data/k"),
        (r#"{"3":"disk_lost"}"#, r#"{"3":"down"}"#, "stores/3/status"),
        (r#""ranges":{"1":[{"start":"""#, r#""ranges":{"1":[{"start":"61""#, "stores/1/ranges"),
        (r#""/stores/1/peers/1/vote":1"#, r#""/stores/1/peers/1/vote":null"#, "view/stores/1/peers/1/vote"),
        (
            r#""/stores/1/peers/1/merge":null"#,
            r#""/stores/1/peer/1/merge":null"#,
            "view/stores/1/peer/1/merge",
        ),
        (r#""stuck":"disk_lost""#, r#""stuck":"majority_lost""#, "stuck/disk_lost"),
        (r#""stuck":"disk_lost""#, r#""heals":true"#, "stuck/disk_lost"),
        (r#"{"heals":true}"#, r#"{"stuck":"disk_lost"}"#, "stuck/disk_lost"),
        (r#""operators":{"1":null}"#, r#""operators":{"1":{}}"#, "pd/operators/1"),
        (r#""leader":1,"pending""#, r#""leader":0,"pending""#, "pd/regions/1/leader"),
        (r#""pending":[]"#, r#""pending":[2]"#, "pd/regions/1/pending"),
        (r#"}},"2":null}"#, r#"}},"2":{}}"#, "pd/regions/2"),
        (r#""state":"offline""#, r#""state":"up""#, "pd/stores/3/state"),
        (r#"{"remove_peer":3}"#, r#"{"remove_peer":2}"#, "pd/operators/1/steps"),
        (r#""waiting":false"#, r#""waiting":true"#, "pd/operators/1/waiting"),
    ] {
        assert_eq!(all.matches(is).count(), 1, "{is}");
        let text = examples.iter().find(|text| text.contains(is)).expect("it is in one of them");
        let scenario = Scenario::parse("wrong.jsonl", &text.replace(is, wrong)).expect("it can be read");
        let mut model = ModelSubject::new(GuardSet::ALL, &[]);
        let error = taken(&scenario, &mut model).expect_err(wrong).to_string();
        let words = in_words(path);
        assert!(error.contains(&format!("{words}: ")), "{words} is not in:\n{error}");
    }
}

/// If nothing is left to settle, the expectation goes to the step before, if that has none.
#[test]
fn a_settled_expectation_moves_to_the_step_before() {
    let all = examples().remove(0);
    let settled = "{\"record\":\"step\",\"settle\":{\"region\":1}}\n";
    assert_eq!(all.matches(settled).count(), 1);
    let again = r#"{"record":"step","settle":{"region":1},"expect":{"leader":{"1":LED}}}"#;
    let led = |store: &str| all.replace(settled, &format!("{settled}{}\n", again.replace("LED", store)));
    on_both_sides(&led("1"));
    let scenario = Scenario::parse("wrong.jsonl", &led("2")).expect("it can be read");
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let error = taken(&scenario, &mut model).expect_err("store 1 leads").to_string();
    assert!(error.contains("region 1: leader: "), "{error}");
}
