//! The placement driver as a state machine: a step in, its effects out.
//!
//! A step's changes are written as one batch and synced before its outputs are handed out. A
//! refused step changes nothing. A restart restores what is on disk: stores, regions, the end of
//! the reserved ids, and the last step of a recovery. No leader is known then, no operator or
//! recovery runs, no store has sent a heartbeat, and the clock starts again.

use super::allocator::IdAllocator;
use super::config::PdConfig;
use super::engine::{PdEngine, PdWrite};
use super::error::{PdError, PdRefusal, Subject};
use super::input::{PdInput, PdOutput};
use super::operator::Operator;
use super::operators::Operators;
use super::recovery::state::Recovery;
use super::regions::{KnownRegion, Regions};
use super::store::{Liveness, StoreInfo, StoreRecord, Stores};
use super::targets::{Sight, Unfit};
use crate::guard::{Guards, Sound};
use crate::proto::region::{Key, Region, RegionId, StoreId};

/// The writes and outputs that one step gathers before any is written or sent.
#[derive(Default)]
pub(crate) struct PdStep {
    pub(crate) batch: Vec<PdWrite>,
    pub(crate) outputs: Vec<PdOutput>,
}

/// A refusal without its subject.
pub(crate) type Decision = Result<(), PdRefusal>;

/// The placement driver.
///
/// ```
/// use rollcall_impl::Sound;
/// use rollcall_impl::pd::{PdConfig, PdInput, PdMemoryEngine, PdRefusal, PlacementDriver};
///
/// # fn main() -> Result<(), rollcall_impl::pd::PdError> {
/// let mut pd = PlacementDriver::open(PdConfig::DEFAULT, Sound, PdMemoryEngine::new())?;
/// for store in 1..=3 {
///     pd.step(PdInput::AddStore { store })?;
/// }
/// let refused = pd.step(PdInput::Decommission { store: 3, force: false }).unwrap_err();
/// assert_eq!(refused.refusal(), Some(PdRefusal::StoresNotEnough));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PlacementDriver<E, G: Guards = Sound> {
    pub(crate) config: PdConfig,
    pub(crate) guards: G,
    engine: E,
    pub(crate) stores: Stores,
    pub(crate) regions: Regions,
    pub(crate) operators: Operators,
    pub(crate) ids: IdAllocator,
    /// Regions were dropped, and PD has not learned every key again.
    pub(crate) relearns: bool,
    pub(crate) recovery: Option<Recovery>,
    /// The last step of any recovery.
    pub(crate) recovery_step: u64,
    /// Ids from this one on may be allotted only after it is raised on disk.
    id_limit: u64,
    pub(crate) now: u64,
}

impl<E: PdEngine, G: Guards> PlacementDriver<E, G> {
    /// Opens from the engine; an empty engine is an empty cluster.
    ///
    /// # Errors
    /// The configuration is invalid, or the engine cannot be read.
    pub fn open(config: PdConfig, guards: G, engine: E) -> Result<Self, PdError> {
        config.validate()?;
        let persisted = engine.load()?;
        let mut stores = Stores::default();
        persisted.stores.into_values().for_each(|record| stores.set(record, 0));
        let mut regions = Regions::default();
        persisted.regions.into_values().for_each(|region| regions.insert(KnownRegion::loaded(region)));
        // Reserved ids that were not allotted are lost.
        let ids = IdAllocator { next_id: persisted.id_limit.max(1) };
        let id_limit = ids.next_id;
        Ok(Self {
            config,
            guards,
            engine,
            stores,
            regions,
            operators: Operators::default(),
            ids,
            relearns: persisted.relearns,
            recovery: None,
            recovery_step: persisted.recovery_step,
            id_limit,
            now: 0,
        })
    }

    /// Bootstraps a cluster with its stores, its first regions, whose ranges must not overlap, and
    /// the first id to allot (`PD Bootstrap`).
    ///
    /// # Errors
    /// The cluster is bootstrapped, or a store is known already; nothing changed then. Or the
    /// engine fails.
    pub fn bootstrap(&mut self, stores: &[StoreId], regions: &[Region], next_id: u64) -> Result<(), PdError> {
        if self.regions.iter().next().is_some() {
            return Err(refused(Subject::Cluster, PdRefusal::Bootstrapped));
        }
        if let Some(store) = stores.iter().find(|store| self.stores.get(**store).is_some()) {
            return Err(refused(Subject::Store(*store), PdRefusal::StoreExists));
        }
        let mut step = PdStep::default();
        for store in stores {
            self.put_store(&mut step, StoreRecord::new(*store));
        }
        for region in regions {
            step.batch.push(PdWrite::Region(region.clone()));
            self.regions.insert(KnownRegion::loaded(region.clone()));
        }
        self.ids.next_id = self.ids.next_id.max(next_id);
        self.finish(step).map(|_| ())
    }

    /// Restarts on the same disk.
    ///
    /// # Errors
    /// If the engine cannot read.
    pub fn restart(self) -> Result<Self, PdError> {
        Self::open(self.config, self.guards, self.engine)
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`PdError::Refused`] where it is refused: nothing changed. After any
    /// other error PD must be dropped and opened again.
    pub fn step(&mut self, input: PdInput) -> Result<Vec<PdOutput>, PdError> {
        let mut step = PdStep::default();
        let subject = subject(&input);
        self.handle(&mut step, input).map_err(|refusal| refused(subject, refusal))?;
        self.finish(step)
    }

    /// Reserves ids if more were allotted than are reserved, writes the batch and syncs it.
    fn finish(&mut self, mut step: PdStep) -> Result<Vec<PdOutput>, PdError> {
        if self.ids.next_id > self.id_limit {
            // The last allotted id is the first of the reserve.
            self.id_limit = self.ids.next_id - 1 + self.config.id_step;
            step.batch.push(PdWrite::IdLimit(self.id_limit));
        }
        if !step.batch.is_empty() {
            self.engine.write(step.batch)?;
            self.engine.sync()?;
        }
        Ok(step.outputs)
    }

    /// The configuration.
    pub fn config(&self) -> &PdConfig {
        &self.config
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The stores, by id.
    pub fn stores(&self) -> impl Iterator<Item = &StoreInfo> {
        self.stores.iter()
    }

    /// A store.
    pub fn store(&self, store: StoreId) -> Option<&StoreInfo> {
        self.stores.get(store)
    }

    /// A store's present liveness.
    pub fn liveness(&self, store: StoreId) -> Option<Liveness> {
        self.sight().liveness(store)
    }

    /// Whether a store has too little space for another peer, by its last heartbeat.
    pub fn is_full(&self, store: StoreId) -> bool {
        self.stores.get(store).is_some_and(|info| self.sight().is_full(info))
    }

    /// The name of a store's state that users see now.
    pub fn state_name(&self, store: StoreId) -> Option<&'static str> {
        self.stores.get(store).map(|info| info.state_name(self.now, &self.config))
    }

    /// How many regions list a peer on a store (pd-ctl `region store N`).
    pub fn region_count(&self, store: StoreId) -> usize {
        self.regions.count_on(store)
    }

    /// The regions that list a peer on a store, by id.
    pub fn regions_on(&self, store: StoreId) -> impl Iterator<Item = &KnownRegion> {
        self.regions.on_store(store)
    }

    /// The regions, by id.
    pub fn regions(&self) -> impl Iterator<Item = &KnownRegion> {
        self.regions.iter()
    }

    /// A region.
    pub fn region(&self, region: RegionId) -> Option<&KnownRegion> {
        self.regions.get(region)
    }

    /// The region whose range has the key.
    pub fn region_by_key(&self, key: &Key) -> Option<&KnownRegion> {
        self.regions.by_key(key)
    }

    /// The operators, by region; those that wait for their turn last.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.operators.iter()
    }

    /// A region's operator.
    pub fn operator(&self, region: RegionId) -> Option<&Operator> {
        self.operators.get(region)
    }

    /// Why each store gets no peer of the region; `None` for one that may. Empty for an unknown
    /// region.
    pub fn explain(&self, region: RegionId) -> Vec<(StoreId, Option<Unfit>)> {
        let Some(known) = self.regions.get(region) else { return Vec::new() };
        let sight = self.sight();
        self.stores.iter().map(|info| (info.record.id, sight.unfit(info, known))).collect()
    }

    /// Whether regions were dropped (`RegionCache`) and not every key is known again. No store is
    /// buried meanwhile.
    pub fn relearns(&self) -> bool {
        self.relearns
    }

    /// The next id.
    pub fn next_id(&self) -> u64 {
        self.ids.next_id
    }

    /// Its clock, in ticks since it started.
    pub fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn sight(&self) -> Sight<'_, G> {
        Sight {
            guards: self.guards,
            stores: &self.stores,
            regions: &self.regions,
            config: &self.config,
            now: self.now,
        }
    }
}

fn refused(subject: Subject, refusal: PdRefusal) -> PdError {
    PdError::Refused { subject, refusal }
}

fn subject(input: &PdInput) -> Subject {
    match input {
        PdInput::AddStore { store }
        | PdInput::StoreHeartbeat { store, .. }
        | PdInput::MissedHeartbeat { store }
        | PdInput::Decommission { store, .. }
        | PdInput::CancelDecommission { store }
        | PdInput::SetTombstone { store }
        | PdInput::RemoveTombstone { store } => Subject::Store(*store),
        PdInput::RegionHeartbeat(report) => Subject::Region(report.region.id),
        PdInput::AskSplit { region, .. } => Subject::Region(region.id),
        PdInput::Schedule { region }
        | PdInput::Push { region }
        | PdInput::OperatorTimeout { region }
        | PdInput::AddOperator { region, .. }
        | PdInput::RemoveOperator { region } => Subject::Region(*region),
        PdInput::CheckStores
        | PdInput::RemoveFailedStores { .. }
        | PdInput::RecoveryTimeout
        | PdInput::Tick => Subject::Cluster,
    }
}
