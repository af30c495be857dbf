//! The placement driver over real stores: its orders are proposed, and its reports are what a
//! leader has applied. Time passes in rounds.

use std::collections::{BTreeMap, VecDeque};

use rollcall_impl::pd::{
    Dispatch, Order, PdConfig, PdEngine, PdError, PdInput, PdMemoryEngine, PdOutput, PdRefusal,
    PlacementDriver, RegionReport, StoreState,
};
use rollcall_impl::{
    Command, Config, Derive, Guards, Input, Member, MemoryEngine, Message, Output, Refusal, Region, RegionId,
    Sound, StateRole, StoreId, SyncedStore,
};

use crate::cluster::{EMPTY, REGION, key, region};

/// Stores, the messages between them, and their placement driver.
#[derive(Clone)]
pub(crate) struct Real<G: Guards = Sound, E = PdMemoryEngine> {
    pub(crate) stores: BTreeMap<StoreId, SyncedStore<Sound>>,
    pub(crate) pd: PlacementDriver<E, G>,
    pub(crate) sent: VecDeque<Message>,
}

impl Real {
    /// `count` stores, and one region with voters on some of them, led by the first.
    pub(crate) fn new(config: PdConfig, count: u64, voters: &[StoreId]) -> Real {
        Real::under(Sound, config, count, voters)
    }
}

impl<G: Guards> Real<G> {
    /// The same under PD with these guards.
    pub(crate) fn under(guards: G, config: PdConfig, count: u64, voters: &[StoreId]) -> Real<G> {
        Real::on(PdMemoryEngine::new(), guards, config, count, voters)
    }
}

impl<G: Guards, E: PdEngine> Real<G, E> {
    /// The same with PD on this engine.
    pub(crate) fn on(engine: E, guards: G, config: PdConfig, count: u64, voters: &[StoreId]) -> Self {
        let first = region(REGION, ("", ""), (1, 1), voters);
        let open = |id| {
            let mut store = SyncedStore::open(id, Config::SIMULATOR, Sound, MemoryEngine::new()).unwrap();
            if voters.contains(&id) {
                store.bootstrap(first.clone()).unwrap();
            }
            (id, store)
        };
        let stores = (1..=count).map(open).collect();
        let mut pd = PlacementDriver::open(config, guards, engine).unwrap();
        pd.bootstrap(&(1..=count).collect::<Vec<_>>(), &[first], 1000).unwrap();
        let mut real = Real { stores, pd, sent: VecDeque::new() };
        real.store_heartbeats();
        real.step(voters[0], Input::Campaign { region: REGION }).unwrap();
        real.settle();
        let command = Command::Put { key: key("k"), value: key("v") };
        real.step(voters[0], Input::Propose { region: REGION, command, epoch: None }).unwrap();
        real.settle();
        real.region_heartbeats();
        real
    }

    /// One step of a store: its messages are queued, and its requests go to PD.
    pub(crate) fn step(&mut self, store: StoreId, input: Input) -> Result<(), Refusal> {
        let outputs = match self.stores.get_mut(&store).unwrap().step(input) {
            Ok(outputs) => outputs,
            Err(error) => return Err(error.refusal().unwrap_or_else(|| panic!("{error}"))),
        };
        for output in outputs {
            match output {
                Output::Message(message) => self.sent.push_back(message),
                Output::AskSplit { region, keys, derive, to } => self.ask_split(region, keys, derive, to),
                _ => {}
            }
        }
        Ok(())
    }

    fn ask_split(&mut self, region: Region, keys: Vec<rollcall_impl::Key>, derive: Derive, to: Member) {
        for output in self.tell(PdInput::AskSplit { region, keys, derive }).unwrap_or_default() {
            if let PdOutput::SplitIds { region, epoch, children, derive } = output {
                let _ = self.step(to.store, Input::AskSplitResponse { region, epoch, children, derive });
            }
        }
    }

    /// One step of the placement driver. Its orders are carried out at once, if the store accepts
    /// them.
    pub(crate) fn tell(&mut self, input: PdInput) -> Result<Vec<PdOutput>, PdRefusal> {
        let outputs = match self.pd.step(input) {
            Ok(outputs) => outputs,
            Err(PdError::Refused { refusal, .. }) => return Err(refusal),
            // Its power has failed. Nobody gets an answer.
            Err(PdError::Engine(_)) => return Ok(Vec::new()),
            Err(error) => panic!("{error}"),
        };
        for output in &outputs {
            if let PdOutput::Dispatch(dispatch) = output {
                let _ = self.obey(dispatch);
            }
        }
        Ok(outputs)
    }

    pub(crate) fn obey(&mut self, dispatch: &Dispatch) -> Result<(), Refusal> {
        let Dispatch { region, to, epoch, order } = dispatch.clone();
        let input = match order {
            Order::Propose(command) => Input::Propose { region, command, epoch: Some(epoch) },
            Order::Split { keys } => {
                Input::AskSplit { region, keys, derive: Derive::Right, ordered_at: Some(epoch) }
            }
        };
        self.step(to.store, input)
    }

    /// The regions with a live peer on the store.
    pub(crate) fn live(&self, store: StoreId) -> Vec<RegionId> {
        let regions = self.stores[&store].regions();
        regions.filter(|region| self.stores[&store].peer(*region).is_some()).collect()
    }

    /// Delivers, applies and sends heartbeats until little is left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..6 {
            while let Some(message) = self.sent.pop_front() {
                if self.stores.contains_key(&message.to.store) {
                    let _ = self.step(message.to.store, Input::Message(message));
                }
            }
            for store in self.stores.keys().copied().collect::<Vec<_>>() {
                for region in self.live(store) {
                    let _ = self.step(store, Input::ApplySnapshot { region });
                    while self.step(store, Input::Apply { region }).is_ok() {}
                    if self.leads(store, region) {
                        let _ = self.step(store, Input::Tick { region });
                    }
                }
            }
        }
    }

    /// Every leader gives up waiting for lost messages and snapshots; raft-rs would wait for ever.
    pub(crate) fn give_up_on_lost_messages(&mut self) {
        for store in self.stores.keys().copied().collect::<Vec<_>>() {
            for region in self.live(store) {
                let peer = self.stores[&store].peer(region).expect("is live");
                let followers: Vec<_> = peer.matched().map(|(id, _)| id).collect();
                for to in followers {
                    let _ = self.step(store, Input::ReportSnapshot { region, to, arrived: false });
                }
            }
        }
    }

    pub(crate) fn leads(&self, store: StoreId, region: RegionId) -> bool {
        self.stores[&store].peer(region).is_some_and(|peer| peer.role() == StateRole::Leader)
    }

    pub(crate) fn store_heartbeats(&mut self) {
        for store in self.stores.keys().copied().collect::<Vec<_>>() {
            let _ = self.tell(PdInput::StoreHeartbeat { store, stats: EMPTY, report: None });
        }
    }

    /// The report of a peer that believes itself the leader.
    pub(crate) fn report_of(&self, store: StoreId, region: RegionId) -> Option<RegionReport> {
        let peer = self.stores[&store].peer(region).filter(|peer| peer.role() == StateRole::Leader)?;
        Some(RegionReport::of(peer, Vec::new()))
    }

    pub(crate) fn region_heartbeats(&mut self) {
        for store in self.stores.keys().copied().collect::<Vec<_>>() {
            for region in self.live(store) {
                if let Some(report) = self.report_of(store, region) {
                    let _ = self.tell(PdInput::RegionHeartbeat(report));
                }
            }
        }
    }

    /// Every step that needs no administrator, once.
    pub(crate) fn round(&mut self) {
        self.store_heartbeats();
        self.settle();
        self.region_heartbeats();
        self.settle();
        for region in self.pd.regions().map(|known| known.region.id).collect::<Vec<_>>() {
            let _ = self.tell(PdInput::Schedule { region });
        }
        self.settle();
        let _ = self.tell(PdInput::CheckStores);
    }

    /// The stores that each region lists, by its newest leader.
    fn listed(&self) -> BTreeMap<RegionId, Vec<StoreId>> {
        let mut newest: BTreeMap<RegionId, (u64, Vec<StoreId>)> = BTreeMap::new();
        for store in self.stores.keys() {
            for region in self.live(*store) {
                let peer = self.stores[store].peer(region).expect("is live");
                let known = newest.entry(region).or_default();
                if self.leads(*store, region) && peer.term() > known.0 {
                    *known = (peer.term(), peer.region().peers.iter().map(|member| member.store).collect());
                }
            }
        }
        newest.into_iter().map(|(region, (_, listed))| (region, listed)).collect()
    }

    /// Tombstone stores that a region still lists.
    pub(crate) fn listed_tombstones(&self) -> Vec<StoreId> {
        let tombstone = |store: &StoreId| {
            let info = self.pd.store(*store);
            info.is_some_and(|info| info.record.state == StoreState::Tombstone)
        };
        self.listed().into_values().flatten().filter(tombstone).collect()
    }

    /// Peers that are no longer members and do not know it.
    pub(crate) fn left_behind(&self) -> Vec<(StoreId, RegionId)> {
        let listed = self.listed();
        let all = self.stores.keys().flat_map(|store| self.live(*store).into_iter().map(|id| (*store, id)));
        all.filter(|(store, region)| !listed[region].contains(store)).collect()
    }
}
