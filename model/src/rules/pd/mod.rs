//! The placement driver: what it is told, what it believes, what it orders.
//!
//! It learns of a region only what a leader has applied and reports; a report
//! that is behind is refused, and whoever was believed before stays (row 35).
//! It never acts on a region: it sends the step of an operator to whom it takes
//! for the leader, under the epoch that it knows. Follows PD `core/region.go`,
//! `cluster_worker.go`, `operator_controller.go`, `checker/rule_checker.go`.

mod operator;
mod patrol;
mod plan;
mod records;
mod report;
mod waiting;

use rollcall_traces::{
    AdminOperator, Answer, Derive, Epoch, Held, KnownRegion, Liveness, Message, Operator, Order, Reason,
    Region, RegionId, Returned, StoreId, StoreState, WaitingOperator,
};

pub(super) use records::{
    add_silence, add_store, cancel_decommission, check_given_up, check_stores, decommission, drop_regions,
    give_up, hear, hear_late, remove_tombstone, reporting, restart, set_tombstone,
};
pub(crate) use records::{limit, seems_full};
pub(crate) use report::Report;

use super::{propose::propose, recovery, split};
use crate::cluster::ClusterMut;
use crate::guard::Guard;

/// Refuses where nobody places anything: ids may be allotted all the same.
pub(super) fn present(cluster: &impl ClusterMut) -> Result<(), Reason> {
    if cluster.replicas_wanted() > 0 { Ok(()) } else { Err(Reason::NoPlacementDriver) }
}

/// What the leader on `store` reports. A peer is down while its store does not
/// run, once that has lasted so long that PD misses the store too.
pub(super) fn report(cluster: &impl ClusterMut, region: RegionId, store: StoreId) -> Result<Held, Reason> {
    let Report { from, term, region, pending } = cluster.report(store, region)?;
    present(cluster)?;
    let missed = |store| cluster.pd().stores.get(&store).is_none_or(|of| of.liveness != Liveness::Connected);
    let others = region.peers.iter().filter(|member| member.id != from.id);
    let down = others.filter(|member| missed(member.store) && !cluster.runs(member.store));
    let down = down.map(|member| member.id).collect();
    Ok(Held::region_report(from, term, region, pending, down))
}

/// The leader reports, and does at once what it is told.
pub(super) fn region_heartbeat(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    answer: Answer,
) -> Result<Returned, Reason> {
    let report = report(cluster, region, store)?;
    let order = take_report(cluster, &report)?;
    Ok(send(cluster, order, answer))
}

/// A report that was under way; nobody waits for what is ordered now.
pub(super) fn late_report(cluster: &mut impl ClusterMut, report: &Held) -> Result<(), Reason> {
    take_report(cluster, report).map(drop)
}

/// Believes a report, and looks how far the region's operator has got.
fn take_report(cluster: &mut impl ClusterMut, report: &Held) -> Result<Option<Held>, Reason> {
    let Message::RegionReport { region, pending, down } = &report.message else {
        unreachable!("only reports go to the driver")
    };
    let known = cluster.pd().stores.get(&report.from.store).ok_or(Reason::UnknownStore)?;
    // PD takes none from a Tombstone ("skip region heartbeat from tombstone store"). Here
    // that is so of one that was given up: one that was buried too early may be the only
    // one that tells of a child of which PD has not heard.
    if (known.state, known.physically_destroyed) == (StoreState::Tombstone, true) {
        return Err(Reason::StoreRemoved);
    }
    if is_stale(cluster, region, report.term) && cluster.holds(Guard::StaleReportRefused) {
        return Err(Reason::RegionStale);
    }
    let believes_leader = cluster.holds(Guard::LeaderChangeBelieved);
    let pd = cluster.pd_mut();
    let displaced = |known: &KnownRegion| known.region.id != region.id && known.region.overlaps(region);
    let gone: Vec<RegionId> =
        pd.regions.values().filter(|known| displaced(known)).map(|known| known.region.id).collect();
    for other in gone {
        pd.regions.remove(&other);
        waiting::remove(pd, other);
    }
    let before = pd.regions.get(&region.id).filter(|known| known.leader != 0 && known.region == *region);
    let (leader, term) = match before {
        Some(known) if !believes_leader => (known.leader, known.term),
        _ => (report.from.id, report.term),
    };
    let known =
        KnownRegion { region: region.clone(), leader, term, pending: pending.clone(), down: down.clone() };
    pd.regions.insert(region.id, known);
    pd.relearns &= !pd.knows_every_key();
    let order = operator::compare(cluster, region.id, true);
    let started = waiting::start(cluster);
    Ok(order.or_else(|| waiting::first_order(started, region.id)))
}

/// Behind in version what is known of any part of its range, or behind in
/// anything what is known of itself. A region that unsafe recovery made anew is
/// believed; one with the whole key space is the bootstrap region of a stale
/// peer (tikv#3868).
fn is_stale(cluster: &impl ClusterMut, region: &Region, term: u64) -> bool {
    let whole = region.start.is_empty() && region.end.is_empty();
    if region.epoch == (Epoch { conf_ver: 1, version: 1 }) && !whole {
        return false;
    }
    let pd = cluster.pd();
    let newer = |known: &KnownRegion| {
        known.region.overlaps(region) && known.region.epoch.version > region.epoch.version
    };
    let behind = |known: &KnownRegion| {
        (term > 0 && term < known.term) || region.epoch.is_stale_against(&known.region.epoch)
    };
    pd.regions.values().any(newer) || pd.regions.get(&region.id).is_some_and(behind)
}

/// What becomes of an order.
fn send(cluster: &mut impl ClusterMut, order: Option<Held>, answer: Answer) -> Returned {
    let Some(held) = order else { return Returned::Nothing };
    let Message::Order(order) = held.message.clone() else { unreachable!("the driver sends orders") };
    let refused = match answer {
        Answer::Given => carry_out(cluster, &held).unwrap_or_else(Some),
        Answer::Held => {
            cluster.hold(held);
            None
        }
        Answer::Lost => None,
    };
    Returned::Ordered { order, refused }
}

/// Whom the driver took for the leader does what it is told, under the epoch
/// that the driver knew.
///
/// # Errors
/// Where nothing was done; the reason beside is of a split whose ids are gone.
pub(super) fn carry_out(cluster: &mut impl ClusterMut, order: &Held) -> Result<Option<Reason>, Reason> {
    let (region, store) = (order.region, order.to.store);
    match &order.message {
        Message::Order(Order::Propose(command)) => {
            propose(cluster, region, store, command, Some(order.epoch)).map(|()| None)
        }
        Message::Order(Order::Split { keys }) => {
            match split::ask(cluster, region, store, keys, Derive::Right, Answer::Given)? {
                Returned::Allotted { refused, .. } => Ok(refused),
                _ => Ok(None),
            }
        }
        _ => unreachable!("the driver sends orders"),
    }
}

/// Whether the driver gives ids to who asks for a split of `region`.
pub(super) fn check_asking(cluster: &impl ClusterMut, region: &Region) -> Result<(), Reason> {
    if present(cluster).is_err() {
        return Ok(());
    }
    recovery::check_none(cluster)?;
    let known = cluster.pd().regions.values().find(|known| known.region.contains(&region.start));
    let known = known.ok_or(Reason::UnknownRegion)?;
    if region.epoch.is_stale_against(&known.region.epoch) { Err(Reason::RegionStale) } else { Ok(()) }
}

/// The patrol comes by the region.
pub(super) fn schedule(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    answer: Answer,
) -> Result<Returned, Reason> {
    present(cluster)?;
    recovery::check_none(cluster)?;
    let known = cluster.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    check_vacant(cluster, region, false)?;
    let mut ids = cluster.pd().next_id;
    let made = patrol::check(&plan::Sight::of(cluster), known, &mut ids)?;
    waiting::check_limit(cluster, made.purpose)?;
    cluster.pd_mut().next_id = ids;
    Ok(enter(cluster, made, region, answer))
}

/// An administrator gives the region an operator.
pub(super) fn add_operator(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    wanted: &AdminOperator,
    answer: Answer,
) -> Result<Returned, Reason> {
    present(cluster)?;
    let known = cluster.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    let mut ids = cluster.pd().next_id;
    let made = plan::of_admin(&plan::Sight::of(cluster), known, wanted, &mut ids)?;
    check_vacant(cluster, region, true)?;
    cluster.pd_mut().next_id = ids;
    Ok(enter(cluster, made, region, answer))
}

/// A region has one operator; an administrator's takes the place of the patrol's (row 38).
fn check_vacant(cluster: &impl ClusterMut, region: RegionId, admin: bool) -> Result<(), Reason> {
    let taken = cluster.pd().operator(region).is_some_and(|taken| taken.purpose.is_admin() || !admin);
    if taken && cluster.holds(Guard::OneOperatorARegion) { Err(Reason::OperatorExists) } else { Ok(()) }
}

/// A new operator takes its place in the queue, and with it that of the one
/// that it displaces.
fn enter(cluster: &mut impl ClusterMut, operator: Operator, region: RegionId, answer: Answer) -> Returned {
    let pd = cluster.pd_mut();
    waiting::remove(pd, region);
    pd.waiting.push(WaitingOperator { region, operator });
    let started = waiting::start(cluster);
    send(cluster, waiting::first_order(started, region), answer)
}

/// The step of the region's operator is sent once more, if it is under way.
pub(super) fn push_operator(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    answer: Answer,
) -> Result<Returned, Reason> {
    present(cluster)?;
    if !cluster.pd().regions.contains_key(&region) {
        return Err(Reason::UnknownRegion);
    }
    if !cluster.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    let order = operator::compare(cluster, region, false);
    waiting::start(cluster);
    Ok(send(cluster, order, answer))
}

/// The region's operator has taken too long, or waited too long for its turn.
pub(super) fn time_out_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    if cluster.holds(Guard::OperatorsTimeOut) {
        return end_operator(cluster, region);
    }
    present(cluster)?;
    cluster.pd().operator(region).map(drop).ok_or(Reason::NoOperator)
}

/// `operator remove` takes away what is under way, and not what waits (PD
/// `Handler.RemoveOperator`).
pub(super) fn remove_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    present(cluster)?;
    if !cluster.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    end_operator(cluster, region)
}

/// The region's operator is given up, or taken away.
fn end_operator(cluster: &mut impl ClusterMut, region: RegionId) -> Result<(), Reason> {
    present(cluster)?;
    cluster.pd().operator(region).ok_or(Reason::NoOperator)?;
    waiting::remove(cluster.pd_mut(), region);
    waiting::start(cluster);
    Ok(())
}
