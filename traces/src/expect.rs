//! What a scenario's step expects to see, in the terms in which tests assert it.
//!
//! An expectation is partial: a field that is left out may have any value. Whole views are compared
//! by [`crate::differences`]. `docs/scenarios.md` has an example of each field.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use crate::pd::{Liveness, Purpose, StoreState};
use crate::peer::Role;
use crate::region::{Key, MemberRole, PeerId, RegionId, StoreId, Value};
use crate::view::{RangeEntry, StoreStatus};

/// An expectation about part of the view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expect {
    /// The value of a key on each store; `None` for no value. A store without an initialised peer
    /// for the key has no value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<StoreId, BTreeMap<Key, Option<Value>>>,
    /// The store of the region's leader in the newest term; `None` if that term has no leader.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leader: BTreeMap<RegionId, Option<StoreId>>,
    /// In every region, the newest `conf_ver` that any peer shows is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_ver_at_least: Option<u64>,
    /// The region as the leader of the newest term has applied it. Without such a leader, it is the
    /// region of the peer with the newest epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, ExpectRegion>,
    /// Peers, by region and store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<RegionId, BTreeMap<StoreId, ExpectPeer>>,
    /// The status of stores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, StoreStatus>,
    /// The whole range index of a store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<StoreId, Vec<RangeEntry>>,
    /// The placement driver's records, regions and operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pd: Option<ExpectPd>,
    /// Once faults stop, every goal is met and no stuck reason is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heals: bool,
    /// Once faults stop, every goal that is owed is met. The goals that are not owed have exactly
    /// these stuck reasons, by name (`majority_lost`).
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "crate::schema::OneOrMore")]
    pub stuck: BTreeSet<String>,
    /// Any value of the view, by its JSON pointer (`/stores/1/peers/1/vote`), where no other field
    /// fits. `null` if the value is absent; its parent must exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub view: BTreeMap<String, Json>,
}

/// Part of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectEpoch {
    /// The number of member changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_ver: Option<u64>,
    /// The number of range changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Part of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectRegion {
    /// The epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<ExpectEpoch>,
    /// All members with their roles, by store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<BTreeMap<StoreId, MemberRole>>,
    /// The first key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Key>,
    /// The first key beyond it; empty for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Key>,
}

/// The state of a peer, which may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectState {
    /// The store has neither a peer nor a tombstone of the region.
    Absent,
    /// Created by a message, without a region yet.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It has a region, and waits for the merge into another.
    Merging,
    /// It was removed.
    Tombstone,
}

/// Part of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectPeer {
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ExpectState>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PeerId>,
    /// Its Raft role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// The last index known to be committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// The last index that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// The last index of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// The last index that its log has discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<u64>,
    /// Whether it has a received snapshot that it has not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// The region that it has applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<ExpectRegion>,
    /// The value of a key; `None` for no value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Option<Value>>,
}

/// Part of the placement driver. `None` for a region, operator or store that it does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectPd {
    /// Regions in PD's view.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, Option<ExpectKnownRegion>>,
    /// The operators of regions, running or waiting.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<RegionId, Option<ExpectOperator>>,
    /// Its records of stores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, Option<ExpectKnownStore>>,
}

/// Part of a region in PD's view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectKnownRegion {
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<ExpectRegion>,
    /// The leader's store; 0 if PD does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<StoreId>,
    /// The stores of all pending peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<BTreeSet<StoreId>>,
    /// The stores of all down peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<BTreeSet<StoreId>>,
}

/// Part of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectOperator {
    /// Why PD created it, by PD's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// All steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<PlannedStep>>,
    /// The number of finished steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<usize>,
    /// Whether it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<bool>,
}

/// A step of an operator, with peers named by their stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedStep {
    /// Leadership moves to this store.
    TransferLeader(StoreId),
    /// A learner is added.
    AddLearner(StoreId),
    /// A learner is promoted to voter.
    PromoteLearner(StoreId),
    /// A voter is added at once.
    AddPeer(StoreId),
    /// A peer is removed.
    RemovePeer(StoreId),
    /// Learners are promoted and voters demoted, in a joint configuration.
    EnterJoint {
        /// The stores of the learners.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        promote: Vec<StoreId>,
        /// The stores of the voters.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        demote: Vec<StoreId>,
    },
    /// The joint configuration is left.
    LeaveJoint,
    /// The region is split at these keys.
    Split(Vec<Key>),
}

/// Part of the placement driver's record of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectKnownStore {
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StoreState>,
    /// Its liveness by missed heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// Whether its process and disk are declared gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physically_destroyed: Option<bool>,
}

impl Expect {
    /// Whether it expects anything of healing.
    pub fn asks_to_heal(&self) -> bool {
        self.heals || !self.stuck.is_empty()
    }

    /// Every store that it names; 0 is no store.
    pub(crate) fn named_stores(&self) -> Vec<StoreId> {
        let leaders = self.leader.values().flatten();
        let members =
            self.regions.values().filter_map(|region| region.members.as_ref()).flat_map(BTreeMap::keys);
        let peers = self.peers.values().flat_map(BTreeMap::keys);
        let of_pd = self.pd.iter().flat_map(|pd| {
            let led = pd.regions.values().flatten().filter_map(|region| region.leader.as_ref());
            pd.stores.keys().chain(led.filter(|store| **store != 0))
        });
        let stores = self.data.keys().chain(self.stores.keys()).chain(self.ranges.keys());
        stores.chain(leaders).chain(members).chain(peers).chain(of_pd).copied().collect()
    }
}

/// `"a"` or `["a","b"]`.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    struct OneOrMore;
    impl<'de> serde::de::Visitor<'de> for OneOrMore {
        type Value = BTreeSet<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the name of a stuck reason, or a list of names")
        }

        fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
            Ok([name.to_owned()].into())
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeSet::new();
            while let Some(name) = names.next_element()? {
                all.insert(name);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMore)
}
