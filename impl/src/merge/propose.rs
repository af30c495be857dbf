//! What may be proposed for a merge, and what the peers beside add to it.
//!
//! A leader knows its own region; who knows of both is the store. So the store
//! looks at the other region's peer first, completes the command from it, and
//! the leader raises what the store has against it in its own turn
//! (`crate::peer::propose`). Follows `TV fsm/peer.rs check_merge_proposal,
//! validate_merge_peer, schedule_merge`, `TV peer.rs pre_propose_prepare_merge`.
//! One rule is our own: TiKV's leader rolls back once a quorum of the source's
//! peers asks it to, because each may err; here it needs nobody else, but only
//! believes a target whose way past the expected epoch it has seen entry by entry.

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
    /// A command of a merge as the peers beside the leader of `region` complete
    /// it, and what they have against it.
    pub(crate) fn look_beside_merge(
        &self,
        region: RegionId,
        mut command: Command,
        guards: G,
    ) -> (Command, Result<(), Refusal>) {
        // Without a peer nothing is proposed anyway.
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

    /// What `target` is to take in, from the peer of `source` here.
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

    /// The merge of `own` that can no longer be committed anywhere.
    fn merge_to_roll_back<'a>(&self, own: &'a Peer<R>, guards: G) -> Result<&'a MergeState, Refusal> {
        let merge = own.merge_state().ok_or(Refusal::NotMerging)?;
        if self.has_left(merge) || !guards.holds(Guard::RollbackNeedsCause) {
            Ok(merge)
        } else {
            Err(Refusal::MergeTargetUnchanged)
        }
    }

    /// Whether the target has left the epoch that the source expects by an entry that this
    /// store applied: had that been the merge, the source would not be here. That may have
    /// been its own removal, or its own merge into a third region (TiKV
    /// `is_merge_target_region_stale`); one that ended by the word of others may have missed
    /// that the source was taken in.
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
                    // At the epoch at which it gave itself up it takes nobody in.
                    return has_followed(*log_since) && !region.epoch.is_stale_against(&expected);
                }
                region.member_on(self.id).is_none() && expected.is_stale_against(&region.epoch)
            }
            None => false,
        }
    }

    /// The live peer of `region` that knows its region.
    pub(crate) fn initialised(&self, region: RegionId) -> Option<&Peer<R>> {
        match &self.entries.get(&region)?.resident {
            Resident::Live(peer) if peer.storage().is_initialized() => Some(peer),
            _ => None,
        }
    }
}

impl<R: Replica> Peer<R> {
    /// What the peer's region waits for, if it is merging.
    pub(crate) fn merge_state(&self) -> Option<&MergeState> {
        let storage = self.storage();
        storage.record.merge.as_deref().filter(|_| storage.is_merging())
    }

    /// A merging region takes no entry but the one that ends it (`TV peer.rs
    /// propose_normal`, `ProposalInMergingMode`).
    pub(crate) fn check_not_merging(&self, command: &Command, guards: impl Guards) -> Result<(), Refusal> {
        let allowed = match command {
            // `TV on_check_merge` asks a quorum, and of a forced leader nobody (tikv#15580).
            Command::RollbackMerge { .. } => !self.is_by_force() || guards.holds(Guard::ForceRollsBack),
            Command::TransferLeader { .. } => true,
            Command::Put { .. } | Command::Delete { .. } => !guards.holds(Guard::MergeStopsWrites),
            _ => false,
        };
        if self.storage().is_merging() && !allowed { Err(Refusal::Merging) } else { Ok(()) }
    }

    /// A `PrepareMerge` has taken effect or is bound to: whoever takes the region
    /// in may have written to it already (`TV peer.rs is_merging`).
    pub(crate) fn merge_is_near(&self) -> bool {
        let storage = self.storage();
        let is_prepare = |index| {
            let request = storage.log.payload(index).and_then(Payload::request);
            request.is_some_and(|request| matches!(request.command, Command::PrepareMerge(_)))
        };
        storage.is_merging() || (storage.applied + 1..=storage.hard.commit).any(is_prepare)
    }

    /// The first index that some replica is not known to have. What follows it
    /// is carried by the target's log, so there may not be much of it, nothing of
    /// it may be gone, and none of it may change what the merge relies on. Nor may
    /// anything that some replica has and is not known to have committed.
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

    /// How far some replica may have been brought by a snapshot: by this leader's, or
    /// before its own first entry by another's. Who leads next may be that one, and
    /// has nothing before it to carry (`TV peer.rs last_sent_snapshot_idx`).
    fn last_snapshot(&self) -> u64 {
        let (log, term) = (&self.storage().log, self.node.term());
        // Its first entry may be among the discarded, which everybody has.
        let mut known = log.truncated().index..=log.last_index();
        let begun = known.find(|index| log.term(*index) == Some(term));
        self.sent_snapshot.max(begun.unwrap_or(0))
    }

    /// How far every log is known to match a leader's.
    pub(crate) fn least_matched(&self) -> u64 {
        self.node.matched().map(|(_, matched)| matched).min().unwrap_or(0)
    }

    /// How far every replica is known to know the log to be committed (raft-rs
    /// `Progress::committed_index`, the leader's own among them).
    fn least_committed(&self) -> u64 {
        self.node.known_commits().map(|(_, commit)| commit).min().unwrap_or(0)
    }

    /// The entries up to the `PrepareMerge` that a replica may miss. A leader
    /// knows better than the `PrepareMerge` which these are.
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
