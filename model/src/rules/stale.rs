//! `CheckStalePeer`: a peer that has had no leader for long asks whether it is still a member.
//!
//! Time is not modelled: any peer that does not lead may ask at any time, and only a peer that is
//! no longer a member can be destroyed by the reply. The message to another member carries nothing.
//! A store with newer knowledge replies as it does to every message from a removed peer
//! (`receive.rs`); a learner or an uninitialised peer sends no other message. A tombstone replies
//! with the members of its region, and the peer asks these next. PD is asked for the region.
//!
//! Follows TiKV `fsm/peer.rs` (`on_check_peer_stale_state_tick`), `peer.rs` (`check_stale_state`,
//! `bcast_check_stale_peer_message`, `on_check_stale_peer_response`), `fsm/store.rs` (`check_msg`),
//! `worker/pd.rs` (`handle_validate_peer`).
//!
//! An uninitialised peer has no epoch, so every epoch looks newer to it. It asks only its creator,
//! which knew it as a member; a member that lags behind its creator may not know it yet. (TiKV's
//! peer also starts with its creator while its `conf_ver` is 0.) PD may lag as well, and TiKV's
//! peer would believe it. Here PD's region counts only from the creator's epoch on.

use rollcall_traces::{Authority, Held, Member, Peer, Reason, RegionId, Reply, StaleCheck, StoreId};

use super::destroy::destroy_peer;
use super::envelope::Envelope;
use super::pd;
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::peer::{is_live, member_of_own_region};
use crate::unsound;

pub(super) fn check_stale_peer(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    asks: Authority,
    reply: Reply,
) -> Result<(), Reason> {
    let peer = cluster.live(store, region)?;
    if peer.leading.is_some() {
        return Err(Reason::AlreadyLeader);
    }
    if peer.snapshot.is_some() {
        return Err(Reason::ApplyingSnapshot);
    }
    if !cluster.holds(Guard::StalePeerAsks) {
        return unsound::ask_nobody();
    }
    match asks {
        Authority::Member(asked) => {
            let to = *peers_to_ask(peer).find(|member| member.store == asked).ok_or(Reason::NotInConfig)?;
            let envelope = Envelope::from_peer(peer, store, to);
            cluster.up(asked)?;
            envelope.receive_question(cluster, reply)
        }
        Authority::PlacementDriver => ask_pd(cluster, region, store, reply),
    }
}

/// The members that a peer asks: those it knows, or those of a newer configuration that a tombstone
/// reported. An uninitialised peer asks its creator.
pub(crate) fn peers_to_ask(peer: &Peer) -> impl Iterator<Item = &Member> {
    let newer = peer.stale_check.as_ref().filter(|check| check.conf_ver > peer.region.epoch.conf_ver);
    let (known, creator) = match newer {
        Some(check) => (&check.peers, None),
        None => (&peer.region.peers, peer.created_by.as_ref().map(|creator| &creator.member)),
    };
    known.iter().chain(creator).filter(|member| member.id != peer.id)
}

/// Handles a tombstone's list of members. It is ignored unless it is newer than what the peer knows
/// and is addressed to this live peer. An uninitialised peer keeps asking only its creator.
pub(super) fn handle_check_stale_peer_response(
    cluster: &mut impl ClusterMut,
    to: Member,
    region: RegionId,
    conf_ver: u64,
    peers: Vec<Member>,
) {
    let Some(peer) = cluster.peer(to.store, region).filter(|peer| is_live(peer) && peer.id == to.id) else {
        return;
    };
    let known = peer.stale_check.as_ref().map_or(0, |check| check.conf_ver);
    if peer.is_initialized() && conf_ver > known.max(peer.region.epoch.conf_ver) {
        cluster.peer_mut(to.store, region).stale_check = Some(StaleCheck { conf_ver, peers });
    }
}

/// If PD's region is newer and does not list the peer, the peer is destroyed. A region that PD does
/// not know proves nothing: it may have been split off or merged.
fn ask_pd(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    reply: Reply,
) -> Result<(), Reason> {
    pd::present(cluster)?;
    let known = cluster.pd().regions.get(&region).ok_or(Reason::UnknownRegion)?.region.clone();
    let peer = cluster.live(store, region)?;
    let own = if cluster.holds(Guard::OldViewEndsNoNewPeer) {
        peer.created_by.map_or(peer.region.epoch, |creator| creator.epoch)
    } else {
        unsound::epoch_of_its_own_region(peer)
    };
    if known.epoch.is_stale_against(&own) {
        return Err(Reason::RegionStale);
    }
    if known.member(peer.id).is_some() {
        return Err(Reason::StillMember);
    }
    let behind = peer.region.epoch.is_stale_against(&known.epoch);
    match reply {
        Reply::Delivered if behind => destroy_peer(cluster, store, region),
        Reply::Delayed => {
            let reply = Held::gc_peer(member_of_own_region(peer, store), known);
            cluster.hold(reply);
        }
        Reply::Delivered | Reply::Dropped => {}
    }
    Ok(())
}
