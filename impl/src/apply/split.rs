//! Whether a split is valid, and the resulting regions.
//!
//! A pure function, used at propose and at apply. Every replica must reach the same result, so
//! nothing here depends on what a store has (`children.rs` does). Follows `TiKV apply.rs
//! validate_batch_split, exec_batch_split`.

use std::collections::BTreeMap;

use crate::apply::epoch_parts::EpochParts;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::proto::command::{Child, Command, Derive, Request};
use crate::proto::region::{Key, Member, PeerId, Region, Value};

/// The regions after a split, all with one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Division {
    /// The region that keeps the id.
    pub(crate) parent: Region,
    /// The new regions, in key order.
    pub(crate) children: Vec<Region>,
}

impl Division {
    /// The result of `request` on `region`; `None` if it is no split, or not valid now.
    pub(crate) fn of(guards: impl Guards, region: &Region, request: &Request) -> Option<Division> {
        let Command::Split { children, derive } = &request.command else { return None };
        let epoch_fits = EpochParts::checked_by(&request.command).agree(request.epoch, region.epoch)
            || !guards.holds(Guard::EpochCheckedAtApply);
        if !epoch_fits || validate(guards, region, children).is_err() {
            return None;
        }
        Some(divide(region, children, *derive))
    }

    /// The result, whether it is valid now or not.
    pub(crate) fn unchecked(region: &Region, request: &Request) -> Option<Division> {
        let Command::Split { children, derive } = &request.command else { return None };
        Some(divide(region, children, *derive))
    }
}

/// Whether a split's keys and ids fit the region. All keys and numbers of ids are checked first,
/// then the ids.
pub(crate) fn validate(guards: impl Guards, region: &Region, children: &[Child]) -> Result<(), Refusal> {
    if children.is_empty() {
        return Err(Refusal::NoSplitKey);
    }
    for (at, child) in children.iter().enumerate() {
        let previous = children[..at].last().map(|before| &before.key);
        validate_key(region, previous, &child.key)?;
        if child.peers.len() != region.peers.len() && guards.holds(Guard::SplitIdsFitMembers) {
            return Err(Refusal::SplitIdsMismatch);
        }
    }
    let taken = children.iter().enumerate().any(|(at, child)| has_taken_id(region, &children[..at], child));
    if taken { Err(Refusal::IdInUse) } else { Ok(()) }
}

fn validate_key(region: &Region, previous: Option<&Key>, key: &Key) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::SplitKeyEmpty);
    }
    if *key == region.start {
        return Err(Refusal::SplitKeyAtStart);
    }
    if *key < region.start {
        return Err(Refusal::SplitKeyOutside);
    }
    if !region.end.is_empty() && *key >= region.end {
        return Err(Refusal::SplitKeyAtEnd);
    }
    if previous.is_some_and(|previous| key <= previous) {
        return Err(Refusal::SplitKeysOutOfOrder);
    }
    Ok(())
}

/// Whether an id is used by the region or earlier in the split, or is 0, which is no id.
fn has_taken_id(region: &Region, earlier: &[Child], child: &Child) -> bool {
    let known = child.region == region.id || earlier.iter().any(|other| other.region == child.region);
    let taken = |at: usize, id: PeerId| {
        id == 0
            || region.member(id).is_some()
            || child.peers[..at].contains(&id)
            || earlier.iter().any(|other| other.peers.contains(&id))
    };
    child.region == 0 || known || child.peers.iter().enumerate().any(|(at, id)| taken(at, *id))
}

/// The result of a valid split. Members keep their order, store and role.
fn divide(region: &Region, children: &[Child], derive: Derive) -> Division {
    let mut parent = region.clone();
    parent.epoch.version += children.len() as u64;
    let part = |child: &Child, start: &Key, end: &Key| {
        // There are as many ids as members. Without `split_ids_fit_members` there may be fewer;
        // then a member keeps the parent's id.
        let ids = child.peers.iter().map(Some).chain(std::iter::repeat(None));
        let peers = region.peers.iter().zip(ids);
        let peers = peers.map(|(member, id)| Member { id: id.copied().unwrap_or(member.id), ..*member });
        Region {
            id: child.region,
            start: start.clone(),
            end: end.clone(),
            epoch: parent.epoch,
            peers: peers.collect(),
        }
    };
    let keys = || children.iter().map(|child| &child.key);
    let parts = match derive {
        Derive::Left => {
            let ends = keys().skip(1).chain([&region.end]);
            children.iter().zip(ends).map(|(child, end)| part(child, &child.key, end)).collect()
        }
        Derive::Right => {
            let starts = std::iter::once(&region.start).chain(keys());
            children.iter().zip(starts).map(|(child, start)| part(child, start, &child.key)).collect()
        }
    };
    match (derive, children) {
        (Derive::Left, [first, ..]) => parent.end = first.key.clone(),
        (Derive::Right, [.., last]) => parent.start = last.key.clone(),
        (_, []) => {}
    }
    Division { parent, children: parts }
}

/// A split that a parent has applied.
pub(crate) struct Divided {
    /// The resulting regions.
    pub(crate) division: Division,
    /// Each child's data, in the order of the children.
    pub(crate) data: Vec<BTreeMap<Key, Value>>,
    /// Whether the parent leads.
    pub(crate) leads: bool,
}

#[cfg(test)]
mod tests;
