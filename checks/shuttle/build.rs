//! Writes the sources of the running store with shuttle's locks and threads instead of std's, once
//! for each mutant, each with the cluster that drives it.

use std::path::PathBuf;
use std::{env, fs};

#[path = "../../impl/loom/mutants.rs"]
mod mutants;

const FILES: [&str; 5] = ["mailbox", "ready", "router", "journal", "node"];

/// The mutants of loom's that shuttle must find as well.
const FOUND: [&str; 4] = ["sound", "no_wake_up", "hands_over_too_late", "ignores_the_disk"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../impl/loom/mutants.rs");
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("of cargo"));
    let sources = here.join("../../impl/src/running");
    let out = PathBuf::from(env::var("OUT_DIR").expect("of cargo"));
    let driver = ["cluster", "course"].map(|module| {
        let path = here.join("src/driver").join(module).with_extension("rs");
        format!("#[path = {path:?}]\npub mod {module};\n")
    });
    for name in FOUND {
        let found = mutants::MUTANTS.iter().find(|(of, _)| *of == name);
        let (_, replacements) = found.expect("a mutant of that name");
        let source = |file: &str| {
            let text = mutants::source(&sources, file, replacements, "shuttle", "recorded");
            text.replace("std::thread", "shuttle::thread")
        };
        let mut whole = source("mod");
        for file in FILES {
            let (name, body) = (format!("\nmod {file};\n"), source(file));
            assert_eq!(whole.matches(&name).count(), 1, "mod.rs has no module {file}");
            whole = whole.replace(&name, &format!("\nmod {file} {{\n{body}\n}}\n"));
        }
        let text = format!("pub mod running {{\n{whole}\n}}\n{}", driver.concat());
        fs::write(out.join(name).with_extension("rs"), text).expect("it is written");
    }
}
