//! Compares two views field by field.
//!
//! The paths are made for people and kept stable: `stores/2/regions/1/epoch/conf_ver`,
//! `stores/2/regions/1/log/7/term`, `stores/2/regions/1/peers/3/role`,
//! `stores/2/pending_ranges/0/start`, `stores/2/pending_messages/0/term`,
//! `held/0/message/append/commit`, `pd/next_id`, `pd/regions/1/epoch/conf_ver`,
//! `pd/operators/1/steps/0/add_learner/store`, `pd/recovery/reports/1/0/region/epoch/version`. A
//! region's fields stand beside its peer's (whose own id is `peer_id`). Log entries stand under
//! their index, and members under their peer id (with `peers/order`). An object that only one side
//! has is one difference, not one for each of its fields.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::message::{Held, Message};
use crate::pd::PlacementDriver;
use crate::peer::Peer;
use crate::view::View;

/// A field that differs between two views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path of the field.
    pub path: String,
    /// The expected value; `None` if nothing was expected.
    pub expected: Option<Value>,
    /// The actual value; `None` if there is nothing.
    pub actual: Option<Value>,
}

impl Difference {
    /// The two values in a few words each.
    pub(crate) fn words(&self) -> (String, String) {
        (brief(self.expected.as_ref()), brief(self.actual.as_ref()))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, actual) = self.words();
        write!(f, "{}: expected {expected}, found {actual}", self.path)
    }
}

/// Every field that differs, sorted by path, numbers by value. Empty exactly when the views are
/// equal.
pub fn differences(expected: &View, actual: &View) -> Vec<Difference> {
    if expected == actual {
        return Vec::new();
    }
    let mut found = Vec::new();
    compare("", Some(&readable(expected)), Some(&readable(actual)), &mut found);
    found.sort_by(|a, b| by_path(&a.path, &b.path));
    assert!(!found.is_empty(), "views differ in a field that the readable form leaves out");
    found
}

fn compare(path: &str, expected: Option<&Value>, actual: Option<&Value>, found: &mut Vec<Difference>) {
    if expected == actual {
        return;
    }
    if let (Some(Value::Object(left)), Some(Value::Object(right))) = (expected, actual) {
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        let members = |object: &Map<String, Value>| -> BTreeSet<String> {
            object.keys().filter(|name| *name != "order").cloned().collect()
        };
        for name in names {
            // A member that was added or removed changes the order too, and has its own difference.
            if name == "order" && members(left) != members(right) {
                continue;
            }
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            compare(&below, left.get(name), right.get(name), found);
        }
        return;
    }
    found.push(Difference { path: path.into(), expected: expected.cloned(), actual: actual.cloned() });
}

fn by_path(a: &str, b: &str) -> Ordering {
    let part = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    a.split('/').map(part).cmp(b.split('/').map(part))
}

/// The value on one line, cut if it is long.
fn brief(value: Option<&Value>) -> String {
    const LONGEST: usize = 72;
    let Some(value) = value else { return "absent".into() };
    let text = match value {
        Value::String(word) => word.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 3).chain("...".chars()).collect()
}

/// The view as nested objects, under the names that paths use.
fn readable(view: &View) -> Value {
    let stores = view.stores.iter().map(|(id, store)| {
        let regions =
            store.peers.iter().map(|(region, peer)| (region.to_string(), readable_peer(peer))).collect();
        let mut fields = object(store);
        fields.remove("peers");
        insert(&mut fields, "regions", Value::Object(regions));
        number_objects(&mut fields, "ranges", 0);
        if !store.pending_ranges.is_empty() {
            number_objects(&mut fields, "pending_ranges", 0);
        }
        if !store.pending_messages.is_empty() {
            fields.insert("pending_messages".into(), readable_messages(&store.pending_messages));
        }
        (id.to_string(), Value::Object(fields))
    });
    let mut root = Map::new();
    root.insert("stores".into(), Value::Object(stores.collect()));
    root.insert("held".into(), readable_messages(&view.held));
    if !view.pd.is_absent() {
        root.insert("pd".into(), readable_pd(&view.pd));
    }
    Value::Object(root)
}

/// The placement driver with regions by member and plans by step.
fn readable_pd(pd: &PlacementDriver) -> Value {
    let mut fields = object(pd);
    if let Some(Value::Object(regions)) = fields.get_mut("regions") {
        for known in regions.values_mut().filter_map(Value::as_object_mut) {
            let mut region = known.remove("region").expect("a known region has a region");
            readable_members(&mut region);
            for (name, value) in region.as_object_mut().map(std::mem::take).expect("a region is an object") {
                insert(known, &name, value);
            }
        }
    }
    if let Some(Value::Object(operators)) = fields.get_mut("operators") {
        for operator in operators.values_mut().filter_map(Value::as_object_mut) {
            number_objects(operator, "steps", 0);
        }
    }
    number_objects(&mut fields, "waiting", 0);
    if let Some(Value::Object(recovery)) = fields.get_mut("recovery") {
        readable_recovery(recovery);
    }
    Value::Object(fields)
}

/// The recovery with reports by position and their regions by member.
fn readable_recovery(recovery: &mut Map<String, Value>) {
    if let Some(Value::Object(reports)) = recovery.get_mut("reports") {
        let stores: Vec<String> = reports.keys().cloned().collect();
        stores.iter().for_each(|store| number_objects(reports, store, 0));
        let peers = reports.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
        peers.for_each(|peer| readable_members(&mut peer["region"]));
    }
    if let Some(Value::Object(plans)) = recovery.get_mut("plans") {
        plans.values_mut().filter_map(Value::as_object_mut).for_each(readable_plan);
    }
}

fn readable_plan(plan: &mut Map<String, Value>) {
    number_objects(plan, "creates", 0);
    if let Some(Value::Object(creates)) = plan.get_mut("creates") {
        creates.values_mut().for_each(readable_members);
    }
}

/// The messages by position, oldest first.
fn readable_messages(messages: &[Held]) -> Value {
    let readable = messages.iter().enumerate().map(|(slot, held)| {
        let mut fields = object(held);
        if let (Message::Append { previous, .. }, Some(Value::Object(append))) =
            (&held.message, fields["message"].get_mut("append"))
        {
            number_objects(append, "entries", previous.index + 1);
        }
        for kind in ["snapshot", "gc_peer", "region_report"] {
            if let Some(Value::Object(carried)) = fields["message"].get_mut(kind) {
                readable_members(&mut carried["region"]);
            }
        }
        if let Message::StoreReport { .. } = &held.message {
            let report = fields["message"]["store_report"].as_object_mut().expect("it has fields");
            number_objects(report, "peers", 0);
            let peers = report["peers"].as_object_mut().into_iter().flat_map(Map::values_mut);
            peers.for_each(|peer| readable_members(&mut peer["region"]));
        }
        if let Some(Value::Object(plan)) = fields["message"].get_mut("recovery_plan") {
            readable_plan(plan);
        }
        if let Some(merged) = fields["message"].get_mut("merged") {
            readable_members(&mut merged["target"]);
        }
        (slot.to_string(), Value::Object(fields))
    });
    Value::Object(readable.collect())
}

fn readable_peer(peer: &Peer) -> Value {
    let mut fields = object(peer);
    let id = fields.remove("id").expect("a peer has an id");
    insert(&mut fields, "peer_id", id);
    let mut region = fields.remove("region").expect("a peer has a region");
    readable_members(&mut region);
    for (name, value) in region.as_object_mut().map(std::mem::take).expect("a region is an object") {
        insert(&mut fields, &name, value);
    }
    if let Some(Value::Object(log)) = fields.get_mut("log") {
        number_objects(log, "entries", peer.log.truncated.index + 1);
        if let Some(Value::Object(entries)) = log.remove("entries") {
            log.extend(entries);
        }
    }
    if let Some(Value::Object(snapshot)) = fields.get_mut("snapshot") {
        readable_members(&mut snapshot["region"]);
    }
    if let Some(Value::Object(merge)) = fields.get_mut("merge") {
        readable_members(&mut merge["target"]);
    }
    if let Some(into) = fields.get_mut("merged_into") {
        readable_members(into);
    }
    Value::Object(fields)
}

/// The region's members by peer id, and the order in which they joined.
fn readable_members(region: &mut Value) {
    let members = region["peers"].take();
    let members = members.as_array().expect("members are a list");
    let mut by_id = Map::new();
    for member in members {
        let mut name = member["id"].to_string();
        // A duplicate id is a fault. It must stay visible.
        while by_id.contains_key(&name) {
            name.push('+');
        }
        by_id.insert(name, member.clone());
    }
    by_id.insert("order".into(), members.iter().map(|member| member["id"].clone()).collect());
    region["peers"] = Value::Object(by_id);
}

/// Turns the list `fields[name]` into an object with keys from `first`.
fn number_objects(fields: &mut Map<String, Value>, name: &str, first: u64) {
    if let Some(Value::Array(items)) = fields.get_mut(name).map(Value::take) {
        let numbered = (first..).zip(items).map(|(at, item)| (at.to_string(), item));
        fields.insert(name.into(), Value::Object(numbered.collect()));
    }
}

fn object(part: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(part) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("a part of a view is a JSON object, and this is {other:?}"),
    }
}

fn insert(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let before = fields.insert(name.into(), value);
    assert!(before.is_none(), "two fields of a view have the path `{name}`");
}
