//! What happens next once faults stop, by a deterministic and fair schedule.

use rollcall_traces::{
    Action, Authority, Cluster, Command, Entries, Member, Peer, RegionId, Reply, Role, StoreId, StoreStatus,
};

use super::missed::write_to;
use super::owed::{
    hangs, in_charge, is_merged_away, is_not_recovered, is_of_the_gone, is_owed, is_there, removed_peers,
};
use super::{pd, recovery};
use crate::rules::{has_left, is_live, peers_to_ask};
use crate::semantics::Semantics;

/// The next action of the schedule; `None` if nothing is left to do.
pub fn next<R: Semantics>(rules: &R, state: &R::State) -> Option<Action> {
    let cluster = rules.cluster(state);
    if let Some((store, _)) = cluster.stores().find(|(_, status)| *status == StoreStatus::Down) {
        return Some(Action::Restart { store });
    }
    if rules.scope().late_persistence {
        let persists = cluster.stores().map(|(store, _)| Action::Persist { store });
        if let Some(action) = first_done(rules, state, persists) {
            return Some(action);
        }
    }
    let placed = rules.scope().max_replicas > 0;
    if placed && let Some(action) = pd::store_reports(rules, state) {
        return Some(action);
    }
    let regions: Vec<RegionId> = cluster.regions().collect();
    for &region in &regions {
        for (store, peer) in cluster.replicas(region).filter(|(_, peer)| is_live(peer)) {
            let reads = peer.read.as_ref().is_some_and(|read| read.ready);
            let waits = peer.snapshot.is_some() || peer.applied < peer.commit || reads;
            let hangs = hangs(rules.scope(), store);
            let takes = [
                (!hangs).then_some(Action::ApplySnapshot { region, store }),
                (!hangs).then_some(Action::Apply { region, store }),
                Some(Action::AnswerRead { region, store }),
            ];
            if let Some(action) = first_done(rules, state, takes.into_iter().flatten().filter(|_| waits)) {
                return Some(action);
            }
        }
    }
    let schedule = |region| Schedule { rules, state, cluster: &cluster, region, placed };
    if let Some(action) = regions.iter().find_map(|region| schedule(*region).by_an_old_configuration()) {
        return Some(action);
    }
    if placed && let Some(action) = recovery::next(rules, state) {
        return Some(action);
    }
    let of_region = |region| schedule(region).next();
    let action = regions.into_iter().find_map(of_region);
    let fills = || recovery::hole(&cluster).map(|_| recovery::of_all_who_are_gone(&cluster));
    action
        .or_else(|| first_done(rules, state, fills().filter(|_| placed)))
        .or_else(|| if placed { pd::patrol(rules, state) } else { None })
}

/// The first of the actions that the rules accept.
fn first_done<R: Semantics>(
    rules: &R,
    state: &R::State,
    actions: impl IntoIterator<Item = Action>,
) -> Option<Action> {
    let cluster = rules.cluster(state);
    let mut actions = actions.into_iter().filter(|action| !is_of_the_gone(&cluster, action));
    actions.find(|action| rules.step(state, action).1.is_done())
}

/// One region's part.
struct Schedule<'a, R: Semantics, C> {
    rules: &'a R,
    state: &'a R::State,
    cluster: &'a C,
    region: RegionId,
    /// Whether a placement driver places peers and leaves joint configurations.
    placed: bool,
}

impl<R: Semantics, C: Cluster> Schedule<'_, R, C> {
    fn next(&self) -> Option<Action> {
        if is_merged_away(self.cluster, self.region) {
            return self.tell_merged_sources();
        }
        if !is_owed(self.cluster, self.region) {
            return self.recover_once_more();
        }
        match in_charge(self.cluster, self.region) {
            Some((store, leader)) => self.led(store, leader),
            None => self.elect(),
        }
    }

    fn first_done(&self, actions: impl IntoIterator<Item = Action>) -> Option<Action> {
        first_done(self.rules, self.state, actions)
    }

    /// For a region that has lost the majority of its newest configuration and has no forced
    /// leader: a peer with an older configuration, of which a majority is left, leads by that one
    /// until it learns the newer one. No store forces such a peer (TiKV
    /// `on_enter_pre_force_leader`).
    fn by_an_old_configuration(&self) -> Option<Action> {
        if !is_not_recovered(self.cluster, self.region) {
            return None;
        }
        let knows_older = |(store, peer): &(StoreId, &Peer)| {
            let lives =
                |id| peer.region.member(id).is_some_and(|member| is_there(self.cluster, member.store));
            is_there(self.cluster, *store)
                && peer.is_initialized()
                && peer.region.is_voter(peer.id)
                && peer.region.has_quorum(lives)
        };
        let peers: Vec<(StoreId, &Peer)> = self.cluster.replicas(self.region).filter(knows_older).collect();
        match peers.iter().find(|(_, peer)| peer.role == Role::Leader) {
            Some((store, peer)) => self.rounds(*store, peer),
            None => peers.first().and_then(|_| self.elect()),
        }
    }

    /// A round with each member that the leader knows, of as many entries as the scope allows.
    fn rounds(&self, leader: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let whole = self.rules.scope().rounds.contains(&Entries::All);
        let (entries, reply) = (if whole { Entries::All } else { Entries::One }, Reply::Delivered);
        let others = peer.region.peers.iter().filter(|member| member.id != peer.id);
        self.first_done(others.map(|member| Action::Replicate {
            region,
            leader,
            follower: member.store,
            entries,
            reply,
        }))
    }

    /// A vote of a member that the candidate knows.
    fn votes(&self, candidate: StoreId, peer: &Peer) -> Option<Action> {
        let (region, reply) = (self.region, Reply::Delivered);
        let members = peer.region.peers.iter();
        self.first_done(members.map(|member| Action::Vote { region, candidate, voter: member.store, reply }))
    }

    fn propose(&self, store: StoreId, command: Command) -> Option<Action> {
        self.first_done([Action::Propose { region: self.region, store, command, epoch: None }])
    }

    /// The leader's next action, in this order: replicate to all members, end a transfer, move
    /// leadership off a hanging disk, tell removed peers, end a merge, and, without a placement
    /// driver, leave the joint configuration.
    fn led(&self, store: StoreId, leader: &Peer) -> Option<Action> {
        let region = self.region;
        if let Some(action) = self.rounds(store, leader) {
            return Some(action);
        }
        if leader.leading.as_ref().is_some_and(|leading| leading.transfer.is_some()) {
            let ends =
                [Action::TimeoutNow { region, leader: store }, Action::TransferTimeout { region, store }];
            return self.first_done(ends);
        }
        if let Some(action) = self.evict(store, leader) {
            return Some(action);
        }
        if let Some(action) = self.remind(leader).or_else(|| self.end_merge(store, leader)) {
            return Some(action);
        }
        if !leader.region.is_joint() || self.placed {
            return None;
        }
        // A leader that is being demoted transfers leadership first.
        let others = leader.region.peers.iter().filter(|member| member.id != leader.id);
        let transferees = others.filter(|member| leader.region.incoming_voters().any(|id| id == member.id));
        self.propose(store, Command::LeaveJoint).or_else(|| {
            transferees
                .into_iter()
                .find_map(|transferee| self.propose(store, Command::TransferLeader { to: transferee.store }))
        })
    }

    /// A leader whose disk hangs transfers leadership to a peer whose disk does not.
    fn evict(&self, store: StoreId, leader: &Peer) -> Option<Action> {
        let hangs = |store| hangs(self.rules.scope(), store);
        if !hangs(store) || leader.applied == leader.commit {
            return None;
        }
        let transferees =
            leader.region.peers.iter().filter(|member| member.id != leader.id && !hangs(member.store));
        transferees
            .into_iter()
            .find_map(|transferee| self.propose(store, Command::TransferLeader { to: transferee.store }))
    }

    /// A merge of the region is committed by its target, or rolled back by its source. For the
    /// rollback, leadership moves if need be to a store that has seen the reason.
    fn end_merge(&self, store: StoreId, leader: &Peer) -> Option<Action> {
        let here = self.cluster.regions().filter_map(|region| self.cluster.peer(store, region));
        let into_this =
            |peer: &&Peer| peer.merge.as_ref().is_some_and(|merge| merge.target.id == self.region);
        let mut sources = here.filter(into_this);
        if let Some(action) =
            sources.find_map(|source| self.propose(store, Command::commit_merge(source.region.id)))
        {
            return Some(action);
        }
        let merge = leader.merge.as_ref()?;
        let knows = |member: &&Member| {
            let target = self.cluster.peer(member.store, merge.target.id);
            target.is_some_and(|target| has_left(merge, target, member.store))
        };
        let rolled_back = self.propose(store, Command::RollbackMerge { commit: 0 });
        rolled_back.or_else(|| {
            let transferee = leader.region.peers.iter().find(knows)?;
            self.propose(store, Command::TransferLeader { to: transferee.store })
        })
    }

    /// A peer that lacked committed entries may have them by now, so unsafe recovery starts again.
    fn recover_once_more(&self) -> Option<Action> {
        if !self.placed
            || !is_not_recovered(self.cluster, self.region)
            || recovery::obstacle(self.cluster, self.region).is_some()
        {
            return None;
        }
        self.first_done([recovery::of_all_who_are_gone(self.cluster)])
    }

    /// A remaining peer of a merged region learns of the merge. One that knows of it and waits for
    /// its target here keeps asking, because the target may be gone by now (TiKV
    /// `bcast_check_stale_peer_message`).
    fn tell_merged_sources(&self) -> Option<Action> {
        let left = || self.cluster.replicas(self.region).filter(|(_, peer)| is_live(peer));
        let (mut asks, mut waits) = (left(), left());
        let asks = asks
            .find_map(|(store, peer)| peer.merged_into.is_none().then(|| self.ask(store, peer)).flatten());
        asks.or_else(|| waits.find_map(|(store, peer)| self.ask_whether_stale(store, peer)))
    }

    /// A removed peer learns of its removal.
    fn remind(&self, leader: &Peer) -> Option<Action> {
        let asks = removed_peers(self.cluster, &leader.region)
            .filter(|(store, _)| !hangs(self.rules.scope(), *store));
        asks.into_iter().find_map(|(store, peer)| self.ask(store, peer))
    }

    /// A removed voter sends messages as leader or candidate. Any other removed peer asks the
    /// members that it knows, and PD, whether it is still a member.
    fn ask(&self, store: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let asks = match peer.role {
            Role::Leader => return self.rounds(store, peer),
            Role::Candidate => self.votes(store, peer),
            Role::Follower => self.first_done([Action::Campaign { region, store }]),
        };
        asks.or_else(|| self.ask_whether_stale(store, peer))
    }

    fn ask_whether_stale(&self, store: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let members = peers_to_ask(peer).map(|member| Authority::Member(member.store));
        let asked = members.chain(self.placed.then_some(Authority::PlacementDriver));
        let check = |asks| Action::CheckStalePeer { region, store, asks, reply: Reply::Delivered };
        self.first_done(asked.map(check))
    }

    /// Clients keep writing during a leadership transfer. Before the transferee gets its vote, the
    /// old leader accepts a write if it can, and then the transferee's log is behind (row 5).
    fn write_meanwhile(&self, transferee: Option<&Peer>) -> Option<Action> {
        let end = |peer: &Peer| (peer.log.last_term(), peer.log.last_index());
        let transferee = transferee?;
        let hands_over =
            |peer: &Peer| peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some());
        let mut leaders = self.cluster.replicas(self.region);
        let (store, leader) = leaders.find(|(_, peer)| hands_over(peer) && end(peer) <= end(transferee))?;
        self.propose(store, write_to(leader))
    }

    /// A candidate in the highest term gets its votes. Otherwise, of the peers whose voters are
    /// there, the one with the newest log campaigns until its term exceeds all others.
    fn elect(&self) -> Option<Action> {
        let region = self.region;
        let mut candidates: Vec<(StoreId, &Peer)> = self
            .cluster
            .replicas(region)
            .filter(|(_, peer)| peer.is_initialized() && peer.region.is_voter(peer.id))
            .collect();
        let highest = self.cluster.replicas(region).map(|(_, peer)| peer.term).max().unwrap_or(0);
        let asks = |peer: &Peer| peer.role == Role::Candidate && peer.term == highest;
        if let Some(write) =
            self.write_meanwhile(candidates.iter().map(|(_, peer)| *peer).find(|peer| asks(peer)))
        {
            return Some(write);
        }
        let asking = candidates.iter().filter(|(_, peer)| asks(peer));
        if let Some(vote) = asking.into_iter().find_map(|(store, peer)| self.votes(*store, peer)) {
            return Some(vote);
        }
        // A peer that knows only the joint configuration may lack half of its voters; others may
        // know more.
        let could_win = |peer: &Peer| {
            let lives = |member: &Member| is_there(self.cluster, member.store);
            peer.region.has_quorum(|id| peer.region.member(id).is_some_and(lives))
        };
        candidates.sort_by_key(|(store, peer)| {
            let end = (peer.log.last_term(), peer.log.last_index());
            (!could_win(peer), std::cmp::Reverse(end), *store)
        });
        self.first_done(candidates.into_iter().map(|(store, _)| Action::Campaign { region, store }))
    }
}

/// A probe whether the region's leader accepts conf changes: leaving a joint configuration in which
/// it is not. A refusal as `not_joint` means that it would.
pub fn change_that_shows<R: Semantics>(rules: &R, state: &R::State, region: RegionId) -> Option<Action> {
    let (store, _) = in_charge(&rules.cluster(state), region)?;
    Some(Action::Propose { region, store, command: Command::LeaveJoint, epoch: None })
}
