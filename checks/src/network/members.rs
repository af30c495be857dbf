//! Changes members: as TinyKV's `confchanger` does, with safe steps, and as TiKV's placement driver
//! does.
//!
//! In a random region, one store loses its peer or gets a peer with a fresh id, as in TinyKV. Or
//! several stores at once get, lose, promote and demote their peers by a joint change. That change
//! is left by hand or by the placement driver (`joint_state_checker.go`). Before a leader or one of
//! an even number of voters is removed, leadership moves and the voter is demoted; TinyKV does
//! neither.

use std::collections::BTreeMap;

use rollcall_impl::{Member, MemberRole, Region};
use rollcall_traces::{Change, ChangeKind, Command, RegionId, StoreId};

use super::Network;

/// Ticks after which an unreached goal is dropped.
const PATIENCE: u64 = 80;

/// What a store should have of a region.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Nothing,
    /// A voter, with this id if it is new.
    Voter(u64),
    Learner(u64),
}

/// The members that a region should get.
#[derive(Clone)]
pub(super) struct Goal {
    region: RegionId,
    /// Stores that are not named stay as they are.
    wants: BTreeMap<StoreId, Want>,
    /// Whether several members change by one joint change.
    at_once: bool,
    /// Whether a new member joins as a learner first.
    learners_first: bool,
    /// Whether the joint configuration is left by hand; otherwise the placement driver does it.
    by_hand: bool,
    until: u64,
}

/// Changes members, one goal at a time.
#[derive(Default)]
pub(super) struct ConfChanger {
    goal: Option<Goal>,
    next_at: u64,
    /// Goals that were reached.
    pub(super) made: u64,
    /// How often a leader accepted the command to leave a joint configuration.
    pub(super) left: Left,
}

/// By whom joint configurations were left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// By the test that entered them.
    pub by_hand: u64,
    /// By the placement driver.
    pub by_pd: u64,
}

impl ConfChanger {
    /// Takes the next step towards the goal, or draws a new goal. Usually spares regions that are
    /// about to merge.
    pub(super) fn act(&mut self, network: &mut Network, spared: &[RegionId]) {
        if network.now < self.next_at {
            return;
        }
        let Some(goal) = &self.goal else {
            self.goal = draw(network, spared);
            return;
        };
        let region = goal.region;
        let late = network.now > goal.until;
        let Some(at) = network.leader(region).filter(|_| !late) else {
            if late {
                self.goal = None;
            }
            return;
        };
        let known = network.status(at, region).expect("a leader is there").region().clone();
        match next_step(network, &known, network.nodes[at].id, goal) {
            Next::Propose(command) => {
                let taken = network.propose(at, region, &command, None).is_some();
                self.left.by_hand += u64::from(taken && command == Command::LeaveJoint);
                self.next_at = network.now + 1 + network.random.below(3);
            }
            Next::Wait => {}
            Next::Reached => {
                self.goal = None;
                self.made += 1;
                self.next_at = network.now + network.random.below(5);
            }
        }
    }

    /// Sets the goal that the region's members have the stores and roles of another region's.
    pub(super) fn align(&mut self, network: &mut Network, region: &Region, like: &Region) {
        let wants = network.nodes.iter().map(|node| node.id).collect::<Vec<_>>();
        let wants = wants.into_iter().map(|store| {
            let id = network.pd.peer_id();
            let want = like.member_on(store).map_or(Want::Nothing, |member| match member.role {
                MemberRole::Learner | MemberRole::DemotingVoter => Want::Learner(id),
                MemberRole::Voter | MemberRole::IncomingVoter => Want::Voter(id),
            });
            (store, want)
        });
        let wants = wants.collect();
        self.goal = Some(Goal {
            region: region.id,
            wants,
            at_once: network.random.percent(70),
            learners_first: true,
            by_hand: network.random.percent(50),
            until: network.now + PATIENCE,
        });
    }

    /// Whether there is nothing to do in the region, or only elsewhere.
    pub(super) fn is_idle(&self) -> bool {
        self.goal.is_none()
    }

    /// Whether the region's joint configuration is to be left by hand.
    fn leaves_by_hand(&self, region: RegionId) -> bool {
        self.goal.as_ref().is_some_and(|goal| goal.by_hand && goal.region == region)
    }

    /// The placement driver leaves the joint configurations that are reported to it, except those
    /// that are to be left by hand. At the end of a run there are no exceptions.
    pub(super) fn leave_joint(&mut self, network: &mut Network, at_the_end: bool) {
        for (at, region) in network.leaders() {
            let Some(peer) = network.status(at, region) else { continue };
            let known = peer.region().clone();
            let mine = at_the_end || !self.leaves_by_hand(region);
            if !known.is_joint() || !mine || !network.random.percent(30) {
                continue;
            }
            if let Next::Propose(command) = leave(network, &known, network.nodes[at].id) {
                let taken = network.propose(at, region, &command, None).is_some();
                self.left.by_pd += u64::from(taken && command == Command::LeaveJoint);
            }
        }
    }
}

fn votes(member: &Member) -> bool {
    matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter)
}

/// Draws a goal for a region that has a leader. In half of all cases it changes one member.
fn draw(network: &mut Network, spared: &[RegionId]) -> Option<Goal> {
    let regions: Vec<RegionId> = network.pd.routes().iter().map(|route| route.region.id).collect();
    let region = *network.random.choose(&regions)?;
    if spared.contains(&region) && network.random.percent(80) {
        return None;
    }
    let known = network.status(network.leader(region)?, region)?.region().clone();
    let alone = network.random.percent(50);
    let count = if alone { 1 } else { 2 + network.random.below(2) };
    let mut stores: Vec<StoreId> = network.nodes.iter().map(|node| node.id).collect();
    let mut wants = BTreeMap::new();
    for _ in 0..count {
        let at = network.random.below(stores.len() as u64) as usize;
        let store = stores.swap_remove(at);
        let id = network.pd.peer_id();
        let want = match known.member_on(store) {
            Some(member) if votes(member) && network.random.percent(40) => Want::Learner(id),
            Some(member) if !votes(member) && network.random.percent(60) => Want::Voter(id),
            Some(_) => Want::Nothing,
            None if network.random.percent(20) => Want::Learner(id),
            None => Want::Voter(id),
        };
        wants.insert(store, want);
    }
    let stays = |member: &&Member| match wants.get(&member.store) {
        Some(want) => matches!(want, Want::Voter(_)),
        None => votes(member),
    };
    if !known.peers.iter().any(|member| stays(&member)) {
        return None;
    }
    Some(Goal {
        region,
        wants,
        at_once: !alone,
        learners_first: network.random.percent(60),
        by_hand: network.random.percent(50),
        until: network.now + PATIENCE,
    })
}

enum Next {
    Propose(Command),
    /// Wait for the placement driver.
    Wait,
    Reached,
}

/// The next proposal of the leader on `own`.
fn next_step(network: &Network, region: &Region, own: StoreId, goal: &Goal) -> Next {
    if region.is_joint() {
        return if goal.by_hand { leave(network, region, own) } else { Next::Wait };
    }
    let changes: Vec<Change> =
        goal.wants.iter().filter_map(|(&store, &want)| change(region, store, want, goal)).collect();
    let touches_voter = |change: &&Change| {
        change.kind == ChangeKind::AddVoter || region.member(change.peer).is_some_and(votes)
    };
    // A voter that is to be removed is demoted first, and removed once it is a learner.
    let joint: Vec<Change> = changes.iter().map(|change| demoted(region, *change)).collect();
    let together: Vec<Change> = if goal.at_once {
        joint.iter().filter(|change| is_joint(region, change, goal)).copied().collect()
    } else {
        Vec::new()
    };
    if together.len() > 1 && together.iter().any(|change| touches_voter(&change)) {
        return Next::Propose(Command::EnterJoint { changes: together });
    }
    let Some(&first) = changes.iter().find(|change| change.store != own).or(changes.first()) else {
        return Next::Reached;
    };
    let voters = region.peers.iter().filter(|member| votes(member)).count();
    let loses_voter = first.kind != ChangeKind::AddVoter && region.member(first.peer).is_some_and(votes);
    if !loses_voter {
        return Next::Propose(Command::ChangePeer(first));
    }
    if voters == 1 {
        return Next::Reached;
    }
    if first.store == own {
        return away_from(network, region, own);
    }
    let demotes = first.kind == ChangeKind::AddLearner || voters.is_multiple_of(2);
    if demotes {
        return Next::Propose(Command::EnterJoint { changes: vec![demoted(region, first)] });
    }
    Next::Propose(Command::ChangePeer(first))
}

/// The change on a store.
fn change(region: &Region, store: StoreId, want: Want, goal: &Goal) -> Option<Change> {
    let member = region.member_on(store);
    let (kind, peer) = match (want, member) {
        (Want::Nothing, Some(member)) => (ChangeKind::Remove, member.id),
        (Want::Voter(_), Some(member)) if !votes(member) => (ChangeKind::AddVoter, member.id),
        (Want::Learner(_), Some(member)) if votes(member) => (ChangeKind::AddLearner, member.id),
        (Want::Voter(id), None) if goal.learners_first => (ChangeKind::AddLearner, id),
        (Want::Voter(id), None) => (ChangeKind::AddVoter, id),
        (Want::Learner(id), None) => (ChangeKind::AddLearner, id),
        _ => return None,
    };
    Some(Change { kind, peer, store })
}

/// A voter's removal as a joint change allows it: a demotion.
fn demoted(region: &Region, change: Change) -> Change {
    if change.kind == ChangeKind::Remove && region.member(change.peer).is_some_and(votes) {
        return Change { kind: ChangeKind::AddLearner, ..change };
    }
    change
}

/// Whether the change may be part of a joint change. A new member that must be a learner first
/// joins before that.
fn is_joint(region: &Region, change: &Change, goal: &Goal) -> bool {
    !goal.learners_first || region.member(change.peer).is_some()
}

/// Leaves a joint configuration. A leader that is being demoted transfers leadership first.
fn leave(network: &Network, region: &Region, own: StoreId) -> Next {
    let demoted = region.member_on(own).is_some_and(|member| member.role == MemberRole::DemotingVoter);
    if demoted { away_from(network, region, own) } else { Next::Propose(Command::LeaveJoint) }
}

/// Transfers leadership to another voter, to each in turn.
fn away_from(network: &Network, region: &Region, own: StoreId) -> Next {
    let others: Vec<StoreId> = region
        .peers
        .iter()
        .filter(|member| member.store != own && votes(member))
        .map(|member| member.store)
        .collect();
    match others.get(network.now as usize % others.len().max(1)) {
        Some(&to) => Next::Propose(Command::TransferLeader { to }),
        None => Next::Reached,
    }
}
