//! A store with its engine, which writes and syncs a step's changes before it hands anything out.
//! Simulators, replays and single-threaded programs use it.

use std::ops::Deref;

use crate::config::{Config, ConfigError};
use crate::error::Error;
use crate::guard::{Guards, Sound};
use crate::proto::message::Message;
use crate::proto::region::{Region, RegionId, StoreId};
use crate::raft_rs::RaftRs;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{Engine, Persisted, Write};
use crate::storage::memory_engine::MemoryEngine;
use crate::store::Store;
use crate::store::effects::{Effects, Ticket};
use crate::store::input::{Input, Output};
use crate::store::step::Gathered;
use crate::unsound;

/// A [`Store`] on an engine: every step is durable when it returns, except for a commit index
/// that may wait ([`Config::unsynced_commits`]).
pub struct SyncedStore<G: Guards = Sound, E: Engine = MemoryEngine, R: Replica = RaftRs> {
    pub(crate) store: Store<G, R>,
    pub(super) engine: E,
}

impl<G: Guards, E: Engine> SyncedStore<G, E> {
    /// Opens a store on raft-rs as its engine has it. Every live peer is a follower.
    ///
    /// # Errors
    /// If the engine cannot be read, or raft refuses what it holds.
    pub fn open(id: StoreId, config: Config, guards: G, engine: E) -> Result<Self, Error> {
        Self::open_with((), id, config, guards, engine)
    }
}

impl<G: Guards, E: Engine, R: Replica> SyncedStore<G, E, R> {
    /// Opens a store whose replicas are made by `maker`.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub fn open_with(
        maker: R::Maker,
        id: StoreId,
        config: Config,
        guards: G,
        engine: E,
    ) -> Result<Self, Error> {
        Ok(Self { store: Store::open_with(maker, id, config, guards, &engine)?, engine })
    }

    /// Writes the first replica of `region` on this store.
    ///
    /// # Errors
    /// As [`Store::bootstrap`], and where the engine fails.
    pub fn bootstrap(&mut self, region: Region) -> Result<(), Error> {
        let effects = self.store.bootstrap(region)?;
        self.persist(effects).map(drop)
    }

    /// Takes one input. What it changed is durable when this returns.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Snapshot`] leave everything as it was.
    /// After any other error the store must be dropped and opened again.
    pub fn step(&mut self, input: Input) -> Result<Vec<Output>, Error> {
        let region = input.region();
        let gathered = self.store.gather_step(input)?;
        let waits = !(gathered.early.is_empty() && gathered.handed_over.is_empty());
        if waits || !self.store.handed_over.is_empty() || !unsound::writes_as_one(self.store.guards) {
            let effects = self.store.effects(region, gathered);
            return self.persist(effects);
        }
        // The usual case, without a detour through `Effects`: nothing waits for this batch, or for an
        // earlier one.
        let Gathered { batch, out, .. } = gathered;
        let sync = self.store.issue_ticket(&batch);
        self.write(batch, sync)?;
        self.store.durable = self.store.tickets;
        Ok(out)
    }

    /// Writes a step's changes, and handles the results of their durability.
    pub(crate) fn persist(&mut self, mut effects: Effects) -> Result<Vec<Output>, Error> {
        let mut out = Vec::new();
        loop {
            let Effects { batch, parted, sync, messages, mut after_persist, ticket, .. } = effects;
            self.write(batch, sync)?;
            self.write(parted, sync)?;
            out.extend(messages.into_iter().map(Output::Message));
            if out.is_empty() {
                out = after_persist;
            } else {
                out.append(&mut after_persist);
            }
            if !self.store.note_durable(ticket) {
                return Ok(out);
            }
            effects = self.store.persisted(ticket)?;
            if effects.is_empty() {
                return Ok(out);
            }
        }
    }

    /// Writes a step's changes, and leaves their durability to [`sync`](SyncedStore::sync).
    pub(crate) fn write_late(&mut self, effects: Effects) -> Result<Unsynced, Error> {
        let Effects { batch, parted, messages, after_persist, ticket, .. } = effects;
        let is_record = |write: &Write| matches!(write, Write::Record(_) | Write::Clear(_));
        let changes_record = batch.iter().chain(&parted).any(is_record);
        self.write(batch, false)?;
        self.write(parted, false)?;
        Ok(Unsynced { messages, after_persist, ticket, changes_record })
    }

    fn write(&mut self, batch: Vec<Write>, sync: bool) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.engine.write(batch);
        let done = if sync { written.and_then(|()| self.engine.sync()) } else { written };
        done.map_err(|source| Error::Engine { store: self.store.id(), source })
    }

    /// As [`Store::draw_election_tick`].
    ///
    /// # Errors
    /// If it is shorter than the configured one.
    pub fn draw_election_tick(&mut self, ticks: usize) -> Result<(), ConfigError> {
        self.store.draw_election_tick(ticks)
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Ends the store and returns its engine, as a crash does: volatile state is lost.
    pub fn into_engine(self) -> E {
        self.engine
    }
}

/// What a step hands out whose writes are not durable ([`Config::late_persistence`]).
#[derive(Debug)]
pub struct Unsynced {
    /// May leave at once.
    pub messages: Vec<Message>,
    /// May leave once everything up to the ticket is durable.
    pub after_persist: Vec<Output>,
    /// The last batch that must be durable for that.
    pub ticket: Ticket,
    /// Whether the step wrote what a peer is: its region, its state, its whole content.
    pub changes_record: bool,
}

impl Unsynced {
    /// All that it hands out, whatever waits for the disk.
    pub fn outputs(self) -> Vec<Output> {
        self.messages.into_iter().map(Output::Message).chain(self.after_persist).collect()
    }
}

/// Late persistence: the owner says when the disk is done.
impl<G: Guards, R: Replica> SyncedStore<G, MemoryEngine, R> {
    /// Takes one input. What it changed is written and not durable.
    ///
    /// # Errors
    /// As [`SyncedStore::step`].
    pub fn step_late(&mut self, input: Input) -> Result<Unsynced, Error> {
        let effects = self.store.step(input)?;
        self.write_late(effects)
    }

    /// Makes everything durable that was written. What is written because of that is not.
    ///
    /// # Errors
    /// Where raft or the engine fails: the store must be dropped and opened again.
    pub fn sync(&mut self) -> Result<Unsynced, Error> {
        self.engine.sync().map_err(|source| Error::Engine { store: self.store.id(), source })?;
        let effects = self.store.persisted(self.store.last_ticket())?;
        self.write_late(effects)
    }

    /// Whether everything up to the ticket is durable.
    pub fn is_durable(&self, ticket: Ticket) -> bool {
        self.store.is_durable(ticket)
    }

    /// What a failure of the machine would leave of `region`, if that is not all that its peer
    /// wrote.
    pub fn durable(&self, region: RegionId) -> Option<&Persisted> {
        let (durable, peer) = (self.engine.synced(region)?, self.peer(region)?);
        let Persisted { hard_state, apply_state, entries, data, .. } = durable;
        let is_all = (hard_state.term, hard_state.vote, hard_state.commit)
            == (peer.term(), peer.vote(), peer.commit())
            && (apply_state.applied, apply_state.truncated) == (peer.applied(), peer.truncated())
            && entries.len() == peer.entries().len()
            && entries.iter().zip(peer.entries()).all(|(durable, (entry, _))| durable == entry)
            && data == peer.data();
        (!is_all).then_some(durable)
    }
}

impl<G: Guards, R: Replica> SyncedStore<G, MemoryEngine, R> {
    /// The commit index that the live peer of `region` would have after a failure of the machine,
    /// if that is not its present one.
    pub fn synced_commit(&self, region: RegionId) -> Option<u64> {
        let on_disk = self.engine.synced(region)?.hard_state.commit;
        self.peer(region).filter(|peer| on_disk < peer.commit()).map(|_| on_disk)
    }
}

/// Only a simulator may copy a store, so only if the disk can be copied too.
impl<G: Guards, R: Replica> Clone for SyncedStore<G, MemoryEngine, R> {
    fn clone(&self) -> Self {
        Self { store: self.store.copy(), engine: self.engine.clone() }
    }
}

/// A store on an engine has the store's visible state, but only its own steps.
impl<G: Guards, E: Engine, R: Replica> Deref for SyncedStore<G, E, R> {
    type Target = Store<G, R>;

    fn deref(&self) -> &Store<G, R> {
        &self.store
    }
}
