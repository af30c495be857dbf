//! A removed learner that never receives its removal: it does not campaign, no member sends to it,
//! and its range stays taken on its store. A run found that such a range kept a new peer of a
//! split-off region out for ever.
//!
//! A peer that has received no message for long asks every member that it knows whether it is still
//! a member (TiKV `bcast_check_stale_peer_message`). A voter need not ask, because it campaigns.
//! This run has no placement driver to ask.

use rollcall_impl::{Input, Output, StateRole};
use rollcall_traces::{Happening, RegionId};

use super::{CLOCK, Changed, Network};

/// Ticks without a message after which a peer asks.
const SILENCE: u64 = 3 * CLOCK.election_tick as u64;

impl Network {
    /// Notes that this store's peer has received a message.
    pub(super) fn received(&mut self, at: usize, region: RegionId) {
        self.last_received.insert((at, region), self.now);
    }

    /// This store's peers that received nothing for long ask.
    pub(super) fn ask_members(&mut self, at: usize) {
        for region in self.regions(at) {
            let last = *self.last_received.entry((at, region)).or_insert(self.now);
            let Some(peer) = self.status(at, region) else { continue };
            let votes = peer.region().is_voter(peer.id()) || peer.role() == StateRole::Leader;
            if votes || self.now < last + SILENCE {
                continue;
            }
            // A peer with a pending snapshot does not ask.
            let questions = self.step(at, Input::CheckStalePeer { region }).unwrap_or_default();
            self.received(at, region);
            if questions.iter().any(|output| matches!(output, Output::Message(_))) {
                let store = self.nodes[at].id;
                self.happened(Changed::Peer(at, region), Happening::AskMembers { region, store }, questions);
            }
        }
    }
}
