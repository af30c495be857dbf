//! Every scenario file can be read and says what it is. That it can be taken,
//! and what it then shows, is checked where there is something to take it on.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_traces::Scenario;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn every_scenario_is_complete() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    assert!(files.len() >= 4, "scenarios are missing: {files:?}");
    for path in files {
        let trace = Scenario::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().and_then(|name| name.to_str());
        assert_eq!(name, Some(trace.header.scenario.as_str()), "named as its file");
        assert_eq!(name, Some(trace.header.scope.name.as_str()), "and so is its scope");
        let header = &trace.header;
        assert!(!header.title.is_empty() && !header.source.is_empty(), "{}: for people", path.display());
        assert!(!trace.is_empty(), "{}: no steps", path.display());
        assert!(trace.verdict.is_none(), "{}: a scenario is not judged", path.display());
        let museum = path.parent().is_some_and(|folder| folder.ends_with("museum"));
        assert_eq!(museum, !header.without.is_empty(), "{}: museum or not", path.display());
        assert!(museum || trace.checks() > 0, "{}: nothing is checked", path.display());
    }
}
