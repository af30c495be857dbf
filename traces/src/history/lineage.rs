//! Checks the parts of a split against the region that was divided. After TiKV `apply.rs`
//! `exec_batch_split`. The rule is stated here a second time, as a relation between before and
//! after, so that it judges both the model's split and the implementation's.
//!
//! It records nothing: one transition shows it all. It does not check whether a split should have
//! taken effect, or whether a missing child should have been created: a store skips a child that it
//! already knows.

use super::births::born;
use super::breach::PartFault;
use super::{BIRTH, Breach, Fold};
use crate::cluster::Cluster;
use crate::command::{Child, Command, Derive};
use crate::peer::Peer;
use crate::region::{Epoch, Key, KeyRange, Member, PeerId, Region, RegionId, StoreId};

impl Fold<'_> {
    /// Judges what the next entry of `parent`, a split, did on `store`. A skipped split leaves the
    /// parent unchanged and creates nothing.
    pub(super) fn lineage(
        &mut self,
        parent: RegionId,
        store: StoreId,
        before: &impl Cluster,
        after: &impl Cluster,
    ) {
        let Some(split) = before.peer(store, parent).and_then(Division::next) else { return };
        let mut taken = false;
        for region in after.regions_on(store).filter(|region| *region != parent) {
            let Some(child) = born(before.peer(store, region), after.peer(store, region)) else { continue };
            taken = true;
            if let Some(fault) = split.fault_of_child(child, region, store) {
                self.breach(Breach::WrongPart { region, store, parent, fault });
            }
        }
        let whole = split.whole;
        let kept = after.peer(store, parent);
        let kept = kept.filter(|kept| kept.is_initialized() && kept.id == whole.id);
        let Some(kept) = kept.filter(|kept| taken || kept.region != whole.region) else { return };
        if let Some(fault) = split.fault_of_parent(kept) {
            self.breach(Breach::WrongPart { region: parent, store, parent, fault });
        }
    }
}

/// A split, and the parent before it.
struct Division<'a> {
    whole: &'a Peer,
    children: &'a [Child],
    derive: Derive,
}

impl<'a> Division<'a> {
    /// The split that is the next entry of the peer's log.
    fn next(whole: &'a Peer) -> Option<Self> {
        match whole.log.entry(whole.applied + 1)?.command.as_ref()? {
            Command::Split { children, derive } => Some(Self { whole, children, derive: *derive }),
            _ => None,
        }
    }

    fn fault_of_child(&self, child: &Peer, region: RegionId, store: StoreId) -> Option<PartFault> {
        let names = |named: &Child| named.region == region && child.region.id == region;
        let Some(at) = self.children.iter().position(names) else { return Some(PartFault::Unnamed) };
        let place = if self.derive == Derive::Left { at + 1 } else { at };
        let due = &self.children[at].peers;
        self.wrong_meta(&child.region, place)
            .or_else(|| wrong_ids(&child.region, due.iter().copied()))
            .or_else(|| {
                let due = child.region.member_on(store).map_or(0, |member| member.id);
                (child.id != due).then_some(PartFault::Peer { is: child.id, due })
            })
            .or_else(|| self.wrong_data(child, BIRTH.index))
    }

    fn fault_of_parent(&self, kept: &Peer) -> Option<PartFault> {
        let place = if self.derive == Derive::Left { 0 } else { self.children.len() };
        self.wrong_meta(&kept.region, place)
            .or_else(|| wrong_ids(&kept.region, ids(&self.whole.region)))
            .or_else(|| self.wrong_data(kept, self.whole.applied + 1))
    }

    /// What is wrong with the part's epoch, members or range. `place` counts the parts in key
    /// order.
    fn wrong_meta(&self, part: &Region, place: usize) -> Option<PartFault> {
        let Region { epoch, peers, start, end, .. } = &self.whole.region;
        let due = Epoch { version: epoch.version + self.children.len() as u64, ..*epoch };
        if part.epoch != due {
            return Some(PartFault::Epoch { is: part.epoch, due });
        }
        let seat = |member: &Member| (member.store, member.role);
        if !part.peers.iter().map(seat).eq(peers.iter().map(seat)) {
            return Some(PartFault::Members { is: part.peers.clone(), were: peers.clone() });
        }
        // Each part starts where the previous one ends.
        let border = |of: usize| match of {
            0 => start,
            _ => self.children.get(of - 1).map_or(end, |child| &child.key),
        };
        let (from, to) = (border(place), border(place + 1));
        let range = |start: &Key, end: &Key| KeyRange { start: start.clone(), end: end.clone() };
        if (&part.start, &part.end) != (from, to) {
            return Some(PartFault::Range { is: part.range(), due: range(from, to) });
        }
        let unbounded = to.is_empty() && place == self.children.len();
        (!unbounded && from >= to).then(|| PartFault::NoKeys { is: range(from, to) })
    }

    /// A part has exactly the parent's data in its range. Entries of its own log after `from` that
    /// are already applied may have changed it.
    fn wrong_data(&self, part: &Peer, from: u64) -> Option<PartFault> {
        let held = &self.whole.data;
        let written_since = |key: &Key| {
            let mut behind = (from + 1..=part.applied).filter_map(|index| part.log.entry(index));
            behind.any(|entry| entry.command.as_ref().and_then(Command::written_key) == Some(key))
        };
        held.keys().chain(part.data.keys()).find_map(|key| {
            let inside = part.region.contains(key);
            let (is, due) = (part.data.get(key), held.get(key).filter(|_| inside));
            let wrong = is != due && !(inside && written_since(key));
            wrong.then(|| PartFault::Data { key: key.clone(), is: is.cloned(), due: due.cloned() })
        })
    }
}

fn wrong_ids(part: &Region, due: impl Iterator<Item = PeerId> + Clone) -> Option<PartFault> {
    let wrong = !ids(part).eq(due.clone());
    wrong.then(|| PartFault::Ids { is: ids(part).collect(), due: due.collect() })
}

fn ids(region: &Region) -> impl Iterator<Item = PeerId> + Clone + '_ {
    region.peers.iter().map(|member| member.id)
}
