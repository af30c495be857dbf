//! The seam between a peer and the raft library below it.
//!
//! A store keeps epochs, tombstones, ranges, proposals and data; what votes,
//! replicates and commits is a [`Replica`]. Every name that a peer uses of its raft
//! library is in this trait, so another library, or a program in another
//! language, takes the place of raft-rs by implementing it. [`RaftRs`] is the
//! default and the first one; a [`Store`] is generic over it, so nothing is decided
//! at run time.
//!
//! A few guards are dropped by undoing a rule inside the library, a merge appends
//! entries behind its back to a source that lags, and a forced leader counts votes that
//! nobody gave. All of that is in [`Innards`], and a replica without them has none of it: a
//! store does not open without such a guard ([`Guard::needs_innards`]), a source that lags
//! is waited for ([`Refusal::WaitsForSource`]), and recovery by force ends the step with
//! [`ReplicaError::NoInnards`].
//!
//! A message is raft's `eraftpb::Message`, because stores read and address it. What
//! belongs to the library alone may travel in its unknown fields: nobody here looks
//! at them, and they come back as they were.
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
    /// A snapshot was received. Until [`Replica::take_snapshot`] the replica takes
    /// nothing else in, and the rest of this is empty.
    pub snapshot: Option<Position>,
    /// Entries that the replica has appended to its storage already.
    pub entries: Vec<Entry>,
    /// The contexts of the reads that a quorum has acknowledged.
    pub reads: Vec<Vec<u8>>,
    /// What need not wait for the rest to be persisted: only a replica whose
    /// [`handed_over`](Replica::handed_over) counts has any.
    pub early: Vec<Message>,
    /// What is to be sent once the rest is persisted.
    pub messages: Vec<Message>,
}

/// How much one append carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendLimit {
    /// One entry, if there is one.
    One,
    /// All there are.
    All,
}

/// One replica of one region's log, as a peer sees its raft library.
///
/// Nothing takes effect by itself: the replica says what is committed, the peer applies
/// it and says so by [`applied_to`](Replica::applied_to) and
/// [`apply_change`](Replica::apply_change).
///
/// A replica that finds itself broken unwinds, as raft-rs does, and what drives it
/// reports the step. An error is the library's own message.
pub trait Replica: Clone {
    /// What makes the replicas of one store: a connection, or nothing.
    type Maker: Clone;

    /// Whether [`innards`](Replica::innards) are there.
    const HAS_INNARDS: bool;

    /// What the implementation is called where it differs from the model.
    fn name(_: &Self::Maker) -> Cow<'static, str> {
        Cow::Borrowed("impl")
    }

    /// Whether a replica can be copied as it runs.
    fn can_be_copied(_: &Self::Maker) -> bool {
        true
    }

    /// A follower on what was persisted.
    ///
    /// # Errors
    /// Where the library does not take what is in the storage.
    fn open(
        maker: &Self::Maker,
        config: &Config,
        id: PeerId,
        storage: PeerStorage,
    ) -> Result<Self, ReplicaError>;

    /// What is persisted.
    fn storage(&self) -> &PeerStorage;

    /// The same, for the peer to apply entries to.
    fn storage_mut(&mut self) -> &mut PeerStorage;

    /// Its term.
    fn term(&self) -> u64;

    /// Whom it voted for in its term; 0 for nobody.
    fn vote(&self) -> PeerId;

    /// What it is in its term.
    fn role(&self) -> StateRole;

    /// Whom it takes for the leader; 0 for nobody.
    fn leader(&self) -> PeerId;

    /// The last entry that it knows to be committed.
    fn commit(&self) -> Position;

    /// The last entry of its log.
    fn log_end(&self) -> Position;

    /// Whether it is a voter of its configuration and may campaign.
    fn is_promotable(&self) -> bool;

    /// To whom it hands over.
    fn lead_transferee(&self) -> Option<PeerId>;

    /// Up to here a leader may have a conf change under way.
    fn pending_conf_index(&self) -> u64;

    /// The votes that a candidate has, as (voter, granted).
    fn votes(&self) -> impl ExactSizeIterator<Item = (PeerId, bool)>;

    /// How far each member's log is known to match, as (member, index).
    fn matched(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)>;

    /// How far that member's log is known to match; `None` of who is no member of
    /// the configuration in force.
    fn matched_by(&self, id: PeerId) -> Option<u64>;

    /// The commit index that each member is known to have, as (member, index). Only
    /// merges ask.
    fn known_commits(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)>;

    /// The commit indexes of the other replicas are forgotten.
    fn forget_known_commits(&mut self);

    /// Who has acknowledged the read of that context; `None` once it is answered or lost.
    fn read_acks(&self, context: &[u8]) -> Option<impl ExactSizeIterator<Item = PeerId>>;

    /// Whether an entry of its own term is committed. Only then may a leader answer reads.
    fn has_committed_in_term(&self) -> bool {
        self.term_of(self.commit().index) == Some(self.term())
    }

    /// Whether it has applied up to an entry of its own term.
    fn has_applied_in_term(&self) -> bool {
        self.term_of(self.storage().applied()) == Some(self.term())
    }

    /// The term of the entry at `index` of what is persisted.
    fn term_of(&self, index: u64) -> Option<u64> {
        self.storage().term_of(index)
    }

    /// One tick of the clock.
    fn tick(&mut self);

    /// Its election timeout, as was drawn for its term and role.
    fn set_election_tick(&mut self, _ticks: usize) {}

    /// Asks for votes. A committed conf change that is not applied keeps it from that,
    /// without an error.
    ///
    /// # Errors
    /// Where the replica is broken.
    fn campaign(&mut self) -> Result<(), ReplicaError>;

    /// Takes a message.
    ///
    /// # Errors
    /// Where the replica is broken.
    fn step(&mut self, message: Message) -> Result<(), ReplicaError>;

    /// A leader appends `data`.
    ///
    /// # Errors
    /// Where it is dropped: what a library refuses was checked before.
    fn propose(&mut self, data: Vec<u8>) -> Result<(), ReplicaError>;

    /// A leader appends a conf change, with `data` as its context.
    ///
    /// # Errors
    /// As [`propose`](Replica::propose).
    fn propose_change(&mut self, data: Vec<u8>, change: RaftChange) -> Result<(), ReplicaError>;

    /// A committed conf change takes effect.
    ///
    /// # Errors
    /// Where it does not fit the configuration.
    fn apply_change(&mut self, change: &RaftChange) -> Result<(), ReplicaError>;

    /// Entries up to `index` took effect.
    fn applied_to(&mut self, index: u64);

    /// The storage has discarded entries up to `index`.
    fn compacted_to(&mut self, index: u64);

    /// The snapshot that waited is in the storage; what is to be sent for it.
    fn take_snapshot(&mut self) -> Vec<Message>;

    /// A leader hands over to `to`.
    fn transfer_leader(&mut self, to: PeerId);

    /// A leader asks whether it still leads.
    fn read_index(&mut self, context: Vec<u8>);

    /// The read of that context is asked for no more.
    fn forget_read(&mut self, context: &[u8]);

    /// Becomes a follower of nobody in `term`.
    fn follow(&mut self, term: u64);

    /// What became of a snapshot that was sent.
    fn snapshot_sent(&mut self, to: PeerId, arrived: bool);

    /// Simulator only: takes the log of `to` for known up to before `next`, and sends
    /// what comes next.
    fn probe(&mut self, to: PeerId, next: u64, limit: AppendLimit);

    /// Simulator only: sends heartbeats that know the log of `to` for whole.
    fn beat(&mut self, to: PeerId);

    /// What is to be persisted and sent, if anything is. `Some` until all was handed over.
    fn next_ready(&mut self) -> Option<Ready>;

    /// The number of the last [`Ready`] whose persistence it waits for.
    ///
    /// 0 for a replica that takes for persisted whatever it hands over. That is sound
    /// because nothing leaves before it is, and needs no more than this default.
    fn handed_over(&self) -> u64 {
        0
    }

    /// All that was handed over up to that number is persisted.
    fn persisted(&mut self, _number: u64) {}

    /// How far the log may take effect, if it is committed.
    fn persisted_index(&self) -> u64 {
        u64::MAX
    }

    /// The library's inside, where it can be reached into.
    fn innards(&mut self) -> Option<&mut dyn Innards>;
}

/// What no library offers: rules undone from outside, entries appended behind its back.
pub trait Innards {
    /// Says to whom it hands over.
    fn set_lead_transferee(&mut self, to: Option<PeerId>);

    /// Forgets whom it voted for.
    fn forget_vote(&mut self);

    /// Forgets that a conf change may be under way.
    fn forget_pending_change(&mut self);

    /// Campaigns whatever waits to be applied.
    fn campaign_unapplied(&mut self, transfer: bool);

    /// Commits what a quorum has, of whatever term.
    fn commit_any_term(&mut self);

    /// Commits what all of `left` have, if its last entry is of the own term.
    fn commit_by_force(&mut self, left: &[PeerId]);

    /// Whether `ids` are a quorum of the configuration in force.
    fn has_quorum(&self, ids: &[PeerId]) -> bool;

    /// Takes a vote of `from` that was not given.
    ///
    /// # Errors
    /// Where raft refuses it.
    fn make_up_vote(&mut self, from: PeerId) -> Result<(), ReplicaError>;

    /// Puts back entries behind one that conflicted, if they were cut off.
    fn keep_behind(&mut self, behind: &[Entry]);

    /// Appends entries that came by another way, and commits up to `commit`; whether
    /// the log has all that then.
    fn append_carried(&mut self, entries: &[Entry], commit: u64) -> bool;

    /// Counts over all voters of `target`, as if it were not joint.
    ///
    /// # Errors
    /// Where raft refuses a change on the way.
    fn take_union(&mut self, target: &ConfState) -> Result<(), ReplicaError>;

    /// Begins afresh on its own storage, as a restart would, with nothing in it
    /// for a while.
    ///
    /// # Errors
    /// Where raft does not take what is in the storage.
    fn begin_again(&mut self) -> Result<(), ReplicaError>;
}
