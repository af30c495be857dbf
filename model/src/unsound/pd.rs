//! The placement driver.

use rollcall_traces::{
    KnownRegion, Member, MemberRole, Operator, OperatorStep, PeerId, PlacementDriver, Reason, Region,
    RegionId, StoreId,
};

/// Without `leader_change_believed` a report in which only the leader is new changes nothing.
/// Returns the leader known before, and its term (PD `region.go`, `RegionGuide`).
pub(crate) fn leader_known_before(pd: &PlacementDriver, reported: &Region) -> Option<(PeerId, u64)> {
    let known =
        pd.regions.get(&reported.id).filter(|known| known.leader != 0 && known.region == *reported)?;
    Some((known.leader, known.term))
}

/// Without `operators_time_out` an operator waits for ever, and its region gets no other (row 36).
pub(crate) fn wait_for_ever(pd: &PlacementDriver, region: RegionId) -> Result<(), Reason> {
    pd.operator(region).map(drop).ok_or(Reason::NoOperator)
}

/// Without `limit_counts_own_kind` an administrator's operators count against the patrol's limit
/// (row 49, pd#3820).
pub(crate) fn operators_of_every_kind(pd: &PlacementDriver) -> usize {
    pd.operators.len()
}

/// Without `small_store_may_fill` a store is full by its share alone (row 40, pd#3444).
pub(crate) fn is_full_by_share(low_space: &[StoreId], store: StoreId) -> bool {
    low_space.contains(&store)
}

/// Without `buried_by_count` a store is empty once its regions' size is 0. A region that PD only
/// loaded counts 0. One that was reported since PD started counts at least 1 MiB
/// (`EmptyRegionApproximateSize`). So the size is 0 until a region is reported (row 42, pd#9333).
pub(crate) fn is_empty_by_size(pd: &PlacementDriver, store: StoreId) -> bool {
    !pd.regions_on(store).any(|known| known.leader != 0)
}

/// Without `lone_leader_moves` a leader that must go needs another voter as transferee (pd#1923).
pub(crate) fn need_another_leader(transferee: Option<Member>) -> Result<(), Reason> {
    transferee.map(drop).ok_or(Reason::NoNewLeader)
}

/// Without `replacement_joins_first` a voter that must move leaves before its successor joins
/// (row 48, PD 2.x).
pub(crate) fn remove_before_the_successor_joins(
    from: &Member,
    transferee: Option<Member>,
) -> Vec<OperatorStep> {
    let hand_over = transferee.map(|transferee| OperatorStep::TransferLeader { to: transferee.store });
    hand_over.into_iter().chain([OperatorStep::RemovePeer((*from).into())]).collect()
}

/// Without `joint_ended_by_patrol` the patrol leaves a joint configuration to its operator, which
/// may be gone (etcd#12136, pd#2952).
pub(crate) fn leave_it_joint() -> Result<Operator, Reason> {
    Err(Reason::JointState)
}

/// Without `pending_learner_counts` a learner that waits for its snapshot fills no place (PD
/// `fixLooseMatchPeer`).
pub(crate) fn waits_for_its_snapshot(known: &KnownRegion, peer: &Member) -> bool {
    peer.role == MemberRole::Learner && !known.is_well(peer.id)
}

/// Without `orphans_leave` learners that no rule asks for stay (row 51).
pub(crate) fn spare_learners(orphans: &mut Vec<Member>) {
    orphans.retain(|orphan| orphan.role != MemberRole::Learner);
}
