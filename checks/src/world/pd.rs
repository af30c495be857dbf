//! The placement driver in the world: its inputs, and the delivery of its orders.
//!
//! In a scope without replica placement it only allots ids. Time never passes for PD: a long
//! silence of a store and the timeout of an operator are actions. A leader reports a peer as down
//! if its store is down, as if it had waited long enough.

use std::rc::Rc;

use rollcall_impl::pd::{
    Dispatch, Order, PdConfig, PdInput, PdMemoryEngine, PdOutput, PlacementDriver, RegionReport, StoreStats,
};
use rollcall_impl::{Child, Derive, Guards, IdAllocator, Key, PeerId, Region, Replica, StoreReport};
use rollcall_traces as tr;
use rollcall_traces::{Action, Reason, RegionId, Reply, Returned, Scope, StoreId};

use super::{Waiting, World, convert};

/// Stores report that they have all their space or none. A store with low space reports a share
/// below the low-space ratio that is more than PD asks of a small cluster.
const CAPACITY: u64 = 100 << 30;
const LITTLE: u64 = 15 << 30;

/// Allots ids and, if the scope has it, places peers. Copies share what neither has changed.
#[derive(Clone)]
pub(super) struct Pd<G: Guards> {
    kind: Kind<G>,
    /// Its view as of its last step.
    shown: Rc<tr::PlacementDriver>,
}

#[derive(Clone)]
enum Kind<G: Guards> {
    /// Allots ids from a counter; 0 allots none.
    Ids(IdAllocator),
    Whole(Rc<Whole<G>>),
}

#[derive(Clone)]
struct Whole<G: Guards> {
    pd: PlacementDriver<PdMemoryEngine, G>,
    /// The stores that will report no space.
    full: Vec<StoreId>,
    /// The stores that will report low space. At first they have all.
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
    /// No placement driver: no ids are allotted.
    pub(super) fn absent() -> Self {
        Self::showing(Kind::Ids(IdAllocator { next_id: 0 }))
    }

    /// The placement driver as the scope begins: it has a heartbeat from every store and from no
    /// leader.
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

    /// Updates its view; returns whether that has changed.
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

    /// A store's heartbeat.
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

    /// Stops the process and restarts it from its disk.
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
                Ok(ids.expect("an accepted request gets ids"))
            }
        }
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    /// Takes an action that begins at PD.
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

    /// One step of PD.
    pub(super) fn step_pd(&mut self, input: PdInput) -> Result<Vec<PdOutput>, Reason> {
        let outputs = self.pd.step(input)?;
        self.changed |= self.pd.refresh();
        Ok(outputs)
    }

    /// The same, without sending the order.
    pub(super) fn send_to_pd(
        &mut self,
        input: PdInput,
    ) -> Result<impl Iterator<Item = Dispatch> + use<G, R>, Reason> {
        Ok(self.step_pd(input)?.into_iter().filter_map(|output| match output {
            PdOutput::Dispatch(dispatch) => Some(dispatch),
            _ => None,
        }))
    }

    /// PD's record of the region.
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

    /// The report of the leader on `store`.
    fn report(&self, region: RegionId, store: StoreId) -> Result<RegionReport, Reason> {
        let leader = self.leader(self.up(store)?, region)?;
        self.pd.whole()?;
        let members = leader.region().peers.iter();
        // The leader's and PD's timeouts have both passed.
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

    /// PD takes a late report. The order that it replies with is lost.
    pub(super) fn take_late_report(&mut self, report: RegionReport) -> Result<(), Reason> {
        self.send_to_pd(PdInput::RegionHeartbeat(report)).map(drop)
    }

    /// Takes a PD input for a region and sends the order for that region. If the step also lets
    /// another region's operator begin, the order for that region is lost; PD repeats it later.
    fn order(&mut self, region: RegionId, input: PdInput, reply: Reply) -> Result<Returned, Reason> {
        let order = self.send_to_pd(input)?.find(|order| order.region == region);
        Ok(self.send(order, reply))
    }

    /// Sends an order; `reply` decides whether it arrives.
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

    /// The peer that PD took for the leader carries out the order under PD's epoch. `Err` if the
    /// order has no effect. The reason in `Ok` is that of a refused split, whose ids are used up.
    pub(super) fn carry_out(&mut self, dispatch: Dispatch) -> Result<Option<Reason>, Reason> {
        let Dispatch { region, to, epoch, order } = dispatch;
        let node = self.up(to.store)?;
        match order {
            Order::Propose(command) => self.propose(node, region, command, Some(epoch)).map(|()| None),
            Order::Split { keys } => {
                let asked = self.ask_for_ids(node, region, (keys, Derive::Right), Some(epoch))?;
                Ok(self.step(node, region, asked.reply).err())
            }
        }
    }
}
