//! TinyKV's generic tests with conf changes and splits as seeded message-level
//! runs: the model must explain them, the cluster must keep its promises, and a
//! run in which one fact was altered must be refused at that very event.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rollcall_checks::accept::{Accepted, HIDDEN, Unexplained, accept};
use rollcall_checks::network::{self, Recorded};
use rollcall_traces::{
    Command, Epoch, Event, Happening, Key, MemberRole, Message, PeerFacts, PeerState, Reason, RegionId, Role,
    Run, Sent, TraceError,
};

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

fn happens(run: &Run, kind: fn(&Happening) -> bool) -> bool {
    run.events.iter().any(|event| kind(&event.event))
}

/// Every region of which the run tells.
fn regions(run: &Run) -> BTreeSet<RegionId> {
    run.events.iter().flat_map(|event| event.facts.iter().map(|facts| facts.region)).collect()
}

/// The run is explained, and keeps what it promised.
fn judged(scenario: &str, seed: u64) -> (Recorded, Accepted) {
    let recorded = recorded(scenario, seed);
    let again = again(scenario, seed);
    let accepted = verdict(&recorded.run).unwrap_or_else(|refusal| panic!("{refusal}\n{again}"));
    assert_eq!(recorded.kept, Ok(()), "{again}");
    assert!(accepted.most_hidden <= HIDDEN, "{accepted:?}: {again}");
    (recorded, accepted)
}

/// The run is accepted, and is about something.
fn is_accepted(scenario: &str, seed: u64) {
    let (recorded, accepted) = judged(scenario, seed);
    let again = again(scenario, seed);
    assert!(recorded.acknowledged > 10, "{} writes: {again}", recorded.acknowledged);
    assert!(recorded.scans > 10, "{} scans: {again}", recorded.scans);
    assert!(accepted.delivered > 1000, "{accepted:?}: {again}");
    let (run, parameters) = (&recorded.run, recorded.run.header.parameters);
    let crashes = happens(run, |event| matches!(event, Happening::Crash { .. }));
    assert_eq!(parameters.crash, crashes, "{again}");
    let loses = happens(run, |event| matches!(event, Happening::Lose { .. }));
    assert!(!parameters.unreliable || loses, "{again}");
    assert_eq!(parameters.conf_change, recorded.changes > 5, "{} changes: {again}", recorded.changes);
    if parameters.conf_change {
        assert!(happens(run, |event| matches!(event, Happening::ApplySnapshot { .. })), "{again}");
    }
    match parameters.split {
        Some(_) => assert!(recorded.regions > 2, "{} regions: {again}", recorded.regions),
        None => assert_eq!(recorded.regions, 1, "{again}"),
    }
    assert!(regions(run).len() as u64 >= recorded.regions, "{again}");
    let removes =
        |event: &Happening| matches!(event, Happening::Propose { command: Command::Delete { .. }, .. });
    assert!(happens(run, removes), "{again}");
}

#[test]
fn conf_change_recover() {
    is_accepted("conf-change-recover", SEED);
}

#[test]
fn conf_change_recover_many_clients() {
    is_accepted("conf-change-recover-many-clients", SEED);
}

#[test]
fn conf_change_unreliable() {
    is_accepted("conf-change-unreliable", SEED);
}

#[test]
fn conf_change_unreliable_recover() {
    is_accepted("conf-change-unreliable-recover", SEED);
}

#[test]
fn conf_change_snapshot_unreliable_recover() {
    is_accepted("conf-change-snapshot-unreliable-recover", SEED);
}

#[test]
fn conf_change_snapshot_unreliable_recover_concurrent_partition() {
    is_accepted("conf-change-snapshot-unreliable-recover-concurrent-partition", SEED);
}

#[test]
fn conf_change_partition() {
    is_accepted("conf-change-partition", SEED);
}

/// In a run of an odd seed the right part of a split keeps the id, in an even one the left.
#[test]
fn split_recover() {
    is_accepted("split-recover", SEED);
}

#[test]
fn split_recover_many_clients() {
    is_accepted("split-recover-many-clients", SEED + 1);
}

#[test]
fn split_unreliable() {
    is_accepted("split-unreliable", SEED + 1);
}

#[test]
fn split_unreliable_recover() {
    is_accepted("split-unreliable-recover", SEED);
}

#[test]
fn split_conf_change_snapshot_unreliable_recover() {
    is_accepted("split-conf-change-snapshot-unreliable-recover", SEED);
}

#[test]
fn split_conf_change_snapshot_unreliable_recover_concurrent_partition() {
    is_accepted("split-conf-change-snapshot-unreliable-recover-concurrent-partition", SEED + 1);
}

/// What the test expects step by step the scenario looks at itself: that it
/// kept its promises says that k2 was refused by the left region, and that the
/// store that was cut off has caught up.
#[test]
fn one_split() {
    let (recorded, accepted) = judged("one-split", SEED);
    let again = again("one-split", SEED);
    assert_eq!((recorded.acknowledged, recorded.regions), (102, 2), "{again}");
    assert!(accepted.delivered > 1000, "{accepted:?}: {again}");
    let refused = |event: &Happening| {
        let outside = rollcall_traces::Outcome::Refused(Reason::KeyNotInRegion);
        matches!(event, Happening::Read { key: Some(_), outcome, .. } if *outcome == outside)
    };
    assert!(happens(&recorded.run, refused), "{again}");
    assert!(happens(&recorded.run, |event| matches!(event, Happening::AskSplit { .. })), "{again}");
}

/// A run that is accepted as it is, to be altered.
static RUN: LazyLock<Run> = LazyLock::new(|| recorded("conf-change-snapshot-unreliable-recover", SEED).run);

/// One with splits.
static SPLIT: LazyLock<Run> =
    LazyLock::new(|| recorded("split-conf-change-snapshot-unreliable-recover", SEED).run);

/// Alters the facts of one peer in the middle of the run; the refusal must
/// name that event and that field.
fn is_refused(field: &str, fits: fn(&PeerFacts) -> bool, alter: fn(&mut PeerFacts)) {
    is_refused_in(&RUN, field, fits, alter);
    is_refused_in(&SPLIT, field, fits, alter);
}

fn is_refused_in(run: &Run, field: &str, fits: fn(&PeerFacts) -> bool, alter: fn(&mut PeerFacts)) {
    let mut run = run.clone();
    let half = run.events.len() / 2;
    let altered = run.events.iter_mut().skip(half).find_map(|event| {
        let facts = event.facts.iter_mut().find(|facts| facts.peer.as_ref().is_some_and(fits))?;
        facts.peer.as_mut().map(alter);
        Some((event.index, facts.store, facts.region))
    });
    let (index, store, region) = altered.expect("an event with such facts");
    let refusal = verdict(&run).expect_err("a fact was altered");
    assert_eq!((refusal.event, refusal.store), (index, Some(store)), "{refusal}");
    assert_eq!((refusal.region, refusal.seed), (region, SEED), "{refusal}");
    assert!(refusal.differences.iter().any(|found| found.path.ends_with(field)), "{refusal}");
}

fn is_normal(peer: &PeerFacts) -> bool {
    peer.state == PeerState::Normal
}

#[test]
fn the_runs_to_be_altered_are_accepted() {
    for run in [&*RUN, &*SPLIT] {
        let accepted = verdict(run).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(accepted.facts > 2000, "{accepted:?}");
    }
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
    // Of another peer everything is told.
    let whole = |peer: &PeerFacts| peer.data.is_empty() && peer.log.kept == peer.log.truncated.index;
    is_refused("/peer_id", whole, |peer| peer.id += 1);
}

#[test]
fn altered_data_are_refused() {
    let written = |peer: &PeerFacts| !peer.data.is_empty();
    is_refused("", written, |peer| peer.data.clear());
    let stays = |peer: &PeerFacts| peer.data.values().any(Option::is_some);
    is_refused("", stays, |peer| peer.data.values_mut().for_each(|value| *value = None));
}

#[test]
fn a_key_that_is_removed_in_the_facts_alone_is_refused() {
    let gone = |peer: &PeerFacts| peer.data.values().any(Option::is_none);
    is_refused("", gone, |peer| peer.data.retain(|_, value| value.is_some()));
}

#[test]
fn an_altered_start_of_a_range_is_refused() {
    let behind = |peer: &PeerFacts| is_normal(peer) && !peer.meta.start.is_empty();
    is_refused_in(&SPLIT, "/start", behind, |peer| peer.meta.start = Key::empty());
}

#[test]
fn an_altered_end_of_a_range_is_refused() {
    let ends = |peer: &PeerFacts| is_normal(peer) && !peer.meta.end.is_empty();
    is_refused_in(&SPLIT, "/end", ends, |peer| peer.meta.end = Key::empty());
}

/// The first event by which a split brings a child to a store, where `fits` holds.
fn birth(run: &mut Run, fits: impl Fn(&Event) -> bool) -> (&mut Event, RegionId) {
    let mut known: BTreeSet<_> = run.header.scope.stores.iter().map(|store| (*store, 1)).collect();
    let mut born = None;
    for (at, event) in run.events.iter().enumerate() {
        let told = || event.facts.iter().map(|facts| (facts.store, facts.region));
        let new = told().find(|place| !known.contains(place));
        if let Some((_, region)) = new
            && matches!(event.event, Happening::Apply { .. })
            && fits(event)
        {
            born = Some((at, region));
            break;
        }
        known.extend(told());
    }
    let (at, region) = born.expect("a split is applied");
    (&mut run.events[at], region)
}

/// Alters one fact of a child at its birth.
fn a_child_is_refused(field: &str, alter: fn(&mut PeerFacts)) {
    let mut run = SPLIT.clone();
    let (event, region) = birth(&mut run, |_| true);
    let facts = event.facts.iter_mut().find(|facts| facts.region == region).expect("the child's");
    facts.peer.as_mut().map(alter).expect("it is there");
    let index = event.index;
    let refusal = verdict(&run).expect_err("a fact was altered");
    assert_eq!((refusal.event, refusal.region), (index, region), "{refusal}");
    assert!(refusal.differences.iter().any(|found| found.path.ends_with(field)), "{refusal}");
}

#[test]
fn an_altered_fact_of_a_child_is_refused() {
    a_child_is_refused("/peer_id", |child| child.id += 1);
    a_child_is_refused("/term", |child| child.term += 1);
    a_child_is_refused("/vote", |child| child.vote += 1);
    a_child_is_refused("/commit", |child| child.commit += 1);
    a_child_is_refused("/applied", |child| child.applied += 1);
    a_child_is_refused("/truncated/index", |child| {
        child.log.truncated.index -= 1;
        child.log.kept -= 1;
    });
    a_child_is_refused("/start", |child| child.meta.start = Key::from("a"));
    a_child_is_refused("/end", |child| child.meta.end = Key::from("a"));
    a_child_is_refused("/version", |child| child.meta.epoch.version -= 1);
    a_child_is_refused("/role", |child| child.meta.peers[0].role = MemberRole::Learner);
    a_child_is_refused("", |child| {
        let (key, _) = child.data.pop_first().expect("a big region is split, and both parts have keys");
        assert!(child.meta.contains(&key));
    });
}

#[test]
fn a_child_of_which_nothing_is_told_is_refused() {
    let mut run = SPLIT.clone();
    let (event, region) = birth(&mut run, |_| true);
    event.facts.retain(|facts| facts.region != region);
    let index = event.index;
    let refusal = verdict(&run).expect_err("a child is missing");
    assert_eq!((refusal.event, refusal.region), (index, region), "{refusal}");
}

/// The part that the parent loses is missing from what it has.
#[test]
fn a_parent_that_keeps_all_its_data_is_refused() {
    let mut run = SPLIT.clone();
    let (event, _) = birth(&mut run, |_| true);
    let Happening::Apply { region, .. } = event.event else { panic!("a split is applied") };
    let facts = event.facts.iter_mut().find(|facts| facts.region == region).expect("the parent's");
    facts.peer.as_mut().expect("it is there").data.clear();
    let index = event.index;
    let refusal = verdict(&run).expect_err("the data are not divided");
    assert_eq!((refusal.event, refusal.region), (index, region), "{refusal}");
}

/// A vote request that waited for the child is answered at its birth, and at once.
#[test]
fn a_missing_answer_of_a_newborn_child_is_refused() {
    let mut run = SPLIT.clone();
    let is_answer = |sent: &Sent| matches!(sent.message.message, Message::VoteAnswer { .. });
    let (event, _) = birth(&mut run, |event| event.sent.iter().any(is_answer));
    event.sent.retain(|sent| !is_answer(sent));
    let index = event.index;
    assert_eq!(verdict(&run).expect_err("an answer is missing").event, index);
}

/// The child of a leader campaigns at its birth; so does no other.
#[test]
fn an_altered_vote_request_of_a_newborn_child_is_refused() {
    let mut run = SPLIT.clone();
    let asks = |sent: &Sent| matches!(sent.message.message, Message::VoteRequest { .. });
    let (event, region) = birth(&mut run, |event| event.sent.iter().any(asks));
    let request = event.sent.iter_mut().find(|sent| asks(sent)).expect("just seen");
    assert_eq!(request.message.region, region);
    request.message.range.end = Key::from("a");
    let index = event.index;
    assert_eq!(verdict(&run).expect_err("a request was altered").event, index);
}

/// Alters what the placement driver answers to the last split that was asked for.
fn ids_are_refused(alter: fn(&mut rollcall_traces::Held)) {
    let mut run = SPLIT.clone();
    let asked = run.events.iter_mut().rfind(|event| matches!(event.event, Happening::AskSplit { .. }));
    let event = asked.expect("a split is asked for");
    alter(&mut event.sent[0].message);
    let index = event.index;
    let refusal = verdict(&run).expect_err("what was allotted was altered");
    assert_eq!(refusal.event, index, "{refusal}");
}

fn children(held: &mut rollcall_traces::Held) -> &mut Vec<rollcall_traces::Child> {
    match &mut held.message {
        Message::SplitAnswer { children, .. } => children,
        other => panic!("the placement driver allots ids, and says {other:?}"),
    }
}

#[test]
fn altered_ids_of_a_split_are_refused() {
    ids_are_refused(|held| children(held)[0].region = 1);
    ids_are_refused(|held| children(held)[0].peers[0] = 1);
    ids_are_refused(|held| {
        children(held)[0].peers.pop();
    });
    ids_are_refused(|held| children(held)[0].key = Key::from("zz"));
    ids_are_refused(|held| held.epoch.version += 1);
    ids_are_refused(|held| held.epoch.conf_ver -= 1);
    ids_are_refused(|held| held.to.id += 1);
}

/// Alters the last answer to a read that has values.
fn an_answer_is_refused(alter: fn(&mut Happening)) {
    let mut run = SPLIT.clone();
    let answer = run
        .events
        .iter_mut()
        .rfind(|event| matches!(&event.event, Happening::AnswerRead { data, .. } if !data.is_empty()));
    let event = answer.expect("a read is answered");
    alter(&mut event.event);
    let index = event.index;
    let refusal = verdict(&run).expect_err("an answer was altered");
    assert_eq!(refusal.event, index, "{refusal}");
}

#[test]
fn an_altered_answer_to_a_read_is_refused() {
    an_answer_is_refused(|event| {
        let Happening::AnswerRead { data, .. } = event else { panic!("an answer") };
        data.pop_last();
    });
    an_answer_is_refused(|event| {
        let Happening::AnswerRead { meta, .. } = event else { panic!("an answer") };
        meta.epoch.version += 1;
    });
}

/// A proposal that was taken is told as refused.
#[test]
fn an_altered_answer_to_a_proposal_is_refused() {
    let mut run = SPLIT.clone();
    let half = run.events.len() / 2;
    let index = run.events.iter_mut().skip(half).find_map(|event| match &mut event.event {
        Happening::Propose { outcome, .. } if outcome.is_done() => {
            *outcome = rollcall_traces::Outcome::Refused(Reason::EpochChanging);
            Some(event.index)
        }
        _ => None,
    });
    assert_eq!(Some(verdict(&run).expect_err("an answer was altered").event), index);
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
            Message::Append { commit, .. } => {
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
