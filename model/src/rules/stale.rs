//! `CheckStalePeer`: a peer that has had no leader for long asks whether it is a
//! member still.
//!
//! How long that is is not known here: who does not lead may ask at any time, and only who
//! is no member any more comes to any harm. Members are asked by a message that says
//! nothing. A store that knows better answers as it does to whatever a removed peer sends
//! (`deliver.rs`), for which learners and uninitialised peers have nothing else; the
//! tombstone of one who went first names its members, who are asked next. PD is asked for
//! the region. Follows TiKV `fsm/peer.rs` (`on_check_peer_stale_state_tick`), `peer.rs`
//! (`check_stale_state`, `bcast_check_stale_peer_message`, `on_check_stale_peer_response`),
//! `fsm/store.rs` (`check_msg`), `worker/pd.rs` (`handle_validate_peer`).
//!
//! A peer that was never initialised knows no epoch, so everything is newer. It asks its
//! creator alone, who knew it to be a member: whoever lags behind that does not know it yet
//! (TiKV's begins each time with its creator, too, while its `conf_ver` is 0). PD may lag as
//! well, and TiKV's would believe it; here PD's view counts from the creator's epoch on.

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
            let to = *known_to(peer).find(|member| member.store == asked).ok_or(Reason::NotInConfig)?;
            let envelope = Envelope::from_peer(peer, store, to);
            cluster.up(asked)?;
            envelope.receive_question(cluster, reply)
        }
        Authority::PlacementDriver => ask_pd(cluster, region, store, reply),
    }
}

/// Whom a peer asks: the members that it knows, or those of a newer configuration that a
/// tombstone named; who created it, if it was never initialised.
pub(crate) fn known_to(peer: &Peer) -> impl Iterator<Item = &Member> {
    let newer = peer.stale_check.as_ref().filter(|check| check.conf_ver > peer.region.epoch.conf_ver);
    let (known, creator) = match newer {
        Some(check) => (&check.peers, None),
        None => (&peer.region.peers, peer.created_by.as_ref().map(|creator| &creator.member)),
    };
    known.iter().chain(creator).filter(|member| member.id != peer.id)
}

/// A tombstone names the members of its region. What is no newer than what the peer knows is
/// no news. Who is gone, or lives again, was not meant; and who was never initialised asks
/// nobody else.
pub(super) fn named(
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

/// PD's region is newer and does not list the peer, then it ends. Of a region that PD does not know
/// nothing follows: it may have been split off, or merged.
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
            let word = Held::gc_peer(member_of_own_region(peer, store), known);
            cluster.hold(word);
        }
        Reply::Delivered | Reply::Dropped => {}
    }
    Ok(())
}
