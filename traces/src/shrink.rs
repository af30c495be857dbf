//! Minimises a failing schedule.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
//! ddmin): ever smaller pieces are left out as long as the rest still fails.

use crate::action::Action;

/// A subsequence of `actions` that still fails, and stops failing without any one of its actions.
///
/// `still_fails` must be deterministic. It may be asked about the same schedule twice. It is not
/// asked about `actions` itself, which must fail.
pub fn shrink(actions: &[Action], mut still_fails: impl FnMut(&[Action]) -> bool) -> Vec<Action> {
    let mut kept = actions.to_vec();
    let mut piece = kept.len().div_ceil(2);
    while piece > 0 {
        let mut any = false;
        // From the end: actions after the failure go first.
        let mut end = kept.len();
        while end > 0 {
            let begin = end.saturating_sub(piece);
            let rest = [&kept[..begin], &kept[end..]].concat();
            if still_fails(&rest) {
                kept = rest;
                any = true;
            }
            end = begin;
        }
        // A piece size is finished when a whole pass leaves nothing out.
        if !any {
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
        piece = piece.min(kept.len());
    }
    kept
}
