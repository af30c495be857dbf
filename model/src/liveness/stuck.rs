//! Which goals are not owed after healing, and why.

use rollcall_traces::{
    Action, Cluster, Member, Outcome, Reason, Region, RegionId, Reply, Scope, StoreStatus,
};

use super::excuse::StuckReason;
use super::owed::{
    hangs, has_nobody_to_ask, in_charge, is_merged_away, is_not_recovered, is_outrun, is_owed, is_there,
    newest, refuses, removed_peers,
};
use super::pd::{runs, unreported_leader};
use super::recovery;
use crate::cluster::is_given_up;
use crate::semantics::Semantics;

/// Why goals are not owed after healing, each reason once.
pub fn stuck_reasons<R: Semantics>(rules: &R, state: &R::State) -> Vec<StuckReason> {
    let (scope, cluster) = (rules.scope(), &rules.cluster(state));
    let mut stuck_reasons = Vec::new();
    for region in cluster.regions().filter(|region| !is_merged_away(cluster, *region)) {
        if is_owed(cluster, region) {
            of_members(scope, cluster, region, &mut stuck_reasons);
            if scope.max_replicas > 0 {
                // The patrol's reason does not count for a region whose leader does not report.
                stuck_reasons.extend(match unreported_leader(scope, cluster, region) {
                    Some(store) => Some(StuckReason::LeaderForgotten { region, store }),
                    None => of_patrol(rules, state, region),
                });
            }
        } else {
            stuck_reasons.extend(not_owed(cluster, region));
        }
    }
    stuck_reasons.sort_unstable();
    stuck_reasons.dedup();
    stuck_reasons
}

/// Whether the region is known only from tombstones of peers that were never initialised, and every
/// lost disk was given up.
fn is_known_by_tombstones_alone(cluster: &impl Cluster, meta: &Region) -> bool {
    let is_gone = |status| status == StoreStatus::DiskLost;
    let mut gone = cluster.stores().filter(|(_, status)| is_gone(*status)).peekable();
    let voters = meta.peers.iter().any(|member| meta.is_voter(member.id));
    !voters && gone.peek().is_some() && gone.all(|(store, _)| is_given_up(cluster, store))
}

fn not_owed(cluster: &impl Cluster, region: RegionId) -> Option<StuckReason> {
    let meta = newest(cluster, region)?;
    let has_disk = |member: &Member| is_there(cluster, member.store);
    let by_hand = meta.has_quorum(|id| meta.member(id).is_some_and(has_disk));
    if is_outrun(cluster, region) {
        Some(StuckReason::TermUnanswered { region })
    } else if by_hand {
        Some(StuckReason::EndedByHand { region })
    } else if is_not_recovered(cluster, region) || is_known_by_tombstones_alone(cluster, meta) {
        // Without an obstacle the goal is missed.
        recovery::obstacle(cluster, region)
    } else {
        Some(StuckReason::MajorityLost { region })
    }
}

fn of_members(scope: &Scope, cluster: &impl Cluster, region: RegionId, stuck_reasons: &mut Vec<StuckReason>) {
    let Some((_, leader)) = in_charge(cluster, region) else { return };
    for member in &leader.region.peers {
        let store = member.store;
        if is_given_up(cluster, store) && runs(cluster, store) {
            stuck_reasons.push(StuckReason::GivenUp { region, store });
        } else if cluster.peer(store, region).is_some_and(|peer| refuses(peer, member)) {
            stuck_reasons.push(StuckReason::IdTakenAgain { region, store });
        } else if !is_there(cluster, store) && scope.max_replicas == 0 {
            stuck_reasons.push(StuckReason::DiskLost { region, store });
        } else if hangs(scope, store)
            && cluster.peer(store, region).is_none_or(|peer| peer.applied < leader.applied)
        {
            stuck_reasons.push(StuckReason::DiskHangs { region, store });
        }
    }
    stuck_reasons.extend(removed_peers(cluster, &leader.region).filter_map(|(store, peer)| {
        if hangs(scope, store) {
            Some(StuckReason::DiskHangs { region, store })
        } else {
            let alone = has_nobody_to_ask(scope, cluster, &leader.region, store, peer);
            alone.then_some(StuckReason::NobodyToAsk { region, store })
        }
    }));
}

fn of_patrol<R: Semantics>(rules: &R, state: &R::State, region: RegionId) -> Option<StuckReason> {
    match rules.step(state, &Action::Schedule { region, reply: Reply::Delivered }).1 {
        Outcome::Refused(Reason::NoTarget) => Some(StuckReason::NoTarget { region }),
        _ => None,
    }
}
