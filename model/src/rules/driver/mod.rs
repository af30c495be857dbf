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
mod waiting;

use rollcall_traces::{
    AdminOperator, Answer, Derive, Epoch, Held, KnownRegion, Liveness, Message, Operator, Order, Reason,
    Region, RegionId, Returned, StoreId, StoreState, WaitingOperator,
};

pub(crate) use records::seems_full;
pub(super) use records::{
    add_silence, add_store, cancel_decommission, check_given_up, check_stores, decommission, drop_regions,
    give_up, hear, remove_tombstone, reporting, restart, set_tombstone,
};

use super::{propose::propose, recovery, split};
use crate::draft::Draft;
use crate::guard::Guard;
use crate::report::Report;

/// Refuses where nobody places anything: ids may be allotted all the same.
pub(super) fn present(draft: &Draft) -> Result<(), Reason> {
    if draft.replicas_wanted() > 0 { Ok(()) } else { Err(Reason::NoPlacementDriver) }
}

/// What the leader on `store` reports. A peer is down while its store does not
/// run, once that has lasted so long that PD misses the store too.
pub(super) fn report(draft: &Draft, region: RegionId, store: StoreId) -> Result<Held, Reason> {
    let Report { from, term, region, pending } = draft.report(store, region)?;
    present(draft)?;
    let missed = |store| draft.pd().stores.get(&store).is_none_or(|of| of.liveness != Liveness::Connected);
    let others = region.peers.iter().filter(|member| member.id != from.id);
    let down = others.filter(|member| missed(member.store) && !draft.runs(member.store));
    let down = down.map(|member| member.id).collect();
    Ok(Held::region_report(from, term, region, pending, down))
}

/// The leader reports, and does at once what it is told.
pub(super) fn region_heartbeat(
    draft: &mut Draft,
    region: RegionId,
    store: StoreId,
    answer: Answer,
) -> Result<Returned, Reason> {
    let report = report(draft, region, store)?;
    let order = take_report(draft, &report)?;
    Ok(send(draft, order, answer))
}

/// A report that was under way; nobody waits for what is ordered now.
pub(super) fn late_report(draft: &mut Draft, report: &Held) -> Result<(), Reason> {
    take_report(draft, report).map(drop)
}

/// Believes a report, and looks how far the region's operator has got.
fn take_report(draft: &mut Draft, report: &Held) -> Result<Option<Held>, Reason> {
    let Message::RegionReport { region, pending, down } = &report.message else {
        unreachable!("only reports go to the driver")
    };
    let known = draft.pd().stores.get(&report.from.store).ok_or(Reason::UnknownStore)?;
    // PD takes none from a Tombstone ("skip region heartbeat from tombstone store"). Here
    // that is so of one that was given up: one that was buried too early may be the only
    // one that tells of a child of which PD has not heard.
    if (known.state, known.physically_destroyed) == (StoreState::Tombstone, true) {
        return Err(Reason::StoreRemoved);
    }
    if is_stale(draft, region, report.term) && draft.holds(Guard::StaleReportRefused) {
        return Err(Reason::RegionStale);
    }
    let believes_leader = draft.holds(Guard::LeaderChangeBelieved);
    let pd = draft.pd_mut();
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
    let order = operator::compare(draft, region.id, true);
    let started = waiting::start(draft);
    Ok(order.or_else(|| waiting::first_order(started, region.id)))
}

/// Behind in version what is known of any part of its range, or behind in
/// anything what is known of itself. A region that unsafe recovery made anew is
/// believed; one with the whole key space is the bootstrap region of a stale
/// peer (tikv#3868).
fn is_stale(draft: &Draft, region: &Region, term: u64) -> bool {
    let whole = region.start.is_empty() && region.end.is_empty();
    if region.epoch == (Epoch { conf_ver: 1, version: 1 }) && !whole {
        return false;
    }
    let pd = draft.pd();
    let newer = |known: &KnownRegion| {
        known.region.overlaps(region) && known.region.epoch.version > region.epoch.version
    };
    let behind = |known: &KnownRegion| {
        (term > 0 && term < known.term) || region.epoch.is_stale_against(&known.region.epoch)
    };
    pd.regions.values().any(newer) || pd.regions.get(&region.id).is_some_and(behind)
}

/// What becomes of an order.
fn send(draft: &mut Draft, order: Option<Held>, answer: Answer) -> Returned {
    let Some(held) = order else { return Returned::Nothing };
    let Message::Order(order) = held.message.clone() else { unreachable!("the driver sends orders") };
    let refused = match answer {
        Answer::Given => carry_out(draft, &held).unwrap_or_else(Some),
        Answer::Held => {
            draft.hold(held);
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
pub(super) fn carry_out(draft: &mut Draft, order: &Held) -> Result<Option<Reason>, Reason> {
    let (region, store) = (order.region, order.to.store);
    match &order.message {
        Message::Order(Order::Propose(command)) => {
            propose(draft, region, store, command, Some(order.epoch)).map(|()| None)
        }
        Message::Order(Order::Split { keys }) => {
            match split::ask(draft, region, store, keys, Derive::Right, Answer::Given)? {
                Returned::Allotted { refused, .. } => Ok(refused),
                _ => Ok(None),
            }
        }
        _ => unreachable!("the driver sends orders"),
    }
}

/// Whether the driver gives ids to who asks for a split of `region`.
pub(super) fn check_asking(draft: &Draft, region: &Region) -> Result<(), Reason> {
    if present(draft).is_err() {
        return Ok(());
    }
    recovery::check_none(draft)?;
    let known = draft.pd().regions.values().find(|known| known.region.contains(&region.start));
    let known = known.ok_or(Reason::UnknownRegion)?;
    if region.epoch.is_stale_against(&known.region.epoch) { Err(Reason::RegionStale) } else { Ok(()) }
}

/// The patrol comes by the region.
pub(super) fn schedule(draft: &mut Draft, region: RegionId, answer: Answer) -> Result<Returned, Reason> {
    present(draft)?;
    recovery::check_none(draft)?;
    let known = draft.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    check_vacant(draft, region, false)?;
    let mut ids = draft.pd().next_id;
    let made = patrol::check(&plan::Sight::of(draft), known, &mut ids)?;
    waiting::check_limit(draft, made.purpose)?;
    draft.pd_mut().next_id = ids;
    Ok(enter(draft, made, region, answer))
}

/// An administrator gives the region an operator.
pub(super) fn add_operator(
    draft: &mut Draft,
    region: RegionId,
    wanted: &AdminOperator,
    answer: Answer,
) -> Result<Returned, Reason> {
    present(draft)?;
    let known = draft.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?;
    let mut ids = draft.pd().next_id;
    let made = plan::of_admin(&plan::Sight::of(draft), known, wanted, &mut ids)?;
    check_vacant(draft, region, true)?;
    draft.pd_mut().next_id = ids;
    Ok(enter(draft, made, region, answer))
}

/// A region has one operator; an administrator's takes the place of the patrol's (row 38).
fn check_vacant(draft: &Draft, region: RegionId, admin: bool) -> Result<(), Reason> {
    let taken = draft.pd().operator(region).is_some_and(|taken| taken.purpose.is_admin() || !admin);
    if taken && draft.holds(Guard::OneOperatorARegion) { Err(Reason::OperatorExists) } else { Ok(()) }
}

/// A new operator takes its place in the queue, and with it that of the one
/// that it displaces.
fn enter(draft: &mut Draft, operator: Operator, region: RegionId, answer: Answer) -> Returned {
    let pd = draft.pd_mut();
    waiting::remove(pd, region);
    pd.waiting.push(WaitingOperator { region, operator });
    let started = waiting::start(draft);
    send(draft, waiting::first_order(started, region), answer)
}

/// The step of the region's operator is sent once more, if it is under way.
pub(super) fn push_operator(draft: &mut Draft, region: RegionId, answer: Answer) -> Result<Returned, Reason> {
    present(draft)?;
    if !draft.pd().regions.contains_key(&region) {
        return Err(Reason::UnknownRegion);
    }
    if !draft.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    let order = operator::compare(draft, region, false);
    waiting::start(draft);
    Ok(send(draft, order, answer))
}

/// The region's operator has taken too long, or waited too long for its turn.
pub(super) fn time_out_operator(draft: &mut Draft, region: RegionId) -> Result<(), Reason> {
    if draft.holds(Guard::OperatorsTimeOut) {
        return end_operator(draft, region);
    }
    present(draft)?;
    draft.pd().operator(region).map(drop).ok_or(Reason::NoOperator)
}

/// `operator remove` takes away what is under way, and not what waits (PD
/// `Handler.RemoveOperator`).
pub(super) fn remove_operator(draft: &mut Draft, region: RegionId) -> Result<(), Reason> {
    present(draft)?;
    if !draft.pd().operators.contains_key(&region) {
        return Err(Reason::NoOperator);
    }
    end_operator(draft, region)
}

/// The region's operator is given up, or taken away.
fn end_operator(draft: &mut Draft, region: RegionId) -> Result<(), Reason> {
    present(draft)?;
    draft.pd().operator(region).ok_or(Reason::NoOperator)?;
    waiting::remove(draft.pd_mut(), region);
    waiting::start(draft);
    Ok(())
}
