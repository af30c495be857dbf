//! What must hold in every state, under the field's names.
//!
//! A property reads only a [`Cluster`] and its [`History`]. It is therefore written once and checks
//! the states of the model and the views of the implementation alike. If only a transition shows a
//! violation, the history keeps it as a [`Breach`]. The statements are S1 to S12 of the property
//! vocabulary. They are made exact for four things: configurations and splits take effect at apply,
//! store by store; logs are compacted; PD knows only what was reported to it. Each function says
//! how.
//!
//! Once an administrator has given up stores by force, every property is checked for the other
//! stores only: the peers of a given-up store count as lost with its disk. `election_safety`,
//! `leader_completeness`, `state_machine_safety`, `log_matching` and `no_lost_write` hold among the
//! remaining peers, from their state after the recovery on. What only the others knew is lost. If
//! the others come back, they may lead, commit and answer beside.
//!
//! For a given-up store `tombstone_store_empty` checks only that its record stays while a region
//! lists it. To `no_unsafe_removal` and `no_unsafe_plan` its voters are dead. What the lost disk
//! may have disproved is not checked: `range_cover`, and in `pd_view` that some replica has applied
//! what PD knows. PD's own conduct is checked as before, for given-up stores too: `one_operator`,
//! `tombstone_absorbing`, and that PD's knowledge never goes back (`force.rs` tries each). tikv-ctl
//! `tombstone --force` exempts from none of them: the peer is as lost as with its disk, and
//! `no_resurrection` keeps it away because its tombstone lists it.
//!
//! The peers of a stopped store are checked as they will restart. A check that passes allocates
//! nothing, because it runs on every state of an exploration.

use std::fmt;

use rollcall_traces::{
    Breach, Cluster, ClusterSummary, Epoch, History, HistoryParts, Peer, PeerState, RegionId, Remaining,
    StoreId,
};

mod clients;
mod elections;
mod epochs;
mod idle;
mod lineage;
mod logs;
mod pd;
mod ranges;
mod removals;
mod stores;
mod tombstones;

#[cfg(test)]
mod force;
#[cfg(test)]
mod forge;

pub use clients::{no_lost_write, read_safety};
pub use elections::{election_safety, leader_completeness};
pub use epochs::{epoch_comparable, epoch_monotone, single_change};
pub use lineage::split_lineage;
pub use logs::{applied_agreement, log_matching, state_machine_safety};
pub use pd::{no_unsafe_plan, one_operator, pd_view, tombstone_absorbing, tombstone_store_empty};
pub use ranges::{range_cover, range_disjoint};
pub use removals::no_unsafe_removal;
pub use stores::meta_consistent;
pub use tombstones::{clean_tombstone, no_resurrection};

/// What was violated, where, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The property.
    pub property: Property,
    /// The region; none if a whole store is concerned.
    pub region: Option<RegionId>,
    /// Stores, indexes and what is wrong with them, in words.
    pub what: String,
}

impl Violation {
    fn new(property: Property, region: impl Into<Option<RegionId>>, what: impl Into<String>) -> Self {
        Self { property, region: region.into(), what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.property.name())?;
        self.region.map_or(Ok(()), |region| write!(f, "region {region}: "))?;
        f.write_str(&self.what)
    }
}

impl std::error::Error for Violation {}

/// The one table: variant, function (whose name is the property's), the parts
/// of the history that it reads, its statement in a line.
macro_rules! properties {
    ($($variant:ident $function:ident [$($part:ident)*] $statement:literal;)*) => {
        /// A property, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Property {
            $(#[doc = $statement] $variant,)*
        }

        impl Property {
            /// Every property.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that the field gives it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($function),)* }
            }

            /// What it says, in a line.
            pub fn statement(self) -> &'static str {
                match self { $(Self::$variant => $statement,)* }
            }

            /// The parts of the history that it reads.
            pub fn parts(self) -> HistoryParts {
                match self {
                    $(Self::$variant => HistoryParts { $($part: true,)* ..HistoryParts::NONE },)*
                }
            }

            /// Judges one state.
            ///
            /// # Errors
            /// The first violation found.
            pub fn check<C: ClusterSummary>(self, cluster: &C, history: &History) -> Result<(), Violation> {
                if history.abandoned().is_empty() {
                    return match self { $(Self::$variant => $function(cluster, history),)* };
                }
                let left = Remaining::of(cluster, history.abandoned());
                match self { $(Self::$variant => $function(&left, history),)* }
            }
        }
    };
}

properties! {
    ElectionSafety election_safety [leaders]
        "at most one peer of a region wins the election of a term";
    LogMatching log_matching []
        "two logs that have the same term at an index are equal up to it, as far as both hold the entries";
    LeaderCompleteness leader_completeness [committed]
        "a leader has every entry that was known to be committed in its term or an earlier one";
    StateMachineSafety state_machine_safety [committed]
        "no two peers commit different entries at one index";
    AppliedAgreement applied_agreement []
        "two replicas with the same applied index have the same region and the same data";
    EpochMonotone epoch_monotone [destroyed]
        "the epoch of a region on a store never decreases, not even across a tombstone";
    EpochComparable epoch_comparable [epochs]
        "one epoch has one region meta; any two epochs of a region are comparable; no epoch rises without a change; regions that share a key differ in version";
    SingleChange single_change [epochs]
        "a leader's log has at most one unapplied conf change, and consecutive quorums intersect";
    NoResurrection no_resurrection [destroyed]
        "where a peer was destroyed, only a newer configuration that lists the new peer creates one";
    CleanTombstone clean_tombstone [destroyed]
        "a removed peer leaves a tombstone with the epoch of its removal, and nothing else";
    RangeDisjoint range_disjoint []
        "no two initialised peers of one store share a key";
    RangeCover range_cover [cover]
        "the newest ranges of the regions cover the key space without an overlap";
    SplitLineage split_lineage [lineage]
        "the parts of a split are adjacent, cover the parent's range, and inherit epoch, members and data";
    MetaConsistent meta_consistent []
        "a store's range index, its peers' keys, its pending messages and all peer ids agree with its regions";
    ReadSafety read_safety [reads writes]
        "a read returns what its peer holds, and nothing older than what clients knew when it started";
    NoLostWrite no_lost_write [writes]
        "a write that a client knows is on every replica that applied its index and on every later leader";
    TombstoneStoreEmpty tombstone_store_empty [pd epochs]
        "when PD buries a store or removes its record, no configuration that PD knew, and no applied one, has a member there";
    NoUnsafeRemoval no_unsafe_removal [epochs]
        "no leader accepts a change that removes or demotes a live voter and leaves no live majority where there was one";
    NoUnsafePlan no_unsafe_plan [pd]
        "PD creates no operator that removes a voter that it knows to be live and leaves no live majority where there was one";
    OneOperator one_operator [pd]
        "a running operator is replaced only by one of a higher priority";
    TombstoneAbsorbing tombstone_absorbing [pd]
        "a store that is Tombstone, or was declared destroyed, remains so until its record is removed";
    PdView pd_view [pd destroyed epochs]
        "PD's epoch of a region was applied by some peer, and never decreases";
}

impl Property {
    /// Whether each part of the property concerns one store, one peer and its region's history, two
    /// peers, or a latched breach. Such a property holds of a cluster if it holds of each store
    /// without a history, of each peer with the history, and of every two peers without one. Once a
    /// store was abandoned, this applies to what remains.
    pub fn is_of_two_peers(self) -> bool {
        !matches!(self, Self::RangeCover | Self::TombstoneStoreEmpty | Self::PdView)
    }

    /// The property called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|property| property.name() == name)
    }

    /// The property that a breach violates.
    pub fn of(breach: &Breach) -> Self {
        match breach {
            Breach::SecondLeader { .. } => Self::ElectionSafety,
            Breach::DifferentCommit { .. } => Self::StateMachineSafety,
            Breach::EpochDecreased { .. } => Self::EpochMonotone,
            Breach::EpochsIncomparable { .. }
            | Breach::EpochReused { .. }
            | Breach::EpochRaisedForNothing { .. } => Self::EpochComparable,
            Breach::QuorumsDisjoint { .. } => Self::SingleChange,
            Breach::Resurrected { .. } => Self::NoResurrection,
            Breach::TombstoneBehind { .. } | Breach::Vanished { .. } | Breach::Supplanted { .. } => {
                Self::CleanTombstone
            }
            Breach::WrongPart { .. } => Self::SplitLineage,
            Breach::StaleRead { .. } | Breach::ReadBehindSplit { .. } | Breach::WrongAnswer { .. } => {
                Self::ReadSafety
            }
            Breach::PdWentBack { .. } | Breach::PdTermWentBack { .. } => Self::PdView,
            Breach::TombstoneRose { .. } | Breach::DestroyedReturned { .. } => Self::TombstoneAbsorbing,
            Breach::RecordRemoved { .. } => Self::TombstoneStoreEmpty,
            Breach::UnsafePlan { .. } => Self::NoUnsafePlan,
            Breach::UnsafeRemoval { .. } => Self::NoUnsafeRemoval,
            Breach::OperatorDisplaced { .. }
            | Breach::OperatorOutrun { .. }
            | Breach::OperatorWithoutRegion { .. } => Self::OneOperator,
        }
    }

    /// Fails if a transition violated this property.
    fn not_latched(self, history: &History) -> Result<(), Violation> {
        match history.breaches().iter().find(|breach| Self::of(breach) == self) {
            Some(breach) => Err(Violation::new(self, breach.region(), breach.to_string())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A peer or tombstone, and where it is.
type Replica<'a> = (StoreId, &'a Peer);

/// A list kept on the stack while it has at most eight items, such as the replicas of a region.
struct Few<T> {
    first: [Option<T>; 8],
    more: Vec<T>,
}

impl<T: Copy> Few<T> {
    fn of(mut things: impl Iterator<Item = T>) -> Self {
        // The array is full, or the iterator has ended.
        let first: [Option<T>; 8] = std::array::from_fn(|_| things.next());
        let more = if first[7].is_some() { things.collect() } else { Vec::new() };
        Self { first, more }
    }

    fn iter(&self) -> impl Iterator<Item = T> + Clone + '_ {
        self.first.iter().map_while(|thing| *thing).chain(self.more.iter().copied())
    }

    /// Every unordered pair.
    fn pairs(&self) -> impl Iterator<Item = (T, T)> + '_ {
        let mut rest = self.iter();
        std::iter::from_fn(move || rest.next().map(|one| (one, rest.clone())))
            .flat_map(|(one, others)| others.map(move |other| (one, other)))
    }
}

/// Judges every unordered pair of replicas of every region.
fn every_pair<C: Cluster>(
    cluster: &C,
    mut check: impl FnMut(RegionId, Replica<'_>, Replica<'_>) -> Result<(), Violation>,
) -> Result<(), Violation> {
    for region in cluster.regions() {
        let replicas = Few::of(cluster.replicas(region));
        for (a, b) in replicas.pairs() {
            check(region, a, b)?;
        }
    }
    Ok(())
}

/// Judges every replica of every region.
fn every_replica<C: Cluster>(
    cluster: &C,
    mut check: impl FnMut(RegionId, Replica<'_>) -> Result<(), Violation>,
) -> Result<(), Violation> {
    for region in cluster.regions() {
        for replica in cluster.replicas(region) {
            check(region, replica)?;
        }
    }
    Ok(())
}

fn is_initialized(peer: &Peer) -> bool {
    peer.is_initialized()
}

/// Whether the peer has a region. An uninitialised peer has none, and neither has its tombstone.
fn shows_region(peer: &Peer) -> bool {
    peer.state != PeerState::Uninitialised && peer.region.epoch != Epoch::default()
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Committed, Destroyed, Epoch, Key, PartFault, RegionHistory, Winner};

    use super::*;

    #[test]
    fn every_property_is_found_by_its_name() {
        for property in Property::ALL {
            assert_eq!(Property::from_name(property.name()), Some(*property));
            assert!(!property.statement().is_empty());
        }
        assert_eq!(Property::from_name("election_safty"), None);
    }

    #[test]
    fn every_pair_is_judged_once_however_many_there_are() {
        for stores in [1, 3, 8, 9, 12] {
            let mut pairs = Vec::new();
            let judged = every_pair(&forge::of(stores), |_, (first, _), (second, _)| {
                pairs.push((first, second));
                Ok(())
            });
            assert_eq!(judged, Ok(()));
            let all = (1..=stores).flat_map(|a| (a + 1..=stores).map(move |b| (a, b)));
            assert_eq!(pairs, all.collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_property_holds_of_a_cluster_that_has_just_begun() {
        for view in [forge::three(), forge::governed(3)] {
            let history = History::begin(HistoryParts::ALL, &view);
            for property in Property::ALL {
                assert_eq!(property.check(&view, &history), Ok(()));
            }
        }
    }

    /// Guards against a row that dispatches to another property's function.
    #[test]
    fn every_breach_is_reported_by_its_own_property_and_no_other() {
        let winner = rollcall_traces::Winner { store: 1, peer: 1 };
        let (region, store, peer, index, term, epoch) = (1, 1, 1, 6, 6, Epoch::default());
        let key = Key::from("a");
        let breaches = [
            Breach::SecondLeader { region, term, first: winner, second: winner },
            Breach::DifferentCommit { region, store, index, term, first_term: 5 },
            Breach::EpochDecreased { region, store, from: epoch, to: epoch },
            Breach::EpochsIncomparable { region, store, epoch, other: epoch },
            Breach::EpochReused { region, store, epoch },
            Breach::EpochRaisedForNothing { region, store, from: epoch, to: epoch },
            Breach::QuorumsDisjoint { region, store, from: epoch, to: epoch },
            Breach::Resurrected { region, store, peer, by: epoch, destroyed: peer, at: epoch },
            Breach::TombstoneBehind { region, store, peer, peer_epoch: epoch, tombstone: epoch },
            Breach::Vanished { region, store, peer },
            Breach::Supplanted { region, store, peer, by: 9 },
            Breach::WrongPart { region, store, parent: region, fault: PartFault::Unnamed },
            Breach::StaleRead { region, store, key: key.clone(), applied: 5, acknowledged: index },
            Breach::ReadBehindSplit { region, store, key: key.clone(), version: 1, split_off: 10 },
            Breach::WrongAnswer { region, store, key },
            Breach::PdWentBack { region, from: epoch, to: epoch },
            Breach::PdTermWentBack { region, from: 7, to: 6 },
            Breach::TombstoneRose { store },
            Breach::DestroyedReturned { store },
            Breach::RecordRemoved { region, store },
            Breach::UnsafePlan { region, store, peer },
            Breach::UnsafeRemoval { region, store, peer },
            Breach::OperatorDisplaced { region },
            Breach::OperatorOutrun { region },
            Breach::OperatorWithoutRegion { region },
        ];
        for breach in breaches {
            let history = forge::history_with(&breach);
            for property in Property::ALL {
                let reported = property.check(&forge::three(), &history);
                if *property == Property::of(&breach) {
                    let violation = reported.expect_err("a latched breach is a violation");
                    assert_eq!((violation.property, violation.region), (*property, breach.region()));
                    assert!(!violation.to_string().contains("region 0"), "{violation}");
                    assert_eq!(violation.what, breach.to_string());
                } else {
                    assert_eq!(reported, Ok(()));
                }
            }
        }
    }

    /// What it reads of a history is all that decides.
    #[test]
    fn a_property_reads_no_part_of_a_history_that_it_does_not_name() {
        let at = |conf_ver| Epoch { conf_ver, version: 9 };
        let region = RegionHistory {
            leaders: [(7, Winner { store: 2, peer: 2 })].into(),
            committed: [(6, Committed { term: 7, known_in: 7 })].into(),
            destroyed: [(4, Destroyed { peer: 9, epoch: at(9) })].into(),
            ..RegionHistory::default()
        };
        let full = serde_json::json!({ "parts": HistoryParts::ALL, "began_whole": true, "regions": { "1": region } });
        let full: History = serde_json::from_value(full).expect("a history of one region");
        let mut broken = 0;
        for view in
            [forge::three(), forge::governed(3), forge::with(&forge::three(), |view| forge::lead(view, 1, 7))]
        {
            for property in Property::ALL {
                let judged = property.check(&view, &full);
                broken += u32::from(judged.is_err());
                assert_eq!(property.check(&view, &full.only(property.parts())), judged, "{property}");
            }
        }
        assert!(broken > 0, "something of it matters");
        assert_eq!(full.only(HistoryParts::ALL), full);
        assert_eq!(full.only(HistoryParts::NONE), History::default());
    }

    #[test]
    fn a_history_without_parts_remembers_nothing() {
        let before = forge::three();
        let after = forge::with(&before, |view| forge::lead(view, 1, 6));
        let mut history = History::begin(HistoryParts::NONE, &before);
        forge::follow(&mut history, &before, forge::campaign(1), &after);
        assert_eq!(history, History::default());
    }
}
