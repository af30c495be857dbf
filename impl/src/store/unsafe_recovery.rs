//! What a store does for an unsafe recovery: it takes a plan, carries it out, and reports.
//!
//! A plan that forces leaders is over once each forced candidate leads or was rejected. A plan that
//! demotes is over once the demotion is. Then all committed entries must be applied, and the report
//! shows that state. A forced leader stays until a plan without `force_leaders` ends.
//!
//! Follows `TiKV unsafe_recovery.rs`, `TiKV worker/pd.rs` (a plan's result), `TiKV fsm/peer.rs
//! on_unsafe_recovery_pre_demote_failed_voters, on_unsafe_recovery_wait_apply,
//! on_unsafe_recovery_fill_out_report, check_unsafe_recovery_state`, `TiKV fsm/store.rs
//! on_unsafe_recovery_create_peer`. All of it is volatile.
//!
//! TiKV rolls a merge back beside the demotion (`on_check_merge`); here that is its first step.
//! TiKV carries out several plans at once if their regions differ; here a plan replaces the one
//! before.

use std::collections::{BTreeMap, BTreeSet};

use raft::StateRole;

use crate::error::{Refusal, ReplicaError};
use crate::guard::Guards;
use crate::peer::Peer;
use crate::peer::waiting::{PeerRecovery, PlanUnderWay};
use crate::proto::command::{Change, ChangeKind, Command, Payload};
use crate::proto::position::{INITIAL_POSITION, Position};
use crate::proto::recovery::{ForceLeader, ForceLeaders, PeerReport, RecoveryPlan, StoreReport};
use crate::proto::region::{MemberRole, PeerId, Region, RegionId, StoreId};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::HardState;
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// The plan of an unsafe recovery that is carried out.
    pub fn recovery_plan(&self) -> Option<PlanUnderWay> {
        self.plan
    }

    fn live_peers(&self) -> impl Iterator<Item = &Peer<R>> {
        self.entries.values().filter_map(|slot| match &slot.resident {
            Resident::Live(peer) => Some(&**peer),
            Resident::Tombstone { .. } => None,
        })
    }

    fn live_peers_mut(&mut self) -> impl Iterator<Item = &mut Peer<R>> {
        self.entries.values_mut().filter_map(|slot| match &mut slot.resident {
            Resident::Live(peer) => Some(&mut **peer),
            Resident::Tombstone { .. } => None,
        })
    }

    /// Begins to carry out a plan. What no longer fits is skipped; the report shows that.
    pub(crate) fn take_plan(
        &mut self,
        plan: RecoveryPlan,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let RecoveryPlan { step: number, force_leaders, demotes, tombstones, creates } = plan;
        if self.plan.is_some_and(|under_way| under_way.step == number) {
            return Err(Refusal::NoEffect.into());
        }
        if self.live_peers().any(Peer::is_demoting) {
            return Err(Refusal::RecoveryInProgress.into());
        }
        self.plan = Some(PlanUnderWay { step: number, exits: force_leaders.is_none() });
        self.live_peers_mut().for_each(|peer| peer.recovery = None);
        match force_leaders {
            Some(forces) => self.force_leaders(&forces, step),
            None => self.execute(demotes, tombstones, creates, step),
        }
    }

    fn force_leaders(&mut self, forces: &ForceLeaders, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        for (region, order) in &forces.regions {
            let Ok(peer) = self.live(*region) else { continue };
            match peer.enter_force_leader(&forces.failed_stores, *order, step) {
                Ok(()) | Err(Failure::Refused(_)) => peer.flush(step),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn execute(
        &mut self,
        demotes: BTreeMap<RegionId, Vec<PeerId>>,
        tombstones: BTreeSet<RegionId>,
        creates: Vec<Region>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        for region in creates {
            self.create_empty(region, step)?;
        }
        for region in tombstones {
            if let Ok(peer) = self.live(region) {
                let rest = peer.storage().region().clone();
                self.destroy_peer(region, rest, step);
            }
        }
        for (region, failed) in demotes {
            let Ok(peer) = self.live(region) else { continue };
            if peer.is_leader() && peer.is_by_force() {
                peer.recovery = Some(PeerRecovery::Demotes(failed));
                self.demote_further(region, step)?;
                self.live(region)?.flush(step);
            }
        }
        Ok(())
    }

    /// Creates a region if no other one owns its range or waits for it.
    fn create_empty(&mut self, region: Region, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let (id, range) = (region.id, region.range());
        let taken = self.entries.contains_key(&id)
            || self.ranges.overlap(id, &range)
            || self.ranges.overlap_pending(id, &range);
        let Some(member) = region.member_on(self.id).filter(|_| !taken).copied() else { return Ok(()) };
        let Position { index, term } = INITIAL_POSITION;
        let hard_state = HardState { term, vote: 0, commit: index };
        self.create_child(member.id, region, hard_state, BTreeMap::new(), step)?;
        self.pending_messages.forget(id);
        Ok(())
    }

    /// An admin entry was applied: continues a running demotion, unless its own proposal is still
    /// to be applied.
    pub(crate) fn go_on_demoting(
        &mut self,
        region: RegionId,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        match self.live(region) {
            Ok(peer) if peer.is_demoting() && !peer.waits_for_proposal(step.guards) => {
                self.demote_further(region, step)
            }
            _ => Ok(()),
        }
    }

    /// The next step of a demotion: roll back a merge, leave a joint configuration, change the
    /// members. If it is refused, the demotion has failed.
    fn demote_further(&mut self, region: RegionId, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let peer = self.live(region)?;
        let Some(PeerRecovery::Demotes(failed)) = &peer.recovery else { return Ok(()) };
        let command = if peer.storage().is_merging() {
            Command::rollback_merge()
        } else if peer.storage().region().is_joint() {
            Command::LeaveJoint
        } else {
            let changes = peer.changes_without(failed);
            if changes.is_empty() {
                peer.recovery = None;
                return Ok(());
            }
            Command::EnterJoint(changes)
        };
        let demotes = matches!(command, Command::EnterJoint(_));
        let (command, beside) = self.look_beside(region, command, step.guards);
        let peer = self.live(region)?;
        match peer.propose(command, None, beside, step) {
            // A demoted member stays, as a learner.
            Ok(()) if demotes => peer.recovery = Some(PeerRecovery::Demotes(Vec::new())),
            Ok(()) => {}
            Err(Failure::Refused(_)) => peer.recovery = Some(PeerRecovery::Failed),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// The store is about to send its heartbeat. If its plan is carried out, it reports.
    pub(crate) fn report_plan(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let is_over = |plan: &PlanUnderWay| self.live_peers().all(|peer| peer.has_settled(plan.exits));
        let Some(plan) = self.plan.filter(is_over) else { return Ok(()) };
        self.plan = None;
        let stays = |peer: &Peer<R>| peer.recovery == Some(PeerRecovery::Failed);
        if plan.exits {
            for peer in self.live_peers_mut().filter(|peer| peer.is_by_force() && !stays(peer)) {
                peer.exit_force_leader(step)?;
                peer.flush(step);
            }
        }
        let peers = self.live_peers().map(Peer::report_for_self).collect();
        step.out.push(Output::StoreReport(StoreReport { step: plan.step, peers }));
        Ok(())
    }
}

impl<R: Replica> Peer<R> {
    fn is_demoting(&self) -> bool {
        matches!(self.recovery, Some(PeerRecovery::Demotes(_)))
    }

    /// Campaigns by force, if that is needed and the peer does not lead by force already.
    fn enter_force_leader<G: Guards>(
        &mut self,
        failed: &BTreeSet<StoreId>,
        order: ForceLeader,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if self.is_leader() && self.is_by_force() {
            return Err(Refusal::AlreadyLeader.into());
        }
        let region = self.storage().region();
        let left = region
            .peers
            .iter()
            .filter(|member| member.role != MemberRole::Learner && !failed.contains(&member.store));
        let left: Vec<PeerId> = left.map(|member| member.id).collect();
        let innards = self.node.innards().ok_or(ReplicaError::NoInnards("recovery by force"))?;
        if innards.has_quorum(&left) {
            return Err(Refusal::NotPromotable.into());
        }
        self.campaign_by_force(failed, order.above, order.committed, step)
    }

    /// The member changes: failed voters become learners, failed learners are removed, and a
    /// learner that leads becomes a voter (TiKV `demote_failed_voters_request`).
    fn changes_without(&self, failed: &[PeerId]) -> Vec<Change> {
        let members = self.storage().region().peers.iter();
        let changes = members.filter_map(|member| {
            let kind = match member.role {
                MemberRole::Learner if member.id == self.id => ChangeKind::AddVoter,
                _ if !failed.contains(&member.id) => return None,
                MemberRole::Learner => ChangeKind::Remove,
                _ => ChangeKind::AddLearner,
            };
            Some(Change { kind, peer: member.id, store: member.store })
        });
        changes.collect()
    }

    /// Whether a conf change, or the rollback of a merge, is proposed but not applied.
    fn waits_for_proposal(&self, guards: impl Guards) -> bool {
        let storage = self.storage();
        let rolls_back = |index| {
            let request = storage.log.payload(index).and_then(Payload::request);
            request.is_some_and(|request| matches!(request.command, Command::RollbackMerge { .. }))
        };
        self.has_pending_conf(storage.applied, guards)
            || (storage.applied + 1..=storage.log.last_index()).any(rolls_back)
    }

    /// Whether nothing is left to do for a plan. A forced leader must apply all that it has
    /// proposed, because it will be committed. A forced candidate is not waited for if the plan
    /// makes it step down.
    fn has_settled(&self, exits: bool) -> bool {
        let storage = self.storage();
        let asks = self.is_by_force() && self.node.role() == StateRole::Candidate && !exits;
        let leads = self.is_by_force() && self.is_leader();
        let target = if leads { storage.log.last_index() } else { storage.hard.commit };
        !asks && !self.is_demoting() && self.staged.is_none() && storage.applied == target
    }

    fn report_for_self(&self) -> PeerReport {
        let storage = self.storage();
        let mut log = vec![storage.log.truncated()];
        for (entry, _) in storage.log.iter() {
            let position = Position { index: entry.index, term: entry.term };
            match &mut log[1..] {
                [.., run] if run.term == entry.term => *run = position,
                _ => log.push(position),
            }
        }
        let uncommitted = storage.log.iter().filter(|(entry, _)| entry.index > storage.hard.commit);
        let sources = uncommitted.filter_map(|(_, payload)| match &payload.request()?.command {
            Command::CommitMerge(merge) => Some(merge.source.id),
            _ => None,
        });
        PeerReport {
            peer: self.id,
            region: storage.region().clone(),
            term: self.node.term(),
            log,
            commit: storage.hard.commit,
            by_force: self.is_by_force(),
            sources: sources.collect(),
        }
    }
}
