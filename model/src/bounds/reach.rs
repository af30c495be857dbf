//! What a scope must be able to reach: a scope in which something never
//! happens has failed, however many states it has.

use rollcall_traces::{Liveness, MemberRole, Message, PeerState, Purpose, Role, StoreState, StoreStatus};

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
            /// Every situation there is.
            pub const ALL: &'static [Reach] = &[$(Reach::$variant,)+];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Reach::$variant => $name,)+ }
            }

            /// The situation of that name.
            pub fn from_name(name: &str) -> Option<Reach> {
                Reach::ALL.iter().copied().find(|reach| reach.name() == name)
            }

            /// Whether the state shows it.
            pub fn holds(self, seen: impl ClusterInScope) -> bool {
                match self { $(Reach::$variant => holds_in(seen, $holds),)+ }
            }
        }
    };
}

fn holds_in<S: ClusterInScope>(seen: S, holds: impl Fn(S) -> bool) -> bool {
    holds(seen)
}

/// Any peer or tombstone for which `is` holds.
fn some(seen: impl ClusterInScope, is: impl Fn(u64, &rollcall_traces::Peer) -> bool) -> bool {
    seen.regions().any(|region| seen.replicas(region).any(|(store, peer)| is(store, peer)))
}

/// Any region that a split brought.
fn some_child(seen: impl ClusterInScope, is: impl Fn(u64, &rollcall_traces::Peer) -> bool) -> bool {
    some(seen, |store, peer| !seen.is_founded(peer.region.id) && is(store, peer))
}

/// Any live peer for which `is` holds that its region's leader does not list.
fn some_stray(seen: impl ClusterInScope, is: impl Fn(u64, &rollcall_traces::Peer) -> bool) -> bool {
    let leads = |peer: &rollcall_traces::Peer| peer.role == Role::Leader;
    some(seen, |store, peer| {
        let leaders = || seen.replicas(peer.region.id).filter(|(_, leader)| leads(leader));
        peer.state != PeerState::Tombstone
            && is(store, peer)
            && leaders().any(|(_, leader)| {
                leader.region.member(peer.id).is_none()
                    && peer.region.epoch.is_stale_against(&leader.region.epoch)
            })
    })
}

/// How many initialised regions a store has at most.
fn most_regions(seen: impl ClusterInScope) -> usize {
    seen.stores().map(|(store, _)| seen.ranges(store).count()).max().unwrap_or(0)
}

/// How many stores have left, as far as PD knows, and of which `is` holds.
fn tombstones(seen: impl ClusterInScope, is: impl Fn(u64) -> bool) -> usize {
    let left = |(store, known): &(&u64, &rollcall_traces::KnownStore)| {
        known.state == StoreState::Tombstone && is(**store)
    };
    seen.pd().stores.iter().filter(left).count()
}

/// Some region's leader in charge, and what PD believes of the region.
fn some_led(
    seen: impl ClusterInScope,
    is: impl Fn(&rollcall_traces::Peer, &rollcall_traces::KnownRegion) -> bool,
) -> bool {
    seen.pd().regions.values().any(|known| {
        let leads = |peer: &rollcall_traces::Peer| {
            peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)
        };
        seen.replicas(known.region.id).any(|(_, peer)| leads(peer) && is(peer, known))
    })
}

/// Any source beside a target whose next committed entry is to take it in, up to
/// where it must have applied its log, and whether that entry carries any of it.
fn some_waiting(seen: impl ClusterInScope, is: impl Fn(&rollcall_traces::Peer, u64, bool) -> bool) -> bool {
    use rollcall_traces::Command;
    some(seen, |store, target| {
        let next = target.log.entry(target.applied + 1).filter(|_| target.applied < target.commit);
        let Some(Command::CommitMerge { source, commit, entries }) =
            next.and_then(|entry| entry.command.as_ref())
        else {
            return false;
        };
        let source = seen.peer(store, source.id).filter(|peer| peer.is_initialized());
        source.is_some_and(|source| is(source, *commit, !entries.is_empty()))
    })
}

/// Any store's report under way to a PD that waits for that store, by its step and the step
/// that PD waits for.
fn some_store_report(seen: impl ClusterInScope, is: impl Fn(u64, u64) -> bool) -> bool {
    let pd = seen.pd();
    let waits = |store: u64| {
        pd.recovery.as_ref().is_some_and(|recovery| matches!(recovery.reports.get(&store), Some(None)))
    };
    seen.held().iter().any(|held| match held.message {
        Message::StoreReport { step, .. } => waits(held.from.store) && is(step, pd.recovery_step),
        _ => false,
    })
}

fn is_split(entry: &rollcall_traces::Entry) -> bool {
    matches!(entry.command, Some(rollcall_traces::Command::Split { .. }))
}

reaches! {
    /// A leader has applied an entry of its own term.
    LeaderInCharge = "leader in charge":
        |seen| some(seen, |_, peer| peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)),
    /// Two peers lead, in different terms.
    TwoLeaders = "two leaders, in two terms":
        |seen| seen.regions().any(|region| {
            seen.replicas(region).filter(|(_, peer)| peer.role == Role::Leader).count() > 1
        }),
    /// A member that was not there at first has its state by a snapshot.
    PeerAdded = "a peer added and initialised":
        |seen| some(seen, |store, peer| {
            peer.is_initialized()
                && peer.region.member(peer.id).is_some()
                && peer.log.truncated.index > FIRST.index
                && !seen.founders().any(|member| member.id == peer.id && member.store == store)
        }),
    /// A peer of the first configuration was destroyed, and lives again under its id.
    SameIdAgain = "a peer added again under its old id":
        |seen| some(seen, |store, peer| {
            let founder = seen.founders().find(|member| member.id == peer.id && member.store == store);
            founder.is_some() && peer.is_initialized() && peer.log.truncated.index > FIRST.index
        }),
    /// A learner is a voter, and has applied its snapshot.
    Promoted = "a promoted learner caught up":
        |seen| some(seen, |store, peer| {
            peer.is_initialized()
                && peer.region.member(peer.id).is_some_and(|member| member.role == MemberRole::Voter)
                && !seen.founders().any(|member| member.store == store)
        }),
    /// A peer was created and knows nothing yet.
    PeerUninitialised = "a peer uninitialised":
        |seen| some(seen, |_, peer| peer.state == PeerState::Uninitialised),
    /// A snapshot is received and not applied.
    SnapshotPending = "a snapshot received":
        |seen| some(seen, |_, peer| peer.snapshot.is_some()),
    /// A peer was destroyed.
    PeerRemoved = "a peer removed":
        |seen| some(seen, |_, peer| peer.state == PeerState::Tombstone),
    /// A region is between two configurations.
    Joint = "a joint configuration applied":
        |seen| some(seen, |_, peer| peer.is_initialized() && peer.region.is_joint()),
    /// A joint configuration was entered and left.
    JointLeft = "a joint configuration left":
        |seen| some(seen, |_, peer| {
            peer.role == Role::Leader && !peer.region.is_joint() && peer.region.epoch.conf_ver > 2
        }),
    /// A leader's own log removes it.
    LeaderRemovesItself = "a leader about to apply its own removal":
        |seen| some(seen, |_, peer| {
            use rollcall_traces::{Change, ChangeKind, Command};
            peer.role == Role::Leader && peer.log.iter().any(|(index, entry)| {
                index > peer.applied && index <= peer.commit && matches!(
                    entry.command,
                    Some(Command::ChangePeer(Change { kind: ChangeKind::Remove, peer: id, .. })) if id == peer.id
                )
            })
        }),
    /// One voter is left of more, and it leads.
    OneVoterLeft = "one voter left, leading":
        |seen| some(seen, |_, peer| {
            peer.role == Role::Leader && peer.region.epoch.conf_ver > 1 && !peer.region.is_joint()
                && peer.region.incoming_voters().count() == 1
        }),
    /// A voter of its own configuration still waits for a snapshot.
    VoterWithoutLog = "a voter that needs a snapshot":
        |seen| seen.regions().any(|region| {
            seen.replicas(region).any(|(_, peer)| {
                peer.role == Role::Leader
                    && peer.region.peers.iter().any(|member| {
                        peer.region.is_voter(member.id)
                            && seen.peer(member.store, region).is_some_and(|other| {
                                other.id == member.id && other.state == PeerState::Uninitialised
                            })
                    })
            })
        }),
    /// A peer that knows nothing yet has voted, and its store is down.
    VoteBeforeSnapshot = "a vote before the snapshot, on a store that is down":
        |seen| seen.stores().filter(|(_, status)| *status == StoreStatus::Down).any(|(store, _)| {
            seen.regions().any(|region| {
                seen.peer(store, region)
                    .is_some_and(|peer| peer.state == PeerState::Uninitialised && peer.vote != 0)
            })
        }),
    /// A peer has learnt of a commit index that its disk does not have yet.
    CommitUnsynced = "a commit index that is not on disk":
        |seen| some(seen, |_, peer| peer.synced_commit.is_some()),
    /// A follower of a leader that is being demoted cannot be reached by the leader's log.
    DemotedBehindTheLog = "a voter that is being demoted and needs a snapshot":
        |seen| some(seen, |_, leader| {
            leader.role == Role::Leader && leader.region.peers.iter().any(|member| {
                member.role == MemberRole::DemotingVoter
                    && seen.peer(member.store, leader.region.id).is_some_and(|peer| {
                        peer.id == member.id && peer.log.last_index() < leader.log.truncated.index
                    })
            })
        }),
    /// A leader has discarded its log up to an entry of an older term.
    OldTermDiscarded = "a leader whose last discarded entry is of an older term":
        |seen| some(seen, |_, peer| {
            peer.role == Role::Leader
                && peer.log.truncated.index > FIRST.index
                && peer.log.truncated.term < peer.term
        }),
    /// A TimeoutNow is under way to a peer that has a conf change committed and not applied.
    LateTimeoutNow = "a late TimeoutNow to a peer with an unapplied conf change":
        |seen| seen.held().iter().any(|held| {
            matches!(held.message, Message::TimeoutNow)
                && seen.peer(held.to.store, held.region).is_some_and(|peer| {
                    peer.log.iter().any(|(index, entry)| {
                        entry.is_conf_change() && index > peer.applied && index <= peer.commit
                    })
                })
        }),
    /// A store of the first configuration holds a peer with another id.
    NewIdOnOldStore = "a store joined again with a new peer id":
        |seen| some(seen, |store, peer| {
            let founder = seen.founders().find(|member| member.store == store);
            founder.is_some_and(|member| member.id != peer.id) && peer.is_initialized()
        }),
    /// A leader hands over.
    Transferring = "a transfer of leadership":
        |seen| some(seen, |_, peer| peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some())),
    /// A leader hands over that has not applied its own conf change (tikv#17363).
    LaggardHandsOver = "a transfer by a leader that has not applied its conf change":
        |seen| some(seen, |_, peer| peer.leading.as_ref().is_some_and(|leading| {
            leading.transfer.is_some() && leading.pending_conf_index > peer.applied
        })),
    /// A store is down.
    StoreDown = "a store down":
        |seen| seen.stores().any(|(_, status)| status == StoreStatus::Down),
    /// A stopped store has the tombstone of a peer that some region still lists.
    ListedTombstone = "a tombstone on a stopped store that a region still lists":
        |seen| seen.stores().filter(|(_, status)| *status == StoreStatus::Down).any(|(store, _)| {
            seen.regions().any(|region| {
                let buried = seen.peer(store, region).filter(|peer| peer.state == PeerState::Tombstone);
                buried.is_some_and(|buried| {
                    seen.replicas(region).any(|(_, peer)| {
                        peer.role == Role::Leader && peer.region.member(buried.id).is_some()
                    })
                })
            })
        }),
    /// A leader's log ends, before its own entries, with one of an older term that is not committed.
    OldTermEntry = "a leader with an uncommitted entry of an old term":
        |seen| some(seen, |_, peer| {
            peer.role == Role::Leader
                && peer.log.iter().any(|(index, entry)| index > peer.commit && entry.term < peer.term)
        }),
    /// A disk is gone.
    StoreLost = "a store lost":
        |seen| seen.stores().any(|(_, status)| status == StoreStatus::DiskLost),
    /// A member on a store that was given up is a learner.
    DemotedByForce = "a member on a store that was given up demoted":
        |seen| some(seen, |_, peer| {
            peer.is_initialized()
                && peer.region.peers.iter().any(|member| {
                    member.role == MemberRole::Learner && is_given_up(&seen, member.store)
                })
        }),
    /// A recovery by force has come to its end, and PD has not heard of every key since.
    RegionsDropped = "PD relearns its regions":
        |seen| seen.pd().relearns,
    /// A region of which a majority was given up, and nobody goes on with it.
    LeftWithoutMajority = "a majority given up, and no forced leader":
        |seen| some(seen, |store, peer| {
            let lives = |id| peer.region.member(id).is_some_and(|member| !is_given_up(&seen, member.store));
            peer.is_initialized() && !is_given_up(&seen, store) && !peer.region.has_quorum(lives)
        }),
    /// A leader's region has a new member and none on the store that is gone.
    LostVoterReplaced = "the voter of a lost store replaced":
        |seen| seen.stores().any(|(lost, status)| {
            status == StoreStatus::DiskLost
                && some(seen, |_, peer| {
                    peer.role == Role::Leader
                        && peer.region.member_on(lost).is_none()
                        && peer.region.peers.iter().any(|member| {
                            !seen.founders().any(|founder| founder.id == member.id)
                        })
                })
        }),
    /// A read is acknowledged and not answered.
    ReadReady = "a read ready to be answered":
        |seen| some(seen, |_, peer| peer.read.as_ref().is_some_and(|read| read.ready)),
    /// A peer has a conf change committed and not applied.
    ApplyLags = "apply lags behind commit at a conf change":
        |seen| some(seen, |_, peer| {
            peer.log.iter().any(|(index, entry)| entry.is_conf_change() && index > peer.applied && index <= peer.commit)
        }),
    /// A store has two regions where it had one.
    SplitApplied = "a split applied":
        |seen| most_regions(seen) > 1,
    /// A store has three regions.
    ThreeRegions = "three regions where one was":
        |seen| most_regions(seen) > 2,
    /// A store has a child, and another that has its parent has none.
    SplitUneven = "a split applied on one store and not on another":
        |seen| seen.regions().any(|region| {
            let initialised = |store| seen.peer(store, region).is_some_and(|peer| peer.is_initialized());
            !seen.is_founded(region) && seen.stores().any(|(store, _)| initialised(store))
                && seen.stores().any(|(store, _)| !initialised(store) && seen.ranges(store).count() == 1)
        }),
    /// A child has a leader that applied an entry of its own term.
    ChildLeads = "a child with a leader in charge":
        |seen| some_child(seen, |_, peer| {
            peer.role == Role::Leader && peer.log.term(peer.applied) == Some(peer.term)
        }),
    /// Parent and child are led on different stores.
    LeadersApart = "parent and child led on two stores":
        |seen| some_child(seen, |store, child| {
            child.role == Role::Leader && some(seen, |other, peer| {
                other != store && seen.is_founded(peer.region.id) && peer.role == Role::Leader
                    && peer.region.epoch.version > 1
            })
        }),
    /// Ids are under way that were asked for under an epoch that is gone.
    IdsUnderWay = "ids under way that came too late":
        |seen| seen.held().iter().any(|held| {
            matches!(held.message, Message::AskSplitResponse { .. })
                && seen.peer(held.to.store, held.region).is_some_and(|peer| peer.region.epoch != held.epoch)
        }),
    /// A child was created by a message on a store that has not taken the split.
    ChildBeforeTheSplit = "a child uninitialised before its store takes the split":
        |seen| some_child(seen, |store, peer| {
            peer.state == PeerState::Uninitialised
                && seen.ranges(store).any(|entry| seen.is_founded(entry.region))
        }),
    /// A child has its state from a snapshot.
    ChildBySnapshot = "a child initialised by a snapshot":
        |seen| some_child(seen, |_, peer| {
            peer.is_initialized() && peer.log.truncated.index > FIRST.index
        }),
    /// The last entry that a store applied is a split, and it did not bring the child there.
    ChildSkipped = "a split that spared a tombstone":
        |seen| some_child(seen, |store, peer| {
            peer.state == PeerState::Tombstone
                && some(seen, |other, parent| {
                    other == store && parent.region.epoch.version > 1
                        && parent.log.entry(parent.applied).is_some_and(is_split)
                })
        }),
    /// A child keeps a vote that was given before it came to be.
    ChildWithAnOlderVote = "a child that keeps the vote of the peer that it replaced":
        |seen| some_child(seen, |store, peer| {
            peer.is_initialized() && peer.role == Role::Follower && peer.leader == 0
                && peer.vote != 0 && peer.vote != peer.id && peer.log.last_index() == FIRST.index
                && some(seen, |other, parent| {
                    other == store && parent.log.truncated.index > FIRST.index
                        && parent.log.entry(parent.applied).is_some_and(is_split)
                })
        }),
    /// A store has the part of a part, and another has not taken the first split.
    GrandchildFirst = "a child that split before every store has the first split":
        |seen| seen.stores().any(|(store, _)| seen.ranges(store).count() > 2)
            && seen.stores().any(|(store, _)| seen.ranges(store).count() == 1),
    /// A store is down that has both parts, and another leads them.
    DownBehindTheSplit = "a store down behind the split while another leads both parts":
        |seen| seen.stores().any(|(down, status)| {
            status == StoreStatus::Down && seen.ranges(down).count() > 1
                && seen.stores().any(|(store, _)| {
                    let leads = |region: &u64| seen.peer(store, *region).is_some_and(|peer| peer.role == Role::Leader);
                    seen.regions().filter(leads).count() > 1
                })
        }),
    /// A child voted for one that did not hear of it: the request had waited.
    VoteForPendingRequest = "a vote for a request that had waited for the split":
        |seen| seen.held().is_empty() && some_child(seen, |_, asking| {
            asking.campaign.as_ref().is_some_and(|campaign| {
                some_child(seen, |_, voter| {
                    voter.region.id == asking.region.id && voter.term == asking.term
                        && voter.vote == asking.id && !campaign.granted.contains(&voter.id)
                })
            })
        }),
    /// An old leader has a read under way and has not divided; the key's new region has a write of its own.
    ReadBehindTheSplit = "a read of a leader without the split while the child has written":
        |seen| some(seen, |_, reading| {
            reading.read.is_some() && reading.region.epoch.version == 1
                && some_child(seen, |_, child| {
                    child.log.iter().any(|(index, entry)| {
                        index <= child.applied
                            && entry.command.as_ref().is_some_and(|command| command.written_key().is_some())
                    })
                })
        }),
    /// A store has a received snapshot of a region that another store has divided.
    SplitUnderSnapshot = "a split applied while a snapshot from before it waits":
        |seen| some(seen, |_, waiting| {
            waiting.snapshot.as_ref().is_some_and(|snapshot| {
                some(seen, |_, peer| {
                    peer.region.id == snapshot.region.id
                        && peer.region.epoch.version > snapshot.region.epoch.version
                })
            })
        }),
    /// Two regions on one store hold data.
    DataDivided = "data on both sides of a split":
        |seen| seen.stores().any(|(store, _)| {
            let holds = |region: &u64| seen.peer(store, *region).is_some_and(|peer| !peer.data.is_empty());
            seen.regions().filter(holds).count() > 1
        }),
    /// A child is between two configurations.
    JointChild = "a joint child":
        |seen| some_child(seen, |_, peer| peer.region.is_joint()),
    /// A child has left the configuration that it inherited.
    ChildLeftJoint = "a child that left its parent's joint configuration":
        |seen| some_child(seen, |_, peer| {
            peer.role == Role::Leader && !peer.region.is_joint()
                && peer.log.iter().any(|(index, entry)| {
                    index <= peer.applied && entry.command == Some(rollcall_traces::Command::LeaveJoint)
                })
        }),
    /// A vote request waits for the split.
    VoteRequestPending = "a vote request that waits for the split":
        |seen| seen.stores().any(|(store, _)| {
            seen.pending_messages(store).iter().any(|held| matches!(held.message, Message::VoteRequest { .. }))
        }),
    /// An append waits for the split.
    AppendPending = "an append that waits for the split":
        |seen| seen.stores().any(|(store, _)| {
            seen.pending_messages(store).iter().any(|held| matches!(held.message, Message::Append { .. }))
        }),
    /// A store is leaving that PD knows to have peers.
    StoreOffline = "a store that is leaving with a peer on it":
        |seen| seen.pd().stores.iter().any(|(store, known)| {
            known.state == StoreState::Offline && seen.pd().regions_on(*store).next().is_some()
        }),
    /// A store has left.
    StoreTombstone = "a store Tombstone":
        |seen| tombstones(seen, |_| true) > 0,
    /// Two stores have left.
    TwoStoresTombstone = "two stores Tombstone":
        |seen| tombstones(seen, |_| true) > 1,
    /// A store has left whose process does not run.
    DeadStoreTombstone = "a store Tombstone that does not run":
        |seen| tombstones(seen, |store| {
            seen.stores().any(|(id, status)| id == store && status != StoreStatus::Up)
        }) > 0,
    /// A peer that PD added votes, and the region has as many voters as at first.
    ReplacementVotes = "a peer that PD added votes in the place of another":
        |seen| some_led(seen, |peer, _| {
            !peer.region.is_joint()
                && peer.region.incoming_voters().count() as u64 == seen.replicas_wanted()
                && peer.region.incoming_voters().any(|id| !seen.founders().any(|member| member.id == id))
        }),
    /// Two voters are left of three.
    TwoVotersLeft = "two voters left of three":
        |seen| some_led(seen, |peer, _| {
            !peer.region.is_joint() && peer.region.incoming_voters().count() == 2 && seen.founders().count() == 3
        }),
    /// PD does not know of a region that has a leader.
    ChildUnknownToPd = "a child with a leader that PD does not know":
        |seen| some_child(seen, |_, peer| {
            peer.role == Role::Leader && !seen.pd().regions.contains_key(&peer.region.id)
        }),
    /// A store has left, and a child's peer lives there that a leader lists.
    BuriedUnderAChild = "a store Tombstone with a child's peer on it":
        |seen| some_child(seen, |_, leader| {
            leader.role == Role::Leader && tombstones(seen, |store| {
                let here = leader.region.member_on(store).map(|member| member.id);
                seen.peer(store, leader.region.id).is_some_and(|peer| Some(peer.id) == here)
            }) > 0
        }),
    /// PD's view of a region is behind its leader's.
    PdBehind = "PD behind a leader":
        |seen| some_led(seen, |peer, known| known.region.epoch.is_stale_against(&peer.region.epoch)),
    /// An order is under way.
    OrderUnderWay = "an order under way":
        |seen| seen.held().iter().any(|held| matches!(held.message, Message::Order(_))),
    /// A report is under way that is behind what PD knows.
    ReportUnderWay = "a report under way that came too late":
        |seen| seen.held().iter().any(|held| {
            held.is_to_pd() && seen.pd().regions.get(&held.region).is_some_and(|known| {
                held.epoch.is_stale_against(&known.region.epoch)
            })
        }),
    /// A store is Up again while the region still has the learner that was to take its peer's place.
    CancelledHalfWay = "a store Up again with its replacement half-way there":
        |seen| some_led(seen, |peer, _| {
            peer.region.peers.iter().any(|member| member.role == MemberRole::Learner)
        }) && seen.pd().stores.values().all(|known| known.state == StoreState::Up),
    /// PD has moved leadership off a store whose peer it cannot move.
    LeaderEvicted = "leadership moved off a store whose peer has nowhere to go":
        |seen| seen.pd().operators.values().any(|operator| operator.purpose == Purpose::EvictLeader),
    /// An operator waits until fewer are under way.
    OperatorWaits = "an operator that waits for its turn":
        |seen| !seen.pd().waiting.is_empty(),
    /// The members changed while an operator waited: its turn will be its end.
    WaitingOutrun = "an operator that waits for its turn and was outrun":
        |seen| seen.pd().waiting.iter().any(|waiting| {
            let known = seen.pd().regions.get(&waiting.region);
            known.is_some_and(|known| known.region.epoch != waiting.operator.epoch)
        }),
    /// A store carries out a plan to lead a region by force, and does not: of the voters that its
    /// peer knows a majority is left.
    PlanRefused = "a forced leader planned where a majority is left":
        |seen| seen.pd().recovery.iter().flat_map(|recovery| &recovery.plans).any(|(store, plan)| {
            let is_carried_out = seen.plan(*store).is_some_and(|under_way| under_way.step == plan.step);
            let forces = plan.force_leaders.iter().filter(|_| is_carried_out);
            forces.into_iter().any(|forces| {
                let is_left = |peer: &rollcall_traces::Peer| peer.region.has_quorum(|id| {
                    peer.region.member(id).is_some_and(|member| !forces.failed_stores.contains(&member.store))
                });
                forces.regions.keys().filter_map(|region| seen.peer(*store, *region)).any(|peer| {
                    peer.is_initialized() && !peer.is_by_force() && is_left(peer)
                })
            })
        }),
    /// A plan that makes or destroys a region is under way, and its step is over.
    PlanOutrun = "a plan that makes or destroys a region under way, its step over":
        |seen| seen.held().iter().any(|held| match &held.message {
            Message::RecoveryPlan(plan) => {
                plan.step < seen.pd().recovery_step && !(plan.creates.is_empty() && plan.tombstones.is_empty())
            }
            _ => false,
        }),
    /// PD waits for what a store has done for a recovery, and that is under way.
    StoreReportUnderWay = "a store's report under way for which PD waits":
        |seen| some_store_report(seen, |step, now| step == now),
    /// The same, and PD waits for another step by now: it counts no more.
    StoreReportOutrun = "a store's report under way of a step that is over":
        |seen| some_store_report(seen, |step, now| step < now),
    /// A store has said that it is full.
    StoreFull = "a store too full":
        |seen| seen.pd().stores.values().any(|known| known.full && known.liveness == Liveness::Connected),
    /// PD knows a region that nobody leads.
    PdKnowsNoLeader = "a region that nobody leads, as far as PD knows":
        |seen| seen.pd().regions.values().any(|known| known.leader().is_none()),
    /// A learner needs a snapshot, and no operator is there for it.
    LearnerWaitedFor = "a learner that waits for its snapshot behind an operator that was given up":
        |seen| seen.pd().regions.values().any(|known| {
            let mut waiting = known.region.peers.iter().filter(|member| {
                member.role == MemberRole::Learner && known.pending.contains(&member.id)
            });
            waiting.next().is_some() && seen.pd().operator(known.region.id).is_none()
        }),
    /// A region has two learners, and nobody works on it.
    SpareLearner = "a learner beside another, and no operator":
        |seen| seen.pd().regions.values().any(|known| {
            let learners =
                known.region.peers.iter().filter(|member| member.role == MemberRole::Learner);
            learners.count() > 1 && seen.pd().operator(known.region.id).is_none()
        }),
    /// A learner takes the place of a dead voter.
    OrphanFills = "a learner about to take a dead voter's place":
        |seen| seen.pd().operators.values().any(|operator| {
            operator.purpose == Purpose::ReplaceDownPeerWithOrphanPeer
        }),
    /// A region was taken in by another.
    MergedAway = "a region merged away":
        |seen| some(seen, |_, peer| peer.is_merged_away()),
    /// Every replica of a region that was taken in is gone.
    MergedEverywhere = "a region merged away on every store":
        |seen| seen.regions().any(|region| seen.replicas(region).all(|(_, peer)| peer.is_merged_away())),
    /// A target is to take in a source here that misses entries, and brings them.
    SourceMissesEntries = "a source whose target's log brings it entries":
        |seen| some_waiting(seen, |source, commit, carries| source.log.last_index() < commit && carries),
    /// The same of one that misses nothing but the news that they are committed (tikv#5512).
    SourceMissesCommit = "a source whose target's log brings it a commit index alone":
        |seen| some_waiting(seen, |source, commit, carries| source.commit < commit && !carries),
    /// A target has to wait until its source has applied what it knows to be committed.
    TargetWaits = "a target that waits for its source":
        |seen| some_waiting(seen, |source, commit, _| source.commit >= commit && source.applied < commit),
    /// Whom its region's peers follow is behind what PD knows of the region.
    LeaderBehindPd = "a leader behind PD's record":
        |seen| seen.pd().regions.values().any(|known| {
            seen.replicas(known.region.id).any(|(_, peer)| {
                peer.role == Role::Leader && peer.region.epoch.is_stale_against(&known.region.epoch)
            })
        }),
    /// A merge was taken back.
    RolledBack = "a merge rolled back":
        |seen| some(seen, |_, peer| {
            peer.state == PeerState::Normal && peer.log.iter().any(|(index, entry)| {
                index <= peer.applied
                    && matches!(entry.command, Some(rollcall_traces::Command::RollbackMerge { .. }))
            })
        }),
    /// A region that took a merge back gives itself up again (tikv#6460).
    MergingAgain = "a merge begun again after it was rolled back":
        |seen| some(seen, |_, peer| {
            peer.state == PeerState::Merging
                && peer.log.iter().any(|(_, entry)| {
                    matches!(entry.command, Some(rollcall_traces::Command::RollbackMerge { .. }))
                })
        }),
    /// A peer that gave its region up gets a snapshot.
    SnapshotWhileMerging = "a snapshot for a peer that is merging":
        |seen| some(seen, |_, peer| peer.state == PeerState::Merging && peer.snapshot.is_some()),
    /// A peer was told that its region was taken in, and its target here was not.
    ToldOfMerge = "a source that learned of its merge":
        |seen| some(seen, |_, peer| peer.merged_into.is_some() && peer.state != PeerState::Tombstone),
    /// A region merges while one of the two has a peer that PD added.
    MergeBesideAMove = "a merge while a peer is being moved":
        |seen| some(seen, |_, peer| peer.state == PeerState::Merging)
            && seen.pd().operators.values().any(|operator| !operator.purpose.is_admin()),
    /// A learner lives that its region's leader does not list any more.
    LearnerStrays = "a learner that was removed and does not know":
        |seen| some_stray(seen, |_, peer| peer.is_initialized() && !peer.region.is_voter(peer.id)),
    /// A child's peer lives that its leader does not list any more.
    ChildStrays = "a child's peer that was removed and does not know":
        |seen| some_stray(seen, |_, peer| peer.is_initialized() && !seen.is_founded(peer.region.id)),
    /// A peer that was never initialised lives, and its region's leader does not list it.
    UninitialisedStrays = "an uninitialised peer that was removed and does not know":
        |seen| some_stray(seen, |_, peer| peer.state == PeerState::Uninitialised),
    /// A learner ended that had not applied its removal.
    LearnerEndedByWord = "a learner destroyed by another member's reply":
        |seen| some(seen, |_, peer| {
            peer.state == PeerState::Tombstone && peer.merged_into.is_none()
                && peer.region.epoch.conf_ver > 0
                && peer.region.member(peer.id).is_some_and(|known| known.role == MemberRole::Learner)
        }),
    /// A peer ended that was never initialised.
    UninitialisedEnded = "an uninitialised peer destroyed":
        |seen| some(seen, |_, peer| {
            peer.state == PeerState::Tombstone && peer.region.epoch == rollcall_traces::Epoch::default()
        }),
    /// One that was never initialised lives, and its region was merged away elsewhere.
    UninitialisedBehindAMerge = "an uninitialised peer of a region that was merged away":
        |seen| seen.regions().any(|region| {
            seen.replicas(region).any(|(_, peer)| peer.is_merged_away())
                && seen.replicas(region).any(|(_, peer)| peer.state == PeerState::Uninitialised)
        }),
    /// A tombstone has named members to a peer that asked.
    MembersNamed = "a peer that learned whom to ask":
        |seen| some(seen, |_, peer| peer.stale_check.is_some()),
    /// A child's leader lists a peer on a store where a peer that was removed has its range.
    ChildBesideAStray = "a child's member where a removed peer has its range":
        |seen| some_child(seen, |_, leader| {
            leader.role == Role::Leader && leader.region.peers.iter().any(|member| {
                let on_it = |store, region| store == member.store && region != leader.region.id;
                some_stray(seen, |store, peer| on_it(store, peer.region.id) && peer.region.overlaps(&leader.region))
            })
        }),
    /// A follower follows a leader of which it has no entry, and for which it did not vote.
    FollowsWithoutEntry = "a follower by a heartbeat alone":
        |seen| some(seen, |_, peer| {
            peer.role == Role::Follower && peer.leader != 0 && peer.leader != peer.vote
                && peer.log.last_term() < peer.term
        }),
    /// A heartbeat is under way that commits something.
    CommitByHeartbeat = "a heartbeat under way with a commit index beyond its receiver's":
        |seen| seen.held().iter().any(|held| match held.message {
            Message::Heartbeat { commit } => {
                seen.peer(held.to.store, held.region).is_some_and(|peer| peer.commit < commit)
            }
            _ => false,
        }),
    /// A child is asked for a value and may answer.
    ReadOfChild = "a read of a child ready to be answered":
        |seen| some_child(seen, |_, peer| peer.read.as_ref().is_some_and(|read| read.ready)),
}
