//! TinyKV's generic tests with conf changes as seeded message-level runs: the
//! model must explain them, the cluster must keep its promises, and a run in
//! which one fact was altered must be refused at that very event.

use std::sync::LazyLock;

use rollcall_checks::accept::{Accepted, HIDDEN, Unexplained, accept};
use rollcall_checks::network::{self, Recorded};
use rollcall_traces::{Epoch, Happening, MemberRole, PeerFacts, PeerState, Role, Run, TraceError};

const SEED: u64 = 2;

fn again(scenario: &str, seed: u64) -> String {
    format!(
        "rollcall record --scenario {scenario} --seed {seed} --out run.jsonl && rollcall accept run.jsonl"
    )
}

fn recorded(scenario: &str, seed: u64) -> Recorded {
    let found = network::scenario(scenario).expect("a scenario of that name");
    network::record(found, seed, found.parameters.events)
}

fn verdict(run: &Run) -> Result<Accepted, Box<Unexplained>> {
    accept(run).expect("the model can begin as the run does")
}

/// The run is explained, keeps what it promised, and is about something.
fn is_accepted(scenario: &str) {
    for seed in [SEED, SEED + 1] {
        let recorded = recorded(scenario, seed);
        let again = again(scenario, seed);
        let accepted = verdict(&recorded.run).unwrap_or_else(|refusal| panic!("{refusal}\n{again}"));
        assert_eq!(recorded.kept, Ok(()), "{again}");
        assert!(recorded.acknowledged > 20, "{} writes: {again}", recorded.acknowledged);
        assert!(recorded.changes > 5, "{} changes: {again}", recorded.changes);
        assert!(accepted.delivered > 1000, "{accepted:?}: {again}");
        assert!(accepted.most_hidden <= HIDDEN, "{accepted:?}: {again}");
        let parameters = recorded.run.header.parameters;
        let happens =
            |kind: fn(&Happening) -> bool| recorded.run.events.iter().any(|event| kind(&event.event));
        assert_eq!(parameters.crash, happens(|event| matches!(event, Happening::Crash { .. })), "{again}");
        assert!(
            !parameters.unreliable || happens(|event| matches!(event, Happening::Lose { .. })),
            "{again}"
        );
        assert!(happens(|event| matches!(event, Happening::ApplySnapshot { .. })), "{again}");
    }
}

#[test]
fn conf_change_recover() {
    is_accepted("conf-change-recover");
}

#[test]
fn conf_change_recover_many_clients() {
    is_accepted("conf-change-recover-many-clients");
}

#[test]
fn conf_change_unreliable() {
    is_accepted("conf-change-unreliable");
}

#[test]
fn conf_change_unreliable_recover() {
    is_accepted("conf-change-unreliable-recover");
}

#[test]
fn conf_change_snapshot_unreliable_recover() {
    is_accepted("conf-change-snapshot-unreliable-recover");
}

#[test]
fn conf_change_snapshot_unreliable_recover_concurrent_partition() {
    is_accepted("conf-change-snapshot-unreliable-recover-concurrent-partition");
}

#[test]
fn conf_change_partition() {
    is_accepted("conf-change-partition");
}

/// A run that is accepted as it is, to be altered.
static RUN: LazyLock<Run> = LazyLock::new(|| recorded("conf-change-snapshot-unreliable-recover", SEED).run);

/// Alters the facts of one peer in the middle of the run; the refusal must
/// name that event and that field.
fn is_refused(field: &str, fits: fn(&PeerFacts) -> bool, alter: fn(&mut PeerFacts)) {
    let mut run = RUN.clone();
    let half = run.events.len() / 2;
    let peer = |event: &mut rollcall_traces::Event| {
        let facts = event.facts.first_mut()?;
        facts.peer.as_mut().filter(|peer| fits(peer)).map(alter).map(|()| facts.store)
    };
    let altered = run.events.iter_mut().skip(half).find_map(|event| Some((event.index, peer(event)?)));
    let (index, store) = altered.expect("an event with such facts");
    let refusal = verdict(&run).expect_err("a fact was altered");
    assert_eq!((refusal.event, refusal.store), (index, Some(store)), "{refusal}");
    assert_eq!((refusal.region, refusal.seed), (1, SEED), "{refusal}");
    assert!(refusal.differences.iter().any(|found| found.path.ends_with(field)), "{refusal}");
}

fn is_normal(peer: &PeerFacts) -> bool {
    peer.state == PeerState::Normal
}

#[test]
fn the_run_to_be_altered_is_accepted() {
    let accepted = verdict(&RUN).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(accepted.facts > 2000, "{accepted:?}");
}

#[test]
fn an_altered_term_is_refused() {
    is_refused("/term", is_normal, |peer| peer.term += 1);
}

#[test]
fn an_altered_vote_is_refused() {
    is_refused("/vote", is_normal, |peer| peer.vote += 1);
}

#[test]
fn an_altered_commit_is_refused() {
    is_refused("/commit", is_normal, |peer| peer.commit -= 1);
}

#[test]
fn an_altered_applied_index_is_refused() {
    is_refused("/applied", is_normal, |peer| peer.applied -= 1);
}

#[test]
fn an_altered_truncated_index_is_refused() {
    is_refused("/truncated/term", is_normal, |peer| peer.log.truncated.term += 1);
}

#[test]
fn an_altered_log_entry_is_refused() {
    is_refused("/term", |peer| !peer.log.entries.is_empty(), |peer| peer.log.entries[0].term += 1);
}

#[test]
fn a_missing_log_entry_is_refused() {
    let longer = |peer: &PeerFacts| !peer.log.entries.is_empty();
    let mut run = RUN.clone();
    let half = run.events.len() / 2;
    let event = run
        .events
        .iter_mut()
        .skip(half)
        .find(|event| event.facts.first().and_then(|facts| facts.peer.as_ref()).is_some_and(longer));
    let event = event.expect("an event that writes to a log");
    let index = event.index;
    event.facts[0].peer.as_mut().expect("just seen").log.entries.pop();
    assert_eq!(verdict(&run).expect_err("an entry is missing").event, index);
}

#[test]
fn an_altered_conf_ver_is_refused() {
    is_refused("/epoch/conf_ver", is_normal, |peer| {
        peer.meta.epoch = Epoch { conf_ver: peer.meta.epoch.conf_ver + 1, ..peer.meta.epoch };
    });
}

#[test]
fn an_altered_version_is_refused() {
    is_refused("/epoch/version", is_normal, |peer| peer.meta.epoch.version += 1);
}

#[test]
fn an_altered_configuration_is_refused() {
    is_refused("/role", is_normal, |peer| {
        let member = &mut peer.meta.peers[0];
        member.role =
            if member.role == MemberRole::Learner { MemberRole::Voter } else { MemberRole::Learner };
    });
}

#[test]
fn an_altered_role_is_refused() {
    is_refused("/role", |peer| peer.role == Role::Follower, |peer| peer.role = Role::Leader);
}

#[test]
fn an_altered_state_is_refused() {
    is_refused("/state", is_normal, |peer| peer.state = PeerState::Uninitialised);
}

#[test]
fn an_altered_peer_id_is_refused() {
    let whole = |peer: &PeerFacts| peer.data.is_some() && peer.log.kept == peer.log.truncated.index;
    is_refused("/peer_id", whole, |peer| peer.id += 1);
}

#[test]
fn altered_data_are_refused() {
    let written = |peer: &PeerFacts| peer.data.as_ref().is_some_and(|data| !data.is_empty());
    is_refused("", written, |peer| peer.data.as_mut().expect("just seen").clear());
}

#[test]
fn a_tombstone_at_another_epoch_is_refused() {
    let buried = |peer: &PeerFacts| peer.state == PeerState::Tombstone;
    is_refused("/epoch/conf_ver", buried, |peer| peer.meta.epoch.conf_ver -= 1);
}

/// What was sent is judged as well as what came of it.
#[test]
fn an_append_that_commits_too_much_is_refused() {
    let mut run = RUN.clone();
    let half = run.events.len() / 2;
    let sent = run.events.iter_mut().skip(half).find_map(|event| {
        let index = event.index;
        event.sent.iter_mut().find_map(|sent| match &mut sent.message.message {
            rollcall_traces::Message::Append { commit, .. } => {
                *commit += 1;
                Some(index)
            }
            _ => None,
        })
    });
    let refusal = verdict(&run).expect_err("a message was altered");
    assert_eq!(Some(refusal.event), sent, "{refusal}");
}

#[test]
fn a_run_is_the_same_from_the_same_seed_and_through_its_file() {
    let twice = recorded("conf-change-snapshot-unreliable-recover", SEED).run;
    assert_eq!(*RUN, twice);
    let text = RUN.to_text().expect("small numbers");
    assert_eq!(Run::parse("run.jsonl", &text).expect("what was written can be read"), twice);
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
    assert_eq!(error.place().map(|place| place.line), Some(8), "{error}");
}

#[test]
fn a_foreign_file_is_an_error() {
    let trace = r#"{"record":"header","schema":"rollcall-trace/1","scenario":"s"}"#;
    let error = Run::parse("trace.jsonl", trace).expect_err("it is a trace");
    let words = "trace.jsonl:1:29: schema is `rollcall-trace/1`, and this reads `rollcall-run/1`; \
                 use the version that wrote it";
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
