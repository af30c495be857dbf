//! `docs/results.md` has a row for every scope. The rows of smoke scopes have the pinned counts;
//! small standard scopes are explored again.

use std::collections::BTreeMap;

use rollcall_checks::explorer::{Options, explore};
use rollcall_checks::results::{rows, updated};
use rollcall_model::GuardSet;
use rollcall_model::scopes::{self, Family, Size};

use super::{cells, page, read, root};

#[test]
fn the_page_of_results_has_every_scope_and_no_other() {
    let page = page("results.md");
    for size in Size::ALL {
        let again = updated(&page, *size, &[]).expect("a table for each size");
        let name = size.name();
        assert!(again == page, "write it again: rollcall verify --size {name} --results docs/results.md");
    }
}

/// States, transitions, depth and replayed transitions of a row; `None` for a scope that has not
/// been run.
fn counts(row: &str) -> Option<[Option<u64>; 4]> {
    let cells = cells(row);
    (cells.len() == 7).then(|| [2, 3, 4, 5].map(|at| cells[at].replace(',', "").parse().ok()))
}

/// Every row is consistent: its family is right, every state but the first has a transition into
/// it, and all transitions were replayed, or none for a deep scope.
#[test]
fn every_row_of_the_page_can_be_so() {
    let page = page("results.md");
    let mut wrong = Vec::new();
    for size in Size::ALL {
        for (scope, row) in rows(&page, *size).expect("a table for each size") {
            let plan = scopes::named(&scope).expect("there is such a scope");
            let cells = cells(&row);
            let is_possible = match counts(&row) {
                Some([Some(states), Some(transitions), Some(depth), replayed]) => {
                    let replays = (*size != Size::Deep).then_some(transitions);
                    depth < states && states <= transitions + 1 && replayed == replays && cells[6] == "holds"
                }
                _ => row.ends_with("| | | | | not run |") && *size != Size::Smoke,
            };
            if plan.size != *size || cells[1] != plan.family.name() || !is_possible {
                wrong.push(row);
            }
        }
    }
    assert!(wrong.is_empty(), "no run of the scope says this:\n{}", wrong.join("\n"));
}

/// A standard scope with at most this many states is explored again.
const FEW: u64 = 12_000;

#[test]
fn the_counts_of_the_small_standard_scopes_are_right() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for (scope, row) in rows(&page("results.md"), Size::Standard).expect("a table") {
        let Some([Some(states), Some(transitions), Some(depth), _]) = counts(&row) else { continue };
        if states > FEW {
            continue;
        }
        compared += 1;
        let model = scopes::named(&scope).expect("there is such a scope").model(GuardSet::ALL);
        // A scope that has grown much is not explored to its end.
        let options = Options { threads: 2, keep_edges: false, max_states: 100_000, ..Options::default() };
        let found = explore(&model.expect("it begins"), &options, |_, _| 0).expect("it can be explored");
        let found = (found.distinct(), found.transitions, u64::from(found.depth()));
        if found != (states, transitions, depth) {
            wrong.push(format!("{row}\n  and it is {found:?}"));
        }
    }
    assert!(compared >= 8, "{compared} scopes are small");
    assert!(
        wrong.is_empty(),
        "verify them again: rollcall verify --size standard --scope NAME --results docs/results.md\n{}",
        wrong.join("\n")
    );
}

/// States, transitions and depth of the smoke scopes, as `smoke.rs` pins them.
fn pinned() -> BTreeMap<String, [String; 3]> {
    let mut pinned = BTreeMap::new();
    for family in Family::ALL {
        let path = root().join(format!("checks/tests/snapshots/smoke__smoke_{}.snap", family.name()));
        for line in read(&path).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [scope, counts @ ..] = &words[..]
                && scope.ends_with("_smoke")
                && let [states, transitions, depth] = counts
            {
                let count = |word: &str| word.to_string();
                pinned.insert((*scope).to_string(), [count(states), count(transitions), count(depth)]);
            }
        }
    }
    pinned
}

#[test]
fn the_smoke_counts_of_the_page_are_the_pinned_ones() {
    let rows = rows(&page("results.md"), Size::Smoke).expect("a table");
    let pinned = pinned();
    assert!(pinned.len() > 90, "{} pinned scopes", pinned.len());
    let mut wrong = Vec::new();
    for (scope, counts) in pinned {
        let shown =
            rows.get(&scope).map(|row| cells(row)[2..5].iter().map(|cell| cell.replace(',', "")).collect());
        let shown: Vec<String> = shown.unwrap_or_default();
        if shown != counts {
            wrong.push(format!("{scope}: the page says {shown:?}, the snapshot {counts:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "write it again: rollcall verify --size smoke --results docs/results.md\n{}",
        wrong.join("\n")
    );
}

/// The README shows a part of a run's output.
#[test]
fn the_counts_of_the_readme_are_the_pinned_ones() {
    let readme = read(&root().join("README.md"));
    let pinned = pinned();
    let rows = readme.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|words| words.len() > 4 && words[0].ends_with("_smoke")).collect();
    assert!(rows.len() > 1, "{rows:?}");
    for words in rows.iter().filter(|words| words[1].starts_with(|first: char| first.is_ascii_digit())) {
        let shown = words[1..4].iter().map(|count| count.replace(',', "")).collect::<Vec<_>>();
        assert_eq!(shown, pinned[words[0]], "{}", words[0]);
    }
}
