//! A region heartbeat: what PD records of the region, and which heartbeat is stale.
//!
//! Follows PD `core/region.go` (`PreCheckPutRegion`), `cluster_worker.go` (`HandleRegionHeartbeat`).

use rollcall_traces::{
    Epoch, Held, KnownRegion, Liveness, Message, Reason, Region, RegionId, Reply, Returned, StoreId,
    StoreState,
};

use super::orders::send;
use super::records::present;
use super::report::Report;
use super::{operator, waiting};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// What the leader on `store` reports. A peer is down if its store does not run and PD misses that
/// store's heartbeats, too.
pub(crate) fn report(cluster: &impl ClusterMut, region: RegionId, store: StoreId) -> Result<Held, Reason> {
    let Report { from, term, region, pending } = cluster.report(store, region)?;
    present(cluster)?;
    let missed = |store| cluster.pd().stores.get(&store).is_none_or(|of| of.liveness != Liveness::Connected);
    let others = region.peers.iter().filter(|member| member.id != from.id);
    let down = others.filter(|member| missed(member.store) && !cluster.runs(member.store));
    let down = down.map(|member| member.id).collect();
    Ok(Held::region_report(from, term, region, pending, down))
}

/// The leader sends its region heartbeat, and carries out the order of the reply at once.
pub(crate) fn region_heartbeat(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    reply: Reply,
) -> Result<Returned, Reason> {
    let report = report(cluster, region, store)?;
    let order = take_report(cluster, &report)?;
    Ok(send(cluster, order, reply))
}

/// Handles a delayed report. The order in the response goes nowhere.
pub(crate) fn late_report(cluster: &mut impl ClusterMut, report: &Held) -> Result<(), Reason> {
    take_report(cluster, report).map(drop)
}

/// Records a report, and advances the region's operator.
fn take_report(cluster: &mut impl ClusterMut, report: &Held) -> Result<Option<Held>, Reason> {
    let Message::RegionReport { region, pending, down } = &report.message else {
        unreachable!("only reports go to PD")
    };
    let known = cluster.pd().stores.get(&report.from.store).ok_or(Reason::UnknownStore)?;
    // PD ignores heartbeats from any Tombstone ("skip region heartbeat from tombstone store"). Here
    // it ignores only those from a store given up by force: a store buried too early may be the
    // only reporter of a child.
    if (known.state, known.physically_destroyed) == (StoreState::Tombstone, true) {
        return Err(Reason::StoreRemoved);
    }
    if cluster.holds(Guard::StaleReportRefused) && is_stale_heartbeat(cluster, region, report.term) {
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
    let reported = (report.from.id, report.term);
    let (leader, term) =
        if believes_leader { reported } else { unsound::leader_known_before(pd, region).unwrap_or(reported) };
    let known =
        KnownRegion { region: region.clone(), leader, term, pending: pending.clone(), down: down.clone() };
    pd.regions.insert(region.id, known);
    pd.relearns &= !pd.knows_every_key();
    let order = operator::dispatch_operator(cluster, region.id, true);
    let started = waiting::start(cluster);
    Ok(order.or_else(|| waiting::first_order(started, region.id)))
}

/// Where PD refuses a stale heartbeat (PD `processRegionHeartbeat`, `PreCheckPutRegion`):
/// "region is stale". Its version is behind that of a known region in its range, or its epoch or term is
/// behind what PD knows of the region itself. A region that unsafe recovery created is believed;
/// one with the whole key space is the bootstrap region of a stale peer (tikv#3868).
fn is_stale_heartbeat(cluster: &impl ClusterMut, region: &Region, term: u64) -> bool {
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
