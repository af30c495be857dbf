//! The checks of a proposed merge, and what the store adds to its command.
//!
//! A leader knows only its own region; the store knows both. So the store first checks the other
//! region's peer and completes the command from it. The leader raises the store's objection in the
//! order of its own checks (`crate::peer::propose`). Follows `TiKV fsm/peer.rs check_merge_proposal,
//! validate_merge_peer, schedule_merge`, `TiKV peer.rs pre_propose_prepare_merge`. One rule is our
//! own. TiKV's leader rolls back once a quorum of the source's peers asks for it, because each may
//! err. Here the leader decides alone, but only if its store has applied the target's entries past
//! the expected epoch one by one.

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::merge::check_fit;
use crate::peer::Peer;
use crate::proto::command::{Command, Payload};
use crate::proto::merge::{CarriedEntry, CommitMerge, MergeState};
use crate::proto::region::{Epoch, Region, RegionId};
use crate::raft_rs::raft_storage::PeerStorage;
use crate::raft_rs::replica::Replica;
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Completes a merge command from the other region's peer on this store, and returns the
    /// store's objection.
    pub(crate) fn look_beside_merge(
        &self,
        region: RegionId,
        mut command: Command,
        guards: G,
    ) -> (Command, Result<(), Refusal>) {
        // Without a peer nothing is proposed.
        let Some(own) = self.initialised(region) else { return (command, Ok(())) };
        let beside = match &mut command {
            Command::PrepareMerge(prepare) => self.check_target(own, &prepare.target, guards),
            Command::CommitMerge(commit) => {
                self.commit_of(own, commit.source.id, guards).map(|found| **commit = found)
            }
            Command::RollbackMerge { commit } => {
                self.merge_to_roll_back(own, guards).map(|merge| *commit = merge.commit)
            }
            _ => Ok(()),
        };
        (command, beside)
    }

    fn check_target(&self, own: &Peer<R>, target: &Region, guards: G) -> Result<(), Refusal> {
        let source = own.storage().region();
        if source.is_joint() {
            return Err(Refusal::AlreadyJoint);
        }
        let known = self.initialised(target.id).ok_or(Refusal::MergeTargetNotFound)?;
        if known.storage().region() != target {
            return Err(Refusal::MergeTargetNotMatch);
        }
        check_fit(guards, source, target)
    }

    /// The `CommitMerge` for `target`, from the peer of `source` here.
    fn commit_of(&self, target: &Peer<R>, source: RegionId, guards: G) -> Result<CommitMerge, Refusal> {
        let source = self.initialised(source).ok_or(Refusal::MergeSourceNotFound)?;
        let merge = source.merge_state().filter(|merge| merge.target.id == target.region);
        let merge = merge.ok_or(Refusal::SourceNotMerging)?;
        let (region, now) = (source.storage().region(), target.storage().region());
        if merge.target.epoch.is_stale_against(&now.epoch) {
            return Err(Refusal::MergeTargetChanged);
        }
        if now.epoch.is_stale_against(&merge.target.epoch) {
            return Err(Refusal::MergeTargetBehind);
        }
        check_fit(guards, region, now)?;
        Ok(CommitMerge {
            source: region.clone(),
            commit: merge.commit,
            entries: source.entries_to_carry(merge),
        })
    }

    /// The merge of `own`, if it can no longer be committed anywhere.
    fn merge_to_roll_back<'a>(&self, own: &'a Peer<R>, guards: G) -> Result<&'a MergeState, Refusal> {
        let merge = own.merge_state().ok_or(Refusal::NotMerging)?;
        if self.has_left(merge) || !guards.holds(Guard::RollbackNeedsCause) {
            Ok(merge)
        } else {
            Err(Refusal::MergeTargetUnchanged)
        }
    }

    /// Whether the target has left the expected epoch by an entry that this store applied. If that
    /// entry had been the merge, the source would not be here. It may also have been the target's
    /// own removal, or its merge into a third region (TiKV `is_merge_target_region_stale`). A
    /// target that was destroyed by a message of another store may have missed the merge.
    fn has_left(&self, merge: &MergeState) -> bool {
        let expected = merge.target.epoch;
        let has_followed =
            |since: Option<Epoch>| since.is_none_or(|since| !expected.is_stale_against(&since));
        match self.entries.get(&merge.target.id).map(|slot| &slot.resident) {
            Some(Resident::Live(target)) => {
                let record = &target.storage().record;
                target.storage().is_initialized()
                    && has_followed(record.log_since)
                    && expected.is_stale_against(&record.region.epoch)
            }
            Some(Resident::Tombstone { region, merged, log_since, .. }) => {
                if merged.is_some() {
                    // A region that has itself prepared a merge does not merge another one at that
                    // epoch.
                    return has_followed(*log_since) && !region.epoch.is_stale_against(&expected);
                }
                region.member_on(self.id).is_none() && expected.is_stale_against(&region.epoch)
            }
            None => false,
        }
    }

    /// The live, initialised peer of `region`.
    pub(crate) fn initialised(&self, region: RegionId) -> Option<&Peer<R>> {
        match &self.entries.get(&region)?.resident {
            Resident::Live(peer) if peer.storage().is_initialized() => Some(peer),
            _ => None,
        }
    }
}

impl<R: Replica> Peer<R> {
    /// The peer's merge state, if its region is merging.
    pub(crate) fn merge_state(&self) -> Option<&MergeState> {
        let storage = self.storage();
        storage.record.merge.as_deref().filter(|_| storage.is_merging())
    }

    /// A merging region takes only the entry that ends the merge (`TiKV peer.rs propose_normal`,
    /// `ProposalInMergingMode`).
    pub(crate) fn check_not_merging(&self, command: &Command, guards: impl Guards) -> Result<(), Refusal> {
        let allowed = match command {
            // `TiKV on_check_merge` asks a quorum, and asks no peer if the leader is forced
            // (tikv#15580).
            Command::RollbackMerge { .. } => !self.is_by_force() || guards.holds(Guard::ForceRollsBack),
            Command::TransferLeader { .. } => true,
            Command::Put { .. } | Command::Delete { .. } => !guards.holds(Guard::MergeStopsWrites),
            _ => false,
        };
        if self.storage().is_merging() && !allowed { Err(Refusal::Merging) } else { Ok(()) }
    }

    /// Whether a `PrepareMerge` has taken effect or will: the target may already have written to
    /// the region (`TiKV peer.rs is_merging`).
    pub(crate) fn merge_is_near(&self) -> bool {
        let storage = self.storage();
        let is_prepare = |index| {
            let request = storage.log.payload(index).and_then(Payload::request);
            request.is_some_and(|request| matches!(request.command, Command::PrepareMerge(_)))
        };
        storage.is_merging() || (storage.applied + 1..=storage.hard.commit).any(is_prepare)
    }

    /// The first index that some replica is not known to have. The target's log carries the entries
    /// from there on. So there may not be many, none may be truncated, and none may change what the
    /// merge relies on. The same holds for entries that some replica has and is not known to have
    /// committed.
    pub(crate) fn first_index_missed(&self, guards: impl Guards) -> Result<u64, Refusal> {
        let (storage, matched) = (self.storage(), self.least_matched());
        if !guards.holds(Guard::MergeGapBounded) {
            return Ok(matched + 1);
        }
        let last = storage.log.last_index();
        let committed =
            if guards.holds(Guard::MergeWaitsForCommits) { self.least_committed() } else { matched };
        let is_too_far = |index: u64, gap| {
            index == 0 || index < storage.log.truncated().index || last.saturating_sub(index) > gap
        };
        let gap = self.config.merge_max_log_gap;
        if is_too_far(matched, gap) || is_too_far(committed, 2 * gap) {
            return Err(Refusal::LogGapTooLarge);
        }
        if matched < self.last_snapshot() && guards.holds(Guard::MergeWaitsForSnapshot) {
            return Err(Refusal::LogGapTooLarge);
        }
        let is_admin = |index| storage.log.payload(index).is_some_and(Payload::is_admin);
        if (matched.min(committed) + 1..=last).any(is_admin) {
            return Err(Refusal::AdminInLogGap);
        }
        Ok(matched + 1)
    }

    /// How far a snapshot may have brought some replica: one from this leader, or, before this
    /// leader's first entry, one from another. The next leader may be that replica, which has no
    /// earlier entries to carry (`TiKV peer.rs last_sent_snapshot_idx`).
    fn last_snapshot(&self) -> u64 {
        let (log, term) = (&self.storage().log, self.node.term());
        // Its first entry may be truncated; then every replica has it.
        let mut known = log.truncated().index..=log.last_index();
        let begun = known.find(|index| log.term(*index) == Some(term));
        self.sent_snapshot.max(begun.unwrap_or(0))
    }

    /// The index up to which every log is known to match the leader's.
    pub(crate) fn least_matched(&self) -> u64 {
        self.node.matched().map(|(_, matched)| matched).min().unwrap_or(0)
    }

    /// The index up to which every replica is known to have committed (raft-rs
    /// `Progress::committed_index`, including the leader's own).
    fn least_committed(&self) -> u64 {
        self.node.known_commits().map(|(_, commit)| commit).min().unwrap_or(0)
    }

    /// The entries up to the `PrepareMerge` that a replica may lack. A later leader knows this
    /// better than the `PrepareMerge` itself.
    fn entries_to_carry(&self, merge: &MergeState) -> Vec<CarriedEntry> {
        let known = if self.is_leader() { self.least_matched() } else { 0 };
        let storage: &PeerStorage = self.storage();
        let low = merge.min_index.max(known + 1).max(storage.log.truncated().index + 1);
        if low > merge.commit {
            return Vec::new();
        }
        storage.log.slice(low, merge.commit + 1).iter().map(CarriedEntry::of).collect()
    }
}
