//! A right adapter: raft-rs behind the wire behaves as raft-rs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};

use libtest_mimic::{Failed, Trial};
use rollcall_checks::conformance::{Conformance, TourOptions};
use rollcall_checks::subject::selftest::{SITUATIONS, Verdict, look};
use rollcall_checks::subject::{self, Link, replay_on, sides, world};
use rollcall_checks::verify::{Watch, explore};
use rollcall_model::{GuardSet, ModelSubject, scopes};
use rollcall_traces::{
    Action, Change, ChangeKind, Command, Header, Key, Reply, Scenario, Sides, Trace, record_again,
};

use crate::adapter::Wrong;
use crate::recipe::recipe;

/// A trace of the repository; for a scenario, the model's record of it.
pub(crate) fn kept(name: &str) -> Result<Trace, Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces").join(name);
    let scenario = Scenario::read(&path)?;
    if let Some(trace) = scenario.recorded() {
        return Ok(trace.clone());
    }
    let mut model = ModelSubject::new(GuardSet::ALL, &[]);
    let (stated, error) = scenario.taken_as_far(&mut model, Sides::TRACE_AND_MODEL)?;
    if let Some(error) = error {
        return Err(error.to_string().into());
    }
    Ok(record_again(&mut model, &stated, |_, _| Vec::new())?)
}

const REPLAYED: &[&str] = &[
    "scenarios/basic-conf-change.jsonl",
    "scenarios/conf-change-remove-leader.jsonl",
    "scenarios/one-split.jsonl",
    "scenarios/split-in-joint-state.jsonl",
    "golden/split_spares_a_later_life.jsonl",
];

pub(crate) fn trials() -> Vec<Trial> {
    let replayed = REPLAYED.iter().map(|name| {
        let situation = name.replace(['/', '-'], "_").replace(".jsonl", "");
        Trial::test(format!("right_adapter_agrees_on_{situation}"), move || agrees_on(name))
    });
    let others = [
        Trial::test("right_adapter_passes_its_self_test", passes),
        Trial::test("commit_that_comes_with_nothing_else_is_taken", learns),
        Trial::test("self_test_skips_what_is_not_there", skips),
        Trial::test("tour_agrees_on_every_transition_and_probe", toured),
        Trial::test("tour_finds_a_raft_that_is_wrong", found),
    ];
    replayed.chain(others).collect()
}

fn link(wrong: Wrong) -> Result<Link, Failed> {
    Link::connect(&recipe(wrong)).map_err(|fault| fault.to_string().into())
}

fn agrees_on(name: &str) -> Result<(), Failed> {
    let (link, trace) = (link(Wrong::Nothing)?, kept(name)?);
    let replayed = replay_on(&mut world(&link), &trace, sides("trace", &link))?;
    if replayed.steps as usize == trace.steps.len() && replayed.views as usize >= trace.steps.len() {
        return Ok(());
    }
    Err(format!("{replayed:?}").into())
}

/// A candidate learns of a commit from a rejected vote, when nothing else is ready.
fn learns() -> Result<(), Failed> {
    let plan = scopes::named("joins_again_with_the_same_id_smoke").ok_or("there is such a scope")?;
    let (entries, reply) = (plan.scope.rounds[0], Reply::Delivered);
    let propose = |command| Action::Propose { region: 1, store: 1, command, epoch: None };
    let way = [
        propose(Command::Put { key: Key::from("k"), value: Key::from("a") }),
        Action::Replicate { region: 1, leader: 1, follower: 2, entries, reply },
        propose(Command::ChangePeer(Change { kind: ChangeKind::Remove, peer: 3, store: 3 })),
        Action::Campaign { region: 1, store: 2 },
        Action::Vote { region: 1, candidate: 2, voter: 1, reply },
    ];
    let stated = Trace::scenario(Header::new(plan.scope), way);
    let trace = record_again(&mut ModelSubject::new(GuardSet::ALL, &[]), &stated, |_, _| Vec::new())?;
    let link = link(Wrong::Nothing)?;
    let replayed = replay_on(&mut world(&link), &trace, sides("model", &link))?;
    if (replayed.steps, replayed.views) == (5, 6) { Ok(()) } else { Err(format!("{replayed:?}").into()) }
}

fn passes() -> Result<(), Failed> {
    let link = link(Wrong::Nothing)?;
    for situation in SITUATIONS {
        match look(&link, situation) {
            Verdict::Fine => {}
            other => return Err(format!("{}: {other:?}", situation.name).into()),
        }
    }
    Ok(())
}

fn skips() -> Result<(), Failed> {
    let link = link(Wrong::NoLearners)?;
    let skipped =
        SITUATIONS.iter().filter(|situation| look(&link, situation) == Verdict::Skipped("learners"));
    let names: Vec<&str> = skipped.map(|situation| situation.name).collect();
    if names == ["change"] { Ok(()) } else { Err(format!("{names:?}").into()) }
}

fn tour(wrong: Wrong) -> Result<Conformance, Failed> {
    let plan = scopes::named("two_voters_to_one_smoke").ok_or("there is such a scope")?;
    let model = plan.model(GuardSet::ALL)?;
    let explored = explore(&model, 1, &Watch::default())?;
    let (interrupt, covered) = (AtomicBool::new(false), AtomicU64::new(0));
    let toured =
        subject::tour(&recipe(wrong), TourOptions::with_threads(1), &model, &explored, &interrupt, &covered);
    toured.map_err(|fault| fault.to_string().into())
}

fn toured() -> Result<(), Failed> {
    let toured = tour(Wrong::Nothing)?;
    if let Some(divergence) = toured.divergence {
        return Err(divergence.to_string().into());
    }
    if toured.finished && toured.transitions == 1_928 && toured.refusals > 80_000 {
        return Ok(());
    }
    Err(format!("{toured:?}").into())
}

/// A leader that commits what it alone has.
fn found() -> Result<(), Failed> {
    let toured = tour(Wrong::CommitsAlone)?;
    let divergence = toured.divergence.ok_or("nobody notices")?;
    let shown = divergence.to_string();
    let is_shown = shown.contains("commit") && shown.contains("raft-rs by wire");
    if is_shown && divergence.step <= 3 { Ok(()) } else { Err(shown.into()) }
}
