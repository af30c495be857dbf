//! What an administrator reads when a command is refused.
//!
//! A [`Reason`] is Rollcall's name for why; these are PD's own words, as pd-ctl
//! and the HTTP interface show them (`PD pkg/errs/errno.go`,
//! `pkg/schedule/handler/handler.go`, `pkg/schedule/operator/builder.go`,
//! `server/api/store.go`, `server/cluster/cluster.go`,
//! `pkg/unsaferecovery/unsafe_recovery_controller.go`). The error code before
//! them is left out, and numbers that the command does not name are dots.
//!
//! What edits a store's disk is typed at tikv-ctl, and the words are TiKV's
//! (`TV src/server/debug.rs set_region_tombstone`; the lock is RocksDB's, seed 000).
//!
//! They hang on the command as well: PD says one thing in several ways, and the
//! patrol, which comes to the same reasons, says nothing to anybody.

use crate::action::Action;
use crate::outcome::{Outcome, Reason};
use crate::pd::AdminOperator;
use crate::region::{RegionId, StoreId};

const SUCCESS: &str = "Success!";

impl Action {
    /// `outcome` in words, and in pd-ctl's or tikv-ctl's where somebody typed what is
    /// refused.
    pub(crate) fn answered(&self, outcome: &Outcome) -> String {
        let Outcome::Refused(reason) = outcome else { return outcome.to_string() };
        let at_pd = self.pd_ctl(*reason).map(|words| format!("{outcome} (pd-ctl: \"{words}\")"));
        let at_store = || Some(format!("{outcome} (tikv-ctl: \"{}\")", self.tikv_ctl(*reason)?));
        at_pd.or_else(at_store).unwrap_or_else(|| outcome.to_string())
    }

    /// What tikv-ctl answers where this is refused for `reason`.
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

    /// What pd-ctl answers where this is refused for `reason`; nothing where
    /// nobody types it there, where PD would not refuse it, and where PD knows
    /// several reasons for what is one here.
    pub fn pd_ctl(&self, reason: Reason) -> Option<String> {
        match self {
            Action::Decommission { store, .. } | Action::CancelDecommission { store } => {
                to_leave(*store, reason)
            }
            Action::SetTombstone { .. } => {
                (reason == Reason::StateNotAllowed).then(|| "invalid state Tombstone".into())
            }
            // pd-ctl names no store: whatever is Tombstone and empty goes.
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
                // Which of them PD names is chance: it goes through a Go map.
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
        // Nothing happens, and nobody says so (row 43).
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
        // PD splits a region without its builder, and asks for no leader.
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
        // With more than two voters "fail to build operator: plan is empty,
        // maybe" stands before it. Why nobody hands over has two answers.
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
