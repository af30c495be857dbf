//! `Hold` and `Late`: messages that stay under way and arrive however stale.

use rollcall_traces::{Answer, Entries, Held, Message, Outgoing, PeerState, Reason, RegionId, StoreId};

use super::deliver::{Envelope, Kind};
use super::{election, raft, replicate, transfer};
use crate::draft::{Draft, is_live};

pub(crate) fn hold(
    draft: &mut Draft,
    region: RegionId,
    from: StoreId,
    to: StoreId,
    message: Outgoing,
) -> Result<(), Reason> {
    let leading = draft.leader(from, region)?;
    let member = replicate::other_member(leading, to)?;
    let envelope = Envelope::from_peer(leading, from, member);
    let message = match message {
        Outgoing::Append => {
            let receiver = draft
                .peer(to, region)
                .filter(|peer| is_live(peer) && peer.id == member.id)
                .ok_or(Reason::NotInitialMessage)?;
            replicate::next_message(leading, &receiver.log, Entries::One)
        }
        Outgoing::TimeoutNow => {
            if transfer::target(leading)?.store != to {
                return Err(Reason::NoTimeoutNow);
            }
            transfer::sent(draft, from, region);
            Message::TimeoutNow
        }
    };
    draft.hold(envelope.holding(message));
    Ok(())
}

pub(crate) fn late(draft: &mut Draft, slot: usize) -> Result<(), Reason> {
    let held = draft.rest().held.get(slot).cloned().ok_or(Reason::NothingHeld)?;
    let envelope = Envelope::of_held(&held);
    draft.up(held.to.store)?;
    let kind = if matches!(held.message, Message::Snapshot(_)) { Kind::Snapshot } else { Kind::Ordinary };
    envelope.receive(draft, kind, Answer::Lost)?;
    check_membership(draft, &held)?;
    let receiver = draft.live(held.to.store, held.region)?;
    if held.term < receiver.term {
        return Err(Reason::StaleTerm);
    }
    arrive(draft, &envelope, held.message)?;
    draft.rest_mut().held.remove(slot);
    Ok(())
}

/// raft-rs takes an answer only from a member, and a snapshot only if it lists the receiver.
fn check_membership(draft: &Draft, held: &Held) -> Result<(), Reason> {
    let receiver = draft.live(held.to.store, held.region)?;
    let known = match &held.message {
        Message::VoteAnswer { .. } | Message::AppendAnswer { .. } => {
            receiver.state != PeerState::Uninitialised && receiver.region.member(held.from.id).is_some()
        }
        Message::Snapshot(snapshot) => snapshot.region.member(held.to.id).is_some(),
        Message::Append { .. } | Message::TimeoutNow => true,
    };
    if known { Ok(()) } else { Err(Reason::NotInConfig) }
}

fn arrive(draft: &mut Draft, envelope: &Envelope, message: Message) -> Result<(), Reason> {
    let guards = draft.guards();
    match message {
        Message::VoteAnswer { granted, commit } => {
            let peer = draft.peer_mut(envelope.to.store, envelope.region);
            if envelope.term > peer.term {
                raft::become_follower(peer, envelope.term, 0);
            }
            election::answered(peer, envelope.from.id, granted, commit, guards);
        }
        Message::AppendAnswer { index } => {
            let peer = draft.peer_mut(envelope.to.store, envelope.region);
            if envelope.term > peer.term {
                raft::become_follower(peer, envelope.term, 0);
            }
            replicate::matched(peer, envelope.from.id, index, guards);
        }
        Message::Append { previous, entries, commit } => {
            replicate::append(draft, envelope, previous, &entries, commit);
        }
        Message::Snapshot(snapshot) => replicate::take_snapshot(draft, envelope, snapshot)?,
        Message::TimeoutNow => transfer::campaign_at_once(draft, envelope),
    }
    Ok(())
}
