//! Why a text is not an action: the name that may have been meant, or the fields that the action
//! has.

use rollcall_traces::actions;
use serde_json::Value;

/// The reason, in words that follow a colon.
pub(super) fn because(value: &Value, error: &serde_json::Error) -> String {
    let error = brief(&error.to_string());
    let name = match value {
        Value::String(name) => name,
        Value::Object(fields) if fields.len() == 1 => fields.keys().next().expect("it has one"),
        _ => return format!("it is no action: {error}"),
    };
    let forms = actions();
    let Some(form) = forms.iter().find(|form| form.name == *name) else {
        let like = |known: &str| strsim::jaro_winkler(name, known);
        let names = forms.iter().map(|form| form.name.as_str());
        let near = names.max_by(|a, b| like(a).total_cmp(&like(b))).expect("there are actions");
        let list = "`rollcall actions` lists them all";
        return match like(near) > 0.7 {
            true => format!("no action has this name; did you mean `{near}`? {list}"),
            false => format!("no action has this name; the nearest is `{near}`, and {list}"),
        };
    };
    let fields: Vec<&str> = form.fields.iter().map(|(field, ..)| field.as_str()).collect();
    match fields.as_slice() {
        [] => format!("`{name}` has no fields: {error}"),
        fields => format!("`{name}` has the fields {}: {error}", fields.join(", ")),
    }
}

/// A long list of valid values helps no reader, so it is left out.
fn brief(error: &str) -> String {
    match error.split_once(", expected one of ") {
        Some((found, names)) if names.len() > 60 => found.to_string(),
        _ => error.to_string(),
    }
}
