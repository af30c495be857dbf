//! Every guard dropped once: somebody notices, in the model and on the
//! implementation, and the traces under `traces/museum` are those that
//! `rollcall museum --out traces/museum` writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rollcall_checks::museum::{Exhibit, Harm, PIECES, show};
use rollcall_model::Guard;
use rollcall_traces::Trace;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum")
}

#[test]
fn every_guard_of_the_model_is_shown_once() {
    let shown: Vec<Guard> = PIECES.iter().map(|piece| piece.guard).collect();
    let all: BTreeSet<Guard> = Guard::ALL.iter().copied().collect();
    assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(shown.len(), all.len(), "a guard is shown twice");
}

#[test]
fn a_missing_guard_is_noticed_on_both_sides() {
    let mut failures = Vec::new();
    for piece in PIECES {
        let shown = show(piece, 2, &AtomicBool::new(false)).expect("the piece can be looked for");
        failures.extend(shown.exhibit.failures.iter().map(|why| format!("{}: {why}", piece.guard)));
        let Exhibit { killed_in_model, killed_on_implementation, parts_at, .. } = &shown.exhibit;
        let noticed = match piece.harm {
            Harm::Safety(_) | Harm::Recovery(_) => {
                killed_in_model.is_some() && killed_on_implementation.is_some()
            }
            // It heals; that the sides part is known.
            Harm::Delay => killed_in_model.is_none() && killed_on_implementation.is_none(),
        };
        if !noticed || parts_at.is_none() {
            failures.push(format!("{}: nobody notices on one side", piece.guard));
        }
        let path = folder().join(format!("{}.jsonl", piece.guard));
        match (&shown.trace, Trace::read(&path)) {
            (Some(trace), Ok(kept)) if *trace == kept => {}
            (_, Ok(_)) => failures.push(format!("{} is not what is found now", path.display())),
            (_, Err(error)) => failures.push(error.to_string()),
        }
    }
    assert!(
        failures.is_empty(),
        "renew the traces by `rollcall museum --out traces/museum`, or mend:\n{failures:#?}"
    );
}

#[test]
fn no_trace_is_left_of_a_guard_that_is_gone() {
    let known: BTreeSet<String> = PIECES.iter().map(|piece| format!("{}.jsonl", piece.guard)).collect();
    for entry in std::fs::read_dir(folder()).expect("traces/museum") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "traces/museum/{name} belongs to no guard");
    }
}
