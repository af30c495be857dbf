//! `docs/mutants.md` names functions that exist. It names no line numbers, because they change.

use super::{page, quoted, read, root};

/// The functions that the page names after a file: `model/src/rules/late.rs `late`: without …`.
fn functions_in(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in page.match_indices(".rs `") {
        let file = page[..at + 3].rsplit([' ', '\n']).next().unwrap_or_default();
        let name = quoted(&page[at + 3..]).next().unwrap_or_default();
        if file.contains("src/") {
            found.push((file, name.rsplit("::").next().unwrap_or_default()));
        }
    }
    found
}

#[test]
fn functions_behind_a_file_are_found() {
    let row = "| impl/src/a.rs `Store<G,E,R>::take`: >= | b.rs `c` | model/src/b.rs `late`: without `d` |";
    assert_eq!(functions_in(row), [("impl/src/a.rs", "take"), ("model/src/b.rs", "late")]);
}

#[test]
fn the_functions_of_the_mutants_are_there() {
    let page = page("mutants.md");
    let functions = functions_in(&page);
    assert!(functions.len() > 60, "{} functions", functions.len());
    let is_there = |(file, name): &&(&str, &str)| {
        let text = read(&root().join(file));
        text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"))
    };
    let gone: Vec<_> = functions.iter().filter(|function| !is_there(function)).collect();
    assert!(gone.is_empty(), "docs/mutants.md names functions that are not there: {gone:?}");
}

#[test]
fn no_line_is_cited() {
    let page = page("mutants.md");
    let is_cited = |line: &&str| {
        line.match_indices(".rs:")
            .any(|(at, _)| line[at + 4..].trim_start().starts_with(|letter: char| letter.is_ascii_digit()))
    };
    let cited: Vec<&str> = page.lines().filter(is_cited).collect();
    assert!(cited.is_empty(), "lines move; cite the function: {cited:?}");
}
