//! `explain`, and the commands that other reports point to.

use crate::{Folder, scenario};

fn explained(words: &[&str]) -> String {
    Folder::new().ends(&[&["explain"], words].concat(), 0).stdout
}

#[test]
fn every_kind_of_name_is_explained_with_what_to_do_next() {
    let names = [
        (
            "demote_before_removal",
            "guard demote_before_removal\n",
            "traces/museum/demote_before_removal.jsonl",
        ),
        (
            "ack_compacted_append",
            "guard ack_compacted_append, of the implementation alone",
            "cargo test -p rollcall-impl",
        ),
        ("demote_first", "refused: demote_first\n", "impl/src/apply/conf_change.rs: "),
        (
            "election_safety",
            "property election_safety: it holds in every state\n",
            "model/src/properties/elections.rs",
        ),
        ("store_leaves", "goal store_leaves: it is met once faults stop (L6)\n", "breaks without: "),
        ("no_target", "refused: no_target\n", "stuck: no_target\n"),
        ("two_voters_to_one_smoke", "scope two_voters_to_one_smoke\n", "it allows 1 election, 1 crash"),
    ];
    for (name, title, says) in names {
        let said = explained(&[name]);
        assert!(said.starts_with(title) && said.contains(says), "{name}: {said}");
        assert!(said.contains("  next:\n    rollcall "), "{name}: {said}");
    }
}

#[test]
fn a_row_an_issue_and_a_few_words_find_their_guards() {
    let row = explained(&["row", "15"]);
    assert!(row.starts_with("row 15 of docs/incidents.md\n"), "{row}");
    assert!(row.contains("\nguard demote_before_removal\n"), "{row}");
    let alone = explained(&["row", "3"]);
    assert!(
        alone.starts_with("row 3 of docs/incidents.md\n") && alone.contains("  report: seed 004\n"),
        "{alone}"
    );
    assert_eq!(explained(&["15"]), explained(&["row 15"]));
    assert!(explained(&["row", "26"]).contains("guard tombstone_refuses_stale\n"));
    assert!(explained(&["pd#3407"]).starts_with("guard tombstone_by_patrol_alone\n"));
    let without_a_guard = explained(&["tikv#6460"]);
    assert!(without_a_guard.starts_with("tikv#6460, by docs/incidents.md\n"), "{without_a_guard}");
    assert!(without_a_guard.contains("tikv-taken-back-once-and-merged-the-second-time"), "{without_a_guard}");
    assert!(explained(&["cockroach#163566"]).starts_with("cockroach#163566, by docs/incidents.md\n"));
    assert!(explained(&["range", "index"]).contains("guard snapshot_updates_ranges\n"));
}

#[test]
fn pasted_messages_are_explained() {
    for (pasted, guard) in [
        ("meta corruption detected", "snapshot_updates_ranges"),
        ("have peer: id:2", "context_carried"),
        ("request timeout", "pending_change_expires"),
        ("slice bounds out of range", "log_bounds_checked"),
        ("unmatched conf version", "no_duplicate_change"),
        ("raft proposal dropped", "no_proposals_while_transferring"),
        ("cannot build operator for region with no leader", "merge_forwards_commit"),
        ("invalid conf_ver", "tombstone_needs_conf_ver_advance"),
        ("缩容不掉", "enough_stores_left"),
    ] {
        let said = explained(&[pasted]);
        let look = format!("  look at the guards {guard}");
        assert!(said.starts_with("symptom: ") && said.contains(&look), "{pasted}: {said}");
        assert!(said.contains("model/src/rules/") || said.contains("impl/src/"), "{pasted}: {said}");
        assert!(said.contains(&format!("    rollcall explain {guard}\n")), "{pasted}: {said}");
    }
    let ran = Folder::new().ends(&["explain", "the weather of tomorrow"], 2);
    assert!(ran.stderr.contains("nothing was found for `the weather of tomorrow`"), "{}", ran.stderr);
    Folder::new().ends(&["explain"], 2);
}

#[test]
fn reports_name_the_explain_command() {
    let folder = Folder::new();
    let museum = scenario("museum/two-peer-leader-removal.jsonl");
    let parted = folder.ends(&["replay", &museum], 1).stdout;
    assert!(parted.ends_with("  more: rollcall explain demote_before_removal\n"), "{parted}");
    let violated = ["check", "old_term_entries_smoke", "--without", "commit_own_term"];
    assert!(folder.ends(&violated, 1).stdout.contains("  more: rollcall explain commit_own_term\n"));
    let missed = folder.ends(&["heal", &scenario("../museum/transfer_times_out.jsonl")], 1).stdout;
    assert!(missed.contains("    more: rollcall explain transfer_ends\n"), "{missed}");
    let exhibit = folder.ends(&["museum", "transfer_times_out"], 0).stdout;
    let says = "scope transfer_against_a_change_smoke, trace traces/museum/transfer_times_out.jsonl\n";
    assert!(
        exhibit.contains(says) && exhibit.ends_with("  rollcall explain transfer_times_out\n"),
        "{exhibit}"
    );
}

#[test]
fn actions_are_listed_with_fields_and_an_example() {
    let folder = Folder::new();
    let all = folder.ends(&["actions"], 0).stdout;
    assert!(all.contains("\n    candidate (number): The store of the candidate.\n"), "{all}");
    assert!(all.contains("\n    entries (one | all): How many entries the round carries.\n"), "{all}");
    let crash = folder.ends(&["actions", "crash"], 0).stdout;
    assert!(crash.contains("crash: ") && crash.contains("    {\"crash\":{\"store\":3}}\n"), "{crash}");
    assert!(!crash.contains("campaign: "), "{crash}");
    folder.ends(&["actions", "nonsense"], 2);
    let schema: serde_json::Value = serde_json::from_str(&folder.ends(&["schema"], 0).stdout).expect("JSON");
    assert!(schema["$defs"]["Action"].is_object());
}
