//! `museum --matrix`: every guard against every check.

use std::sync::atomic::Ordering;

use anyhow::Result;

use super::end::{End, INTERRUPTED};
use super::out;
use super::out::errln;
use crate::museum::checks::Check;
use crate::museum::matrix::{CASES, Kill, Matrix, Row, STATES, below_the_grain, idle, unnoticed};

pub(super) fn run(guard: Option<&str>, json: bool) -> Result<End> {
    guard.map(crate::lookup::any_guard).transpose()?;
    let wanted = |name: &str| guard.is_none_or(|guard| guard == name);
    let of_model = rollcall_model::Guard::ALL.iter().filter(|guard| wanted(guard.name()));
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    // A store without a guard may panic. That is reported as a divergence, so the panic's message
    // is not printed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut matrix = Matrix::new(super::lasting::default_threads(), &INTERRUPTED);
    let mut rows = Vec::new();
    let mut failed = None;
    for guard in of_model.copied() {
        match matrix.row(guard) {
            Ok(row) => done(&mut rows, row, json)?,
            Err(error) => failed = Some(error),
        }
        if failed.is_some() || INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
    }
    std::panic::set_hook(hook);
    if let Some(error) = failed {
        return Err(error.into());
    }
    if INTERRUPTED.load(Ordering::SeqCst) {
        if !json {
            out::say(&table(&rows, out::columns()))?;
        }
        errln!("not conclusive: interrupted after {} guards, the last of them cut short", rows.len());
        return Ok(End::NotConclusive);
    }
    for guard in below.filter(|guard| wanted(guard.name())) {
        done(&mut rows, below_the_grain(*guard), json)?;
    }
    if !json {
        out::say(&table(&rows, out::columns()))?;
    }
    let mut failures = unnoticed(&rows);
    if guard.is_none() {
        failures.extend(idle(&rows));
    }
    failures.iter().for_each(|failure| errln!("{failure}"));
    Ok(if failures.is_empty() { End::Holds } else { End::Violated })
}

fn done(rows: &mut Vec<Row>, row: Row, json: bool) -> Result<()> {
    if json {
        out::say(&format!("{}\n", serde_json::to_string(&row)?))?;
    } else {
        let checks: Vec<&str> = row.kills.keys().map(|check| check.name()).collect();
        errln!("{}: {}", row.guard, if checks.is_empty() { "nothing".into() } else { checks.join(", ") });
    }
    rows.push(row);
    Ok(())
}

/// A row for each guard and a column for each check, with the number of kills of each check. If not
/// all columns fit, another table with the next columns follows.
fn table(rows: &[Row], columns: Option<usize>) -> String {
    let checks: Vec<Check> = Check::all().collect();
    let numbered: Vec<(usize, Check)> = (1..).zip(checks.iter().copied()).collect();
    let width = rows.iter().map(|row| row.guard.len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in [
        "Who notices that a guard is missing: b on both sides, m in the model alone, i on the implementation alone.".to_string(),
        format!("An empty cell says: not within these bounds (the first {STATES} states of each scope, {CASES} schedules)."),
    ] {
        text += &out::fitted_to(&line, columns);
    }
    // Each check takes two columns of the terminal, after the guard's name.
    let beside = columns.map_or(checks.len(), |columns| (columns.saturating_sub(width + 1) / 2).max(1));
    for part in numbered.chunks(beside.max(1)) {
        let digits = |of: fn(usize) -> String| {
            part.iter().map(|(number, _)| of(*number)).collect::<Vec<_>>().join(" ")
        };
        let tens = digits(|number| if number < 10 { " ".into() } else { (number / 10).to_string() });
        text += &format!("\n{:width$}  {}\n", "", tens.trim_end());
        text += &format!("{:width$}  {}\n", "", digits(|number| (number % 10).to_string()));
        for row in rows {
            let cells: Vec<&str> =
                part.iter().map(|(_, check)| row.kills.get(check).map_or(".", sides)).collect();
            text += &format!("{:width$}  {}\n", row.guard, cells.join(" "));
        }
    }
    text.push('\n');
    for (number, check) in numbered {
        let kills = rows.iter().filter(|row| row.kills.contains_key(&check)).count();
        text += &format!("{number:>2} {check}: {kills}\n");
    }
    text
}

fn sides(kill: &Kill) -> &'static str {
    match (kill.in_model, kill.on_implementation) {
        (true, true) => "b",
        (true, false) => "m",
        (false, true) => "i",
        (false, false) => ".",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::table;
    use crate::museum::checks::Check;
    use crate::museum::matrix::{Kill, Row};

    fn rows() -> Vec<Row> {
        let kill = |in_model| Kill {
            scope: None,
            states_to_find: None,
            trace_steps: None,
            in_model,
            on_implementation: true,
        };
        let names = ["snapshot_once", "lease_ends_before_the_next_leader_begins"];
        let kills: BTreeMap<Check, Kill> =
            Check::all().enumerate().map(|(at, check)| (check, kill(at % 2 == 0))).collect();
        let row =
            |name: &str| Row { guard: name.into(), scopes: Vec::new(), states: 1, kills: kills.clone() };
        names.map(row).to_vec()
    }

    /// The table uses the columns that there are, and has every check once for each guard.
    #[test]
    fn the_table_fits_the_terminal() {
        let checks = Check::all().count();
        let cells = |text: &str| {
            let rows = text.lines().filter(|line| line.starts_with("snapshot_once"));
            rows.flat_map(|line| line.split_whitespace().skip(1)).count()
        };
        for columns in [60, 80, 200] {
            let text = table(&rows(), Some(columns));
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(columns), "{longest:?} of {columns}:\n{text}");
            assert_eq!(cells(&text), checks, "{text}");
        }
        let whole = table(&rows(), None);
        assert_eq!(cells(&whole), checks);
        assert_eq!(whole.lines().filter(|line| line.starts_with("snapshot_once")).count(), 1, "{whole}");
    }
}
