//! The question before a leadership transfer: runs in which it or its reply was altered, and
//! replies that come late.

use rollcall_traces::{Command, Event, Happening, Held, Message, Outcome, Run, Sent};

use super::{SPLIT, judged, verdict};

fn is_question(sent: &Sent) -> bool {
    sent.message.message == Message::PreTransferLeader
}

fn is_reply(sent: &Sent) -> bool {
    matches!(sent.message.message, Message::AckTransferLeader { .. })
}

/// Alters the last event that sends such a message.
fn is_refused(is: fn(&Sent) -> bool, alter: impl Fn(&mut Event)) {
    let mut run = SPLIT.clone();
    let event = run.events.iter_mut().rfind(|event| event.sent.iter().any(is)).expect("it is sent");
    alter(event);
    let index = event.index;
    let refusal = verdict(&run).expect_err("it was altered");
    assert_eq!(refusal.event, index, "{refusal}");
}

fn message(is: fn(&Sent) -> bool, alter: fn(&mut Held)) -> impl Fn(&mut Event) {
    move |event| alter(&mut event.sent.iter_mut().find(|sent| is(sent)).expect("just seen").message)
}

#[test]
fn an_altered_question_or_answer_is_refused() {
    is_refused(is_question, message(is_question, |question| question.term += 1));
    is_refused(is_question, message(is_question, |question| question.to.id += 1));
    is_refused(is_question, |event| event.sent.retain(|sent| !is_question(sent)));
    is_refused(is_reply, |event| event.sent.retain(|sent| !is_reply(sent)));
    is_refused(is_reply, message(is_reply, |answer| answer.term += 1));
    for by in [1, u64::MAX] {
        is_refused(is_reply, |event| {
            let sent = event.sent.iter_mut().find(|sent| is_reply(sent)).expect("just seen");
            let Message::AckTransferLeader { applied } = &mut sent.message.message else {
                panic!("an answer")
            };
            *applied = applied.wrapping_add(by);
        });
    }
}

/// No transfer was proposed, and the transferee is asked all the same.
#[test]
fn a_transfer_question_without_a_proposal_is_refused() {
    let mut run = SPLIT.clone();
    let asks = run.events.iter().rposition(|event| event.sent.iter().any(is_question));
    let asks = &mut run.events[asks.expect("somebody asks")];
    let Happening::Propose { command, .. } = &mut asks.event else { panic!("a transfer is proposed") };
    assert!(matches!(command, Command::TransferLeader { .. }));
    asks.event =
        Happening::Tick { region: asks.sent[0].message.region, store: asks.sent[0].message.from.store };
    let index = asks.index;
    assert_eq!(verdict(&run).expect_err("no peer was asked").event, index);
}

/// How many replies reach a leader that has taken a proposal since it asked.
fn late(run: &Run) -> usize {
    let events = &run.events;
    let asked = events
        .iter()
        .flat_map(|event| event.sent.iter().filter(|sent| is_reply(sent)).map(move |sent| (event, sent)));
    let is_late = |(event, sent): (&Event, &Sent)| {
        let arrives = |later: &&Event| later.event == Happening::Deliver { message: sent.id };
        let Some(arrival) = events.iter().find(arrives) else { return false };
        events[event.index as usize..arrival.index as usize].iter().any(|between| {
            let Happening::Propose { region, store, outcome, .. } = &between.event else { return false };
            (*region, *store, outcome) == (sent.message.region, sent.message.to.store, &Outcome::DONE)
        })
    };
    asked.filter(|pair| is_late(*pair)).count()
}

/// The model takes the exchange as one step. Here it takes time, and the runs are still explained.
/// A few runs suffice to find one.
#[test]
fn answers_come_late() {
    let is_late = |seed| late(&judged("split-conf-change-snapshot-unreliable-recover", seed).0.run) > 0;
    assert!((1..=12).any(is_late), "no answer comes late in any run");
}
