//! A store: many regions' peers and tombstones, and one step at a time.
//!
//! `step` takes an input and returns what is to be sent and answered; whatever
//! the step changed is durable by then, a commit index apart that may wait. No clock, thread or randomness: ticks
//! are inputs. `input.rs` has what goes in and out, `lifecycle.rs` says how
//! peers come and go, `children.rs` how a split brings some, `simulator.rs`
//! what a simulator may do beside.

use std::collections::BTreeMap;

use crate::apply::Applied;
use crate::command::{Child, Command};
use crate::config::{Config, ConfigError};
use crate::engine::{ApplyState, Engine, HardState, MemoryEngine, PeerRecord, PeerState, Persisted, Write};
use crate::error::{EngineError, Error, Refusal};
use crate::guard::{Guard, Guards, Sound};
use crate::input::{Input, Output};
use crate::message::Message;
use crate::peer::Peer;
use crate::pending_messages::PendingMessages;
use crate::position::{INITIAL_POSITION, Position};
use crate::raft_rs::RaftRs;
use crate::ranges::{RangeEntry, Ranges};
use crate::region::{Epoch, PeerId, Region, RegionId, StoreId};
use crate::replica::Replica;
use crate::step::{Failure, Step};
use crate::waiting::PlanUnderWay;

/// A peer, or what is left of one.
#[derive(Clone)]
pub(crate) struct Slot<R: Replica> {
    /// Raised whenever another peer or a tombstone takes the place.
    pub(crate) generation: u64,
    pub(crate) resident: Resident<R>,
}

/// Who lives in a slot.
#[derive(Clone)]
pub(crate) enum Resident<R: Replica> {
    Live(Box<Peer<R>>),
    Tombstone {
        id: PeerId,
        region: Region,
        applied: u64,
        /// What took it in, if a merge ended it.
        merged: Option<Box<Region>>,
        /// Then: from which epoch on the peer had followed its region entry by entry.
        log_since: Option<Epoch>,
    },
}

/// A Multi-Raft store. A copy goes on as it does.
#[derive(Clone)]
pub struct Store<G: Guards = Sound, E: Engine = MemoryEngine, R: Replica = RaftRs> {
    pub(crate) id: StoreId,
    pub(crate) config: Config,
    pub(crate) guards: G,
    pub(crate) engine: E,
    /// What makes its peers' replicas.
    pub(crate) maker: R::Maker,
    pub(crate) slots: BTreeMap<RegionId, Slot<R>>,
    pub(crate) ranges: Ranges,
    pub(crate) pending_messages: PendingMessages,
    /// The plan of an unsafe recovery that is carried out.
    pub(crate) plan: Option<PlanUnderWay>,
}

impl<G: Guards, E: Engine> Store<G, E> {
    /// Opens a store on raft-rs as its engine has it. Every live peer is a follower.
    ///
    /// # Errors
    /// Where the engine cannot be read, or raft refuses what it holds.
    pub fn open(id: StoreId, config: Config, guards: G, engine: E) -> Result<Self, Error> {
        Self::open_with((), id, config, guards, engine)
    }
}

impl<G: Guards, E: Engine, R: Replica> Store<G, E, R> {
    /// Opens a store whose replicas are made by `maker`.
    ///
    /// # Errors
    /// As [`open`](Store::open), and where a guard is missing that is missed only by
    /// reaching into raft, and the replicas have no [`Innards`](crate::Innards).
    pub fn open_with(
        maker: R::Maker,
        id: StoreId,
        config: Config,
        guards: G,
        engine: E,
    ) -> Result<Self, Error> {
        let missed = |guard: &&Guard| guard.needs_innards() && !guards.holds(**guard);
        if let Some(guard) = Guard::ALL.iter().find(missed).filter(|_| !R::HAS_INNARDS) {
            return Err(Error::NoInnards { store: id, guard: *guard });
        }
        let (mut slots, mut ranges) = (BTreeMap::new(), Ranges::default());
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
            slots.insert(region, Slot { generation: 0, resident });
        }
        let pending_messages = PendingMessages::default();
        Ok(Self { id, config, guards, engine, maker, slots, ranges, pending_messages, plan: None })
    }

    /// Writes the first replica of `region` on this store: term 5, and index 5
    /// truncated, committed and applied.
    ///
    /// # Errors
    /// Where the engine fails, the region has no peer here, one is here already,
    /// or its range is taken.
    pub fn bootstrap(&mut self, region: Region) -> Result<(), Error> {
        let region_id = region.id;
        let refused = |refusal| Error::Refused { region: region_id, store: self.id, refusal };
        let member = *region.member_on(self.id).ok_or(refused(Refusal::NotInConfig))?;
        if self.slots.contains_key(&region_id) {
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
        self.write_as_one(batch).map_err(|source| Error::Engine { store: self.id, source })?;
        let persisted = Persisted { hard_state, apply_state, ..Persisted::new(record) };
        let peer = Peer::load(self.id, &self.config, self.guards, &self.maker, persisted)
            .map_err(|source| Error::Raft { region: region_id, store: self.id, source })?;
        self.slots.insert(region_id, Slot { generation: 0, resident: Resident::Live(Box::new(peer)) });
        self.ranges.set(region_id, range);
        self.pending_messages.forget(region_id);
        Ok(())
    }

    /// The store's id.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// The election timeout, in ticks, of peers that are created from now on.
    ///
    /// # Errors
    /// Where it is shorter than the configured one.
    pub fn draw_election_tick(&mut self, ticks: usize) -> Result<(), ConfigError> {
        let drawn = Config { drawn_election_tick: ticks, ..self.config };
        drawn.validate()?;
        self.config = drawn;
        Ok(())
    }

    /// The regions of which a peer or a tombstone is here, in order.
    pub fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        self.slots.keys().copied()
    }

    /// The index from key range to region, in key order: initialised peers.
    pub fn ranges(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.ranges.iter()
    }

    /// The ranges of snapshots that wait to be applied, by region. A crash forgets them.
    pub fn pending_ranges(&self) -> impl Iterator<Item = RangeEntry<'_>> {
        self.ranges.pending()
    }

    /// The messages that wait for a split to bring their receiver, oldest
    /// first: at most one for each peer. A crash forgets them.
    pub fn pending_messages(&self) -> &[Message] {
        self.pending_messages.messages()
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Ends the store and keeps its engine, as a crash does: what is volatile is gone.
    pub fn into_engine(self) -> E {
        self.engine
    }

    /// Takes one input. What it changed is durable when this returns, a commit
    /// index apart that may wait ([`Config::unsynced_commits`]).
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Snapshot`] leave everything as it was.
    /// After any other error the store must be dropped and opened again.
    pub fn step(&mut self, input: Input) -> Result<Vec<Output>, Error> {
        let region = input.region();
        let (mut batch, mut out) = (Vec::new(), Vec::new());
        let mut step = Step { guards: self.guards, batch: &mut batch, out: &mut out };
        let result = self.take(input, &mut step);
        self.finish(region, result, batch, out)
    }

    /// Writes what a step gathered, or says why it failed.
    pub(crate) fn finish(
        &mut self,
        region: RegionId,
        result: Result<(), Failure>,
        mut batch: Vec<Write>,
        mut out: Vec<Output>,
    ) -> Result<Vec<Output>, Error> {
        let store = self.id;
        result.map_err(|failure| match failure {
            Failure::Refused(refusal) => Error::Refused { region, store, refusal },
            Failure::Snapshot(source) => Error::Snapshot { region, store, source },
            Failure::Raft(source) => Error::Raft { region, store, source },
        })?;
        if let Some(Slot { resident: Resident::Live(peer), .. }) = self.slots.get_mut(&region) {
            peer.flush(&mut Step { guards: self.guards, batch: &mut batch, out: &mut out });
        }
        if !batch.is_empty() {
            self.write(region, batch)?;
        }
        Ok(out)
    }

    fn write(&mut self, region: RegionId, batch: Vec<Write>) -> Result<(), Error> {
        let written = if self.guards.holds(Guard::AtomicApply) {
            self.write_as_one(batch)
        } else {
            self.write_apart(region, batch)
        };
        written.map_err(|source| Error::Engine { store: self.id, source })
    }

    fn write_as_one(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        let may_wait =
            self.config.unsynced_commits && batch.iter().all(|write| matches!(write, Write::Commit(..)));
        self.engine.write(batch)?;
        if may_wait { Ok(()) } else { self.engine.sync() }
    }

    /// Without `atomic_apply`: what raft keeps of the region first, its applied
    /// index with it, and then, in another batch, what was applied.
    fn write_apart(&mut self, region: RegionId, batch: Vec<Write>) -> Result<(), EngineError> {
        let is_applied = |write: &Write| {
            let of_raft = matches!(
                write,
                Write::HardState(..)
                    | Write::Commit(..)
                    | Write::ApplyState(..)
                    | Write::Append(..)
                    | Write::Clear(_)
            );
            !of_raft || write.region() != region
        };
        let has =
            |kind: fn(&Write) -> bool| batch.iter().any(|write| write.region() == region && kind(write));
        let advances = has(|write| matches!(write, Write::ApplyState(..)));
        let clears = has(|write| matches!(write, Write::Clear(_)));
        let (applied, rafts): (Vec<_>, Vec<_>) =
            if advances && !clears { batch.into_iter().partition(is_applied) } else { (Vec::new(), batch) };
        for part in [rafts, applied] {
            if !part.is_empty() {
                self.write_as_one(part)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, input: Input, step: &mut Step<'_, G>) -> Result<(), Failure> {
        match input {
            Input::Message(message) => self.receive(message, step),
            Input::Tick { region } => self.live(region)?.tick(step),
            Input::ReportSnapshot { region, to, arrived } => {
                self.live(region)?.report_snapshot(to, arrived, step)
            }
            Input::Campaign { region } => self.live(region)?.campaign(step),
            Input::CheckStalePeer { region } => self.live(region)?.check_stale(step),
            Input::ValidatePeer { region, known } => self.validate_peer(region, known, step),
            Input::Propose { region, command, epoch } => {
                let (command, beside) = self.look_beside(region, command, step.guards);
                self.live(region)?.propose(command, epoch, beside, step)
            }
            Input::Unheard { region, stores } => {
                self.live(region)?.unheard = stores;
                Ok(())
            }
            Input::AskSplit { region, keys, derive } => self.live(region)?.ask_split(keys, derive, step),
            Input::AskSplitResponse { region, epoch, children, derive } => {
                let epoch = step.guards.holds(Guard::SplitIdsFitMembers).then_some(epoch);
                let command = Command::Split { children, derive };
                let (command, beside) = self.look_beside(region, command, step.guards);
                self.live(region)?.propose(command, epoch, beside, step)
            }
            Input::SplitCheck { region } => {
                self.live(region)?.check_size(step);
                Ok(())
            }
            Input::Read { region, key } => self.live(region)?.read(Some(key), step),
            Input::Snap { region } => self.live(region)?.read(None, step),
            Input::AnswerRead { region } => self.live(region)?.answer_read(step),
            Input::ApplySnapshot { region } => self.apply_snapshot(region, step),
            Input::Apply { region } => {
                let applied = self.live(region)?.storage().applied;
                self.apply_next(region, step)?;
                // Perhaps another region was helped on, or the peer is gone.
                let moved = self.live(region).is_ok_and(|peer| peer.storage().applied > applied);
                if moved { self.go_on_demoting(region, step) } else { Ok(()) }
            }
            Input::RecoveryPlan(plan) => self.take_plan(plan, step),
            Input::StoreHeartbeat => self.report_plan(step),
            Input::ForceLeaderTimeout { region } => self.live(region)?.time_out_force_leader(step),
        }
    }

    fn apply_snapshot(&mut self, region: RegionId, step: &mut Step<'_, G>) -> Result<(), Failure> {
        let peer = self.live(region)?;
        peer.apply_snapshot(step)?;
        let brought = peer.storage().region().clone();
        self.ranges.set_pending(region, None);
        self.bury_brought(&brought, step);
        if step.guards.holds(Guard::SnapshotUpdatesRanges) {
            self.ranges.set(region, brought.range());
        }
        Ok(())
    }

    fn apply_next(&mut self, region: RegionId, step: &mut Step<'_, G>) -> Result<(), Failure> {
        if let Some(commit) = self.live(region)?.commit_merge_next(step.guards) {
            return self.apply_commit_merge(region, &commit, step);
        }
        let peer = self.live(region)?;
        let before = (!step.guards.holds(Guard::OnlyDestroyClearsRanges)).then(|| peer.member_ids());
        match peer.apply_next(step)? {
            Applied::Stays => {
                let after = peer.member_ids();
                let gone = before.into_iter().flatten().filter(|id| !after.contains(id));
                // The wrong key: a peer's id, taken for a region's.
                gone.for_each(|id| self.ranges.remove(id));
            }
            Applied::Removed(removed) => self.destroy_removed_peer(region, *removed, step),
            Applied::Divided(divided) => self.take_division(*divided, step)?,
        }
        Ok(())
    }

    /// `command` with what the rest of the store adds to it, and what the rest of
    /// the store has against it.
    pub(crate) fn look_beside(
        &self,
        region: RegionId,
        command: Command,
        guards: G,
    ) -> (Command, Result<(), Refusal>) {
        match command {
            Command::Split { .. } if self.has_id_of(&command) => (command, Err(Refusal::IdInUse)),
            command if command.is_merge() => self.look_beside_merge(region, command, guards),
            command => (command, Ok(())),
        }
    }

    /// Whether an id that a split brings belongs to somebody that this store
    /// knows of: a region, a peer or tombstone, a member of a live peer's region.
    fn has_id_of(&self, command: &Command) -> bool {
        let Command::Split { children, .. } = command else { return false };
        let knows_peer = |id: &PeerId| {
            self.slots.values().any(|slot| match &slot.resident {
                Resident::Live(peer) => peer.id == *id || peer.storage().region().member(*id).is_some(),
                Resident::Tombstone { id: gone, .. } => gone == id,
            })
        };
        let knows =
            |child: &Child| self.slots.contains_key(&child.region) || child.peers.iter().any(knows_peer);
        children.iter().any(knows)
    }

    /// The live peer of `region`.
    pub(crate) fn live(&mut self, region: RegionId) -> Result<&mut Peer<R>, Refusal> {
        live(&mut self.slots, region)
    }
}

impl<G: Guards, R: Replica> Store<G, MemoryEngine, R> {
    /// The commit index that a failure of the machine would leave to the live peer
    /// of `region`, where that is not the one that it has.
    pub fn synced_commit(&self, region: RegionId) -> Option<u64> {
        let on_disk = self.engine.synced(region)?.hard_state.commit;
        self.peer(region).filter(|peer| on_disk < peer.commit()).map(|_| on_disk)
    }
}

/// The live peer of `region` among `slots`.
pub(crate) fn live<R: Replica>(
    slots: &mut BTreeMap<RegionId, Slot<R>>,
    region: RegionId,
) -> Result<&mut Peer<R>, Refusal> {
    match slots.get_mut(&region) {
        Some(Slot { resident: Resident::Live(peer), .. }) => Ok(peer),
        _ => Err(Refusal::RegionNotFound),
    }
}
