//! `Replicate` and `Heartbeat`: a leader sends a follower entries, or a snapshot if the entries are
//! compacted.
//!
//! Follows raft-rs 0.7 `raft.rs` (`handle_append_entries`, `handle_append_response`). Every round
//! begins at the common prefix of the two logs.

use rollcall_traces::{
    Entries, Entry, Held, Log, LogPosition, Member, Message, Peer, PeerState, Reason, RegionId, Reply,
    StoreId,
};

use super::envelope::{Envelope, Kind};
use super::{apply_snapshot, election, persist, raft, read};
use crate::cluster::ClusterMut;
use crate::dialect::Dialect;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::{is_live, snapshot_of};
use crate::unsound;

pub(crate) fn replicate(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    leader: StoreId,
    follower: StoreId,
    entries: Entries,
    reply: Reply,
) -> Result<(), Reason> {
    let leading = cluster.leader(leader, region)?;
    let to = other_member(leading, follower)?;
    cluster.up(follower)?;
    persist::check_leads_durably(leading, cluster.guards())?;
    let envelope = Envelope::from_peer(leading, leader, to);
    let receiver = cluster.peer(follower, region).filter(|peer| is_live(peer) && peer.id == to.id);
    let Some(receiver) = receiver else {
        return create_by_heartbeat(cluster, &envelope, reply);
    };
    match next_message(leading, &receiver.log, entries) {
        Message::Snapshot(snapshot) => {
            if reply != Reply::Delivered {
                return Err(Reason::NoReply);
            }
            sends_snapshots(leading)?;
            let index = snapshot.position.index;
            envelope.receive(cluster, Kind::Snapshot, None, reply)?;
            refuse_stale_term(cluster, &envelope)?;
            apply_snapshot::check_snapshot(cluster, &envelope, &snapshot)?;
            apply_snapshot::take_snapshot(cluster, &envelope, snapshot)?;
            sent_snapshot(cluster, leader, region, index);
            Ok(())
        }
        Message::Append { previous, entries, commit } => {
            envelope.receive(cluster, Kind::Ordinary, None, reply)?;
            refuse_stale_term(cluster, &envelope)?;
            let index = append(cluster, &envelope, previous, &entries, commit)
                .expect("a round begins at the common prefix");
            if reply != Reply::Dropped && cluster.holds(Guard::AppendDurableFirst) {
                persist::before_reply(cluster, follower, region);
            }
            acknowledge(cluster, &envelope, index, reply);
            Ok(())
        }
        _ => unreachable!("a leader sends an append or a snapshot"),
    }
}

/// The member on `store` that the leader replicates to.
pub(crate) fn other_member(leading: &Peer, store: StoreId) -> Result<Member, Reason> {
    leading
        .region
        .member_on(store)
        .filter(|member| member.id != leading.id)
        .copied()
        .ok_or(Reason::NotInConfig)
}

/// A store without the peer gets a heartbeat with the commit index that the leader knows to match
/// there. An index of 0 makes it an initial message.
fn create_by_heartbeat(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    reply: Reply,
) -> Result<(), Reason> {
    if reply != Reply::Delivered {
        return Err(Reason::NoReply);
    }
    let leading = cluster.leader(envelope.from.store, envelope.region)?;
    let commit = heartbeat_commit(leading, envelope.to.id, cluster.guards());
    let kind = if commit == 0 { Kind::Initial } else { Kind::Ordinary };
    envelope.receive(cluster, kind, None, reply)?;
    refuse_stale_term(cluster, envelope)?;
    let created = cluster.peer_mut(envelope.to.store, envelope.region);
    raft::become_follower(created, envelope.term, envelope.from.id);
    Ok(())
}

/// The commit index in a heartbeat: at most the index known to match on the receiver.
pub(crate) fn heartbeat_commit(leading: &Peer, to: u64, guards: GuardSet) -> u64 {
    let matched =
        leading.leading.as_ref().and_then(|state| state.matched.get(&to).copied()).unwrap_or_default();
    if guards.holds(Guard::HeartbeatCommitBounded) {
        matched.min(leading.commit)
    } else {
        unsound::unbounded_heartbeat_commit(leading)
    }
}

/// A heartbeat and its response, which acknowledges the leader's read under way (raft-rs
/// `send_heartbeat`, `handle_heartbeat_response`). A late response acknowledges no read.
pub(crate) fn heartbeat_round(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    leader: StoreId,
    follower: StoreId,
    reply: Reply,
) -> Result<(), Reason> {
    let leading = cluster.leader(leader, region)?;
    let to = other_member(leading, follower)?;
    cluster.up(follower)?;
    let leading = cluster.leader(leader, region)?;
    persist::check_leads_durably(leading, cluster.guards())?;
    let envelope = Envelope::from_peer(leading, leader, to);
    let commit = heartbeat_commit(leading, to.id, cluster.guards());
    let kind = if commit == 0 { Kind::Initial } else { Kind::Ordinary };
    envelope.receive(cluster, kind, None, reply)?;
    refuse_stale_term(cluster, &envelope)?;
    heartbeat(cluster, &envelope, commit);
    if reply != Reply::Dropped {
        persist::before_reply(cluster, follower, region);
    }
    match reply {
        Reply::Delivered => {
            let (guards, commit) = (cluster.guards(), commit_of_receiver(cluster, &envelope));
            let leading = cluster.peer_mut(leader, region);
            raft::update_committed(leading, to.id, commit);
            read::acknowledged(leading, to.id, guards);
        }
        Reply::Delayed => {
            let held = election::reply_of(cluster, &envelope, append_response(cluster, &envelope, 0));
            cluster.hold(held);
        }
        Reply::Dropped => {}
    }
    Ok(())
}

/// The receiver's side of a heartbeat (raft-rs `handle_heartbeat`).
pub(crate) fn heartbeat(cluster: &mut impl ClusterMut, envelope: &Envelope, commit: u64) {
    let guards = cluster.guards();
    let follower = cluster.peer_mut(envelope.to.store, envelope.region);
    raft::become_follower(follower, envelope.term, envelope.from.id);
    raft::commit_to(follower, commit.min(follower.log.last_index()), guards);
}

fn refuse_stale_term(cluster: &impl ClusterMut, envelope: &Envelope) -> Result<(), Reason> {
    let receiver = cluster.live(envelope.to.store, envelope.region)?;
    if envelope.term < receiver.term { Err(Reason::StaleTerm) } else { Ok(()) }
}

/// What a leader sends to a follower with that log: the entries behind the common prefix, or a
/// snapshot if its own log begins after the prefix.
pub(crate) fn next_message(leading: &Peer, follower: &Log, entries: Entries) -> Message {
    let Some(prefix) = common_prefix(&leading.log, follower) else {
        return Message::Snapshot(snapshot_of(leading));
    };
    let behind = (prefix + 1 - leading.log.truncated.index - 1) as usize;
    let sent = match entries {
        Entries::One => &leading.log.entries[behind..leading.log.entries.len().min(behind + 1)],
        Entries::All => &leading.log.entries[behind..],
    };
    Message::Append {
        previous: LogPosition { index: prefix, term: leading.log.term(prefix).unwrap_or_default() },
        entries: sent.to_vec(),
        commit: leading.commit,
    }
}

/// A merging region sends no snapshots: no member needs one.
pub(crate) fn sends_snapshots(leading: &Peer) -> Result<(), Reason> {
    if leading.state == PeerState::Merging { Err(Reason::Merging) } else { Ok(()) }
}

/// A message was sent, and its sender remembers that.
pub(crate) fn mark_sent(cluster: &mut impl ClusterMut, message: &Held) {
    let (store, region) = (message.from.store, message.region);
    if let Message::Snapshot(snapshot) = &message.message
        && cluster.leader(store, region).is_ok()
    {
        sent_snapshot(cluster, store, region, snapshot.position.index);
    }
}

/// A leader remembers the index of the last snapshot that it sent (TiKV `send_raft_messages`),
/// because its receiver has no entries before that to pass on.
pub(crate) fn sent_snapshot(cluster: &mut impl ClusterMut, leader: StoreId, region: RegionId, index: u64) {
    if let Some(leading) = &mut cluster.peer_mut(leader, region).leading {
        leading.sent_snapshot = leading.sent_snapshot.max(index);
        raft::forget_sent_snapshot(leading);
    }
}

/// The last index at which both logs have an entry of the same term.
fn common_prefix(leader: &Log, follower: &Log) -> Option<u64> {
    let last = leader.last_index().min(follower.last_index());
    (leader.truncated.index.max(follower.truncated.index)..=last)
        .rev()
        .find(|index| leader.term(*index) == follower.term(*index))
}

/// The follower's side of an append. The index that it acknowledges, or `None`
/// where it does not have the entry before the first.
pub(crate) fn append(
    cluster: &mut impl ClusterMut,
    envelope: &Envelope,
    previous: LogPosition,
    entries: &[Entry],
    commit: u64,
) -> Option<u64> {
    let guards = cluster.guards();
    let follower = cluster.peer_mut(envelope.to.store, envelope.region);
    raft::become_follower(follower, envelope.term, envelope.from.id);
    if previous.index < follower.commit {
        return Some(follower.commit);
    }
    if follower.log.term(previous.index) != Some(previous.term) {
        return None;
    }
    let conflict = (previous.index + 1..)
        .zip(entries)
        .position(|(index, entry)| follower.log.term(index) != Some(entry.term));
    if let Some(new) = conflict {
        let kept = (previous.index + new as u64 - follower.log.truncated.index) as usize;
        let known = follower.log.entries.len();
        let replaced = if guards.holds(Guard::ConflictTruncates) {
            known
        } else {
            unsound::replace_entry_by_entry(known, kept, entries.len() - new)
        };
        follower.log.entries.splice(kept..replaced, entries[new..].iter().cloned());
    }
    let last = previous.index + entries.len() as u64;
    raft::commit_to(follower, commit.min(last), guards);
    Some(last)
}

/// The leader's side of a round's response, reads included.
fn acknowledge(cluster: &mut impl ClusterMut, envelope: &Envelope, index: u64, reply: Reply) {
    let guards = cluster.guards();
    match reply {
        Reply::Delivered => {
            let commit = commit_of_receiver(cluster, envelope);
            let leading = cluster.peer_mut(envelope.from.store, envelope.region);
            raft::update_committed(leading, envelope.to.id, commit);
            read::acknowledged(leading, envelope.to.id, guards);
            matched(leading, envelope.to.id, index, guards);
        }
        Reply::Delayed => {
            let held = election::reply_of(cluster, envelope, append_response(cluster, envelope, index));
            cluster.hold(held);
        }
        Reply::Dropped => {}
    }
}

/// The response to an append or a heartbeat.
pub(crate) fn append_response(cluster: &impl ClusterMut, envelope: &Envelope, index: u64) -> Message {
    Message::AppendResponse { index, commit: commit_of_receiver(cluster, envelope) }
}

/// The receiver's commit index after it has handled the message.
fn commit_of_receiver(cluster: &impl ClusterMut, envelope: &Envelope) -> u64 {
    cluster.peer(envelope.to.store, envelope.region).map_or(0, |receiver| receiver.commit)
}

/// raft-rs `handle_append_response`: updates match and commit index, and sends `TimeoutNow` to a
/// transferee that has caught up.
pub(crate) fn matched(leading: &mut Peer, member: u64, index: u64, guards: GuardSet) {
    let Some(known) = leading.leading.as_mut().and_then(|state| state.matched.get_mut(&member)) else {
        return;
    };
    if index < *known || (index == *known && !guards.speaks(Dialect::TimeoutNowAgain)) {
        return;
    }
    if index > *known {
        *known = index;
        if let Some(state) = &mut leading.leading {
            raft::forget_sent_snapshot(state);
        }
        raft::leader_commit(leading, guards);
    }
    let last = leading.log.last_index();
    if let Some(transfer) = leading.leading.as_mut().and_then(|state| state.transfer.as_mut())
        && transfer.to == member
        && index == last
    {
        transfer.timeout_now = true;
    }
}
