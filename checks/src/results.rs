//! `docs/results.md`: a table for each size, a row for each scope.
//!
//! A run replaces the rows of the scopes that it verified. Other rows stay. Rows of deleted scopes
//! are dropped. A new scope that has not been run has a row that says so. The last row has the
//! totals.

use std::collections::BTreeMap;

use rollcall_model::scopes::{Family, Size, plans};
use thiserror::Error;

use crate::verify::ScopeReport;

/// The page has no table for this size.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the page has no section `## {0}` with a table; put one there")]
pub struct NoTable(String);

/// The head of each table.
const HEAD: &str = "| scope | family | states | transitions | depth | replayed | verdict |\n|---|---|---:|---:|---:|---:|---|\n";

/// The cells of a scope that has not been run.
const NOT_RUN: &str = " | | | | | not run |";

/// The heading of a size.
fn heading(size: Size) -> String {
    let name = size.name();
    format!("## {}{}", name[..1].to_uppercase(), &name[1..])
}

/// The byte range of a size's table in the page.
fn table_of(page: &str, size: Size) -> Result<std::ops::Range<usize>, NoTable> {
    let heading = heading(size);
    let missing = || NoTable(heading.trim_start_matches("## ").into());
    let section = page.find(&format!("{heading}\n")).ok_or_else(missing)?;
    let length = page[section + 3..].find("\n## ").map_or(page.len() - section, |next| next + 3);
    let begin = section + page[section..section + length].find("| scope |").ok_or_else(missing)?;
    let end = page[begin..].find("\n\n").map_or(page.len(), |end| begin + end + 1);
    Ok(begin..end)
}

/// The rows of a size's table, by scope name.
///
/// # Errors
/// If there is no such table.
pub fn rows(page: &str, size: Size) -> Result<BTreeMap<String, String>, NoTable> {
    let lines = page[table_of(page, size)?].lines().skip(2);
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_string());
    Ok(lines.filter_map(|line| Some((name(line)?, line.to_string()))).collect())
}

/// The page with these reports in the table of the size.
///
/// # Errors
/// If the page has no table for the size.
pub fn updated(page: &str, size: Size, reports: &[ScopeReport]) -> Result<String, NoTable> {
    let (range, before) = (table_of(page, size)?, rows(page, size)?);
    let mut table = HEAD.to_string();
    for plan in Family::ALL.iter().flat_map(|family| plans(*family, size)) {
        let name = &plan.scope.name;
        let report = reports.iter().find(|report| report.scope == *name);
        let row = match report {
            Some(report) => row(report),
            None => before
                .get(name)
                .cloned()
                .unwrap_or_else(|| format!("| `{name}` | {}{NOT_RUN}", plan.family.name())),
        };
        table += &(row + "\n");
    }
    table += &sums(&table);
    Ok(format!("{}{table}{}", &page[..range.start], &page[range.end..]))
}

/// The last row of a table: the number of scopes and the sums of their counts.
fn sums(table: &str) -> String {
    let rows: Vec<Vec<&str>> =
        table.lines().skip(2).map(|row| row.split('|').map(str::trim).collect()).collect();
    let sum = |column: usize| {
        let counts = rows.iter().filter_map(|row| row.get(column)?.replace(',', "").parse::<u64>().ok());
        counts.reduce(|sum, count| sum + count).map_or("-".into(), grouped)
    };
    format!("| {} scopes | | {} | {} | | {} | |\n", rows.len(), sum(3), sum(4), sum(6))
}

fn row(report: &ScopeReport) -> String {
    let number = |figure: Option<u64>| figure.map_or("-".into(), grouped);
    let verdict = match (report.failures.is_empty(), report.unfinished.is_empty()) {
        (false, _) => "FAILS",
        (true, false) => "not finished",
        (true, true) => "holds",
    };
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {verdict} |",
        report.scope,
        report.family,
        grouped(report.distinct_states),
        grouped(report.transitions),
        report.depth,
        number(report.transitions_replayed),
    )
}

/// A number with a comma before every three digits from the right.
fn grouped(number: u64) -> String {
    crate::numbers::grouped(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# R\n\n## Smoke\n\nwords\n\n| scope | x |\n|---|---|\n| `old_smoke` | y |\n| `batch_split_smoke` | split | 1 | 2 | 3 | 2 | holds |\n\nmore\n\n## Deep\n\nnone\n";

    #[test]
    fn rows_stay_go_and_come() {
        let page = updated(PAGE, Size::Smoke, &[]).expect("there is a table");
        let rows = rows(&page, Size::Smoke).expect("there is a table");
        assert_eq!(rows["batch_split_smoke"], "| `batch_split_smoke` | split | 1 | 2 | 3 | 2 | holds |");
        assert_eq!(
            rows["grow_and_shrink_smoke"],
            "| `grow_and_shrink_smoke` | conf-change | | | | | not run |"
        );
        assert!(!rows.contains_key("old_smoke"));
        assert!(page.starts_with("# R\n\n## Smoke\n\nwords\n\n| scope |"), "{page}");
        assert!(page.ends_with("|\n\nmore\n\n## Deep\n\nnone\n"), "{page}");
        assert_eq!(updated(&page, Size::Smoke, &[]), Ok(page.clone()));
        let scopes = rows.len();
        assert!(page.contains(&format!("|\n| {scopes} scopes | | 1 | 2 | | 2 | |\n\nmore")), "{page}");
    }

    #[test]
    fn the_counts_of_a_table_are_added_up() {
        let table = format!(
            "{HEAD}| `a` | split | 1,500 | 2,000 | 3 | - | holds |\n| `b` | split{NOT_RUN}\n| `c` | split | 700 | 1 | 9 | - | holds |\n"
        );
        assert_eq!(sums(&table), "| 3 scopes | | 2,200 | 2,001 | | - | |\n");
    }

    #[test]
    fn a_page_without_a_table_is_refused() {
        assert_eq!(updated(PAGE, Size::Deep, &[]), Err(NoTable("Deep".into())));
        assert_eq!(updated(PAGE, Size::Standard, &[]), Err(NoTable("Standard".into())));
    }
}
