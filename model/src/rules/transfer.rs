//! `TimeoutNow` and `TransferTimeout`: the end of a transfer of leadership.
//!
//! Follows raft-rs 0.7 `raft.rs` (`step_follower` of `MsgTimeoutNow`, `tick_heartbeat`).

use rollcall_traces::{Answer, Member, Peer, Reason, RegionId, Role, StoreId};

use super::deliver::{Envelope, Kind};
use super::{election, raft};
use crate::draft::Draft;
use crate::guard::Guard;

pub(crate) fn timeout_now(draft: &mut Draft, region: RegionId, leader: StoreId) -> Result<(), Reason> {
    let peer = draft.leader(leader, region)?;
    let to = target(peer)?;
    let envelope = Envelope::from_peer(peer, leader, to);
    draft.up(to.store)?;
    envelope.receive(draft, Kind::Ordinary, None, Answer::Lost)?;
    let receiver = draft.live(to.store, region)?;
    if envelope.term < receiver.term {
        return Err(Reason::StaleTerm);
    }
    sent(draft, leader, region);
    campaign_at_once(draft, &envelope);
    Ok(())
}

/// The member that a `TimeoutNow` is under way to.
pub(crate) fn target(leading: &Peer) -> Result<Member, Reason> {
    leading
        .leading
        .as_ref()
        .and_then(|state| state.transfer)
        .filter(|transfer| transfer.timeout_now)
        .and_then(|transfer| leading.region.member(transfer.to).copied())
        .ok_or(Reason::NoTimeoutNow)
}

/// The message is no longer under way from its sender.
pub(crate) fn sent(draft: &mut Draft, leader: StoreId, region: RegionId) {
    if let Some(transfer) =
        draft.peer_mut(leader, region).leading.as_mut().and_then(|leading| leading.transfer.as_mut())
    {
        transfer.timeout_now = false;
    }
}

/// The receiver's side: a follower that may campaign does so.
pub(crate) fn campaign_at_once(draft: &mut Draft, envelope: &Envelope) {
    let guards = draft.guards();
    let peer = draft.peer_mut(envelope.to.store, envelope.region);
    if envelope.term > peer.term {
        raft::become_follower(peer, envelope.term, 0);
    }
    if peer.role == Role::Follower && election::may_campaign(peer, guards).is_ok() {
        raft::campaign(peer, guards);
    }
}

pub(crate) fn transfer_timeout(draft: &mut Draft, region: RegionId, store: StoreId) -> Result<(), Reason> {
    let peer = draft.leader(store, region)?;
    if peer.leading.as_ref().is_none_or(|leading| leading.transfer.is_none()) {
        return Err(Reason::NoTransfer);
    }
    if draft.holds(Guard::TransferTimesOut)
        && let Some(leading) = &mut draft.peer_mut(store, region).leading
    {
        leading.transfer = None;
    }
    Ok(())
}
