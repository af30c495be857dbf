//! Which commands may be proposed, and the order of the checks.
//!
//! Follows `TiKV util.rs admin_cmd_epoch_lookup` for the epoch that a command needs, and `TiKV peer.rs
//! propose_conf_change` for the rest. raft-rs turns a refused conf change into an empty entry and
//! returns Ok, so everything that it could refuse is checked here first. A transfer is in
//! `transfer.rs`.

use crate::apply::conf_change;
use crate::apply::epoch_parts::EpochParts;
use crate::apply::split;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::command::{Command, Derive, Request};
use crate::proto::region::{Epoch, Key};
use crate::raft_rs::replica::Replica;
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};
use crate::unsound::innards;

impl<R: Replica> Peer<R> {
    /// Proposes `command` under `epoch`, or the peer's own. `beside` is the result of the store's
    /// checks.
    pub(crate) fn propose<G: Guards>(
        &mut self,
        mut command: Command,
        epoch: Option<Epoch>,
        beside: Result<(), Refusal>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader.into());
        }
        self.check_not_recovering(&command)?;
        self.check_epoch(&command, epoch)?;
        self.check_not_merging(&command, step.guards)?;
        self.check_content(&command, beside, step.guards)?;
        if let Command::TransferLeader { to } = command {
            return self.ask_transferee(to, step);
        }
        let transferee = self.node.lead_transferee();
        if transferee.is_some() && step.guards.holds(Guard::NoProposalsWhileTransferring) {
            return Err(Refusal::TransferringLeader.into());
        }
        let conf_change = command.is_conf_change();
        if conf_change && self.has_pending_conf(self.storage().applied, step.guards) {
            return Err(Refusal::PendingConfChange.into());
        }
        if self.epoch_is_changing(&command, step.guards) {
            return Err(Refusal::EpochChanging.into());
        }
        if conf_change {
            self.check_conf_change(&command, step.guards)?;
        }
        if command.is_merge() && !self.node.has_applied_in_term() {
            return Err(Refusal::NotAppliedTerm.into());
        }
        if let Command::PrepareMerge(prepare) = &mut command {
            prepare.min_index = self.first_index_missed(step.guards)?;
        }
        let own = self.storage().region().epoch;
        let epoch = match command {
            Command::CompactLog { .. } => Epoch::default(),
            _ => epoch.unwrap_or(own),
        };
        let change = Self::change_to_propose(&command, step.guards);
        let mut bytes = Request { command, epoch }.encode();
        if change.is_some() && !step.guards.holds(Guard::ContextCarried) {
            bytes.clear();
        }
        let heeds_transfer = step.guards.holds(Guard::NoProposalsWhileTransferring);
        self.with_raft(step, None, |node| {
            let propose = |node: &mut R| match change {
                None => node.propose(bytes),
                Some(change) => node.propose_change(bytes, change),
            };
            if heeds_transfer {
                return propose(node);
            }
            // raft-rs drops proposals while a transfer is pending.
            innards::hand_over_to(node, None);
            let proposed = propose(node);
            innards::hand_over_to(node, transferee);
            proposed
        })
    }

    /// A forced leader accepts only membership changes and merge rollbacks (`TiKV fsm/peer.rs
    /// pre_propose_raft_command`).
    fn check_not_recovering(&self, command: &Command) -> Result<(), Refusal> {
        let recovers = command.is_conf_change() || matches!(command, Command::RollbackMerge { .. });
        if self.is_by_force() && !recovers { Err(Refusal::RecoveryInProgress) } else { Ok(()) }
    }

    /// Whether the region has what the command means.
    fn check_content(
        &self,
        command: &Command,
        beside: Result<(), Refusal>,
        guards: impl Guards,
    ) -> Result<(), Refusal> {
        let storage = self.storage();
        match command {
            Command::Put { key, .. } | Command::Delete { key } if !storage.region().contains(key) => {
                Err(Refusal::KeyNotInRegion)
            }
            Command::Put { key, .. } | Command::Delete { key }
                if key.len() as u64 > self.config.max_key_size =>
            {
                Err(Refusal::KeyTooLarge)
            }
            Command::Put { value, .. } if value.len() as u64 > self.config.max_value_size => {
                Err(Refusal::ValueTooLarge)
            }
            Command::CompactLog { index } => {
                let state = storage.apply_state();
                let fits = *index > state.truncated.index && *index <= state.applied;
                if fits { Ok(()) } else { Err(Refusal::InvalidCompactIndex) }
            }
            Command::Split { children, .. } => {
                split::validate(guards, storage.region(), children)?;
                beside
            }
            Command::PrepareMerge(_) | Command::CommitMerge(_) | Command::RollbackMerge { .. } => beside,
            _ => Ok(()),
        }
    }

    fn check_epoch(&self, command: &Command, epoch: Option<Epoch>) -> Result<(), Refusal> {
        let own = self.storage().region().epoch;
        let matches = epoch.is_none_or(|epoch| EpochParts::checked_by(command).agree(epoch, own));
        if matches { Ok(()) } else { Err(Refusal::EpochNotMatch) }
    }

    /// An entry that this leader proposed in its term and has not applied will
    /// change what `command` checks (`TiKV peer.rs CmdEpochChecker`).
    fn epoch_is_changing(&self, command: &Command, guards: impl Guards) -> bool {
        let checked = EpochParts::checked_by(command);
        let (storage, term) = (self.storage(), self.node.term());
        (storage.applied + 1..=storage.log.last_index())
            .filter(|index| storage.log.term(*index) == Some(term))
            .filter_map(|index| storage.log.payload(index)?.request())
            .any(|request| EpochParts::changed_by(&request.command, guards).meet(checked))
    }

    fn check_conf_change(&self, command: &Command, guards: impl Guards) -> Result<(), Refusal> {
        if !self.node.has_applied_in_term() && guards.holds(Guard::ChangeWaitsForOwnElection) {
            return Err(Refusal::NotAppliedTerm);
        }
        let region = self.storage().region();
        if self.is_by_force() && matches!(command, Command::LeaveJoint) {
            // Even if it demotes itself (`TiKV util.rs check_conf_change`, `ignore_safety`): no other
            // peer can lead.
            return conf_change::apply(guards, region, command).map(drop);
        }
        conf_change::check_propose(guards, region, self.id, command)?;
        let silent: Vec<_> = self.inactive.iter().chain(&self.failed_stores).copied().collect();
        conf_change::check_availability(guards, region, command, &silent)?;
        if self.is_by_force() {
            return Ok(());
        }
        let truncated = self.storage().log.truncated().index;
        let has_log = |id| self.node.matched_by(id).is_some_and(|matched| matched >= truncated);
        conf_change::check_new_quorum(guards, region, command, has_log)
    }

    /// Asks the placement driver for the ids of a split (`TiKV fsm/peer.rs
    /// on_prepare_split_region, validate_split_region`). The region goes along as a
    /// copy: TinyKV passed the live one, and the ids that came back for its old
    /// peers were proposed under its new epoch (row 23).
    pub(crate) fn ask_split<G: Guards>(
        &mut self,
        keys: Vec<Key>,
        derive: Derive,
        ordered_at: Option<Epoch>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader.into());
        }
        if self.is_by_force() {
            return Err(Refusal::RecoveryInProgress.into());
        }
        if self.storage().is_merging() {
            return Err(Refusal::Merging.into());
        }
        if keys.is_empty() {
            return Err(Refusal::NoSplitKey.into());
        }
        let (region, to) = (self.storage().region().clone(), self.myself());
        if ordered_at.is_some_and(|epoch| epoch.version != region.epoch.version) {
            return Err(Refusal::EpochNotMatch.into());
        }
        for key in &keys {
            if key.is_empty() {
                return Err(Refusal::SplitKeyEmpty.into());
            }
            if !region.contains(key) {
                return Err(Refusal::KeyNotInRegion.into());
            }
        }
        step.out.push(Output::AskSplit { region, keys, derive, to });
        Ok(())
    }
}
