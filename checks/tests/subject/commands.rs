//! The commands with `--subject`: their output and exit codes for a right adapter and for wrong
//! ones.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::adapter::Wrong;
use crate::recipe::recipe;

/// Arguments, the adapter, the exit code, and texts of the output.
type Case = (&'static str, &'static [&'static str], Wrong, i32, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "self_test_of_a_right_adapter_holds",
        &["subject"],
        Wrong::Nothing,
        0,
        &["raft-rs by wire 0.7.0, level node, judged in no dialect", "in 6 of 6 situations"],
    ),
    (
        "self_test_of_a_wrong_adapter_says_what_is_wrong",
        &["subject"],
        Wrong::ForgetsVote,
        1,
        &["restart", "WRONG: ", "its `vote` is 0, and must be 1", "1 of 6 situations are wrong"],
    ),
    ("handshake_that_fails_is_bad_input", &["subject"], Wrong::OtherProtocol, 2, &["speaks protocol 2"]),
    (
        "museum_of_raft_rs_has_every_guard",
        &["museum", "--subject"],
        Wrong::Nothing,
        0,
        &["one_vote_a_term", "has it (step 7)", "0 that it LACKS it, 0 part earlier, 0 are skipped"],
    ),
    (
        "museum_skips_what_the_subject_has_not_got",
        &["museum", "demoted_takes_snapshots", "--subject"],
        Wrong::NoLearners,
        3,
        &["skipped: no `learners`", "0 show that it has the guard"],
    ),
    (
        "replayed_scenario_agrees",
        &["replay", "scenarios/basic-conf-change.jsonl", "--subject"],
        Wrong::Nothing,
        0,
        &["raft-rs by wire agrees", "1 of 1 agree to the end"],
    ),
    (
        "replayed_merge_is_skipped_and_no_success",
        &["replay", "scenarios/seed-000-merge-heals.jsonl", "--subject"],
        Wrong::Nothing,
        3,
        &["skipped: merges: a merge appends entries behind raft's back", "1 are skipped"],
    ),
    (
        "fault_ends_a_replay_with_its_schedule_and_the_wire",
        &["replay", "scenarios/basic-conf-change.jsonl", "--subject"],
        Wrong::Dies,
        1,
        &[
            "diverges at step 1",
            "has ended (exit status: 7)",
            "the last lines of the wire",
            "to see it again",
        ],
    ),
    (
        "divergence_says_who_was_judged_and_where_the_rule_is",
        &["verify", "--size", "smoke", "--scope", "two_voters_to_one_smoke", "--subject"],
        Wrong::CommitsAlone,
        1,
        &[
            "judged: raft-rs by wire 0.7.0, level node, judged in no dialect; has ",
            "look at: model/src/rules/",
        ],
    ),
    (
        "verified_scope_agrees_on_all_transitions",
        &["verify", "--size", "smoke", "--scope", "two_voters_to_one_smoke", "--subject"],
        Wrong::Nothing,
        0,
        &["1,928 of     1,928 transitions compared, 0 differ, 0 behind them"],
    ),
    (
        "verified_scope_that_is_skipped_is_no_success",
        &["verify", "--size", "smoke", "--scope", "forced_behind_a_split_smoke", "--subject"],
        Wrong::Nothing,
        3,
        &["skipped: recovery by force", "nothing was compared: that is no success"],
    ),
    (
        "walks_of_a_right_adapter_violate_nothing",
        &[
            "verify",
            "--by",
            "properties",
            "--size",
            "smoke",
            "--scope",
            "two_voters_to_one_smoke",
            "--walks",
            "20",
            "--threads",
            "2",
            "--subject",
        ],
        Wrong::Nothing,
        0,
        &["judged by properties alone", "    20 walks,", "1 of 1 scopes walked, 0 skipped; 20 walks,"],
    ),
    (
        "walks_find_a_leader_that_commits_alone_and_shrink_its_schedule",
        &[
            "verify",
            "--by",
            "properties",
            "--size",
            "smoke",
            "--scope",
            "old_term_entries_smoke",
            "--walks",
            "60",
            "--threads",
            "1",
            "--subject",
        ],
        Wrong::CommitsAlone,
        1,
        &[
            "VIOLATES ",
            "the shortest schedule has ",
            "to see it again: rollcall verify --size smoke --scope",
            "--seed ",
        ],
    ),
    (
        "walks_of_an_adapter_that_dies_break_at_once",
        &[
            "verify",
            "--by",
            "properties",
            "--size",
            "smoke",
            "--scope",
            "two_voters_to_one_smoke",
            "--walks",
            "20",
            "--threads",
            "1",
            "--subject",
        ],
        Wrong::Dies,
        1,
        &["BREAKS in 8 of the walks, in what the scope begins with:", "has ended (exit status: 7)"],
    ),
    (
        "walks_that_are_all_skipped_are_no_success",
        &[
            "verify",
            "--by",
            "properties",
            "--size",
            "smoke",
            "--scope",
            "learner_removed_while_cut_off_smoke",
            "--subject",
        ],
        Wrong::NoLearners,
        3,
        &["skipped: no `learners`", "nothing was judged: that is no success"],
    ),
    (
        "walks_within_no_time_are_no_success",
        &[
            "verify",
            "--by",
            "properties",
            "--size",
            "smoke",
            "--scope",
            "two_voters_to_one_smoke",
            "--seconds",
            "0.000001",
            "--subject",
        ],
        Wrong::Nothing,
        3,
        &["a hunt of 0.000001 s a scope: 1 of them were cut there", "nothing was judged: that is no success"],
    ),
    (
        "seed_without_properties_is_refused",
        &["verify", "--seed", "7", "--subject"],
        Wrong::Nothing,
        2,
        &["--seed needs --by properties"],
    ),
    (
        "exhibit_is_judged_by_properties",
        &["museum", "one_vote_a_term", "--by", "properties", "--walks", "5", "--subject"],
        Wrong::Nothing,
        0,
        &["not shown: it takes", "0 exhibits show a violation, 1 do not, 0 are skipped"],
    ),
    (
        "scenario_is_judged_by_properties",
        &["replay", "scenarios/basic-conf-change.jsonl", "--by", "properties", "--subject"],
        Wrong::Nothing,
        0,
        &["violates nothing: ", "0 left out", "of 1 files 1 violate nothing"],
    ),
    (
        "options_that_make_no_sense_beside_a_subject_are_refused",
        &["verify", "--json", "--subject"],
        Wrong::Nothing,
        2,
        &["--subject cannot be combined with --json"],
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let cases = CASES.iter().map(|case| Trial::test(case.0, || ends_as_it_should(case)));
    cases.chain([Trial::test("wire_is_kept_where_it_is_asked_for", kept)]).collect()
}

fn rollcall(arguments: &[&str], wrong: Wrong) -> Command {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.current_dir(traces.join("..")).env("NO_COLOR", "1").env("INSTA_UPDATE", "no");
    for argument in arguments {
        match argument.strip_suffix(".jsonl") {
            Some(_) => command.arg(traces.join(argument)),
            None => command.arg(argument),
        };
    }
    command.arg(recipe(wrong).command);
    command
}

fn ends_as_it_should((_, arguments, wrong, code, says): &Case) -> Result<(), Failed> {
    let ran = rollcall(arguments, *wrong).output()?;
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8(said)?;
    if ran.status.code() != Some(*code) {
        return Err(format!("it ended with {:?}, not {code}:\n{said}", ran.status.code()).into());
    }
    match says.iter().find(|words| !said.contains(*words)) {
        Some(words) => Err(format!("nothing of `{words}` in:\n{said}").into()),
        None => Ok(()),
    }
}

/// The log has each request with its answer, from the handshake on.
fn kept() -> Result<(), Failed> {
    let folder = tempfile::TempDir::new()?;
    let log = folder.path().join("wire");
    let ran = rollcall(&["subject"], Wrong::Nothing).arg("--subject-log").arg(&log).output()?;
    let lines = std::fs::read_to_string(&log)?;
    let (asked, answered): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.starts_with("> "));
    let begins = lines.starts_with("> {\"seq\":1,\"hello\":");
    if !ran.status.success() || !begins || asked.len() < 50 || asked.len() < answered.len() {
        return Err(format!("{} asked, {} answered:\n{lines}", asked.len(), answered.len()).into());
    }
    Ok(())
}
