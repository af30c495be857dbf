//! Stores that send each other single messages: the implementation left to
//! itself, and every event with the facts after it written down.
//!
//! Nothing here tells raft-rs how to replicate; its own probing, pipelining
//! and clocks are at work. What happens when is drawn from a seed
//! (`schedule.rs`), so a run can be had again.

mod clients;
mod members;
mod random;
mod scenarios;
mod schedule;

use rollcall_impl::{Config, Input, MemoryEngine, Output, PeerStatus, Sound, Store};
use rollcall_traces::{
    Book, Command, Event, Happening, Outcome, Peer, Reason, RegionId, Scope, Sent, StoreId,
};

pub use scenarios::{SCENARIOS, Scenario, scenario};
pub use schedule::{Lost, Recorded, record};

use crate::world::convert;
use random::Random;

/// The clock of a real cluster: heartbeats every 2 ticks, elections after 10
/// to 20 (TinyKV's test configuration).
const CLOCK: Config = Config {
    election_tick: 10,
    heartbeat_tick: 2,
    drawn_election_tick: 10,
    check_quorum: false,
    pre_vote: false,
};

/// One store's place.
struct Node {
    id: StoreId,
    up: bool,
    /// Until then its clock stands still.
    stalled: u64,
    /// Of a store that is down what will come back.
    store: Store<Sound>,
}

/// A message under way.
struct Flight {
    id: u64,
    /// The tick at which it arrives.
    due: u64,
    message: rollcall_impl::Message,
}

/// Stores, and what is under way between them.
struct Network {
    region: RegionId,
    nodes: Vec<Node>,
    flights: Vec<Flight>,
    now: u64,
    random: Random,
    /// Who has the shortest election timeout.
    rotation: u64,
    book: Book,
    events: Vec<Event>,
    sent: u64,
}

impl Network {
    /// The stores of `scope` with their first replicas, and nothing begun.
    fn new(scope: &Scope, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut network = Self {
            rotation: random.below(5),
            region: scope.regions[0].id,
            nodes: Vec::new(),
            flights: Vec::new(),
            now: 0,
            random,
            book: Book::default(),
            events: Vec::new(),
            sent: 0,
        };
        for &id in &scope.stores {
            let mut store = network.open(id, MemoryEngine::new());
            for region in scope.regions.iter().filter(|region| region.member_on(id).is_some()) {
                store.bootstrap(convert::to_region(region)).expect("an empty store takes its first regions");
            }
            network.nodes.push(Node { id, up: true, stalled: 0, store });
        }
        for at in 0..network.nodes.len() {
            if let Some(peer) = network.peer(at) {
                network.book.note(network.nodes[at].id, network.region, &peer);
            }
        }
        network
    }

    fn open(&mut self, id: StoreId, engine: MemoryEngine) -> Store<Sound> {
        let config = Config { drawn_election_tick: self.draw_timeout(id), ..CLOCK };
        Store::open(id, config, Sound, engine).expect("what a store wrote it can read")
    }

    /// No two stores draw alike: a peer keeps its timeout until it is loaded
    /// again, and two voters with the same one split every vote for ever.
    fn draw_timeout(&mut self, store: StoreId) -> usize {
        CLOCK.election_tick + ((store + self.rotation) % 5 * 2 + self.random.below(2)) as usize
    }

    fn place(&self, store: StoreId) -> usize {
        self.nodes.iter().position(|node| node.id == store).expect("a store of the scope")
    }

    /// What is on the store in that place.
    fn peer(&self, at: usize) -> Option<Peer> {
        let store = &self.nodes[at].store;
        match store.peer(self.region) {
            Some(status) => Some(convert::peer(status, false)),
            None => store.tombstone(self.region).map(convert::tombstone),
        }
    }

    /// The live peer of the running store in that place.
    fn status(&self, at: usize) -> Option<PeerStatus<'_>> {
        let node = &self.nodes[at];
        if node.up { node.store.peer(self.region) } else { None }
    }

    /// One step of the store in that place.
    fn step(&mut self, at: usize, input: Input) -> Result<Vec<rollcall_impl::Message>, Reason> {
        match self.nodes[at].store.step(input) {
            Ok(outputs) => Ok(outputs
                .into_iter()
                .filter_map(|output| match output {
                    Output::Message(message) => Some(message),
                    _ => None,
                })
                .collect()),
            Err(error) => match error.refusal() {
                Some(refusal) => Err(convert::reason(refusal)),
                None => panic!("the implementation failed, and was not refused: {error}"),
            },
        }
    }

    /// Writes an event down, and sends off what came of it.
    fn happened(&mut self, at: Option<usize>, event: Happening, messages: Vec<rollcall_impl::Message>) {
        let mut sent = Vec::new();
        for message in messages {
            self.sent += 1;
            let id = self.sent;
            sent.push(Sent { id, message: convert::held(&message) });
            let due = self.now + self.draw_delay();
            self.flights.push(Flight { id, due, message });
        }
        let facts = at.map(|at| {
            let peer = self.peer(at);
            self.book.tell(self.nodes[at].id, self.region, peer)
        });
        let index = self.events.len() as u64 + 1;
        self.events.push(Event { index, event, sent, facts: facts.into_iter().collect() });
    }

    /// Most messages arrive within the tick, some far behind others.
    fn draw_delay(&mut self) -> u64 {
        match self.random.below(10) {
            0..7 => 0,
            7 | 8 => 1,
            _ => 1 + self.random.below(6),
        }
    }

    /// A tick of one store's clock; written down if anything comes of it.
    ///
    /// Now and then a clock stands still for up to two election timeouts.
    /// Timeouts are constant here, and without that one voter with the shorter
    /// timeout and the shorter log would disturb the other's elections for ever
    /// (raft-rs draws a new timeout each time; pre_vote would help too).
    fn tick(&mut self, at: usize) {
        if self.now < self.nodes[at].stalled {
            return;
        }
        if self.random.below(40) == 0 {
            self.nodes[at].stalled = self.now + self.random.below(2 * CLOCK.election_tick as u64);
        }
        let before = self.nodes[at].store.mark(self.region);
        let transferee = self.status(at).and_then(|peer| peer.lead_transferee());
        let input = Input::Tick { region: self.region };
        let Ok(messages) = self.step(at, input) else { return };
        let quiet = messages.is_empty()
            && self.nodes[at].store.mark(self.region) == before
            && self.status(at).and_then(|peer| peer.lead_transferee()) == transferee;
        if !quiet {
            let (region, store) = (self.region, self.nodes[at].id);
            self.happened(Some(at), Happening::Tick { region, store }, messages);
        }
    }

    /// A message reaches its receiver, if that runs.
    fn deliver(&mut self, id: u64, message: rollcall_impl::Message) {
        let at = self.place(message.to.store);
        if !self.nodes[at].up {
            return self.lose(id, &message);
        }
        let report = is_snapshot(&message).then_some((message.from.store, message.to.id));
        let timeout = self.draw_timeout(message.to.store);
        self.nodes[at].store.draw_election_tick(timeout).expect("no shorter than the shortest");
        // A refusal shows in the facts: nothing has changed.
        let messages = self.step(at, Input::Message(message)).unwrap_or_default();
        self.happened(Some(at), Happening::Deliver { message: id }, messages);
        if let Some((store, to)) = report {
            self.report(id, store, to, true);
        }
    }

    fn lose(&mut self, id: u64, message: &rollcall_impl::Message) {
        self.happened(None, Happening::Lose { message: id }, Vec::new());
        if is_snapshot(message) {
            self.report(id, message.from.store, message.to.id, false);
        }
    }

    /// A snapshot is streamed: its sender learns how that ended. Nothing else
    /// would bring raft-rs back to sending entries if the answer is lost.
    fn report(&mut self, message: u64, store: StoreId, to: u64, arrived: bool) {
        let (at, region) = (self.place(store), self.region);
        if self.status(at).is_none() {
            return;
        }
        let messages = self.step(at, Input::ReportSnapshot { region, to, arrived }).unwrap_or_default();
        self.happened(Some(at), Happening::ReportSnapshot { region, store, message, arrived }, messages);
    }

    fn propose(&mut self, at: usize, command: &Command) -> Outcome {
        let input =
            Input::Propose { region: self.region, command: convert::to_command(command), epoch: None };
        let (outcome, messages) = match self.step(at, input) {
            Ok(messages) => (Outcome::DONE, messages),
            Err(reason) => (Outcome::Refused(reason), Vec::new()),
        };
        let (region, store) = (self.region, self.nodes[at].id);
        let event = Happening::Propose { region, store, command: command.clone(), outcome: outcome.clone() };
        self.happened(Some(at), event, messages);
        outcome
    }

    /// Takes in what waits to be applied, one thing at a time; whether there was one.
    fn apply(&mut self, at: usize) -> bool {
        let Some(peer) = self.status(at) else { return false };
        let (region, store) = (self.region, self.nodes[at].id);
        let (input, event) = if peer.staged().is_some() {
            (Input::ApplySnapshot { region }, Happening::ApplySnapshot { region, store })
        } else if peer.applied() < peer.commit() {
            (Input::Apply { region }, Happening::Apply { region, store })
        } else {
            return false;
        };
        let messages = self.step(at, input).expect("something waits to be applied");
        self.happened(Some(at), event, messages);
        true
    }

    fn crash(&mut self, at: usize) {
        let id = self.nodes[at].id;
        let store = std::mem::replace(&mut self.nodes[at].store, empty(id));
        let mut engine = store.into_engine();
        engine.lose_unsynced();
        self.nodes[at].store = self.open(id, engine);
        self.nodes[at].up = false;
        self.happened(Some(at), Happening::Crash { store: id }, Vec::new());
    }

    fn restart(&mut self, at: usize) {
        self.nodes[at].up = true;
        let store = self.nodes[at].id;
        self.happened(Some(at), Happening::Restart { store }, Vec::new());
    }

    /// Where the leader of the newest term runs.
    fn leader(&self) -> Option<usize> {
        (0..self.nodes.len())
            .filter_map(|at| self.status(at).map(|peer| (at, peer)))
            .filter(|(_, peer)| peer.role() == rollcall_impl::StateRole::Leader)
            .max_by_key(|(_, peer)| peer.term())
            .map(|(at, _)| at)
    }

    /// The message that is sent as `held` is under way no more.
    fn land(&mut self, place: usize) -> Flight {
        self.flights.swap_remove(place)
    }
}

fn is_snapshot(message: &rollcall_impl::Message) -> bool {
    message.raft_type() == Some(rollcall_impl::eraftpb::MessageType::MsgSnapshot)
}

/// Stands in a place for a moment.
fn empty(id: StoreId) -> Store<Sound> {
    Store::open(id, CLOCK, Sound, MemoryEngine::new()).expect("nothing can be wrong with nothing")
}
