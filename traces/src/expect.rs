//! What a step says is seen afterwards, in the words in which tests assert it.
//!
//! Everything here is a part: what is left out may be anything. A view is
//! compared whole by [`crate::differences`]; this is for scenarios that people
//! write. `docs/scenarios.md` has an example of each field.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use crate::pd::{Liveness, Purpose, StoreState};
use crate::peer::Role;
use crate::region::{Key, MemberRole, PeerId, RegionId, StoreId, Value};
use crate::view::{RangeEntry, StoreStatus};

/// A check of a part of what is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expect {
    /// What each store holds of a key; `None` for nothing. A store without an
    /// initialised peer for the key holds nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<StoreId, BTreeMap<Key, Option<Value>>>,
    /// On which store each region's leader of the newest term lives; `None` where
    /// nobody leads in that term.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leader: BTreeMap<RegionId, Option<StoreId>>,
    /// The newest `conf_ver` that any peer of a region shows is at least this,
    /// in every region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_ver_at_least: Option<u64>,
    /// Each region as the leader of its newest term has applied it; where nobody
    /// leads in that term, as the peer with the newest epoch has it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, ExpectRegion>,
    /// Peers, by region and store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<RegionId, BTreeMap<StoreId, ExpectPeer>>,
    /// Whether stores run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, StoreStatus>,
    /// The whole range index of a store.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<StoreId, Vec<RangeEntry>>,
    /// What the placement driver knows, believes and plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pd: Option<ExpectPd>,
    /// Once faults stop, every goal is met, and nothing has to be stuck.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heals: bool,
    /// Once faults stop, every goal that is owed is met, and these stuck reasons, and no
    /// others, say why something is not owed. By name (`majority_lost`).
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "crate::schema::OneOrMore")]
    pub stuck: BTreeSet<String>,
    /// Any value of the view, by its JSON pointer (`/stores/1/peers/1/vote`): the
    /// last resort. `null` for what is not there, though what it would be part of is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub view: BTreeMap<String, Json>,
}

/// A part of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectEpoch {
    /// How often the members have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_ver: Option<u64>,
    /// How often the range has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// A part of a region's meta.
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

/// Where a peer stands in its life, and that it may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectState {
    /// The store has neither a peer of the region nor the tombstone of one.
    Absent,
    /// Created by a message.
    Uninitialised,
    /// It has a region.
    Normal,
    /// It waits to be taken in by another region.
    Merging,
    /// It was removed.
    Tombstone,
}

/// A part of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectPeer {
    /// Where it stands in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ExpectState>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PeerId>,
    /// What it is in its term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// The last index known to be committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// The last index that took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// The last index of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// The last index that its log has discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<u64>,
    /// Whether a snapshot was received and is not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// The region as it has applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<ExpectRegion>,
    /// What it holds of each key; `None` for nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Key, Option<Value>>,
}

/// A part of the placement driver. `None` for a region, operator or store that
/// it does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectPd {
    /// Regions as it believes them to be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<RegionId, Option<ExpectKnownRegion>>,
    /// The operators of regions, under way or waiting.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<RegionId, Option<ExpectOperator>>,
    /// Its records of stores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<StoreId, Option<ExpectKnownStore>>,
}

/// A part of a region as the placement driver believes it to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectKnownRegion {
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<ExpectRegion>,
    /// The store of who leads it; 0 if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<StoreId>,
    /// The stores of all peers that wait for a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<BTreeSet<StoreId>>,
    /// The stores of all peers that do not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<BTreeSet<StoreId>>,
}

/// A part of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectOperator {
    /// Why it was made, by PD's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The whole plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<PlannedStep>>,
    /// How many steps are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<usize>,
    /// Whether it waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<bool>,
}

/// A step of an operator, peers named by their stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedStep {
    /// Leadership goes to this store.
    TransferLeader(StoreId),
    /// A new learner.
    AddLearner(StoreId),
    /// A learner becomes a voter.
    PromoteLearner(StoreId),
    /// A new voter, at once.
    AddPeer(StoreId),
    /// A peer leaves.
    RemovePeer(StoreId),
    /// Learners become voters and voters learners, in a joint configuration.
    EnterJoint {
        /// The stores of the learners.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        promote: Vec<StoreId>,
        /// The stores of the voters.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        demote: Vec<StoreId>,
    },
    /// The joint configuration ends.
    LeaveJoint,
    /// The region is divided at these keys.
    Split(Vec<Key>),
}

/// A part of the placement driver's record of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectKnownStore {
    /// Where it stands in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StoreState>,
    /// What follows from the heartbeats that did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// Somebody said that its process and disk are gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physically_destroyed: Option<bool>,
}

impl Expect {
    /// Whether something is said of how healing ends.
    pub fn asks_to_heal(&self) -> bool {
        self.heals || !self.stuck.is_empty()
    }

    /// Every store that is named; 0 stands for nobody.
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
