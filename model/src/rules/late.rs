//! `Hold` and `Late`: messages that are delayed and arrive stale.
//!
//! Every raft message and the removal message (TiKV `handle_gc_peer_msg`) can be delayed. A late
//! message belongs to no round, so its reply goes nowhere. The reply is still built, for runs that
//! follow single messages.

use rollcall_traces::{
    Entries, Held, Log, LogPosition, Message, Outgoing, Peer, PeerState, Reason, Region, RegionId, Reply,
    Returned, StoreId,
};

use super::destroy::destroy_peer;
use super::envelope::{Envelope, Kind, first_append, first_vote};
use super::receive::Received;
use super::{
    apply_snapshot, ask_split, election, merge_elsewhere, pd, raft, recovery, replicate, stale, transfer,
};
use crate::cluster::ClusterMut;
use crate::guard::GuardSet;
use crate::rules::peer::FIRST;
use crate::rules::peer::is_live;

pub(crate) fn hold(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    from: StoreId,
    to: StoreId,
    message: Outgoing,
) -> Result<(), Reason> {
    if message == Outgoing::RegionReport {
        let report = pd::report(cluster, region, from)?;
        if to != report.to.store {
            return Err(Reason::NotInConfig);
        }
        cluster.hold(report);
        return Ok(());
    }
    if message == Outgoing::StoreReport {
        return recovery::hold_report(cluster, region, from, to);
    }
    if message == Outgoing::VoteRequest {
        let (envelope, last, commit) = election::request(cluster, region, from, to)?;
        cluster.hold(envelope.holding(Message::VoteRequest { last, commit }));
        return Ok(());
    }
    let leading = cluster.leader(from, region)?;
    let member = replicate::other_member(leading, to)?;
    let envelope = Envelope::from_peer(leading, from, member);
    let message = match message {
        Outgoing::Append => {
            let receiver = cluster.peer(to, region).filter(|peer| is_live(peer) && peer.id == member.id);
            match receiver {
                Some(receiver) => replicate::next_message(leading, &receiver.log, Entries::One),
                // A split has yet to create the receiver. Every log begins here.
                None if leading.log.truncated == FIRST => {
                    let brought = Log { truncated: FIRST, entries: Vec::new() };
                    replicate::next_message(leading, &brought, Entries::One)
                }
                None => return Err(Reason::NotInitialMessage),
            }
        }
        Outgoing::Heartbeat => {
            Message::Heartbeat { commit: replicate::heartbeat_commit(leading, member.id, cluster.guards()) }
        }
        Outgoing::TimeoutNow => {
            if transfer::transferee(leading)?.store != to {
                return Err(Reason::NoTimeoutNow);
            }
            transfer::mark_timeout_now_sent(cluster, from, region);
            Message::TimeoutNow
        }
        Outgoing::VoteRequest | Outgoing::RegionReport | Outgoing::StoreReport => unreachable!("above"),
    };
    if let Message::Snapshot(snapshot) = &message {
        replicate::sends_snapshots(cluster.leader(from, region)?)?;
        replicate::sent_snapshot(cluster, from, region, snapshot.position.index);
    }
    cluster.hold(envelope.holding(message));
    Ok(())
}

/// Delivers a held message and returns Raft's response. `reply` says what the network does to a
/// removal notice that the receiver sends.
pub(crate) fn late(
    cluster: &mut impl ClusterMut,
    slot: usize,
    reply: Reply,
) -> Result<Option<Message>, Reason> {
    let held = cluster.held().get(slot).cloned().ok_or(Reason::NothingHeld)?;
    let envelope = Envelope::of_held(&held);
    if held.is_to_pd() {
        pd::late_report(cluster, &held)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    cluster.up(held.to.store)?;
    if let Message::RecoveryPlan(plan) = &held.message {
        recovery::take_plan(cluster, held.to.store, plan)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    if let Message::Order(_) = &held.message {
        // If the split is refused, its ids are lost and so is the order.
        pd::carry_out(cluster, &held)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    if let Message::GcPeer { region } = &held.message {
        take_removal(cluster, &held, region)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    if let Message::Merged { target } = &held.message {
        merge_elsewhere::handle_merged(cluster, held.region, held.to.store, target)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    if let Message::CheckStalePeerResponse { peers } = &held.message {
        let receiver = cluster.peer(held.to.store, held.region).filter(|peer| is_live(peer));
        receiver.ok_or(Reason::NotInitialMessage)?;
        stale::handle_check_stale_peer_response(
            cluster,
            held.to,
            held.region,
            held.epoch.conf_ver,
            peers.clone(),
        );
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    if held.message == Message::CheckStalePeer {
        return envelope.receive_question(cluster, reply).map(|()| None);
    }
    if let Message::AskSplitResponse { children, derive } = &held.message {
        ask_split::handle_ask_split_response(cluster, &held, children, *derive)?;
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    let kind = match held.message {
        Message::Snapshot(_) => Kind::Snapshot,
        Message::VoteRequest { .. } | Message::Heartbeat { commit: 0 } => Kind::Initial,
        _ => Kind::Ordinary,
    };
    let first = match held.message {
        Message::VoteRequest { last, commit } => first_vote(held.term, last, commit),
        ref other => first_append(other),
    };
    if envelope.receive(cluster, kind, first, reply)? == Received::Pending {
        cluster.held_mut().remove(slot);
        return Ok(None);
    }
    check_membership(cluster, &held)?;
    let receiver = cluster.live(held.to.store, held.region)?;
    if held.term < receiver.term {
        return Err(Reason::StaleTerm);
    }
    if let Message::Snapshot(snapshot) = &held.message {
        apply_snapshot::check_snapshot(cluster, &envelope, snapshot)?;
    }
    let reply = arrive(cluster, &envelope, held.message)?;
    cluster.held_mut().remove(slot);
    Ok(reply)
}

pub(crate) fn is_store_report(cluster: &impl ClusterMut, slot: usize) -> bool {
    cluster.held().get(slot).is_some_and(|held| matches!(held.message, Message::StoreReport { .. }))
}

/// Delivers a store's report, which may advance the unsafe recovery to its next stage.
pub(crate) fn store_report(cluster: &mut impl ClusterMut, slot: usize) -> Result<Returned, Reason> {
    let report = cluster.held().get(slot).cloned().ok_or(Reason::NothingHeld)?;
    let returned = recovery::late_report(cluster, report)?;
    cluster.held_mut().remove(slot);
    Ok(returned)
}

/// Delivers a message and returns the receiver's reply, if any. The message is gone even if it is
/// refused; a copy of it is another message.
pub(crate) fn deliver(cluster: &mut impl ClusterMut, message: Held) -> (Result<(), Reason>, Option<Held>) {
    let envelope = Envelope::of_held(&message);
    let slot = cluster.held().len();
    cluster.hold(message);
    let result = late(cluster, slot, Reply::Delayed);
    let delivered = cluster.held_mut().drain(slot..).next_back();
    let (result, reply) = match result {
        Ok(said) => (Ok(()), said.map(|said| transfer::reply_of(cluster, &envelope, said))),
        Err(reason) => (Err(reason), None),
    };
    (
        result,
        reply
            .or(delivered
                .filter(|delivered| is_store_reply(&delivered.message) && delivered.to == envelope.from)),
    )
}

fn is_store_reply(message: &Message) -> bool {
    matches!(
        message,
        Message::GcPeer { .. } | Message::Merged { .. } | Message::CheckStalePeerResponse { .. }
    )
}

/// Handles the removal message (TiKV `handle_gc_peer_msg`). It destroys the receiver only if it is
/// addressed to this very peer and its epoch is newer than the receiver's.
fn take_removal(cluster: &mut impl ClusterMut, held: &Held, known: &Region) -> Result<(), Reason> {
    let (store, region) = (held.to.store, held.region);
    let receiver =
        cluster.peer(store, region).filter(|peer| is_live(peer)).ok_or(Reason::NotInitialMessage)?;
    if receiver.id == held.to.id && receiver.region.epoch.is_stale_against(&known.epoch) {
        destroy_peer(cluster, store, region);
    }
    Ok(())
}

/// raft-rs accepts a response only from a member.
fn check_membership(cluster: &impl ClusterMut, held: &Held) -> Result<(), Reason> {
    let receiver = cluster.live(held.to.store, held.region)?;
    let known = match &held.message {
        Message::VoteResponse { .. } | Message::AppendResponse { .. } => {
            receiver.state != PeerState::Uninitialised && receiver.region.member(held.from.id).is_some()
        }
        _ => true,
    };
    if known { Ok(()) } else { Err(Reason::NotInConfig) }
}

/// What a late vote does before [`election::handle_vote_response`]. A vote of an older term was
/// refused (`StaleTerm`). A vote of a newer term makes the receiver a follower. A vote of the
/// receiver's own term counts while it campaigns; a leader or follower ignores it.
fn late_vote(peer: &mut Peer, envelope: &Envelope, granted: bool, commit: LogPosition, guards: GuardSet) {
    if envelope.term > peer.term {
        raft::become_follower(peer, envelope.term, 0);
    }
    election::handle_vote_response(peer, envelope.from.id, granted, commit, guards);
}

fn arrive(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    message: Message,
) -> Result<Option<Message>, Reason> {
    let guards = cluster.guards();
    match message {
        Message::VoteRequest { last, commit } => {
            let (granted, commit) = election::decide(cluster, envelope, last, commit)?;
            return Ok(Some(Message::VoteResponse { granted, commit }));
        }
        Message::VoteResponse { granted, commit } => {
            let peer = cluster.peer_mut(envelope.to.store, envelope.region);
            late_vote(peer, envelope, granted, commit, guards);
        }
        Message::AppendResponse { index, commit } => {
            let peer = cluster.peer_mut(envelope.to.store, envelope.region);
            if envelope.term > peer.term {
                raft::become_follower(peer, envelope.term, 0);
            }
            raft::update_committed(peer, envelope.from.id, commit);
            replicate::matched(peer, envelope.from.id, index, guards);
        }
        Message::Append { previous, entries, commit } => {
            let index = replicate::append(cluster, envelope, previous, &entries, commit);
            return Ok(Some(replicate::append_response(cluster, envelope, index.unwrap_or(0))));
        }
        Message::Heartbeat { commit } => {
            replicate::heartbeat(cluster, envelope, commit);
            return Ok(Some(replicate::append_response(cluster, envelope, 0)));
        }
        Message::Snapshot(snapshot) => {
            apply_snapshot::take_snapshot(cluster, envelope, snapshot)?;
            let peer = cluster.live(envelope.to.store, envelope.region)?;
            // A pending snapshot is acknowledged when it is applied.
            let reply = Message::AppendResponse { index: peer.commit, commit: 0 };
            return Ok(peer.snapshot.is_none().then_some(reply));
        }
        Message::GcPeer { .. }
        | Message::Merged { .. }
        | Message::CheckStalePeer
        | Message::CheckStalePeerResponse { .. }
        | Message::AskSplitResponse { .. }
        | Message::Order(_)
        | Message::RecoveryPlan(_)
        | Message::RegionReport { .. }
        | Message::StoreReport { .. } => unreachable!("raft never sees it"),
        of_transfer => return transfer::handle_message(cluster, envelope, &of_transfer),
    }
    Ok(None)
}
