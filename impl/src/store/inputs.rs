//! What a store does with each input.

use crate::apply::Applied;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::command::{Child, Command};
use crate::proto::region::{PeerId, RegionId};
use crate::raft_rs::replica::Replica;
use crate::store::input::Input;
use crate::store::step::{Failure, StepContext};
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Handles one input.
    pub(crate) fn take(&mut self, input: Input, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        match input {
            Input::Message(message) => self.receive(message, step),
            Input::Tick { region } => self.live(region)?.tick(step),
            Input::ReportSnapshot { region, to, arrived } => {
                self.live(region)?.report_snapshot(to, arrived, step)
            }
            Input::Campaign { region } => self.live(region)?.campaign(step),
            Input::CheckStalePeer { region } => self.live(region)?.check_stale(step),
            Input::ValidatePeer { region, known } => self.validate_peer(region, known, step),
            Input::Propose { region, command, epoch } => {
                let (command, beside) = self.look_beside(region, command, step.guards);
                self.live(region)?.propose(command, epoch, beside, step)
            }
            Input::Request { id, region, command, epoch } => {
                let (command, beside) = self.look_beside(region, command, step.guards);
                self.live(region)?.request(id, command, epoch, beside, step)
            }
            Input::Inactive { region, stores } => {
                self.live(region)?.inactive = stores;
                Ok(())
            }
            Input::AskSplit { region, keys, derive, ordered_at } => {
                self.live(region)?.ask_split(keys, derive, ordered_at, step)
            }
            Input::AskSplitResponse { region, epoch, children, derive } => {
                let epoch = step.guards.holds(Guard::SplitIdsFitMembers).then_some(epoch);
                let command = Command::Split { children, derive };
                let (command, beside) = self.look_beside(region, command, step.guards);
                self.live(region)?.propose(command, epoch, beside, step)
            }
            Input::SplitCheck { region } => {
                self.live(region)?.check_size(step);
                Ok(())
            }
            Input::Read { region, key } => self.live(region)?.read(None, Some(key), step),
            Input::Snap { region } => self.live(region)?.read(None, None, step),
            Input::Get { id, region, key } => self.live(region)?.read(Some(id), Some(key), step),
            Input::AnswerRead { region } => self.live(region)?.answer_read(step),
            Input::ApplySnapshot { region } => self.apply_snapshot(region, step),
            Input::Apply { region } => {
                let applied = self.live(region)?.storage().applied;
                self.apply_next(region, step)?;
                // Another region may have received its missing entries, or the peer may be gone.
                let moved = self.live(region).is_ok_and(|peer| peer.storage().applied > applied);
                if moved { self.go_on_demoting(region, step) } else { Ok(()) }
            }
            Input::RecoveryPlan(plan) => self.take_plan(plan, step),
            Input::StoreHeartbeat => self.report_plan(step),
            Input::ForceLeaderTimeout { region } => self.live(region)?.time_out_force_leader(step),
        }
    }

    fn apply_snapshot(&mut self, region: RegionId, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let peer = self.live(region)?;
        peer.apply_snapshot(step)?;
        let brought = peer.storage().region().clone();
        self.ranges.set_pending(region, None);
        self.destroy_brought(&brought, step);
        if step.guards.holds(Guard::SnapshotUpdatesRanges) {
            self.ranges.set(region, brought.range());
        }
        Ok(())
    }

    fn apply_next(&mut self, region: RegionId, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        if let Some(commit) = self.live(region)?.commit_merge_next(step.guards) {
            return self.apply_commit_merge(region, &commit, step);
        }
        let peer = self.live(region)?;
        let before = (!step.guards.holds(Guard::OnlyDestroyClearsRanges)).then(|| peer.member_ids());
        match peer.apply_next(step)? {
            Applied::Stays => {
                let after = peer.member_ids();
                let gone = before.into_iter().flatten().filter(|id| !after.contains(id));
                // The wrong key: a peer's id instead of a region's.
                gone.for_each(|id| self.ranges.remove(id));
            }
            Applied::Removed(removed) => self.destroy_removed_peer(region, *removed, step),
            Applied::Divided(divided) => self.take_division(*divided, step)?,
        }
        Ok(())
    }

    /// Completes a merge command from the other region's peer on this store, and checks a merge, or
    /// a split's ids, against the rest of the store.
    pub(crate) fn look_beside(
        &self,
        region: RegionId,
        command: Command,
        guards: G,
    ) -> (Command, Result<(), Refusal>) {
        match command {
            Command::Split { .. } if self.has_id_of(&command) => (command, Err(Refusal::IdInUse)),
            command if command.is_merge() => self.look_beside_merge(region, command, guards),
            command => (command, Ok(())),
        }
    }

    /// Whether an id in a split is known to this store: as a region, a peer or tombstone, or a
    /// member of a live peer's region.
    fn has_id_of(&self, command: &Command) -> bool {
        let Command::Split { children, .. } = command else { return false };
        let knows_peer = |id: &PeerId| {
            self.entries.values().any(|slot| match &slot.resident {
                Resident::Live(peer) => peer.id == *id || peer.storage().region().member(*id).is_some(),
                Resident::Tombstone { id: gone, .. } => gone == id,
            })
        };
        let knows =
            |child: &Child| self.entries.contains_key(&child.region) || child.peers.iter().any(knows_peer);
        children.iter().any(knows)
    }
}
