//! Old names of properties, guards and situations in traces from before a renaming. The old names
//! of fields and variants are serde aliases. These are strings, and are mapped here.

use serde::{Deserialize, Deserializer};

/// Pairs of old and current name.
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

/// Pairs of old and current name of every field and variant with a serde alias. serde lists both
/// among the expected names, and an error should show only the current one.
const ALIASES: &[(&str, &str)] = &[
    ("already_parked", "message_already_pending"),
    ("answer", "reply"),
    ("append_answer", "append_response"),
    ("destroy", "lose_disk"),
    ("destroyed", "disk_lost"),
    ("destroys", "disk_losses"),
    ("given", "delivered"),
    ("held", "delayed"),
    ("hung", "apply_stalled"),
    ("lost", "dropped"),
    ("no_answer", "no_reply"),
    ("over_tombstone", "replaces_tombstone"),
    ("parked", "pending_messages"),
    ("prelude", "setup"),
    ("removed", "gc_peer"),
    ("silences", "missed_heartbeats"),
    ("split_answer", "ask_split_response"),
    ("store_silent", "missed_heartbeat"),
    ("tight", "low_space"),
    ("transfer_answer", "ack_transfer_leader"),
    ("transfer_question", "pre_transfer_leader"),
    ("vote_answer", "vote_response"),
];

/// The names without those that another of them replaces.
pub(super) fn current_of<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let is_old = |name: &str| ALIASES.iter().any(|(old, new)| *old == name && names.contains(new));
    names.iter().copied().filter(|name| !is_old(name)).collect()
}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn aliases_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                aliases_in(&path, found);
            } else {
                let text = fs::read_to_string(&path).expect("text");
                let after = text.split("serde(alias = \"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(
                    after
                        .filter(|name| name.chars().all(|letter| letter == '_' || letter.is_alphanumeric()))
                        .map(String::from),
                );
            }
        }
    }

    #[test]
    fn every_alias_of_the_sources_is_listed() {
        let mut found = BTreeSet::new();
        aliases_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: BTreeSet<String> = ALIASES.iter().map(|(old, _)| (*old).to_owned()).collect();
        assert!(found.len() > 20);
        assert_eq!(found, listed);
    }

    #[test]
    fn only_the_current_one_of_two_names_is_left() {
        assert_eq!(current_of(&["delivered", "given", "dropped", "lost"]), ["delivered", "dropped"]);
        // `held` of the view is not an old name.
        assert_eq!(current_of(&["stores", "held", "pd"]), ["stores", "held", "pd"]);
    }
}
