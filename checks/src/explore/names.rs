//! Actions as text that is short enough for a link and for a line of an answer:
//! `replicate(region:1,leader:1,follower:2,entries:all)`.
//!
//! It is the action's JSON in other brackets, so a link stays valid as long as the dictionary does.
//! An object with one field that is an object is `name(…)`, any other is `(a:1,b:2)`, a list is
//! `[…]`, and words need no quotes. `reply:delivered` may be left out.

use rollcall_traces::Action;
use serde_json::{Map, Value};

use super::unread;

/// The order of fields. Others follow in alphabetical order.
const ORDER: &[&str] = &[
    "kind",
    "region",
    "peer",
    "store",
    "leader",
    "candidate",
    "from",
    "follower",
    "voter",
    "to",
    "slot",
    "key",
    "keys",
    "entries",
    "derive",
    "command",
    "changes",
    "operator",
    "message",
    "epoch",
    "reply",
];

/// The deepest nesting of an action.
const DEEPEST: usize = 16;

/// The action as text.
pub fn name_of(action: &Action) -> String {
    let mut value = serde_json::to_value(action).expect("an action becomes JSON");
    if let Some(fields) = fields_of(&mut value)
        && fields.get("reply").is_some_and(|reply| reply == "delivered")
    {
        fields.remove("reply");
    }
    let mut text = String::new();
    write(&value, &mut text);
    text
}

/// Parses an action from its text or its JSON.
///
/// # Errors
/// What is wrong, as a sentence without its full stop.
pub fn action_of(text: &str) -> Result<Action, String> {
    let text = text.trim();
    let is_json = text.starts_with(['{', '"']);
    let mut value = if is_json {
        serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?
    } else {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        if !reader.rest.is_empty() {
            return Err(format!("`{}` is left over behind its end", short(reader.rest)));
        }
        value
    };
    match serde_json::from_value(value.clone()) {
        Ok(action) => Ok(action),
        Err(first) => {
            if let Some(fields) = fields_of(&mut value) {
                fields.entry("reply").or_insert_with(|| "delivered".into());
            }
            serde_json::from_value(value.clone()).map_err(|_| unread::because(&value, &first))
        }
    }
}

/// Parses the actions of a link, separated by `;`.
///
/// # Errors
/// Which of them is wrong, counted from 1, and why.
pub fn actions_of(text: &str) -> Result<Vec<Action>, String> {
    match readable(text) {
        (actions, None) => Ok(actions),
        (read, Some(Unread { text, because })) => {
            Err(format!("action {}, `{text}`, cannot be read: {because}", read.len() + 1))
        }
    }
}

/// A part of a link that is not an action.
pub(super) struct Unread {
    pub(super) text: String,
    pub(super) because: String,
}

/// The actions of a link up to the first part that is not an action.
pub(super) fn readable(text: &str) -> (Vec<Action>, Option<Unread>) {
    let mut actions = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match action_of(part) {
            Ok(action) => actions.push(action),
            Err(because) => return (actions, Some(Unread { text: short(part), because })),
        }
    }
    (actions, None)
}

fn fields_of(value: &mut Value) -> Option<&mut Map<String, Value>> {
    let fields = value.as_object_mut()?;
    if fields.len() == 1 { fields.values_mut().next()?.as_object_mut() } else { None }
}

fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn is_word(text: &str) -> bool {
    text.starts_with(|is: char| is.is_ascii_lowercase() || is == '_')
        && text.chars().all(is_word_letter)
        && !["true", "false", "null"].contains(&text)
}

fn is_word_letter(is: char) -> bool {
    is.is_ascii_lowercase() || is.is_ascii_digit() || is == '_'
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(word) if is_word(word) => text.push_str(word),
        Value::String(word) => {
            text.push('\'');
            text.push_str(&word.replace('\'', "''"));
            text.push('\'');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            if let (1, Some((name, Value::Object(inner)))) = (fields.len(), fields.iter().next())
                && is_word(name)
            {
                text.push_str(name);
                write_fields(inner, text);
            } else {
                write_fields(fields, text);
            }
        }
    }
}

fn write_fields(fields: &Map<String, Value>, text: &mut String) {
    text.push('(');
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    for (at, (name, value)) in fields.into_iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        write(&Value::String(name.clone()), text);
        text.push(':');
        write(value, text);
    }
    text.push(')');
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, letter: char) -> bool {
        match self.rest.strip_prefix(letter) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, letter: char) -> Result<(), String> {
        if self.takes(letter) {
            return Ok(());
        }
        match self.rest {
            "" => Err(format!("it ends where `{letter}` is missing")),
            rest => Err(format!("`{letter}` is missing before `{}`", short(rest))),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err("it nests too deep".into());
        }
        if self.takes('[') {
            return self.list(depth);
        }
        if self.rest.starts_with('(') {
            return self.fields(depth).map(Value::Object);
        }
        if self.rest.starts_with('\'') {
            return self.word().map(Value::String);
        }
        if self.rest.starts_with(|is: char| is.is_ascii_digit()) {
            let end = self.rest.find(|is: char| !is.is_ascii_digit()).unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at(end);
            self.rest = rest;
            return number.parse::<u64>().map(Value::from).map_err(|_| format!("{number} is too large"));
        }
        match self.word()?.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            name if self.rest.starts_with('(') => {
                let inner = self.fields(depth)?;
                Ok(Value::Object(Map::from_iter([(name.to_string(), Value::Object(inner))])))
            }
            word => Ok(Value::String(word.to_string())),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        if self.takes(']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.takes(',') {
                self.expect(']')?;
                return Ok(Value::Array(items));
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Map<String, Value>, String> {
        self.expect('(')?;
        let mut fields = Map::new();
        if self.takes(')') {
            return Ok(fields);
        }
        loop {
            let name = self.word()?;
            self.expect(':')?;
            let value = self.value(depth + 1)?;
            if fields.insert(name.clone(), value).is_some() {
                return Err(format!("it says `{name}` twice"));
            }
            if !self.takes(',') {
                self.expect(')')?;
                return Ok(fields);
            }
        }
    }

    fn word(&mut self) -> Result<String, String> {
        if self.takes('\'') {
            let mut word = String::new();
            loop {
                let Some(end) = self.rest.find('\'') else {
                    return Err("a quoted word has no end".into());
                };
                word.push_str(&self.rest[..end]);
                self.rest = &self.rest[end + 1..];
                if !self.takes('\'') {
                    return Ok(word);
                }
                word.push('\'');
            }
        }
        let end = self.rest.find(|is: char| !is_word_letter(is)).unwrap_or(self.rest.len());
        if end == 0 {
            return match self.rest {
                "" => Err("it ends where a word is missing".into()),
                rest => Err(format!("a word is missing before `{}`", short(rest))),
            };
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rollcall_traces::Scenario;

    use super::*;

    /// Every action of every trace is read back from its name.
    #[test]
    fn a_name_is_read_back() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).expect("the museum") {
            let scenario = Scenario::read(&entry.expect("an entry").path()).expect("a trace");
            let trace = scenario.recorded().expect("it has outcomes");
            for action in trace.actions().chain(&trace.header.scope.setup) {
                let name = name_of(action);
                assert_eq!(action_of(&name).as_ref(), Ok(action), "{name}");
                assert!(!name.contains([' ', ';', '"', '&', '#', '%', '+']), "{name}");
                seen += 1;
            }
        }
        assert!(seen > 1_000, "{seen}");
    }

    #[test]
    fn names_are_short_and_json_is_taken_as_well() {
        let text = r#"{"vote":{"region":1,"candidate":1,"voter":2,"reply":"delivered"}}"#;
        let action = action_of(text).expect("an action");
        assert_eq!(name_of(&action), "vote(region:1,candidate:1,voter:2)");
        let split = "ask_split(region:1,store:1,keys:['6d'],derive:left)";
        assert_eq!(name_of(&action_of(split).expect("an action")), split);
        assert_eq!(action_of("check_stores").map(|action| name_of(&action)), Ok("check_stores".into()));
        assert_eq!(actions_of(";crash(store:1); restart(store:1);").map(|actions| actions.len()), Ok(2));
    }

    #[test]
    fn what_is_no_action_is_said_in_a_sentence() {
        for (text, because) in [
            ("", "it ends where a word is missing"),
            ("crash(store:1", "it ends where `)` is missing"),
            ("crash(store:1))", "is left over"),
            ("crash(store 1)", "`:` is missing"),
            ("crash(store:1,store:2)", "twice"),
            ("crash(store:99999999999999999999)", "too large"),
            ("crash(store:'1)", "has no end"),
            ("explode(store:1)", "no action has this name; the nearest is `"),
            ("replicat(region:1)", "no action has this name; did you mean `replicate`?"),
            ("pd_restrat", "did you mean `pd_restart`?"),
            ("crash(shop:1)", "`crash` has the fields store: "),
            ("check_stores(store:1)", "`check_stores` has no fields: "),
            ("propose(region:1,store:1,command:explode)", "unknown variant `explode`"),
            ("[1]", "it is no action"),
            ("{", "it is no JSON"),
            (&"(a:".repeat(40), "too deep"),
        ] {
            let error = action_of(text).expect_err(text);
            assert!(error.contains(because) && !error.contains('\n'), "{text}: {error}");
            assert!(error.len() < 240, "{text}: {error}");
        }
        let error = actions_of("crash(store:1);boom").expect_err("the second is none");
        assert!(error.starts_with("action 2, `boom`"), "{error}");
    }
}
