//! Stores, PD and administrator in any order, with invariants. Messages between stores are
//! delivered in order or lost; region heartbeats and orders may come late. Left out: crashes of
//! stores. A learner that missed its own removal stays (TiKV asks after ten minutes,
//! `MsgCheckStalePeer`): rarely it keeps a new peer out of its range and so keeps a store from
//! leaving.

use std::collections::BTreeSet;

use rollcall_impl::pd::{
    AdminOperator, Dispatch, KnownRegion, PdConfig, PdEngine, PdInput, PdMemoryEngine, PdOutput,
    RegionReport, StoreState,
};
use rollcall_impl::{Derive, Input, RegionId, Sound, StateRole, StoreId};

use crate::cluster::key;
use crate::real::Real;

const STORES: u64 = 5;

/// A small generator whose whole state is its seed (SplitMix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[derive(Clone)]
pub(crate) struct Storm<E = PdMemoryEngine> {
    pub(crate) real: Real<Sound, E>,
    dice: Dice,
    late_reports: Vec<RegionReport>,
    late_orders: Vec<Dispatch>,
    buried: Vec<StoreId>,
}

impl<E: PdEngine + Clone> Storm<E> {
    /// A storm with PD on this engine.
    pub(crate) fn on(engine: E, seed: u64) -> Self {
        let real = Real::on(engine, Sound, PdConfig::DEFAULT, STORES, &[1, 2, 3]);
        let (late_reports, late_orders, buried) = (Vec::new(), Vec::new(), Vec::new());
        Storm { real, dice: Dice(seed), late_reports, late_orders, buried }
    }

    fn any_store(&mut self) -> StoreId {
        1 + self.dice.roll(STORES)
    }

    fn any_region(&mut self) -> RegionId {
        let regions: Vec<_> = self.real.pd.regions().map(|known| known.region.id).collect();
        regions[self.dice.roll(regions.len() as u64) as usize]
    }

    /// One step of PD; some of its orders are held back.
    fn tell(&mut self, input: PdInput) {
        for output in self.real.pd.step(input).unwrap_or_default() {
            let PdOutput::Dispatch(dispatch) = output else { continue };
            if self.dice.roll(4) == 0 {
                self.late_orders.push(dispatch);
            } else {
                let _ = self.real.obey(&dispatch);
            }
        }
    }

    pub(crate) fn act(&mut self) {
        let (store, region) = (self.any_store(), self.any_region());
        match self.dice.roll(20) {
            0 => drop(self.real.step(store, Input::Campaign { region })),
            1 | 2 => self.real.settle(),
            3 => self.real.sent.clear(),
            4 | 5 => {
                for store in 1..=STORES {
                    let Some(report) = self.real.report_of(store, region) else { continue };
                    if self.dice.roll(3) == 0 {
                        self.late_reports.push(report);
                    } else {
                        self.tell(PdInput::RegionHeartbeat(report));
                    }
                }
            }
            6 if !self.late_reports.is_empty() => {
                let at = self.dice.roll(self.late_reports.len() as u64) as usize;
                let report = self.late_reports.swap_remove(at);
                self.tell(PdInput::RegionHeartbeat(report));
            }
            7 if !self.late_orders.is_empty() => {
                let at = self.dice.roll(self.late_orders.len() as u64) as usize;
                let order = self.late_orders.swap_remove(at);
                let _ = self.real.obey(&order);
            }
            8 | 9 => self.tell(PdInput::Schedule { region }),
            10 => self.tell(PdInput::CheckStores),
            11 => self.tell(PdInput::Decommission { store, force: false }),
            12 => self.tell(PdInput::CancelDecommission { store }),
            13 if self.dice.roll(4) == 0 => {
                self.real.pd = self.real.pd.clone().restart().unwrap();
                self.real.store_heartbeats();
            }
            14 => self.tell(PdInput::OperatorTimeout { region }),
            15 => self.tell(PdInput::Push { region }),
            16 => {
                let operator = AdminOperator::TransferLeader { store };
                self.tell(PdInput::AddOperator { region, operator });
            }
            17 => {
                let operator = match self.dice.roll(2) {
                    0 => AdminOperator::AddPeer { store },
                    _ => AdminOperator::RemovePeer { store },
                };
                self.tell(PdInput::AddOperator { region, operator });
            }
            18 if self.real.pd.regions().count() < 3 => {
                let keys = vec![key(["d", "m", "t"][self.dice.roll(3) as usize])];
                let _ = self
                    .real
                    .step(store, Input::AskSplit { region, keys, derive: Derive::Right, ordered_at: None });
            }
            _ => self.real.round(),
        }
    }

    /// Tombstone is final, and no two regions in PD overlap.
    pub(crate) fn check(&mut self) {
        for info in self.real.pd.stores() {
            let (store, tombstone) = (info.record.id, info.record.state == StoreState::Tombstone);
            if tombstone && !self.buried.contains(&store) {
                self.buried.push(store);
            }
            assert_eq!(tombstone, self.buried.contains(&store), "store {store} came back");
        }
        let mut known: Vec<_> = self.real.pd.regions().map(|known| known.region.range()).collect();
        known.sort_by(|one, other| one.start.cmp(&other.start));
        for pair in known.windows(2) {
            assert!(!pair[0].overlaps(&pair[1]), "{pair:?}");
        }
    }

    /// PD has a region for every key. A child that is reported before its parent leaves a hole
    /// until the parent reports, too (row 32).
    fn is_covered(&self) -> bool {
        let mut at = key("");
        while let Some(known) = self.real.pd.region_by_key(&at) {
            at = known.region.end.clone();
            if at.is_empty() {
                return true;
            }
        }
        false
    }
}

impl Storm {
    /// PD's view of stores and regions is on its disk before its outputs leave: a power failure
    /// undoes none of it.
    fn check_disk(&self) {
        let mut disk = self.real.pd.engine().clone();
        disk.lose_unsynced();
        let kept = disk.load().unwrap();
        let stores: Vec<_> = self.real.pd.stores().map(|info| info.record).collect();
        assert_eq!(kept.stores.into_values().collect::<Vec<_>>(), stores);
        let regions: Vec<_> = self.real.pd.regions().map(|known| known.region.clone()).collect();
        assert_eq!(kept.regions.into_values().collect::<Vec<_>>(), regions);
    }
}

fn storm(seed: u64) -> Storm {
    let mut storm = Storm::on(PdMemoryEngine::new(), seed);
    for _ in 0..150 {
        storm.act();
        storm.check();
        storm.check_disk();
    }
    storm
}

/// Members campaign in turn until one leads in the highest term. Without `check_quorum`, a leader
/// with a stale term gets no response from a voter with a higher one.
fn elect<E: PdEngine>(real: &mut Real<Sound, E>) {
    // PD may not know a region without a leader.
    let regions: BTreeSet<RegionId> = (1..=STORES).flat_map(|store| real.live(store)).collect();
    for region in regions {
        for turn in 0..200 {
            let peers = (1..=STORES).filter_map(|store| real.stores[&store].peer(region));
            let highest = peers.max_by_key(|peer| (peer.term(), peer.role() == StateRole::Leader));
            if highest.is_some_and(|peer| peer.role() == StateRole::Leader) {
                break;
            }
            let _ = real.step(1 + turn % STORES, Input::Campaign { region });
            real.settle();
        }
    }
}

/// After the storm nothing is late or lost: every leaving store leaves, and every region has three
/// voters on stores that are Up.
pub(crate) fn calm<E: PdEngine + Clone>(storm: &mut Storm<E>) -> bool {
    for _ in 0..60 {
        storm.real.give_up_on_lost_messages();
        storm.real.round();
        storm.check();
        elect(&mut storm.real);
        // Orders that no store can carry out time out.
        if storm.dice.roll(6) == 0 {
            let region = storm.any_region();
            storm.tell(PdInput::OperatorTimeout { region });
        }
        let pd = &storm.real.pd;
        let leaving = pd.stores().any(|info| info.record.state == StoreState::Offline);
        let up = |store| pd.store(store).unwrap().record.state == StoreState::Up;
        let whole = |known: &KnownRegion| {
            let full = known.region.peers.len() == 3 && known.voters().count() == 3;
            known.leader.is_some() && full && known.voters().all(|one| up(one.store))
        };
        if !leaving && storm.is_covered() && pd.regions().all(whole) && pd.operators().next().is_none() {
            return true;
        }
    }
    false
}

#[test]
fn after_any_storm_every_leaving_store_has_left() {
    let (mut tombstones, mut held_up) = (0, 0);
    for seed in 0..300 {
        println!("seed {seed}");
        let mut storm = storm(seed);
        if calm(&mut storm) {
            assert_eq!(storm.real.listed_tombstones(), [], "seed {seed}");
            tombstones += storm.buried.len();
            continue;
        }
        assert_ne!(storm.real.left_behind(), [], "seed {seed}: never calm: {:?}", storm.real.pd);
        held_up += 1;
    }
    assert!(tombstones > 100 && held_up < 6, "{tombstones} stores left, {held_up} were held up");
}
