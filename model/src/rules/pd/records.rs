//! The placement driver's records of stores, and what may change them.
//!
//! A store is Up or Offline until it becomes Tombstone, for ever (PD `cluster.go RemoveStore,
//! UpStore, checkStores, RemoveTombStoneRecords`).

use std::collections::BTreeSet;

use rollcall_traces::{KnownStore, Liveness, Reason, StoreId, StoreState};

use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// Refuses without a placement driver. Ids may be allotted all the same.
pub(crate) fn present(cluster: &impl ClusterMut) -> Result<(), Reason> {
    if cluster.replicas_wanted() > 0 { Ok(()) } else { Err(Reason::NoPlacementDriver) }
}

fn record(cluster: &impl ClusterMut, store: StoreId) -> Result<KnownStore, Reason> {
    present(cluster)?;
    cluster.pd().stores.get(&store).copied().ok_or(Reason::UnknownStore)
}

fn put(cluster: &mut impl ClusterMut, store: StoreId, record: KnownStore) {
    cluster.pd_mut().stores.insert(store, record);
}

/// Whether PD takes the store for full. One that is full only by its share has room for the few
/// regions of a small cluster (row 40, pd#3444).
pub(crate) fn seems_full(full: &[StoreId], low_space: &[StoreId], store: StoreId, guards: GuardSet) -> bool {
    if guards.holds(Guard::SmallStoreMayFill) {
        full.contains(&store)
    } else {
        full.contains(&store) || unsound::is_full_by_share(low_space, store)
    }
}

/// A limit of a scope; 0 means no limit.
pub(crate) fn limit(of: u64) -> usize {
    if of == 0 { usize::MAX } else { usize::try_from(of).unwrap_or(usize::MAX) }
}

/// Refuses if the store does not run.
fn check_running(cluster: &impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    if cluster.runs(store) { Ok(()) } else { Err(Reason::StoreDown) }
}

/// A store heartbeat (`HandleStoreHeartbeat`): the store becomes connected and reports whether it
/// is full.
pub(crate) fn store_heartbeat(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    check_running(cluster, store)?;
    handle_late_store_heartbeat(cluster, store)
}

/// The heartbeat arrives late; the store may have stopped by then.
pub(crate) fn handle_late_store_heartbeat(
    cluster: &mut impl ClusterMut,
    store: StoreId,
) -> Result<(), Reason> {
    let known = record(cluster, store)?;
    if known.state == StoreState::Tombstone {
        return Err(Reason::StoreRemoved);
    }
    let full = cluster.is_full(store);
    put(cluster, store, KnownStore { liveness: Liveness::Connected, full, ..known });
    Ok(())
}

/// A store registers, as it does at each start. A new store gets a record; its heartbeats come
/// later. Address conflicts are left out.
pub(crate) fn add_store(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    check_running(cluster, store)?;
    present(cluster)?;
    match cluster.pd().stores.get(&store).map(|known| known.state) {
        Some(StoreState::Tombstone) => return Err(Reason::StoreRemoved),
        Some(StoreState::Up | StoreState::Offline) => {}
        None => {
            let (state, liveness) = (StoreState::Up, Liveness::Disconnected);
            put(cluster, store, KnownStore { state, physically_destroyed: false, liveness, full: false });
        }
    }
    Ok(())
}

/// When a store is Down: after missed heartbeats it is first Disconnected (PD `IsDisconnected`),
/// then Down (`DownTime` beyond `max-store-down-time`, `MaxStoreDownTime`). The patrol replaces the peers of a store
/// that is Down (PD `isDownPeer`, `IsDownStore`).
pub(crate) fn count_missed_heartbeat(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    let known = record(cluster, store)?;
    if known.state == StoreState::Tombstone {
        return Err(Reason::StoreRemoved);
    }
    let liveness = match known.liveness {
        Liveness::Connected => Liveness::Disconnected,
        Liveness::Disconnected | Liveness::Down => Liveness::Down,
    };
    put(cluster, store, KnownStore { liveness, ..known });
    Ok(())
}

/// The store becomes Offline (PD `RemoveStore`).
pub(crate) fn decommission(cluster: &mut impl ClusterMut, store: StoreId, force: bool) -> Result<(), Reason> {
    let known = record(cluster, store)?;
    match known.state {
        StoreState::Tombstone => return Err(Reason::StoreRemoved),
        StoreState::Offline if known.physically_destroyed == force => return Err(Reason::AlreadyLeaving),
        StoreState::Offline => check_not_destroyed(cluster, &known)?,
        StoreState::Up if cluster.holds(Guard::EnoughStoresLeft) && !force => {
            let others = cluster.pd().stores.iter().filter(|(other, _)| **other != store);
            let left = others.filter(|(_, other)| other.state == StoreState::Up).count() as u64;
            if left < cluster.replicas_wanted() {
                return Err(Reason::StoresNotEnough);
            }
        }
        StoreState::Up => {}
    }
    put(cluster, store, KnownStore { state: StoreState::Offline, physically_destroyed: force, ..known });
    Ok(())
}

/// The store becomes Up again; operators that move its peers continue (row 47).
pub(crate) fn cancel_decommission(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    let known = record(cluster, store)?;
    if cluster.holds(Guard::TombstoneAbsorbs) && known.state == StoreState::Tombstone {
        return Err(Reason::StoreRemoved);
    }
    check_not_destroyed(cluster, &known)?;
    if known.state == StoreState::Up {
        return Err(Reason::NotLeaving);
    }
    put(cluster, store, KnownStore { state: StoreState::Up, physically_destroyed: false, ..known });
    Ok(())
}

/// A store marked as physically destroyed stays so (PD `ErrStoreDestroyed`).
fn check_not_destroyed(cluster: &impl ClusterMut, known: &KnownStore) -> Result<(), Reason> {
    if cluster.holds(Guard::DestroyedStaysGone) && known.physically_destroyed {
        return Err(Reason::PhysicallyDestroyed);
    }
    Ok(())
}

/// Until 4.x the state could be set to any value (row 45). PD checks the state before it looks up
/// the store (PD `server/api/store.go SetStoreState`).
pub(crate) fn set_tombstone(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    present(cluster)?;
    if cluster.holds(Guard::TombstoneByPatrolAlone) {
        return Err(Reason::StateNotAllowed);
    }
    let known = record(cluster, store)?;
    put(cluster, store, KnownStore { state: StoreState::Tombstone, ..known });
    Ok(())
}

/// Removes the record of a Tombstone store.
pub(crate) fn remove_tombstone(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    if record(cluster, store)?.state != StoreState::Tombstone {
        return Err(Reason::NotTombstone);
    }
    let listed = cluster.pd().regions_on(store).next().is_some() || cluster.pd().relearns;
    if cluster.holds(Guard::RecordKeptWhileListed) && listed {
        return Err(Reason::StoreHasRegions);
    }
    cluster.pd_mut().stores.remove(&store);
    Ok(())
}

/// Buries stores that are leaving and that no region lists. While PD relearns its regions, no store
/// counts as empty. PD itself then takes every store for empty and buries all that are leaving
/// (read from its code).
pub(crate) fn check_stores(cluster: &mut impl ClusterMut) -> Result<(), Reason> {
    present(cluster)?;
    if cluster.pd().relearns {
        return Err(Reason::NothingToBury);
    }
    let by_count = cluster.holds(Guard::BuriedByCount);
    let pd = cluster.pd();
    let is_empty = |store| {
        if by_count { pd.regions_on(store).next().is_none() } else { unsound::is_empty_by_size(pd, store) }
    };
    let leaving = pd.stores.iter().filter(|(_, known)| known.state == StoreState::Offline);
    let empty = leaving.filter(|(store, _)| is_empty(**store));
    let empty: Vec<StoreId> = empty.map(|(store, _)| *store).collect();
    if empty.is_empty() {
        return Err(Reason::NothingToBury);
    }
    for store in empty {
        let known = record(cluster, store)?;
        put(cluster, store, KnownStore { state: StoreState::Tombstone, ..known });
    }
    Ok(())
}

/// Refuses to give up a store that is Up and connected.
pub(crate) fn check_given_up(cluster: &impl ClusterMut, stores: &BTreeSet<StoreId>) -> Result<(), Reason> {
    present(cluster)?;
    for &store in stores {
        let known = record(cluster, store)?;
        if (known.state, known.liveness) == (StoreState::Up, Liveness::Connected) {
            return Err(Reason::StoreConnected);
        }
    }
    Ok(())
}

/// Gives up stores by force and buries them whatever is on them (PD `RemoveFailedStores`,
/// `BuryStore`). A store that is Tombstone already does not change, and counts as failed again. The
/// record also says `physically_destroyed`, which PD does not set. With Tombstone it means that the
/// store was given up, now or by an earlier `store delete`, and did not leave in the normal way.
pub(crate) fn give_up(cluster: &mut impl ClusterMut, stores: &BTreeSet<StoreId>) -> Result<(), Reason> {
    for &store in stores {
        let known = record(cluster, store)?;
        if known.state != StoreState::Tombstone {
            put(
                cluster,
                store,
                KnownStore { state: StoreState::Tombstone, physically_destroyed: true, ..known },
            );
        }
    }
    Ok(())
}

/// In an unsafe recovery PD drops the regions that it knew, and their operators with them: the
/// remaining peers may be behind what the lost stores had reported (PD `ResetRegionCache`;
/// `PushOperators` removes an operator whose region is gone). PD leaves the regions on its disk,
/// and a restart brings them back. Here they are gone for good.
pub(crate) fn drop_regions(cluster: &mut impl ClusterMut) {
    let pd = cluster.pd_mut();
    pd.regions.clear();
    pd.operators.clear();
    pd.waiting.clear();
    pd.relearns = true;
}

/// The stores whose reports PD waits for: not given up, not Tombstone, not physically destroyed.
pub(crate) fn reporting(cluster: &impl ClusterMut, abandoned: &BTreeSet<StoreId>) -> Vec<StoreId> {
    let there = |known: &KnownStore| known.state != StoreState::Tombstone && !known.physically_destroyed;
    let stores =
        cluster.pd().stores.iter().filter(|(store, known)| !abandoned.contains(store) && there(known));
    stores.map(|(store, _)| *store).collect()
}

/// PD restarts from its disk: stores, regions and allotted ids remain.
pub(crate) fn restart(cluster: &mut impl ClusterMut) -> Result<(), Reason> {
    present(cluster)?;
    let pd = cluster.pd_mut();
    for known in pd.stores.values_mut() {
        known.liveness = Liveness::Disconnected;
        known.full = false;
    }
    for known in pd.regions.values_mut() {
        known.leader = 0;
        known.term = 0;
        known.pending.clear();
        known.down.clear();
    }
    pd.operators.clear();
    pd.waiting.clear();
    pd.recovery = None;
    Ok(())
}
