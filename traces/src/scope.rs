//! A scope: the cluster, the commands and the budgets of an exploration. The rules are elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::action::Action;
use crate::budgets::Budgets;
use crate::command::{Change, Command, Derive};
use crate::outcome::Reason;
use crate::region::{Key, Region, RegionId, StoreId};
use crate::round::Entries;

/// A finite configuration to explore exhaustively, and its first state.
///
/// Every replica of `regions` starts as a follower of term 5 that has truncated, committed and
/// applied index 5 of term 5 (TiKV `RAFT_INIT_LOG_TERM`, `RAFT_INIT_LOG_INDEX`). Then `setup` is
/// taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Its name, which describes the situation.
    pub name: String,
    /// The question that it answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// The stores. A file may also have them as pd-ctl prints them (`store N`).
    #[schemars(with = "Vec<crate::schema::StoreForm>")]
    pub stores: Vec<StoreId>,
    /// The regions at first. A file may also have them as pd-ctl prints them (`region N`).
    #[schemars(with = "Vec<crate::schema::RegionForm>")]
    pub regions: Vec<Region>,
    /// The regions that PD knows at first, where they differ from `regions`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<crate::schema::RegionForm>")]
    pub believed: Vec<Region>,
    /// The actions before the first state. They cost no budget, and each must take effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(alias = "prelude")]
    pub setup: Vec<Action>,
    /// The round sizes that are explored.
    #[serde(default = "one_entry_rounds")]
    pub rounds: Vec<Entries>,
    /// The commands that may be proposed. `CompactLog` is not one of them: its budget allows
    /// compactions to the leader's applied index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// Commands that may be proposed to regions created by a split. The writes, compactions and
    /// transfers of `commands` are allowed there anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub child_commands: Vec<ChildCommand>,
    /// The splits that a leader may ask for, if all keys are inside its region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitKeys>,
    /// Pairs of source and target that may merge. The leader of a target may be ordered at no cost
    /// to commit the merge, and the leader of a merging source to roll it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merges: Vec<(RegionId, RegionId)>,
    /// The first id that the placement driver allots; 0 if there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub next_id: u64,
    /// The number of voters that PD wants in a region (PD `max-replicas`); 0 if PD only allots ids.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_replicas: u64,
    /// The stores with too little space for another peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full: Vec<StoreId>,
    /// The stores whose space ratio is low, with enough bytes for the little that a new cluster has
    /// (row 40).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(alias = "tight")]
    pub low_space: Vec<StoreId>,
    /// How many of its own operators PD runs at a time (PD `replica-schedule-limit`); 0 for no
    /// limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub schedule_limit: u64,
    /// How many more of its own operators may wait. PD creates none beyond that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_limit: u64,
    /// The stores of which PD has no record at first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joining: Vec<StoreId>,
    /// The commands that an administrator may give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admin: Vec<Action>,
    /// The keys that may be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// The stores whose peers may campaign on their own; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub campaigners: Vec<StoreId>,
    /// The stores that may crash or lose their disk; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crashers: Vec<StoreId>,
    /// The stores on which apply is stalled from the first state: no committed entry and no
    /// received snapshot takes effect there. Everything else proceeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(alias = "hung")]
    pub apply_stalled: Vec<StoreId>,
    /// Whether a crash is one of the machine, and reverts what raft-rs lets a store leave unsynced
    /// (`Ready::must_sync`): a commit index that was written alone. Only for one region without
    /// splits, because all regions of a store share a disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsynced_commits: bool,
    /// Whether what a step writes becomes durable only by [`Action::Persist`], or because a message
    /// leaves that must wait for it (Raft dissertation, 10.2.1; raft-rs `advance_append_async`). A
    /// crash takes back the rest. Of one region that does not divide, without transfers, reads and
    /// late messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late_persistence: bool,
    /// Whether leaders also send heartbeats to existing followers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heartbeats: bool,
    /// Whether a store's report of an unsafe recovery may be delayed, and so also be lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store_reports: bool,
    /// How often each kind of action may happen.
    #[serde(default, skip_serializing_if = "Budgets::is_none")]
    pub budgets: Budgets,
}

/// A command for one region that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ChildCommand {
    /// The region.
    pub region: RegionId,
    /// The command.
    pub command: Command,
}

/// A split that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SplitKeys {
    /// The split keys, in order.
    pub keys: Vec<Key>,
    /// Which part keeps the region's id.
    pub derive: Derive,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn one_entry_rounds() -> Vec<Entries> {
    vec![Entries::One]
}

/// An invalid scope.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// A setup action was refused.
    #[error("scope `{scope}`: step {step} of its setup is refused: {reason:?}; correct the setup")]
    Setup {
        /// The scope.
        scope: String,
        /// The step, from 1.
        step: usize,
        /// The reason.
        reason: Reason,
    },
    /// A region names a store that the scope does not have.
    #[error("scope `{scope}`: region {region} has a peer on store {store}, which is not among its stores")]
    UnknownStore {
        /// The scope.
        scope: String,
        /// The region.
        region: RegionId,
        /// The store.
        store: StoreId,
    },
    /// A field is empty, repeated or otherwise invalid.
    #[error("scope `{scope}`: {what}")]
    Malformed {
        /// The scope.
        scope: String,
        /// What is wrong.
        what: String,
    },
}

impl Scope {
    /// Checks everything that does not need the setup to be taken.
    ///
    /// # Errors
    ///
    /// If an id is unknown, repeated or 0; a range is empty or overlaps another; there is no region
    /// or round size; the placement driver would allot an id in use, or has none to allot; the keys
    /// of a split are missing, empty or out of order; apply is stalled on no store; unsynced
    /// commits are asked for with several regions; a joining store has a peer; or an
    /// administrator's command is not one.
    pub fn validate(&self) -> Result<(), ScopeError> {
        let malformed = |what: &str| ScopeError::Malformed { scope: self.name.clone(), what: what.into() };
        if self.regions.is_empty() {
            return Err(malformed("it has no region"));
        }
        if self.rounds.is_empty() {
            return Err(malformed("it has no round size"));
        }
        if has_repeats(&self.stores) {
            return Err(malformed("a store is named twice"));
        }
        if has_repeats(&self.regions.iter().map(|region| region.id).collect::<Vec<_>>()) {
            return Err(malformed("a region is named twice"));
        }
        for (at, region) in self.regions.iter().enumerate() {
            let peers = region.peers.iter().flat_map(|peer| [peer.id, peer.store]);
            if peers.chain([region.id]).any(|id| id == 0) {
                return Err(malformed(&format!("region {}: an id is 0, and ids begin at 1", region.id)));
            }
            if !region.end.is_empty() && region.start >= region.end {
                return Err(malformed(&format!("region {} ends before it begins", region.id)));
            }
            if let Some(other) = self.regions[..at].iter().find(|other| other.overlaps(region)) {
                return Err(malformed(&format!("regions {} and {} overlap", other.id, region.id)));
            }
            if region.peers.is_empty() {
                return Err(malformed(&format!("region {} has no peer", region.id)));
            }
            if has_repeats(&region.peers.iter().map(|peer| peer.store).collect::<Vec<_>>())
                || has_repeats(&region.peers.iter().map(|peer| peer.id).collect::<Vec<_>>())
            {
                return Err(malformed(&format!("region {} names a store or a peer id twice", region.id)));
            }
            if let Some(peer) = region.peers.iter().find(|peer| !self.stores.contains(&peer.store)) {
                return Err(ScopeError::UnknownStore {
                    scope: self.name.clone(),
                    region: region.id,
                    store: peer.store,
                });
            }
        }
        if let Some(store) = self.apply_stalled.iter().find(|store| !self.stores.contains(store)) {
            return Err(malformed(&format!(
                "`apply_stalled` names store {store}, which is not among the stores"
            )));
        }
        if has_repeats(&self.apply_stalled) {
            return Err(malformed("`apply_stalled` names a store twice"));
        }
        if self.unsynced_commits && (self.regions.len() > 1 || self.next_id > 0) {
            return Err(malformed(
                "`unsynced_commits` is for one region, and there are several, or ids for others",
            ));
        }
        if self.late_persistence && !self.may_persist_late() {
            return Err(malformed(
                "`late_persistence` is for one region, without ids for others, unsynced commit indexes, \
                 transfers, reads, late messages, stale checks and compactions",
            ));
        }
        let of_pd = self.validate_pd().and_then(|()| self.validate_beliefs());
        self.validate_splits().and(of_pd).map_err(|what| malformed(&what))
    }

    /// Whether the scope has only what the rules of late persistence cover.
    fn may_persist_late(&self) -> bool {
        let Budgets { transfers, reads, late, stale_checks, compactions, .. } = self.budgets;
        self.regions.len() == 1
            && self.next_id == 0
            && !self.unsynced_commits
            && [transfers, reads, late, stale_checks, compactions].iter().all(|count| *count == 0)
    }

    /// Whether views show the commit indexes that a leader knows of other peers. Only a leader that
    /// starts a merge reads them. Without merges they would only multiply states.
    pub fn reports_commits(&self) -> bool {
        !self.merges.is_empty() || self.budgets.is_none()
    }

    /// The regions that the placement driver knows at first.
    pub fn believed_regions(&self) -> impl Iterator<Item = &Region> {
        let believed = |region: &&Region| self.believed.iter().find(|believed| believed.id == region.id);
        self.regions.iter().map(move |region| believed(&region).unwrap_or(region))
    }

    fn validate_beliefs(&self) -> Result<(), String> {
        if !self.believed.is_empty() && self.max_replicas == 0 {
            return Err("`believed` needs a PD that schedules: set max_replicas".into());
        }
        for believed in &self.believed {
            let id = believed.id;
            if !self.regions.iter().any(|region| region.id == id) {
                return Err(format!("`believed` names region {id}, which is not among the regions"));
            }
            if let Some(peer) = believed.peers.iter().find(|peer| !self.stores.contains(&peer.store)) {
                let store = peer.store;
                return Err(format!(
                    "`believed` has a peer of region {id} on store {store}, which is not among the stores"
                ));
            }
        }
        if has_repeats(&self.believed.iter().map(|region| region.id).collect::<Vec<_>>()) {
            return Err("`believed` names a region twice".into());
        }
        Ok(())
    }

    /// Checks the fields about the placement driver.
    fn validate_pd(&self) -> Result<(), String> {
        let Scope { stores, max_replicas, full, low_space, .. } = self;
        if *max_replicas > 0 && self.next_id == 0 {
            return Err(format!(
                "the placement driver wants {max_replicas} replicas of a region and has no id to allot: set next_id"
            ));
        }
        let scarce = [full.as_slice(), low_space.as_slice()].concat();
        if let Some(store) = scarce.iter().find(|store| !stores.contains(store)) {
            return Err(format!("`full` names store {store}, which is not among the stores {stores:?}"));
        }
        if has_repeats(&scarce) {
            return Err("`full` names a store twice".into());
        }
        for store in &self.joining {
            if !stores.contains(store) {
                return Err(format!(
                    "`joining` names store {store}, which is not among the stores {stores:?}"
                ));
            }
            if self.regions.iter().any(|region| region.member_on(*store).is_some()) {
                return Err(format!("`joining` names store {store}, which already has a peer"));
            }
        }
        if has_repeats(&self.joining) {
            return Err("`joining` names a store twice".into());
        }
        for action in &self.admin {
            if !action.is_typed() {
                return Err(format!("`{action}` is not an administrator's command"));
            }
            if let Some(store) = action.stores().iter().find(|store| !stores.contains(store)) {
                return Err(format!(
                    "`{action}` names store {store}, which is not among the stores {stores:?}"
                ));
            }
        }
        Ok(())
    }

    /// Keys that must be refused are for refusal checks, not for a leader to ask for.
    fn validate_splits(&self) -> Result<(), String> {
        let used = self.highest_id();
        if self.next_id > 0 && self.next_id <= used {
            let next = self.next_id;
            return Err(format!("the placement driver allots ids from {next} on, but {used} is in use"));
        }
        for SplitKeys { keys, .. } in &self.splits {
            if keys.is_empty() {
                return Err("a split has no key".into());
            }
            if keys.iter().any(Key::is_empty) {
                return Err("a split key is empty".into());
            }
            if let Some(pair) = keys.windows(2).find(|pair| pair[0] >= pair[1]) {
                return Err(format!("split key {} is not after {}", pair[1], pair[0]));
            }
        }
        Ok(())
    }

    /// The highest id of a region or peer that is configured, or that a command would give to a
    /// peer.
    fn highest_id(&self) -> u64 {
        let added = |command: &Command| {
            let changes: &[Change] = match command {
                Command::ChangePeer(change) => std::slice::from_ref(change),
                Command::EnterJoint { changes } => changes,
                _ => &[],
            };
            changes.iter().map(|change| change.peer).max()
        };
        let configured =
            self.regions.iter().flat_map(|region| region.peers.iter().map(|peer| peer.id).chain([region.id]));
        configured.chain(self.commands.iter().filter_map(added)).max().unwrap_or_default()
    }
}

fn has_repeats(ids: &[u64]) -> bool {
    ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id))
}
