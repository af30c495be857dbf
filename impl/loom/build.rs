//! Writes the sources of the running store with loom's locks instead of std's, once for each mutant.

use std::path::PathBuf;
use std::{env, fs};

mod mutants;

const FILES: [&str; 5] = ["mailbox", "ready", "router", "journal", "node"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=mutants.rs");
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("of cargo")).join("../src/running");
    let out = PathBuf::from(env::var("OUT_DIR").expect("of cargo"));
    for (name, replacements) in mutants::MUTANTS {
        let mut whole = String::new();
        for file in FILES {
            let text = mutants::source(&sources, file, replacements, "loom", "stacked");
            // A store whose steps run on another thread.
            let text = text
                .replace("pub(super)", "pub(crate)")
                .replace("G: Guards, R: Replica", "G: Guards + Send + Sync, R: Replica<Maker: Send> + Send");
            whole.push_str(&format!("pub mod {file} {{\n{text}\n}}\n"));
        }
        fs::write(out.join(name).with_extension("rs"), whole).expect("it is written");
    }
}
