//! Runs in which one fact of a peer, one message or one reply was altered.

use rollcall_traces::{
    Epoch, Happening, Key, MemberRole, Message, Outcome, PeerFacts, PeerState, Reason, Role, Run,
};

use super::{RUN, SEED, SPLIT, verdict};

/// Alters the facts of one peer in the middle of the run. The verdict must name that event and that
/// field.
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
    // Another peer's facts are complete.
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
fn a_tombstone_at_another_epoch_is_refused() {
    let buried = |peer: &PeerFacts| peer.state == PeerState::Tombstone;
    is_refused("/epoch/conf_ver", buried, |peer| peer.meta.epoch.conf_ver -= 1);
}

/// Sent messages are checked, not only their effects.
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

/// A merge depends on what followers are known to have committed.
#[test]
fn a_response_with_another_commit_index_is_refused() {
    for knows in [|commit: u64| commit - 1, |commit: u64| commit + 1] {
        let mut run = RUN.clone();
        let half = run.events.len() / 2;
        let sent = run.events.iter_mut().skip(half).find_map(|event| {
            let index = event.index;
            event.sent.iter_mut().find_map(|sent| match &mut sent.message.message {
                Message::AppendResponse { commit, .. } if *commit > 0 => {
                    *commit = knows(*commit);
                    Some(index)
                }
                _ => None,
            })
        });
        let refusal = verdict(&run).expect_err("a message was altered");
        assert_eq!(Some(refusal.event), sent, "{refusal}");
    }
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

/// Alters the last response to a read that has values.
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

/// An accepted proposal is recorded as refused.
#[test]
fn an_altered_answer_to_a_proposal_is_refused() {
    let mut run = SPLIT.clone();
    let half = run.events.len() / 2;
    let index = run.events.iter_mut().skip(half).find_map(|event| match &mut event.event {
        Happening::Propose { outcome, .. } if outcome.is_done() => {
            *outcome = Outcome::Refused(Reason::EpochChanging);
            Some(event.index)
        }
        _ => None,
    });
    assert_eq!(Some(verdict(&run).expect_err("an answer was altered").event), index);
}
