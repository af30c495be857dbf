//! The published JSON Schema against every file of the repository, and against what the
//! reader refuses.

use std::path::{Path, PathBuf};

use rollcall_traces::{Scenario, schema};
use serde_json::Value as Json;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|is| is == "jsonl") {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_line_of_the_repository_is_valid() {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    let (mut lines, mut wrong) = (0, Vec::new());
    let mut look = |place: String, line: &str| {
        let json: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
        lines += 1;
        if !validator.is_valid(&json) {
            wrong.push(place);
        }
    };
    for file in files(&root().join("traces")) {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        for (line, number) in text.lines().zip(1..) {
            look(format!("{}:{number}", file.display()), line);
        }
    }
    let page = std::fs::read_to_string(root().join("docs/scenarios.md")).expect("the page");
    for (line, number) in page.lines().zip(1..).filter(|(line, _)| line.starts_with("{\"record\"")) {
        look(format!("docs/scenarios.md:{number}"), line);
    }
    assert!(wrong.is_empty(), "{} lines, {wrong:#?}", wrong.len());
    assert!(lines > 5_000, "{lines}");
}

/// What the reader takes for misspelt, the schema does.
#[test]
fn what_the_reader_refuses_is_not_valid() {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    let header = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"x","scope":{"name":"x","stores":[1,2],"regions":[{"id":1,"start":"","end":"","epoch":{"conf_ver":1,"version":1},"peers":[{"id":1,"store":1,"role":"voter"}]}]}}"#;
    let step =
        r#"{"record":"step","action":{"campaign":{"region":1,"store":1}},"expect":{"leader":{"1":1}}}"#;
    let is_valid = |line: &str| validator.is_valid(&serde_json::from_str(line).expect("JSON"));
    assert!(is_valid(header) && is_valid(step));
    for (line, is, wrong) in [
        (header, "\"scenario\":", "\"scenaro\":"),
        (header, "rollcall-trace/1", "rollcall-trace/2"),
        (header, "\"role\":\"voter\"", "\"role\":\"voter\",\"rol\":1"),
        (header, "\"start\":\"\"", "\"start\":\"6\""),
        (step, "expect", "expects"),
        (step, "campaign", "campain"),
        (step, "\"store\":1", "\"stores\":1"),
        (step, "\"leader\"", "\"leaders\""),
        (step, "\"record\":\"step\"", "\"record\":\"steps\""),
    ] {
        let line = line.replace(is, wrong);
        assert!(!is_valid(&line), "{line}");
        let text = if line.contains("\"header\"") {
            format!("{line}\n{step}\n")
        } else {
            format!("{header}\n{line}\n")
        };
        assert!(Scenario::parse("wrong.jsonl", &text).is_err(), "{line}");
    }
}
