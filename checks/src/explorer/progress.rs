//! How far an exploration has come, and how much there may be yet.
//!
//! Nobody knows the number of states before the end. What is known is the size
//! of each level, and levels grow and then shrink. While they grow nothing is
//! said. Once the last three have shrunk, the rest is reckoned as if each
//! further level shrank as those did on average.

use super::merge::Merger;

/// How far an exploration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Distinct states found.
    pub states: u64,
    /// Distinct states not yet expanded.
    pub frontier: u64,
    /// The depth of the states that are being expanded.
    pub depth: u32,
    /// How many distinct states there may be in all, if levels go on shrinking
    /// as the last three did; `None` while they do not.
    pub expected: Option<u64>,
}

impl Progress {
    pub(super) fn of(merger: &Merger) -> Self {
        let (states, frontier) = (merger.distinct(), merger.distinct() - merger.expanded());
        let levels = merger.level_sizes();
        let expected = expected(&levels).map(|expected| expected.max(states));
        Progress { states, frontier, depth: levels.len() as u32 - 1, expected }
    }
}

/// The states in all by the sizes of the levels so far, of which the last is whole.
fn expected(levels: &[u64]) -> Option<u64> {
    let [before, first, second, last] = *levels.last_chunk()?;
    if !(before > first && first > second && second > last) {
        return None;
    }
    let ratio = (last as f64 / before as f64).cbrt();
    let known: u64 = levels.iter().sum();
    Some(known + (last as f64 * ratio / (1.0 - ratio)) as u64)
}

#[cfg(test)]
mod tests {
    use super::expected;

    #[test]
    fn nothing_is_expected_while_levels_grow_or_after_one_that_did_not() {
        assert_eq!(expected(&[]), None);
        assert_eq!(expected(&[1, 8, 4, 2]), None);
        assert_eq!(expected(&[9, 8, 8, 7]), None);
        assert_eq!(expected(&[1, 2, 4, 8, 16]), None);
    }

    #[test]
    fn levels_that_halve_come_to_twice_the_first() {
        assert_eq!(expected(&[800, 400, 200, 100]), Some(1_600));
        // Where they shrink faster and faster it is too much, never too little.
        let levels = [70, 56, 28, 8, 1];
        assert!(expected(&levels[..4]).is_some_and(|total| total >= levels.iter().sum()));
    }
}
