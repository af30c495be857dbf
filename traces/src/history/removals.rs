//! Whether a leader's change removes a live majority, judged by the stores' true status.
//!
//! PD plans by what it knows, and a leader refuses by which voters are active. Here a voter is live
//! if its store runs and was not given up. The proposal is judged: a store that fails later does
//! not count.

use super::{Breach, Fold, PeerStep};
use crate::cluster::Cluster;
use crate::command::{ChangeKind, Command};
use crate::peer::{Peer, Role};
use crate::region::{MemberRole, PeerId, StoreId};
use crate::view::StoreStatus;

impl Fold<'_> {
    /// A leader appended a change that removes a live voter and leaves no live majority where there
    /// was one. For a joint configuration the new half counts, because it remains.
    pub(super) fn removal(&mut self, step: &PeerStep<'_>, cluster: &impl Cluster) {
        let Some((store, peer)) = proposed(step).and_then(|(leader, command)| {
            let runs = |store: StoreId| {
                cluster.stores().any(|(id, status)| id == store && status == StoreStatus::Up)
            };
            takes_the_majority(leader, command, runs)
        }) else {
            return;
        };
        self.breach(Breach::UnsafeRemoval { region: step.region, store, peer });
    }
}

/// The leader, and the change that it has just appended.
fn proposed<'a>(step: &PeerStep<'a>) -> Option<(&'a Peer, &'a Command)> {
    let (before, after) = (step.same_replica()?, step.after?);
    let leads = |peer: &Peer| peer.role == Role::Leader;
    let last = after.log.last_index();
    if !leads(before) || !leads(after) || before.term != after.term || last != before.log.last_index() + 1 {
        return None;
    }
    let command = after.log.entry(last)?.command.as_ref()?;
    (!command.changes().is_empty()).then_some((before, command))
}

/// The first live voter that the change removes, if the live voters were a majority before and are
/// none after. New voters count as live.
fn takes_the_majority(
    leader: &Peer,
    command: &Command,
    runs: impl Fn(StoreId) -> bool,
) -> Option<(StoreId, PeerId)> {
    let region = &leader.region;
    let votes = |role| matches!(role, MemberRole::Voter | MemberRole::IncomingVoter);
    let mut voters: Vec<(PeerId, bool)> = Vec::with_capacity(region.peers.len() + 1);
    let there = region.peers.iter().filter(|member| votes(member.role));
    voters.extend(there.map(|member| (member.id, runs(member.store))));
    if !has_live_majority(&voters) {
        return None;
    }
    let mut taken = None;
    for change in command.changes() {
        let place = voters.iter().position(|(peer, _)| *peer == change.peer);
        match (change.kind, place) {
            (ChangeKind::AddVoter, None) => {
                let is_new = region.member(change.peer).is_none();
                voters.push((change.peer, is_new || runs(change.store)));
            }
            (ChangeKind::Remove | ChangeKind::AddLearner, Some(at)) => {
                let (peer, lives) = voters.remove(at);
                taken = taken.or(lives.then_some((change.store, peer)));
            }
            _ => {}
        }
    }
    taken.filter(|_| !has_live_majority(&voters))
}

fn has_live_majority(voters: &[(PeerId, bool)]) -> bool {
    voters.iter().filter(|(_, lives)| *lives).count() > voters.len() / 2
}
