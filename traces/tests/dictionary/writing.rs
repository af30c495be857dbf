//! A trace file is there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use rollcall_traces::*;

use crate::toy::{Toy, put, scope};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn header() -> Header {
    Header::new(scope("toy", &[1]))
}

#[test]
fn nothing_is_left_of_a_writer_that_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let mut writer = FileWriter::create(&path, &header()).unwrap();
    assert_eq!(names(folder.path()), ["trace.jsonl.tmp"]);
    writer.step(&Step::new(1, put(1, "a", "b"))).unwrap();
    drop(writer);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_was_there_stays_until_the_new_one_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    fs::write(&path, "the old one").unwrap();
    let writer = FileWriter::create(&path, &header()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "the old one");
    writer.finish(Some(&Verdict::HOLDS)).unwrap();
    assert_eq!(names(folder.path()), ["trace.jsonl"]);
    assert_eq!(Trace::read(&path).unwrap().verdict, Some(Verdict::HOLDS));
}

#[test]
fn a_target_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/trace.jsonl");
    let error = FileWriter::create(&missing, &header()).expect_err("the folder is not there");
    assert!(matches!(error, TraceError::Unwritable { .. }), "{error}");
    assert!(error.to_string().contains("missing/trace.jsonl"), "{error}");
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    FileWriter::create(&taken, &header()).expect_err("it is a folder");
    assert_eq!(names(folder.path()), ["taken"]);
}

#[test]
fn a_number_that_is_too_large_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let mut writer = FileWriter::create(&path, &header()).unwrap();
    let error = writer
        .step(&Step::new(1, Action::Campaign { region: NUMBER_LIMIT, store: 1 }))
        .expect_err("a reader would refuse it");
    assert!(matches!(&error, TraceError::NumberTooLarge { at, .. } if at.line == 2), "{error}");
    drop(writer);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_disk_that_fills_up_is_an_error() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let trace = record(&mut Toy::default(), &scope("toy", &[1]), [put(1, "a", "b")]).unwrap();
    let needed = trace.to_text().unwrap().len();
    for room in [0, needed - 1, needed] {
        let written = Writer::new(Full(room), "full.jsonl", &trace.header).and_then(|mut writer| {
            writer.step(&trace.steps[0])?;
            writer.finish(trace.verdict.as_ref())
        });
        assert_eq!(written.is_ok(), room == needed);
    }
}

#[test]
#[should_panic(expected = "steps are written one by one")]
fn steps_are_written_in_order() {
    let mut writer = Writer::new(Vec::new(), "memory", &header()).unwrap();
    let _ = writer.step(&Step::new(2, put(1, "a", "b")));
}
