//! The running operators, one a region, and the waiting ones.
//!
//! A new operator must be built for the epoch that PD knows, and replaces only one of a lower
//! priority. The checkers' operators are limited in number. An operator that waits too long
//! expires. Follows `PD operator_controller.go AddOperator, AddWaitingOperator, Dispatch,
//! checkStaleOperator`.

use std::collections::BTreeMap;

use super::config::PdConfig;
use super::error::PdRefusal;
use super::input::Dispatch;
use super::operator::{Operator, OperatorEnd, Priority, Purpose};
use super::regions::KnownRegion;
use super::step::StaleOperator;
use super::store::Liveness;
use super::targets::Sight;
use crate::guard::{Guard, Guards};
use crate::proto::region::RegionId;

/// The result of comparing an operator with its region.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Its step is to be sent; `None` while a new peer catches up.
    Goes(Option<Dispatch>),
    /// It is over.
    Ends(OperatorEnd),
}

/// All operators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operators {
    running: BTreeMap<RegionId, Operator>,
    /// In order of arrival.
    waiting: Vec<Operator>,
}

impl Operators {
    /// The region's operator, running or waiting.
    pub(crate) fn get(&self, region: RegionId) -> Option<&Operator> {
        let waiting = || self.waiting.iter().find(|operator| operator.region == region);
        self.running.get(&region).or_else(waiting)
    }

    /// Whether the region's operator is running.
    pub(crate) fn is_running(&self, region: RegionId) -> bool {
        self.running.contains_key(&region)
    }

    /// All, by region, the running first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Operator> {
        self.running.values().chain(&self.waiting)
    }

    /// Whether an operator of this priority may be made for the region: there is at most one a
    /// region (row 38), and only a higher priority replaces it.
    pub(crate) fn check_vacant(
        &self,
        region: RegionId,
        priority: Priority,
        guards: impl Guards,
    ) -> Result<(), PdRefusal> {
        let stays = |operator: &&Operator| operator.purpose.priority() >= priority;
        match self.get(region).filter(stays) {
            Some(_) if guards.holds(Guard::OneOperatorARegion) => Err(PdRefusal::OperatorExists),
            _ => Ok(()),
        }
    }

    /// Whether the operator was built for the region as PD knows it.
    pub(crate) fn check_epoch(operator: &Operator, known: &KnownRegion) -> Result<(), PdRefusal> {
        if operator.epoch == known.region.epoch { Ok(()) } else { Err(PdRefusal::EpochNotMatch) }
    }

    /// Queues an operator, and returns the one that it replaces.
    pub(crate) fn add(&mut self, operator: Operator) -> Option<Operator> {
        let displaced = self.remove(operator.region);
        self.waiting.push(operator);
        displaced
    }

    /// Whether the checkers' running operators have reached the limit. An administrator's operators
    /// do not count (row 49, pd#3820).
    fn is_busy(&self, config: &PdConfig, guards: impl Guards) -> bool {
        let all = !guards.holds(Guard::LimitCountsOwnKind);
        let counts = |operator: &&Operator| all || is_limited(operator.purpose);
        self.running.values().filter(counts).count() >= config.schedule_limit
    }

    /// Refuses a checker's operator beyond the limit if no more may wait.
    pub(crate) fn check_limit(
        &self,
        purpose: Purpose,
        config: &PdConfig,
        guards: impl Guards,
    ) -> Result<(), PdRefusal> {
        let full =
            is_limited(purpose) && self.is_busy(config, guards) && self.waiting.len() >= config.waiting_limit;
        if full { Err(PdRefusal::ScheduleLimit) } else { Ok(()) }
    }

    /// Takes the next operator: one without a limit at once, others while the limit allows.
    pub(crate) fn next_turn(&mut self, config: &PdConfig, guards: impl Guards) -> Option<Operator> {
        let is_busy = self.is_busy(config, guards);
        let at = self.waiting.iter().position(|operator| !is_limited(operator.purpose) || !is_busy)?;
        Some(self.waiting.remove(at))
    }

    /// Starts a waiting operator.
    pub(crate) fn start(&mut self, mut operator: Operator, now: u64) {
        operator.started_at = Some(now);
        self.running.insert(operator.region, operator);
    }

    /// Removes the region's operator.
    pub(crate) fn remove(&mut self, region: RegionId) -> Option<Operator> {
        if let Some(operator) = self.running.remove(&region) {
            return Some(operator);
        }
        let at = self.waiting.iter().position(|operator| operator.region == region)?;
        Some(self.waiting.remove(at))
    }

    /// Removes all operators.
    pub(crate) fn drop_all(&mut self) -> Vec<Operator> {
        let Self { running, waiting } = std::mem::take(self);
        running.into_values().chain(waiting).collect()
    }

    /// Removes operators that have waited or run for too long.
    pub(crate) fn remove_overdue(
        &mut self,
        now: u64,
        config: &PdConfig,
        guards: impl Guards,
    ) -> Vec<(Operator, OperatorEnd)> {
        let expired = |operator: &mut Operator| now - operator.created_at > config.operator_expiry;
        let expired = self.waiting.extract_if(.., expired).map(|operator| (operator, OperatorEnd::Expired));
        let mut gone: Vec<_> = expired.collect();
        let is_late =
            |operator: &&Operator| operator.is_overdue(now) && guards.holds(Guard::OperatorsTimeOut);
        let late = self.running.values().filter(is_late);
        let late: Vec<RegionId> = late.map(|operator| operator.region).collect();
        let late = late.into_iter().filter_map(|region| self.running.remove(&region));
        gone.extend(late.map(|operator| (operator, OperatorEnd::Timeout)));
        gone
    }

    /// Advances the region's running operator. As in PD, staleness is checked only after a
    /// heartbeat, because PD learns nothing new in between.
    pub(crate) fn progress<G: Guards>(
        &mut self,
        sight: Sight<'_, G>,
        known: &KnownRegion,
        after_heartbeat: bool,
    ) -> Option<Progress> {
        let operator = self.running.get_mut(&known.region.id)?;
        operator.advance(known);
        let Some(step) = operator.step() else { return Some(Progress::Ends(OperatorEnd::Success)) };
        if after_heartbeat && let Err(stale) = check_stale(sight, operator, known) {
            return Some(Progress::Ends(OperatorEnd::Cancelled(stale)));
        }
        // A region without a leader gets no order.
        let to = known.leader();
        let order = to.and_then(|_| step.order(known));
        let (region, epoch) = (known.region.id, known.region.epoch);
        let dispatch = to.zip(order).map(|(to, order)| Dispatch { region, to, epoch, order });
        Some(Progress::Goes(dispatch))
    }
}

/// Whether the limit applies to such operators. PD runs the joint checker before it checks the
/// limit.
fn is_limited(purpose: Purpose) -> bool {
    purpose.priority() == Priority::High && purpose != Purpose::LeaveJoint
}

/// Whether the operator is stale: its step, then the conf_ver.
fn check_stale<G: Guards>(
    sight: Sight<'_, G>,
    operator: &Operator,
    known: &KnownRegion,
) -> Result<(), StaleOperator> {
    if let Some(step) = operator.step() {
        match step.target().map(|store| sight.liveness(store)) {
            Some(None) => return Err(StaleOperator::StoreGone),
            Some(Some(Liveness::Down)) => return Err(StaleOperator::StoreDown),
            _ => {}
        }
        step.check_in_progress(known)?;
    }
    if operator.is_outrun(known, sight.guards) { Err(StaleOperator::EpochNotMatch) } else { Ok(()) }
}
