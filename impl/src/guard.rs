//! The guards: rules that some system once lacked, by name.
//!
//! A sound store or placement driver has all of them, and the compiler removes the checks. A store
//! built with [`Dropped`] lacks one; it exists for the museum and for tests. The model uses the
//! same names. Guards that only an implementation can show are listed in
//! [`Guard::is_implementation_only`].

use std::fmt;

/// Who implements the rule in the sound store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decider {
    /// raft-rs. The store undoes the rule where messages and proposals pass to raft.
    Raft,
    /// The store itself.
    Store,
    /// The placement driver.
    PlacementDriver,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decider::Raft => "raft-rs",
            Decider::Store => "Store",
            Decider::PlacementDriver => "PlacementDriver",
        })
    }
}

/// Which rules hold.
pub trait Guards: Copy {
    /// Whether `guard` holds.
    fn holds(&self, guard: Guard) -> bool;
}

/// Every rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound;

impl Guards for Sound {
    #[inline(always)]
    fn holds(&self, _: Guard) -> bool {
        true
    }
}

/// Every rule but one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped(pub Guard);

impl Guards for Dropped {
    #[inline]
    fn holds(&self, guard: Guard) -> bool {
        self.0 != guard
    }
}

/// Every rule holds but these. Some incidents need more than one dropped guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking<'a>(pub &'a [Guard]);

impl Guards for Lacking<'_> {
    #[inline]
    fn holds(&self, guard: Guard) -> bool {
        !self.0.contains(&guard)
    }
}

macro_rules! guards {
    ($($(#[doc = $incident:literal])+ $variant:ident $name:literal $decider:ident,)+) => {
        /// A rule that can be dropped, with the incident behind it. Row numbers are those of
        /// `docs/incidents.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Guard {
            $($(#[doc = $incident])+ $variant,)+
        }

        impl Guard {
            /// Every guard whose dropping this crate implements.
            pub const ALL: &'static [Guard] = &[$(Guard::$variant),+];

            /// Its name, the same as in the model.
            pub fn name(self) -> &'static str {
                match self {
                    $(Guard::$variant => $name,)+
                }
            }

            /// The incident, in one line.
            pub fn incident(self) -> &'static str {
                match self {
                    $(Guard::$variant => concat!($($incident),+).trim_ascii(),)+
                }
            }

            /// Who implements it in the sound store.
            pub fn decider(self) -> Decider {
                match self {
                    $(Guard::$variant => Decider::$decider,)+
                }
            }
        }
    };
}

guards! {
    /// A second snapshot overwrites the first while that is being applied (row 1).
    SnapshotOnce "snapshot_once" Store,
    /// An append from below the compacted log gets no answer, and the leader's matched index never moves (row 2).
    AckCompactedAppend "ack_compacted_append" Raft,
    /// A deposed leader ignores messages of a higher term and keeps serving (row 4).
    StepDownOnHigherTerm "step_down_on_higher_term" Raft,
    /// A leader proposes after it sent TimeoutNow. The target's log falls behind and it loses the election (row 5).
    NoProposalsWhileTransferring "no_proposals_while_transferring" Raft,
    /// The transfer target is dead, and the leader drops proposals for ever (row 6).
    TransferTimesOut "transfer_times_out" Raft,
    /// Leadership goes to a peer that may not campaign yet (row 7).
    TransferWaitsForChange "transfer_waits_for_change" Store,
    /// A leader with a stalled disk never applies its own conf change, therefore may not transfer leadership, and serves no request (tikv#17363, tikv#9041).
    LaggingLeaderHandsOver "lagging_leader_hands_over" Store,
    /// A peer campaigns with a committed, unapplied conf change, and one term has two leaders (etcd#12133, raft-rs#221).
    CampaignAppliesFirst "campaign_applies_first" Raft,
    /// A conf change is proposed without the request that names the store, and cannot be applied (row 8).
    ContextCarried "context_carried" Store,
    /// A peer that is not in its own configuration drops heartbeats and snapshots and never initialises (row 9).
    UninitialisedPeerListens "uninitialised_peer_listens" Raft,
    /// A heartbeat carries the full commit index. It creates no peer, and it commits entries that are not there (row 10).
    HeartbeatCommitBounded "heartbeat_commit_bounded" Raft,
    /// An applied conf change still counts as pending and blocks all others (row 11).
    PendingChangeExpires "pending_change_expires" Raft,
    /// A replica without a waiting client skips the effect of an entry (row 12).
    ApplyNeedsNoClient "apply_needs_no_client" Store,
    /// A change that is already in effect raises the epoch once more (row 13).
    NoDuplicateChange "no_duplicate_change" Store,
    /// Region, data and applied index are written separately, and a crash in between leaves them inconsistent (row 14).
    AtomicApply "atomic_apply" Store,
    /// A removed peer is cleared in one batch, and its tombstone is written in the next. A crash in between leaves a voter without log and vote, who elects a leader that was not told of the removal (tikv#1262).
    TombstoneInOneBatch "tombstone_in_one_batch" Store,
    /// A peer is cleared in one batch, and its snapshot is written in the next. A crash in between leaves a voter that has forgotten its vote and its log (our own rule).
    SnapshotInOneBatch "snapshot_in_one_batch" Store,
    /// A split's parent is written in one batch, and its children in the next. A crash in between leaves keys without a region (our own rule).
    SplitInOneBatch "split_in_one_batch" Store,
    /// One of an even number of voters is removed directly, and the others can never win (row 15, tikv#10595; etcd#10563, cockroach#42251).
    DemoteBeforeRemoval "demote_before_removal" Store,
    /// A tombstone carries the epoch from before the removal and lets messages of that epoch pass (row 17).
    TombstoneAtNewEpoch "tombstone_at_new_epoch" Store,
    /// A removed peer that missed its removal campaigns for ever (row 18).
    StalePeerTold "stale_peer_told" Store,
    /// A removed learner that gets no message keeps its range for ever (tikv#7386, tikv#5852).
    StalePeerAsks "stale_peer_asks" Store,
    /// An uninitialised peer has no member to ask, and stays for ever after a merge (tikv#15919).
    CreatorRemembered "creator_remembered" Store,
    /// A new peer asks the placement driver, which does not know it yet, and is destroyed (TiKV `handle_validate_peer`, read from the code).
    OldViewEndsNoNewPeer "old_view_ends_no_new_peer" Store,
    /// A leader is ordered to remove itself, and the region has no leader until an election (row 19).
    LeaderNotRemoved "leader_not_removed" Store,
    /// A leader that applied its own removal or demotion stays leader for ever (row 19).
    LeaderStepsDownOnRemoval "leader_steps_down_on_removal" Store,
    /// Writes go on after the peer is destroyed, and its successor reads the leftovers (row 20).
    StopAfterDestroy "stop_after_destroy" Store,
    /// A message from before the removal creates the removed peer again (row 26, tikv#1262).
    TombstoneRefusesStale "tombstone_refuses_stale" Store,
    /// The log is sliced below its first index after a compaction (row 27).
    LogBoundsChecked "log_bounds_checked" Store,
    /// A leader proposes a conf change before it has applied an entry of its own term.
    ChangeWaitsForOwnElection "change_waits_for_own_election" Raft,
    /// An entry of an old term is committed by counting replicas (Raft, Figure 8).
    CommitOwnTerm "commit_own_term" Raft,
    /// A voter forgets its vote, and one term has two leaders (Raft paper, 5.2).
    OneVoteATerm "one_vote_a_term" Raft,
    /// An entry is overwritten and the entries behind it stay, though they follow another entry now (Raft paper, Figure 2).
    ConflictTruncates "conflict_truncates" Raft,
    /// A leader accepts a change that leaves no majority of active voters. A live voter is removed, and the dead ones are a majority (TiKV `check_availability_by_last_heartbeats`, omicron#8239).
    ChangeKeepsMajorityHeard "change_keeps_majority_heard" Store,
    /// A change is accepted whose new quorum needs a snapshot first, and nothing commits until it arrives (TiKV `check_conf_change`).
    NewQuorumHasLog "new_quorum_has_log" Store,
    /// A joint quorum is counted over the union of both halves.
    JointNeedsBothMajorities "joint_needs_both_majorities" Raft,
    /// A leader answers a read without asking whether it still leads (row 4).
    ReadNeedsQuorum "read_needs_quorum" Raft,
    /// A read is answered before its index is applied.
    ReadWaitsForApply "read_waits_for_apply" Store,
    /// The tombstone of an uninitialised peer is empty and lets a removed peer come back (tikv#10533).
    TombstoneListsItself "tombstone_lists_itself" Store,
    /// A proposal takes effect under an epoch that an earlier change or split has ended (row 34).
    EpochCheckedAtApply "epoch_checked_at_apply" Store,
    /// Ids that were allotted for the peers of one epoch are proposed under the next, whatever their number (row 23).
    SplitIdsFitMembers "split_ids_fit_members" Store,
    /// A promoted replica skips a split in silence, and its epoch stays behind (row 24, tikv#8967).
    SplitTakenByEveryReplica "split_taken_by_every_replica" Store,
    /// A peer that applied its own removal applies a split as well and registers regions without a peer (row 25).
    RemovedPeerSplitsNothing "removed_peer_splits_nothing" Store,
    /// A late split replaces the peer or tombstone of the child's region on the store (tikv#5852).
    SplitSparesTheKnown "split_spares_the_known" Store,
    /// The commit index is treated as volatile and restarts at the applied index. A peer that forgot a change campaigns by the old configuration (Raft paper, Figure 2).
    CommitIndexDurable "commit_index_durable" Store,
    /// A vote leaves before it is durable. A crash takes it back, and the peer votes twice in the term (Raft dissertation, 10.2.1).
    VoteDurableFirst "vote_durable_first" Store,
    /// A follower acknowledges entries that are not durable. A crash takes back an entry that counts as committed (Raft dissertation, 10.2.1).
    AppendDurableFirst "append_durable_first" Store,
    /// A leader counts its own copy of an entry at once. A crash takes back an entry that counts as committed (Raft dissertation, 10.2.1, raft-rs `on_persist_ready`).
    OwnCopyDurableFirst "own_copy_durable_first" Store,
    /// A new leader sends before its own term is durable. A crash takes the term back, and a sole voter leads it twice (found by this model; raft-rs 0.7 `RawNode::ready`).
    LeadershipDurableFirst "leadership_durable_first" Store,
    /// A child forgets the vote of the uninitialised peer that it replaces, and votes twice in the term (our own rule).
    SplitKeepsVote "split_keeps_vote" Store,
    /// The hard state of an uninitialised peer is not written, and a restart forgets its term and its vote (TiKV `peer_storage.rs`, "skip persistent hard state"; read from the code).
    UninitialisedVoteSurvives "uninitialised_vote_survives" Store,
    /// A snapshot is accepted although its range belongs to another region on the store (row 33).
    SnapshotChecksOverlap "snapshot_checks_overlap" Store,
    /// A voter that is being demoted finds itself among neither the voters nor the learners of a snapshot and drops it, and its group stays joint (etcd#12631).
    DemotedTakesSnapshots "demoted_takes_snapshots" Raft,
    /// A snapshot brings a range that the store's index never learns of (row 21).
    SnapshotUpdatesRanges "snapshot_updates_ranges" Store,
    /// An uninitialised peer is destroyed after a split replaced it, which destroys the child. The child's range stays (tikv#13311).
    DestroySparesTheReplaced "destroy_spares_the_replaced" Store,
    /// An answer points at the live region, and a split in the same batch changes it under the reader (row 30).
    AnswerCopiesRegion "answer_copies_region" Store,
    /// A split divides the range and not the data, and two regions hold one key (S4).
    DataDivided "data_divided" Store,
    /// The removal of any peer deletes the region of the same number from the index (row 22).
    OnlyDestroyClearsRanges "only_destroy_clears_ranges" Store,
    /// A read without a key is refused wherever the empty key is outside the region (row 29).
    KeylessReadUnchecked "keyless_read_unchecked" Store,
    /// Writes leave the size hint unchanged, and a region grows without ever splitting (row 31).
    SizeCountsWrites "size_counts_writes" Store,
    /// Deletes take the unsigned size hint below zero, and every check scans all data (row 31).
    SizeDeltaSaturates "size_delta_saturates" Store,
    /// A split is not reported, and clients find no region where the new one is (row 32).
    SplitReported "split_reported" Store,
    /// A first vote request that arrives before the split is refused, and its region waits for another election (row 33).
    FirstMessagePending "first_message_pending" Store,
    /// A message's size counts only its entries. With its envelope it is above the transport's limit and is sent again unchanged (row 50, tikv#9714).
    MessageSizeBounded "message_size_bounded" Store,
    /// A merge without entries forwards no commit index, and a target waits for its source for ever (row 35, tikv#5512).
    MergeForwardsCommit "merge_forwards_commit" Store,
    /// The source's conf_ver stays, and a pending conf change takes effect in the middle of a merge (TiKV `exec_prepare_merge`).
    MergeStopsChanges "merge_stops_changes" Store,
    /// A region is merged into one on other stores, and a store with a peer of only one of them waits for ever (TiKV `check_merge_proposal`).
    MergeNeedsSameStores "merge_needs_same_stores" Store,
    /// A target merges its source's data before the source has applied everything, and replicas of one region differ (TiKV `exec_commit_merge`).
    MergeWaitsForSource "merge_waits_for_source" Store,
    /// A merging source accepts a write that its target never gets (TiKV `ProposalInMergingMode`).
    MergeStopsWrites "merge_stops_writes" Store,
    /// A merge begins although a replica misses entries that the log no longer has, and nothing brings them there (TiKV `pre_propose_prepare_merge`).
    MergeGapBounded "merge_gap_bounded" Store,
    /// A merge begins although a replica is behind a snapshot that another took. The other leads, and cannot pass on what is missing (TiKV `last_sent_snapshot_idx`).
    MergeWaitsForSnapshot "merge_waits_for_snapshot" Store,
    /// A merge begins although a replica is not known to have committed a split, a change or a compaction of its source, and meets them together with the merge (TiKV `min_committed`, tikv#8081; read from the code).
    MergeWaitsForCommits "merge_waits_for_commits" Store,
    /// A merge is rolled back that another store has committed, and both regions serve the range (TiKV `want_rollback_merge`).
    RollbackNeedsCause "rollback_needs_cause" Store,
    /// A merged region's version stays below its source's, and PD refuses its reports as stale (TiKV `exec_commit_merge`).
    MergeVersionAboveBoth "merge_version_above_both" Store,
    /// A leaving store counts as empty by the size of its regions, which is 0 after a PD restart (row 42, pd#9333; inferred from the code).
    BuriedByCount "buried_by_count" PlacementDriver,
    /// PD accepts a stale report, and its view of the key space goes back (row 35, tikv#3868).
    StaleReportRefused "stale_report_refused" PlacementDriver,
    /// A report whose only news is a new leader changes nothing, and orders go to the previous leader (PD `region.go`, `RegionGuide`).
    LeaderChangeBelieved "leader_change_believed" PlacementDriver,
    /// A second operator replaces one that is half done (row 38).
    OneOperatorARegion "one_operator_a_region" PlacementDriver,
    /// A live voter is removed, and the dead outvote the living (row 46).
    RemovalKeepsMajority "removal_keeps_majority" PlacementDriver,
    /// One of two voters is removed directly by PD, and the survivor can never win (row 15, pd#4411).
    PlanDemotesFirst "plan_demotes_first" PlacementDriver,
    /// A store that has left serves again under its old id (row 47).
    TombstoneAbsorbs "tombstone_absorbs" PlacementDriver,
    /// A store with peers is set to Tombstone by hand, as PD allowed until 4.x (row 45).
    TombstoneByPatrolAlone "tombstone_by_patrol_alone" PlacementDriver,
    /// So many stores leave that no region can have all its replicas (row 39).
    EnoughStoresLeft "enough_stores_left" PlacementDriver,
    /// An operator counts its own new learner as a foreign change and is cancelled (pd#1714).
    OwnChangesCounted "own_changes_counted" PlacementDriver,
    /// A learner that no rule asks for stays for ever, and its store with it (row 51).
    OrphansLeave "orphans_leave" PlacementDriver,
    /// A learner that waits for its snapshot does not count, and another is added beside it.
    PendingLearnerCounts "pending_learner_counts" PlacementDriver,
    /// While a peer is missing and no store is free, no learner is promoted (PD `fixRulePeer`).
    PromotionNeedsNoTarget "promotion_needs_no_target" PlacementDriver,
    /// A healthy learner may not take the place of a dead voter, and there is no other store (pd#6559).
    OrphanMayFill "orphan_may_fill" PlacementDriver,
    /// The patrol does not leave a region's joint configuration, and it stays joint (etcd#12136, pd#2952).
    JointEndedByPatrol "joint_ended_by_patrol" PlacementDriver,
    /// A leader that a joint configuration demotes is ordered to leave it, and refuses (pd#3499, pd#3494).
    JointHandsOverFirst "joint_hands_over_first" PlacementDriver,
    /// A peer is added on a store that sends no heartbeats (row 48).
    TargetConnected "target_connected" PlacementDriver,
    /// A leader enters a joint configuration that demotes it. It may not leave it, and the region stays joint (pd#1923 and similar).
    LeaderHandsOverFirst "leader_hands_over_first" PlacementDriver,
    /// A peer that PD does not know yet is made a tombstone by hand, at an epoch that it had left behind (row 37).
    TombstoneNeedsConfVerAdvance "tombstone_needs_conf_ver_advance" Store,
    /// A peer that was made a tombstone by force is created again by the next heartbeat, without its log and its vote (row 52, TiKV `check_msg`).
    TombstoneRefusesItself "tombstone_refuses_itself" Store,
    /// The only voter of a region must transfer leadership before it is replaced, and there is no other voter. Its store never leaves (pd#1923).
    LoneLeaderMoves "lone_leader_moves" PlacementDriver,
    /// A voter that must move is removed first and replaced later, even if another is stopped (row 48, PD 2.x).
    ReplacementJoinsFirst "replacement_joins_first" PlacementDriver,
    /// An operator that cannot be executed stays, and its region gets no other (row 36).
    OperatorsTimeOut "operators_time_out" PlacementDriver,
    /// A command typed by hand uses up the patrol's limit, and the patrol's work waits (row 49, pd#3820).
    LimitCountsOwnKind "limit_counts_own_kind" PlacementDriver,
    /// A store counts as full by its share of space, though there is room for a small cluster (row 40, pd#3444).
    SmallStoreMayFill "small_store_may_fill" PlacementDriver,
    /// A store that was declared destroyed counts as Up again (row 44, PD `ErrStoreDestroyed`).
    DestroyedStaysGone "destroyed_stays_gone" PlacementDriver,
    /// A Tombstone's record is removed with peers on it, and PD can no longer judge them (pd#3664, pd#3343).
    RecordKeptWhileListed "record_kept_while_listed" PlacementDriver,
    /// A forced leader lacks what another remaining peer, possibly a learner, has applied, and overwrites it (PD `isRaftStale`, read from the code).
    ForceKeepsWhatIsCommitted "force_keeps_what_is_committed" Store,
    /// The source of a merge that is yet to be committed gets a forced leader too, in a term of its own, and no longer fits. The merged data is lost (tikv#12627).
    ForceTargetFirst "force_target_first" PlacementDriver,
    /// A merge source's peer is destroyed on a store where the target has yet to commit the merge, and the target's peer there waits for ever (PD `generateDemoteFailedVoterPlan`, read from the code).
    ForceSparesSources "force_spares_sources" PlacementDriver,
    /// A forced leader of a merging region may neither roll back the merge nor demote anybody (tikv#15580).
    ForceRollsBack "force_rolls_back" Store,
    /// A demoting voter becomes the forced leader beside a voter with the same log, ends as a learner, and is promoted again (PD `isRaftStale`).
    DemotingVoterRanksLast "demoting_voter_ranks_last" PlacementDriver,
    /// After a recovery PD keeps the last reports of the lost stores and refuses those of the others (PD `ResetRegionCache`).
    RecoveryDropsRegions "recovery_drops_regions" PlacementDriver,
    /// A recovery times out, or PD restarts, after regions were changed by force, and PD keeps the old regions for ever (PD `changeStage`, read from the code).
    RecoveryDropsRegionsFirst "recovery_drops_regions_first" PlacementDriver,
    /// Keys whose region lost every replica belong to no region for ever (PD `generateCreateEmptyRegionPlan`).
    RecoveryFillsHoles "recovery_fills_holes" PlacementDriver,
}

impl Guard {
    /// The guard of this name.
    pub fn from_name(name: &str) -> Option<Guard> {
        Guard::ALL.iter().copied().find(|guard| guard.name() == name)
    }

    /// Whether it is dropped inside the raft library ([`Innards`](crate::Innards)). A store on a
    /// library without access to its internals cannot drop it.
    pub fn needs_innards(self) -> bool {
        matches!(
            self,
            Guard::SnapshotOnce
                | Guard::NoProposalsWhileTransferring
                | Guard::TransferTimesOut
                | Guard::CampaignAppliesFirst
                | Guard::ChangeWaitsForOwnElection
                | Guard::CommitOwnTerm
                | Guard::OneVoteATerm
                | Guard::ConflictTruncates
                | Guard::JointNeedsBothMajorities
        )
    }

    /// Whether it is below the model's grain: only a named test of this crate can show it.
    pub fn is_implementation_only(self) -> bool {
        matches!(
            self,
            Guard::AckCompactedAppend
                | Guard::ContextCarried
                | Guard::AtomicApply
                | Guard::TombstoneInOneBatch
                | Guard::SnapshotInOneBatch
                | Guard::SplitInOneBatch
                | Guard::LogBoundsChecked
                | Guard::TombstoneListsItself
                | Guard::OnlyDestroyClearsRanges
                | Guard::KeylessReadUnchecked
                | Guard::SizeCountsWrites
                | Guard::SizeDeltaSaturates
                | Guard::SplitReported
                | Guard::FirstMessagePending
                | Guard::MessageSizeBounded
        )
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
