//! `UnsafeRecover`: what is left of a region without its majority goes on alone.
//!
//! In each region that has lost its majority with the stores that are given up,
//! the best voter that is left campaigns, and the votes and acknowledgements of
//! the failed voters are made up; it commits what it has, demotes the failed
//! voters to learners, and steps down. An ordinary election follows, and the
//! patrol removes the learners. Follows PD `unsafe_recovery_controller.go` and
//! TiKV `fsm/peer.rs` (force leader), `peer.rs maybe_force_forward_commit_index`.
//!
//! It runs to its end at once. PD orders replicas by the term that they know,
//! here it is their logs that count, as in an election; TiKV, too, lets nobody
//! lead whom a voter that is left has refused. Left out: learners that lead by
//! force, empty regions for holes in the key space, and time-outs.
//!
//! Stricter than both: whoever leads by force must have what anybody who is left
//! knows to be committed, a learner included. Votes do not see to that. A learner
//! gives none, and a voter that has an old term's entry committed (Figure 8 of the
//! Raft paper) grants one to who has a newer, uncommitted one in its place; the
//! entry would be written over where it has not been applied, and stay where it
//! has. Where the best voter lacks it the region stays without a leader. PD lets
//! the learner lead if that is the furthest of the term, and asks of nobody what
//! is committed but to decide between equal logs.

use std::collections::BTreeSet;

use rollcall_traces::{
    Answer, Change, ChangeKind, Command, Entries, KnownStore, LogPosition, Member, MemberRole, Peer, PeerId,
    Reason, Region, RegionId, StoreId, StoreState,
};

use super::{apply, driver, election, propose, raft, replicate};
use crate::draft::Draft;
use crate::guard::Guard;

/// So often a member is brought forward: created, sent a snapshot, the log.
const ROUNDS: usize = 4;

pub(super) fn unsafe_recover(draft: &mut Draft, stores: &[StoreId]) -> Result<(), Reason> {
    let failed: BTreeSet<StoreId> = stores.iter().copied().collect();
    driver::abandon(draft, &failed)?;
    let reporting = driver::reporting(draft, &failed);
    let regions: BTreeSet<RegionId> = reporting.iter().flat_map(|store| draft.regions_on(*store)).collect();
    for region in regions {
        let recovery = Recovery { region, failed: &failed, reporting: &reporting };
        if recovery.has_lost_majority(draft) {
            recovery.settle(draft);
            let Some(leader) = recovery.best(draft) else { continue };
            // A region that gets stuck on the way is left as it is then.
            if recovery.campaign(draft, leader).is_ok() {
                let _ = recovery.run(draft, leader);
                recovery.end(draft, leader);
            }
        }
    }
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
    let recovery = Recovery { region, failed: &failed, reporting: &reporting };
    if !recovery.has_lost_majority(draft) {
        return None;
    }
    recovery.settle(draft);
    let leader = recovery.best(draft)?;
    recovery.campaign(draft, leader).and_then(|()| recovery.run(draft, leader)).ok()?;
    Some(failed.into_iter().collect())
}

/// One region's part.
struct Recovery<'a> {
    region: RegionId,
    failed: &'a BTreeSet<StoreId>,
    reporting: &'a [StoreId],
}

impl Recovery<'_> {
    /// The initialised peers of stores that report.
    fn left<'d>(&self, draft: &'d Draft) -> impl Iterator<Item = (StoreId, &'d Peer)> {
        let peers =
            self.reporting.iter().filter_map(|store| Some((*store, draft.peer(*store, self.region)?)));
        peers.filter(|(_, peer)| peer.is_initialised())
    }

    fn has_lost_majority(&self, draft: &Draft) -> bool {
        let metas = self.left(draft).map(|(_, peer)| &peer.region);
        let newest = metas.max_by_key(|meta| (meta.epoch.version, meta.epoch.conf_ver));
        newest.is_some_and(|meta| !self.is_whole(meta))
    }

    /// Each half has a majority on stores that are not given up.
    fn is_whole(&self, region: &Region) -> bool {
        region.has_quorum(|id| region.member(id).is_some_and(|member| !self.failed.contains(&member.store)))
    }

    /// What was received is taken in before anybody is compared (TiKV reports only
    /// then, `on_unsafe_recovery_wait_apply`).
    fn settle(&self, draft: &mut Draft) {
        for store in self.reporting {
            let _ = replicate::apply_snapshot(draft, self.region, *store);
        }
    }

    /// The voter with the best log.
    fn best(&self, draft: &Draft) -> Option<StoreId> {
        let voters = self.left(draft).filter(|(_, peer)| peer.region.is_voter(peer.id));
        let rank = |(store, peer): &(StoreId, &Peer)| {
            (peer.log.last_term(), peer.log.last_index(), std::cmp::Reverse(*store))
        };
        voters.max_by_key(rank).map(|(store, _)| store)
    }

    /// The last entry that anybody who is left knows to be committed.
    fn committed(&self, draft: &Draft) -> LogPosition {
        let known = |(_, peer): (StoreId, &Peer)| {
            let term = peer.log.term(peer.commit).unwrap_or_default();
            LogPosition { index: peer.commit, term }
        };
        self.left(draft).map(known).max_by_key(|known| known.index).unwrap_or_default()
    }

    /// It gives up whatever it is and campaigns in a term that nobody knows, unless
    /// it would lead without what is known to be committed.
    fn campaign(&self, draft: &mut Draft, leader: StoreId) -> Result<(), Reason> {
        let region = self.region;
        while apply::apply(draft, region, leader).is_ok() {}
        let committed = self.committed(draft);
        let peer = draft.live(leader, region)?;
        let has = committed.index < peer.log.truncated.index
            || peer.log.term(committed.index) == Some(committed.term);
        if !has && draft.holds(Guard::ForceKeepsWhatIsCommitted) {
            return Err(Reason::NotPromotable);
        }
        let highest = self.left(draft).map(|(_, peer)| peer.term).max().unwrap_or(0);
        raft::become_follower(draft.peer_mut(leader, region), highest, 0);
        // Whom raft-rs does not let campaign is a follower of that term.
        let _ = election::campaign(draft, region, leader);
        Ok(())
    }

    fn run(&self, draft: &mut Draft, leader: StoreId) -> Result<(), Reason> {
        self.elect(draft, leader)?;
        self.bring_forward(draft, leader)?;
        if draft.leader(leader, self.region)?.region.is_joint() {
            self.change(draft, leader, &Command::LeaveJoint)?;
        }
        let meta = &draft.leader(leader, self.region)?.region;
        if self.is_whole(meta) {
            return Ok(());
        }
        let lost = |member: &&Member| self.failed.contains(&member.store) && member.role == MemberRole::Voter;
        let demotion =
            |member: &Member| Change { kind: ChangeKind::AddLearner, peer: member.id, store: member.store };
        let changes = meta.peers.iter().filter(lost).map(demotion).collect();
        self.change(draft, leader, &Command::EnterJoint { changes })?;
        // The demotion of one is a simple change.
        if !draft.leader(leader, self.region)?.region.is_joint() {
            return Ok(());
        }
        self.change(draft, leader, &Command::LeaveJoint)
    }

    /// Everybody who is left grants; the others are taken to.
    fn elect(&self, draft: &mut Draft, leader: StoreId) -> Result<(), Reason> {
        let (region, guards) = (self.region, draft.guards());
        let peer = draft.live(leader, region)?;
        let id = peer.id;
        let voters: Vec<Member> = peer
            .region
            .peers
            .iter()
            .filter(|member| member.id != id && member.role != MemberRole::Learner)
            .copied()
            .collect();
        let (lost, asked): (Vec<Member>, Vec<Member>) =
            voters.into_iter().partition(|member| self.failed.contains(&member.store));
        for voter in &asked {
            let _ = election::vote(draft, region, leader, voter.store, Answer::Given);
        }
        let campaign = draft.live(leader, region)?.campaign.as_ref().ok_or(Reason::NotCandidate)?;
        if !asked.iter().all(|voter| campaign.granted.contains(&voter.id)) {
            return Err(Reason::NotCandidate);
        }
        for voter in lost {
            let peer = draft.peer_mut(leader, region);
            election::answered(peer, voter.id, true, LogPosition::default(), guards);
        }
        draft.leader(leader, region).map(drop)
    }

    /// Everybody who is left gets all that the leader has; the others are taken
    /// to have it, and it takes effect (TiKV `maybe_force_forward_commit_index`).
    fn bring_forward(&self, draft: &mut Draft, leader: StoreId) -> Result<(), Reason> {
        let (region, guards) = (self.region, draft.guards());
        let peer = draft.leader(leader, region)?;
        let id = peer.id;
        let (lost, there): (Vec<Member>, Vec<Member>) = peer
            .region
            .peers
            .iter()
            .filter(|member| member.id != id)
            .partition(|member| self.failed.contains(&member.store));
        for _ in 0..ROUNDS {
            for member in &there {
                let (to, answer) = (member.store, Answer::Given);
                let _ = replicate::replicate(draft, region, leader, to, Entries::All, answer);
                let _ = replicate::apply_snapshot(draft, region, to);
            }
        }
        let peer = draft.leader(leader, region)?;
        let last = peer.log.last_index();
        let matched =
            |id: PeerId| peer.leading.as_ref().and_then(|leading| leading.matched.get(&id)) == Some(&last);
        if !there.iter().all(|member| matched(member.id)) {
            return Err(Reason::NotCommittedTerm);
        }
        let peer = draft.peer_mut(leader, region);
        if let Some(leading) = &mut peer.leading {
            leading.matched.extend(lost.iter().map(|member| (member.id, last)));
        }
        raft::leader_commit(peer, guards);
        while apply::apply(draft, region, leader).is_ok() {}
        Ok(())
    }

    fn change(&self, draft: &mut Draft, leader: StoreId, command: &Command) -> Result<(), Reason> {
        propose::propose_without(draft, self.region, leader, command, None, self.failed)?;
        self.bring_forward(draft, leader)
    }

    /// Whoever led by force leads no more.
    fn end(&self, draft: &mut Draft, leader: StoreId) {
        if let Ok(peer) = draft.live(leader, self.region) {
            let term = peer.term;
            raft::become_follower(draft.peer_mut(leader, self.region), term, 0);
        }
    }
}
