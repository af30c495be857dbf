//! A peer's visible state, and a cheap mark of it.

use std::collections::{BTreeMap, BTreeSet};

use raft::StateRole;
use raft::eraftpb::Entry;

use crate::guard::Guards;
use crate::peer::Peer;
use crate::peer::size::Size;
use crate::peer::waiting::{PeerRecovery, StaleCheck};
use crate::proto::command::Payload;
use crate::proto::merge::MergeState;
use crate::proto::position::Position;
use crate::proto::region::{Epoch, Key, Member, PeerId, Region, RegionId, StoreId, Value};
use crate::proto::snapshot::SnapshotBody;
use crate::raft_rs::RaftRs;
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{Creator, PeerState};
use crate::store::{PeerEntry, Resident, Store};

/// A live peer's visible state.
pub struct PeerStatus<'a, R: Replica = RaftRs>(&'a Peer<R>);

/// A pending read.
#[derive(Clone, Debug)]
pub struct ReadStatus<'a> {
    /// The key; `None` for all values.
    pub key: Option<&'a Key>,
    /// The commit index that it took.
    pub index: u64,
    /// Who acknowledged it; empty once it is ready.
    pub acks: Vec<PeerId>,
    /// A quorum acknowledged it.
    pub ready: bool,
}

impl<R: Replica> Clone for PeerStatus<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Replica> Copy for PeerStatus<'_, R> {}

impl<'a, R: Replica> PeerStatus<'a, R> {
    /// Its id.
    pub fn id(&self) -> PeerId {
        self.0.id
    }

    /// Its state.
    pub fn state(&self) -> PeerState {
        self.0.storage().record.state
    }

    /// For an uninitialised peer: a tombstone stood in its place.
    pub fn replaces_tombstone(&self) -> bool {
        self.0.storage().record.replaces_tombstone
    }

    /// For an uninitialised peer: the sender of the message that created it.
    pub fn created_by(&self) -> Option<Creator> {
        self.0.storage().record.created_by
    }

    /// The members of a newer configuration, if a tombstone named them.
    pub fn stale_check(&self) -> Option<&'a StaleCheck> {
        self.0.stale_check.as_ref()
    }

    /// The peer as it names itself.
    pub fn member(&self) -> Member {
        self.0.myself()
    }

    /// Its role.
    pub fn role(&self) -> StateRole {
        self.0.node.role()
    }

    /// Its term.
    pub fn term(&self) -> u64 {
        self.0.node.term()
    }

    /// Its vote in its term; 0 for none.
    pub fn vote(&self) -> PeerId {
        self.0.node.vote()
    }

    /// The leader that it knows; 0 for none.
    pub fn leader(&self) -> PeerId {
        self.0.node.leader()
    }

    /// The last discarded entry.
    pub fn truncated(&self) -> Position {
        self.0.storage().log.truncated()
    }

    /// The entries of its log with their content.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&'a Entry, &'a Payload)> + use<'a, R> {
        self.0.storage().log.iter()
    }

    /// The index of the last entry.
    pub fn last_index(&self) -> u64 {
        self.0.storage().log.last_index()
    }

    /// The term of the entry at `index`, the last discarded one's included.
    pub fn log_term(&self, index: u64) -> Option<u64> {
        self.0.storage().log.term(index)
    }

    /// The last index known to be committed.
    pub fn commit(&self) -> u64 {
        self.0.storage().hard.commit
    }

    /// The last index that took effect.
    pub fn applied(&self) -> u64 {
        self.0.storage().applied
    }

    /// The region as of the applied index.
    pub fn region(&self) -> &'a Region {
        self.0.storage().region()
    }

    /// The pending merge, if its region is merging.
    pub fn merge(&self) -> Option<&'a MergeState> {
        self.0.merge_state()
    }

    /// The epoch since which it has applied its region's entries, if not from the first: only a
    /// change of epoch since then can be a reason to roll a merge back.
    pub fn log_since(&self) -> Option<Epoch> {
        self.0.storage().record.log_since
    }

    /// The data as of the applied index.
    pub fn data(&self) -> &'a BTreeMap<Key, Value> {
        &self.0.storage().data
    }

    /// The snapshot that waits to be applied.
    pub fn staged(&self) -> Option<(Position, &'a SnapshotBody)> {
        self.0.staged.as_ref().map(|staged| (staged.position, &staged.body))
    }

    /// A candidate's votes, as (voter, granted).
    pub fn votes(&self) -> impl Iterator<Item = (PeerId, bool)> + use<'a, R> {
        self.0.node.votes()
    }

    /// A candidate's commit index and that entry's term when it asked.
    pub fn asked_at(&self) -> Position {
        self.0.asked_at
    }

    /// Where a candidate's log ended when it campaigned. Only a merge adds entries after that.
    pub fn asked_with(&self) -> Position {
        self.0.asked_with
    }

    /// How far each member's log is known to match a leader's, as (member, index).
    pub fn matched(&self) -> impl Iterator<Item = (PeerId, u64)> + use<'a, R> {
        self.0.node.matched()
    }

    /// The commit index that each other member is known to have, as (member, index).
    pub fn committed(&self) -> impl Iterator<Item = (PeerId, u64)> + use<'a, R> {
        let own = self.0.id;
        self.0.node.known_commits().filter(move |(id, _)| *id != own)
    }

    /// Up to here a leader may have a pending conf change.
    pub fn pending_conf_index(&self) -> u64 {
        self.0.node.pending_conf_index()
    }

    /// For a forced leader or candidate: the failed stores.
    pub fn failed_stores(&self) -> &'a BTreeSet<StoreId> {
        &self.0.failed_stores
    }

    /// For a forced leader: its remaining work for its store's plan.
    pub fn recovery(&self) -> Option<&'a PeerRecovery> {
        self.0.recovery.as_ref()
    }

    /// The index of the last snapshot that a leader sent; 0 for none, or once every
    /// member has reached it.
    pub fn sent_snapshot(&self) -> u64 {
        self.0.sent_snapshot
    }

    /// The transferee of a leader.
    pub fn lead_transferee(&self) -> Option<PeerId> {
        self.0.node.lead_transferee()
    }

    /// The bytes of its keys and values at the last check.
    pub fn approximate_size(&self) -> Option<u64> {
        self.0.size.approximate
    }

    /// Roughly the bytes written since.
    pub fn size_delta(&self) -> u64 {
        self.0.size.delta
    }

    /// The pending read.
    pub fn read(&self) -> Option<ReadStatus<'a>> {
        let read = self.0.read.as_ref()?;
        let acks = match self.0.node.read_acks(&read.context) {
            Some(acks) if !read.ready => acks.collect(),
            _ => Vec::new(),
        };
        Some(ReadStatus { key: read.key.as_ref(), index: read.index, acks, ready: read.ready })
    }
}

/// A peer's or tombstone's visible state, small enough to compare. Two marks of one region on one
/// store are equal exactly if nothing that a [`PeerStatus`] shows has changed between them, and no
/// message for a peer of the region was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    resident: Option<(u64, bool)>,
    revision: u64,
    term: u64,
    role: u8,
    leader: PeerId,
    staged: Option<Position>,
    votes: usize,
    matched: u64,
    pending_conf_index: u64,
    sent_snapshot: u64,
    lead_transferee: Option<PeerId>,
    failed_stores: usize,
    /// The members of a demotion do not change while it runs, except that they become none.
    recovery: Option<Option<usize>>,
    read: Option<(u64, usize, bool)>,
    size: Size,
    pending_messages: usize,
    merged_elsewhere: bool,
    range_pending: bool,
    /// It only rises.
    stale_check: u64,
}

impl<G: Guards, R: Replica> Store<G, R> {
    /// The live peer of `region`.
    pub fn peer(&self, region: RegionId) -> Option<PeerStatus<'_, R>> {
        match &self.entries.get(&region)?.resident {
            Resident::Live(peer) => Some(PeerStatus(peer)),
            Resident::Tombstone { .. } => None,
        }
    }

    /// The target into which other stores have merged a live peer's region, if they said so, as the
    /// target was then. A crash forgets it.
    pub fn merged_elsewhere_into(&self, region: RegionId) -> Option<&Region> {
        self.ranges.merged_into(region)
    }

    /// The mark of the peer or tombstone of `region`.
    pub fn mark(&self, region: RegionId) -> Mark {
        // Pending messages leave only when a peer is created, which raises the generation. So their
        // number is enough.
        let pending_messages = self.pending_messages.count(region);
        let merged_elsewhere = self.ranges.merged_into(region).is_some();
        let range_pending = self.ranges.is_pending(region);
        match self.entries.get(&region) {
            None => Mark { pending_messages, range_pending, ..Mark::default() },
            Some(PeerEntry { generation, resident: Resident::Tombstone { .. } }) => Mark {
                resident: Some((*generation, false)),
                pending_messages,
                range_pending,
                ..Mark::default()
            },
            Some(PeerEntry { generation, resident: Resident::Live(peer) }) => {
                Mark { pending_messages, merged_elsewhere, range_pending, ..mark(*generation, peer) }
            }
        }
    }
}

fn mark<R: Replica>(generation: u64, peer: &Peer<R>) -> Mark {
    let node = &peer.node;
    let leads = peer.is_leader();
    let matched = if leads {
        // Within one leadership and configuration matched indexes only rise, so their sum and
        // number identify them; the revision identifies the configuration.
        node.matched().map(|(_, matched)| matched).sum()
    } else {
        0
    };
    let acks = |context: &[u8]| node.read_acks(context).map_or(0, |acks| acks.len());
    Mark {
        resident: Some((generation, true)),
        revision: peer.storage().revision,
        term: node.term(),
        role: node.role() as u8,
        leader: node.leader(),
        staged: peer.staged.as_ref().map(|staged| staged.position),
        votes: if leads { 0 } else { node.votes().len() },
        matched,
        pending_conf_index: node.pending_conf_index(),
        sent_snapshot: peer.sent_snapshot,
        lead_transferee: node.lead_transferee(),
        failed_stores: peer.failed_stores.len(),
        recovery: peer.recovery.as_ref().map(|recovery| match recovery {
            PeerRecovery::Demotes(failed) => Some(failed.len()),
            PeerRecovery::Failed => None,
        }),
        read: peer.read.as_ref().map(|read| (peer.reads_begun, acks(&read.context), read.ready)),
        size: peer.size,
        pending_messages: 0,
        merged_elsewhere: false,
        range_pending: false,
        stale_check: peer.stale_check.as_ref().map_or(0, |check| check.conf_ver),
    }
}
