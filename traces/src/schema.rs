//! The JSON Schema of a line of a trace or scenario, derived from the types that read it, and their
//! documentation of the actions.

mod forms;

use crate::action::Action;
use crate::file::{Header, SCHEMA, SettleLine, Step, Verdict};
use crate::outcome::{Outcome, Reason, Returned};
use crate::region::Key;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value as Json, json};
use std::borrow::Cow;

pub(crate) use forms::{OneOrMore, RegionForm, StoreForm};

impl JsonSchema for Key {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bytes in hex, two digits each: `61` is `a`.",
            "type": "string",
            "pattern": "^([0-9a-fA-F]{2})*$"
        })
    }
}

impl JsonSchema for Outcome {
    fn schema_name() -> Cow<'static, str> {
        "Outcome".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (returned, reason) = (generator.subschema_for::<Returned>(), generator.subschema_for::<Reason>());
        json_schema!({
            "description": "What an action came to.",
            "oneOf": [
                { "const": "done", "description": "It took effect." },
                { "type": "object", "properties": { "done": returned }, "required": ["done"],
                  "description": "It took effect, and returned something." },
                { "type": "object", "properties": { "refused": reason }, "required": ["refused"],
                  "description": "Nothing changed." }
            ]
        })
    }
}

/// The JSON Schema (draft 2020-12) of one line of a trace or scenario. The header comes first, the
/// verdict last.
pub fn schema() -> Json {
    let mut generator = SchemaGenerator::default();
    let lines = [
        (
            "header",
            generator.subschema_for::<Header>(),
            Some(("schema", json!({ "pattern": format!("^{SCHEMA}(\\.0+)?$") }))),
        ),
        ("step", generator.subschema_for::<Step>(), None),
        ("step", generator.subschema_for::<SettleLine>(), None),
        ("verdict", generator.subschema_for::<Verdict>(), None),
    ];
    let lines = lines.map(|(record, line, more)| {
        let at = line.as_value()["$ref"].as_str().and_then(|at| at.rsplit('/').next()).unwrap_or_default();
        (record, at.to_string(), more)
    });
    let mut definitions = Json::Object(generator.take_definitions(true));
    for (record, name, more) in &lines {
        let line = &mut definitions[name];
        line["properties"]["record"] = json!({ "const": record });
        if let Some((field, more)) = more {
            line["properties"][*field]["pattern"] = more["pattern"].clone();
        }
        if let Some(required) = line["required"].as_array_mut() {
            required.insert(0, "record".into());
        } else {
            line["required"] = json!(["record"]);
        }
    }
    close(&mut definitions);
    let one_of: Vec<Json> =
        lines.iter().map(|(_, name, _)| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a Rollcall trace or scenario",
        "description": "JSON Lines: a header, then steps, then, of a recorded trace, the verdict.",
        "oneOf": one_of,
        "$defs": definitions
    })
}

/// Makes unknown fields an error.
fn close(json: &mut Json) {
    match json {
        Json::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Json::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

/// An action as documented by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionForm {
    /// Its name in a file.
    pub name: String,
    /// Its documentation.
    pub says: String,
    /// Its fields: the name, the type, whether it may be left out, and the documentation.
    pub fields: Vec<(String, String, bool, String)>,
}

/// Every action.
pub fn actions() -> Vec<ActionForm> {
    forms(Action::json_schema)
}

/// Every command.
pub fn commands() -> Vec<ActionForm> {
    forms(crate::command::Command::json_schema)
}

fn forms(of: fn(&mut SchemaGenerator) -> Schema) -> Vec<ActionForm> {
    let mut generator = SchemaGenerator::default();
    let schema = of(&mut generator).to_value();
    let definitions = Json::Object(generator.take_definitions(true));
    let listed = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    let variants = listed("oneOf").into_iter().chain(listed("anyOf"));
    variants.flat_map(|variant| form(&variant, &definitions)).collect()
}

fn form(variant: &Json, definitions: &Json) -> Vec<ActionForm> {
    let type_of = |json: &Json| type_of(json, definitions);
    let says = |json: &Json| json["description"].as_str().unwrap_or_default().replace('\n', " ");
    let named = |name: &Json| ActionForm {
        name: name.as_str().unwrap_or_default().into(),
        says: says(variant),
        fields: Vec::new(),
    };
    if variant["const"].is_string() {
        return vec![named(&variant["const"])];
    }
    if let Some(names) = variant["enum"].as_array() {
        return names.iter().map(named).collect();
    }
    let Some((name, of)) = variant["properties"].as_object().and_then(|named| named.iter().next()) else {
        return Vec::new();
    };
    let required =
        |field: &str| of["required"].as_array().is_some_and(|all| all.iter().any(|one| one == field));
    let fields = of["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(field, json)| (field.clone(), type_of(json), !required(field), says(json)));
    let mut fields: Vec<_> = fields.collect();
    if fields.is_empty() {
        fields.push((String::new(), type_of(of), false, says(of)));
    }
    vec![ActionForm { name: name.clone(), says: says(variant), fields }]
}

/// The type in one word.
fn type_of(json: &Json, definitions: &Json) -> String {
    let named = |at: &Json| at.as_str().and_then(|at| at.rsplit('/').next()).map(str::to_string);
    let type_of = |json: &Json| type_of(json, definitions);
    if let Some(name) = named(&json["$ref"]) {
        return words_of(&definitions[&name]).unwrap_or(name);
    }
    if let Some(any) = json["anyOf"].as_array().or(json["oneOf"].as_array()) {
        let known = any.iter().filter(|one| one["type"] != "null");
        return known.map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if json["type"] == "array" {
        return format!("list of {}", type_of(&json["items"]));
    }
    match &json["type"] {
        Json::String(name) if name == "integer" => "number".into(),
        Json::String(name) => name.clone(),
        Json::Array(names) => names
            .iter()
            .filter_map(Json::as_str)
            .find(|name| *name != "null")
            .unwrap_or("")
            .replace("integer", "number"),
        _ => "value".into(),
    }
}

/// The alternatives of an enumeration.
fn words_of(definition: &Json) -> Option<String> {
    let variants = definition["oneOf"].as_array().or(definition["enum"].as_array())?;
    let word = |one: &Json| one["const"].as_str().or(one.as_str()).map(str::to_string);
    Some(variants.iter().map(word).collect::<Option<Vec<_>>>()?.join(" | "))
}
