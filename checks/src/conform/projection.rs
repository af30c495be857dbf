//! The parts of a view that a subject can show, and so what is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rollcall_traces::{
    LogPosition, Outcome, Peer, PeerState, PlacementDriver, Region, Role, Store, StoreStatus, View,
};

/// A part of the visible state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Why an action was refused. Without this part, any two refusals agree.
    Reason,
    /// What an action returned: the value of a read, ids, or an order.
    Returned,
    /// Whether a store is up.
    StoreStatus,
    /// Which peers a store has, their ids, and their life-cycle state.
    Peers,
    /// Follower, candidate or leader.
    Role,
    /// The term.
    Term,
    /// The peer that it voted for.
    Vote,
    /// Which peer it takes for the leader.
    Leader,
    /// The log: entries and truncated index.
    Log,
    /// The commit index.
    Commit,
    /// The applied index.
    Applied,
    /// The region at the applied index: members, key range and epoch.
    Region,
    /// The keys and values at the applied index.
    Data,
    /// A candidate's election: its votes and the end of its log.
    Campaign,
    /// A leader's progress of its followers, and a leadership transfer.
    Progress,
    /// A received snapshot that is not applied.
    Snapshot,
    /// A pending read.
    Read,
    /// A merge in progress, and what a tombstone says about one.
    Merge,
    /// What a peer knows about its creation and about members that it has never seen.
    Origin,
    /// A store's range index, from key range to region.
    Ranges,
    /// Pending first messages for peers that do not exist yet.
    PendingMessages,
    /// An unsafe recovery, on stores and peers.
    Recovery,
    /// Delayed messages.
    Delayed,
    /// The placement driver.
    PlacementDriver,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 24] = [
        Part::Reason,
        Part::Returned,
        Part::StoreStatus,
        Part::Peers,
        Part::Role,
        Part::Term,
        Part::Vote,
        Part::Leader,
        Part::Log,
        Part::Commit,
        Part::Applied,
        Part::Region,
        Part::Data,
        Part::Campaign,
        Part::Progress,
        Part::Snapshot,
        Part::Read,
        Part::Merge,
        Part::Origin,
        Part::Ranges,
        Part::PendingMessages,
        Part::Recovery,
        Part::Delayed,
        Part::PlacementDriver,
    ];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Part::Reason => "reasons of refusals",
            Part::Returned => "returned values",
            Part::StoreStatus => "store status",
            Part::Peers => "peers and tombstones",
            Part::Role => "roles",
            Part::Term => "terms",
            Part::Vote => "votes",
            Part::Leader => "known leaders",
            Part::Log => "logs",
            Part::Commit => "commit indexes",
            Part::Applied => "applied indexes",
            Part::Region => "regions",
            Part::Data => "data",
            Part::Campaign => "elections under way",
            Part::Progress => "progress of followers",
            Part::Snapshot => "pending snapshots",
            Part::Read => "reads under way",
            Part::Merge => "merges",
            Part::Origin => "origins of peers",
            Part::Ranges => "range indexes",
            Part::PendingMessages => "pending first messages",
            Part::Recovery => "unsafe recovery",
            Part::Delayed => "delayed messages",
            Part::PlacementDriver => "placement driver",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The parts that are compared. Any other part is left out on both sides.
///
/// ```
/// use rollcall_checks::conform::{Part, Projection};
///
/// let raft_alone = Projection::only([Part::Peers, Part::Role, Part::Term, Part::Vote, Part::Log]);
/// assert!(raft_alone.has(Part::Vote) && !raft_alone.has(Part::PlacementDriver));
/// let no_driver = Projection::everything().without([Part::PlacementDriver]);
/// assert_eq!(no_driver.left_out().collect::<Vec<_>>(), [Part::PlacementDriver]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection(BTreeSet<Part>);

impl Default for Projection {
    fn default() -> Self {
        Self::everything()
    }
}

impl Projection {
    /// Compares every part.
    pub fn everything() -> Self {
        Self(Part::ALL.into())
    }

    /// Compares only these parts, and always whether an action took effect.
    pub fn only(parts: impl IntoIterator<Item = Part>) -> Self {
        Self(parts.into_iter().collect())
    }

    /// Compares these parts no longer.
    #[must_use]
    pub fn without(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        for part in parts {
            self.0.remove(&part);
        }
        self
    }

    /// Whether the part is compared.
    pub fn has(&self, part: Part) -> bool {
        self.0.contains(&part)
    }

    /// The parts that are not compared.
    pub fn left_out(&self) -> impl Iterator<Item = Part> + '_ {
        Part::ALL.into_iter().filter(|part| !self.has(*part))
    }

    /// Whether two outcomes are equal in every part that is compared.
    pub(crate) fn outcomes_agree(&self, expected: &Outcome, actual: &Outcome) -> bool {
        match (expected, actual) {
            (Outcome::Done(_), Outcome::Done(_)) if !self.has(Part::Returned) => true,
            (Outcome::Refused(_), Outcome::Refused(_)) if !self.has(Part::Reason) => true,
            _ => expected == actual,
        }
    }

    /// The view with only what is compared. A blanked field has the same value on both sides.
    pub fn of(&self, mut view: View) -> View {
        if !self.has(Part::Delayed) {
            view.held.clear();
        }
        if !self.has(Part::PlacementDriver) {
            view.pd = PlacementDriver::default();
        }
        for store in view.stores.values_mut() {
            self.blank_store(store);
        }
        view
    }

    fn blank_store(&self, store: &mut Store) {
        let Store { status, peers, ranges, pending_ranges, pending_messages, plan } = store;
        if !self.has(Part::StoreStatus) {
            *status = StoreStatus::Up;
        }
        if !self.has(Part::Ranges) {
            ranges.clear();
            pending_ranges.clear();
        }
        if !self.has(Part::PendingMessages) {
            pending_messages.clear();
        }
        if !self.has(Part::Recovery) {
            *plan = None;
        }
        if self.has(Part::Peers) {
            peers.values_mut().for_each(|peer| self.blank_peer(peer));
        } else {
            // Without `Peers` no other part of a peer can be assigned to it, so no part of a peer
            // is compared.
            *peers = BTreeMap::new();
        }
    }

    fn blank_peer(&self, peer: &mut Peer) {
        // Names every field, so that a new field must be assigned to a part.
        let Peer {
            id: _,
            state,
            replaces_tombstone,
            role,
            term,
            vote,
            leader,
            log,
            commit,
            synced_commit,
            durable,
            applied,
            region,
            merge,
            merged_into,
            created_by,
            stale_check,
            log_since,
            snapshot,
            campaign,
            leading,
            failed_stores,
            recovery,
            read,
            data,
        } = peer;
        // Who drives a subject says when it is durable: no part shows it.
        *durable = None;
        let keeps = |part| self.has(part);
        if !keeps(Part::Role) {
            *role = Role::Follower;
        }
        if !keeps(Part::Term) {
            *term = 0;
        }
        if !keeps(Part::Vote) {
            *vote = 0;
        }
        if !keeps(Part::Leader) {
            *leader = 0;
        }
        if !keeps(Part::Log) {
            log.entries.clear();
            log.truncated = LogPosition::default();
        }
        if !keeps(Part::Commit) {
            (*commit, *synced_commit) = (0, None);
        }
        if !keeps(Part::Applied) {
            *applied = 0;
        }
        if !keeps(Part::Region) {
            *region = Region::unknown(region.id);
        }
        if !keeps(Part::Data) {
            data.clear();
        }
        if !keeps(Part::Campaign) {
            *campaign = None;
        }
        if !keeps(Part::Progress) {
            *leading = None;
        }
        if !keeps(Part::Snapshot) {
            *snapshot = None;
        }
        if !keeps(Part::Read) {
            *read = None;
        }
        if !keeps(Part::Merge) {
            (*merge, *merged_into) = (None, None);
            if *state == PeerState::Merging {
                *state = PeerState::Normal;
            }
        }
        if !keeps(Part::Origin) {
            (*replaces_tombstone, *created_by, *stale_check, *log_since) = (false, None, None, None);
        }
        if !keeps(Part::Recovery) {
            failed_stores.clear();
            *recovery = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Part::ALL.iter().map(|part| part.name()).collect();
        assert_eq!(names.len(), Part::ALL.len());
        let sorted: BTreeSet<Part> = Part::ALL.into();
        assert_eq!(sorted.len(), Part::ALL.len());
    }

    #[test]
    fn a_refusal_agrees_with_another_where_reasons_are_left_out() {
        use rollcall_traces::Reason;
        let (one, other) = (Outcome::Refused(Reason::NotLeader), Outcome::Refused(Reason::StaleTerm));
        assert!(!Projection::everything().outcomes_agree(&one, &other));
        let coarse = Projection::everything().without([Part::Reason]);
        assert!(coarse.outcomes_agree(&one, &other));
        assert!(!coarse.outcomes_agree(&one, &Outcome::DONE), "done is never refused");
    }
}
