//! Records running stores: every step, in the order in which the stores take them, as a run that
//! the model can explain ([`accept`](crate::accept::accept)).
//!
//! A store that runs is written behind its steps. Nothing of a step leaves before it is durable, so
//! a crash takes back the steps that were not: the recorder removes them, as they were never heard
//! of. That needs stores that send nothing early (`Config::early_appends` is false); what leaves
//! early is an error here. The owner calls within the store's critical section, which makes the
//! recorded order that of the steps.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rollcall_impl::{
    Child, Config, Effects, End, Error, Guards, IdAllocator, Input, Key, Message, Output, Region, Replica,
    Store, Ticket,
};
use rollcall_traces::{
    Book, Event, Happening, Held, Outcome, Parameters, Peer, RUN_SCHEMA, RegionId, Run, RunHeader, Scope,
    Sent, StoreId, factual,
};

use crate::world::convert;

/// A step of a store, and what it left.
struct Step {
    /// Later steps have greater numbers.
    number: u64,
    store: StoreId,
    /// The ticket of what it wrote, if it wrote.
    ticket: Option<Ticket>,
    event: Happening,
    sent: Vec<Sent>,
    facts: Vec<(RegionId, Option<Peer>)>,
}

/// What is known of a store's disk.
#[derive(Default)]
struct Disk {
    /// The number of the last step before the store was opened.
    opened_at: u64,
    /// What is durable since then.
    durable: Ticket,
}

struct Inner {
    initial: Vec<(StoreId, RegionId, Peer)>,
    steps: Vec<Step>,
    /// The number of the last step.
    taken: u64,
    /// How many steps crashes have taken back.
    taken_back: usize,
    disks: BTreeMap<StoreId, Disk>,
    /// The number of the last message.
    sent: u64,
    /// The numbers of the messages of each content, oldest first.
    numbers: BTreeMap<Vec<u8>, Vec<u64>>,
    ids: IdAllocator,
    /// The ids that were allotted, and the message that brings them.
    allotted: Vec<(u64, Vec<Child>)>,
    /// The key of a peer's pending read; all keys if it has none.
    readings: BTreeMap<(StoreId, RegionId), Option<Key>>,
}

/// An input that a store is about to take.
pub enum Asked {
    /// It is recorded under this event, with what this region's peer is afterwards.
    Event(RegionId, Happening),
    /// The same, with what all peers of the store are afterwards. Not recorded where it is refused.
    Applies(Happening),
    /// A command, whose outcome is recorded.
    Proposes(RegionId, rollcall_traces::Command, Option<rollcall_traces::Epoch>),
    /// A read, whose outcome is recorded.
    Reads(RegionId, Option<Key>),
    /// A pending read is answered.
    Answers(RegionId),
    /// A size check, or an order to split: recorded where it asks for ids.
    Splits(RegionId),
    /// Recorded where it sends questions.
    Questions(RegionId),
    /// A snapshot's fate is reported: its receiver, and whether it arrived.
    Reports(RegionId, u64, bool),
    /// Changes nothing that a run has.
    Nothing,
}

/// Records running stores. Its methods may be called from any thread.
pub struct Recorder {
    scope: Scope,
    seed: u64,
    inner: Mutex<Inner>,
}

impl Recorder {
    /// A run of the stores and regions of `scope`.
    pub fn new(scope: Scope, seed: u64) -> Self {
        let ids = IdAllocator { next_id: scope.next_id };
        let (initial, steps, taken, taken_back, disks, sent, numbers, allotted, readings) =
            Default::default();
        let inner =
            Inner { initial, steps, taken, taken_back, disks, sent, numbers, ids, allotted, readings };
        Self { scope, seed, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A failed check of another thread is the finding, and not the poisoned lock.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A store with its first peers, which have taken no step.
    pub fn starts<G: Guards, R: Replica>(&self, store: &Store<G, R>) {
        let mut inner = self.lock();
        for region in store.regions() {
            if let Some(peer) = peer(store, region) {
                inner.initial.push((store.id(), region, peer));
            }
        }
        inner.disks.insert(store.id(), Disk::default());
    }

    /// A store is about to take this input.
    ///
    /// # Panics
    /// If a run has no event for it, or it is a message that nobody sent.
    pub fn asked(&self, store: StoreId, input: &Input) -> Asked {
        match input {
            Input::Message(message) => {
                let message_id = self.lock().number(message);
                Asked::Event(message.region, Happening::Deliver { message: message_id })
            }
            Input::AskSplitResponse { region, children, .. } => {
                let inner = self.lock();
                let found = inner.allotted.iter().find(|(_, allotted)| allotted == children);
                let (message, _) = found.expect("ids that were allotted");
                Asked::Event(*region, Happening::Deliver { message: *message })
            }
            // A run has ticks, and the model finds out which of them led to a campaign.
            Input::Tick { region } | Input::Campaign { region } => {
                Asked::Event(*region, Happening::Tick { region: *region, store })
            }
            Input::Propose { region, command, epoch } | Input::Request { region, command, epoch, .. } => {
                Asked::Proposes(*region, convert::command(command), epoch.map(convert::epoch))
            }
            Input::Read { region, key } | Input::Get { region, key, .. } => {
                Asked::Reads(*region, Some(key.clone()))
            }
            Input::Snap { region } => Asked::Reads(*region, None),
            Input::AnswerRead { region } => Asked::Answers(*region),
            Input::Apply { region } => Asked::Applies(Happening::Apply { region: *region, store }),
            Input::ApplySnapshot { region } => {
                Asked::Applies(Happening::ApplySnapshot { region: *region, store })
            }
            Input::SplitCheck { region } | Input::AskSplit { region, .. } => Asked::Splits(*region),
            Input::CheckStalePeer { region } => Asked::Questions(*region),
            Input::ReportSnapshot { region, to, arrived } => Asked::Reports(*region, *to, *arrived),
            Input::Inactive { .. } => Asked::Nothing,
            Input::ValidatePeer { .. }
            | Input::RecoveryPlan(_)
            | Input::StoreHeartbeat
            | Input::ForceLeaderTimeout { .. } => panic!("a run has no event for {input:?}"),
        }
    }

    /// The store has taken the input, and no other step since.
    ///
    /// # Panics
    /// If something leaves before it is durable.
    pub fn stepped<G: Guards, R: Replica>(
        &self,
        store: &Store<G, R>,
        asked: Asked,
        result: Result<&Effects, &Error>,
    ) {
        if result.is_err_and(|error| !matches!(error, Error::Refused { .. } | Error::Snapshot { .. })) {
            return;
        }
        let outputs = result.map_or(&[][..], |effects| {
            assert!(effects.messages.is_empty(), "a run has no message that leaves before it is durable");
            &effects.after_persist
        });
        let outcome = match result {
            Ok(_) => Outcome::DONE,
            Err(error) => match error.refusal() {
                Some(refusal) => Outcome::Refused(convert::reason(refusal)),
                None => return,
            },
        };
        let (at, done) = (store.id(), outcome.is_done());
        let mut inner = self.lock();
        let (region, event) = match asked {
            Asked::Event(region, event @ Happening::Tick { .. }) if done => (Some(region), event),
            Asked::Event(region, event @ Happening::Deliver { .. }) => (Some(region), event),
            Asked::Applies(event) if done => (None, event),
            Asked::Proposes(region, command, epoch) => {
                let event = Happening::Propose { region, store: at, command, epoch, outcome };
                (Some(region), event)
            }
            Asked::Reads(region, key) => {
                let named = key.as_ref().map(convert::key);
                if done {
                    inner.readings.insert((at, region), key);
                }
                (Some(region), Happening::Read { region, store: at, key: named, outcome })
            }
            Asked::Answers(region) if done => match inner.answered(at, region, outputs) {
                Some(event) => (Some(region), event),
                None => return,
            },
            Asked::Splits(region) => match outputs.iter().find_map(|output| asks_for_ids(at, output)) {
                Some(event) => (Some(region), event),
                None => return,
            },
            Asked::Questions(region) if outputs.iter().any(|it| matches!(it, Output::Message(_))) => {
                (Some(region), Happening::AskMembers { region, store: at })
            }
            Asked::Reports(region, to, arrived) if done => {
                let message = inner.last_snapshot(at, region, to);
                (Some(region), Happening::ReportSnapshot { region, store: at, message, arrived })
            }
            _ => return,
        };
        let ticket = result.ok().filter(|effects| !effects.batch.is_empty()).map(|effects| effects.ticket);
        let sent = outputs.iter().filter_map(|output| inner.sends(output)).collect();
        let regions = region.map_or_else(|| store.regions().collect(), |region| vec![region]);
        let facts = regions.into_iter().map(|region| (region, peer(store, region))).collect();
        inner.push(Step { number: 0, store: at, ticket, event, sent, facts });
    }

    /// Everything up to the ticket is durable on the store.
    pub fn durable(&self, store: StoreId, ticket: Ticket) {
        let mut inner = self.lock();
        let disk = inner.disks.entry(store).or_default();
        disk.durable = disk.durable.max(ticket);
    }

    /// The store has crashed, and is opened again with what its disk has. Its steps that were not
    /// durable have left nothing, and are removed.
    pub fn reopened<G: Guards, R: Replica>(&self, store: &Store<G, R>) {
        let at = store.id();
        let mut inner = self.lock();
        inner.take_back(at);
        let facts: Vec<_> = store.regions().map(|region| (region, peer(store, region))).collect();
        for event in [Happening::Crash { store: at }, Happening::Restart { store: at }] {
            let (ticket, sent, facts) = (None, Vec::new(), facts.clone());
            inner.push(Step { number: 0, store: at, ticket, event, sent, facts });
        }
        let disk = Disk { opened_at: inner.taken, durable: Ticket::default() };
        inner.disks.insert(at, disk);
        inner.readings.retain(|(of, _), _| *of != at);
    }

    /// How many steps crashes have taken back.
    pub fn taken_back(&self) -> usize {
        self.lock().taken_back
    }

    /// The ids that the last such request was given.
    ///
    /// # Panics
    /// If nobody has asked.
    pub fn allotted(&self, region: &Region, keys: &[Key]) -> Vec<Child> {
        let inner = self.lock();
        let fits = |children: &[Child]| {
            children.iter().map(|child| &child.key).eq(keys)
                && children.iter().all(|child| child.peers.len() == region.peers.len())
        };
        let found = inner.allotted.iter().rev().find(|(_, children)| fits(children));
        found.expect("ids that were asked for").1.clone()
    }

    /// The run so far.
    pub fn run(&self) -> Run {
        let inner = self.lock();
        let mut book = Book::default();
        for (store, region, peer) in &inner.initial {
            book.note(*store, *region, peer);
        }
        let events = inner.steps.iter().zip(1..).map(|(step, index)| Event {
            index,
            event: step.event.clone(),
            sent: step.sent.clone(),
            facts: step
                .facts
                .iter()
                .map(|(region, peer)| book.tell(step.store, *region, peer.clone()))
                .collect(),
        });
        let events = events.collect();
        let header = RunHeader {
            schema: RUN_SCHEMA.into(),
            scenario: self.scope.name.clone(),
            seed: self.seed,
            parameters: Parameters::default(),
            scope: self.scope.clone(),
        };
        Run { header, events }
    }
}

/// The facts of a peer or tombstone.
fn peer<G: Guards, R: Replica>(store: &Store<G, R>, region: RegionId) -> Option<Peer> {
    let found = match store.peer(region) {
        Some(status) => convert::peer(status, false, None),
        None => convert::tombstone(store.tombstone(region)?),
    };
    Some(factual(&found))
}

fn content(message: &Message) -> Vec<u8> {
    message.encode(Config::NEVER).expect("without a limit every message can be encoded")
}

fn asks_for_ids(store: StoreId, output: &Output) -> Option<Happening> {
    let Output::AskSplit { region, keys, derive, .. } = output else { return None };
    let keys = keys.iter().map(convert::key).collect();
    Some(Happening::AskSplit { region: region.id, store, keys, derive: convert::derive(*derive) })
}

impl Inner {
    fn push(&mut self, step: Step) {
        self.taken += 1;
        self.steps.push(Step { number: self.taken, ..step });
    }

    /// The number of a message that was sent. Of several with the same content, the first has left
    /// for certain.
    fn number(&self, message: &Message) -> u64 {
        let numbers = self.numbers.get(&content(message));
        let first = numbers.and_then(|numbers| numbers.first());
        *first.unwrap_or_else(|| panic!("nobody sent {message:?}"))
    }

    fn sends(&mut self, output: &Output) -> Option<Sent> {
        let message = match output {
            Output::Message(message) => {
                self.numbers.entry(content(message)).or_default().push(self.sent + 1);
                convert::held(message)
            }
            Output::AskSplit { region, keys, derive, to } => {
                let children = self.ids.allot(region, keys);
                self.allotted.push((self.sent + 1, children.clone()));
                Held::ask_split_response(
                    region.id,
                    convert::member(to),
                    convert::epoch(region.epoch),
                    children.iter().map(convert::child).collect(),
                    convert::derive(*derive),
                )
            }
            _ => return None,
        };
        self.sent += 1;
        Some(Sent { id: self.sent, message })
    }

    /// The answer to a read; none if the range has changed since.
    fn answered(&mut self, store: StoreId, region: RegionId, outputs: &[Output]) -> Option<Happening> {
        let asked = self.readings.remove(&(store, region)).expect("a read that was asked for");
        let of = |key: &Key, value: &Key| (convert::key(key), convert::key(value));
        let (meta, data) = outputs.iter().find_map(|output| match output {
            Output::Snap { region, data } => {
                Some((region, data.iter().map(|(key, it)| of(key, it)).collect()))
            }
            Output::Value { key, value, region } => {
                Some((region, value.iter().map(|value| of(key, value)).collect()))
            }
            Output::Completed { end: End::Read { value, region }, .. } => {
                let key = asked.as_ref().expect("a client reads one key");
                Some((&**region, value.iter().map(|value| of(key, value)).collect()))
            }
            _ => None,
        })?;
        Some(Happening::AnswerRead { region, store, meta: convert::region(meta), data })
    }

    fn last_snapshot(&self, store: StoreId, region: RegionId, to: u64) -> u64 {
        let is_it = |sent: &&Sent| {
            let of = &sent.message;
            matches!(of.message, rollcall_traces::Message::Snapshot(_))
                && (of.region, of.from.store, of.to.id) == (region, store, to)
        };
        let found = self.steps.iter().rev().find_map(|step| step.sent.iter().rev().find(is_it));
        found.expect("a snapshot that was sent").id
    }

    fn take_back(&mut self, store: StoreId) {
        let disk = self.disks.remove(&store).unwrap_or_default();
        let mut lost = false;
        let taken = self.steps.extract_if(.., |step| {
            let is_of_now = step.number > disk.opened_at && step.store == store;
            lost |= is_of_now && step.ticket.is_some_and(|ticket| ticket > disk.durable);
            is_of_now && lost
        });
        let taken: Vec<Step> = taken.collect();
        let gone: Vec<u64> = taken.iter().flat_map(|step| step.sent.iter().map(|sent| sent.id)).collect();
        self.numbers.retain(|_, numbers| {
            numbers.retain(|number| !gone.contains(number));
            !numbers.is_empty()
        });
        self.taken_back += taken.len();
    }
}
