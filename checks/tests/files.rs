//! A test for each trace and scenario of the repository, under its own name. It must show what it
//! states, by the rules that it names. `cargo test seed-001` runs those of that report.

mod harness;
#[path = "harness/walk.rs"]
mod walk;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Failed, Trial};

fn shows_what_it_states(file: &Path) -> Result<(), Failed> {
    let mut replay = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    let ran = replay.args(["replay", "--as-stated"]).arg(file).output()?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)).into())
}

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    let trial = |file: PathBuf| {
        let name = file.strip_prefix(&folder).expect("it is below the folder").with_extension("");
        Trial::test(name.display().to_string(), move || shows_what_it_states(&file))
    };
    let trials: Vec<Trial> = walk::files(&folder, "jsonl").into_iter().map(trial).collect();
    assert!(trials.len() > 250, "{} files are too few", trials.len());
    harness::run(trials)
}
