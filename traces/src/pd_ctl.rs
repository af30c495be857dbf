//! What an administrator reads when a command is refused.
//!
//! A [`Reason`] is Rollcall's name. These are PD's own words, as pd-ctl and the HTTP interface show
//! them (`PD pkg/errs/errno.go`, `pkg/schedule/handler/handler.go`,
//! `pkg/schedule/operator/builder.go`, `server/api/store.go`, `server/cluster/cluster.go`,
//! `pkg/unsaferecovery/unsafe_recovery_controller.go`). The error code before them is left out.
//! Numbers that the command does not name are dots.
//!
//! Commands that edit a store's disk belong to tikv-ctl, and the words are TiKV's (`TV
//! src/server/debug.rs set_region_tombstone`; the lock is RocksDB's, seed 000).
//!
//! The words depend on the command as well as on the reason: PD words one reason in several ways.
//! The patrol can meet the same reasons, and reports them to nobody.

use crate::action::Action;
use crate::outcome::{Outcome, Reason};
use crate::pd::AdminOperator;
use crate::region::{RegionId, StoreId};

const SUCCESS: &str = "Success!";

impl Action {
    /// `outcome` in words. For a refused command of an administrator they are those of pd-ctl or
    /// tikv-ctl.
    pub(crate) fn answered(&self, outcome: &Outcome) -> String {
        let Outcome::Refused(reason) = outcome else { return outcome.to_string() };
        let at_pd = self.pd_ctl(*reason).map(|words| format!("{outcome} (pd-ctl: \"{words}\")"));
        let at_store = || Some(format!("{outcome} (tikv-ctl: \"{}\")", self.tikv_ctl(*reason)?));
        at_pd.or_else(at_store).unwrap_or_else(|| outcome.to_string())
    }

    /// tikv-ctl's message when this is refused for `reason`.
    pub fn tikv_ctl(&self, reason: Reason) -> Option<&'static str> {
        let Action::TombstonePeer { .. } = self else { return None };
        match reason {
            Reason::StoreUp => {
                Some("IO error: While lock file: .../db/LOCK: Resource temporarily unavailable")
            }
            Reason::RegionNotFound => Some("Can't find RegionLocalState"),
            Reason::InvalidConfVer => {
                Some("invalid conf_ver: please make sure you have removed the peer by PD")
            }
            Reason::PeerStillListed => Some("The peer is still in target peers"),
            _ => None,
        }
    }

    /// pd-ctl's message when this is refused for `reason`. `None` if it is not a pd-ctl command, if
    /// PD would not refuse it, or if one reason here stands for several of PD's.
    pub fn pd_ctl(&self, reason: Reason) -> Option<String> {
        match self {
            Action::Decommission { store, .. } | Action::CancelDecommission { store } => {
                to_leave(*store, reason)
            }
            Action::SetTombstone { .. } => {
                (reason == Reason::StateNotAllowed).then(|| "invalid state Tombstone".into())
            }
            // pd-ctl names no store here: it removes every empty Tombstone store.
            Action::RemoveTombstone { store } => match reason {
                Reason::UnknownStore | Reason::NotTombstone => Some(SUCCESS.into()),
                Reason::StoreHasRegions => Some(format!("failed stores: {store}")),
                _ => None,
            },
            Action::AddOperator { region, operator, .. } => to_add(*region, operator, reason),
            Action::RemoveOperator { .. } => {
                (reason == Reason::NoOperator).then(|| "operator not found".into())
            }
            Action::RemoveFailedStores { .. } if reason == Reason::RecoveryRunning => {
                Some("unsafe recovery is running".into())
            }
            Action::RemoveFailedStores { stores } if stores.is_empty() => {
                (reason == Reason::NoEffect).then(|| "invalid input no store specified".into())
            }
            Action::RemoveFailedStores { stores } => match stores[..] {
                [store] => to_give_up(store, reason),
                // Which of them PD names is random: it iterates over a Go map.
                _ => None,
            },
            _ => None,
        }
    }
}

/// `store delete`, `store cancel-delete`.
fn to_leave(store: StoreId, reason: Reason) -> Option<String> {
    Some(match reason {
        Reason::UnknownStore => format!("store {store} not found"),
        Reason::StoreRemoved => format!("store {store} has been removed"),
        Reason::PhysicallyDestroyed => format!("store {store} has been physically destroyed"),
        Reason::StoresNotEnough => {
            format!("can not remove store {store} since the number of up stores would be ... while need ...")
        }
        // Nothing happens, and PD reports success (row 43).
        Reason::AlreadyLeaving | Reason::NotLeaving => SUCCESS.into(),
        _ => return None,
    })
}

/// `operator add`.
fn to_add(region: RegionId, operator: &AdminOperator, reason: Reason) -> Option<String> {
    match reason {
        Reason::UnknownRegion => return Some(format!("region {region} not found")),
        Reason::OperatorExists => return Some("failed to add operator, maybe already have one".into()),
        _ => {}
    }
    let Some(store) = operator.store() else {
        // PD splits a region without the builder, and does not ask for a leader.
        let joint = reason == Reason::JointState;
        return joint.then(|| "cannot split region which is in joint state".into());
    };
    Some(match reason {
        Reason::NoLeader => "cannot build operator for region with no leader".into(),
        Reason::JointState => "cannot build operator for region which is in joint state".into(),
        Reason::PeerExists => format!("region already has peer in store {store}"),
        Reason::NoPeer => format!("region has no peer in store {store}"),
        Reason::NoVoter => format!("region has no voter in store {store}"),
        Reason::UnknownStore => format!("store {store} not found"),
        Reason::StoreRemoved => format!("store {store} has been removed"),
        Reason::StoreUnhealthy => format!("store {store} is unhealthy"),
        Reason::AlreadyLeader => "no operator step is built".into(),
        Reason::LastVoter => "cannot create operator: target peers have no voter".into(),
        // With more than two voters, "fail to build operator: plan is empty, maybe" precedes it.
        // There are two messages for the lack of a new leader.
        Reason::NoNewLeader if matches!(operator, AdminOperator::RemovePeer { .. }) => {
            "no valid leader".into()
        }
        _ => return None,
    })
}

/// `unsafe remove-failed-stores`, of one store.
fn to_give_up(store: StoreId, reason: Reason) -> Option<String> {
    match reason {
        Reason::UnknownStore => Some(format!("invalid input store {store} doesn't exist")),
        Reason::StoreConnected => Some(format!("invalid input store {store} is up and connected")),
        _ => None,
    }
}
