//! What clients were promised.

use rollcall_traces::{Cluster, History, Role};

use super::{Property, Violation, is_initialized};

/// A read returns what its peer holds for a key in its range, with the region that it was computed
/// on. It is not older than what any client knew when the read began (S10): an acknowledged write,
/// or the result of an earlier read, in any region. A leader that has not applied a split must not
/// serve reads that are stale by later writes to the child.
///
/// # Errors
/// A wrong or stale answer; latched by the history.
pub fn read_safety<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::ReadSafety.not_latched(history)
}

/// A write that a client knows of is never lost.
///
/// Every replica that has the key in its range and has applied the index shows the write, or the
/// last later write of the key that the replica has applied. The history has all writes, so this
/// holds for snapshots too. Every leader of the term in which the client got its response, or of a
/// later one, has the entry or has discarded it.
///
/// A child inherits the parent's data: it shows the write from its first index on, until the key is
/// written again. What a `Delete` removed stays absent.
///
/// # Errors
/// A replica or a leader without the write.
pub fn no_lost_write<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    for region in cluster.regions() {
        for (key, writes) in &history.region(region).writes {
            let Some(known) = &writes.acknowledged else { continue };
            let write = &known.write;
            let lost = |what: String| Err(Violation::new(Property::NoLostWrite, region, what));
            for (store, peer) in cluster.replicas(region).filter(|(_, peer)| is_initialized(peer)) {
                let judged = peer.applied >= write.index && peer.region.contains(key);
                let expected = writes.shown_at(peer.applied).filter(|_| judged);
                let shown = peer.data.get(key);
                if let Some(expected) = expected.filter(|expected| shown != expected.value.as_ref()) {
                    return lost(format!(
                        "store {store} has applied index {} and shows {shown:?} for {key}, \
                         where index {} left {:?}",
                        peer.applied, expected.index, expected.value
                    ));
                }
                if peer.role == Role::Leader
                    && peer.term >= known.known_in
                    && peer.log.truncated.index <= write.index
                    && peer.log.term(write.index) != Some(write.term)
                {
                    return lost(format!(
                        "the leader of term {} on store {store} does not have the write of {key} at index {}, \
                         which was acknowledged in term {}",
                        peer.term, write.index, known.known_in
                    ));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod across_merge;
#[cfg(test)]
mod across_split;

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, HistoryParts, Key, Outcome, Read, Region, Reply, Returned, View};

    use super::super::forge::*;
    use super::*;

    fn key() -> Key {
        Key::from("a")
    }

    /// Store 1 leads term 6, and its client knows of a=1 at index 6.
    fn acknowledged() -> (View, History) {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let after = with(&three(), |view| {
            lead(view, 1, 6);
            write(view, 1, put(6, "a", "1"));
        });
        follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &after);
        assert_eq!(no_lost_write(&after, &history), Ok(()));
        let known = history.region(1).writes[&key()].acknowledged.as_ref();
        assert_eq!(known.map(|known| (known.write.index, known.known_in)), Some((6, 6)));
        (after, history)
    }

    fn reply(view: &View, store: u64) -> Outcome {
        let peer = &view.stores[&store].peers[&1];
        Outcome::Done(Returned::Value {
            key: key(),
            value: peer.data.get(&key()).cloned(),
            region: peer.region.clone(),
        })
    }

    /// A client reads the key on store `store`, which answers `outcome` (or what it holds).
    fn read(view: &View, history: &mut History, store: u64, outcome: Option<Outcome>) {
        let index = view.stores[&store].peers[&1].commit;
        let asked = with(view, |view| {
            peer(view, store).read = Some(Read { key: key(), index, acks: [store].into(), ready: true });
        });
        follow(history, view, Action::Read { region: 1, store, key: key() }, &asked);
        let action = Action::AnswerRead { region: 1, store };
        let outcome = outcome.unwrap_or_else(|| reply(view, store));
        history.fold(&asked, &action, &outcome, view);
        assert!(history.region(1).reads.is_empty());
    }

    #[test]
    fn a_read_from_a_replica_that_is_behind_an_acknowledged_write() {
        let (view, mut history) = acknowledged();
        read(&view, &mut history, 3, None);
        let violation = read_safety(&view, &history).unwrap_err();
        assert!(violation.what.contains("as of index 5"), "{violation}");
    }

    #[test]
    fn a_read_from_the_replica_that_has_the_write() {
        let (view, mut history) = acknowledged();
        read(&view, &mut history, 1, None);
        assert_eq!(read_safety(&view, &history), Ok(()));
    }

    /// A read that began before the write may return the older state.
    #[test]
    fn a_write_acknowledged_while_a_read_is_under_way() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let asked = with(&three(), |view| {
            peer(view, 3).read = Some(Read { key: key(), index: 5, acks: [3].into(), ready: true });
        });
        follow(&mut history, &three(), Action::Read { region: 1, store: 3, key: key() }, &asked);
        let written = with(&asked, |view| {
            lead(view, 1, 6);
            write(view, 1, put(6, "a", "1"));
        });
        follow(&mut history, &asked, replicate(1, 2, Reply::Delivered), &written);
        let answered = with(&written, |view| peer(view, 3).read = None);
        let action = Action::AnswerRead { region: 1, store: 3 };
        history.fold(&written, &action, &reply(&written, 3), &answered);
        assert_eq!(read_safety(&answered, &history), Ok(()));
    }

    /// The write was not acknowledged, but a read has returned it.
    #[test]
    fn a_read_that_falls_behind_another_read() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let view = with(&three(), |view| write(view, 2, put(6, "a", "1")));
        follow(&mut history, &three(), replicate(1, 2, Reply::Delivered), &view);
        read(&view, &mut history, 3, None);
        assert_eq!(read_safety(&view, &history), Ok(()), "nobody knows of it yet");
        read(&view, &mut history, 2, None);
        read(&view, &mut history, 3, None);
        assert!(read_safety(&view, &history).is_err());
    }

    #[test]
    fn a_read_that_returns_what_the_peer_does_not_hold() {
        let (view, mut history) = acknowledged();
        let value = Some(Key::from("2"));
        let wrong = Outcome::Done(Returned::Value { key: key(), value, region: three_voters() });
        read(&view, &mut history, 1, Some(wrong));
        let violation = read_safety(&view, &history).unwrap_err();
        assert!(violation.what.contains("differs from what it holds"), "{violation}");
    }

    #[test]
    fn a_read_that_is_lost_in_a_crash_is_forgotten() {
        let (view, mut history) = acknowledged();
        let asked = with(&view, |view| {
            peer(view, 1).read = Some(Read { key: key(), index: 6, acks: [1].into(), ready: false });
        });
        follow(&mut history, &view, Action::Read { region: 1, store: 1, key: key() }, &asked);
        assert_eq!(history.region(1).reads[&1].index, 6);
        let crashed = with(&asked, |view| step_down(view, 1));
        follow(&mut history, &asked, Action::Crash { store: 1 }, &crashed);
        assert!(history.region(1).reads.is_empty());
    }

    #[test]
    fn a_replica_that_applied_the_write_and_does_not_show_it() {
        let (view, history) = acknowledged();
        let forged = with(&view, |view| {
            let peer = peer(view, 3);
            peer.log = log_from(6, 6);
            (peer.commit, peer.applied) = (6, 6);
        });
        let violation = no_lost_write(&forged, &history).unwrap_err();
        assert!(violation.what.contains("store 3 has applied index 6"), "{violation}");
    }

    #[test]
    fn a_replica_that_has_not_applied_the_write_need_not_show_it() {
        let (view, history) = acknowledged();
        let behind = with(&view, |view| append(view, 3, put(6, "a", "1")));
        assert_eq!(no_lost_write(&behind, &history), Ok(()));
    }

    #[test]
    fn a_replica_shows_a_later_write_that_nobody_acknowledged() {
        let (view, mut history) = acknowledged();
        let after = with(&view, |view| {
            write(view, 2, put(6, "a", "1"));
            write(view, 2, put(6, "a", "2"));
        });
        follow(&mut history, &view, replicate(1, 2, Reply::Delivered), &after);
        assert_eq!(no_lost_write(&after, &history), Ok(()));
        let forged = with(&after, |view| drop(peer(view, 2).data.insert(key(), Key::from("1"))));
        assert!(no_lost_write(&forged, &history).is_err());
    }

    #[test]
    fn a_later_leader_without_the_acknowledged_write() {
        let (view, history) = acknowledged();
        let forged = with(&view, |view| lead(view, 3, 7));
        let violation = no_lost_write(&forged, &history).unwrap_err();
        assert!(violation.what.contains("the leader of term 7 on store 3"), "{violation}");
    }

    #[test]
    fn an_earlier_leader_may_lack_the_acknowledged_write() {
        let (view, history) = acknowledged();
        let old = with(&view, |view| lead(view, 3, 5));
        assert_eq!(no_lost_write(&old, &history), Ok(()));
    }

    #[test]
    fn a_later_leader_may_have_discarded_the_acknowledged_write() {
        let (view, history) = acknowledged();
        let view = with(&view, |view| {
            lead(view, 3, 7);
            let leader = peer(view, 3);
            leader.log = log_from(7, 7);
            (leader.commit, leader.applied) = (7, 7);
            leader.data.insert(key(), Key::from("1"));
        });
        assert_eq!(no_lost_write(&view, &history), Ok(()));
    }

    #[test]
    fn a_deleted_key_stays_away() {
        let (view, mut history) = acknowledged();
        let deleted = with(&view, |view| write(view, 1, delete(6, "a")));
        follow(&mut history, &view, replicate(1, 2, Reply::Delivered), &deleted);
        assert_eq!(no_lost_write(&deleted, &history), Ok(()));
        let forged = with(&deleted, |view| drop(peer(view, 1).data.insert(key(), Key::from("1"))));
        let violation = no_lost_write(&forged, &history).unwrap_err();
        assert!(violation.what.contains("index 7 left None"), "{violation}");
    }

    /// TinyKV's pointer to the live region: the value before the split with the region after it.
    #[test]
    fn an_answer_that_names_the_region_behind_the_split() {
        let (view, history) = acknowledged();
        let answered = |region: Region| {
            let mut history = history.clone();
            let value = Some(Key::from("1"));
            read(&view, &mut history, 1, Some(Outcome::Done(Returned::Value { key: key(), value, region })));
            read_safety(&view, &history)
        };
        assert_eq!(answered(three_voters()), Ok(()));
        assert!(answered(halves().0).is_err());
    }
}
