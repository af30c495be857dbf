//! A removed learner that never learned of it: it does not campaign, nobody
//! sends to it, and its range stays taken on its store. Found by a run in which
//! such a range kept a split-off region from a new peer for ever.
//!
//! A peer that receives no message for long asks whom it knows whether it is a member still
//! (TiKV `bcast_check_stale_peer_message`). Voters need none of this: they campaign. There is
//! no placement driver here that could be asked.

use rollcall_impl::{Input, Output, StateRole};
use rollcall_traces::{Happening, RegionId};

use super::{CLOCK, Changed, Network};

/// Ticks without a message before a peer asks.
const SILENCE: u64 = 3 * CLOCK.election_tick as u64;

impl Network {
    /// The peer on the store in that place has received a message.
    pub(super) fn received(&mut self, at: usize, region: RegionId) {
        self.last_received.insert((at, region), self.now);
    }

    /// Those on the store in that place that received nothing for long ask.
    pub(super) fn ask_members(&mut self, at: usize) {
        for region in self.regions(at) {
            let last = *self.last_received.entry((at, region)).or_insert(self.now);
            let Some(peer) = self.status(at, region) else { continue };
            let votes = peer.region().is_voter(peer.id()) || peer.role() == StateRole::Leader;
            if votes || self.now < last + SILENCE {
                continue;
            }
            // A peer with a pending snapshot need not ask.
            let questions = self.step(at, Input::CheckStalePeer { region }).unwrap_or_default();
            self.received(at, region);
            if questions.iter().any(|output| matches!(output, Output::Message(_))) {
                let store = self.nodes[at].id;
                self.happened(Changed::Peer(at, region), Happening::AskMembers { region, store }, questions);
            }
        }
    }
}
