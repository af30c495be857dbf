//! The scopes: the questions to the rules, with their bounds.
//!
//! Each asks a question that an engineer would ask. A budget is never raised only to reach a
//! state count.

mod allowed_stuck;
mod conf_change;
mod decommission;
mod deep;
mod split;
mod stale;

use std::fmt;

use rollcall_traces::{
    Action, Budgets, Change, ChangeKind, Command, Entries, Epoch, Key, Member, MemberRole, Reason, Region,
    RegionId, Reply, Scope, ScopeError, StoreId,
};

use crate::bounds::kinds::needs_pd;
use crate::bounds::reach::Reach;
use crate::guard::GuardSet;
use crate::liveness::StuckReason;
use crate::model::Rollcall;
use crate::properties::Property;

/// One of the three families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Membership changes of one region.
    ConfChange,
    /// Splits and merges.
    Split,
    /// Stores that leave.
    Decommission,
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Family] = &[Family::ConfChange, Family::Split, Family::Decommission];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Family::ConfChange => "conf-change",
            Family::Split => "split",
            Family::Decommission => "decommission",
        }
    }

    /// Whether some scope of the subject must take an action of that kind (of
    /// [`crate::ACTION_KINDS`]).
    pub fn owes_kind(self, kind: &str) -> bool {
        match self {
            Family::ConfChange => !SPLIT_KINDS.contains(&kind) && !needs_pd(kind),
            Family::Split => !NOT_OF_SPLIT.contains(&kind) && !needs_pd(kind),
            Family::Decommission => needs_pd(kind) && kind != "set tombstone",
        }
    }

    /// Whether something must be refused for that reason in some scope of the subject.
    pub fn owes_reason(self, reason: Reason) -> bool {
        match self {
            Family::ConfChange => !SPLIT_REASONS.contains(&reason) && !PD_REASONS.contains(&reason),
            // Regions on different stores are PD's doing.
            Family::Split => {
                !NOT_REFUSED_IN_SPLIT.contains(&reason)
                    && !PD_REASONS.contains(&reason)
                    && reason != Reason::StoresNotMatch
            }
            Family::Decommission => PD_REASONS.contains(&reason) || reason == Reason::StoresNotMatch,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Actions that only splits and merges have.
const SPLIT_KINDS: &[&str] = &[
    "delete",
    "split",
    "ask split",
    "ask split, reply dropped",
    "ask split, reply delayed",
    "late ids for a split",
    "prepare merge",
    "commit merge",
    "rollback merge",
    "late merged",
];

/// Reasons that need a placement driver.
const PD_REASONS: &[Reason] = &[
    Reason::UnknownStore,
    Reason::StoreRemoved,
    Reason::AlreadyLeaving,
    Reason::NotLeaving,
    Reason::PhysicallyDestroyed,
    Reason::StoresNotEnough,
    Reason::StateNotAllowed,
    Reason::NotTombstone,
    Reason::StoreHasRegions,
    Reason::NothingToBury,
    Reason::UnknownRegion,
    Reason::RegionStale,
    Reason::NoLeader,
    Reason::JointState,
    Reason::OperatorExists,
    Reason::NoOperator,
    Reason::PeerExists,
    Reason::NoPeer,
    Reason::NoVoter,
    Reason::StoreUnhealthy,
    Reason::InvalidConfVer,
    Reason::PeerStillListed,
    Reason::StoreConnected,
    Reason::RecoveryRunning,
    Reason::NoRecovery,
    Reason::RecoveryInProgress,
    Reason::NotByForce,
    Reason::LastVoter,
    Reason::NoNewLeader,
    Reason::InvalidSplitKey,
    Reason::NothingToDo,
    Reason::NoTarget,
    Reason::ScheduleLimit,
];

/// Reasons that only splits and merges have.
const SPLIT_REASONS: &[Reason] = &[
    Reason::Merging,
    Reason::NotMerging,
    Reason::MergeTargetNotFound,
    Reason::MergeTargetNotMatch,
    Reason::NotSiblings,
    Reason::StoresNotMatch,
    Reason::LogGapTooLarge,
    Reason::AdminInLogGap,
    Reason::MergeSourceNotFound,
    Reason::SourceNotMerging,
    Reason::MergeTargetChanged,
    Reason::MergeTargetBehind,
    Reason::MergeTargetUnchanged,
    Reason::WaitsForSource,
    Reason::RangeOverlap,
    Reason::SnapshotOverlap,
    Reason::MessageAlreadyPending,
    Reason::EpochChanging,
    Reason::NoSplitKey,
    Reason::SplitKeyEmpty,
    Reason::SplitKeyAtStart,
    Reason::SplitKeyAtEnd,
    Reason::SplitKeyOutside,
    Reason::SplitKeysOutOfOrder,
    Reason::SplitIdsMismatch,
    Reason::IdInUse,
];

/// What the scopes of conf change ask about and those of split do not.
const NOT_OF_SPLIT: &[&str] = &[
    "check stale peer, reply delayed",
    "compact log",
    "lose disk",
    "hold timeout now",
    "late timeout now",
    "late removed",
    "heartbeat",
    "late check stale peer response",
];

/// The same of reasons.
const NOT_REFUSED_IN_SPLIT: &[Reason] = &[
    Reason::NoPlacementDriver,
    Reason::NotInitialMessage,
    Reason::SenderRemoved,
    Reason::Tombstone,
    Reason::StalePeerId,
];

/// How much of a subject is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// Seconds each; part of `cargo test`.
    Smoke,
    /// Minutes; the default of `verify`.
    Standard,
    /// Hours, and resumable: questions that standard scopes cannot answer.
    Deep,
}

impl Size {
    /// Every size there is.
    pub const ALL: &'static [Size] = &[Size::Smoke, Size::Standard, Size::Deep];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Size::Smoke => "smoke",
            Size::Standard => "standard",
            Size::Deep => "deep",
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A scope with its requirements.
#[derive(Clone, Debug)]
pub struct ScopePlan {
    /// The family that it belongs to.
    pub family: Family,
    /// The sizes that it is part of.
    pub size: Size,
    /// The bounds.
    pub scope: Scope,
    /// What must hold in every state.
    pub properties: Vec<Property>,
    /// What must hold in some state.
    pub reachable: Vec<Reach>,
    /// The kinds of action (of [`crate::ACTION_KINDS`]) that its question is about: each must fire.
    pub must_fire: Vec<&'static str>,
    /// Why it may, rightly, end short of its goals: each reason must be met, and no other.
    pub allowed_stuck: Vec<StuckReason>,
}

impl ScopePlan {
    /// The model of the scope.
    ///
    /// # Errors
    /// Where the scope cannot be begun.
    pub fn model(&self, guards: GuardSet) -> Result<Rollcall, ScopeError> {
        Rollcall::new(&self.scope, guards, &self.properties, &self.reachable)
    }

    /// What may happen how often: `2 elections, 1 crash`.
    pub fn covered(&self) -> String {
        let counted = bounds(&self.scope.budgets).into_iter().filter(|(count, _, _)| *count > 0);
        let words =
            counted.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }));
        words.collect::<Vec<_>>().join(", ")
    }

    /// What never happens in it: the limits of what it shows.
    pub fn not_covered(&self) -> String {
        let never = bounds(&self.scope.budgets).into_iter().filter(|(count, _, _)| *count == 0);
        never.map(|(_, _, many)| many).collect::<Vec<_>>().join(", ")
    }
}

/// Each budget with its word for one and for many.
fn bounds(budgets: &Budgets) -> [(u8, &'static str, &'static str); 20] {
    [
        (budgets.elections, "election", "elections"),
        (budgets.crashes, "crash", "crashes"),
        (budgets.disk_losses, "lost disk", "lost disks"),
        (budgets.lost, "lost answer", "lost answers"),
        (budgets.late, "late message", "late messages"),
        (budgets.writes, "write", "writes"),
        (budgets.changes, "conf change", "conf changes"),
        (budgets.splits, "split", "splits"),
        (budgets.merges, "merge", "merges"),
        (budgets.transfers, "transfer", "transfers"),
        (budgets.compactions, "compaction", "compactions"),
        (budgets.reads, "read", "reads"),
        (budgets.admin, "administrator's command", "administrator's commands"),
        (budgets.schedules, "operator of the patrol", "operators of the patrol"),
        (budgets.missed_heartbeats, "silence of a store", "silences of stores"),
        (budgets.timeouts, "operator given up", "operators given up"),
        (budgets.pushes, "order sent once more", "orders sent once more"),
        (budgets.pd_restarts, "restart of the placement driver", "restarts of the placement driver"),
        (budgets.stale_checks, "check of a stale peer", "checks of stale peers"),
        (budgets.stages, "stage of a recovery", "stages of a recovery"),
    ]
}

/// The scopes of a family at a size.
pub fn plans(family: Family, size: Size) -> Vec<ScopePlan> {
    match family {
        _ if size == Size::Deep => deep::plans(family),
        Family::ConfChange => conf_change::plans(size),
        Family::Split => split::plans(size),
        Family::Decommission => decommission::plans(size),
    }
}

/// Every scope there is.
pub fn all() -> Vec<ScopePlan> {
    let sizes = |family: &Family| Size::ALL.iter().flat_map(|size| plans(*family, *size)).collect::<Vec<_>>();
    Family::ALL.iter().flat_map(sizes).collect()
}

/// The scope of that name.
pub fn named(name: &str) -> Option<ScopePlan> {
    all().into_iter().find(|plan| plan.scope.name == name)
}

// The vocabulary in which scopes are written.

/// A scope, what must be reachable, and which kinds of action must fire.
type Asked = (Scope, Vec<Reach>, Vec<&'static str>);

/// Scopes are told apart by name alone: the smoke size says so in it.
fn named_for(scope: Scope, size: Size) -> Scope {
    match size {
        Size::Standard | Size::Deep => scope,
        Size::Smoke => Scope { name: format!("{}_smoke", scope.name), ..scope },
    }
}

fn either(standard: bool, more: u8, less: u8) -> u8 {
    if standard { more } else { less }
}

/// The region that every scope begins with: the whole key space.
const REGION: u64 = 1;

fn region(voters: &[StoreId], learners: &[StoreId]) -> Region {
    let member = |role| move |store: &StoreId| Member { id: *store, store: *store, role };
    let voters = voters.iter().map(member(MemberRole::Voter));
    let peers = voters.chain(learners.iter().map(member(MemberRole::Learner))).collect();
    let epoch = Epoch { conf_ver: 1, version: 1 };
    Region { id: REGION, start: Key::empty(), end: Key::empty(), epoch, peers }
}

fn scope(name: &str, question: &str, stores: &[StoreId], region: Region) -> Scope {
    Scope {
        name: name.into(),
        question: question.into(),
        stores: stores.to_vec(),
        setup: elected(&region),
        regions: vec![region],
        rounds: vec![Entries::One],
        commands: Vec::new(),
        child_commands: Vec::new(),
        splits: Vec::new(),
        merges: Vec::new(),
        next_id: 0,
        max_replicas: 0,
        full: Vec::new(),
        low_space: Vec::new(),
        schedule_limit: 0,
        waiting_limit: 0,
        joining: Vec::new(),
        admin: Vec::new(),
        keys: Vec::new(),
        campaigners: Vec::new(),
        crashers: Vec::new(),
        apply_stalled: Vec::new(),
        believed: Vec::new(),
        unsynced_commits: false,
        heartbeats: false,
        store_reports: false,
        budgets: Budgets::default(),
    }
}

/// The first member leads, and everybody has applied its first entry.
fn elected(region: &Region) -> Vec<Action> {
    let (id, leader) = (region.id, region.peers[0].store);
    let others: Vec<StoreId> = region.peers[1..].iter().map(|member| member.store).collect();
    let voters: Vec<StoreId> = region.peers[1..]
        .iter()
        .filter(|member| member.role == MemberRole::Voter)
        .map(|member| member.store)
        .collect();
    let mut actions = vec![Action::Campaign { region: id, store: leader }];
    for &voter in &voters[..voters.len().div_ceil(2)] {
        actions.push(Action::Vote { region: id, candidate: leader, voter, reply: Reply::Delivered });
    }
    let round = |follower: &StoreId| Action::Replicate {
        region: id,
        leader,
        follower: *follower,
        entries: Entries::One,
        reply: Reply::Delivered,
    };
    // In order the entry reaches everybody; who had it before it was
    // committed takes one round more to hear of that.
    actions.extend(others.iter().map(round));
    let quorum = voters.len().div_ceil(2);
    actions.extend(voters[..quorum].iter().map(round));
    actions
}

/// The scope, begun behind these actions too.
fn behind(mut scope: Scope, more: impl IntoIterator<Item = Action>) -> Scope {
    scope.setup.extend(more);
    scope
}

/// Store 1, which leads, brings another forward.
fn round(region: RegionId, follower: StoreId) -> Action {
    Action::Replicate { region, leader: 1, follower, entries: Entries::All, reply: Reply::Delivered }
}

fn apply(region: RegionId, store: StoreId) -> Action {
    Action::Apply { region, store }
}

/// Two neighbours on the same stores, one leader for both: region 1 before `m`
/// with peer n on store n, and region 2 from there on with peer n + 3.
fn neighbours(scope: Scope, voters: &[StoreId]) -> Scope {
    neighbours_with(scope, voters, &[], 3)
}

/// The same with learners, and peer n + `apart` in region 2.
fn neighbours_with(scope: Scope, voters: &[StoreId], learners: &[StoreId], apart: u64) -> Scope {
    let whole = region(voters, learners);
    let left = Region { end: Key::from("m"), ..whole.clone() };
    let mut right = Region { id: NEIGHBOUR, start: Key::from("m"), ..whole };
    right.peers.iter_mut().for_each(|member| member.id += apart);
    let setup = elected(&left).into_iter().chain(elected(&right)).collect();
    Scope { setup, regions: vec![left, right], ..scope }
}

/// The first has given itself up to the second, which has taken it in on store 1
/// and on those of `others`.
fn merged(scope: &Scope, others: &[StoreId]) -> Vec<Action> {
    let begin = Command::prepare_merge(scope.regions[1].clone());
    let mut actions = taken_by(REGION, begin, others);
    actions.extend(taken_by(NEIGHBOUR, Command::commit_merge(REGION), others));
    actions
}

/// Store 1, which leads, and `others` take a command of the region.
fn taken_by(region: u64, command: Command, others: &[StoreId]) -> Vec<Action> {
    let applies = [&1].into_iter().chain(others).map(|store| apply(region, *store));
    // The second round says that the first was enough.
    let rounds = others.iter().chain(others).map(|store| round(region, *store));
    let propose = Action::Propose { region, store: 1, command, epoch: None };
    [propose].into_iter().chain(rounds).chain(applies).collect()
}

/// The region beside it, where there are two.
const NEIGHBOUR: u64 = 2;

fn put(value: &str) -> Command {
    put_at("k", value)
}

fn put_at(key: &str, value: &str) -> Command {
    Command::Put { key: Key::from(key), value: Key::from(value) }
}

fn change(kind: ChangeKind, peer: u64, store: StoreId) -> Change {
    Change { kind, peer, store }
}

fn add_voter(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::AddVoter, peer, store))
}

fn add_learner(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::AddLearner, peer, store))
}

fn remove(peer: u64, store: StoreId) -> Command {
    Command::ChangePeer(change(ChangeKind::Remove, peer, store))
}

fn enter_joint(changes: &[Change]) -> Command {
    Command::EnterJoint { changes: changes.to_vec() }
}
