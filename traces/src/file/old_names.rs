//! Names of properties, guards and situations in traces that were written before a renaming. Fields and
//! variants have their old names as serde aliases; these are strings, and are mapped here.

use serde::{Deserialize, Deserializer};

/// The old name and the current one.
const RENAMED: &[(&str, &str)] = &[
    ("driver_view", "pd_view"),
    ("driver_true", "pd_view_current"),
    ("first_message_parked", "first_message_pending"),
    ("a vote request parked", "a vote request that waits for the split"),
    ("an append parked", "an append that waits for the split"),
    (
        "a late TimeoutNow for who has a conf change to apply",
        "a late TimeoutNow to a peer with an unapplied conf change",
    ),
    ("a majority given up, and nobody who leads by force", "a majority given up, and no forced leader"),
    ("a source that was told of its merge", "a source that learned of its merge"),
    ("a learner that ended by the word of another", "a learner destroyed by another member's reply"),
    ("an uninitialised peer that ended", "an uninitialised peer destroyed"),
    ("a peer that was told whom to ask", "a peer that learned whom to ask"),
    ("a follower that a heartbeat alone made one", "a follower by a heartbeat alone"),
    (
        "a child divided before every store has the first split",
        "a child that split before every store has the first split",
    ),
    (
        "a read of an undivided leader while the child has written",
        "a read of a leader without the split while the child has written",
    ),
    ("a child between two configurations", "a joint child"),
    (
        "a store told to lead by force that has a majority left",
        "a forced leader planned where a majority is left",
    ),
    (
        "a heartbeat under way whose receiver knows less to be committed",
        "a heartbeat under way with a commit index beyond its receiver's",
    ),
    ("a leader behind what PD knows", "a leader behind PD's record"),
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
