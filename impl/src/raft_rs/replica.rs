//! The trait between a peer and the raft library below it.
//!
//! A store keeps epochs, tombstones, ranges, proposals and data. A [`Replica`] votes, replicates
//! and commits. This trait has everything that a peer uses of its raft library, so another
//! library, or a program in another language, replaces raft-rs by implementing it. [`RaftRs`] is
//! the default. A [`Store`] is generic over the replica, so nothing is decided at run time.
//!
//! Three things need access to the library's internals ([`Innards`]): dropping some guards,
//! appending entries of a merge to a lagging source, and counting votes that were not granted for
//! a forced leader. A store on a replica without [`Innards`] does not open without such a guard
//! ([`Guard::needs_innards`]), waits for a lagging source ([`Refusal::WaitsForSource`]), and ends
//! a step of unsafe recovery with [`ReplicaError::NoInnards`].
//!
//! A message is raft's `eraftpb::Message`, because stores read and address it. Data that only the
//! library needs may travel in its unknown fields. Nothing here reads these, and they are kept.
//!
//! [`RaftRs`]: crate::RaftRs
//! [`Refusal::WaitsForSource`]: crate::Refusal::WaitsForSource
//! [`Store`]: crate::Store
//! [`Guard::needs_innards`]: crate::Guard::needs_innards

use std::borrow::Cow;

use raft::StateRole;
use raft::eraftpb::{ConfState, Entry, Message};

use crate::config::Config;
use crate::error::ReplicaError;
use crate::proto::command::RaftChange;
use crate::proto::position::Position;
use crate::proto::region::PeerId;
use crate::raft_rs::raft_storage::PeerStorage;

/// What a replica hands over to be persisted and sent (raft-rs `Ready`).
#[derive(Debug, Default)]
pub struct Ready {
    /// A received snapshot. Until [`Replica::take_snapshot`] the replica takes no other input, and
    /// the other fields are empty.
    pub snapshot: Option<Position>,
    /// New entries. The replica has appended them to its storage already.
    pub entries: Vec<Entry>,
    /// The contexts of the reads that a quorum has confirmed.
    pub reads: Vec<Vec<u8>>,
    /// Messages that may be sent before the rest is persisted. Only a replica that implements
    /// [`handed_over`](Replica::handed_over) has any.
    pub early: Vec<Message>,
    /// Messages to send once the rest is persisted.
    pub messages: Vec<Message>,
}

/// How many entries one append carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendLimit {
    /// One entry, if there is one.
    One,
    /// All entries.
    All,
}

/// One replica of one region's log: what a peer uses of its raft library.
///
/// A replica applies nothing by itself. It says what is committed; the peer applies it and calls
/// [`applied_to`](Replica::applied_to) and [`apply_change`](Replica::apply_change).
///
/// A replica that finds an error in itself panics, as raft-rs does, and the caller reports the
/// step. Errors have the library's own message.
pub trait Replica: Clone {
    /// Makes the replicas of one store: a connection, or `()`.
    type Maker: Clone;

    /// Whether [`innards`](Replica::innards) returns something.
    const HAS_INNARDS: bool;

    /// The implementation's name in a divergence.
    fn name(_: &Self::Maker) -> Cow<'static, str> {
        Cow::Borrowed("impl")
    }

    /// Whether a running replica can be cloned.
    fn can_be_copied(_: &Self::Maker) -> bool {
        true
    }

    /// Opens a follower on its persisted state.
    ///
    /// # Errors
    /// If the library does not accept the storage.
    fn open(
        maker: &Self::Maker,
        config: &Config,
        id: PeerId,
        storage: PeerStorage,
    ) -> Result<Self, ReplicaError>;

    /// The persisted state.
    fn storage(&self) -> &PeerStorage;

    /// The persisted state, for the peer to apply entries to.
    fn storage_mut(&mut self) -> &mut PeerStorage;

    /// Its term.
    fn term(&self) -> u64;

    /// The peer that it voted for in its term; 0 for none.
    fn vote(&self) -> PeerId;

    /// Its role.
    fn role(&self) -> StateRole;

    /// The leader that it knows; 0 for none.
    fn leader(&self) -> PeerId;

    /// The last entry that it knows to be committed.
    fn commit(&self) -> Position;

    /// The last entry of its log.
    fn log_end(&self) -> Position;

    /// Whether it is a voter of its configuration and may campaign.
    fn is_promotable(&self) -> bool;

    /// The transferee of a leader.
    fn lead_transferee(&self) -> Option<PeerId>;

    /// A leader may have a pending conf change up to this index.
    fn pending_conf_index(&self) -> u64;

    /// The votes that a candidate has, as (voter, granted).
    fn votes(&self) -> impl ExactSizeIterator<Item = (PeerId, bool)>;

    /// The matched index of each member, as (member, index).
    fn matched(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)>;

    /// The matched index of a member; `None` if it is not in the current configuration.
    fn matched_by(&self, id: PeerId) -> Option<u64>;

    /// The commit index that each member is known to have, as (member, index). Only merges use it.
    fn known_commits(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)>;

    /// Forgets the commit indexes of the other replicas.
    fn forget_known_commits(&mut self);

    /// The members that have confirmed the read with this context; `None` once it is answered or
    /// lost.
    fn read_acks(&self, context: &[u8]) -> Option<impl ExactSizeIterator<Item = PeerId>>;

    /// Whether an entry of its own term is committed. A leader may serve reads only then.
    fn has_committed_in_term(&self) -> bool {
        self.term_of(self.commit().index) == Some(self.term())
    }

    /// Whether it has applied an entry of its own term.
    fn has_applied_in_term(&self) -> bool {
        self.term_of(self.storage().applied()) == Some(self.term())
    }

    /// The term of the persisted entry at `index`.
    fn term_of(&self, index: u64) -> Option<u64> {
        self.storage().term_of(index)
    }

    /// One tick of the clock.
    fn tick(&mut self);

    /// Sets its election timeout in ticks for the present term and role.
    fn set_election_tick(&mut self, _ticks: usize) {}

    /// Campaigns. Does nothing, without an error, if a committed conf change is not applied.
    ///
    /// # Errors
    /// If the replica is broken.
    fn campaign(&mut self) -> Result<(), ReplicaError>;

    /// Takes a message.
    ///
    /// # Errors
    /// If the replica is broken.
    fn step(&mut self, message: Message) -> Result<(), ReplicaError>;

    /// Appends `data` as the leader.
    ///
    /// # Errors
    /// If the library drops it. The caller has checked its known reasons.
    fn propose(&mut self, data: Vec<u8>) -> Result<(), ReplicaError>;

    /// Appends a conf change as the leader, with `data` as its context.
    ///
    /// # Errors
    /// As [`propose`](Replica::propose).
    fn propose_change(&mut self, data: Vec<u8>, change: RaftChange) -> Result<(), ReplicaError>;

    /// Applies a committed conf change.
    ///
    /// # Errors
    /// If it does not fit the configuration.
    fn apply_change(&mut self, change: &RaftChange) -> Result<(), ReplicaError>;

    /// Entries up to `index` are applied.
    fn applied_to(&mut self, index: u64);

    /// The storage is truncated up to `index`.
    fn compacted_to(&mut self, index: u64);

    /// The pending snapshot is in the storage. Returns the messages to send.
    fn take_snapshot(&mut self) -> Vec<Message>;

    /// Transfers leadership to `to`.
    fn transfer_leader(&mut self, to: PeerId);

    /// Starts a ReadIndex request.
    fn read_index(&mut self, context: Vec<u8>);

    /// Drops the read with this context.
    fn forget_read(&mut self, context: &[u8]);

    /// Becomes a follower without a leader in `term`.
    fn follow(&mut self, term: u64);

    /// Reports whether a sent snapshot arrived.
    fn snapshot_sent(&mut self, to: PeerId, arrived: bool);

    /// Simulator only: sets the progress of `to` to match before `next`, and sends what follows.
    fn probe(&mut self, to: PeerId, next: u64, limit: AppendLimit);

    /// Simulator only: sends heartbeats, with the progress of `to` at the log's end.
    fn beat(&mut self, to: PeerId);

    /// What must be persisted and sent. The caller repeats this until it returns `None`.
    fn next_ready(&mut self) -> Option<Ready>;

    /// The number of the last [`Ready`] whose persistence it waits for.
    ///
    /// The default, 0, is for a replica that treats everything as persisted once it is handed over.
    /// That is sound because nothing is sent before it is persisted.
    fn handed_over(&self) -> u64 {
        0
    }

    /// Everything handed over up to that number is persisted.
    fn persisted(&mut self, _number: u64) {}

    /// The last index that may be applied if it is committed.
    fn persisted_index(&self) -> u64 {
        u64::MAX
    }

    /// Access to the library's internals, if it gives any.
    fn innards(&mut self) -> Option<&mut dyn Innards>;
}

/// What no library offers: rules undone from outside, and entries appended outside of the protocol.
pub trait Innards {
    /// Sets the transferee without a transfer.
    fn set_lead_transferee(&mut self, to: Option<PeerId>);

    /// Forgets its vote.
    fn forget_vote(&mut self);

    /// Forgets that a conf change may be pending.
    fn forget_pending_change(&mut self);

    /// Campaigns even if a conf change is not applied.
    fn campaign_unapplied(&mut self, transfer: bool);

    /// Commits what a quorum has, in any term.
    fn commit_any_term(&mut self);

    /// Commits what all of `left` have, if its last entry is of the leader's own term.
    fn commit_by_force(&mut self, left: &[PeerId]);

    /// Whether `ids` are a quorum of the current configuration.
    fn has_quorum(&self, ids: &[PeerId]) -> bool;

    /// Counts a vote of `from` that was not granted.
    ///
    /// # Errors
    /// If raft returns one.
    fn make_up_vote(&mut self, from: PeerId) -> Result<(), ReplicaError>;

    /// Puts back entries after a conflicting one, if they were cut off.
    fn keep_behind(&mut self, behind: &[Entry]);

    /// Appends entries that did not come from a leader and commits up to `commit`; returns whether
    /// the log then has all of them.
    fn append_carried(&mut self, entries: &[Entry], commit: u64) -> bool;

    /// Counts over all voters of `target` as one simple configuration.
    ///
    /// # Errors
    /// If raft refuses a change.
    fn take_union(&mut self, target: &ConfState) -> Result<(), ReplicaError>;

    /// Starts again on its own storage, as after a restart. Its volatile state is empty then.
    ///
    /// # Errors
    /// If raft does not accept the storage.
    fn begin_again(&mut self) -> Result<(), ReplicaError>;
}
