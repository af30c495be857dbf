//! Which goals are not owed where healing has ended, and why.

use rollcall_traces::{
    Action, Cluster, Member, Outcome, Reason, Region, RegionId, Reply, Scope, StoreStatus,
};

use super::excuse::StuckReason;
use super::owed::{
    hangs, has_nobody_to_ask, in_charge, is_merged_away, is_not_recovered, is_outrun, is_owed, is_there,
    newest, refuses, strangers,
};
use super::pd::{runs, unheard_leader};
use super::recovery;
use crate::cluster::is_given_up;
use crate::semantics::Semantics;

/// Why something is not owed where healing has ended, each reason once.
pub fn stuck_reasons<R: Semantics>(rules: &R, state: &R::State) -> Vec<StuckReason> {
    let (scope, seen) = (rules.scope(), &rules.seen(state));
    let mut stuck_reasons = Vec::new();
    for region in seen.regions().filter(|region| !is_merged_away(seen, *region)) {
        if is_owed(seen, region) {
            of_members(scope, seen, region, &mut stuck_reasons);
            if scope.max_replicas > 0 {
                // What the patrol says of a region whose leader it does not hear is no answer.
                stuck_reasons.extend(match unheard_leader(scope, seen, region) {
                    Some(store) => Some(StuckReason::LeaderForgotten { region, store }),
                    None => of_patrol(rules, state, region),
                });
            }
        } else {
            stuck_reasons.extend(not_owed(seen, region));
        }
    }
    stuck_reasons.sort_unstable();
    stuck_reasons.dedup();
    stuck_reasons
}

/// Whether nobody has more of it than the tombstone of a peer that was never initialised, and
/// every disk that is gone was given up.
fn is_known_by_tombstones_alone(seen: &impl Cluster, meta: &Region) -> bool {
    let is_gone = |status| status == StoreStatus::DiskLost;
    let mut gone = seen.stores().filter(|(_, status)| is_gone(*status)).peekable();
    let voters = meta.peers.iter().any(|member| meta.is_voter(member.id));
    !voters && gone.peek().is_some() && gone.all(|(store, _)| is_given_up(seen, store))
}

fn not_owed(seen: &impl Cluster, region: RegionId) -> Option<StuckReason> {
    let meta = newest(seen, region)?;
    let has_disk = |member: &Member| is_there(seen, member.store);
    let by_hand = meta.has_quorum(|id| meta.member(id).is_some_and(has_disk));
    if is_outrun(seen, region) {
        Some(StuckReason::TermUnanswered { region })
    } else if by_hand {
        Some(StuckReason::EndedByHand { region })
    } else if is_not_recovered(seen, region) || is_known_by_tombstones_alone(seen, meta) {
        // Where nothing keeps it from going on that is missed.
        recovery::obstacle(seen, region)
    } else {
        Some(StuckReason::MajorityLost { region })
    }
}

fn of_members(scope: &Scope, seen: &impl Cluster, region: RegionId, stuck_reasons: &mut Vec<StuckReason>) {
    let Some((_, leader)) = in_charge(seen, region) else { return };
    for member in &leader.region.peers {
        let store = member.store;
        if is_given_up(seen, store) && runs(seen, store) {
            stuck_reasons.push(StuckReason::GivenUp { region, store });
        } else if seen.peer(store, region).is_some_and(|peer| refuses(peer, member)) {
            stuck_reasons.push(StuckReason::IdTakenAgain { region, store });
        } else if !is_there(seen, store) && scope.max_replicas == 0 {
            stuck_reasons.push(StuckReason::DiskLost { region, store });
        } else if hangs(scope, store)
            && seen.peer(store, region).is_none_or(|peer| peer.applied < leader.applied)
        {
            stuck_reasons.push(StuckReason::DiskHangs { region, store });
        }
    }
    stuck_reasons.extend(strangers(seen, &leader.region).filter_map(|(store, peer)| {
        if hangs(scope, store) {
            Some(StuckReason::DiskHangs { region, store })
        } else {
            let alone = has_nobody_to_ask(scope, seen, &leader.region, store, peer);
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
