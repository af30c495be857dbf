//! A store with its engine, which writes and syncs a step's changes before it hands anything out.
//! Simulators, replays and single-threaded programs use it.

use std::ops::Deref;

use crate::config::{Config, ConfigError};
use crate::error::Error;
use crate::guard::{Guards, Sound};
use crate::proto::region::{Region, RegionId, StoreId};
use crate::raft_rs::RaftRs;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{Engine, MemoryEngine};
use crate::store::Store;
use crate::store::effects::Effects;
use crate::store::input::{Input, Output};

/// A [`Store`] on an engine: every step is durable when it returns, except for a commit index
/// that may wait ([`Config::unsynced_commits`]).
pub struct SyncedStore<G: Guards = Sound, E: Engine = MemoryEngine, R: Replica = RaftRs> {
    pub(crate) store: Store<G, R>,
    engine: E,
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
        let effects = self.store.step(input)?;
        self.persist(effects)
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

    fn write(&mut self, batch: Vec<crate::storage::engine::Write>, sync: bool) -> Result<(), Error> {
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
