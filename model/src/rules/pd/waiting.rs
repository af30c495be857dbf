//! Operators that wait for their turn.
//!
//! The patrol has so many operators under way and no more; some more may wait,
//! first come first served. What an administrator typed does not wait, nor does
//! the end of a joint configuration. An operator whose turn has come must still
//! be for the region as PD knows it then.
//!
//! PD has two things for this. Its patrol makes nothing beyond the limit
//! (`checker_controller.go CheckRegion`), and asks the joint checker before that.
//! Of what was made some waits in a queue, for other reasons than the limit, until
//! a later one is entered or another ends (`operator_controller.go
//! AddWaitingOperator, PromoteWaitingOperator`: by priority and chance, and only if
//! the epoch is still the same, the region has none under way and it has not waited
//! for too long). Here the limit is what it waits for, so that one that is removed by
//! hand also makes room at once.
//!
//! PD's queue may hold several for a region, of which all but the first are thrown
//! away at their turn; here a region has one, under way or waiting, a second is
//! refused as PD refuses one beside an operator under way, and what an
//! administrator types takes the place of one that waits.
//!
//! Who gets its turn by what becomes of another region is sent its first step
//! with its leader's next report, or when it is pushed.

use rollcall_traces::{Held, Operator, PlacementDriver, Purpose, Reason, RegionId, WaitingOperator};

use super::operator;
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// Takes away the region's operator, under way or waiting.
pub(super) fn remove(pd: &mut PlacementDriver, region: RegionId) {
    pd.operators.remove(&region);
    pd.waiting.retain(|waiting| waiting.region != region);
}

/// Whether the patrol has as many operators under way as it may (PD
/// `replica-schedule-limit`); what an administrator typed is none of them.
fn is_busy(cluster: &impl ClusterMut) -> bool {
    let running = if cluster.holds(Guard::LimitCountsOwnKind) {
        let counts = |running: &&Operator| is_limited(running.purpose);
        cluster.pd().operators.values().filter(counts).count()
    } else {
        unsound::operators_of_every_kind(cluster.pd())
    };
    running >= cluster.schedule_limit()
}

/// Whether the limit is for such operators.
fn is_limited(purpose: Purpose) -> bool {
    !purpose.is_admin() && purpose != Purpose::LeaveJoint
}

/// One beyond the limit is made only if it may wait.
pub(super) fn check_limit(cluster: &impl ClusterMut, purpose: Purpose) -> Result<(), Reason> {
    let full =
        is_limited(purpose) && is_busy(cluster) && cluster.pd().waiting.len() >= cluster.waiting_limit();
    if full { Err(Reason::ScheduleLimit) } else { Ok(()) }
}

/// Starts whose turn has come; of each the region, and its first order.
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

/// The place of whose turn it is: one that is not limited at once, the others
/// while the limit allows.
fn next(cluster: &impl ClusterMut) -> Option<usize> {
    let waiting = &cluster.pd().waiting;
    if waiting.is_empty() {
        return None;
    }
    let busy = is_busy(cluster);
    waiting.iter().position(|waiting| !is_limited(waiting.operator.purpose) || !busy)
}

/// The first order of the region, if it was its turn.
pub(super) fn first_order(started: Vec<(RegionId, Option<Held>)>, region: RegionId) -> Option<Held> {
    started.into_iter().find(|(of, _)| *of == region).and_then(|(_, order)| order)
}
