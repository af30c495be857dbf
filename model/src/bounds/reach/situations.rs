//! The situations that take more than a line. `reach.rs` lists all of them.

use rollcall_traces::{MemberRole, Message, Peer, PeerState, Role, StoreStatus};

use super::predicates::{is_split, some, some_child, some_stray, tombstones};
use crate::cluster::{ClusterInScope, is_given_up};
use crate::rules::FIRST;

pub(super) fn peer_added(cluster: impl ClusterInScope) -> bool {
    some(cluster, |store, peer| {
        peer.is_initialized()
            && peer.region.member(peer.id).is_some()
            && peer.log.truncated.index > FIRST.index
            && !cluster.founders().any(|member| member.id == peer.id && member.store == store)
    })
}

pub(super) fn leader_removes_itself(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, peer| {
        use rollcall_traces::{Change, ChangeKind, Command};
        peer.role == Role::Leader && peer.log.iter().any(|(index, entry)| {
            index > peer.applied && index <= peer.commit && matches!(
                entry.command,
                Some(Command::ChangePeer(Change { kind: ChangeKind::Remove, peer: id, .. })) if id == peer.id
            )
        })
    })
}

pub(super) fn voter_without_log(cluster: impl ClusterInScope) -> bool {
    cluster.regions().any(|region| {
        cluster.replicas(region).any(|(_, peer)| {
            peer.role == Role::Leader
                && peer.region.peers.iter().any(|member| {
                    peer.region.is_voter(member.id)
                        && cluster.peer(member.store, region).is_some_and(|other| {
                            other.id == member.id && other.state == PeerState::Uninitialised
                        })
                })
        })
    })
}

pub(super) fn vote_before_snapshot(cluster: impl ClusterInScope) -> bool {
    cluster.stores().filter(|(_, status)| *status == StoreStatus::Down).any(|(store, _)| {
        cluster.regions().any(|region| {
            cluster
                .peer(store, region)
                .is_some_and(|peer| peer.state == PeerState::Uninitialised && peer.vote != 0)
        })
    })
}

pub(super) fn demoted_behind_the_log(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, leader| {
        leader.role == Role::Leader
            && leader.region.peers.iter().any(|member| {
                member.role == MemberRole::DemotingVoter
                    && cluster.peer(member.store, leader.region.id).is_some_and(|peer| {
                        peer.id == member.id && peer.log.last_index() < leader.log.truncated.index
                    })
            })
    })
}

pub(super) fn late_timeout_now(cluster: impl ClusterInScope) -> bool {
    cluster.held().iter().any(|held| {
        matches!(held.message, Message::TimeoutNow)
            && cluster.peer(held.to.store, held.region).is_some_and(|peer| {
                peer.log.iter().any(|(index, entry)| {
                    entry.is_conf_change() && index > peer.applied && index <= peer.commit
                })
            })
    })
}

pub(super) fn listed_tombstone(cluster: impl ClusterInScope) -> bool {
    cluster.stores().filter(|(_, status)| *status == StoreStatus::Down).any(|(store, _)| {
        cluster.regions().any(|region| {
            let buried = cluster.peer(store, region).filter(|peer| peer.state == PeerState::Tombstone);
            buried.is_some_and(|buried| {
                cluster
                    .replicas(region)
                    .any(|(_, peer)| peer.role == Role::Leader && peer.region.member(buried.id).is_some())
            })
        })
    })
}

pub(super) fn demoted_by_force(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, peer| {
        peer.is_initialized()
            && peer
                .region
                .peers
                .iter()
                .any(|member| member.role == MemberRole::Learner && is_given_up(&cluster, member.store))
    })
}

pub(super) fn lost_voter_replaced(cluster: impl ClusterInScope) -> bool {
    cluster.stores().any(|(lost, status)| {
        status == StoreStatus::DiskLost
            && some(cluster, |_, peer| {
                peer.role == Role::Leader
                    && peer.region.member_on(lost).is_none()
                    && peer
                        .region
                        .peers
                        .iter()
                        .any(|member| !cluster.founders().any(|founder| founder.id == member.id))
            })
    })
}

pub(super) fn leaders_apart(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |store, child| {
        child.role == Role::Leader
            && some(cluster, |other, peer| {
                other != store
                    && cluster.is_founded(peer.region.id)
                    && peer.role == Role::Leader
                    && peer.region.epoch.version > 1
            })
    })
}

pub(super) fn child_skipped(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |store, peer| {
        peer.state == PeerState::Tombstone
            && some(cluster, |other, parent| {
                other == store
                    && parent.region.epoch.version > 1
                    && parent.log.entry(parent.applied).is_some_and(is_split)
            })
    })
}

pub(super) fn child_with_an_older_vote(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |store, peer| {
        peer.is_initialized()
            && peer.role == Role::Follower
            && peer.leader == 0
            && peer.vote != 0
            && peer.vote != peer.id
            && peer.log.last_index() == FIRST.index
            && some(cluster, |other, parent| {
                other == store
                    && parent.log.truncated.index > FIRST.index
                    && parent.log.entry(parent.applied).is_some_and(is_split)
            })
    })
}

pub(super) fn down_behind_the_split(cluster: impl ClusterInScope) -> bool {
    cluster.stores().any(|(down, status)| {
        status == StoreStatus::Down
            && cluster.ranges(down).count() > 1
            && cluster.stores().any(|(store, _)| {
                let leads =
                    |region: &u64| cluster.peer(store, *region).is_some_and(|peer| peer.role == Role::Leader);
                cluster.regions().filter(leads).count() > 1
            })
    })
}

pub(super) fn vote_for_pending_request(cluster: impl ClusterInScope) -> bool {
    cluster.held().is_empty()
        && some_child(cluster, |_, asking| {
            asking.campaign.as_ref().is_some_and(|campaign| {
                some_child(cluster, |_, voter| {
                    voter.region.id == asking.region.id
                        && voter.term == asking.term
                        && voter.vote == asking.id
                        && !campaign.granted.contains(&voter.id)
                })
            })
        })
}

pub(super) fn read_behind_the_split(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, reading| {
        reading.read.is_some()
            && reading.region.epoch.version == 1
            && some_child(cluster, |_, child| {
                child.log.iter().any(|(index, entry)| {
                    index <= child.applied
                        && entry.command.as_ref().is_some_and(|command| command.written_key().is_some())
                })
            })
    })
}

pub(super) fn split_under_snapshot(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, waiting| {
        waiting.snapshot.as_ref().is_some_and(|snapshot| {
            some(cluster, |_, peer| {
                peer.region.id == snapshot.region.id
                    && peer.region.epoch.version > snapshot.region.epoch.version
            })
        })
    })
}

pub(super) fn child_left_joint(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |_, peer| {
        peer.role == Role::Leader
            && !peer.region.is_joint()
            && peer.log.iter().any(|(index, entry)| {
                index <= peer.applied && entry.command == Some(rollcall_traces::Command::LeaveJoint)
            })
    })
}

pub(super) fn buried_under_a_child(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |_, leader| {
        leader.role == Role::Leader
            && tombstones(cluster, |store| {
                let here = leader.region.member_on(store).map(|member| member.id);
                cluster.peer(store, leader.region.id).is_some_and(|peer| Some(peer.id) == here)
            }) > 0
    })
}

pub(super) fn plan_refused(cluster: impl ClusterInScope) -> bool {
    cluster.pd().recovery.iter().flat_map(|recovery| &recovery.plans).any(|(store, plan)| {
        let is_carried_out =
            cluster.recovery_plan(*store).is_some_and(|under_way| under_way.step == plan.step);
        let forces = plan.force_leaders.iter().filter(|_| is_carried_out);
        forces.into_iter().any(|forces| {
            let is_left = |peer: &rollcall_traces::Peer| {
                peer.region.has_quorum(|id| {
                    peer.region.member(id).is_some_and(|member| !forces.failed_stores.contains(&member.store))
                })
            };
            forces
                .regions
                .keys()
                .filter_map(|region| cluster.peer(*store, *region))
                .any(|peer| peer.is_initialized() && !peer.is_by_force() && is_left(peer))
        })
    })
}

pub(super) fn plan_outrun(cluster: impl ClusterInScope) -> bool {
    cluster.held().iter().any(|held| match &held.message {
        Message::RecoveryPlan(plan) => {
            plan.step < cluster.pd().recovery_step && !(plan.creates.is_empty() && plan.tombstones.is_empty())
        }
        _ => false,
    })
}

pub(super) fn learner_waited_for(cluster: impl ClusterInScope) -> bool {
    cluster.pd().regions.values().any(|known| {
        let mut waiting = known
            .region
            .peers
            .iter()
            .filter(|member| member.role == MemberRole::Learner && known.pending.contains(&member.id));
        waiting.next().is_some() && cluster.pd().operator(known.region.id).is_none()
    })
}

pub(super) fn rolled_back(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, peer| {
        peer.state == PeerState::Normal
            && peer.log.iter().any(|(index, entry)| {
                index <= peer.applied
                    && matches!(entry.command, Some(rollcall_traces::Command::RollbackMerge { .. }))
            })
    })
}

pub(super) fn merging_again(cluster: impl ClusterInScope) -> bool {
    some(cluster, |_, peer| {
        peer.state == PeerState::Merging
            && peer.log.iter().any(|(_, entry)| {
                matches!(entry.command, Some(rollcall_traces::Command::RollbackMerge { .. }))
            })
    })
}

pub(super) fn child_beside_a_stray(cluster: impl ClusterInScope) -> bool {
    some_child(cluster, |_, leader| {
        leader.role == Role::Leader
            && leader.region.peers.iter().any(|member| {
                let on_it = |store, region| store == member.store && region != leader.region.id;
                some_stray(cluster, |store, peer| {
                    on_it(store, peer.region.id) && peer.region.overlaps(&leader.region)
                })
            })
    })
}

pub(super) fn commit_by_heartbeat(cluster: impl ClusterInScope) -> bool {
    cluster.held().iter().any(|held| match held.message {
        Message::Heartbeat { commit } => {
            cluster.peer(held.to.store, held.region).is_some_and(|peer| peer.commit < commit)
        }
        _ => false,
    })
}

pub(super) fn has_entries_unsynced(peer: &Peer) -> bool {
    peer.durable.as_ref().is_some_and(|durable| durable.log != peer.log)
}

/// The founder that led at first is down behind a conf change that it proposed, and lacks it.
pub(super) fn change_lost_by_its_leader(cluster: impl ClusterInScope) -> bool {
    cluster.stores().filter(|(_, status)| *status == StoreStatus::Down).any(|(store, _)| {
        some(cluster, |other, peer| {
            other != store
                && peer.log.iter().any(|(index, entry)| {
                    let lacks = |down: &Peer| down.term == entry.term && down.log.last_index() < index;
                    entry.is_conf_change()
                        && cluster
                            .peer(store, peer.region.id)
                            .is_some_and(|down| lacks(down) && down.vote == down.id)
                })
        })
    })
}
