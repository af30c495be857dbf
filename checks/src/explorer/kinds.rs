//! Counts of actions by kind. The list grows as kinds are met.

/// Counts an action of this kind.
pub(super) fn count(fired: &mut Vec<u64>, kind: usize) {
    if fired.len() <= kind {
        fired.resize(kind + 1, 0);
    }
    fired[kind] += 1;
}

/// Adds the counts of `fired` to `sums`.
pub(super) fn add(sums: &mut Vec<u64>, fired: &[u64]) {
    if sums.len() < fired.len() {
        sums.resize(fired.len(), 0);
    }
    for (sum, fired) in sums.iter_mut().zip(fired) {
        *sum += fired;
    }
}
