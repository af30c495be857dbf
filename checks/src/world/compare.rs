//! Compares the implementation with an expected cluster without building a view. Every replayed
//! step needs this comparison.
//!
//! The result is yes or no. To see the differences, build both views.

use rollcall_impl as imp;
use rollcall_impl::{Guards, PeerStatus, Replica};
use rollcall_model::StateRef;
use rollcall_traces as tr;
use rollcall_traces::{Cluster, StoreId, View};

use super::{Node, World, convert};

/// A cluster with which a world is compared.
pub(crate) trait Expected: Cluster {
    /// An id of the store's whole visible state, if there is one. Two clusters that one world is
    /// compared with must give equal ids only to identical stores.
    fn store_number(&self, _: StoreId) -> Option<usize> {
        None
    }

    /// The same for the placement driver.
    fn pd_number(&self) -> Option<usize> {
        None
    }
}

impl Expected for View {}

impl Expected for StateRef<'_> {
    fn store_number(&self, store: StoreId) -> Option<usize> {
        self.store_number(store)
    }

    fn pd_number(&self) -> Option<usize> {
        Some(self.pd_number())
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    /// Whether every store, peer, range and held message, and the placement driver, equal those of
    /// `expected`. A component that was found equal and has not changed since is not compared again
    /// (`Expected::store_number`).
    pub(crate) fn shows(&self, expected: &impl Expected) -> bool {
        let mut stores = 0;
        for (id, status) in expected.stores() {
            stores += 1;
            let Some(node) = self.index_of(id).map(|at| &self.nodes[at]) else { return false };
            // The world holds the pending `TimeoutNow`, not the node.
            let may_hand_over = self.timeouts.iter().any(|kept| kept.from.store == id);
            let number = expected.store_number(id).filter(|_| !may_hand_over);
            if !node.found_to_show(number, |node| node.status == status && self.node_shows(node, expected)) {
                return false;
            }
        }
        stores == self.nodes.len()
            && self.held == expected.held()
            && self.pd.found_to_show(expected.pd_number(), |pd| pd.shown() == expected.pd())
    }

    fn node_shows(&self, node: &Node<G, R>, expected: &impl Cluster) -> bool {
        let Some(store) = &node.store else {
            return expected.regions().all(|region| expected.peer(node.id, region).is_none());
        };
        let mut peers = 0;
        for region in expected.regions() {
            let Some(peer) = expected.peer(node.id, region) else { continue };
            peers += 1;
            let same = match (store.peer(region), store.tombstone(region)) {
                (Some(status), _) => {
                    same_optional(store.merged_elsewhere_into(region), peer.merged_into.as_ref())
                        && self.synced_commit(store, region) == peer.synced_commit
                        && self.same_durable(store, region, peer)
                        && self.same_commits(status, peer.leading.as_ref())
                        && same_peer(status, peer, self.timeout_now(region, node.id).is_some())
                }
                (None, Some(tombstone)) => same_tombstone(tombstone, peer),
                (None, None) => false,
            };
            if !same {
                return false;
            }
        }
        peers == store.regions().count()
            && same_ranges(store.ranges(), expected.ranges(node.id))
            && same_ranges(store.pending_ranges(), expected.pending_ranges(node.id))
            && same_pending_messages(store.pending_messages(), expected.pending_messages(node.id))
            && store.recovery_plan().map(convert::recovery::under_way) == expected.recovery_plan(node.id)
    }

    fn same_commits(&self, status: PeerStatus<'_, R>, theirs: Option<&tr::Leading>) -> bool {
        let Some(leading) = theirs else { return true };
        if !self.reports_commits() {
            return leading.committed.is_empty();
        }
        status.committed().count() == leading.committed.len()
            && status.committed().all(|(id, index)| leading.committed.get(&id) == Some(&index))
    }
}

/// Whether the ranges equal the expected ones, in the same order.
fn same_ranges<'a>(
    mut ours: impl Iterator<Item = imp::RangeEntry<'a>>,
    expected: impl Iterator<Item = tr::RangeEntry>,
) -> bool {
    for entry in expected {
        let same = ours.next().is_some_and(|own| {
            own.region == entry.region
                && **own.start == *entry.start.as_bytes()
                && **own.end == *entry.end.as_bytes()
        });
        if !same {
            return false;
        }
    }
    ours.next().is_none()
}

fn same_pending_messages(ours: &[imp::Message], theirs: &[tr::Held]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(message, held)| convert::held(message) == *held)
}

fn same_tombstone(tombstone: imp::Tombstone<'_>, peer: &tr::Peer) -> bool {
    peer.state == tr::PeerState::Tombstone
        && tombstone.id == peer.id
        && tombstone.applied == peer.applied
        && same_region(tombstone.region, &peer.region)
        && same_optional(tombstone.merged_into, peer.merged_into.as_ref())
        && tombstone.log_since.map(convert::epoch) == peer.log_since
        && (&peer.merge, peer.synced_commit, &peer.durable) == (&None, None, &None)
        && (peer.created_by, &peer.stale_check) == (None, &None)
        && peer.role == tr::Role::Follower
        && (peer.term, peer.vote, peer.leader, peer.commit) == (0, 0, 0, 0)
        && peer.log == tr::Log::default()
        && peer.snapshot.is_none()
        && peer.campaign.is_none()
        && peer.leading.is_none()
        && peer.recovery.is_none()
        && peer.read.is_none()
        && peer.data.is_empty()
}

fn same_peer<R: Replica>(status: PeerStatus<'_, R>, peer: &tr::Peer, timeout_now: bool) -> bool {
    status.id() == peer.id
        && status.term() == peer.term
        && status.vote() == peer.vote
        && status.leader() == peer.leader
        && status.commit() == peer.commit
        && status.applied() == peer.applied
        && convert::state(status.state()) == peer.state
        && status.replaces_tombstone() == peer.replaces_tombstone
        && status.created_by().map(convert::creator) == peer.created_by
        && status.stale_check().map(convert::stale_check) == peer.stale_check
        && convert::role(status.role()) == peer.role
        && same_log(status, &peer.log)
        && same_region(status.region(), &peer.region)
        && same_merge(status.merge(), peer.merge.as_ref())
        && status.log_since().map(convert::epoch) == peer.log_since
        && same_data(status.data(), &peer.data)
        && same_snapshot(status.staged(), peer.snapshot.as_ref())
        && same_campaign(status, peer.campaign.as_ref())
        && same_leading(status, peer.leading.as_ref(), timeout_now)
        && *status.failed_stores() == peer.failed_stores
        && same_recovery(status.recovery(), peer.recovery.as_ref())
        && same_read(status, peer.read.as_ref())
}

fn same_log<R: Replica>(status: PeerStatus<'_, R>, log: &tr::Log) -> bool {
    convert::position(status.truncated()) == log.truncated
        && status.entries().len() == log.entries.len()
        && status
            .entries()
            .zip(&log.entries)
            .all(|((raft, payload), entry)| raft.term == entry.term && same_payload(payload, entry))
}

fn same_payload(payload: &imp::Payload, entry: &tr::Entry) -> bool {
    match (payload.request(), &entry.command) {
        (None, None) => entry.epoch == tr::Epoch::default(),
        (Some(request), Some(command)) => {
            convert::epoch(request.epoch) == entry.epoch && same_command(&request.command, command)
        }
        _ => false,
    }
}

fn same_command(ours: &imp::Command, theirs: &tr::Command) -> bool {
    match (ours, theirs) {
        (imp::Command::Put { key, value }, tr::Command::Put { key: at, value: put }) => {
            **key == *at.as_bytes() && **value == *put.as_bytes()
        }
        (imp::Command::Delete { key }, tr::Command::Delete { key: at }) => **key == *at.as_bytes(),
        (imp::Command::Split { children: ours, derive }, tr::Command::Split { children, derive: theirs }) => {
            convert::derive(*derive) == *theirs
                && ours.iter().map(convert::child).eq(children.iter().cloned())
        }
        (imp::Command::ChangePeer(ours), tr::Command::ChangePeer(theirs)) => convert::change(ours) == *theirs,
        (imp::Command::EnterJoint(ours), tr::Command::EnterJoint { changes }) => {
            ours.iter().map(convert::change).eq(changes.iter().copied())
        }
        (imp::Command::LeaveJoint, tr::Command::LeaveJoint) => true,
        (imp::Command::CompactLog { index: ours }, tr::Command::CompactLog { index }) => ours == index,
        (
            imp::Command::PrepareMerge(_) | imp::Command::CommitMerge(_) | imp::Command::RollbackMerge { .. },
            theirs,
        ) => convert::command(ours) == *theirs,
        _ => false,
    }
}

fn same_optional(ours: Option<&imp::Region>, theirs: Option<&tr::Region>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => same_region(ours, theirs),
        _ => false,
    }
}

fn same_merge(ours: Option<&imp::MergeState>, theirs: Option<&tr::MergeState>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            (ours.min_index, ours.commit) == (theirs.min_index, theirs.commit)
                && same_region(&ours.target, &theirs.target)
        }
        _ => false,
    }
}

fn same_region(ours: &imp::Region, theirs: &tr::Region) -> bool {
    ours.id == theirs.id
        && convert::epoch(ours.epoch) == theirs.epoch
        && *ours.start == *theirs.start.as_bytes()
        && *ours.end == *theirs.end.as_bytes()
        && ours.peers.iter().map(convert::member).eq(theirs.peers.iter().copied())
}

type Data<K> = std::collections::BTreeMap<K, K>;

fn same_data(ours: &Data<imp::Key>, theirs: &Data<tr::Key>) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|((key, value), (at, put))| **key == *at.as_bytes() && **value == *put.as_bytes())
}

fn same_snapshot(ours: Option<(imp::Position, &imp::SnapshotBody)>, theirs: Option<&tr::Snapshot>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some((position, body)), Some(snapshot)) => {
            convert::position(position) == snapshot.position
                && same_region(&body.region, &snapshot.region)
                && same_data(&body.data, &snapshot.data)
        }
        _ => false,
    }
}

fn same_campaign<R: Replica>(status: PeerStatus<'_, R>, theirs: Option<&tr::Campaign>) -> bool {
    let Some(campaign) = theirs else { return convert::role(status.role()) != tr::Role::Candidate };
    convert::position(status.asked_at()) == campaign.commit
        && convert::asked_with(status) == campaign.last
        && status.votes().count() == campaign.granted.len() + campaign.rejected.len()
        && status.votes().all(|(id, granted)| {
            if granted { campaign.granted.contains(&id) } else { campaign.rejected.contains(&id) }
        })
}

fn same_leading<R: Replica>(
    status: PeerStatus<'_, R>,
    theirs: Option<&tr::Leading>,
    timeout_now: bool,
) -> bool {
    let Some(leading) = theirs else { return convert::role(status.role()) != tr::Role::Leader };
    let transfer = status.lead_transferee().map(|to| tr::Transfer { to, timeout_now });
    status.pending_conf_index() == leading.pending_conf_index
        && status.sent_snapshot() == leading.sent_snapshot
        && transfer == leading.transfer
        && status.matched().count() == leading.matched.len()
        && status.matched().all(|(id, index)| leading.matched.get(&id) == Some(&index))
}

fn same_recovery(ours: Option<&imp::PeerRecovery>, theirs: Option<&tr::PeerRecovery>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => convert::recovery::peer_recovery(ours) == *theirs,
        _ => false,
    }
}

fn same_read<R: Replica>(status: PeerStatus<'_, R>, theirs: Option<&tr::Read>) -> bool {
    match (status.read(), theirs) {
        (None, None) => true,
        (Some(ours), Some(read)) => {
            ours.key.is_some_and(|key| **key == *read.key.as_bytes())
                && ours.index == read.index
                && ours.ready == read.ready
                && ours.acks.len() == read.acks.len()
                && ours.acks.iter().all(|id| read.acks.contains(id))
        }
        _ => false,
    }
}
