//! Writes the engine's lock-free sources anew for loom: loom's atomics instead of
//! std's, and tables so small that they grow at once. Each mutant is one more
//! replacement of text. A text that is not there fails the build, so that a change
//! of the sources cannot leave a test behind that tests nothing.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What a source is replaced by: every occurrence of the first, which is there.
type Replacements = &'static [(&'static str, &'static str)];

const TABLE: Replacements = &[
    ("std::sync::OnceLock", "crate::shim::OnceLock"),
    ("std::sync::atomic", "loom::sync::atomic"),
    ("NUMBER_BITS: u32 = 22", "NUMBER_BITS: u32 = 2"),
    ("FIRST_TABLE: usize = 1 << 11", "FIRST_TABLE: usize = 2"),
    ("GROWTHS: usize = 13", "GROWTHS: usize = 3"),
    ("TRIES: usize = 16", "TRIES: usize = 4"),
];

const COLUMN: Replacements =
    &[("boxcar::Vec", "crate::shim::List"), ("std::hint::spin_loop", "loom::thread::yield_now")];

/// A mutant of the tables: its module, and what is wrong in it.
const TABLE_MUTANTS: &[(&str, Replacements)] = &[
    // Found in November: a table that grew gave away a value before its key.
    (
        "key_before_value",
        &[(
            "let value = value.load(Ordering::Acquire);\n                (key.load(Ordering::Relaxed), value)",
            "let key = key.load(Ordering::Relaxed);\n                (key, value.load(Ordering::Acquire))",
        )],
    ),
    // A value is given away though its key is another's.
    ("takes_any_place", &[("new.is_ok() || new == Err(key)", "new.is_ok() || new != Err(key)")]),
    // A key without its value yet reads as the value before the first.
    (
        "value_not_there",
        &[(
            "value.load(Ordering::Acquire).checked_sub(1)",
            "Some(value.load(Ordering::Acquire).wrapping_sub(1))",
        )],
    ),
];

/// The same of the columns.
const COLUMN_MUTANTS: &[(&str, Replacements)] = &[
    // Found in November: an entry that counts need not be there yet.
    (
        "counts_is_there",
        &[(
            "entry(&self.0, id as usize, || AtomicU32::new(UNKNOWN))",
            "{ while self.0.count() <= id as usize { self.0.push(AtomicU32::new(UNKNOWN)); } \
             self.0.get(id as usize).expect(\"it counts\") }",
        )],
    ),
];

fn replaced(mut text: String, replacements: Replacements) -> String {
    for (old, new) in replacements {
        assert!(text.contains(old), "there is no {old:?}: has the source changed?");
        text = text.replace(old, new);
    }
    text
}

/// The code of a source, from `from` on and without its tests.
fn code(path: &Path, from: &str) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path).expect("a source of the engine");
    let text = text.split("#[cfg(test)]").next().expect("code").to_string();
    let begin = text.find(from).unwrap_or_else(|| panic!("there is no {from:?} in {}", path.display()));
    text[begin..].to_string()
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let engine = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("of cargo")).join("../src/engine");
    let out = PathBuf::from(env::var("OUT_DIR").expect("of cargo"));
    let write = |name: &str, text: String| {
        fs::write(out.join(name).with_extension("rs"), text).expect("it is written")
    };

    let table = replaced(code(&engine.join("memo/table.rs"), "use std::"), TABLE);
    write("table", table.clone());
    for (name, mutation) in TABLE_MUTANTS {
        write(name, replaced(table.clone(), mutation));
    }
    let column =
        replaced(code(&engine.join("intern.rs"), "/// Grows the list and returns its entry"), COLUMN);
    let column = format!("use loom::sync::atomic::{{AtomicU32, Ordering}};\n\n{column}");
    write("column", column.clone());
    for (name, mutation) in COLUMN_MUTANTS {
        write(name, replaced(column.clone(), mutation));
    }
}
