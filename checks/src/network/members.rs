//! Who changes members: TinyKV's `confchanger`, by the sound way.
//!
//! In a random region a random store is emptied if it has a peer and is not the
//! last, and given a peer with a fresh id if it has none. Where TinyKV removes a
//! leader or one of an even number of voters, leadership moves first, and the voter is
//! demoted first.

use rollcall_impl::{MemberRole, Region};
use rollcall_traces::{Change, ChangeKind, Command, RegionId, StoreId};

use super::Network;

/// What shall come about.
#[derive(Clone, Copy)]
enum Goal {
    Gone(StoreId),
    There(StoreId, u64),
}

/// Changes members, one change at a time.
#[derive(Default)]
pub(super) struct ConfChanger {
    goal: Option<(RegionId, Goal)>,
    next_at: u64,
    /// Changes that came about.
    pub(super) made: u64,
}

impl ConfChanger {
    /// Takes the next step towards the goal, or a new goal.
    pub(super) fn act(&mut self, network: &mut Network) {
        if network.now < self.next_at {
            return;
        }
        let Some((region, goal)) = self.goal else {
            self.goal = draw(network);
            return;
        };
        let Some(at) = network.leader(region) else { return };
        let peer = network.status(at, region).expect("a leader is there");
        match next_step(peer.region(), network.nodes[at].id, goal) {
            Some(command) => {
                network.propose(at, region, &command, None);
                self.next_at = network.now + 1 + network.random.below(3);
            }
            None => {
                self.goal = None;
                self.made += 1;
                self.next_at = network.now + network.random.below(5);
            }
        }
    }
}

/// What to do next, in a region that has a leader.
fn draw(network: &mut Network) -> Option<(RegionId, Goal)> {
    let regions: Vec<RegionId> = network.driver.routes().iter().map(|route| route.region.id).collect();
    let region = *network.random.choose(&regions)?;
    let known = network.status(network.leader(region)?, region)?.region().clone();
    let at = network.random.below(network.nodes.len() as u64) as usize;
    let store = network.nodes[at].id;
    if known.member_on(store).is_some() && known.peers.len() > 1 {
        return Some((region, Goal::Gone(store)));
    }
    Some((region, Goal::There(store, network.driver.peer_id())))
}

/// What the leader on `own` shall propose next; `None` once the goal is reached.
fn next_step(region: &Region, own: StoreId, goal: Goal) -> Option<Command> {
    let voters = || region.peers.iter().filter(|member| member.role != MemberRole::Learner);
    let away_from = |store: StoreId| {
        let to = voters().find(|member| {
            member.store != store && matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter)
        });
        to.map(|member| Command::TransferLeader { to: member.store })
    };
    if region.is_joint() {
        let demoted = region.member_on(own).is_some_and(|member| member.role == MemberRole::DemotingVoter);
        return if demoted { away_from(own) } else { Some(Command::LeaveJoint) };
    }
    match goal {
        Goal::Gone(store) => {
            let member = region.member_on(store)?;
            let change = |kind| Change { kind, peer: member.id, store };
            if region.peers.len() == 1 || (member.role == MemberRole::Voter && voters().count() == 1) {
                return None;
            }
            if store == own {
                return away_from(own);
            }
            if member.role == MemberRole::Voter && voters().count().is_multiple_of(2) {
                return Some(Command::EnterJoint { changes: vec![change(ChangeKind::AddLearner)] });
            }
            Some(Command::ChangePeer(change(ChangeKind::Remove)))
        }
        Goal::There(store, id) => match region.member_on(store) {
            Some(_) => None,
            None => Some(Command::ChangePeer(Change { kind: ChangeKind::AddVoter, peer: id, store })),
        },
    }
}
