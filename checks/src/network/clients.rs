//! Clients as in TinyKV's `GenericTest`. Each writes one key after another in a range of its own.
//! In between it scans that range and must find everything that it wrote and nothing else. At the
//! end it scans once more and deletes its keys.
//!
//! A client asks the placement driver for the route. It asks again after a refusal, an unknown
//! result, or a timeout, and repeats the same write. A write that takes effect twice does no harm.

use rollcall_traces::{Command, Epoch, Key, RegionId, Value};

use super::Network;
use super::ending::Lost;
use super::pd::Route;
use super::requests::{Reply, Ticket};
use crate::world::convert;

/// Ticks that a client waits for its reply.
const PATIENCE: u64 = 30;

/// What a client is doing.
enum Task {
    Idle,
    Put(Option<Ticket>),
    /// Everything from `from` on is still to be read.
    Scan {
        from: Key,
        found: Vec<(Key, Value)>,
        ticket: Option<Ticket>,
        last: bool,
    },
    Remove(Vec<(Key, Option<Ticket>)>),
    Gone,
}

struct Client {
    number: u64,
    /// How many keys it has put.
    written: u64,
    task: Task,
    way: Way,
    /// The tick of its last request.
    since: u64,
}

/// All clients of a run.
pub(super) struct Clients {
    clients: Vec<Client>,
    /// Whether they only finish what they began.
    closing: bool,
    /// Scans that found what they should.
    pub(super) scans: u64,
}

fn key(client: u64, number: u64) -> Key {
    Key::from(format!("{client} {number:08}").as_str())
}

fn value(client: u64, number: u64) -> Value {
    Value::from(format!("x {client} {number} y").as_str())
}

/// The route that a client uses until it is refused.
#[derive(Default)]
pub(super) struct Way(Option<Route>);

impl Way {
    /// The leader's index, its region and epoch, for `key`: from the known route, or from PD.
    /// `None` if the leader's store is down.
    pub(super) fn to(&mut self, network: &Network, key: &Key) -> Option<(usize, RegionId, Epoch)> {
        self.0.take_if(|known| !known.region.contains(key.as_bytes()));
        if self.0.is_none() {
            self.0 = network.pd.route(key.as_bytes()).cloned();
        }
        let route = self.0.as_ref()?;
        let at = network.index_of(route.leader);
        let way = (at, route.region.id, convert::epoch(route.region.epoch));
        if network.nodes[at].up {
            return Some(way);
        }
        self.0 = None;
        None
    }

    /// Asks the leader to write; returns a ticket if it accepts. Most clients send the epoch that
    /// they know, some send none.
    pub(super) fn write(&mut self, network: &mut Network, command: &Command) -> Option<Ticket> {
        let (at, region, epoch) = self.to(network, command.written_key()?)?;
        let epoch = network.random.percent(90).then_some(epoch);
        let ticket = network.propose(at, region, command, epoch);
        if ticket.is_none() {
            self.0 = None;
        }
        ticket
    }

    /// Reads all values of the region that has `key`.
    fn snap(&mut self, network: &mut Network, key: &Key) -> Option<Ticket> {
        let (at, region, _) = self.to(network, key)?;
        let ticket = network.read(at, region, None).ok();
        if ticket.is_none() {
            self.0 = None;
        }
        ticket
    }
}

impl Clients {
    pub(super) fn new(count: u64) -> Self {
        let client = |number| Client { number, written: 0, task: Task::Idle, way: Way::default(), since: 0 };
        Self { clients: (1..=count).map(client).collect(), closing: false, scans: 0 }
    }

    /// From now on, clients only finish their task, scan and delete.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// A client that has not deleted all its keys, and the leader of its range; `None` if there is
    /// none left.
    pub(super) fn waits(&self, network: &Network) -> Option<String> {
        let waiting = self.clients.iter().find(|client| !matches!(client.task, Task::Gone))?;
        let first = match &waiting.task {
            Task::Remove(keys) => keys.first().map_or_else(Key::empty, |(key, _)| key.clone()),
            Task::Scan { from, .. } => from.clone(),
            _ => key(waiting.number, waiting.written),
        };
        let route = network.pd.route(first.as_bytes());
        let known = route.map_or("is in no region that the placement driver knows".to_string(), |route| {
            format!("the placement driver routes to region {} on store {}", route.region.id, route.leader)
        });
        Some(format!("client {} waits for `{first}`, which {known}", waiting.number))
    }

    /// How many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.clients.iter().map(|client| client.written).sum()
    }

    /// Every client takes its replies, and some send requests.
    ///
    /// # Errors
    /// If a scan does not find what it must.
    pub(super) fn act(&mut self, network: &mut Network) -> Result<(), Lost> {
        for client in &mut self.clients {
            self.scans += u64::from(client.listen(network)?);
            if !self.closing && !network.random.percent(40) {
                continue;
            }
            if matches!(client.task, Task::Idle) {
                let puts = !self.closing && (client.written == 0 || network.random.percent(50));
                client.task = if puts { Task::Put(None) } else { client.scan(self.closing) };
            }
            client.ask(network);
            self.scans += u64::from(client.listen(network)?);
        }
        Ok(())
    }
}

impl Client {
    /// The scan of everything that it wrote.
    fn scan(&self, last: bool) -> Task {
        Task::Scan { from: key(self.number, 0), found: Vec::new(), ticket: None, last }
    }

    /// Sends the request for which it has no ticket yet.
    fn ask(&mut self, network: &mut Network) {
        let (client, number) = (self.number, self.written);
        match &mut self.task {
            Task::Put(ticket @ None) => {
                let command = Command::Put { key: key(client, number), value: value(client, number) };
                *ticket = self.way.write(network, &command);
            }
            Task::Scan { from, ticket: ticket @ None, .. } => {
                *ticket = self.way.snap(network, from);
            }
            Task::Remove(keys) => {
                for (key, ticket) in keys.iter_mut().filter(|(_, ticket)| ticket.is_none()) {
                    *ticket = self.way.write(network, &Command::Delete { key: key.clone() });
                }
            }
            _ => return,
        }
        self.since = network.now;
    }

    /// Takes its reply; returns whether a scan is complete.
    fn listen(&mut self, network: &mut Network) -> Result<bool, Lost> {
        let late = network.now > self.since + PATIENCE;
        let mut receive = |slot: &mut Option<Ticket>| {
            let ticket = (*slot)?;
            let reply = network.requests.fetch(ticket).or_else(|| late.then_some(Reply::Unknown))?;
            network.requests.forget(ticket);
            *slot = None;
            if matches!(reply, Reply::Unknown) {
                // The store that was asked may be partitioned.
                self.way = Way::default();
            }
            Some(reply)
        };
        match &mut self.task {
            Task::Put(ticket) => {
                if let Some(Reply::Applied) = receive(ticket) {
                    self.written += 1;
                    self.task = Task::Idle;
                }
            }
            Task::Scan { from, found, ticket, last } => {
                let Some(Reply::Snap { region, data }) = receive(ticket) else { return Ok(false) };
                // The region's range may have changed since the route was learned.
                if !region.contains(from.as_bytes()) {
                    self.way = Way::default();
                    return Ok(false);
                }
                let (beyond, end) = (key(self.number, self.written), convert::key(&region.end));
                let part = data.into_iter().filter(|(key, _)| *key >= *from && *key < beyond);
                found.extend(part);
                *from = end;
                if !from.is_empty() && *from < beyond {
                    return Ok(false);
                }
                let (found, last) = (std::mem::take(found), *last);
                return self.scanned(&found, last).map(|()| true);
            }
            Task::Remove(keys) => {
                keys.retain_mut(|(_, ticket)| !matches!(receive(ticket), Some(Reply::Applied)));
                if keys.is_empty() {
                    self.task = Task::Gone;
                }
            }
            Task::Idle | Task::Gone => {}
        }
        Ok(false)
    }

    /// Checks that a scan found everything that the client wrote, in order, and nothing else.
    fn scanned(&mut self, found: &[(Key, Value)], last: bool) -> Result<(), Lost> {
        let expected = |number: u64| (key(self.number, number), value(self.number, number));
        if !found.iter().cloned().eq((0..self.written).map(expected)) {
            let (client, written) = (self.number, self.written);
            return Err(Lost::Scan { client, written, found: found.len() as u64 });
        }
        self.task = match last {
            true => Task::Remove((0..self.written).map(|number| (key(self.number, number), None)).collect()),
            false => Task::Idle,
        };
        Ok(())
    }
}
