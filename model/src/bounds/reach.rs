//! The situations that a scope must reach. A scope that misses one fails, however many states it
//! has.

mod predicates;
mod situations;

use rollcall_traces::{Liveness, MemberRole, Message, PeerState, Purpose, Role, StoreState, StoreStatus};

use predicates::{
    most_regions, some, some_child, some_led, some_store_report, some_stray, some_waiting, tombstones,
};

use crate::cluster::{ClusterInScope, is_given_up};
use crate::rules::FIRST;

macro_rules! reaches {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal: $holds:expr,)+) => {
        /// A situation that some state of a scope must show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reach {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reach {
            /// Every situation.
            pub const ALL: &'static [Reach] = &[$(Reach::$variant,)+];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Reach::$variant => $name,)+ }
            }

            /// The situation with that name.
            pub fn from_name(name: &str) -> Option<Reach> {
                Reach::ALL.iter().copied().find(|reach| reach.name() == name)
            }

            /// Whether the state shows it.
            pub fn holds(self, cluster: impl ClusterInScope) -> bool {
                match self { $(Reach::$variant => holds_in(cluster, $holds),)+ }
            }
        }
    };
}

fn holds_in<S: ClusterInScope>(cluster: S, holds: impl Fn(S) -> bool) -> bool {
    holds(cluster)
}

reaches! {
    /// A leader has applied an entry of its own term.
    LeaderInCharge = "leader in charge":
        |cluster| some(cluster, |_, peer| peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)),
    /// Two peers lead, in different terms.
    TwoLeaders = "two leaders, in two terms":
        |cluster| cluster.regions().any(|region| {
            cluster.replicas(region).filter(|(_, peer)| peer.role == Role::Leader).count() > 1
        }),
    /// A new member has its state from a snapshot.
    PeerAdded = "a peer added and initialised": situations::peer_added,
    /// A peer of the first configuration was destroyed and is live again under its id.
    SameIdAgain = "a peer added again under its old id":
        |cluster| some(cluster, |store, peer| {
            let founder = cluster.founders().find(|member| member.id == peer.id && member.store == store);
            founder.is_some() && peer.is_initialized() && peer.log.truncated.index > FIRST.index
        }),
    /// A learner was promoted, and has applied its snapshot.
    Promoted = "a promoted learner caught up":
        |cluster| some(cluster, |store, peer| {
            peer.is_initialized()
                && peer.region.member(peer.id).is_some_and(|member| member.role == MemberRole::Voter)
                && !cluster.founders().any(|member| member.store == store)
        }),
    /// A peer was created and has no region yet.
    PeerUninitialised = "a peer uninitialised":
        |cluster| some(cluster, |_, peer| peer.state == PeerState::Uninitialised),
    /// A snapshot was received and is not applied.
    SnapshotPending = "a snapshot received":
        |cluster| some(cluster, |_, peer| peer.snapshot.is_some()),
    /// A peer was destroyed.
    PeerRemoved = "a peer removed":
        |cluster| some(cluster, |_, peer| peer.state == PeerState::Tombstone),
    /// A region has a joint configuration.
    Joint = "a joint configuration applied":
        |cluster| some(cluster, |_, peer| peer.is_initialized() && peer.region.is_joint()),
    /// A joint configuration was entered and left.
    JointLeft = "a joint configuration left":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Leader && !peer.region.is_joint() && peer.region.epoch.conf_ver > 2
        }),
    /// A leader's own log removes it.
    LeaderRemovesItself = "a leader about to apply its own removal": situations::leader_removes_itself,
    /// One voter of several is left, and it leads.
    OneVoterLeft = "one voter left, leading":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Leader && peer.region.epoch.conf_ver > 1 && !peer.region.is_joint()
                && peer.region.incoming_voters().count() == 1
        }),
    /// A voter of its own configuration still needs a snapshot.
    VoterWithoutLog = "a voter that needs a snapshot": situations::voter_without_log,
    /// An uninitialised peer has voted, and its store is down.
    VoteBeforeSnapshot = "a vote before the snapshot, on a store that is down": situations::vote_before_snapshot,
    /// A peer has a commit index that is not on its disk.
    CommitUnsynced = "a commit index that is not on disk":
        |cluster| some(cluster, |_, peer| peer.synced_commit.is_some()),
    /// A leader has entries of its own that its disk does not have yet.
    EntryUnsynced = "a leader with entries that are not on its disk":
        |cluster| some(cluster, |_, peer| peer.role == Role::Leader && situations::has_entries_unsynced(peer)),
    /// A leader knows an entry to be committed that its own disk does not have yet.
    CommittedByOthers = "an entry committed before the leader's disk has it":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Leader
                && peer.durable.as_ref().is_some_and(|durable| durable.log.last_index() < peer.commit)
        }),
    /// A peer proposed a change, crashed and lost it; another peer has the entry.
    ChangeLostByItsLeader = "a change that its leader lost in a crash and another peer has": situations::change_lost_by_its_leader,
    /// A follower has a vote or entries that its disk does not have yet.
    PromiseUnsynced = "a vote or an entry of a follower that is not on its disk":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Follower
                && (situations::has_entries_unsynced(peer)
                    || peer.durable.as_ref().is_some_and(|durable| durable.vote != peer.vote))
        }),
    /// A follower that its leader is demoting needs a snapshot.
    DemotedBehindTheLog = "a voter that is being demoted and needs a snapshot": situations::demoted_behind_the_log,
    /// A leader's last truncated entry is of an older term.
    OldTermDiscarded = "a leader whose last discarded entry is of an older term":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Leader
                && peer.log.truncated.index > FIRST.index
                && peer.log.truncated.term < peer.term
        }),
    /// A TimeoutNow is delayed to a peer with a committed, unapplied conf change.
    LateTimeoutNow = "a late TimeoutNow to a peer with an unapplied conf change": situations::late_timeout_now,
    /// A store of the first configuration has a peer with another id.
    NewIdOnOldStore = "a store joined again with a new peer id":
        |cluster| some(cluster, |store, peer| {
            let founder = cluster.founders().find(|member| member.store == store);
            founder.is_some_and(|member| member.id != peer.id) && peer.is_initialized()
        }),
    /// A leader is transferring leadership.
    Transferring = "a transfer of leadership":
        |cluster| some(cluster, |_, peer| peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some())),
    /// A leader transfers leadership without having applied its own conf change (tikv#17363).
    LaggardHandsOver = "a transfer by a leader that has not applied its conf change":
        |cluster| some(cluster, |_, peer| peer.leading.as_ref().is_some_and(|leading| {
            leading.transfer.is_some() && leading.pending_conf_index > peer.applied
        })),
    /// A store is down.
    StoreDown = "a store down":
        |cluster| cluster.stores().any(|(_, status)| status == StoreStatus::Down),
    /// A stopped store has the tombstone of a peer that some region still lists.
    ListedTombstone = "a tombstone on a stopped store that a region still lists": situations::listed_tombstone,
    /// Before a leader's own entries, its log ends with an uncommitted entry of an older term.
    OldTermEntry = "a leader with an uncommitted entry of an old term":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Leader
                && peer.log.iter().any(|(index, entry)| index > peer.commit && entry.term < peer.term)
        }),
    /// A store's disk is lost.
    StoreLost = "a lost store":
        |cluster| cluster.stores().any(|(_, status)| status == StoreStatus::DiskLost),
    /// A member on a failed store is a learner.
    DemotedByForce = "a demoted member on a store that was given up": situations::demoted_by_force,
    /// An unsafe recovery has finished, and PD's regions do not yet cover every key.
    RegionsDropped = "PD relearns its regions":
        |cluster| cluster.pd().relearns,
    /// A region has lost its majority to failed stores and has no forced leader.
    LeftWithoutMajority = "a majority given up, and no forced leader":
        |cluster| some(cluster, |store, peer| {
            let lives = |id| peer.region.member(id).is_some_and(|member| !is_given_up(&cluster, member.store));
            peer.is_initialized() && !is_given_up(&cluster, store) && !peer.region.has_quorum(lives)
        }),
    /// A leader's region has a new member and none on the lost store.
    LostVoterReplaced = "the voter of a lost store replaced": situations::lost_voter_replaced,
    /// A read is confirmed and not answered.
    ReadReady = "a read ready to be answered":
        |cluster| some(cluster, |_, peer| peer.read.as_ref().is_some_and(|read| read.ready)),
    /// A peer has a conf change committed and not applied.
    ApplyLags = "apply lags behind commit at a conf change":
        |cluster| some(cluster, |_, peer| {
            peer.log.iter().any(|(index, entry)| entry.is_conf_change() && index > peer.applied && index <= peer.commit)
        }),
    /// A store has two regions where it had one.
    SplitApplied = "a split applied":
        |cluster| most_regions(cluster) > 1,
    /// A store has three regions.
    ThreeRegions = "three regions where one was":
        |cluster| most_regions(cluster) > 2,
    /// One store has a child, and another has only its parent.
    SplitUneven = "a split applied on one store and not on another":
        |cluster| cluster.regions().any(|region| {
            let initialised = |store| cluster.peer(store, region).is_some_and(|peer| peer.is_initialized());
            !cluster.is_founded(region) && cluster.stores().any(|(store, _)| initialised(store))
                && cluster.stores().any(|(store, _)| !initialised(store) && cluster.ranges(store).count() == 1)
        }),
    /// A child has a leader that applied an entry of its own term.
    ChildLeads = "a child with a leader in charge":
        |cluster| some_child(cluster, |_, peer| {
            peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)
        }),
    /// Parent and child are led on different stores.
    LeadersApart = "parent and child with leaders on different stores": situations::leaders_apart,
    /// Ids for a split are delayed, and the epoch of the request is stale.
    IdsUnderWay = "ids for a split under way under a stale epoch":
        |cluster| cluster.held().iter().any(|held| {
            matches!(held.message, Message::AskSplitResponse { .. })
                && cluster.peer(held.to.store, held.region).is_some_and(|peer| peer.region.epoch != held.epoch)
        }),
    /// A child was created by a message on a store that has not applied the split.
    ChildBeforeTheSplit = "an uninitialised child before its store applies the split":
        |cluster| some_child(cluster, |store, peer| {
            peer.state == PeerState::Uninitialised
                && cluster.ranges(store).any(|entry| cluster.is_founded(entry.region))
        }),
    /// A child has its state from a snapshot.
    ChildBySnapshot = "a child initialised by a snapshot":
        |cluster| some_child(cluster, |_, peer| {
            peer.is_initialized() && peer.log.truncated.index > FIRST.index
        }),
    /// The last entry that a store applied is a split, and it did not create the child.
    ChildSkipped = "a split that created no child over a tombstone": situations::child_skipped,
    /// A child keeps a vote from before the split created it.
    ChildWithAnOlderVote = "a child that keeps the vote of the peer that it replaced": situations::child_with_an_older_vote,
    /// A store has a child's child, and another has not applied the first split.
    GrandchildFirst = "a child that split before every store has the first split":
        |cluster| cluster.stores().any(|(store, _)| cluster.ranges(store).count() > 2)
            && cluster.stores().any(|(store, _)| cluster.ranges(store).count() == 1),
    /// A store with both parts is down, and another leads them.
    DownBehindTheSplit = "a store with both parts down while another leads them": situations::down_behind_the_split,
    /// A child voted for a candidate that did not get the response: the request had been pending.
    VoteForPendingRequest = "a vote for a request that had waited for the split": situations::vote_for_pending_request,
    /// An old leader has a read under way and has not applied the split. The key's new region has a
    /// write of its own.
    ReadBehindTheSplit = "a read of a leader without the split while the child has written": situations::read_behind_the_split,
    /// A store has a received snapshot of a region that another store has split.
    SplitUnderSnapshot = "a received snapshot of a region that another store has split": situations::split_under_snapshot,
    /// Two regions on one store hold data.
    DataDivided = "data on both sides of a split":
        |cluster| cluster.stores().any(|(store, _)| {
            let holds = |region: &u64| cluster.peer(store, *region).is_some_and(|peer| !peer.data.is_empty());
            cluster.regions().filter(holds).count() > 1
        }),
    /// A child has a joint configuration.
    JointChild = "a joint child":
        |cluster| some_child(cluster, |_, peer| peer.region.is_joint()),
    /// A child has left the joint configuration that it inherited.
    ChildLeftJoint = "a child that left its parent's joint configuration": situations::child_left_joint,
    /// A vote request is pending until the split.
    VoteRequestPending = "a vote request that waits for the split":
        |cluster| cluster.stores().any(|(store, _)| {
            cluster.pending_messages(store).iter().any(|held| matches!(held.message, Message::VoteRequest { .. }))
        }),
    /// An append is pending until the split.
    AppendPending = "an append that waits for the split":
        |cluster| cluster.stores().any(|(store, _)| {
            cluster.pending_messages(store).iter().any(|held| matches!(held.message, Message::Append { .. }))
        }),
    /// A store is leaving and has peers in PD's view.
    StoreOffline = "a store that is leaving with a peer on it":
        |cluster| cluster.pd().stores.iter().any(|(store, known)| {
            known.state == StoreState::Offline && cluster.pd().regions_on(*store).next().is_some()
        }),
    /// A store is Tombstone.
    StoreTombstone = "a store Tombstone":
        |cluster| tombstones(cluster, |_| true) > 0,
    /// Two stores are Tombstone.
    TwoStoresTombstone = "two stores Tombstone":
        |cluster| tombstones(cluster, |_| true) > 1,
    /// A Tombstone store's process does not run.
    DeadStoreTombstone = "a store Tombstone that does not run":
        |cluster| tombstones(cluster, |store| {
            cluster.stores().any(|(id, status)| id == store && status != StoreStatus::Up)
        }) > 0,
    /// A peer that PD added votes, and the region has as many voters as at first.
    ReplacementVotes = "a peer that PD added in place of another voter":
        |cluster| some_led(cluster, |peer, _| {
            !peer.region.is_joint()
                && peer.region.incoming_voters().count() as u64 == cluster.replicas_wanted()
                && peer.region.incoming_voters().any(|id| !cluster.founders().any(|member| member.id == id))
        }),
    /// Two voters are left of three.
    TwoVotersLeft = "two voters left of three":
        |cluster| some_led(cluster, |peer, _| {
            !peer.region.is_joint() && peer.region.incoming_voters().count() == 2 && cluster.founders().count() == 3
        }),
    /// PD does not know a region that has a leader.
    ChildUnknownToPd = "a child with a leader that PD does not know":
        |cluster| some_child(cluster, |_, peer| {
            peer.role == Role::Leader && !cluster.pd().regions.contains_key(&peer.region.id)
        }),
    /// A store is Tombstone, and a child's leader lists a peer there.
    BuriedUnderAChild = "a store Tombstone with a child's peer on it": situations::buried_under_a_child,
    /// PD's region is behind its leader's.
    PdBehind = "PD behind a leader":
        |cluster| some_led(cluster, |peer, known| known.region.epoch.is_stale_against(&peer.region.epoch)),
    /// An order is delayed.
    OrderUnderWay = "an order under way":
        |cluster| cluster.held().iter().any(|held| matches!(held.message, Message::Order(_))),
    /// A delayed report is behind what PD knows.
    ReportUnderWay = "a stale report under way":
        |cluster| cluster.held().iter().any(|held| {
            held.is_to_pd() && cluster.pd().regions.get(&held.region).is_some_and(|known| {
                held.epoch.is_stale_against(&known.region.epoch)
            })
        }),
    /// A store is Up again, and the region still has the learner that was to replace its peer.
    CancelledHalfWay = "a store Up again while its peer's replacement is a learner":
        |cluster| some_led(cluster, |peer, _| {
            peer.region.peers.iter().any(|member| member.role == MemberRole::Learner)
        }) && cluster.pd().stores.values().all(|known| known.state == StoreState::Up),
    /// PD has moved leadership off a store whose peer it cannot move.
    LeaderEvicted = "leadership moved off a store whose peer has no target":
        |cluster| cluster.pd().operators.values().any(|operator| operator.purpose == Purpose::EvictLeader),
    /// An operator waits.
    OperatorWaits = "a waiting operator":
        |cluster| !cluster.pd().waiting.is_empty(),
    /// The members changed while an operator waited, so it will be cancelled when it starts.
    WaitingOutrun = "a waiting operator whose region has other members by now":
        |cluster| cluster.pd().waiting.iter().any(|waiting| {
            let known = cluster.pd().regions.get(&waiting.region);
            known.is_some_and(|known| known.region.epoch != waiting.operator.epoch)
        }),
    /// A store has a plan to force a leader and does not do so: a majority of the voters that its
    /// peer knows remains.
    PlanRefused = "a forced leader planned where a majority is left": situations::plan_refused,
    /// A plan that creates or destroys a region is delayed, and its step has ended.
    PlanOutrun = "a plan that creates or destroys a region under way after its step": situations::plan_outrun,
    /// A plan that destroys a peer is delayed, and its store already has a tombstone there.
    PlanMeetsTombstone = "a plan to destroy a peer under way to its tombstone":
        |cluster| cluster.held().iter().any(|held| match &held.message {
            Message::RecoveryPlan(plan) => plan.tombstones.iter().any(|region| {
                cluster.peer(held.to.store, *region).is_some_and(|peer| peer.state == PeerState::Tombstone)
            }),
            _ => false,
        }),
    /// PD awaits a store's report of a recovery, which is delayed.
    StoreReportUnderWay = "a store report under way that PD awaits":
        |cluster| some_store_report(cluster, |step, now| step == now),
    /// The same, and PD is at another step by now: the report is stale.
    StoreReportOutrun = "a stale store report under way":
        |cluster| some_store_report(cluster, |step, now| step < now),
    /// A store has reported that it is full.
    StoreFull = "a full store":
        |cluster| cluster.pd().stores.values().any(|known| known.full && known.liveness == Liveness::Connected),
    /// PD knows a region and no leader of it.
    PdKnowsNoLeader = "a region whose leader PD does not know":
        |cluster| cluster.pd().regions.values().any(|known| known.leader().is_none()),
    /// A learner needs a snapshot, and its region has no operator.
    LearnerWaitedFor = "a pending learner whose operator has ended": situations::learner_waited_for,
    /// A region has two learners and no operator.
    SpareLearner = "two learners and no operator":
        |cluster| cluster.pd().regions.values().any(|known| {
            let learners =
                known.region.peers.iter().filter(|member| member.role == MemberRole::Learner);
            learners.count() > 1 && cluster.pd().operator(known.region.id).is_none()
        }),
    /// A learner is about to replace a dead voter.
    OrphanFills = "a learner about to take a dead voter's place":
        |cluster| cluster.pd().operators.values().any(|operator| {
            operator.purpose == Purpose::ReplaceDownPeerWithOrphanPeer
        }),
    /// A region was merged into another.
    MergedAway = "a region merged away":
        |cluster| some(cluster, |_, peer| peer.is_merged_away()),
    /// Every replica of a merged region is gone.
    MergedEverywhere = "a region merged away on every store":
        |cluster| cluster.regions().any(|region| cluster.replicas(region).all(|(_, peer)| peer.is_merged_away())),
    /// A target is about to merge a source that lacks entries, and carries them.
    SourceMissesEntries = "a source that gets entries from its target's log":
        |cluster| some_waiting(cluster, |source, commit, carries| source.log.last_index() < commit && carries),
    /// The same with a source that only lacks the commit index (tikv#5512).
    SourceMissesCommit = "a source that gets only a commit index from its target's log":
        |cluster| some_waiting(cluster, |source, commit, carries| source.commit < commit && !carries),
    /// A target waits until its source has applied its committed entries.
    TargetWaits = "a target that waits for its source":
        |cluster| some_waiting(cluster, |source, commit, _| source.commit >= commit && source.applied < commit),
    /// The leader of a region is behind PD's record of it.
    LeaderBehindPd = "a leader behind PD's record":
        |cluster| cluster.pd().regions.values().any(|known| {
            cluster.replicas(known.region.id).any(|(_, peer)| {
                peer.role == Role::Leader && peer.region.epoch.is_stale_against(&known.region.epoch)
            })
        }),
    /// A merge was rolled back.
    RolledBack = "a merge rolled back": situations::rolled_back,
    /// A region that rolled a merge back is merging again (tikv#6460).
    MergingAgain = "a merge started again after a rollback": situations::merging_again,
    /// A merging peer gets a snapshot.
    SnapshotWhileMerging = "a snapshot for a peer that is merging":
        |cluster| some(cluster, |_, peer| peer.state == PeerState::Merging && peer.snapshot.is_some()),
    /// A peer learned that its region was merged, while the target on its store has not merged it.
    MergeLearned = "a source that learned of its merge":
        |cluster| some(cluster, |_, peer| peer.merged_into.is_some() && peer.state != PeerState::Tombstone),
    /// A region merges while one of the two has a peer that PD added.
    MergeBesideAMove = "a merge while a peer is being moved":
        |cluster| some(cluster, |_, peer| peer.state == PeerState::Merging)
            && cluster.pd().operators.values().any(|operator| !operator.purpose.is_admin()),
    /// A learner is live that its region's leader no longer lists.
    LearnerStrays = "a removed learner that does not know it":
        |cluster| some_stray(cluster, |_, peer| peer.is_initialized() && !peer.region.is_voter(peer.id)),
    /// A child's peer is live that its leader no longer lists.
    ChildStrays = "a removed peer of a child that does not know it":
        |cluster| some_stray(cluster, |_, peer| peer.is_initialized() && !cluster.is_founded(peer.region.id)),
    /// An uninitialised peer is live that its region's leader does not list.
    UninitialisedStrays = "a removed uninitialised peer that does not know it":
        |cluster| some_stray(cluster, |_, peer| peer.state == PeerState::Uninitialised),
    /// A learner was destroyed without having applied its removal.
    LearnerEndedByWord = "a learner destroyed by another member's reply":
        |cluster| some(cluster, |_, peer| {
            peer.state == PeerState::Tombstone && peer.merged_into.is_none()
                && peer.region.epoch.conf_ver > 0
                && peer.region.member(peer.id).is_some_and(|known| known.role == MemberRole::Learner)
        }),
    /// An uninitialised peer was destroyed.
    UninitialisedEnded = "an uninitialised peer destroyed":
        |cluster| some(cluster, |_, peer| {
            peer.state == PeerState::Tombstone && peer.region.epoch == rollcall_traces::Epoch::default()
        }),
    /// An uninitialised peer is live, and its region was merged elsewhere.
    UninitialisedBehindAMerge = "an uninitialised peer of a region that was merged away":
        |cluster| cluster.regions().any(|region| {
            cluster.replicas(region).any(|(_, peer)| peer.is_merged_away())
                && cluster.replicas(region).any(|(_, peer)| peer.state == PeerState::Uninitialised)
        }),
    /// A tombstone has named members to a peer that asked.
    MembersNamed = "a peer that learned which members to ask":
        |cluster| some(cluster, |_, peer| peer.stale_check.is_some()),
    /// A child's leader lists a peer on a store where a removed peer has the range.
    ChildBesideAStray = "a child's member where a removed peer has its range": situations::child_beside_a_stray,
    /// A follower follows a leader without having an entry of it or having voted for it.
    FollowsWithoutEntry = "a follower by a heartbeat alone":
        |cluster| some(cluster, |_, peer| {
            peer.role == Role::Follower && peer.leader != 0 && peer.leader != peer.vote
                && peer.log.last_term() < peer.term
        }),
    /// A delayed heartbeat commits an entry.
    CommitByHeartbeat = "a heartbeat under way with a commit index beyond its receiver's": situations::commit_by_heartbeat,
    /// A read of a child may be answered.
    ReadOfChild = "a read of a child ready to be answered":
        |cluster| some_child(cluster, |_, peer| peer.read.as_ref().is_some_and(|read| read.ready)),
}
