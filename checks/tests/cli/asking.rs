//! A file's own scope: explored after its steps, healed, and toured on the implementation.

use serde_json::Value as Json;

use crate::{Folder, scenario};

/// Two voters with an elected leader. Another election and a crash are within the budget.
const HEADER: &str = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"mine","title":"Mine","source":"a test",MORE"scope":{"name":"mine","stores":[1,2,3],"regions":[{"id":1,"start":"","end":"","epoch":{"conf_ver":1,"version":1},"peers":[{"id":1,"store":1,"role":"voter"},{"id":2,"store":2,"role":"voter"}]}],"commands":[{"change_peer":{"kind":"add_learner","peer":3,"store":3}}],"budgets":{"elections":1,"crashes":1,"changes":1}}}"#;
const ELECTED: &str = r#"{"record":"step","action":{"campaign":{"region":1,"store":1}}}
{"record":"step","action":{"vote":{"region":1,"candidate":1,"voter":2,"reply":"delivered"}}}
{"record":"step","settle":{}}
"#;

/// The scenario, with more in its header and after its steps.
fn mine(more: &str, behind: &str) -> Folder {
    let folder = Folder::new();
    folder.write("mine.jsonl", &format!("{}\n{ELECTED}{behind}", HEADER.replace("MORE", more)));
    folder
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("one JSON object")
}

#[test]
fn a_files_scope_is_explored_from_the_end_of_its_steps() {
    let folder = mine(r#""must_reach":["leader in charge","a peer added and initialised"],"#, "");
    let ran = folder.ends(&["check", "mine.jsonl"], 0);
    assert!(ran.stdout.starts_with("mine.jsonl: every property holds in "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("it allows 1 election, 1 crash, 1 conf change; it has no lost disks"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with("mine.jsonl: holds\n"), "{}", ran.stdout);
    let all = json(&folder.ends(&["check", "mine.jsonl", "--json"], 0).stdout);
    assert_eq!((&all["verdict"], &all["healed_states"]), (&Json::from("holds"), &all["distinct_states"]));

    // The steps use no budget: the change was made, and may be made again.
    let add = r#"{"record":"step","action":{"propose":{"region":1,"store":1,"command":{"change_peer":{"kind":"add_learner","peer":3,"store":3}}}}}
"#;
    let later = mine("", &format!("{add}{}", r#"{"record":"step","settle":{}}"#));
    let later = json(&later.ends(&["check", "mine.jsonl", "--json"], 0).stdout);
    assert_eq!(later["verdict"], "holds");
    assert!(later["distinct_states"].as_u64() < all["distinct_states"].as_u64(), "{later} {all}");
    assert_eq!(folder.files(), ["mine.jsonl"], "what holds leaves nothing behind");
}

#[test]
fn must_reach_and_may_end_are_checked() {
    let folder = mine(r#""must_reach":["a joint configuration applied"],"#, "");
    let ran = folder.ends(&["check", "mine.jsonl"], 1);
    assert!(ran.stdout.contains("fails: never reached: a joint configuration applied"), "{}", ran.stdout);
    let folder = mine(r#""may_end":["majority_lost"],"#, "");
    let ran = folder.ends(&["check", "mine.jsonl"], 1);
    assert!(
        ran.stdout.contains("fails: the scope lists a reason that never occurs: majority_lost"),
        "{}",
        ran.stdout
    );

    let unknown = [
        (
            r#""must_reach":["a joint configuration aplied"],"#,
            "unknown situation `a joint configuration aplied`",
        ),
        (
            r#""may_end":["majority_lots"],"#,
            "unknown stuck reason `majority_lots`; did you mean `majority_lost`?",
        ),
    ];
    for (more, says) in unknown {
        let ran = mine(more, "").ends(&["check", "mine.jsonl"], 2);
        assert!(
            ran.stderr.starts_with("rollcall: mine.jsonl:1:") && ran.stderr.contains(says),
            "{}",
            ran.stderr
        );
    }
    let listed = Folder::new().ends(&["situations"], 0).stdout;
    assert!(
        listed.contains("must_reach  a joint configuration applied\n")
            && listed.contains("may_end     majority_lost\n")
    );
}

#[test]
fn workers_find_what_threads_find_and_their_counterexample_replays() {
    let folder = Folder::new();
    let figures = |more: &[&str]| {
        let check = ["check", "two_voters_to_one_smoke", "--json"];
        json(&folder.ends(&[&check[..], more].concat(), 0).stdout)
    };
    let ordered = figures(&[]);
    assert!(ordered["healed_states"].as_u64().is_some_and(|healed| healed > 0), "{ordered}");
    for workers in ["1", "3"] {
        assert_eq!(figures(&["--workers", workers]), ordered, "{workers} workers");
    }
    let broken = |more: &[&str]| {
        let check = ["check", "old_term_entries_smoke", "--without", "one_vote_a_term", "--json"];
        json(&folder.ends(&[&check[..], more].concat(), 1).stdout)
    };
    let (ordered, sharded) = (broken(&[]), broken(&["--workers", "2"]));
    for field in ["verdict", "violation", "trace_steps", "trace"] {
        assert_eq!(sharded[field], ordered[field], "{field}");
    }
    let trace = sharded["trace"].as_str().expect("it was written");
    let replayed = folder.ends(&["replay", trace, "--without", "one_vote_a_term"], 1).stdout;
    assert!(replayed.contains("election_safety is violated at step"), "{replayed}");
    for (workers, says) in [("0", "0 is not in 1..=1024"), ("1025", "1025 is not in 1..=1024")] {
        let ran = folder.ends(&["check", "old_term_entries_smoke", "--workers", workers], 2);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}

#[test]
fn a_violation_after_the_steps_has_them_in_its_trace() {
    let folder = mine("", "");
    let ran = folder.ends(&["check", "mine.jsonl", "--without", "snapshot_updates_ranges"], 1);
    assert!(ran.stdout.contains("mine.jsonl: meta_consistent is violated after "), "{}", ran.stdout);
    let file = "mine-without-snapshot_updates_ranges-meta_consistent.jsonl";
    assert_eq!(folder.files(), [file, "mine.jsonl"]);
    let trace = std::fs::read_to_string(folder.path().join(file)).expect("it was written");
    assert!(
        trace.lines().nth(1).expect("a step").contains(r#""campaign":{"region":1,"store":1}"#),
        "{trace}"
    );
    let replayed = folder.ends(&["replay", file, "--without", "snapshot_updates_ranges"], 1).stdout;
    assert!(replayed.contains("meta_consistent is violated at step"), "{replayed}");
    assert!(!replayed.contains("its verdict is"), "{replayed}");
}

#[test]
fn its_end_is_healed_on_both_sides_step_by_step() {
    let crash = r#"{"record":"step","action":{"crash":{"store":2}}}
"#;
    let folder = mine("", crash);
    let ran = folder.ends(&["heal", "mine.jsonl"], 0);
    assert!(ran.stdout.contains("     1 Restart store 2\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(": every goal is met\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the implementation takes the same "), "{}", ran.stdout);
    let replayed = folder.ends(&["replay", "mine.jsonl", "--heal"], 0).stdout;
    assert!(
        replayed.contains("once faults stop it heals in") && !replayed.contains("Restart store 2"),
        "{replayed}"
    );

    let destroy = r#"{"record":"step","action":{"lose_disk":{"store":2}}}
"#;
    let ended = mine("", destroy).ends(&["heal", "mine.jsonl"], 0).stdout;
    assert!(ended.contains("not owed: majority lost in region 1 (store 1 has a peer"), "{ended}");
}

/// The output names the missed goal and the refused step, and says that the implementation misses
/// the goal, too.
#[test]
fn a_missed_goal_is_shown_with_the_refused_step() {
    let exhibit = scenario("../museum/transfer_times_out.jsonl");
    let ran = Folder::new().ends(&["heal", &exhibit], 1);
    assert!(ran.stdout.contains("missed: transfer_ends: region 1: "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("refused: TimeoutNow region 1: from store 1: no_timeout_now"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("takes the same 0 steps and misses the same"), "{}", ran.stdout);
}

#[test]
fn a_files_scope_is_verified_on_the_implementation() {
    let folder = mine("", "");
    let ran = folder.ends(&["verify", "mine.jsonl", "--json"], 0);
    let report = json(&ran.stdout);
    assert_eq!((&report["scope"], &report["size"]), (&Json::from("mine"), &Json::from("scenario")));
    assert_eq!(report["transitions_replayed"], report["transitions"]);
    assert_eq!(report["healed_on_implementation"], report["distinct_states"]);

    let museum = scenario("museum/two-peer-leader-removal.jsonl");
    let ran = folder.ends(&["verify", &museum], 2);
    assert!(
        ran.stderr.contains("the file drops demote_before_removal, and verify needs every guard"),
        "{}",
        ran.stderr
    );
    folder.ends(&["verify", "mine.jsonl", "--size", "smoke"], 2);
}

#[test]
fn a_guard_that_changes_no_step_is_reported() {
    let folder = Folder::new();
    let check = ["check", "two_voters_to_one_smoke", "--without", "split_keeps_vote"];
    let ran = folder.ends(&check, 0);
    assert!(ran.stdout.contains("split_keeps_vote changes no step of this scope"), "{}", ran.stdout);
    assert!(ran.stdout.contains("it changes steps of: child_snapshot_under_way_smoke"), "{}", ran.stdout);
    let shown = json(&folder.ends(&[&check[..], &["--json"]].concat(), 0).stdout);
    assert_eq!(shown["guard_decides"], false);
}

/// Healing finds a guard whose absence only stops progress. A goal can be named like a property. A
/// property that nothing in the scope could violate is refused.
#[test]
fn goals_are_judged_and_idle_properties_are_not() {
    let folder = Folder::new();
    let scope = "transfer_against_a_change_smoke";
    let ran = folder.ends(&["check", scope, "--without", "transfer_times_out"], 1);
    assert!(ran.stdout.contains(": transfer_ends is missed once faults stop after "), "{}", ran.stdout);
    assert_eq!(folder.files(), [format!("{scope}-without-transfer_times_out-transfer_ends.jsonl")]);
    let ran = folder.ends(&["check", "two_voters_to_one_smoke", "--property", "leader_electable"], 0);
    assert!(ran.stdout.contains(" states: leader_electable\n"), "{}", ran.stdout);
    for (name, why) in
        [("read_safety", "the scope has no reads"), ("store_leaves", "there is no placement driver")]
    {
        let ran = folder.ends(&["check", "two_voters_to_one_smoke", "--property", name], 2);
        let says = format!("{name} cannot fail in two_voters_to_one_smoke: {why}");
        assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    }
}

/// The example of `docs/scenarios.md`.
#[test]
fn the_question_of_the_page_is_answered() {
    let page = std::fs::read_to_string(scenario("../../docs/scenarios.md")).expect("the page");
    let begin = page
        .find(r#"{"record":"header","schema":"rollcall-trace/1","scenario":"how-to-ask""#)
        .expect("it is there");
    let end = page[begin..].find("```").expect("it ends");
    let folder = Folder::new();
    folder.write("how-to-ask.jsonl", &page[begin..begin + end]);
    let ran = folder.ends(&["check", "how-to-ask.jsonl"], 0);
    let lost = "states miss a goal for a listed reason: the member of region 1 on store 3 lost its disk";
    assert!(ran.stdout.contains(lost) && ran.stdout.ends_with("how-to-ask.jsonl: holds\n"), "{}", ran.stdout);
}
