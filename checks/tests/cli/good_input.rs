//! Good input: what holds, what is violated, what diverges, and what is interrupted.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::{Folder, flat, scenario, scenarios, text_of};

/// The number of files in a folder and its subfolders.
fn traces_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => traces_below(&path),
        false => usize::from(path.extension().is_some_and(|is| is == "jsonl")),
    };
    entries.map(count).sum()
}

/// Files in subfolders too, each by the rules that it names.
#[test]
fn the_scenarios_agree() {
    let folder = Folder::new();
    let ran = folder.ends(&["replay", &scenarios().display().to_string()], 0);
    let files = traces_below(&scenarios());
    assert!(files > 200, "{files}");
    let agree = ran.stdout.lines().filter(|line| line.contains(" agrees: ")).count();
    assert_eq!((agree, ran.stderr.as_str()), (files, ""));
    let last = ran.stdout.lines().last().expect("it says something");
    assert!(last.ends_with(&format!(": {files} of {files} files show what they state")), "{last}");
}

#[test]
fn a_museum_scenario_diverges_where_the_guard_decides() {
    let folder = Folder::new();
    let file = scenario("museum/two-peer-leader-removal.jsonl");
    let ran = folder.ends(&["replay", &file], 1);
    assert!(
        flat(&ran.stdout).contains("diverges at step 5: Propose region 1: store 1, remove 2@2"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("impl:  refused: demote_first"), "{}", ran.stdout);
    let again = format!("to see it again: rollcall replay {file}");
    assert!(flat(&ran.stdout).contains(&again), "the command that shows it again: {}", ran.stdout);
    folder.ends(&["replay", &file, "--without", "demote_before_removal"], 0);
    let shown = folder.ends(&["show", &file], 0).stdout;
    assert!(shown.contains("without the guards demote_before_removal"));
    assert!(!shown.contains("verdict"), "no property was judged, so nothing is claimed");
}

#[test]
fn a_scope_that_holds() {
    let folder = Folder::new();
    let ran = folder.ends(&["check", "two_voters_to_one_smoke"], 0);
    assert!(ran.stdout.starts_with("two_voters_to_one_smoke: every property holds in "), "{}", ran.stdout);
    let json: Json =
        serde_json::from_str(&folder.ends(&["check", "two_voters_to_one_smoke", "--json"], 0).stdout)
            .expect("JSON");
    assert_eq!(json["exhausted"], true);
    assert_eq!((&json["violation"], &json["verdict"]), (&Json::Null, &Json::from("holds")));
    assert!(ran.stdout.ends_with("two_voters_to_one_smoke: holds\n"), "{}", ran.stdout);
    assert_eq!(folder.files(), Vec::<String>::new());
}

#[test]
fn a_violation_is_written_as_a_trace() {
    let folder = Folder::new();
    let check = ["check", "old_term_entries_smoke", "--without", "commit_own_term", "--out", "t.jsonl"];
    let ran = folder.ends(&check, 1);
    assert!(ran.stdout.contains("verdict: leader_completeness is violated at step "), "{}", ran.stdout);
    assert_eq!(folder.files(), ["t.jsonl"]);

    let shown = folder.ends(&["show", "t.jsonl"], 0).stdout;
    assert!(shown.contains("VIOLATED: leader_completeness"), "{shown}");
    assert!(ran.stdout.starts_with(&shown), "show says what check said");
    assert!(ran.stdout.ends_with("old_term_entries_smoke: violated\n"), "{}", ran.stdout);
    let replayed = folder.ends(&["replay", "t.jsonl"], 1);
    assert!(replayed.stdout.contains("diverges at step "), "{}", replayed.stdout);
    assert!(replayed.stdout.contains("impl "), "{}", replayed.stdout);
}

#[test]
fn without_a_place_to_write_the_trace_names_itself() {
    let folder = Folder::new();
    let check = [
        "check",
        "old_term_entries_smoke",
        "--without",
        "commit_own_term",
        "--property",
        "state_machine_safety",
    ];
    folder.ends(&check, 1);
    let name = "old_term_entries_smoke-without-commit_own_term-state_machine_safety.jsonl";
    assert_eq!(folder.files(), [name]);
}

#[test]
fn a_trace_as_a_diagram_and_as_a_page() {
    let folder = Folder::new();
    let file = scenario("transfer-leader.jsonl");
    let mermaid = folder.ends(&["show", &file, "--mermaid"], 0).stdout;
    assert!(mermaid.contains("sequenceDiagram"), "{mermaid}");
    folder.ends(&["show", &file, "--html", "--out", "page.html"], 0);
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("it was written");
    assert!(page.to_lowercase().starts_with("<!doctype html>") && page.contains("TestTransferLeader3B"));
    // One file that loads nothing else.
    for foreign in ["http:", "https:", " src=", "@import", "url("] {
        assert!(!page.contains(foreign), "the page has `{foreign}`");
    }
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: serde_json::Value = serde_json::from_str(data.expect("the views")).expect("JSON");
    let steps = data["steps"].as_array().expect("steps");
    let listed = folder.ends(&["show", &file], 0).stdout;
    assert!(listed.contains(&format!("\n{:>3} ", steps.len())) && steps.len() > 10, "{listed}");
    for step in steps {
        assert_ne!(step["words"]["en"], step["words"]["zh"]);
    }
    assert!(page.len() < 6_000 * steps.len() + 100_000, "{} bytes for {} steps", page.len(), steps.len());
    assert_eq!(folder.files(), ["page.html"]);
    folder.ends(&["show", &file, "--html", "--mermaid"], 2);
}

/// A name that could end the page's data or begin an element stays text.
#[test]
fn nothing_in_a_trace_breaks_out_of_its_page() {
    let folder = Folder::new();
    let name = "</script><script>alert(1)</script><!--title--><b>";
    let text = text_of("transfer-leader.jsonl");
    let (header, rest) = text.split_once('\n').expect("a header");
    let mut header: serde_json::Value = serde_json::from_str(header).expect("JSON");
    header["title"] = name.into();
    header["scope"]["question"] = name.into();
    folder.write("t.jsonl", &format!("{header}\n{rest}"));
    let page = folder.ends(&["show", "t.jsonl", "--html"], 0).stdout;
    assert!(!page.contains("<script>alert") && !page.contains("<b>"), "it is text");
    assert!(page.contains("&lt;/script&gt;") && page.contains("\\u003c/script>"));
    let opened = page.matches("<script").count();
    assert_eq!((opened, page.matches("</script>").count()), (5, 5));
}

#[test]
fn no_line_is_wider_than_the_terminal_and_colour_is_asked_for() {
    let folder = Folder::new();
    let exhibit = scenario("../museum/force_spares_sources.jsonl");
    let plain = folder.ends(&["show", &exhibit], 0).stdout;
    assert!(plain.lines().all(|line| line.chars().count() <= 80) && !plain.contains('\u{1b}'), "{plain}");
    let painted = folder.ends(&["show", &exhibit, "--color", "always"], 0).stdout;
    assert!(painted.contains("\u{1b}["), "{painted}");
    let mut command = folder.command(&["show", &exhibit]);
    let narrow = command.env("COLUMNS", "50").output().expect("the binary starts").stdout;
    let narrow = String::from_utf8(narrow).expect("text");
    assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
    let parted = folder.ends(&["replay", &exhibit], 1).stdout;
    let shown = parted.lines().skip(1);
    assert!(
        shown.clone().count() > 5
            && shown.clone().all(|line| line.chars().count() <= 80 || line.contains(&exhibit)),
        "{parted}"
    );
}

#[test]
fn a_scenario_written_down_is_the_same_again() {
    let folder = Folder::new();
    folder.ends(&["replay", &scenario("transfer-leader.jsonl"), "--out", "a.jsonl"], 0);
    folder.ends(&["replay", "a.jsonl", "--out", "b.jsonl"], 0);
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("it was written");
    assert_eq!(read("a.jsonl"), read("b.jsonl"));
}

#[test]
fn a_run_of_the_implementation_is_accepted_and_the_same_again() {
    let folder = Folder::new();
    for out in ["a.jsonl", "b.jsonl"] {
        folder.ends(&["record", "--seed", "7", "--events", "300", "--out", out], 0);
    }
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("it was written");
    assert_eq!(read("a.jsonl"), read("b.jsonl"), "a seed says everything");
    let ran = folder.ends(&["accept", "a.jsonl"], 0);
    assert!(ran.stdout.starts_with("a.jsonl: the model accepts: "), "{}", ran.stdout);
}

#[test]
fn a_recorded_run_is_shown_event_by_event() {
    let folder = Folder::new();
    folder.ends(&["record", "--seed", "7", "--events", "300", "--out", "run.jsonl"], 0);
    let shown = folder.ends(&["show", "run.jsonl"], 0).stdout;
    for words in
        ["recorded of the implementation from seed 7", "sends 1: ", "is delivered", ", region 1: peer "]
    {
        assert!(shown.contains(words), "`{words}` is not shown: {shown}");
    }
    let events = shown.lines().filter(|line| line.trim_start().starts_with(|is: char| is.is_ascii_digit()));
    assert!(events.count() > 300);
    assert!(folder.ends(&["show", "run.jsonl", "--html"], 2).stderr.contains("shown as a list"));
    let replayed = folder.ends(&["replay", "run.jsonl"], 2).stderr;
    assert!(replayed.contains("it is a recorded run: `rollcall accept` judges it"), "{replayed}");
}

/// If a guard forbids a step, the exhibit's last line says that the step is refused with the guard.
#[test]
fn an_exhibit_tells_a_refusal_of_its_own_rules_from_the_sound_ones() {
    let shown = Folder::new().ends(&["show", &scenario("../museum/stale_peer_told.jsonl")], 0).stdout;
    let expected = "# the rules with every guard do this here; without stale_peer_told it is refused, and removed_gone: region 1: ";
    assert!(shown.contains("refused: sender_removed\n") && flat(&shown).contains(expected), "{shown}");
    let joint = Folder::new().ends(&["show", &scenario("../museum/joint_ended_by_patrol.jsonl")], 0).stdout;
    assert!(
        flat(&joint).contains("(2@3 is peer 2 on store 3; behind it L is a learner, I an incoming"),
        "{joint}"
    );
}

#[test]
fn lists_name_everything() {
    let folder = Folder::new();
    let first = |command: &str| -> BTreeSet<String> {
        let text = folder.ends(&[command], 0).stdout;
        let words = text.lines().map(|line| line.split_whitespace().next().expect("a name"));
        words.map(str::to_string).collect()
    };
    let scopes = rollcall_model::scopes::all().into_iter().map(|plan| plan.scope.name);
    assert_eq!(first("scopes"), scopes.collect());
    let model = rollcall_model::Guard::ALL.iter().map(|guard| guard.name().to_string());
    let implementation = rollcall_impl::Guard::ALL.iter().map(|guard| guard.name().to_string());
    assert_eq!(first("guards"), model.chain(implementation).collect());
    let properties =
        rollcall_model::properties::Property::ALL.iter().map(|property| property.name().to_string());
    let goals = rollcall_model::liveness::Goal::ALL.iter().map(|goal| goal.name().to_string());
    assert_eq!(first("properties"), properties.chain(goals).collect());
}

/// The fields of a scope in `verify --json`, no more and no fewer.
const FIELDS: &[&str] = &[
    "family",
    "scope",
    "size",
    "distinct_states",
    "transitions",
    "depth",
    "exhausted",
    "stateright_agrees",
    "transitions_replayed",
    "replayed_steps",
    "refusals",
    "refusals_checked",
    "recovered_states",
    "reaching_states",
    "healed_within_scope",
    "stuck_states",
    "stuck",
    "actions",
    "reasons",
    "violations",
    "unreached",
    "healed_on_implementation",
    "explore_seconds",
    "heal_seconds",
    "second_answer_seconds",
    "replay_seconds",
    "implementation_heal_seconds",
    "peak_bytes",
    "peak_resident_bytes",
    "resumed_states",
    "stateright_seconds",
    "verdict",
    "failures",
    "unfinished",
    "traces",
    "divergence",
    "covered",
    "not_covered",
];

#[test]
fn one_scope_verified_for_people_and_for_machines() {
    let folder = Folder::new();
    let verify = ["verify", "--size", "smoke", "--scope", "two_voters"];
    let ran = folder.ends(&verify, 0);
    assert!(
        ran.stderr.lines().any(|line| line.starts_with("two_voters_to_one_smoke: holds, ")),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("stateright's checker agrees on 1 of 1 scopes"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\n1 of 1 scopes hold\n"), "the end is the verdict: {}", ran.stdout);
    assert!(!ran.stdout.contains("transitions by action"), "{}", ran.stdout);
    let detailed = folder.ends(&[&verify[..], &["--details"]].concat(), 0).stdout;
    assert!(
        detailed.contains("\ntransitions by action:\n")
            && detailed.contains("\nrefused actions by reason:\n"),
        "{detailed}"
    );
    assert!(detailed.lines().all(|line| line.chars().count() < 300), "a count a line: {detailed}");
    let narrow = folder.command(&verify).env("COLUMNS", "60").output().expect("it starts");
    let narrow = String::from_utf8(narrow.stdout).expect("text");
    let table: Vec<&str> = narrow.lines().take(2).collect();
    assert!(table.iter().all(|line| line.len() <= 60) && table[1].ends_with("holds"), "{narrow}");

    let ran = folder.ends(&[&verify[..], &["--json"]].concat(), 0);
    let objects: Vec<Json> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(objects.len(), 1);
    let fields: BTreeSet<&str> =
        objects[0].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, FIELDS.iter().copied().collect());
    assert_eq!(objects[0]["scope"], "two_voters_to_one_smoke");
    assert_eq!(objects[0]["transitions_replayed"], objects[0]["transitions"]);
    let fired = objects[0]["actions"].as_object().expect("counts").values();
    let fired: u64 = fired.map(|count| count.as_u64().expect("a count")).sum();
    assert_eq!(Json::from(fired), objects[0]["transitions"], "each transition is of one action");
    assert!(objects[0]["reasons"]["not_leader"].as_u64().is_some_and(|count| count > 0));
    assert_eq!((&objects[0]["verdict"], &objects[0]["divergence"]), (&Json::from("holds"), &Json::Null));
    assert_eq!(ran.stderr, "", "a machine reads standard output alone");
    assert_eq!(folder.files(), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_reports_what_it_covered() {
    ["-INT", "-TERM"].into_iter().for_each(ended_by);
}

fn ended_by(signal: &str) {
    let folder = Folder::new();
    let mut command = folder.command(&["verify", "--size", "standard", "--threads", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    errors.read_line(&mut line).expect("text");
    assert!(line.ends_with(": begun\n"), "{line}");
    // Exploring the first scope takes far longer than sending a signal.
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill starts");
    assert!(sent.success());

    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{rest}");
    let shown = rest.lines().find(|line| line.starts_with("not conclusive: 0 of "));
    let shown = shown.unwrap_or_else(|| panic!("it does not say what was covered: {rest}"));
    assert!(shown.contains("distinct states") && shown.contains("transitions replayed"), "{shown}");
    assert!(!rest.contains(": holds"), "nothing is claimed that was not finished: {rest}");
    assert_eq!(folder.files(), Vec::<String>::new());
}

#[test]
fn an_exhibit_is_printed_without_breaking_a_name() {
    let folder = Folder::new();
    let narrow =
        folder.command(&["museum", "transfer_times_out"]).env("COLUMNS", "60").output().expect("it starts");
    let shown = String::from_utf8(narrow.stdout).expect("text");
    for whole in ["transfer_times_out", "violates", "transfer_ends", "rollcall explain transfer_times_out"] {
        assert!(shown.contains(whole), "{whole}: {shown}");
    }
    assert!(!shown.contains('\u{2500}') && shown.lines().count() < 16, "it is no table: {shown}");
}
