//! Names of properties that traces written before a renaming carry. Fields and variants have
//! their old names as serde aliases; a property's name is a string, and is mapped here.

use serde::{Deserialize, Deserializer};

/// What a property was called, and what it is called.
const PROPERTIES: [(&str, &str); 2] = [("driver_view", "pd_view"), ("driver_true", "pd_view_current")];

fn current(name: String) -> String {
    let known = PROPERTIES.iter().find(|(old, _)| *old == name);
    known.map_or(name, |(_, new)| (*new).into())
}

pub(super) fn properties<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::deserialize(names)?.into_iter().map(current).collect())
}

pub(super) fn property<'de, D: Deserializer<'de>>(name: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(name)?.map(current))
}
