//! `docs/museum.md`: every guard with what goes wrong without it.

use std::path::Path;

use super::{DELAYS, PIECES, Piece};
use crate::crash_points::exhibits::{EXHIBITS, Exhibit};

/// The text above the tables.
const ABOVE: &str = include_str!("page.md");

/// The page, with the lengths of the traces in `folder` (`traces/museum`).
///
/// # Errors
/// If a trace cannot be read.
pub fn page(folder: &Path) -> std::io::Result<String> {
    let mut page = ABOVE.to_string();
    page += "\n## Guards of the model and the implementation\n\n";
    page += "| guard | without it | incident | breaks | steps | command |\n|---|---|---|---|---:|---|\n";
    for piece in PIECES {
        page += &exhibit(piece, steps(&folder.join(format!("{}.jsonl", piece.name())))?);
    }
    page += "\n## Guards of the implementation alone\n\n";
    page += "| guard | without it | incident | command |\n|---|---|---|---|\n";
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    for guard in below {
        let (without, incident) = parts(guard.incident());
        page += &format!(
            "| `{guard}` | {} | {} | `cargo test -p rollcall-impl {guard}` |\n",
            cell(without),
            cell(incident)
        );
    }
    page += "\n## Exhibits at crash points\n\n";
    page += CRASHES;
    page += "| guard | in the model | crash point | what fails there | without a crash | run |\n|---|---|---:|---|---|---|\n";
    EXHIBITS.iter().for_each(|exhibit| page += &at_a_crash_point(exhibit));
    Ok(page)
}

/// The text above the exhibits at crash points.
const CRASHES: &str =
    "`rollcall crash` shows them. A run goes to disks that record every write and every sync. Behind each of
these operations the power of one store fails. What is left must be opened, hold and heal
(`checks/src/crash_points`). The number says the first crash point of the run at which something fails without
the guard. With every guard no point fails. Where the run holds without a crash, the guard is about crashes
alone.

";

fn at_a_crash_point(exhibit: &Exhibit) -> String {
    let Exhibit { guard, file, point, breaks, fails_without_crash } = exhibit;
    let in_model = if guard.is_implementation_only() { "no" } else { "yes" };
    let breaks = if breaks.contains(' ') { format!("a panic: {breaks}") } else { format!("`{breaks}`") };
    let plain = if *fails_without_crash { "fails, too" } else { "holds" };
    format!(
        "| `{guard}` | {in_model} | {point} | {breaks} | {plain} | `rollcall crash {file} --without {guard}` |\n"
    )
}

fn exhibit(piece: &Piece, steps: usize) -> String {
    let without = rollcall_impl::Guard::from_name(piece.guard.name()).map_or("", |guard| guard.incident());
    let without = parts(without).0;
    let incident = parts(piece.guard.incident()).1;
    let breaks = piece.harm.broken().map_or(DELAYS.into(), |broken| format!("`{broken}`"));
    format!(
        "| `{0}` | {1} | {2} | {breaks} | {steps} | `rollcall check {3} --without {0}` |\n",
        piece.guard,
        cell(without),
        cell(incident),
        piece.scope
    )
}

/// The number of steps of a trace.
fn steps(path: &Path) -> std::io::Result<usize> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(text.lines().filter(|line| line.starts_with(r#"{"record":"step""#)).count())
}

/// The text of an incident, and the reference in brackets at its end.
pub(crate) fn parts(incident: &str) -> (&str, &str) {
    match (incident.rfind('('), incident.rfind(')')) {
        (Some(from), Some(to)) if from < to => (incident[..from].trim_end(), &incident[from + 1..to]),
        _ => (incident.trim_end_matches('.'), ""),
    }
}

/// Words as a cell of a Markdown table.
fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use rollcall_model::Guard;

    use super::*;

    #[test]
    fn a_reference_is_distinguished_from_the_words() {
        assert_eq!(parts("It breaks (row 1, tikv#5512)."), ("It breaks", "row 1, tikv#5512"));
        assert_eq!(parts("It breaks."), ("It breaks", ""));
    }

    #[test]
    fn every_guard_has_a_row() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum");
        let page = page(&folder).expect("the traces are there");
        for guard in Guard::ALL {
            assert!(page.contains(&format!("| `{guard}` |")), "{guard}");
        }
    }

    #[test]
    fn a_trace_that_is_not_there_is_an_error() {
        let error = page(Path::new("nowhere")).expect_err("there are no traces");
        assert!(error.to_string().starts_with("nowhere/"), "{error}");
    }
}
