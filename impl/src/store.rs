//! A store: many regions' peers and tombstones, and one step at a time.
//!
//! `step` takes an input and returns what is to be sent and answered; whatever
//! the step changed is durable by then. No clock, thread or randomness: ticks
//! are inputs. `lifecycle.rs` says how peers come and go, `simulator.rs` what
//! a simulator may do beside.

use std::collections::BTreeMap;

use crate::apply::Applied;
use crate::command::Command;
use crate::config::{Config, ConfigError};
use crate::engine::{
    ApplyState, Engine, EngineError, HardState, MemoryEngine, PeerRecord, PeerState, Persisted, Position,
    Write,
};
use crate::error::{Error, Refusal};
use crate::guard::{Guard, Guards, Sound};
use crate::message::Message;
use crate::peer::Peer;
use crate::region::{Epoch, Key, PeerId, Region, RegionId, StoreId, Value};
use crate::step::{Failure, Step};

/// The log of a bootstrapped replica begins behind this entry (TiKV
/// `RAFT_INIT_LOG_TERM`, `RAFT_INIT_LOG_INDEX`).
pub const INITIAL_POSITION: Position = Position { index: 5, term: 5 };

/// What a store is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message from another store.
    Message(Message),
    /// Time passes for one region.
    Tick {
        /// The region.
        region: RegionId,
    },
    /// The network says what became of a snapshot that the leader sent. Until
    /// then, or until the follower answers, raft-rs sends it nothing but
    /// heartbeats: a lost answer would strand it (TiKV `report_snapshot_status`).
    ReportSnapshot {
        /// The region.
        region: RegionId,
        /// To whom it was sent.
        to: PeerId,
        /// Whether it arrived.
        arrived: bool,
    },
    /// The peer shall ask to become leader.
    Campaign {
        /// The region.
        region: RegionId,
    },
    /// A command is proposed.
    Propose {
        /// The region.
        region: RegionId,
        /// The command.
        command: Command,
        /// The epoch that the proposer knows; the peer's own if left out.
        epoch: Option<Epoch>,
    },
    /// A value is asked for.
    Read {
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// The read under way shall be answered.
    AnswerRead {
        /// The region.
        region: RegionId,
    },
    /// The next committed admin entry shall take effect.
    Apply {
        /// The region.
        region: RegionId,
    },
    /// The received snapshot shall become the peer's state.
    ApplySnapshot {
        /// The region.
        region: RegionId,
    },
}

impl Input {
    fn region(&self) -> RegionId {
        match self {
            Input::Message(message) => message.region,
            Input::Tick { region }
            | Input::ReportSnapshot { region, .. }
            | Input::Campaign { region }
            | Input::Propose { region, .. }
            | Input::Read { region, .. }
            | Input::AnswerRead { region }
            | Input::Apply { region }
            | Input::ApplySnapshot { region } => *region,
        }
    }
}

/// What a store wants done, once its step is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this.
    Message(Message),
    /// A read is answered.
    Value {
        /// The key.
        key: Key,
        /// Its value, if it has one.
        value: Option<Value>,
        /// The region.
        region: RegionId,
        /// The region's epoch at the answer.
        epoch: Epoch,
    },
    /// A peer was destroyed.
    Destroyed {
        /// The region.
        region: RegionId,
        /// The peer.
        peer: PeerId,
    },
}

/// A peer, or what is left of one.
pub(crate) struct Slot {
    /// Raised whenever another peer or a tombstone takes the place.
    pub(crate) generation: u64,
    pub(crate) resident: Resident,
}

/// Who lives in a slot.
pub(crate) enum Resident {
    Live(Box<Peer>),
    Tombstone { id: PeerId, region: Region, applied: u64 },
}

/// A Multi-Raft store.
pub struct Store<G: Guards = Sound, E: Engine = MemoryEngine> {
    pub(crate) id: StoreId,
    pub(crate) config: Config,
    pub(crate) guards: G,
    pub(crate) engine: E,
    pub(crate) slots: BTreeMap<RegionId, Slot>,
}

impl<G: Guards, E: Engine> Store<G, E> {
    /// Opens a store as its engine has it. Every live peer is a follower.
    ///
    /// # Errors
    /// Where the engine cannot be read, or raft refuses what it holds.
    pub fn open(id: StoreId, config: Config, guards: G, engine: E) -> Result<Self, Error> {
        let mut slots = BTreeMap::new();
        let failed = |source| Error::Engine { store: id, source };
        for region in engine.regions().map_err(failed)? {
            let Some(persisted) = engine.load(region).map_err(failed)? else { continue };
            let resident = match persisted.record.state {
                PeerState::Tombstone => {
                    let PeerRecord { id, region, .. } = persisted.record;
                    Resident::Tombstone { id, region, applied: persisted.apply_state.applied }
                }
                PeerState::Normal | PeerState::Uninitialised => Resident::Live(Box::new(
                    Peer::load(id, &config, guards, persisted).map_err(|source| Error::Raft {
                        region,
                        store: id,
                        source,
                    })?,
                )),
            };
            slots.insert(region, Slot { generation: 0, resident });
        }
        Ok(Self { id, config, guards, engine, slots })
    }

    /// Writes the first replica of `region` on this store: term 5, and index 5
    /// truncated, committed and applied.
    ///
    /// # Errors
    /// Where the engine fails, the region has no peer here, or one is here already.
    pub fn bootstrap(&mut self, region: Region) -> Result<(), Error> {
        let region_id = region.id;
        let refused = |refusal| Error::Refused { region: region_id, store: self.id, refusal };
        let member = *region.member_on(self.id).ok_or(refused(Refusal::NotInConfig))?;
        if self.slots.contains_key(&region_id) {
            return Err(refused(Refusal::NoEffect));
        }
        let Position { index, term } = INITIAL_POSITION;
        let record = PeerRecord { id: member.id, state: PeerState::Normal, region };
        let hard_state = HardState { term, vote: 0, commit: index };
        let apply_state = ApplyState { applied: index, truncated: INITIAL_POSITION };
        let batch = vec![
            Write::Record(record.clone()),
            Write::HardState(region_id, hard_state),
            Write::ApplyState(region_id, apply_state),
        ];
        self.write_as_one(batch).map_err(|source| Error::Engine { store: self.id, source })?;
        let persisted = Persisted { hard_state, apply_state, ..Persisted::new(record) };
        let peer = Peer::load(self.id, &self.config, self.guards, persisted)
            .map_err(|source| Error::Raft { region: region_id, store: self.id, source })?;
        self.slots.insert(region_id, Slot { generation: 0, resident: Resident::Live(Box::new(peer)) });
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

    /// The engine, to look at.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Ends the store and keeps its engine, as a crash does: what is volatile is gone.
    pub fn into_engine(self) -> E {
        self.engine
    }

    /// Takes one input. What it changed is durable when this returns.
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
            self.write(batch)?;
        }
        Ok(out)
    }

    fn write(&mut self, batch: Vec<Write>) -> Result<(), Error> {
        let written = if self.guards.holds(Guard::AtomicApply) {
            self.write_as_one(batch)
        } else {
            self.write_apart(batch)
        };
        written.map_err(|source| Error::Engine { store: self.id, source })
    }

    fn write_as_one(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.engine.write(batch)?;
        self.engine.sync()
    }

    /// Without `atomic_apply`: what raft keeps first, its applied index with
    /// it, and then, in another batch, what was applied.
    fn write_apart(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        let is_applied = |write: &Write| matches!(write, Write::Record(_) | Write::Put(..));
        let advances = batch.iter().any(|write| matches!(write, Write::ApplyState(..)));
        let clears = batch.iter().any(|write| matches!(write, Write::Clear(_)));
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
            Input::Propose { region, command, epoch } => self.live(region)?.propose(command, epoch, step),
            Input::Read { region, key } => self.live(region)?.read(key, step),
            Input::AnswerRead { region } => self.live(region)?.answer_read(step),
            Input::ApplySnapshot { region } => self.live(region)?.apply_snapshot(step),
            Input::Apply { region } => match self.live(region)?.apply_next(step)? {
                Applied::Stays => Ok(()),
                Applied::Removed(removed) => {
                    self.bury_removed(region, removed, step);
                    Ok(())
                }
            },
        }
    }

    /// The live peer of `region`.
    pub(crate) fn live(&mut self, region: RegionId) -> Result<&mut Peer, Refusal> {
        match self.slots.get_mut(&region) {
            Some(Slot { resident: Resident::Live(peer), .. }) => Ok(peer),
            _ => Err(Refusal::RegionNotFound),
        }
    }
}
