//! `docs/rules.md` says of every rule who notices if it is wrong. What it names must be
//! there, and no file of rules and no guard may be missing from it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_model::heal::Goal;
use rollcall_model::properties::Property;
use rollcall_model::scopes;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The table of the rules, and behind it that of what was tried.
fn both_tables() -> (String, String) {
    let text = std::fs::read_to_string(root().join("docs/rules.md")).expect("the table of the rules");
    let (rules, tried) = text.split_once("\n## Tried on both sides\n").expect("two tables");
    (rules.into(), tried.into())
}

fn table() -> String {
    both_tables().0
}

/// Every file below `folder` that ends so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found
}

/// The rules' rows: what the last cell of each says.
fn noticed_by(table: &str) -> Vec<&str> {
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule |"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        assert_eq!(cells.len(), 4, "a row has four cells: {row}");
        cells[3]
    })
    .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Everything that can notice: guards, properties, goals, scopes, traces, tests.
fn those_who_notice() -> BTreeSet<String> {
    let guards = rollcall_model::Guard::ALL.iter().map(|guard| guard.name().to_string());
    let below = rollcall_impl::Guard::ALL.iter().map(|guard| guard.name().to_string());
    let properties = Property::ALL.iter().map(|property| property.name().to_string());
    let goals = Goal::ALL.iter().map(|goal| goal.name().to_string());
    let scopes = scopes::all().into_iter().map(|plan| plan.scope.name);
    let scopes = scopes.map(|name| name.trim_end_matches("_smoke").to_string());
    let traces = files(&root().join("traces"), "jsonl");
    let traces = traces
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect::<Vec<_>>();
    let mut named: BTreeSet<String> =
        guards.chain(below).chain(properties).chain(goals).chain(scopes).chain(traces).collect();
    for folder in ["impl/src", "impl/tests", "model/src", "checks/src", "checks/tests"] {
        for file in files(&root().join(folder), "rs") {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let tests = text
                .split("#[test]")
                .skip(1)
                .filter_map(|after| after.split_once("fn ")?.1.split('(').next());
            named.extend(tests.map(str::to_string));
        }
    }
    named
}

#[test]
fn what_the_tables_name_is_there() {
    let ((table, tried), named) = (both_tables(), those_who_notice());
    let rows = noticed_by(&table);
    assert!(rows.len() > 50, "{} rows", rows.len());
    let tried = tried.lines().filter(|line| line.starts_with("| "));
    let gone: Vec<&str> =
        rows.into_iter().chain(tried).flat_map(quoted).filter(|name| !named.contains(*name)).collect();
    assert!(gone.is_empty(), "docs/rules.md names nobody by these names: {gone:?}");
}

#[test]
fn every_row_says_who_notices() {
    let table = table();
    let words = ["*raft-rs*", "*compared*"];
    let silent: Vec<&str> = noticed_by(&table)
        .into_iter()
        .filter(|cell| quoted(cell).next().is_none() && !words.iter().any(|word| cell.contains(word)))
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn every_guard_is_in_the_table() {
    let table = table();
    let named: BTreeSet<&str> = noticed_by(&table).into_iter().flat_map(quoted).collect();
    let guards = rollcall_model::Guard::ALL.iter().map(|guard| guard.name());
    let missing: Vec<&str> = guards.filter(|guard| !named.contains(guard)).collect();
    assert!(missing.is_empty(), "docs/rules.md does not say which rule they guard: {missing:?}");
}

#[test]
fn every_file_of_rules_is_in_the_table() {
    let table = table();
    let headings: BTreeSet<PathBuf> = table
        .lines()
        .filter_map(|line| line.strip_prefix("## model/"))
        .map(|rest| root().join("model").join(rest))
        .collect();
    let there: BTreeSet<PathBuf> = files(&root().join("model/src/rules"), "rs").into_iter().collect();
    assert_eq!(headings, there, "the headings of docs/rules.md and the files of model/src/rules");
}

#[test]
fn cells_and_quotes_are_found() {
    let table = "| rule | source | without it | who notices |\n|---|---|---|---|\n| A. | TV | b | guard `c`, `d` |\ntext";
    assert_eq!(noticed_by(table), ["guard `c`, `d`"]);
    assert_eq!(quoted("guard `c`, `d` and e").collect::<Vec<_>>(), ["c", "d"]);
}
