//! What happens when: ticks, deliveries, faults, clients, conf changes, drawn
//! from the run's seed; then quiet, and the look at what was promised.

use std::collections::BTreeSet;

use rollcall_traces::{Command, Key, RUN_SCHEMA, Run, RunHeader, StoreId};
use thiserror::Error;

use super::clients::Clients;
use super::members::ConfChanger;
use super::scenarios::Scenario;
use super::{CLOCK, Network};

/// Ticks that a cluster may take after the last fault to keep its promises.
const RECOVERY: u64 = 400;

/// A promise that the implementation broke.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Lost {
    /// What was acknowledged is not there.
    #[error("store {store} leads and lacks write {number} of `{key}`, which was acknowledged")]
    Write {
        /// The leader's store.
        store: StoreId,
        /// The key.
        key: Key,
        /// The number of the last acknowledged write to it.
        number: u64,
    },
    /// Long after the last fault the cluster is not at rest.
    #[error(
        "{RECOVERY} ticks after the last fault there is no leader with every member at its last index \
         and the log within twice its limit"
    )]
    Rest,
}

struct Schedule {
    network: Network,
    clients: Clients,
    members: ConfChanger,
    header: RunHeader,
    /// The stores on one side of the partition; nobody when there is none.
    apart: BTreeSet<StoreId>,
    reparted_at: u64,
    faults: bool,
}

/// A run, and what came of its clients and changes.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// What it broke of its promises.
    pub kept: Result<(), Lost>,
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Members that came or went.
    pub changes: u64,
}

/// A run of that mix from that seed, and what it broke of its promises.
pub fn record(scenario: &Scenario, seed: u64, events: u64) -> Recorded {
    let scope = scenario.scope();
    let parameters = rollcall_traces::Parameters { events, ..scenario.parameters };
    let header =
        RunHeader { schema: RUN_SCHEMA.into(), scenario: scenario.name.into(), seed, parameters, scope };
    let mut schedule = Schedule {
        network: Network::new(&header.scope, seed),
        clients: Clients::new(parameters.clients),
        members: ConfChanger::new(100),
        header,
        apart: BTreeSet::new(),
        reparted_at: 0,
        faults: true,
    };
    while (schedule.network.events.len() as u64) < events {
        schedule.tick();
    }
    let kept = schedule.recover();
    Recorded {
        run: Run { header: schedule.header, events: schedule.network.events },
        kept,
        acknowledged: schedule.clients.acknowledged(),
        changes: schedule.members.made,
    }
}

impl Schedule {
    fn tick(&mut self) {
        self.network.now += 1;
        if self.faults {
            self.part();
            self.crash();
        }
        for at in 0..self.network.nodes.len() {
            if self.network.nodes[at].up {
                self.network.tick(at);
            }
        }
        self.deliver();
        self.apply();
        self.compact();
        if self.faults {
            self.clients.ask(&mut self.network);
            if self.header.parameters.conf_change {
                self.members.act(&mut self.network);
            }
        }
    }

    /// Delivers what is due, in any order, and what comes of it within the tick.
    fn deliver(&mut self) {
        loop {
            let now = self.network.now;
            let due: Vec<usize> = (0..self.network.flights.len())
                .filter(|place| self.network.flights[*place].due <= now)
                .collect();
            let Some(&place) = self.network.random.choose(&due) else { return };
            let flight = self.network.land(place);
            let cut = self.apart.contains(&flight.message.from.store)
                != self.apart.contains(&flight.message.to.store);
            let unreliable = self.faults && self.header.parameters.unreliable;
            if cut || (unreliable && self.network.random.percent(10)) {
                self.network.lose(flight.id, &flight.message);
                continue;
            }
            if unreliable && self.network.random.percent(5) {
                let due = now + self.network.random.below(12);
                let message = flight.message.clone();
                self.network.flights.push(super::Flight { id: flight.id, due, message });
            }
            let at = self.network.place(flight.message.to.store);
            self.network.deliver(flight.id, flight.message);
            self.clients.listen(&self.network, at);
            if self.network.random.percent(50) {
                self.apply_at(at);
            }
        }
    }

    /// Most stores apply at once, some fall behind for a while.
    fn apply(&mut self) {
        for at in 0..self.network.nodes.len() {
            if !self.faults || self.network.random.percent(70) {
                while self.apply_at(at) {}
            }
        }
    }

    fn apply_at(&mut self, at: usize) -> bool {
        let applied = self.network.apply(at);
        if applied {
            self.clients.listen(&self.network, at);
        }
        applied
    }

    /// Leaders of long logs propose to discard them (TinyKV `onRaftGCLogTick`).
    fn compact(&mut self) {
        let Some(limit) = self.header.parameters.log_limit else { return };
        for at in 0..self.network.nodes.len() {
            let Some(peer) = self.network.status(at) else { continue };
            let index = peer.applied();
            let long = index >= peer.truncated().index + limit;
            if long && peer.role() == rollcall_impl::StateRole::Leader {
                self.network.propose(at, &Command::CompactLog { index });
            }
        }
    }

    /// Every election timeout or so the network is parted anew, or whole again.
    fn part(&mut self) {
        let now = self.network.now;
        if !self.header.parameters.partitions || now < self.reparted_at {
            return;
        }
        let random = &mut self.network.random;
        self.reparted_at = now + CLOCK.election_tick as u64 + random.below(CLOCK.election_tick as u64 * 4);
        let whole = random.percent(30);
        let stores: Vec<StoreId> = self.header.scope.stores.clone();
        self.apart = stores.into_iter().filter(|_| !whole && random.percent(50)).collect();
    }

    /// Now and then one store stops, rarely all; who is down comes back.
    fn crash(&mut self) {
        if !self.header.parameters.crash {
            return;
        }
        let all = self.network.random.below(150) == 0;
        for at in 0..self.network.nodes.len() {
            match self.network.nodes[at].up {
                true if all || self.network.random.below(200) == 0 => self.network.crash(at),
                false if self.network.random.below(8) == 0 => self.network.restart(at),
                _ => {}
            }
        }
    }

    /// No more faults: everything comes back, and what was promised is looked at.
    fn recover(&mut self) -> Result<(), Lost> {
        self.faults = false;
        self.apart.clear();
        for at in 0..self.network.nodes.len() {
            if !self.network.nodes[at].up {
                self.network.restart(at);
            }
        }
        let until = self.network.now + RECOVERY;
        while self.network.now < until {
            self.tick();
            if let Some(leader) = self.settled() {
                return self.look(leader);
            }
        }
        Err(Lost::Rest)
    }

    /// The leader, once every member has applied what it has, and (TinyKV's
    /// check) no log is longer than twice its limit.
    fn settled(&self) -> Option<usize> {
        let leader = self.network.leader()?;
        let peer = self.network.status(leader)?;
        let short = |applied: u64, truncated: u64| {
            self.header.parameters.log_limit.is_none_or(|limit| applied - truncated <= limit * 2)
        };
        let all = peer.region().peers.iter().all(|member| {
            self.network.status(self.network.place(member.store)).is_some_and(|follower| {
                follower.id() == member.id
                    && follower.applied() == peer.last_index()
                    && short(follower.applied(), follower.truncated().index)
            })
        });
        all.then_some(leader)
    }

    fn look(&self, leader: usize) -> Result<(), Lost> {
        match self.clients.missing(&self.network, leader) {
            Some((key, number)) => Err(Lost::Write { store: self.network.nodes[leader].id, key, number }),
            None => Ok(()),
        }
    }
}
