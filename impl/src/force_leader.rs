//! A peer that leads by force: the votes and acknowledgements of the voters that
//! were given up are made up.
//!
//! What TiKV's force leader does in essence (`TV fsm/peer.rs`
//! `on_enter_pre_force_leader`, `on_enter_force_leader`, `on_exit_force_leader`;
//! `TV peer.rs maybe_force_forward_commit_index`). Whoever calls sees to it that
//! every voter that is left has granted, and has the log, before anything is made
//! up. Everything else goes the ordinary way: votes, appends, proposals, and what
//! is applied. Leaves out the timers, and that a force leader serves nobody.

use raft::eraftpb::{self, MessageType};

use crate::engine::{Engine, Position};
use crate::error::{Error, Refusal};
use crate::guard::{Guard, Guards};
use crate::input::Output;
use crate::peer::Peer;
use crate::region::{PeerId, RegionId};
use crate::step::{Failure, Step};
use crate::store::Store;

impl<G: Guards, E: Engine> Store<G, E> {
    /// The peer of `region` gives up whatever it is and campaigns in a term above
    /// `highest`, the highest that anybody who is left knows. `committed` is the
    /// last entry that any of those, voter or not, knows to be committed.
    ///
    /// # Errors
    /// Where the peer is not here, or its log does not have `committed`: it would
    /// write over what was applied elsewhere, and no vote keeps it from that. That
    /// raft lets it not campaign is no error: it is a follower of that term then.
    pub fn force_campaign(
        &mut self,
        region: RegionId,
        highest: u64,
        committed: Position,
    ) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            let log = &peer.storage().log;
            let has =
                committed.index < log.truncated().index || log.term(committed.index) == Some(committed.term);
            if !has && step.guards.holds(Guard::ForceKeepsWhatIsCommitted) {
                return Err(Refusal::NotPromotable.into());
            }
            let term = highest.max(peer.node.raft.term);
            peer.with_raft(step, None, |node| {
                node.raft.become_follower(term, raft::INVALID_ID);
                Ok(())
            })?;
            match peer.campaign(step) {
                Err(Failure::Refused(_)) => Ok(()),
                other => other,
            }
        })
    }

    /// The candidate of `region` is told that those voters granted.
    ///
    /// # Errors
    /// Where the peer is not here.
    pub fn force_votes(&mut self, region: RegionId, failed: &[PeerId]) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            peer.hear_of_the_lost(MessageType::MsgRequestVoteResponse, failed, step)
        })
    }

    /// The leader of `region` is told that those members have all its log.
    ///
    /// # Errors
    /// Where the peer is not here.
    pub fn force_acknowledgements(
        &mut self,
        region: RegionId,
        failed: &[PeerId],
    ) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            peer.hear_of_the_lost(MessageType::MsgAppendResponse, failed, step)
        })
    }

    /// Whoever led `region` by force leads no more.
    ///
    /// # Errors
    /// Where the peer is not here.
    pub fn exit_force_leader(&mut self, region: RegionId) -> Result<Vec<Output>, Error> {
        self.by_force(region, |peer, step| {
            peer.with_raft(step, None, |node| {
                let term = node.raft.term;
                node.raft.become_follower(term, raft::INVALID_ID);
                Ok(())
            })
        })
    }

    fn by_force(
        &mut self,
        region: RegionId,
        act: impl FnOnce(&mut Peer, &mut Step<'_, G>) -> Result<(), Failure>,
    ) -> Result<Vec<Output>, Error> {
        let (mut batch, mut out) = (Vec::new(), Vec::new());
        let mut step = Step { guards: self.guards, batch: &mut batch, out: &mut out };
        let result = match self.live(region) {
            Ok(peer) => act(peer, &mut step),
            Err(refusal) => Err(refusal.into()),
        };
        self.finish(region, result, batch, out)
    }
}

impl Peer {
    /// Answers of this kind, in this peer's term, from voters that will never give any.
    fn hear_of_the_lost<G: Guards>(
        &mut self,
        kind: MessageType,
        lost: &[PeerId],
        step: &mut Step<'_, G>,
    ) -> Result<(), Failure> {
        for from in lost {
            let mut answer = eraftpb::Message::default();
            answer.set_msg_type(kind);
            answer.from = *from;
            answer.to = self.id;
            answer.term = self.node.raft.term;
            answer.index = self.node.raft.raft_log.last_index();
            self.with_raft(step, None, |node| node.step(answer))?;
        }
        Ok(())
    }
}
