//! `UnsafeRecover`: the stores that are left are told what to do, one region
//! after the other, until each has done it or is stuck.
//!
//! The world is here what PD's plan and the timers of TiKV are: it says who
//! campaigns, whom it asks, and when what the failed voters never said is made
//! up. Every step is an ordinary one of a store, or one of its force leader's.

use std::collections::BTreeSet;

use rollcall_impl::{
    Change, ChangeKind, Command, Error, Guards, Input, Member, MemberRole, Output, PeerId, PeerState,
    PeerStatus, Position, Region, StateRole, Store,
};
use rollcall_traces::{Answer, Entries, Reason, RegionId, StoreId};

use super::{World, convert};

/// So often a member is brought forward: created, sent a snapshot, the log.
const ROUNDS: usize = 4;

/// One region's part.
struct Recovery<'a> {
    region: RegionId,
    failed: &'a BTreeSet<StoreId>,
    /// The places of the stores that report.
    reporting: &'a [usize],
}

impl<G: Guards> World<G> {
    pub(super) fn unsafe_recover(&mut self, stores: &[StoreId]) -> Result<(), Reason> {
        let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
        let reporting = self.abandon(&failed)?;
        let reporting: Vec<usize> =
            reporting.into_iter().map(|store| self.up(store)).collect::<Result<_, _>>()?;
        let running = reporting.iter().filter_map(|at| self.nodes[*at].store.as_ref());
        let regions: BTreeSet<RegionId> = running.flat_map(|store| store.regions()).collect();
        for region in regions {
            let recovery = Recovery { region, failed: &failed, reporting: &reporting };
            if recovery.has_lost_majority(self) {
                recovery.settle(self);
                let Some(leader) = recovery.best(self) else { continue };
                // A region that gets stuck on the way is left as it is then.
                if recovery.campaign(self, leader).is_ok() {
                    let _ = recovery.run(self, leader);
                    let _ = recovery.force(self, leader, |store| store.exit_force_leader(region));
                }
            }
        }
        Ok(())
    }
}

impl Recovery<'_> {
    /// The initialised peers of stores that report, by place.
    fn left<'w, G: Guards>(&self, world: &'w World<G>) -> impl Iterator<Item = (usize, PeerStatus<'w>)> {
        let peers = self.reporting.iter().filter_map(|at| Some((*at, world.status(*at, self.region)?)));
        peers.filter(|(_, peer)| matches!(peer.state(), PeerState::Normal | PeerState::Merging))
    }

    fn has_lost_majority<G: Guards>(&self, world: &World<G>) -> bool {
        let metas = self.left(world).map(|(_, peer)| peer.region());
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

    /// What was received is taken in before anybody is compared.
    fn settle<G: Guards>(&self, world: &mut World<G>) {
        for at in self.reporting {
            let _ = world.step(*at, self.region, Input::ApplySnapshot { region: self.region });
        }
    }

    /// The place of the voter with the best log.
    fn best<G: Guards>(&self, world: &World<G>) -> Option<usize> {
        let voters = self.left(world).filter(|(_, peer)| peer.region().is_voter(peer.id()));
        let rank = |(at, peer): &(usize, PeerStatus<'_>)| {
            let last = peer.last_index();
            (peer.log_term(last), last, std::cmp::Reverse(world.nodes[*at].id))
        };
        voters.max_by_key(rank).map(|(at, _)| at)
    }

    /// A step of the force leader, whose requests stay in the world.
    fn force<G: Guards>(
        &self,
        world: &mut World<G>,
        leader: usize,
        act: impl FnOnce(&mut Store<G>) -> Result<Vec<Output>, Error>,
    ) -> Result<(), Reason> {
        match act(world.touch(leader, self.region)) {
            Ok(outputs) => {
                world.absorb(&outputs);
                Ok(())
            }
            Err(error) => Err(convert::reason(error.refusal().expect("a leader by force does not fail"))),
        }
    }

    fn apply_all<G: Guards>(&self, world: &mut World<G>, leader: usize) {
        while world.step(leader, self.region, Input::Apply { region: self.region }).is_ok() {}
    }

    /// The last entry that anybody who is left knows to be committed.
    fn committed<G: Guards>(&self, world: &World<G>) -> Position {
        let known = |(_, peer): (usize, PeerStatus<'_>)| {
            let index = peer.commit();
            Position { index, term: peer.log_term(index).unwrap_or_default() }
        };
        self.left(world).map(known).max_by_key(|known| known.index).unwrap_or_default()
    }

    /// Whom its store does not let lead by force stays what it is.
    fn campaign<G: Guards>(&self, world: &mut World<G>, leader: usize) -> Result<(), Reason> {
        self.apply_all(world, leader);
        let committed = self.committed(world);
        let highest = self.left(world).map(|(_, peer)| peer.term()).max().unwrap_or(0);
        self.force(world, leader, |store| store.force_campaign(self.region, highest, committed))
    }

    fn run<G: Guards>(&self, world: &mut World<G>, leader: usize) -> Result<(), Reason> {
        let region = self.region;
        self.elect(world, leader)?;
        self.bring_forward(world, leader)?;
        if world.leader(leader, region)?.region().is_joint() {
            self.change(world, leader, Command::LeaveJoint)?;
        }
        let meta = world.leader(leader, region)?.region();
        if self.is_whole(meta) {
            return Ok(());
        }
        let lost = |member: &&Member| self.failed.contains(&member.store) && member.role == MemberRole::Voter;
        let demotion =
            |member: &Member| Change { kind: ChangeKind::AddLearner, peer: member.id, store: member.store };
        let changes = meta.peers.iter().filter(lost).map(demotion).collect();
        self.change(world, leader, Command::EnterJoint(changes))?;
        // The demotion of one is a simple change.
        if !world.leader(leader, region)?.region().is_joint() {
            return Ok(());
        }
        self.change(world, leader, Command::LeaveJoint)
    }

    fn elect<G: Guards>(&self, world: &mut World<G>, leader: usize) -> Result<(), Reason> {
        let region = self.region;
        let peer = world.live(leader, region)?;
        let id = peer.id();
        let voters =
            peer.region().peers.iter().filter(|member| member.id != id && member.role != MemberRole::Learner);
        let (lost, asked): (Vec<Member>, Vec<Member>) =
            voters.partition(|member| self.failed.contains(&member.store));
        let candidate = world.nodes[leader].id;
        for voter in &asked {
            let _ = world.vote(region, candidate, voter.store, Answer::Given);
        }
        let peer = world.live(leader, region)?;
        let granted: Vec<PeerId> = peer.votes().filter(|(_, granted)| *granted).map(|(id, _)| id).collect();
        let all = asked.iter().all(|voter| granted.contains(&voter.id));
        if peer.role() != StateRole::Candidate || !all {
            return Err(Reason::NotCandidate);
        }
        self.force(world, leader, |store| store.force_votes(region, &ids(&lost)))?;
        world.leader(leader, region).map(drop)
    }

    fn bring_forward<G: Guards>(&self, world: &mut World<G>, leader: usize) -> Result<(), Reason> {
        let region = self.region;
        let peer = world.leader(leader, region)?;
        let id = peer.id();
        let others = peer.region().peers.iter().filter(|member| member.id != id);
        let (lost, there): (Vec<Member>, Vec<Member>) =
            others.partition(|member| self.failed.contains(&member.store));
        let from = world.nodes[leader].id;
        for _ in 0..ROUNDS {
            for member in &there {
                let _ = world.replicate(region, from, member.store, Entries::All, Answer::Given);
                if let Ok(at) = world.up(member.store) {
                    let _ = world.step(at, region, Input::ApplySnapshot { region });
                }
            }
        }
        let peer = world.leader(leader, region)?;
        let last = peer.last_index();
        let has = |member: &Member| peer.matched().any(|(id, matched)| id == member.id && matched == last);
        if !there.iter().all(has) {
            return Err(Reason::NotCommittedTerm);
        }
        self.force(world, leader, |store| store.force_acknowledgements(region, &ids(&lost)))?;
        self.apply_all(world, leader);
        Ok(())
    }

    fn change<G: Guards>(&self, world: &mut World<G>, leader: usize, command: Command) -> Result<(), Reason> {
        let region = self.region;
        world.tell_unheard(leader, region, &command, self.failed)?;
        world.step(leader, region, Input::Propose { region, command, epoch: None })?;
        self.bring_forward(world, leader)
    }
}

fn ids(members: &[Member]) -> Vec<PeerId> {
    members.iter().map(|member| member.id).collect()
}
