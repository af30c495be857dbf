//! `docs/rules.md` says for every rule which checks fail if it is wrong. What it names must exist,
//! and it must have every file of rules and every guard.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rollcall_checks::results::rows;
use rollcall_model::scopes::Size;

use super::wrong_together;
use super::{cells, files, page, quoted, root, those_who_notice};

/// The table of the rules, and the table of the mutations that were run.
fn both_tables() -> (String, String) {
    let text = page("rules.md");
    let (rules, rest) = text.split_once("\n## Tried on both sides\n").expect("two tables");
    let (sampled, _) = rest.split_once(wrong_together::HEADING).expect("a third table");
    (rules.into(), sampled.into())
}

fn table() -> String {
    both_tables().0
}

/// The last cell of each rule's row.
fn noticed_by(table: &str) -> Vec<&str> {
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule |"));
    rows.map(|row| {
        let cells = cells(row);
        assert_eq!(cells.len(), 4, "a row has four cells: {row}");
        cells[3]
    })
    .collect()
}

#[test]
fn names_in_the_tables_exist() {
    let ((table, sampled), named) = (both_tables(), those_who_notice());
    let rows = noticed_by(&table);
    assert!(rows.len() > 50, "{} rows", rows.len());
    let sampled = sampled.lines().filter(|line| line.starts_with("| "));
    let gone: Vec<&str> =
        rows.into_iter().chain(sampled).flat_map(quoted).filter(|name| !named.contains(*name)).collect();
    assert!(gone.is_empty(), "docs/rules.md names nobody by these names: {gone:?}");
}

/// For a mistake on both sides, the page gives the state count of its scope without the mistake.
#[test]
fn the_states_of_the_sound_scopes_are_those_of_the_results() {
    let results = rows(&page("results.md"), Size::Smoke).expect("a table of the smoke scopes");
    let (_, sampled) = both_tables();
    let (mut compared, mut wrong) = (0, Vec::new());
    for row in sampled.lines().filter(|line| line.starts_with("| ") && line.contains("_smoke`")) {
        let said = cells(row);
        let scope = said[1].trim_matches('`');
        let counted = results.get(scope).map(|row| cells(row)[2]);
        compared += 1;
        if counted != Some(said[2]) {
            wrong.push(format!("{scope}: {} here, {counted:?} in results.md", said[2]));
        }
    }
    assert!(compared >= 20, "{compared} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_names_its_checks() {
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
fn the_last_cell_is_found() {
    let table = "| rule | source | without it | who notices |\n|---|---|---|---|\n| A. | TV | b | guard `c`, `d` |\ntext";
    assert_eq!(noticed_by(table), ["guard `c`, `d`"]);
}
