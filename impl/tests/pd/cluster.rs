//! A cluster for tests of the placement driver: regions carry out every order at once. What a real
//! store does with an order is tested elsewhere.

use std::sync::Arc;

use rollcall_impl::pd::{
    Dispatch, Order, PdConfig, PdError, PdInput, PdMemoryEngine, PdOutput, PdRefusal, PlacementDriver,
    RegionReport, StoreState, StoreStats,
};
use rollcall_impl::{
    Change, ChangeKind, Command, Epoch, Guards, Key, Member, MemberRole, PeerId, Region, RegionId, Sound,
    StoreId,
};

pub(crate) type Pd<G = Sound> = PlacementDriver<PdMemoryEngine, G>;

/// The region of most tests.
pub(crate) const REGION: RegionId = 1;
/// A store with enough space.
pub(crate) const EMPTY: StoreStats = StoreStats { capacity: 100, used: 10 };

pub(crate) fn key(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// A region of voters: peer 10 on store 1, peer 20 on store 2 and so on.
pub(crate) fn region(id: RegionId, range: (&str, &str), epoch: (u64, u64), stores: &[StoreId]) -> Region {
    let member = |store: &StoreId| Member { id: store * 10, store: *store, role: MemberRole::Voter };
    Region {
        id,
        start: key(range.0),
        end: key(range.1),
        epoch: Epoch { conf_ver: epoch.0, version: epoch.1 },
        peers: stores.iter().map(member).collect(),
    }
}

/// PD with `stores` connected stores, and one region with voters on some of them, led by the first.
pub(crate) fn pd(stores: u64, voters: &[StoreId]) -> Pd {
    pd_with(PdConfig::DEFAULT, stores, voters)
}

pub(crate) fn pd_with(config: PdConfig, stores: u64, voters: &[StoreId]) -> Pd {
    pd_of(Sound, config, stores, voters)
}

pub(crate) fn pd_of<G: Guards>(guards: G, config: PdConfig, stores: u64, voters: &[StoreId]) -> Pd<G> {
    let mut pd = Pd::open(config, guards, PdMemoryEngine::new()).unwrap();
    let first = region(REGION, ("", ""), (1, 1), voters);
    pd.bootstrap(&(1..=stores).collect::<Vec<_>>(), std::slice::from_ref(&first), 1000).unwrap();
    (1..=stores).for_each(|store| store_heartbeat(&mut pd, store, EMPTY));
    report(&mut pd, first, voters[0]);
    pd
}

pub(crate) fn store_heartbeat<G: Guards>(pd: &mut Pd<G>, store: StoreId, stats: StoreStats) {
    assert_eq!(pd.step(PdInput::StoreHeartbeat { store, stats, report: None }).unwrap(), []);
}

/// Time passes; only the stores in `alive` send heartbeats.
pub(crate) fn wait<G: Guards>(pd: &mut Pd<G>, ticks: u64, alive: &[StoreId]) -> Vec<PdOutput> {
    let mut outputs = Vec::new();
    for _ in 0..ticks {
        outputs.extend(pd.step(PdInput::Tick).unwrap());
        alive.iter().for_each(|store| store_heartbeat(pd, *store, EMPTY));
    }
    outputs
}

/// The peer on `leader` sends a region heartbeat.
pub(crate) fn report<G: Guards>(pd: &mut Pd<G>, region: Region, leader: StoreId) -> Vec<PdOutput> {
    let leader = region.member_on(leader).expect("leads").id;
    pd.step(PdInput::RegionHeartbeat(reported(region, leader, 6))).unwrap()
}

/// That member's report while every peer is healthy.
pub(crate) fn reported(region: Region, leader: PeerId, term: u64) -> RegionReport {
    let leader = *region.member(leader).expect("leads");
    RegionReport::new(region, leader, term)
}

/// The reason of a refused input. Nothing may have changed.
pub(crate) fn refused<G: Guards + std::fmt::Debug>(pd: &mut Pd<G>, input: PdInput) -> PdRefusal {
    let before = format!("{pd:?}");
    let error = pd.step(input.clone()).expect_err("is refused");
    assert_eq!(format!("{pd:?}"), before, "{input:?} changed something");
    let PdError::Refused { refusal, .. } = error else { panic!("{error}") };
    refusal
}

pub(crate) fn decommission<G: Guards>(pd: &mut Pd<G>, store: StoreId) {
    pd.step(PdInput::Decommission { store, force: false }).unwrap();
}

pub(crate) fn state<G: Guards>(pd: &Pd<G>, store: StoreId) -> StoreState {
    pd.store(store).expect("is known").record.state
}

pub(crate) fn dispatched(outputs: &[PdOutput]) -> Option<&Dispatch> {
    outputs.iter().find_map(|output| match output {
        PdOutput::Dispatch(dispatch) => Some(dispatch),
        _ => None,
    })
}

/// The ordered command, if there is one.
pub(crate) fn command(outputs: &[PdOutput]) -> Option<Command> {
    dispatched(outputs).map(|dispatch| match &dispatch.order {
        Order::Propose(command) => command.clone(),
        Order::Split { .. } => panic!("a split is no command"),
    })
}

/// The region as it really is, and its leader.
pub(crate) struct Truth {
    pub(crate) region: Region,
    pub(crate) leader: StoreId,
}

impl Truth {
    pub(crate) fn of<G: Guards>(pd: &Pd<G>) -> Truth {
        let known = pd.region(REGION).expect("is known");
        Truth { region: known.region.clone(), leader: known.leader().expect("leads").store }
    }

    /// The leader carries out the order if its epoch is current.
    pub(crate) fn obey(&mut self, dispatch: &Dispatch) {
        assert_eq!((dispatch.to.store, dispatch.epoch), (self.leader, self.region.epoch));
        let Order::Propose(command) = &dispatch.order else { panic!("a split is not obeyed here") };
        match command {
            Command::TransferLeader { to } => self.leader = *to,
            Command::ChangePeer(change) => self.change(change, false),
            Command::EnterJoint(changes) => {
                changes.iter().for_each(|change| self.change(change, changes.len() > 1));
            }
            Command::LeaveJoint => {
                for member in &mut self.region.peers {
                    member.role = match member.role {
                        MemberRole::IncomingVoter => MemberRole::Voter,
                        MemberRole::DemotingVoter => MemberRole::Learner,
                        role => {
                            assert!(member.store != self.leader || role == MemberRole::Voter);
                            continue;
                        }
                    };
                    self.region.epoch.conf_ver += 1;
                }
                let leader = self.region.member_on(self.leader).expect("leads");
                assert_ne!(leader.role, MemberRole::Learner, "the leader was demoted");
            }
            other => panic!("no placement driver orders {other:?}"),
        }
    }

    fn change(&mut self, change: &Change, joint: bool) {
        assert!(joint || change.kind != ChangeKind::Remove || change.store != self.leader);
        let (promoted, demoted) = if joint {
            (MemberRole::IncomingVoter, MemberRole::DemotingVoter)
        } else {
            (MemberRole::Voter, MemberRole::Learner)
        };
        let place = self.region.peers.iter().position(|member| member.id == change.peer);
        match (change.kind, place) {
            (ChangeKind::Remove, Some(at)) => drop(self.region.peers.remove(at)),
            (ChangeKind::AddVoter, Some(at)) => self.region.peers[at].role = promoted,
            (ChangeKind::AddLearner, Some(at)) => self.region.peers[at].role = demoted,
            (kind, None) => {
                assert!(kind != ChangeKind::Remove && self.region.member_on(change.store).is_none());
                let role = if kind == ChangeKind::AddVoter { promoted } else { MemberRole::Learner };
                self.region.peers.push(Member { id: change.peer, store: change.store, role });
            }
        }
        self.region.epoch.conf_ver += 1;
    }

    /// Carries out orders and reports until nothing more is ordered; returns the commands in order.
    pub(crate) fn settle<G: Guards>(&mut self, pd: &mut Pd<G>, mut outputs: Vec<PdOutput>) -> Vec<Command> {
        let mut commands = Vec::new();
        while let Some(dispatch) = dispatched(&outputs) {
            commands.extend(command(&outputs));
            assert!(commands.len() < 20, "no end: {commands:?}");
            self.obey(dispatch);
            outputs = report(pd, self.region.clone(), self.leader);
        }
        commands
    }

    /// The stores of the voters, in the order in which they joined.
    pub(crate) fn voters(&self) -> Vec<StoreId> {
        let voters = self.region.peers.iter().filter(|member| member.role == MemberRole::Voter);
        voters.map(|member| member.store).collect()
    }
}

pub(crate) fn schedule<G: Guards>(pd: &mut Pd<G>) -> Vec<PdOutput> {
    pd.step(PdInput::Schedule { region: REGION }).unwrap()
}
