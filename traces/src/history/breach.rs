//! What a transition violated, in words.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Winner;
use crate::region::{Epoch, Key, KeyRange, Member, PeerId, RegionId, StoreId, Value};
use crate::words::joined;

/// Something that must never happen and that only a transition shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// An election was won in a term that had a leader already.
    #[error("peer {} on store {} became leader in term {term}, which peer {} on store {} had led",
        second.peer, second.store, first.peer, first.store)]
    SecondLeader {
        /// The region.
        region: RegionId,
        /// The term.
        term: u64,
        /// Who won first.
        first: Winner,
        /// Who won again; the same peer, if it had forgotten.
        second: Winner,
    },
    /// Two peers knew different entries to be committed at one index.
    #[error(
        "store {store} commits the entry of term {term} at index {index}; another store committed the one of term {first_term}"
    )]
    DifferentCommit {
        /// The region.
        region: RegionId,
        /// The store that came later.
        store: StoreId,
        /// The index.
        index: u64,
        /// The term of its entry.
        term: u64,
        /// The term of the entry that was known to be committed.
        first_term: u64,
    },
    /// A store's epoch of a region went back.
    #[error("the epoch on store {store} decreased from {from} to {to}")]
    EpochDecreased {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The epoch that it had.
        from: Epoch,
        /// The epoch that it has.
        to: Epoch,
    },
    /// Of two epochs neither is behind the other in both components.
    #[error("store {store} reached epoch {epoch}, which is not comparable with {other}")]
    EpochsIncomparable {
        /// The region.
        region: RegionId,
        /// The store that came later.
        store: StoreId,
        /// Its epoch.
        epoch: Epoch,
        /// The epoch seen before.
        other: Epoch,
    },
    /// One epoch stood for two different regions.
    #[error("store {store} has other members or another range under epoch {epoch} than was seen before")]
    EpochReused {
        /// The region.
        region: RegionId,
        /// The store that came later.
        store: StoreId,
        /// The epoch.
        epoch: Epoch,
    },
    /// An entry raised the epoch and changed neither members nor range.
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
    /// A configuration follows one with which it need not share a quorum member.
    #[error("store {store} went from epoch {from} to {to}, and their quorums need not intersect")]
    QuorumsDisjoint {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The epoch of the configuration that it left.
        from: Epoch,
        /// The epoch of the one that it entered.
        to: Epoch,
    },
    /// A destroyed peer came back, or another in its place without right.
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
        /// The epoch by which it came to be.
        by: Epoch,
        /// The peer that was destroyed.
        destroyed: PeerId,
        /// The epoch of its tombstone.
        at: Epoch,
    },
    /// A tombstone does not say what removed the peer.
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
    /// A peer or its tombstone disappeared from a store whose disk is there.
    #[error("peer {peer} disappeared from store {store} and left no tombstone")]
    Vanished {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The peer.
        peer: PeerId,
    },
    /// A peer is another than it was, and the one that was there has no end: the place
    /// knows nothing of a tombstone between the two.
    #[error("peer {peer} on store {store} was replaced by peer {by} and left no tombstone")]
    Supplanted {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The peer that was there.
        peer: PeerId,
        /// The peer that is there.
        by: PeerId,
    },
    /// A part of a split has not what it inherits.
    #[error("it was created by the split of region {parent} on store {store} with {fault}")]
    WrongPart {
        /// The part: the region that was divided, or a child of it.
        region: RegionId,
        /// The store.
        store: StoreId,
        /// The region that was divided.
        parent: RegionId,
        /// What is wrong with the part.
        fault: PartFault,
    },
    /// A read returned less than a client knew of when it was asked.
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
        /// What the store had applied.
        applied: u64,
        /// The index of the write that a client knew of.
        acknowledged: u64,
    },
    /// A read was answered by a peer that had not applied a split, and when it
    /// was asked the key had been written in the region that was split off.
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
        /// The region that has the key and the write.
        split_off: RegionId,
    },
    /// A read returned what the peer does not hold, a key that is not its to
    /// answer for, or a region that is not the peer's.
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
    /// PD believes an older epoch of a region than it did.
    #[error("the placement driver knew epoch {from}, and now believes {to}")]
    PdWentBack {
        /// The region.
        region: RegionId,
        /// The epoch that it knew.
        from: Epoch,
        /// The epoch that it knows.
        to: Epoch,
    },
    /// PD believes who led a region in an older term than it knew of.
    #[error("the placement driver knew a leader of term {from}, and now believes one of term {to}")]
    PdTermWentBack {
        /// The region.
        region: RegionId,
        /// The term that it knew.
        from: u64,
        /// The term that it knows.
        to: u64,
    },
    /// A store that had left for good is there again.
    #[error("store {store} was Tombstone, and no longer is")]
    TombstoneRose {
        /// The store.
        store: StoreId,
    },
    /// A store of which somebody said that its disk is gone is taken for there again.
    #[error("store {store} was physically destroyed, and no longer is")]
    DestroyedReturned {
        /// The store.
        store: StoreId,
    },
    /// The record of a store was thrown away while PD knew of a peer there.
    #[error("the record of store {store} was removed, and the placement driver knew of a member there")]
    RecordRemoved {
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A plan takes a live voter, and with it the majority of live ones.
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
    /// A leader takes a change that removes or demotes a live voter, and with it the
    /// majority of live ones.
    #[error("its leader removes the live voter {peer} from store {store}, which leaves no live majority")]
    UnsafeRemoval {
        /// The region.
        region: RegionId,
        /// The store of the voter.
        store: StoreId,
        /// The voter.
        peer: PeerId,
    },
    /// An unfinished operator gave way to one that is not above it, or to none.
    #[error("its unfinished operator was replaced, and not by one of a higher priority")]
    OperatorDisplaced {
        /// The region.
        region: RegionId,
    },
    /// There is an operator for a region that PD does not know.
    #[error("it has an operator, and the placement driver does not know the region")]
    OperatorWithoutRegion {
        /// The region.
        region: RegionId,
    },
    /// An operator had waited for its turn, and began for a region that had moved on.
    #[error("a waiting operator started, although the region has changed since it was made")]
    OperatorOutrun {
        /// The region.
        region: RegionId,
    },
}

impl Breach {
    /// The region in which it happened; none for what happened to a whole store.
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

/// What a part of a split has, and was due to have from the region as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PartFault {
    /// A region came to be that is not in the split.
    #[error("an id that the split does not name")]
    Unnamed,
    /// Not the `conf_ver` as it was, and the version raised by one for each child.
    #[error("epoch {is}, where {due} was due")]
    Epoch {
        /// The part's epoch.
        is: Epoch,
        /// The one that every part has.
        due: Epoch,
    },
    /// Members on other stores, in other roles or in another order.
    #[error(
        "members {{{}}}, where stores and roles were those of {{{}}}",
        joined(is, " "),
        joined(were, " ")
    )]
    Members {
        /// The part's members.
        is: Vec<Member>,
        /// Those of the region as it was.
        were: Vec<Member>,
    },
    /// Not the ids that the split gives a child, or that the parent had.
    #[error("peer ids {{{}}}, where {{{}}} were due", joined(is, " "), joined(due, " "))]
    Ids {
        /// The part's peer ids.
        is: Vec<PeerId>,
        /// Those of the split, or of the parent as it was.
        due: Vec<PeerId>,
    },
    /// A child's peer is another than the member on its store.
    #[error("peer {is}, where its member there is {due}")]
    Peer {
        /// The peer.
        is: PeerId,
        /// The member on the store; 0 for none.
        due: PeerId,
    },
    /// A range that leaves a gap to the next part, shares a key with it, or is another's.
    #[error("the range [{}, {}), where [{}, {}) was due", is.start, is.end, due.start, due.end)]
    Range {
        /// The part's range.
        is: KeyRange,
        /// The one between its keys.
        due: KeyRange,
    },
    /// The keys of the split do not lie in order within the region.
    #[error("the range [{}, {}), in which there is no key", is.start, is.end)]
    NoKeys {
        /// The part's range.
        is: KeyRange,
    },
    /// Not what was held in its range.
    #[error("{} for key {key}, where {} was due", shown(is), shown(due))]
    Data {
        /// The key.
        key: Key,
        /// Its value in the part.
        is: Option<Value>,
        /// The value that the part inherits.
        due: Option<Value>,
    },
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or("nothing".into(), ToString::to_string)
}
