//! `UnsafeRecover`: what is left of regions without their majority goes on alone.
//!
//! The stages of PD's recovery, one after the other, and each to its end: whatever
//! is committed takes effect; where a `CommitMerge` is in a log that is left, not
//! known to be committed, a leader is forced; then in the others that have lost their
//! majority; merges that can come to nothing are taken back; joint configurations are
//! left, the failed voters demoted and the failed learners removed; whoever leads by
//! force steps down, and PD drops the regions that it knew. An ordinary election
//! follows, and the patrol. Follows PD `unsafe_recovery_controller.go` and TiKV
//! `fsm/peer.rs` (force leader), `unsafe_recovery.rs`.
//!
//! It runs to its end at once. Left out: empty regions for holes in the key space,
//! peers of regions that another has displaced, and time-outs.
//!
//! Three things are stricter than PD. Whoever leads by force must have what anybody
//! who is left knows to be committed, a learner included: votes do not see to that,
//! for a learner gives none, and a voter that has an old term's entry committed
//! (Figure 8 of the Raft paper) grants one to who has a newer, uncommitted one in its
//! place. Of those who have it the best log leads, as in an election; PD compares the
//! terms that peers know before that, and then everybody who is left has to grant,
//! which who has the better log does not. And PD's stages wait for every region: one
//! that nobody can lead fails them all. Here it is left as it is, with the sources of
//! its merge, and the others go on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rollcall_traces::{
    Answer, Change, ChangeKind, Command, Entries, KnownStore, LogPosition, Member, MemberRole, Peer,
    PeerState, Reason, Region, RegionId, StoreId, StoreState,
};

use super::{apply, driver, election, propose, raft, replicate};
use crate::draft::Draft;
use crate::guard::Guard;

/// So often a member is brought forward: created, sent a snapshot, the log, the end.
const ROUNDS: usize = 4;

pub(super) fn unsafe_recover(draft: &mut Draft, stores: &[StoreId]) -> Result<(), Reason> {
    let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
    driver::abandon(draft, &failed)?;
    let reporting = driver::reporting(draft, &failed);
    Recovery::new(&failed, &reporting).run(draft);
    Ok(())
}

/// Which stores are to be given up once more for what is left of the region to go on
/// alone; none if it would not. PD tries again until it has come to its end or its
/// time is over, and the command may be typed again; here it tries once.
pub(super) fn once_more(draft: &mut Draft, region: RegionId) -> Option<Vec<StoreId>> {
    let is_given_up = |known: &KnownStore| known.state == StoreState::Tombstone && known.physically_destroyed;
    let given_up = draft.pd().stores.iter().filter(|(_, known)| is_given_up(known));
    let failed: BTreeSet<StoreId> = given_up.map(|(store, _)| *store).collect();
    let reporting = driver::reporting(draft, &failed);
    let mut recovery = Recovery::new(&failed, &reporting);
    if !recovery.has_lost_majority(draft, region) {
        return None;
    }
    recovery.run(draft);
    (!recovery.has_lost_majority(draft, region)).then(|| failed.iter().copied().collect())
}

struct Recovery<'a> {
    failed: &'a BTreeSet<StoreId>,
    reporting: &'a [StoreId],
    /// The regions that are led by force, and on which store.
    led: BTreeMap<RegionId, StoreId>,
    /// Those where it was tried.
    tried: BTreeSet<RegionId>,
}

impl<'a> Recovery<'a> {
    fn new(failed: &'a BTreeSet<StoreId>, reporting: &'a [StoreId]) -> Self {
        Self { failed, reporting, led: BTreeMap::new(), tried: BTreeSet::new() }
    }

    fn run(&mut self, draft: &mut Draft) {
        self.settle(draft);
        if draft.holds(Guard::ForceTargetFirst) {
            while let Some(region) = self.next(draft, |this, region| this.has_merge_to_commit(draft, region))
            {
                self.lead(draft, region);
            }
            let waiting = self.sources_that_wait(draft);
            self.tried.extend(waiting);
        }
        while let Some(region) = self.next(draft, |_, _| true) {
            self.lead(draft, region);
        }
        // What cannot go on yet may later: a merge waits for its target.
        for _ in 0..ROUNDS * self.led.len() {
            let mut goes_on = false;
            for (region, leader) in self.led.clone() {
                goes_on |= self.end_change(draft, region, leader).is_ok();
            }
            if !goes_on {
                break;
            }
        }
        for (region, leader) in &self.led {
            step_down(draft, *region, *leader);
        }
        if !self.led.is_empty() && draft.holds(Guard::RecoveryDropsRegions) {
            driver::drop_regions(draft);
        }
    }

    /// The regions of which a store that reports has a peer.
    fn regions(&self, draft: &Draft) -> BTreeSet<RegionId> {
        self.reporting.iter().flat_map(|store| draft.regions_on(*store)).collect()
    }

    /// The next region without its majority, and without a leader by force, that is
    /// wanted and was not tried.
    fn next(&self, draft: &Draft, wanted: impl Fn(&Self, RegionId) -> bool) -> Option<RegionId> {
        let of = |region: &RegionId| {
            !self.tried.contains(region) && self.has_lost_majority(draft, *region) && wanted(self, *region)
        };
        self.regions(draft).into_iter().find(of)
    }

    /// The initialised peers of stores that report.
    fn left<'d>(&self, draft: &'d Draft, region: RegionId) -> impl Iterator<Item = (StoreId, &'d Peer)> {
        let peers =
            self.reporting.iter().filter_map(move |store| Some((*store, draft.peer(*store, region)?)));
        peers.filter(|(_, peer)| peer.is_initialised())
    }

    fn has_lost_majority(&self, draft: &Draft, region: RegionId) -> bool {
        let metas = self.left(draft, region).map(|(_, peer)| &peer.region);
        let newest = metas.max_by_key(|meta| (meta.epoch.version, meta.epoch.conf_ver));
        newest.is_some_and(|meta| !self.is_whole(meta))
    }

    /// Each half has a majority on stores that are not given up.
    fn is_whole(&self, region: &Region) -> bool {
        region.has_quorum(|id| region.member(id).is_some_and(|member| !self.failed.contains(&member.store)))
    }

    /// Whatever was received and is known to be committed takes effect, before anybody
    /// is compared (TiKV reports only then, `on_unsafe_recovery_wait_apply`).
    fn settle(&self, draft: &mut Draft) {
        let regions = self.regions(draft);
        let without_majority =
            |region: &RegionId| self.led.contains_key(region) || self.has_lost_majority(draft, *region);
        let regions: Vec<RegionId> = regions.into_iter().filter(without_majority).collect();
        let mut moves = true;
        while std::mem::take(&mut moves) {
            for (region, store) in
                regions.iter().flat_map(|region| self.reporting.iter().map(move |store| (*region, *store)))
            {
                moves |= replicate::apply_snapshot(draft, region, store).is_ok();
                moves |= apply::apply(draft, region, store).is_ok();
            }
        }
    }

    /// Somebody who is left has a `CommitMerge` that may have been committed (PD
    /// `HasCommitMerge`, which looks at the newest peer alone).
    fn has_merge_to_commit(&self, draft: &Draft, region: RegionId) -> bool {
        self.left(draft, region).any(|(_, peer)| uncommitted_sources(peer).next().is_some())
    }

    /// What would be taken in by a region that nobody leads by force: it waits.
    fn sources_that_wait(&self, draft: &Draft) -> BTreeSet<RegionId> {
        let regions = self.regions(draft).into_iter();
        let lost =
            regions.filter(|region| !self.led.contains_key(region) && self.has_lost_majority(draft, *region));
        let peers = lost.flat_map(|region| self.left(draft, region));
        peers.flat_map(|(_, peer)| uncommitted_sources(peer)).collect()
    }

    /// The best log of those who may lead: as in an election, then by what they know to
    /// be committed; a learner and one that is being demoted come behind their equals.
    /// Nobody, where a voter that is left has a better log: it would not grant.
    fn best(&self, draft: &Draft, region: RegionId) -> Option<StoreId> {
        let committed = self.committed(draft, region);
        let demoting_last = draft.holds(Guard::DemotingVoterRanksLast);
        let keeps_committed = draft.holds(Guard::ForceKeepsWhatIsCommitted);
        let has = |peer: &Peer| {
            committed.index < peer.log.truncated.index
                || peer.log.term(committed.index) == Some(committed.term)
        };
        let rank = |(store, peer): &(StoreId, &Peer)| {
            let stays_voter = match peer.region.member(peer.id).map(|member| member.role) {
                Some(MemberRole::Voter | MemberRole::IncomingVoter) => true,
                Some(MemberRole::DemotingVoter) => !demoting_last,
                Some(MemberRole::Learner) | None => false,
            };
            (peer.log.last_term(), peer.log.last_index(), peer.commit, stays_voter, Reverse(*store))
        };
        let may_lead = self.left(draft, region).filter(|(_, peer)| !keeps_committed || has(peer));
        let (leader, best) = may_lead.max_by_key(rank)?;
        // TiKV would ask, and be rejected.
        let end = |peer: &Peer| (peer.log.last_term(), peer.log.last_index());
        let mut voters = self.left(draft, region).filter(|(_, peer)| peer.region.is_voter(peer.id));
        voters.all(|(_, peer)| end(peer) <= end(best)).then_some(leader)
    }

    /// The last entry that anybody who is left knows to be committed.
    fn committed(&self, draft: &Draft, region: RegionId) -> LogPosition {
        let known = |(_, peer): (StoreId, &Peer)| {
            let term = peer.log.term(peer.commit).unwrap_or_default();
            LogPosition { index: peer.commit, term }
        };
        self.left(draft, region).map(known).max_by_key(|known| known.index).unwrap_or_default()
    }

    /// The best that is left leads by force, if everybody else who is left grants.
    fn lead(&mut self, draft: &mut Draft, region: RegionId) {
        self.tried.insert(region);
        let Some(leader) = self.best(draft, region) else { return };
        let highest = self.left(draft, region).map(|(_, peer)| peer.term).max().unwrap_or(0);
        if election::campaign_by_force(draft, region, leader, self.failed, highest).is_err() {
            return;
        }
        let Some(peer) = draft.peer(leader, region) else { return };
        let left = |member: &&Member| !self.failed.contains(&member.store) && member.id != peer.id;
        let asked: Vec<StoreId> = peer.region.peers.iter().filter(left).map(|member| member.store).collect();
        for voter in asked {
            let _ = election::vote(draft, region, leader, voter, Answer::Given);
        }
        let leads = |peer: &Peer| peer.leading.is_some() && peer.is_by_force();
        if draft.peer(leader, region).is_some_and(leads) {
            self.led.insert(region, leader);
            self.bring_forward(draft, region, leader);
        } else {
            step_down(draft, region, leader);
        }
    }

    /// Everybody who is left gets all that the leader has, and it takes effect.
    fn bring_forward(&self, draft: &mut Draft, region: RegionId, leader: StoreId) {
        for _ in 0..ROUNDS {
            let Ok(peer) = draft.leader(leader, region) else { return };
            let left = |member: &&Member| !self.failed.contains(&member.store) && member.id != peer.id;
            let there: Vec<StoreId> =
                peer.region.peers.iter().filter(left).map(|member| member.store).collect();
            for to in there {
                let _ = replicate::replicate(draft, region, leader, to, Entries::All, Answer::Given);
                self.settle(draft);
            }
            self.settle(draft);
        }
    }

    /// The next step of a region that is led by force towards doing without the failed.
    fn end_change(&self, draft: &mut Draft, region: RegionId, leader: StoreId) -> Result<(), Reason> {
        let peer = draft.leader(leader, region)?;
        let command = if peer.state == PeerState::Merging {
            Command::RollbackMerge { commit: 0 }
        } else if peer.region.is_joint() {
            Command::LeaveJoint
        } else {
            let changes = self.changes(peer);
            if changes.is_empty() {
                return Err(Reason::NothingToDo);
            }
            Command::EnterJoint { changes }
        };
        propose::propose(draft, region, leader, &command, None)?;
        self.bring_forward(draft, region, leader);
        Ok(())
    }

    /// Failed voters become learners, failed learners go, and a learner that leads
    /// becomes a voter (TiKV `demote_failed_voters_request`); nothing of that where the
    /// living are a majority already (PD `getFailedPeers`).
    fn changes(&self, leader: &Peer) -> Vec<Change> {
        let whole = self.is_whole(&leader.region);
        let change = |member: &Member| {
            let kind = match member.role {
                MemberRole::Learner if member.id == leader.id => ChangeKind::AddVoter,
                _ if whole || !self.failed.contains(&member.store) => return None,
                MemberRole::Learner => ChangeKind::Remove,
                _ => ChangeKind::AddLearner,
            };
            Some(Change { kind, peer: member.id, store: member.store })
        };
        leader.region.peers.iter().filter_map(change).collect()
    }
}

/// The regions that entries which the peer does not know to be committed take in.
fn uncommitted_sources(peer: &Peer) -> impl Iterator<Item = RegionId> {
    let entries = peer.log.iter().filter(|(index, _)| *index > peer.commit);
    entries.filter_map(|(_, entry)| match &entry.command {
        Some(Command::CommitMerge { source, .. }) => Some(source.id),
        _ => None,
    })
}

/// Whoever led by force, or asked to, is a follower of its term.
fn step_down(draft: &mut Draft, region: RegionId, store: StoreId) {
    if let Ok(peer) = draft.live(store, region) {
        let term = peer.term;
        raft::become_follower(draft.peer_mut(store, region), term, 0);
    }
}
