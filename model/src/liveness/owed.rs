//! What a region is owed, by the cluster's state: whether a majority of its newest configuration is
//! left, which peer leads, and which removed peers remain.

use rollcall_traces::{
    Action, Cluster, Member, Peer, PeerState, Region, RegionId, Role, Scope, StoreId, StoreStatus,
};

use crate::bounds::actions::is_across;
use crate::cluster::is_given_up;
use crate::rules;
use crate::rules::is_live;

/// Whether the store is cut off. An administrator who gave it up declared it lost: its messages are
/// ignored, and nothing reaches it.
pub(super) fn is_out(cluster: &impl Cluster, store: StoreId) -> bool {
    cluster.pd().recovery_step > 0 && is_given_up(cluster, store)
}

pub(super) fn is_of_the_gone(cluster: &impl Cluster, action: &Action) -> bool {
    if action.is_of_pd() || action.is_typed() {
        return false;
    }
    // Members named by a command may be lost.
    let who_takes_part =
        if let Action::Propose { store, .. } = action { vec![*store] } else { action.stores() };
    is_across(cluster, action) || who_takes_part.into_iter().any(|store| is_out(cluster, store))
}

/// The newest known meta of the region, tombstones included. The metas of given-up stores count
/// only if no other store has one.
pub(super) fn newest(cluster: &impl Cluster, region: RegionId) -> Option<&Region> {
    let epoch =
        |store, meta: &Region| (!is_given_up(cluster, store), meta.epoch.version, meta.epoch.conf_ver);
    let known = cluster.replicas(region).map(|(store, peer)| (store, &peer.region));
    let known = known.filter(|(_, meta)| !meta.peers.is_empty());
    known.max_by_key(|(store, meta)| epoch(*store, meta)).map(|(_, meta)| meta)
}

/// Whether the store's disk is there. A given-up store counts as lost, even while it runs.
pub(super) fn is_there(cluster: &impl Cluster, store: StoreId) -> bool {
    cluster.stores().any(|(id, status)| id == store && status != StoreStatus::DiskLost)
        && !is_given_up(cluster, store)
}

/// Whether a majority of the newest configuration is on disks that are there, and was not made
/// tombstones by hand (tikv-ctl `--force`).
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

/// Whether the only voter leads and a learner is in a newer term. The learner ignores the leader's
/// messages, and only the leader could campaign. Without pre-vote and check-quorum raft-rs does not
/// answer an older term (`raft.rs step`), so the leader never learns of the newer one.
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

/// Whether nothing is owed of the region only because stores were given up.
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

/// Whether a store that was not given up has merged the region into another.
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

/// Whether the store's disk hangs. Then neither committed entries nor the destruction of a peer
/// take effect, because both are the apply worker's (TiKV `ApplyTask::destroy`).
pub(super) fn hangs(scope: &Scope, store: StoreId) -> bool {
    scope.apply_stalled.contains(&store)
}

/// Live peers that the region no longer lists: voters, learners and uninitialised peers.
pub(super) fn removed_peers<'a>(
    cluster: &'a impl Cluster,
    region: &'a Region,
) -> impl Iterator<Item = (StoreId, &'a Peer)> {
    cluster.replicas(region.id).filter(|(_, peer)| {
        is_live(peer) && region.member(peer.id).is_none() && peer.region.epoch.is_stale_against(&region.epoch)
    })
}

/// Whether no store can tell the peer on `store` that it was removed. There is no PD, and of the
/// members that the peer knows none is a member still or a tombstone with a newer region. An
/// uninitialised peer learns from a tombstone only of its own removal, not which members to ask.
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
    scope.max_replicas == 0 && !rules::peers_to_ask(peer).any(knows_better)
}

/// Whether a tombstone lists this member, or a newer one on its store.
pub(super) fn refuses(tombstone: &Peer, member: &Member) -> bool {
    let listed = || tombstone.region.member_on(member.store).is_some_and(|known| known.id >= member.id);
    tombstone.state == PeerState::Tombstone && listed()
}
