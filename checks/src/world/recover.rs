//! `UnsafeRecover`: the stores that are left are told what to do, stage after
//! stage, until each region has done it or is stuck.
//!
//! The world is here what PD's plan and the timers of TiKV are: it says who
//! campaigns, whom it asks, and what is proposed. Every step is an ordinary one of a
//! store, or one of its force leader's.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_impl::pd::{ForceStage, PdInput, PeerReport, force_leader, force_stages};
use rollcall_impl::{
    Change, ChangeKind, Command, Error, Guards, Input, Member, MemberRole, Output, PeerState, PeerStatus,
    Position, Region, StateRole, Store,
};
use rollcall_traces::{Answer, Entries, Reason, RegionId, StoreId};

use super::{World, convert};

/// So often a member is brought forward: created, sent a snapshot, the log, the end.
const ROUNDS: usize = 4;

impl<G: Guards> World<G> {
    pub(super) fn unsafe_recover(&mut self, stores: &[StoreId]) -> Result<(), Reason> {
        let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
        let reporting = self.abandon(&failed)?;
        let reporting: Vec<usize> =
            reporting.into_iter().map(|store| self.up(store)).collect::<Result<_, _>>()?;
        let (led, tried) = (BTreeMap::new(), BTreeSet::new());
        Recovery { failed: &failed, reporting: &reporting, led, tried }.run(self);
        Ok(())
    }

    /// The recovery is over: what the driver knows of regions may be newer than what is left.
    fn drop_regions(&mut self) {
        self.tell(PdInput::DropRegions).map(drop).expect("a driver that recovers is there");
    }
}

struct Recovery<'a> {
    failed: &'a BTreeSet<StoreId>,
    /// The places of the stores that report.
    reporting: &'a [usize],
    /// The regions that are led by force, and where.
    led: BTreeMap<RegionId, usize>,
    /// Those where it was tried.
    tried: BTreeSet<RegionId>,
}

impl Recovery<'_> {
    fn run<G: Guards>(&mut self, world: &mut World<G>) {
        self.settle(world);
        for stage in force_stages(world.guards) {
            let first = *stage == ForceStage::ForCommitMerge;
            while let Some(region) =
                self.next(world, |region| !first || self.has_merge_to_commit(world, region))
            {
                self.lead(world, region);
            }
            if first {
                let waiting = self.sources_that_wait(world);
                self.tried.extend(waiting);
            }
        }
        for _ in 0..ROUNDS * self.led.len() {
            let mut goes_on = false;
            for (region, leader) in self.led.clone() {
                goes_on |= self.end_change(world, region, leader).is_ok();
            }
            if !goes_on {
                break;
            }
        }
        for (&region, &leader) in &self.led {
            let _ = force(world, region, leader, |store| store.exit_force_leader(region));
        }
        if !self.led.is_empty() {
            world.drop_regions();
        }
    }

    fn regions<G: Guards>(&self, world: &World<G>) -> BTreeSet<RegionId> {
        let running = self.reporting.iter().filter_map(|at| world.nodes[*at].store.as_ref());
        running.flat_map(|store| store.regions()).collect()
    }

    /// The next region without its majority that is wanted and was not tried.
    fn next<G: Guards>(&self, world: &World<G>, wanted: impl Fn(RegionId) -> bool) -> Option<RegionId> {
        let is_next = |region: &RegionId| {
            !self.tried.contains(region) && self.has_lost_majority(world, *region) && wanted(*region)
        };
        self.regions(world).into_iter().find(is_next)
    }

    /// The initialised peers of stores that report, by place.
    fn left<'w, G: Guards>(
        &self,
        world: &'w World<G>,
        region: RegionId,
    ) -> impl Iterator<Item = (usize, PeerStatus<'w>)> {
        let peers = self.reporting.iter().filter_map(move |at| Some((*at, world.status(*at, region)?)));
        peers.filter(|(_, peer)| matches!(peer.state(), PeerState::Normal | PeerState::Merging))
    }

    fn has_lost_majority<G: Guards>(&self, world: &World<G>, region: RegionId) -> bool {
        let metas = self.left(world, region).map(|(_, peer)| peer.region());
        let newest = metas.max_by_key(|meta| (meta.epoch.version, meta.epoch.conf_ver));
        newest.is_some_and(|meta| !self.is_whole(meta))
    }

    /// Each half has a majority on stores that are not given up.
    fn is_whole(&self, region: &Region) -> bool {
        let lives = |roles: [MemberRole; 2]| {
            let half = region.peers.iter().filter(|member| roles.contains(&member.role));
            let (lost, left): (Vec<&Member>, Vec<&Member>) =
                half.partition(|member| self.failed.contains(&member.store));
            lost.len() < left.len()
        };
        lives([MemberRole::Voter, MemberRole::IncomingVoter])
            && lives([MemberRole::Voter, MemberRole::DemotingVoter])
    }

    /// Whatever was received and is known to be committed takes effect.
    fn settle<G: Guards>(&self, world: &mut World<G>) {
        let without_majority =
            |region: &RegionId| self.led.contains_key(region) || self.has_lost_majority(world, *region);
        let regions: Vec<RegionId> = self.regions(world).into_iter().filter(without_majority).collect();
        let mut moves = true;
        while std::mem::take(&mut moves) {
            for (region, at) in
                regions.iter().flat_map(|region| self.reporting.iter().map(move |at| (*region, *at)))
            {
                moves |= world.step(at, region, Input::ApplySnapshot { region }).is_ok();
                moves |= world.apply_next(region, world.nodes[at].id).is_ok();
            }
        }
    }

    fn has_merge_to_commit<G: Guards>(&self, world: &World<G>, region: RegionId) -> bool {
        self.left(world, region).any(|(_, peer)| !uncommitted_sources(peer).is_empty())
    }

    /// What would be taken in by a region that nobody leads by force: it waits.
    fn sources_that_wait<G: Guards>(&self, world: &World<G>) -> BTreeSet<RegionId> {
        let lost = self
            .regions(world)
            .into_iter()
            .filter(|region| !self.led.contains_key(region) && self.has_lost_majority(world, *region));
        let peers = lost.flat_map(|region| self.left(world, region));
        peers.flat_map(|(_, peer)| uncommitted_sources(peer)).collect()
    }

    /// The place of who is to lead.
    fn best<G: Guards>(&self, world: &World<G>, region: RegionId) -> Option<usize> {
        let committed = self.committed(world, region);
        let report = |(at, peer): (usize, PeerStatus<'_>)| {
            let index = peer.last_index();
            let known = peer.log_term(committed.index) == Some(committed.term);
            PeerReport {
                store: world.nodes[at].id,
                role: peer.member().role,
                last: Position { index, term: peer.log_term(index).unwrap_or_default() },
                commit: peer.commit(),
                has_committed: known || committed.index < peer.truncated().index,
            }
        };
        let reports: Vec<PeerReport> = self.left(world, region).map(report).collect();
        world.place(force_leader(&reports, world.guards)?)
    }

    /// The last entry that anybody who is left knows to be committed.
    fn committed<G: Guards>(&self, world: &World<G>, region: RegionId) -> Position {
        let known = |(_, peer): (usize, PeerStatus<'_>)| {
            let index = peer.commit();
            Position { index, term: peer.log_term(index).unwrap_or_default() }
        };
        self.left(world, region).map(known).max_by_key(|known| known.index).unwrap_or_default()
    }

    /// The best that is left leads by force, if everybody else who is left grants.
    fn lead<G: Guards>(&mut self, world: &mut World<G>, region: RegionId) {
        self.tried.insert(region);
        let Some(at) = self.best(world, region) else { return };
        let committed = self.committed(world, region);
        let highest = self.left(world, region).map(|(_, peer)| peer.term()).max().unwrap_or(0);
        let failed = self.failed;
        let asks = force(world, region, at, |store| store.force_campaign(region, failed, highest, committed));
        if asks.is_err() {
            return;
        }
        let candidate = world.nodes[at].id;
        for voter in self.others(world, region, at) {
            let _ = world.vote(region, candidate, voter, Answer::Given);
        }
        let leads =
            |peer: PeerStatus<'_>| peer.role() == StateRole::Leader && !peer.failed_stores().is_empty();
        if world.status(at, region).is_some_and(leads) {
            self.led.insert(region, at);
            self.bring_forward(world, region, at);
        } else {
            let _ = force(world, region, at, |store| store.exit_force_leader(region));
        }
    }

    /// The stores of the other members that were not given up.
    fn others<G: Guards>(&self, world: &World<G>, region: RegionId, at: usize) -> Vec<StoreId> {
        let Some(peer) = world.status(at, region) else { return Vec::new() };
        let left = |member: &&Member| !self.failed.contains(&member.store) && member.id != peer.id();
        peer.region().peers.iter().filter(left).map(|member| member.store).collect()
    }

    /// Everybody who is left gets all that the leader has, and it takes effect.
    fn bring_forward<G: Guards>(&self, world: &mut World<G>, region: RegionId, at: usize) {
        let leader = world.nodes[at].id;
        for _ in 0..ROUNDS {
            if world.leader(at, region).is_err() {
                return;
            }
            for to in self.others(world, region, at) {
                let _ = world.replicate(region, leader, to, Entries::All, Answer::Given);
                self.settle(world);
            }
            self.settle(world);
        }
    }

    /// The next step of a region that is led by force towards doing without the failed.
    fn end_change<G: Guards>(&self, world: &mut World<G>, region: RegionId, at: usize) -> Result<(), Reason> {
        let peer = world.leader(at, region)?;
        let command = if peer.state() == PeerState::Merging {
            Command::RollbackMerge { commit: 0 }
        } else if peer.region().is_joint() {
            Command::LeaveJoint
        } else {
            let changes = self.changes(peer);
            if changes.is_empty() {
                return Err(Reason::NothingToDo);
            }
            Command::EnterJoint(changes)
        };
        world.tell_unheard(at, region, &command)?;
        world.step(at, region, Input::Propose { region, command, epoch: None })?;
        self.bring_forward(world, region, at);
        Ok(())
    }

    /// What of the members is to change for the living to be a majority.
    fn changes(&self, leader: PeerStatus<'_>) -> Vec<Change> {
        let whole = self.is_whole(leader.region());
        let change = |member: &Member| {
            let kind = match member.role {
                MemberRole::Learner if member.id == leader.id() => ChangeKind::AddVoter,
                _ if whole || !self.failed.contains(&member.store) => return None,
                MemberRole::Learner => ChangeKind::Remove,
                _ => ChangeKind::AddLearner,
            };
            Some(Change { kind, peer: member.id, store: member.store })
        };
        leader.region().peers.iter().filter_map(change).collect()
    }
}

/// A step of the force leader, whose requests stay in the world.
fn force<G: Guards>(
    world: &mut World<G>,
    region: RegionId,
    at: usize,
    act: impl FnOnce(&mut Store<G>) -> Result<Vec<Output>, Error>,
) -> Result<(), Reason> {
    match act(world.touch(at, region)) {
        Ok(outputs) => {
            world.absorb(&outputs);
            Ok(())
        }
        Err(error) => Err(convert::reason(error.refusal().expect("a leader by force does not fail"))),
    }
}

/// The regions that entries which the peer does not know to be committed take in.
fn uncommitted_sources(peer: PeerStatus<'_>) -> Vec<RegionId> {
    let entries = peer.entries().filter(|(entry, _)| entry.index > peer.commit());
    let sources = entries.filter_map(|(_, payload)| match &payload.request()?.command {
        Command::CommitMerge(merge) => Some(merge.source.id),
        _ => None,
    });
    sources.collect()
}
