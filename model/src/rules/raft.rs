//! Raft's own rules for one peer: terms, roles, quorums, commit.
//!
//! Follows raft-rs 0.7 `raft.rs` (`reset`, `become_*`, `maybe_commit`, `maybe_commit_by_vote`,
//! `poll`), with `check_quorum` and `pre_vote` off. A forced leader does not need the votes of its
//! failed voters (TiKV `fsm/peer.rs`).

use std::collections::{BTreeMap, BTreeSet};

use rollcall_traces::{
    Campaign, Command, Entry, Epoch, Leading, LogPosition, Member, MemberRole, Peer, PeerId, Region, Role,
    StoreId,
};

use super::{epoch, persist};
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// Becomes a follower of `term`. A new term clears the vote.
pub(crate) fn become_follower(peer: &mut Peer, term: u64, leader: PeerId) {
    if peer.term != term {
        peer.term = term;
        peer.vote = 0;
    }
    peer.role = Role::Follower;
    peer.leader = leader;
    peer.campaign = None;
    peer.leading = None;
    peer.failed_stores.clear();
    peer.recovery = None;
    if peer.read.as_ref().is_some_and(|read| !read.ready) {
        peer.read = None;
    }
}

/// The commit index that is on disk after a step, if it lags behind the one in memory. raft-rs need
/// not sync a hard state in which only the commit index advanced (`raw_node.rs`,
/// `Ready::must_sync`). The next sync of anything else writes it, too.
pub(crate) fn synced_commit(before: Option<&Peer>, after: &Peer, guards: GuardSet) -> Option<u64> {
    if !is_commit_durable(guards) {
        return unsound::synced_up_to_applied(after);
    }
    let before = before?;
    if is_synced(before, after) {
        None
    } else if after.commit > before.commit {
        before.synced_commit.or(Some(before.commit))
    } else {
        after.synced_commit
    }
}

/// Whether a step synced anything to disk.
fn is_synced(before: &Peer, after: &Peer) -> bool {
    let written = Peer {
        role: before.role,
        leader: before.leader,
        commit: before.commit,
        synced_commit: before.synced_commit,
        merged_into: before.merged_into.clone(),
        snapshot: before.snapshot.clone(),
        campaign: before.campaign.clone(),
        leading: before.leading.clone(),
        read: before.read.clone(),
        recovery: before.recovery.clone(),
        ..after.clone()
    };
    written != *before
}

/// What a crash leaves of the commit index. In Raft's paper it is volatile (Figure 2), which is
/// safe because a configuration counts as soon as its entry is appended. In raft-rs a configuration
/// counts once it is applied. There a peer that forgot its commit index could campaign with a
/// configuration that is over.
pub(crate) fn lose_commit(peer: &mut Peer, guards: GuardSet) {
    let synced = peer.synced_commit.take();
    if !is_commit_durable(guards) && peer.is_initialized() {
        unsound::forget_commit(peer);
    } else if let Some(synced) = synced {
        peer.commit = synced;
    }
}

/// Whether a commit index is on disk with the vote or the entries that it was written with.
pub(super) fn is_commit_durable(guards: GuardSet) -> bool {
    guards.holds(Guard::CommitIndexDurable)
}

/// Whether the peer is a voter of its own applied configuration.
pub(crate) fn is_promotable(peer: &Peer) -> bool {
    peer.is_initialized() && peer.region.is_voter(peer.id)
}

/// Whether a conf change is committed but not applied.
pub(crate) fn has_unapplied_conf_change(peer: &Peer) -> bool {
    conf_change_in(peer, peer.applied, peer.commit)
}

fn conf_change_in(peer: &Peer, after: u64, to: u64) -> bool {
    (after + 1..=to).any(|index| peer.log.entry(index).is_some_and(Entry::is_conf_change))
}

/// Whether a leader has a conf change under way beyond the index `applied`. With the leader's own
/// applied index this is raft-rs `has_pending_conf`.
pub(crate) fn has_pending_conf(peer: &Peer, applied: u64, guards: GuardSet) -> bool {
    let pending = peer.leading.as_ref().map_or(0, |leading| leading.pending_conf_index);
    if guards.holds(Guard::PendingChangeExpires) {
        pending > applied
    } else {
        pending > applied || unsound::is_pending_for_the_term(peer, pending)
    }
}

/// A quorum of `region`; in a joint region, of each half.
pub(crate) fn has_quorum(guards: GuardSet, region: &Region, acked: impl Fn(PeerId) -> bool) -> bool {
    if guards.holds(Guard::JointNeedsBothMajorities) {
        region.has_quorum(acked)
    } else {
        unsound::has_majority_of_the_union(region, acked)
    }
}

/// Starts an election: term + 1, the peer's own vote, and leadership at once if that is a quorum. A
/// forced candidate that campaigns again stays forced (TiKV keeps `PreForceLeader`).
pub(crate) fn campaign(peer: &mut Peer, guards: GuardSet) {
    let failed = if peer.role == Role::Candidate { peer.failed_stores.clone() } else { BTreeSet::new() };
    campaign_by_force(peer, failed, guards);
}

/// Starts an election that needs no votes from the failed stores (TiKV
/// `on_enter_pre_force_leader`).
pub(crate) fn campaign_by_force(peer: &mut Peer, failed: BTreeSet<StoreId>, guards: GuardSet) {
    let commit = commit_position(peer);
    become_follower(peer, peer.term + 1, 0);
    peer.role = Role::Candidate;
    peer.vote = peer.id;
    peer.failed_stores = failed;
    peer.campaign = Some(Campaign { commit, last: None, granted: [peer.id].into(), rejected: [].into() });
    count_votes(peer, guards);
}

/// The commit index and its term.
pub(crate) fn commit_position(peer: &Peer) -> LogPosition {
    LogPosition { index: peer.commit, term: peer.log.term(peer.commit).unwrap_or_default() }
}

/// Decides a candidate's election by the votes received so far, or leaves it open.
pub(crate) fn count_votes(peer: &mut Peer, guards: GuardSet) {
    let Some(campaign) = &peer.campaign else { return };
    if peer.is_by_force() {
        // TiKV `check_force_leader`: one rejection makes it an ordinary candidate.
        if voters_left(peer).all(|id| campaign.granted.contains(&id)) {
            return become_leader(peer, guards);
        }
        if voters_left(peer).any(|id| campaign.rejected.contains(&id)) {
            peer.failed_stores.clear();
        }
    }
    let Some(campaign) = &peer.campaign else { return };
    if has_quorum(guards, &peer.region, |id| campaign.granted.contains(&id)) {
        become_leader(peer, guards);
    } else if !has_quorum(guards, &peer.region, |id| !campaign.rejected.contains(&id)) {
        become_follower(peer, peer.term, 0);
    }
}

/// The voters that are not on a failed store.
fn voters_left(peer: &Peer) -> impl Iterator<Item = PeerId> {
    let left =
        |member: &&Member| member.role != MemberRole::Learner && !peer.failed_stores.contains(&member.store);
    peer.region.peers.iter().filter(left).map(|member| member.id)
}

fn become_leader(peer: &mut Peer, guards: GuardSet) {
    let last = peer.log.last_index();
    peer.role = Role::Leader;
    peer.leader = peer.id;
    peer.campaign = None;
    peer.log.entries.push(Entry { term: peer.term, command: None, epoch: Epoch::default() });
    let mut matched: BTreeMap<_, _> = peer.region.peers.iter().map(|member| (member.id, 0)).collect();
    matched.insert(peer.id, persist::own_copy(last, last + 1, guards));
    let committed = others_at_0(peer);
    let pending_conf_index = if guards.holds(Guard::ChangeWaitsForOwnElection) {
        last
    } else {
        unsound::nothing_pending_at_election()
    };
    peer.leading = Some(Leading { matched, committed, pending_conf_index, sent_snapshot: 0, transfer: None });
    leader_commit(peer, guards);
}

/// A new leader does not know the others' commit indexes yet.
fn others_at_0(peer: &Peer) -> BTreeMap<PeerId, u64> {
    let others = peer.region.peers.iter().filter(|member| member.id != peer.id);
    others.map(|member| (member.id, 0)).collect()
}

/// A response carries the member's commit index (raft-rs `update_committed`).
pub(crate) fn update_committed(peer: &mut Peer, member: PeerId, commit: u64) {
    let known = peer.leading.as_mut().and_then(|leading| leading.committed.get_mut(&member));
    if let Some(known) = known {
        *known = commit.max(*known);
    }
}

/// A forced leader commits what all remaining voters have, if the last of it is of its own term
/// (TiKV `maybe_force_forward_commit_index`). Learners do not count.
fn commit_by_force(peer: &mut Peer, guards: GuardSet) {
    let Some(leading) = &peer.leading else { return };
    let matched = |id: PeerId| leading.matched.get(&id).copied().unwrap_or(0);
    let reached = voters_left(peer).map(matched).fold(matched(peer.id), u64::min);
    if peer.log.term(reached).is_some_and(|term| term >= peer.term) {
        commit_to(peer, reached, guards);
    }
}

/// raft-rs `maybe_commit`: commits what a quorum has, if the last of it is of the leader's own
/// term.
pub(crate) fn leader_commit(peer: &mut Peer, guards: GuardSet) {
    if peer.is_by_force() {
        commit_by_force(peer, guards);
    }
    let Some(leading) = &peer.leading else { return };
    let matched = |id: PeerId| leading.matched.get(&id).copied().unwrap_or(0);
    let highest = leading.matched.values().copied().max().unwrap_or(0).min(peer.log.last_index());
    let quorum_has = (peer.commit + 1..=highest)
        .rev()
        .find(|index| has_quorum(guards, &peer.region, |id| matched(id) >= *index));
    let Some(index) = quorum_has else { return };
    if guards.holds(Guard::CommitOwnTerm) && peer.log.term(index) != Some(peer.term) {
        return;
    }
    peer.commit = index;
    apply_ordinary(peer, guards);
}

/// Forgets the last sent snapshot once every member has reached it.
pub(crate) fn forget_sent_snapshot(leading: &mut Leading) {
    if leading.matched.values().all(|matched| *matched >= leading.sent_snapshot) {
        leading.sent_snapshot = 0;
    }
}

/// raft-rs `maybe_commit_by_vote`: a vote request or a rejection carries a commit index.
pub(crate) fn commit_by_vote(peer: &mut Peer, sent: LogPosition, guards: GuardSet) {
    let known = sent.index != 0 && sent.term != 0 && peer.log.term(sent.index) == Some(sent.term);
    if !known || sent.index <= peer.commit || peer.role == Role::Leader {
        return;
    }
    let before = std::mem::replace(&mut peer.commit, sent.index);
    if peer.role == Role::Candidate && conf_change_in(peer, before, sent.index) {
        become_follower(peer, peer.term, 0);
    }
    apply_ordinary(peer, guards);
}

/// Raises the commit index of a follower.
pub(crate) fn commit_to(peer: &mut Peer, index: u64, guards: GuardSet) {
    if index > peer.commit {
        peer.commit = index;
        apply_ordinary(peer, guards);
    }
}

/// Applies what may take effect up to the next admin entry.
pub(crate) fn apply_ordinary(peer: &mut Peer, guards: GuardSet) {
    while peer.applied < persist::may_apply_to(peer, guards) {
        let Some(entry) = peer.log.entry(peer.applied + 1) else { return };
        let takes_effect = epoch::is_current_at_apply(&peer.region.epoch, entry, guards);
        match &entry.command {
            None => {}
            Some(Command::Put { key, value }) if takes_effect => {
                peer.data.insert(key.clone(), value.clone());
            }
            Some(Command::Delete { key }) if takes_effect => {
                peer.data.remove(key);
            }
            Some(Command::Put { .. } | Command::Delete { .. }) => {}
            Some(_) => return,
        }
        peer.applied += 1;
    }
}
