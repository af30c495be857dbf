//! `actions`: every action with its fields and an example. `schema`: the JSON Schema of a line of a
//! file.

use anyhow::Result;
use rollcall_traces::{ActionForm, actions, commands, schema};

use super::end::End;
use super::out;

/// An example of each action.
const ACTIONS: &[&str] = &[
    r#"{"campaign":{"region":1,"store":1}}"#,
    r#"{"vote":{"region":1,"candidate":1,"voter":2,"reply":"delivered"}}"#,
    r#"{"replicate":{"region":1,"leader":1,"follower":2,"entries":"all","reply":"delivered"}}"#,
    r#"{"heartbeat":{"region":1,"leader":1,"follower":2,"reply":"delivered"}}"#,
    r#"{"check_stale_peer":{"region":1,"store":4,"asks":{"member":1},"reply":"delivered"}}"#,
    r#"{"apply_snapshot":{"region":1,"store":4}}"#,
    r#"{"apply":{"region":1,"store":1}}"#,
    r#"{"propose":{"region":1,"store":1,"command":{"put":{"key":"6b","value":"76"}}}}"#,
    r#"{"ask_split":{"region":1,"store":1,"keys":["6d"],"derive":"left","reply":"delivered"}}"#,
    r#"{"read":{"region":1,"store":1,"key":"6b"}}"#,
    r#"{"answer_read":{"region":1,"store":1}}"#,
    r#"{"timeout_now":{"region":1,"leader":1}}"#,
    r#"{"transfer_timeout":{"region":1,"store":1}}"#,
    r#"{"crash":{"store":3}}"#,
    r#"{"restart":{"store":3}}"#,
    r#"{"persist":{"store":1}}"#,
    r#"{"lose_disk":{"store":3}}"#,
    r#"{"region_heartbeat":{"region":1,"store":1,"reply":"delivered"}}"#,
    r#"{"store_heartbeat":{"store":3}}"#,
    r#"{"missed_heartbeat":{"store":3}}"#,
    r#"{"schedule":{"region":1,"reply":"delivered"}}"#,
    r#"{"push_operator":{"region":1,"reply":"delivered"}}"#,
    r#"{"operator_timeout":{"region":1}}"#,
    r#""check_stores""#,
    r#""pd_restart""#,
    r#"{"add_store":{"store":4}}"#,
    r#"{"decommission":{"store":3}}"#,
    r#"{"cancel_decommission":{"store":3}}"#,
    r#"{"set_tombstone":{"store":3}}"#,
    r#"{"remove_tombstone":{"store":3}}"#,
    r#"{"add_operator":{"region":1,"operator":{"remove_peer":{"store":3}},"reply":"delivered"}}"#,
    r#"{"remove_operator":{"region":1}}"#,
    r#"{"tombstone_peer":{"region":1,"store":3,"force":true}}"#,
    r#"{"remove_failed_stores":{"stores":[2,3]}}"#,
    r#""recovery_timeout""#,
    r#"{"force_leader_timeout":{"region":1,"store":1}}"#,
    r#"{"hold":{"region":1,"from":1,"to":2,"message":"timeout_now"}}"#,
    r#"{"late":{"slot":0}}"#,
];

/// An example of each command that `propose` may carry.
const COMMANDS: &[&str] = &[
    r#"{"put":{"key":"6b","value":"76"}}"#,
    r#"{"delete":{"key":"6b"}}"#,
    r#"{"change_peer":{"kind":"add_learner","peer":4,"store":4}}"#,
    r#"{"enter_joint":{"changes":[{"kind":"add_voter","peer":4,"store":4},{"kind":"add_learner","peer":3,"store":3}]}}"#,
    r#""leave_joint""#,
    r#"{"split":{"children":[{"region":100,"key":"6d","peers":[101,102,103]}],"derive":"left"}}"#,
    r#"{"transfer_leader":{"to":2}}"#,
    r#"{"compact_log":{"index":7}}"#,
    r#"{"prepare_merge":{"target":{"id":2,"start":"6d","end":"","epoch":{"conf_ver":1,"version":1},"peers":[{"id":4,"store":1,"role":"voter"}]}}}"#,
    r#"{"commit_merge":{"source":{"id":1,"start":"","end":"6d","epoch":{"conf_ver":1,"version":1},"peers":[{"id":1,"store":1,"role":"voter"}]}}}"#,
    r#"{"rollback_merge":{}}"#,
];

/// The name of the action in an example.
fn name_of(example: &str) -> &str {
    example.split('"').nth(1).unwrap_or_default()
}

fn example_of<'a>(examples: &[&'a str], name: &str) -> &'a str {
    examples.iter().find(|example| name_of(example) == name).copied().unwrap_or_default()
}

/// Lists the actions whose name or text contains `part`; with `markdown`, all of them as a page.
pub(super) fn run(part: Option<&str>, markdown: bool) -> Result<End> {
    if markdown {
        return out::say(&page());
    }
    let is_asked = |form: &&ActionForm| {
        part.is_none_or(|part| {
            form.name.contains(part) || form.says.to_lowercase().contains(&part.to_lowercase())
        })
    };
    let mut text = String::new();
    for (forms, examples, kind) in [(actions(), ACTIONS, ""), (commands(), COMMANDS, "propose: ")] {
        for form in forms.iter().filter(is_asked) {
            text += &format!("{}\n", out::wrapped(&format!("{kind}{}: {}", form.name, form.says)));
            for (name, of, optional, says) in &form.fields {
                let optional = if *optional { ", may be left out" } else { "" };
                let name = if name.is_empty() { "it is" } else { name };
                text += &format!("{}\n", out::wrapped(&format!("    {name} ({of}{optional}): {says}")));
            }
            text += &format!("    {}\n", example_of(examples, &form.name));
        }
    }
    if text.is_empty() {
        anyhow::bail!(
            "no action has `{}` in its name or its words; `rollcall actions` lists them all",
            part.unwrap_or_default()
        );
    }
    out::say(&text)
}

/// Prints the JSON Schema of a line of a file.
pub(super) fn say_schema() -> Result<End> {
    out::say(&format!("{}\n", serde_json::to_string_pretty(&schema())?))
}

fn page() -> String {
    let mut text = String::from(
        "# What a step may be\n\n\
         `rollcall actions --markdown` writes this page, from the types that read a file. A step is one of these under `action`;\n\
         [scenarios.md](scenarios.md) says how steps make a scenario, and `trace.schema.json` is the JSON Schema of a line.\n\
         Keys and values are hex. Fields in brackets may be left out.\n",
    );
    for (title, forms, examples) in
        [("Actions", actions(), ACTIONS), ("Commands that `propose` may carry", commands(), COMMANDS)]
    {
        text += &format!("\n## {title}\n");
        for form in &forms {
            text += &format!("\n### `{}`\n\n{}\n\n", form.name, form.says);
            for (name, of, optional, says) in &form.fields {
                let name = match (name.is_empty(), optional) {
                    (true, _) => "it is".to_string(),
                    (false, true) => format!("[`{name}`]"),
                    (false, false) => format!("`{name}`"),
                };
                text += &format!("- {name} ({of}): {says}\n");
            }
            text += if form.fields.is_empty() { "" } else { "\n" };
            text += &format!("```json\n{}\n```\n", example_of(examples, &form.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rollcall_traces::{Action, Command};

    use super::*;

    #[test]
    fn every_action_and_command_has_an_example_that_is_one() {
        for (forms, examples) in [(actions(), ACTIONS), (commands(), COMMANDS)] {
            let named: Vec<&str> = forms.iter().map(|form| form.name.as_str()).collect();
            let shown: Vec<&str> = examples.iter().map(|example| name_of(example)).collect();
            assert_eq!(named, shown);
            assert!(forms.iter().all(|form| !form.says.is_empty()), "{forms:?}");
        }
        for example in ACTIONS {
            let action: Action =
                serde_json::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            let again = serde_json::to_value(&action).expect("it becomes JSON");
            assert_eq!(again, serde_json::from_str::<serde_json::Value>(example).expect("JSON"), "{example}");
        }
        for example in COMMANDS {
            let command: Command =
                serde_json::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(
                serde_json::to_value(&command).expect("JSON")["put"].is_object(),
                name_of(example) == "put"
            );
        }
    }

    /// `docs/actions.md` and `docs/trace.schema.json` agree with the types.
    #[test]
    fn published_pages_agree_with_the_types() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let read = |name| std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(
            read("actions.md") == page(),
            "write it again: rollcall actions --markdown > docs/actions.md"
        );
        let published: serde_json::Value =
            serde_json::from_str(&read("trace.schema.json")).unwrap_or_default();
        assert!(published == schema(), "write it again: rollcall schema > docs/trace.schema.json");
    }
}
