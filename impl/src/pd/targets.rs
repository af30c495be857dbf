//! Which stores may get a peer, and which peers may lead.
//!
//! A target is Up, connected, without a peer of the region, and has space (`PD filter/filters.go
//! StoreStateFilter, storageThresholdFilter, ExcludedFilter`). The legal target with the fewest
//! regions is taken, then the lowest id; PD weighs scores and labels. Left out: the limits by
//! snapshots, by pending peers and by rate (row 49).

use super::config::PdConfig;
use super::regions::{KnownRegion, Regions};
use super::store::{Liveness, StoreInfo, StoreState, Stores};
use crate::guard::{Guard, Guards};
use crate::proto::region::{Member, MemberRole, StoreId};

/// Why a store gets no peer of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// It has one.
    HasPeer,
    /// It is leaving or gone.
    NotUp,
    /// It is Disconnected.
    Disconnected,
    /// It is Down.
    Down,
    /// It is too full.
    LowSpace,
}

/// What the checkers and the builder know when they plan.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a, G: Guards> {
    pub(crate) guards: G,
    pub(crate) stores: &'a Stores,
    pub(crate) regions: &'a Regions,
    pub(crate) config: &'a PdConfig,
    pub(crate) now: u64,
}

impl<G: Guards> Sight<'_, G> {
    /// The store's liveness; none for an unknown store.
    pub(crate) fn liveness(&self, store: StoreId) -> Option<Liveness> {
        self.stores.get(store).map(|info| info.liveness(self.now, self.config))
    }

    /// Why the store gets no peer of the region; none if it may.
    pub(crate) fn unfit(&self, info: &StoreInfo, known: &KnownRegion) -> Option<Unfit> {
        let store = info.record.id;
        if info.record.state != StoreState::Up {
            return Some(Unfit::NotUp);
        }
        if known.region.member_on(store).is_some() {
            return Some(Unfit::HasPeer);
        }
        let is_asked = self.guards.holds(Guard::TargetConnected);
        match info.liveness(self.now, self.config) {
            Liveness::Down if is_asked => Some(Unfit::Down),
            Liveness::Disconnected if is_asked => Some(Unfit::Disconnected),
            _ => self.is_full(info).then_some(Unfit::LowSpace),
        }
    }

    /// The store has too little space for another peer.
    pub(crate) fn is_full(&self, info: &StoreInfo) -> bool {
        info.is_low_space(self.regions.count_on(info.record.id), self.config, self.guards)
    }

    /// The store for the region's next peer.
    pub(crate) fn target(&self, known: &KnownRegion) -> Option<StoreId> {
        let legal = self.stores.iter().filter(|info| self.unfit(info, known).is_none());
        legal.map(|info| info.record.id).min_by_key(|store| (self.regions.count_on(*store), *store))
    }

    /// Whether the member may get the leadership: a voter that has caught up, on a store that is Up
    /// and connected.
    pub(crate) fn may_lead(&self, known: &KnownRegion, member: &Member) -> bool {
        let up = self.stores.get(member.store).is_some_and(|info| info.record.state == StoreState::Up);
        up && self.could_lead(known, member)
    }

    /// The same, but its store may be leaving.
    fn could_lead(&self, known: &KnownRegion, member: &Member) -> bool {
        let removed =
            self.stores.get(member.store).is_none_or(|info| info.record.state == StoreState::Tombstone);
        let connected = self.liveness(member.store) == Some(Liveness::Connected);
        matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter)
            && !removed
            && connected
            && known.is_well(member.id)
    }

    /// The transferee for a leader on `leaving`: the first other peer that may lead. None, if there
    /// is no other (pd#1923).
    pub(crate) fn transferee(&self, known: &KnownRegion, leaving: StoreId) -> Option<Member> {
        let mut others = known.region.peers.iter().filter(|member| member.store != leaving);
        others.find(|member| self.may_lead(known, member)).copied()
    }

    /// The transferee for a leader that cannot stay. If no peer may lead, one whose store is
    /// leaving can (`PD create_operator.go CreateLeaveJointStateOperator`, which then forces any
    /// target leader).
    pub(crate) fn transferee_anywhere(&self, known: &KnownRegion, leaving: StoreId) -> Option<Member> {
        let mut others = known.region.peers.iter().filter(|member| member.store != leaving);
        self.transferee(known, leaving)
            .or_else(|| others.find(|member| self.could_lead(known, member)).copied())
    }

    /// Whether the member counts for a majority: it is neither down nor pending, and its store is
    /// neither Down nor destroyed.
    pub(crate) fn is_live(&self, known: &KnownRegion, member: &Member) -> bool {
        let destroyed = |info: &StoreInfo| info.record.physically_destroyed;
        let here = self.stores.get(member.store).is_some_and(|info| !destroyed(info));
        here && self.liveness(member.store) != Some(Liveness::Down) && known.is_well(member.id)
    }
}
