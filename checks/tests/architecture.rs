//! Who may depend on whom: traces on nothing of ours, model on traces, impl on
//! nothing of ours, checks on all three.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

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
