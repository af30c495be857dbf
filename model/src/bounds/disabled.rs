//! The disabled actions that are checked in a state. The implementation must refuse whatever the
//! rules refuse here, for the same reason.

use rollcall_traces::{
    Action, AdminOperator, Authority, Change, ChangeKind, Child, Command, Derive, Epoch, Key, Outgoing, Peer,
    Region, RegionId, Reply, Role, Scope, SplitKeys, StoreId, StoreStatus,
};

use crate::bounds::actions::Section;
use crate::cluster::ClusterInScope;

/// Disabled actions of a section that mostly read the same parts of a state. They are checked
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// A store's action on itself.
    Alone,
    /// A store's action on another.
    To(StoreId),
    /// A store's request to the placement driver.
    Asks,
    /// An action on a store's disk.
    Disk(StoreId),
    /// A message of a store to the placement driver.
    Hears(StoreId),
    /// The placement driver's own action.
    Pd,
    /// The placement driver's action on a region.
    Region(RegionId),
    /// A late message.
    Late(usize),
}

impl Group {
    /// An action in the wrong group costs needless checks, but is still checked.
    pub(crate) fn of(action: &Action) -> Self {
        match *action {
            Action::Vote { voter: to, .. }
            | Action::Replicate { follower: to, .. }
            | Action::Heartbeat { follower: to, .. }
            | Action::CheckStalePeer { asks: Authority::Member(to), .. }
            | Action::Propose { command: Command::TransferLeader { to }, .. } => Self::To(to),
            Action::Hold { from, message: Outgoing::RegionReport | Outgoing::StoreReport, .. } => {
                Self::Hears(from)
            }
            Action::Hold { to, .. } => Self::To(to),
            Action::AskSplit { .. } => Self::Asks,
            Action::TombstonePeer { store, .. } => Self::Disk(store),
            Action::StoreHeartbeat { store, .. }
            | Action::CheckStalePeer { store, asks: Authority::PlacementDriver, .. }
            | Action::AddStore { store }
            | Action::RegionHeartbeat { store, .. } => Self::Hears(store),
            Action::AddOperator { region, .. }
            | Action::PushOperator { region, .. }
            | Action::Schedule { region, .. } => Self::Region(region),
            Action::Late { slot } => Self::Late(slot),
            Action::RemoveFailedStores { .. } => Self::Pd,
            _ if action.is_of_pd() => Self::Pd,
            _ => Self::Alone,
        }
    }
}

/// Every action with every parameter that the scope has, and a few more (stale epochs, missing
/// indexes and positions), by group.
pub(crate) fn universe(
    scope: &Scope,
    cluster: impl ClusterInScope,
    section: Section,
    actions: &mut Vec<Action>,
) {
    let stores: Vec<StoreId> = cluster.stores().map(|(store, _)| store).collect();
    match section {
        Section::Store(at) => of_store(scope, cluster, stores[at], &stores, actions),
        Section::Beside => beside(scope, cluster, &stores, actions),
    }
}

fn of_store(
    scope: &Scope,
    cluster: impl ClusterInScope,
    store: StoreId,
    stores: &[StoreId],
    actions: &mut Vec<Action>,
) {
    for region in cluster.regions() {
        actions.push(Action::Campaign { region, store });
        actions.push(Action::ApplySnapshot { region, store });
        actions.push(Action::Apply { region, store });
        actions.push(Action::AnswerRead { region, store });
        actions.push(Action::TimeoutNow { region, leader: store });
        actions.push(Action::TransferTimeout { region, store });
        if scope.max_replicas > 0 {
            actions.push(Action::ForceLeaderTimeout { region, store });
        }
        for key in &scope.keys {
            actions.push(Action::Read { region, store, key: key.clone() });
        }
        if scope.max_replicas > 0 {
            let (asks, reply) = (Authority::PlacementDriver, Reply::Delivered);
            actions.push(Action::CheckStalePeer { region, store, asks, reply });
        }
        pairs(scope, region, store, stores, actions);
        propositions(scope, cluster, region, store, actions);
    }
    actions.push(Action::Crash { store });
    actions.push(Action::Restart { store });
    if scope.late_persistence {
        actions.push(Action::Persist { store });
    }
    actions.push(Action::LoseDisk { store });
}

fn beside(scope: &Scope, cluster: impl ClusterInScope, stores: &[StoreId], actions: &mut Vec<Action>) {
    for slot in 0..=cluster.held().len() {
        actions.push(Action::Late { slot });
    }
    if scope.max_replicas > 0 {
        of_pd(scope, cluster, stores, actions);
    }
    by_force(cluster, stores, actions);
}

/// Actions on a stopped store's disk, including a store and a region outside the scope. Only if
/// stores can stop: otherwise the reason is always the same.
fn by_force(cluster: impl ClusterInScope, stores: &[StoreId], actions: &mut Vec<Action>) {
    if cluster.stores().all(|(_, status)| status == StoreStatus::Up) {
        return;
    }
    let unknown = cluster.pd().next_id + 100;
    actions.push(Action::RemoveFailedStores { stores: Vec::new() });
    for store in stores.iter().copied().chain([unknown]) {
        actions.push(Action::RemoveFailedStores { stores: vec![store] });
        for region in cluster.regions().chain([unknown]) {
            actions.push(Action::TombstonePeer { region, store, force: false });
            actions.push(Action::TombstonePeer { region, store, force: true });
        }
    }
}

/// Every report and request to the placement driver, for every known store and region and one
/// unknown of each.
fn of_pd(scope: &Scope, cluster: impl ClusterInScope, stores: &[StoreId], actions: &mut Vec<Action>) {
    let unknown = cluster.pd().next_id + 100;
    let all = || stores.iter().copied().chain([unknown]);
    for store in all() {
        actions.push(Action::StoreHeartbeat { store, reply: Reply::Delivered });
        actions.push(Action::MissedHeartbeat { store });
        actions.push(Action::AddStore { store });
        actions.push(Action::Decommission { store, force: false });
        actions.push(Action::Decommission { store, force: true });
        actions.push(Action::CancelDecommission { store });
        actions.push(Action::SetTombstone { store });
        actions.push(Action::RemoveTombstone { store });
    }
    let reply = Reply::Delivered;
    let keys: Vec<Key> = scope.splits.iter().flat_map(|split| split.keys.clone()).take(1).collect();
    for region in cluster.regions().chain([unknown]) {
        for store in all() {
            actions.push(Action::RegionHeartbeat { region, store, reply });
            actions.push(Action::Hold { region, from: store, to: 0, message: Outgoing::RegionReport });
            for operator in [
                AdminOperator::AddPeer { store },
                AdminOperator::AddVoter { store },
                AdminOperator::RemovePeer { store },
                AdminOperator::TransferLeader { store },
                AdminOperator::EvictLeader { store },
            ] {
                actions.push(Action::AddOperator { region, operator, reply });
            }
        }
        for keys in [Vec::new(), vec![Key::empty()], keys.clone(), vec![Key::from("zz")]] {
            let operator = AdminOperator::Split { keys };
            actions.push(Action::AddOperator { region, operator, reply });
        }
        actions.push(Action::Schedule { region, reply });
        actions.push(Action::PushOperator { region, reply });
        actions.push(Action::OperatorTimeout { region });
        actions.push(Action::RemoveOperator { region });
        actions.push(Action::Hold {
            region,
            from: stores[0],
            to: stores[0],
            message: Outgoing::RegionReport,
        });
    }
    actions.push(Action::CheckStores);
    actions.push(Action::PdRestart);
    actions.push(Action::RecoveryTimeout);
}

fn pairs(scope: &Scope, region: RegionId, from: StoreId, stores: &[StoreId], actions: &mut Vec<Action>) {
    for &to in stores {
        for reply in [Reply::Delivered, Reply::Dropped, Reply::Delayed] {
            actions.push(Action::Vote { region, candidate: from, voter: to, reply });
            for &entries in &scope.rounds {
                actions.push(Action::Replicate { region, leader: from, follower: to, entries, reply });
            }
        }
        let (leader, reply) = (from, Reply::Delivered);
        actions.push(Action::Heartbeat { region, leader, follower: to, reply });
        let (store, asks) = (from, Authority::Member(to));
        actions.push(Action::CheckStalePeer { region, store, asks, reply });
        for message in [Outgoing::Append, Outgoing::Heartbeat, Outgoing::TimeoutNow, Outgoing::VoteRequest] {
            actions.push(Action::Hold { region, from, to, message });
        }
    }
}

fn propositions(
    scope: &Scope,
    cluster: impl ClusterInScope,
    region: RegionId,
    store: StoreId,
    actions: &mut Vec<Action>,
) {
    let keys = vec![Key::from("m")];
    actions.push(Action::AskSplit { region, store, keys, derive: Derive::Left, reply: Reply::Delivered });
    let mut propose = |command: Command, epoch: Option<Epoch>| {
        actions.push(Action::Propose { region, store, command, epoch });
    };
    for command in &scope.commands {
        propose(command.clone(), None);
    }
    for (other, _) in cluster.stores() {
        propose(Command::TransferLeader { to: other }, None);
    }
    if let Some(SplitKeys { keys, derive }) = scope.splits.first() {
        let child = child(&keys[0], cluster.pd().next_id, 1);
        propose(Command::Split { children: vec![child], derive: *derive }, None);
    }
    if !scope.merges.is_empty() {
        propose(Command::RollbackMerge { commit: 0 }, None);
    }
    let Some(peer) = cluster.peer(store, region).filter(|peer| peer.role == Role::Leader) else {
        return;
    };
    if !scope.merges.is_empty() {
        let regions: Vec<RegionId> = cluster.regions().collect();
        merges(cluster, store, peer, &regions, &mut propose);
    }
    for index in [peer.log.truncated.index, peer.applied, peer.applied + 1] {
        propose(Command::CompactLog { index }, None);
    }
    for child in scope.child_commands.iter().filter(|child| child.region == region) {
        propose(child.command.clone(), None);
    }
    propose(Command::LeaveJoint, None);
    propose(Command::EnterJoint { changes: Vec::new() }, None);
    for member in &peer.region.peers {
        for kind in [ChangeKind::AddVoter, ChangeKind::AddLearner, ChangeKind::Remove] {
            let change = Change { kind, peer: member.id, store: member.store };
            propose(Command::ChangePeer(change), None);
            propose(Command::EnterJoint { changes: vec![change] }, None);
        }
    }
    // Two changes make a joint one, in which no voter may be removed.
    for (member, next) in peer.region.peers.iter().zip(peer.region.peers.iter().skip(1)) {
        let remove = Change { kind: ChangeKind::Remove, peer: member.id, store: member.store };
        let demote = Change { kind: ChangeKind::AddLearner, peer: next.id, store: next.store };
        propose(Command::EnterJoint { changes: vec![remove, demote] }, None);
    }
    let epoch = peer.region.epoch;
    for stale in [
        Epoch { conf_ver: epoch.conf_ver.saturating_sub(1), ..epoch },
        Epoch { version: epoch.version + 1, ..epoch },
    ] {
        for command in
            scope.commands.iter().filter(|command| !matches!(command, Command::TransferLeader { .. }))
        {
            propose(command.clone(), Some(stale));
        }
    }
    if scope.next_id != 0 {
        splits(scope, cluster, store, peer, actions);
    }
}

/// A merge with complete, missing and wrong members.
fn merges(
    cluster: impl ClusterInScope,
    store: StoreId,
    leader: &Peer,
    regions: &[RegionId],
    propose: &mut impl FnMut(Command, Option<Epoch>),
) {
    let epoch = leader.region.epoch;
    let stale = Some(Epoch { version: epoch.version + 1, ..epoch });
    propose(Command::RollbackMerge { commit: 0 }, stale);
    propose(Command::prepare_merge(Region::unknown(99)), None);
    propose(Command::commit_merge(99), None);
    for &other in regions {
        propose(Command::commit_merge(other), None);
        propose(Command::commit_merge(other), stale);
        let Some(known) = cluster.peer(store, other) else { continue };
        let mut target = known.region.clone();
        propose(Command::prepare_merge(target.clone()), None);
        propose(Command::prepare_merge(target.clone()), stale);
        target.epoch.conf_ver += 1;
        propose(Command::prepare_merge(target), None);
    }
}

/// A new region at `key`. Its id and its peers' ids count up from `from`.
fn child(key: &Key, from: u64, peers: usize) -> Child {
    Child { key: key.clone(), region: from, peers: (from + 1..).take(peers).collect() }
}

/// The splits of the scope, and every kind of malformed split.
fn splits(
    scope: &Scope,
    cluster: impl ClusterInScope,
    store: StoreId,
    peer: &Peer,
    actions: &mut Vec<Action>,
) {
    let region = peer.region.id;
    for SplitKeys { keys, derive } in &scope.splits {
        for reply in [Reply::Delivered, Reply::Dropped, Reply::Delayed] {
            actions.push(Action::AskSplit { region, store, keys: keys.clone(), derive: *derive, reply });
        }
    }
    for keys in [vec![], vec![Key::empty()]] {
        let (derive, reply) = (Derive::Left, Reply::Delivered);
        actions.push(Action::AskSplit { region, store, keys, derive, reply });
    }
    let mut propose = |children: Vec<Child>, epoch: Option<Epoch>| {
        let command = Command::Split { children, derive: Derive::Left };
        actions.push(Action::Propose { region, store, command, epoch });
    };
    let next = cluster.pd().next_id;
    let child = |key: &Key, from: u64| child(key, from, peer.region.peers.len());
    let Some(inside) =
        scope.splits.iter().flat_map(|split| &split.keys).find(|key| peer.region.has_inside(key))
    else {
        // The region is too small to split: every key is at its border or outside.
        for key in scope.splits.iter().flat_map(|split| &split.keys) {
            propose(vec![child(key, next)], None);
        }
        return;
    };
    propose(vec![], None);
    for key in [Key::empty(), peer.region.start.clone(), peer.region.end.clone(), before(&peer.region)] {
        propose(vec![child(&key, next)], None);
    }
    propose(vec![child(inside, next), child(inside, next + 10)], None);
    let good = child(inside, next);
    propose(vec![Child { peers: good.peers[1..].to_vec(), ..good.clone() }], None);
    propose(vec![Child { region, ..good.clone() }], None);
    propose(
        vec![Child { peers: peer.region.peers.iter().map(|member| member.id).collect(), ..good.clone() }],
        None,
    );
    // Ids that the store knows from other regions, live or destroyed.
    for (of, other) in cluster.regions().filter_map(|of| Some((of, cluster.peer(store, of)?))) {
        propose(vec![Child { region: of, ..good.clone() }], None);
        let members = other.region.peers.iter().map(|member| member.id);
        for id in [other.id].into_iter().chain(members) {
            let mut taken = good.clone();
            taken.peers[0] = id;
            propose(vec![taken], None);
        }
    }
    let epoch = peer.region.epoch;
    for stale in [
        Epoch { conf_ver: epoch.conf_ver + 1, ..epoch },
        Epoch { version: epoch.version.saturating_sub(1), ..epoch },
    ] {
        propose(vec![good.clone()], Some(stale));
    }
}

/// A key before the region, if there is one.
fn before(region: &Region) -> Key {
    match region.start.as_bytes() {
        [] => Key::empty(),
        [first, ..] => Key::from(&[first.saturating_sub(1)][..]),
    }
}
