//! An order: an operator's step, sent to the peer that PD knows as the leader.

use rollcall_traces::{Derive, Held, Message, Order, Reason, Reply, Returned};

use crate::cluster::ClusterMut;
use crate::rules::ask_split;
use crate::rules::propose::propose;

/// Delivers, delays or drops an order.
pub(super) fn send(cluster: &mut impl ClusterMut, order: Option<Held>, reply: Reply) -> Returned {
    let Some(held) = order else { return Returned::Nothing };
    let Message::Order(order) = held.message.clone() else { unreachable!("PD sends orders") };
    let refused = match reply {
        Reply::Delivered => carry_out(cluster, &held).unwrap_or_else(Some),
        Reply::Delayed => {
            cluster.hold(held);
            None
        }
        Reply::Dropped => None,
    };
    Returned::Ordered { order, refused }
}

/// The receiver carries out the order under the epoch that PD knew.
///
/// # Errors
/// Nothing was done. The reason in `Ok` is of a refused split, whose ids are lost.
pub(crate) fn carry_out(cluster: &mut impl ClusterMut, order: &Held) -> Result<Option<Reason>, Reason> {
    let (region, store) = (order.region, order.to.store);
    match &order.message {
        Message::Order(Order::Propose(command)) => {
            propose(cluster, region, store, command, Some(order.epoch)).map(|()| None)
        }
        Message::Order(Order::Split { keys }) => {
            let (split, ordered_at) = ((&keys[..], Derive::Right), Some(order.epoch));
            match ask_split::ask(cluster, region, store, split, ordered_at, Reply::Delivered)? {
                Returned::Allotted { refused, .. } => Ok(refused),
                _ => Ok(None),
            }
        }
        _ => unreachable!("PD sends orders"),
    }
}
