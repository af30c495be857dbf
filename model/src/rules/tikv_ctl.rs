//! `tikv-ctl tombstone`: an administrator ends a peer outside the normal rules.
//!
//! It works on the disk of one store, whose process must be stopped. Follows TiKV
//! `src/server/debug.rs` (`set_region_tombstone`, `set_region_tombstone_by_force`). It asks the
//! placement driver for the region and reports nothing to it.

use rollcall_traces::{Reason, Region, RegionId, StoreId, StoreStatus};

use super::destroy::write_tombstone;
use super::pd::present;
use crate::cluster::ClusterMut;
use crate::guard::Guard;

/// The peer becomes a tombstone with PD's region, or by force with the peer's own region. TiKV
/// keeps no state of an uninitialised peer by which it could be found here.
pub(super) fn tombstone_peer(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    force: bool,
) -> Result<(), Reason> {
    match cluster.status(store) {
        Some(StoreStatus::Down) => {}
        Some(StoreStatus::Up) => return Err(Reason::StoreUp),
        _ => return Err(Reason::StoreDown),
    }
    let peer = cluster.peer(store, region).filter(|peer| peer.is_initialized());
    let peer = peer.ok_or(Reason::RegionNotFound)?;
    let last =
        if force { peer.region.clone() } else { removed_by_pd(cluster, store, &peer.region, peer.id)? };
    write_tombstone(cluster, store, last);
    Ok(())
}

/// The region as PD knows it, if PD knows that the peer was removed (row 37).
fn removed_by_pd(
    cluster: &impl ClusterMut,
    store: StoreId,
    own: &Region,
    peer: u64,
) -> Result<Region, Reason> {
    present(cluster)?;
    let known = &cluster.pd().regions.get(&own.id).ok_or(Reason::UnknownRegion)?.region;
    if cluster.holds(Guard::TombstoneNeedsConfVerAdvance) && known.epoch.conf_ver <= own.epoch.conf_ver {
        return Err(Reason::InvalidConfVer);
    }
    if known.member_on(store).is_some_and(|member| member.id == peer) {
        return Err(Reason::PeerStillListed);
    }
    Ok(known.clone())
}
