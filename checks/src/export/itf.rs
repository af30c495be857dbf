//! A trace in Apalache's Informal Trace Format, which Quint and the TLA+ tools read (Apalache,
//! "ADR-015: Informal Trace Format in JSON").
//!
//! The variables are `action`, `outcome` and `view`. A state has the action that led to it; the
//! first has `Init`. An integer is `{"#bigint": "7"}`, a map from ids or keys is `{"#map": ..}`,
//! an action or outcome is a variant `{"tag": .., "value": ..}` as Quint writes it, and what is
//! absent in a view is absent here.

use rollcall_traces::Trace;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The variables of a state.
const VARIABLES: [&str; 3] = ["action", "outcome", "view"];

/// Fields of a view that are maps from ids.
const MAPS_OF_IDS: [&str; 9] =
    ["stores", "peers", "regions", "matched", "committed", "operators", "reports", "plans", "demotes"];
/// Fields that are maps from keys, as hex digits. Any other object is a record.
const MAPS_OF_KEYS: [&str; 1] = ["data"];

/// The trace as one JSON document.
pub(crate) fn of(trace: &Trace) -> Value {
    let name = &trace.header.scope.name;
    let first = state(0, variant("Init", Value::Null), variant("done", Value::Null), &trace.header.view);
    let steps = trace.steps.iter().map(|step| {
        let outcome = step.outcome.as_ref().map_or(Value::Null, tagged);
        state(step.index, tagged(&step.action), outcome, &step.view)
    });
    json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "source": name,
            "description": trace.header.scope.question,
        },
        "vars": VARIABLES,
        "states": std::iter::once(first).chain(steps).collect::<Vec<Value>>(),
    })
}

fn state(index: u64, action: Value, outcome: Value, view: &impl Serialize) -> Value {
    let view = expression(serde_json::to_value(view).expect("a view is JSON"), Shape::Record);
    json!({ "#meta": { "index": index }, "action": action, "outcome": outcome, "view": view })
}

fn variant(tag: &str, value: Value) -> Value {
    let value = if value.is_null() { json!({ "#tup": [] }) } else { value };
    json!({ "tag": tag, "value": value })
}

/// An enumeration that serde writes as `"tag"` or `{"tag": value}`, as a variant.
fn tagged(value: &impl Serialize) -> Value {
    match serde_json::to_value(value).expect("it is JSON") {
        Value::String(tag) => variant(&tag, Value::Null),
        Value::Object(fields) if fields.len() == 1 => {
            let (tag, value) = fields.into_iter().next().expect("one field");
            variant(&tag, expression(value, Shape::Record))
        }
        other => expression(other, Shape::Record),
    }
}

/// What a JSON object is.
#[derive(Clone, Copy)]
enum Shape {
    Record,
    MapOfIds,
    MapOfKeys,
}

impl Shape {
    fn of(field: &str) -> Self {
        match field {
            _ if MAPS_OF_IDS.contains(&field) => Shape::MapOfIds,
            _ if MAPS_OF_KEYS.contains(&field) => Shape::MapOfKeys,
            _ => Shape::Record,
        }
    }
}

/// A JSON value as an expression of the format.
fn expression(value: Value, shape: Shape) -> Value {
    match value {
        Value::Null => json!({ "#tup": [] }),
        Value::Number(number) => json!({ "#bigint": number.to_string() }),
        Value::Array(items) => items.into_iter().map(|item| expression(item, Shape::Record)).collect(),
        Value::Object(fields) => match shape {
            Shape::Record => {
                let field = |(name, value): (String, Value)| {
                    let shape = Shape::of(&name);
                    (name, expression(value, shape))
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<String, Value>>())
            }
            Shape::MapOfIds => map(fields, |id| json!({ "#bigint": id })),
            Shape::MapOfKeys => map(fields, Value::String),
        },
        other => other,
    }
}

fn map(fields: Map<String, Value>, key: impl Fn(String) -> Value) -> Value {
    let pair = |(name, value)| json!([key(name), expression(value, Shape::Record)]);
    json!({ "#map": fields.into_iter().map(pair).collect::<Vec<Value>>() })
}
