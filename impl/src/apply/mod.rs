//! Applies committed entries.
//!
//! A step applies one admin entry and the ordinary entries that follow it. The effect depends only
//! on the entry and the region, so it is the same on every replica. An entry that no longer fits
//! changes only the applied index. Follows `TiKV apply.rs exec_raft_cmd` and `TiKV peer.rs
//! on_ready_change_peer`.

pub(crate) mod conf_change;
pub(crate) mod epoch_parts;
pub(crate) mod split;

use std::collections::BTreeMap;

use crate::apply::epoch_parts::EpochParts;
use crate::apply::split::{Divided, Division};
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::peer::size::Size;
use crate::peer::waiting::Proposal;
use crate::proto::command::{ChangeKind, Command, RaftChange, Request};
use crate::proto::region::{Epoch, Key, Region, Value};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::Write;
use crate::store::input::{End, Output};
use crate::store::step::{Failure, StepContext};

/// What happens to the peer.
pub(crate) enum Applied {
    /// It stays.
    Stays,
    /// It removed itself.
    Removed(Box<Removed>),
    /// It stays, and its region was split.
    Divided(Box<Divided>),
}

/// A peer's own removal.
pub(crate) struct Removed {
    /// The region after the removal.
    pub(crate) rest: Region,
    /// The epoch before the removal.
    pub(crate) old_epoch: Epoch,
    /// The index of the entry after the removal, if that is committed.
    pub(crate) next: Option<u64>,
    /// The result of the first committed split after it, whatever its epoch.
    pub(crate) behind: Option<Division>,
}

impl<R: Replica> Peer<R> {
    /// Applies the next committed admin entry.
    pub(crate) fn apply_next<G: Guards>(
        &mut self,
        step: &mut StepContext<'_, G>,
    ) -> Result<Applied, Failure> {
        if self.staged.is_some() {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        let storage = self.storage();
        let (index, before) = (storage.applied + 1, storage.region().epoch);
        if index > self.may_apply_to() {
            return Err(Refusal::NothingToApply.into());
        }
        if storage.log.payload(index).is_some_and(|payload| !payload.is_admin()) {
            // A crash came between the commit index and the entry's effect.
            self.apply_ordinary(step);
            return Ok(Applied::Stays);
        }
        // Elsewhere ordinary entries are applied at once, so this is an admin entry.
        let request = storage.log.payload(index).and_then(|payload| payload.request()).cloned();
        let mut applied = Applied::Stays;
        match request {
            Some(request) if request.command.is_conf_change() => {
                let old_epoch = self.storage().region().epoch;
                if let Some(rest) = self.apply_conf_change(&request, step)? {
                    let next = (self.storage().hard.commit > index).then_some(index + 1);
                    let behind = self.division_behind(index, &rest);
                    self.complete(index, End::Applied { region: Some(Box::new(rest.clone())) }, step);
                    let removed = Removed { rest, old_epoch, next, behind };
                    return Ok(Applied::Removed(Box::new(removed)));
                }
            }
            Some(request @ Request { command: Command::Split { .. }, .. }) => {
                if let Some(divided) = self.apply_split(&request, step) {
                    applied = Applied::Divided(Box::new(divided));
                }
            }
            Some(request @ Request { command: Command::PrepareMerge(_), .. }) => {
                self.apply_prepare_merge(&request, index, step);
            }
            Some(request @ Request { command: Command::RollbackMerge { .. }, .. }) => {
                self.apply_rollback_merge(&request, step);
            }
            // The target's replicas may still need the log.
            Some(Request { command: Command::CompactLog { .. }, .. }) if self.storage().is_merging() => {}
            Some(Request { command: Command::CompactLog { index }, .. }) => {
                let storage = self.node.storage_mut();
                if index > storage.log.truncated().index && index <= storage.applied {
                    storage.log.compact(index);
                    self.node.compacted_to(index);
                }
            }
            _ => {}
        }
        self.admin_applied(index, before, step);
        Ok(applied)
    }

    /// Completes an admin entry at `index` that took effect on a region with epoch `before`.
    pub(crate) fn admin_applied<G: Guards>(
        &mut self,
        index: u64,
        before: Epoch,
        step: &mut StepContext<'_, G>,
    ) {
        self.set_applied(index);
        self.complete_admin(index, before, step);
        if step.guards.holds(Guard::LeaderStepsDownOnRemoval) {
            self.step_down_if_no_voter();
        }
        self.handle_ready(step, None);
        self.apply_ordinary(step);
    }

    /// The result of the entry at `index` on `region`, if it is committed and a valid split.
    pub(crate) fn division_at(&self, index: u64, region: &Region, guards: impl Guards) -> Option<Division> {
        let storage = self.storage();
        let payload = storage.log.payload(index).filter(|_| index <= storage.hard.commit)?;
        Division::of(guards, region, payload.request()?)
    }

    /// The result of the first committed split after `index` on `region`, without any check.
    fn division_behind(&self, index: u64, region: &Region) -> Option<Division> {
        let storage = self.storage();
        (index + 1..=storage.hard.commit).find_map(|index| {
            let request = storage.log.payload(index)?.request()?;
            Division::unchecked(region, request)
        })
    }

    /// Applies entries that need no step of their own: empty entries, `Put` and `Delete`, up to the
    /// first admin entry.
    pub(crate) fn apply_ordinary<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        let until = self.may_apply_to();
        let storage = self.node.storage_mut();
        let mut applied = storage.applied;
        while applied < until {
            let payload = storage.log.payload(applied + 1).expect("a committed entry is in the log");
            if payload.is_admin() {
                break;
            }
            let request = payload.request().filter(|request| {
                let checked = EpochParts::checked_by(&request.command);
                checked.agree(request.epoch, storage.record.region.epoch)
                    || !step.guards.holds(Guard::EpochCheckedAtApply)
            });
            if self.proposals.first().is_some_and(|proposal| proposal.entry.index == applied + 1) {
                let Proposal { id, .. } = self.proposals.remove(0);
                let end = match (request, payload.request()) {
                    (Some(_), _) => End::Applied { region: None },
                    (None, Some(_)) => End::Refused(Refusal::EpochNotMatch),
                    (None, None) => End::Dropped,
                };
                step.out.push(Output::Completed { region: self.region, id, end });
            }
            match request.map(|request| &request.command) {
                Some(Command::Put { key, value }) => {
                    step.batch.push(Write::Put(self.region, key.clone(), value.clone()));
                    self.size.put(key, value, step.guards);
                    storage.data.insert(key.clone(), value.clone());
                }
                Some(Command::Delete { key }) => {
                    step.batch.push(Write::Delete(self.region, key.clone()));
                    self.size.delete(key, step.guards);
                    storage.data.remove(key);
                }
                _ => {}
            }
            applied += 1;
        }
        if applied > storage.applied {
            self.set_applied(applied);
        }
    }

    /// Sets the applied index.
    pub(crate) fn set_applied(&mut self, applied: u64) {
        let storage = self.node.storage_mut();
        storage.applied = applied;
        storage.revision += 1;
        self.node.applied_to(applied);
    }

    /// Whether this peer became a voter by an entry that is still in its log.
    fn was_promoted(&self) -> bool {
        let storage = self.storage();
        (storage.log.truncated().index + 1..=storage.applied).any(|index| {
            let request = storage.log.payload(index).and_then(|payload| payload.request());
            request.is_some_and(|request| match &request.command {
                Command::ChangePeer(change) => change.kind == ChangeKind::AddVoter && change.peer == self.id,
                _ => false,
            })
        })
    }

    /// Applies a split to the parent, and returns the children with their data.
    fn apply_split<G: Guards>(
        &mut self,
        request: &Request,
        step: &mut StepContext<'_, G>,
    ) -> Option<Divided> {
        let leads = self.is_leader();
        if !leads && self.was_promoted() && !step.guards.holds(Guard::SplitTakenByEveryReplica) {
            return None;
        }
        let division = Division::of(step.guards, self.storage().region(), request)?;
        // The client gets an epoch error (`TiKV peer.rs handle_read`).
        self.drop_read(step);
        self.size = Size::default();
        let storage = self.node.storage_mut();
        storage.record.region = division.parent.clone();
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
        if !step.guards.holds(Guard::DataDivided) {
            let data = vec![storage.data.clone(); division.children.len()];
            return Some(Divided { division, data, leads });
        }
        let part = |region: &Region| -> BTreeMap<Key, Value> {
            let inside = storage.data.iter().filter(|(key, _)| region.contains(key));
            inside.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let data = division.children.iter().map(part).collect();
        storage.data.retain(|key, _| division.parent.contains(key));
        step.batch.push(Write::Keep(self.region, division.parent.range()));
        Some(Divided { division, data, leads })
    }

    /// Applies a conf change; returns the new region if it removes this peer.
    fn apply_conf_change<G: Guards>(
        &mut self,
        request: &Request,
        step: &mut StepContext<'_, G>,
    ) -> Result<Option<Region>, Failure> {
        let region = self.storage().region();
        if !EpochParts::checked_by(&request.command).agree(request.epoch, region.epoch)
            && step.guards.holds(Guard::EpochCheckedAtApply)
        {
            return Ok(None);
        }
        let Ok(next) = conf_change::apply(step.guards, region, &request.command) else { return Ok(None) };
        if next.member(self.id).is_none() && region.member(self.id).is_some() {
            return self.apply_own_removal(next, step);
        }
        let storage = self.node.storage_mut();
        storage.record.region = next;
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
        if !step.guards.holds(Guard::JointNeedsBothMajorities) {
            let region = self.storage().region().clone();
            self.take_union(&region)?;
            return Ok(None);
        }
        let change = RaftChange::of(&request.command).expect("a conf change has a raft form");
        self.node.apply_change(&change)?;
        Ok(None)
    }

    /// The region without this peer, which is then destroyed; `None` if the peer stays.
    fn apply_own_removal<G: Guards>(
        &mut self,
        rest: Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<Option<Region>, Failure> {
        let leads = self.is_leader();
        if !leads && !step.guards.holds(Guard::ApplyNeedsNoClient) {
            // Without the guard, an entry without a waiting client has no effect.
            return Ok(None);
        }
        if leads && !step.guards.holds(Guard::LeaderStepsDownOnRemoval) {
            self.lead_on(rest, step)?;
            return Ok(None);
        }
        Ok(Some(rest))
    }

    /// A demoted leader would stay leader in raft-rs for ever, take proposals and commit them. TiKV
    /// makes it step down (`TiKV fsm/peer.rs on_ready_change_peer`). A removed leader is destroyed
    /// before this; raft-rs would make it drop proposals, and panic when a quorum acknowledges. In
    /// an unsafe recovery a learner may lead (`demote_self`).
    fn step_down_if_no_voter(&mut self) {
        if self.is_leader() && !self.node.is_promotable() && !self.is_by_force() {
            self.node.follow(self.node.term());
        }
    }
}
