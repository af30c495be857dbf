//! Allots ids to the new regions of a split, and to new peers.
//!
//! A plain counter. It does not check whether a region may split, and unused ids are lost (`PD
//! HandleAskBatchSplit` allots one id per member for each new region).

use crate::proto::command::Child;
use crate::proto::region::{Key, PeerId, Region};

/// Allots ids to regions and peers, from one count, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdAllocator {
    /// The next id.
    pub next_id: u64,
}

impl IdAllocator {
    /// The new regions of a split of `region` at `keys`: for each key in turn
    /// an id for the region, then one for each member that `region` lists.
    pub fn allot(&mut self, region: &Region, keys: &[Key]) -> Vec<Child> {
        let mut children = Vec::with_capacity(keys.len());
        for key in keys {
            let id = self.next();
            let peers: Vec<PeerId> = region.peers.iter().map(|_| self.next()).collect();
            children.push(Child { key: key.clone(), region: id, peers });
        }
        children
    }

    /// The next id.
    pub(crate) fn next(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
