//! Where a search continues whose processes have a journal each.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::journal::{Back, Run};

/// A number that no other process has.
pub(super) fn nonce() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The number of a run of processes with these nonces.
pub(super) fn run_of(nonces: impl Iterator<Item = u64>) -> u64 {
    nonces.fold(0, |run: u64, nonce| (run ^ nonce).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

/// The last barrier that all have of the same run, given the runs in each process's journal. `Err` has
/// a process that cannot take part, and why.
pub(super) fn agreed(journals: &[&[Run]]) -> Result<Back, (usize, String)> {
    let barriers = |runs: &[Run]| runs.last().map_or(0, |run| run.barriers);
    let Some(first) = journals.iter().position(|runs| barriers(runs) > 0) else { return Ok(Back::Fresh) };
    let wrote = |runs: &[Run], barrier| runs.iter().find(|run| run.barriers >= barrier).map(|run| run.id);
    let all_have = |barrier: &u64| {
        let ours = wrote(journals[first], *barrier);
        journals.iter().all(|runs| wrote(runs, *barrier) == ours)
    };
    let least = journals.iter().map(|runs| barriers(runs)).min().unwrap_or(0);
    if let Some(barrier) = (0..=least).rev().find(all_have) {
        return Ok(Back::Barriers(barrier));
    }
    let differs = |runs: &&[Run]| wrote(runs, 0) != wrote(journals[first], 0);
    let other = journals.iter().position(differs).expect("not all have begun the same run");
    let has = match journals[other] {
        [] => format!("it has no journal, and process {first} has one"),
        _ => format!("its journal is of another run than that of process {first}"),
    };
    Err((other, format!("{has}; all need the journals of one run, or none")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(of: &[(u64, u64)]) -> Vec<Run> {
        of.iter().map(|&(id, barriers)| Run { id, barriers }).collect()
    }

    #[test]
    fn the_last_barrier_of_one_run_that_all_have_is_taken() {
        for (journals, barrier) in [
            // A waiting thread lagged.
            (&[&[(7, 5)][..], &[(7, 3)], &[(7, 4)]][..], 3),
            // One had not written its first barrier.
            (&[&[(7, 5)], &[(7, 0)]], 0),
            // The second run began behind barrier 3, and one process has not noted it.
            (&[&[(7, 3), (8, 6)], &[(7, 5)]], 3),
            (&[&[(7, 3), (8, 6)], &[(7, 3), (8, 5)]], 5),
            (&[&[(7, 3), (8, 3)], &[(7, 5)]], 3),
            // An old copy of one journal: barrier 4 is in both, of different runs.
            (&[&[(7, 3), (8, 6)], &[(7, 3), (9, 6)]], 3),
        ] {
            let journals: Vec<Vec<Run>> = journals.iter().map(|of| runs(of)).collect();
            let all: Vec<&[Run]> = journals.iter().map(|of| &of[..]).collect();
            assert_eq!(agreed(&all), Ok(Back::Barriers(barrier)), "{all:?}");
            let turned: Vec<&[Run]> = all.into_iter().rev().collect();
            assert_eq!(agreed(&turned), Ok(Back::Barriers(barrier)), "{turned:?}");
        }
    }

    #[test]
    fn where_nobody_has_a_barrier_all_begin() {
        assert_eq!(agreed(&[&[], &[]]), Ok(Back::Fresh));
        assert_eq!(agreed(&[&[], &runs(&[(7, 0)])]), Ok(Back::Fresh));
        assert_eq!(agreed(&[&runs(&[(8, 0)]), &runs(&[(7, 0)])]), Ok(Back::Fresh));
    }

    #[test]
    fn journals_of_different_runs_are_refused() {
        let says = |all: &[&[Run]]| agreed(all).expect_err("they are not of one run");
        let need = "; all need the journals of one run, or none";
        assert_eq!(
            says(&[&runs(&[(7, 4)]), &runs(&[(8, 4)])]),
            (1, format!("its journal is of another run than that of process 0{need}"))
        );
        assert_eq!(
            says(&[&[], &runs(&[(8, 4)])]),
            (0, format!("it has no journal, and process 1 has one{need}"))
        );
        assert_eq!(says(&[&runs(&[(7, 0)]), &runs(&[(8, 4)]), &runs(&[(8, 4)])]).0, 0);
    }

    #[test]
    fn a_run_has_its_own_number() {
        let of = |nonces: &[u64]| run_of(nonces.iter().copied());
        assert_ne!(nonce(), nonce());
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1, 2]), of(&[1, 3]));
        assert_ne!(of(&[1, 2]), of(&[3, 2]));
    }
}
