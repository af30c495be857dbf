//! Who may depend on whom: traces on nothing of ours, model on traces, impl on
//! nothing of ours, checks on all three.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

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
        ("rollcall-loom".to_string(), set(&[])),
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

#[test]
fn nothing_else_stands_at_the_top() {
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

/// The sources of the model, by path within `model/src`, without their tests.
fn model_sources() -> Vec<(String, String)> {
    let root = MetadataCommand::new().no_deps().exec().expect("cargo metadata").workspace_root;
    let root = root.join("model/src").into_std_path_buf();
    let files: Vec<(String, String)> = walk::files(&root, "rs")
        .into_iter()
        .filter(|path| !path.to_string_lossy().ends_with("tests.rs"))
        .map(|path| {
            let name = path.strip_prefix(&root).expect("within it").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a source");
            (name, text.split("#[cfg(test)]").next().unwrap_or_default().to_string())
        })
        .collect();
    assert!(files.len() > 50, "the model has more files than {}", files.len());
    files
}

/// The lines of code in files `of` the model in which a word of `banned` stands.
fn lines_with(of: impl Fn(&str) -> bool, banned: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, code) in model_sources().iter().filter(|(name, _)| of(name)) {
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = lines.filter(|line| banned.iter().any(|word| line.contains(word)));
        found.extend(named.map(|line| format!("{name}: {}", line.trim())));
    }
    found
}

#[test]
fn the_engine_stands_behind_one_file() {
    let outside = |name: &str| !name.starts_with("engine/") && name != "model.rs" && name != "lib.rs";
    assert_eq!(lines_with(outside, &["crate::engine", "engine::"]), Vec::<String>::new());
    assert!(
        !lines_with(|name| name == "model.rs", &["crate::engine"]).is_empty(),
        "it is looked for rightly"
    );
}

#[test]
fn rules_and_properties_know_no_checker_no_atomic_and_no_table() {
    let pure = |name: &str| ["rules/", "properties/"].iter().any(|folder| name.starts_with(folder));
    let banned = ["stateright", "Atomic", "Interner", "InternTables", "Memo<", "crate::model", "StateRef"];
    assert_eq!(lines_with(pure, &banned), Vec::<String>::new());
    assert!(!lines_with(|name| name.starts_with("engine/"), &banned).is_empty(), "it is looked for rightly");
}
