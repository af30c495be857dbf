//! Violations that only a transition shows.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Winner;
use crate::region::{Epoch, Key, KeyRange, Member, PeerId, RegionId, StoreId, Value};
use crate::words::joined;

/// A violation that only a transition shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// An election was won in a term that already had a leader.
    #[error("peer {} on store {} became leader in term {term}, which peer {} on store {} had led",
        second.peer, second.store, first.peer, first.store)]
    SecondLeader {
        /// The region.
        region: RegionId,
        /// The term.
        term: u64,
        /// The first winner.
        first: Winner,
        /// The second winner; it may be the same peer, if it lost its vote.
        second: Winner,
    },
    /// Two peers knew different entries to be committed at one index.
    #[error(
        "store {store} commits the entry of term {term} at index {index}; another store committed the one of term {first_term}"
    )]
    DifferentCommit {
        /// The region.
        region: RegionId,
        /// The second store.
        store: StoreId,
        /// The index.
        index: u64,
        /// The term of its entry.
        term: u64,
        /// The term of the entry known first.
        first_term: u64,
    },
    /// A store's epoch of a region decreased.
    #[error("the epoch on store {store} decreased from {from} to {to}")]
    EpochDecreased {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The epoch before.
        from: Epoch,
        /// The epoch after.
        to: Epoch,
    },
    /// Neither of two epochs is behind the other in both components.
    #[error("store {store} reached epoch {epoch}, which is not comparable with {other}")]
    EpochsIncomparable {
        /// The region.
        region: RegionId,
        /// The second store.
        store: StoreId,
        /// Its epoch.
        epoch: Epoch,
        /// The epoch seen first.
        other: Epoch,
    },
    /// One epoch stood for two different regions.
    #[error("store {store} has other members or another range under epoch {epoch} than was seen before")]
    EpochReused {
        /// The region.
        region: RegionId,
        /// The second store.
        store: StoreId,
        /// The epoch.
        epoch: Epoch,
    },
    /// An entry raised the epoch without changing members or range.
    #[error("store {store} went from epoch {from} to {to}, and neither members nor range changed")]
    EpochRaisedForNothing {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The epoch before.
        from: Epoch,
        /// The epoch after.
        to: Epoch,
    },
    /// A configuration follows one with which it may not share a quorum member.
    #[error("store {store} went from epoch {from} to {to}, and their quorums need not intersect")]
    QuorumsDisjoint {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The epoch of the first configuration.
        from: Epoch,
        /// The epoch of the second.
        to: Epoch,
    },
    /// A destroyed peer came back, or another peer illegally took its place.
    #[error(
        "peer {peer} was created on store {store} by a configuration of epoch {by}, where peer {destroyed} was destroyed at epoch {at}"
    )]
    Resurrected {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The new peer.
        peer: PeerId,
        /// The epoch of the configuration that created it.
        by: Epoch,
        /// The peer that was destroyed.
        destroyed: PeerId,
        /// The epoch of its tombstone.
        at: Epoch,
    },
    /// A tombstone does not record the configuration that removed the peer.
    #[error("the tombstone of peer {peer} on store {store} has epoch {tombstone}, the peer had {peer_epoch}")]
    TombstoneBehind {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The peer.
        peer: PeerId,
        /// The peer's epoch before.
        peer_epoch: Epoch,
        /// The tombstone's.
        tombstone: Epoch,
    },
    /// A peer or tombstone disappeared from a store whose disk is intact.
    #[error("peer {peer} disappeared from store {store} and left no tombstone")]
    Vanished {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The peer.
        peer: PeerId,
    },
    /// Another peer replaced a live one, and the store recorded no tombstone in between.
    #[error("peer {peer} on store {store} was replaced by peer {by} and left no tombstone")]
    Supplanted {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The old peer.
        peer: PeerId,
        /// The new peer.
        by: PeerId,
    },
    /// A part of a split differs from what it should inherit.
    #[error("it was created by the split of region {parent} on store {store} with {fault}")]
    WrongPart {
        /// The part: the parent or a child.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The parent of the split.
        parent: RegionId,
        /// The fault.
        fault: PartFault,
    },
    /// A read returned less than a client knew when it was asked.
    #[error(
        "store {store} answered a read of {key} as of index {applied}; when the read began, the write at index {acknowledged} was known"
    )]
    StaleRead {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The key.
        key: Key,
        /// The applied index of the store.
        applied: u64,
        /// The index of a write that a client knew.
        acknowledged: u64,
    },
    /// A peer answered a read before applying a split. When the read was asked, the key had been
    /// written in the child.
    #[error(
        "store {store} answered a read of {key} at version {version}; when the read began, a write in region {split_off}, to which a split had given the key, was known"
    )]
    ReadBehindSplit {
        /// The region that was asked.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The key.
        key: Key,
        /// The version of the peer that answered.
        version: u64,
        /// The region that now has the key and the write.
        split_off: RegionId,
    },
    /// A read returned a value that the peer does not hold, a key outside its range, or another
    /// region.
    #[error(
        "store {store} answered a read of {key} with a value or a region that differs from what it holds"
    )]
    WrongAnswer {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The key.
        key: Key,
    },
    /// PD's epoch of a region decreased.
    #[error("PD's epoch of it decreased from {from} to {to}")]
    PdWentBack {
        /// The region.
        region: RegionId,
        /// The epoch before.
        from: Epoch,
        /// The epoch after.
        to: Epoch,
    },
    /// PD's term of a region's leader decreased.
    #[error("the term of its leader in PD decreased from {from} to {to}")]
    PdTermWentBack {
        /// The region.
        region: RegionId,
        /// The term before.
        from: u64,
        /// The term after.
        to: u64,
    },
    /// A Tombstone store is no longer Tombstone.
    #[error("store {store} was Tombstone, and no longer is")]
    TombstoneRose {
        /// The store.
        store: StoreId,
    },
    /// A store that was declared physically destroyed is no longer marked so.
    #[error("store {store} was physically destroyed, and no longer is")]
    DestroyedReturned {
        /// The store.
        store: StoreId,
    },
    /// The record of a store was removed while PD knew of a peer there.
    #[error("the record of store {store} was removed, and the placement driver knew of a member there")]
    RecordRemoved {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// An operator would remove a live voter and leave no majority of live voters.
    #[error(
        "the placement driver plans to remove the live voter {peer} from store {store}, which leaves no live majority"
    )]
    UnsafePlan {
        /// The region.
        region: RegionId,
        /// The store of the voter.
        store: StoreId,
        /// The voter.
        peer: PeerId,
    },
    /// A leader appends a change that removes or demotes a live voter and leaves no majority of
    /// live voters.
    #[error("its leader removes the live voter {peer} from store {store}, which leaves no live majority")]
    UnsafeRemoval {
        /// The region.
        region: RegionId,
        /// The store of the voter.
        store: StoreId,
        /// The voter.
        peer: PeerId,
    },
    /// An operator of no higher priority, or none, replaced an unfinished one.
    #[error("its unfinished operator was replaced, but not by one of a higher priority")]
    OperatorDisplaced {
        /// The region.
        region: RegionId,
    },
    /// There is an operator for a region that PD does not know.
    #[error("it has an operator, but PD does not know the region")]
    OperatorWithoutRegion {
        /// The region.
        region: RegionId,
    },
    /// A waiting operator started although its region had changed.
    #[error("a waiting operator started, although the region has changed since it was created")]
    OperatorOutrun {
        /// The region.
        region: RegionId,
    },
}

impl Breach {
    /// The region in which it happened; none if it concerns a whole store.
    pub fn region(&self) -> Option<RegionId> {
        match *self {
            Breach::TombstoneRose { .. } | Breach::DestroyedReturned { .. } => None,
            Breach::SecondLeader { region, .. }
            | Breach::DifferentCommit { region, .. }
            | Breach::EpochDecreased { region, .. }
            | Breach::EpochsIncomparable { region, .. }
            | Breach::EpochReused { region, .. }
            | Breach::EpochRaisedForNothing { region, .. }
            | Breach::QuorumsDisjoint { region, .. }
            | Breach::Resurrected { region, .. }
            | Breach::TombstoneBehind { region, .. }
            | Breach::Vanished { region, .. }
            | Breach::Supplanted { region, .. }
            | Breach::WrongPart { region, .. }
            | Breach::StaleRead { region, .. }
            | Breach::ReadBehindSplit { region, .. }
            | Breach::WrongAnswer { region, .. }
            | Breach::PdWentBack { region, .. }
            | Breach::PdTermWentBack { region, .. }
            | Breach::OperatorWithoutRegion { region }
            | Breach::RecordRemoved { region, .. }
            | Breach::UnsafePlan { region, .. }
            | Breach::UnsafeRemoval { region, .. }
            | Breach::OperatorDisplaced { region }
            | Breach::OperatorOutrun { region } => Some(region),
        }
    }
}

/// How a part of a split differs from what it should inherit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PartFault {
    /// A new region is not in the split.
    #[error("an id that the split does not name")]
    Unnamed,
    /// The epoch must have the parent's `conf_ver`, and its version plus one for each child.
    #[error("epoch {is} instead of {due}")]
    Epoch {
        /// The part's epoch.
        is: Epoch,
        /// The epoch that every part must have.
        due: Epoch,
    },
    /// The members differ from the parent's in stores, roles or order.
    #[error(
        "members {{{}}}, whose stores and roles differ from those of {{{}}}",
        joined(is, " "),
        joined(were, " ")
    )]
    Members {
        /// The part's members.
        is: Vec<Member>,
        /// The parent's members before the split.
        were: Vec<Member>,
    },
    /// The peer ids are not those that the split gives, or the parent's own.
    #[error("peer ids {{{}}} instead of {{{}}}", joined(is, " "), joined(due, " "))]
    Ids {
        /// The part's peer ids.
        is: Vec<PeerId>,
        /// The ids that it must have.
        due: Vec<PeerId>,
    },
    /// A child's peer is not the member on its store.
    #[error("peer {is}, although its member there is {due}")]
    Peer {
        /// The peer.
        is: PeerId,
        /// The member on the store; 0 for none.
        due: PeerId,
    },
    /// The range leaves a gap to the next part, overlaps it, or belongs to another part.
    #[error("the range [{}, {}) instead of [{}, {})", is.start, is.end, due.start, due.end)]
    Range {
        /// The part's range.
        is: KeyRange,
        /// The range between its split keys.
        due: KeyRange,
    },
    /// The split keys are not in order within the region.
    #[error("the range [{}, {}), which is empty", is.start, is.end)]
    NoKeys {
        /// The part's range.
        is: KeyRange,
    },
    /// The part's data differ from those of its range before.
    #[error("{} for key {key} instead of {}", shown(is), shown(due))]
    Data {
        /// The key.
        key: Key,
        /// The part's value.
        is: Option<Value>,
        /// The value that it must inherit.
        due: Option<Value>,
    },
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or("nothing".into(), ToString::to_string)
}
