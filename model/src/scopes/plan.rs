//! A scope with its requirements, by family and size.

use std::fmt;

use rollcall_traces::{Budget, Reason, Scope, ScopeError};

use crate::bounds::kinds::needs_pd;
use crate::bounds::reach::Reach;
use crate::guard::GuardSet;
use crate::liveness::StuckReason;
use crate::model::Rollcall;
use crate::properties::Property;

/// A family of scopes.
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

    /// Whether some scope of the family must take an action of this kind (of
    /// [`crate::ACTION_KINDS`]).
    pub fn owes_kind(self, kind: &str) -> bool {
        match self {
            Family::ConfChange => !SPLIT_KINDS.contains(&kind) && !needs_pd(kind),
            Family::Split => !NOT_OF_SPLIT.contains(&kind) && !needs_pd(kind),
            Family::Decommission => needs_pd(kind) && kind != "set tombstone",
        }
    }

    /// Whether some scope of the family must refuse something for this reason.
    pub fn owes_reason(self, reason: Reason) -> bool {
        match self {
            Family::ConfChange => !SPLIT_REASONS.contains(&reason) && !PD_REASONS.contains(&reason),
            // Only PD moves regions to different stores.
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

/// Kinds that the scopes of conf change cover and those of split do not.
const NOT_OF_SPLIT: &[&str] = &[
    "check stale peer, reply delayed",
    "compact log",
    "lose disk",
    "hold timeout now",
    "late timeout now",
    "late gc peer",
    "heartbeat",
    "late check stale peer response",
    "persist",
];

/// The same for reasons.
const NOT_REFUSED_IN_SPLIT: &[Reason] = &[
    Reason::NoPlacementDriver,
    Reason::NotInitialMessage,
    Reason::SenderRemoved,
    Reason::Tombstone,
    Reason::StalePeerId,
    Reason::NotPersisted,
];

/// How much is explored.
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
    /// Every size.
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
    /// Its family.
    pub family: Family,
    /// Its size.
    pub size: Size,
    /// The bounds.
    pub scope: Scope,
    /// The properties that must hold in every state.
    pub properties: Vec<Property>,
    /// The situations that some state must show.
    pub reachable: Vec<Reach>,
    /// The kinds of action (of [`crate::ACTION_KINDS`]) that its question is about. Each must fire.
    pub must_fire: Vec<&'static str>,
    /// The allowed stuck reasons. Each must occur, and no other may.
    pub allowed_stuck: Vec<StuckReason>,
}

impl ScopePlan {
    /// The model of the scope.
    ///
    /// # Errors
    ///
    /// If the scope is invalid.
    pub fn model(&self, guards: GuardSet) -> Result<Rollcall, ScopeError> {
        Rollcall::new(&self.scope, guards, &self.properties, &self.reachable)
    }

    /// Its budgets in words: `2 elections, 1 crash`.
    pub fn covered(&self) -> String {
        let budgets = &self.scope.budgets;
        let counted = Budget::ALL.iter().filter(|budget| budgets.count(**budget) > 0);
        let words = counted.map(|budget| match (budgets.count(*budget), words(*budget)) {
            (1, (one, _)) => format!("1 {one}"),
            (count, (_, many)) => format!("{count} {many}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// The kinds of action that never happen in it: the limits of what it shows.
    pub fn not_covered(&self) -> String {
        let never = Budget::ALL.iter().filter(|budget| self.scope.budgets.count(**budget) == 0);
        never.map(|budget| words(*budget).1).collect::<Vec<_>>().join(", ")
    }
}

/// A budget's singular and plural.
fn words(of: Budget) -> (&'static str, &'static str) {
    match of {
        Budget::Elections => ("election", "elections"),
        Budget::Crashes => ("crash", "crashes"),
        Budget::DiskLosses => ("lost disk", "lost disks"),
        Budget::Lost => ("dropped reply", "dropped replies"),
        Budget::Late => ("late message", "late messages"),
        Budget::Writes => ("write", "writes"),
        Budget::Changes => ("conf change", "conf changes"),
        Budget::Splits => ("split", "splits"),
        Budget::Merges => ("merge", "merges"),
        Budget::Transfers => ("transfer", "transfers"),
        Budget::Compactions => ("compaction", "compactions"),
        Budget::Reads => ("read", "reads"),
        Budget::Admin => ("administrator's command", "administrator's commands"),
        Budget::Schedules => ("operator of the patrol", "operators of the patrol"),
        Budget::MissedHeartbeats => ("missed heartbeat", "missed heartbeats"),
        Budget::Timeouts => ("timeout", "timeouts"),
        Budget::Pushes => ("order sent once more", "orders sent once more"),
        Budget::PdRestarts => ("restart of the placement driver", "restarts of the placement driver"),
        Budget::StaleChecks => ("check of a stale peer", "checks of stale peers"),
        Budget::Stages => ("stage of a recovery", "stages of a recovery"),
    }
}

/// A scope, its situations, and the kinds of action that must fire.
pub(super) type ScopeOutline = (Scope, Vec<Reach>, Vec<&'static str>);

/// Scopes differ by name, so the smoke size has a suffix.
pub(super) fn named_for(scope: Scope, size: Size) -> Scope {
    match size {
        Size::Standard | Size::Deep => scope,
        Size::Smoke => Scope { name: format!("{}_smoke", scope.name), ..scope },
    }
}
