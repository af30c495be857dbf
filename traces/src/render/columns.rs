//! The columns of a sequence diagram between which a step is drawn.

use crate::action::Action;
use crate::region::StoreId;
use crate::round::Authority;
use crate::view::View;

/// A column of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A store.
    Store(StoreId),
    /// At the placement driver.
    Pd,
}

/// The columns between which a step is drawn: the actor and the receiver. An unknown late message
/// has none.
pub(super) fn ends(action: &Action, before: Option<&View>) -> (Option<Column>, Option<Column>) {
    use Column::{Pd, Store};
    match action {
        Action::Vote { candidate, voter, .. } => (Some(Store(*candidate)), Some(Store(*voter))),
        Action::Replicate { leader, follower, .. } | Action::Heartbeat { leader, follower, .. } => {
            (Some(Store(*leader)), Some(Store(*follower)))
        }
        Action::CheckStalePeer { store, asks, .. } => {
            let asked = match asks {
                Authority::Member(asked) => Store(*asked),
                Authority::PlacementDriver => Pd,
            };
            (Some(Store(*store)), Some(asked))
        }
        Action::Hold { from, .. } => (Some(Store(*from)), None),
        Action::TimeoutNow { region, leader } => {
            let target = before.and_then(|view| {
                let peer = view.stores.get(leader)?.peers.get(region)?;
                Some(peer.region.member(peer.leading.as_ref()?.transfer?.to)?.store)
            });
            (Some(Store(*leader)), target.map(Store))
        }
        Action::Late { slot } => match before.and_then(|view| view.held.get(*slot)) {
            Some(held) if held.is_from_pd() => (Some(Pd), Some(Store(held.to.store))),
            Some(held) if held.is_to_pd() => (Some(Store(held.from.store)), Some(Pd)),
            Some(held) => (Some(Store(held.from.store)), Some(Store(held.to.store))),
            None => (None, None),
        },
        Action::RegionHeartbeat { store, .. }
        | Action::StoreHeartbeat { store, .. }
        | Action::AddStore { store }
        | Action::AskSplit { store, .. } => (Some(Store(*store)), Some(Pd)),
        Action::Schedule { .. } | Action::PushOperator { .. } | Action::AddOperator { .. } => {
            (Some(Pd), None)
        }
        action if action.is_of_pd() => (Some(Pd), None),
        Action::Propose { store, .. } => (Some(Store(*store)), None),
        other => (other.stores().first().copied().map(Store), None),
    }
}
