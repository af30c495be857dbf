//! Operators that wait for their turn.
//!
//! The patrol may have a limited number of operators running, and a limited number waiting in order
//! of arrival. An administrator's operator does not wait, and neither does leaving a joint
//! configuration. An operator starts only if the epoch of the region in PD is still the same.
//!
//! PD does this in two places. Its patrol makes no operator beyond the limit, except to leave a
//! joint configuration (`checker_controller.go CheckRegion`). Some operators then wait in a queue,
//! for other reasons, until a later one is added or another ends (`operator_controller.go
//! AddWaitingOperator, PromoteWaitingOperator`). PD picks one by priority and chance. It starts one
//! only if the epoch is the same, the region has none running and it has not waited too long. Here
//! operators wait for the limit, so removing one by hand also makes room at once.
//!
//! PD's queue may hold several operators for a region; PD discards all but the first at their turn.
//! Here a region has one, running or waiting. A second is refused, as PD refuses one beside a
//! running operator. An administrator's operator replaces a waiting one.
//!
//! An operator that starts because another region's operator ended is ordered at its leader's next
//! heartbeat, or when pushed.

use rollcall_traces::{Held, Operator, PlacementDriver, Purpose, Reason, RegionId, WaitingOperator};

use super::operator;
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// Removes the region's operator, running or waiting.
pub(super) fn remove(pd: &mut PlacementDriver, region: RegionId) {
    pd.operators.remove(&region);
    pd.waiting.retain(|waiting| waiting.region != region);
}

/// Whether the patrol's running operators have reached the limit (PD `replica-schedule-limit`). An
/// administrator's operators do not count.
fn is_busy(cluster: &impl ClusterMut) -> bool {
    let running = if cluster.holds(Guard::LimitCountsOwnKind) {
        let counts = |running: &&Operator| is_limited(running.purpose);
        cluster.pd().operators.values().filter(counts).count()
    } else {
        unsound::operators_of_every_kind(cluster.pd())
    };
    running >= cluster.schedule_limit()
}

/// Whether the limit applies to such operators.
fn is_limited(purpose: Purpose) -> bool {
    !purpose.is_admin() && purpose != Purpose::LeaveJoint
}

/// Refuses an operator beyond the limit if no more may wait.
pub(super) fn check_limit(cluster: &impl ClusterMut, purpose: Purpose) -> Result<(), Reason> {
    let full =
        is_limited(purpose) && is_busy(cluster) && cluster.pd().waiting.len() >= cluster.waiting_limit();
    if full { Err(Reason::ScheduleLimit) } else { Ok(()) }
}

/// Starts the operators whose turn has come. Returns each one's region and first order.
pub(super) fn start(cluster: &mut impl ClusterMut) -> Vec<(RegionId, Option<Held>)> {
    let mut started = Vec::new();
    while let Some(at) = next(cluster) {
        let pd = cluster.pd_mut();
        let WaitingOperator { region, operator } = pd.waiting.remove(at);
        if pd.regions.get(&region).is_some_and(|known| known.region.epoch == operator.epoch) {
            pd.operators.insert(region, operator);
            started.push((region, operator::dispatch_operator(cluster, region, false)));
        }
    }
    started
}

/// The position of the next operator: one without a limit at once, others while the limit allows.
fn next(cluster: &impl ClusterMut) -> Option<usize> {
    let waiting = &cluster.pd().waiting;
    if waiting.is_empty() {
        return None;
    }
    let busy = is_busy(cluster);
    waiting.iter().position(|waiting| !is_limited(waiting.operator.purpose) || !busy)
}

/// The region's first order, if its operator was started.
pub(super) fn first_order(started: Vec<(RegionId, Option<Held>)>, region: RegionId) -> Option<Held> {
    started.into_iter().find(|(of, _)| *of == region).and_then(|(_, order)| order)
}
