//! A removed learner that was never told of it: it does not campaign, nobody
//! sends to it, and its range stays taken on its store. Found by a run in which
//! such a range kept a split-off region from a new peer for ever.
//!
//! TiKV's remedy: a peer that hears no leader for long asks the members that it
//! knows whether it is still one of them (`bcast_check_stale_peer_message`).
//! The question says nothing; a store that knows better answers as it answers
//! any message of a removed peer. Here the question is an empty answer to a
//! heartbeat. Voters need none of this: they campaign.

use rollcall_impl::eraftpb::{self, MessageType};
use rollcall_impl::{Message, MessagePayload, Output, StateRole};
use rollcall_traces::{Happening, RegionId};

use super::{CLOCK, Network, Told};

/// Ticks without a message before a peer asks.
const SILENCE: u64 = 3 * CLOCK.election_tick as u64;

impl Network {
    /// The peer on the store in that place has heard from another.
    pub(super) fn heard(&mut self, at: usize, region: RegionId) {
        self.heard.insert((at, region), self.now);
    }

    /// Those on the store in that place that heard nothing for long ask.
    pub(super) fn ask_members(&mut self, at: usize) {
        for region in self.regions(at) {
            let last = *self.heard.entry((at, region)).or_insert(self.now);
            let Some(peer) = self.status(at, region) else { continue };
            let votes = peer.region().is_voter(peer.id()) || peer.role() == StateRole::Leader;
            if votes || self.now < last + SILENCE {
                continue;
            }
            let known = peer.region();
            let others = known.peers.iter().filter(|member| member.id != peer.id());
            let questions = others.map(|to| {
                let mut raft = eraftpb::Message::default();
                raft.set_msg_type(MessageType::MsgHeartbeatResponse);
                (raft.from, raft.to, raft.term) = (peer.id(), to.id, peer.term());
                Output::Message(Message {
                    region,
                    from: peer.member(),
                    to: *to,
                    epoch: known.epoch,
                    range: known.range(),
                    payload: MessagePayload::Raft(Box::new(raft)),
                })
            });
            let questions: Vec<_> = questions.collect();
            self.heard(at, region);
            if !questions.is_empty() {
                let store = self.nodes[at].id;
                self.happened(Told::Peer(at, region), Happening::AskMembers { region, store }, questions);
            }
        }
    }
}
