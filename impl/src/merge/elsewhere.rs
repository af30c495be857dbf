//! A source that was merged, on a store whose target did not follow by its log.
//!
//! The other stores keep tombstones of the source that say what took it in, and
//! answer its messages with that. If the target here can still follow, the source
//! waits for it; if it is past, or gone, nobody will take the source in, and it
//! ends. And a snapshot of the target from after the merge may bring the range
//! that the source still holds: it ends with that. What other stores said is
//! volatile, as in TiKV; the source asks again. Follows `TV fsm/peer.rs
//! need_gc_merge, on_stale_merge, maybe_destroy_source`, `TV fsm/store.rs check_msg`.

use crate::error::Refusal;
use crate::guard::Guards;
use crate::peer::Peer;
use crate::proto::region::{Region, RegionId};
use crate::raft_rs::replica::Replica;
use crate::store::step::{Failure, StepContext};
use crate::store::{Resident, Store};

impl<G: Guards, R: Replica> Store<G, R> {
    /// Another store says that `source` was taken in by `target`, which was then
    /// as it stands there.
    pub(crate) fn receive_merged(
        &mut self,
        source: RegionId,
        target: &Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let rest = self.live(source)?.storage().region().clone();
        if self.will_never_take_in(target) {
            self.bury_merged(source, rest, Some(target.clone()), step);
            return Ok(());
        }
        if self.ranges.merged_into(source) == Some(target) {
            return Err(Refusal::NoEffect.into());
        }
        self.ranges.set_merged(source, Some(target.clone()));
        Ok(())
    }

    /// The peer of `target` here went past the merge without it, or is gone.
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

    /// Ends the sources whose range the snapshot of `target` has just brought.
    pub(crate) fn bury_brought(&mut self, target: &Region, step: &mut StepContext<'_, G>) {
        for source in self.ranges.overlap_merged(target.id, target.epoch.version, &target.range()) {
            let Some(rest) = self.initialised(source).map(|peer| region_of(peer).clone()) else { continue };
            let then = self.ranges.merged_into(source).cloned();
            self.bury_merged(source, rest, then, step);
        }
    }
}

fn region_of<R: Replica>(peer: &Peer<R>) -> &Region {
    peer.storage().region()
}
