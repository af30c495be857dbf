//! The placement driver in the world: who tells it what, and what becomes of
//! its orders.
//!
//! Where a scope wants no replicas somebody allots ids and nothing else. Time
//! never passes for PD: that a store was silent for long, or that an
//! operator took too long, are actions. A leader reports as down whoever's
//! store does not run: it has waited long enough.

use std::rc::Rc;

use rollcall_impl::pd::{
    Dispatch, Order, PdConfig, PdInput, PdMemoryEngine, PdOutput, PlacementDriver, RegionReport, StoreStats,
};
use rollcall_impl::{Child, Derive, Guards, IdAllocator, Key, PeerId, Region, Replica, StoreReport};
use rollcall_traces as tr;
use rollcall_traces::{Action, Reason, RegionId, Reply, Returned, Scope, StoreId};

use super::{Waiting, World, convert};

/// Stores say that they have all their space, or none, or, where they are
/// tight, little of it, which is more than PD asks of a small cluster.
const CAPACITY: u64 = 100 << 30;
const LITTLE: u64 = 15 << 30;

/// Who allots ids, and, where there is one, places peers. Copies share what
/// neither has changed.
#[derive(Clone)]
pub(super) struct Pd<G: Guards> {
    kind: Kind<G>,
    /// What it shows, as of its last step.
    shown: Rc<tr::PlacementDriver>,
}

#[derive(Clone)]
enum Kind<G: Guards> {
    /// Allots ids from one count; from 0 on none.
    Ids(IdAllocator),
    Whole(Rc<Whole<G>>),
}

#[derive(Clone)]
struct Whole<G: Guards> {
    pd: PlacementDriver<PdMemoryEngine, G>,
    /// The stores that will say that they have no space.
    full: Vec<StoreId>,
    /// Those that will say that they have little. At first they have all.
    low_space: Vec<StoreId>,
}

impl<G: Guards> Whole<G> {
    fn heartbeat(&self, store: StoreId, report: Option<StoreReport>) -> PdInput {
        let used = match store {
            full if self.full.contains(&full) => CAPACITY,
            low_space if self.low_space.contains(&low_space) => CAPACITY - LITTLE,
            _ => 0,
        };
        PdInput::StoreHeartbeat { store, stats: StoreStats { capacity: CAPACITY, used }, report }
    }
}

impl<G: Guards> Pd<G> {
    /// Nobody allots ids.
    pub(super) fn absent() -> Self {
        Self::showing(Kind::Ids(IdAllocator { next_id: 0 }))
    }

    /// As the scope begins: it has had a heartbeat from every store and of no leader.
    pub(super) fn of(scope: &Scope, guards: G) -> Self {
        if scope.max_replicas == 0 {
            return Self::showing(Kind::Ids(IdAllocator { next_id: scope.next_id }));
        }
        let config = PdConfig {
            max_replicas: usize::try_from(scope.max_replicas).unwrap_or(usize::MAX),
            id_step: 1,
            schedule_limit: match scope.schedule_limit {
                0 => usize::MAX,
                limit => usize::try_from(limit).unwrap_or(usize::MAX),
            },
            waiting_limit: usize::try_from(scope.waiting_limit).unwrap_or(usize::MAX),
            ..PdConfig::DEFAULT
        };
        let pd = PlacementDriver::open(config, guards, PdMemoryEngine::new());
        let pd = pd.expect("a sound configuration");
        let mut whole = Whole { pd, full: scope.full.clone(), low_space: Vec::new() };
        let regions: Vec<Region> = scope.believed_regions().map(convert::to_region).collect();
        let known: Vec<StoreId> =
            scope.stores.iter().copied().filter(|store| !scope.joining.contains(store)).collect();
        whole.pd.bootstrap(&known, &regions, scope.next_id).expect("an empty PD begins");
        for store in &known {
            whole.pd.step(whole.heartbeat(*store, None)).expect("a store of the scope is known");
        }
        whole.low_space = scope.low_space.clone();
        Self::showing(Kind::Whole(Rc::new(whole)))
    }

    fn showing(kind: Kind<G>) -> Self {
        let mut pd = Self { kind, shown: Rc::default() };
        pd.refresh();
        pd
    }

    pub(super) fn shown(&self) -> &tr::PlacementDriver {
        &self.shown
    }

    /// Shows what it knows now; says whether that is something else.
    fn refresh(&mut self) -> bool {
        let now = match &self.kind {
            Kind::Ids(ids) => tr::PlacementDriver { next_id: ids.next_id, ..Default::default() },
            Kind::Whole(whole) => convert::pd::shown(&whole.pd),
        };
        let changed = now != *self.shown;
        if changed {
            self.shown = Rc::new(now);
        }
        changed
    }

    fn whole(&self) -> Result<&Whole<G>, Reason> {
        match &self.kind {
            Kind::Whole(whole) => Ok(whole),
            Kind::Ids(_) => Err(Reason::NoPlacementDriver),
        }
    }

    /// What a store that lives tells PD.
    pub(super) fn heartbeat(&self, store: StoreId, report: Option<StoreReport>) -> Result<PdInput, Reason> {
        Ok(self.whole()?.heartbeat(store, report))
    }

    pub(super) fn step(&mut self, input: PdInput) -> Result<Vec<PdOutput>, Reason> {
        let Kind::Whole(whole) = &mut self.kind else { return Err(Reason::NoPlacementDriver) };
        Rc::make_mut(whole).pd.step(input).map_err(|error| match error.refusal() {
            Some(refusal) => convert::pd::reason(refusal),
            None => panic!("the placement driver failed, and was not refused: {error}"),
        })
    }

    /// The process ends and begins again on its disk.
    fn restart(&mut self) -> Result<(), Reason> {
        let Kind::Whole(whole) = &mut self.kind else { return Err(Reason::NoPlacementDriver) };
        Rc::make_mut(whole).pd = whole.pd.clone().restart().expect("what PD wrote it can read");
        Ok(())
    }

    fn allot(&mut self, region: &Region, keys: &[Key], derive: Derive) -> Result<Vec<Child>, Reason> {
        match &mut self.kind {
            Kind::Ids(IdAllocator { next_id: 0 }) => Err(Reason::NoPlacementDriver),
            Kind::Ids(ids) => Ok(ids.allot(region, keys)),
            Kind::Whole(_) => {
                let outputs =
                    self.step(PdInput::AskSplit { region: region.clone(), keys: keys.to_vec(), derive })?;
                let ids = outputs.into_iter().find_map(|output| match output {
                    PdOutput::SplitIds { children, .. } => Some(children),
                    _ => None,
                });
                Ok(ids.expect("who asks for ids and is not refused is given some"))
            }
        }
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    /// An action that PD takes part in from the beginning.
    pub(super) fn take_with_pd(&mut self, action: &Action) -> Result<Returned, Reason> {
        let input = match *action {
            Action::RegionHeartbeat { region, store, reply } => {
                let report = self.report(region, store)?;
                return self.order(region, PdInput::RegionHeartbeat(report), reply);
            }
            Action::Schedule { region, reply } => {
                return self.order(region, PdInput::Schedule { region }, reply);
            }
            Action::PushOperator { region, reply } => {
                return self.order(region, PdInput::Push { region }, reply);
            }
            Action::AddOperator { region, ref operator, reply } => {
                let operator = convert::pd::to_admin_operator(operator);
                return self.order(region, PdInput::AddOperator { region, operator }, reply);
            }
            Action::RemoveFailedStores { ref stores } => {
                PdInput::RemoveFailedStores { stores: stores.iter().copied().collect() }
            }
            Action::AddStore { store } => {
                self.up(store)?;
                PdInput::AddStore { store }
            }
            Action::PdRestart => return self.restart_pd().map(|()| Returned::Nothing),
            Action::MissedHeartbeat { store } => PdInput::MissedHeartbeat { store },
            Action::OperatorTimeout { region } => PdInput::OperatorTimeout { region },
            Action::CheckStores => PdInput::CheckStores,
            Action::Decommission { store, force } => PdInput::Decommission { store, force },
            Action::CancelDecommission { store } => PdInput::CancelDecommission { store },
            Action::SetTombstone { store } => PdInput::SetTombstone { store },
            Action::RemoveTombstone { store } => PdInput::RemoveTombstone { store },
            Action::RemoveOperator { region } => PdInput::RemoveOperator { region },
            _ => unreachable!("PD has no part in {action:?}"),
        };
        self.send_to_pd(input).map(|_| Returned::Nothing)
    }

    /// Sends PD an input.
    pub(super) fn step_pd(&mut self, input: PdInput) -> Result<Vec<PdOutput>, Reason> {
        let outputs = self.pd.step(input)?;
        self.changed |= self.pd.refresh();
        Ok(outputs)
    }

    /// The same; what it orders is not sent yet.
    pub(super) fn send_to_pd(
        &mut self,
        input: PdInput,
    ) -> Result<impl Iterator<Item = Dispatch> + use<G, R>, Reason> {
        Ok(self.step_pd(input)?.into_iter().filter_map(|output| match output {
            PdOutput::Dispatch(dispatch) => Some(dispatch),
            _ => None,
        }))
    }

    /// The region as PD knows it.
    pub(super) fn known(&self, region: RegionId) -> Result<&Region, Reason> {
        let known = self.pd.whole()?.pd.region(region);
        known.map(|known| &known.region).ok_or(Reason::UnknownRegion)
    }

    pub(super) fn allot(
        &mut self,
        region: &Region,
        keys: &[Key],
        derive: Derive,
    ) -> Result<Vec<Child>, Reason> {
        let children = self.pd.allot(region, keys, derive)?;
        self.changed |= self.pd.refresh();
        Ok(children)
    }

    fn restart_pd(&mut self) -> Result<(), Reason> {
        self.pd.restart()?;
        self.changed |= self.pd.refresh();
        Ok(())
    }

    /// What the leader on `store` reports.
    fn report(&self, region: RegionId, store: StoreId) -> Result<RegionReport, Reason> {
        let leader = self.leader(self.up(store)?, region)?;
        self.pd.whole()?;
        let members = leader.region().peers.iter();
        // The leader has waited as long as PD has.
        let connected = |known: &tr::KnownStore| known.liveness == tr::Liveness::Connected;
        let missed = |store| !self.pd.shown().stores.get(&store).is_some_and(connected);
        let stopped = members.filter(|member| self.up(member.store).is_err() && missed(member.store));
        let down: Vec<PeerId> = stopped.map(|member| member.id).collect();
        Ok(RegionReport::of(leader, down))
    }

    pub(super) fn hold_report(&mut self, region: RegionId, from: StoreId, to: StoreId) -> Result<(), Reason> {
        let report = self.report(region, from)?;
        if to != 0 {
            return Err(Reason::NotInConfig);
        }
        self.held.push(convert::pd::held_report(&report));
        self.messages.push(Waiting::Report(Box::new(report)));
        self.changed = true;
        Ok(())
    }

    /// A late report reaches PD; nobody waits for what it orders now.
    pub(super) fn take_late_report(&mut self, report: RegionReport) -> Result<(), Reason> {
        self.send_to_pd(PdInput::RegionHeartbeat(report)).map(drop)
    }

    /// Sends PD an input on a region, and its order for that region
    /// sent. Another whose operator has its turn by that is sent nothing: PD's
    /// order to it is lost, and the next one says the same.
    fn order(&mut self, region: RegionId, input: PdInput, reply: Reply) -> Result<Returned, Reason> {
        let order = self.send_to_pd(input)?.find(|order| order.region == region);
        Ok(self.send(order, reply))
    }

    /// What becomes of an order.
    fn send(&mut self, order: Option<Dispatch>, reply: Reply) -> Returned {
        let Some(dispatch) = order else { return Returned::Nothing };
        let order = convert::pd::order(&dispatch.order);
        let refused = match reply {
            Reply::Delivered => self.carry_out(dispatch).unwrap_or_else(Some),
            Reply::Delayed => {
                self.held.push(convert::pd::held_order(&dispatch));
                self.messages.push(Waiting::Order(Box::new(dispatch)));
                self.changed = true;
                None
            }
            Reply::Dropped => None,
        };
        Returned::Ordered { order, refused }
    }

    /// The peer that PD took for the leader carries out the order, under the
    /// epoch that PD knew. `Err` where nothing came of it; the reason
    /// beside is of a split whose ids are gone.
    pub(super) fn carry_out(&mut self, dispatch: Dispatch) -> Result<Option<Reason>, Reason> {
        let Dispatch { region, to, epoch, order } = dispatch;
        let node = self.up(to.store)?;
        match order {
            Order::Propose(command) => self.propose(node, region, command, Some(epoch)).map(|()| None),
            Order::Split { keys } => {
                let asked = self.ask_for_ids(node, region, keys, Derive::Right)?;
                Ok(self.step(node, region, asked.reply).err())
            }
        }
    }
}
