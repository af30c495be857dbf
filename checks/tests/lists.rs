//! Lists that exist in two places: the guards of model and implementation, and the named tests of
//! guards below the model's grain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_checks::museum::PIECES;
use rollcall_model::properties::Property;
use rollcall_model::scopes;

#[path = "harness/walk.rs"]
mod walk;

use walk::files;

/// Guards of the model that the implementation cannot drop, with the reason.
const NOT_DROPPABLE: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn model_guards() -> BTreeSet<&'static str> {
    rollcall_model::Guard::ALL.iter().map(|guard| guard.name()).collect()
}

fn implementation_guards() -> BTreeSet<&'static str> {
    rollcall_impl::Guard::ALL.iter().map(|guard| guard.name()).collect()
}

#[test]
fn every_guard_of_the_model_can_be_dropped_on_the_implementation() {
    let stuck: BTreeSet<&str> = NOT_DROPPABLE.iter().map(|(name, _)| *name).collect();
    let missing: BTreeSet<&str> = model_guards().difference(&implementation_guards()).copied().collect();
    assert_eq!(
        missing, stuck,
        "the model's guards that the implementation has not, and the table of reasons"
    );
    assert!(NOT_DROPPABLE.iter().all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn a_guard_of_the_implementation_alone_is_explained() {
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    let below: BTreeSet<&str> = below.map(|guard| guard.name()).collect();
    let alone: BTreeSet<&str> = implementation_guards().difference(&model_guards()).copied().collect();
    assert_eq!(alone, below, "guards without a form in the model, and `is_implementation_only`");
}

#[test]
fn a_guard_below_the_grain_is_killed_by_a_test_of_its_name() {
    let mut sources = String::new();
    for folder in ["impl/src", "impl/tests"] {
        for file in files(&root().join(folder), "rs") {
            sources += &std::fs::read_to_string(&file).expect("a source file");
        }
    }
    let tests: Vec<&str> = sources.split("#[test]\n").skip(1).map(str::trim_start).collect();
    for guard in rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only()) {
        let test = tests.iter().find(|test| test.starts_with(&format!("fn {}()", guard.name())));
        let test = test.unwrap_or_else(|| panic!("no `#[test] fn {}()` under impl/", guard.name()));
        assert!(test.contains(&format!("Dropped(Guard::{guard:?})")), "{guard} is not dropped in its test");
    }
}

#[test]
fn every_guard_of_the_model_is_a_piece_of_the_museum() {
    let shown: BTreeSet<&str> = PIECES.iter().map(|piece| piece.guard.name()).collect();
    assert_eq!(shown, model_guards());
}

#[test]
fn names_are_distinguished() {
    let scopes: Vec<String> = scopes::all().into_iter().map(|plan| plan.scope.name).collect();
    assert_eq!(scopes.iter().collect::<BTreeSet<_>>().len(), scopes.len(), "two scopes have one name");
    let properties = Property::ALL.iter().map(|property| property.name());
    let names: BTreeSet<&str> = properties.chain(model_guards()).chain(implementation_guards()).collect();
    let guards = model_guards().union(&implementation_guards()).count();
    assert_eq!(names.len(), Property::ALL.len() + guards, "a property and a guard have one name");
}
