//! A machine fails between a step and the disk, at every step of a storm.
//!
//! The step's batch is not written and its outputs do not leave; everything else continues. The
//! cluster must heal from there: members catch up, and every leader has every entry that any peer
//! had applied.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rollcall_impl::{
    Config, Input, MemoryEngine, Message, PeerState, RegionId, Sound, StateRole, StoreId, SyncedStore,
};

use crate::cluster::Cluster;
use crate::storm::Storm;

impl Cluster<Sound> {
    fn copy(&self) -> Self {
        Self {
            guards: Sound,
            stores: self.stores.iter().map(|(id, store)| (*id, store.clone())).collect(),
            sent: self.sent.clone(),
            ends: vec![],
        }
    }

    /// All regions with a live peer on any store.
    fn regions(&self) -> Vec<RegionId> {
        let all = self.stores.values().flat_map(|store| store.regions());
        let mut all: Vec<_> =
            all.filter(|region| self.stores.values().any(|s| s.peer(*region).is_some())).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn deliver_all(&mut self) {
        while let Some(message) = self.sent.pop_front() {
            let (from, to, region) = (message.from.store, message.to, message.region);
            let is_snapshot = message.is_snapshot();
            let arrived = self.step(to.store, Input::Message(message)).is_ok();
            if is_snapshot {
                let _ = self.step(from, Input::ReportSnapshot { region, to: to.id, arrived });
            }
        }
    }

    /// Elects leaders where there are none, delivers and applies, often enough for every member to
    /// catch up.
    fn recover(&mut self) {
        let ids: Vec<_> = self.stores.keys().copied().collect();
        for round in 0..12 {
            for region in self.regions() {
                let leads = |id: &StoreId| {
                    self.stores[id].peer(region).is_some_and(|peer| peer.role() == StateRole::Leader)
                };
                match ids.iter().find(|id| leads(id)) {
                    Some(leader) => drop(self.step(*leader, Input::Tick { region })),
                    None => {
                        let candidate = ids[round % ids.len()];
                        let _ = self.step(candidate, Input::Campaign { region });
                    }
                }
                self.deliver_all();
                for id in &ids {
                    let _ = self.step(*id, Input::ApplySnapshot { region });
                    while self.step(*id, Input::Apply { region }).is_ok() {}
                }
            }
            self.deliver_all();
        }
    }

    /// For each region, the highest applied index of any live peer.
    fn applied(&self) -> BTreeMap<RegionId, u64> {
        let mut applied = BTreeMap::new();
        for store in self.stores.values() {
            for region in store.regions() {
                if let Some(peer) = store.peer(region) {
                    let most = applied.entry(region).or_insert(0);
                    *most = peer.applied().max(*most);
                }
            }
        }
        applied
    }
}

/// What `store` has sent since.
fn unsaid(before: &[Message], after: &Cluster<Sound>, store: StoreId) -> Vec<Message> {
    let mut before = before.to_vec();
    let is_new = |message: &&Message| match before.iter().position(|known| known == *message) {
        Some(at) => {
            before.swap_remove(at);
            false
        }
        None => true,
    };
    let new: Vec<Message> = after.sent.iter().filter(is_new).cloned().collect();
    new.into_iter().filter(|message| message.from.store == store).collect()
}

/// What is wrong with a healed cluster, if anything.
fn wrong(cluster: &Cluster<Sound>, applied: &BTreeMap<RegionId, u64>, led: &mut usize) -> Option<String> {
    let mut terms = BTreeMap::new();
    for (id, store) in &cluster.stores {
        for (region, peer) in store.regions().filter_map(|region| Some((region, store.peer(region)?))) {
            if peer.role() != StateRole::Leader {
                continue;
            }
            if let Some(other) = terms.insert((region, peer.term()), id) {
                return Some(format!("stores {other} and {id} lead region {region} in term {}", peer.term()));
            }
            if peer.state() != PeerState::Normal {
                continue;
            }
            *led += 1;
            let (most, has) = (applied.get(&region).copied().unwrap_or(0), peer.applied());
            if has < most {
                return Some(format!(
                    "region {region}: {most} was applied, and its leader on {id} has {has}"
                ));
            }
        }
    }
    None
}

/// The number of lost batches, the number of leaders afterwards, and what went wrong.
#[derive(Default)]
struct Found {
    lost: usize,
    led: usize,
    wrong: Vec<String>,
}

/// Loses each batch of these storms in turn. Its outputs are dropped, or left `too_early`.
fn lose_every_batch(seeds: RangeInclusive<u64>, too_early: bool) -> Found {
    let mut found = Found::default();
    for seed in seeds {
        println!("seed {seed}");
        let mut storm = Storm::on(seed, seed % 2 == 0, |_| MemoryEngine::new());
        for act in 0..600 {
            let before = storm.cluster.copy();
            let said: Vec<_> = before.sent.iter().cloned().collect();
            storm.act();
            for (id, store) in &before.stores {
                if storm.cluster.stores[id].engine() == store.engine() {
                    continue;
                }
                found.lost += 1;
                let mut cluster = storm.cluster.copy();
                if !too_early {
                    let unsaid = unsaid(&said, &cluster, *id);
                    cluster.sent.retain(|message| !unsaid.contains(message));
                }
                let disk = store.engine().clone();
                let opened = SyncedStore::open(*id, Config::SIMULATOR, Sound, disk).unwrap();
                cluster.stores.insert(*id, opened);
                let applied = cluster.applied();
                // raft-rs panics when it finds an impossible state.
                let led = &mut found.led;
                let judged = catch_unwind(AssertUnwindSafe(|| {
                    cluster.recover();
                    Storm::check_that(&cluster);
                    wrong(&cluster, &applied, led)
                }));
                let wrong = judged.unwrap_or_else(|_| Some("a panic".into()));
                found.wrong.extend(wrong.map(|wrong| format!("seed {seed}, act {act}, store {id}: {wrong}")));
            }
        }
    }
    found
}

#[test]
fn a_lost_batch_has_no_outputs() {
    let Found { lost, led, wrong } = lose_every_batch(1..=20, false);
    println!("{lost} batches lost, {led} leaders afterwards");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(lost > 1000 && led > lost, "{lost} {led}");
}

/// The check can fail.
#[test]
fn outputs_before_their_batch_is_durable_are_noticed() {
    let found = lose_every_batch(1..=20, true);
    assert!(!found.wrong.is_empty(), "of {} batches none is missed", found.lost);
    println!("{} of {} are missed, the first: {}", found.wrong.len(), found.lost, found.wrong[0]);
}
