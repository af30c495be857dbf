//! When PD gives ids for a split.
//!
//! Follows PD `cluster_worker.go` (`HandleAskSplit`).

use rollcall_traces::{Reason, Region};

use super::records::present;
use crate::cluster::ClusterMut;
use crate::rules::recovery;

/// Whether PD gives ids for a split of `region`, as the leader knows it.
pub(crate) fn check_ask_split(cluster: &impl ClusterMut, region: &Region) -> Result<(), Reason> {
    if present(cluster).is_err() {
        return Ok(());
    }
    recovery::check_none(cluster)?;
    let known = cluster.pd().regions.values().find(|known| known.region.contains(&region.start));
    let known = known.ok_or(Reason::UnknownRegion)?;
    if region.epoch.is_stale_against(&known.region.epoch) { Err(Reason::RegionStale) } else { Ok(()) }
}
