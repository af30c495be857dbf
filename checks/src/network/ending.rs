//! What must hold at the end of a run, once faults have stopped.
//!
//! The leaders' regions cover the key space. Every member has what its leader has. Every log is
//! within its limit. Clients found what they wrote and deleted it, and no key is left.

use rollcall_impl::{Member, PeerState, PeerStatus};
use rollcall_traces::{Key, RegionId, StoreId};
use thiserror::Error;

use super::Network;
use crate::world::convert;

/// Ticks after the last fault within which the cluster must settle.
pub(super) const RECOVERY: u64 = 800;

/// What a run violated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Lost {
    /// A client does not find what was acknowledged, or finds something else.
    #[error("client {client} wrote {written} acknowledged keys, but finds {found} keys, or other ones")]
    Scan {
        /// The client.
        client: u64,
        /// How many keys it put.
        written: u64,
        /// How many it found.
        found: u64,
    },
    /// A deleted key is still there.
    #[error("store {store} still has `{key}` in region {region}, although it was removed")]
    Left {
        /// The store.
        store: StoreId,
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// The cluster has not settled long after the last fault.
    #[error("{RECOVERY} ticks after the last fault the cluster is not at rest: {0}")]
    Rest(String),
    /// Regions grew, and none split.
    #[error("the first region has no end: nothing was split")]
    NoSplit,
    /// A scenario with steps of its own had another result.
    #[error("{0}")]
    Otherwise(String),
}

impl Network {
    /// The leaders in key order. The error says what is not settled yet: their regions must cover
    /// the key space, none may be joint or merging, every member must have applied what its leader
    /// has, and (TinyKV's check) no log may be longer than twice its limit.
    pub(super) fn settled(&self, log_limit: Option<u64>) -> Result<Vec<(usize, RegionId)>, String> {
        let leaders = self.leaders();
        let mut settled = Vec::new();
        let mut from = rollcall_impl::Key::from([]);
        loop {
            let begin =
                leaders.iter().filter_map(|&(at, region)| Some((at, region, self.status(at, region)?)));
            let begin = begin.filter(|(_, _, peer)| peer.region().start == from);
            let newest = begin.max_by_key(|(_, _, peer)| (peer.region().epoch.version, peer.term()));
            let key = convert::key(&from);
            let (at, region, peer) = newest.ok_or_else(|| format!("no leader's region begins at `{key}`"))?;
            if peer.region().is_joint() || peer.state() != PeerState::Normal {
                return Err(format!("region {region} is joint, or merging"));
            }
            if let Some(behind) =
                peer.region().peers.iter().find(|member| !self.keeps_up(peer, member, log_limit))
            {
                return Err(format!(
                    "peer {} of region {region}, on store {}, is behind",
                    behind.id, behind.store
                ));
            }
            settled.push((at, region));
            from = peer.region().end.clone();
            if from.is_empty() {
                return Ok(settled);
            }
        }
    }

    fn keeps_up(&self, leader: PeerStatus<'_>, member: &Member, log_limit: Option<u64>) -> bool {
        let short = |peer: PeerStatus<'_>| {
            log_limit.is_none_or(|limit| peer.applied() - peer.truncated().index <= limit * 2)
        };
        self.status(self.index_of(member.store), leader.region().id).is_some_and(|peer| {
            peer.id() == member.id
                && peer.applied() == leader.last_index()
                && peer.region() == leader.region()
                && short(peer)
        })
    }

    /// Checks that the members of these leaders' regions hold no key.
    pub(super) fn emptied(&self, leaders: &[(usize, RegionId)]) -> Result<(), Lost> {
        for &(at, region) in leaders {
            let Some(leader) = self.status(at, region) else { continue };
            for member in &leader.region().peers {
                let peer = self.status(self.index_of(member.store), region);
                if let Some((key, _)) = peer.and_then(|peer| peer.data().iter().next()) {
                    return Err(Lost::Left { store: member.store, region, key: convert::key(key) });
                }
            }
        }
        Ok(())
    }
}
