//! `Campaign`, `Vote` and the effect of a vote response.
//!
//! Follows raft-rs 0.7 `raft.rs` (`hup`, `campaign`, `step` of `MsgRequestVote`,
//! `step_candidate`) and TiKV's order of checks on a message.

use std::collections::BTreeSet;

use rollcall_traces::{
    Held, Log, LogPosition, MemberRole, Message, PeerId, Reason, RegionId, Reply, Role, StoreId,
};

use super::envelope::{Envelope, Kind, first_vote};
use super::receive::Received;
use super::{persist, raft};
use crate::cluster::ClusterMut;
use crate::dialect::Dialect;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

pub(crate) fn campaign(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
) -> Result<(), Reason> {
    let peer = cluster.live(store, region)?;
    if peer.snapshot.is_some() {
        return Err(Reason::ApplyingSnapshot);
    }
    if peer.role == Role::Leader {
        return Err(Reason::AlreadyLeader);
    }
    may_campaign(peer, cluster.guards())?;
    let guards = cluster.guards();
    raft::campaign(cluster.peer_mut(store, region), guards);
    Ok(())
}

/// Whether the peer may campaign (raft-rs `promotable`, `hup`). A peer without a region (TiKV: not
/// `is_initialized`) may not, because it is in no configuration.
pub(crate) fn may_campaign(peer: &rollcall_traces::Peer, guards: GuardSet) -> Result<(), Reason> {
    if !raft::is_promotable(peer) {
        return Err(Reason::NotPromotable);
    }
    has_applied_changes(peer, guards)
}

/// Campaigns without the failed stores, in a term above every known one. The peer may be a learner:
/// raft-rs does not check (TiKV "self may be a learner").
pub(crate) fn campaign_by_force(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    failed: &BTreeSet<StoreId>,
    highest: u64,
) -> Result<(), Reason> {
    let guards = cluster.guards();
    let peer = cluster.live(store, region)?;
    if peer.snapshot.is_some() {
        return Err(Reason::ApplyingSnapshot);
    }
    if !peer.is_initialized() {
        return Err(Reason::NotPromotable);
    }
    has_applied_changes(peer, guards)?;
    let peer = cluster.peer_mut(store, region);
    raft::become_follower(peer, highest.max(peer.term), 0);
    raft::campaign_by_force(peer, failed.clone(), guards);
    Ok(())
}

fn has_applied_changes(peer: &rollcall_traces::Peer, guards: GuardSet) -> Result<(), Reason> {
    if guards.holds(Guard::CampaignAppliesFirst) && raft::has_unapplied_conf_change(peer) {
        return Err(Reason::UnappliedConfChange);
    }
    Ok(())
}

pub(crate) fn vote(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    candidate: StoreId,
    voter: StoreId,
    reply: Reply,
) -> Result<(), Reason> {
    let (envelope, last, commit_of_candidate) = request(cluster, region, candidate, voter)?;
    cluster.up(voter)?;
    let first = first_vote(envelope.term, last, commit_of_candidate);
    if envelope.receive(cluster, Kind::Initial, first, reply)? == Received::Pending {
        return Ok(());
    }
    let (granted, commit) = decide(cluster, &envelope, last, commit_of_candidate)?;
    if reply != Reply::Dropped && cluster.holds(Guard::VoteDurableFirst) {
        persist::before_reply(cluster, voter, region);
    }
    match reply {
        Reply::Delivered => {
            let guards = cluster.guards();
            handle_vote_response(
                cluster.peer_mut(candidate, region),
                envelope.to.id,
                granted,
                commit,
                guards,
            );
        }
        Reply::Delayed => {
            let held = reply_of(cluster, &envelope, Message::VoteResponse { granted, commit });
            cluster.hold(held);
        }
        Reply::Dropped => {}
    }
    Ok(())
}

/// A candidate's request to a voter: its header, the end of its log, and its commit index when the
/// election began.
pub(crate) fn request(
    cluster: &impl ClusterMut,
    region: RegionId,
    candidate: StoreId,
    voter: StoreId,
) -> Result<(Envelope, LogPosition, LogPosition), Reason> {
    let asking = cluster.live(candidate, region)?;
    let Some(campaign) = &asking.campaign else { return Err(Reason::NotCandidate) };
    let to = asking
        .region
        .member_on(voter)
        .filter(|member| member.role != MemberRole::Learner && member.id != asking.id)
        .copied()
        .ok_or(Reason::NotInConfig)?;
    persist::check_asks_durably(asking)?;
    let envelope = Envelope::from_peer(asking, candidate, to);
    let own = LogPosition { index: asking.log.last_index(), term: asking.log.last_term() };
    let last = campaign.last.unwrap_or(own);
    Ok((envelope, last, commit_in_vote(campaign.commit, cluster.guards())))
}

/// The commit index in a vote request or a rejection.
fn commit_in_vote(commit: LogPosition, guards: GuardSet) -> LogPosition {
    if guards.speaks(Dialect::VotesTellNoCommit) { LogPosition::default() } else { commit }
}

/// The voter's side: grants or rejects. A rejection carries the voter's commit index.
pub(crate) fn decide(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    last: LogPosition,
    commit_of_candidate: LogPosition,
) -> Result<(bool, LogPosition), Reason> {
    let (term, guards) = (envelope.term, cluster.guards());
    let voter = cluster.live(envelope.to.store, envelope.region)?;
    if term < voter.term {
        return Err(Reason::StaleTerm);
    }
    if !cluster.holds(Guard::StepDownOnHigherTerm) {
        unsound::go_on_leading(voter, term)?;
    }
    let voter = cluster.peer_mut(envelope.to.store, envelope.region);
    if term > voter.term {
        raft::become_follower(voter, term, 0);
    }
    if !guards.holds(Guard::OneVoteATerm) {
        unsound::forget_vote(voter);
    }
    let may_vote = voter.vote == envelope.from.id || (voter.vote == 0 && voter.leader == 0);
    if may_vote && is_up_to_date(&voter.log, last) {
        voter.vote = envelope.from.id;
        return Ok((true, LogPosition::default()));
    }
    let commit = commit_in_vote(raft::commit_position(voter), guards);
    raft::commit_by_vote(voter, commit_of_candidate, guards);
    Ok((false, commit))
}

/// The election restriction: whether a candidate's log, which ends at `last`, is at least as up to
/// date ("up-to-date") as the voter's (raft-rs `is_up_to_date`; Raft 5.4.1): a newer last term wins, then the longer log.
fn is_up_to_date(own: &Log, last: LogPosition) -> bool {
    (last.term, last.index) >= (own.last_term(), own.last_index())
}

/// The reply, as a message from the receiver of `envelope` to its sender.
pub(crate) fn reply_of(cluster: &impl ClusterMut, envelope: &Envelope, message: Message) -> Held {
    let receiver = cluster.peer(envelope.to.store, envelope.region).expect("the receiver is on its store");
    let back = Envelope::from_peer(receiver, envelope.to.store, envelope.from);
    back.holding(message)
}

/// The candidate's side of a vote response in its own term (raft-rs `MsgRequestVoteResponse`: `poll`,
/// then commit by vote).
pub(crate) fn handle_vote_response(
    peer: &mut rollcall_traces::Peer,
    voter: PeerId,
    granted: bool,
    commit: LogPosition,
    guards: GuardSet,
) {
    let Some(campaign) = &mut peer.campaign else { return };
    if !campaign.granted.contains(&voter) && !campaign.rejected.contains(&voter) {
        if granted {
            campaign.granted.insert(voter);
        } else {
            campaign.rejected.insert(voter);
        }
    }
    raft::count_votes(peer, guards);
    if !granted {
        raft::commit_by_vote(peer, commit, guards);
    }
}
