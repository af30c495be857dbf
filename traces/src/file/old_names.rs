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
    ("a peer that was told whom to ask", "a peer that learned which members to ask"),
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
    ("ids under way that came too late", "ids for a split under way under a stale epoch"),
    ("a split that spared a tombstone", "a split that created no child over a tombstone"),
    (
        "an operator that waits for its turn and was outrun",
        "a waiting operator whose region has other members by now",
    ),
    ("an operator that waits for its turn", "a waiting operator"),
    ("a report under way that came too late", "a stale report under way"),
    (
        "a plan that makes or destroys a region under way, its step over",
        "a plan that creates or destroys a region under way after its step",
    ),
    (
        "a plan to destroy a peer under way, the peer gone",
        "a plan to destroy a peer under way to its tombstone",
    ),
    ("a store's report under way of a step that is over", "a stale store report under way"),
    ("a store's report under way for which PD waits", "a store report under way that PD awaits"),
    (
        "a split applied while a snapshot from before it waits",
        "a received snapshot of a region that another store has split",
    ),
    ("parent and child led on two stores", "parent and child with leaders on different stores"),
    ("a region that nobody leads, as far as PD knows", "a region whose leader PD does not know"),
    (
        "a learner that waits for its snapshot behind an operator that was given up",
        "a pending learner whose operator has ended",
    ),
    ("a learner beside another, and no operator", "two learners and no operator"),
    (
        "a store Up again with its replacement half-way there",
        "a store Up again while its peer's replacement is a learner",
    ),
    (
        "leadership moved off a store whose peer has nowhere to go",
        "leadership moved off a store whose peer has no target",
    ),
    (
        "a store down behind the split while another leads both parts",
        "a store with both parts down while another leads them",
    ),
    (
        "a child uninitialised before its store takes the split",
        "an uninitialised child before its store applies the split",
    ),
    ("a peer that PD added votes in the place of another", "a peer that PD added in place of another voter"),
    ("a merge begun again after it was rolled back", "a merge started again after a rollback"),
    ("a source whose target's log brings it entries", "a source that gets entries from its target's log"),
    (
        "a source whose target's log brings it a commit index alone",
        "a source that gets only a commit index from its target's log",
    ),
    ("a peer that learned whom to ask", "a peer that learned which members to ask"),
    ("a learner that was removed and does not know", "a removed learner that does not know it"),
    ("a child's peer that was removed and does not know", "a removed peer of a child that does not know it"),
    (
        "an uninitialised peer that was removed and does not know",
        "a removed uninitialised peer that does not know it",
    ),
    ("a member on a store that was given up demoted", "a demoted member on a store that was given up"),
    ("a store too full", "a full store"),
    ("a store lost", "a lost store"),
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
