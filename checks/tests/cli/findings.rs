//! The findings of `verify` for an implementation that lacks guards.

use serde_json::Value as Json;

use crate::{Folder, flat};

const LACKS: &[&str] = &["verify", "--size", "smoke", "--impl-without", "snapshot_updates_ranges"];

fn lacking(more: &[&'static str]) -> Vec<&'static str> {
    [LACKS, more].concat()
}

#[test]
fn a_divergence_is_printed_with_its_place_and_written_down() {
    let folder = Folder::new();
    let verify = lacking(&["--scope", "new_quorum"]);
    let ran = folder.ends(&verify, 1);
    for words in [
        "new_quorum_needs_a_snapshot_smoke: FAILS",
        "diverges at step ",
        "decided by: snapshot_updates_ranges (Store) on model",
        "look at: impl/src/store/ranges.rs",
        "look at: model/src/rules/apply_snapshot.rs",
        "look at: impl/src/peer/snapshot.rs",
        "to see it again: rollcall replay new_quorum_needs_a_snapshot_smoke-divergence.jsonl",
    ] {
        assert!(flat(&ran.stderr).contains(words), "`{words}` is not said: {}", ran.stderr);
    }
    assert!(ran.stdout.ends_with("0 of 1 scopes hold, 1 fails\n"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("  rollcall show new_quorum_needs_a_snapshot_smoke-divergence.jsonl\n"),
        "{}",
        ran.stdout
    );

    // The file that it wrote diverges at the step that was blamed, which is its last.
    let file = "new_quorum_needs_a_snapshot_smoke-divergence.jsonl";
    assert_eq!(folder.files(), [file]);
    let shown = folder.ends(&["show", file], 0).stdout;
    let steps =
        shown.lines().rev().find_map(|line| line.strip_prefix("verdict: the two sides differ at step "));
    let steps = steps.unwrap_or_else(|| panic!("{shown}"));
    let parts = format!("new_quorum_needs_a_snapshot_smoke diverges at step {steps}: ApplySnapshot");
    assert!(flat(&ran.stderr).contains(&parts), "`{parts}` is not said: {}", ran.stderr);
    let again = flat(&folder.ends(&["replay", file, "--without", "snapshot_updates_ranges"], 1).stdout);
    assert!(again.contains(&parts) && again.contains("look at: "), "{again}");
    folder.ends(&["replay", file], 0);

    let shown: Json =
        serde_json::from_str(&folder.ends(&[&verify[..], &["--json"]].concat(), 1).stdout).expect("JSON");
    assert_eq!(
        (&shown["verdict"], &shown["violations"]),
        (&Json::from("fails"), &Json::from(Vec::<Json>::new()))
    );
    let divergence = &shown["divergence"];
    assert_eq!(divergence["step"].to_string(), steps);
    assert!(divergence["action"]["apply_snapshot"].is_object() && divergence["file"] == file, "{divergence}");
    assert!(divergence["fields"].as_array().is_some_and(|fields| !fields.is_empty()), "{divergence}");
    let decided = divergence["decided_by"].to_string();
    assert!(
        decided.contains("snapshot_updates_ranges") && decided.contains("impl/src/peer/snapshot.rs"),
        "{decided}"
    );
}

/// One cause is printed once, with the shortest trace, and each finding is printed at once.
#[test]
fn scopes_that_diverge_alike_are_listed_together() {
    let folder = Folder::new();
    let family = lacking(&["--family", "conf-change", "--scope", "needs_a_snapshot"]);
    let ran = folder.ends(&family, 1);
    assert_eq!(ran.stderr.matches(" diverges at step ").count(), 1, "{}", ran.stderr);
    let alike = "  it diverges as promoted_while_it_needs_a_snapshot_smoke does, after ";
    assert!(ran.stderr.contains(alike), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("2 scopes diverge alike (apply_snapshot: ranges); the shortest trace has "),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with("1 of 3 scopes hold, 2 fail\n"), "{}", ran.stdout);

    let fast = folder.ends(&[&family[..], &["--fail-fast"]].concat(), 1);
    let end = "0 of 3 scopes hold, 1 fails, 2 were not run: it stopped at the first failure\n";
    assert!(fast.stdout.ends_with(end), "{}", fast.stdout);
}

/// If the trace cannot be written, the finding is still printed.
#[test]
fn a_divergence_that_cannot_be_written_down_is_printed() {
    let folder = Folder::new();
    let verify = lacking(&["--scope", "new_quorum"]);
    // A folder has the name of the file.
    std::fs::create_dir(folder.path().join("new_quorum_needs_a_snapshot_smoke-divergence.jsonl"))
        .expect("a folder");
    let ran = folder.ends(&verify, 1);
    assert!(
        ran.stderr.contains(" diverges at step ") && ran.stderr.contains("the finding stands"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.ends_with("0 of 1 scopes hold, 1 fails\n"), "{}", ran.stdout);
    let shown = folder.ends(&[&verify[..], &["--json"]].concat(), 1).stdout;
    let shown: Json = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["verdict"], &shown["divergence"]["file"]), (&Json::from("fails"), &Json::Null));
}
