//! Regions and stores as pd-ctl prints them (`region N`, `region store N`, `store N`) in a scope's
//! `regions`, `believed` and `stores`.
//!
//! PD describes a running cluster: regions have leaders, peers are down or pending, stores are
//! leaving. The region becomes the scope's region. The rest becomes steps at the start of its
//! setup. Down stores crash. The voters on running stores elect leaders, and these replicate to
//! every peer that is not pending. If PD schedules, it gets heartbeats. The stores enter the states
//! that PD shows. Load and sizes are ignored. A field that pd-ctl does not print is an error.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::fields::hint;
use crate::region::{PeerId, Region, StoreId};

const REGION: &[&str] = &[
    "id",
    "start_key",
    "end_key",
    "epoch",
    "peers",
    "leader",
    "down_peers",
    "pending_peers",
    "cpu_usage",
    "written_bytes",
    "read_bytes",
    "written_keys",
    "read_keys",
    "approximate_size",
    "approximate_keys",
    "approximate_kv_size",
    "approximate_columnar_kv_size",
    "buckets",
    "replication_status",
    "query_stats",
];
const STORE: &[&str] = &[
    "id",
    "address",
    "state",
    "labels",
    "version",
    "peer_address",
    "status_address",
    "git_hash",
    "start_timestamp",
    "deploy_path",
    "last_heartbeat",
    "physically_destroyed",
    "node_state",
    "state_name",
];

/// Rewrites a header that has such regions or stores. Returns whether it has any.
///
/// # Errors
///
/// What is wrong with them.
pub(super) fn rewrite(header: &mut Json) -> Result<bool, String> {
    let Some(scope) = header.get_mut("scope").and_then(Json::as_object_mut) else { return Ok(false) };
    let listed = |key: &str| scope.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let (stores, regions) = (listed("stores"), flattened(listed("regions")));
    let believed = flattened(listed("believed"));
    if !stores.iter().any(Json::is_object) && !regions.iter().chain(&believed).any(is_of_pd) {
        return Ok(false);
    }
    let placed = scope.get("max_replicas").and_then(Json::as_u64).is_some_and(|wanted| wanted > 0);
    let mut stated = PdJson { placed, ..PdJson::default() };
    let stores: Vec<Json> = stores.into_iter().map(|one| stated.store(one)).collect::<Result<_, _>>()?;
    let regions: Vec<Json> = regions.into_iter().map(|one| stated.region(one)).collect::<Result<_, _>>()?;
    // `believed` regions make no peer lead and no store crash.
    let mut of_pd = PdJson::default();
    let believed: Vec<Json> = believed.into_iter().map(|one| of_pd.region(one)).collect::<Result<_, _>>()?;
    let mut setup = stated.setup()?;
    let stated = scope.remove("prelude").or_else(|| scope.remove("setup"));
    setup.extend(stated.as_ref().and_then(Json::as_array).cloned().unwrap_or_default());
    scope.insert("stores".into(), stores.into());
    scope.insert("regions".into(), regions.into());
    scope.insert("setup".into(), setup.into());
    if !believed.is_empty() {
        scope.insert("believed".into(), believed.into());
    }
    Ok(true)
}

fn is_of_pd(region: &Json) -> bool {
    region.get("start_key").is_some() || region.get("end_key").is_some()
}

/// `region store N` prints a list.
fn flattened(regions: Vec<Json>) -> Vec<Json> {
    let within = |one: Json| match one.get("regions").and_then(Json::as_array) {
        Some(all) => all.clone(),
        None => vec![one],
    };
    regions.into_iter().flat_map(within).collect()
}

fn known(object: &Map<String, Json>, known: &[&str], what: &str) -> Result<(), String> {
    match object.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(format!("{what} of pd-ctl has no field `{field}`; {}", hint(field, known))),
    }
}

/// What pd-ctl prints besides the members.
#[derive(Default)]
struct PdJson {
    /// PD schedules in this scope, so it gets the heartbeats.
    placed: bool,
    down: BTreeSet<StoreId>,
    led: Vec<Led>,
    /// The states that PD shows for its stores, as steps.
    of_stores: Vec<Json>,
}

/// A region with a leader.
struct Led {
    region: Region,
    leader: PeerId,
    pending: BTreeSet<PeerId>,
}

impl PdJson {
    fn store(&mut self, stated: Json) -> Result<Json, String> {
        let Json::Object(outer) = stated else { return Ok(stated) };
        let store = match outer.get("store") {
            Some(Json::Object(store)) => {
                known(&outer, &["store", "status"], "`store N`")?;
                store
            }
            _ => &outer,
        };
        known(store, STORE, "a store")?;
        let id = store.get("id").and_then(Json::as_u64).ok_or("a store of pd-ctl has no id")?;
        let state = store.get("state_name").and_then(Json::as_str).unwrap_or("Up");
        let force = store.get("physically_destroyed") == Some(&Json::Bool(true));
        match state {
            "Up" => {}
            "Disconnected" | "Down" => {
                self.down.insert(id);
                let missed_heartbeats = if state == "Down" { 2 } else { 1 };
                let silent = || json!({ "missed_heartbeat": { "store": id } });
                self.of_stores.extend((0..missed_heartbeats).filter(|_| self.placed).map(|_| silent()));
            }
            "Offline" if !self.placed => {
                return Err(format!(
                    "store {id} is Offline, and no PD schedules: set `max_replicas` and `next_id`"
                ));
            }
            "Offline" => self.of_stores.insert(0, json!({ "decommission": { "store": id, "force": force } })),
            "Tombstone" => return Err(format!("store {id} is Tombstone: it has left; leave it out")),
            other => return Err(format!("store {id}: pd-ctl knows no state `{other}`")),
        }
        Ok(id.into())
    }

    fn region(&mut self, stated: Json) -> Result<Json, String> {
        if !is_of_pd(&stated) {
            return Ok(stated);
        }
        let Json::Object(stated) = stated else { return Ok(stated) };
        known(&stated, REGION, "a region")?;
        let id = stated.get("id").and_then(Json::as_u64).ok_or("a region of pd-ctl has no id")?;
        let key = |name: &str| stated.get(name).and_then(Json::as_str).unwrap_or_default().to_lowercase();
        // pd-ctl omits zero values.
        let epoch = |name: &str| {
            stated.get("epoch").and_then(|epoch| epoch.get(name)).and_then(Json::as_u64).unwrap_or(0)
        };
        let peers = stated.get("peers").and_then(Json::as_array).cloned().unwrap_or_default();
        let members = peers.iter().map(|peer| member(id, peer)).collect::<Result<Vec<Json>, String>>()?;
        let region = json!({
            "id": id,
            "start": key("start_key"),
            "end": key("end_key"),
            "epoch": { "conf_ver": epoch("conf_ver"), "version": epoch("version") },
            "peers": members,
        });
        let read = Region::deserialize(&region).map_err(|error| format!("region {id} of pd-ctl: {error}"))?;
        let listed = |name: &str| stated.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
        let number = |peer: &Json, field: &str| peer.get(field).and_then(Json::as_u64);
        for down in listed("down_peers") {
            self.down.extend(number(down.get("peer").unwrap_or(&down), "store_id"));
        }
        let pending = listed("pending_peers").iter().filter_map(|peer| number(peer, "id")).collect();
        if let Some(leader) = stated.get("leader").and_then(|leader| number(leader, "id")) {
            self.led.push(Led { region: read, leader, pending });
        }
        Ok(region)
    }

    fn setup(&self) -> Result<Vec<Json>, String> {
        let mut steps: Vec<Json> =
            self.down.iter().map(|store| json!({ "crash": { "store": store } })).collect();
        for led in &self.led {
            steps.extend(led.elected(&self.down)?);
        }
        if self.placed {
            let heartbeat = |led: &Led| {
                let store = led.region.member(led.leader).map(|member| member.store);
                json!({ "region_heartbeat": { "region": led.region.id, "store": store, "reply": "delivered" } })
            };
            steps.extend(self.led.iter().map(heartbeat));
        }
        steps.extend(self.of_stores.iter().cloned());
        Ok(steps)
    }
}

fn member(region: u64, peer: &Json) -> Result<Json, String> {
    let number = |field: &str| peer.get(field).and_then(Json::as_u64);
    let (Some(id), Some(store)) = (number("id"), number("store_id")) else {
        return Err(format!("region {region} of pd-ctl: a peer needs `id` and `store_id`"));
    };
    if peer.get("is_witness") == Some(&Json::Bool(true)) {
        return Err(format!(
            "region {region} of pd-ctl: peer {id} is a witness, of which the rules know nothing"
        ));
    }
    let named = peer.get("role_name").and_then(Json::as_str);
    let role = match (named, number("role"), peer.get("is_learner")) {
        (Some("Learner"), _, _) | (None, Some(1), _) | (None, None, Some(Json::Bool(true))) => "learner",
        (Some("IncomingVoter"), _, _) | (None, Some(2), _) => "incoming_voter",
        (Some("DemotingVoter"), _, _) | (None, Some(3), _) => "demoting_voter",
        (Some("Voter") | None, _, _) => "voter",
        (Some(other), _, _) => return Err(format!("region {region} of pd-ctl: no role is named `{other}`")),
    };
    Ok(json!({ "id": id, "store": store, "role": role }))
}

impl Led {
    /// The steps by which the running voters elect the leader and it replicates to every peer that
    /// is not pending.
    fn elected(&self, down: &BTreeSet<StoreId>) -> Result<Vec<Json>, String> {
        let Led { region, leader, pending } = self;
        let id = region.id;
        let Some(led_by) = region.member(*leader).copied() else {
            return Err(format!("region {id} is led by peer {leader}, which is not a member"));
        };
        if down.contains(&led_by.store) {
            return Err(format!("the leader of region {id} is on store {}, which is down", led_by.store));
        }
        let others =
            || region.peers.iter().filter(|member| member.id != *leader && !down.contains(&member.store));
        let mut steps = vec![json!({ "campaign": { "region": id, "store": led_by.store } })];
        let mut acked = vec![*leader];
        for voter in others().filter(|member| region.is_voter(member.id)) {
            if region.has_quorum(|peer| acked.contains(&peer)) {
                break;
            }
            let vote = json!({ "region": id, "candidate": led_by.store, "voter": voter.store, "reply": "delivered" });
            steps.push(json!({ "vote": vote }));
            acked.push(voter.id);
        }
        if !region.has_quorum(|peer| acked.contains(&peer)) {
            return Err(format!(
                "region {id}: too few voters are up to elect peer {leader}; is it led still?"
            ));
        }
        let round = |store: StoreId| {
            let round = json!({ "region": id, "leader": led_by.store, "follower": store, "entries": "all", "reply": "delivered" });
            json!({ "replicate": round })
        };
        // A peer that had the leader's first entry before it was committed learns its commit one
        // round later.
        let (mut acked, mut again) = (vec![*leader], Vec::new());
        for member in others().filter(|member| !pending.contains(&member.id)) {
            steps.push(round(member.store));
            if !region.has_quorum(|peer| acked.contains(&peer)) {
                again.push(member.store);
            }
            acked.push(member.id);
        }
        if region.has_quorum(|peer| acked.contains(&peer)) {
            steps.extend(again.into_iter().map(round));
        }
        Ok(steps)
    }
}
