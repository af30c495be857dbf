//! Builds the steps of an operator.
//!
//! A voter is replaced by joint consensus: a learner joins, learner and voter change roles at once,
//! and the old voter, now a learner, is removed (PD `operator/builder.go`, `filter/filters.go`).

use rollcall_traces::{
    AdminOperator, Key, KnownRegion, KnownStore, Liveness, Member, MemberRole, Operator, OperatorStep,
    PlacementDriver, Purpose, Reason, Seat, StoreId, StoreState,
};

use crate::cluster::ClusterMut;
use crate::guard::{Guard, GuardSet};
use crate::unsound;

/// What the builder and the patrol know when they plan.
pub(super) struct PlanContext<'a> {
    pub(super) pd: &'a PlacementDriver,
    pub(super) guards: GuardSet,
    /// How many voters a region should have.
    pub(super) replicas: usize,
}

impl<'a> PlanContext<'a> {
    pub(super) fn of(cluster: &'a impl ClusterMut) -> Self {
        Self { pd: cluster.pd(), guards: cluster.guards(), replicas: cluster.replicas_wanted() as usize }
    }

    /// Whether the peer is healthy and its store is neither Down nor destroyed.
    fn is_live(&self, known: &KnownRegion, member: &Member) -> bool {
        let store = self.pd.stores.get(&member.store);
        store.is_some_and(|store| !store.physically_destroyed && store.liveness != Liveness::Down)
            && known.is_well(member.id)
    }

    fn may_lead(&self, known: &KnownRegion, member: &Member) -> bool {
        let stays = self.pd.stores.get(&member.store).is_some_and(|store| store.state == StoreState::Up);
        stays && self.could_lead(known, member)
    }

    /// Whether it may lead, its store's decommission aside.
    fn could_lead(&self, known: &KnownRegion, member: &Member) -> bool {
        let is_there = |store: &KnownStore| {
            store.state != StoreState::Tombstone && store.liveness == Liveness::Connected
        };
        matches!(member.role, MemberRole::Voter | MemberRole::IncomingVoter)
            && self.pd.stores.get(&member.store).is_some_and(is_there)
            && known.is_well(member.id)
    }

    /// The target of a leader transfer (PD `CreateTransferLeaderOperator`) away from `leaving`:
    /// the first other voter that may lead, as PD's builder chooses it
    /// (`setTargetLeaderIfNotExist`, `allowLeader`). PD's schedulers and `SelectTargetStores` are
    /// not modelled. None if there is no other voter (pd#1923).
    pub(super) fn transferee(&self, known: &KnownRegion, leaving: StoreId) -> Option<Member> {
        let mut others = known.region.peers.iter().filter(|member| member.store != leaving);
        others.find(|member| self.may_lead(known, member)).copied()
    }

    /// The target of a leader transfer that must happen: if all others' stores are leaving, too,
    /// one of them (PD `CreateLeaveJointStateOperator`, `forceTargetLeader`, which accepts any peer
    /// then; here only a connected and healthy one, because no other would accept).
    pub(super) fn transferee_anywhere(&self, known: &KnownRegion, leaving: StoreId) -> Option<Member> {
        let mut others = known.region.peers.iter().filter(|member| member.store != leaving);
        self.transferee(known, leaving)
            .or_else(|| others.find(|member| self.could_lead(known, member)).copied())
    }

    /// The store for the region's next peer: the legal one with the fewest regions.
    pub(super) fn target_store(&self, known: &KnownRegion) -> Option<StoreId> {
        let is_connected = |record: &KnownStore| {
            !self.guards.holds(Guard::TargetConnected) || record.liveness == Liveness::Connected
        };
        let legal = self.pd.stores.iter().filter(|(store, record)| {
            record.state == StoreState::Up
                && known.region.member_on(**store).is_none()
                && is_connected(record)
                && !record.full
        });
        legal.map(|(store, _)| *store).min_by_key(|store| (self.pd.regions_on(*store).count(), *store))
    }
}

pub(super) fn voters(known: &KnownRegion) -> impl Iterator<Item = Member> {
    known.region.peers.iter().copied().filter(|member| member.role != MemberRole::Learner)
}

pub(super) fn leader_of(known: &KnownRegion) -> Result<Member, Reason> {
    known.leader().ok_or(Reason::NoLeader)
}

/// Refuses a region without a leader (row 41) and one in a joint configuration.
fn check_buildable(known: &KnownRegion) -> Result<Member, Reason> {
    let leader = leader_of(known)?;
    if known.region.is_joint() { Err(Reason::JointState) } else { Ok(leader) }
}

pub(super) fn operator(known: &KnownRegion, purpose: Purpose, steps: Vec<OperatorStep>) -> Operator {
    Operator { purpose, epoch: known.region.epoch, steps, done: 0 }
}

/// Takes the next id. It is spent only if the plan is made.
pub(super) fn take_id(ids: &mut u64) -> u64 {
    std::mem::replace(ids, *ids + 1)
}

/// The operator of pd-ctl `operator add`.
pub(super) fn of_admin(
    context: &PlanContext,
    known: &KnownRegion,
    wanted: &AdminOperator,
    ids: &mut u64,
) -> Result<Operator, Reason> {
    let there = |store| known.region.member_on(store);
    let (purpose, steps) = match wanted {
        AdminOperator::AddPeer { store } => {
            check_admin_target(context, known, *store)?;
            (Purpose::AdminAddPeer, add_peer(known, *store, ids)?)
        }
        AdminOperator::AddVoter { store } => {
            check_admin_target(context, known, *store)?;
            check_buildable(known)?;
            let seat = Seat { store: *store, peer: take_id(ids) };
            (Purpose::AdminAddVoter, vec![OperatorStep::AddPeer(seat)])
        }
        AdminOperator::RemovePeer { store } => {
            let member = there(*store).ok_or(Reason::NoPeer)?;
            (Purpose::AdminRemovePeer, remove_peer(context, known, member)?)
        }
        AdminOperator::TransferLeader { store } => {
            let votes = |member: &&Member| member.role != MemberRole::Learner;
            let transferee = there(*store).filter(votes).ok_or(Reason::NoVoter)?;
            if leader_of(known)?.store == *store {
                return Err(Reason::AlreadyLeader);
            }
            if !context.may_lead(known, transferee) {
                return Err(Reason::NoNewLeader);
            }
            (Purpose::AdminTransferLeader, vec![OperatorStep::TransferLeader { to: *store }])
        }
        AdminOperator::EvictLeader { store } => {
            if leader_of(known)?.store != *store {
                return Err(Reason::NotLeader);
            }
            let transferee = context.transferee(known, *store).ok_or(Reason::NoNewLeader)?;
            (Purpose::EvictLeader, vec![OperatorStep::TransferLeader { to: transferee.store }])
        }
        AdminOperator::Split { keys } => (Purpose::AdminSplitRegion, split(known, keys)?),
    };
    Ok(operator(known, purpose, steps))
}

/// An administrator may add a peer on a store that is full or leaving, but not on one that is
/// Tombstone or Down, or that has a peer already.
fn check_admin_target(context: &PlanContext, known: &KnownRegion, store: StoreId) -> Result<(), Reason> {
    if known.region.member_on(store).is_some() {
        return Err(Reason::PeerExists);
    }
    let record = context.pd.stores.get(&store).ok_or(Reason::UnknownStore)?;
    match (record.state, record.liveness) {
        (StoreState::Tombstone, _) => Err(Reason::StoreRemoved),
        (_, Liveness::Down) => Err(Reason::StoreUnhealthy),
        _ => Ok(()),
    }
}

/// A new voter, which joins as a learner.
pub(super) fn add_peer(
    known: &KnownRegion,
    store: StoreId,
    ids: &mut u64,
) -> Result<Vec<OperatorStep>, Reason> {
    check_buildable(known)?;
    let seat = Seat { store, peer: take_id(ids) };
    Ok(vec![OperatorStep::AddLearner(seat), OperatorStep::PromoteLearner(seat)])
}

fn split(known: &KnownRegion, keys: &[Key]) -> Result<Vec<OperatorStep>, Reason> {
    check_buildable(known)?;
    let ascend = keys.windows(2).all(|pair| pair[0] < pair[1]);
    if keys.is_empty() || !ascend || !keys.iter().all(|key| known.region.has_inside(key)) {
        return Err(Reason::InvalidSplitKey);
    }
    let (start, end) = (known.region.start.clone(), known.region.end.clone());
    Ok(vec![OperatorStep::Split { keys: keys.to_vec(), start, end }])
}

/// Removes the peer without a replacement. A live voter stays if the dead would then outvote the
/// living (row 46; in TiKV the leader checks that). One of an even number of voters is demoted
/// first, because the leader demands it. PD checks whether one of two *peers* goes (pd#4411), so
/// its hole remains with a learner present and with four voters.
pub(super) fn remove_peer(
    context: &PlanContext,
    known: &KnownRegion,
    gone: &Member,
) -> Result<Vec<OperatorStep>, Reason> {
    let leader = check_buildable(known)?;
    let seat = Seat::from(*gone);
    if gone.role == MemberRole::Learner {
        return Ok(vec![OperatorStep::RemovePeer(seat)]);
    }
    let others: Vec<Member> = voters(known).filter(|member| member.id != gone.id).collect();
    if others.is_empty() {
        return Err(Reason::LastVoter);
    }
    let live = others.iter().filter(|member| context.is_live(known, member)).count();
    let outvoted = live <= others.len() / 2 && context.is_live(known, gone);
    if context.guards.holds(Guard::RemovalKeepsMajority) && outvoted {
        return Err(Reason::MajorityLost);
    }
    let mut steps = Vec::new();
    if leader.id == gone.id {
        let transferee = context.transferee(known, gone.store).ok_or(Reason::NoNewLeader)?;
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    if context.guards.holds(Guard::PlanDemotesFirst) && others.len() % 2 == 1 {
        // For one member this is a simple change, so there is no joint configuration to leave (PD
        // `execChangePeerV2`: "TiKV will handle leave step").
        steps.push(OperatorStep::EnterJoint { promote: Vec::new(), demote: vec![seat] });
    }
    steps.push(OperatorStep::RemovePeer(seat));
    Ok(steps)
}

/// Replaces `from` by `to`, which may be a learner already. A leader transfers leadership before it
/// is demoted: to another voter at once, or, if no other may lead, to the new voter within the
/// joint configuration. If `from` is a learner, `to` becomes a voter and no voter is demoted.
pub(super) fn replace(
    context: &PlanContext,
    known: &KnownRegion,
    from: &Member,
    to: Seat,
) -> Result<Vec<OperatorStep>, Reason> {
    let leader = check_buildable(known)?;
    let (promote, demote) = (vec![to], vec![Seat::from(*from)]);
    let hands_over = context.guards.holds(Guard::LeaderHandsOverFirst) && leader.id == from.id;
    let transferee = context.transferee(known, from.store);
    if !context.guards.holds(Guard::LoneLeaderMoves) && hands_over {
        unsound::need_another_leader(transferee)?;
    }
    if !context.guards.holds(Guard::ReplacementJoinsFirst) {
        return Ok(unsound::remove_before_the_successor_joins(from, transferee.filter(|_| hands_over)));
    }
    let mut steps = Vec::new();
    if known.region.member(to.peer).is_none() {
        steps.push(OperatorStep::AddLearner(to));
    }
    if from.role == MemberRole::Learner {
        steps.extend([OperatorStep::PromoteLearner(to), OperatorStep::RemovePeer((*from).into())]);
        return Ok(steps);
    }
    if hands_over && let Some(transferee) = transferee {
        steps.push(OperatorStep::TransferLeader { to: transferee.store });
    }
    steps.push(OperatorStep::EnterJoint { promote: promote.clone(), demote: demote.clone() });
    if hands_over && transferee.is_none() {
        steps.push(OperatorStep::TransferLeader { to: to.store });
    }
    steps.push(OperatorStep::LeaveJoint { promote, demote });
    steps.push(OperatorStep::RemovePeer((*from).into()));
    Ok(steps)
}
