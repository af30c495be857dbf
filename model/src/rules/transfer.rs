//! A transfer of leadership: the request before it, `TimeoutNow`, and its end.
//!
//! Follows TiKV `peer.rs` (`pre_transfer_leader`, `ack_transfer_leader_msg`,
//! `ready_to_transfer_leader`) and raft-rs 0.7 `raft.rs` (`step_follower` of `MsgTimeoutNow`,
//! `tick_heartbeat`). TiKV's checks that depend on raft-rs's `Progress` or on sizes are left out: a
//! snapshot under way, a gap between the logs, a full disk.

use rollcall_traces::{
    Held, Member, MemberRole, Message, Peer, PeerId, Reason, RegionId, Reply, Role, StoreId, Transfer,
};

use super::envelope::{Envelope, Kind};
use super::{election, raft};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::unsound;

/// `Propose` of a transfer (TiKV `pre_transfer_leader`, then `transfer_leader`; raft-rs
/// `lead_transferee`). The leader asks
/// the transferee how far it has applied. It hands over if its own log has no conf change beyond
/// that index.
///
/// Request and reply are one step here; `late.rs` delivers them as single messages. This hides
/// nothing. The request changes no state. Applied entries stay applied, so a late reply can only be
/// refused more often. Whatever happens to the transferee after its reply can as well happen after
/// the transfer has begun. The leader checks its own log when the reply arrives. A reply that is
/// lost, or of an older term, begins no transfer.
pub(crate) fn transfer_leader(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    to: StoreId,
) -> Result<(), Reason> {
    let question = pre_transfer_leader(cluster, region, store, to)?;
    cluster.up(to)?;
    question.receive(cluster, Kind::Ordinary, None, Reply::Dropped)?;
    let applied = applied(cluster, &question)?;
    ack_transfer_leader(cluster, region, store, question.to.id, applied)
}

/// The leader's request, if the transfer may begin.
pub(crate) fn pre_transfer_leader(
    cluster: &impl ClusterMut,
    region: RegionId,
    store: StoreId,
    to: StoreId,
) -> Result<Envelope, Reason> {
    let guards = cluster.guards();
    let peer = cluster.leader(store, region)?;
    let member = *peer.region.member_on(to).ok_or(Reason::TransfereeNotVoter)?;
    check_transferee(peer, member.id)?;
    if !guards.holds(Guard::LaggingLeaderHandsOver) {
        unsound::wait_for_own_change(raft::has_pending_conf(peer, peer.applied, guards))?;
    }
    Ok(Envelope::from_peer(peer, store, member))
}

/// The transferee's reply: its applied index. The transferee does not take the term of the request.
/// In TiKV a heartbeat arrives first, so a peer that does not know the leader yet replies here,
/// too.
fn applied(cluster: &impl ClusterMut, question: &Envelope) -> Result<u64, Reason> {
    let peer = cluster.live(question.to.store, question.region)?;
    if question.term < peer.term {
        return Err(Reason::StaleTerm);
    }
    // Its own configuration may be newer than the leader's.
    if raft::is_promotable(peer) { Ok(peer.applied) } else { Err(Reason::TransfereeNotVoter) }
}

/// A peer's reply to a message. The transferee replies in the term of the request.
pub(crate) fn reply_of(cluster: &impl ClusterMut, to: &Envelope, message: Message) -> Held {
    let reply = election::reply_of(cluster, to, message);
    let is_ack = matches!(reply.message, Message::AckTransferLeader { .. });
    Held { term: if is_ack { to.term } else { reply.term }, ..reply }
}

/// Handles a message of a transfer, and returns the reply.
pub(crate) fn handle_message(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    message: &Message,
) -> Result<Option<Message>, Reason> {
    match *message {
        Message::TimeoutNow => campaign_at_once(cluster, envelope),
        Message::PreTransferLeader => {
            let applied = applied(cluster, envelope)?;
            return Ok(Some(Message::AckTransferLeader { applied }));
        }
        Message::AckTransferLeader { applied } => {
            let (region, store) = (envelope.region, envelope.to.store);
            ack_transfer_leader(cluster, region, store, envelope.from.id, applied)?;
        }
        ref other => unreachable!("not of a transfer: {other}"),
    }
    Ok(None)
}

/// The leader handles the reply. Time may have passed, so it checks everything again.
fn ack_transfer_leader(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    to: PeerId,
    applied: u64,
) -> Result<(), Reason> {
    let guards = cluster.guards();
    let peer = cluster.leader(store, region)?;
    check_transferee(peer, to)?;
    if guards.holds(Guard::TransferWaitsForChange) && raft::has_pending_conf(peer, applied, guards) {
        return Err(Reason::PendingConfChange);
    }
    let last = peer.log.last_index();
    if let Some(leading) = &mut cluster.peer_mut(store, region).leading {
        let timeout_now = leading.matched.get(&to) == Some(&last);
        leading.transfer = Some(Transfer { to, timeout_now });
    }
    Ok(())
}

/// Whether the leader may hand over to that peer, by its own knowledge.
fn check_transferee(leader: &Peer, to: PeerId) -> Result<(), Reason> {
    let member = leader.region.member(to).filter(|member| member.role != MemberRole::Learner);
    if member.is_none() {
        return Err(Reason::TransfereeNotVoter);
    }
    let under_way = leader.leading.as_ref().and_then(|leading| leading.transfer);
    if to == leader.id || under_way.is_some_and(|transfer| transfer.to == to) {
        return Err(Reason::NoEffect);
    }
    Ok(())
}

pub(crate) fn timeout_now(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    leader: StoreId,
) -> Result<(), Reason> {
    let peer = cluster.leader(leader, region)?;
    let to = transferee(peer)?;
    let envelope = Envelope::from_peer(peer, leader, to);
    cluster.up(to.store)?;
    envelope.receive(cluster, Kind::Ordinary, None, Reply::Dropped)?;
    let receiver = cluster.live(to.store, region)?;
    if envelope.term < receiver.term {
        return Err(Reason::StaleTerm);
    }
    mark_timeout_now_sent(cluster, leader, region);
    campaign_at_once(cluster, &envelope);
    Ok(())
}

/// The member to which a `TimeoutNow` is under way.
pub(crate) fn transferee(leading: &Peer) -> Result<Member, Reason> {
    leading
        .leading
        .as_ref()
        .and_then(|state| state.transfer)
        .filter(|transfer| transfer.timeout_now)
        .and_then(|transfer| leading.region.member(transfer.to).copied())
        .ok_or(Reason::NoTimeoutNow)
}

/// The leader has sent its `TimeoutNow`.
pub(crate) fn mark_timeout_now_sent(cluster: &mut impl ClusterMut, leader: StoreId, region: RegionId) {
    if let Some(transfer) =
        cluster.peer_mut(leader, region).leading.as_mut().and_then(|leading| leading.transfer.as_mut())
    {
        transfer.timeout_now = false;
    }
}

/// The receiver's side: a follower that may campaign does so.
fn campaign_at_once(cluster: &mut impl ClusterMut, envelope: &Envelope) {
    let guards = cluster.guards();
    let peer = cluster.peer_mut(envelope.to.store, envelope.region);
    if envelope.term > peer.term {
        raft::become_follower(peer, envelope.term, 0);
    }
    if peer.role == Role::Follower && election::may_campaign(peer, guards).is_ok() {
        raft::campaign(peer, guards);
    }
}

pub(crate) fn transfer_timeout(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
) -> Result<(), Reason> {
    let peer = cluster.leader(store, region)?;
    if peer.leading.as_ref().is_none_or(|leading| leading.transfer.is_none()) {
        return Err(Reason::NoTransfer);
    }
    if cluster.holds(Guard::TransferTimesOut)
        && let Some(leading) = &mut cluster.peer_mut(store, region).leading
    {
        leading.transfer = None;
    }
    Ok(())
}
