//! Each thing that can be wrong with a file, and that its place is named.

mod pd;
mod unknown_fields;

use rollcall_traces::*;

use crate::toy;

fn header() -> String {
    let header = Header::new(toy::scope("broken", &[1, 2]));
    let trace = Trace { header, steps: Vec::new(), verdict: None };
    trace.to_text().expect("a header is small").trim_end().to_owned()
}

const CRASH: &str = r#"{"record":"step","index":1,"action":{"crash":{"store":1}}}"#;

/// Reads the lines, expects a fault and returns it with its line and column.
fn fault(lines: &[&str]) -> (TraceError, u64, u64) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    fault_of(&text)
}

fn fault_of(text: &str) -> (TraceError, u64, u64) {
    let error = Trace::parse("broken.jsonl", text).expect_err("it is broken");
    let place = error.position().expect("a reader knows the place").clone();
    assert!(
        error.to_string().starts_with(&format!("broken.jsonl:{}:{}: ", place.line, place.column)),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'), "one line each: {error}");
    (error, place.line, place.column)
}

/// The column, from 1, at which `part` begins in `line`.
fn column(line: &str, part: &str) -> u64 {
    line.find(part).expect("the part is there") as u64 + 1
}

#[test]
fn empty_file() {
    assert!(matches!(fault(&[]), (TraceError::Empty { .. }, 1, 1)));
    assert!(matches!(fault(&["", "  "]), (TraceError::Empty { .. }, 1, 1)));
}

#[test]
fn not_json() {
    assert!(matches!(fault(&["what is this"]), (TraceError::NotJson { .. }, 1, 1)));
    let (error, line, at) = fault(&[&header(), r#"{"record":"step",index:1}"#]);
    assert!(matches!(error, TraceError::NotJson { .. }), "{error}");
    assert_eq!((line, at), (2, 18), "{error}");
    // A record that is broken over lines was not cut: the file goes on.
    let (error, line, _) = fault(&[&header(), "{", "}"]);
    assert!(matches!(error, TraceError::NotJson { .. }), "{error}");
    assert_eq!(line, 2);
}

#[test]
fn not_text() {
    let mut bytes = header().into_bytes();
    bytes.extend(b"\n{\"record\":\"\xff\"}\n");
    let mut reader = Reader::new(bytes.as_slice(), "broken.jsonl").expect("the header is fine");
    let error = reader.next().expect("a second line").expect_err("it is no UTF-8");
    assert!(matches!(error, TraceError::NotJson { .. }), "{error}");
    assert_eq!(error.position().map(|place| place.line), Some(2));
}

#[test]
fn cut_short_at_every_byte() {
    let mut trace = Trace::scenario(Header::new(toy::scope("broken", &[1, 2])), [toy::put(1, "a", "b")]);
    trace = record_again(&mut toy::Toy::default(), &trace, |_, _| Vec::new()).expect("the toy has no setup");
    let text = trace.to_text().expect("numbers are small enough");
    let last = text.len() - 1;
    for end in 0..last {
        let error = Trace::parse("cut.jsonl", &text[..end]).expect_err("it is cut short");
        let place = error.position().expect("a reader knows the place");
        let lines = text[..end].matches('\n').count() as u64;
        let between = text[..end].ends_with('\n') || text.as_bytes()[end] == b'\n';
        match error {
            TraceError::Empty { .. } => assert_eq!(end, 0),
            TraceError::CutShort { .. } if between => assert!(place.line >= lines),
            TraceError::CutShort { .. } => {
                let begin = text[..end].rfind('\n').map_or(0, |at| at + 1);
                assert_eq!((place.line, place.column), (lines + 1, (end - begin) as u64), "cut at {end}");
            }
            other => panic!("cut at {end}: {other}"),
        }
    }
    // Only the last line feed is missing: nothing is lost.
    assert_eq!(Trace::parse("cut.jsonl", &text[..last]).expect("complete"), trace);
}

#[test]
fn wrong_schema() {
    let good = header();
    for (version, readable) in [
        ("rollcall-trace/1", true),
        ("rollcall-trace/1.0", true),
        ("rollcall-trace/1.7", true),
        ("rollcall-trace/2", false),
        ("rollcall-trace/11", false),
        ("rollcall-trace/1.", false),
        ("rollcall-trace/1.x", false),
        ("other/1", false),
    ] {
        let line = good.replace("rollcall-trace/1", version);
        match Trace::parse("v.jsonl", &line) {
            Ok(_) => assert!(readable, "{version} is read"),
            Err(error) => {
                assert!(!readable, "{version}: {error}");
                assert!(matches!(error, TraceError::WrongSchema { .. }), "{error}");
                let column = column(&line, &format!("\"{version}\""));
                assert_eq!(
                    error.position().unwrap(),
                    &FilePosition { file: "v.jsonl".into(), line: 1, column }
                );
            }
        }
    }
    let (error, 1, 1) = fault(&[r#"{"record":"header"}"#]) else { panic!("line 1, column 1") };
    assert!(error.to_string().contains("not given"), "{error}");
}

#[test]
fn no_header_or_two() {
    let (error, 1, 1) = fault(&[CRASH]) else { panic!("line 1, column 1") };
    assert!(matches!(error, TraceError::NoHeader { found, .. } if found == "step"));
    let (error, 3, 1) = fault(&[&header(), CRASH, &header()]) else { panic!("line 3, column 1") };
    assert!(matches!(error, TraceError::HeaderTwice { .. }));
}

#[test]
fn steps_out_of_order() {
    let third = CRASH.replace(r#""index":1"#, r#""index":3"#);
    let (error, line, at) = fault(&[&header(), CRASH, &third]);
    assert!(matches!(error, TraceError::StepOutOfOrder { expected: 2, found: 3, .. }), "{error}");
    assert_eq!((line, at), (3, column(&third, "3,")));
    assert!(matches!(
        fault(&[&header(), CRASH, CRASH]).0,
        TraceError::StepOutOfOrder { expected: 2, found: 1, .. }
    ));
}

#[test]
fn unknown_stores() {
    let unknown = |line: &str, part: &str| {
        let (error, number, at) = fault(&[&header(), line]);
        assert!(matches!(error, TraceError::UnknownStore { store: 7, .. }), "{error}");
        assert_eq!((number, at), (2, column(line, part)), "{error}");
    };
    unknown(&CRASH.replace(r#""store":1"#, r#""store":7"#), r#"{"crash""#);
    unknown(
        r#"{"record":"step","index":1,"action":{"propose":{"region":1,"store":1,"command":{"change_peer":{"kind":"add_voter","peer":9,"store":7}}}}}"#,
        r#"{"propose""#,
    );
    unknown(
        r#"{"record":"step","index":1,"action":{"crash":{"store":1}},"expect":{"data":{"7":{"61":null}}}}"#,
        r#"{"data""#,
    );
    let line = header().replace(r#""rounds""#, r#""setup":[{"crash":{"store":7}}],"rounds""#);
    let (error, 1, at) = fault(&[&line]) else { panic!("line 1") };
    assert!(matches!(error, TraceError::UnknownStore { store: 7, .. }), "{error}");
    assert_eq!(at, column(&line, r#"[{"crash""#));
}

#[test]
fn scopes_that_cannot_be_begun() {
    let line = header().replace(r#""stores":[1,2]"#, r#""stores":[1]"#);
    let (error, 1, at) = fault(&[&line]) else { panic!("line 1") };
    assert!(matches!(error, TraceError::BadScope { source: ScopeError::UnknownStore { .. }, .. }), "{error}");
    assert_eq!(at, column(&line, r#"{"name""#));
}

#[test]
fn ids_and_ranges_that_no_region_has() {
    let malformed = |line: &str, words: &str| {
        let (error, number, at) = fault(&[line]);
        assert!(
            matches!(error, TraceError::BadScope { source: ScopeError::Malformed { .. }, .. }),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((number, at), (1, column(line, r#"{"name""#)));
    };
    malformed(&header().replacen(r#"{"id":1,"store":1"#, r#"{"id":0,"store":1"#, 1), "ids begin at 1");
    malformed(
        &header().replacen(r#""start":"""#, r#""start":"62""#, 1).replacen(r#""end":"""#, r#""end":"61""#, 1),
        "ends before",
    );
    let twice = |id: u64| {
        let line = header();
        let begin = line.find(r#""regions":["#).expect("regions") + 11;
        let end = begin + line[begin..].find("]}]").expect("the last peer") + 2;
        let other = line[begin..end].replacen(r#"{"id":1"#, &format!(r#"{{"id":{id}"#), 1);
        format!("{},{other}{}", &line[..end], &line[end..])
    };
    malformed(&twice(1), "a region is named twice");
    malformed(&twice(2), "regions 1 and 2 overlap");
}

#[test]
fn a_disk_that_hangs_of_no_store() {
    let fine = Scope { apply_stalled: vec![1], ..toy::scope("broken", &[1, 2]) };
    assert_eq!(fine.validate(), Ok(()));
    for (apply_stalled, words) in [
        (vec![1, 7], "`apply_stalled` names store 7, which is not among the stores"),
        (vec![1, 2, 1], "`apply_stalled` names a store twice"),
    ] {
        let error = Scope { apply_stalled, ..fine.clone() }.validate().expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn commit_indexes_that_are_lost_of_several_regions() {
    let fine = Scope { unsynced_commits: true, ..toy::scope("broken", &[1, 2]) };
    assert_eq!(fine.validate(), Ok(()));
    let several = Scope { next_id: 100, ..fine }.validate().expect_err("PD gives ids to others");
    assert!(several.to_string().contains("`unsynced_commits` is for one region"), "{several}");
}

#[test]
fn late_persistence_of_what_no_rule_covers() {
    let fine = Scope { late_persistence: true, ..toy::scope("broken", &[1, 2]) };
    assert_eq!(fine.validate(), Ok(()));
    let reads = Budgets { reads: 1, ..Budgets::default() };
    for broken in [
        Scope { budgets: reads, ..fine.clone() },
        Scope { next_id: 100, ..fine.clone() },
        Scope { unsynced_commits: true, ..fine },
    ] {
        let error = broken.validate().expect_err("no rule says what waits");
        assert!(error.to_string().contains("`late_persistence` is for one region"), "{error}");
    }
}

#[test]
fn a_peer_id_that_raft_takes_for_nobody() {
    let change = r#"{"kind":"add_voter","peer":0,"store":1}"#;
    for command in
        [format!(r#"{{"change_peer":{change}}}"#), format!(r#"{{"enter_joint":{{"changes":[{change}]}}}}"#)]
    {
        let action = format!(r#"{{"propose":{{"region":1,"store":1,"command":{command}}}}}"#);
        let line = format!(r#"{{"record":"step","index":1,"action":{action}}}"#);
        let (error, number, at) = fault(&[&header(), &line]);
        assert!(error.to_string().contains("a peer id is 0"), "{error}");
        assert_eq!((number, at), (2, column(&line, r#"{"propose""#)));
    }
}

#[test]
fn ids_of_a_split_that_nobody_has() {
    let split = |region: u64, peer: u64| {
        let child = format!(r#"{{"key":"6d","region":{region},"peers":[11,{peer}]}}"#);
        let command = format!(r#"{{"split":{{"children":[{child}],"derive":"left"}}}}"#);
        let action = format!(r#"{{"propose":{{"region":1,"store":1,"command":{command}}}}}"#);
        format!(r#"{{"record":"step","index":1,"action":{action}}}"#)
    };
    for (line, words) in [(split(0, 12), "a region id is 0"), (split(10, 0), "a peer id is 0")] {
        let (error, number, at) = fault(&[&header(), &line]);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((number, at), (2, column(&line, r#"{"propose""#)));
    }
    let fine = format!("{}\n{}\n", header(), split(10, 12));
    assert_eq!(Trace::parse("fine.jsonl", &fine).expect("these ids may be").steps.len(), 1);
}

#[test]
fn splits_that_no_leader_may_ask_for() {
    let split = |keys: &[&str]| SplitKeys {
        keys: keys.iter().map(|key| Key::from(*key)).collect(),
        derive: Derive::Right,
    };
    let scope = |next_id, splits| Scope { next_id, splits, ..toy::scope("broken", &[1, 2]) };
    let add = |peer| Command::ChangePeer(Change { kind: ChangeKind::AddVoter, peer, store: 3 });
    let adding = |next_id, peer| Scope { commands: vec![add(peer)], ..scope(next_id, Vec::new()) };
    for (scope, words) in [
        (scope(2, Vec::new()), "allots ids from 2 on, but 2 is in use"),
        (adding(4, 4), "allots ids from 4 on, but 4 is in use"),
        (scope(10, vec![split(&["m"]), split(&[])]), "has no key"),
        (scope(10, vec![split(&["", "m"])]), "key is empty"),
        (scope(10, vec![split(&["m", "g"])]), "split key g is not after m"),
        (scope(10, vec![split(&["m", "m"])]), "split key m is not after m"),
    ] {
        let error = scope.validate().expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
    for fine in [scope(0, vec![split(&["m"])]), scope(3, vec![split(&["g", "m"])]), adding(5, 4)] {
        assert_eq!(fine.validate(), Ok(()));
    }
}

#[test]
fn commands_for_a_child_that_name_an_unknown_store() {
    let command = r#""child_commands":[{"region":10,"command":{"change_peer":{"kind":"remove","peer":13,"store":7}}}],"rounds""#;
    let line = header().replace(r#""rounds""#, command);
    assert!(matches!(fault(&[&line]).0, TraceError::UnknownStore { store: 7, .. }));
}

#[test]
fn records_that_are_none() {
    let malformed = |line: &str, words: &str| {
        let (error, number, at) = fault(&[&header(), line]);
        assert!(matches!(error, TraceError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(number, 2);
        at
    };
    assert_eq!(malformed("[1]", "JSON object"), 1);
    malformed("7", "JSON object");
    malformed("{}", "missing field `record`");
    let line = CRASH.replace("crash", "crush");
    assert_eq!(
        malformed(&line, "there is no name `crush` here; did you mean `crash`?"),
        column(&line, "crush") + 5
    );
    let line = CRASH.replace("\"step\"", "\"stpe\"");
    assert_eq!(malformed(&line, "no record `stpe`"), column(&line, "\"stpe\""));
    malformed(r#"{"record":"step","index":1}"#, "missing field `action`");
    malformed(&CRASH.replace(r#""store":1"#, r#""store":-1"#), "invalid value");
    malformed(&CRASH.replace(r#""store":1"#, r#""store":1.5"#), "invalid type");
    malformed(r#"{"record":"verdict","result":"holds","at":1}"#, "step that does not exist");
}

#[test]
fn keys_that_are_not_hex() {
    let expect = |key: &str| {
        let line = CRASH.replace("}}}", &format!(r#"}}}},"expect":{{"data":{{"1":{{"{key}":null}}}}}}}}"#));
        fault(&[&header(), &line]).0.to_string()
    };
    assert!(expect("616").contains("odd number of hex digits"));
    assert!(expect("6g").contains("not hex"));
}

#[test]
fn numbers_that_floating_point_would_round() {
    let step = |number: &str| format!(r#"{{"record":"step","x":{number},{}"#, &CRASH[17..]);
    for number in ["9007199254740992", "18446744073709551616", "1e16", "-9007199254740993"] {
        let line = step(number);
        let (error, 2, at) = fault(&[&header(), &line]) else { panic!("line 2") };
        assert!(matches!(error, TraceError::NumberTooLarge { .. }), "{error}");
        assert_eq!(at, column(&line, number));
    }
    let newer = header().replace("rollcall-trace/1", "rollcall-trace/1.1");
    for number in ["9007199254740991", "1.5", "-1", r#""9007199254740992""#, r#""\"9007199254740992""#] {
        let text = format!("{newer}\n{}\n", step(number));
        Trace::parse("fine.jsonl", &text).unwrap_or_else(|error| panic!("{number}: {error}"));
    }
}

#[test]
fn behind_the_verdict() {
    let verdict = r#"{"record":"verdict","result":"holds"}"#;
    let (error, 3, 1) = fault(&[&header(), verdict, verdict]) else { panic!("line 3, column 1") };
    assert!(matches!(error, TraceError::BehindVerdict { .. }), "{error}");
}

#[test]
fn what_a_newer_minor_version_adds_is_ignored() {
    let newer = header()
        .replace("rollcall-trace/1", "rollcall-trace/1.1")
        .replace(r#""scenario""#, r#""new":{"deep":[1]},"scenario""#);
    let text = format!("{newer}\n{{\"record\":\"remark\",\"x\":1}}\n{CRASH}\n");
    assert_eq!(Trace::parse("newer.jsonl", &text).expect("minor versions are read").steps.len(), 1);
}

#[test]
fn reading_ends_at_the_first_fault() {
    let text = format!("{}\nnonsense\n{CRASH}\n", header());
    let mut reader = Reader::new(text.as_bytes(), "broken.jsonl").expect("the header is fine");
    assert!(reader.next().is_some_and(|record| record.is_err()));
    assert!(reader.next().is_none());
}

#[test]
fn a_file_that_is_not_there() {
    let error = Reader::open(std::path::Path::new("no/such/trace.jsonl")).expect_err("it is not there");
    assert!(error.to_string().starts_with("no/such/trace.jsonl:1:1: cannot be read"), "{error}");
}
