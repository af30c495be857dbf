//! What a region is owed, judged by what the cluster shows: whether a majority of its newest
//! configuration is left, who leads it, who was removed and does not know.

use rollcall_traces::{
    Action, Cluster, Member, Peer, PeerState, Region, RegionId, Role, Scope, StoreId, StoreStatus,
};

use crate::bounds::actions::is_across;
use crate::cluster::is_given_up;
use crate::rules;
use crate::rules::is_live;

/// Whoever gave up a store by force said that it is gone: its messages are ignored,
/// and nothing reaches it.
pub(super) fn is_out(cluster: &impl Cluster, store: StoreId) -> bool {
    cluster.pd().recovery_step > 0 && is_given_up(cluster, store)
}

pub(super) fn is_of_the_gone(cluster: &impl Cluster, action: &Action) -> bool {
    if action.is_of_pd() || action.is_typed() {
        return false;
    }
    // Members that a command names may well be gone.
    let who_takes_part =
        if let Action::Propose { store, .. } = action { vec![*store] } else { action.stores() };
    is_across(cluster, action) || who_takes_part.into_iter().any(|store| is_out(cluster, store))
}

/// The newest meta of the region that anybody has, tombstones included. What only
/// stores have that were given up counts where nobody else has any.
pub(super) fn newest(cluster: &impl Cluster, region: RegionId) -> Option<&Region> {
    let epoch =
        |store, meta: &Region| (!is_given_up(cluster, store), meta.epoch.version, meta.epoch.conf_ver);
    let known = cluster.replicas(region).map(|(store, peer)| (store, &peer.region));
    let known = known.filter(|(_, meta)| !meta.peers.is_empty());
    known.max_by_key(|(store, meta)| epoch(*store, meta)).map(|(_, meta)| meta)
}

/// Whether the store's disk is there. One that was given up counts as gone, though
/// the store may still run.
pub(super) fn is_there(cluster: &impl Cluster, store: StoreId) -> bool {
    cluster.stores().any(|(id, status)| id == store && status != StoreStatus::DiskLost)
        && !is_given_up(cluster, store)
}

/// Whether a majority of the newest configuration is on disks that are there,
/// and not made tombstones behind the region's back (tikv-ctl `--force`).
pub(super) fn is_owed(cluster: &impl Cluster, region: RegionId) -> bool {
    let lives =
        cluster.replicas(region).any(|(store, peer)| peer.is_initialized() && !is_given_up(cluster, store));
    lives
        && !is_merged_away(cluster, region)
        && !is_outrun(cluster, region)
        && newest(cluster, region).is_some_and(|meta| {
            let replies = |member: &Member| {
                is_there(cluster, member.store)
                    && cluster.peer(member.store, region).is_none_or(|peer| !refuses(peer, member))
            };
            meta.has_quorum(|id| meta.member(id).is_some_and(replies))
        })
}

/// Whether the only voter leads and a learner knows a newer term. The
/// learner passes over what the leader sends, and nobody but the leader could
/// campaign: without pre-vote and check-quorum raft-rs does not answer an older
/// term (`raft.rs step`), so that the leader never learns of the newer one.
pub(super) fn is_outrun(cluster: &impl Cluster, region: RegionId) -> bool {
    let mut leaders = cluster.replicas(region).filter(|(_, peer)| peer.role == Role::Leader);
    leaders.any(|(_, leader)| {
        let is_voter = |peer: &Peer, id| peer.region.is_voter(id);
        let mut others = leader.region.peers.iter().filter(|member| member.id != leader.id);
        is_voter(leader, leader.id)
            && others.clone().all(|member| !is_voter(leader, member.id))
            && cluster.replicas(region).all(|(_, peer)| peer.id == leader.id || !is_voter(peer, peer.id))
            && others.any(|member| {
                let there = cluster.peer(member.store, region).filter(|peer| peer.id == member.id);
                there.is_some_and(|peer| peer.term > leader.term)
            })
    })
}

/// Whether nothing is owed of the region for stores alone that were given up.
pub(super) fn is_not_recovered(cluster: &impl Cluster, region: RegionId) -> bool {
    let gone = |member: &&Member| !is_there(cluster, member.store);
    !is_owed(cluster, region)
        && !is_merged_away(cluster, region)
        && newest(cluster, region).is_some_and(|meta| {
            let mut gone = meta.peers.iter().filter(gone).peekable();
            let lives = |id| meta.member(id).is_some_and(|member| is_there(cluster, member.store));
            gone.peek().is_some()
                && gone.all(|member| is_given_up(cluster, member.store))
                && !meta.has_quorum(lives)
        })
}

/// Whether somebody has taken the region in, who was not given up.
pub(super) fn is_merged_away(cluster: &impl Cluster, region: RegionId) -> bool {
    cluster.replicas(region).any(|(store, peer)| peer.is_merged_away() && !is_given_up(cluster, store))
}

/// The leader of the region's highest term among its members, if there is one.
pub(super) fn in_charge(cluster: &impl Cluster, region: RegionId) -> Option<(StoreId, &Peer)> {
    let leaders = cluster.replicas(region).filter(|(_, peer)| peer.role == Role::Leader);
    let leaders = leaders.filter(|(store, _)| !is_out(cluster, *store));
    let (store, leader) = leaders.max_by_key(|(_, peer)| peer.term)?;
    let members = leader.region.peers.iter().filter(|member| !is_out(cluster, member.store));
    let ahead =
        members.filter_map(|member| cluster.peer(member.store, region)).any(|peer| peer.term > leader.term);
    (!ahead).then_some((store, leader))
}

/// Nothing takes effect there: neither what is committed nor the end of a peer,
/// which TiKV leaves to whoever applies (`ApplyTask::destroy`).
pub(super) fn hangs(scope: &Scope, store: StoreId) -> bool {
    scope.apply_stalled.contains(&store)
}

/// Who lives and is not listed by the region any more: voters, learners, and peers that were
/// never initialised.
pub(super) fn strangers<'a>(
    cluster: &'a impl Cluster,
    region: &'a Region,
) -> impl Iterator<Item = (StoreId, &'a Peer)> {
    cluster.replicas(region.id).filter(|(_, peer)| {
        is_live(peer) && region.member(peer.id).is_none() && peer.region.epoch.is_stale_against(&region.epoch)
    })
}

/// Whether nobody can tell the peer on `store` that it was removed: there is no PD, and of those
/// whom it knows nobody is a member, nor gone with a newer region than its own. One that was
/// never initialised learns from a tombstone only of its end, and not whom to ask.
pub(super) fn has_nobody_to_ask(
    scope: &Scope,
    cluster: &impl Cluster,
    region: &Region,
    store: StoreId,
    peer: &Peer,
) -> bool {
    let knows_better = |member: &Member| {
        cluster.peer(member.store, region.id).is_some_and(|asked| match asked.state {
            PeerState::Tombstone => {
                let asks_on = peer.is_initialized() || asked.region.member_on(store).is_none();
                asks_on && peer.region.epoch.is_stale_against(&asked.region.epoch)
            }
            _ => region.member(asked.id).is_some(),
        })
    };
    scope.max_replicas == 0 && !rules::known_to(peer).any(knows_better)
}

/// Whether a tombstone lists this member, or a newer one on its store.
pub(super) fn refuses(tombstone: &Peer, member: &Member) -> bool {
    let listed = || tombstone.region.member_on(member.store).is_some_and(|known| known.id >= member.id);
    tombstone.state == PeerState::Tombstone && listed()
}
