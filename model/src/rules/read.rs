//! `Read` and `AnswerRead` by ReadIndex (raft-rs `read_only.rs`, option `Safe`).

use rollcall_traces::{Key, Peer, PeerId, Read, Reason, RegionId, Returned, StoreId};

use super::{merge, raft, recovery, split};
use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// A leader takes a read (`read_index`): its commit index now, and the peers that confirm that it leads.
pub(crate) fn read(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
    key: &Key,
) -> Result<(), Reason> {
    let peer = cluster.leader(store, region)?;
    recovery::check_command(peer, None)?;
    if !peer.region.contains(key) {
        return Err(Reason::KeyNotInRegion);
    }
    if merge::is_merging(peer) {
        return Err(Reason::Merging);
    }
    if peer.read.is_some() {
        return Err(Reason::ReadPending);
    }
    if peer.log.term(peer.commit) != Some(peer.term) {
        return Err(Reason::NotCommittedTerm);
    }
    let ready = if cluster.holds(Guard::ReadNeedsQuorum) {
        !peer.region.is_joint() && peer.region.incoming_voters().count() == 1
    } else {
        unsound::answer_without_a_quorum()
    };
    let acks = if ready { [].into() } else { [peer.id].into() };
    let read = Read { key: key.clone(), index: peer.commit, acks, ready };
    cluster.peer_mut(store, region).read = Some(read);
    Ok(())
}

/// A member responded to a round, and so acknowledges the read under way.
pub(crate) fn acknowledged(peer: &mut Peer, member: PeerId, guards: GuardSet) {
    let Some(read) = peer.read.as_mut().filter(|read| !read.ready) else { return };
    read.acks.insert(member);
    if raft::has_quorum(guards, &peer.region, |id| read.acks.contains(&id)) {
        read.ready = true;
        read.acks.clear();
    }
}

pub(crate) fn reply(
    cluster: &mut impl ClusterMut,
    region: RegionId,
    store: StoreId,
) -> Result<Returned, Reason> {
    let peer = cluster.live(store, region)?;
    let read = peer.read.as_ref().filter(|read| read.ready).ok_or(Reason::NoReadReady)?;
    if cluster.holds(Guard::ReadWaitsForApply) && read.index > peer.applied {
        return Err(Reason::NoReadReady);
    }
    let answered = if cluster.holds(Guard::AnswerCopiesRegion) {
        peer.region.clone()
    } else {
        unsound::region_behind_the_next_entry(peer, |entry| split::parent_of(peer, entry, cluster.guards()))
    };
    let returned =
        Returned::Value { key: read.key.clone(), value: peer.data.get(&read.key).cloned(), region: answered };
    cluster.peer_mut(store, region).read = None;
    Ok(returned)
}
