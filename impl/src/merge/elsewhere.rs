//! A merged source on a store whose target did not apply the merge from its log.
//!
//! The tombstones of the source on other stores name the target, and the stores answer the source's
//! messages with it. If the target here can still apply the merge, the source waits for it. If the
//! target has passed the merge or is gone, the source is destroyed, because no peer will merge it.
//! A snapshot of the target from after the merge may bring the range that the source still holds;
//! the source is then destroyed, too. The messages of other stores are volatile, as in TiKV; the
//! source asks again. Follows `TiKV fsm/peer.rs need_gc_merge, on_stale_merge, maybe_destroy_source`,
//! `TiKV fsm/store.rs check_msg`.

use crate::error::Refusal;
use crate::guard::Guards;
use crate::peer::Peer;
use crate::proto::region::{Region, RegionId};
use crate::raft_rs::replica::Replica;
use crate::store::step::{Failure, StepContext};
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Takes another store's message that `source` was merged into `target`, with the target's
    /// region before the merge.
    pub(crate) fn receive_merged(
        &mut self,
        source: RegionId,
        target: &Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let rest = self.live(source)?.storage().region().clone();
        if self.will_never_take_in(target) {
            self.destroy_merged(source, rest, Some(target.clone()), step);
            return Ok(());
        }
        if self.ranges.merged_into(source) == Some(target) {
            return Err(Refusal::NoEffect.into());
        }
        self.ranges.set_merged(source, Some(target.clone()));
        Ok(())
    }

    /// Whether the target's peer here has passed the merge without applying it, or is gone.
    fn will_never_take_in(&self, target: &Region) -> bool {
        match self.entries.get(&target.id).map(|slot| &slot.resident) {
            Some(Resident::Live(peer)) => {
                peer.storage().is_initialized() && target.epoch.is_stale_against(&region_of(peer).epoch)
            }
            Some(Resident::Tombstone { id, region, .. }) => {
                let same = target.member_on(self.id).is_some_and(|member| member.id == *id);
                same || target.epoch.is_stale_against(&region.epoch)
            }
            None => false,
        }
    }

    /// Destroys the sources whose range the snapshot of `target` has brought.
    pub(crate) fn destroy_brought(&mut self, target: &Region, step: &mut StepContext<'_, G>) {
        for source in self.ranges.overlap_merged(target.id, target.epoch.version, &target.range()) {
            let Some(rest) = self.initialised(source).map(|peer| region_of(peer).clone()) else { continue };
            let then = self.ranges.merged_into(source).cloned();
            self.destroy_merged(source, rest, then, step);
        }
    }
}

fn region_of<R: Replica>(peer: &Peer<R>) -> &Region {
    peer.storage().region()
}
