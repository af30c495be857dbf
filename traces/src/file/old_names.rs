//! Names of properties and guards in traces that were written before a renaming. Fields and
//! variants have their old names as serde aliases; these are strings, and are mapped here.

use serde::{Deserialize, Deserializer};

/// The old name and the current one.
const RENAMED: [(&str, &str); 3] = [
    ("driver_view", "pd_view"),
    ("driver_true", "pd_view_current"),
    ("first_message_parked", "first_message_pending"),
];

fn current(name: String) -> String {
    let known = RENAMED.iter().find(|(old, _)| *old == name);
    known.map_or(name, |(_, new)| (*new).into())
}

pub(super) fn names<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::deserialize(names)?.into_iter().map(current).collect())
}

pub(super) fn name<'de, D: Deserializer<'de>>(name: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(name)?.map(current))
}
