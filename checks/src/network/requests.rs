//! The results of client requests, as a store's callbacks give them.
//!
//! A write succeeds when the peer that accepted it has applied that entry in the intended range: an
//! entry of another version has no effect. A read returns as soon as the store may serve it. If the
//! peer is destroyed or loses the request, the result is unknown and the client asks again.

use std::collections::BTreeMap;

use rollcall_impl::{Input, Output};
use rollcall_traces::{Command, Epoch, Happening, Key, Outcome, RegionId, StoreId, Value};

use super::{Changed, Network};
use crate::world::convert;

/// A client's handle for its request.
pub(super) type Ticket = u64;

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// The write took effect.
    Applied,
    /// All values of a region.
    Snap { region: rollcall_impl::Region, data: BTreeMap<Key, Value> },
    /// It had no effect, or the result is unknown.
    Unknown,
}

struct Proposal {
    ticket: Ticket,
    store: StoreId,
    region: RegionId,
    version: u64,
    index: u64,
    term: u64,
}

struct Reading {
    /// `None` if the client waits no longer. The read is still served, because a peer has one read
    /// at a time.
    ticket: Option<Ticket>,
    store: StoreId,
    region: RegionId,
}

/// Pending requests, and replies not yet taken.
#[derive(Default)]
pub(super) struct Requests {
    tickets: Ticket,
    proposals: Vec<Proposal>,
    readings: Vec<Reading>,
    replies: BTreeMap<Ticket, Reply>,
}

impl Requests {
    /// The reply; it is returned once.
    pub(super) fn fetch(&mut self, ticket: Ticket) -> Option<Reply> {
        self.replies.remove(&ticket)
    }

    /// Drops the ticket: the client waits no longer.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.proposals.retain(|proposal| proposal.ticket != ticket);
        let waited = self.readings.iter_mut().filter(|reading| reading.ticket == Some(ticket));
        waited.for_each(|reading| reading.ticket = None);
        self.replies.remove(&ticket);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }
}

impl Network {
    /// Asks this store's peer to propose a command, by default under the peer's own epoch. Returns
    /// a ticket if it accepts.
    pub(super) fn propose(
        &mut self,
        at: usize,
        region: RegionId,
        command: &Command,
        epoch: Option<Epoch>,
    ) -> Option<Ticket> {
        // Running stores answer the leader's heartbeats before anything is proposed.
        let silent = self.nodes.iter().filter(|node| !node.up).map(|node| node.id);
        let inactive = Input::Inactive { region, stores: silent.collect() };
        let _ = self.step(at, inactive);
        let own = self.status(at, region).map(|peer| peer.region().epoch.version);
        let input = Input::Propose {
            region,
            command: convert::to_command(command),
            epoch: epoch.map(convert::to_epoch),
        };
        let (outcome, outputs) = match self.step(at, input) {
            Ok(outputs) => (Outcome::DONE, outputs),
            Err(reason) => (Outcome::Refused(reason), Vec::new()),
        };
        let done = outcome.is_done();
        let store = self.nodes[at].id;
        let ticket = self.status(at, region).filter(|_| done).map(|peer| (peer.last_index(), peer.term()));
        let ticket = ticket.map(|(index, term)| {
            let ticket = self.requests.ticket();
            let version = epoch.map(|epoch| epoch.version).or(own).unwrap_or_default();
            self.requests.proposals.push(Proposal { ticket, store, region, version, index, term });
            ticket
        });
        let event = Happening::Propose { region, store, command: command.clone(), epoch, outcome };
        self.happened(Changed::Peer(at, region), event, outputs);
        ticket
    }

    /// Asks this store's peer to read one value, or all.
    pub(super) fn read(&mut self, at: usize, region: RegionId, key: Option<Key>) -> Result<Ticket, Outcome> {
        let input = match &key {
            Some(key) => Input::Read { region, key: convert::to_key(key) },
            None => Input::Snap { region },
        };
        let (outcome, outputs) = match self.step(at, input) {
            Ok(outputs) => (Outcome::DONE, outputs),
            Err(reason) => (Outcome::Refused(reason), Vec::new()),
        };
        let store = self.nodes[at].id;
        let asked = if outcome.is_done() {
            let ticket = self.requests.ticket();
            // A peer has one read: an earlier pending one is lost.
            self.lose_readings(|reading| (reading.store, reading.region) == (store, region));
            self.requests.readings.push(Reading { ticket: Some(ticket), store, region });
            Ok(ticket)
        } else {
            Err(outcome.clone())
        };
        self.happened(Changed::Peer(at, region), Happening::Read { region, store, key, outcome }, outputs);
        asked
    }

    fn lose_readings(&mut self, lost: impl Fn(&Reading) -> bool) {
        let Requests { readings, replies, .. } = &mut self.requests;
        let lost = readings.extract_if(.., |reading| lost(reading));
        replies.extend(lost.filter_map(|lost| Some((lost.ticket?, Reply::Unknown))));
    }

    /// Completes the requests that this store's last event decides.
    pub(super) fn settle(&mut self, at: usize) {
        let store = self.nodes[at].id;
        let mut waiting = std::mem::take(&mut self.requests.proposals);
        waiting.retain(|proposal| {
            let reply = if proposal.store == store { self.fate(at, proposal) } else { None };
            reply.map(|reply| self.requests.replies.insert(proposal.ticket, reply)).is_none()
        });
        self.requests.proposals.extend(waiting);
        let mut gone = Vec::new();
        let mut ready = Vec::new();
        for reading in self.requests.readings.iter().filter(|reading| reading.store == store) {
            let peer = self.status(at, reading.region);
            match peer.as_ref().and_then(|peer| Some((peer, peer.read()?))) {
                None => gone.push(reading.region),
                Some((peer, read)) if read.ready && read.index <= peer.applied() => {
                    ready.push(reading.region);
                }
                Some(_) => {}
            }
        }
        self.lose_readings(|reading| reading.store == store && gone.contains(&reading.region));
        for region in ready {
            self.answer(at, region);
        }
    }

    /// How the proposal ended, if it has.
    fn fate(&self, at: usize, proposal: &Proposal) -> Option<Reply> {
        let Some(peer) = self.status(at, proposal.region) else { return Some(Reply::Unknown) };
        if peer.applied() < proposal.index {
            return None;
        }
        // One step applies at most one split, and applies it first.
        let meant = peer.log_term(proposal.index) == Some(proposal.term)
            && peer.region().epoch.version == proposal.version;
        Some(if meant { Reply::Applied } else { Reply::Unknown })
    }

    fn answer(&mut self, at: usize, region: RegionId) {
        let outputs = self.step(at, Input::AnswerRead { region }).expect("a read that is ready is answered");
        let of = (self.nodes[at].id, region);
        let readings = &mut self.requests.readings;
        let asked = readings.extract_if(.., |reading| (reading.store, reading.region) == of);
        let tickets: Vec<Ticket> = asked.filter_map(|reading| reading.ticket).collect();
        let text = |(key, value): (&rollcall_impl::Key, &rollcall_impl::Value)| {
            (convert::key(key), convert::key(value))
        };
        let answered = outputs.iter().find_map(|output| match output {
            Output::Snap { region, data } => Some((region.clone(), data.iter().map(text).collect())),
            Output::Value { key, value, region } => {
                let data: BTreeMap<_, _> = value.iter().map(|value| text((key, value))).collect();
                Some((region.clone(), data))
            }
            _ => None,
        });
        let (known, data) = answered.expect("an answer has what was asked for");
        for ticket in tickets {
            let reply = Reply::Snap { region: known.clone(), data: data.clone() };
            self.requests.replies.insert(ticket, reply);
        }
        let event =
            Happening::AnswerRead { region, store: self.nodes[at].id, meta: convert::region(&known), data };
        self.happened(Changed::Peer(at, region), event, outputs);
    }
}
