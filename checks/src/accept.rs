//! The model's verdict on a run: is every durable fact what some behaviour of
//! the model leads to?
//!
//! One state of the model goes along with the run. What a store sent must be
//! what the model's peer may send (`rollcall_model::may_send`) or what it
//! answers to the very message; what a store took must lead the model to the
//! same facts. A tick is explained by at most [`HIDDEN`] actions that nobody
//! wrote down: a campaign, or a transfer that is given up. How raft-rs probes
//! and when it sends is left to it; so are losses and copies, because a message
//! may be delivered never or often.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use rollcall_model::{GuardSet, Rollcall, State, may_send};
use rollcall_traces::{
    Action, Book, Cluster, Difference, Event, Facts, Happening, Held, Message, Outcome, Peer, RegionId, Run,
    RunHeader, ScopeError, Sent, Store, StoreId, View, differences, factual,
};

/// The most actions that nobody wrote down between two events.
pub const HIDDEN: usize = 1;

/// Events that a refusal tells of before its own.
const TOLD: usize = 5;

/// What was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Events.
    pub events: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Facts of a peer compared.
    pub facts: u64,
    /// Actions that nobody wrote down.
    pub hidden: u64,
    /// The most of them for one event.
    pub most_hidden: usize,
}

/// The first event that no behaviour of the model explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The run.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The event, from 1.
    pub event: u64,
    /// The store that it happened to, where one is known.
    pub store: Option<StoreId>,
    /// The region.
    pub region: RegionId,
    /// What happened, and the last events before it.
    pub happened: Vec<String>,
    /// What cannot be.
    pub fault: String,
    /// The facts that differ.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unexplained { scenario, seed, event, region, fault, .. } = self;
        let store = self.store.map_or(Cow::Borrowed(""), |store| format!(", store {store}").into());
        writeln!(
            f,
            "{scenario}, seed {seed}: the model does not explain event {event} (region {region}{store})"
        )?;
        writeln!(f, "  {fault}")?;
        for Difference { path, expected, actual } in &self.differences {
            let words = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or("nothing".to_string(), ToString::to_string)
            };
            writeln!(f, "    {path}: model {}, run {}", words(expected), words(actual))?;
        }
        writeln!(f, "  the last events:")?;
        self.happened.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// A fault in one explanation; the one with the fewest differences is told.
struct Fault {
    words: String,
    differences: Vec<Difference>,
}

impl Fault {
    fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), differences: Vec::new() }
    }
}

struct Acceptor {
    model: Rollcall,
    state: State,
    told: Book,
    messages: BTreeMap<u64, Held>,
    accepted: Accepted,
    last: VecDeque<String>,
}

/// The model's verdict on `run`.
///
/// # Errors
/// Where the model cannot begin as the run does.
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
        let mut told = Book::default();
        let seen = model.seen(&state);
        for (store, _) in seen.stores() {
            for region in seen.regions() {
                if let Some(peer) = seen.peer(store, region) {
                    told.note(store, region, peer);
                }
            }
        }
        let (messages, accepted, last) = Default::default();
        Ok(Self { model, state, told, messages, accepted, last })
    }

    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        let mut line = format!("{:>6} {}", event.index, event.event);
        if let Happening::Deliver { message } = &event.event
            && let Some(held) = self.messages.get(message)
        {
            line.push_str(&format!(": {held}"));
        }
        self.last.push_back(line);
        if self.last.len() > TOLD {
            self.last.pop_front();
        }
        for facts in &event.facts {
            self.told.learn(facts).map_err(Fault::new)?;
        }
        let (state, hidden) = self.explain(event)?;
        self.state = state;
        self.accepted.events += 1;
        self.accepted.facts += event.facts.len() as u64;
        self.accepted.sent += event.sent.len() as u64;
        self.accepted.delivered += u64::from(matches!(event.event, Happening::Deliver { .. }));
        self.accepted.hidden += hidden as u64;
        self.accepted.most_hidden = self.accepted.most_hidden.max(hidden);
        for Sent { id, message } in &event.sent {
            if self.messages.insert(*id, message.clone()).is_some() {
                return Err(Fault::new(format!("a second message has the number {id}")));
            }
        }
        Ok(())
    }

    /// The state behind the event by the explanation that fits, and the number
    /// of hidden actions in it.
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
        Err(nearest.expect("that nothing is hidden is always tried"))
    }

    /// What may have happened unwritten, first or within, the likeliest first.
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
            _ => vec![None],
        }
    }

    fn try_out(&self, event: &Event, hidden: Option<&Action>) -> Result<State, Fault> {
        let mut state = self.state;
        if let Some(action) = hidden {
            state = self.done(&state, action)?;
        }
        let (after, answer) = self.take(&state, &event.event)?;
        self.compare(&after, &event.facts)?;
        self.check_sent(event, &state, &after, answer)?;
        Ok(after)
    }

    fn done(&self, state: &State, action: &Action) -> Result<State, Fault> {
        match self.model.step(state, action) {
            (after, Outcome::Done(_)) => Ok(after),
            (_, Outcome::Refused(reason)) => {
                Err(Fault::new(format!("the model refuses `{action}`: {reason}")))
            }
        }
    }

    /// What the model makes of the event, and what its receiver answers.
    fn take(&self, state: &State, happening: &Happening) -> Result<(State, Option<Held>), Fault> {
        let after = match happening {
            // A report changes what raft-rs sends next, and no fact.
            Happening::Tick { .. } | Happening::Lose { .. } | Happening::ReportSnapshot { .. } => *state,
            Happening::Deliver { message } => {
                let held = self.messages.get(message);
                let held = held.ok_or_else(|| Fault::new(format!("nobody sent message {message}")))?;
                let (after, _, answer) = self.model.deliver(state, held);
                return Ok((after, answer));
            }
            Happening::Propose { region, store, command, outcome } => {
                let (region, store, command) = (*region, *store, command.clone());
                let action = Action::Propose { region, store, command, epoch: None };
                let (after, expected) = self.model.step(state, &action);
                if expected != *outcome {
                    let words =
                        format!("the model's answer to the proposal is {expected}, the run's {outcome}");
                    return Err(Fault::new(words));
                }
                after
            }
            Happening::Apply { region, store } => {
                self.done(state, &Action::Apply { region: *region, store: *store })?
            }
            Happening::ApplySnapshot { region, store } => {
                self.done(state, &Action::ApplySnapshot { region: *region, store: *store })?
            }
            Happening::Crash { store } => self.done(state, &Action::Crash { store: *store })?,
            Happening::Restart { store } => self.done(state, &Action::Restart { store: *store })?,
        };
        Ok((after, None))
    }

    fn compare(&self, after: &State, told: &[Facts]) -> Result<(), Fault> {
        let seen = self.model.seen(after);
        for Facts { store, region, .. } in told {
            let expected = seen.peer(*store, *region).map(factual);
            let actual = self.told.peer(*store, *region);
            if expected.as_ref() != actual {
                let differences =
                    differences(&alone(*store, *region, expected.as_ref()), &alone(*store, *region, actual));
                return Err(Fault { words: "its facts are not the model's:".into(), differences });
            }
        }
        Ok(())
    }

    /// A message is what its sender may send before or after the event, or its
    /// answer to the message that it took.
    fn check_sent(
        &self,
        event: &Event,
        before: &State,
        after: &State,
        answer: Option<Held>,
    ) -> Result<(), Fault> {
        let applied = matches!(event.event, Happening::ApplySnapshot { .. });
        let mut answered = answer.is_none();
        for Sent { id, message } in &event.sent {
            if answer.as_ref() == Some(message) {
                answered = true;
                continue;
            }
            let is_answer = matches!(message.message, Message::AppendAnswer { .. }) && !applied;
            let may = |state: &State| {
                let seen = self.model.seen(state);
                match seen.peer(message.from.store, message.region) {
                    _ if is_answer => Err("nothing was asked".to_string()),
                    Some(peer) => may_send(peer, message.from.store, message),
                    None => Err("its sender is not there".into()),
                }
            };
            if let Err(why) = may(after)
                && may(before).is_err()
            {
                return Err(Fault::new(format!("message {id} ({message}) cannot be sent: {why}")));
            }
        }
        match answer {
            Some(answer) if !answered => Err(Fault::new(format!("the model answers: {answer}"))),
            _ => Ok(()),
        }
    }

    fn refusal(&self, header: &RunHeader, event: &Event, fault: Fault) -> Unexplained {
        let delivered = match &event.event {
            Happening::Deliver { message } => self.messages.get(message).map(|held| held.to.store),
            _ => None,
        };
        Unexplained {
            scenario: header.scenario.clone(),
            seed: header.seed,
            event: event.index,
            store: event.event.stores().last().copied().or(delivered),
            region: header.scope.regions[0].id,
            happened: self.last.iter().cloned().collect(),
            fault: fault.words,
            differences: fault.differences,
        }
    }
}

/// A cluster in which there is one peer at most.
fn alone(store: StoreId, region: RegionId, peer: Option<&Peer>) -> View {
    let mut seen = Store::default();
    if let Some(peer) = peer {
        seen.peers.insert(region, peer.clone());
    }
    View { stores: [(store, seen)].into(), held: Vec::new() }
}
