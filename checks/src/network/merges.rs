//! Merges regions: a random one into its neighbour, with members aligned first (PD
//! `merge_checker.go`, `CreateMergeRegionOperator`). It also does what the stores of a merging
//! region do by themselves (TiKV `fsm/peer.rs on_check_merge`): they ask the target's leader to
//! commit the merge, and roll it back where it can no longer be committed.

use rollcall_impl::{MemberRole, PeerState, Region};
use rollcall_traces::{Command, Outcome, Reason, RegionId};

use super::Network;
use super::members::ConfChanger;
use crate::world::convert;

/// Ticks after which a merge that has not begun is dropped.
const PATIENCE: u64 = 120;

/// A region that should merge into another.
#[derive(Clone, Copy)]
struct Goal {
    source: RegionId,
    target: RegionId,
    until: u64,
}

/// Starts merges, one at a time.
#[derive(Default)]
pub(super) struct Merger {
    goal: Option<Goal>,
    /// Moves the source's members to the target's stores.
    members: ConfChanger,
    next_at: u64,
}

impl Merger {
    /// The regions of the planned merge.
    pub(super) fn regions(&self) -> Vec<RegionId> {
        self.goal.iter().flat_map(|goal| [goal.source, goal.target]).collect()
    }

    /// Takes the next step towards a merge, or draws one.
    pub(super) fn act(&mut self, network: &mut Network) {
        if network.now < self.next_at {
            return;
        }
        self.next_at = network.now + 1 + network.random.below(3);
        self.goal = match self.goal {
            None => draw(network),
            Some(goal) => self.go_on(network, goal).then_some(goal),
        };
    }

    /// Takes the next step; returns whether there is still something to do.
    fn go_on(&mut self, network: &mut Network, goal: Goal) -> bool {
        let route = |region| network.pd.routes().iter().find(|route| route.region.id == region);
        let (Some(source), Some(target)) = (route(goal.source), route(goal.target)) else { return false };
        if network.now > goal.until || !(are_side_by_side(&source.region, &target.region)) {
            return false;
        }
        let known = |region| {
            let at = network.leader(region)?;
            Some((at, network.status(at, region)?))
        };
        let (Some((at, own)), Some((_, into))) = (known(goal.source), known(goal.target)) else {
            return true;
        };
        if own.state() == PeerState::Merging {
            return false;
        }
        let (own, into) = (own.region().clone(), into.region().clone());
        if into.is_joint() {
            return true;
        }
        if !fits(&own, &into) {
            if self.members.is_idle() {
                self.members.align(network, &own, &into);
            }
            self.members.act(network, &[]);
            if !network.random.percent(3) {
                return true;
            }
        }
        // The target as the asked store knows it, and now and then as another store does.
        let beside = network.status(at, goal.target).map(|peer| peer.region().clone());
        let named = beside.filter(|_| network.random.percent(90)).unwrap_or(into);
        network.propose(at, goal.source, &Command::prepare_merge(convert::region(&named)), None);
        true
    }
}

fn are_side_by_side(one: &Region, other: &Region) -> bool {
    let joins = |left: &Region, right: &Region| !left.end.is_empty() && left.end == right.start;
    joins(one, other) || joins(other, one)
}

/// Two adjacent regions. Either may be the source.
fn draw(network: &mut Network) -> Option<Goal> {
    let routes = network.pd.routes();
    let pairs: Vec<(RegionId, RegionId)> = routes
        .windows(2)
        .filter(|pair| are_side_by_side(&pair[0].region, &pair[1].region))
        .map(|pair| (pair[0].region.id, pair[1].region.id))
        .collect();
    let &(left, right) = network.random.choose(&pairs)?;
    let until = network.now + PATIENCE;
    let (source, target) = if network.random.percent(50) { (left, right) } else { (right, left) };
    Some(Goal { source, target, until })
}

/// Whether both have peers on the same stores in the same roles.
fn fits(one: &Region, other: &Region) -> bool {
    let same = |role: MemberRole, store| other.member_on(store).is_some_and(|member| member.role == role);
    one.peers.len() == other.peers.len() && one.peers.iter().all(|member| same(member.role, member.store))
}

impl Network {
    /// Every store with a peer of a merging region asks the target's leader, if it is on that
    /// store, to commit the merge.
    pub(super) fn check_merges(&mut self) {
        for at in 0..self.nodes.len() {
            for source in self.regions(at) {
                let Some(peer) = self.status(at, source) else { continue };
                let merging = peer.state() == PeerState::Merging;
                let Some(target) = peer.merge().filter(|_| merging).map(|merge| merge.target.id) else {
                    continue;
                };
                if self.random.percent(50) {
                    self.check_merge(at, source, target);
                }
            }
        }
    }

    fn check_merge(&mut self, at: usize, source: RegionId, target: RegionId) {
        let leads = |network: &Self, region| network.leader(region) == Some(at);
        if leads(self, target) {
            self.propose(at, target, &Command::commit_merge(source), None);
        }
        let refused = self.events.last().is_some_and(|event| {
            matches!(
                &event.event,
                rollcall_traces::Happening::Propose {
                    command: Command::CommitMerge { .. },
                    outcome: Outcome::Refused(Reason::MergeTargetChanged),
                    ..
                }
            )
        });
        // Without a leader of the target, the store itself checks whether the target has moved on.
        if leads(self, source) && (refused || self.random.percent(20)) {
            self.propose(at, source, &Command::RollbackMerge { commit: 0 }, None);
        }
    }
}
