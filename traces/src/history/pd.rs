//! What the placement driver knew when it buried a store, and four things that it must never do: go
//! back to an older region or term, revive a Tombstone store, plan to remove a region's majority,
//! or replace an operator by one of no higher priority.
//!
//! PD is judged by what it knew when it acted, which may be stale. A region in PD's view that no peer has applied shows in a single state, and needs no
//! history.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{Breach, Fold};
use crate::action::Action;
use crate::pd::{KnownRegion, KnownStore, Liveness, Operator, OperatorStep, PlacementDriver, StoreState};
use crate::region::{Epoch, MemberRole, PeerId, Region, RegionId, StoreId};

impl Fold<'_> {
    /// Records the state in which a cluster starts.
    pub(super) fn pd_begins(&mut self, first: &PlacementDriver) {
        self.promises(&PlacementDriver::default(), first);
    }

    /// Records the step's changes to the placement driver.
    pub(super) fn pd(&mut self, action: &Action, before: &PlacementDriver, after: &PlacementDriver) {
        if before.stores != after.stores {
            self.tombstones_stay(before, after);
            self.destroyed_stay(before, after);
            self.records_stay(before, after);
        }
        if before.regions != after.regions {
            self.belief_goes_on(before, after);
        }
        if before.operators != after.operators || before.waiting != after.waiting {
            self.plans(action, before, after);
        }
        // After an unsafe recovery PD drops its regions and learns them again.
        let known = (&before.regions, &before.operators, &before.waiting)
            != (&after.regions, &after.operators, &after.waiting);
        if known && !after.relearns {
            self.operators_have_regions(after);
        }
        if !before.relearns && after.relearns {
            // Promises that rested on what it knew are void.
            self.past_mut().buried.clear();
        } else if (&before.stores, &before.regions) != (&after.stores, &after.regions) {
            self.promises(before, after);
        }
    }

    fn tombstones_stay(&mut self, before: &PlacementDriver, after: &PlacementDriver) {
        let mut buried = before.stores.iter().filter(|(_, known)| is_buried(known));
        let rose = |store: &StoreId| after.stores.get(store).is_some_and(|known| !is_buried(known));
        if let Some((&store, _)) = buried.find(|(store, _)| rose(store)) {
            self.breach(Breach::TombstoneRose { store });
        }
    }

    /// A destroyed store stays destroyed. A removed record shows nothing.
    fn destroyed_stay(&mut self, before: &PlacementDriver, after: &PlacementDriver) {
        let mut destroyed = before.stores.iter().filter(|(_, known)| known.physically_destroyed);
        let back = |store: &StoreId| after.stores.get(store).is_some_and(|known| !known.physically_destroyed);
        if let Some((&store, _)) = destroyed.find(|(store, _)| back(store)) {
            self.breach(Breach::DestroyedReturned { store });
        }
    }

    /// PD must keep the record of a store with peers (pd#3664).
    fn records_stay(&mut self, before: &PlacementDriver, after: &PlacementDriver) {
        for &store in before.stores.keys().filter(|store| !after.stores.contains_key(store)) {
            if let Some(known) = before.regions.values().find(|known| lists(known, store)) {
                self.breach(Breach::RecordRemoved { region: known.region.id, store });
            }
        }
    }

    /// A Tombstone store promises that it is empty. For each region the promise reaches up to the
    /// newest configuration that PD knew at the burial, or that PD learned since and that has no
    /// member there. PD's regions usually show that promise; only what they do not show is
    /// recorded.
    fn promises(&mut self, before: &PlacementDriver, after: &PlacementDriver) {
        for (&store, _) in after.stores.iter().filter(|(_, known)| is_buried(known)) {
            // A store that is given up by force is not declared empty.
            if self.past().abandoned.contains(&store) {
                continue;
            }
            let was_there = before.stores.get(&store).is_some_and(is_buried);
            let remembered = self.past().buried.get(&store);
            let promised = |region: &RegionId| {
                let known = match was_there {
                    true => before.regions.get(region).filter(|known| !lists(known, store)),
                    false => after.regions.get(region),
                };
                let known = known.map(|known| known.region.epoch.conf_ver);
                known.max(remembered.and_then(|regions| regions.get(region)).copied())
            };
            let regions = if was_there { &before.regions } else { &after.regions };
            let hidden: BTreeMap<RegionId, u64> = (regions.keys())
                .chain(remembered.into_iter().flat_map(BTreeMap::keys))
                .filter_map(|region| Some((*region, promised(region)?)))
                .filter(|(region, at)| is_hidden(after.regions.get(region), store, *at))
                .collect();
            if hidden.is_empty() && remembered.is_some() {
                self.past_mut().buried.remove(&store);
            } else if !hidden.is_empty() && remembered != Some(&hidden) {
                self.past_mut().buried.insert(store, hidden);
            }
        }
        let is_there = |store: &StoreId| after.stores.get(store).is_some_and(is_buried);
        if !self.past().buried.keys().all(is_there) {
            self.past_mut().buried.retain(|store, _| is_there(store));
        }
    }

    /// When PD drops a region it must end its operator. Otherwise the operator's orders would reach
    /// no leader, and it would keep its place in the limit for ever (PD `checkOperatorLightly`).
    fn operators_have_regions(&mut self, after: &PlacementDriver) {
        let lost = |(region, _): &(RegionId, &Operator)| !after.regions.contains_key(region);
        if let Some((region, _)) = after.all_operators().find(lost) {
            self.breach(Breach::OperatorWithoutRegion { region });
        }
    }

    /// PD's epoch of a region, and the term of its leader, never decrease (PD `core/region.go`).
    /// The exception is a region that unsafe recovery recreates: it has the first epoch and part of
    /// the keys. An unknown term does not count.
    fn belief_goes_on(&mut self, before: &PlacementDriver, after: &PlacementDriver) {
        for (&region, was) in &before.regions {
            let Some(is) = after.regions.get(&region) else { continue };
            let (from, to) = (was.region.epoch, is.region.epoch);
            if to.is_stale_against(&from) && !is_recreated(&is.region) {
                self.breach(Breach::PdWentBack { region, from, to });
            }
            let (from, to) = (was.term, is.term);
            if 0 < to && to < from && !is_recreated(&is.region) {
                self.breach(Breach::PdTermWentBack { region, from, to });
            }
        }
    }

    fn plans(&mut self, action: &Action, before: &PlacementDriver, after: &PlacementDriver) {
        let asks = match action {
            Action::Schedule { region, .. } | Action::AddOperator { region, .. } => Some(*region),
            _ => None,
        };
        for (region, old) in before.all_operators() {
            let displaced = match after.operator(region) {
                Some(new) => !same_plan(old, new) && new.purpose.is_admin() <= old.purpose.is_admin(),
                None => asks == Some(region),
            };
            if displaced {
                self.breach(Breach::OperatorDisplaced { region });
            }
        }
        for (region, began) in &after.operators {
            let waited = before.waiting.iter().any(|waiting| waiting.region == *region);
            let is_of = |known: &KnownRegion| known.region.epoch == began.epoch;
            if waited
                && !after.regions.get(region).is_some_and(is_of)
                && before.operator(*region).is_some_and(|old| same_plan(old, began))
            {
                self.breach(Breach::OperatorOutrun { region: *region });
            }
        }
        for (region, new) in after.all_operators() {
            let is_new = before.operator(region).is_none_or(|old| !same_plan(old, new));
            let Some(known) = before.regions.get(&region).filter(|_| is_new) else { continue };
            if let Some((store, peer)) = takes_the_majority(&before.stores, known, new) {
                self.breach(Breach::UnsafePlan { region, store, peer });
            }
        }
    }
}

fn is_buried(known: &KnownStore) -> bool {
    known.state == StoreState::Tombstone
}

fn lists(known: &KnownRegion, store: StoreId) -> bool {
    known.region.member_on(store).is_some()
}

/// Whether a promise up to `conf_ver` holds and does not follow from PD's region `now`. Nothing was
/// promised of a newer configuration with a member there, or of a recreated region.
fn is_hidden(now: Option<&KnownRegion>, store: StoreId, conf_ver: u64) -> bool {
    let Some(now) = now else { return true };
    match now.region.epoch.conf_ver {
        newer if newer > conf_ver => false,
        same if same == conf_ver => lists(now, store),
        _ => !is_recreated(&now.region),
    }
}

/// PD accepts a report with this epoch whatever it knew before. The region of a new cluster has the
/// same epoch, and every key: tikv#3868.
fn is_recreated(region: &Region) -> bool {
    region.epoch == Epoch { conf_ver: 1, version: 1 } && !region.range().is_whole()
}

/// The same operator, perhaps at a later step.
fn same_plan(a: &Operator, b: &Operator) -> bool {
    (a.purpose, a.epoch, &a.steps) == (b.purpose, b.epoch, &b.steps)
}

/// A voter while a plan is simulated.
#[derive(Clone, Copy)]
struct PlannedVoter {
    peer: PeerId,
    live: bool,
}

/// The first live voter that the plan removes, if the region had a majority of live voters and one
/// of the plan's steps leaves none. A peer that the plan adds counts as live.
fn takes_the_majority(
    stores: &BTreeMap<StoreId, KnownStore>,
    known: &KnownRegion,
    plan: &Operator,
) -> Option<(StoreId, PeerId)> {
    let lives = |peer: PeerId| known.region.member(peer).is_none_or(|_| is_live(stores, known, peer));
    let members = known.region.peers.iter().filter(|member| member.role != MemberRole::Learner);
    let mut voters: Vec<PlannedVoter> =
        members.map(|member| PlannedVoter { peer: member.id, live: lives(member.id) }).collect();
    if !has_live_majority(&voters) {
        return None;
    }
    let mut taken = None;
    for step in &plan.steps {
        let (joins, leaves, takes) = match step {
            OperatorStep::PromoteLearner(seat) | OperatorStep::AddPeer(seat) => {
                (std::slice::from_ref(seat), &[][..], true)
            }
            OperatorStep::RemovePeer(seat) => (&[][..], std::slice::from_ref(seat), true),
            OperatorStep::EnterJoint { promote, demote } => (&promote[..], &demote[..], true),
            // These voters were counted as removed when the joint configuration was entered.
            OperatorStep::LeaveJoint { promote, demote } => (&promote[..], &demote[..], false),
            OperatorStep::TransferLeader { .. }
            | OperatorStep::AddLearner(_)
            | OperatorStep::Split { .. } => continue,
        };
        for seat in joins {
            if voters.iter().all(|voter| voter.peer != seat.peer) {
                voters.push(PlannedVoter { peer: seat.peer, live: lives(seat.peer) });
            }
        }
        for seat in leaves {
            let Some(at) = voters.iter().position(|voter| voter.peer == seat.peer) else { continue };
            if voters.remove(at).live && takes {
                taken = taken.or(Some((seat.store, seat.peer)));
            }
        }
        if taken.is_some() && !has_live_majority(&voters) {
            return taken;
        }
    }
    None
}

/// Whether the peer is live, as far as PD knows.
fn is_live(stores: &BTreeMap<StoreId, KnownStore>, known: &KnownRegion, peer: PeerId) -> bool {
    let store = known.region.member(peer).and_then(|member| stores.get(&member.store));
    let lives = |store: &KnownStore| !store.physically_destroyed && store.liveness != Liveness::Down;
    store.is_some_and(lives) && known.is_well(peer)
}

fn has_live_majority(voters: &[PlannedVoter]) -> bool {
    let live = voters.iter().filter(|voter| voter.live).count();
    live > voters.len() / 2
}
