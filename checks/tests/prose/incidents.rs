//! Every citation of the catalogue of failures resolves in `docs/incidents.md`: rows, issues of
//! other projects, S and L numbers. The page says which checks cover each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;

use super::{cells, files, page, quoted, read, root, those_who_notice};

/// The page's rows by number, each with its cells.
fn rows(page: &str) -> BTreeMap<u32, Vec<String>> {
    let row = |line: &str| {
        let cells = cells(line);
        let number = cells.first()?.parse().ok()?;
        Some((number, cells.into_iter().map(Into::into).collect()))
    };
    page.lines().filter(|line| line.starts_with("| ")).filter_map(row).collect()
}

/// The numbers that a text cites: `row 15`, `rows 17, 26`, `Rows 38 and 48`, `rows 9 to 15`.
fn rows_cited(text: &str) -> Vec<u32> {
    let lower = text.to_lowercase();
    let mut cited = Vec::new();
    for (at, _) in lower.match_indices("row") {
        let begins_word =
            lower[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_');
        let rest = &lower[at + 3..];
        let Some(rest) = rest.strip_prefix("s ").or_else(|| rest.strip_prefix(' ')) else { continue };
        if !begins_word {
            continue;
        }
        for word in rest.split_whitespace() {
            let number = word.trim_matches(|letter: char| !letter.is_ascii_digit());
            match number.parse() {
                Ok(number) if word.starts_with(|first: char| first.is_ascii_digit()) => cited.push(number),
                _ if ["and", "to"].contains(&word) && !cited.is_empty() => continue,
                _ => break,
            }
            if !word.ends_with(|last: char| last.is_ascii_digit() || last == ',') {
                break;
            }
        }
    }
    cited
}

/// The issues that a text cites: `tikv#10595`.
fn issues_cited(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "#-/_".contains(letter);
    let issue = |word: &str| {
        let (project, number) = word.split_once('#')?;
        let known =
            ["tikv", "pd", "etcd", "raft-rs", "raft", "cockroach", "cockroachdb", "omicron", "tinykv"];
        let is_issue = known.contains(&project.rsplit('/').next()?) && number.parse::<u32>().is_ok();
        is_issue.then(|| {
            format!(
                "{}#{number}",
                project.rsplit('/').next().unwrap_or_default().replace("cockroachdb", "cockroach")
            )
        })
    };
    text.split(|letter| !is_part(letter)).filter_map(issue).collect()
}

/// Code, prose and scenarios. Traces are left out: they are long and have few words.
fn texts() -> Vec<(PathBuf, String)> {
    let mut found: Vec<PathBuf> = vec![root().join("README.md")];
    for (folder, extension) in [("docs", "md"), ("docs", "json"), ("traces", "jsonl")] {
        found.extend(files(&root().join(folder), extension));
    }
    for folder in ["traces", "model", "impl", "checks"] {
        found.extend(files(&root().join(folder), "rs"));
    }
    let own = root().join("checks/tests/prose/incidents.rs");
    found.retain(|path| *path != own);
    found.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

#[test]
fn citations_are_found() {
    assert_eq!(rows_cited("a bug (row 15, tikv#1); rows 17, 26: noise"), [15, 17, 26]);
    assert_eq!(rows_cited("Rows 38 and 48. rows 9 to 15, 31 and 34 rows 3"), [38, 48, 9, 15, 31, 34, 3]);
    assert_eq!(rows_cited("rowing 3, throw 3, a row of 3, row_3, row three"), Vec::<u32>::new());
    let issues = issues_cited("(tikv#10595, `pd#1`), cockroachdb/cockroach#2 and etcd-io/raft#3; docs#9");
    assert_eq!(issues, ["tikv#10595", "pd#1", "cockroach#2", "raft#3"].map(str::to_string).into());
}

#[test]
fn every_row_that_is_cited_is_in_the_catalogue() {
    let rows = rows(&page("incidents.md"));
    let (mut unknown, mut cited) = (Vec::new(), BTreeMap::<u32, u32>::new());
    for (path, text) in texts() {
        for number in rows_cited(&text) {
            *cited.entry(number).or_default() += 1;
            if !rows.contains_key(&number) {
                unknown.push(format!("{}: row {number}", path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "not in docs/incidents.md:\n{}", unknown.join("\n"));
    assert!(cited.values().sum::<u32>() > 200, "{cited:?}");
}

#[test]
fn the_rows_are_complete() {
    let rows = rows(&page("incidents.md"));
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=52).collect::<Vec<_>>());
    for (number, cells) in rows {
        assert_eq!(cells.len(), 5, "row {number}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "row {number}: {cells:?}");
    }
}

/// The rows about issues: each with its issues and its last cell.
fn issue_rows(page: &str) -> Vec<(BTreeSet<String>, String)> {
    let rows = page.lines().filter(|line| line.starts_with("| ")).map(cells);
    rows.filter(|cells| cells.len() == 3)
        .map(|cells| (issues_cited(cells[0]), cells[2].to_string()))
        .filter(|(issues, _)| !issues.is_empty())
        .collect()
}

#[test]
fn every_issue_that_is_cited_is_in_the_catalogue() {
    let listed: BTreeSet<String> =
        issue_rows(&page("incidents.md")).into_iter().flat_map(|(issues, _)| issues).collect();
    let mut unknown = BTreeSet::new();
    for (path, text) in texts() {
        let missing = issues_cited(&text).into_iter().filter(|issue| !listed.contains(issue));
        unknown.extend(missing.map(|issue| format!("{issue} in {}", path.display())));
    }
    assert!(listed.len() > 50, "{} issues", listed.len());
    assert!(unknown.is_empty(), "not in docs/incidents.md: {unknown:#?}");
}

/// Guards of both sides with their incidents.
fn guards() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut guards = BTreeMap::<_, BTreeSet<_>>::new();
    let model = rollcall_model::Guard::ALL.iter().map(|guard| (guard.name(), guard.incident()));
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    for (name, incident) in model.chain(below.map(|guard| (guard.name(), guard.incident()))) {
        guards.entry(name).or_default().insert(incident);
    }
    guards
}

#[test]
fn what_a_guard_cites_names_the_guard() {
    let page = page("incidents.md");
    let (rows, issues) = (rows(&page), issue_rows(&page));
    let mut missing = Vec::new();
    for (guard, incidents) in guards() {
        let names = |cell: &str| quoted(cell).any(|name| name == guard);
        for incident in incidents {
            let unnamed = rows_cited(incident).into_iter().filter(|number| !names(&rows[number][4]));
            missing.extend(unnamed.map(|number| format!("row {number}: {guard}")));
            for issue in issues_cited(incident) {
                if !issues.iter().any(|(of, cell)| of.contains(&issue) && names(cell)) {
                    missing.push(format!("{issue}: {guard}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/incidents.md does not say so: {missing:#?}");
}

#[test]
fn checks_of_incidents_exist() {
    let named = those_who_notice();
    let page = page("incidents.md");
    let last =
        page.lines().filter(|line| line.starts_with("| ")).map(|line| cells(line).pop().unwrap_or_default());
    let gone: Vec<&str> = last
        .flat_map(quoted)
        .filter(|name| !name.contains(' ') && !name.contains('/'))
        .filter(|name| !named.contains(*name))
        .collect();
    assert!(gone.is_empty(), "docs/incidents.md names nobody by these names: {gone:?}");
}

/// The page's S and L numbers, each with its names.
fn numbered(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let is_number =
        |cell: &str| cell.strip_prefix(['S', 'L']).is_some_and(|number| number.parse::<u32>().is_ok());
    let rows = page.lines().filter(|line| line.starts_with("| ")).map(cells);
    let rows = rows.filter(|cells| cells.len() == 3 && is_number(cells[0]));
    rows.map(|cells| (cells[0].to_string(), quoted(cells[2]).map(Into::into).collect())).collect()
}

#[test]
fn properties_and_goals_have_their_numbers() {
    let numbered = numbered(&page("incidents.md"));
    for goal in Goal::ALL {
        let with: BTreeSet<&str> = numbered
            .iter()
            .filter(|(number, names)| number.starts_with('L') && names.contains(goal.name()))
            .map(|(number, _)| number.as_str())
            .collect();
        assert_eq!(with, goal.liveness().split(' ').collect(), "{goal}");
    }
    let safety = || numbered.iter().filter(|(number, _)| number.starts_with('S'));
    assert_eq!(safety().count(), 12);
    for property in Property::ALL {
        let listed = safety().any(|(_, names)| names.contains(property.name()));
        let extra = [Property::PdView, Property::OneOperator].contains(property);
        assert!(listed != extra, "{property}");
    }
}
