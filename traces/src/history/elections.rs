//! Who led, and what was known to be committed.

use super::births::may_be_born;
use super::summary::ClusterSummary;
use super::{BIRTH, Breach, Committed, Fold, PeerStep, Winner, initialised};
use crate::peer::{Peer, Role};
use crate::region::RegionId;

impl Fold<'_> {
    /// A peer that starts to lead has won an election: a leader that steps down cannot win its term
    /// again.
    pub(super) fn leader(&mut self, step: &PeerStep<'_>) {
        let Some(after) = step.after.filter(|after| leads_durably(after)) else { return };
        let led_before = step.before.is_some_and(|before| {
            leads_durably(before) && before.term == after.term && before.id == after.id
        });
        if led_before {
            return;
        }
        let (region, term) = (step.region, after.term);
        let second = Winner { store: step.store, peer: after.id };
        match self.region(region).leaders.get(&term).copied() {
            Some(first) => self.breach(Breach::SecondLeader { region, term, first, second }),
            None => {
                self.region_mut(region).leaders.insert(term, second);
            }
        }
    }

    /// Only a candidate of a term, or a peer in an older one, can still win the term. A peer that a
    /// message is yet to create takes the term of a live peer. A peer that a split is yet to create
    /// starts at term
    /// 5. It can campaign in term 6 and get the votes of other new peers, so no winner is forgotten while
    /// one may be created.
    pub(super) fn forget_leaders(&mut self, region: RegionId, after: &impl ClusterSummary) {
        let leaders = &self.region(region).leaders;
        if leaders.is_empty() {
            return;
        }
        let winnable = |term: u64| {
            after
                .summaries(region)
                .any(|peer| peer.is_live() && (peer.term < term || peer.term == term && peer.is_candidate))
        };
        if !leaders.keys().all(|term| winnable(*term)) && !may_be_born(after, region) {
            self.region_mut(region).leaders.retain(|term, _| winnable(*term));
        }
    }

    /// What a peer knows to be committed was committed in its term or before: it learns a commit
    /// index only from messages of its own term. What all know is forgotten at once.
    pub(super) fn commit(&mut self, step: &PeerStep<'_>) {
        let Some(peer) = step.after.filter(|after| after.is_initialized()) else { return };
        let known_before = step.same_replica().map_or(0, |before| before.commit);
        if peer.commit <= known_before {
            return;
        }
        for index in peer.log.truncated.index.max(known_before + 1)..=peer.commit {
            let Some(term) = peer.log.term(index) else { continue };
            let (region, store, known_in) = (step.region, step.store, peer.term);
            match self.region(region).committed.get(&index).copied() {
                Some(first) if first.term != term => {
                    self.breach(Breach::DifferentCommit {
                        region,
                        store,
                        index,
                        term,
                        first_term: first.term,
                    });
                }
                Some(first) if first.known_in <= known_in => {}
                // It knows this from the `CommitMerge`, which has no term of this region.
                Some(_) if step.carried => {}
                _ => {
                    self.region_mut(region).committed.insert(index, Committed { term, known_in });
                }
            }
        }
    }

    /// What all peers know, the views show. A peer that is yet to be initialised takes it as a
    /// snapshot from one of them. A peer that a split is yet to create knows nothing beyond its
    /// initial state. It could commit another entry once those that had this one have compacted it.
    pub(super) fn forget_committed(&mut self, region: RegionId, after: &impl ClusterSummary) {
        let Some((first, _)) = self.region(region).committed.first_key_value() else { return };
        let known_by_all = commit_of_all(after, region);
        if *first <= known_by_all {
            self.region_mut(region).committed.retain(|index, _| *index > known_by_all);
        }
    }
}

/// Whether the peer leads a term that a crash does not take back. A sole voter wins before its disk
/// is done ([`crate::Scope::late_persistence`]), and nobody hears of that until it is.
fn leads_durably(peer: &Peer) -> bool {
    peer.role == Role::Leader && peer.durable.as_ref().is_none_or(|durable| durable.term == peer.term)
}

/// The index up to which every initialised peer, and every one that a split may still create, knows
/// the log to be committed.
fn commit_of_all(cluster: &impl ClusterSummary, region: RegionId) -> u64 {
    let known = initialised(cluster, region).map(|peer| peer.commit).min().unwrap_or(u64::MAX);
    if known > BIRTH.index && may_be_born(cluster, region) { BIRTH.index } else { known }
}
