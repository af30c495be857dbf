//! The order of events: ticks, deliveries, faults, clients and conf changes, drawn from the run's
//! seed. Then faults stop, and the result is checked.

use std::collections::BTreeSet;

use rollcall_impl::StateRole;
use rollcall_traces::{Command, Derive, Parameters, RUN_SCHEMA, Run, RunHeader, SplitSizes, StoreId};

use super::clients::Clients;
use super::ending::{Lost, RECOVERY};
use super::members::{ConfChanger, Left};
use super::merges::Merger;
use super::scenarios::{Course, Scenario};
use super::{CLOCK, Network};

/// Rounds of a generic test. Each ends with a stop of all stores.
const ROUNDS: u64 = 3;

/// Ticks between leaders' heartbeats to the placement driver, and between their size checks.
/// (TinyKV's `SchedulerHeartbeatTickInterval` and `SplitRegionCheckTickInterval` are two base ticks
/// in its tests.)
const REPORT: u64 = 2;

pub(super) struct Schedule {
    pub(super) network: Network,
    pub(super) header: RunHeader,
    /// Acknowledged writes that are not the clients'.
    pub(super) acknowledged: u64,
    clients: Clients,
    members: ConfChanger,
    merger: Merger,
    /// The stores on one side of the partition; empty without one.
    partitioned: BTreeSet<StoreId>,
    reparted_at: u64,
    /// Finished rounds.
    rounds: u64,
    faults: bool,
}

/// A run and its counts.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// What it violated, if anything.
    pub kept: Result<(), Lost>,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Scans that found what was acknowledged.
    pub scans: u64,
    /// Members that were added or removed.
    pub changes: u64,
    /// By whom joint configurations were left.
    pub left: Left,
    /// Regions at the end.
    pub regions: u64,
}

/// Runs the scenario from this seed.
pub fn record(scenario: &Scenario, seed: u64, events: u64) -> Recorded {
    let scope = scenario.scope();
    // Both children must be able to keep the id.
    let derive = |sizes: SplitSizes| SplitSizes {
        derive: if scenario.course == Course::Generic && seed % 2 == 1 {
            Derive::Right
        } else {
            sizes.derive
        },
        ..sizes
    };
    let split = scenario.parameters.split.map(derive);
    let parameters = Parameters { events, split, ..scenario.parameters };
    let header =
        RunHeader { schema: RUN_SCHEMA.into(), scenario: scenario.name.into(), seed, parameters, scope };
    let mut schedule = Schedule {
        network: Network::new(&header.scope, &parameters, seed),
        clients: Clients::new(parameters.clients),
        members: ConfChanger::default(),
        merger: Merger::default(),
        header,
        acknowledged: 0,
        partitioned: BTreeSet::new(),
        reparted_at: 0,
        rounds: 0,
        faults: true,
    };
    let kept = match scenario.course {
        Course::Generic => schedule.generic(),
        Course::OneSplit => schedule.one_split(events),
    };
    Recorded {
        kept,
        acknowledged: schedule.acknowledged + schedule.clients.acknowledged(),
        scans: schedule.clients.scans,
        changes: schedule.members.made,
        left: schedule.members.left,
        regions: schedule.network.pd.routes().len() as u64,
        run: Run { header: schedule.header, events: schedule.network.events },
    }
}

impl Schedule {
    /// TinyKV's `GenericTest`.
    fn generic(&mut self) -> Result<(), Lost> {
        while (self.network.events.len() as u64) < self.header.parameters.events {
            self.tick()?;
        }
        self.recover()
    }

    pub(super) fn tick(&mut self) -> Result<(), Lost> {
        let Parameters { conf_change, merges, .. } = self.header.parameters;
        self.network.now += 1;
        if self.faults {
            self.part();
            self.crash();
        }
        for at in 0..self.network.nodes.len() {
            if self.network.nodes[at].up {
                self.network.tick(at);
                self.network.ask_members(at);
            }
        }
        self.deliver();
        self.apply();
        self.compact();
        if self.network.now.is_multiple_of(REPORT) {
            self.network.report();
            if conf_change {
                self.members.leave_joint(&mut self.network, !self.faults);
            }
            if merges {
                self.network.check_merges();
            }
        }
        if self.faults && conf_change {
            self.members.act(&mut self.network, &self.merger.regions());
            self.network.ask_oddly();
        }
        if self.faults && merges {
            self.merger.act(&mut self.network);
        }
        self.clients.act(&mut self.network)
    }

    /// Delivers what is due, in any order, and what that causes within the tick.
    fn deliver(&mut self) {
        loop {
            let now = self.network.now;
            let due: Vec<usize> = (0..self.network.flights.len())
                .filter(|place| self.network.flights[*place].due <= now)
                .collect();
            let Some(&place) = self.network.random.choose(&due) else { return };
            let flight = self.network.land(place);
            let unreliable = self.faults && self.header.parameters.unreliable;
            if self.is_cut(&flight) || (unreliable && self.network.random.percent(10)) {
                self.network.lose(flight.id, &flight.parcel);
                continue;
            }
            if unreliable && self.network.random.percent(5) {
                let due = now + self.network.random.below(12);
                self.network.flights.push(super::Flight { due, ..flight.clone() });
            }
            let at = self.network.index_of(flight.parcel.to());
            self.network.deliver(flight.id, flight.parcel);
            if self.network.random.percent(50) {
                self.network.apply(at);
            }
        }
    }

    /// Whether the message would cross the partition. The placement driver is reachable from both
    /// sides.
    fn is_cut(&self, flight: &super::Flight) -> bool {
        match &flight.parcel {
            super::Parcel::Raft(message) => {
                self.partitioned.contains(&message.from.store) != self.partitioned.contains(&message.to.store)
            }
            super::Parcel::Ids { .. } => false,
        }
    }

    /// Most stores apply at once; some fall behind for a while.
    fn apply(&mut self) {
        for at in 0..self.network.nodes.len() {
            if !self.faults || self.network.random.percent(70) {
                while self.network.apply(at) {}
            }
        }
    }

    /// Leaders with long logs propose `CompactLog` (TinyKV `onRaftGCLogTick`).
    fn compact(&mut self) {
        let Some(limit) = self.header.parameters.log_limit else { return };
        for (at, region) in self.network.leaders() {
            let Some(peer) = self.network.status(at, region) else { continue };
            let index = peer.applied();
            if index >= peer.truncated().index + limit && peer.role() == StateRole::Leader {
                self.network.propose(at, region, &Command::CompactLog { index }, None);
            }
        }
    }

    /// Partitions these stores from the others until further notice.
    pub(super) fn partition(&mut self, stores: impl IntoIterator<Item = StoreId>) {
        self.partitioned = stores.into_iter().collect();
    }

    /// About once in an election timeout, partitions the network anew or heals it.
    fn part(&mut self) {
        let now = self.network.now;
        if !self.header.parameters.partitions || now < self.reparted_at {
            return;
        }
        let random = &mut self.network.random;
        self.reparted_at = now + CLOCK.election_tick as u64 + random.below(CLOCK.election_tick as u64 * 4);
        let whole = random.percent(30);
        let stores: Vec<StoreId> = self.header.scope.stores.clone();
        self.partitioned = stores.into_iter().filter(|_| !whole && random.percent(50)).collect();
    }

    /// Now and then one store stops, rarely all; all stop at the end of each of three rounds, as in
    /// TinyKV's test. Stopped stores restart.
    fn crash(&mut self) {
        let Parameters { crash, events, .. } = self.header.parameters;
        if !crash {
            return;
        }
        let ends = self.network.events.len() as u64 * ROUNDS / events > self.rounds;
        self.rounds += u64::from(ends);
        let all = ends || self.network.random.below(150) == 0;
        for at in 0..self.network.nodes.len() {
            match self.network.nodes[at].up {
                true if all || self.network.random.below(200) == 0 => self.network.crash(at),
                false if self.network.random.below(8) == 0 => self.network.restart(at),
                _ => {}
            }
        }
    }

    /// Stops all faults and restarts every store. Clients scan and delete, and the result is
    /// checked.
    fn recover(&mut self) -> Result<(), Lost> {
        self.faults = false;
        self.partitioned.clear();
        self.clients.close();
        for at in 0..self.network.nodes.len() {
            if self.header.parameters.crash && self.network.nodes[at].up {
                self.network.crash(at);
            }
        }
        for at in 0..self.network.nodes.len() {
            if !self.network.nodes[at].up {
                self.network.restart(at);
            }
        }
        let until = self.network.now + RECOVERY;
        loop {
            self.tick()?;
            let settled = self
                .clients
                .waits(&self.network)
                .map_or_else(|| self.network.settled(self.header.parameters.log_limit), Err);
            match settled {
                Ok(leaders) => {
                    let Parameters { split, merges, .. } = self.header.parameters;
                    if split.is_some() && !merges && leaders.len() < 2 {
                        return Err(Lost::NoSplit);
                    }
                    return self.network.emptied(&leaders);
                }
                Err(what) if self.network.now >= until => return Err(Lost::Rest(what)),
                Err(_) => {}
            }
        }
    }
}
