//! First messages for a peer that a split will create.
//!
//! Another store applied the split before this one, and its child already requests votes. Creating
//! the peer from that message would take a range that still belongs to the parent here. So the
//! message waits, one for each receiver, and is delivered when the split creates that peer. Follows
//! `TiKV store meta pending_msgs`, TinyKV's `pendingVotes`. A crash forgets the messages, and the
//! sender sends again.

use crate::proto::message::Message;
use crate::proto::region::{PeerId, RegionId};

/// The messages that wait on one store.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingMessages {
    messages: Vec<Message>,
}

impl PendingMessages {
    /// All messages, oldest first.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Whether one waits for that peer.
    pub(crate) fn waits_for(&self, region: RegionId, peer: PeerId) -> bool {
        self.messages.iter().any(|kept| kept.region == region && kept.to.id == peer)
    }

    /// How many wait for a peer of that region.
    pub(crate) fn count(&self, region: RegionId) -> usize {
        self.messages.iter().filter(|kept| kept.region == region).count()
    }

    /// Keeps a message.
    pub(crate) fn keep(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Takes the message for that peer and drops all others of its region.
    pub(crate) fn leave(&mut self, region: RegionId, peer: PeerId) -> Option<Message> {
        let at = self.messages.iter().position(|kept| kept.region == region && kept.to.id == peer);
        let message = at.map(|at| self.messages.remove(at));
        self.forget(region);
        message
    }

    /// Drops the messages for peers of that region.
    pub(crate) fn forget(&mut self, region: RegionId) {
        self.messages.retain(|kept| kept.region != region);
    }
}
