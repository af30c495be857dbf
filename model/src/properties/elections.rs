//! Elections, and what a leader must have. After section 5 of the Raft paper.

use rollcall_traces::{Cluster, History, Role};

use super::{Property, Violation, every_pair, every_replica, is_initialized};

/// At most one leader per term (S1). No two lead in this state, and none is elected in a term that
/// another peer won, even if that one stepped down or forgot it.
///
/// # Errors
/// Two leaders of one term.
pub fn election_safety<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::ElectionSafety.not_latched(history)?;
    every_pair(cluster, |region, (first, a), (second, b)| {
        if a.role != Role::Leader || b.role != Role::Leader || a.term != b.term {
            return Ok(());
        }
        let what = format!(
            "peer {} on store {first} and peer {} on store {second} both lead term {}",
            a.id, b.id, a.term
        );
        Err(Violation::new(Property::ElectionSafety, region, what))
    })
}

/// A leader has every entry committed in its term or before (S2).
///
/// A peer learns a commit index only from messages of its own term. So what a peer of term t knows
/// to be committed was committed in t or before, and every leader of t or later has it. A leader of
/// an earlier term may lack it, because it may have been deposed. Discarded entries are assumed to
/// agree: they were applied, and `state_machine_safety` checks that. The history adds what only
/// destroyed peers knew.
///
/// # Errors
/// A leader that lacks, or differs in, a committed entry.
pub fn leader_completeness<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    every_replica(cluster, |region, (store, leader)| {
        if leader.role != Role::Leader {
            return Ok(());
        }
        let discarded = leader.log.truncated.index;
        let lacks = |index: u64, term: u64, who: &str| {
            let has =
                leader.log.term(index).map_or("nothing".into(), |term| format!("the one of term {term}"));
            let what = format!(
                "the leader of term {} on store {store} has {has} at index {index}, \
                 where {who} the entry of term {term} to be committed",
                leader.term
            );
            Err(Violation::new(Property::LeaderCompleteness, region, what))
        };
        for (other, peer) in cluster.replicas(region) {
            if other == store || !is_initialized(peer) || peer.term > leader.term {
                continue;
            }
            for index in discarded.max(peer.log.truncated.index)..=peer.commit {
                let Some(term) = peer.log.term(index) else { continue };
                if leader.log.term(index) != Some(term) {
                    return lacks(index, term, &format!("store {other} knows"));
                }
            }
        }
        for (index, committed) in history.region(region).committed.range(discarded..) {
            if committed.known_in <= leader.term && leader.log.term(*index) != Some(committed.term) {
                return lacks(*index, committed.term, "some peer knew");
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{History, HistoryParts, Reply, StoreStatus};

    use super::super::forge::*;
    use super::super::{Property, Violation};
    use super::*;

    /// The child's first leader is now in term 7, with store 2. Store 3 is `late` to split, and
    /// then term 6 has a second leader.
    fn child_led_twice(late: bool) -> (rollcall_traces::View, History) {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let waiting = with(&three(), commit_split);
        let mut view = with(&waiting, |view| {
            split(view, 1);
            lead_of(view, 1, CHILD, 6);
        });
        follow(&mut history, &waiting, apply(1), &view);
        let mut next =
            |view: &mut rollcall_traces::View, action, change: &dyn Fn(&mut rollcall_traces::View)| {
                let after = with(view, change);
                follow(&mut history, view, action, &after);
                *view = after;
            };
        next(&mut view, apply(2), &|view| split(view, 2));
        if !late {
            next(&mut view, apply(3), &|view| split(view, 3));
        }
        let crash = |store| rollcall_traces::Action::Crash { store };
        for store in if late { 1..=2 } else { 1..=3 } {
            next(&mut view, crash(store), &|view| {
                let peer = peer_of(view, store, CHILD);
                (peer.term, peer.role, peer.leading) = (7, Role::Follower, None);
            });
        }
        if late {
            next(&mut view, apply(3), &|view| split(view, 3));
        }
        let vote =
            rollcall_traces::Action::Vote { region: CHILD, candidate: 3, voter: 2, reply: Reply::Delivered };
        next(&mut view, vote, &|view| lead_of(view, 3, CHILD, 6));
        (view, history)
    }

    #[test]
    fn a_term_of_a_child_that_was_won_before_a_slow_store_had_it() {
        let (view, history) = child_led_twice(true);
        let violation = election_safety(&view, &history).unwrap_err();
        assert_eq!(violation.region, Some(CHILD));
        assert!(violation.what.contains("peer 11 on store 1 had led"), "{violation}");
    }

    /// No peer can be created any more and all are beyond term 6. So the history forgets the winner
    /// of term 6, which no step can reach again.
    #[test]
    fn who_led_a_child_is_forgotten_once_all_have_it() {
        let (_, history) = child_led_twice(false);
        assert!(history.breaches().is_empty());
    }

    fn judged(check: Property, view: &rollcall_traces::View) -> Result<(), Violation> {
        check.check(view, &History::begin(check.parts(), view))
    }

    #[test]
    fn two_leaders_of_one_term() {
        let view = with(&three(), |view| {
            lead(view, 1, 6);
            lead(view, 3, 6);
        });
        let violation = election_safety(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("both lead term 6"), "{violation}");
    }

    #[test]
    fn an_old_leader_beside_the_new_one_is_no_violation() {
        let view = with(&three(), |view| {
            lead(view, 1, 6);
            lead(view, 3, 7);
        });
        assert_eq!(election_safety(&view, &History::default()), Ok(()));
    }

    /// The first leader crashed before the second won: no state shows both.
    fn won_after_a_crash(second_term: u64) -> History {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let first = with(&three(), |view| {
            lead(view, 1, 6);
            stand(view, 3, 6);
        });
        follow(&mut history, &three(), vote(1, 2), &first);
        let crashed = with(&first, |view| {
            view.stores.get_mut(&1).unwrap().status = StoreStatus::Down;
            step_down(view, 1);
        });
        follow(&mut history, &first, rollcall_traces::Action::Crash { store: 1 }, &crashed);
        assert_eq!(election_safety(&crashed, &history), Ok(()));
        let second = with(&crashed, |view| lead(view, 3, second_term));
        follow(&mut history, &crashed, vote(3, 2), &second);
        history
    }

    #[test]
    fn a_term_won_twice_one_after_the_other() {
        let violation = election_safety(&three(), &won_after_a_crash(6)).unwrap_err();
        assert!(violation.what.contains("peer 1 on store 1 had led"), "{violation}");
    }

    #[test]
    fn the_next_term_won_after_a_crash_is_no_violation() {
        assert_eq!(election_safety(&three(), &won_after_a_crash(7)), Ok(()));
    }

    #[test]
    fn who_led_is_forgotten_once_the_term_cannot_be_won_again() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let behind = with(&three(), |view| {
            lead(view, 1, 6);
            peer(view, 2).term = 6;
        });
        follow(&mut history, &three(), vote(1, 2), &behind);
        assert_eq!(history.region(1).leaders.len(), 1, "store 3 could still win term 6");
        let all = with(&behind, |view| peer(view, 3).term = 6);
        follow(&mut history, &behind, replicate(1, 3, Reply::Dropped), &all);
        assert!(history.region(1).leaders.is_empty());
    }

    /// Store 2, of term 6, knows index 6 to be committed; store 3 leads and lacks it.
    fn leader_without_committed_entry(leader_term: u64) -> rollcall_traces::View {
        with(&three(), |view| {
            peer(view, 2).term = 6;
            append(view, 2, empty(6));
            commit(view, 2, 6);
            lead(view, 3, leader_term);
        })
    }

    #[test]
    fn a_leader_that_lacks_a_committed_entry() {
        let violation = judged(Property::LeaderCompleteness, &leader_without_committed_entry(7)).unwrap_err();
        assert!(violation.what.contains("store 2 knows the entry of term 6"), "{violation}");
    }

    #[test]
    fn a_deposed_leader_may_lack_what_was_committed_later() {
        assert_eq!(judged(Property::LeaderCompleteness, &leader_without_committed_entry(5)), Ok(()));
    }

    #[test]
    fn a_leader_may_have_discarded_what_is_committed() {
        let view = with(&leader_without_committed_entry(7), |view| {
            let leader = peer(view, 3);
            leader.log = log_from(7, 7);
            (leader.commit, leader.applied) = (7, 7);
        });
        assert_eq!(leader_completeness(&view, &History::default()), Ok(()));
    }

    /// The only peer that knew it lost its disk.
    fn leader_after_loss(leader_term: u64) -> Result<(), Violation> {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let known = with(&three(), |view| {
            lead(view, 1, 6);
            append(view, 1, empty(6));
            commit(view, 1, 6);
        });
        follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &known);
        let lost = with(&known, |view| lose_disk(view, 1));
        follow(&mut history, &known, rollcall_traces::Action::LoseDisk { store: 1 }, &lost);
        let led = with(&lost, |view| lead(view, 3, leader_term));
        follow(&mut history, &lost, vote(3, 2), &led);
        leader_completeness(&led, &history)
    }

    #[test]
    fn a_leader_that_lacks_what_only_a_destroyed_store_knew() {
        let violation = leader_after_loss(7).unwrap_err();
        assert!(violation.what.contains("some peer knew"), "{violation}");
    }

    #[test]
    fn a_leader_of_an_earlier_term_may_lack_what_a_destroyed_store_knew() {
        assert_eq!(leader_after_loss(5), Ok(()));
    }

    /// All peers that had index 6 of the child have discarded it. Store 3 is born with nothing
    /// behind index 5.
    #[test]
    fn what_was_committed_before_a_slow_store_had_the_child() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let waiting = with(&three(), commit_split);
        let first = with(&waiting, |view| split(view, 1));
        follow(&mut history, &waiting, apply(1), &first);
        let known = with(&first, |view| write_of(view, 1, CHILD, empty(6)));
        let campaign = rollcall_traces::Action::Campaign { region: CHILD, store: 1 };
        follow(&mut history, &first, campaign, &known);
        assert_eq!(history.region(CHILD).committed[&6].term, 6, "stores 2 and 3 have not split");
        let compacted = with(&known, |view| peer_of(view, 1, CHILD).log = log_from(6, 6));
        let born = with(&compacted, |view| split(view, 3));
        follow(&mut history, &compacted, apply(3), &born);
        assert_eq!(leader_completeness(&born, &history), Ok(()));
        let led = with(&born, |view| lead_of(view, 3, CHILD, 7));
        assert!(leader_completeness(&led, &history).unwrap_err().what.contains("has nothing at index 6"));
    }
}
