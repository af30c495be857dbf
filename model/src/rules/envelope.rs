//! The header of a message: sender, receiver, term, epoch and range.

use rollcall_traces::{Entry, Epoch, Held, KeyRange, LogPosition, Member, Message, Peer, RegionId, StoreId};

use super::peer::{FIRST, member_of_own_region};

/// The header of a message.
pub(crate) struct Envelope {
    pub(crate) region: RegionId,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) term: u64,
    pub(crate) epoch: Epoch,
    pub(crate) range: KeyRange,
}

/// Whether a message may create the peer on a store that has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may create the peer (a vote request, a heartbeat with commit 0).
    Initial,
    /// It may not.
    Ordinary,
    /// It may not; and it is a snapshot.
    Snapshot,
    /// It may not, and raft never sees it: a stale-peer check.
    Question,
}

/// A vote request may be the first message of a new region (TiKV `is_first_message`).
pub(crate) fn first_vote(term: u64, last: LogPosition, commit: LogPosition) -> Option<Message> {
    (term == FIRST.term + 1).then_some(Message::VoteRequest { last, commit })
}

/// An append may be a first message too: the empty entry of a leader that won the first election.
pub(crate) fn first_append(message: &Message) -> Option<Message> {
    let Message::Append { previous, entries, .. } = message else { return None };
    let is_first = |entry: &Entry| previous.index == FIRST.index && entry.command.is_none();
    matches!(&entries[..], [entry] if is_first(entry)).then(|| message.clone())
}

impl Envelope {
    pub(crate) fn from_peer(peer: &Peer, store: StoreId, to: Member) -> Self {
        Self {
            region: peer.region.id,
            from: member_of_own_region(peer, store),
            to,
            term: peer.term,
            epoch: peer.region.epoch,
            range: peer.region.range(),
        }
    }

    pub(crate) fn of_held(held: &Held) -> Self {
        Self {
            region: held.region,
            from: held.from,
            to: held.to,
            term: held.term,
            epoch: held.epoch,
            range: held.range.clone(),
        }
    }

    pub(crate) fn holding(&self, message: Message) -> Held {
        Held {
            region: self.region,
            from: self.from,
            to: self.to,
            term: self.term,
            epoch: self.epoch,
            range: self.range.clone(),
            message,
        }
    }
}
