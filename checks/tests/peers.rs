//! Cases from other projects' tests as scenarios, taken on the model and on the implementation.
//! Both must meet what the original authors assert. At the end both heal, or are stuck for the
//! reason that the file names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollcall_checks::judge::Judge;
use rollcall_checks::world::World;
use rollcall_impl::Sound;
use rollcall_model::properties::Property;
use rollcall_model::{GuardSet, ModelSubject};
use rollcall_traces::{Expect, Scenario, Sides, Subject, View, record_again, replay};

/// The least number of cases.
const AT_LEAST: usize = 179;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every scenario of the folder, by name.
fn scenarios() -> Vec<(String, Scenario)> {
    let entries = std::fs::read_dir(root().join("traces/scenarios/peers")).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        assert_eq!(path.extension().and_then(|is| is.to_str()), Some("jsonl"), "{}", path.display());
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, Scenario::read(&path).unwrap_or_else(|error| panic!("{error}")))
    };
    paths.into_iter().map(read).collect()
}

/// The expectation at its end: the file's last one, or that it heals.
fn end_of(name: &str, scenario: &Scenario, last: Option<&Expect>) -> Expect {
    match last.filter(|last| last.asks_to_heal()) {
        Some(last) => Expect { heals: last.heals, stuck: last.stuck.clone(), ..Expect::default() },
        None => {
            let stuck = scenario.expectations().any(|expect| !expect.stuck.is_empty());
            assert!(!stuck, "{name}: who is stuck on the way says at the end whether it still is");
            Expect { heals: true, ..Expect::default() }
        }
    }
}

#[test]
fn every_case_agrees_on_both_sides_and_heals() {
    let all = scenarios();
    assert!(all.len() >= AT_LEAST, "{} scenarios", all.len());
    let mut wrong = Vec::new();
    for (name, scenario) in &all {
        if let Err(words) = agrees(name, scenario) {
            wrong.push(format!("{name}: {words}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// Takes it on both sides and checks every property.
fn agrees(name: &str, scenario: &Scenario) -> Result<(), String> {
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let (trace, error) =
        scenario.taken_as_far(&mut model, Sides::TRACE_AND_MODEL).map_err(|error| error.to_string())?;
    error.map_or(Ok(()), |error| Err(error.to_string()))?;
    let end = end_of(name, scenario, trace.steps.last().and_then(|step| step.expect.as_ref()));
    let unhealed = |side: &str, subject: &dyn Fn() -> Option<rollcall_traces::Healed>| {
        let unmet = end.unhealed(subject().as_ref());
        let words: Vec<String> = unmet.iter().map(ToString::to_string).collect();
        if words.is_empty() { Ok(()) } else { Err(format!("at the end {side}: {}", words.join(", "))) }
    };
    unhealed("the model", &|| model.healed())?;
    let mut judge = Judge::new(Property::ALL);
    let recorded = record_again(&mut model, &trace, |view: &View, taken| judge.names(view, taken));
    let recorded = recorded.map_err(|error| error.to_string())?;
    if let Some(step) = recorded.steps.iter().find(|step| !step.violated.is_empty()) {
        return Err(format!("step {} violates {:?}", step.index, step.violated));
    }
    let mut world = World::new(Sound);
    replay(&mut world, &recorded, Sides::MODEL_AND_IMPL).map_err(|error| error.to_string())?;
    unhealed("the implementation", &|| world.healed())
}

#[test]
fn every_case_names_its_source_and_asserts_something() {
    for (name, scenario) in scenarios() {
        let source = &scenario.header.source;
        let known = ["tikv/tikv ", "tikv/pd ", "tikv/raft-rs ", "etcd-io/raft ", "databendlabs/openraft "];
        assert!(known.iter().any(|known| source.starts_with(known)), "{name}: {source}");
        // A file of etcd's or raft-rs's test data counts as one test.
        let parts = if source.contains(".txt") { 2 } else { 3 };
        assert!(source.split_whitespace().count() >= parts, "{name}: repository, file and test: {source}");
        assert!(scenario.expectations().next().is_some(), "{name}: nothing is expected");
        assert!(scenario.header.without.is_empty(), "{name}: by the sound rules");
    }
}

/// The names in the first column of the page's tables.
fn listed() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/peers.md")).expect("the page is there");
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(name).collect()
}

#[test]
fn every_case_is_in_the_table_once() {
    let listed = listed();
    let names: BTreeSet<String> = scenarios().into_iter().map(|(name, _)| name).collect();
    let as_set: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(as_set, names, "docs/peers.md lists what is under traces/scenarios/peers");
    assert_eq!(listed.len(), names.len(), "each of them once");
}
