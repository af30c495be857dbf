//! An engine in memory, for simulation.

use std::collections::BTreeMap;

use crate::error::EngineError;
use crate::proto::region::RegionId;
use crate::storage::engine::{Engine, Persisted, Write};

/// An engine in memory, for simulation. It can be copied, it can lose what was not synced, and its
/// power can fail at any call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryEngine {
    synced: BTreeMap<RegionId, Persisted>,
    unsynced: Vec<Vec<Write>>,
    watch: Option<Box<Watch>>,
}

/// A call of a store to its engine.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineCall {
    /// [`Engine::write`].
    Write(Vec<Write>),
    /// [`Engine::sync`].
    Sync,
}

/// The calls since the watch began, and the one at which the power fails.
#[derive(Clone, Debug, Default, PartialEq)]
struct Watch {
    calls: Vec<EngineCall>,
    fails_at: Option<usize>,
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a power failure would leave of a region now.
    pub fn synced(&self, region: RegionId) -> Option<&Persisted> {
        self.synced.get(&region)
    }

    /// Whether something was written that is not synced.
    pub fn has_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// Loses what was not synced, as a power failure does. Then the power is back.
    pub fn lose_unsynced(&mut self) {
        self.unsynced.clear();
        self.watch = None;
    }

    /// Notes every call from now on.
    pub fn watch(&mut self) {
        self.watch = Some(Box::default());
    }

    /// The calls since the watch began or was last asked.
    pub fn take_calls(&mut self) -> Vec<EngineCall> {
        self.watch.as_mut().map_or_else(Vec::new, |watch| std::mem::take(&mut watch.calls))
    }

    /// The power fails at the `call`-th call from now, counted from 0. A write that fails leaves
    /// nothing. A sync fails once everything is durable, so that its caller never learns that it is.
    pub fn fail_at(&mut self, call: usize) {
        self.watch = Some(Box::new(Watch { calls: Vec::new(), fails_at: Some(call) }));
    }

    /// Whether the power has failed.
    pub fn has_failed(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.has_failed())
    }

    fn note(&mut self, call: impl FnOnce() -> EngineCall, what: &'static str) -> Result<(), EngineError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        watch.calls.push(call());
        let failed = || EngineError { what, reason: "the power has failed".to_string() };
        if watch.has_failed() { Err(failed()) } else { Ok(()) }
    }

    fn take(synced: &mut BTreeMap<RegionId, Persisted>, write: Write) {
        let region = write.region();
        match (synced.get_mut(&region), write) {
            (Some(persisted), write) => persisted.take(write),
            (None, Write::Record(record)) => {
                synced.insert(region, Persisted::new(record));
            }
            // Nothing is there to discard.
            (None, Write::Clear(_)) => {}
            (None, write) => panic!("a peer's record is written first, not {write:?}"),
        }
    }
}

impl Watch {
    fn has_failed(&self) -> bool {
        self.fails_at.is_some_and(|call| self.calls.len() > call)
    }
}

impl Engine for MemoryEngine {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.note(|| EngineCall::Write(batch.clone()), "write")?;
        self.unsynced.push(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        if !self.has_failed() {
            for write in self.unsynced.drain(..).flatten() {
                Self::take(&mut self.synced, write);
            }
        }
        self.note(|| EngineCall::Sync, "sync")
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        if self.unsynced.is_empty() {
            return Ok(self.synced.keys().copied().collect());
        }
        let mut all = self.clone();
        all.sync()?;
        Ok(all.synced.into_keys().collect())
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        if self.unsynced.is_empty() {
            return Ok(self.synced.get(&region).cloned());
        }
        let mut all = self.clone();
        all.sync()?;
        Ok(all.synced.remove(&region))
    }
}
