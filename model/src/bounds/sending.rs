//! What a peer may send at any time: the model's judgement of single messages.
//!
//! When raft-rs sends, and how far back it probes, is flow control. What a message may contain
//! follows from the peer's state. Responses are not judged here, because each belongs to a request.
//!
//! Follows raft-rs 0.7 `raft.rs` (`campaign`, `prepare_send_entries`, `prepare_send_snapshot`,
//! `send_heartbeat`, `send_timeout_now`).

use rollcall_traces::{Entry, Held, LogPosition, Message, Peer, PeerState, StoreId};

use crate::rules;
use crate::rules::{member_of_own_region, snapshot_of};

/// Whether `peer` on `store` may send `held` now; `Err` says what forbids it.
///
/// # Errors
///
/// The first field that the peer would not send, in words.
pub fn may_send(peer: &Peer, store: StoreId, held: &Held) -> Result<(), String> {
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_string()) };
    demand(peer.state != PeerState::Tombstone, "its sender is destroyed")?;
    demand(held.from == member_of_own_region(peer, store), "its sender is another member")?;
    demand(held.term == peer.term, &format!("its sender has term {}", peer.term))?;
    demand(held.epoch == peer.region.epoch, &format!("its sender has epoch {}", peer.region.epoch))?;
    demand(held.range == peer.region.range(), "its sender has another range")?;
    demand(
        peer.region.member(held.to.id) == Some(&held.to) && held.to.id != peer.id,
        "its sender knows no such other member",
    )?;
    match &held.message {
        Message::VoteRequest { last, commit } => {
            let campaign = peer.campaign.as_ref().ok_or("its sender is no candidate")?;
            let own = LogPosition { index: peer.log.last_index(), term: peer.log.last_term() };
            let own = campaign.last.unwrap_or(own);
            demand(*last == own, &format!("its sender's log ends at {own}"))?;
            demand(*commit == campaign.commit, &format!("its sender had committed {}", campaign.commit))?;
            demand(peer.region.is_voter(held.to.id), "its receiver is no voter")
        }
        Message::Append { previous, entries, commit } => {
            demand(peer.leading.is_some(), "its sender does not lead")?;
            demand(
                peer.log.term(previous.index) == Some(previous.term),
                &format!("its sender's log does not have {previous}"),
            )?;
            demand(has(peer, previous.index, entries), "its sender's log has other entries")?;
            demand(*commit <= peer.commit, &format!("its sender has committed {}", peer.commit))
        }
        Message::Heartbeat { commit } => {
            let leading = peer.leading.as_ref().ok_or("its sender does not lead")?;
            let matched = leading.matched.get(&held.to.id).copied().unwrap_or_default();
            let most = matched.min(peer.commit);
            demand(*commit <= most, &format!("its sender knows of no more than {most}"))
        }
        Message::Snapshot(snapshot) => {
            demand(peer.leading.is_some(), "its sender does not lead")?;
            demand(peer.state == PeerState::Normal, "its sender's region is merging")?;
            demand(*snapshot == snapshot_of(peer), "its sender is in another state")
        }
        Message::TimeoutNow => {
            let transfer = peer.leading.as_ref().and_then(|leading| leading.transfer);
            demand(
                transfer.is_some_and(|transfer| transfer.to == held.to.id),
                "its sender transfers no leadership to it",
            )
        }
        // The response to an applied snapshot. It has no commit index.
        Message::AppendResponse { index, commit } => {
            demand(*index == peer.log.last_index(), "its sender's log ends elsewhere")?;
            demand(*commit == 0, "its sender reports no commit index")
        }
        // A transfer's request belongs to its proposal and is not sent alone.
        Message::VoteResponse { .. }
        | Message::PreTransferLeader
        | Message::AckTransferLeader { .. }
        | Message::GcPeer { .. }
        | Message::CheckStalePeer
        | Message::CheckStalePeerResponse { .. }
        | Message::Merged { .. } => Err("it is a reply without a request".into()),
        Message::AskSplitResponse { .. } | Message::Order(_) | Message::RecoveryPlan(_) => {
            Err("the placement driver sends it, and no peer".into())
        }
        Message::RegionReport { .. } | Message::StoreReport { .. } => {
            Err("it is sent to the placement driver, and to no peer".into())
        }
    }
}

/// Whether `peer` on `store`, which has received nothing for long, may ask in this way whether it
/// is still a member.
///
/// # Errors
///
/// The first field that the peer would not send, in words.
pub fn may_ask(peer: &Peer, store: StoreId, held: &Held) -> Result<(), String> {
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_string()) };
    demand(held.message == Message::CheckStalePeer, "it is not CheckStalePeer")?;
    demand(peer.state != PeerState::Tombstone && peer.leading.is_none(), "its sender need not ask")?;
    demand(held.from == member_of_own_region(peer, store), "its sender is another member")?;
    demand(held.term == 0, "it is not Raft's, and has a term")?;
    demand(held.epoch == peer.region.epoch, &format!("its sender has epoch {}", peer.region.epoch))?;
    demand(held.range == peer.region.range(), "its sender has another range")?;
    demand(rules::peers_to_ask(peer).any(|known| *known == held.to), "its sender knows no such other member")
}

fn has(peer: &Peer, previous: u64, entries: &[Entry]) -> bool {
    (previous + 1..).zip(entries).all(|(index, entry)| peer.log.entry(index) == Some(entry))
}
