//! Alternative forms of a field.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use crate::region::Region;

/// One name, or a list of names.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A store of a scope.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum StoreForm {
    /// Its id.
    Id(u64),
    /// pd-ctl's output for it (`store N`).
    PdCtl(serde_json::Map<String, Json>),
}

/// A region of a scope.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) enum RegionForm {
    /// A region of a trace.
    Region(Region),
    /// pd-ctl's output for it (`region N`), or for several (`region store N`).
    PdCtl(PdCtlRegion),
}

/// A region as pd-ctl prints it, recognised by its keys. The reader checks its other fields.
pub(crate) struct PdCtlRegion;

impl JsonSchema for PdCtlRegion {
    fn schema_name() -> Cow<'static, str> {
        "PdCtlRegion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "anyOf": [{ "required": ["start_key"] }, { "required": ["regions"] }] })
    }
}
