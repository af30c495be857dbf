//! Each guard is consulted at one place of the rules, and what happens without it is a function in
//! `unsound` whose comment names the guard.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rollcall_model::Guard;

/// The guards that are consulted at two places, and why.
const ASKED_TWICE: &[(Guard, &str)] = &[
    (
        Guard::ChangeWaitsForOwnElection,
        "raft-rs takes a change for pending from the election on, and TiKV asks whether its own \
         election is applied: the incident had neither",
    ),
    (
        Guard::SplitIdsFitMembers,
        "a store proposes PD's ids under the epoch of its question, and counts them: the incident \
         did neither",
    ),
    (Guard::ForceKeepsWhatIsCommitted, "PD chooses who has it, and the store refuses to lead without it"),
];

/// The sources below `folder` of this crate, each with its path.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)];
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(path.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.push((path, text.split("#[cfg(test)]").next().unwrap_or_default().to_string()));
        }
    }
    assert!(!found.is_empty(), "nothing below {folder}");
    found
}

/// Where each guard is consulted: file and line.
fn places() -> BTreeMap<String, Vec<String>> {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in ["rules", "unsound"].into_iter().flat_map(sources) {
        for (number, line) in text.lines().enumerate() {
            for asked in line.split("holds(Guard::").skip(1) {
                let name: String = asked.chars().take_while(|letter| letter.is_alphanumeric()).collect();
                places.entry(name).or_default().push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    places
}

#[test]
fn every_guard_is_asked_at_one_place() {
    let places = places();
    for guard in Guard::ALL {
        let expected = if ASKED_TWICE.iter().any(|(of, _)| of == guard) { 2 } else { 1 };
        let at = places.get(&format!("{guard:?}")).cloned().unwrap_or_default();
        assert_eq!(at.len(), expected, "{guard} is asked at {at:?}");
    }
    assert_eq!(places.len(), Guard::ALL.len(), "something else is asked for");
}

#[test]
fn functions_of_unsound_check_no_guard_and_name_theirs() {
    let mut functions = 0;
    for (path, text) in sources("unsound") {
        assert!(!text.contains("holds("), "{}: the rule asks for its guard", path.display());
        let mut comment = String::new();
        for line in text.lines() {
            if let Some(words) = line.strip_prefix("///") {
                comment += words;
            } else if line.starts_with("pub(crate) fn") {
                let names = comment.split('`').skip(1).step_by(2);
                let named = names.filter(|name| Guard::from_name(name).is_some()).count();
                assert!(named > 0 && comment.contains("ithout `"), "{}: {line}", path.display());
                functions += 1;
                comment.clear();
            } else {
                comment.clear();
            }
        }
    }
    assert!(functions > 30, "the functions are looked for rightly");
}
