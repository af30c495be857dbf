//! Region metas by epoch, and the creation and destruction of peers.

use super::births::may_be_born;
use super::summary::ClusterSummary;
use super::{Breach, Creator, Destroyed, Fold, PeerStep, initialised, shows_epoch};
use crate::peer::{Peer, PeerState};
use crate::region::{Epoch, PeerId, Region, RegionId};

impl Fold<'_> {
    /// Compares a region meta with all recorded ones: an epoch stands for one meta, and any two
    /// epochs are ordered.
    pub(super) fn meta(&mut self, step: &PeerStep<'_>) {
        let (region, store) = (step.region, step.store);
        let Some(meta) = step.after.filter(|after| shows_epoch(after)).map(|after| &after.region) else {
            return;
        };
        let was = step.before.filter(|before| shows_epoch(before)).map(|before| &before.region);
        if was == Some(meta) {
            return;
        }
        if let Some(was) = was.filter(|was| step.applies && !quorums_meet(was, meta)) {
            self.breach(Breach::QuorumsDisjoint { region, store, from: was.epoch, to: meta.epoch });
        }
        let same = |was: &Region| {
            was.epoch != meta.epoch
                && (&was.peers, &was.start, &was.end) == (&meta.peers, &meta.start, &meta.end)
        };
        // Starting or rolling back a merge raises the epoch and changes nothing else.
        let merges = step.before.map(|before| before.state) != step.after.map(|after| after.state);
        if let Some(was) = was.filter(|was| step.applies && !merges && same(was)) {
            self.breach(Breach::EpochRaisedForNothing { region, store, from: was.epoch, to: meta.epoch });
        }
        let metas = &self.region(region).metas;
        let place = metas.binary_search_by_key(&meta.epoch, |known| known.epoch);
        let incomparable = metas
            .iter()
            .map(|known| known.epoch)
            .find(|known| known.is_stale_against(&meta.epoch) && meta.epoch.is_stale_against(known));
        let reused = place.is_ok_and(|at| metas[at] != *meta);
        if let Some(other) = incomparable {
            self.breach(Breach::EpochsIncomparable { region, store, epoch: meta.epoch, other });
        }
        if reused {
            self.breach(Breach::EpochReused { region, store, epoch: meta.epoch });
        }
        if let Err(at) = place {
            self.region_mut(region).metas.insert(at, meta.clone());
        }
    }

    /// A meta that every initialised peer has passed in both components is forgotten: a peer that
    /// returned to it would be a breach in itself. A peer that a split is yet to create passes
    /// through all of them.
    pub(super) fn forget_metas(&mut self, region: RegionId, after: &impl ClusterSummary) {
        let metas = &self.region(region).metas;
        if metas.is_empty() {
            return;
        }
        let left_behind = |epoch: Epoch| {
            initialised(after, region).all(|peer| {
                let now = peer.extent.epoch;
                epoch != now && epoch.conf_ver <= now.conf_ver && epoch.version <= now.version
            })
        };
        if metas.iter().any(|meta| left_behind(meta.epoch)) && !may_be_born(after, region) {
            self.region_mut(region).metas.retain(|meta| !left_behind(meta.epoch));
        }
    }

    /// Follows one store from peer to tombstone to the next peer.
    pub(super) fn life(&mut self, step: &PeerStep<'_>, store_destroyed: bool) {
        let (region, store) = (step.region, step.store);
        // What a view shows is not recorded.
        let (remembered, last) = match step.before {
            Some(before) if shows_epoch(before) => {
                (None, Some(Destroyed { peer: before.id, epoch: before.region.epoch }))
            }
            _ => {
                let remembered = self.region(region).destroyed.get(&store).copied();
                (remembered, remembered)
            }
        };
        let remember = match step.after {
            None if store_destroyed => None,
            None => {
                if let Some(before) = step.before {
                    self.breach(Breach::Vanished { region, store, peer: before.id });
                }
                last
            }
            Some(after) => {
                self.epoch_kept(step, after, last);
                self.came_to_be(step, after, last);
                self.place_kept(step, after);
                self.tombstone_of(step, after);
                last.filter(|_| !shows_epoch(after))
            }
        };
        if remember != remembered {
            let destroyed = &mut self.region_mut(region).destroyed;
            match remember {
                Some(last) => destroyed.insert(store, last),
                None => destroyed.remove(&store),
            };
        }
    }

    fn epoch_kept(&mut self, step: &PeerStep<'_>, after: &Peer, last: Option<Destroyed>) {
        let (to, Some(Destroyed { epoch: from, .. })) = (after.region.epoch, last) else { return };
        if shows_epoch(after) && to.is_stale_against(&from) {
            self.breach(Breach::EpochDecreased { region: step.region, store: step.store, from, to });
        }
    }

    /// After a tombstone, only a newer configuration that lists the new peer may create one. This
    /// is checked when a message creates the peer, and again when a snapshot gives it a region. A
    /// split creates its peers with a region, and that region is the configuration.
    fn came_to_be(&mut self, step: &PeerStep<'_>, after: &Peer, last: Option<Destroyed>) {
        let Some(Destroyed { peer: destroyed, epoch: at }) = last else { return };
        let (region, store, peer) = (step.region, step.store, after.id);
        let lists = |meta: &Region| meta.member_on(store).is_some_and(|member| member.id == peer);
        let living = step.before.filter(|before| before.id == peer);
        let (by, listed) = match (living.map(|before| before.state), after.state) {
            (_, PeerState::Tombstone)
            | (Some(PeerState::Uninitialised), PeerState::Uninitialised)
            | (Some(PeerState::Normal | PeerState::Merging), PeerState::Normal | PeerState::Merging) => {
                return;
            }
            (_, PeerState::Normal | PeerState::Merging) => (after.region.epoch, lists(&after.region)),
            (_, PeerState::Uninitialised) => match step.creator {
                Some(Creator::Peer(meta)) => (meta.epoch, lists(meta)),
                Some(Creator::Held(epoch)) => (epoch, true),
                None => (Epoch::default(), false),
            },
        };
        if !listed || by.conf_ver <= at.conf_ver {
            self.breach(Breach::Resurrected { region, store, peer, by, destroyed, at });
        }
    }

    /// A live peer must be destroyed before another takes its place, and the store must record
    /// that, even if both happen in one step: a message for a newer peer of the region destroys the
    /// old one. A split's child replaces only its own uninitialised peer.
    fn place_kept(&mut self, step: &PeerStep<'_>, after: &Peer) {
        let Some(before) = step.before.filter(|before| before.state != PeerState::Tombstone) else { return };
        let is_other = after.id != before.id && after.state != PeerState::Tombstone;
        if is_other && !after.replaces_tombstone {
            let (region, store, peer, by) = (step.region, step.store, before.id, after.id);
            self.breach(Breach::Supplanted { region, store, peer, by });
        }
    }

    /// The tombstone of an initialised peer records the configuration that removed it (tikv#1262 is
    /// the result otherwise), or its last region if a newer peer id took its place.
    fn tombstone_of(&mut self, step: &PeerStep<'_>, after: &Peer) {
        let Some(before) = step.same_replica() else { return };
        if after.state != PeerState::Tombstone {
            return;
        }
        let (peer_epoch, tombstone) = (before.region.epoch, after.region.epoch);
        let right = if after.region.member(before.id).is_some() {
            !step.applies && tombstone == peer_epoch
        } else {
            tombstone.conf_ver > peer_epoch.conf_ver && tombstone.version >= peer_epoch.version
        };
        if !right {
            let (region, store, peer) = (step.region, step.store, before.id);
            self.breach(Breach::TombstoneBehind { region, store, peer, peer_epoch, tombstone });
        }
    }
}

/// Whether every quorum of `a` meets every quorum of `b`, judged by halves of a joint
/// configuration. A majority of a half of `a` and a majority of a half of `b` always meet if
/// together they exceed the number of voters in both. Every sound change keeps such a pair.
fn quorums_meet(a: &Region, b: &Region) -> bool {
    let meet = |half_of_a: bool, half_of_b: bool| {
        let (in_a, in_b) = (voters(a, half_of_a).count(), voters(b, half_of_b).count());
        let in_both =
            voters(a, half_of_a).filter(|id| voters(b, half_of_b).any(|other| other == *id)).count();
        (in_a / 2 + 1) + (in_b / 2 + 1) > in_a + in_b - in_both
    };
    meet(false, false) || meet(false, true) || meet(true, false) || meet(true, true)
}

/// The voters of the new or of the old half of a configuration.
fn voters(region: &Region, new: bool) -> impl Iterator<Item = PeerId> + '_ {
    let old = (!new).then(|| region.outgoing_voters());
    let new = new.then(|| region.incoming_voters());
    old.into_iter().flatten().chain(new.into_iter().flatten())
}
