//! A trace written before names were replaced reads as the same trace does under the new names.

use rollcall_traces::Trace;

/// What the file says, and what it says today.
const REPLACED: &[(&str, &str)] = &[
    ("answer", "reply"),
    ("given", "delivered"),
    ("lost", "dropped"),
    ("held", "delayed"),
    ("prelude", "setup"),
    ("tight", "low_space"),
    ("hung", "apply_stalled"),
    ("destroys", "disk_losses"),
    ("silences", "missed_heartbeats"),
    ("store_silent", "missed_heartbeat"),
    ("destroy", "lose_disk"),
    ("destroyed", "disk_lost"),
    ("over_tombstone", "replaces_tombstone"),
    ("parked", "pending_messages"),
    ("vote_answer", "vote_response"),
    ("append_answer", "append_response"),
    ("transfer_question", "pre_transfer_leader"),
    ("transfer_answer", "ack_transfer_leader"),
    ("split_answer", "ask_split_response"),
    ("removed", "gc_peer"),
    ("no_answer", "no_reply"),
    ("already_parked", "message_already_pending"),
    ("first_message_parked", "first_message_pending"),
    ("driver_view", "pd_view"),
    ("driver_true", "pd_view_current"),
];

#[test]
fn a_trace_under_old_names_reads_as_the_same_trace() {
    let old = include_str!("old_names.txt");
    let mut new = old.replace(r#""held":["#, r#""HELD":["#);
    for (was, is) in REPLACED {
        let (was, is) = (format!("\"{was}\""), format!("\"{is}\""));
        assert!(new.contains(&was), "the old file does not have {was}");
        new = new.replace(&was, &is);
    }
    let new = new.replace(r#""HELD":["#, r#""held":["#);
    let (of_old, of_new) = (Trace::parse("old", old).unwrap(), Trace::parse("new", &new).unwrap());
    assert_eq!(of_old, of_new);
    assert_eq!(of_old.steps.len(), 6);
    let written = of_old.to_text().unwrap();
    assert_eq!(Trace::parse("written", &written).unwrap(), of_new);
    // A view still has `held` messages, and a budget for `lost` ones.
    let other = ["held", "lost"];
    let is_left = |was: &&str| !other.contains(was) && written.contains(&format!("\"{was}\""));
    let left: Vec<&str> = REPLACED.iter().map(|(was, _)| *was).filter(is_left).collect();
    assert!(left.is_empty(), "written under old names: {left:?}");
}
