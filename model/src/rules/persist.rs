//! Late persistence: what is durable when, and what waits for it (`Scope::late_persistence`).
//!
//! Without it every step ends durable. With it a step only writes: term, vote, entries, commit index
//! and the effects of ordinary entries are in memory until [`persist`]. A crash takes them back. A store writes
//! its batches in order and one sync covers all of them, so `Peer::durable` is one earlier state of
//! the peer, and never a mixture.
//!
//! Follows the Raft dissertation, 10.2.1, raft-rs 0.7 `raw_node.rs` (`Ready::messages`,
//! `persisted_messages`, `advance_append_async`, `on_persist_ready`, `RaftLog::maybe_persist`), and
//! TiKV `store/async_io/write.rs`. An action is a round. Its messages leave by these rules:
//!
//! - **A reply** to a vote request, an append or a heartbeat is a promise. It leaves once all that
//!   its store wrote before is durable. So a reply that is delivered or delayed makes its store
//!   durable in the same action; one that is dropped leaves what was written in memory, because
//!   other stores cannot tell a waiting reply from a lost one.
//! - **A vote request** promises that the candidate votes for itself. It is refused as
//!   `not_persisted` until the campaign is durable.
//! - **A leader's messages** do not wait for the leader's own entries (raft-rs: `messages` of a
//!   leader's Ready). They do wait for the batch with which it became leader. Of several voters the
//!   term is durable before that anyway. A sole voter leads at once, and would lead the same term
//!   twice if its appends left and a crash took the term back.
//! - **The leader's own copy** of an entry counts once it is durable. A commit index may be ahead of
//!   it, by the others' copies. Nothing takes effect on the leader before it is durable there
//!   (`RaftLog::next_entries_since`: at most `persisted`).
//! - **A follower** takes its entries for persisted when it has written them, as `advance_append`
//!   does: nothing of it leaves before that is true. So may a leader that steps down.
//! - **Changes of a peer's identity or region** are synced at once: an admin entry that takes effect
//!   (TiKV `apply.rs` `should_sync_log`), an applied snapshot, a peer that is created or destroyed.
//!
//! A crash may therefore lose only what no reply has promised: a term that was learnt, a vote or
//! entries whose reply was lost, a leader's own entries, and a commit index that was written alone.
//! Left out: a disk that has synced and not reported it yet. A crash then leaves what it would leave
//! after [`persist`].

use rollcall_traces::{Durable, Peer, PeerState, Reason, RegionId, Role, StoreId};

use super::raft;
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::rules::peer::is_live;
use crate::unsound;

/// `Persist`: what the store wrote so far is durable.
pub(super) fn persist(cluster: &mut impl ClusterMut, store: StoreId) -> Result<(), Reason> {
    cluster.up(store)?;
    sync(cluster, store);
    Ok(())
}

/// Makes durable what the store wrote so far, and tells its leaders. What they write for that is
/// not durable.
pub(super) fn sync(cluster: &mut impl ClusterMut, store: StoreId) {
    let guards = cluster.guards();
    if !guards.persists_late() {
        return;
    }
    for region in cluster.regions_on(store).collect::<Vec<_>>() {
        if cluster.peer(store, region).is_some_and(is_live) {
            let peer = cluster.peer_mut(store, region);
            raft::apply_ordinary(peer, guards);
            peer.durable = Some(Box::new(durable(peer, guards)));
            count_own_copy(peer, guards);
        }
    }
}

/// The same until nothing is left to write.
pub(super) fn sync_all(cluster: &mut impl ClusterMut, store: StoreId) {
    // What a leader writes the first time tells it nothing the second time.
    sync(cluster, store);
    sync(cluster, store);
}

/// A reply of the store's peer leaves.
pub(super) fn before_reply(cluster: &mut impl ClusterMut, store: StoreId, region: RegionId) {
    let guards = cluster.guards();
    let is_early = cluster.peer(store, region).is_some_and(|peer| sends_early(peer, guards));
    if !is_early {
        sync(cluster, store);
    }
}

/// Whether a leader may send: the batch with which it became leader is durable.
pub(super) fn check_leads_durably(leading: &Peer, guards: GuardSet) -> Result<(), Reason> {
    if sends_early(leading, guards) { Ok(()) } else { Err(Reason::NotPersisted) }
}

fn sends_early(peer: &Peer, guards: GuardSet) -> bool {
    if peer.role != Role::Leader {
        return false;
    }
    if !guards.holds(Guard::LeadershipDurableFirst) {
        return unsound::sends_as_soon_as_it_leads();
    }
    let leads_since = |durable: &Durable| durable.term == peer.term && durable.log.last_term() == peer.term;
    peer.durable.as_deref().is_none_or(leads_since)
}

/// Whether a candidate may ask for votes: its campaign is durable.
pub(super) fn check_asks_durably(asking: &Peer) -> Result<(), Reason> {
    let asked = |durable: &Durable| (durable.term, durable.vote) == (asking.term, asking.vote);
    if asking.durable.as_deref().is_none_or(asked) { Ok(()) } else { Err(Reason::NotPersisted) }
}

/// The last own entry that a leader counts after appending up to `last`.
pub(super) fn own_copy(counted: u64, last: u64, guards: GuardSet) -> u64 {
    if guards.persists_late() && guards.holds(Guard::OwnCopyDurableFirst) { counted } else { last }
}

/// The last index that may take effect.
pub(crate) fn may_apply_to(peer: &Peer, guards: GuardSet) -> u64 {
    let leading = peer.leading.as_ref().filter(|_| guards.persists_late());
    leading.and_then(|leading| leading.matched.get(&peer.id)).map_or(peer.commit, |own| peer.commit.min(*own))
}

/// The leader's own copy is durable (raft-rs `on_persist_entries`).
fn count_own_copy(peer: &mut Peer, guards: GuardSet) {
    let (id, last) = (peer.id, peer.log.last_index());
    let Some(own) = peer.leading.as_mut().and_then(|leading| leading.matched.get_mut(&id)) else { return };
    if *own < last {
        *own = last;
        raft::leader_commit(peer, guards);
        raft::apply_ordinary(peer, guards);
    }
}

/// All of the peer as the disk has it once it is written.
fn durable(peer: &Peer, guards: GuardSet) -> Durable {
    let all = Durable::all_of(peer);
    if raft::is_commit_durable(guards) || !peer.is_initialized() {
        all
    } else {
        Durable { commit: unsound::synced_up_to_applied(peer).unwrap_or(peer.commit), ..all }
    }
}

/// At the end of a step, records which part of a written peer is durable.
pub(crate) fn settle(before: Option<&Peer>, after: &mut Peer, guards: GuardSet) {
    if after.state == PeerState::Tombstone {
        after.durable = None;
        return;
    }
    raft::apply_ordinary(after, guards);
    let known = match before {
        Some(before) if is_same_record(before, after) => {
            after.durable.take().map_or_else(|| durable(before, guards), |durable| *durable)
        }
        _ => durable(after, guards),
    };
    after.durable = (!known.is_all_of(after)).then(|| Box::new(known));
}

/// Whether what the peer is has not changed.
fn is_same_record(before: &Peer, after: &Peer) -> bool {
    let record = |peer: &Peer| (peer.id, peer.state, peer.replaces_tombstone, peer.log_since);
    record(before) == record(after)
        && before.region == after.region
        && before.merge == after.merge
        && before.created_by == after.created_by
}

/// A crash takes back what is not durable.
pub(super) fn lose(peer: &mut Peer) {
    let Some(durable) = peer.durable.take() else { return };
    let Durable { term, vote, log, commit, applied, data } = *durable;
    (peer.term, peer.vote, peer.log) = (term, vote, log);
    (peer.commit, peer.applied, peer.data) = (commit, applied, data);
}

/// What a crash has left is durable.
pub(super) fn left_by_crash(peer: &mut Peer, guards: GuardSet) {
    if guards.persists_late() {
        peer.durable = Some(Box::new(Durable::all_of(peer)));
    }
}
