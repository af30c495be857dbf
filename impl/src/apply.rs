//! What the next admin entry does.
//!
//! One entry a step; the ordinary entries behind it follow at once. The effect
//! depends on the entry and the region alone, so that it is the same on every
//! replica; an entry that no longer fits changes nothing but the applied
//! index. Follows `TV apply.rs exec_raft_cmd` and `TV peer.rs
//! on_ready_change_peer`.

use crate::command::{Command, RaftChange, Request};
use crate::conf_change;
use crate::engine::Write;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::region::{Epoch, Region};
use crate::step::{Failure, Step};

/// What is left of the peer.
pub(crate) enum Applied {
    /// It stays.
    Stays,
    /// It removed itself.
    Removed(Removed),
}

/// A peer's own removal.
pub(crate) struct Removed {
    /// The region without it.
    pub(crate) rest: Region,
    /// The epoch from before.
    pub(crate) old_epoch: Epoch,
    /// The entry behind the removal, if it is committed.
    pub(crate) next: Option<u64>,
}

impl Peer {
    /// Applies the next committed admin entry.
    pub(crate) fn apply_next<G: Guards>(&mut self, step: &mut Step<'_, G>) -> Result<Applied, Failure> {
        if self.staged.is_some() {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        let storage = self.storage();
        let index = storage.applied + 1;
        if index > storage.hard.commit {
            return Err(Refusal::NothingToApply.into());
        }
        // Ordinary entries never wait, so this is an admin one.
        let request = storage.log.payload(index).and_then(|payload| payload.request()).cloned();
        match request {
            Some(request) if request.command.is_conf_change() => {
                let old_epoch = self.storage().region().epoch;
                if let Some(rest) = self.apply_conf_change(&request, step)? {
                    let next = (self.storage().hard.commit > index).then_some(index + 1);
                    return Ok(Applied::Removed(Removed { rest, old_epoch, next }));
                }
            }
            Some(Request { command: Command::CompactLog { index }, .. }) => {
                let storage = self.node.mut_store();
                if index > storage.log.truncated().index && index <= storage.applied {
                    storage.log.compact(index);
                }
            }
            _ => {}
        }
        self.set_applied(index);
        if step.guards.holds(Guard::LeaderStepsDownOnRemoval) {
            self.step_down_if_no_voter();
        }
        self.handle_ready(step, None);
        self.apply_ordinary(step);
        Ok(Applied::Stays)
    }

    /// The effect of a conf change; the new region if this peer is not in it.
    fn apply_conf_change<G: Guards>(
        &mut self,
        request: &Request,
        step: &mut Step<'_, G>,
    ) -> Result<Option<Region>, Failure> {
        let region = self.storage().region();
        if request.epoch.conf_ver != region.epoch.conf_ver {
            return Ok(None);
        }
        let Ok(next) = conf_change::apply(step.guards, region, &request.command) else { return Ok(None) };
        if next.member(self.id).is_none() && region.member(self.id).is_some() {
            return self.apply_own_removal(next, step);
        }
        let storage = self.node.mut_store();
        storage.record.region = next;
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
        if !step.guards.holds(Guard::JointNeedsBothMajorities) {
            let region = self.storage().region().clone();
            self.take_union(&region)?;
            return Ok(None);
        }
        match RaftChange::of(&request.command).expect("a conf change has a raft form") {
            RaftChange::V1(change) => self.node.apply_conf_change(&change)?,
            RaftChange::V2(change) => self.node.apply_conf_change(&change)?,
        };
        Ok(None)
    }

    /// The region without this peer, which then ends; `None` if it lives on.
    fn apply_own_removal<G: Guards>(
        &mut self,
        rest: Region,
        step: &mut Step<'_, G>,
    ) -> Result<Option<Region>, Failure> {
        let leads = self.is_leader();
        if !leads && !step.guards.holds(Guard::ApplyNeedsNoClient) {
            // Nobody waits for an answer here, so nothing is done.
            return Ok(None);
        }
        if leads && !step.guards.holds(Guard::LeaderStepsDownOnRemoval) {
            self.lead_on(rest, step)?;
            return Ok(None);
        }
        Ok(Some(rest))
    }

    /// A leader that is no voter any more would stay leader in raft-rs, hold
    /// off elections for ever, and panic at the next acknowledgement.
    fn step_down_if_no_voter(&mut self) {
        if self.is_leader() && !self.node.raft.promotable() {
            let term = self.node.raft.term;
            self.node.raft.become_follower(term, raft::INVALID_ID);
        }
    }
}
