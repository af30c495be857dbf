//! The regions as PD knows them, and which reports it accepts.
//!
//! A report is refused if another region that overlaps its range is at a higher version, or if PD
//! knows the region itself at a higher term, version or conf_ver. Regions that an accepted report
//! displaces are forgotten. PD has no other knowledge: a report of a leader that lags in applying
//! is refused, and the leader known before stays (row 35). Follows `PD core/region.go
//! PreCheckPutRegion, check, isRegionRecreated`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::error::PdRefusal;
use crate::guard::{Guard, Guards};
use crate::peer::status::PeerStatus;
use crate::proto::region::{Epoch, Key, Member, MemberRole, PeerId, Region, RegionId, StoreId};
use crate::raft_rs::replica::Replica;

/// What a leader reports of its region (kvproto `RegionHeartbeatRequest`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegionReport {
    /// The region as the leader has applied it.
    pub region: Region,
    /// The reporting leader.
    pub leader: Member,
    /// The leader's term; 0 if unknown.
    pub term: u64,
    /// Peers that wait for a snapshot.
    pub pending: Vec<PeerId>,
    /// Peers that have not answered for long.
    pub down: Vec<PeerId>,
    /// About how many bytes it has.
    pub approximate_size: u64,
}

impl RegionReport {
    /// A report in which every peer is well.
    pub fn new(region: Region, leader: Member, term: u64) -> Self {
        Self { region, leader, term, pending: Vec::new(), down: Vec::new(), approximate_size: 0 }
    }

    /// What the leader reports that `down` have not answered for long. A peer
    /// waits for a snapshot while its log is not known to reach what the leader
    /// has discarded (`TiKV peer.rs collect_pending_peers`).
    pub fn of(leader: PeerStatus<'_, impl Replica>, down: Vec<PeerId>) -> Self {
        let region = leader.region().clone();
        let truncated = leader.truncated().index;
        let behind = |(id, matched): &(PeerId, u64)| {
            *id != leader.id() && *matched < truncated && region.member(*id).is_some()
        };
        Self {
            leader: leader.member(),
            term: leader.term(),
            pending: leader.matched().filter(behind).map(|(id, _)| id).collect(),
            down,
            approximate_size: leader.approximate_size().unwrap_or_default(),
            region,
        }
    }
}

/// A region as PD knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KnownRegion {
    /// Range, epoch and members.
    pub region: Region,
    /// Its leader; none, if it was not reported since PD started.
    pub leader: Option<PeerId>,
    /// The leader's term; 0 if unknown.
    pub term: u64,
    /// Peers that wait for a snapshot.
    pub pending: Vec<PeerId>,
    /// Peers that have not answered for long.
    pub down: Vec<PeerId>,
    /// Roughly its size in bytes; 0 until it is reported.
    pub approximate_size: u64,
}

impl KnownRegion {
    /// A region read from disk, without a leader.
    pub(crate) fn loaded(region: Region) -> Self {
        Self { region, leader: None, term: 0, pending: Vec::new(), down: Vec::new(), approximate_size: 0 }
    }

    fn reported(report: RegionReport) -> Self {
        let RegionReport { region, leader, term, pending, down, approximate_size } = report;
        Self { region, leader: Some(leader.id), term, pending, down, approximate_size }
    }

    /// What PD counts it for in its store's region size, in MiB: what is reported is
    /// one at least, however little is in it, and what was only loaded is nothing
    /// (PD `core/region.go RegionFromHeartbeat, EmptyRegionApproximateSize`).
    pub(crate) fn size(&self) -> u64 {
        self.leader.map_or(0, |_| (self.approximate_size >> 20).max(1))
    }

    /// The member that leads.
    pub fn leader(&self) -> Option<Member> {
        self.leader.and_then(|leader| self.region.member(leader).copied())
    }

    /// The member on this store that votes in either half.
    pub fn voter_on(&self, store: StoreId) -> Option<Member> {
        self.region.member_on(store).copied().filter(|member| member.role != MemberRole::Learner)
    }

    /// The learner on this store.
    pub fn learner_on(&self, store: StoreId) -> Option<Member> {
        self.region.member_on(store).copied().filter(|member| member.role == MemberRole::Learner)
    }

    /// Those that vote in either half, in the order in which they joined.
    pub fn voters(&self) -> impl Iterator<Item = Member> {
        self.region.peers.iter().copied().filter(|member| member.role != MemberRole::Learner)
    }

    /// Whether the leader reports the peer as neither down nor pending.
    pub fn is_well(&self, peer: PeerId) -> bool {
        !self.pending.contains(&peer) && !self.down.contains(&peer)
    }
}

/// The effects of an accepted report.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// The regions that it displaced.
    pub(crate) displaced: Vec<RegionId>,
    /// Range, epoch or members differ from what was known.
    pub(crate) changed: bool,
}

/// All regions. Their ranges are disjoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regions {
    by_id: BTreeMap<RegionId, KnownRegion>,
    by_start: BTreeMap<Key, RegionId>,
    by_store: BTreeMap<StoreId, BTreeSet<RegionId>>,
}

impl Regions {
    /// The region as PD knows it.
    pub(crate) fn get(&self, region: RegionId) -> Option<&KnownRegion> {
        self.by_id.get(&region)
    }

    /// The region whose range has the key.
    pub(crate) fn by_key(&self, key: &[u8]) -> Option<&KnownRegion> {
        let (_, id) = self.by_start.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        self.get(*id).filter(|known| known.region.contains(key))
    }

    /// The regions that list a peer on the store, by id.
    pub(crate) fn on_store(&self, store: StoreId) -> impl Iterator<Item = &KnownRegion> {
        self.by_store.get(&store).into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// How many regions list a peer on the store.
    pub(crate) fn count_on(&self, store: StoreId) -> usize {
        self.by_store.get(&store).map_or(0, BTreeSet::len)
    }

    /// Whether a region keeps the store from being buried: any that lists a peer there. PD's sum of
    /// region sizes would not count regions that were loaded but not reported since (row 42,
    /// pd#9333).
    pub(crate) fn holds(&self, store: StoreId, guards: impl Guards) -> bool {
        if guards.holds(Guard::BuriedByCount) {
            return self.count_on(store) > 0;
        }
        self.on_store(store).map(KnownRegion::size).sum::<u64>() > 0
    }

    /// Drops all regions and returns their ids.
    pub(crate) fn drop_all(&mut self) -> Vec<RegionId> {
        std::mem::take(self).by_id.into_keys().collect()
    }

    /// Whether the known regions cover every key.
    pub(crate) fn know_every_key(&self) -> bool {
        let mut regions = self.by_start.values().filter_map(|id| self.get(*id)).map(|known| &known.region);
        let Some(first) = regions.next().filter(|first| first.start.is_empty()) else { return false };
        let end = regions.try_fold(&first.end, |end, next| (*end == next.start).then_some(&next.end));
        end.is_some_and(|end| end.is_empty())
    }

    /// All, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KnownRegion> {
        self.by_id.values()
    }

    /// Checks whether to accept the report; changes nothing.
    pub(crate) fn check(&self, report: &RegionReport, guards: impl Guards) -> Result<(), PdRefusal> {
        if !guards.holds(Guard::StaleReportRefused) {
            return Ok(());
        }
        let (epoch, recreated) = (report.region.epoch, is_recreated(&report.region));
        let newer = |other: &&KnownRegion| epoch.version < other.region.epoch.version;
        if !recreated && self.overlapping(&report.region).any(|other| newer(&other)) {
            return Err(PdRefusal::RegionStale);
        }
        let Some(known) = self.get(report.region.id) else { return Ok(()) };
        let term_behind = report.term > 0 && report.term < known.term;
        if !recreated && (term_behind || epoch.is_stale_against(&known.region.epoch)) {
            return Err(PdRefusal::RegionStale);
        }
        Ok(())
    }

    /// Accepts a checked report.
    pub(crate) fn accept(&mut self, report: RegionReport, guards: impl Guards) -> Accepted {
        let id = report.region.id;
        let others = self.overlapping(&report.region).map(|known| known.region.id);
        let displaced: Vec<RegionId> = others.filter(|other| *other != id).collect();
        displaced.iter().for_each(|other| self.remove(*other));
        let changed = self.get(id).is_none_or(|known| known.region != report.region);
        let led = self.get(id).filter(|known| !changed && known.leader.is_some());
        let led = led
            .filter(|_| !guards.holds(Guard::LeaderChangeBelieved))
            .map(|known| (known.leader, known.term));
        let mut known = KnownRegion::reported(report);
        if let Some(before) = led {
            (known.leader, known.term) = before;
        }
        self.insert(known);
        Accepted { displaced, changed }
    }

    /// Inserts a region; its range must be free.
    pub(crate) fn insert(&mut self, known: KnownRegion) {
        let id = known.region.id;
        self.remove(id);
        self.by_start.insert(known.region.start.clone(), id);
        for member in &known.region.peers {
            self.by_store.entry(member.store).or_default().insert(id);
        }
        self.by_id.insert(id, known);
    }

    fn remove(&mut self, region: RegionId) {
        let Some(known) = self.by_id.remove(&region) else { return };
        self.by_start.remove(&known.region.start);
        for member in &known.region.peers {
            if let Some(regions) = self.by_store.get_mut(&member.store) {
                regions.remove(&region);
            }
        }
    }

    /// The known regions that overlap this one's range, its own entry included.
    fn overlapping<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a KnownRegion> {
        let first = self.by_start.range(..=region.start.clone()).next_back();
        let later = self.by_start.range(region.start.clone()..).filter(|(start, _)| **start != region.start);
        let range = region.range();
        let candidates = first
            .into_iter()
            .chain(later.take_while(move |(start, _)| region.end.is_empty() || **start < region.end));
        candidates
            .filter_map(|(_, id)| self.get(*id))
            .filter(move |known| known.region.range().overlaps(&range))
    }
}

/// Whether unsafe recovery created the region, at epoch 1/1. A region with the whole key space at
/// that epoch is the old bootstrap region, reported by a single stale peer after a restart
/// (tikv#3868).
fn is_recreated(region: &Region) -> bool {
    let whole = region.start.is_empty() && region.end.is_empty();
    region.epoch == Epoch { conf_ver: 1, version: 1 } && !whole
}
