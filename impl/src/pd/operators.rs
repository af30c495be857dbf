//! The operators under way, one a region, and those that wait for their turn.
//!
//! A new one must be built for the epoch that PD knows, and takes the place of
//! one with a lower priority only. The checkers' are limited in number; what
//! waits too long expires. Follows `PD operator_controller.go AddOperator,
//! AddWaitingOperator, Dispatch, checkStaleOperator`.

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

/// What comes of comparing an operator with its region.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Its step is to be sent; nothing, while a new peer catches up.
    Goes(Option<Dispatch>),
    /// It is over.
    Ends(OperatorEnd),
}

/// All operators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operators {
    running: BTreeMap<RegionId, Operator>,
    /// In the order in which they came.
    waiting: Vec<Operator>,
}

impl Operators {
    /// The region's operator, running or waiting.
    pub(crate) fn get(&self, region: RegionId) -> Option<&Operator> {
        let waiting = || self.waiting.iter().find(|operator| operator.region == region);
        self.running.get(&region).or_else(waiting)
    }

    /// Whether the region's operator is under way.
    pub(crate) fn is_running(&self, region: RegionId) -> bool {
        self.running.contains_key(&region)
    }

    /// All, by region, the running first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Operator> {
        self.running.values().chain(&self.waiting)
    }

    /// Whether one of this priority may be made for the region: there is at
    /// most one a region (row 38), and only a higher one displaces it.
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

    /// Puts an operator in the queue; whom it displaces is handed back.
    pub(crate) fn add(&mut self, operator: Operator) -> Option<Operator> {
        let displaced = self.remove(operator.region);
        self.waiting.push(operator);
        displaced
    }

    /// Whether the checkers may have so many under way. What an administrator
    /// typed is none of theirs (row 49, pd#3820).
    fn is_busy(&self, config: &PdConfig, guards: impl Guards) -> bool {
        let all = !guards.holds(Guard::LimitCountsOwnKind);
        let counts = |operator: &&Operator| all || is_limited(operator.purpose);
        self.running.values().filter(counts).count() >= config.schedule_limit
    }

    /// A checker's operator beyond the limit is made only if it may wait.
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

    /// The next whose turn it is: one that is not limited at once, the others
    /// while the limit allows.
    pub(crate) fn next_turn(&mut self, config: &PdConfig, guards: impl Guards) -> Option<Operator> {
        let is_busy = self.is_busy(config, guards);
        let at = self.waiting.iter().position(|operator| !is_limited(operator.purpose) || !is_busy)?;
        Some(self.waiting.remove(at))
    }

    /// Its turn has come.
    pub(crate) fn start(&mut self, mut operator: Operator, now: u64) {
        operator.started_at = Some(now);
        self.running.insert(operator.region, operator);
    }

    /// Takes the region's operator away.
    pub(crate) fn remove(&mut self, region: RegionId) -> Option<Operator> {
        if let Some(operator) = self.running.remove(&region) {
            return Some(operator);
        }
        let at = self.waiting.iter().position(|operator| operator.region == region)?;
        Some(self.waiting.remove(at))
    }

    /// Takes all away.
    pub(crate) fn drop_all(&mut self) -> Vec<Operator> {
        let Self { running, waiting } = std::mem::take(self);
        running.into_values().chain(waiting).collect()
    }

    /// Takes away what has waited or run for too long.
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

    /// Compares the region's running operator with the region. Only after a
    /// heartbeat is it asked whether it still makes sense, as in PD: between
    /// heartbeats nothing new is known.
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
        // Nobody is sent anything in a region that nobody leads.
        let to = known.leader();
        let order = to.and_then(|_| step.order(known));
        let (region, epoch) = (known.region.id, known.region.epoch);
        let dispatch = to.zip(order).map(|(to, order)| Dispatch { region, to, epoch, order });
        Some(Progress::Goes(dispatch))
    }
}

/// Whether the limit is for such operators. PD asks the joint checker before it
/// looks at the limit.
fn is_limited(purpose: Purpose) -> bool {
    purpose.priority() == Priority::High && purpose != Purpose::LeaveJoint
}

/// Whether the operator still makes sense: its step, then the conf_ver.
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
