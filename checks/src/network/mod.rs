//! Stores that exchange single messages: the implementation runs freely, and every event is
//! recorded with the durable facts after it.
//!
//! raft-rs replicates with its own probing, pipelining and clocks. The order of events is drawn
//! from a seed (`schedule.rs`), so a run can be repeated.

mod clients;
mod ending;
mod members;
mod merges;
mod mistaken;
mod one_split;
mod pd;
mod requests;
mod scenarios;
mod schedule;
mod stale;

use std::collections::BTreeMap;

use rollcall_impl::{Config, Input, MemoryEngine, Output, PeerStatus, Sound, StateRole, SyncedStore};
use rollcall_traces::{
    Book, Event, Happening, Held, Parameters, Peer, Reason, RegionId, Scope, Sent, StoreId,
};

pub use ending::Lost;
pub use members::Left;
pub use scenarios::{DEFAULT, SCENARIOS, Scenario, scenario};
pub use schedule::{Recorded, record};

use crate::random::Random;
use crate::world::convert;
use pd::Pd;
use requests::Requests;

/// A cluster's clock in ticks: heartbeats every 2, elections after 10 to 20 (TinyKV's test
/// configuration).
const CLOCK: Config = Config {
    election_tick: 10,
    heartbeat_tick: 2,
    drawn_election_tick: 10,
    check_quorum: false,
    pre_vote: false,
    ..Config::SIMULATOR
};

/// One store of the run.
struct Node {
    id: StoreId,
    up: bool,
    /// Ticks for which its clock stands still.
    stalled: u64,
    /// The store. While it is down, the store that will restart.
    store: SyncedStore<Sound>,
}

/// A message in flight.
#[derive(Clone)]
enum Parcel {
    /// From a store.
    Raft(rollcall_impl::Message),
    /// From the placement driver to that store: ids for a split of a region.
    Ids { to: StoreId, region: RegionId, reply: Input },
}

impl Parcel {
    fn to(&self) -> StoreId {
        match self {
            Parcel::Raft(message) => message.to.store,
            Parcel::Ids { to, .. } => *to,
        }
    }

    /// The message, if it is a snapshot.
    fn snapshot(&self) -> Option<&rollcall_impl::Message> {
        match self {
            Parcel::Raft(message) => Some(message).filter(|message| {
                message.raft_type() == Some(rollcall_impl::eraftpb::MessageType::MsgSnapshot)
            }),
            Parcel::Ids { .. } => None,
        }
    }
}

/// A message in flight and its delivery.
#[derive(Clone)]
struct Flight {
    id: u64,
    /// The tick of its delivery.
    due: u64,
    parcel: Parcel,
}

/// Whose facts an event records.
#[derive(Clone, Copy)]
enum Changed {
    Nobody,
    /// Those of one region on the store at this index.
    Peer(usize, RegionId),
    /// Those of every region on the store at this index.
    Store(usize),
}

/// Stores, and the messages between them.
struct Network {
    config: Config,
    nodes: Vec<Node>,
    flights: Vec<Flight>,
    pd: Pd,
    requests: Requests,
    now: u64,
    random: Random,
    /// Rotates the election timeouts between stores.
    rotation: u64,
    book: Book,
    /// When each peer, by store index and region, last received a message.
    last_received: BTreeMap<(usize, RegionId), u64>,
    events: Vec<Event>,
    sent: u64,
}

impl Network {
    /// The stores of `scope` with their first peers.
    fn new(scope: &Scope, parameters: &Parameters, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = match parameters.split {
            Some(sizes) => Config {
                max_size: sizes.max,
                split_size: sizes.split,
                split_check_diff: sizes.check,
                split_derive: convert::to_derive(sizes.derive),
                ..CLOCK
            },
            None => CLOCK,
        };
        let mut network = Self {
            config,
            rotation: random.below(5),
            nodes: Vec::new(),
            flights: Vec::new(),
            pd: Pd::new(scope.next_id),
            requests: Requests::default(),
            now: 0,
            random,
            book: Book::default(),
            last_received: BTreeMap::new(),
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
            for region in network.regions(at) {
                let peer = network.peer(at, region).expect("it was just listed");
                network.book.note(network.nodes[at].id, region, &peer);
            }
        }
        network
    }

    fn open(&mut self, id: StoreId, engine: MemoryEngine) -> SyncedStore<Sound> {
        let config = Config { drawn_election_tick: self.draw_timeout(id), ..self.config };
        SyncedStore::open(id, config, Sound, engine).expect("what a store wrote it can read")
    }

    /// Draws an election timeout that differs from other stores'. A peer keeps its timeout until it
    /// is loaded again, and two voters with equal timeouts would split every vote.
    fn draw_timeout(&mut self, store: StoreId) -> usize {
        CLOCK.election_tick + ((store + self.rotation) % 5 * 2 + self.random.below(2)) as usize
    }

    /// Draws the timeout of peers that the store's next step creates.
    fn redraw_timeout(&mut self, at: usize) {
        let timeout = self.draw_timeout(self.nodes[at].id);
        self.nodes[at].store.draw_election_tick(timeout).expect("no shorter than the shortest");
    }

    fn index_of(&self, store: StoreId) -> usize {
        self.nodes.iter().position(|node| node.id == store).expect("a store of the scope")
    }

    /// The regions of which this store has a peer or a tombstone.
    fn regions(&self, at: usize) -> Vec<RegionId> {
        self.nodes[at].store.regions().collect()
    }

    /// The peer or tombstone on this store.
    fn peer(&self, at: usize, region: RegionId) -> Option<Peer> {
        let store = &self.nodes[at].store;
        match store.peer(region) {
            Some(status) => Some(convert::peer(status, false, None)),
            None => store.tombstone(region).map(convert::tombstone),
        }
    }

    /// The live peer on this store; `None` if the store is down.
    fn status(&self, at: usize, region: RegionId) -> Option<PeerStatus<'_>> {
        let node = &self.nodes[at];
        if node.up { node.store.peer(region) } else { None }
    }

    /// Every place where a leader runs.
    fn leaders(&self) -> Vec<(usize, RegionId)> {
        let places =
            (0..self.nodes.len()).flat_map(|at| self.regions(at).into_iter().map(move |region| (at, region)));
        let leads = |&(at, region): &(usize, RegionId)| {
            self.status(at, region).is_some_and(|peer| peer.role() == StateRole::Leader)
        };
        places.filter(leads).collect()
    }

    /// The index of the store with the region's leader of the newest term.
    fn leader(&self, region: RegionId) -> Option<usize> {
        let leaders = self.leaders().into_iter().filter(|(_, of)| *of == region);
        let newest = leaders.max_by_key(|(at, _)| self.status(*at, region).map(|peer| peer.term()));
        newest.map(|(at, _)| at)
    }

    /// One step of this store.
    fn step(&mut self, at: usize, input: Input) -> Result<Vec<Output>, Reason> {
        self.nodes[at].store.step(input).map_err(|error| match error.refusal() {
            Some(refusal) => convert::reason(refusal),
            None => panic!("the implementation failed, and was not refused: {error}"),
        })
    }

    /// Records an event and sends its outputs.
    fn happened(&mut self, changed: Changed, event: Happening, outputs: Vec<Output>) {
        let mut sent = Vec::new();
        for output in outputs {
            match output {
                Output::Message(message) => {
                    sent.push(self.send(convert::held(&message), Parcel::Raft(message)))
                }
                Output::RegionHeartbeat { region } => {
                    if let Changed::Peer(at, _) | Changed::Store(at) = changed {
                        self.report_region(at, region);
                    }
                }
                Output::AskSplit { region, keys, derive, to } => {
                    let children = self.pd.allot(&region, &keys);
                    let held = Held::ask_split_response(
                        region.id,
                        convert::member(&to),
                        convert::epoch(region.epoch),
                        children.iter().map(convert::child).collect(),
                        convert::derive(derive),
                    );
                    let (region, epoch) = (region.id, region.epoch);
                    let reply = Input::AskSplitResponse { region, epoch, children, derive };
                    sent.push(self.send(held, Parcel::Ids { to: to.store, region, reply }));
                }
                Output::Value { .. }
                | Output::Completed { .. }
                | Output::Snap { .. }
                | Output::ValidatePeer { .. }
                | Output::StoreReport(_)
                | Output::Destroyed { .. } => {}
            }
        }
        let (place, regions) = match changed {
            Changed::Nobody => (None, Vec::new()),
            Changed::Peer(at, region) => (Some(at), vec![region]),
            Changed::Store(at) => (Some(at), self.regions(at)),
        };
        let mut facts = Vec::with_capacity(regions.len());
        if let Some(at) = place {
            for region in regions {
                let peer = self.peer(at, region);
                facts.push(self.book.tell(self.nodes[at].id, region, peer));
            }
        }
        let index = self.events.len() as u64 + 1;
        self.events.push(Event { index, event, sent, facts });
        if let Some(at) = place {
            self.settle(at);
        }
    }

    fn send(&mut self, message: Held, parcel: Parcel) -> Sent {
        self.sent += 1;
        let due = self.now + self.draw_delay();
        self.flights.push(Flight { id: self.sent, due, parcel });
        Sent { id: self.sent, message }
    }

    /// Most messages arrive within the tick, a few much later.
    fn draw_delay(&mut self) -> u64 {
        match self.random.below(10) {
            0..7 => 0,
            7 | 8 => 1,
            _ => 1 + self.random.below(6),
        }
    }

    /// Ticks one store's clock; recorded if it has an effect.
    ///
    /// Now and then a clock stands still for up to two election timeouts. Timeouts are constant
    /// here. Without these pauses, a voter with a shorter timeout and a shorter log would disrupt
    /// the other's elections for ever. (raft-rs draws a new timeout each time; pre_vote would help
    /// too.)
    fn tick(&mut self, at: usize) {
        if self.now < self.nodes[at].stalled {
            return;
        }
        if self.random.below(40) == 0 {
            self.nodes[at].stalled = self.now + self.random.below(2 * CLOCK.election_tick as u64);
        }
        for region in self.regions(at) {
            let transferee =
                |network: &Self| network.status(at, region).and_then(|peer| peer.lead_transferee());
            let before = (self.nodes[at].store.mark(region), transferee(self));
            let Ok(outputs) = self.step(at, Input::Tick { region }) else { continue };
            let quiet = outputs.is_empty() && (self.nodes[at].store.mark(region), transferee(self)) == before;
            if !quiet {
                let store = self.nodes[at].id;
                self.happened(Changed::Peer(at, region), Happening::Tick { region, store }, outputs);
            }
        }
    }

    /// Delivers a message if its receiver is up.
    fn deliver(&mut self, id: u64, parcel: Parcel) {
        let at = self.index_of(parcel.to());
        if !self.nodes[at].up {
            return self.lose(id, &parcel);
        }
        let snapshot = parcel.snapshot().map(|message| (message.region, message.from.store, message.to.id));
        self.redraw_timeout(at);
        let (region, input) = match parcel {
            Parcel::Raft(message) => (message.region, Input::Message(message)),
            Parcel::Ids { region, reply, .. } => (region, reply),
        };
        self.received(at, region);
        // The facts show a refusal: nothing has changed.
        let result = self.step(at, input);
        let overlaps = result == Err(Reason::SnapshotOverlap);
        self.happened(
            Changed::Peer(at, region),
            Happening::Deliver { message: id },
            result.unwrap_or_default(),
        );
        if let Some((region, store, to)) = snapshot {
            self.report_snapshot(id, region, store, to, !overlaps);
        }
    }

    fn lose(&mut self, id: u64, parcel: &Parcel) {
        self.happened(Changed::Nobody, Happening::Lose { message: id }, Vec::new());
        if let Some(message) = parcel.snapshot() {
            self.report_snapshot(id, message.region, message.from.store, message.to.id, false);
        }
    }

    /// Reports a snapshot's status to its sender, as after streaming. Without this report raft-rs
    /// would not send entries again if the reply is lost or the receiver's store refuses the
    /// snapshot.
    fn report_snapshot(&mut self, message: u64, region: RegionId, store: StoreId, to: u64, arrived: bool) {
        let at = self.index_of(store);
        if self.status(at, region).is_none() {
            return;
        }
        let outputs = self.step(at, Input::ReportSnapshot { region, to, arrived }).unwrap_or_default();
        let event = Happening::ReportSnapshot { region, store, message, arrived };
        self.happened(Changed::Peer(at, region), event, outputs);
    }

    /// Applies one committed entry or snapshot; returns whether there was one.
    fn apply(&mut self, at: usize) -> bool {
        let waits = |region: &RegionId| {
            self.status(at, *region)
                .is_some_and(|peer| peer.staged().is_some() || peer.applied() < peer.commit())
        };
        let mut waiting: Vec<RegionId> = self.regions(at).into_iter().filter(waits).collect();
        while !waiting.is_empty() {
            let region = waiting.swap_remove(self.random.below(waiting.len() as u64) as usize);
            if self.apply_in(at, region) {
                return true;
            }
        }
        false
    }

    /// Applies what waits in this region. Returns false if it waits for a merge source: that is
    /// refused and changes nothing.
    fn apply_in(&mut self, at: usize, region: RegionId) -> bool {
        let store = self.nodes[at].id;
        let staged = self.status(at, region).is_some_and(|peer| peer.staged().is_some());
        let (input, event) = if staged {
            (Input::ApplySnapshot { region }, Happening::ApplySnapshot { region, store })
        } else {
            (Input::Apply { region }, Happening::Apply { region, store })
        };
        self.redraw_timeout(at);
        let outputs = match self.step(at, input) {
            Ok(outputs) => outputs,
            Err(Reason::WaitsForSource) => return false,
            Err(reason) => panic!("something waits to be applied, and is refused: {reason}"),
        };
        // A split changes other regions of the store.
        self.happened(Changed::Store(at), event, outputs);
        true
    }

    fn crash(&mut self, at: usize) {
        let id = self.nodes[at].id;
        let store = std::mem::replace(&mut self.nodes[at].store, empty(id));
        let mut engine = store.into_engine();
        engine.lose_unsynced();
        self.nodes[at].store = self.open(id, engine);
        self.nodes[at].up = false;
        self.happened(Changed::Store(at), Happening::Crash { store: id }, Vec::new());
    }

    fn restart(&mut self, at: usize) {
        self.nodes[at].up = true;
        let store = self.nodes[at].id;
        self.happened(Changed::Store(at), Happening::Restart { store }, Vec::new());
    }

    /// Takes the message out of flight.
    fn land(&mut self, place: usize) -> Flight {
        self.flights.swap_remove(place)
    }
}

/// A placeholder while a store is moved out.
fn empty(id: StoreId) -> SyncedStore<Sound> {
    SyncedStore::open(id, CLOCK, Sound, MemoryEngine::new()).expect("nothing can be wrong with nothing")
}
