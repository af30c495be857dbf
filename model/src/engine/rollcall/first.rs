//! The first state of a scope, before its setup.

use rollcall_traces::{
    Budgets, History, HistoryParts, KnownRegion, KnownStore, Liveness, PlacementDriver, Region, Scope,
    StoreId, StoreState, StoreStatus,
};

use crate::engine::memo::STORES;
use crate::engine::state::{InternTables, State, StoreMeta, StorePart, UNUSED};
use crate::rules::{first_peer, index_of};

/// Every replica in its first configuration.
pub(super) fn first_state(scope: &Scope, parts: &InternTables, carried: HistoryParts) -> State {
    let mut stores = [UNUSED; STORES];
    let mut regions: Vec<&Region> = scope.regions.iter().collect();
    regions.sort_by_key(|region| region.id);
    for (number, store) in stores.iter_mut().zip(&parts.stores) {
        let here = |region: &&Region| Some((region.id, first_peer(region, region.member_on(*store)?.id)));
        let peers: Vec<_> = regions.iter().filter_map(here).collect();
        let ranges = index_of(peers.iter().map(|(_, peer)| peer));
        let peers = peers.into_iter().map(|(region, peer)| (region, parts.peers.intern(peer))).collect();
        let meta = parts.metas.intern(StoreMeta { ranges, ..StoreMeta::default() });
        *number = parts.store_parts.intern(StorePart { status: StoreStatus::Up, meta, peers });
    }
    let rest = parts.rest_of(&Vec::new(), &first_pd(scope), Budgets::default());
    let mut state = State { stores, rest, history: parts.history.intern(History::default()) };
    let history = History::begin(carried, &parts.cluster(&state));
    state.history = parts.history.intern(history);
    state
}

/// PD with a heartbeat from every store except those that are to join, and without a leader.
fn first_pd(scope: &Scope) -> PlacementDriver {
    let mut pd = PlacementDriver { next_id: scope.next_id, ..PlacementDriver::default() };
    if scope.max_replicas > 0 {
        let record = |store: &StoreId| KnownStore {
            state: StoreState::Up,
            physically_destroyed: false,
            liveness: Liveness::Connected,
            full: scope.full.contains(store),
        };
        let known = scope.stores.iter().filter(|store| !scope.joining.contains(store));
        pd.stores = known.map(|store| (*store, record(store))).collect();
        let known = |region: &Region| KnownRegion {
            region: region.clone(),
            leader: 0,
            term: 0,
            pending: Default::default(),
            down: Default::default(),
        };
        pd.regions = scope.believed_regions().map(|region| (region.id, known(region))).collect();
    }
    pd
}
