//! Checks expectations against a view.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::{
    Expect, ExpectKnownRegion, ExpectKnownStore, ExpectOperator, ExpectPd, ExpectPeer, ExpectRegion,
    ExpectState, PlannedStep,
};
use crate::diff::Difference;
use crate::pd::{KnownRegion, KnownStore, Operator, OperatorStep, PlacementDriver, Seat};
use crate::peer::{Peer, PeerState, Role};
use crate::region::{Key, PeerId, Region, RegionId, StoreId, Value};
use crate::subject::Healed;
use crate::view::{StoreStatus, View};

impl Expect {
    /// The number of single values that are expected.
    pub fn count(&self) -> u64 {
        let of_healing = u64::from(self.heals) + u64::from(!self.stuck.is_empty());
        self.checked(&View::default()).count + of_healing
    }

    /// The expectations that `view` does not meet, as `stores/<id>/holds/<key>`,
    /// `regions/<id>/leader` (a store), `peers/<region>/<store>/state` and so on. Expectations
    /// about healing are not checked.
    pub fn unmet(&self, view: &View) -> Vec<Difference> {
        self.checked(view).unmet
    }

    /// The expectations about healing that are not met, as `heals` and `stuck`.
    pub fn unhealed(&self, healed: Option<&Healed>) -> Vec<Difference> {
        let field = if self.heals { "heals" } else { "stuck" };
        let differ = |path: String, expected: Option<Json>, actual: Option<Json>| Difference {
            path,
            expected,
            actual,
        };
        let Some(healed) = healed else {
            let actual = Some("unknown: the subject does not heal".into());
            return vec![differ(field.into(), Some(true.into()), actual)];
        };
        let missed = healed.missed.iter().map(|missed| {
            differ(field.into(), Some("every goal that is owed is met".into()), Some(missed.as_str().into()))
        });
        let unlisted = healed.stuck_reasons.iter().filter(|(name, _)| !self.stuck.contains(*name));
        let unlisted =
            unlisted.map(|(name, words)| differ(format!("stuck/{name}"), None, Some(words.as_str().into())));
        let never = self.stuck.iter().filter(|name| !healed.stuck_reasons.contains_key(*name));
        let never = never.map(|name| differ(format!("stuck/{name}"), Some(name.as_str().into()), None));
        missed.chain(unlisted).chain(never).collect()
    }

    fn checked(&self, view: &View) -> Checked {
        let mut checked = Checked::default();
        for (store, keys) in &self.data {
            for (key, expected) in keys {
                let path = || format!("stores/{store}/holds/{key}");
                checked.same(path, expected.as_ref(), held_by(view, *store, key));
            }
        }
        for (&region, expected) in &self.leader {
            checked.same(
                || format!("regions/{region}/leader"),
                expected.as_ref(),
                leads(view, region).as_ref(),
            );
        }
        if let Some(least) = self.conf_ver_at_least {
            checked.conf_ver_at_least(view, least);
        }
        for (&region, expected) in &self.regions {
            checked.region(&format!("regions/{region}"), expected, newest(view, region));
        }
        for (region, stores) in &self.peers {
            for (store, expected) in stores {
                let actual = view.stores.get(store).and_then(|store| store.peers.get(region));
                checked.peer(&format!("peers/{region}/{store}"), expected, actual);
            }
        }
        for (store, expected) in &self.stores {
            let actual = view.stores.get(store).map(|store| &store.status);
            checked.same(|| format!("stores/{store}/status"), Some(expected), actual);
        }
        for (store, expected) in &self.ranges {
            let actual = view.stores.get(store).map(|store| &store.ranges);
            checked.same(|| format!("stores/{store}/ranges"), Some(expected), actual);
        }
        if let Some(expected) = &self.pd {
            checked.pd(expected, &view.pd);
        }
        if !self.view.is_empty() {
            let shown = serde_json::to_value(view).expect("a view is JSON");
            self.view.iter().for_each(|(pointer, expected)| checked.pointer(pointer, expected, &shown));
        }
        checked
    }
}

#[derive(Default)]
struct Checked {
    count: u64,
    unmet: Vec<Difference>,
}

impl Checked {
    /// Expects one value. `None` on either side is no value.
    fn same<T: PartialEq + Serialize>(
        &mut self,
        path: impl Fn() -> String,
        expected: Option<&T>,
        actual: Option<&T>,
    ) {
        self.count += 1;
        if expected != actual {
            let json = |value: &T| serde_json::to_value(value).expect("what is expected is JSON");
            let (expected, actual) = (expected.map(json), actual.map(json));
            self.unmet.push(Difference { path: path(), expected, actual });
        }
    }

    /// Expects one value if it is stated.
    fn maybe<T: PartialEq + Serialize>(
        &mut self,
        path: impl Fn() -> String,
        expected: Option<&T>,
        actual: Option<&T>,
    ) {
        if expected.is_some() {
            self.same(path, expected, actual);
        }
    }

    fn conf_ver_at_least(&mut self, view: &View, least: u64) {
        self.count += 1;
        let newest = newest_conf_ver(view);
        let path = |region: &str| format!("regions/{region}/conf_ver_at_least");
        let mut behind = |path, actual| {
            self.unmet.push(Difference { path, expected: Some(least.into()), actual });
        };
        if newest.is_empty() {
            behind(path("any"), None);
        }
        for (region, conf_ver) in newest.into_iter().filter(|(_, conf_ver)| *conf_ver < least) {
            behind(path(&region.to_string()), Some(conf_ver.into()));
        }
    }

    fn region(&mut self, path: &str, expected: &ExpectRegion, actual: Option<&Region>) {
        let ExpectRegion { epoch, members, start, end } = expected;
        let at = |field| move || format!("{path}/{field}");
        if let Some(epoch) = epoch {
            let actual = actual.map(|region| region.epoch);
            let conf_ver = actual.map(|epoch| epoch.conf_ver);
            let version = actual.map(|epoch| epoch.version);
            self.maybe(at("epoch/conf_ver"), epoch.conf_ver.as_ref(), conf_ver.as_ref());
            self.maybe(at("epoch/version"), epoch.version.as_ref(), version.as_ref());
        }
        let roles = actual.map(|region| {
            region.peers.iter().map(|member| (member.store, member.role)).collect::<BTreeMap<_, _>>()
        });
        self.maybe(at("members"), members.as_ref(), roles.as_ref());
        self.maybe(at("start"), start.as_ref(), actual.map(|region| &region.start));
        self.maybe(at("end"), end.as_ref(), actual.map(|region| &region.end));
    }

    fn peer(&mut self, path: &str, expected: &ExpectPeer, actual: Option<&Peer>) {
        let at = |field| move || format!("{path}/{field}");
        let state = actual.map_or(ExpectState::Absent, |peer| peer.state.into());
        self.maybe(at("state"), expected.state.as_ref(), Some(&state));
        self.maybe(at("id"), expected.id.as_ref(), actual.map(|peer| &peer.id));
        self.maybe(at("role"), expected.role.as_ref(), actual.map(|peer| &peer.role));
        self.maybe(at("term"), expected.term.as_ref(), actual.map(|peer| &peer.term));
        self.maybe(at("commit"), expected.commit.as_ref(), actual.map(|peer| &peer.commit));
        self.maybe(at("applied"), expected.applied.as_ref(), actual.map(|peer| &peer.applied));
        let last = actual.map(|peer| peer.log.last_index());
        self.maybe(at("last"), expected.last.as_ref(), last.as_ref());
        let truncated = actual.map(|peer| &peer.log.truncated.index);
        self.maybe(at("truncated"), expected.truncated.as_ref(), truncated);
        let snapshot = actual.map(|peer| peer.snapshot.is_some());
        self.maybe(at("snapshot"), expected.snapshot.as_ref(), snapshot.as_ref());
        if let Some(region) = &expected.region {
            self.region(&format!("{path}/region"), region, actual.map(|peer| &peer.region));
        }
        for (key, value) in &expected.data {
            let actual = actual.and_then(|peer| peer.data.get(key));
            self.same(|| format!("{path}/data/{key}"), value.as_ref(), actual);
        }
    }

    fn pd(&mut self, expected: &ExpectPd, actual: &PlacementDriver) {
        for (region, expected) in &expected.regions {
            let (path, actual) = (format!("pd/regions/{region}"), actual.regions.get(region));
            match expected {
                Some(expected) => self.known_region(&path, expected, actual),
                None => self.none(path, actual),
            }
        }
        for (region, expected) in &expected.operators {
            let (path, found) = (format!("pd/operators/{region}"), actual.operator(*region));
            match expected {
                Some(expected) => {
                    let waits = !actual.operators.contains_key(region);
                    self.operator(&path, expected, found.map(|operator| (operator, waits)));
                }
                None => self.none(path, found),
            }
        }
        for (store, expected) in &expected.stores {
            let (path, actual) = (format!("pd/stores/{store}"), actual.stores.get(store));
            match expected {
                Some(expected) => self.known_store(&path, *expected, actual),
                None => self.none(path, actual),
            }
        }
    }

    fn none<T: PartialEq + Serialize>(&mut self, path: String, actual: Option<&T>) {
        self.same(|| path.clone(), None, actual);
    }

    /// Expects any value.
    fn there<T: Serialize>(&mut self, path: &str, actual: Option<&T>) {
        self.same(|| path.to_owned(), Some(&"there"), actual.map(|_| &"there"));
    }

    fn known_region(&mut self, path: &str, expected: &ExpectKnownRegion, actual: Option<&KnownRegion>) {
        let at = |field| move || format!("{path}/{field}");
        self.there(path, actual);
        if let Some(region) = &expected.region {
            self.region(&format!("{path}/region"), region, actual.map(|known| &known.region));
        }
        let leader = actual.map(|known| known.leader().map_or(0, |member| member.store));
        self.maybe(at("leader"), expected.leader.as_ref(), leader.as_ref());
        let stores = |of: fn(&KnownRegion) -> &BTreeSet<PeerId>| {
            actual.map(|known| {
                let members = of(known).iter().filter_map(|id| known.region.member(*id));
                members.map(|member| member.store).collect::<BTreeSet<_>>()
            })
        };
        self.maybe(at("pending"), expected.pending.as_ref(), stores(|known| &known.pending).as_ref());
        self.maybe(at("down"), expected.down.as_ref(), stores(|known| &known.down).as_ref());
    }

    fn operator(&mut self, path: &str, expected: &ExpectOperator, actual: Option<(&Operator, bool)>) {
        let at = |field| move || format!("{path}/{field}");
        let operator = actual.map(|(operator, _)| operator);
        self.there(path, operator);
        self.maybe(at("purpose"), expected.purpose.as_ref(), operator.map(|operator| &operator.purpose));
        let steps = operator.map(|operator| operator.steps.iter().map(planned).collect::<Vec<_>>());
        self.maybe(at("steps"), expected.steps.as_ref(), steps.as_ref());
        self.maybe(at("done"), expected.done.as_ref(), operator.map(|operator| &operator.done));
        self.maybe(at("waiting"), expected.waiting.as_ref(), actual.map(|(_, waits)| waits).as_ref());
    }

    fn known_store(&mut self, path: &str, expected: ExpectKnownStore, actual: Option<&KnownStore>) {
        let at = |field| move || format!("{path}/{field}");
        self.there(path, actual);
        self.maybe(at("state"), expected.state.as_ref(), actual.map(|known| &known.state));
        self.maybe(at("liveness"), expected.liveness.as_ref(), actual.map(|known| &known.liveness));
        self.maybe(
            at("physically_destroyed"),
            expected.physically_destroyed.as_ref(),
            actual.map(|known| &known.physically_destroyed),
        );
    }

    /// The parent of an absent value must exist. Otherwise a misspelt path would pass.
    fn pointer(&mut self, pointer: &str, expected: &Json, shown: &Json) {
        self.count += 1;
        let actual = shown.pointer(pointer);
        let around = pointer.rsplit_once('/').and_then(|(around, _)| shown.pointer(around));
        let met = match actual {
            Some(actual) => actual == expected,
            None => expected.is_null() && around.is_some(),
        };
        if !met {
            let expected = Some(expected.clone()).filter(|expected| !expected.is_null() || actual.is_none());
            let path = format!("view{pointer}");
            self.unmet.push(Difference { path, expected, actual: actual.cloned() });
        }
    }
}

impl From<PeerState> for ExpectState {
    fn from(state: PeerState) -> Self {
        match state {
            PeerState::Uninitialised => ExpectState::Uninitialised,
            PeerState::Normal => ExpectState::Normal,
            PeerState::Merging => ExpectState::Merging,
            PeerState::Tombstone => ExpectState::Tombstone,
        }
    }
}

fn planned(step: &OperatorStep) -> PlannedStep {
    let stores = |seats: &[Seat]| seats.iter().map(|seat| seat.store).collect();
    match step {
        OperatorStep::TransferLeader { to } => PlannedStep::TransferLeader(*to),
        OperatorStep::AddLearner(seat) => PlannedStep::AddLearner(seat.store),
        OperatorStep::PromoteLearner(seat) => PlannedStep::PromoteLearner(seat.store),
        OperatorStep::AddPeer(seat) => PlannedStep::AddPeer(seat.store),
        OperatorStep::RemovePeer(seat) => PlannedStep::RemovePeer(seat.store),
        OperatorStep::EnterJoint { promote, demote } => {
            PlannedStep::EnterJoint { promote: stores(promote), demote: stores(demote) }
        }
        OperatorStep::LeaveJoint { .. } => PlannedStep::LeaveJoint,
        OperatorStep::Split { keys, .. } => PlannedStep::Split(keys.clone()),
    }
}

/// The value of `key` on `store`, in an initialised peer whose range contains the key.
fn held_by<'v>(view: &'v View, store: StoreId, key: &Key) -> Option<&'v Value> {
    let peers = view.stores.get(&store)?.peers.values();
    peers
        .filter(|peer| peer.is_initialized() && peer.region.contains(key))
        .find_map(|peer| peer.data.get(key))
}

/// The peers of a region on running stores.
fn running(view: &View, region: RegionId) -> impl Iterator<Item = (StoreId, &Peer)> {
    view.stores
        .iter()
        .filter(|(_, store)| store.status == StoreStatus::Up)
        .filter_map(move |(id, store)| Some((*id, store.peers.get(&region)?)))
}

/// The leader of the newest term, on a running store.
fn leader(view: &View, region: RegionId) -> Option<(StoreId, &Peer)> {
    let newest = running(view, region).map(|(_, peer)| peer.term).max()?;
    running(view, region).find(|(_, peer)| peer.role == Role::Leader && peer.term == newest)
}

fn leads(view: &View, region: RegionId) -> Option<StoreId> {
    leader(view, region).map(|(store, _)| store)
}

/// The region of its leader, or else of the peer with the newest epoch.
fn newest(view: &View, region: RegionId) -> Option<&Region> {
    let epoch = |region: &Region| (region.epoch.version, region.epoch.conf_ver);
    let known = || view.stores.values().filter_map(|store| store.peers.get(&region));
    let live = known().filter(|peer| peer.is_initialized()).map(|peer| &peer.region);
    let led = leader(view, region).map(|(_, peer)| &peer.region);
    led.or_else(|| live.max_by_key(|region| epoch(region)))
}

fn newest_conf_ver(view: &View) -> BTreeMap<u64, u64> {
    let mut newest = BTreeMap::new();
    for (region, peer) in view.stores.values().flat_map(|store| &store.peers) {
        if peer.is_initialized() {
            let conf_ver: &mut u64 = newest.entry(*region).or_default();
            *conf_ver = (*conf_ver).max(peer.region.epoch.conf_ver);
        }
    }
    newest
}
