//! Agreement of logs and replicas. After section 5 of the Raft paper; replicas agree at apply, as
//! TiKV's consistency check compares them.

use rollcall_traces::{Cluster, Entry, History, Log};

use super::{Property, Violation, every_pair, is_initialized};

/// If two logs have an entry of the same term at an index, they are the same
/// up to there (S2), as far as both still hold them.
///
/// # Errors
/// Two logs that differ in, or below, an entry whose term they share.
pub fn log_matching<C: Cluster>(cluster: &C, _: &History) -> Result<(), Violation> {
    every_pair(cluster, |region, (first, a), (second, b)| {
        if !is_initialized(a) || !is_initialized(b) {
            return Ok(());
        }
        let Some(index) = mismatch(&a.log, &b.log) else { return Ok(()) };
        let what = format!(
            "the logs of stores {first} and {second} agree on a later entry and differ at index {index}: \
             {} and {}",
            shown(&a.log, index),
            shown(&b.log, index)
        );
        Err(Violation::new(Property::LogMatching, region, what))
    })
}

/// The first index at which two logs differ although they agree on the term there or later.
fn mismatch(a: &Log, b: &Log) -> Option<u64> {
    let (from, entries) = held_by_both(a, b)?;
    let mut differing = (a.term(from) != b.term(from)).then_some(from);
    for (index, (a, b)) in (from + 1..).zip(entries) {
        if differing.is_none() && a != b {
            differing = Some(index);
        }
        if differing.is_some() && a.term == b.term {
            return differing;
        }
    }
    None
}

/// The first index up to `last` at which two logs differ.
fn difference(a: &Log, b: &Log, last: u64) -> Option<u64> {
    let (from, entries) = held_by_both(a, b).filter(|(from, _)| *from <= last)?;
    if a.term(from) != b.term(from) {
        return Some(from);
    }
    (from + 1..=last).zip(entries).find(|(_, (a, b))| a != b).map(|(index, _)| index)
}

/// The first index that two logs both know, if there is one, and the entries behind it in pairs. At
/// the index itself one log has discarded its entry and knows only the term.
fn held_by_both<'a>(a: &'a Log, b: &'a Log) -> Option<(u64, impl Iterator<Item = (&'a Entry, &'a Entry)>)> {
    let from = a.truncated.index.max(b.truncated.index);
    let behind = |log: &'a Log| log.entries.get((from - log.truncated.index) as usize..);
    Some((from, behind(a)?.iter().zip(behind(b)?)))
}

fn shown(log: &Log, index: u64) -> String {
    match (log.entry(index), log.term(index)) {
        (Some(entry), _) => format!("{entry:?}"),
        (None, Some(term)) => format!("a truncated entry of term {term}"),
        (None, None) => "nothing".into(),
    }
}

/// No two peers apply different entries at an index (S2). In one state this is checked as far as
/// two logs hold what both applied. Across time it is checked as soon as a peer takes an entry for
/// committed at an index where another entry was known to be.
///
/// # Errors
/// Two entries for one index.
pub fn state_machine_safety<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::StateMachineSafety.not_latched(history)?;
    every_pair(cluster, |region, (first, a), (second, b)| {
        if !is_initialized(a) || !is_initialized(b) {
            return Ok(());
        }
        let Some(index) = difference(&a.log, &b.log, a.applied.min(b.applied)) else { return Ok(()) };
        let what = format!(
            "stores {first} and {second} applied different entries at index {index}: {} and {}",
            shown(&a.log, index),
            shown(&b.log, index)
        );
        Err(Violation::new(Property::StateMachineSafety, region, what))
    })
}

/// Replicas with the same applied index have the same range, epoch, data, and members in the same
/// order (S3). Tombstones and uninitialised peers have applied nothing.
///
/// # Errors
/// Two replicas that differ after applying the same log.
pub fn applied_agreement<C: Cluster>(cluster: &C, _: &History) -> Result<(), Violation> {
    every_pair(cluster, |region, (first, a), (second, b)| {
        if !is_initialized(a) || !is_initialized(b) || a.applied != b.applied {
            return Ok(());
        }
        let differing = if a.region != b.region {
            format!("regions: {} and {}", a.region, b.region)
        } else if a.merge != b.merge {
            format!("merges: {:?} and {:?}", a.merge, b.merge)
        } else if a.data != b.data {
            format!("data: {:?} and {:?}", a.data, b.data)
        } else {
            return Ok(());
        };
        let what = format!(
            "stores {first} and {second} both applied index {} and have different {differing}",
            a.applied
        );
        Err(Violation::new(Property::AppliedAgreement, region, what))
    })
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, HistoryParts, Key, LogPosition, Reply};

    use super::super::forge::*;
    use super::*;

    /// tikv#8967: store 3 applied the split's index but skipped the split.
    #[test]
    fn replicas_that_divided_their_range_or_data_differently() {
        let view = three_split();
        assert_eq!(applied_agreement(&view, &History::default()), Ok(()));
        type Forgery = fn(&mut rollcall_traces::View);
        let forgeries: [(&str, Forgery); 3] = [
            ("different regions: region 1 [\"\", m) epoch", |view| peer(view, 3).region = three_voters()),
            ("different regions", |view| peer_of(view, 3, CHILD).region.start = Key::from("n")),
            ("different data", |view| {
                drop(peer_of(view, 3, CHILD).data.insert(Key::from("x"), Key::from("1")))
            }),
        ];
        for (words, forge) in forgeries {
            let violation = applied_agreement(&with(&view, forge), &History::default()).unwrap_err();
            assert!(violation.what.contains(words), "{violation}");
        }
    }

    #[test]
    fn logs_that_agree_on_a_later_term_and_differ_before() {
        let view = with(&three(), |view| {
            append(view, 1, empty(6));
            append(view, 1, empty(8));
            append(view, 2, empty(7));
            append(view, 2, empty(8));
        });
        let violation = log_matching(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("stores 1 and 2"), "{violation}");
        assert!(violation.what.contains("differ at index 6"), "{violation}");
    }

    #[test]
    fn logs_that_agree_on_a_term_with_another_command() {
        let view = with(&three(), |view| {
            append(view, 1, put(6, "a", "1"));
            append(view, 2, put(6, "a", "2"));
        });
        assert!(log_matching(&view, &History::default()).is_err());
    }

    #[test]
    fn logs_that_differ_behind_their_common_part_match() {
        let view = with(&three(), |view| {
            append(view, 1, put(6, "a", "1"));
            append(view, 1, empty(6));
            append(view, 2, put(6, "a", "1"));
            append(view, 2, empty(7));
            append(view, 2, empty(7));
        });
        assert_eq!(log_matching(&view, &History::default()), Ok(()));
    }

    #[test]
    fn what_one_log_has_discarded_is_compared_by_its_last_term() {
        let agreeing = with(&three(), |view| {
            append(view, 1, empty(6));
            append(view, 1, empty(6));
            peer(view, 2).log = log_from(6, 6);
            append(view, 2, empty(6));
        });
        assert_eq!(log_matching(&agreeing, &History::default()), Ok(()));
        let forged = with(&agreeing, |view| peer(view, 2).log.truncated = LogPosition { index: 6, term: 5 });
        assert!(log_matching(&forged, &History::default()).is_err());
    }

    fn applied_at_six(first: u64, second: u64, second_applied: u64) -> rollcall_traces::View {
        with(&three(), |view| {
            append(view, 1, empty(first));
            commit(view, 1, 6);
            append(view, 2, empty(second));
            commit(view, 2, second_applied);
        })
    }

    #[test]
    fn two_stores_that_applied_different_entries() {
        let violation = state_machine_safety(&applied_at_six(6, 7, 6), &History::default()).unwrap_err();
        assert!(violation.what.contains("at index 6"), "{violation}");
    }

    #[test]
    fn an_unapplied_entry_may_differ_from_an_applied_one() {
        assert_eq!(state_machine_safety(&applied_at_six(6, 7, 5), &History::default()), Ok(()));
    }

    /// Store 1 commits index 6 in term 6 and is destroyed; then store 2 commits it.
    fn committed_again(term: u64) -> Result<(), Violation> {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let first = applied_at_six(6, term, 5);
        follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &first);
        let lost = with(&first, |view| lose_disk(view, 1));
        follow(&mut history, &first, Action::LoseDisk { store: 1 }, &lost);
        let second = with(&lost, |view| commit(view, 2, 6));
        follow(&mut history, &lost, replicate(3, 2, Reply::Delivered), &second);
        state_machine_safety(&second, &history)
    }

    #[test]
    fn another_entry_is_committed_where_a_destroyed_store_had_committed_one() {
        let violation = committed_again(7).unwrap_err();
        assert!(violation.what.contains("index 6"), "{violation}");
    }

    #[test]
    fn the_same_entry_is_committed_where_a_destroyed_store_had_committed_it() {
        assert_eq!(committed_again(6), Ok(()));
    }

    #[test]
    fn what_all_know_to_be_committed_is_forgotten() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let one = applied_at_six(6, 6, 5);
        follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &one);
        assert_eq!(history.region(1).committed.len(), 1);
        let all = with(&one, |view| {
            append(view, 3, empty(6));
            commit(view, 2, 6);
            commit(view, 3, 6);
        });
        follow(&mut history, &one, replicate(2, 3, Reply::Delivered), &all);
        assert!(history.region(1).committed.is_empty());
    }

    #[test]
    fn replicas_that_applied_the_same_and_hold_different_data() {
        let view = with(&three(), |view| {
            peer(view, 2).data.insert(Key::from("a"), Key::from("1"));
        });
        let violation = applied_agreement(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("different data"), "{violation}");
    }

    #[test]
    fn replicas_that_applied_the_same_and_have_different_members() {
        let view = with(&three(), |view| peer(view, 3).region.peers.reverse());
        let violation = applied_agreement(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("different regions"), "{violation}");
    }

    #[test]
    fn a_replica_that_applied_more_may_hold_more() {
        let view = with(&three(), |view| {
            append(view, 2, put(6, "a", "1"));
            commit(view, 2, 6);
            peer(view, 2).data.insert(Key::from("a"), Key::from("1"));
        });
        assert_eq!(applied_agreement(&view, &History::default()), Ok(()));
    }
}
