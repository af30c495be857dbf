//! The schedules, and what they must show.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::{env, mem};

use rollcall_checks::accept::accept;
use rollcall_checks::recorder::Recorder;
use rollcall_traces::{
    Command, Epoch, Event, Happening, Key, Member, MemberRole, PeerState, Region, Run, Scope,
};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::plan::{NEXT_ID, Plan, STORES};

/// Draws this seed alone.
const SEED: &str = "ROLLCALL_SHUTTLE_SEED";
/// Draws that many seeds instead of a few.
const SEEDS: &str = "ROLLCALL_SHUTTLE_SEEDS";
/// Writes the run of a schedule that fails there, for `rollcall show` and `rollcall accept`.
const OUT: &str = "ROLLCALL_SHUTTLE_OUT";
/// How many seeds each scheduler gets by default.
const FEW: u64 = 20;

/// How many of its last events a failed schedule lists.
const LISTED: usize = 12;

/// A course of events, as one of the mutants takes it.
type Course = fn(&Plan, Arc<Recorder>);

/// How schedules are drawn.
#[derive(Clone, Copy, Debug)]
enum Draws {
    /// The next thread is drawn at every step.
    Random,
    /// Threads have drawn priorities, which change a few times (probabilistic concurrency testing).
    Pct,
}

/// What one schedule has shown.
struct Found {
    run: Run,
    /// How many steps its crashes took back.
    taken_back: usize,
}

fn scope() -> Scope {
    let voter = |id: u64| Member { id, store: id, role: MemberRole::Voter };
    let region = Region {
        id: 1,
        start: Key::empty(),
        end: Key::empty(),
        epoch: Epoch { conf_ver: 1, version: 1 },
        peers: STORES.map(voter).to_vec(),
    };
    Scope {
        question: "does the model explain what running stores do?".into(),
        stores: STORES.to_vec(),
        regions: vec![region],
        next_id: NEXT_ID,
        ..Scope::empty("running-stores")
    }
}

/// Runs the course of this seed under the schedules of this seed.
fn drawn(seed: u64, draws: Draws, course: Course) -> Vec<Found> {
    let mut config = Config::new();
    // raft-rs needs more than the default.
    config.stack_size = 1 << 20;
    // The seed says it all; a schedule would fill pages.
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(10_000_000);
    let found = Arc::new(Mutex::new(Vec::new()));
    let finished = Arc::clone(&found);
    let plan = Plan::draw(seed);
    let last = Arc::new(Mutex::new(None));
    let current = Arc::clone(&last);
    let of_one = move || {
        let recorder = Arc::new(Recorder::new(scope(), seed));
        *current.lock().unwrap() = Some(Arc::clone(&recorder));
        course(&plan, Arc::clone(&recorder));
        finished.lock().unwrap().push(Found { run: recorder.run(), taken_back: recorder.taken_back() });
    };
    let taken = catch_unwind(AssertUnwindSafe(|| match draws {
        Draws::Random => Runner::new(RandomScheduler::new_from_seed(seed, 1), config).run(of_one),
        // The first counts steps, the others place their changes of priority among them.
        Draws::Pct => Runner::new(PctScheduler::new_from_seed(seed, 4, 3), config).run(of_one),
    }));
    if let Err(panic) = taken {
        let recorder = last.lock().unwrap().take();
        let run = recorder.map(|recorder| recorder.run());
        for event in run.iter().flat_map(|run| run.events.iter().rev().take(LISTED).rev()) {
            let sent = event.sent.iter().map(|sent| format!("\n       sends {}: {}", sent.id, sent.message));
            eprintln!("{:>6} {}{}", event.index, event.event, sent.collect::<String>());
        }
        run.iter().for_each(keep);
        resume_unwind(panic);
    }
    let mut found = found.lock().unwrap();
    mem::take(&mut *found)
}

/// Writes a run that fails, if there is a file for it.
fn keep(run: &Run) {
    if let Some(path) = env::var_os(OUT) {
        run.write(path.as_ref()).expect("the run is written");
    }
}

/// The model accepts the run.
fn judge(run: &Run) {
    let verdict = accept(run).expect("the model can begin as the run does");
    if let Err(refusal) = verdict {
        keep(run);
        panic!("{refusal}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, and must be a number")))
}

/// Judges the runs of every seed. Says which one fails, and how to see it again.
fn every_seed(draws: Draws, course: Course) -> Vec<Found> {
    let seeds = match number(SEED) {
        Some(seed) => seed..seed + 1,
        None => 0..number(SEEDS).unwrap_or(FEW),
    };
    let mut all = Vec::new();
    for seed in seeds {
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let found = drawn(seed, draws, course);
            found.iter().for_each(|found| judge(&found.run));
            found
        }));
        all.extend(judged.unwrap_or_else(|panic| {
            eprintln!("{draws:?}, seed {seed}: {:?}\nto see it again: {SEED}={seed}", Plan::draw(seed));
            resume_unwind(panic)
        }));
    }
    all
}

/// Whether some event of some run is of that kind.
fn happens(found: &[Found], kind: impl Fn(&Event) -> bool) -> bool {
    found.iter().any(|found| found.run.events.iter().any(&kind))
}

fn proposes(event: &Event, kind: fn(&Command) -> bool) -> bool {
    matches!(&event.event, Happening::Propose { command, outcome, .. } if outcome.is_done() && kind(command))
}

/// Every run is accepted, and together they show everything that a course has.
fn are_accepted(draws: Draws) {
    let found = every_seed(draws, super::sound::course::run);
    let events: usize = found.iter().map(|found| found.run.events.len()).sum();
    let taken_back: usize = found.iter().map(|found| found.taken_back).sum();
    println!("{draws:?}: {} schedules, {events} events, {taken_back} steps taken back", found.len());
    if number(SEED).is_some() {
        return;
    }
    let shows = |what: &str, kind: &dyn Fn(&Event) -> bool| assert!(happens(&found, kind), "no {what}");
    shows("put", &|event| proposes(event, |command| matches!(command, Command::Put { .. })));
    shows("read", &|event| matches!(event.event, Happening::AnswerRead { .. }));
    shows("conf change", &|event| proposes(event, |command| matches!(command, Command::ChangePeer(_))));
    shows("transfer", &|event| proposes(event, |command| matches!(command, Command::TransferLeader { .. })));
    shows("split", &|event| matches!(event.event, Happening::AskSplit { .. }));
    shows("snapshot", &|event| matches!(event.event, Happening::ApplySnapshot { .. }));
    shows("merge", &|event| proposes(event, |command| matches!(command, Command::CommitMerge { .. })));
    shows("crash", &|event| matches!(event.event, Happening::Crash { .. }));
    shows("destroyed peer", &|event| {
        let mut peers = event.facts.iter().filter_map(|facts| facts.peer.as_ref());
        peers.any(|peer| peer.state == PeerState::Tombstone)
    });
    assert!(taken_back > 0, "no crash takes back a step");
}

#[test]
fn the_model_accepts_random_schedules() {
    are_accepted(Draws::Random);
}

#[test]
fn the_model_accepts_schedules_by_priorities() {
    are_accepted(Draws::Pct);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    let [one, again, other] = [3, 3, 4].map(|seed| drawn(seed, Draws::Random, super::sound::course::run));
    assert_eq!(one[0].run, again[0].run);
    assert_ne!(one[0].run.events, other[0].run.events);
}

/// An event that is left out, or one fact of it, is refused at the first event that shows it.
#[test]
fn one_wrong_event_is_refused() {
    let run = drawn(0, Draws::Random, super::sound::course::run).remove(0).run;
    judge(&run);
    let half = run.events.len() / 2;
    let put = |event: &&Event| proposes(event, |command| matches!(command, Command::Put { .. }));
    let at = run.events.iter().skip(half).find(put).expect("a client writes").index;
    let refused_at = |run: &Run| accept(run).expect("it begins rightly").expect_err("it is wrong").event;
    let mut altered = run.clone();
    let facts = altered.events[at as usize - 1].facts[0].peer.as_mut().expect("the leader");
    facts.term += 1;
    assert_eq!(refused_at(&altered), at);
    let mut shorter = run.clone();
    shorter.events.remove(at as usize - 1);
    assert!(refused_at(&shorter) > at, "the leader's log has an entry that nobody proposed");
    // What a store sends before it knows it.
    let mut early = run;
    let is_delivery = |event: &Event| matches!(event.event, Happening::Deliver { .. });
    let answers = |event: &Event| is_delivery(event) && !event.sent.is_empty();
    let at = early.events.iter().skip(half).position(answers).expect("a message is answered") + half;
    let index = early.events[at].index;
    early.events[at].event = Happening::Deliver { message: early.events[at].sent[0].id };
    assert_eq!(refused_at(&early), index);
}

/// Checks that the test of that name, in a process of its own, fails and says so. A panic within a
/// schedule may end the process.
fn is_found(test: &str, course: Course, says: &str) {
    const INNER: &str = "ROLLCALL_SHUTTLE_MUTANT";
    if env::var_os(INNER).is_some() {
        every_seed(Draws::Random, course);
        every_seed(Draws::Pct, course);
        return;
    }
    let mut inner = Process::new(env::current_exe().expect("this program"));
    inner.args(["--exact", test, "--nocapture"]).env(INNER, "1").env(SEEDS, "100");
    let ended = inner.env_remove(SEED).env_remove(OUT).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "shuttle finds nothing");
    assert!(said.contains(says), "it ends otherwise: {said}");
    assert!(said.contains(&format!("to see it again: {SEED}=")), "it names no seed: {said}");
}

#[test]
fn shuttle_finds_a_worker_that_is_not_woken() {
    let test = "schedules::shuttle_finds_a_worker_that_is_not_woken";
    is_found(test, super::no_wake_up::course::run, "nobody leads");
}

/// The disk gets a new peer's hard state before it has heard of the peer.
#[test]
fn shuttle_finds_a_step_that_is_handed_over_too_late() {
    let test = "schedules::shuttle_finds_a_step_that_is_handed_over_too_late";
    is_found(test, super::hands_over_too_late::course::run, "a peer's record is written first");
}

/// A store that crashes has lost what the model knows it has acknowledged.
#[test]
fn shuttle_finds_a_disk_that_is_ignored() {
    let test = "schedules::shuttle_finds_a_disk_that_is_ignored";
    is_found(test, super::ignores_the_disk::course::run, "the model does not explain");
}
