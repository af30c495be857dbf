//! What a run must have come to once nothing disturbs it any more.
//!
//! The regions of the leaders cover the key space, every member has what its
//! leader has, and every log is within its limit; clients found what they put,
//! removed it, and nothing is left.

use rollcall_traces::{Key, RegionId, StoreId};
use thiserror::Error;

use super::Network;
use crate::world::convert;

/// Ticks that a cluster may take after the last fault to keep its promises.
pub(super) const RECOVERY: u64 = 800;

/// A promise that the implementation broke.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Lost {
    /// A client does not find what was acknowledged, or finds something else.
    #[error("client {client} wrote {written} acknowledged keys and finds {found}, or other ones")]
    Scan {
        /// The client.
        client: u64,
        /// How many keys it put.
        written: u64,
        /// How many it found.
        found: u64,
    },
    /// What was removed is still there.
    #[error("store {store} still has `{key}` in region {region}, although it was removed")]
    Left {
        /// The store.
        store: StoreId,
        /// The region.
        region: RegionId,
        /// The key.
        key: Key,
    },
    /// Long after the last fault the cluster is not at rest.
    #[error(
        "{RECOVERY} ticks after the last fault clients still wait, or a part of the key space has no leader with \
         every member at its last index and the log within twice its limit"
    )]
    Rest,
    /// Regions grew, and none was split.
    #[error("the first region has no end: nothing was split")]
    NoSplit,
    /// A scenario of its own came to something else.
    #[error("{0}")]
    Otherwise(String),
}

impl Network {
    /// The leaders in key order, once their regions cover the key space, every
    /// member has applied what its leader has, and (TinyKV's check) no log is
    /// longer than twice its limit.
    pub(super) fn settled(&self, log_limit: Option<u64>) -> Option<Vec<(usize, RegionId)>> {
        let leaders = self.leaders();
        let mut settled = Vec::new();
        let mut from = rollcall_impl::Key::from([]);
        loop {
            let begin =
                leaders.iter().filter_map(|&(at, region)| Some((at, region, self.status(at, region)?)));
            let begin = begin.filter(|(_, _, peer)| peer.region().start == from);
            let (at, region, peer) =
                begin.max_by_key(|(_, _, peer)| (peer.region().epoch.version, peer.term()))?;
            let short =
                |applied: u64, truncated: u64| log_limit.is_none_or(|limit| applied - truncated <= limit * 2);
            let all = peer.region().peers.iter().all(|member| {
                self.status(self.place(member.store), region).is_some_and(|follower| {
                    follower.id() == member.id
                        && follower.applied() == peer.last_index()
                        && follower.region() == peer.region()
                        && short(follower.applied(), follower.truncated().index)
                })
            });
            if !all {
                return None;
            }
            settled.push((at, region));
            from = peer.region().end.clone();
            if from.is_empty() {
                return Some(settled);
            }
        }
    }

    /// Whether the members of these leaders' regions hold nothing any more.
    pub(super) fn emptied(&self, leaders: &[(usize, RegionId)]) -> Result<(), Lost> {
        for &(at, region) in leaders {
            let Some(leader) = self.status(at, region) else { continue };
            for member in &leader.region().peers {
                let peer = self.status(self.place(member.store), region);
                if let Some((key, _)) = peer.and_then(|peer| peer.data().iter().next()) {
                    return Err(Lost::Left { store: member.store, region, key: convert::key(key) });
                }
            }
        }
        Ok(())
    }
}
