//! Adapters of level `world`: Rollcall's own stores by wire, right or wrong in one way.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use rollcall_checks::subject::wire::{Answer, CAPABILITIES, Handshake, PROTOCOL, Request, Shown, Verb};
use rollcall_checks::world::World;
use rollcall_impl::{Guard, Lacking};
use rollcall_traces::{Action, Outcome, Subject, View};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// Its voters grant every candidate of a term.
    VotesTwice,
    /// A vote is gone with a restart.
    ForgetsVote,
    /// Answers without a view.
    ShowsNothing,
    /// Says of a refusal that it is done.
    RefusesByOk,
}

impl Wrong {
    const ALL: &[(&str, Wrong)] = &[
        ("world_right", Wrong::Nothing),
        ("world_votes_twice", Wrong::VotesTwice),
        ("world_forgets_vote", Wrong::ForgetsVote),
        ("world_shows_nothing", Wrong::ShowsNothing),
        ("world_refuses_by_ok", Wrong::RefusesByOk),
    ];

    pub(crate) fn named(name: &str) -> Option<Wrong> {
        Wrong::ALL.iter().find(|(known, _)| *known == name).map(|(_, wrong)| *wrong)
    }

    fn guards(self) -> &'static [Guard] {
        if self == Wrong::VotesTwice { &[Guard::OneVoteATerm] } else { &[] }
    }
}

/// Answers on standard input and output.
pub(crate) fn serve(wrong: Wrong) {
    let mut world = World::new(Lacking(wrong.guards()));
    let mut restarted = false;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let Request { seq, verb } = serde_json::from_str(&line).expect("Rollcall speaks its own protocol");
        let outcome = match verb {
            Verb::Hello { .. } => {
                let ok = Some(handshake());
                say(&Answer { seq, ok, refused: None, failed: None });
                continue;
            }
            Verb::Reset { scope } => {
                world.reset(&scope).map(|()| Outcome::DONE).map_err(|error| error.to_string())
            }
            Verb::Apply { action } => {
                restarted |= matches!(*action, Action::Restart { .. });
                match world.apply(&action) {
                    Outcome::Refused(reason) if wrong != Wrong::RefusesByOk => Err(format!("{reason:?}")),
                    outcome => Ok(outcome),
                }
            }
            other => panic!("a cluster is not asked to {}", other.name()),
        };
        let shown = |outcome| {
            let view = (wrong != Wrong::ShowsNothing)
                .then(|| view(&world, restarted && wrong == Wrong::ForgetsVote));
            Shown { outcome, view }
        };
        let (ok, refused) = match outcome {
            Ok(outcome) => (Some(shown(outcome)), None),
            Err(words) => (None, Some(words)),
        };
        say(&Answer { seq, ok, refused, failed: None });
    }
}

fn view(world: &impl Subject, forgets: bool) -> View {
    let mut view = world.view();
    let peers = view.stores.values_mut().flat_map(|store| store.peers.values_mut());
    peers.filter(|_| forgets).for_each(|peer| peer.vote = 0);
    view
}

fn handshake() -> Handshake {
    let has = CAPABILITIES.iter().map(|(name, _)| (*name).to_string()).filter(|name| name != "fork");
    Handshake {
        protocol: PROTOCOL,
        level: "world".into(),
        name: "own stores by wire".into(),
        version: "0.1.0".into(),
        has: has.collect(),
        ..Handshake::default()
    }
}

fn say<T: serde::Serialize>(answer: &Answer<T>) {
    let line = serde_json::to_string(answer).expect("an answer is JSON");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .expect("somebody listens");
}

/// A command, the adapter behind it, its exit code, and what it says.
type Case = (&'static str, &'static [&'static str], Wrong, i32, &'static [&'static str]);

const VOTES: &[&str] = &["replay", "traces/museum/one_vote_a_term.jsonl", "--by", "properties", "--subject"];
const WALK: &[&str] = &["verify", "--size", "smoke", "--scope", "two_voters_to_one_smoke", "--subject"];
const WALK_BY_PROPERTIES: &[&str] = &[
    "verify",
    "--by",
    "properties",
    "--size",
    "smoke",
    "--scope",
    "two_voters_to_one_smoke",
    "--walks",
    "10",
    "--threads",
    "1",
    "--subject",
];

const CASES: &[Case] = &[
    (
        "cluster_that_is_right_passes_its_self_test",
        &["subject"],
        Wrong::Nothing,
        0,
        &["level world", "passes 5 of 5 situations", "`verify`, `--by properties`"],
    ),
    ("cluster_that_is_right_violates_nothing", VOTES, Wrong::Nothing, 0, &["violates nothing: "]),
    (
        "cluster_that_votes_twice_is_found",
        VOTES,
        Wrong::VotesTwice,
        1,
        &["VIOLATES election_safety at step "],
    ),
    ("cluster_is_walked", WALK_BY_PROPERTIES, Wrong::Nothing, 0, &["    10 walks,", "1 of 1 scopes walked"]),
    (
        "cluster_is_not_judged_by_equality",
        WALK,
        Wrong::Nothing,
        2,
        &["is of level `world`: judge it with `--by properties`"],
    ),
    (
        "cluster_that_forgets_its_vote_is_said_to",
        &["subject"],
        Wrong::ForgetsVote,
        1,
        &[
            "WRONG: store 2 had term 6 and vote 1 before it restarted, and has 6 and 0",
            "1 of 5 situations are wrong",
        ],
    ),
    (
        "cluster_without_a_view_is_said_to_show_none",
        &["subject"],
        Wrong::ShowsNothing,
        1,
        &["answers `reset` without a `view`", "5 of 5 situations are wrong"],
    ),
    (
        "cluster_that_refuses_by_ok_is_told_how",
        &["subject"],
        Wrong::RefusesByOk,
        1,
        &["answers `apply` with `ok` and a refusal: say `refused`", "1 of 5 situations are wrong"],
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    CASES.iter().map(|case| Trial::test(case.0, || ends_as_it_should(case))).collect()
}

fn ends_as_it_should((_, arguments, wrong, code, says): &Case) -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let name = Wrong::ALL.iter().find(|(_, known)| known == wrong).ok_or("each has a name")?.0;
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).args(*arguments);
    let ran = command.arg(format!("'{}' adapter {name}", own.display())).output()?;
    let said = String::from_utf8([ran.stdout, ran.stderr].concat())?;
    if ran.status.code() != Some(*code) {
        return Err(format!("it ended with {:?}, not {code}:\n{said}", ran.status.code()).into());
    }
    match says.iter().find(|words| !said.contains(*words)) {
        Some(words) => Err(format!("nothing of `{words}` in:\n{said}").into()),
        None => Ok(()),
    }
}
