//! Converts the types of an unsafe recovery.

use rollcall_impl as imp;
use rollcall_impl::pd;
use rollcall_traces as tr;

use super::{position, region};

pub(crate) fn stage(stage: pd::RecoveryStage) -> tr::RecoveryStage {
    match stage {
        pd::RecoveryStage::CollectReport => tr::RecoveryStage::CollectReport,
        pd::RecoveryStage::ForceLeaderForCommitMerge => tr::RecoveryStage::ForceLeaderForCommitMerge,
        pd::RecoveryStage::ForceLeader => tr::RecoveryStage::ForceLeader,
        pd::RecoveryStage::DemoteFailedVoter => tr::RecoveryStage::DemoteFailedVoter,
        pd::RecoveryStage::CreateEmptyRegion => tr::RecoveryStage::CreateEmptyRegion,
        pd::RecoveryStage::ExitForceLeader => tr::RecoveryStage::ExitForceLeader,
        pd::RecoveryStage::Finished => tr::RecoveryStage::Finished,
        pd::RecoveryStage::Failed => tr::RecoveryStage::Failed,
    }
}

pub(crate) fn recovery(recovery: &pd::Recovery) -> tr::Recovery {
    let reported = |peers: &Vec<imp::PeerReport>| peers.iter().map(peer_report).collect();
    let reports = recovery.reports.iter();
    tr::Recovery {
        failed_stores: recovery.failed_stores.clone(),
        stage: stage(recovery.stage),
        began: recovery.began,
        reports: reports.map(|(store, report)| (*store, report.as_ref().map(reported))).collect(),
        plans: recovery.plans.iter().map(|(store, planned)| (*store, plan(planned))).collect(),
        aborted: recovery.aborted,
    }
}

fn peer_report(report: &imp::PeerReport) -> tr::PeerReport {
    tr::PeerReport {
        peer: report.peer,
        region: region(&report.region),
        term: report.term,
        log: report.log.iter().copied().map(position).collect(),
        commit: report.commit,
        by_force: report.by_force,
        sources: report.sources.clone(),
    }
}

pub(crate) fn held_report(from: tr::StoreId, report: &imp::StoreReport) -> tr::Held {
    tr::Held::store_report(from, report.step, report.peers.iter().map(peer_report).collect())
}

pub(crate) fn plan(plan: &imp::RecoveryPlan) -> tr::RecoveryPlan {
    tr::RecoveryPlan {
        step: plan.step,
        force_leaders: plan.force_leaders.as_ref().map(force_leaders),
        demotes: plan.demotes.clone(),
        tombstones: plan.tombstones.clone(),
        creates: plan.creates.iter().map(region).collect(),
    }
}

fn force_leaders(forces: &imp::ForceLeaders) -> tr::ForceLeaders {
    let leader = |forced: &imp::ForceLeader| tr::ForceLeader {
        above: forced.above,
        committed: position(forced.committed),
    };
    tr::ForceLeaders {
        failed_stores: forces.failed_stores.clone(),
        regions: forces.regions.iter().map(|(region, forced)| (*region, leader(forced))).collect(),
    }
}

pub(crate) fn under_way(plan: imp::PlanUnderWay) -> tr::PlanUnderWay {
    tr::PlanUnderWay { step: plan.step, exits: plan.exits }
}

pub(crate) fn peer_recovery(recovery: &imp::PeerRecovery) -> tr::PeerRecovery {
    match recovery {
        imp::PeerRecovery::Demotes(failed) => tr::PeerRecovery::Demotes(failed.clone()),
        imp::PeerRecovery::Failed => tr::PeerRecovery::Failed,
    }
}
