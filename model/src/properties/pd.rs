//! What the placement driver knows, buries and plans. After PD `checkStores`,
//! `processRegionHeartbeat`, `OperatorController.AddOperator`.
//!
//! PD knows only what a leader has applied and reported, so its promises are relative to that. Left
//! out: that PD finally buries an empty store and repairs a region, which no single state shows;
//! and unsafe recovery, which may reset a region to its first epoch.

use rollcall_traces::{
    Cluster, ClusterSummary, Epoch, History, Peer, Region, RegionId, StoreId, StoreStatus,
};

use super::{Property, Violation, is_initialized};

/// A store that PD has made Tombstone is empty (S11), in the form that sound rules can promise.
/// Take the newest configuration without a member on the store that PD knew at the burial or
/// learned since: no configuration up to that one has a member there.
///
/// This is checked for PD's region, and for the newest configuration that a replica has applied.
/// Newer configurations are not checked: an `AddLearner` that was ordered while the store was Up,
/// or that is applied but not yet reported, may put a peer there later. Nor is a region that PD
/// does not know, such as the unreported part of a split: PD counts the regions that it knows, and
/// does not look for gaps between them. So a Tombstone store may hold a peer of such a part, and no
/// rule of PD is broken.
///
/// If the region may have had a peer on a lost disk, that peer may have applied and reported the
/// newest configuration. Then an older remaining one proves nothing. If the region was merged away,
/// the tombstones of the peers that applied the merge have the newest. A peer that is still on the
/// store and does not know of its removal is no violation. A region that PD takes for recreated
/// begins anew, and earlier promises about it are void.
///
/// An administrator who gives up a store by force declares it lost, not empty, so nothing is
/// checked for it. But no store's record is removed while PD knows of a member there, because PD
/// could no longer judge that peer (pd#3664).
///
/// # Errors
/// A member on a Tombstone store, in PD's view or in a replica's; or a record that was removed too
/// early, latched by the history.
pub fn tombstone_store_empty<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneStoreEmpty.not_latched(history)?;
    for store in cluster.departed().filter(|store| !history.abandoned().contains(store)) {
        let without = cluster.believed().filter(|meta| meta.member_on(store).is_none());
        let promised = without.map(|meta| (meta.id, meta.epoch.conf_ver)).chain(history.buried(store));
        for (region, up_to) in promised {
            let believed = || believed_on(cluster, store, region, up_to).map(|meta| ("PD now has", meta));
            let applied = || {
                let meta = applied_on(cluster, history, store, region, up_to)?;
                Some(("applied is", meta))
            };
            if let Some((whose, meta)) = believed().or_else(applied) {
                let what = format!(
                    "store {store} is Tombstone and has no member up to conf_ver {up_to}, by what PD knew; \
                     {whose} {meta}"
                );
                return Err(Violation::new(Property::TombstoneStoreEmpty, region, what));
            }
        }
    }
    Ok(())
}

/// PD's region, if it is no newer than `up_to` and lists a member on the store.
fn believed_on<C: Cluster>(cluster: &C, store: StoreId, region: RegionId, up_to: u64) -> Option<&Region> {
    let meta = cluster.believed().find(|meta| meta.id == region)?;
    (meta.epoch.conf_ver <= up_to && meta.member_on(store).is_some()).then_some(meta)
}

/// The newest configuration that a live replica has applied, under the same condition.
fn applied_on<'a, C: Cluster>(
    cluster: &'a C,
    history: &History,
    store: StoreId,
    region: RegionId,
    up_to: u64,
) -> Option<&'a Region> {
    let knows = |peer: &&Peer| is_initialized(peer) || peer.is_merged_away();
    let living = cluster.replicas(region).map(|(_, peer)| peer).filter(knows);
    let newest = living.map(|peer| &peer.region).max_by_key(|meta| meta.epoch.conf_ver)?;
    let conf_ver = newest.epoch.conf_ver;
    newest.member_on(store)?;
    let is_old = conf_ver == up_to || conf_ver < up_to && !a_peer_is_lost(cluster, history, region);
    is_old.then_some(newest)
}

/// Whether a peer of the region may have been on a lost disk: PD, a replica, a tombstone or an
/// unapplied configuration lists one there. This covers every reporter: it is a member of the
/// region that it reported, and the peer that removes it is a member of the region in the
/// tombstone.
fn a_peer_is_lost<C: Cluster>(cluster: &C, history: &History, region: RegionId) -> bool {
    let gone = cluster.stores().filter(|(_, status)| *status == StoreStatus::DiskLost);
    let believed = || cluster.believed().filter(|meta| meta.id == region);
    let shown = || cluster.replicas(region).map(|(_, peer)| &peer.region);
    let remembered = || history.region(region).metas.iter();
    let mut gone = gone.map(|(store, _)| store);
    gone.any(|store| {
        let mut metas = believed().chain(shown()).chain(remembered());
        metas.any(|meta| meta.member_on(store).is_some())
    })
}

/// No operator removes a live voter, and with it the region's live majority, if there is one (S12):
/// what PD alone can promise. `no_unsafe_removal` is what PD and the leaders promise together.
///
/// It is checked when an operator is made, by PD's knowledge at that time. A voter is live if its
/// store has a record that is neither Down nor physically destroyed, and the leader reports it as
/// neither down nor pending. A peer that the operator adds counts as live. A region without a live
/// majority has none to lose. What happens while the operator runs is not PD's doing.
///
/// # Errors
/// Such an operator; latched by the history.
pub fn no_unsafe_plan<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::NoUnsafePlan.not_latched(history)
}

/// A running operator is replaced only by one of a higher priority: an administrator's ranks above
/// the patrol's. A waiting operator starts only for the region at the epoch that it was made for
/// (PD `checkAddOperator`, again at its turn).
///
/// The type allows one operator a region, so this checks that a running one is not lost (the seed
/// of row 38 has two stores of one region leaving). An operator also belongs to a region that PD
/// knows: a region that another displaced takes its operator with it.
///
/// # Errors
/// An operator that was displaced, or one that began too late; latched by the history.
pub fn one_operator<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::OneOperator.not_latched(history)
}

/// A store that is Tombstone stays so until its record is removed (row 47). A store that was
/// declared physically destroyed also stays so (row 44).
///
/// # Errors
/// A Tombstone that is Up or Offline again, or a destroyed store that is not;
/// latched by the history.
pub fn tombstone_absorbing<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneAbsorbing.not_latched(history)
}

/// PD knows no epoch of a region that no replica has applied, and none older than before.
///
/// Some replica or tombstone is, or was, as new as PD's epoch in both components: a leader reports
/// what it has applied, and the peer that removes that leader has applied as much. This is not
/// checked for regions that may have had a peer on a lost disk, which may have been the reporter.
/// PD's epoch is also comparable with that of every replica.
///
/// PD's epoch of a region does not go back while PD knows the region, unless the region was
/// recreated. Neither does the term of the leader that PD knows.
///
/// # Errors
/// An epoch that no replica has, one that is not comparable, or one that went back.
pub fn pd_view<C: ClusterSummary>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::PdView.not_latched(history)?;
    for believed in cluster.believed() {
        let region = believed.id;
        let wrong = |what: String| Err(Violation::new(Property::PdView, region, what));
        let epoch = believed.epoch;
        let shown = cluster.summaries(region).filter(|peer| peer.shows_epoch()).map(|peer| peer.extent.epoch);
        // Tombstones that an uninitialised peer has replaced.
        let hidden = history.region(region).destroyed.values().map(|destroyed| destroyed.epoch);
        let is_known = shown.chain(hidden).any(|shown| !shown.is_stale_against(&epoch));
        if !is_known && !a_peer_is_lost(cluster, history, region) {
            return wrong(format!("PD has epoch {epoch}, which no peer has applied"));
        }
        let beside = |other: &Epoch| epoch.is_stale_against(other) && other.is_stale_against(&epoch);
        let replicas = cluster.summaries(region).filter(|peer| peer.is_initialized());
        if let Some(other) = replicas.map(|peer| peer.extent.epoch).find(beside) {
            let who = cluster.replicas(region).find(|(_, peer)| peer.region.epoch == other);
            let store = who.map_or(0, |(store, _)| store);
            return wrong(format!("PD has epoch {epoch}, store {store} has {other}, neither ahead"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
