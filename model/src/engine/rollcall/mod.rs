//! The rules within a scope, taken by the engine: the interface of the model.

mod first;
mod judging;
mod offering;
mod taking;

use std::sync::Arc;

use rollcall_traces::{HistoryParts, Outcome, Scope, ScopeError, View};

use crate::bounds::reach::Reach;
use crate::cluster::ClusterInScope;
use crate::engine::checkpoint::{PartCounts, PartsError};
use crate::engine::fingerprint::Fingerprints;
use crate::engine::memo::STORES;
use crate::engine::property_cache::PropertyCache;
use crate::engine::state::{InternTables, State};
use crate::engine::state_ref::StateRef;
use crate::engine::steps::Steps;
use crate::engine::translation::Translation;
use crate::guard::GuardSet;
use crate::properties::Property;

use first::first_state;
pub use offering::Offered;

/// The rules of Rollcall within one scope, with all guards or without some.
#[derive(Clone)]
pub struct Rollcall {
    scope: Arc<Scope>,
    guards: GuardSet,
    properties: Vec<Property>,
    reachable: Vec<Reach>,
    parts: Arc<InternTables>,
    fingerprints: Arc<Fingerprints>,
    /// The memoised results; `None` if everything is computed each time.
    caches: Option<Arc<Caches>>,
    first: State,
}

impl Rollcall {
    /// The model of `scope`, after its setup.
    ///
    /// # Errors
    ///
    /// If the scope is malformed or its setup is refused.
    pub fn new(
        scope: &Scope,
        guards: GuardSet,
        properties: &[Property],
        reachable: &[Reach],
    ) -> Result<Self, ScopeError> {
        scope.validate()?;
        let parts = InternTables::new(scope);
        if parts.stores.len() > STORES {
            return Err(ScopeError::Malformed {
                scope: scope.name.clone(),
                what: format!(
                    "it has {} stores, and a scope may have no more than {STORES}",
                    parts.stores.len()
                ),
            });
        }
        let history = properties.iter().fold(HistoryParts::NONE, |all, property| all.union(property.parts()));
        let first = first_state(scope, &parts, history);
        let mut model = Self {
            scope: Arc::new(scope.clone()),
            guards,
            properties: properties.to_vec(),
            reachable: reachable.to_vec(),
            parts: Arc::new(parts),
            fingerprints: Arc::new(Fingerprints::new()),
            caches: None,
            first,
        };
        model.caches = Some(Arc::new(Caches::new(
            &model.parts,
            &model.properties,
            model.cluster(&model.first).history().parts(),
        )));
        for (at, action) in scope.setup.iter().enumerate() {
            let (after, outcome) = model.step(&model.first, action);
            if let Outcome::Refused(reason) = outcome {
                return Err(ScopeError::Setup { scope: scope.name.clone(), step: at + 1, reason });
            }
            model.first = model.remember(&model.first, action, &outcome, after);
        }
        Ok(model)
    }

    /// The same model with other guards. The two share their states.
    #[must_use]
    pub fn with_guards(&self, guards: GuardSet) -> Self {
        let caches = self.caches.is_some().then(|| {
            Arc::new(Caches::new(&self.parts, &self.properties, self.cluster(&self.first).history().parts()))
        });
        Self { guards, caches, ..self.clone() }
    }

    /// The same model without memoisation, for comparison.
    #[must_use]
    pub fn forgetful(&self) -> Self {
        Self { caches: None, ..self.clone() }
    }

    /// The scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The guards that hold.
    pub fn guards(&self) -> GuardSet {
        self.guards
    }

    /// The properties against which it is checked.
    pub fn checked(&self) -> &[Property] {
        &self.properties
    }

    /// The situations that must be reachable.
    pub fn reachable(&self) -> &[Reach] {
        &self.reachable
    }

    /// The first state, after the setup.
    pub fn first(&self) -> State {
        self.first
    }

    /// The state as a cluster.
    pub fn cluster<'a>(&'a self, state: &'a State) -> StateRef<'a> {
        self.parts.cluster(state)
    }

    /// The compact form of a view, with nothing spent and an empty history; `None` if the view has
    /// a store that the scope does not have.
    pub fn state_of(&self, view: &View) -> Option<State> {
        self.parts.state_of(view)
    }

    /// The parts added since `from`, and the counts now. All parts of every state made before the
    /// call are among these and earlier ones.
    pub fn parts_since(&self, from: PartCounts) -> (Vec<u8>, PartCounts) {
        self.parts.parts_since(from)
    }

    /// Adds what [`Rollcall::parts_since`] wrote in another process: each checkpoint once, in
    /// order, and before any other state is made.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a part would get another number.
    pub fn take_parts(&self, written: &[u8]) -> Result<(), PartsError> {
        self.parts.take_parts(written)
    }

    /// Definitions of all parts of these rows, and maybe of others, for another process that was told
    /// of so many parts; `None` if it knows all of them already.
    pub fn definitions<'r>(
        &self,
        told: &mut PartCounts,
        rows: impl IntoIterator<Item = &'r [u32]>,
    ) -> Option<Vec<u8>> {
        if rows.into_iter().all(|row| told.include(row)) {
            return None;
        }
        let (written, now) = self.parts_since(*told);
        *told = now;
        Some(written)
    }

    /// Takes in what [`Rollcall::definitions`] wrote in another process: each once, in order.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or are not the next ones.
    pub fn learn(&self, theirs: &mut Translation, definitions: &[u8]) -> Result<(), PartsError> {
        self.parts.learn(theirs, definitions)
    }

    /// Whether every number of a row refers to a known part.
    pub fn knows(&self, row: &[u32]) -> bool {
        self.parts.knows(row)
    }

    /// The fingerprint of a state's row: the same in every process of one build.
    /// Other states may have it as well.
    pub fn fingerprint(&self, row: &[u32]) -> u64 {
        self.fingerprints.of(&self.parts, row)
    }

    /// The fingerprint of the row `after`, where that of `before` is known.
    pub fn fingerprint_after(&self, known: u64, before: &[u32], after: &[u32]) -> u64 {
        self.fingerprints.after(&self.parts, known, before, after)
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> &InternTables {
        &self.parts
    }
}

/// A model's memoised results under its guards.
struct Caches {
    steps: Steps,
    judged: PropertyCache,
}

impl Caches {
    fn new(parts: &InternTables, properties: &[Property], carried: HistoryParts) -> Self {
        Self { steps: Steps::new(carried), judged: PropertyCache::new(parts, properties) }
    }
}
