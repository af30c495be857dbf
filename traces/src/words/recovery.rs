//! Unsafe recovery in words, PD's where it has them.

use std::fmt;

use super::joined;
use crate::recovery::{RecoveryPlan, RecoveryStage};

impl fmt::Display for RecoveryStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecoveryStage::CollectReport => "collect report",
            RecoveryStage::ForceLeaderForCommitMerge => "force leader for commit merge",
            RecoveryStage::ForceLeader => "force leader",
            RecoveryStage::DemoteFailedVoter => "demote failed voter",
            RecoveryStage::CreateEmptyRegion => "create empty region",
            RecoveryStage::ExitForceLeader => "exit force leader",
            RecoveryStage::Finished => "finished",
            RecoveryStage::Failed => "failed",
        })
    }
}

impl fmt::Display for RecoveryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if let Some(forces) = self.force_leaders.as_ref().filter(|forces| !forces.regions.is_empty()) {
            words.push(format!("force leader on regions {}", joined(forces.regions.keys(), ", ")));
        }
        for (region, failed) in &self.demotes {
            words.push(format!("region {region} demotes peers {}", joined(failed, ", ")));
        }
        words.extend(self.tombstones.iter().map(|region| format!("tombstone the peer of region {region}")));
        words.extend(self.creates.iter().map(|region| format!("create {region}")));
        match (words.is_empty(), &self.force_leaders) {
            (true, Some(_)) => f.write_str("nothing"),
            (true, None) => f.write_str("exit force leader"),
            _ => f.write_str(&words.join(", ")),
        }
    }
}
