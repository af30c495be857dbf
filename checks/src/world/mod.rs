//! The world around the implementation: stores, and the messages between them, in rounds.
//!
//! It takes the dictionary's actions. It turns each into steps of one or two stores and delivers
//! the messages of that round between the two; everything else that the stores send is dropped, as
//! in a partition. The stores decide by their own rules; the world only decides which messages
//! arrive. Vote requests and the `TimeoutNow` of a transfer wait here until a round takes them.

use std::rc::Rc;
use std::sync::Arc;

use rollcall_impl::eraftpb::MessageType;
use rollcall_impl::pd::{Dispatch, RegionReport};
use rollcall_impl::{
    Config, Guards, Input, Mark, MemoryEngine, Message, MessagePayload, Output, PeerStatus, RaftRs,
    RecoveryPlan, Replica, Sound, StateRole, StoreReport, SyncedStore, Ticket,
};
use rollcall_model::{ReadSet, Rollcall};
use rollcall_traces::{
    Action, Healed, Held, Outcome, Reason, RegionId, Reply, Returned, Scope, ScopeError, Sides, StoreId,
    StoreStatus, Subject, View,
};

mod compare;
pub(crate) mod convert;
mod force;
mod heal;
mod late;
mod pd;
mod persist;
mod power;
mod process;
mod recovery;
mod rounds;
mod shown;
mod split;
mod stale;
#[cfg(test)]
mod tests;
mod tracked;

use pd::Pd;
use persist::Handed;
use tracked::Tracked;

/// One store.
#[derive(Clone)]
struct Node<G: Guards, R: Replica> {
    id: StoreId,
    status: StoreStatus,
    /// The store. While it is down, the store that will restart; `None` once its disk is lost.
    /// Copies of the world share it until one of them changes it.
    store: Option<Rc<SyncedStore<G, MemoryEngine, R>>>,
}

/// A held message in the implementation's type.
#[derive(Clone)]
enum Waiting {
    /// From a store.
    Message(Message),
    /// From the placement driver, for the leader on this store.
    AskSplitResponse(StoreId, Input),
    /// From the placement driver, for the peer that it takes for the leader.
    Order(Box<Dispatch>),
    /// To the placement driver.
    Report(Box<RegionReport>),
    /// From this store to the placement driver.
    StoreReport(StoreId, Box<StoreReport>),
    /// From the placement driver to this store.
    RecoveryPlan(StoreId, Box<RecoveryPlan>),
}

/// The vote requests of one campaign.
#[derive(Clone)]
struct Requests {
    region: RegionId,
    candidate: StoreId,
    /// The candidate's peer id, and the term that it asks for.
    campaign: (u64, u64),
    /// The campaign's batch, for which they wait.
    ticket: Ticket,
    messages: Vec<Message>,
}

/// The implementation's stores, and the messages between them.
#[derive(Clone)]
pub struct World<G: Guards = Sound, R: Replica = RaftRs> {
    guards: G,
    /// Makes the stores' replicas.
    maker: R::Maker,
    /// The scope that it was reset to.
    scope: Option<Arc<Scope>>,
    config: Config,
    nodes: Vec<Tracked<Node<G, R>>>,
    requests: Vec<Requests>,
    /// The pending `TimeoutNow` of each leader.
    timeouts: Vec<Message>,
    held: Vec<Held>,
    /// The messages of `held` in the implementation's types, in the same order.
    messages: Tracked<Vec<Waiting>>,
    pd: Tracked<Pd<G>>,
    /// The touched peers before the action, each with the commit indexes that it knew of others.
    before: Vec<(usize, RegionId, Mark, u64)>,
    /// Whether anything but a peer has changed.
    changed: bool,
    /// What the last step handed out, where persistence is late.
    handed: Handed,
}

impl<G: Guards> World<G> {
    /// A world without stores. Reset it to a scope.
    pub fn new(guards: G) -> Self {
        Self::on((), guards)
    }
}

impl<G: Guards, R: Replica> World<G, R> {
    /// The same, with replicas from `maker`.
    pub fn on(maker: R::Maker, guards: G) -> Self {
        Self {
            guards,
            maker,
            scope: None,
            config: Config::SIMULATOR,
            nodes: Vec::new(),
            requests: Vec::new(),
            timeouts: Vec::new(),
            held: Vec::new(),
            messages: Tracked::new(Vec::new()),
            pd: Tracked::new(Pd::absent()),
            before: Vec::new(),
            changed: false,
            handed: Handed::default(),
        }
    }

    /// The names of model and implementation in a report.
    pub fn sides(&self) -> Sides {
        Sides { actual: R::name(&self.maker), ..Sides::MODEL_AND_IMPL }
    }

    /// Whether its present state can be cloned.
    pub(crate) fn can_be_copied(&self) -> bool {
        R::can_be_copied(&self.maker)
    }

    /// Clears the read set.
    pub(crate) fn notice_afresh(&self) {
        self.nodes.iter().for_each(Tracked::forget);
        self.messages.forget();
        self.pd.forget();
    }

    /// The components of a state that were read since the read set was cleared.
    pub(crate) fn read_set(&self, model: &Rollcall) -> ReadSet {
        let stores = self.nodes.iter().filter(|node| node.was_read()).map(|node| node.untracked().id);
        model.read_set(stores, self.messages.was_read(), self.pd.was_read())
    }

    /// Drops every message in flight.
    pub fn lose_what_is_under_way(&mut self) {
        self.held.clear();
        self.messages.clear();
    }

    /// The index of a store.
    fn index_of(&self, store: StoreId) -> Option<usize> {
        self.nodes.iter().position(|node| node.untracked().id == store)
    }

    /// The index of a store that is up.
    fn up(&self, store: StoreId) -> Result<usize, Reason> {
        let found = self.index_of(store);
        found.filter(|at| self.nodes[*at].status == StoreStatus::Up).ok_or(Reason::StoreDown)
    }

    fn status(&self, node: usize, region: RegionId) -> Option<PeerStatus<'_, R>> {
        self.nodes[node].store.as_ref()?.peer(region)
    }

    fn live(&self, node: usize, region: RegionId) -> Result<PeerStatus<'_, R>, Reason> {
        self.status(node, region).ok_or(Reason::RegionNotFound)
    }

    fn leader(&self, node: usize, region: RegionId) -> Result<PeerStatus<'_, R>, Reason> {
        let status = self.live(node, region)?;
        if status.role() == StateRole::Leader { Ok(status) } else { Err(Reason::NotLeader) }
    }

    /// The store at this index; its peer of `region` may change now.
    fn touch(&mut self, node: usize, region: RegionId) -> &mut SyncedStore<G, MemoryEngine, R> {
        let is_first = !self.before.iter().any(|(at, of, ..)| (*at, *of) == (node, region));
        let known = if is_first { self.known_commits(node, region) } else { 0 };
        let store = self.nodes[node].store.as_mut().expect("only stores that are there are touched");
        let store = Rc::make_mut(store);
        if is_first {
            self.before.push((node, region, store.mark(region), known));
        }
        store
    }

    /// Whether anything visible has changed since the action began.
    fn has_changed(&self) -> bool {
        self.changed
            || self.before.iter().any(|(node, region, mark, known)| {
                self.nodes[*node].store.as_ref().is_none_or(|store| store.mark(*region) != *mark)
                    || self.known_commits(*node, *region) != *known
            })
    }

    /// One step of one store. Vote requests and `TimeoutNow` stay in the world.
    fn step(&mut self, node: usize, region: RegionId, input: Input) -> Result<Vec<Output>, Reason> {
        let stepped = if self.is_late() {
            self.step_late(node, region, input)
        } else {
            self.touch(node, region).step(input)
        };
        match stepped {
            Ok(outputs) => {
                self.absorb(&outputs, self.handed.ticket);
                Ok(outputs)
            }
            Err(error) => Err(power::refused(error)),
        }
    }

    fn absorb(&mut self, outputs: &[Output], ticket: Ticket) {
        for output in outputs {
            let Output::Message(message) = output else { continue };
            match message.raft_type() {
                Some(MessageType::MsgRequestVote) => self.keep_request(message, ticket),
                Some(MessageType::MsgTimeoutNow) => {
                    let from = (message.region, message.from.store);
                    // One sent again may be all that changes (`timeout_now_again`).
                    self.changed |= self.timeout_now(from.0, from.1).is_none();
                    self.timeouts.retain(|old| (old.region, old.from.store) != from);
                    self.timeouts.push(message.clone());
                }
                _ => {}
            }
        }
    }

    fn keep_request(&mut self, message: &Message, ticket: Ticket) {
        let campaign = (message.from.id, message.raft().map_or(0, |raft| raft.term));
        let (region, candidate) = (message.region, message.from.store);
        let known =
            self.requests.iter_mut().find(|kept| (kept.region, kept.candidate) == (region, candidate));
        match known {
            Some(kept) if kept.campaign == campaign => kept.messages.push(message.clone()),
            Some(kept) => {
                (kept.campaign, kept.ticket) = (campaign, ticket);
                kept.messages = vec![message.clone()];
            }
            None => {
                let messages = vec![message.clone()];
                self.requests.push(Requests { region, candidate, campaign, ticket, messages });
            }
        }
    }

    /// The pending `TimeoutNow` of the leader on `store`. It is dropped when the transfer ends.
    fn timeout_now(&self, region: RegionId, store: StoreId) -> Option<&Message> {
        let leader = self.leader(self.index_of(store)?, region).ok()?;
        let message = self.timeouts.iter().find(|kept| (kept.region, kept.from.store) == (region, store))?;
        let fresh = leader.id() == message.from.id
            && leader.lead_transferee() == Some(message.to.id)
            && message.raft().is_some_and(|raft| raft.term == leader.term());
        fresh.then_some(message)
    }

    /// Drops each `TimeoutNow` whose transfer has ended.
    fn drop_stale_timeouts(&mut self) {
        let kept = std::mem::take(&mut self.timeouts);
        let mut fresh = Vec::with_capacity(kept.len());
        for message in kept {
            self.timeouts.push(message);
            let is_fresh = self
                .timeouts
                .last()
                .is_some_and(|message| self.timeout_now(message.region, message.from.store).is_some());
            if let Some(message) = self.timeouts.pop()
                && is_fresh
            {
                fresh.push(message);
            }
        }
        self.timeouts = fresh;
    }

    /// Delivers a message. `Err` if the store refuses it, or if it answers with a message that raft
    /// never sees, such as `GcPeer`; `reply` decides whether that answer arrives.
    fn deliver(&mut self, node: usize, message: Message, reply: Reply) -> Result<Vec<Output>, Reason> {
        let (region, sender) = (message.region, message.from.store);
        let outputs = self.step(node, region, Input::Message(message))?;
        let word = outputs.iter().find_map(|output| match output {
            Output::Message(reply) if is_word_of_store(reply) => Some(reply),
            _ => None,
        });
        let Some(sent) = word else { return Ok(outputs) };
        self.before_reply(node, sent, reply);
        match reply {
            Reply::Delivered => {
                if let Ok(back) = self.up(sender) {
                    // Whether the sender acts on it does not matter: its message was refused.
                    let _ = self.step(back, region, Input::Message(sent.clone()));
                }
            }
            Reply::Delayed => self.hold(sent.clone()),
            Reply::Dropped => {}
        }
        match sent.payload {
            MessagePayload::CheckStalePeerResponse(_) => Err(Reason::StaleEpoch),
            _ => Err(Reason::SenderRemoved),
        }
    }

    fn hold(&mut self, message: Message) {
        let mut shown = convert::held(&message);
        if let rollcall_traces::Message::AppendResponse { commit, .. } = &mut shown.message
            && !self.reports_commits()
        {
            *commit = 0;
        }
        self.held.push(shown);
        self.messages.push(Waiting::Message(message));
        self.changed = true;
    }

    fn take(&mut self, action: &Action) -> Result<Returned, Reason> {
        match *action {
            Action::Campaign { region, store } => self.one(store, region, Input::Campaign { region }),
            Action::ApplySnapshot { region, store } => {
                self.one(store, region, Input::ApplySnapshot { region })
            }
            Action::Apply { region, store } => self.apply_next(region, store),
            Action::Propose { region, store, ref command, epoch } => {
                let command = convert::to_command(command);
                let epoch = epoch.map(convert::to_epoch);
                let node = self.up(store)?;
                self.propose(node, region, command, epoch).map(|()| Returned::Nothing)
            }
            Action::AskSplit { region, store, ref keys, derive, reply } => {
                self.ask_split(region, store, keys, derive, reply)
            }
            Action::Read { region, store, ref key } => {
                self.one(store, region, Input::Read { region, key: convert::to_key(key) })
            }
            Action::AnswerRead { region, store } => self.answer_read(region, store),
            Action::Vote { region, candidate, voter, reply } => {
                self.vote(region, candidate, voter, reply).map(|()| Returned::Nothing)
            }
            Action::Replicate { region, leader, follower, entries, reply } => {
                self.replicate(region, leader, follower, entries, reply).map(|()| Returned::Nothing)
            }
            Action::Heartbeat { region, leader, follower, reply } => {
                self.heartbeat_round(region, leader, follower, reply).map(|()| Returned::Nothing)
            }
            Action::CheckStalePeer { region, store, asks, reply } => {
                self.check_stale_peer(region, store, asks, reply).map(|()| Returned::Nothing)
            }
            Action::TimeoutNow { region, leader } => {
                self.take_timeout_now(region, leader).map(|()| Returned::Nothing)
            }
            Action::TransferTimeout { region, store } => {
                self.transfer_timeout(region, store).map(|()| Returned::Nothing)
            }
            Action::Crash { store } => self.crash(store).map(|()| Returned::Nothing),
            Action::Restart { store } => self.restart(store).map(|()| Returned::Nothing),
            Action::Persist { store } => self.persist(store).map(|()| Returned::Nothing),
            Action::LoseDisk { store } => self.lose_disk(store).map(|()| Returned::Nothing),
            Action::Hold { region, from, to, message } => {
                self.hold_outgoing(region, from, to, message).map(|()| Returned::Nothing)
            }
            Action::Late { slot } => self.late(slot),
            Action::TombstonePeer { region, store, force } => {
                self.tombstone_peer(region, store, force).map(|()| Returned::Nothing)
            }
            Action::StoreHeartbeat { store, reply } => self.store_heartbeat(store, reply),
            Action::RecoveryTimeout => self.recovery_timeout(),
            Action::ForceLeaderTimeout { region, store } => {
                self.one(store, region, Input::ForceLeaderTimeout { region })
            }
            Action::RegionHeartbeat { .. }
            | Action::Schedule { .. }
            | Action::AddOperator { .. }
            | Action::MissedHeartbeat { .. }
            | Action::PushOperator { .. }
            | Action::OperatorTimeout { .. }
            | Action::CheckStores
            | Action::PdRestart
            | Action::RemoveFailedStores { .. }
            | Action::AddStore { .. }
            | Action::Decommission { .. }
            | Action::CancelDecommission { .. }
            | Action::SetTombstone { .. }
            | Action::RemoveTombstone { .. }
            | Action::RemoveOperator { .. } => self.take_with_pd(action),
        }
    }

    fn one(&mut self, store: StoreId, region: RegionId, input: Input) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        self.step(node, region, input).map(|_| Returned::Nothing)
    }

    /// Applies the next admin entry. A merge also changes another region.
    fn apply_next(&mut self, region: RegionId, store: StoreId) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let beside: Vec<RegionId> = self.nodes[node].store.iter().flat_map(|store| store.regions()).collect();
        for other in beside {
            self.touch(node, other);
        }
        if self.status(node, region).is_some_and(|peer| peer.recovery().is_some()) {
            // The step may go on to propose a membership change.
            self.report_inactive(node, region)?;
        }
        self.step(node, region, Input::Apply { region }).map(|_| Returned::Nothing)
    }

    fn answer_read(&mut self, region: RegionId, store: StoreId) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let outputs = self.step(node, region, Input::AnswerRead { region })?;
        let returned = outputs.into_iter().find_map(|output| match output {
            Output::Value { key, value, region } => Some(Returned::Value {
                key: convert::key(&key),
                value: value.as_ref().map(convert::key),
                region: convert::region(&region),
            }),
            _ => None,
        });
        Ok(returned.unwrap_or(Returned::Nothing))
    }
}

/// Whether it is a store's message to its receiver: the receiver was removed, its region has
/// merged, or which members to ask.
fn is_word_of_store(message: &Message) -> bool {
    matches!(
        message.payload,
        MessagePayload::GcPeer(_) | MessagePayload::Merged(_) | MessagePayload::CheckStalePeerResponse(_)
    )
}

impl<G: Guards, R: Replica> Subject for World<G, R> {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        scope.validate()?;
        let config = Config {
            unsynced_commits: scope.unsynced_commits,
            early_appends: scope.late_persistence,
            late_persistence: scope.late_persistence,
            ..Config::SIMULATOR
        };
        *self = World {
            scope: Some(Arc::new(scope.clone())),
            config,
            pd: Tracked::new(Pd::of(scope, self.guards)),
            ..World::on(self.maker.clone(), self.guards)
        };
        for id in &scope.stores {
            let mut store = self.open(*id, MemoryEngine::new());
            for region in scope.regions.iter().filter(|region| region.member_on(*id).is_some()) {
                store.bootstrap(convert::to_region(region)).expect("an empty store takes its first regions");
            }
            self.nodes.push(Tracked::new(Node {
                id: *id,
                status: StoreStatus::Up,
                store: Some(Rc::new(store)),
            }));
        }
        for (at, action) in scope.setup.iter().enumerate() {
            if let Outcome::Refused(reason) = self.apply(action) {
                return Err(ScopeError::Setup { scope: scope.name.clone(), step: at + 1, reason });
            }
        }
        Ok(())
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        self.before.clear();
        self.changed = false;
        let result = self.take(action);
        let changed = self.has_changed();
        if !self.timeouts.is_empty() {
            self.drop_stale_timeouts();
        }
        match result {
            Ok(returned) if changed || returned != Returned::Nothing => Outcome::Done(returned),
            Ok(_) => Outcome::Refused(Reason::NoEffect),
            // The step failed after it had changed something.
            Err(_) if changed => Outcome::DONE,
            Err(reason) => Outcome::Refused(reason),
        }
    }

    fn view(&self) -> View {
        let stores = self.nodes.iter().map(|node| {
            let mut seen = rollcall_traces::Store { status: node.status, ..Default::default() };
            if let Some(store) = &node.store {
                let peers = store.regions().filter_map(|region| Some((region, self.peer(node.id, region)?)));
                seen.peers = peers.collect();
                seen.ranges = store.ranges().map(convert::range_entry).collect();
                seen.pending_ranges = store.pending_ranges().map(convert::range_entry).collect();
                seen.pending_messages = store.pending_messages().iter().map(convert::held).collect();
                seen.plan = store.recovery_plan().map(convert::recovery::under_way);
            }
            (node.id, seen)
        });
        View { stores: stores.collect(), held: self.held.clone(), pd: self.pd.shown().clone() }
    }

    fn healed(&self) -> Option<Healed> {
        self.heal()
    }
}
