//! What each input does: checks first, then changes, so that a refusal changes nothing.
//!
//! The checks are in PD's order, which decides the reason that users see
//! (`server/cluster/cluster.go`, `cluster_worker.go HandleRegionHeartbeat, HandleAskBatchSplit`,
//! `server/handler.go`).

use std::collections::BTreeSet;

use super::builder;
use super::checker;
use super::driver::{Decision, PdStep, PlacementDriver};
use super::engine::{PdEngine, PdWrite};
use super::error::PdRefusal;
use super::input::{AdminOperator, PdInput, PdOutput};
use super::operator::{Operator, OperatorEnd, Priority, Purpose};
use super::operators::{Operators, Progress};
use super::regions::{KnownRegion, RegionReport};
use super::step::{OperatorStep, Seat};
use super::store::{Liveness, StoreRecord, StoreState};
use crate::guard::{Guard, Guards};
use crate::proto::command::Derive;
use crate::proto::region::{Key, Region, RegionId, StoreId};

impl<E: PdEngine, G: Guards> PlacementDriver<E, G> {
    pub(crate) fn handle(&mut self, step: &mut PdStep, input: PdInput) -> Decision {
        match input {
            PdInput::AddStore { store } => self.add_store(step, store),
            PdInput::StoreHeartbeat { store, stats, report } => {
                self.stores.store_heartbeat(store, stats, self.now)?;
                self.take_report(step, store, report);
                Ok(())
            }
            PdInput::MissedHeartbeat { store } => self.stores.missed_heartbeat(store, self.now, &self.config),
            PdInput::RegionHeartbeat(report) => self.region_heartbeat(step, report),
            PdInput::AskSplit { region, keys, derive } => self.ask_split(step, &region, &keys, derive),
            PdInput::Schedule { region } => self.schedule(step, region),
            PdInput::CheckStores => self.check_stores(step),
            PdInput::Push { region } => self.push(step, region),
            PdInput::Tick => {
                self.tick(step);
                Ok(())
            }
            PdInput::OperatorTimeout { region } => self.time_out(step, region),
            PdInput::Decommission { store, force } => self.decommission(step, store, force),
            PdInput::CancelDecommission { store } => self.cancel(step, store),
            PdInput::SetTombstone { store } => self.set_tombstone(step, store),
            PdInput::RemoveTombstone { store } => self.remove_tombstone(step, store),
            PdInput::RemoveFailedStores { stores } => self.remove_failed_stores(step, stores),
            PdInput::RecoveryTimeout => self.time_out_recovery(step),
            PdInput::AddOperator { region, operator } => self.add_operator(step, region, operator),
            PdInput::RemoveOperator { region } => self.remove_operator(step, region),
        }
    }

    /// A store's record changes.
    pub(crate) fn put_store(&mut self, step: &mut PdStep, record: StoreRecord) {
        self.stores.set(record, self.now);
        step.batch.push(PdWrite::Store(record));
        step.outputs.push(PdOutput::StoreChanged(record));
    }

    /// A store registers at each start. Its own description is not part of its record.
    fn add_store(&mut self, step: &mut PdStep, store: StoreId) -> Decision {
        match self.stores.get(store).map(|info| info.record.state) {
            Some(StoreState::Tombstone) => Err(PdRefusal::StoreRemoved),
            Some(StoreState::Up | StoreState::Offline) => Ok(()),
            None => {
                self.put_store(step, StoreRecord::new(store));
                Ok(())
            }
        }
    }

    fn decommission(&mut self, step: &mut PdStep, store: StoreId, force: bool) -> Decision {
        let record = self.stores.record(store)?;
        let next = record.decommissioned(force, self.guards)?;
        if record.state == StoreState::Up && !force {
            self.stores.enough_without(store, &self.config, self.guards)?;
        }
        self.put_store(step, next);
        Ok(())
    }

    /// Operators that move peers away continue, and the patrol repairs the result later (row 47).
    fn cancel(&mut self, step: &mut PdStep, store: StoreId) -> Decision {
        let next = self.stores.record(store)?.cancelled(self.guards)?;
        self.put_store(step, next);
        Ok(())
    }

    /// Declares stores failed, whatever is on them (`PD unsafe_recovery_controller.go
    /// RemoveFailedStores`, `BuryStore`).
    pub(crate) fn abandon(&mut self, step: &mut PdStep, stores: &BTreeSet<StoreId>) -> Decision {
        let mut buried = Vec::with_capacity(stores.len());
        for &store in stores {
            let info = self.stores.get(store).ok_or(PdRefusal::StoreNotFound)?;
            let connected = info.liveness(self.now, &self.config) == Liveness::Connected;
            let record = info.record.abandoned(connected)?;
            buried.extend((record != info.record).then_some(record));
        }
        buried.into_iter().for_each(|record| self.put_store(step, record));
        Ok(())
    }

    /// PD `ResetRegionCache`; `PushOperators` removes an operator whose region is gone. PD leaves
    /// the regions on its disk, and a restart brings them back. Here they are removed from the
    /// disk, too.
    pub(crate) fn drop_regions(&mut self, step: &mut PdStep) {
        if !self.guards.holds(Guard::RecoveryDropsRegions) {
            return;
        }
        for region in self.regions.drop_all() {
            step.batch.push(PdWrite::ForgetRegion(region));
            step.outputs.push(PdOutput::RegionDisplaced { region });
        }
        for operator in self.operators.drop_all() {
            ended(step, &operator, OperatorEnd::RegionGone);
        }
        self.relearn(step, true);
    }

    fn relearn(&mut self, step: &mut PdStep, relearns: bool) {
        self.relearns = relearns;
        step.batch.push(PdWrite::Relearns(relearns));
    }

    /// PD checks the state before it looks up the store (`server/api/store.go SetStoreState`), so
    /// this is refused for an unknown store as well.
    fn set_tombstone(&mut self, step: &mut PdStep, store: StoreId) -> Decision {
        if self.guards.holds(Guard::TombstoneByPatrolAlone) {
            return Err(PdRefusal::StateNotAllowed);
        }
        let record = self.stores.record(store)?;
        let next = record.declared_tombstone();
        if next != record {
            self.put_store(step, next);
        }
        Ok(())
    }

    /// While PD relearns its regions, no store counts as empty. PD itself then takes every store
    /// for empty and buries all that are leaving (read from `checkStore`).
    fn check_stores(&mut self, step: &mut PdStep) -> Decision {
        if self.relearns {
            return Err(PdRefusal::NothingToBury);
        }
        let bury = |record: StoreRecord| record.buried(self.regions.holds(record.id, self.guards));
        let buried: Vec<StoreRecord> = self.stores.iter().filter_map(|info| bury(info.record)).collect();
        if buried.is_empty() {
            return Err(PdRefusal::NothingToBury);
        }
        buried.into_iter().for_each(|record| self.put_store(step, record));
        Ok(())
    }

    fn remove_tombstone(&mut self, step: &mut PdStep, store: StoreId) -> Decision {
        let listed = self.regions.count_on(store) > 0 || self.relearns;
        self.stores.record(store)?.check_removable(listed, self.guards)?;
        self.stores.forget(store);
        step.batch.push(PdWrite::ForgetStore(store));
        step.outputs.push(PdOutput::StoreForgotten { store });
        Ok(())
    }

    /// A refused report changes nothing and gets no order: the operator stays with the leader known
    /// before (row 36).
    fn region_heartbeat(&mut self, step: &mut PdStep, report: RegionReport) -> Decision {
        if report.leader.id == 0 {
            return Err(PdRefusal::InvalidLeader);
        }
        let record = self.stores.record(report.leader.store)?;
        // PD ignores heartbeats from any Tombstone (`grpc_service.go RegionHeartbeat`). Here it
        // ignores only those from a failed store: a store buried too early may be the
        // only reporter of a child.
        if record.state == StoreState::Tombstone && record.physically_destroyed {
            return Err(PdRefusal::StoreRemoved);
        }
        self.regions.check(&report, self.guards)?;
        let (id, region) = (report.region.id, report.region.clone());
        let accepted = self.regions.accept(report, self.guards);
        for region in accepted.displaced {
            step.batch.push(PdWrite::ForgetRegion(region));
            step.outputs.push(PdOutput::RegionDisplaced { region });
            if let Some(operator) = self.operators.remove(region) {
                ended(step, &operator, OperatorEnd::RegionGone);
            }
        }
        if accepted.changed {
            step.batch.push(PdWrite::Region(region));
        }
        if self.relearns && self.regions.know_every_key() {
            self.relearn(step, false);
        }
        self.dispatch(step, id, true);
        self.start_waiting(step);
        Ok(())
    }

    fn ask_split(&mut self, step: &mut PdStep, region: &Region, keys: &[Key], derive: Derive) -> Decision {
        self.check_no_recovery()?;
        let known = self.regions.by_key(&region.start).ok_or(PdRefusal::RegionNotFound)?;
        if region.epoch.is_stale_against(&known.region.epoch) {
            return Err(PdRefusal::RegionStale);
        }
        if keys.is_empty() {
            return Err(PdRefusal::InvalidSplitKey);
        }
        let children = self.ids.allot(region, keys);
        step.outputs.push(PdOutput::SplitIds { region: region.id, epoch: region.epoch, children, derive });
        Ok(())
    }

    fn known(&self, region: RegionId) -> Result<&KnownRegion, PdRefusal> {
        self.regions.get(region).ok_or(PdRefusal::RegionNotFound)
    }

    fn schedule(&mut self, step: &mut PdStep, region: RegionId) -> Decision {
        self.check_no_recovery()?;
        let known = self.known(region)?;
        self.operators.check_vacant(region, Priority::High, self.guards)?;
        let mut ids = self.ids;
        let plan = checker::check(self.sight(), known, &mut ids)?;
        self.operators.check_limit(plan.purpose, &self.config, self.guards)?;
        let operator = Operator::new(known, plan.purpose, plan.steps, self.now, &self.config);
        self.ids = ids;
        self.enter(step, operator);
        Ok(())
    }

    fn add_operator(&mut self, step: &mut PdStep, region: RegionId, wanted: AdminOperator) -> Decision {
        let known = self.known(region)?;
        let mut ids = self.ids;
        let (purpose, steps) = self.admin_steps(known, wanted, || ids.next())?;
        let operator = Operator::new(known, purpose, steps, self.now, &self.config);
        self.operators.check_vacant(region, operator.purpose.priority(), self.guards)?;
        self.ids = ids;
        self.enter(step, operator);
        Ok(())
    }

    fn admin_steps(
        &self,
        known: &KnownRegion,
        wanted: AdminOperator,
        mut next_id: impl FnMut() -> u64,
    ) -> Result<(Purpose, Vec<OperatorStep>), PdRefusal> {
        Ok(match wanted {
            AdminOperator::AddPeer { store } => {
                self.check_admin_target(known, store)?;
                let seat = Seat { store, peer: next_id() };
                (Purpose::AdminAddPeer, builder::add_peer(known, seat)?)
            }
            AdminOperator::AddVoter { store } => {
                self.check_admin_target(known, store)?;
                let seat = Seat { store, peer: next_id() };
                (Purpose::AdminAddVoter, builder::add_voter(known, seat)?)
            }
            AdminOperator::RemovePeer { store } => {
                let from = known.region.member_on(store).ok_or(PdRefusal::PeerNotFound)?;
                (Purpose::AdminRemovePeer, builder::remove_peer(self.sight(), known, *from)?)
            }
            AdminOperator::TransferLeader { store } => {
                let transferee = known.voter_on(store).ok_or(PdRefusal::NoVoterThere)?;
                let steps = builder::transfer_leader(known, store)?;
                if !self.sight().may_lead(known, &transferee) {
                    return Err(PdRefusal::NoNewLeader);
                }
                (Purpose::AdminTransferLeader, steps)
            }
            AdminOperator::EvictLeader { store } => {
                (Purpose::EvictLeader, builder::evict_leader(self.sight(), known, store)?)
            }
            AdminOperator::Split { keys } => (Purpose::AdminSplit, builder::split(known, &keys)?),
        })
    }

    /// An administrator may add a peer on a store that is full or leaving, but not on one that is
    /// Tombstone or Down, or that has a peer already (`PD handler.go checkStoreState`, whose
    /// "unhealthy" begins at ten minutes).
    fn check_admin_target(&self, known: &KnownRegion, store: StoreId) -> Decision {
        if known.region.member_on(store).is_some() {
            return Err(PdRefusal::PeerExists);
        }
        match self.stores.record(store)?.state {
            StoreState::Tombstone => Err(PdRefusal::StoreRemoved),
            _ if self.liveness(store) == Some(Liveness::Down) => Err(PdRefusal::StoreUnhealthy),
            StoreState::Up | StoreState::Offline => Ok(()),
        }
    }

    /// Queues a new operator.
    fn enter(&mut self, step: &mut PdStep, operator: Operator) {
        let (region, purpose) = (operator.region, operator.purpose);
        if let Some(displaced) = self.operators.add(operator) {
            ended(step, &displaced, OperatorEnd::Replaced);
        }
        step.outputs.push(PdOutput::OperatorAdded { region, purpose });
        self.start_waiting(step);
    }

    /// Starts the operators whose turn has come, and sends each one's first step.
    fn start_waiting(&mut self, step: &mut PdStep) {
        while let Some(operator) = self.operators.next_turn(&self.config, self.guards) {
            let region = operator.region;
            let fits = self.known(region).and_then(|known| Operators::check_epoch(&operator, known));
            match fits {
                Ok(()) => {
                    self.operators.start(operator, self.now);
                    self.dispatch(step, region, false);
                }
                Err(PdRefusal::RegionNotFound) => ended(step, &operator, OperatorEnd::RegionGone),
                Err(_) => {
                    let outrun = super::step::StaleOperator::EpochNotMatch;
                    ended(step, &operator, OperatorEnd::Cancelled(outrun));
                }
            }
        }
    }

    /// Advances the region's operator: sends its step, or ends it.
    fn dispatch(&mut self, step: &mut PdStep, region: RegionId, after_heartbeat: bool) {
        let Some(known) = self.regions.get(region) else { return };
        // Field by field, because the operators change while the rest is read.
        let sight = super::targets::Sight {
            guards: self.guards,
            stores: &self.stores,
            regions: &self.regions,
            config: &self.config,
            now: self.now,
        };
        match self.operators.progress(sight, known, after_heartbeat) {
            Some(Progress::Goes(order)) => step.outputs.extend(order.map(PdOutput::Dispatch)),
            Some(Progress::Ends(end)) => {
                if let Some(operator) = self.operators.remove(region) {
                    ended(step, &operator, end);
                }
            }
            None => {}
        }
    }

    fn push(&mut self, step: &mut PdStep, region: RegionId) -> Decision {
        self.known(region)?;
        if !self.operators.is_running(region) {
            return Err(PdRefusal::OperatorNotFound);
        }
        self.dispatch(step, region, false);
        self.start_waiting(step);
        Ok(())
    }

    fn tick(&mut self, step: &mut PdStep) {
        self.now += 1;
        for (operator, end) in self.operators.remove_overdue(self.now, &self.config, self.guards) {
            ended(step, &operator, end);
        }
        self.start_waiting(step);
    }

    fn time_out(&mut self, step: &mut PdStep, region: RegionId) -> Decision {
        let operator = self.operators.get(region).ok_or(PdRefusal::OperatorNotFound)?;
        if !self.guards.holds(Guard::OperatorsTimeOut) {
            return Ok(());
        }
        let end = if operator.is_waiting() { OperatorEnd::Expired } else { OperatorEnd::Timeout };
        self.end_operator(step, region, end)
    }

    /// `Handler.RemoveOperator` removes running operators only.
    fn remove_operator(&mut self, step: &mut PdStep, region: RegionId) -> Decision {
        if !self.operators.is_running(region) {
            return Err(PdRefusal::OperatorNotFound);
        }
        self.end_operator(step, region, OperatorEnd::Removed)
    }

    fn end_operator(&mut self, step: &mut PdStep, region: RegionId, end: OperatorEnd) -> Decision {
        let operator = self.operators.remove(region).ok_or(PdRefusal::OperatorNotFound)?;
        ended(step, &operator, end);
        self.start_waiting(step);
        Ok(())
    }
}

fn ended(step: &mut PdStep, operator: &Operator, end: OperatorEnd) {
    let Operator { region, purpose, .. } = *operator;
    step.outputs.push(PdOutput::OperatorEnded { region, purpose, end });
}
