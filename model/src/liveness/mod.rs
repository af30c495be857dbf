//! Once faults stop: what happens next, and what must have come of it.
//!
//! [`next`] is a deterministic, fair schedule, one action at a time, by the same
//! rules as everything else: nothing happens in it that could not happen. It
//! looks at the present state alone, so a state on the way from another heals
//! as that one does. It ignores budgets and what is under way: a network that
//! has lost everything must heal too. Where it ends, every [`Goal`] that is owed
//! must be met.
//!
//! A region is owed its goals while a majority of its newest configuration (of
//! both halves of a joint one) is on stores whose disks are there, and was not
//! ended there by hand. An operator
//! is assumed who ends joint configurations where there is no placement driver;
//! where there is one, it does, and the stores that leave are owed their end.
//! Where something is not owed there is an [`StuckReason`].
//! And one is assumed who ends merges, by either end, and one who moves leaders
//! off a store whose disk hangs (PD's `evict-slow-store-scheduler`), and one who tries unsafe
//! recovery again where it would succeed by now. A region that was merged
//! away is owed nothing but that its last peers are told. Whoever was removed and still exists
//! makes itself heard or asks, and is told.

mod excuse;
mod faults;
mod goal;
mod missed;
mod pd;
mod recovery;
mod whole;

use rollcall_traces::{
    Action, Authority, Cluster, Command, Entries, Key, Member, Peer, PeerState, Region, RegionId, Reply,
    Role, StoreId, StoreStatus,
};

use crate::bounds::actions::is_across;
use crate::bounds::reach::is_given_up;
use crate::model::Rollcall;
use crate::model::State;
use crate::model::StateRef;
use crate::rules;
use crate::rules::is_live;

pub use excuse::{StuckReason, stuck_reasons};
pub use faults::is_fault_free;
pub use goal::{Goal, Missed};
pub use missed::missed;
pub(crate) use recovery::conversation;
pub use whole::{LONGEST, endless, healed, how_it_ends, refused};

/// The next action of the schedule; `None` where nothing is left to do.
pub fn next(model: &Rollcall, state: &State) -> Option<Action> {
    let seen = model.seen(state);
    if let Some((store, _)) = seen.stores().find(|(_, status)| *status == StoreStatus::Down) {
        return Some(Action::Restart { store });
    }
    let placed = model.scope().max_replicas > 0;
    if placed && let Some(action) = pd::store_reports(model, state) {
        return Some(action);
    }
    let regions: Vec<RegionId> = seen.regions().collect();
    for &region in &regions {
        for (store, peer) in seen.replicas(region).filter(|(_, peer)| is_live(peer)) {
            let reads = peer.read.as_ref().is_some_and(|read| read.ready);
            let waits = peer.snapshot.is_some() || peer.applied < peer.commit || reads;
            let hangs = hangs(model, store);
            let takes = [
                (!hangs).then_some(Action::ApplySnapshot { region, store }),
                (!hangs).then_some(Action::Apply { region, store }),
                Some(Action::AnswerRead { region, store }),
            ];
            if let Some(action) = first_done(model, state, takes.into_iter().flatten().filter(|_| waits)) {
                return Some(action);
            }
        }
    }
    let schedule = |region| Schedule { model, state, seen, region, placed };
    if let Some(action) = regions.iter().find_map(|region| schedule(*region).by_an_old_configuration()) {
        return Some(action);
    }
    if placed && let Some(action) = recovery::next(model, state) {
        return Some(action);
    }
    let of_region = |region| schedule(region).next();
    let action = regions.into_iter().find_map(of_region);
    let fills = || recovery::hole(seen).map(|_| recovery::of_all_who_are_gone(seen));
    action
        .or_else(|| first_done(model, state, fills().filter(|_| placed)))
        .or_else(|| if placed { pd::patrol(model, state) } else { None })
}

/// The first of the actions that the rules take.
fn first_done(model: &Rollcall, state: &State, actions: impl IntoIterator<Item = Action>) -> Option<Action> {
    let seen = model.seen(state);
    let mut actions = actions.into_iter().filter(|action| !is_of_the_gone(seen, action));
    actions.find(|action| model.step(state, action).1.is_done())
}

/// Whoever gave up a store by force said that it is gone: nothing is heard of it any more,
/// and nothing reaches it.
fn is_out(seen: StateRef<'_>, store: StoreId) -> bool {
    seen.pd().recovery_step > 0 && is_given_up(seen, store)
}

fn is_of_the_gone(seen: StateRef<'_>, action: &Action) -> bool {
    if action.is_of_pd() || action.is_typed() {
        return false;
    }
    // Members that a command names may well be gone.
    let who_takes_part =
        if let Action::Propose { store, .. } = action { vec![*store] } else { action.stores() };
    is_across(seen, action) || who_takes_part.into_iter().any(|store| is_out(seen, store))
}

/// One region's part.
struct Schedule<'a> {
    model: &'a Rollcall,
    state: &'a State,
    seen: StateRef<'a>,
    region: RegionId,
    /// Somebody places peers, and ends joint configurations.
    placed: bool,
}

impl Schedule<'_> {
    fn next(&self) -> Option<Action> {
        if is_merged_away(self.seen, self.region) {
            return self.tell_merged_sources();
        }
        if !is_owed(self.seen, self.region) {
            return self.recover_once_more();
        }
        match in_charge(self.seen, self.region) {
            Some((store, leader)) => self.led(store, leader),
            None => self.elect(),
        }
    }

    fn first_done(&self, actions: impl IntoIterator<Item = Action>) -> Option<Action> {
        first_done(self.model, self.state, actions)
    }

    /// Of a region that has lost the majority of its newest configuration, and is not led by
    /// force: who knows an older one, of which a majority is left, leads by that until it
    /// knows better. No store forces such a peer (TiKV `on_enter_pre_force_leader`).
    fn by_an_old_configuration(&self) -> Option<Action> {
        if !is_not_recovered(self.seen, self.region) {
            return None;
        }
        let knows_older = |(store, peer): &(StoreId, &Peer)| {
            let lives = |id| peer.region.member(id).is_some_and(|member| is_there(self.seen, member.store));
            is_there(self.seen, *store)
                && peer.is_initialised()
                && peer.region.is_voter(peer.id)
                && peer.region.has_quorum(lives)
        };
        let peers: Vec<(StoreId, &Peer)> = self.seen.replicas_of(self.region).filter(knows_older).collect();
        match peers.iter().find(|(_, peer)| peer.role == Role::Leader) {
            Some((store, peer)) => self.rounds(*store, peer),
            None => peers.first().and_then(|_| self.elect()),
        }
    }

    /// A round with everybody whom the leader on `leader` knows, as long as the
    /// scope's rounds may be.
    fn rounds(&self, leader: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let whole = self.model.scope().rounds.contains(&Entries::All);
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

    /// A vote from anybody whom the candidate knows.
    fn votes(&self, candidate: StoreId, peer: &Peer) -> Option<Action> {
        let (region, reply) = (self.region, Reply::Delivered);
        let members = peer.region.peers.iter();
        self.first_done(members.map(|member| Action::Vote { region, candidate, voter: member.store, reply }))
    }

    fn propose(&self, store: StoreId, command: Command) -> Option<Action> {
        self.first_done([Action::Propose { region: self.region, store, command, epoch: None }])
    }

    /// A leader brings everybody forward, gives up what cannot end, and the
    /// operator ends a joint configuration.
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
        // One that is demoted hands over first.
        let others = leader.region.peers.iter().filter(|member| member.id != leader.id);
        let transferees = others.filter(|member| leader.region.incoming_voters().any(|id| id == member.id));
        self.propose(store, Command::LeaveJoint).or_else(|| {
            transferees
                .into_iter()
                .find_map(|transferee| self.propose(store, Command::TransferLeader { to: transferee.store }))
        })
    }

    /// One that applies nothing more for its disk hangs hands over to somebody
    /// who does.
    fn evict(&self, store: StoreId, leader: &Peer) -> Option<Action> {
        let hangs = |store| hangs(self.model, store);
        if !hangs(store) || leader.applied == leader.commit {
            return None;
        }
        let transferees =
            leader.region.peers.iter().filter(|member| member.id != leader.id && !hangs(member.store));
        transferees
            .into_iter()
            .find_map(|transferee| self.propose(store, Command::TransferLeader { to: transferee.store }))
    }

    /// The merge that the region takes part in is committed by its target, or
    /// taken back by its source, if need be by one who has seen why.
    fn end_merge(&self, store: StoreId, leader: &Peer) -> Option<Action> {
        let here = self.seen.regions().filter_map(|region| self.seen.peer(store, region));
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
            let target = self.seen.peer(member.store, merge.target.id);
            target.is_some_and(|target| rules::has_left(merge, target, member.store))
        };
        let rolled_back = self.propose(store, Command::RollbackMerge { commit: 0 });
        rolled_back.or_else(|| {
            let transferee = leader.region.peers.iter().find(knows)?;
            self.propose(store, Command::TransferLeader { to: transferee.store })
        })
    }

    /// Who was left without what is known to be committed may have it by now.
    fn recover_once_more(&self) -> Option<Action> {
        if !self.placed
            || !is_not_recovered(self.seen, self.region)
            || recovery::obstacle(self.seen, self.region).is_some()
        {
            return None;
        }
        self.first_done([recovery::of_all_who_are_gone(self.seen)])
    }

    /// Who is left of a merged region is told. Who was told, and waits for its target
    /// here, asks on: that may be gone by now (TiKV `bcast_check_stale_peer_message`).
    fn tell_merged_sources(&self) -> Option<Action> {
        let left = || self.seen.replicas(self.region).filter(|(_, peer)| is_live(peer));
        let (mut uninformed, mut waits) = (left(), left());
        let uninformed = uninformed
            .find_map(|(store, peer)| peer.merged_into.is_none().then(|| self.ask(store, peer)).flatten());
        uninformed.or_else(|| waits.find_map(|(store, peer)| self.ask_whether_stale(store, peer)))
    }

    /// Who was removed and does not know is told.
    fn remind(&self, leader: &Peer) -> Option<Action> {
        let uninformed = strangers(self.seen, &leader.region).filter(|(store, _)| !hangs(self.model, *store));
        uninformed.into_iter().find_map(|(store, peer)| self.ask(store, peer))
    }

    /// A voter makes itself heard, as leader or as candidate. Whoever does not lead asks the
    /// members that it knows, and PD, whether it is one still.
    fn ask(&self, store: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let heard = match peer.role {
            Role::Leader => return self.rounds(store, peer),
            Role::Candidate => self.votes(store, peer),
            Role::Follower => self.first_done([Action::Campaign { region, store }]),
        };
        heard.or_else(|| self.ask_whether_stale(store, peer))
    }

    fn ask_whether_stale(&self, store: StoreId, peer: &Peer) -> Option<Action> {
        let region = self.region;
        let members = rules::known_to(peer).map(|member| Authority::Member(member.store));
        let asked = members.chain(self.placed.then_some(Authority::PlacementDriver));
        let check = |asks| Action::CheckStalePeer { region, store, asks, reply: Reply::Delivered };
        self.first_done(asked.map(check))
    }

    /// Clients do not wait for a transfer of leadership: before the transferee is
    /// answered, who hands over is written to, if it takes that, and the transferee's
    /// log is behind (row 5).
    fn write_meanwhile(&self, transferee: Option<&Peer>) -> Option<Action> {
        let end = |peer: &Peer| (peer.log.last_term(), peer.log.last_index());
        let transferee = transferee?;
        let hands_over =
            |peer: &Peer| peer.leading.as_ref().is_some_and(|leading| leading.transfer.is_some());
        let mut leaders = self.seen.replicas(self.region);
        let (store, leader) = leaders.find(|(_, peer)| hands_over(peer) && end(peer) <= end(transferee))?;
        self.propose(store, write_to(leader))
    }

    /// Who asks already in the highest term is answered; then the peer with the
    /// best log, of those whose voters are there, campaigns until its term is beyond all others.
    fn elect(&self) -> Option<Action> {
        let region = self.region;
        let mut candidates: Vec<(StoreId, &Peer)> = self
            .seen
            .replicas(region)
            .filter(|(_, peer)| peer.is_initialised() && peer.region.is_voter(peer.id))
            .collect();
        let highest = self.seen.replicas(region).map(|(_, peer)| peer.term).max().unwrap_or(0);
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
        // Who knows of a joint configuration alone may lack half of it, and others know more.
        let could_win = |peer: &Peer| {
            let lives = |member: &Member| is_there(self.seen, member.store);
            peer.region.has_quorum(|id| peer.region.member(id).is_some_and(lives))
        };
        candidates.sort_by_key(|(store, peer)| {
            let end = (peer.log.last_term(), peer.log.last_index());
            (!could_win(peer), std::cmp::Reverse(end), *store)
        });
        self.first_done(candidates.into_iter().map(|(store, _)| Action::Campaign { region, store }))
    }
}

/// A write that the region's leader may take.
fn write_to(leader: &Peer) -> Command {
    let key = if leader.region.start.is_empty() { Key::from("0") } else { leader.region.start.clone() };
    Command::Put { key: key.clone(), value: key }
}

/// The newest meta of the region that anybody has, tombstones included. What only
/// stores have that were given up counts where nobody else has any.
fn newest<'a>(seen: StateRef<'a>, region: RegionId) -> Option<&'a Region> {
    let epoch = |store, meta: &Region| (!is_given_up(seen, store), meta.epoch.version, meta.epoch.conf_ver);
    let known = seen.replicas_of(region).map(|(store, peer)| (store, &peer.region));
    let known = known.filter(|(_, meta)| !meta.peers.is_empty());
    known.max_by_key(|(store, meta)| epoch(*store, meta)).map(|(_, meta)| meta)
}

/// Whether the store's disk is there. One that was given up counts as gone, though
/// the store may still run.
fn is_there(seen: StateRef<'_>, store: StoreId) -> bool {
    seen.stores().any(|(id, status)| id == store && status != StoreStatus::DiskLost)
        && !is_given_up(seen, store)
}

/// Whether a majority of the newest configuration is on disks that are there,
/// and not made tombstones behind the region's back (tikv-ctl `--force`).
fn is_owed(seen: StateRef<'_>, region: RegionId) -> bool {
    let lives = seen.replicas(region).any(|(store, peer)| peer.is_initialised() && !is_given_up(seen, store));
    lives
        && !is_merged_away(seen, region)
        && !is_outrun(seen, region)
        && newest(seen, region).is_some_and(|meta| {
            let replies = |member: &Member| {
                is_there(seen, member.store)
                    && seen.peer(member.store, region).is_none_or(|peer| !refuses(peer, member))
            };
            meta.has_quorum(|id| meta.member(id).is_some_and(replies))
        })
}

/// Whether the only voter leads and a learner has heard of a newer term. The
/// learner passes over what the leader sends, and nobody but the leader could
/// campaign: without pre-vote and check-quorum raft-rs does not answer an older
/// term (`raft.rs step`), so that the leader never hears of the newer one.
fn is_outrun(seen: StateRef<'_>, region: RegionId) -> bool {
    let mut leaders = seen.replicas_of(region).filter(|(_, peer)| peer.role == Role::Leader);
    leaders.any(|(_, leader)| {
        let is_voter = |peer: &Peer, id| peer.region.is_voter(id);
        let mut others = leader.region.peers.iter().filter(|member| member.id != leader.id);
        is_voter(leader, leader.id)
            && others.clone().all(|member| !is_voter(leader, member.id))
            && seen.replicas_of(region).all(|(_, peer)| peer.id == leader.id || !is_voter(peer, peer.id))
            && others.any(|member| {
                let there = seen.peer(member.store, region).filter(|peer| peer.id == member.id);
                there.is_some_and(|peer| peer.term > leader.term)
            })
    })
}

/// Whether nothing is owed of the region for stores alone that were given up.
fn is_not_recovered(seen: StateRef<'_>, region: RegionId) -> bool {
    let gone = |member: &&Member| !is_there(seen, member.store);
    !is_owed(seen, region)
        && !is_merged_away(seen, region)
        && newest(seen, region).is_some_and(|meta| {
            let mut gone = meta.peers.iter().filter(gone).peekable();
            let lives = |id| meta.member(id).is_some_and(|member| is_there(seen, member.store));
            gone.peek().is_some()
                && gone.all(|member| is_given_up(seen, member.store))
                && !meta.has_quorum(lives)
        })
}

/// Whether somebody has taken the region in, who was not given up.
fn is_merged_away(seen: StateRef<'_>, region: RegionId) -> bool {
    seen.replicas(region).any(|(store, peer)| peer.is_merged_away() && !is_given_up(seen, store))
}

/// The leader of the region's highest term among its members, if there is one.
fn in_charge<'a>(seen: StateRef<'a>, region: RegionId) -> Option<(StoreId, &'a Peer)> {
    let leaders = seen.replicas_of(region).filter(|(_, peer)| peer.role == Role::Leader);
    let leaders = leaders.filter(|(store, _)| !is_out(seen, *store));
    let (store, leader) = leaders.max_by_key(|(_, peer)| peer.term)?;
    let members = leader.region.peers.iter().filter(|member| !is_out(seen, member.store));
    let ahead =
        members.filter_map(|member| seen.peer(member.store, region)).any(|peer| peer.term > leader.term);
    (!ahead).then_some((store, leader))
}

/// Nothing takes effect there: neither what is committed nor the end of a peer,
/// which TiKV leaves to whoever applies (`ApplyTask::destroy`).
fn hangs(model: &Rollcall, store: StoreId) -> bool {
    model.scope().apply_stalled.contains(&store)
}

/// Who lives and is not listed by the region any more: voters, learners, and peers that were
/// never initialised.
fn strangers<'a>(seen: StateRef<'a>, region: &'a Region) -> impl Iterator<Item = (StoreId, &'a Peer)> + 'a {
    seen.replicas_of(region.id).filter(|(_, peer)| {
        is_live(peer) && region.member(peer.id).is_none() && peer.region.epoch.is_stale_against(&region.epoch)
    })
}

/// Whether nobody can tell the peer on `store` that it was removed: there is no PD, and of those
/// whom it knows nobody is a member, nor gone with a newer region than its own. One that was
/// never initialised is told by a tombstone only of its end, and not whom to ask.
fn has_nobody_to_ask(
    model: &Rollcall,
    seen: StateRef<'_>,
    region: &Region,
    store: StoreId,
    peer: &Peer,
) -> bool {
    let knows_better = |member: &Member| {
        seen.peer(member.store, region.id).is_some_and(|asked| match asked.state {
            PeerState::Tombstone => {
                let asks_on = peer.is_initialised() || asked.region.member_on(store).is_none();
                asks_on && peer.region.epoch.is_stale_against(&asked.region.epoch)
            }
            _ => region.member(asked.id).is_some(),
        })
    };
    model.scope().max_replicas == 0 && !rules::known_to(peer).any(knows_better)
}

/// Whether a tombstone lists this member, or a newer one on its store.
fn refuses(tombstone: &Peer, member: &Member) -> bool {
    let listed = || tombstone.region.member_on(member.store).is_some_and(|known| known.id >= member.id);
    tombstone.state == PeerState::Tombstone && listed()
}

/// What shows whether the region's leader would take a conf change: the leave
/// of a joint configuration in which it is not. Refused as `not_joint`, it would.
pub fn change_that_shows(model: &Rollcall, state: &State, region: RegionId) -> Option<Action> {
    let (store, _) = in_charge(model.seen(state), region)?;
    Some(Action::Propose { region, store, command: Command::LeaveJoint, epoch: None })
}

#[cfg(test)]
mod tests;
