//! The results of proposals: a client that proposed with an id gets exactly one result.
//!
//! A proposal waits until its entry is applied, or until its peer cannot know the result any more.
//! While a peer leads, its own entries stay where it appended them. So within its term the entry
//! applied at a proposal's index is the proposal's. Follows `TiKV peer.rs
//! handle_raft_committed_entries`, `TiKV apply.rs find_pending, notify_stale_req` for the possible
//! results. TiKV lets a deposed leader's proposal wait for its result; here the client learns at
//! once that it is unknown.

use crate::apply::conf_change;
use crate::apply::epoch_parts::EpochParts;
use crate::error::Refusal;
use crate::guard::Guards;
use crate::peer::Peer;
use crate::peer::waiting::Proposal;
use crate::proto::command::{Command, Request};
use crate::proto::position::Position;
use crate::proto::region::{Epoch, Region};
use crate::raft_rs::replica::Replica;
use crate::store::input::{End, Output};
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// Proposes `command` for a client that waits for the result.
    pub(crate) fn request<G: Guards>(
        &mut self,
        id: u64,
        command: Command,
        epoch: Option<Epoch>,
        beside: Result<(), Refusal>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        // A transfer is no entry; it shows only in the new leader.
        if matches!(command, Command::TransferLeader { .. }) {
            return Err(Refusal::NoEffect.into());
        }
        let entry = Position { index: self.node.log_end().index + 1, term: self.node.term() };
        self.proposals.push(Proposal { id, entry });
        let proposed = self.propose(command, epoch, beside, step);
        if proposed.is_err() {
            // Nothing changed, so it is still the last.
            self.proposals.pop();
        }
        proposed
    }

    /// The admin entry at `index` was applied to a region at epoch `before`, or was found stale.
    pub(crate) fn complete_admin<G: Guards>(
        &mut self,
        index: u64,
        before: Epoch,
        step: &mut StepContext<'_, G>,
    ) {
        if self.proposals.first().is_none_or(|proposal| proposal.entry.index != index) {
            return;
        }
        let storage = self.storage();
        let request = storage.log.payload(index).and_then(|payload| payload.request());
        let region = storage.region();
        let end = match request {
            Some(Request { command: Command::CompactLog { .. }, .. }) => End::Applied { region: None },
            Some(_) if region.epoch != before => End::Applied { region: Some(Box::new(region.clone())) },
            Some(request) => End::Refused(why_not(request, region, step.guards)),
            None => End::Dropped,
        };
        self.complete(index, end, step);
    }

    /// The entry at `index` has its result.
    pub(crate) fn complete<G: Guards>(&mut self, index: u64, end: End, step: &mut StepContext<'_, G>) {
        if self.proposals.first().is_some_and(|proposal| proposal.entry.index == index) {
            let Proposal { id, .. } = self.proposals.remove(0);
            step.out.push(Output::Completed { region: self.region, id, end });
        }
    }

    /// A deposed leader cannot know the results of its proposals, except where another leader has
    /// replaced their entries.
    pub(crate) fn give_up_proposals<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        let Some(Proposal { entry, .. }) = self.proposals.first() else { return };
        if self.is_leader() && self.node.term() == entry.term {
            return;
        }
        for Proposal { id, entry } in std::mem::take(&mut self.proposals) {
            let log = &self.storage().log;
            let is_unknown =
                entry.index <= log.truncated().index || log.term(entry.index) == Some(entry.term);
            let end = if is_unknown { End::LeaderChanged } else { End::Dropped };
            step.out.push(Output::Completed { region: self.region, id, end });
        }
    }

    /// The store stops: the result of every proposal is unknown, and a read has no answer.
    pub(crate) fn abandon_requests<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        self.end_read(End::LeaderChanged, step);
        for Proposal { id, .. } in std::mem::take(&mut self.proposals) {
            step.out.push(Output::Completed { region: self.region, id, end: End::LeaderChanged });
        }
    }

    /// The peer is destroyed.
    pub(crate) fn end_requests<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        self.end_read(End::PeerDestroyed, step);
        for Proposal { id, .. } in std::mem::take(&mut self.proposals) {
            step.out.push(Output::Completed { region: self.region, id, end: End::PeerDestroyed });
        }
    }
}

/// Why an admin entry has changed nothing of `region`.
fn why_not(request: &Request, region: &Region, guards: impl Guards) -> Refusal {
    if !EpochParts::checked_by(&request.command).agree(request.epoch, region.epoch) {
        return Refusal::EpochNotMatch;
    }
    if request.command.is_conf_change() {
        return conf_change::apply(guards, region, &request.command).err().unwrap_or(Refusal::NoEffect);
    }
    Refusal::NoEffect
}
