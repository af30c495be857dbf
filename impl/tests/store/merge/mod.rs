//! Region merge: two adjacent regions on three stores, [`LEFT`] with the keys a and h, [`RIGHT`]
//! with m and t.

mod catch_up;
mod elsewhere;
mod guards;
mod happy;
mod refused;
mod restart;
mod rollback;

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::{
    Command, Config, Epoch, Guards, Input, Message, Output, Refusal, Region, RegionId, StoreId,
};

use crate::cluster::{CHILD, Cluster, REGION, put, split};

/// Has the keys before m; peers 1, 2, 3.
pub(crate) const LEFT: RegionId = REGION;
/// Has the keys from m on; peers 21, 22, 23.
pub(crate) const RIGHT: RegionId = CHILD;

/// Both regions at version 2, everything applied everywhere, led by store 1.
pub(crate) fn two<G: Guards>(guards: G) -> Cluster<G> {
    let mut cluster = Cluster::new(guards, 3, &[1, 2, 3]);
    cluster.elect(1);
    for key in ["a", "h", "m", "t"] {
        cluster.propose(1, put(key)).unwrap();
    }
    cluster.propose(1, split("m", 3)).unwrap();
    settle(&mut cluster);
    cluster
}

/// Delivers, applies and sends heartbeats until nothing is left to do.
pub(crate) fn settle<G: Guards>(cluster: &mut Cluster<G>) {
    settle_where(cluster, |_| true);
}

/// The same, but only messages for which `arrives` is true are delivered.
pub(crate) fn settle_where<G: Guards>(cluster: &mut Cluster<G>, mut arrives: impl FnMut(&Message) -> bool) {
    for _ in 0..8 {
        deliver_where(cluster, &mut arrives);
        for store in stores(cluster) {
            apply_all(cluster, store);
        }
        for store in stores(cluster) {
            for region in regions(cluster, store) {
                let leads =
                    cluster.stores[&store].peer(region).is_some_and(|peer| peer.leader() == peer.id());
                if leads {
                    cluster.step(store, Input::Tick { region }).unwrap();
                }
            }
        }
    }
    deliver_where(cluster, &mut arrives);
}

/// Delivers messages for which `arrives` is true, and what they cause; the rest is lost.
pub(crate) fn deliver_where<G: Guards>(cluster: &mut Cluster<G>, mut arrives: impl FnMut(&Message) -> bool) {
    while let Some(message) = cluster.sent.pop_front() {
        if arrives(&message) {
            let _ = cluster.step(message.to.store, Input::Message(message));
        }
    }
}

/// Applies everything that can be applied on `store`.
pub(crate) fn apply_all<G: Guards>(cluster: &mut Cluster<G>, store: StoreId) {
    for _ in 0..3 {
        for region in regions(cluster, store) {
            let _ = cluster.step(store, Input::ApplySnapshot { region });
            while apply(cluster, store, region).is_ok() {}
        }
    }
}

pub(crate) fn stores<G: Guards>(cluster: &Cluster<G>) -> Vec<StoreId> {
    cluster.stores.keys().copied().collect()
}

pub(crate) fn regions<G: Guards>(cluster: &Cluster<G>, store: StoreId) -> Vec<RegionId> {
    cluster.stores[&store].regions().collect()
}

pub(crate) fn apply<G: Guards>(
    cluster: &mut Cluster<G>,
    store: StoreId,
    region: RegionId,
) -> Result<(), Refusal> {
    cluster.step(store, Input::Apply { region })
}

pub(crate) fn propose<G: Guards>(
    cluster: &mut Cluster<G>,
    store: StoreId,
    region: RegionId,
    command: Command,
) -> Result<(), Refusal> {
    cluster.step(store, Input::Propose { region, command, epoch: None })
}

/// Proposes the merge of `source` into `target`, as store 1 knows it.
pub(crate) fn prepare<G: Guards>(
    cluster: &mut Cluster<G>,
    source: RegionId,
    target: RegionId,
) -> Result<(), Refusal> {
    let target = cluster.of(1, target).region().clone();
    propose(cluster, 1, source, Command::prepare_merge(target))
}

pub(crate) fn commit<G: Guards>(
    cluster: &mut Cluster<G>,
    store: StoreId,
    source: RegionId,
    target: RegionId,
) -> Result<(), Refusal> {
    propose(cluster, store, target, Command::commit_merge(source))
}

pub(crate) fn campaign<G: Guards>(cluster: &mut Cluster<G>, store: StoreId, region: RegionId) {
    cluster.step(store, Input::Campaign { region }).unwrap();
    cluster.deliver();
    assert_eq!(cluster.of(store, region).leader(), cluster.of(store, region).id());
}

pub(crate) fn epoch<G: Guards>(cluster: &Cluster<G>, store: StoreId, region: RegionId) -> (u64, u64) {
    let Epoch { conf_ver, version } = cluster.of(store, region).region().epoch;
    (conf_ver, version)
}

pub(crate) fn is_merging<G: Guards>(cluster: &Cluster<G>, store: StoreId, region: RegionId) -> bool {
    cluster.stores[&store].peer(region).is_some_and(|peer| peer.merge().is_some())
}

/// Removes the voter of this peer id; ids end with the store's.
pub(crate) fn remove(peer: u64) -> Command {
    use rollcall_impl::{Change, ChangeKind};
    Command::ChangePeer(Change { kind: ChangeKind::Remove, peer, store: peer % 10 })
}

/// Only the first append reaches the region's peer on store 3, and no later message: it has an
/// entry and does not know that it is committed.
pub(crate) fn one_append_to_3(region: RegionId) -> impl FnMut(&Message) -> bool {
    let mut appends = 0;
    move |message| match message.raft_type() {
        Some(MessageType::MsgAppend) if message.region == region && message.to.store == 3 => {
            appends += 1;
            appends == 1
        }
        Some(MessageType::MsgHeartbeat) => message.region != region || message.to.store != 3,
        _ => true,
    }
}
