//! The actions that a state offers within its scope. `costs.rs` has their costs.

use rollcall_traces::{
    Action, Authority, Budgets, Change, ChangeKind, Cluster, Command, KnownStore, Liveness, Outgoing, Peer,
    PeerState, RegionId, Reply, Role, Scope, SplitKeys, StoreId, StoreState, StoreStatus,
};

use crate::bounds::costs::left;
use crate::cluster::{ClusterInScope, is_given_up};
use crate::rules;

/// A part of the scope that offers actions: a store, by its place, or everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Store(usize),
    Beside,
}

/// The sections of a scope, in the order in which they offer.
pub(crate) fn sections(stores: usize) -> impl Iterator<Item = Section> {
    (0..stores).map(Section::Store).chain([Section::Beside])
}

/// The actions of a section that the budgets allow and that are not obviously disabled. The rules
/// may still refuse some.
pub(crate) fn offered(
    scope: &Scope,
    cluster: impl ClusterInScope,
    section: Section,
    actions: &mut Vec<Action>,
) {
    let spent = *cluster.spent();
    let first = actions.len();
    let mut offer = Offer { scope, cluster, left: left(scope, &spent), spent, actions };
    match section {
        Section::Store(at) => offer.of_store(at),
        Section::Beside => offer.beside(),
    }
    // Checked only if possible, because the check reads the placement driver.
    if scope.admin.iter().any(|action| matches!(action, Action::RemoveFailedStores { .. })) {
        let reached = actions.split_off(first);
        actions.extend(reached.into_iter().filter(|action| !is_across(&cluster, action)));
    }
}

/// Whether the action carries a message between a failed store and a remaining one. By naming a
/// store to PD, the administrator states that it is gone. PD and TiKV cannot make it safe if the
/// store still runs and reaches others (`traces/scenarios/given-up-and-still-heard.jsonl`). Its
/// earlier messages are cut off, too.
pub(crate) fn is_across(cluster: &impl Cluster, action: &Action) -> bool {
    if cluster.pd().recovery_step == 0 {
        return false;
    }
    let is_failed = |store: &StoreId| is_given_up(cluster, *store);
    let ends = match action {
        Action::Vote { candidate, voter, .. } => [*candidate, *voter],
        Action::Replicate { leader, follower, .. } | Action::Heartbeat { leader, follower, .. } => {
            [*leader, *follower]
        }
        Action::CheckStalePeer { store, asks: Authority::Member(asked), .. } => [*store, *asked],
        Action::TimeoutNow { leader, region } => {
            let target = cluster
                .peer(*leader, *region)
                .and_then(|peer| Some(peer.region.member(peer.leading.as_ref()?.transfer?.to)?.store));
            [*leader, target.unwrap_or(*leader)]
        }
        Action::Late { slot } => match cluster.held().get(*slot) {
            Some(held) if !held.is_from_pd() && !held.is_to_pd() => [held.from.store, held.to.store],
            _ => return false,
        },
        _ => return false,
    };
    is_failed(&ends[0]) != is_failed(&ends[1])
}

struct Offer<'a, S> {
    scope: &'a Scope,
    cluster: S,
    left: Budgets,
    spent: Budgets,
    actions: &'a mut Vec<Action>,
}

impl<S: ClusterInScope> Offer<'_, S> {
    fn of_store(&mut self, at: usize) {
        let cluster = self.cluster;
        let store = cluster.store_at(at);
        let status = cluster.status(store).expect("a store of the scope");
        match status {
            StoreStatus::Up => {
                for region in cluster.regions_on(store) {
                    if let Some(peer) = cluster.peer(store, region)
                        && peer.state != PeerState::Tombstone
                    {
                        self.of_peer(store, region, peer);
                    }
                }
                let mut regions = cluster.regions_on(store);
                let is_late = |region| cluster.peer(store, region).is_some_and(|peer| peer.durable.is_some());
                if self.scope.late_persistence && regions.any(is_late) {
                    self.actions.push(Action::Persist { store });
                }
            }
            StoreStatus::Down => self.actions.push(Action::Restart { store }),
            StoreStatus::DiskLost => {}
        }
        let may_fail = self.scope.crashers.is_empty() || self.scope.crashers.contains(&store);
        if may_fail && status == StoreStatus::Up && self.left.crashes > 0 {
            self.actions.push(Action::Crash { store });
        }
        if may_fail && status != StoreStatus::DiskLost && self.left.disk_losses > 0 {
            self.actions.push(Action::LoseDisk { store });
        }
    }

    fn beside(&mut self) {
        for slot in 0..self.cluster.held().len() {
            self.actions.push(Action::Late { slot });
        }
        if self.scope.max_replicas > 0 {
            self.of_pd();
        }
    }

    /// Reports and requests to the placement driver, and its own actions.
    fn of_pd(&mut self) {
        let cluster = self.cluster;
        let pd = cluster.pd();
        for (&store, known) in &pd.stores {
            let runs = self.cluster.stores().any(|(id, status)| id == store && status == StoreStatus::Up);
            let reported = KnownStore {
                liveness: Liveness::Connected,
                full: self.scope.full.contains(&store),
                ..*known
            };
            // The rules decide what PD does about a store that is nearly full.
            let is_new = reported != *known || self.scope.low_space.contains(&store);
            if runs && known.state != StoreState::Tombstone {
                self.store_heartbeats(store, is_new);
            }
            let may_fail = self.scope.crashers.is_empty() || self.scope.crashers.contains(&store);
            if self.left.missed_heartbeats > 0 && may_fail && known.liveness != Liveness::Down {
                self.actions.push(Action::MissedHeartbeat { store });
            }
        }
        for &region in pd.regions.keys() {
            if pd.operator(region).is_some() {
                if self.left.timeouts > 0 {
                    self.actions.push(Action::OperatorTimeout { region });
                }
                if self.left.pushes > 0 && pd.operators.contains_key(&region) {
                    // A pushed order that is dropped has no effect.
                    let replies = self.replies().filter(|reply| *reply != Reply::Dropped);
                    self.actions.extend(replies.map(|reply| Action::PushOperator { region, reply }));
                }
            } else if self.left.schedules > 0 {
                for reply in self.fates() {
                    self.actions.push(Action::Schedule { region, reply });
                }
            }
        }
        if pd.stores.values().any(|known| known.state == StoreState::Offline) {
            self.actions.push(Action::CheckStores);
        }
        if pd.recovery.is_some() && self.left.timeouts > 0 {
            self.actions.push(Action::RecoveryTimeout);
        }
        if self.left.pd_restarts > 0 {
            self.actions.push(Action::PdRestart);
        }
        if self.left.admin > 0 {
            self.actions.extend(self.scope.admin.iter().cloned());
        }
    }

    /// A store heartbeat that changes PD's record, or belongs to an unsafe recovery. Its reply may
    /// be dropped or delayed if it carries a plan.
    fn store_heartbeats(&mut self, store: StoreId, is_new: bool) {
        let recovery = self.cluster.pd().recovery.as_deref();
        let waits = recovery.is_some_and(|recovery| matches!(recovery.reports.get(&store), Some(None)));
        if waits {
            let replies = self.replies().map(|reply| Action::StoreHeartbeat { store, reply });
            self.actions.extend(replies);
        } else if is_new || self.cluster.recovery_plan(store).is_some() {
            self.actions.push(Action::StoreHeartbeat { store, reply: Reply::Delivered });
        }
        if self.scope.store_reports && self.left.late > 0 && self.cluster.recovery_plan(store).is_some() {
            let (region, from, to, message) = (0, store, 0, Outgoing::StoreReport);
            self.actions.push(Action::Hold { region, from, to, message });
        }
    }

    /// A leader's report. The order in reply may be dropped or delayed. [`affords`] decides which,
    /// once the step shows the order.
    fn reports(&mut self, store: StoreId, region: RegionId) {
        let pd = self.cluster.pd();
        let may_order = pd.operator(region).is_some();
        let replies: Vec<Reply> = if may_order { self.fates().collect() } else { vec![Reply::Delivered] };
        for reply in replies {
            self.actions.push(Action::RegionHeartbeat { region, store, reply });
        }
        if self.left.late > 0 {
            let (from, message) = (store, Outgoing::RegionReport);
            self.actions.push(Action::Hold { region, from, to: 0, message });
        }
    }

    fn of_peer(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        let hangs = self.scope.apply_stalled.contains(&store);
        if peer.snapshot.is_some() && !hangs {
            self.actions.push(Action::ApplySnapshot { region, store });
        }
        let late = self.scope.late_persistence;
        if peer.log.entry(peer.applied + 1).is_some_and(|entry| late || entry.is_admin())
            && peer.applied < peer.commit
            && !hangs
        {
            self.actions.push(Action::Apply { region, store });
        }
        if peer.read.as_ref().is_some_and(|read| read.ready) {
            self.actions.push(Action::AnswerRead { region, store });
        }
        if peer.is_by_force() && self.left.timeouts > 0 {
            self.actions.push(Action::ForceLeaderTimeout { region, store });
        }
        match peer.role {
            Role::Leader => self.of_leader(store, region, peer),
            Role::Candidate => {
                for member in &peer.region.peers {
                    for reply in self.replies() {
                        self.actions.push(Action::Vote {
                            region,
                            candidate: store,
                            voter: member.store,
                            reply,
                        });
                    }
                    if self.left.late > 0 && peer.region.is_voter(member.id) && member.id != peer.id {
                        let (from, to, message) = (store, member.store, Outgoing::VoteRequest);
                        self.actions.push(Action::Hold { region, from, to, message });
                    }
                }
            }
            Role::Follower => {}
        }
        if peer.role != Role::Leader && self.left.stale_checks > 0 {
            self.stale_checks(store, region, peer);
        }
        let may_campaign = self.scope.campaigners.is_empty() || self.scope.campaigners.contains(&store);
        if peer.role != Role::Leader && self.left.elections > 0 && may_campaign {
            self.actions.push(Action::Campaign { region, store });
        }
    }

    /// Any peer but the leader may be without a leader for long. A check whose reply is dropped has
    /// no effect.
    fn stale_checks(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        let members = rules::peers_to_ask(peer).map(|member| Authority::Member(member.store));
        let pd = (self.scope.max_replicas > 0).then_some(Authority::PlacementDriver);
        for asks in members.chain(pd) {
            let replies = self.replies().filter(|reply| *reply != Reply::Dropped);
            let check = |reply| Action::CheckStalePeer { region, store, asks, reply };
            self.actions.extend(replies.map(check));
        }
    }

    /// A heartbeat to an existing follower. Only a read needs its reply.
    fn heartbeat(&mut self, region: RegionId, leader: StoreId, follower: StoreId, reads: bool) {
        let lost = (reads && self.left.lost > 0).then_some(Reply::Dropped);
        for reply in [Reply::Delivered].into_iter().chain(lost) {
            self.actions.push(Action::Heartbeat { region, leader, follower, reply });
        }
    }

    fn of_leader(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        for member in peer.region.peers.iter().filter(|member| member.id != peer.id) {
            for &entries in &self.scope.rounds {
                for reply in self.replies() {
                    self.actions.push(Action::Replicate {
                        region,
                        leader: store,
                        follower: member.store,
                        entries,
                        reply,
                    });
                }
            }
            let (from, to) = (store, member.store);
            let there = self
                .cluster
                .peer(to, region)
                .is_some_and(|peer| peer.state != PeerState::Tombstone && peer.id == member.id);
            if there && self.scope.heartbeats {
                self.heartbeat(region, from, to, peer.read.is_some());
            }
            if self.left.late > 0 {
                self.actions.push(Action::Hold { region, from, to, message: Outgoing::Append });
                // To an existing follower it differs from an append: it carries no entry, and
                // commits what is known to match. It is offered only if the scope asks for it.
                if !there || self.scope.heartbeats {
                    self.actions.push(Action::Hold { region, from, to, message: Outgoing::Heartbeat });
                }
            }
        }
        self.proposals(store, region, peer);
        if self.scope.max_replicas > 0 {
            self.reports(store, region);
        }
        if let Some(transfer) = peer.leading.as_ref().and_then(|leading| leading.transfer) {
            self.actions.push(Action::TransferTimeout { region, store });
            if transfer.timeout_now {
                self.actions.push(Action::TimeoutNow { region, leader: store });
                if let Some(to) = peer.region.member(transfer.to).filter(|_| self.left.late > 0) {
                    let (from, to) = (store, to.store);
                    self.actions.push(Action::Hold { region, from, to, message: Outgoing::TimeoutNow });
                }
            }
        }
        if self.left.reads > 0 && peer.read.is_none() {
            for key in self.scope.keys.iter().filter(|key| peer.region.contains(key)) {
                self.actions.push(Action::Read { region, store, key: key.clone() });
            }
        }
    }

    fn proposals(&mut self, store: StoreId, region: RegionId, peer: &Peer) {
        let mut writes = self.scope.commands.iter().filter(|command| command.written_key().is_some());
        // The n-th write uses the scope's n-th value, so that values distinguish writes.
        let write = writes.nth(usize::from(self.spent.writes)).filter(|_| self.left.writes > 0);
        if let Some(write) =
            write.filter(|write| write.written_key().is_some_and(|key| peer.region.contains(key)))
        {
            self.propose(store, region, write.clone());
        }
        let founded = self.scope.regions.iter().any(|founded| founded.id == region);
        let childs = self.scope.child_commands.iter().filter(|child| child.region == region);
        for command in self.scope.commands.iter().chain(childs.map(|child| &child.command)) {
            let own = founded || self.scope.child_commands.iter().any(|child| child.command == *command);
            let allowed = match command {
                Command::Put { .. } | Command::Delete { .. } => false,
                Command::TransferLeader { .. } => self.left.transfers > 0,
                Command::CompactLog { .. } => self.left.compactions > 0,
                Command::Split { .. } => own && self.left.splits > 0,
                _ => {
                    own && self.left.changes > 0
                        && !demotes_a_stranger(peer, command)
                        && !self.reuses_a_living_id(region, peer, command)
                }
            };
            if allowed {
                self.propose(store, region, command.clone());
            }
        }
        self.merges(store, region);
        for SplitKeys { keys, derive } in &self.scope.splits {
            if self.left.splits == 0 || !keys.iter().all(|key| peer.region.has_inside(key)) {
                continue;
            }
            for reply in self.replies() {
                let (keys, derive) = (keys.clone(), *derive);
                self.actions.push(Action::AskSplit { region, store, keys, derive, reply });
            }
        }
        if self.left.compactions > 0 && peer.applied > peer.log.truncated.index {
            self.propose(store, region, Command::CompactLog { index: peer.applied });
        }
    }

    /// Starting a merge needs a budget. A leader may always end a merge that has started.
    fn merges(&mut self, store: StoreId, region: RegionId) {
        let cluster = self.cluster;
        for &(source, target) in &self.scope.merges {
            let here = |of| cluster.peer(store, of).filter(|peer| peer.is_initialized());
            let (Some(from), Some(into)) = (here(source), here(target)) else { continue };
            if source == region && self.left.merges > 0 {
                self.propose(store, region, Command::prepare_merge(into.region.clone()));
            }
            let waits = from.merge.as_ref().is_some_and(|merge| merge.target.id == target);
            if target == region && waits {
                self.propose(store, region, Command::commit_merge(source));
            }
            if source == region && waits {
                self.propose(store, region, Command::RollbackMerge { commit: 0 });
            }
        }
    }

    fn propose(&mut self, store: StoreId, region: RegionId, command: Command) {
        self.actions.push(Action::Propose { region, store, command, epoch: None });
    }

    /// Whether the command adds a peer id while the removed peer with that id is still live, or is
    /// yet to be created by a split. PD never reuses an id. TinyKV's harness waits until the old
    /// peer is destroyed. Otherwise the new peer inherits acknowledgements that the old one takes
    /// with it (`traces/golden/same_id_while_the_old_peer_lives.jsonl`).
    fn reuses_a_living_id(&self, region: RegionId, leader: &Peer, command: &Command) -> bool {
        let changes = match command {
            Command::ChangePeer(change) => std::slice::from_ref(change),
            Command::EnterJoint { changes } => changes,
            _ => return false,
        };
        changes.iter().any(|change| {
            change.kind != ChangeKind::Remove
                && leader.region.member(change.peer).is_none()
                && match self.cluster.peer(change.store, region) {
                    Some(peer) => peer.id == change.peer && peer.state != PeerState::Tombstone,
                    None => divides(self.scope) && self.may_be_born(region, change),
                }
        })
    }

    /// Whether a split in some peer's log creates this peer, and its store has not applied the
    /// split.
    fn may_be_born(&self, region: RegionId, change: &Change) -> bool {
        let brings = |peer: &Peer| {
            peer.log.iter().any(|(_, entry)| match &entry.command {
                Some(Command::Split { children, .. }) => {
                    children.iter().any(|child| child.region == region && child.peers.contains(&change.peer))
                }
                _ => false,
            })
        };
        self.cluster.regions().any(|other| self.cluster.replicas(other).any(|(_, peer)| brings(peer)))
    }

    /// What may become of an order. An order to transfer leadership is dropped, at no cost, once no
    /// transfer is left in the budget.
    fn fates(&self) -> impl Iterator<Item = Reply> + use<S> {
        let (lost, late) = (self.left.lost > 0 || self.left.transfers == 0, self.left.late > 0);
        [(Reply::Delivered, true), (Reply::Dropped, lost), (Reply::Delayed, late)]
            .into_iter()
            .filter_map(|(reply, allowed)| allowed.then_some(reply))
    }

    fn replies(&self) -> impl Iterator<Item = Reply> + use<S> {
        let (lost, late) = (self.left.lost > 0, self.left.late > 0);
        [(Reply::Delivered, true), (Reply::Dropped, lost), (Reply::Delayed, late)]
            .into_iter()
            .filter_map(|(reply, allowed)| allowed.then_some(reply))
    }
}

/// Whether a region can split in this scope.
pub(crate) fn divides(scope: &Scope) -> bool {
    let splits = |command: &Command| matches!(command, Command::Split { .. });
    let by_setup = |action: &Action| match action {
        Action::AskSplit { .. } => true,
        Action::Propose { command, .. } => splits(command),
        _ => false,
    };
    let mut commands = scope.commands.iter().chain(scope.child_commands.iter().map(|child| &child.command));
    !scope.splits.is_empty() || commands.any(splits) || scope.setup.iter().any(by_setup)
}

/// Whether a change that demotes voters names a peer that is no longer a member. It would add that
/// peer again as a learner under a removed id, and PD never reuses an id.
fn demotes_a_stranger(leader: &Peer, command: &Command) -> bool {
    let Command::EnterJoint { changes } = command else { return false };
    let joins = |change: &Change| {
        change.kind == ChangeKind::AddLearner && leader.region.member(change.peer).is_none()
    };
    changes.iter().all(|change| change.kind == ChangeKind::AddLearner) && changes.iter().any(joins)
}
