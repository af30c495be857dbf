//! `museum --matrix`: every guard against every check.

use std::sync::atomic::Ordering;

use anyhow::Result;

use super::out::errln;
use super::{End, INTERRUPTED, out};
use crate::museum::checks::Check;
use crate::museum::matrix::{CASES, Kill, Matrix, Row, STATES, below_the_grain, idle, unnoticed};

pub(super) fn run(guard: Option<&str>, json: bool) -> Result<End> {
    guard.map(super::lookup::any_guard).transpose()?;
    let wanted = |name: &str| guard.is_none_or(|guard| guard == name);
    let of_model = rollcall_model::Guard::ALL.iter().filter(|guard| wanted(guard.name()));
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    // A store without a guard may panic, which is a disagreement like any
    // other; its words are not wanted here.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut matrix = Matrix::new(super::default_threads(), &INTERRUPTED);
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
            out::say(&table(&rows))?;
        }
        errln!("not conclusive: interrupted after {} guards, the last of them cut short", rows.len());
        return Ok(End::NotConclusive);
    }
    for guard in below.filter(|guard| wanted(guard.name())) {
        done(&mut rows, below_the_grain(*guard), json)?;
    }
    if !json {
        out::say(&table(&rows))?;
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

/// A row a guard, a column a check, and the checks with how many each kills.
fn table(rows: &[Row]) -> String {
    let checks: Vec<Check> = Check::all().collect();
    let width = rows.iter().map(|row| row.guard.len()).max().unwrap_or(0);
    let mut text = format!(
        "Who notices that a guard is missing: b on both sides, m in the model alone, i on the implementation alone.\n\
         An empty cell says: not within these bounds (the first {STATES} states of each scope, {CASES} schedules).\n\n"
    );
    let digits = |of: fn(usize) -> String| (1..=checks.len()).map(of).collect::<Vec<_>>().join(" ");
    let tens = digits(|number| if number < 10 { " ".into() } else { (number / 10).to_string() });
    text += &format!("{:width$}  {}\n", "", tens.trim_end());
    text += &format!("{:width$}  {}\n", "", digits(|number| (number % 10).to_string()));
    for row in rows {
        let cells: Vec<&str> = checks.iter().map(|check| row.kills.get(check).map_or(".", sides)).collect();
        text += &format!("{:width$}  {}\n", row.guard, cells.join(" "));
    }
    text.push('\n');
    for (number, check) in (1..).zip(&checks) {
        let kills = rows.iter().filter(|row| row.kills.contains_key(check)).count();
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
