//! Reasons for which getting stuck is correct: a goal is not owed.
//!
//! A scope lists its reasons (`ScopePlan::allowed_stuck`). Any other reason is a failure, and so is a
//! listed one that never occurs.

use std::fmt;

use rollcall_traces::{Cluster, PeerState, RegionId, Scope, StoreId, StoreState, StoreStatus};

use super::owed::{hangs, newest};
use crate::cluster::is_given_up;
use crate::semantics::Semantics;

/// Why a goal is not owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StuckReason {
    /// A majority of the region's newest configuration lost its disks (rows 16, 41, 44), and
    /// not all of those stores were given up.
    MajorityLost {
        /// The region.
        region: RegionId,
    },
    /// Every lost peer of the majority was given up by force, and no store that reports has a
    /// peer with the region.
    NobodyLeft {
        /// The region.
        region: RegionId,
    },
    /// The same, and a remaining voter rejects every peer that has the committed entries,
    /// because its own log is newer: it has a newer entry in place of a committed one.
    NewerLogLeft {
        /// The region.
        region: RegionId,
        /// The voter's store.
        store: StoreId,
    },
    /// The same, and the region is a merge source whose target is not recovered. With a leader
    /// of its own it would no longer fit (tikv#12627).
    TargetNotRecovered {
        /// The region.
        region: RegionId,
        /// The merge target.
        target: RegionId,
    },
    /// A majority was made tombstones by hand (tikv-ctl `--force`; row 52).
    EndedByHand {
        /// The region.
        region: RegionId,
    },
    /// The only voter leads in an older term than a learner knows, and never learns of it:
    /// raft-rs answers an older term only with pre-vote or check-quorum.
    TermUnanswered {
        /// The region.
        region: RegionId,
    },
    /// A member lost its disk, and there is no placement driver to replace it.
    DiskLost {
        /// The region.
        region: RegionId,
        /// The member's store.
        store: StoreId,
    },
    /// A member has the id of a peer that was removed from that store before, and is refused
    /// there for ever.
    IdTakenAgain {
        /// The region.
        region: RegionId,
        /// The member's store.
        store: StoreId,
    },
    /// A peer's disk is stalled: a member does not catch up, and a removed peer stays (tikv#17363).
    DiskHangs {
        /// The region.
        region: RegionId,
        /// The peer's store.
        store: StoreId,
    },
    /// A removed peer knows no remaining member to ask, and there is no placement driver.
    NobodyToAsk {
        /// The region.
        region: RegionId,
        /// The peer's store.
        store: StoreId,
    },
    /// A member is on a store that was given up, is Tombstone, and still runs. No goal waits
    /// for it, and the leader has yet to remove it.
    GivenUp {
        /// The region.
        region: RegionId,
        /// The member's store.
        store: StoreId,
    },
    /// No store can take another peer of the region (rows 39, 40).
    NoTarget {
        /// The region.
        region: RegionId,
    },
    /// The leader is on a store without a record, or one that was given up. PD ignores its
    /// reports, and learns of the region when another peer leads.
    LeaderForgotten {
        /// The region.
        region: RegionId,
        /// The leader's store.
        store: StoreId,
    },
}

impl fmt::Display for StuckReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StuckReason::MajorityLost { region } => write!(f, "majority lost in region {region}"),
            StuckReason::NobodyLeft { region } => {
                write!(f, "no store that reports has a peer of region {region}")
            }
            StuckReason::NewerLogLeft { region, store } => write!(
                f,
                "the voter of region {region} on store {store} has a newer entry in place of a committed one"
            ),
            StuckReason::TargetNotRecovered { region, target } => {
                write!(
                    f,
                    "region {region} waits for its merge target, region {target}, which is not recovered"
                )
            }
            StuckReason::EndedByHand { region } => {
                write!(f, "a majority of region {region} was tombstoned by hand")
            }
            StuckReason::TermUnanswered { region } => {
                write!(f, "the only voter of region {region} leads, and a learner knows a newer term")
            }
            StuckReason::DiskLost { region, store } => {
                write!(
                    f,
                    "the member of region {region} on store {store} lost its disk, and there is no PD to replace it"
                )
            }
            StuckReason::IdTakenAgain { region, store } => {
                write!(
                    f,
                    "the member of region {region} on store {store} has the id of a peer that was removed there"
                )
            }
            StuckReason::DiskHangs { region, store } => {
                write!(f, "the disk of store {store} is stalled, with a peer of region {region}")
            }
            StuckReason::NobodyToAsk { region, store } => {
                write!(f, "the removed peer of region {region} on store {store} knows no member to ask")
            }
            StuckReason::GivenUp { region, store } => {
                write!(
                    f,
                    "a member of region {region} is on store {store}, which was given up and still runs"
                )
            }
            StuckReason::NoTarget { region } => write!(f, "no legal target for region {region}"),
            StuckReason::LeaderForgotten { region, store } => {
                write!(
                    f,
                    "the leader of region {region} is on store {store}, whose record PD removed or which was given up"
                )
            }
        }
    }
}

impl StuckReason {
    /// Every name.
    pub const NAMES: &'static [&'static str] = &[
        "majority_lost",
        "nobody_left",
        "newer_log_left",
        "target_not_recovered",
        "ended_by_hand",
        "term_unanswered",
        "disk_lost",
        "id_taken_again",
        "disk_hangs",
        "nobody_to_ask",
        "given_up",
        "no_target",
        "leader_forgotten",
    ];

    /// Its name in a scenario's `stuck`, without region and store.
    pub fn name(self) -> &'static str {
        match self {
            StuckReason::MajorityLost { .. } => "majority_lost",
            StuckReason::NobodyLeft { .. } => "nobody_left",
            StuckReason::NewerLogLeft { .. } => "newer_log_left",
            StuckReason::TargetNotRecovered { .. } => "target_not_recovered",
            StuckReason::EndedByHand { .. } => "ended_by_hand",
            StuckReason::TermUnanswered { .. } => "term_unanswered",
            StuckReason::DiskLost { .. } => "disk_lost",
            StuckReason::IdTakenAgain { .. } => "id_taken_again",
            StuckReason::DiskHangs { .. } => "disk_hangs",
            StuckReason::NobodyToAsk { .. } => "nobody_to_ask",
            StuckReason::GivenUp { .. } => "given_up",
            StuckReason::NoTarget { .. } => "no_target",
            StuckReason::LeaderForgotten { .. } => "leader_forgotten",
        }
    }

    /// The evidence in `state`: `store 3 is full, store 4 lost its disk`.
    pub fn because<R: Semantics>(self, rules: &R, state: &R::State) -> String {
        let cluster = &rules.cluster(state);
        let words = cluster
            .stores()
            .map(|(store, status)| of_store(rules.scope(), cluster, self.region(), store, status));
        words.collect::<Vec<_>>().join(", ")
    }

    fn region(self) -> RegionId {
        match self {
            StuckReason::MajorityLost { region }
            | StuckReason::NobodyLeft { region }
            | StuckReason::NewerLogLeft { region, .. }
            | StuckReason::TargetNotRecovered { region, .. }
            | StuckReason::EndedByHand { region }
            | StuckReason::TermUnanswered { region }
            | StuckReason::DiskLost { region, .. }
            | StuckReason::IdTakenAgain { region, .. }
            | StuckReason::DiskHangs { region, .. }
            | StuckReason::NobodyToAsk { region, .. }
            | StuckReason::GivenUp { region, .. }
            | StuckReason::NoTarget { region }
            | StuckReason::LeaderForgotten { region, .. } => region,
        }
    }
}

fn of_store(
    scope: &Scope,
    cluster: &impl Cluster,
    region: RegionId,
    store: StoreId,
    status: StoreStatus,
) -> String {
    let governed = scope.max_replicas > 0;
    let known = cluster.pd().stores.get(&store).map(|known| known.state);
    let ended = cluster.peer(store, region).is_some_and(|peer| peer.state == PeerState::Tombstone);
    let has_peer = newest(cluster, region).is_some_and(|meta| meta.member_on(store).is_some());
    let is = match status {
        StoreStatus::DiskLost => "lost its disk",
        StoreStatus::Down => "is down",
        StoreStatus::Up if governed && known.is_none() => "has no record in PD",
        StoreStatus::Up if is_given_up(cluster, store) => "was given up",
        StoreStatus::Up if known == Some(StoreState::Offline) => "leaves",
        StoreStatus::Up if known == Some(StoreState::Tombstone) => "has left",
        StoreStatus::Up if has_peer && ended => "has a tombstone of the member",
        StoreStatus::Up if has_peer && hangs(scope, store) => "has a stalled disk",
        StoreStatus::Up if has_peer => "has a peer",
        StoreStatus::Up if scope.full.contains(&store) => "is full",
        StoreStatus::Up => "is there",
    };
    format!("store {store} {is}")
}
