//! Which peers an action can change: one region, and at most two stores.
//!
//! A round has two ends; any other action has one. Folds and comparisons look only there. An entry
//! that splits a region or commits a merge also changes other regions on the same store.

use crate::action::Action;
use crate::cluster::Cluster;
use crate::command::Command;
use crate::message::Message;
use crate::region::{RegionId, StoreId};
use crate::round::{Authority, Outgoing};

/// The peers that an action can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The region; `None` for every region on the stores.
    pub region: Option<RegionId>,
    stores: [Option<StoreId>; MOST],
}

/// The most stores that one action can change.
const MOST: usize = 2;

fn with(first: &[Option<StoreId>]) -> [Option<StoreId>; MOST] {
    std::array::from_fn(|at| first.get(at).copied().flatten())
}

impl Touched {
    /// The stores.
    pub fn stores(&self) -> impl Iterator<Item = StoreId> + use<> {
        self.stores.into_iter().flatten()
    }

    /// Only the placement driver and delayed messages.
    fn none() -> Self {
        Self { region: None, stores: [None; MOST] }
    }

    fn one(region: RegionId, store: StoreId) -> Self {
        Self { region: Some(region), stores: with(&[Some(store)]) }
    }

    fn two(region: RegionId, first: StoreId, second: Option<StoreId>) -> Self {
        Self { region: Some(region), stores: with(&[Some(first), second.filter(|store| *store != first)]) }
    }

    fn store(store: StoreId) -> Self {
        Self { region: None, stores: with(&[Some(store)]) }
    }
}

impl Action {
    /// The peers that this action can change in the state `before`. The receiver of a delayed
    /// message and the transferee are read from there.
    pub fn touched(&self, before: &impl Cluster) -> Touched {
        match *self {
            Action::Vote { region, candidate, voter, .. } => Touched::two(region, candidate, Some(voter)),
            Action::Replicate { region, leader, follower, .. }
            | Action::Heartbeat { region, leader, follower, .. } => {
                Touched::two(region, leader, Some(follower))
            }
            Action::CheckStalePeer { region, store, asks: Authority::Member(asked), .. } => {
                Touched::two(region, store, Some(asked))
            }
            Action::CheckStalePeer { region, store, asks: Authority::PlacementDriver, .. } => {
                Touched::one(region, store)
            }
            Action::TimeoutNow { region, leader } => {
                let target = before.peer(leader, region).and_then(|peer| {
                    let to = peer.leading.as_ref()?.transfer?.to;
                    Some(peer.region.member(to)?.store)
                });
                Touched::two(region, leader, target)
            }
            Action::Late { slot } => match before.held().get(slot) {
                Some(held) if matches!(held.message, Message::RecoveryPlan(_)) => {
                    Touched::store(held.to.store)
                }
                Some(held) if !held.is_to_pd() => Touched::one(held.region, held.to.store),
                _ => Touched::none(),
            },
            Action::Hold { message: Outgoing::RegionReport, .. } => Touched::none(),
            // An order reaches the leader that PD knows.
            Action::Schedule { region, .. }
            | Action::PushOperator { region, .. }
            | Action::AddOperator { region, .. } => {
                let leader = before.pd().regions.get(&region).and_then(|known| known.leader());
                leader.map_or_else(Touched::none, |leader| Touched::one(region, leader.store))
            }
            // The store's forced leaders may step down.
            Action::Hold { from, message: Outgoing::StoreReport, .. } => Touched::store(from),
            Action::Hold { region, from, .. } => Touched::one(region, from),
            Action::Apply { region, store } => {
                let next = before.peer(store, region).and_then(|peer| peer.log.entry(peer.applied + 1));
                match next.and_then(|entry| entry.command.as_ref()) {
                    Some(Command::Split { .. } | Command::CommitMerge { .. }) => Touched::store(store),
                    _ => Touched::one(region, store),
                }
            }
            // A snapshot may show that regions of this store were merged elsewhere. Their peers end
            // here.
            Action::ApplySnapshot { region, store } if tells_of_merge(before, region, store) => {
                Touched::store(store)
            }
            Action::RegionHeartbeat { region, store, .. }
            | Action::TombstonePeer { region, store, .. }
            | Action::ApplySnapshot { region, store }
            | Action::Campaign { region, store }
            | Action::AskSplit { region, store, .. }
            | Action::Propose { region, store, .. }
            | Action::Read { region, store, .. }
            | Action::AnswerRead { region, store }
            | Action::ForceLeaderTimeout { region, store }
            | Action::TransferTimeout { region, store } => Touched::one(region, store),
            Action::Crash { store }
            | Action::Restart { store }
            | Action::Persist { store }
            | Action::LoseDisk { store } => Touched::store(store),
            Action::StoreHeartbeat { store, .. } if before.pd().recovery_step > 0 => Touched::store(store),
            Action::StoreHeartbeat { .. }
            | Action::RecoveryTimeout
            | Action::RemoveFailedStores { .. }
            | Action::MissedHeartbeat { .. }
            | Action::OperatorTimeout { .. }
            | Action::CheckStores
            | Action::PdRestart
            | Action::AddStore { .. }
            | Action::Decommission { .. }
            | Action::CancelDecommission { .. }
            | Action::SetTombstone { .. }
            | Action::RemoveTombstone { .. }
            | Action::RemoveOperator { .. } => Touched::none(),
        }
    }
}

/// Whether a live peer on the store knows that it was merged into `target`.
fn tells_of_merge(cluster: &impl Cluster, target: RegionId, store: StoreId) -> bool {
    let merged_into = |region| cluster.peer(store, region).and_then(|peer| peer.merged_into.as_ref());
    cluster.regions_on(store).any(|region| merged_into(region).is_some_and(|into| into.id == target))
}
