//! What one step of a store asks its surroundings to do.
//!
//! A step changes the peers in memory at once, and returns what is to be written, what may be sent
//! at once, and what may be sent only once the writes are durable. Several steps may be unfinished.
//! A step reads only what its peers keep in memory (log, hard state, region, data), so it sees the
//! changes of earlier steps that are not written yet. The engine is read only when a store opens.
//!
//! Batches become durable in the order of their tickets. A step's outputs wait for its own batch
//! and so for all earlier ones. Therefore a follower may take its entries for persisted while they
//! are on the way to the disk: a crash loses nothing that has left the store. The exception is a
//! leader that sends early ([`Config::early_appends`]): it may count its own entry only once that
//! is durable, which raft-rs learns by [`Store::persisted`].
//!
//! [`Config::early_appends`]: crate::Config::early_appends
//! [`Store::persisted`]: crate::Store::persisted

use crate::proto::message::Message;
use crate::proto::region::{PeerId, RegionId};
use crate::storage::engine::Write;
use crate::store::input::Output;

/// A batch's number on its store, which rises. The first batch has ticket 1; ticket 0 needs no
/// write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// What one step asks its surroundings to do.
#[derive(Debug, Default)]
#[must_use = "what a step changed is neither written nor sent"]
pub struct Effects {
    /// To be written atomically.
    pub batch: Vec<Write>,
    /// To be written after it, separately. Empty except on a store without
    /// [`Guard::AtomicApply`](crate::Guard::AtomicApply) or another guard of the one batch.
    pub parted: Vec<Write>,
    /// Whether the batch must be synced. One that raises commit indexes alone may wait
    /// for the next ([`Config::unsynced_commits`](crate::Config::unsynced_commits)).
    pub sync: bool,
    /// May leave before anything is durable.
    pub messages: Vec<Message>,
    /// Messages, replies and requests that may leave once everything up to the ticket is durable.
    pub after_persist: Vec<Output>,
    /// The last batch that must be durable for that: this step's, if it has one to be synced.
    pub ticket: Ticket,
    /// Regions of which more became durable, even if nothing of them is written now.
    pub persisted: Vec<RegionId>,
}

impl Effects {
    /// Whether nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.messages.is_empty() && self.after_persist.is_empty()
    }

    /// The regions that were written to or became more durable. Their due work may have changed.
    pub fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        let written = self.batch.iter().chain(&self.parted).map(Write::region);
        written.chain(self.persisted.iter().copied())
    }
}

/// What is due for a region's peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The next committed admin entry may take effect ([`Input::Apply`](crate::Input::Apply)).
    pub apply: bool,
    /// A received snapshot waits ([`Input::ApplySnapshot`](crate::Input::ApplySnapshot)).
    pub apply_snapshot: bool,
    /// A client's read can be answered ([`Input::AnswerRead`](crate::Input::AnswerRead)).
    pub answer_read: bool,
    /// Enough was written that its size should be checked
    /// ([`Input::SplitCheck`](crate::Input::SplitCheck)).
    pub split_check: bool,
}

/// A Ready of a replica, which must learn when its batch is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandedOver {
    /// Its batch.
    pub(crate) ticket: u64,
    pub(crate) region: RegionId,
    pub(crate) peer: PeerId,
    /// The replica's own number for it.
    pub(crate) number: u64,
}
