//! The result of a split. After TiKV `apply.rs` `exec_batch_split`.
//!
//! Left out: whether the parts overlap other regions (see `ranges`), and which peers a split spares
//! (see `tombstones`).

use rollcall_traces::{Cluster, History};

use super::{Property, Violation};

/// The parts of a split are adjacent, cover the parent's range, and inherit epoch, members and data
/// (S4, S5).
///
/// It is checked when an `Apply` applies a split, for the parent and for each child that is created
/// on that store in the same step:
///
/// - All have one epoch: the parent's `conf_ver` as it was, and its `version`
///   raised by the number of the split's children.
/// - A child has members on the parent's stores in the parent's roles, in the
///   same order, whether they are voters, learners or between two
///   configurations, under the ids that the split gives them; and its peer is
///   the one of its own store. The parent's members stay as they were.
/// - The keys of the split are the borders of the parts, in key order within
///   the region. The parent's part is the first or the last, as the split says.
/// - A part holds what the parent held of its range, and nothing else.
///
/// A skipped split leaves the parent unchanged and is not checked, nor is a child that was not
/// created because the store knew its region. Entries behind the split are applied in the same
/// step, so a key that they write may have any value.
///
/// # Errors
/// A part that differs; latched by the history.
pub fn split_lineage<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::SplitLineage.not_latched(history)
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{
        Child, Command, Derive, Entry, Epoch, HistoryParts, Key, Member, MemberRole, Peer, PeerState, Region,
        RegionId, View,
    };

    use super::super::forge::*;
    use super::*;

    /// The children of the split, in key order: from or up to `g` and `p`.
    const BORN: [RegionId; 2] = [10, 20];

    /// Region 1 from `b` to `w`, at epoch {4, 7}, with a member of every role,
    /// keys in all three of its parts, and a split at `g` and `p` next on store 2.
    fn waiting(derive: Derive) -> View {
        use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};
        let roles = [Voter, Learner, IncomingVoter, DemotingVoter];
        let members = (1..).zip(roles).map(|(store, role)| Member { id: store, store, role });
        let child = |(key, region): (&str, RegionId)| {
            let peers = (1..=4).map(|store| region + store).collect();
            Child { key: Key::from(key), region, peers }
        };
        let children = ["g", "p"].into_iter().zip(BORN).map(child).collect();
        with(&of(4), |view| {
            let peer = peer(view, 2);
            peer.region = Region {
                start: Key::from("b"),
                end: Key::from("w"),
                epoch: Epoch { conf_ver: 4, version: 7 },
                peers: members.collect(),
                ..Region::unknown(1)
            };
            peer.data = ["c", "h", "q"].map(|key| (Key::from(key), Key::from("1"))).into();
            let (command, epoch) = (Some(Command::Split { children, derive }), peer.region.epoch);
            peer.log.entries.push(Entry { term: 6, command, epoch });
            peer.commit = 6;
        })
    }

    /// Store 2 has taken the split.
    fn taken(derive: Derive) -> View {
        with(&waiting(derive), |view| {
            let whole = peer(view, 2).clone();
            let parts = match derive {
                Derive::Left => [1, 10, 20],
                Derive::Right => [10, 20, 1],
            };
            for (region, (start, end)) in parts.into_iter().zip([("b", "g"), ("g", "p"), ("p", "w")]) {
                let (start, end) = (Key::from(start), Key::from(end));
                let data = whole.data.range(start.clone()..end.clone());
                let data = data.map(|(key, value)| (key.clone(), value.clone())).collect();
                let epoch = Epoch { conf_ver: 4, version: 9 };
                let mut meta = Region { id: region, start, end, epoch, ..whole.region.clone() };
                let part = if region == 1 {
                    Peer { applied: 6, region: meta, data, ..whole.clone() }
                } else {
                    meta.peers.iter_mut().for_each(|member| member.id += region);
                    let log = log_from(5, 5);
                    Peer { id: region + 2, commit: 5, log, region: meta, data, ..whole.clone() }
                };
                view.stores.get_mut(&2).unwrap().peers.insert(region, part);
            }
        })
    }

    fn judged(before: &View, after: &View) -> Result<(), Violation> {
        let parts = Property::SplitLineage.parts();
        let mut history = History::begin(parts, before);
        follow(&mut history, before, apply(2), after);
        if history.breaches().is_empty() {
            assert_eq!(history, History::begin(parts, before), "nothing is remembered");
        }
        split_lineage(after, &history)
    }

    type Forgery = fn(&mut View, RegionId);

    /// `forge` makes one part wrong: the parent, or the first or last child. `words` describe the
    /// fault.
    fn caught_in(parts: &[RegionId], words: &str, forge: Forgery) {
        for derive in [Derive::Left, Derive::Right] {
            for part in parts {
                let forged = with(&taken(derive), |view| forge(view, *part));
                let violation = judged(&waiting(derive), &forged).expect_err(words);
                assert_eq!(violation.region, Some(*part), "{violation}");
                assert!(violation.what.contains("split of region 1 on store 2"), "{violation}");
                assert!(violation.what.contains(words), "{violation}");
            }
        }
    }

    fn meta(view: &mut View, part: RegionId) -> &mut Region {
        &mut peer_of(view, 2, part).region
    }

    const EVERY_PART: &[RegionId] = &[1, 10, 20];

    #[test]
    fn a_split_that_divides_as_it_says() {
        for derive in [Derive::Left, Derive::Right] {
            assert_eq!(judged(&waiting(derive), &taken(derive)), Ok(()));
        }
        let before = with(&three(), commit_split);
        let after = with(&before, |view| split(view, 2));
        assert_eq!(judged(&before, &after), Ok(()), "a range without borders");
    }

    #[test]
    fn a_part_with_another_epoch() {
        let due = "instead of {conf_ver 4, version 9}";
        let forgeries: [Forgery; 4] = [
            |view, part| meta(view, part).epoch.conf_ver = 1,
            |view, part| meta(view, part).epoch.conf_ver = 5,
            |view, part| meta(view, part).epoch.version = 8,
            |view, part| meta(view, part).epoch.version = 10,
        ];
        forgeries.into_iter().for_each(|forge| caught_in(EVERY_PART, due, forge));
        let all_by_one: Forgery =
            |view, _| EVERY_PART.iter().for_each(|of| meta(view, *of).epoch.version = 8);
        caught_in(&[10], due, all_by_one);
    }

    #[test]
    fn a_part_with_other_members() {
        let words = "stores and roles differ from those of {1@1 2@2L 3@3I 4@4D}";
        let forgeries: [Forgery; 6] = [
            |view, part| meta(view, part).peers[1].role = MemberRole::Voter,
            |view, part| meta(view, part).peers[2].role = MemberRole::Voter,
            |view, part| meta(view, part).peers[3].role = MemberRole::Learner,
            |view, part| meta(view, part).peers[0].store = 5,
            |view, part| meta(view, part).peers.swap(2, 3),
            |view, part| meta(view, part).peers.truncate(3),
        ];
        forgeries.into_iter().for_each(|forge| caught_in(EVERY_PART, words, forge));
    }

    /// Roles and stores are right, but the ids are assigned to the wrong members.
    #[test]
    fn a_part_with_other_peer_ids() {
        caught_in(&[10, 20], "peer ids", |view, part| {
            let peers = &mut meta(view, part).peers;
            (peers[0].id, peers[3].id) = (peers[3].id, peers[0].id);
        });
        caught_in(&[10], "peer ids {21 22 23 24} instead of {11 12 13 14}", |view, part| {
            meta(view, part).peers.iter_mut().for_each(|member| member.id += 10);
        });
        caught_in(&[1], "peer ids {1 2 9 4} instead of {1 2 3 4}", |view, part| {
            meta(view, part).peers[2].id = 9
        });
    }

    /// TiKV's zip leaves the last member with the parent's id.
    #[test]
    fn a_child_whose_split_has_an_id_too_few() {
        let few = |view: &mut View| {
            let split = peer(view, 2).log.entries.last_mut().unwrap().command.as_mut();
            let Some(Command::Split { children, .. }) = split else { panic!("no split") };
            children[1].peers.pop();
        };
        let after = with(&taken(Derive::Left), |view| {
            few(view);
            meta(view, 20).peers[3].id = 4;
        });
        let violation = judged(&with(&waiting(Derive::Left), few), &after).unwrap_err();
        assert!(violation.what.contains("{21 22 23 4} instead of {21 22 23}"), "{violation}");
    }

    #[test]
    fn a_child_that_is_the_peer_of_another_store() {
        caught_in(&[10, 20], "although its member there is", |view, part| peer_of(view, 2, part).id += 1);
    }

    #[test]
    fn a_child_that_the_split_does_not_name() {
        for (derive, says) in [(Derive::Left, 30), (Derive::Left, 20), (Derive::Right, 30)] {
            let after = with(&taken(derive), |view| {
                let peers = &mut view.stores.get_mut(&2).unwrap().peers;
                let mut child = peers.remove(&20).unwrap();
                child.region.id = says;
                peers.insert(30, child);
            });
            let violation = judged(&waiting(derive), &after).unwrap_err();
            assert_eq!(violation.region, Some(30));
            assert!(violation.what.contains("an id that the split does not name"), "{violation}");
        }
        caught_in(&[10, 20], "does not name", |view, part| meta(view, part).id = 30);
    }

    #[test]
    fn a_part_with_another_range() {
        let forgeries: [Forgery; 3] = [
            |view, part| meta(view, part).start = Key::from("a"),
            |view, part| meta(view, part).end = Key::from("z"),
            |view, part| meta(view, part).end = Key::empty(),
        ];
        forgeries.into_iter().for_each(|forge| caught_in(EVERY_PART, "the range [", forge));
        caught_in(&[10], "instead of", |view, _| {
            let (first, second) = (meta(view, 10).range(), meta(view, 20).range());
            (meta(view, 10).start, meta(view, 10).end) = (second.start, second.end);
            (meta(view, 20).start, meta(view, 20).end) = (first.start, first.end);
        });
        caught_in(&[1], "the range [b, w) instead of [", |view, part| {
            (meta(view, part).start, meta(view, part).end) = (Key::from("b"), Key::from("w"));
        });
    }

    /// The parts are right, but for the other derivation.
    #[test]
    fn a_parent_that_keeps_the_other_end() {
        for (said, done) in [(Derive::Left, Derive::Right), (Derive::Right, Derive::Left)] {
            let violation = judged(&waiting(said), &taken(done)).unwrap_err();
            assert!(violation.what.contains("the range ["), "{violation}");
        }
    }

    /// Each part lies between its keys, which are not in order or not within the region.
    #[test]
    fn keys_that_divide_nothing() {
        for (first, second) in [("p", "g"), ("g", "g"), ("a", "g"), ("b", "g"), ("g", "w"), ("g", "z")] {
            let keyed = |view: &mut View| {
                let split = peer(view, 2).log.entries.last_mut().unwrap().command.as_mut();
                let Some(Command::Split { children, .. }) = split else { panic!("no split") };
                (children[0].key, children[1].key) = (Key::from(first), Key::from(second));
            };
            let after = with(&taken(Derive::Left), |view| {
                keyed(view);
                let keys = ["b", first, second, "w"].map(Key::from);
                for (at, part) in EVERY_PART.iter().enumerate() {
                    let part = peer_of(view, 2, *part);
                    (part.region.start, part.region.end) = (keys[at].clone(), keys[at + 1].clone());
                    part.data.clear();
                }
            });
            let before = with(&waiting(Derive::Left), |view| {
                keyed(view);
                peer(view, 2).data.clear();
            });
            let violation = judged(&before, &after).unwrap_err();
            assert!(violation.what.contains("which is empty"), "{violation}");
        }
    }

    #[test]
    fn a_part_that_holds_something_else() {
        caught_in(EVERY_PART, "nothing for key", |view, part| peer_of(view, 2, part).data.clear());
        caught_in(EVERY_PART, "2 for key", |view, part| {
            peer_of(view, 2, part).data.values_mut().for_each(|value| *value = Key::from("2"));
        });
        let own: Forgery = |view, part| {
            let key = Key::from(format!("{}0", meta(view, part).start).as_str());
            peer_of(view, 2, part).data.insert(key, Key::from("1"));
        };
        caught_in(EVERY_PART, "instead of nothing", own);
        caught_in(EVERY_PART, "instead of nothing", |view, part| {
            peer_of(view, 2, part).data = peer(&mut waiting(Derive::Left), 2).data.clone();
        });
    }

    /// Behind the split are writes that were proposed after it was applied elsewhere.
    #[test]
    fn what_is_written_behind_the_split_is_the_parents_own() {
        let key = |text: &str| Key::from(text);
        for (writes, data, fine) in [
            (put(6, "c", "2"), vec![("c", "2")], true),
            (put(6, "d", "2"), vec![("c", "1"), ("d", "2")], true),
            (delete(6, "c"), vec![], true),
            (put(6, "d", "2"), vec![("d", "2")], false),
            (put(6, "h", "2"), vec![("c", "1"), ("h", "2")], false),
        ] {
            let behind = |view: &mut View| {
                append(view, 2, writes.clone());
                peer(view, 2).commit = 7;
            };
            let after = with(&taken(Derive::Left), |view| {
                behind(view);
                let peer = peer(view, 2);
                peer.applied = 7;
                peer.data = data.iter().map(|(name, value)| (key(name), key(value))).collect();
            });
            let judged = judged(&with(&waiting(Derive::Left), behind), &after);
            assert_eq!(judged.is_ok(), fine, "{judged:?}");
        }
    }

    #[test]
    fn a_split_that_is_skipped() {
        let skipped = with(&waiting(Derive::Left), |view| peer(view, 2).applied = 6);
        assert_eq!(judged(&waiting(Derive::Left), &skipped), Ok(()));
        caught_in(&[1], "epoch {conf_ver 4, version 7}", |view, _| {
            *peer(view, 2) = peer(&mut waiting(Derive::Left), 2).clone();
        });
    }

    /// Its range and data are gone from this store, and the others' are as they should be.
    #[test]
    fn a_child_that_is_spared() {
        let uninitialised = |view: &mut View| {
            let peer = Peer { state: PeerState::Uninitialised, ..peer(view, 1).clone() };
            let region = Region::unknown(10);
            view.stores.get_mut(&2).unwrap().peers.insert(10, Peer { id: 99, region, ..peer });
        };
        let living = |view: &mut View| {
            let region = Region { id: 10, epoch: Epoch { conf_ver: 9, version: 9 }, ..three_voters() };
            let peer = Peer { id: 12, region, ..peer(view, 1).clone() };
            view.stores.get_mut(&2).unwrap().peers.insert(10, peer);
        };
        let nothing = |view: &mut View| drop(view.stores.get_mut(&2).unwrap().peers.remove(&10));
        let known: [fn(&mut View); 3] = [uninitialised, living, nothing];
        for derive in [Derive::Left, Derive::Right] {
            for known in known {
                let (before, after) = (with(&waiting(derive), known), with(&taken(derive), known));
                assert_eq!(judged(&before, &after), Ok(()));
                let forged = with(&after, |view| meta(view, 20).start = Key::from("h"));
                assert!(judged(&before, &forged).is_err(), "the other child is judged");
            }
        }
    }

    /// The replaced peer is checked like the one that replaces it.
    #[test]
    fn a_child_that_takes_the_place_of_its_own_uninitialised_peer() {
        let before = with(&waiting(Derive::Left), |view| {
            let peer = Peer { state: PeerState::Uninitialised, ..peer(view, 1).clone() };
            let region = Region::unknown(10);
            view.stores.get_mut(&2).unwrap().peers.insert(10, Peer { id: 12, region, ..peer });
        });
        assert_eq!(judged(&before, &taken(Derive::Left)), Ok(()));
        let forged = with(&taken(Derive::Left), |view| meta(view, 10).peers[1].role = MemberRole::Voter);
        assert!(judged(&before, &forged).is_err());
    }

    #[test]
    fn a_split_is_judged_only_where_it_is_asked_for() {
        let forged = with(&taken(Derive::Left), |view| meta(view, 10).epoch.version = 8);
        let parts = HistoryParts { lineage: false, ..HistoryParts::ALL };
        let mut history = History::begin(parts, &waiting(Derive::Left));
        follow(&mut history, &waiting(Derive::Left), apply(2), &forged);
        assert_eq!(split_lineage(&forged, &history), Ok(()));
    }
}
