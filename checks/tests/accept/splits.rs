//! Runs in which a part of a split was altered: a child's facts, its first messages, the allotted
//! ids.

use std::collections::BTreeSet;

use rollcall_traces::{
    Child, Event, Facts, Happening, Held, Key, MemberRole, Message, PeerFacts, RegionId, Run, Sent,
};

use super::{SPLIT, verdict};

/// The first event in which a split creates a child on a store, if `fits` holds.
fn birth(run: &mut Run, fits: impl Fn(&Event) -> bool) -> (&mut Event, RegionId) {
    let mut known: BTreeSet<_> = run.header.scope.stores.iter().map(|store| (*store, 1)).collect();
    let is_there = |facts: &&Facts| facts.peer.is_some();
    let mut born = None;
    for (at, event) in run.events.iter().enumerate() {
        let reported = || event.facts.iter().filter(is_there).map(|facts| (facts.store, facts.region));
        let new = reported().find(|place| !known.contains(place));
        if let Some((_, region)) = new
            && matches!(event.event, Happening::Apply { .. })
            && fits(event)
        {
            born = Some((at, region));
            break;
        }
        known.extend(reported());
    }
    let (at, region) = born.expect("a split is applied");
    (&mut run.events[at], region)
}

/// Alters one fact of a new child.
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
fn a_child_without_any_fact_is_refused() {
    let mut run = SPLIT.clone();
    let (event, region) = birth(&mut run, |_| true);
    event.facts.retain(|facts| facts.region != region);
    let index = event.index;
    let refusal = verdict(&run).expect_err("a child is missing");
    assert_eq!((refusal.event, refusal.region), (index, region), "{refusal}");
}

/// The data of the child's range must not be the parent's any longer.
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

/// A pending vote request for the child is answered as soon as the child exists.
#[test]
fn a_missing_answer_of_a_newborn_child_is_refused() {
    let mut run = SPLIT.clone();
    let is_reply = |sent: &Sent| matches!(sent.message.message, Message::VoteResponse { .. });
    let (event, _) = birth(&mut run, |event| event.sent.iter().any(is_reply));
    event.sent.retain(|sent| !is_reply(sent));
    let index = event.index;
    assert_eq!(verdict(&run).expect_err("an answer is missing").event, index);
}

/// The child of a leader campaigns at once. No other child does.
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

/// Alters the placement driver's response to the last request for ids.
fn ids_are_refused(alter: fn(&mut Held)) {
    let mut run = SPLIT.clone();
    let asked = run.events.iter_mut().rfind(|event| matches!(event.event, Happening::AskSplit { .. }));
    let event = asked.expect("a split is asked for");
    alter(&mut event.sent[0].message);
    let index = event.index;
    let refusal = verdict(&run).expect_err("what was allotted was altered");
    assert_eq!(refusal.event, index, "{refusal}");
}

fn children(held: &mut Held) -> &mut Vec<Child> {
    match &mut held.message {
        Message::AskSplitResponse { children, .. } => children,
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
