//! Finds unknown fields anywhere in a record.
//!
//! serde ignores unknown fields, so a misspelt `expect` would hide a finding. Only a type's own
//! `Deserialize` knows its fields. So it runs once more on the parsed text, with a deserialiser
//! that compares the names. Map keys (ids, keys of regions) are not fields.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value as Json;

use super::old_names;

/// An unknown field of a record.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The path to it: names of fields, map keys, indexes of lists.
    pub(super) path: Vec<PathStep>,
    /// The known fields.
    pub(super) known: &'static [&'static str],
}

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathStep {
    Name(String),
    Index(usize),
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathStep::Name(name) => f.write_str(name),
            PathStep::Index(place) => write!(f, "{place}"),
        }
    }
}

/// The nearest current name, or all current names.
pub(super) fn hint(field: &str, known: &[&str]) -> String {
    let known = old_names::current_of(known);
    let near = known
        .iter()
        .map(|known| (strsim::jaro_winkler(field, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match near {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has no fields".into(),
        None => format!("there are `{}`", known.join("`, `")),
    }
}

/// serde's message about an unknown name. It suggests the nearest current name. serde's own list
/// would include the old names.
pub(super) fn unknown_name(what: &str) -> Option<String> {
    let (kind, rest) = what.strip_prefix("unknown ")?.split_once(" `")?;
    let (name, expected) = rest.split_once("`, expected ")?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let kind = if kind == "variant" { "name" } else { kind };
    Some(format!("there is no {kind} `{name}` here; {}", hint(name, &known)))
}

/// The first field of `json` that `T` does not read. `record` is allowed: it is the line's tag.
pub(super) fn unknown<'a, T: Deserialize<'a>>(json: &'a Json) -> Option<Unknown> {
    match T::deserialize(Strict { json, depth: 0 }) {
        Err(Fault::Unknown { mut path, known }) => {
            path.reverse();
            Some(Unknown { path, known })
        }
        // Any other fault was reported before, with its position.
        Err(Fault::Other) | Ok(_) => None,
    }
}

/// The offset in the JSON `text` of the name at the end of `path`.
pub(super) fn offset_of(text: &[u8], path: &[PathStep]) -> Option<usize> {
    let mut at = skip_space(text, 0);
    for (nth, step) in path.iter().enumerate() {
        at = skip_space(text, at + 1);
        let mut place = 0;
        loop {
            let named = match step {
                PathStep::Index(wanted) if *wanted == place => break,
                PathStep::Index(_) => false,
                PathStep::Name(wanted) => {
                    let (begin, end) = (at, skip_value(text, at));
                    at = skip_space(text, skip_space(text, end) + 1);
                    let is = serde_json::from_slice::<String>(text.get(begin..end)?).ok()? == *wanted;
                    if is && nth + 1 == path.len() {
                        return Some(begin);
                    }
                    is
                }
            };
            if named {
                break;
            }
            at = skip_space(text, skip_value(text, at));
            if text.get(at) != Some(&b',') {
                return None;
            }
            (at, place) = (skip_space(text, at + 1), place + 1);
        }
    }
    Some(at)
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// The offset behind the value at `at`.
fn skip_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while text.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            break;
        }
    }
    at
}

#[derive(Debug)]
enum Fault {
    /// The path is collected from its end.
    Unknown {
        path: Vec<PathStep>,
        known: &'static [&'static str],
    },
    Other,
}

impl Fault {
    fn within(mut self, step: impl FnOnce() -> PathStep) -> Self {
        if let Fault::Unknown { path, .. } = &mut self {
            path.push(step());
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field that nobody reads")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Fault::Other
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    json: &'a Json,
    depth: usize,
}

impl<'a> Strict<'a> {
    fn inner(self, json: &'a Json) -> Self {
        Self { json, depth: self.depth + 1 }
    }

    fn map(self, known: Option<&'static [&'static str]>) -> Result<Fields<'a>, Fault> {
        let of = self.json.as_object().ok_or(Fault::Other)?;
        Ok(Fields { of: self, entries: of.iter(), known, next: None })
    }
}

impl<'de> de::Deserializer<'de> for Strict<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.json {
            Json::Null => visitor.visit_unit(),
            Json::Bool(flag) => visitor.visit_bool(*flag),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().ok_or(Fault::Other)?),
            },
            Json::String(text) => visitor.visit_borrowed_str(text),
            Json::Array(values) => visitor.visit_seq(Values { of: self, values: values.iter(), place: 0 }),
            Json::Object(_) => visitor.visit_map(self.map(None)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.json.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.json {
            Json::Object(_) => visitor.visit_map(self.map(Some(fields))?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.json {
            Json::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Json::Object(object) => {
                let (name, json) = object.iter().next().ok_or(Fault::Other)?;
                let of = self.inner(json);
                visitor.visit_enum(Variant { of, name }).map_err(|fault| fault.within(|| step(name)))
            }
            _ => Err(Fault::Other),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn step(name: &str) -> PathStep {
    PathStep::Name(name.to_owned())
}

struct Fields<'a> {
    of: Strict<'a>,
    entries: serde_json::map::Iter<'a>,
    known: Option<&'static [&'static str]>,
    next: Option<(&'a str, &'a Json)>,
}

impl<'de> de::MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, json)) = self.entries.next() else { return Ok(None) };
        self.next = Some((name, json));
        if let Some(known) = self.known
            && !known.contains(&name.as_str())
            && !(self.of.depth == 0 && name == "record")
        {
            return Err(Fault::Unknown { path: vec![step(name)], known });
        }
        seed.deserialize(MapKey(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, json) = self.next.take().ok_or(Fault::Other)?;
        seed.deserialize(self.of.inner(json)).map_err(|fault| fault.within(|| step(name)))
    }
}

/// A map key: always a string in JSON, and parsed as an id where the type has one.
struct MapKey<'a>(&'a str);

impl<'de> de::Deserializer<'de> for MapKey<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u64(self.0.parse().map_err(|_| Fault::Other)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Values<'a> {
    of: Strict<'a>,
    values: std::slice::Iter<'a, Json>,
    place: usize,
}

impl<'de> de::SeqAccess<'de> for Values<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(json) = self.values.next() else { return Ok(None) };
        let place = self.place;
        self.place += 1;
        seed.deserialize(self.of.inner(json))
            .map(Some)
            .map_err(|fault| fault.within(|| PathStep::Index(place)))
    }
}

struct Variant<'a> {
    of: Strict<'a>,
    name: &'a str,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Strict<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Strict<'de>), Fault> {
        Ok((seed.deserialize(MapKey(self.name))?, self.of))
    }
}

impl<'de> de::VariantAccess<'de> for Strict<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
