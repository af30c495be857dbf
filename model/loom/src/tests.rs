use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Arc;
use loom::thread;

/// Takes every interleaving; says how many there are.
fn every_interleaving(of: impl Fn() + Send + Sync + 'static) {
    let taken = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&taken);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        of();
    });
    let taken = taken.load(Ordering::Relaxed);
    println!("{taken} interleavings");
    assert!(taken > 10, "loom took only {taken}");
}

/// Keys that begin at the same place of a table.
const KEYS: [u64; 3] = [1, 12, 17];

/// A map whose keys have the values that they themselves say.
macro_rules! nobody_sees_the_value_of_another {
    ($table:ident) => {
        every_interleaving(|| {
            let numbered = Arc::new($table::Numbered::new());
            let checks = |numbered: &$table::Numbered| {
                for key in KEYS {
                    let value = numbered.get(key);
                    assert!(value.is_none_or(|value| u64::from(value) == key + 10), "{key}: {value:?}");
                }
            };
            let keeps = |keys: &'static [u64]| {
                let numbered = Arc::clone(&numbered);
                thread::spawn(move || {
                    keys.iter().for_each(|key| numbered.keep(*key, *key as u32 + 10));
                    checks(&numbered);
                })
            };
            let threads = [keeps(&KEYS[..2]), keeps(&KEYS[2..])];
            checks(&numbered);
            threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
            checks(&numbered);
        });
    };
}

/// A set has what was kept and nothing else.
#[test]
fn nobody_sees_a_number_that_nobody_kept() {
    every_interleaving(|| {
        let numbers = Arc::new(crate::table::Numbers::new());
        let keeps = |kept: [u64; 2]| {
            let numbers = Arc::clone(&numbers);
            thread::spawn(move || {
                kept.into_iter().for_each(|number| numbers.keep(number));
                assert!(!numbers.has(9));
            })
        };
        let threads = [keeps([1, 2]), keeps([3, 1])];
        threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        assert!(!numbers.has(9));
    });
}

#[test]
fn a_key_has_its_own_value() {
    use crate::table;
    nobody_sees_the_value_of_another!(table);
}

#[test]
#[should_panic]
fn loom_finds_a_key_that_is_read_before_its_value() {
    use crate::key_before_value;
    nobody_sees_the_value_of_another!(key_before_value);
}

#[test]
#[should_panic]
fn loom_finds_a_value_in_the_place_of_another() {
    use crate::takes_any_place;
    nobody_sees_the_value_of_another!(takes_any_place);
}

#[test]
#[should_panic]
fn loom_finds_a_value_that_is_not_there_yet() {
    use crate::value_not_there;
    nobody_sees_the_value_of_another!(value_not_there);
}

macro_rules! a_column_is_worked_out {
    ($column:ident) => {
        every_interleaving(|| {
            let column = Arc::new($column::Column::new());
            let asks = |ids: [u32; 2]| {
                let column = Arc::clone(&column);
                thread::spawn(move || {
                    ids.into_iter().for_each(|id| assert_eq!(column.get_or(id, || id + 7), id + 7))
                })
            };
            let threads = [asks([1, 0]), asks([0, 1])];
            threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        });
    };
}

#[test]
fn a_column_has_what_was_worked_out() {
    use crate::column;
    a_column_is_worked_out!(column);
}

#[test]
#[should_panic(expected = "it counts")]
fn loom_finds_an_entry_that_counts_and_is_not_there() {
    use crate::counts_is_there;
    a_column_is_worked_out!(counts_is_there);
}
