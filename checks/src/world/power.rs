//! The power of one store fails at a call to its engine.
//!
//! The action ends there by an unwinding, so that nothing which would have followed happens. The
//! caller catches it and lets the store crash.

use std::rc::Rc;

use rollcall_impl::{EngineCall, Error, Guards, MemoryEngine, Replica};
use rollcall_traces::{Reason, StoreId};

use super::{World, convert};

/// Why a step was refused. Unwinds without a word if the engine has failed: only a store whose power
/// was made to fail has such an engine.
pub(super) fn refused(error: Error) -> Reason {
    match error.refusal() {
        Some(refusal) => convert::reason(refusal),
        None if matches!(error, Error::Engine { .. }) => {
            std::panic::resume_unwind(Box::new(error.to_string()))
        }
        None => panic!("the implementation failed, and was not refused: {error}"),
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    fn engine_mut(&mut self, node: usize) -> Option<&mut MemoryEngine> {
        Some(Rc::make_mut(self.nodes[node].store.as_mut()?).engine_mut())
    }

    /// The engine of a store.
    pub(crate) fn engine(&self, store: StoreId) -> Option<&MemoryEngine> {
        Some(self.nodes[self.index_of(store)?].store.as_ref()?.engine())
    }

    /// The stores.
    pub(crate) fn stores(&self) -> Vec<StoreId> {
        self.nodes.iter().map(|node| node.untracked().id).collect()
    }

    /// Notes what each store asks of its engine from now on.
    pub(crate) fn watch_engines(&mut self) {
        for node in 0..self.nodes.len() {
            if let Some(engine) = self.engine_mut(node) {
                engine.watch();
            }
        }
    }

    /// What each store has asked of its engine since.
    pub(crate) fn engine_calls(&mut self) -> Vec<(StoreId, Vec<EngineCall>)> {
        let mut all = Vec::new();
        for node in 0..self.nodes.len() {
            let calls = self.engine_mut(node).map(MemoryEngine::take_calls).unwrap_or_default();
            if !calls.is_empty() {
                all.push((self.nodes[node].untracked().id, calls));
            }
        }
        all
    }

    /// The power of the store fails at that call to its engine, counted from now.
    pub(crate) fn fail_at(&mut self, store: StoreId, call: usize) {
        let node = self.index_of(store).expect("a store of the scope");
        self.engine_mut(node).expect("a disk that was not lost").fail_at(call);
    }

    /// The power of a store that is down is back.
    pub(crate) fn power_is_back(&mut self, store: StoreId) {
        let node = self.index_of(store).expect("a store of the scope");
        self.engine_mut(node).expect("a disk that was not lost").lose_unsynced();
    }
}
