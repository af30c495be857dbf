//! `docs/results.md` has a row for every scope, and of the smoke size the pinned counts.

use std::collections::BTreeMap;

use rollcall_checks::results::{rows, updated};
use rollcall_model::scopes::{Family, Size};

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

/// The README shows a part of a run.
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
