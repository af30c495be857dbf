//! Each guard is dropped, in a test of its name (`cargo test demote_before_removal`), and checks
//! fail in the model and on the implementation. Exhibits of smoke scopes are searched again and
//! must equal the traces under `traces/museum` that `rollcall museum --out traces/museum` writes.
//! For other scopes the stored trace is checked.

mod harness;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use libtest_mimic::{Failed, Trial};
use rollcall_checks::museum::{Exhibit, Harm, PIECES, Piece, Shown, show, show_again};
use rollcall_model::scopes::{self, Size};
use rollcall_traces::Trace;

fn is_noticed_on_both_sides(piece: &Piece) -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum");
    let path = folder.join(format!("{}.jsonl", piece.name()));
    let kept = Trace::read(&path)?;
    let is_smoke = scopes::named(piece.scope).is_some_and(|plan| plan.size == Size::Smoke);
    let Shown { exhibit, trace } = if is_smoke {
        show(piece, 1, &AtomicBool::new(false))?
    } else {
        Shown { exhibit: show_again(piece, &kept), trace: Some(kept.clone()) }
    };
    let Exhibit { killed_in_model, killed_on_implementation, parts_at, mut failures, .. } = exhibit;
    let noticed = match piece.harm {
        Harm::Safety(_) | Harm::Recovery(_) => {
            killed_in_model.is_some() && killed_on_implementation.is_some()
        }
        // Every state heals. That the two sides diverge is checked elsewhere.
        Harm::Delay => killed_in_model.is_none() && killed_on_implementation.is_none(),
    };
    if !noticed || parts_at.is_none() {
        failures.push("nobody notices on one side".into());
    }
    if trace.is_some_and(|trace| trace != kept) {
        let guard = piece.guard;
        failures.push(format!(
            "{} is not what is found now: renew it by `rollcall museum {guard} --out traces/museum`, or mend",
            path.display()
        ));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

fn main() -> ExitCode {
    let trial = |piece: &'static Piece| Trial::test(piece.name(), || is_noticed_on_both_sides(piece));
    let trials: Vec<Trial> = PIECES.iter().map(trial).collect();
    assert!(trials.len() > 80, "{} exhibits are too few", trials.len());
    harness::run(trials)
}
