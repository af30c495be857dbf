//! A leader asks the placement driver for the ids of a split, and proposes the split with them.
//!
//! Follows TiKV `on_prepare_split_region`, `validate_split_region` and PD `HandleAskBatchSplit`.

use rollcall_traces::{
    Child, Command, Derive, Epoch, Held, Key, PeerState, Reason, Region, RegionId, Reply, Returned, StoreId,
};

use super::propose::propose;
use super::recovery;
use super::{epoch, pd};
use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::peer::member_of_own_region;
use crate::unsound;

/// The leader asks the placement driver for ids and proposes the split under the epoch of the
/// request. If the split is refused, the ids are lost.
///
/// PD orders a split under the epoch that it knew, `ordered_at`. A leader that splits on its own
/// has none.
pub(crate) fn ask(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    (keys, derive): (&[Key], Derive),
    ordered_at: Option<Epoch>,
    reply: Reply,
) -> Result<Returned, Reason> {
    let leader = cluster.leader(store, region)?;
    recovery::check_command(leader, None)?;
    let (to, epoch) = (member_of_own_region(leader, store), leader.region.epoch);
    let members = leader.region.peers.len();
    if leader.state == PeerState::Merging {
        return Err(Reason::Merging);
    }
    validate_split_region(&leader.region, ordered_at, keys)?;
    if cluster.pd().is_absent() {
        return Err(Reason::NoPlacementDriver);
    }
    pd::check_ask_split(cluster, &leader.region)?;
    let children = allot(&mut cluster.pd_mut().next_id, keys, members);
    let mut refused = None;
    match reply {
        Reply::Delivered => {
            let command = Command::Split { children: children.clone(), derive };
            refused = propose(cluster, region, store, &command, Some(epoch)).err();
        }
        Reply::Delayed => cluster.hold(Held::ask_split_response(region, to, epoch, children.clone(), derive)),
        Reply::Dropped => {}
    }
    Ok(Returned::Allotted { children, refused })
}

/// TiKV checks the version alone: a change of members since does not matter, for the ids are
/// allotted for the present members.
fn validate_split_region(region: &Region, ordered_at: Option<Epoch>, keys: &[Key]) -> Result<(), Reason> {
    if keys.is_empty() {
        return Err(Reason::NoSplitKey);
    }
    if let Some(given) = ordered_at {
        epoch::check_version(&region.epoch, &given)?;
    }
    keys.iter().try_for_each(|key| match key {
        key if key.is_empty() => Err(Reason::SplitKeyEmpty),
        key if !region.contains(key) => Err(Reason::KeyNotInRegion),
        _ => Ok(()),
    })
}

/// For each key, an id for the region and one for each of its peers.
fn allot(next_id: &mut u64, keys: &[Key], members: usize) -> Vec<Child> {
    let mut id = || std::mem::replace(next_id, *next_id + 1);
    let child =
        |key: &Key| Child { key: key.clone(), region: id(), peers: (0..members).map(|_| id()).collect() };
    keys.iter().map(child).collect()
}

/// The placement driver's response arrives late.
pub(crate) fn handle_ask_split_response(
    cluster: &mut impl ClusterMut,
    held: &Held,
    children: &[Child],
    derive: Derive,
) -> Result<(), Reason> {
    let command = Command::Split { children: children.to_vec(), derive };
    let fits_members = cluster.holds(Guard::SplitIdsFitMembers);
    let epoch = if fits_members { Some(held.epoch) } else { unsound::epoch_of_the_proposal() };
    propose(cluster, held.region, held.to.store, &command, epoch)
}
