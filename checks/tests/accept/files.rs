//! Run files: what was written can be read, and a broken file is an error.

use rollcall_traces::{Run, TraceError};

use super::{RUN, SEED, SPLIT, recorded};

#[test]
fn a_run_is_the_same_from_the_same_seed_and_through_its_file() {
    let twice = recorded("conf-change-snapshot-unreliable-recover", SEED).run;
    assert_eq!(*RUN, twice);
    for run in [&*RUN, &*SPLIT] {
        let text = run.to_text().expect("small numbers");
        assert_eq!(Run::parse("run.jsonl", &text).expect("what was written can be read"), *run);
    }
    let other = recorded("conf-change-snapshot-unreliable-recover", SEED + 1).run;
    assert_ne!(RUN.events, other.events);
}

#[test]
fn a_run_that_is_cut_short_is_an_error() {
    let text = RUN.to_text().expect("small numbers");
    let lines: Vec<&str> = text.lines().collect();
    let without_end = lines[..lines.len() - 1].join("\n") + "\n";
    let error = Run::parse("run.jsonl", &without_end).expect_err("it has no end");
    assert!(matches!(error, TraceError::CutShort { .. }), "{error}");
    let within_a_line = &text[..text.len() / 2];
    let error = Run::parse("run.jsonl", within_a_line).expect_err("it ends within a line");
    assert!(matches!(error, TraceError::CutShort { .. }), "{error}");
    let mut missing = lines.clone();
    missing.remove(7);
    let error = Run::parse("run.jsonl", &missing.join("\n")).expect_err("an event is missing");
    assert_eq!(error.position().map(|place| place.line), Some(8), "{error}");
}

#[test]
fn a_foreign_file_is_an_error() {
    let trace = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"s"}"#;
    let error = Run::parse("trace.jsonl", trace).expect_err("it is a trace");
    let words = "trace.jsonl:1:29: schema is `rollcall-trace/1`, and this reads `rollcall-run/1`; \
                 it is a trace: `rollcall replay` takes it on the implementation";
    assert_eq!(error.to_string(), words);
    assert!(Run::parse("empty.jsonl", "").is_err());
    assert!(Run::parse("words.jsonl", "once upon a time\n").is_err());
}

#[test]
fn a_store_that_the_scope_does_not_have_is_an_error() {
    let text = RUN.to_text().expect("small numbers");
    let foreign = text.replacen(r#""store":5"#, r#""store":9"#, 3);
    assert!(Run::parse("run.jsonl", &foreign).is_err());
}
