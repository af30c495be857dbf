//! The named guards: each is a rule of the field that somebody once left out.
//!
//! The numbers are the rows of the catalogue of failures; the implementation
//! has the same names, and a test compares the two lists.

use std::fmt;

macro_rules! guards {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One rule that can be dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Guard {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Guard {
            /// Every guard that the rules have.
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
    /// A second snapshot is dropped while one is received and not applied; else the first is overwritten half-way (row 1).
    SnapshotOnce = "snapshot_once",
    /// A vote request of a higher term deposes a leader at once; else it keeps serving; answers of a higher term exist only with pre-vote or check-quorum (row 4).
    StepDownOnHigherTerm = "step_down_on_higher_term",
    /// Nothing is proposed while leadership is handed over; else the target's log is behind and it loses (row 5).
    NoProposalsWhileTransferring = "no_proposals_while_transferring",
    /// A transfer is given up after an election timeout; else a dead target blocks proposals for ever (row 6).
    TransferTimesOut = "transfer_times_out",
    /// No transfer to who has not applied the pending conf change; else it may not campaign and the transfer is wasted (row 7).
    TransferWaitsForChange = "transfer_waits_for_change",
    /// Who leads hands over though it has not applied that change itself; else one whose disk hangs leads on and serves nobody (tikv#17363, tikv#9041).
    LaggingLeaderHandsOver = "lagging_leader_hands_over",
    /// Nobody campaigns with a conf change committed and unapplied; else two leaders in one term (etcd#12133, raft-rs#221).
    CampaignAppliesFirst = "campaign_applies_first",
    /// An uninitialised peer takes heartbeats and snapshots, only elections are not for it; else it never comes up (row 9).
    UninitialisedPeerListens = "uninitialised_peer_listens",
    /// A heartbeat carries at most what the receiver has matched; else it never counts as initial and no peer is created (row 10).
    HeartbeatCommitBounded = "heartbeat_commit_bounded",
    /// A conf change is pending only until it is applied; else the next one is skipped for ever (row 11).
    PendingChangeExpires = "pending_change_expires",
    /// What an entry does depends on the entry alone, not on a waiting client; else a removed follower never goes (row 12).
    ApplyNeedsNoClient = "apply_needs_no_client",
    /// A change that is there already is refused; else it raises the epoch for nothing (row 13).
    NoDuplicateChange = "no_duplicate_change",
    /// One of two voters, or of any even number, is demoted before it is removed; else it goes first, and with one disk more the majority of the others is none of those that they know (row 15, tikv#10595; etcd#10563, cockroach#42251).
    DemoteBeforeRemoval = "demote_before_removal",
    /// The tombstone carries the epoch of the removal; else it protects one epoch too little (row 17).
    TombstoneAtNewEpoch = "tombstone_at_new_epoch",
    /// Who was removed and does not know is told; else it campaigns for ever (row 18).
    StalePeerTold = "stale_peer_told",
    /// A peer that hears from no leader asks the others and PD whether it is a member still; else a removed learner keeps its range for ever (tikv#7386, tikv#5852).
    StalePeerAsks = "stale_peer_asks",
    /// An uninitialised peer knows who created it, whom it may ask; else it stays for ever behind a merge, of which PD knows nothing (tikv#15919).
    CreatorRemembered = "creator_remembered",
    /// What PD knew of a region before a peer was created does not end that peer; else a member is gone that PD has not heard of (TiKV `handle_validate_peer`, by its code).
    OldViewEndsNoNewPeer = "old_view_ends_no_new_peer",
    /// A leader is not asked to remove or demote itself; else the group is without a leader until an election (row 19).
    LeaderNotRemoved = "leader_not_removed",
    /// A leader that applies its own removal is destroyed, and one that is demoted steps down, at once (row 19).
    LeaderStepsDownOnRemoval = "leader_steps_down_on_removal",
    /// Nothing is written after the peer is destroyed; else a later peer finds its leftovers (row 20).
    StopAfterDestroy = "stop_after_destroy",
    /// A tombstone refuses messages from before the removal; else the removed peer comes back (row 26, tikv#1262).
    TombstoneRefusesStale = "tombstone_refuses_stale",
    /// A new leader proposes no change before it applied everything up to its election (Raft's single-server bug of 2015).
    ChangeWaitsForOwnElection = "change_waits_for_own_election",
    /// A read is answered only after a quorum confirmed its leader; else a deposed one serves stale values (row 4).
    ReadNeedsQuorum = "read_needs_quorum",
    /// A read is answered only once its index is applied; else it misses what was committed (ReadIndex).
    ReadWaitsForApply = "read_waits_for_apply",
    /// A split or a write takes effect only under the epoch that it was proposed under; else it hits another range (row 34).
    EpochCheckedAtApply = "epoch_checked_at_apply",
    /// The ids of a split are those of the members that it was asked for: one each, under the epoch of the asking; else a child's peer inherits its parent's id (row 23).
    SplitIdsFitMembers = "split_ids_fit_members",
    /// What a split does depends on the entry alone; else a replica that was promoted skips it and its epoch stays behind for ever (row 24, tikv#8967).
    SplitTakenByEveryReplica = "split_taken_by_every_replica",
    /// A peer that applied its own removal splits nothing; else the store indexes a region without a peer (row 25).
    RemovedPeerSplitsNothing = "removed_peer_splits_nothing",
    /// A split spares whatever the store knows of a child's id; else it brings back a peer that was removed (tikv#5852).
    SplitSparesTheKnown = "split_spares_the_known",
    /// A commit index survives a crash with the vote or the entries that it was written with; else who forgot a change campaigns by the old configuration (Raft paper, Figure 2).
    CommitIndexDurable = "commit_index_durable",
    /// A child keeps the vote of the uninitialised peer that it replaces; else it votes twice in a term (found by this model).
    SplitKeepsVote = "split_keeps_vote",
    /// What an uninitialised peer promised survives a crash; else it votes twice in a term, or follows a leader that it voted down (TiKV `peer_storage.rs`, read from the code).
    UninitialisedVoteSurvives = "uninitialised_vote_survives",
    /// A split divides the data with the range; else both regions answer for a key (TiKV's split check).
    DataDivided = "data_divided",
    /// A snapshot waits until its range is free; else two regions own it (row 33).
    SnapshotChecksOverlap = "snapshot_checks_overlap",
    /// A voter that is being demoted takes a snapshot; else a joint configuration that needs it is never left (etcd#12631).
    DemotedTakesSnapshots = "demoted_takes_snapshots",
    /// An applied snapshot moves its region in the range index; else the index lies until the store panics (row 21).
    SnapshotUpdatesRanges = "snapshot_updates_ranges",
    /// The end of an uninitialised peer that a split has replaced leaves the child alone; else its range stays without a peer (tikv#13311).
    DestroySparesTheReplaced = "destroy_spares_the_replaced",
    /// A read is answered with a copy of the region that it was computed on; else a later split shows through (row 30).
    AnswerCopiesRegion = "answer_copies_region",
    /// Only an entry of the leader's own term is committed by counting (Figure 8 of the Raft paper).
    CommitOwnTerm = "commit_own_term",
    /// A voter votes once in a term; else two are elected in it (Raft paper, 5.2).
    OneVoteATerm = "one_vote_a_term",
    /// An entry that conflicts goes with all behind it; else two logs agree on a later entry and differ before (Raft paper, Figure 2).
    ConflictTruncates = "conflict_truncates",
    /// A merge that carries no entries forwards the commit index all the same; else a target waits for its source for ever (row 35, tikv#5512).
    MergeForwardsCommit = "merge_forwards_commit",
    /// A source that gives itself up raises conf_ver too; else a conf change that is under way takes effect in the middle (TiKV `exec_prepare_merge`).
    MergeStopsChanges = "merge_stops_changes",
    /// A region merges only into one on the same stores; else who has one of both waits or stays for ever (TiKV `check_merge_proposal`).
    MergeNeedsSameStores = "merge_needs_same_stores",
    /// A target waits until its source here has applied all that it gave up with; else replicas of the target differ (TiKV `exec_commit_merge`).
    MergeWaitsForSource = "merge_waits_for_source",
    /// A merging region takes no write; else it is acknowledged and its target goes on without it (TiKV `ProposalInMergingMode`).
    MergeStopsWrites = "merge_stops_writes",
    /// A merge begins only where what some replica misses can be carried; else nobody brings it there (TiKV `pre_propose_prepare_merge`).
    MergeGapBounded = "merge_gap_bounded",
    /// A merge begins only once every replica has reached the last snapshot that was sent; else who took it leads and cannot hand on what another misses (TiKV `last_sent_snapshot_idx`).
    MergeWaitsForSnapshot = "merge_waits_for_snapshot",
    /// A merge begins only once every replica is known to have committed each split, change and compaction of its source; without it one may meet them together with the merge (TiKV `min_committed`, tikv#8081; read from the code).
    MergeWaitsForCommits = "merge_waits_for_commits",
    /// A merge is taken back only once its target went on without it; else both regions serve the range (TiKV `want_rollback_merge`).
    RollbackNeedsCause = "rollback_needs_cause",
    /// A merged region's version is above both; else the driver takes its reports for old ones (TiKV `exec_commit_merge`).
    MergeVersionAboveBoth = "merge_version_above_both",
    /// A store is buried when no region lists a peer there, however small its regions seem; else a restart of PD makes it look empty (row 42, pd#9333; read from the code).
    BuriedByCount = "buried_by_count",
    /// PD believes no report that is behind what it knows; else it goes back to members that are gone (tikv#3868, B10).
    StaleReportRefused = "stale_report_refused",
    /// PD believes a report whose only news is who leads; else its orders go to who led before (PD `region.go`, `RegionGuide`).
    LeaderChangeBelieved = "leader_change_believed",
    /// A region has one operator; else a plan that is half done is lost (row 38).
    OneOperatorARegion = "one_operator_a_region",
    /// No live voter is told to go if the dead would then outvote the living; else a script of remove-peer ends a majority (row 46).
    RemovalKeepsMajority = "removal_keeps_majority",
    /// A plan demotes one of an even number of voters before it removes it; else the store refuses the removal again and again (row 15, pd#4411).
    PlanDemotesFirst = "plan_demotes_first",
    /// Tombstone is absorbing; else a store that has left serves again (row 47).
    TombstoneAbsorbs = "tombstone_absorbs",
    /// Only the patrol makes a store Tombstone; else somebody does while regions have peers there (row 45, pd#3407).
    TombstoneByPatrolAlone = "tombstone_by_patrol_alone",
    /// `store delete` is refused if too few stores would be left; else it stays Offline for ever (row 39).
    EnoughStoresLeft = "enough_stores_left",
    /// An operator's own changes of conf_ver are counted; else healthy operators are cancelled (pd#1714).
    OwnChangesCounted = "own_changes_counted",
    /// Learners that nobody asked for are removed; else they keep a leaving store from ever being empty (row 51).
    OrphansLeave = "orphans_leave",
    /// A learner that waits for its snapshot counts as the peer that is missing; else learners come and go until one is quick enough (PD `fixLooseMatchPeer`).
    PendingLearnerCounts = "pending_learner_counts",
    /// A learner that holds a place is promoted though no store is free for another peer; else it waits for ever beside a spare one that has the last store (found by this model, read from PD's `fixRulePeer`).
    PromotionNeedsNoTarget = "promotion_needs_no_target",
    /// A healthy learner may take a dead voter's place; else the region stays short for days (pd#6559).
    OrphanMayFill = "orphan_may_fill",
    /// A joint configuration that nobody ends any more, be it by an operator that is gone or by a leader that was to, is ended by the patrol; else it stays for ever (etcd#12136, pd#2952).
    JointEndedByPatrol = "joint_ended_by_patrol",
    /// The patrol moves leadership away from who is demoted before it ends a joint configuration; else the leader refuses to, for ever (pd#3499, pd#3494).
    JointHandsOverFirst = "joint_hands_over_first",
    /// A new peer goes to a store that is heard from; else an operator waits for a silent one (B10, target filters).
    TargetConnected = "target_connected",
    /// A plan moves leadership away before the leader is demoted for good; else the joint configuration cannot be left by it (B10, move peer).
    LeaderHandsOverFirst = "leader_hands_over_first",
    /// A peer is made a tombstone by hand only where PD knows a newer configuration without it; else one that was just added is buried at an epoch that it had left behind (row 37).
    TombstoneNeedsConfVerAdvance = "tombstone_needs_conf_ver_advance",
    /// A tombstone refuses messages for the peer that it lists or an older one; else who was buried by force is made anew without its log and its vote (row 52, TiKV `check_msg`).
    TombstoneRefusesItself = "tombstone_refuses_itself",
    /// An only voter hands over inside the joint configuration, to its successor; else nobody can take over, and its store never leaves (pd#1923).
    LoneLeaderMoves = "lone_leader_moves",
    /// A voter that must move leaves only behind its successor; else a live one goes while another's process is stopped (row 48, PD 2.x).
    ReplacementJoinsFirst = "replacement_joins_first",
    /// An operator that takes too long is given up; else its region gets no other (row 36).
    OperatorsTimeOut = "operators_time_out",
    /// An operator takes up the limit of its own kind alone; else what is typed by hand keeps the patrol from its work (row 49, pd#3820).
    LimitCountsOwnKind = "limit_counts_own_kind",
    /// A store with few regions is full only where few bytes are left; else nobody takes a peer in a small cluster on big disks (row 40, pd#3444).
    SmallStoreMayFill = "small_store_may_fill",
    /// A store that was said to be destroyed is not taken for there again; else its peers are waited for, and its record stays (row 44, PD `ErrStoreDestroyed`).
    DestroyedStaysGone = "destroyed_stays_gone",
    /// The record of a Tombstone stays while a region lists a peer there; else PD cannot judge that peer, and replaces it never (pd#3664, pd#3343).
    RecordKeptWhileListed = "record_kept_while_listed",
    /// Who leads by force has all that anybody left knows to be committed; else that is written over (PD `isRaftStale`, by its code).
    ForceKeepsWhatIsCommitted = "force_keeps_what_is_committed",
    /// By force a region that may have a merge to commit is led first; else its source, led in a term of its own, no longer fits, and what was merged is lost (tikv#12627).
    ForceTargetFirst = "force_target_first",
    /// By force no peer is destroyed on a store that has yet to come to the merge that takes it in; else the target's peer there waits for it for ever (PD `generateDemoteFailedVoterPlan`, by its code).
    ForceSparesSources = "force_spares_sources",
    /// Who leads by force may take back a merge that its target went on without; else it stays merging, and can demote nobody (tikv#15580).
    ForceRollsBack = "force_rolls_back",
    /// Of equal logs a voter leads by force rather than one that is being demoted; else it ends as the learner that the change made of it, and has to be promoted again (PD `isRaftStale`).
    DemotingVoterRanksLast = "demoting_voter_ranks_last",
    /// PD drops the regions that it knew in a recovery by force; else what it knew from the lost stores is newer for ever than what the others report (PD `ResetRegionCache`).
    RecoveryDropsRegions = "recovery_drops_regions",
    /// PD drops the regions that it knew before it has a leader forced; else a recovery that is broken off, by its time or by a restart of PD, leaves it with what the lost stores reported (PD `changeStage`, which drops them at the end).
    RecoveryDropsRegionsFirst = "recovery_drops_regions_first",
    /// A leader refuses a change that leaves no majority whom it hears; else PD, which has not missed the dead yet, has it remove the living (TiKV `check_availability_by_last_heartbeats`, omicron#8239).
    ChangeKeepsMajorityHeard = "change_keeps_majority_heard",
    /// A leader refuses a change whose new quorum would need a snapshot first; else nothing commits until one has come (TiKV `check_conf_change`).
    NewQuorumHasLog = "new_quorum_has_log",
    /// A joint quorum is a majority of each half, not of their union (Raft dissertation, 4.3).
    JointNeedsBothMajorities = "joint_needs_both_majorities",
}

impl Guard {
    /// The guard of that name.
    pub fn from_name(name: &str) -> Option<Guard> {
        Guard::ALL.iter().copied().find(|guard| guard.name() == name)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The guards that hold: all by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuardSet {
    dropped: u128,
}

impl GuardSet {
    /// Every guard holds.
    pub const ALL: GuardSet = GuardSet { dropped: 0 };

    /// Every guard but one.
    pub fn without(guard: Guard) -> GuardSet {
        GuardSet { dropped: 1_u128 << guard as u8 }
    }

    /// These but one more.
    #[must_use]
    pub fn and_without(self, guard: Guard) -> GuardSet {
        GuardSet { dropped: self.dropped | 1_u128 << guard as u8 }
    }

    /// Whether `guard` holds.
    pub fn holds(self, guard: Guard) -> bool {
        self.dropped & (1_u128 << guard as u8) == 0
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
