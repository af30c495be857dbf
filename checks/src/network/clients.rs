//! Clients that put, one write at a time each, to a key of their own; and the
//! look at the end whether what was acknowledged is there.
//!
//! A write is acknowledged when the leader that took it has applied the very
//! entry. A client that waits too long asks again: with the same value, which
//! may then be written twice, and does no harm.

use rollcall_traces::{Command, Key, StoreId, Value};

use super::Network;

/// Ticks that a client waits for its answer.
const PATIENCE: u64 = 30;

/// One client.
struct Client {
    key: Key,
    /// The number of the write under way, from 1.
    number: u64,
    /// Where it was proposed.
    pending: Option<Pending>,
    acknowledged: u64,
}

struct Pending {
    store: StoreId,
    index: u64,
    term: u64,
    since: u64,
}

/// All clients of a run.
pub(super) struct Clients(Vec<Client>);

/// A value tells its number; the writes of a client are ordered by it.
fn value(number: u64) -> Value {
    Value::from(format!("{number:08}").as_str())
}

impl Clients {
    pub(super) fn new(count: u64) -> Self {
        let client = |id| Client {
            key: Key::from(format!("client {id:02}").as_str()),
            number: 1,
            pending: None,
            acknowledged: 0,
        };
        Self((1..=count).map(client).collect())
    }

    /// Hears of what the store in that place has applied.
    pub(super) fn listen(&mut self, network: &Network, at: usize) {
        let Some(peer) = network.status(at) else { return };
        for client in &mut self.0 {
            let applied = client.pending.as_ref().is_some_and(|pending| {
                pending.store == network.nodes[at].id
                    && peer.applied() >= pending.index
                    && peer.log_term(pending.index) == Some(pending.term)
            });
            if applied {
                client.acknowledged = client.number;
                client.number += 1;
                client.pending = None;
            }
        }
    }

    /// Some clients ask the leader.
    pub(super) fn ask(&mut self, network: &mut Network) {
        for at in 0..self.0.len() {
            let now = network.now;
            let client = &mut self.0[at];
            client.pending.take_if(|pending| now > pending.since + PATIENCE);
            if client.pending.is_some() || !network.random.percent(40) {
                continue;
            }
            let Some(leader) = network.leader() else { return };
            let command = Command::Put { key: client.key.clone(), value: value(client.number) };
            if network.propose(leader, &command).is_done()
                && let Some(peer) = network.status(leader)
            {
                let (index, term) = (peer.last_index(), peer.term());
                let store = network.nodes[leader].id;
                client.pending = Some(Pending { store, index, term, since: now });
            }
            self.listen(network, leader);
        }
    }

    /// How many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.0.iter().map(|client| client.acknowledged).sum()
    }

    /// The first acknowledged write that the store in that place lacks.
    pub(super) fn missing(&self, network: &Network, at: usize) -> Option<(Key, u64)> {
        let peer = network.status(at)?;
        let found = |key: &Key| peer.data().get(key.as_bytes()).map(|value| Value::from(&value[..]));
        self.0
            .iter()
            .find(|client| found(&client.key).unwrap_or(value(0)) < value(client.acknowledged))
            .map(|client| (client.key.clone(), client.acknowledged))
    }
}
