//! Finds the round that an endless healing repeats.

use std::fmt::Display;
use std::ops::Range;

/// A repetition at the end of a list of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// The first of the repeated rounds.
    pub round: Range<usize>,
}

impl Repeats {
    /// The shortest round that the end of `actions` repeats completely at least once.
    pub fn of<A: PartialEq>(actions: &[A]) -> Option<Self> {
        (1..=actions.len() / 2).find_map(|length| {
            let same = |at: &usize| actions[*at] == actions[*at + length];
            let alike = (0..actions.len() - length).rev().take_while(same).count();
            let begin = actions.len() - length - alike;
            (alike >= length).then(|| Self { round: begin..begin + length })
        })
    }
}

/// A failed healing in one line.
pub fn in_a_line<A: PartialEq + Display>(actions: &[A]) -> String {
    let words = |actions: &[A]| actions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match Repeats::of(actions) {
        Some(Repeats { round }) => format!(
            "once faults stop: {} steps, then these {} repeat: {}",
            round.start,
            round.len(),
            words(&actions[round.clone()])
        ),
        None if actions.is_empty() => "once faults stop: nothing more can happen".into(),
        None => {
            format!("once faults stop: {} steps, and then nothing more: {}", actions.len(), words(actions))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_found_after_a_prefix() {
        let of = |text: &str| Repeats::of(text.as_bytes()).map(|found| found.round);
        assert_eq!(of("xyabcabcab"), Some(2..5), "a round that was cut off");
        assert_eq!(of("aaaa"), Some(0..1));
        assert_eq!(of("abcabd"), None);
        assert_eq!(of("abcab"), None, "once and a part is no repetition");
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_repetition_is_printed_once() {
        let line = in_a_line(&["a", "b", "c", "b", "c"]);
        assert_eq!(line, "once faults stop: 1 steps, then these 2 repeat: b; c");
        assert_eq!(in_a_line(&["a", "b"]), "once faults stop: 2 steps, and then nothing more: a; b");
        assert_eq!(in_a_line::<&str>(&[]), "once faults stop: nothing more can happen");
    }
}
