//! Which crate may depend on which: traces and impl on none of ours, model on traces, checks on all
//! three.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

#[path = "harness/circles.rs"]
mod circles;
#[path = "harness/walk.rs"]
mod walk;

fn ours() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let names: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    metadata
        .packages
        .iter()
        .map(|package| {
            let on =
                package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            let on =
                on.map(|dependency| dependency.name.clone()).filter(|name| names.contains(name)).collect();
            (package.name.to_string(), on)
        })
        .collect()
}

#[test]
fn dependencies_run_one_way() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<BTreeSet<_>>();
    let expected = BTreeMap::from([
        ("rollcall-traces".to_string(), set(&[])),
        ("rollcall-model".to_string(), set(&["rollcall-traces"])),
        ("rollcall-impl".to_string(), set(&[])),
        ("rollcall-impl-loom".to_string(), set(&[])),
        ("rollcall-loom".to_string(), set(&[])),
        ("rollcall-shuttle".to_string(), set(&[])),
        ("rollcall-checks".to_string(), set(&["rollcall-traces", "rollcall-model", "rollcall-impl"])),
    ]);
    assert_eq!(ours(), expected);
}

#[test]
fn the_dictionary_needs_no_more_than_serialisation_its_schema_and_near_names() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let traces =
        metadata.packages.iter().find(|package| package.name.as_str() == "rollcall-traces").expect("traces");
    let on: BTreeSet<&str> = traces
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
        .collect();
    assert_eq!(on, BTreeSet::from(["schemars", "serde", "serde_json", "strsim", "thiserror"]));
}

/// timely carries the search in shards: neither the rules nor the ordered explorer know it.
#[test]
fn one_folder_names_timely() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let with = metadata.packages.iter().filter(|package| {
        package.dependencies.iter().any(|dependency| dependency.name.starts_with("timely"))
    });
    assert_eq!(with.map(|package| package.name.as_str()).collect::<Vec<_>>(), ["rollcall-checks"]);
    let named = |code: &str| code.lines().any(|line| line.trim_start().starts_with("use timely::"));
    let (inside, outside): (Vec<_>, Vec<_>) = sources("checks/src")
        .into_iter()
        .filter(|(_, code)| named(code) || code.contains(" timely::"))
        .map(|(file, _)| file)
        .partition(|file| file.starts_with("explorer/sharded/"));
    assert_eq!(outside, Vec::<String>::new());
    assert!(!inside.is_empty(), "it is looked for rightly");
}

#[test]
fn the_top_folder_has_no_other_files() {
    let root = MetadataCommand::new().no_deps().exec().expect("cargo metadata").workspace_root;
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "adapters",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "docs",
        "model",
        "impl",
        "checks",
        "traces",
        "target",
    ];
    let strangers: Vec<String> = std::fs::read_dir(&root)
        .expect("the workspace")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()))
        .collect();
    assert!(strangers.is_empty(), "no other top-level file or folder: {strangers:?}");
}

/// The sources of `model/src` without tests, each with its path there.
fn model_sources() -> Vec<(String, String)> {
    sources("model/src")
}

/// The sources below `folder` without tests, each with its path there.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = MetadataCommand::new().no_deps().exec().expect("cargo metadata").workspace_root;
    let root = root.join(folder).into_std_path_buf();
    let files: Vec<(String, String)> = walk::files(&root, "rs")
        .into_iter()
        .filter(|path| !path.to_string_lossy().ends_with("tests.rs"))
        .map(|path| {
            let name = path.strip_prefix(&root).expect("within it").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a source");
            (name, text.split("#[cfg(test)]").next().unwrap_or_default().to_string())
        })
        .collect();
    assert!(files.len() > 4, "{folder} has more files than {}", files.len());
    files
}

/// The lines of code in the files `of` that contain a word of `banned`.
fn lines_with(of: impl Fn(&str) -> bool, banned: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, code) in model_sources().iter().filter(|(name, _)| of(name)) {
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = lines.filter(|line| banned.iter().any(|word| line.contains(word)));
        found.extend(named.map(|line| format!("{name}: {}", line.trim())));
    }
    found
}

/// How code names the engine: in a path, or in the tree of a `use`.
const ENGINE: [&str; 4] = ["::engine", "engine::", "{engine", "engine,"];

/// One file makes the stateright model from the engine and hands it to all others.
#[test]
fn one_file_imports_the_engine() {
    let files = |lines: Vec<String>| -> BTreeSet<String> {
        lines.iter().filter_map(|line| Some(line.split_once(':')?.0.to_string())).collect()
    };
    let seam = BTreeSet::from(["model.rs".to_string()]);
    assert_eq!(files(lines_with(|name| !name.starts_with("engine/"), &ENGINE)), seam);
    assert_eq!(files(lines_with(|_| true, &["stateright"])), seam);
}

/// A comment elsewhere that names a module of the engine would have to change with it.
#[test]
fn no_comment_outside_the_engine_names_its_modules() {
    let comments_with = |of: fn(&str) -> bool| {
        let sources = model_sources();
        let comments = sources.iter().filter(|(name, _)| of(name)).flat_map(|(name, code)| {
            let comments = code.lines().map(str::trim).filter(|line| line.starts_with("//"));
            comments.filter(|line| line.contains("engine::")).map(move |line| format!("{name}: {line}"))
        });
        comments.collect::<Vec<String>>()
    };
    let outside = comments_with(|name| !name.starts_with("engine/") && name != "model.rs");
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn rules_and_properties_know_no_checker_no_atomic_and_no_table() {
    let pure = |name: &str| ["rules/", "properties/"].iter().any(|folder| name.starts_with(folder));
    let banned = ["stateright", "Atomic", "Interner", "InternTables", "Memo<", "crate::model", "StateRef"];
    assert_eq!(lines_with(pure, &banned), Vec::<String>::new());
    assert!(!lines_with(|name| name.starts_with("engine/"), &banned).is_empty(), "it is looked for rightly");
}

/// More than three files, or files of two folders. A file belongs to the folder of its name.
fn is_too_large(circle: &[String]) -> bool {
    let folder = |file: &String| {
        let own = file.trim_end_matches(".rs");
        let is_above =
            circle.iter().any(|other| other.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')));
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        if is_above { own.to_string() } else { folder.to_string() }
    };
    circle.len() > 3 || circle.iter().map(folder).collect::<BTreeSet<_>>().len() > 1
}

#[test]
fn there_is_no_large_circle_of_files() {
    let sources_of = ["traces/src", "model/src", "impl/src", "checks/src"];
    let tests_of_traces_and_impl = ["traces/tests/dictionary", "impl/tests/pd", "impl/tests/store"];
    let tests = ["accept", "cli", "prose", "subject"].map(|test| format!("checks/tests/{test}"));
    let tests = tests_of_traces_and_impl.into_iter().chain(tests.iter().map(String::as_str));
    for folder in sources_of.into_iter().chain(tests) {
        let mut found = circles::circles(&sources(folder));
        found.retain(|circle| is_too_large(circle));
        assert_eq!(found, Vec::<Vec<String>>::new(), "{folder}");
    }
}

/// The library can be used without the program, so no other module names a command.
#[test]
fn nothing_but_the_program_names_a_command() {
    let (mut own, mut others) = (0, Vec::new());
    for (file, code) in sources("checks/src") {
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines.filter(|line| line.contains("cli::")) {
            match file.starts_with("cli/") {
                true => own += 1,
                false => others.push(format!("{file}: {}", line.trim())),
            }
        }
    }
    assert_eq!(others, ["main.rs: rollcall_checks::cli::run()"]);
    assert!(own > 0, "it is looked for rightly");
}

#[test]
fn a_large_circle_has_four_files_or_two_folders() {
    let circle = |files: &[&str]| files.iter().map(|file| (*file).to_string()).collect::<Vec<_>>();
    assert!(!is_too_large(&circle(&["a/b.rs", "a/c.rs", "a/d.rs"])));
    assert!(!is_too_large(&circle(&["a.rs", "a/c.rs"])));
    assert!(is_too_large(&circle(&["b.rs", "a/c.rs"])));
    assert!(is_too_large(&circle(&["a/b.rs", "a/c.rs", "a/d.rs", "a/e.rs"])));
}

#[test]
fn the_implementation_stands_in_layers() {
    let sources = sources("impl/src");
    // The lowest folders may only use the ones before them, and modules that all may use.
    let lowest = ["proto", "storage", "raft_rs"];
    for (at, folder) in lowest.iter().enumerate() {
        let mut named = BTreeSet::new();
        for (_, code) in sources.iter().filter(|(file, _)| file.starts_with(&format!("{folder}/"))) {
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let paths = lines.flat_map(|line| line.split("crate::").skip(1));
            named.extend(paths.map(|path| path.split("::").next().unwrap_or_default().to_string()));
        }
        let known = lowest[..=at].iter().chain(&["config", "error", "guard"]);
        let known: BTreeSet<String> = known.map(|module| (*module).to_string()).collect();
        let above: Vec<_> = named.difference(&known).collect();
        assert!(above.is_empty() && !named.is_empty(), "{folder} names what is above it: {above:?}");
    }
    // A lower floor uses nothing from a higher one.
    let floors: [&[&str]; 5] = [
        &["proto/region.rs", "proto/command.rs", "proto/message.rs", "error.rs", "guard.rs", "config.rs"],
        &["storage/engine.rs", "raft_rs/log.rs", "store/ranges.rs"],
        &["raft_rs/raft_storage.rs", "raft_rs/replica.rs"],
        &["peer/mod.rs", "apply/mod.rs", "peer/propose.rs"],
        &["store/mod.rs"],
    ];
    for (at, floor) in floors.iter().enumerate() {
        for above in floors[at + 1..].iter().flat_map(|above| above.iter()) {
            // A cycle through a higher file would show that a lower one reaches it.
            let mut joined = sources.clone();
            for (file, code) in &mut joined {
                if file == above {
                    floor.iter().for_each(|below| {
                        let module =
                            below.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
                        code.push_str(&format!("\nuse crate::{module}::X;"));
                    });
                }
            }
            let circles = circles::circles(&joined);
            let reached = circles.iter().find(|circle| circle.iter().any(|file| file == above));
            assert_eq!(reached, None, "{above} is reached from below");
        }
    }
}

#[test]
fn a_circle_is_found_through_trees_and_bare_paths() {
    let source = |file: &str, code: &str| (file.to_string(), code.to_string());
    let files = [
        source("a.rs", "use crate::{b::{self, B}, d::D};"),
        source("b.rs", "// use crate::d::D;\nfn f() -> crate::c::inner::C { super::d::g() }"),
        source("c/mod.rs", "pub use inner::C;\nmod inner;"),
        source("c/inner.rs", "use super::super::a::A;"),
        source("d.rs", "pub struct D;"),
    ];
    let expected = vec![vec!["a.rs".to_string(), "b.rs".to_string(), "c/inner.rs".to_string()]];
    assert_eq!(circles::circles(&files), expected);
    // A re-exported item counts for the file where it is defined, also when reached through an
    // imported module.
    let files = [
        source("a.rs", "use crate::c;\nfn f() { c::inner_one() }"),
        source("c/mod.rs", "mod inner;\npub(crate) use inner::inner_one;"),
        source("c/inner.rs", "pub(crate) fn inner_one() { crate::a::f() }"),
    ];
    assert_eq!(circles::circles(&files), [["a.rs".to_string(), "c/inner.rs".to_string()]]);
}
