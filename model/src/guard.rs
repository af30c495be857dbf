//! The guards: each is a rule that some implementation once lacked.
//!
//! The numbers are the rows of `docs/incidents.md`. The implementation has the same names, and a
//! test compares the two lists.

use std::fmt;

use crate::dialect::Dialect;

macro_rules! guards {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A rule that can be switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Guard {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Guard {
            /// Every guard of the rules.
            pub const ALL: &'static [Guard] = &[$(Guard::$variant,)+];

            /// Its name on the command line and in traces.
            pub fn name(self) -> &'static str {
                match self { $(Guard::$variant => $name,)+ }
            }

            /// The incident that made it necessary, in a line.
            pub fn incident(self) -> &'static str {
                match self { $(Guard::$variant => concat!($($doc,)+).trim_ascii_start(),)+ }
            }
        }
    };
}

guards! {
    /// A peer drops a second snapshot while one is pending. Otherwise the second overwrites the first half-way (row 1).
    SnapshotOnce = "snapshot_once",
    /// A leader steps down on a vote request of a higher term. Otherwise it goes on serving. Replies of a higher term exist only with pre-vote or check-quorum (row 4).
    StepDownOnHigherTerm = "step_down_on_higher_term",
    /// A leader proposes nothing during a leadership transfer. Otherwise the target's log falls behind and it loses the election (row 5).
    NoProposalsWhileTransferring = "no_proposals_while_transferring",
    /// A leadership transfer ends after one election timeout. Otherwise a dead target blocks proposals for ever (row 6).
    TransferTimesOut = "transfer_times_out",
    /// A leader transfers leadership only to a peer that has applied the pending conf change. Otherwise the target may not campaign and the transfer is wasted (row 7).
    TransferWaitsForChange = "transfer_waits_for_change",
    /// A leader may transfer leadership although it has not applied the pending conf change itself. Otherwise a leader whose disk is stalled keeps leading and serves no request (tikv#17363, tikv#9041).
    LaggingLeaderHandsOver = "lagging_leader_hands_over",
    /// A peer does not campaign while a conf change is committed and unapplied. Otherwise one term has two leaders (etcd#12133, raft-rs#221).
    CampaignAppliesFirst = "campaign_applies_first",
    /// An uninitialised peer accepts heartbeats and snapshots; it only may not campaign. Otherwise it is never initialised (row 9).
    UninitialisedPeerListens = "uninitialised_peer_listens",
    /// A heartbeat carries at most the receiver's matched index. Otherwise it never counts as an initial message and no store creates the peer (row 10).
    HeartbeatCommitBounded = "heartbeat_commit_bounded",
    /// A conf change is pending only until it is applied. Otherwise every later change is skipped (row 11).
    PendingChangeExpires = "pending_change_expires",
    /// The effect of an entry depends on the entry alone, not on a waiting client. Otherwise a removed follower never destroys itself (row 12).
    ApplyNeedsNoClient = "apply_needs_no_client",
    /// A change that is already in effect is refused. Otherwise it raises the epoch for nothing (row 13).
    NoDuplicateChange = "no_duplicate_change",
    /// A voter of an even number is demoted before it is removed. Otherwise one more lost disk can leave voters that are a majority of the new configuration but know only the old one, where they are not (row 15, tikv#10595; etcd#10563, cockroach#42251).
    DemoteBeforeRemoval = "demote_before_removal",
    /// A tombstone carries the epoch of the removal. Otherwise messages of the last epoch before it pass the tombstone (row 17).
    TombstoneAtNewEpoch = "tombstone_at_new_epoch",
    /// A store answers a stale sender that is no member with a removal message. Otherwise the removed peer campaigns for ever (row 18).
    StalePeerTold = "stale_peer_told",
    /// A peer that has no leader asks the other members and PD whether it is still a member. Otherwise a removed learner that never receives the removal keeps its range for ever (tikv#7386, tikv#5852).
    StalePeerAsks = "stale_peer_asks",
    /// An uninitialised peer remembers its creator, so that it can ask. Otherwise it stays for ever behind a merge, because PD no longer knows its region (tikv#15919).
    CreatorRemembered = "creator_remembered",
    /// A PD region from before the peer's creation does not destroy the peer. Otherwise a member that PD does not know yet is destroyed (TiKV `handle_validate_peer`, read from the code).
    OldViewEndsNoNewPeer = "old_view_ends_no_new_peer",
    /// A leader refuses to remove or demote itself. Otherwise the region has no leader until an election (row 19).
    LeaderNotRemoved = "leader_not_removed",
    /// A leader that applies its own removal is destroyed, and one that applies its own demotion steps down, at once (row 19).
    LeaderStepsDownOnRemoval = "leader_steps_down_on_removal",
    /// Nothing is written after a peer is destroyed. Otherwise a later peer finds the leftovers (row 20).
    StopAfterDestroy = "stop_after_destroy",
    /// A tombstone refuses messages from before the removal. Otherwise the removed peer comes back (row 26, tikv#1262).
    TombstoneRefusesStale = "tombstone_refuses_stale",
    /// A new leader proposes no conf change before it has applied an entry of its own term (Raft's single-server bug of 2015).
    ChangeWaitsForOwnElection = "change_waits_for_own_election",
    /// A read is answered only after a quorum has confirmed the leader. Otherwise a deposed leader serves stale values (row 4).
    ReadNeedsQuorum = "read_needs_quorum",
    /// A read is answered only once its index is applied. Otherwise it misses committed writes (ReadIndex).
    ReadWaitsForApply = "read_waits_for_apply",
    /// A split or a write takes effect only under the epoch under which it was proposed. Otherwise it changes another range (row 34).
    EpochCheckedAtApply = "epoch_checked_at_apply",
    /// A split has one new peer id for each member, under the epoch of the request. Otherwise a child's peer inherits its parent's id (row 23).
    SplitIdsFitMembers = "split_ids_fit_members",
    /// The effect of a split depends on the entry alone. Otherwise a promoted replica skips it and its epoch stays behind for ever (row 24, tikv#8967).
    SplitTakenByEveryReplica = "split_taken_by_every_replica",
    /// A peer that has applied its own removal applies no split. Otherwise the store indexes a region without a peer (row 25).
    RemovedPeerSplitsNothing = "removed_peer_splits_nothing",
    /// A split creates no child whose region the store already knows. Otherwise it revives a removed peer (tikv#5852).
    SplitSparesTheKnown = "split_spares_the_known",
    /// A commit index survives a crash with the vote or the entries that it was written with. Otherwise a peer that forgot a change campaigns by the old configuration (Raft paper, Figure 2).
    CommitIndexDurable = "commit_index_durable",
    /// A vote leaves only once it is durable. Otherwise a crash takes it back, and the peer votes twice in the term (Raft dissertation, 10.2.1).
    VoteDurableFirst = "vote_durable_first",
    /// A follower acknowledges entries only once they are durable. Otherwise a crash takes back an entry that counts as committed (Raft dissertation, 10.2.1).
    AppendDurableFirst = "append_durable_first",
    /// A leader counts its own copy of an entry only once it is durable. Otherwise a crash takes back an entry that counts as committed (Raft dissertation, 10.2.1, raft-rs `on_persist_ready`).
    OwnCopyDurableFirst = "own_copy_durable_first",
    /// A new leader sends only once its own term is durable. Otherwise a crash takes the term back, and a sole voter leads it twice (found by this model; raft-rs 0.7 `RawNode::ready` lets the messages go).
    LeadershipDurableFirst = "leadership_durable_first",
    /// A child keeps the vote of the uninitialised peer that it replaces. Otherwise the peer votes twice in a term (found by this model).
    SplitKeepsVote = "split_keeps_vote",
    /// The term and the vote of an uninitialised peer survive a crash. Otherwise it votes twice in a term, or follows a leader that it voted against (TiKV `peer_storage.rs`, read from the code).
    UninitialisedVoteSurvives = "uninitialised_vote_survives",
    /// A split divides the data with the range. Otherwise both regions answer for one key (TiKV's split check).
    DataDivided = "data_divided",
    /// A snapshot waits until its range is free. Otherwise two regions own the range (row 33).
    SnapshotChecksOverlap = "snapshot_checks_overlap",
    /// A voter that is being demoted takes a snapshot. Otherwise a joint configuration that needs it is never left (etcd#12631).
    DemotedTakesSnapshots = "demoted_takes_snapshots",
    /// An applied snapshot moves its region in the range index. Otherwise the index is wrong until the store panics (row 21).
    SnapshotUpdatesRanges = "snapshot_updates_ranges",
    /// Destroying an uninitialised peer spares the child that a split put in its place. Otherwise the child's range has no peer (tikv#13311).
    DestroySparesTheReplaced = "destroy_spares_the_replaced",
    /// A read's answer holds a copy of the region that it was computed on. Otherwise a later split changes the answer (row 30).
    AnswerCopiesRegion = "answer_copies_region",
    /// A leader commits by counting replicas only entries of its own term (Figure 8 of the Raft paper).
    CommitOwnTerm = "commit_own_term",
    /// A voter votes once in a term. Otherwise one term has two leaders (Raft paper, 5.2).
    OneVoteATerm = "one_vote_a_term",
    /// A conflicting entry is removed with everything behind it. Otherwise two logs agree on a later entry and differ before it (Raft paper, Figure 2).
    ConflictTruncates = "conflict_truncates",
    /// A merge without entries still forwards the commit index. Otherwise a target waits for its source for ever (row 35, tikv#5512).
    MergeForwardsCommit = "merge_forwards_commit",
    /// `PrepareMerge` raises the source's conf_ver as well. Otherwise a pending conf change takes effect in the middle of the merge (TiKV `exec_prepare_merge`).
    MergeStopsChanges = "merge_stops_changes",
    /// A region merges only into a region on the same stores. Otherwise a store with a peer of only one of them waits for ever (TiKV `check_merge_proposal`).
    MergeNeedsSameStores = "merge_needs_same_stores",
    /// A target's peer waits until the source's peer on its store has applied everything up to `PrepareMerge`. Otherwise replicas of the target differ (TiKV `exec_commit_merge`).
    MergeWaitsForSource = "merge_waits_for_source",
    /// A merging region accepts no write. Otherwise the write is acknowledged and missing in the target (TiKV `ProposalInMergingMode`).
    MergeStopsWrites = "merge_stops_writes",
    /// A merge starts only if it can carry the entries that the slowest replica lacks. Otherwise that replica never gets them (TiKV `pre_propose_prepare_merge`).
    MergeGapBounded = "merge_gap_bounded",
    /// A merge starts only once every replica has reached the last snapshot that was sent. Otherwise the replica that got the snapshot may lead, and cannot pass on the entries that another lacks (TiKV `last_sent_snapshot_idx`).
    MergeWaitsForSnapshot = "merge_waits_for_snapshot",
    /// A merge starts only once every replica is known to have committed each split, change and compaction of the source. Otherwise a replica may apply them together with the merge (TiKV `min_committed`, tikv#8081; read from the code).
    MergeWaitsForCommits = "merge_waits_for_commits",
    /// A merge is rolled back only once its target can no longer commit it. Otherwise both regions serve the range (TiKV `want_rollback_merge`).
    RollbackNeedsCause = "rollback_needs_cause",
    /// A merged region's version is above those of both regions. Otherwise PD refuses its reports as stale (TiKV `exec_commit_merge`).
    MergeVersionAboveBoth = "merge_version_above_both",
    /// A store is buried when no region lists a peer there, whatever the regions' sizes. Otherwise it looks empty after a PD restart (row 42, pd#9333; read from the code).
    BuriedByCount = "buried_by_count",
    /// PD refuses a report that is behind its own region. Otherwise it goes back to removed members (tikv#3868, PD `processRegionHeartbeat`).
    StaleReportRefused = "stale_report_refused",
    /// PD accepts a report in which only the leader is new. Otherwise its orders go to the previous leader (PD `region.go`, `RegionGuide`).
    LeaderChangeBelieved = "leader_change_believed",
    /// A region has one operator at a time. Otherwise a half-finished plan is lost (row 38).
    OneOperatorARegion = "one_operator_a_region",
    /// PD removes no live voter if that leaves a dead majority. Otherwise a script of remove-peer loses the majority (row 46).
    RemovalKeepsMajority = "removal_keeps_majority",
    /// A plan demotes a voter of an even number before it removes it. Otherwise the store always refuses the removal (row 15, pd#4411).
    PlanDemotesFirst = "plan_demotes_first",
    /// Tombstone is absorbing. Otherwise a store that has left serves again (row 47).
    TombstoneAbsorbs = "tombstone_absorbs",
    /// Only the patrol makes a store Tombstone. Otherwise an administrator does so while regions have peers there (row 45, pd#3407).
    TombstoneByPatrolAlone = "tombstone_by_patrol_alone",
    /// PD refuses `store delete` if too few stores would remain. Otherwise the store stays Offline for ever (row 39).
    EnoughStoresLeft = "enough_stores_left",
    /// PD counts an operator's own changes of conf_ver. Otherwise it cancels healthy operators (pd#1714).
    OwnChangesCounted = "own_changes_counted",
    /// PD removes learners that no rule asks for. Otherwise a leaving store never becomes empty (row 51).
    OrphansLeave = "orphans_leave",
    /// A pending learner counts as the missing peer. Otherwise PD adds and removes learners until one is fast enough (PD `fixLooseMatchPeer`).
    PendingLearnerCounts = "pending_learner_counts",
    /// A learner that holds a voter's place is promoted even if no store is free for another peer. Otherwise it waits for ever beside a spare learner on the last store (found by this model, read from PD's `fixRulePeer`).
    PromotionNeedsNoTarget = "promotion_needs_no_target",
    /// A healthy learner may take a dead voter's place. Otherwise the region is short of a voter for days (pd#6559).
    OrphanMayFill = "orphan_may_fill",
    /// The patrol leaves a joint configuration whose operator or leader is gone. Otherwise the region stays joint for ever (etcd#12136, pd#2952).
    JointEndedByPatrol = "joint_ended_by_patrol",
    /// Before it leaves a joint configuration, the patrol moves leadership away from a demoting leader. Otherwise the leader refuses for ever (pd#3499, pd#3494).
    JointHandsOverFirst = "joint_hands_over_first",
    /// A new peer goes to a store that sends heartbeats. Otherwise an operator waits for a disconnected store (PD target filters).
    TargetConnected = "target_connected",
    /// A plan moves leadership away before it demotes the leader. Otherwise that leader cannot leave the joint configuration (PD `operator/builder.go`).
    LeaderHandsOverFirst = "leader_hands_over_first",
    /// tikv-ctl tombstones a peer only if PD knows a newer configuration without it. Otherwise a new peer becomes a tombstone at an epoch that it had passed (row 37).
    TombstoneNeedsConfVerAdvance = "tombstone_needs_conf_ver_advance",
    /// A tombstone refuses messages for the peer that it lists, or an older one. Otherwise a peer that was tombstoned by force is created again without its log and its vote (row 52, TiKV `check_msg`).
    TombstoneRefusesItself = "tombstone_refuses_itself",
    /// The only voter of a region transfers leadership to its successor in the joint configuration. Otherwise no voter can take over and its store never leaves (pd#1923).
    LoneLeaderMoves = "lone_leader_moves",
    /// A voter that must move is removed only after its successor has joined. Otherwise a live voter is removed while another is stopped (row 48, PD 2.x).
    ReplacementJoinsFirst = "replacement_joins_first",
    /// An operator that takes too long is cancelled. Otherwise its region gets no other (row 36).
    OperatorsTimeOut = "operators_time_out",
    /// An operator counts only against the limit of its own kind. Otherwise administrators' operators block the patrol (row 49, pd#3820).
    LimitCountsOwnKind = "limit_counts_own_kind",
    /// A store with few regions is full only if few bytes are free. Otherwise no store takes a peer in a small cluster with big disks (row 40, pd#3444).
    SmallStoreMayFill = "small_store_may_fill",
    /// A store that was declared destroyed stays destroyed. Otherwise PD waits for its peers and keeps its record (row 44, PD `ErrStoreDestroyed`).
    DestroyedStaysGone = "destroyed_stays_gone",
    /// The record of a Tombstone store stays while a region lists a peer there. Otherwise PD cannot judge that peer and never replaces it (pd#3664, pd#3343).
    RecordKeptWhileListed = "record_kept_while_listed",
    /// A forced leader has every entry that a remaining peer knows to be committed. Otherwise those entries are overwritten (PD `isRaftStale`, read from the code).
    ForceKeepsWhatIsCommitted = "force_keeps_what_is_committed",
    /// Unsafe recovery first forces a leader in a region that may have a merge to commit. Otherwise the merge source gets a leader of its own, no longer fits the merge, and the merged data is lost (tikv#12627).
    ForceTargetFirst = "force_target_first",
    /// Unsafe recovery destroys no merge source on a store where the target has yet to commit the merge. Otherwise the target's peer there waits for it for ever (PD `generateDemoteFailedVoterPlan`, read from the code).
    ForceSparesSources = "force_spares_sources",
    /// A forced leader may roll back a merge that its target can no longer commit. Otherwise the region stays merging and can demote no peer (tikv#15580).
    ForceRollsBack = "force_rolls_back",
    /// Of equal logs, a voter rather than a demoting voter becomes the forced leader. Otherwise the demoted leader ends as a learner and has to be promoted again (PD `isRaftStale`).
    DemotingVoterRanksLast = "demoting_voter_ranks_last",
    /// PD drops its known regions in an unsafe recovery. Otherwise the last reports of the lost stores stay the newest for ever, and PD refuses those of the other stores (PD `ResetRegionCache`).
    RecoveryDropsRegions = "recovery_drops_regions",
    /// PD drops its known regions before it forces a leader. Otherwise a recovery that a timeout or a PD restart ends leaves PD with the reports of the lost stores (PD `changeStage`, which drops them at the end).
    RecoveryDropsRegionsFirst = "recovery_drops_regions_first",
    /// A recovery creates empty regions for the keys that no remaining store has. Otherwise no region serves them again (PD `generateCreateEmptyRegionPlan`).
    RecoveryFillsHoles = "recovery_fills_holes",
    /// A leader refuses a change that leaves no majority of active voters. Otherwise PD, which has not noticed the dead stores yet, has it remove a live voter (TiKV `check_availability_by_last_heartbeats`, omicron#8239).
    ChangeKeepsMajorityHeard = "change_keeps_majority_heard",
    /// A leader refuses a change whose new quorum would need a snapshot first. Otherwise nothing commits until the snapshot arrives (TiKV `check_conf_change`).
    NewQuorumHasLog = "new_quorum_has_log",
    /// A joint quorum is a majority of each half, not of their union (Raft dissertation, 4.3).
    JointNeedsBothMajorities = "joint_needs_both_majorities",
}

impl Guard {
    /// The guard with that name.
    pub fn from_name(name: &str) -> Option<Guard> {
        Guard::ALL.iter().copied().find(|guard| guard.name() == name)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The guards that hold (all by default) and the dialects (none by default).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuardSet {
    dropped: u128,
    dialects: u8,
    /// The rules are those of a scope in which persistence is late.
    late: bool,
}

impl GuardSet {
    /// Every guard holds.
    pub const ALL: GuardSet = GuardSet { dropped: 0, dialects: 0, late: false };

    /// Every guard but one.
    pub fn without(guard: Guard) -> GuardSet {
        GuardSet::ALL.and_without(guard)
    }

    /// These guards without one more.
    #[must_use]
    pub fn and_without(self, guard: Guard) -> GuardSet {
        GuardSet { dropped: self.dropped | 1_u128 << guard as u8, ..self }
    }

    /// Whether `guard` holds.
    pub fn holds(self, guard: Guard) -> bool {
        self.dropped & (1_u128 << guard as u8) == 0
    }

    /// The same with `dialect`.
    #[must_use]
    pub fn in_dialect(self, dialect: Dialect) -> GuardSet {
        GuardSet { dialects: self.dialects | 1 << dialect as u8, ..self }
    }

    /// Whether `dialect` is on.
    pub fn speaks(self, dialect: Dialect) -> bool {
        self.dialects & (1 << dialect as u8) != 0
    }

    /// The same, where persistence is late if the scope says so.
    pub(crate) fn with_persistence(self, late: bool) -> GuardSet {
        GuardSet { late, ..self }
    }

    /// Whether what a step writes is durable later.
    pub(crate) fn persists_late(self) -> bool {
        self.late
    }

    /// The guards that do not hold.
    pub fn dropped(self) -> impl Iterator<Item = Guard> {
        Guard::ALL.iter().copied().filter(move |guard| !self.holds(*guard))
    }
}

impl Default for GuardSet {
    fn default() -> Self {
        GuardSet::ALL
    }
}
