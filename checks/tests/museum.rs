//! The museum is complete, and nothing in it is left over. The stored kill matrix has exactly the
//! existing guards and checks. Each exhibit is a test of its own (`exhibits.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_checks::museum::checks::Check;
use rollcall_checks::museum::{Harm, PIECES, Piece};
use rollcall_model::Guard;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum")
}

fn matrix() -> String {
    let path = folder().join("../matrix.txt");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_guard_of_the_model_is_shown_and_no_harm_of_it_twice() {
    let shown: BTreeSet<Guard> = PIECES.iter().map(|piece| piece.guard).collect();
    assert_eq!(shown, Guard::ALL.iter().copied().collect());
    let names: BTreeSet<String> = PIECES.iter().map(Piece::name).collect();
    assert_eq!(names.len(), PIECES.len(), "two exhibits have one name");
}

#[test]
fn no_trace_is_left_of_a_guard_that_is_gone() {
    let known: BTreeSet<String> = PIECES.iter().map(|piece| format!("{}.jsonl", piece.name())).collect();
    for entry in std::fs::read_dir(folder()).expect("traces/museum") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "traces/museum/{name} belongs to no guard");
    }
}

/// `rollcall museum --matrix > traces/matrix.txt` writes it. That takes minutes.
#[test]
fn the_kill_matrix_is_about_the_guards_and_checks_that_there_are() {
    let text = matrix();
    let parts: Vec<&str> = text.trim_end().split("\n\n").collect();
    let [_, rows, columns] = parts[..] else { panic!("a head, the rows and the columns") };
    let checks: Vec<String> = Check::all().map(|check| check.name().to_string()).collect();
    // Two lines have the numbers of the columns.
    let rows: Vec<(&str, Vec<&str>)> = rows
        .lines()
        .skip(2)
        .map(|row| row.split_once(' ').expect("a guard and its cells"))
        .map(|(guard, cells)| (guard, cells.split_whitespace().collect()))
        .collect();
    for (guard, cells) in &rows {
        assert_eq!(cells.len(), checks.len(), "{guard}: a cell for each check");
        assert!(cells.iter().all(|cell| ["b", "m", "i", "."].contains(cell)), "{guard}: {cells:?}");
        assert!(cells.iter().any(|cell| *cell != "."), "no check kills {guard}");
    }
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    let guards = Guard::ALL.iter().map(|guard| guard.name()).chain(below.map(|guard| guard.name()));
    assert_eq!(rows.iter().map(|(guard, _)| *guard).collect::<Vec<_>>(), guards.collect::<Vec<_>>());
    let listed: Vec<String> = (0..checks.len())
        .map(|at| {
            let kills = rows.iter().filter(|(_, cells)| cells[at] != ".").count();
            assert!(kills > 0, "{} kills no guard", checks[at]);
            format!("{} {}: {kills}", at + 1, checks[at])
        })
        .collect();
    assert_eq!(columns.lines().map(str::trim).collect::<Vec<_>>(), listed);
}

/// The matrix agrees with every exhibit.
#[test]
fn the_kill_matrix_has_every_exhibit() {
    let text = matrix();
    for piece in PIECES {
        let broken = match piece.harm {
            Harm::Safety(property) => Check::Property(property),
            Harm::Recovery(goal) => Check::Goal(goal),
            Harm::Delay => continue,
        };
        let column = Check::all().position(|check| check == broken).expect("a check");
        let row = text.lines().find_map(|row| row.strip_prefix(piece.guard.name())?.strip_prefix(' '));
        let cell = row.and_then(|cells| cells.split_whitespace().nth(column));
        assert_eq!(cell, Some("b"), "{} and {broken}", piece.guard);
    }
}
