//! Reasons for which getting stuck is correct: a goal is not owed.
//!
//! A scope lists its reasons (`Plan::allowed_stuck`). Any other reason is a failure, and so is a
//! listed one that never occurs.

use std::fmt;

use rollcall_traces::{
    Action, Cluster, Member, Outcome, PeerState, Reason, Region, RegionId, Reply, StoreId, StoreState,
    StoreStatus,
};

use super::pd::{runs, unheard_leader};
use super::{
    hangs, has_nobody_to_ask, in_charge, is_merged_away, is_not_recovered, is_outrun, is_owed, is_there,
    newest, recovery, refuses, strangers,
};
use crate::bounds::reach::is_given_up;
use crate::model::Rollcall;
use crate::model::State;
use crate::model::StateRef;

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
    /// because its own log is newer: it has a newer entry in the place of a committed one.
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
    /// A peer's disk hangs: a member does not catch up, and a removed peer stays (tikv#17363).
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
                "the voter of region {region} on store {store} has a newer entry in the place of a committed one"
            ),
            StuckReason::TargetNotRecovered { region, target } => {
                write!(
                    f,
                    "region {region} waits for its merge target, region {target}, which is not recovered"
                )
            }
            StuckReason::EndedByHand { region } => write!(f, "region {region} was ended by hand"),
            StuckReason::TermUnanswered { region } => {
                write!(f, "the only voter of region {region} leads, and a learner knows a newer term")
            }
            StuckReason::DiskLost { region, store } => {
                write!(
                    f,
                    "the member of region {region} on store {store} lost its disk, and nobody replaces it"
                )
            }
            StuckReason::IdTakenAgain { region, store } => {
                write!(
                    f,
                    "the member of region {region} on store {store} has the id of a peer that was removed there"
                )
            }
            StuckReason::DiskHangs { region, store } => {
                write!(f, "the disk of store {store} hangs, with a peer of region {region}")
            }
            StuckReason::NobodyToAsk { region, store } => {
                write!(f, "the removed peer of region {region} on store {store} knows nobody to ask")
            }
            StuckReason::GivenUp { region, store } => {
                write!(f, "a member of region {region} is on store {store}, which was given up and runs on")
            }
            StuckReason::NoTarget { region } => write!(f, "no legal target for region {region}"),
            StuckReason::LeaderForgotten { region, store } => {
                write!(f, "region {region} is led on store {store}, which PD forgot or gave up")
            }
        }
    }
}

impl StuckReason {
    /// Every name that there is.
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

    /// What shows it in `state`: `store 3 is full, store 4 is destroyed`.
    pub fn because(self, model: &Rollcall, state: &State) -> String {
        let seen = model.seen(state);
        let words = seen.stores().map(|(store, status)| of_store(model, seen, self.region(), store, status));
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
    model: &Rollcall,
    seen: StateRef<'_>,
    region: RegionId,
    store: StoreId,
    status: StoreStatus,
) -> String {
    let governed = model.scope().max_replicas > 0;
    let known = seen.pd().stores.get(&store).map(|known| known.state);
    let ended = seen.peer(store, region).is_some_and(|peer| peer.state == PeerState::Tombstone);
    let has_peer = newest(seen, region).is_some_and(|meta| meta.member_on(store).is_some());
    let is = match status {
        StoreStatus::DiskLost => "is destroyed",
        StoreStatus::Down => "is down",
        StoreStatus::Up if governed && known.is_none() => "is forgotten by PD",
        StoreStatus::Up if is_given_up(seen, store) => "was given up",
        StoreStatus::Up if known == Some(StoreState::Offline) => "leaves",
        StoreStatus::Up if known == Some(StoreState::Tombstone) => "has left",
        StoreStatus::Up if has_peer && ended => "has a tombstone of the member",
        StoreStatus::Up if has_peer && hangs(model, store) => "hangs",
        StoreStatus::Up if has_peer => "has a peer",
        StoreStatus::Up if model.scope().full.contains(&store) => "is full",
        StoreStatus::Up => "is there",
    };
    format!("store {store} {is}")
}

/// Why something is not owed where healing has ended, each reason once.
pub fn stuck_reasons(model: &Rollcall, state: &State) -> Vec<StuckReason> {
    let seen = model.seen(state);
    let mut stuck_reasons = Vec::new();
    for region in seen.regions().filter(|region| !is_merged_away(seen, *region)) {
        if is_owed(seen, region) {
            of_members(model, seen, region, &mut stuck_reasons);
            if model.scope().max_replicas > 0 {
                // What the patrol says of a region whose leader it does not hear is no answer.
                stuck_reasons.extend(match unheard_leader(seen, region) {
                    Some(store) => Some(StuckReason::LeaderForgotten { region, store }),
                    None => of_patrol(model, state, region),
                });
            }
        } else {
            stuck_reasons.extend(not_owed(model, state, region));
        }
    }
    stuck_reasons.sort_unstable();
    stuck_reasons.dedup();
    stuck_reasons
}

/// Whether nobody has more of it than the tombstone of a peer that was never initialised, and
/// every disk that is gone was given up.
fn is_known_by_tombstones_alone(seen: StateRef<'_>, meta: &Region) -> bool {
    let is_gone = |status| status == StoreStatus::DiskLost;
    let mut gone = seen.stores().filter(|(_, status)| is_gone(*status)).peekable();
    let voters = meta.peers.iter().any(|member| meta.is_voter(member.id));
    !voters && gone.peek().is_some() && gone.all(|(store, _)| is_given_up(seen, store))
}

fn not_owed(model: &Rollcall, state: &State, region: RegionId) -> Option<StuckReason> {
    let seen = model.seen(state);
    let meta = newest(seen, region)?;
    let has_disk = |member: &Member| is_there(seen, member.store);
    let by_hand = meta.has_quorum(|id| meta.member(id).is_some_and(has_disk));
    if is_outrun(seen, region) {
        Some(StuckReason::TermUnanswered { region })
    } else if by_hand {
        Some(StuckReason::EndedByHand { region })
    } else if is_not_recovered(seen, region) || is_known_by_tombstones_alone(seen, meta) {
        // Where nothing keeps it from going on that is missed.
        recovery::obstacle(seen, region)
    } else {
        Some(StuckReason::MajorityLost { region })
    }
}

fn of_members(model: &Rollcall, seen: StateRef<'_>, region: RegionId, stuck_reasons: &mut Vec<StuckReason>) {
    let Some((_, leader)) = in_charge(seen, region) else { return };
    for member in &leader.region.peers {
        let store = member.store;
        if is_given_up(seen, store) && runs(seen, store) {
            stuck_reasons.push(StuckReason::GivenUp { region, store });
        } else if seen.peer(store, region).is_some_and(|peer| refuses(peer, member)) {
            stuck_reasons.push(StuckReason::IdTakenAgain { region, store });
        } else if !is_there(seen, store) && model.scope().max_replicas == 0 {
            stuck_reasons.push(StuckReason::DiskLost { region, store });
        } else if hangs(model, store)
            && seen.peer(store, region).is_none_or(|peer| peer.applied < leader.applied)
        {
            stuck_reasons.push(StuckReason::DiskHangs { region, store });
        }
    }
    stuck_reasons.extend(strangers(seen, &leader.region).filter_map(|(store, peer)| {
        if hangs(model, store) {
            Some(StuckReason::DiskHangs { region, store })
        } else {
            let alone = has_nobody_to_ask(model, seen, &leader.region, store, peer);
            alone.then_some(StuckReason::NobodyToAsk { region, store })
        }
    }));
}

fn of_patrol(model: &Rollcall, state: &State, region: RegionId) -> Option<StuckReason> {
    match model.step(state, &Action::Schedule { region, reply: Reply::Delivered }).1 {
        Outcome::Refused(Reason::NoTarget) => Some(StuckReason::NoTarget { region }),
        _ => None,
    }
}
