//! The progress of an exploration, and an estimate of the number of states.
//!
//! The number of states is unknown before the end. Only the sizes of levels are known. They grow
//! and then shrink. There is no estimate while they grow. Once the last three have shrunk, the rest
//! is extrapolated from their average ratio.

use super::merge::Merger;

/// The progress of an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Distinct states found.
    pub states: u64,
    /// Distinct states not yet expanded.
    pub frontier: u64,
    /// The depth of the states that are being expanded.
    pub depth: u32,
    /// An estimate of all distinct states, extrapolated from the last three levels; `None` unless
    /// they shrink.
    pub expected: Option<u64>,
}

impl Progress {
    pub(super) fn of(merger: &Merger) -> Self {
        let (states, frontier) = (merger.distinct(), merger.distinct() - merger.expanded());
        Self::at(states, frontier, &merger.level_sizes())
    }

    /// With the sizes of the levels that are whole.
    pub(super) fn at(states: u64, frontier: u64, levels: &[u64]) -> Self {
        let expected = expected(levels).map(|expected| expected.max(states));
        Progress { states, frontier, depth: levels.len() as u32 - 1, expected }
    }
}

/// The estimate from the sizes of the complete levels.
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
        // If they shrink faster and faster, the estimate is too high, never too low.
        let levels = [70, 56, 28, 8, 1];
        assert!(expected(&levels[..4]).is_some_and(|total| total >= levels.iter().sum()));
    }
}
