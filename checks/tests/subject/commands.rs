//! The commands with `--subject`: their output and exit codes for a right adapter and for wrong
//! ones.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::adapter::Wrong;
use crate::recipe::recipe;

/// A command line, the adapter behind it, the exit code, and texts of the output.
struct Case {
    name: &'static str,
    /// The words after `rollcall`; `--subject` and the adapter's command are appended.
    line: String,
    wrong: Wrong,
    code: i32,
    says: &'static [&'static str],
}

fn case(name: &'static str, line: String, wrong: Wrong, code: i32, says: &'static [&'static str]) -> Case {
    Case { name, line, wrong, code, says }
}

/// A tour of one smoke scope.
fn tour(scope: &str) -> String {
    format!("verify --size smoke --scope {scope}")
}

/// Random walks of one smoke scope.
fn walks(scope: &str, options: &str) -> String {
    format!("{} --by properties {options}", tour(scope))
}

fn self_tests_and_museum() -> Vec<Case> {
    vec![
        case(
            "self_test_of_a_right_adapter_holds",
            "subject".into(),
            Wrong::Nothing,
            0,
            &["raft-rs by wire 0.7.0, level node, judged in no dialect", "6 of 6 situations"],
        ),
        case(
            "self_test_of_a_wrong_adapter_says_what_is_wrong",
            "subject".into(),
            Wrong::ForgetsVote,
            1,
            &["restart", "WRONG: ", "its `vote` is 0, and must be 1", "1 of 6 situations are wrong"],
        ),
        case(
            "handshake_that_fails_is_bad_input",
            "subject".into(),
            Wrong::OtherProtocol,
            2,
            &["speaks protocol 2"],
        ),
        case(
            "self_test_skips_what_another_design_does_otherwise",
            "subject".into(),
            Wrong::OtherDesign,
            0,
            &["skipped: by design it has `changes_when_appended`", "5 of 6 situations"],
        ),
        case(
            "museum_of_raft_rs_has_every_guard",
            "museum".into(),
            Wrong::Nothing,
            0,
            &["one_vote_a_term", "has it (step 7)", "0 that it LACKS it, 0 diverge earlier, 0 are skipped"],
        ),
        case(
            "museum_skips_what_the_subject_has_not_got",
            "museum demoted_takes_snapshots".into(),
            Wrong::NoLearners,
            3,
            &["skipped: no `learners`", "0 show that it has the guard"],
        ),
        case(
            "exhibit_is_judged_by_properties",
            "museum one_vote_a_term --by properties --walks 5".into(),
            Wrong::Nothing,
            0,
            &["not shown: it takes", "0 exhibits show a violation, 1 do not, 0 are skipped"],
        ),
    ]
}

fn replays_and_tours() -> Vec<Case> {
    vec![
        case(
            "replayed_scenario_agrees",
            "replay scenarios/basic-conf-change.jsonl".into(),
            Wrong::Nothing,
            0,
            &["raft-rs by wire agrees", "1 of 1 agree to the end"],
        ),
        case(
            "replayed_merge_is_skipped_and_no_success",
            "replay scenarios/seed-000-merge-heals.jsonl".into(),
            Wrong::Nothing,
            3,
            &["skipped: merges: a merge appends entries outside of the protocol", "1 are skipped"],
        ),
        case(
            "fault_ends_a_replay_with_its_schedule_and_the_wire",
            "replay scenarios/basic-conf-change.jsonl".into(),
            Wrong::Dies,
            1,
            &[
                "diverges at step 1",
                "has ended (exit status: 7)",
                "the last lines of the wire",
                "to see it again",
            ],
        ),
        case(
            "divergence_says_who_was_judged_and_where_the_rule_is",
            tour("two_voters_to_one_smoke"),
            Wrong::CommitsAlone,
            1,
            &[
                "judged: raft-rs by wire 0.7.0, level node, judged in no dialect; has ",
                "look at: model/src/rules/",
            ],
        ),
        case(
            "verified_scope_agrees_on_all_transitions",
            tour("two_voters_to_one_smoke"),
            Wrong::Nothing,
            0,
            &["1,928 of     1,928 transitions compared, 0 differ, 0 reached only after them"],
        ),
        case(
            "verified_scope_that_is_skipped_is_no_success",
            tour("forced_behind_a_split_smoke"),
            Wrong::Nothing,
            3,
            &["skipped: unsafe recovery", "nothing was compared, so this is no success"],
        ),
        case(
            "seed_without_properties_is_refused",
            "verify --seed 7".into(),
            Wrong::Nothing,
            2,
            &["--seed needs --by properties"],
        ),
        case(
            "scenario_is_judged_by_properties",
            "replay scenarios/basic-conf-change.jsonl --by properties".into(),
            Wrong::Nothing,
            0,
            &["violates nothing: ", "0 left out", "of 1 files 1 violate nothing"],
        ),
        case(
            "library_of_another_design_is_not_judged_by_equality",
            tour("two_voters_to_one_smoke"),
            Wrong::OtherDesign,
            2,
            &[
                "differs by design (changes_when_appended; `rollcall dialects`): judge it with `--by properties`",
            ],
        ),
        case(
            "library_of_another_design_is_judged_by_properties",
            "replay scenarios/basic-conf-change.jsonl --by properties".into(),
            Wrong::OtherDesign,
            0,
            &["of 1 files 1 violate nothing"],
        ),
        case(
            "change_that_a_library_declines_is_refused",
            tour("two_voters_to_one_smoke"),
            Wrong::DeclinesChanges,
            1,
            &["raft-rs by wire: refused: no_effect"],
        ),
        case(
            "options_that_make_no_sense_beside_a_subject_are_refused",
            "verify --json".into(),
            Wrong::Nothing,
            2,
            &["--subject cannot be combined with --json"],
        ),
    ]
}

fn random_walks() -> Vec<Case> {
    vec![
        case(
            "walks_of_a_right_adapter_violate_nothing",
            walks("two_voters_to_one_smoke", "--walks 20 --threads 2"),
            Wrong::Nothing,
            0,
            &["judged by properties alone", "    20 walks,", "1 of 1 scopes walked, 0 skipped; 20 walks,"],
        ),
        case(
            "walks_find_a_leader_that_commits_alone_and_shrink_its_schedule",
            walks("old_term_entries_smoke", "--walks 60 --threads 1"),
            Wrong::CommitsAlone,
            1,
            &[
                "VIOLATES ",
                "the shortest schedule has ",
                "to see it again: rollcall verify --size smoke --scope",
                "--seed ",
            ],
        ),
        case(
            "walks_of_an_adapter_that_dies_break_at_once",
            walks("two_voters_to_one_smoke", "--walks 20 --threads 1"),
            Wrong::Dies,
            1,
            &["BREAKS in 8 of the walks, in the scope's setup:", "has ended (exit status: 7)"],
        ),
        case(
            "walks_that_are_all_skipped_are_no_success",
            walks("learner_removed_while_cut_off_smoke", ""),
            Wrong::NoLearners,
            3,
            &["skipped: no `learners`", "nothing was judged, so this is no success"],
        ),
        case(
            "walks_within_no_time_are_no_success",
            walks("two_voters_to_one_smoke", "--seconds 0.000001"),
            Wrong::Nothing,
            3,
            &[
                "0.000001 s for each scope: 1 of them ended before all",
                "nothing was judged, so this is no success",
            ],
        ),
    ]
}

pub(crate) fn trials() -> Vec<Trial> {
    let cases = [self_tests_and_museum(), replays_and_tours(), random_walks()].into_iter().flatten();
    let trials = cases.map(|case| Trial::test(case.name, move || ends_as_stated(&case)));
    let others = [
        Trial::test("wire_is_kept_where_it_is_asked_for", kept),
        Trial::test("dialects_are_listed_with_their_reasons", listed),
    ];
    trials.chain(others).collect()
}

fn listed() -> Result<(), Failed> {
    let ran = Command::new(env!("CARGO_BIN_EXE_rollcall")).arg("dialects").output()?;
    let said = String::from_utf8(ran.stdout)?;
    let said: Vec<&str> = said.lines().collect();
    let named: Vec<&str> = said.iter().copied().filter(|line| !line.starts_with(' ')).collect();
    let all =
        ["votes_tell_no_commit", "timeout_now_again", "changes_when_appended", "voters_keep_their_leader"];
    let harmless = said.iter().filter(|line| line.starts_with("  harmless: ")).count();
    if named == all && harmless == 2 { Ok(()) } else { Err(said.join("\n").into()) }
}

fn rollcall(line: &str, wrong: Wrong) -> Command {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.current_dir(traces.join("..")).env("NO_COLOR", "1").env("INSTA_UPDATE", "no");
    for argument in line.split_whitespace() {
        match argument.strip_suffix(".jsonl") {
            Some(_) => command.arg(traces.join(argument)),
            None => command.arg(argument),
        };
    }
    if line != "subject" {
        command.arg("--subject");
    }
    command.arg(recipe(wrong).command);
    command
}

fn ends_as_stated(case: &Case) -> Result<(), Failed> {
    let ran = rollcall(&case.line, case.wrong).output()?;
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8(said)?;
    if ran.status.code() != Some(case.code) {
        return Err(format!("it ended with {:?}, not {}:\n{said}", ran.status.code(), case.code).into());
    }
    match case.says.iter().find(|words| !said.contains(*words)) {
        Some(words) => Err(format!("nothing of `{words}` in:\n{said}").into()),
        None => Ok(()),
    }
}

/// The log has each request with its answer, from the handshake on.
fn kept() -> Result<(), Failed> {
    let folder = tempfile::TempDir::new()?;
    let log = folder.path().join("wire");
    let ran = rollcall("subject", Wrong::Nothing).arg("--subject-log").arg(&log).output()?;
    let lines = std::fs::read_to_string(&log)?;
    let (asked, answered): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.starts_with("> "));
    let begins = lines.starts_with("> {\"seq\":1,\"hello\":");
    if !ran.status.success() || !begins || asked.len() < 50 || asked.len() < answered.len() {
        return Err(format!("{} asked, {} answered:\n{lines}", asked.len(), answered.len()).into());
    }
    Ok(())
}
