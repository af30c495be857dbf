//! The model's verdict on a run: is every durable fact the result of some behaviour of the model?
//!
//! One model state follows the run. A sent message must be one that the model's peer may send
//! (`rollcall_model::may_send`) or its reply. A delivered message must lead the model to the same
//! facts, for every region on the store that it can have changed. A tick is explained by at most
//! [`HIDDEN`] actions that the run does not record: a campaign, or an aborted transfer. The check
//! leaves open when raft-rs sends and how it probes. It allows loss and duplication, because a
//! message may be delivered never or often. It also leaves open who acknowledged a read; the value
//! read must still be the model's.

mod sent;
mod verdict;

use std::collections::{BTreeMap, VecDeque};

use rollcall_model::{GuardSet, Rollcall, State};
use rollcall_traces::{
    Action, Book, Cluster, Command, Difference, Event, Facts, Happening, Held, Key, Outcome, Peer, PeerState,
    PlacementDriver, Reason, RegionId, Run, RunHeader, ScopeError, Sent, Store, StoreId, View, differences,
    factual,
};

pub use verdict::{Accepted, Unexplained};

/// The most unrecorded actions between two events.
pub const HIDDEN: usize = 1;

/// How many events before the refused one a refusal lists.
const MOST_LISTED: usize = 5;

/// A fault in one explanation; the one with the fewest differences is reported.
struct Fault {
    words: String,
    /// The region of the facts that differ.
    region: Option<RegionId>,
    differences: Vec<Difference>,
}

impl Fault {
    fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), region: None, differences: Vec::new() }
    }
}

/// A pending read.
struct Reading {
    key: Option<Key>,
    /// The commit index when the read was requested. The read must not return older data.
    index: u64,
}

struct Acceptor {
    model: Rollcall,
    state: State,
    reported: Book,
    messages: BTreeMap<u64, Held>,
    readings: BTreeMap<(StoreId, RegionId), Reading>,
    /// The last id that the placement driver has allotted for a split.
    allotted: u64,
    accepted: Accepted,
    last: VecDeque<String>,
}

/// Checks `run` against the model.
///
/// # Errors
/// If the model cannot reproduce the run's initial cluster.
pub fn accept(run: &Run) -> Result<Result<Accepted, Box<Unexplained>>, ScopeError> {
    let mut acceptor = Acceptor::new(&run.header)?;
    for event in &run.events {
        if let Err(fault) = acceptor.event(event) {
            return Ok(Err(Box::new(acceptor.refusal(&run.header, event, fault))));
        }
    }
    Ok(Ok(acceptor.accepted))
}

impl Acceptor {
    fn new(header: &RunHeader) -> Result<Self, ScopeError> {
        let model = Rollcall::new(&header.scope, GuardSet::ALL, &[], &[])?;
        let state = model.first();
        let mut reported = Book::default();
        let seen = model.cluster(&state);
        for (store, _) in seen.stores() {
            for region in seen.regions() {
                if let Some(peer) = seen.peer(store, region) {
                    reported.note(store, region, peer);
                }
            }
        }
        let (messages, readings, allotted, accepted, last) = Default::default();
        Ok(Self { model, state, reported, messages, readings, allotted, accepted, last })
    }

    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        let mut line = format!("{:>6} {}", event.index, event.event);
        if let Happening::Deliver { message } = &event.event
            && let Some(held) = self.messages.get(message)
        {
            line.push_str(&format!(": {held}"));
        }
        self.last.push_back(line);
        if self.last.len() > MOST_LISTED {
            self.last.pop_front();
        }
        for facts in &event.facts {
            self.reported.learn(facts).map_err(Fault::new)?;
        }
        let (state, hidden) = self.explain(event)?;
        self.note_read(&event.event);
        self.state = state;
        self.accepted.events += 1;
        self.accepted.facts += event.facts.len() as u64;
        self.accepted.sent += event.sent.len() as u64;
        self.accepted.delivered += u64::from(matches!(event.event, Happening::Deliver { .. }));
        self.accepted.hidden += hidden as u64;
        self.accepted.most_hidden = self.accepted.most_hidden.max(hidden);
        for Sent { id, message } in &event.sent {
            self.state = self.model.sent(&self.state, message);
            self.allotted = self.allotted.max(sent::last_id(message));
            if self.messages.insert(*id, message.clone()).is_some() {
                return Err(Fault::new(format!("a second message has the number {id}")));
            }
        }
        Ok(())
    }

    /// The state after the event, by the first explanation that fits, and its number of unrecorded
    /// actions.
    fn explain(&self, event: &Event) -> Result<(State, usize), Fault> {
        let mut nearest: Option<Fault> = None;
        for hidden in self.hidden(&event.event) {
            match self.try_out(event, hidden.as_ref()) {
                Ok(state) => return Ok((state, usize::from(hidden.is_some()))),
                Err(fault) => {
                    let nearer = nearest.as_ref().is_none_or(|nearest| {
                        let rank = |fault: &Fault| (fault.differences.is_empty(), fault.differences.len());
                        rank(&fault) < rank(nearest)
                    });
                    if nearer {
                        nearest = Some(fault);
                    }
                }
            }
        }
        Err(nearest.expect("the explanation without hidden steps is always checked"))
    }

    /// The unrecorded actions to try, the likeliest first.
    fn hidden(&self, happening: &Happening) -> Vec<Option<Action>> {
        match *happening {
            Happening::Tick { region, store } => vec![
                None,
                Some(Action::Campaign { region, store }),
                Some(Action::TransferTimeout { region, store }),
            ],
            Happening::Propose { region, store, .. } => {
                vec![None, Some(Action::TransferTimeout { region, store })]
            }
            // The ids of a split are proposed as well.
            Happening::Deliver { message } => match self.messages.get(&message) {
                Some(held) if held.is_from_pd() => {
                    let (region, store) = (held.region, held.to.store);
                    vec![None, Some(Action::TransferTimeout { region, store })]
                }
                _ => vec![None],
            },
            _ => vec![None],
        }
    }

    fn try_out(&self, event: &Event, hidden: Option<&Action>) -> Result<State, Fault> {
        let mut state = self.state;
        if let Some(action) = hidden {
            state = self.done(&state, action)?.0;
        }
        let (after, answers) = self.take(&state, &event.event)?;
        self.compare(&after, event)?;
        self.check_sent(event, &state, &after, answers)?;
        Ok(after)
    }

    fn done(&self, state: &State, action: &Action) -> Result<(State, Vec<Held>), Fault> {
        match self.model.step_aloud(state, action) {
            (after, Outcome::Done(_), said) => Ok((after, said)),
            (_, Outcome::Refused(reason), _) => {
                Err(Fault::new(format!("the model refuses `{action}`: {reason}")))
            }
        }
    }

    /// Takes the event in the model and collects the replies that it causes.
    fn take(&self, state: &State, happening: &Happening) -> Result<(State, Vec<Held>), Fault> {
        match happening {
            // A progress report or a size check changes what raft-rs sends next, but no durable
            // fact.
            Happening::Tick { .. }
            | Happening::Lose { .. }
            | Happening::ReportSnapshot { .. }
            | Happening::AskSplit { .. }
            | Happening::AskMembers { .. } => Ok((*state, Vec::new())),
            Happening::Deliver { message } => {
                let held = self.messages.get(message);
                let held = held.ok_or_else(|| Fault::new(format!("message {message} was never sent")))?;
                let (after, _, answer) = self.model.deliver(state, held);
                Ok((after, answer.into_iter().collect()))
            }
            // A transfer is one action of the model and three messages of a run.
            Happening::Propose {
                region, store, command: Command::TransferLeader { to }, outcome, ..
            } => {
                let (expected, said) = match self.model.transfer_question(state, *region, *store, *to) {
                    Ok(question) => (Outcome::DONE, vec![question]),
                    Err(reason) => (Outcome::Refused(reason), Vec::new()),
                };
                same_answer(&expected, outcome)?;
                Ok((*state, said))
            }
            Happening::Propose { region, store, command, epoch, outcome } => {
                let (region, store, epoch) = (*region, *store, *epoch);
                let action = Action::Propose { region, store, command: command.clone(), epoch };
                let (after, expected) = self.model.step(state, &action);
                same_answer(&expected, outcome)?;
                Ok((after, Vec::new()))
            }
            Happening::Read { region, store, key, outcome } => {
                self.check_read(state, *region, *store, key.as_ref(), outcome)?;
                Ok((*state, Vec::new()))
            }
            Happening::AnswerRead { region, store, meta, data } => {
                let seen = self.model.cluster(state);
                let peer = seen.peer(*store, *region).filter(|peer| peer.state != PeerState::Tombstone);
                let peer = peer.ok_or_else(|| Fault::new("there is no such peer"))?;
                let asked = self.readings.get(&(*store, *region));
                let asked = asked.ok_or_else(|| Fault::new("no read is pending"))?;
                if peer.applied < asked.index {
                    return Err(Fault::new(format!(
                        "the peer has not applied index {}, which was committed at the request",
                        asked.index
                    )));
                }
                let asked_for = |key: &Key| asked.key.as_ref().is_none_or(|asked| asked == key);
                if !peer.data.iter().filter(|(key, _)| asked_for(key)).eq(data) || peer.region != *meta {
                    return Err(Fault::new("the model's answer has other data, or another region"));
                }
                Ok((*state, Vec::new()))
            }
            Happening::Apply { region, store } => {
                self.done(state, &Action::Apply { region: *region, store: *store })
            }
            Happening::ApplySnapshot { region, store } => {
                self.done(state, &Action::ApplySnapshot { region: *region, store: *store })
            }
            Happening::Crash { store } => self.done(state, &Action::Crash { store: *store }),
            Happening::Restart { store } => self.done(state, &Action::Restart { store: *store }),
        }
    }

    /// Whether the model also takes or refuses this read. The model takes no read round: no event
    /// says who acknowledged the read.
    fn check_read(
        &self,
        state: &State,
        region: RegionId,
        store: StoreId,
        key: Option<&Key>,
        outcome: &Outcome,
    ) -> Result<(), Fault> {
        let seen = self.model.cluster(state);
        let first = || seen.peer(store, region).map_or_else(Key::empty, |peer| peer.region.start.clone());
        let key = key.cloned().unwrap_or_else(first);
        let expected = self.model.step(state, &Action::Read { region, store, key }).1;
        // The model has no pending read, so it gives the verdict of the later checks instead.
        let behind = expected.is_done() || expected == Outcome::Refused(Reason::NotCommittedTerm);
        let pending = *outcome == Outcome::Refused(Reason::ReadPending) && behind;
        if pending && self.readings.contains_key(&(store, region)) {
            return Ok(());
        }
        same_answer(&expected, outcome)
    }

    /// Records pending reads.
    fn note_read(&mut self, happening: &Happening) {
        match happening {
            Happening::Read { region, store, key, outcome } if outcome.is_done() => {
                let seen = self.model.cluster(&self.state);
                let index = seen.peer(*store, *region).map_or(0, |peer| peer.commit);
                self.readings.insert((*store, *region), Reading { key: key.clone(), index });
            }
            Happening::AnswerRead { region, store, .. } => {
                self.readings.remove(&(*store, *region));
            }
            Happening::Crash { store } => self.readings.retain(|(at, _), _| at != store),
            _ => {}
        }
    }

    /// The event's facts must be the model's. If more than one region can have changed, earlier
    /// facts of the others must still hold.
    fn compare(&self, after: &State, event: &Event) -> Result<(), Fault> {
        let seen = self.model.cluster(after);
        for Facts { store, region, .. } in &event.facts {
            self.compare_place(seen.peer(*store, *region), *store, *region)?;
        }
        if let Happening::Apply { store, .. } | Happening::Crash { store } | Happening::Restart { store } =
            event.event
        {
            let reported = |region: RegionId| {
                event.facts.iter().any(|facts| (facts.store, facts.region) == (store, region))
            };
            let here = seen.regions().chain(self.reported.regions_on(store));
            for region in here.filter(|region| !reported(*region)) {
                self.compare_place(seen.peer(store, region), store, region)?;
            }
        }
        Ok(())
    }

    fn compare_place(&self, expected: Option<&Peer>, store: StoreId, region: RegionId) -> Result<(), Fault> {
        let expected = expected.map(factual);
        let actual = self.reported.peer(store, region);
        if expected.as_ref() == actual {
            return Ok(());
        }
        let expected = alone(store, region, expected.as_ref());
        let differences = differences(&expected, &alone(store, region, actual));
        Err(Fault { words: "its facts are not the model's:".into(), region: Some(region), differences })
    }

    fn refusal(&self, header: &RunHeader, event: &Event, fault: Fault) -> Unexplained {
        let delivered = match &event.event {
            Happening::Deliver { message } => self.messages.get(message),
            _ => None,
        };
        let region = fault.region.or(event.event.region()).or(delivered.map(|held| held.region));
        Unexplained {
            scenario: header.scenario.clone(),
            seed: header.seed,
            event: event.index,
            store: event.event.stores().last().copied().or(delivered.map(|held| held.to.store)),
            region: region.unwrap_or(header.scope.regions[0].id),
            happened: self.last.iter().cloned().collect(),
            fault: fault.words,
            differences: fault.differences,
        }
    }
}

fn same_answer(expected: &Outcome, outcome: &Outcome) -> Result<(), Fault> {
    if expected == outcome {
        return Ok(());
    }
    Err(Fault::new(format!("the model's answer is {expected}, the run's {outcome}")))
}

/// A cluster with at most one peer.
fn alone(store: StoreId, region: RegionId, peer: Option<&Peer>) -> View {
    let mut seen = Store::default();
    if let Some(peer) = peer {
        seen.peers.insert(region, peer.clone());
    }
    View { stores: [(store, seen)].into(), held: Vec::new(), pd: PlacementDriver::default() }
}
