//! An operator's steps: what each orders, when it is finished, how far it has raised the conf_ver,
//! and when it is stale.
//!
//! An operator never acts: PD compares it with the region as it knows it (PD `operator/step.go`,
//! `operator_controller.go checkStaleOperator`).

use rollcall_traces::{
    Change, ChangeKind, Command, Held, KnownRegion, Liveness, MemberRole, Operator, OperatorStep, Order,
    PlacementDriver, RegionId, Seat,
};

use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};

/// Advances the region's operator and returns its next order. Staleness is checked only after a
/// heartbeat, because PD learns nothing new in between.
pub(super) fn dispatch_operator(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    after_report: bool,
) -> Option<Held> {
    let guards = cluster.guards();
    let pd = cluster.pd();
    let known = pd.regions.get(&region)?;
    let running = pd.operators.get(&region)?;
    let finished = |step: &&OperatorStep| is_finished(step, known);
    let done = running.done + running.steps[running.done..].iter().take_while(finished).count();
    let over = match running.steps.get(done) {
        None => true,
        Some(step) => {
            after_report && is_stale(pd, known, &Operator { done, ..running.clone() }, step, guards)
        }
    };
    let order = running.steps.get(done).filter(|_| !over).and_then(|step| {
        let (to, order) = (known.leader()?, order(step, known)?);
        Some(Held::order(region, to, known.region.epoch, order))
    });
    if over {
        cluster.pd_mut().operators.remove(&region);
    } else if done != running.done
        && let Some(running) = cluster.pd_mut().operators.get_mut(&region)
    {
        running.done = done;
    }
    order
}

/// The role of this peer, if it is still on its store.
fn role(known: &KnownRegion, seat: &Seat) -> Option<MemberRole> {
    known.region.member_on(seat.store).filter(|member| member.id == seat.peer).map(|member| member.role)
}

fn votes(known: &KnownRegion, seat: &Seat) -> bool {
    role(known, seat).is_some_and(|role| role != MemberRole::Learner)
}

fn is_promoted(role: MemberRole) -> bool {
    matches!(role, MemberRole::Voter | MemberRole::IncomingVoter)
}

fn is_demoted(role: MemberRole) -> bool {
    matches!(role, MemberRole::Learner | MemberRole::DemotingVoter)
}

/// Whether the region shows that the step is finished, whatever caused it (PD `IsFinish`).
fn is_finished(step: &OperatorStep, known: &KnownRegion) -> bool {
    let is = |seat: &Seat, wanted| role(known, seat) == Some(wanted);
    match step {
        OperatorStep::TransferLeader { to } => known.leader().is_some_and(|leader| leader.store == *to),
        OperatorStep::AddLearner(seat) => {
            is(seat, MemberRole::Learner) && !known.pending.contains(&seat.peer)
        }
        OperatorStep::AddPeer(seat) => votes(known, seat) && !known.pending.contains(&seat.peer),
        OperatorStep::PromoteLearner(seat) => is(seat, MemberRole::Voter),
        OperatorStep::RemovePeer(seat) => role(known, seat).is_none(),
        OperatorStep::EnterJoint { promote, demote } => {
            promote.iter().all(|seat| role(known, seat).is_some_and(is_promoted))
                && demote.iter().all(|seat| role(known, seat).is_some_and(is_demoted))
        }
        OperatorStep::LeaveJoint { promote, demote } => {
            promote.iter().all(|seat| is(seat, MemberRole::Voter))
                && demote.iter().all(|seat| is(seat, MemberRole::Learner))
                && !known.region.is_joint()
        }
        OperatorStep::Split { start, end, .. } => known.region.start != *start || known.region.end != *end,
    }
}

/// How far the step has raised the conf_ver. A peer that it demoted may have been removed since.
fn raised(step: &OperatorStep, known: &KnownRegion, guards: GuardSet) -> u64 {
    let (changes, happened) = match step {
        OperatorStep::TransferLeader { .. } | OperatorStep::Split { .. } => (0, false),
        OperatorStep::AddLearner(seat) => {
            (1, guards.holds(Guard::OwnChangesCounted) && role(known, seat).is_some())
        }
        OperatorStep::AddPeer(seat) => (1, votes(known, seat)),
        OperatorStep::PromoteLearner(seat) => (1, role(known, seat) == Some(MemberRole::Voter)),
        OperatorStep::RemovePeer(seat) => (1, role(known, seat).is_none()),
        OperatorStep::EnterJoint { promote, demote } => (
            promote.len() + demote.len(),
            promote.iter().all(|seat| role(known, seat).is_some_and(is_promoted))
                && demote.iter().all(|seat| role(known, seat).is_none_or(is_demoted)),
        ),
        OperatorStep::LeaveJoint { promote, demote } => (
            promote.len() + demote.len(),
            promote.iter().all(|seat| role(known, seat) == Some(MemberRole::Voter))
                && demote.iter().all(|seat| role(known, seat).is_none_or(|role| role == MemberRole::Learner)),
        ),
    };
    if happened { changes as u64 } else { 0 }
}

/// Whether the operator is stale: a store that its step needs is gone or Down, the members do not
/// fit the step, or the conf_ver rose by more than its own steps account for.
fn is_stale(
    pd: &PlacementDriver,
    known: &KnownRegion,
    running: &Operator,
    step: &OperatorStep,
    guards: GuardSet,
) -> bool {
    let needed = match step {
        OperatorStep::TransferLeader { to } => Some(*to),
        OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat) => Some(seat.store),
        _ => None,
    };
    let lives = |store| pd.stores.get(&store).is_some_and(|store| store.liveness != Liveness::Down);
    let steps = running.steps.iter().take(running.done + 1);
    let own: u64 = steps.map(|step| raised(step, known, guards)).sum();
    let risen = known.region.epoch.conf_ver.saturating_sub(running.epoch.conf_ver);
    needed.is_some_and(|store| !lives(store)) || !still_fits(step, known) || risen > own
}

fn still_fits(step: &OperatorStep, known: &KnownRegion) -> bool {
    match step {
        OperatorStep::TransferLeader { to } => {
            known.region.member_on(*to).is_some_and(|member| member.role != MemberRole::Learner)
        }
        OperatorStep::AddLearner(seat) => known
            .region
            .member_on(seat.store)
            .is_none_or(|there| there.id == seat.peer && there.role == MemberRole::Learner),
        OperatorStep::AddPeer(seat) => {
            known.region.member_on(seat.store).is_none_or(|there| there.id == seat.peer)
        }
        OperatorStep::PromoteLearner(seat) => role(known, seat).is_some(),
        OperatorStep::RemovePeer(seat) => known.leader != seat.peer,
        OperatorStep::EnterJoint { promote, demote } => fits_joint(known, promote, demote),
        OperatorStep::LeaveJoint { promote, demote } => {
            let undone = promote.iter().any(|seat| role(known, seat) == Some(MemberRole::Learner))
                || demote.iter().any(|seat| role(known, seat) == Some(MemberRole::Voter));
            let demotes_leader = demote.iter().any(|seat| known.leader == seat.peer);
            fits_joint(known, promote, demote) && !undone && !(known.region.is_joint() && demotes_leader)
        }
        OperatorStep::Split { .. } => true,
    }
}

/// Whether the region is joint by exactly this step, or not joint.
fn fits_joint(known: &KnownRegion, promote: &[Seat], demote: &[Seat]) -> bool {
    let (mut joint, mut simple) = (0, 0);
    let sides = [(promote, MemberRole::DemotingVoter), (demote, MemberRole::IncomingVoter)];
    for (seats, opposite) in sides {
        for seat in seats {
            match role(known, seat) {
                Some(MemberRole::Voter | MemberRole::Learner) => simple += 1,
                Some(role) if role != opposite => joint += 1,
                _ => return false,
            }
        }
    }
    let between = |role| matches!(role, MemberRole::IncomingVoter | MemberRole::DemotingVoter);
    let all = known.region.peers.iter().filter(|member| between(member.role)).count();
    (joint == 0 || simple == 0) && all == joint
}

/// The order for the operator's step; none while a peer that was added catches up.
fn order(step: &OperatorStep, known: &KnownRegion) -> Option<Order> {
    let change = |kind, seat: &Seat| Change { kind, peer: seat.peer, store: seat.store };
    let command = match step {
        OperatorStep::TransferLeader { to } => Command::TransferLeader { to: *to },
        OperatorStep::AddLearner(seat) | OperatorStep::AddPeer(seat)
            if known.region.member_on(seat.store).is_some() =>
        {
            return None;
        }
        OperatorStep::AddLearner(seat) => Command::ChangePeer(change(ChangeKind::AddLearner, seat)),
        OperatorStep::AddPeer(seat) | OperatorStep::PromoteLearner(seat) => {
            Command::ChangePeer(change(ChangeKind::AddVoter, seat))
        }
        OperatorStep::RemovePeer(seat) => Command::ChangePeer(change(ChangeKind::Remove, seat)),
        OperatorStep::EnterJoint { promote, demote } => {
            let promote = promote.iter().map(|seat| change(ChangeKind::AddVoter, seat));
            let demote = demote.iter().map(|seat| change(ChangeKind::AddLearner, seat));
            Command::EnterJoint { changes: promote.chain(demote).collect() }
        }
        OperatorStep::LeaveJoint { .. } => Command::LeaveJoint,
        OperatorStep::Split { keys, .. } => return Some(Order::Split { keys: keys.clone() }),
    };
    Some(Order::Propose(command))
}
