//! Operators: made by the patrol or an administrator, pushed, and ended.
//!
//! Follows PD `operator_controller.go` and `checker/rule_checker.go`.

use rollcall_traces::{AdminOperator, Operator, Reason, RegionId, Reply, Returned, WaitingOperator};

use super::orders::send;
use super::records::present;
use super::{builder, operator, patrol, waiting};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::recovery;
use crate::unsound;

/// The patrol checks the region.
pub(crate) fn schedule(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    reply: Reply,
) -> Result<Returned, Reason> {
    present(cluster)?;
    recovery::check_none(cluster)?;
    let known = cluster.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    check_vacant(cluster, region, false)?;
    let mut ids = cluster.pd().next_id;
    let made = patrol::check(&builder::PlanContext::of(cluster), known, &mut ids)?;
    waiting::check_limit(cluster, made.purpose)?;
    cluster.pd_mut().next_id = ids;
    Ok(enqueue(cluster, made, region, reply))
}

/// An administrator gives the region an operator.
pub(crate) fn add_operator(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    wanted: &AdminOperator,
    reply: Reply,
) -> Result<Returned, Reason> {
    present(cluster)?;
    let known = cluster.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    let mut ids = cluster.pd().next_id;
    let made = builder::of_admin(&builder::PlanContext::of(cluster), known, wanted, &mut ids)?;
    check_vacant(cluster, region, true)?;
    cluster.pd_mut().next_id = ids;
    Ok(enqueue(cluster, made, region, reply))
}

/// A region has one operator; an administrator's operator replaces the patrol's (row 38).
fn check_vacant(cluster: &impl ClusterMut, region: RegionId, admin: bool) -> Result<(), Reason> {
    let taken = cluster.pd().operator(region).is_some_and(|taken| taken.purpose.is_admin() || !admin);
    if cluster.holds(Guard::OneOperatorARegion) && taken { Err(Reason::OperatorExists) } else { Ok(()) }
}

/// Queues a new operator in place of the region's previous one, and starts what may start.
fn enqueue(cluster: &mut impl ClusterMut, operator: Operator, region: RegionId, reply: Reply) -> Returned {
    let pd = cluster.pd_mut();
    waiting::remove(pd, region);
    pd.waiting.push(WaitingOperator { region, operator });
    let started = waiting::start(cluster);
    send(cluster, waiting::first_order(started, region), reply)
}

/// Sends the current step of the region's running operator again.
pub(crate) fn push_operator(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    reply: Reply,
) -> Result<Returned, Reason> {
    present(cluster)?;
    if !cluster.pd().regions.contains_key(&region) {
        return Err(Reason::UnknownRegion);
    }
    if !cluster.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    let order = operator::dispatch_operator(cluster, region, false);
    waiting::start(cluster);
    Ok(send(cluster, order, reply))
}

/// The region's operator ran too long, or waited too long for its turn.
pub(crate) fn time_out_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    if cluster.holds(Guard::OperatorsTimeOut) {
        return end_operator(cluster, region);
    }
    present(cluster)?;
    unsound::wait_for_ever(cluster.pd(), region)
}

/// `operator remove` removes a running operator, not a waiting one (PD `Handler.RemoveOperator`).
pub(crate) fn remove_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    present(cluster)?;
    if !cluster.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    end_operator(cluster, region)
}

/// Ends the region's operator.
fn end_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    present(cluster)?;
    cluster.pd().operator(region).ok_or(Reason::NoOperator)?;
    waiting::remove(cluster.pd_mut(), region);
    waiting::start(cluster);
    Ok(())
}
