//! Applies the entries of a merge.
//!
//! `PrepareMerge` raises both parts of the source's epoch: the version because the range will go,
//! conf_ver so that no pending conf change fits any longer. `CommitMerge` waits until the source's
//! peer on the store has applied its `PrepareMerge`. Then range, data, range index and the source's
//! destruction are one batch. Follows `TiKV apply.rs exec_prepare_merge, exec_commit_merge,
//! exec_rollback_merge`, `TiKV fsm/peer.rs on_ready_commit_merge`.

use std::collections::BTreeMap;

use crate::apply::epoch_parts::EpochParts;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::merge::merged;
use crate::peer::Peer;
use crate::peer::size::Size;
use crate::proto::command::{Command, Request};
use crate::proto::merge::{CommitMerge, MergeState};
use crate::proto::region::{Key, Region, RegionId, Value};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{PeerState, Write};
use crate::store::Store;
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Applies the target's next entry if the source's peer here is ready. If not, makes the source
    /// catch up.
    pub(crate) fn apply_commit_merge(
        &mut self,
        target: RegionId,
        commit: &CommitMerge,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let source = commit.source.id;
        let ready = self.initialised(source).is_some_and(|peer| peer.has_prepared(commit));
        if !ready && step.guards.holds(Guard::MergeWaitsForSource) {
            return self.help_source(source, commit, step);
        }
        let before = self.live(target)?.storage().region().clone();
        let data = match self.live(source) {
            Ok(peer) => std::mem::take(&mut peer.node.storage_mut().data),
            Err(_) => BTreeMap::new(),
        };
        if self.live(source).is_ok() {
            self.destroy_merged(source, commit.source.clone(), Some(before), step);
        }
        let peer = self.live(target)?;
        peer.take_in(&commit.source, data, step);
        let range = peer.storage().region().range();
        self.ranges.set(target, range);
        Ok(())
    }

    fn help_source(
        &mut self,
        source: RegionId,
        commit: &CommitMerge,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let Ok(peer) = self.live(source) else { return Err(Refusal::WaitsForSource.into()) };
        if !peer.catch_up(commit, step) {
            return Err(Refusal::WaitsForSource.into());
        }
        peer.flush(step);
        Ok(())
    }
}

impl<R: Replica> Peer<R> {
    /// The next committed entry, if it is a `CommitMerge` that takes effect.
    pub(crate) fn commit_merge_next(&self, guards: impl Guards) -> Option<CommitMerge> {
        let storage = self.storage();
        let index = storage.applied + 1;
        if self.staged.is_some() || index > self.may_apply_to() {
            return None;
        }
        let request = storage.log.payload(index)?.request()?;
        match &request.command {
            Command::CommitMerge(commit) if self.epoch_fits(request, guards) => Some((**commit).clone()),
            _ => None,
        }
    }

    /// Whether the source has applied exactly the `PrepareMerge` of `commit`.
    fn has_prepared(&self, commit: &CommitMerge) -> bool {
        self.staged.is_none() && self.merge_state().is_some_and(|merge| merge.commit == commit.commit)
    }

    fn epoch_fits(&self, request: &Request, guards: impl Guards) -> bool {
        EpochParts::checked_by(&request.command).agree(request.epoch, self.storage().region().epoch)
            || !guards.holds(Guard::EpochCheckedAtApply)
    }

    /// Closes the source's region, at `index`.
    pub(crate) fn apply_prepare_merge<G: Guards>(
        &mut self,
        request: &Request,
        index: u64,
        step: &mut StepContext<'_, G>,
    ) {
        let Command::PrepareMerge(prepare) = &request.command else { return };
        if !self.epoch_fits(request, step.guards) {
            return;
        }
        let mut region = self.storage().region().clone();
        region.epoch.version += 1;
        if step.guards.holds(Guard::MergeStopsChanges) {
            region.epoch.conf_ver += 1;
        }
        let target = prepare.target.clone();
        let merge = MergeState { min_index: prepare.min_index, target, commit: index };
        self.change_region(region, PeerState::Merging, Some(merge), step);
    }

    /// Opens the source's region again.
    pub(crate) fn apply_rollback_merge<G: Guards>(
        &mut self,
        request: &Request,
        step: &mut StepContext<'_, G>,
    ) {
        let Command::RollbackMerge { commit } = request.command else { return };
        let is_this = self.merge_state().is_some_and(|merge| merge.commit == commit);
        if !self.epoch_fits(request, step.guards) || !is_this {
            return;
        }
        let mut region = self.storage().region().clone();
        region.epoch.version += 1;
        self.change_region(region, PeerState::Normal, None, step);
        self.report(step);
    }

    /// The target takes over the range and data of `source`.
    fn take_in<G: Guards>(
        &mut self,
        source: &Region,
        data: BTreeMap<Key, Value>,
        step: &mut StepContext<'_, G>,
    ) {
        let before = self.storage().region().epoch;
        let region = merged(step.guards, source, self.storage().region());
        self.size = Size::default();
        self.change_region(region, PeerState::Normal, None, step);
        for (key, value) in &data {
            step.batch.push(Write::Put(self.region, key.clone(), value.clone()));
        }
        let storage = self.node.storage_mut();
        storage.data.extend(data);
        let index = storage.applied + 1;
        self.report(step);
        self.admin_applied(index, before, step);
    }

    fn change_region<G: Guards>(
        &mut self,
        region: Region,
        state: PeerState,
        merge: Option<MergeState>,
        step: &mut StepContext<'_, G>,
    ) {
        // The client gets an epoch error (`TiKV peer.rs handle_read`).
        self.drop_read(step);
        let storage = self.node.storage_mut();
        storage.record.region = region;
        storage.record.state = state;
        storage.record.merge = merge.map(Box::new);
        storage.revision += 1;
        step.batch.push(Write::Record(storage.record.clone()));
    }

    fn report<G: Guards>(&self, step: &mut StepContext<'_, G>) {
        if self.is_leader() {
            step.out.push(Output::RegionHeartbeat { region: self.storage().region().clone() });
        }
    }
}
