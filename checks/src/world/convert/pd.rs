//! Converts the placement driver's types. The dictionary has no time and no space in bytes, so
//! these are left out.

use rollcall_impl::pd;
use rollcall_impl::{Guards, PeerId};
use rollcall_traces as tr;

use super::{command, epoch, key, member, region, to_key};

/// PD's refusal as a reason. The match is exhaustive on purpose.
pub(crate) fn reason(refusal: pd::PdRefusal) -> tr::Reason {
    use rollcall_impl::pd::PdRefusal as R;
    match refusal {
        R::StoreNotFound => tr::Reason::UnknownStore,
        R::StoreRemoved => tr::Reason::StoreRemoved,
        R::AlreadyLeaving => tr::Reason::AlreadyLeaving,
        R::NotLeaving => tr::Reason::NotLeaving,
        R::PhysicallyDestroyed => tr::Reason::PhysicallyDestroyed,
        R::StoresNotEnough => tr::Reason::StoresNotEnough,
        R::StateNotAllowed => tr::Reason::StateNotAllowed,
        R::AlreadyDown => tr::Reason::NoEffect,
        R::NotTombstone => tr::Reason::NotTombstone,
        R::StoreHasRegions => tr::Reason::StoreHasRegions,
        R::StoreConnected => tr::Reason::StoreConnected,
        R::NothingToBury => tr::Reason::NothingToBury,
        R::RegionNotFound => tr::Reason::UnknownRegion,
        R::RegionStale => tr::Reason::RegionStale,
        R::NoLeader => tr::Reason::NoLeader,
        R::JointState => tr::Reason::JointState,
        R::OperatorExists => tr::Reason::OperatorExists,
        R::OperatorNotFound => tr::Reason::NoOperator,
        R::PeerExists => tr::Reason::PeerExists,
        R::PeerNotFound => tr::Reason::NoPeer,
        R::NoVoterThere => tr::Reason::NoVoter,
        R::AlreadyLeader => tr::Reason::AlreadyLeader,
        R::StoreUnhealthy => tr::Reason::StoreUnhealthy,
        R::LastVoter => tr::Reason::LastVoter,
        R::MajorityLost => tr::Reason::MajorityLost,
        R::NoNewLeader => tr::Reason::NoNewLeader,
        R::InvalidSplitKey => tr::Reason::InvalidSplitKey,
        R::NothingToDo => tr::Reason::NothingToDo,
        R::NoTarget => tr::Reason::NoTarget,
        R::ScheduleLimit => tr::Reason::ScheduleLimit,
        R::NoStoreSpecified => tr::Reason::NoEffect,
        R::RecoveryRunning => tr::Reason::RecoveryRunning,
        R::NoRecovery => tr::Reason::NoRecovery,
        R::LedElsewhere => tr::Reason::NotLeader,
        R::Bootstrapped | R::StoreExists | R::InvalidLeader | R::EpochNotMatch => {
            unreachable!("no action of the dictionary comes to this: {refusal}")
        }
    }
}

// To the implementation.

pub(crate) fn to_admin_operator(operator: &tr::AdminOperator) -> pd::AdminOperator {
    match operator {
        tr::AdminOperator::AddPeer { store } => pd::AdminOperator::AddPeer { store: *store },
        tr::AdminOperator::AddVoter { store } => pd::AdminOperator::AddVoter { store: *store },
        tr::AdminOperator::RemovePeer { store } => pd::AdminOperator::RemovePeer { store: *store },
        tr::AdminOperator::TransferLeader { store } => pd::AdminOperator::TransferLeader { store: *store },
        tr::AdminOperator::EvictLeader { store } => pd::AdminOperator::EvictLeader { store: *store },
        tr::AdminOperator::Split { keys } => {
            pd::AdminOperator::Split { keys: keys.iter().map(to_key).collect() }
        }
    }
}

// From the implementation.

/// PD's whole state.
pub(crate) fn shown<E: pd::PdEngine, G: Guards>(pd: &pd::PlacementDriver<E, G>) -> tr::PlacementDriver {
    let store = |info: &pd::StoreInfo| {
        let id = info.record.id;
        let seen = tr::KnownStore {
            state: store_state(info.record.state),
            physically_destroyed: info.record.physically_destroyed,
            liveness: liveness(pd.liveness(id).expect("of a store that is known")),
            full: pd.is_full(id),
        };
        (id, seen)
    };
    let running = pd.operators().filter(|operator| !operator.is_waiting());
    let waits = pd.operators().filter(|operator| operator.is_waiting());
    tr::PlacementDriver {
        recovery: pd.recovery().map(|recovery| Box::new(super::recovery::recovery(recovery))),
        recovery_step: pd.recovery_step(),
        next_id: pd.next_id(),
        stores: pd.stores().map(store).collect(),
        regions: pd.regions().map(|known| (known.region.id, known_region(known))).collect(),
        operators: running.map(|running| (running.region, operator(running))).collect(),
        waiting: waits
            .map(|waits| tr::WaitingOperator { region: waits.region, operator: operator(waits) })
            .collect(),
        relearns: pd.relearns(),
    }
}

fn store_state(state: pd::StoreState) -> tr::StoreState {
    match state {
        pd::StoreState::Up => tr::StoreState::Up,
        pd::StoreState::Offline => tr::StoreState::Offline,
        pd::StoreState::Tombstone => tr::StoreState::Tombstone,
    }
}

fn liveness(liveness: pd::Liveness) -> tr::Liveness {
    match liveness {
        pd::Liveness::Connected => tr::Liveness::Connected,
        pd::Liveness::Disconnected => tr::Liveness::Disconnected,
        pd::Liveness::Down => tr::Liveness::Down,
    }
}

fn known_region(known: &pd::KnownRegion) -> tr::KnownRegion {
    tr::KnownRegion {
        region: region(&known.region),
        leader: known.leader.unwrap_or_default(),
        term: known.term,
        pending: known.pending.iter().copied().collect(),
        down: known.down.iter().copied().collect(),
    }
}

fn operator(operator: &pd::Operator) -> tr::Operator {
    tr::Operator {
        purpose: purpose(operator.purpose),
        epoch: epoch(operator.epoch),
        steps: operator.steps.iter().map(step).collect(),
        done: operator.done,
    }
}

fn purpose(purpose: pd::Purpose) -> tr::Purpose {
    match purpose {
        pd::Purpose::LeaveJoint => tr::Purpose::LeaveJoint,
        pd::Purpose::RemoveOrphanPeer => tr::Purpose::RemoveOrphanPeer,
        pd::Purpose::RemoveUnhealthyOrphan => tr::Purpose::RemoveUnhealthyOrphanPeer,
        pd::Purpose::RemoveReplacedOrphan => tr::Purpose::RemoveReplacedOrphanPeer,
        pd::Purpose::ReplaceDownPeerWithOrphan => tr::Purpose::ReplaceDownPeerWithOrphanPeer,
        pd::Purpose::PromoteLearner => tr::Purpose::FixPeerRole,
        pd::Purpose::AddMissingPeer => tr::Purpose::AddRulePeer,
        pd::Purpose::ReplaceDownPeer => tr::Purpose::ReplaceRuleDownPeer,
        pd::Purpose::ReplaceOfflinePeer => tr::Purpose::ReplaceRuleOfflinePeer,
        pd::Purpose::EvictLeader => tr::Purpose::EvictLeader,
        pd::Purpose::AdminAddPeer => tr::Purpose::AdminAddPeer,
        pd::Purpose::AdminRemovePeer => tr::Purpose::AdminRemovePeer,
        pd::Purpose::AdminTransferLeader => tr::Purpose::AdminTransferLeader,
        pd::Purpose::AdminSplit => tr::Purpose::AdminSplitRegion,
        pd::Purpose::AdminAddVoter => tr::Purpose::AdminAddVoter,
    }
}

fn seat(seat: &pd::Seat) -> tr::Seat {
    tr::Seat { store: seat.store, peer: seat.peer }
}

fn seats(seats: &[pd::Seat]) -> Vec<tr::Seat> {
    seats.iter().map(seat).collect()
}

fn step(step: &pd::OperatorStep) -> tr::OperatorStep {
    match step {
        pd::OperatorStep::TransferLeader { to } => tr::OperatorStep::TransferLeader { to: *to },
        pd::OperatorStep::AddLearner(to) => tr::OperatorStep::AddLearner(seat(to)),
        pd::OperatorStep::AddPeer(to) => tr::OperatorStep::AddPeer(seat(to)),
        pd::OperatorStep::PromoteLearner(to) => tr::OperatorStep::PromoteLearner(seat(to)),
        pd::OperatorStep::RemovePeer(from) => tr::OperatorStep::RemovePeer(seat(from)),
        pd::OperatorStep::EnterJoint { promote, demote } => {
            tr::OperatorStep::EnterJoint { promote: seats(promote), demote: seats(demote) }
        }
        pd::OperatorStep::LeaveJoint { promote, demote } => {
            tr::OperatorStep::LeaveJoint { promote: seats(promote), demote: seats(demote) }
        }
        pd::OperatorStep::Split { keys, start, end } => {
            tr::OperatorStep::Split { keys: keys.iter().map(key).collect(), start: key(start), end: key(end) }
        }
    }
}

/// An order to a leader.
pub(crate) fn order(order: &pd::Order) -> tr::Order {
    match order {
        pd::Order::Propose(change) => tr::Order::Propose(command(change)),
        pd::Order::Split { keys } => tr::Order::Split { keys: keys.iter().map(key).collect() },
    }
}

/// An order in flight.
pub(crate) fn held_order(dispatch: &pd::Dispatch) -> tr::Held {
    let to = member(&dispatch.to);
    tr::Held::order(dispatch.region, to, epoch(dispatch.epoch), order(&dispatch.order))
}

/// A region report in flight.
pub(crate) fn held_report(report: &pd::RegionReport) -> tr::Held {
    let ids = |ids: &[PeerId]| ids.iter().copied().collect();
    let (pending, down) = (ids(&report.pending), ids(&report.down));
    tr::Held::region_report(member(&report.leader), report.term, region(&report.region), pending, down)
}
