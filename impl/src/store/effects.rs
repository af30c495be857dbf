//! What one step of a store asks of its surroundings.
//!
//! A step changes the peers in memory at once and the disk not at all: it says what is to be
//! written, what may leave at once, and what may leave only once that is durable. Several
//! steps may be under way. All that a step reads its peers keep in memory (log, hard state,
//! region, data), so it sees what an earlier step has changed and nobody has written yet; the
//! engine is read when a store opens and at no other time, and nothing has to be laid over it.
//!
//! Batches become durable in the order of their tickets. What a step lets out waits for its
//! own batch and so for all before it. That makes it sound that a follower takes its entries for
//! persisted while they are on their way to the disk: a crash takes back nothing that anybody
//! learned. A leader that sends early is the exception ([`Config::early_appends`]): it may
//! count an entry of its own only once that is durable, and raft-rs learns so by
//! [`Store::persisted`].
//!
//! [`Config::early_appends`]: crate::Config::early_appends
//! [`Store::persisted`]: crate::Store::persisted

use crate::proto::message::Message;
use crate::proto::region::{PeerId, RegionId};
use crate::storage::engine::Write;
use crate::store::input::Output;

/// Which batch of a store: later ones are greater. The first has ticket 1; nothing has to be
/// written for ticket 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// What one step asks of its surroundings.
#[derive(Debug, Default)]
#[must_use = "what a step changed is neither written nor sent"]
pub struct Effects {
    /// To be written as one.
    pub batch: Vec<Write>,
    /// To be written behind it, as another. Empty, but for a store that lacks
    /// [`Guard::AtomicApply`](crate::Guard::AtomicApply).
    pub parted: Vec<Write>,
    /// Whether the batch must be synced. One that raises commit indexes alone may wait
    /// for the next ([`Config::unsynced_commits`](crate::Config::unsynced_commits)).
    pub sync: bool,
    /// May leave before anything is durable.
    pub messages: Vec<Message>,
    /// Messages, answers and requests that may leave once everything up to the ticket is
    /// durable.
    pub after_persist: Vec<Output>,
    /// The last batch that has to be durable for that: this step's, if it has one to be synced.
    pub ticket: Ticket,
    /// Regions of which more is durable than before, though nothing of them may be written now.
    pub persisted: Vec<RegionId>,
}

impl Effects {
    /// Whether nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.messages.is_empty() && self.after_persist.is_empty()
    }

    /// The regions of which something is written or durable now: what is due for them may have
    /// changed.
    pub fn regions(&self) -> impl Iterator<Item = RegionId> + '_ {
        let written = self.batch.iter().chain(&self.parted).map(Write::region);
        written.chain(self.persisted.iter().copied())
    }
}

/// What a region's peer is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The next committed admin entry may take effect ([`Input::Apply`](crate::Input::Apply)).
    pub apply: bool,
    /// A received snapshot waits ([`Input::ApplySnapshot`](crate::Input::ApplySnapshot)).
    pub apply_snapshot: bool,
    /// So much was written that its size should be looked at
    /// ([`Input::SplitCheck`](crate::Input::SplitCheck)).
    pub split_check: bool,
}

/// What a replica has handed over; it must learn when the batch is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandedOver {
    /// With which batch.
    pub(crate) ticket: u64,
    pub(crate) region: RegionId,
    pub(crate) peer: PeerId,
    /// The replica's own number for it.
    pub(crate) number: u64,
}
