//! Checks the prose: whatever README, `docs/` and comments name must exist, and whatever code cites
//! must be in `docs/incidents.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use rollcall_model::scopes;

mod incidents;
mod museum;
mod mutants;
mod paths;
mod results;
mod rules;
mod vocabulary;
#[path = "../harness/walk.rs"]
mod walk;
mod wrong_together;

use walk::files;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page of `docs/`.
fn page(name: &str) -> String {
    read(&root().join("docs").join(name))
}

/// The README and every page of `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), "md");
    pages.push(root().join("README.md"));
    pages
}

/// The texts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of everything that can fail when a rule is wrong: guards, properties, goals, scopes,
/// traces, tests.
fn those_who_notice() -> BTreeSet<String> {
    let guards = rollcall_model::Guard::ALL.iter().map(|guard| guard.name().to_string());
    let below = rollcall_impl::Guard::ALL.iter().map(|guard| guard.name().to_string());
    let properties = Property::ALL.iter().map(|property| property.name().to_string());
    let goals = Goal::ALL.iter().map(|goal| goal.name().to_string());
    let scopes = scopes::all().into_iter().map(|plan| plan.scope.name);
    let scopes = scopes.flat_map(|name| [name.trim_end_matches("_smoke").to_string(), name]);
    let traces = files(&root().join("traces"), "jsonl");
    let traces = traces
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect::<Vec<_>>();
    let mut named: BTreeSet<String> =
        guards.chain(below).chain(properties).chain(goals).chain(scopes).chain(traces).collect();
    for folder in ["impl/src", "impl/tests", "model/src", "checks/src", "checks/tests"] {
        for file in files(&root().join(folder), "rs") {
            let text = read(&file);
            let tests = text
                .split("#[test]")
                .skip(1)
                .filter_map(|after| after.split_once("fn ")?.1.split('(').next());
            named.extend(tests.map(str::to_string));
        }
    }
    named
}

/// The cells of a row of a Markdown table.
fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_start_matches('|').trim_end_matches('|').split(" | ").map(str::trim).collect()
}

#[test]
fn cells_and_quotes_are_found() {
    assert_eq!(cells("| A. | TV | b | guard `c`, `d` |"), ["A.", "TV", "b", "guard `c`, `d`"]);
    assert_eq!(quoted("guard `c`, `d` and e").collect::<Vec<_>>(), ["c", "d"]);
}

/// An unresolved conflict mark of git, which Markdown would accept as text.
fn is_conflict_mark(line: &str) -> bool {
    line == "=======" || ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark))
}

#[test]
fn no_page_has_an_unresolved_conflict() {
    assert!(is_conflict_mark(">>>>>>> 0123456 (docs: a page)") && !is_conflict_mark("======== a heading"));
    let mut all = pages();
    all.extend(files(&root().join("adapters"), "md"));
    all.extend(files(&root().join("traces/lessons"), "md"));
    for path in all {
        let at = read(&path).lines().position(is_conflict_mark);
        assert_eq!(at.map(|line| line + 1), None, "{}", path.display());
    }
}
