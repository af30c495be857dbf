//! The history of a cluster: what no single view can show, folded step by step.
//!
//! It records who led in a term, what was known committed by a peer that is gone, what a client
//! learned, and where a tombstone stood before a new peer replaced it. One fold serves both the
//! model and the implementation, so a property that reads a history judges both.
//!
//! A history is part of a model state, so everything in it multiplies states. Each part therefore
//! has a rule, over the current view only, for what to forget. A scope carries only the parts that
//! its properties read. Once all replicas agree, most parts are empty.
//!
//! A split creates a child region on each store when that store applies the split. Its replicas
//! start at different times, each at index 5 of term 5. The data that a split hands over is
//! recorded for the child when its first replica is created. Nothing of the child is forgotten
//! while a replica of an ancestor has yet to apply the split, because that may create another
//! replica of the child.
//!
//! A violation that only a transition shows is latched as a [`Breach`]. A merged region hands its
//! record to the target, and is forgotten with its last replica.
//!
//! Stores that an administrator gave up by force are recorded. Their peers are ignored from then
//! on, and nothing that only they knew is promised. When a region gets a forced leader, its history
//! starts again with what the remaining peers knew.

mod births;
mod breach;
mod clients;
mod elections;
mod forced;
mod lineage;
mod membership;
mod merges;
mod parts;
mod pd;
mod remembered;
mod removals;
mod summary;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::cluster::Cluster;
use crate::log::LogPosition;
use crate::outcome::Outcome;
use crate::peer::{Peer, PeerState};
use crate::region::{Epoch, Region, RegionId, StoreId};
use crate::view::StoreStatus;

pub use breach::{Breach, PartFault};
pub use forced::Remaining;
pub use parts::HistoryParts;
pub use remembered::{
    Acknowledged, Committed, Destroyed, KeyWrites, PendingRead, RegionHistory, Winner, Write,
};
pub use summary::{Claimant, ClusterSummary, Extent, PeerSummary, RangeClaim};

/// Where the log of every replica starts that a scope or a split creates (TiKV
/// `RAFT_INIT_LOG_INDEX`, `RAFT_INIT_LOG_TERM`).
pub(crate) const BIRTH: LogPosition = LogPosition { index: 5, term: 5 };

/// The record of the past, as far as it still matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    parts: HistoryParts,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    began_whole: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    regions: BTreeMap<RegionId, RegionHistory>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    buried: BTreeMap<StoreId, BTreeMap<RegionId, u64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    breaches: Vec<Breach>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    abandoned: BTreeSet<StoreId>,
}

static NOTHING: RegionHistory = RegionHistory {
    leaders: BTreeMap::new(),
    committed: BTreeMap::new(),
    metas: Vec::new(),
    destroyed: BTreeMap::new(),
    writes: BTreeMap::new(),
    reads: BTreeMap::new(),
};

impl History {
    /// The history of a cluster that starts in `first`.
    pub fn begin(parts: HistoryParts, first: &impl ClusterSummary) -> Self {
        let parts = HistoryParts { writes: parts.writes || parts.reads, ..parts };
        let began_whole = parts.cover && births::covers_every_key(first);
        let empty = Self { parts, began_whole, ..Self::default() };
        let mut fold = Fold::of(Cow::Borrowed(&empty));
        for region in first.regions() {
            for (store, peer) in first.replicas(region) {
                let step = PeerStep::born(region, store, peer);
                fold.peer(&step, first);
            }
            fold.forget(region, first);
        }
        if parts.pd {
            fold.pd_begins(first.pd());
        }
        fold.finish().into_owned()
    }

    /// The parts that it carries.
    pub fn parts(&self) -> HistoryParts {
        self.parts
    }

    /// The history with only these parts. Breaches and abandoned stores belong to every part.
    #[must_use]
    pub fn only(&self, parts: HistoryParts) -> Self {
        let kept = |region: &RegionHistory| region.only(parts);
        let mut regions: BTreeMap<_, _> =
            self.regions.iter().map(|(id, region)| (*id, kept(region))).collect();
        regions.retain(|_, region| *region != NOTHING);
        Self {
            parts,
            began_whole: self.began_whole && parts.cover,
            regions,
            buried: if parts.pd { self.buried.clone() } else { BTreeMap::new() },
            breaches: self.breaches.clone(),
            abandoned: self.abandoned.clone(),
        }
    }

    /// Whether the regions of the first state covered every key. Those of every later state must
    /// then, too. `false` without [`HistoryParts::cover`].
    pub fn began_whole(&self) -> bool {
        self.began_whole
    }

    /// The history of `region`.
    pub fn region(&self, region: RegionId) -> &RegionHistory {
        self.regions.get(&region).unwrap_or(&NOTHING)
    }

    /// For a Tombstone store: for each region, the `conf_ver` up to which it has no member on the
    /// store, as PD knew at the burial or has learned since. Regions that PD now knows without a
    /// member there are left out: they say the same.
    pub fn buried(&self, store: StoreId) -> impl Iterator<Item = (RegionId, u64)> + '_ {
        self.buried.get(&store).into_iter().flatten().map(|(region, conf_ver)| (*region, *conf_ver))
    }

    /// The stores that an administrator gave up by force.
    pub fn abandoned(&self) -> &BTreeSet<StoreId> {
        &self.abandoned
    }

    /// The violations that transitions showed, at most one of each kind.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Folds one step into the history.
    pub fn fold<C: ClusterSummary>(&mut self, before: &C, action: &Action, outcome: &Outcome, after: &C) {
        let next = match self.folded(before, action, outcome, after) {
            Cow::Borrowed(_) => return,
            Cow::Owned(next) => next,
        };
        *self = next;
    }

    /// The history after one step. It is borrowed, without allocation, if the step does not change
    /// it.
    ///
    /// A peer at the same address before and after did not change. A cluster may share a whole
    /// store ([`ClusterSummary::shares_store`]).
    pub fn folded<C: ClusterSummary>(
        &self,
        before: &C,
        action: &Action,
        outcome: &Outcome,
        after: &C,
    ) -> Cow<'_, Self> {
        let HistoryChange { history, moved, .. } = self.changed_by(before, action, outcome, after);
        if moved.is_empty() {
            return history;
        }
        match history {
            Cow::Borrowed(history) => history.pruned(&moved, after),
            Cow::Owned(history) => match history.pruned(&moved, after) {
                Cow::Owned(less) => Cow::Owned(less),
                Cow::Borrowed(_) => Cow::Owned(history),
            },
        }
    }

    /// The first half of [`History::folded`]: adds what the step shows.
    pub fn changed_by<C: ClusterSummary>(
        &self,
        before: &C,
        action: &Action,
        outcome: &Outcome,
        after: &C,
    ) -> HistoryChange<'_> {
        if self.parts == HistoryParts::NONE || !outcome.is_done() {
            return HistoryChange { history: Cow::Borrowed(self), moved: Vec::new(), unconditional: true };
        }
        if let Action::RemoveFailedStores { stores } = action {
            let history = self.without(stores, action, before, after);
            return HistoryChange { history, moved: Vec::new(), unconditional: false };
        }
        if self.abandoned.is_empty() {
            return self.changed_by_step(before, action, outcome, after);
        }
        let (before, after) = (Remaining::of(before, &self.abandoned), Remaining::of(after, &self.abandoned));
        let forced = forced::begins(&self.abandoned, &before, action, &after);
        if forced.is_empty() {
            return HistoryChange {
                unconditional: false,
                ..self.changed_by_step(&before, action, outcome, &after)
            };
        }
        let anew = self.begun_anew(&forced, &before);
        let HistoryChange { history, moved, .. } = anew.changed_by_step(&before, action, outcome, &after);
        HistoryChange { history: Cow::Owned(history.into_owned()), moved, unconditional: false }
    }

    /// The second half: drops what no longer matters in these regions.
    pub fn pruned(&self, regions: &[RegionId], after: &impl ClusterSummary) -> Cow<'_, Self> {
        if self.abandoned.is_empty() {
            return self.pruned_of(regions, after);
        }
        self.pruned_of(regions, &Remaining::of(after, &self.abandoned))
    }

    fn pruned_of(&self, regions: &[RegionId], after: &impl ClusterSummary) -> Cow<'_, Self> {
        let mut fold = Fold::of(Cow::Borrowed(self));
        regions.iter().for_each(|region| fold.forget(*region, after));
        fold.finish()
    }

    fn changed_by_step<C: ClusterSummary>(
        &self,
        before: &C,
        action: &Action,
        outcome: &Outcome,
        after: &C,
    ) -> HistoryChange<'_> {
        let mut fold = Fold::of(Cow::Borrowed(self));
        if self.parts.reads {
            fold.client(before, action, outcome);
        }
        if self.parts.pd && !before.shares_pd(after) {
            fold.pd(action, before.pd(), after.pd());
        }
        let touched = action.touched(before);
        let applies = match *action {
            Action::Apply { region, .. } => Some(region),
            _ => None,
        };
        if let (None, Some(parent), Some(store)) = (touched.region, applies, touched.stores().next()) {
            if self.parts.writes {
                // This comes before the parent's own step, which may forget what it hands over.
                fold.births(parent, store, before, after);
                fold.merges(parent, store, before, after);
            }
            if self.parts.lineage {
                fold.lineage(parent, store, before, after);
            }
        }
        let mut all_moved = Vec::new();
        let mut add_region = |region: RegionId| {
            let mut moved = false;
            for store in touched.stores().filter(|store| !before.shares_store(after, *store)) {
                let step = PeerStep {
                    region,
                    store,
                    before: before.peer(store, region),
                    after: after.peer(store, region),
                    applies: applies == Some(region),
                    carried: applies.is_some_and(|applied| applied != region),
                    creator: Creator::of(action, before),
                };
                if step.moved() {
                    moved = true;
                    fold.peer(&step, after);
                }
            }
            all_moved.extend(moved.then_some(region));
        };
        match touched.region {
            Some(region) => add_region(region),
            None => {
                let on = |store| before.regions_on(store).chain(after.regions_on(store));
                let regions: BTreeSet<RegionId> = touched.stores().flat_map(on).collect();
                regions.into_iter().for_each(add_region);
            }
        }
        let unconditional = !fold.looked_back.get();
        HistoryChange { history: fold.finish(), moved: all_moved, unconditional }
    }
}

/// The change of a history by one step.
pub struct HistoryChange<'a> {
    /// The history with the step added.
    pub history: Cow<'a, History>,
    /// The regions in which a peer changed. Their records may be pruned.
    pub moved: Vec<RegionId>,
    /// The step changes no history: the fold did not read it. The same holds for any other history
    /// with these parts and no abandoned store.
    pub unconditional: bool,
}

/// One peer before and after a step.
struct PeerStep<'a> {
    region: RegionId,
    store: StoreId,
    before: Option<&'a Peer>,
    after: Option<&'a Peer>,
    /// It applied an admin entry of this region.
    applies: bool,
    /// Another region's admin entry was applied on the store and may have changed it.
    carried: bool,
    creator: Option<Creator<'a>>,
}

impl<'a> PeerStep<'a> {
    fn born(region: RegionId, store: StoreId, peer: &'a Peer) -> Self {
        Self { region, store, before: None, after: Some(peer), applies: false, carried: false, creator: None }
    }

    fn moved(&self) -> bool {
        match (self.before, self.after) {
            (None, None) => false,
            (Some(before), Some(after)) => !std::ptr::eq(before, after),
            _ => true,
        }
    }

    /// The same replica before the step, if it was initialised and not destroyed since.
    fn same_replica(&self) -> Option<&'a Peer> {
        let after = self.after?;
        self.before.filter(|before| before.id == after.id && before.is_initialized())
    }
}

/// The sender of the message that may have created a peer.
#[derive(Clone, Copy)]
enum Creator<'a> {
    /// A peer with this region.
    Peer(&'a Region),
    /// A delayed message. Only its epoch is known.
    Held(Epoch),
}

impl<'a> Creator<'a> {
    fn of(action: &Action, before: &'a impl Cluster) -> Option<Self> {
        let (region, sender) = match *action {
            Action::Vote { region, candidate, .. } => (region, candidate),
            Action::Replicate { region, leader, .. }
            | Action::Heartbeat { region, leader, .. }
            | Action::TimeoutNow { region, leader } => (region, leader),
            Action::Late { slot } => return Some(Creator::Held(before.held().get(slot)?.epoch)),
            _ => return None,
        };
        Some(Creator::Peer(&before.peer(sender, region)?.region))
    }
}

/// A history under change, copied at the first change.
struct Fold<'a> {
    history: Cow<'a, History>,
    /// Whether the past was read.
    looked_back: Cell<bool>,
}

impl<'a> Fold<'a> {
    fn of(history: Cow<'a, History>) -> Self {
        Self { history, looked_back: Cell::new(false) }
    }

    fn parts(&self) -> HistoryParts {
        self.history.parts
    }

    /// The history, for reading.
    fn past(&self) -> &History {
        self.looked_back.set(true);
        &self.history
    }

    /// The history, for writing.
    fn past_mut(&mut self) -> &mut History {
        self.looked_back.set(true);
        self.history.to_mut()
    }

    fn region(&self, region: RegionId) -> &RegionHistory {
        self.past().region(region)
    }

    fn region_mut(&mut self, region: RegionId) -> &mut RegionHistory {
        self.past_mut().regions.entry(region).or_default()
    }

    /// Latches a breach, unless one of its kind is latched.
    fn breach(&mut self, breach: Breach) {
        let kind = std::mem::discriminant(&breach);
        if self.past().breaches.iter().all(|known| std::mem::discriminant(known) != kind) {
            let breaches = &mut self.past_mut().breaches;
            breaches.push(breach);
            breaches.sort_unstable();
        }
    }

    fn peer(&mut self, step: &PeerStep<'_>, after: &impl Cluster) {
        let parts = self.parts();
        if parts.leaders {
            self.leader(step);
        }
        if parts.committed {
            self.commit(step);
        }
        if parts.epochs {
            self.meta(step);
            self.removal(step, after);
        }
        if parts.destroyed {
            let store_destroyed = step.after.is_none()
                && after.stores().any(|(id, status)| id == step.store && status == StoreStatus::DiskLost);
            self.life(step, store_destroyed);
        }
        if parts.writes {
            self.applied_writes(step);
        }
        if parts.reads {
            self.read_ended(step);
        }
    }

    fn forget(&mut self, region: RegionId, after: &impl ClusterSummary) {
        self.forget_leaders(region, after);
        self.forget_committed(region, after);
        self.forget_metas(region, after);
        self.forget_writes(region, after);
    }

    /// Drops empty entries: equal histories must be equal values.
    fn finish(mut self) -> Cow<'a, History> {
        if let Cow::Owned(history) = &mut self.history {
            history.regions.retain(|_, region| *region != NOTHING);
        }
        self.history
    }
}

/// The initialised peers of `region`, running or not.
fn initialised(
    cluster: &impl ClusterSummary,
    region: RegionId,
) -> impl Iterator<Item = Cow<'_, PeerSummary>> {
    cluster.summaries(region).filter(|peer| peer.is_initialized())
}

/// An uninitialised peer and its tombstone have epoch zero.
fn shows_epoch(peer: &Peer) -> bool {
    peer.state != PeerState::Uninitialised && peer.region.epoch != Epoch::default()
}
