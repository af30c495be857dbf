//! What the placement driver believes, buries and plans. After PD
//! `checkStores`, `processRegionHeartbeat`, `OperatorController.AddOperator`.
//!
//! PD knows only what a leader has applied and reports, so what it promises
//! it promises by what it knew. Left out: that an empty store is buried and a
//! region is repaired at last, which no single state shows; and unsafe
//! recovery, which may give a region its first epoch anew.

use rollcall_traces::{
    Cluster, ClusterSummary, Epoch, History, Peer, Region, RegionId, StoreId, StoreStatus,
};

use super::{Property, Violation, is_initialized};

/// A store that PD has made Tombstone is empty (S11), in the form that sound
/// rules can promise: no configuration of a region has a member on it up to the
/// newest one that PD knew at the burial, or has known since without one.
///
/// That is judged of what PD believes, and of the newest configuration that a
/// replica has applied. What is newer than PD knows is not judged: an
/// `AddLearner` that was ordered while the store was Up, or is applied and not
/// yet reported, may put a peer there afterwards. Nor is a region that PD does
/// not know, such as a part of a split of which only the other part has
/// reported: PD counts the regions that it knows, and does not look for gaps
/// between them. So a store can be Tombstone with a peer of such a part on it,
/// and no rule of PD is broken.
///
/// Where a disk is gone for good that a peer of the region was on, that peer may
/// have been the one that had applied and reported the newest configuration: then
/// an older one that is left proves nothing. Where the region was merged away, the tombstones of those who
/// applied that have the newest. A peer that is on the store still, and does not know yet
/// that it was removed, is no violation. A region that PD takes for recreated
/// begins anew, and what was promised of it before is void. Who gives up a store
/// by force says that it is gone, and not that it is empty: nothing is judged of it.
/// But nobody's record is thrown away while PD knows of a member there: it could
/// not judge that peer any more (pd#3664).
///
/// # Errors
/// A member on a Tombstone store, in PD's view or in a replica's; a record that
/// was thrown away too early, latched by the history.
pub fn tombstone_store_empty<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneStoreEmpty.not_latched(history)?;
    for store in cluster.departed().filter(|store| !history.abandoned().contains(store)) {
        let without = cluster.believed().filter(|meta| meta.member_on(store).is_none());
        let promised = without.map(|meta| (meta.id, meta.epoch.conf_ver)).chain(history.buried(store));
        for (region, up_to) in promised {
            let believed = || believed_on(cluster, store, region, up_to).map(|meta| ("PD believes in", meta));
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

/// What PD believes of the region, if that is no newer than `up_to` and lists a
/// member on the store.
fn believed_on<C: Cluster>(cluster: &C, store: StoreId, region: RegionId, up_to: u64) -> Option<&Region> {
    let meta = cluster.believed().find(|meta| meta.id == region)?;
    (meta.epoch.conf_ver <= up_to && meta.member_on(store).is_some()).then_some(meta)
}

/// The newest configuration that a living replica has applied, under the condition of the function above.
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

/// Whether a peer of the region may have been on a disk that is gone for good:
/// PD, a replica, a tombstone or a configuration that a replica has yet to reach
/// lists one there. Who reported what PD believes is a member of that, and who
/// removes the reporter is a member of what the tombstone shows.
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

/// No plan takes a live voter, and with it the live majority of its region,
/// where there is one (S12): what PD alone can promise. `no_unsafe_removal` says what
/// it and the leaders promise together.
///
/// It is judged when an operator comes to be, by what PD knows then: a voter
/// lives if its store has a record that is neither Down nor physically
/// destroyed, and the leader says that it answers and waits for no snapshot. A
/// peer that the plan brings will live. Of a region that has no live majority
/// there is none to take. What happens while the plan is carried out is not
/// PD's doing.
///
/// # Errors
/// Such a plan; latched by the history.
pub fn no_unsafe_plan<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::NoUnsafePlan.not_latched(history)
}

/// An operator that is under way gives way to none but one of a higher
/// priority: what an administrator typed is above what the patrol made. One that
/// waited begins only for the region that it was made for (PD
/// `checkAddOperator`, at its turn once more).
///
/// That there is one a region says the type; what could be lost is the one that
/// was there (the seed of row 38 has two stores of one region leaving). And it is for
/// a region that PD knows: one that another has displaced takes its operator with it.
///
/// # Errors
/// An operator that was displaced, or one that began too late; latched by the history.
pub fn one_operator<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::OneOperator.not_latched(history)
}

/// A store that is Tombstone stays so until its record is gone (row 47), and so
/// does one of which somebody said that its disk is gone (row 44).
///
/// # Errors
/// A Tombstone that is Up or Offline again, or a destroyed store that is not;
/// latched by the history.
pub fn tombstone_absorbing<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneAbsorbing.not_latched(history)
}

/// PD believes nothing of a region that nobody has applied, and never less than
/// before.
///
/// Some replica or tombstone is, or was, as new as PD's epoch in both components:
/// a leader reports what it has applied, and whoever removes that leader has
/// applied as much. Where a disk is gone for good this is not judged of the
/// regions that may have had a peer on it, for that may have been the reporter.
/// And PD's epoch can be compared with that of every replica: the two are of one
/// line.
///
/// PD's epoch of a region does not go back as long as PD knows the region,
/// unless it was recreated, and neither does the term of the leader that it knows.
///
/// # Errors
/// An epoch that nobody has, one beside the line, or one that went back.
pub fn pd_view<C: ClusterSummary>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::PdView.not_latched(history)?;
    for believed in cluster.believed() {
        let region = believed.id;
        let wrong = |what: String| Err(Violation::new(Property::PdView, region, what));
        let epoch = believed.epoch;
        let shown = cluster.summaries(region).filter(|peer| peer.shows_epoch()).map(|peer| peer.extent.epoch);
        // A tombstone in whose place a peer has yet to be initialised.
        let hidden = history.region(region).destroyed.values().map(|destroyed| destroyed.epoch);
        let is_known = shown.chain(hidden).any(|shown| !shown.is_stale_against(&epoch));
        if !is_known && !a_peer_is_lost(cluster, history, region) {
            return wrong(format!("PD believes in epoch {epoch}, and nobody has applied as much"));
        }
        let beside = |other: &Epoch| epoch.is_stale_against(other) && other.is_stale_against(&epoch);
        let replicas = cluster.summaries(region).filter(|peer| peer.is_initialized());
        if let Some(other) = replicas.map(|peer| peer.extent.epoch).find(beside) {
            let who = cluster.replicas(region).find(|(_, peer)| peer.region.epoch == other);
            let store = who.map_or(0, |(store, _)| store);
            return wrong(format!("PD believes in epoch {epoch}, store {store} has {other}, neither ahead"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
