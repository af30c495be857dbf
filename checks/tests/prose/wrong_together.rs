//! The last table of `docs/rules.md`: rules that the model and the implementation both lacked. Each
//! row's command is run again, and must find what the row says.

use std::process::Command;

use tempfile::TempDir;

use super::{cells, page, quoted, those_who_notice};

/// Where the table begins.
pub(crate) const HEADING: &str = "\n## Where both sides were wrong\n";

fn rows(page: &str) -> Vec<Vec<&str>> {
    let (_, table) = page.split_once(HEADING).expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains("`rollcall "));
    rows.map(cells).collect()
}

fn output_of(command: &str) -> String {
    let words = command.trim_matches('`').split(' ').skip(1);
    // `check` writes the trace into the working directory.
    let folder = TempDir::new().expect("a folder");
    let ran = Command::new(env!("CARGO_BIN_EXE_rollcall")).args(words).current_dir(&folder).output();
    String::from_utf8(ran.expect("it starts").stdout).expect("text")
}

/// What `check` or `museum` prints of a finding.
fn has(output: &str, found: &str, states: &str, steps: &str) -> bool {
    let states = states.replace(',', "");
    let finds = |line: &str| {
        let Some(line) = line.strip_suffix(&format!("after {steps} steps, found among {states} states"))
        else {
            return false;
        };
        line.ends_with(&format!(": {found} is violated "))
            || line.ends_with(&format!(": {found} is missed once faults stop "))
    };
    let says = |name: &str, value: &str| {
        output.lines().any(|line| line.trim().strip_prefix(name).is_some_and(|rest| rest.trim() == value))
    };
    output.lines().any(finds)
        || says("states until it is found", &states) && says("steps of the trace", steps)
}

#[test]
fn each_command_finds_what_its_row_says() {
    let page = page("rules.md");
    let rows = rows(&page);
    assert!(rows.len() >= 10, "{} rows", rows.len());
    for row in rows {
        let [.., command, found, states, steps] = row[..] else { panic!("six cells: {row:?}") };
        let output = output_of(command);
        assert!(has(&output, found.trim_matches('`'), states, steps), "{row:?}\n{output}");
    }
}

#[test]
fn scenarios_of_the_table_exist() {
    let (page, named) = (page("rules.md"), those_who_notice());
    let gone: Vec<_> = rows(&page)
        .into_iter()
        .flat_map(|row| quoted(row[0]))
        .filter(|name| !named.contains(*name))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn a_finding_is_recognised() {
    let check = "a_smoke: pd_view is violated after 8 steps, found among 2362 states";
    assert!(has(check, "pd_view", "2,362", "8"));
    assert!(!has(check, "view", "2,362", "8") && !has(check, "pd_view", "362", "8"));
    assert!(!has(check, "pd_view", "2,362", "9"));
    let museum = "  states until it is found    13\n  steps of the trace          3\n";
    assert!(has(museum, "another step", "13", "3") && !has(museum, "another step", "12", "3"));
}
