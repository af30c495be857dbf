//! A store: many regions' peers and tombstones, and one step at a time.
//!
//! `step` takes an input and returns its [`Effects`]: what is to be written, and what may be sent
//! before and after that is durable. No clock, thread, disk or randomness: ticks are inputs, and so
//! is a batch's durability. `input.rs` has inputs and outputs, `lifecycle.rs` the creation and
//! destruction of peers, `children.rs` the children of splits, `simulator.rs` what only a simulator
//! may do.

pub(crate) mod children;
pub mod ctl;
pub(crate) mod effects;
pub(crate) mod input;
pub(crate) mod inputs;
pub(crate) mod lifecycle;
pub(crate) mod pending_messages;
pub(crate) mod ranges;
pub(crate) mod simulator;
pub(crate) mod step;
pub(crate) mod synced_store;
pub(crate) mod unsafe_recovery;

use std::collections::{BTreeMap, VecDeque};

use crate::config::{Config, ConfigError};
use crate::error::{Error, Refusal};
use crate::guard::{Guard, Guards, Sound};
use crate::peer::Peer;
use crate::peer::waiting::PlanUnderWay;
use crate::proto::message::Message;
use crate::proto::position::{INITIAL_POSITION, Position};
use crate::proto::region::{Epoch, PeerId, Region, RegionId, StoreId};
use crate::raft_rs::RaftRs;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{ApplyState, Engine, HardState, PeerRecord, PeerState, Persisted, Write};
use crate::store::effects::{Due, Effects, HandedOver, Ticket};
use crate::store::input::{Input, Output};
use crate::store::pending_messages::PendingMessages;
use crate::store::ranges::{RangeEntry, Ranges};
use crate::store::step::{Failure, Gathered, StepContext};
use crate::unsound;

/// A peer or its tombstone.
#[derive(Clone)]
pub(crate) struct PeerEntry<R: Replica> {
    /// Raised whenever another peer or a tombstone replaces it.
    pub(crate) generation: u64,
    pub(crate) resident: Resident<R>,
}

/// The peer or tombstone of a slot.
#[derive(Clone)]
pub(crate) enum Resident<R: Replica> {
    Live(Box<Peer<R>>),
    Tombstone {
        id: PeerId,
        region: Region,
        applied: u64,
        /// The target, if a merge destroyed it.
        merged: Option<Box<Region>>,
        /// Then: the epoch since which the peer had applied its region's entries.
        log_since: Option<Epoch>,
    },
}

/// A Multi-Raft store. [`SyncedStore`](crate::SyncedStore) is one with its engine.
pub struct Store<G: Guards = Sound, R: Replica = RaftRs> {
    pub(crate) id: StoreId,
    pub(crate) config: Config,
    pub(crate) guards: G,
    /// What makes its peers' replicas.
    pub(crate) maker: R::Maker,
    pub(crate) entries: BTreeMap<RegionId, PeerEntry<R>>,
    pub(crate) ranges: Ranges,
    pub(crate) pending_messages: PendingMessages,
    /// The plan of an unsafe recovery that is carried out.
    pub(crate) plan: Option<PlanUnderWay>,
    /// The last batch's ticket.
    tickets: u64,
    /// The last ticket up to which everything is durable.
    durable: u64,
    /// The Readies that are not durable yet, in the order of their tickets.
    handed_over: VecDeque<HandedOver>,
}

impl<G: Guards> Store<G> {
    /// Opens a store on raft-rs as its engine has it. Every live peer is a follower.
    ///
    /// # Errors
    /// If the engine cannot be read, or raft refuses what it holds.
    pub fn open(id: StoreId, config: Config, guards: G, engine: &impl Engine) -> Result<Self, Error> {
        Self::open_with((), id, config, guards, engine)
    }
}

impl<G: Guards, R: Replica> Store<G, R> {
    /// Opens a store whose replicas are made by `maker`.
    ///
    /// # Errors
    /// As [`open`](Store::open). Also if a dropped guard needs access to raft's internals, and the
    /// replicas have no [`Innards`](crate::Innards).
    pub fn open_with(
        maker: R::Maker,
        id: StoreId,
        config: Config,
        guards: G,
        engine: &impl Engine,
    ) -> Result<Self, Error> {
        let missed = |guard: &&Guard| guard.needs_innards() && !guards.holds(**guard);
        if let Some(guard) = Guard::ALL.iter().find(missed).filter(|_| !R::HAS_INNARDS) {
            return Err(Error::NoInnards { store: id, guard: *guard });
        }
        let (mut entries, mut ranges) = (BTreeMap::new(), Ranges::default());
        let failed = |source| Error::Engine { store: id, source };
        for region in engine.regions().map_err(failed)? {
            let Some(persisted) = engine.load(region).map_err(failed)? else { continue };
            let resident = match persisted.record.state {
                PeerState::Tombstone => {
                    let PeerRecord { id, region, merge, log_since, .. } = persisted.record;
                    let merged = merge.map(|merge| Box::new(merge.target));
                    let applied = persisted.apply_state.applied;
                    Resident::Tombstone { id, region, applied, merged, log_since }
                }
                state @ (PeerState::Normal | PeerState::Merging | PeerState::Uninitialised) => {
                    if state != PeerState::Uninitialised {
                        ranges.set(region, persisted.record.region.range());
                    }
                    let peer = Peer::load(id, &config, guards, &maker, persisted);
                    let peer = peer.map_err(|source| Error::Raft { region, store: id, source })?;
                    Resident::Live(Box::new(peer))
                }
            };
            entries.insert(region, PeerEntry { generation: 0, resident });
        }
        let pending_messages = PendingMessages::default();
        let (tickets, durable, handed_over) = (0, 0, VecDeque::new());
        Ok(Self {
            id,
            config,
            guards,
            maker,
            entries,
            ranges,
            pending_messages,
            plan: None,
            tickets,
            durable,
            handed_over,
        })
    }

    /// A copy that behaves in the same way, for simulators.
    pub(crate) fn copy(&self) -> Self {
        Self {
            id: self.id,
            config: self.config,
            guards: self.guards,
            maker: self.maker.clone(),
            entries: self.entries.clone(),
            ranges: self.ranges.clone(),
            pending_messages: self.pending_messages.clone(),
            plan: self.plan,
            tickets: self.tickets,
            durable: self.durable,
            handed_over: self.handed_over.clone(),
        }
    }

    /// Writes the first replica of `region` on this store: term 5, and index 5
    /// truncated, committed and applied.
    ///
    /// # Errors
    /// If the region has no peer here, one is here already, or its range is taken.
    pub fn bootstrap(&mut self, region: Region) -> Result<Effects, Error> {
        let region_id = region.id;
        let refused = |refusal| Error::Refused { region: region_id, store: self.id, refusal };
        let member = *region.member_on(self.id).ok_or(refused(Refusal::NotInConfig))?;
        if self.entries.contains_key(&region_id) {
            return Err(refused(Refusal::NoEffect));
        }
        let range = region.range();
        if self.ranges.overlap(region_id, &range) {
            return Err(refused(Refusal::RangeOverlap));
        }
        let Position { index, term } = INITIAL_POSITION;
        let record = PeerRecord::new(member.id, PeerState::Normal, region);
        let hard_state = HardState { term, vote: 0, commit: index };
        let apply_state = ApplyState { applied: index, truncated: INITIAL_POSITION };
        let batch = vec![
            Write::Record(record.clone()),
            Write::HardState(region_id, hard_state),
            Write::ApplyState(region_id, apply_state),
        ];
        let persisted = Persisted { hard_state, apply_state, ..Persisted::new(record) };
        let peer = Peer::load(self.id, &self.config, self.guards, &self.maker, persisted)
            .map_err(|source| Error::Raft { region: region_id, store: self.id, source })?;
        self.entries.insert(region_id, PeerEntry { generation: 0, resident: Resident::Live(Box::new(peer)) });
        self.ranges.set(region_id, range);
        self.pending_messages.forget(region_id);
        // Nothing was applied, so there is nothing to write separately.
        Ok(self.effects(0, Gathered { batch, ..Gathered::default() }))
    }

    /// The store's id.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// Sets the election timeout, in ticks, of peers created from now on, and of all peers whenever
    /// raft would draw one ([`Config::redraws_elections`]).
    ///
    /// # Errors
    /// If it is shorter than the configured one.
    pub fn draw_election_tick(&mut self, ticks: usize) -> Result<(), ConfigError> {
        let drawn = Config { drawn_election_tick: ticks, ..self.config };
        drawn.validate()?;
        self.config = drawn;
        Ok(())
    }

    /// The regions with a peer or a tombstone here, in order.
    pub fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.entries.keys().copied()
    }

    /// The index from key range to region, in key order: initialised peers.
    pub fn ranges(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.ranges.iter()
    }

    /// The ranges of snapshots that wait to be applied, by region. A crash forgets them.
    pub fn pending_ranges(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.ranges.pending()
    }

    /// The messages that wait for a split to create their receiver, oldest
    /// first: at most one for each peer. A crash forgets them.
    pub fn pending_messages(&self) -> &[Message] {
        self.pending_messages.messages()
    }

    /// Takes one input. The surroundings write the batch of its effects behind those of the
    /// steps before, sync, and say so ([`persisted`](Store::persisted)); other steps may be
    /// taken meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Snapshot`] leave everything as it was.
    /// After any other error, or if the batch cannot be written, the store must be dropped
    /// and opened again.
    pub fn step(&mut self, input: Input) -> Result<Effects, Error> {
        let region = input.region();
        let gathered = self.gather_step(input)?;
        Ok(self.effects(region, gathered))
    }

    /// Takes one input, and gathers what it writes and hands out.
    fn gather_step(&mut self, input: Input) -> Result<Gathered, Error> {
        let region = input.region();
        let mut gathered = Gathered::default();
        let mut step = self.gather(&mut gathered);
        let result = self.take(input, &mut step);
        self.conclude(region, result, &mut gathered)?;
        Ok(gathered)
    }

    /// Everything up to `ticket` is durable: continues what waited for that.
    ///
    /// # Errors
    /// If raft fails: the store must be dropped and opened again.
    pub fn persisted(&mut self, ticket: Ticket) -> Result<Effects, Error> {
        if !self.note_durable(ticket) {
            return Ok(Effects { ticket: Ticket(self.tickets), ..Effects::default() });
        }
        let (durable, mut gathered) = (self.durable, Gathered::default());
        let mut persisted = Vec::new();
        let mut step = self.gather(&mut gathered);
        while let Some(HandedOver { region, peer: id, number, .. }) =
            self.handed_over.pop_front_if(|handed| handed.ticket <= durable)
        {
            persisted.push(region);
            if let Ok(peer) = live(&mut self.entries, region)
                && peer.id == id
            {
                peer.persisted(number, &mut step);
                peer.flush(&mut step);
            }
        }
        let of = persisted.last().copied().unwrap_or_default();
        Ok(Effects { persisted, ..self.effects(of, gathered) })
    }

    /// Notes that everything up to `ticket` is durable. Whether a replica waits to learn that.
    fn note_durable(&mut self, ticket: Ticket) -> bool {
        self.durable = self.durable.max(ticket.0);
        !self.handed_over.is_empty()
    }

    /// The last batch's ticket.
    pub(crate) fn last_ticket(&self) -> Ticket {
        Ticket(self.tickets)
    }

    /// Whether everything up to the ticket is durable.
    pub(crate) fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.durable
    }

    /// Whether the leader of `region` may send: the batch with which it became leader is durable.
    pub fn leads_durably(&self, region: RegionId) -> bool {
        match self.entries.get(&region) {
            Some(PeerEntry { resident: Resident::Live(peer), .. }) => {
                peer.is_leader() && peer.leads_durably(self.durable, self.guards)
            }
            _ => false,
        }
    }

    /// Ends every pending request with [`End::LeaderChanged`](crate::End::LeaderChanged): this store will not learn its
    /// result, and it may still be applied. For surroundings that stop.
    pub fn abandon_requests(&mut self) -> Vec<Output> {
        let mut gathered = Gathered::default();
        let mut step = self.gather(&mut gathered);
        for entry in self.entries.values_mut() {
            if let Resident::Live(peer) = &mut entry.resident {
                peer.abandon_requests(&mut step);
            }
        }
        gathered.out
    }

    /// What is due for the peer of `region`.
    pub fn due(&self, region: RegionId) -> Due {
        match self.entries.get(&region) {
            Some(PeerEntry { resident: Resident::Live(peer), .. }) => peer.due(),
            _ => Due::default(),
        }
    }

    pub(crate) fn gather<'a>(&self, gathered: &'a mut Gathered) -> StepContext<'a, G> {
        let Gathered { batch, out, early, handed_over } = gathered;
        let (ticket, durable) = (self.tickets + 1, self.durable);
        let election_tick = self.config.drawn_election_tick;
        StepContext { guards: self.guards, batch, out, early, handed_over, election_tick, ticket, durable }
    }

    /// The effects of what a step gathered, or why it failed.
    pub(crate) fn finish(
        &mut self,
        region: RegionId,
        result: Result<(), Failure>,
        mut gathered: Gathered,
    ) -> Result<Effects, Error> {
        self.conclude(region, result, &mut gathered)?;
        Ok(self.effects(region, gathered))
    }

    /// Gathers what the peer of `region` has to write at the end of a step, if the step did not fail.
    fn conclude(
        &mut self,
        region: RegionId,
        result: Result<(), Failure>,
        gathered: &mut Gathered,
    ) -> Result<(), Error> {
        let store = self.id;
        result.map_err(|failure| match failure {
            Failure::Refused(refusal) => Error::Refused { region, store, refusal },
            Failure::Snapshot(source) => Error::Snapshot { region, store, source },
            Failure::Raft(source) => Error::Raft { region, store, source },
        })?;
        let mut step = self.gather(gathered);
        if let Some(PeerEntry { resident: Resident::Live(peer), .. }) = self.entries.get_mut(&region) {
            peer.flush(&mut step);
        }
        self.settle_handed_over(region, gathered);
        Ok(())
    }

    /// A Ready without a batch waits for the unfinished batches, or is durable at once if there are
    /// none.
    fn settle_handed_over(&mut self, region: RegionId, gathered: &mut Gathered) {
        while gathered.batch.is_empty() && !gathered.handed_over.is_empty() {
            if self.tickets > self.durable {
                gathered.handed_over.iter_mut().for_each(|handed| handed.ticket = self.tickets);
                return;
            }
            let handed_over = std::mem::take(&mut gathered.handed_over);
            let mut step = self.gather(gathered);
            if let Ok(peer) = live(&mut self.entries, region) {
                for HandedOver { number, .. } in handed_over {
                    peer.persisted(number, &mut step);
                }
                peer.flush(&mut step);
            }
        }
    }

    /// Gives the batch a ticket if it must be synced. Whether it must.
    fn issue_ticket(&mut self, batch: &[Write]) -> bool {
        let may_wait =
            self.config.unsynced_commits && batch.iter().all(|write| matches!(write, Write::Commit(..)));
        let sync = !batch.is_empty() && !may_wait;
        self.tickets += u64::from(sync);
        sync
    }

    fn effects(&mut self, region: RegionId, gathered: Gathered) -> Effects {
        let Gathered { batch, out, early, handed_over } = gathered;
        let sync = self.issue_ticket(&batch);
        self.handed_over.extend(handed_over);
        let (batch, parted) = if unsound::writes_as_one(self.guards) {
            (batch, Vec::new())
        } else {
            unsound::parted(region, batch, self.guards)
        };
        let ticket = Ticket(self.tickets);
        Effects { batch, parted, sync, messages: early, after_persist: out, ticket, persisted: Vec::new() }
    }

    /// The live peer of `region`.
    pub(crate) fn live(&mut self, region: RegionId) -> Result<&mut Peer<R>, Refusal> {
        live(&mut self.entries, region)
    }
}

/// The live peer of `region` among `entries`.
pub(crate) fn live<R: Replica>(
    entries: &mut BTreeMap<RegionId, PeerEntry<R>>,
    region: RegionId,
) -> Result<&mut Peer<R>, Refusal> {
    match entries.get_mut(&region) {
        Some(PeerEntry { resident: Resident::Live(peer), .. }) => Ok(peer),
        _ => Err(Refusal::RegionNotFound),
    }
}
