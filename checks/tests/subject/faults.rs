//! Wrong adapters: each gets one report that says what is wrong.

use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rollcall_checks::subject::selftest::{SITUATIONS, Verdict, look};
use rollcall_checks::subject::{Link, Recipe, caught, replay_on, sides, world};
use rollcall_traces::{Divergence, ReplayError, Trace};

use crate::adapter::Wrong;
use crate::recipe::recipe;
use crate::right::kept;

/// What is wrong, and texts of the report.
const FAULTS: &[(&str, Wrong, &[&str])] = &[
    ("late", Wrong::Late, &["has not answered within 2 s"]),
    ("half_a_line", Wrong::HalfALine, &["has not answered within 2 s", "half a line came: {\"seq\":"]),
    ("twice", Wrong::Twice, &["answers question", "a second time"]),
    ("never", Wrong::Never, &["has not answered within 2 s"]),
    ("deaf", Wrong::Deaf, &["has not answered within 2 s"]),
    ("nonsense", Wrong::Nonsense, &["not of protocol 1"]),
    ("other_number", Wrong::OtherNumber, &["which was not asked yet"]),
    ("other_id", Wrong::OtherId, &["with a message from", "another replica's answer"]),
    ("another_node", Wrong::AnotherNode, &["of replica 1 with the `status` of replica 2"]),
    ("dies", Wrong::Dies, &["has ended (exit status: 7)"]),
    ("panics", Wrong::Panics, &["the replica failed in `campaign`: raft finds itself broken"]),
    ("empty", Wrong::Empty, &["with 0 of `ok`, `refused` and `failed`"]),
];

/// The self-test situation at which a wrong adapter fails, and a text of its report.
const SELF_TESTS: &[(&str, Wrong, &str, &str)] = &[
    ("half_a_ready", Wrong::HalfAReady, "election", "is Ready handled until there is none"),
    ("applies_at_once", Wrong::AppliesAtOnce, "election", "applied by `applied` alone"),
    ("forgets_vote", Wrong::ForgetsVote, "restart", "its `vote` is 0, and must be 1"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let faults = FAULTS.iter().map(|(name, wrong, says)| {
        Trial::test(format!("fault_{name}_is_one_clear_report"), move || one_clear_report(*wrong, says))
    });
    let tests = SELF_TESTS.iter().map(|(name, wrong, at, says)| {
        Trial::test(format!("self_test_finds_{name}"), move || found_by_self_test(*wrong, at, says))
    });
    let others = [
        Trial::test("handshake_of_another_protocol_is_refused", || {
            handshake_says(&recipe(Wrong::OtherProtocol), "speaks protocol 2, and this is protocol 1")
        }),
        Trial::test("capability_that_nobody_knows_is_refused", || {
            handshake_says(&recipe(Wrong::UnknownCapability), "`telepathy`, which does not exist; known are")
        }),
        Trial::test("command_that_is_not_there_is_said_to_be", || {
            handshake_says(&Recipe::new("/there/is/no/adapter"), "the shell has not found the command")
        }),
        Trial::test("adapter_that_says_nothing_at_all_is_not_waited_for", || {
            let recipe = Recipe { timeout: Duration::from_millis(300), ..Recipe::new("exec sleep 600") };
            handshake_says(&recipe, "has not answered within 0.3 s")
        }),
        Trial::test("children_of_a_script_end_with_it", children_end),
        Trial::test("adapter_is_started_again_behind_a_fault", started_again),
    ];
    faults.chain(tests).chain(others).collect()
}

fn diverged(recipe: &Recipe, link: &Link, trace: &Trace) -> Result<Box<Divergence>, Failed> {
    match replay_on(&mut world(link), trace, sides("trace", link)) {
        Err(ReplayError::Diverged(divergence)) => Ok(divergence),
        other => Err(format!("{recipe:?}: no divergence: {other:?}").into()),
    }
}

/// The fault is reported once, at the step with which it began, with the lines of the wire, and the
/// adapter's process has ended.
fn one_clear_report(wrong: Wrong, says: &[&str]) -> Result<(), Failed> {
    let recipe = recipe(wrong);
    let link = Link::connect(&recipe).map_err(|fault| fault.to_string())?;
    let process = link.process().ok_or("it runs")?;
    let began = Instant::now();
    let divergence = diverged(&recipe, &link, &kept("scenarios/basic-conf-change.jsonl")?)?;
    let shown = divergence.to_string();
    // Three time-outs, with room for other tests.
    if began.elapsed() > Duration::from_secs(30) {
        return Err(format!("it took {:?}", began.elapsed()).into());
    }
    // A second answer shows at the next request.
    let at = if wrong == Wrong::Twice { 2 } else { 1 };
    if divergence.step != at || divergence.prefix.len() as u64 != at || !divergence.differences.is_empty() {
        return Err(format!("it is reported at step {}: {shown}", divergence.step).into());
    }
    for words in says.iter().chain(&["> {\"seq\":", "\"campaign\":{", "Campaign region 1"]) {
        if !shown.contains(words) {
            return Err(format!("nothing of `{words}` in: {shown}").into());
        }
    }
    drop(link);
    is_gone(process)
}

/// Whether no process of that group is left.
fn is_gone(process: u32) -> Result<(), Failed> {
    let group = std::path::PathBuf::from(format!("/proc/{process}"));
    if group.exists() { Err(format!("process {process} is still there").into()) } else { Ok(()) }
}

fn found_by_self_test(wrong: Wrong, at: &str, says: &str) -> Result<(), Failed> {
    let link = Link::connect(&recipe(wrong)).map_err(|fault| fault.to_string())?;
    for situation in SITUATIONS {
        match look(&link, situation) {
            Verdict::Fine if situation.name != at => {}
            Verdict::Wrong(words) if situation.name == at && words.contains(says) => return Ok(()),
            other => return Err(format!("{}: {other:?}", situation.name).into()),
        }
    }
    Err("everything is fine".into())
}

fn handshake_says(recipe: &Recipe, says: &str) -> Result<(), Failed> {
    match Link::connect(recipe) {
        Err(fault) if fault.to_string().contains(says) => Ok(()),
        Err(fault) => Err(format!("nothing of `{says}` in: {fault}").into()),
        Ok(_) => Err("the handshake is fine".into()),
    }
}

/// If a script starts the adapter as its child, the child is killed with it.
fn children_end() -> Result<(), Failed> {
    let folder = tempfile::TempDir::new()?;
    let said = folder.path().join("child");
    let right = recipe(Wrong::Nothing);
    let command = format!("sleep 600 & echo $! > '{}'; {}; wait", said.display(), right.command);
    let link = Link::connect(&Recipe { command, ..right }).map_err(|fault| fault.to_string())?;
    let child: u32 = std::fs::read_to_string(&said)?.trim().parse()?;
    drop(link);
    // The killed child may wait for the process that adopted it.
    let is_over = || {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat"));
        status.map_or(true, |status| status.contains(") Z "))
    };
    let until = Instant::now() + Duration::from_secs(30);
    while !is_over() && Instant::now() < until {
        std::thread::yield_now();
    }
    if is_over() { Ok(()) } else { Err(format!("process {child} is still there").into()) }
}

/// After a fault ended the adapter, the next trace starts it again.
fn started_again() -> Result<(), Failed> {
    let recipe = recipe(Wrong::Dies);
    let link = Link::connect(&recipe).map_err(|fault| fault.to_string())?;
    let trace = kept("scenarios/basic-conf-change.jsonl")?;
    let first = link.process();
    let (once, twice) = (diverged(&recipe, &link, &trace)?, diverged(&recipe, &link, &trace)?);
    if once.step != twice.step || once.action != twice.action {
        return Err(format!("{once} and then {twice}").into());
    }
    let fresh = caught(|| world(&link));
    if fresh.is_err() || link.process() == first {
        return Err("the same process goes on".into());
    }
    Ok(())
}
