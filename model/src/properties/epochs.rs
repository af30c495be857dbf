//! Region epochs and configurations. After TiKV `util.rs` `is_epoch_stale`,
//! `admin_cmd_epoch_lookup`, and raft-rs `has_pending_conf`.

use rollcall_traces::{Cluster, Epoch, History, Peer, PeerState, Role};

use super::{Few, Property, Violation, every_pair, every_replica, shows_region};

/// Neither component of a region's epoch on a store ever decreases (S5).
///
/// This includes its tombstone's epoch: a later peer on the same store begins without an epoch, and
/// the first that a snapshot gives it is not behind the tombstone's.
///
/// # Errors
/// An epoch that went back; latched by the history.
pub fn epoch_monotone<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::EpochMonotone.not_latched(history)
}

/// Any two epochs ever seen of a region are comparable, and one epoch has one range and one list of
/// members (S5). Anything else proves that applying the same log had different results. Tombstones
/// count: they keep the region as of the removal.
///
/// This extends across splits: of two regions that share a key, one is an ancestor of the other, as
/// a slow replica still has it, and has a lower version. No two regions of one version share a key.
///
/// # Errors
/// Two epochs, or two metas of one epoch, that cannot both be true.
pub fn epoch_comparable<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::EpochComparable.not_latched(history)?;
    every_pair(cluster, |region, (first, a), (second, b)| {
        let (a, b) = (&a.region, &b.region);
        if a.epoch == Epoch::default() || b.epoch == Epoch::default() {
            return Ok(());
        }
        let what = if a.epoch.is_stale_against(&b.epoch) && b.epoch.is_stale_against(&a.epoch) {
            format!("stores {first} and {second} have epochs {} and {}, neither ahead", a.epoch, b.epoch)
        } else if a.epoch == b.epoch && a != b {
            format!("stores {first} and {second} have different regions under epoch {}: {a} and {b}", a.epoch)
        } else {
            return Ok(());
        };
        Err(Violation::new(Property::EpochComparable, region, what))
    })?;
    versions_distinguish(cluster)
}

/// Of two regions that share a key, one has the newer version. The exception is a region at version
/// 1, with the higher id, that unsafe recovery created for the keys of a destroyed one.
fn versions_distinguish<C: Cluster>(cluster: &C) -> Result<(), Violation> {
    let has_ended = |peer: &Peer| peer.state == PeerState::Tombstone && peer.region.epoch.version == 1;
    let metas = |region| cluster.replicas(region).filter(|(_, peer)| shows_region(peer));
    let regions = Few::of(cluster.regions());
    for (one, other) in regions.pairs() {
        let (older, newer) = (one.min(other), one.max(other));
        for (first, a) in metas(older).filter(|(_, peer)| !has_ended(peer)) {
            for (second, b) in metas(newer) {
                let (a, b) = (&a.region, &b.region);
                if a.epoch.version == b.epoch.version && a.overlaps(b) {
                    let what = format!("stores {first} and {second} have {a} and {b}, which share a key");
                    return Err(Violation::new(Property::EpochComparable, one, what));
                }
            }
        }
    }
    Ok(())
}

/// A leader's log has at most one unapplied conf change, and a quorum of a configuration intersects
/// every quorum of the next (S6).
///
/// The first holds although configurations take effect at apply: the entry of a change is sent with
/// the commit index of the previous one, and a peer with a committed and unapplied change may not
/// campaign. It does not hold for followers' logs. The second is checked when an `Apply` leads from
/// one configuration to the next; configurations with others between them need not intersect.
///
/// # Errors
/// A second unapplied change, or two consecutive configurations with disjoint quorums.
pub fn single_change<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::SingleChange.not_latched(history)?;
    every_replica(cluster, |region, (store, peer)| {
        if peer.role != Role::Leader || !peer.is_initialized() {
            return Ok(());
        }
        let unapplied =
            || peer.log.iter().filter(|(index, entry)| *index > peer.applied && entry.is_conf_change());
        if unapplied().count() <= 1 {
            return Ok(());
        }
        let indexes: Vec<_> = unapplied().map(|(index, _)| index).collect();
        let what = format!(
            "the leader on store {store} has applied index {} and has conf changes at {indexes:?}",
            peer.applied
        );
        Err(Violation::new(Property::SingleChange, region, what))
    })
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, HistoryParts, Key, Member, MemberRole, PeerState, Region, View};

    use super::super::forge::*;
    use super::*;

    /// An `Apply` takes store 1 from one region meta to another.
    fn applied(from: Region, to: Region) -> (View, History) {
        let before = with(&three(), |view| peer(view, 1).region = from);
        let after = with(&before, |view| peer(view, 1).region = to);
        let mut history = History::begin(HistoryParts::ALL, &before);
        follow(&mut history, &before, Action::Apply { region: 1, store: 1 }, &after);
        (after, history)
    }

    fn voters(conf_ver: u64, ids: &[u64]) -> Region {
        let voter = |id: &u64| Member { id: *id, store: *id, role: MemberRole::Voter };
        Region {
            epoch: Epoch { conf_ver, version: 1 },
            peers: ids.iter().map(voter).collect(),
            ..three_voters()
        }
    }

    #[test]
    fn an_epoch_that_goes_back() {
        let (after, history) = applied(voters(3, &[1, 2, 3, 4]), voters(2, &[1, 2, 3, 4]));
        let violation = epoch_monotone(&after, &history).unwrap_err();
        assert!(violation.what.contains("store 1 decreased"), "{violation}");
    }

    #[test]
    fn an_epoch_that_goes_on() {
        let (after, history) = applied(voters(2, &[1, 2, 3]), voters(3, &[1, 2, 3, 4]));
        assert_eq!(epoch_monotone(&after, &history), Ok(()));
    }

    /// Store 3: removed at conf_ver 3, created again, initialised by a snapshot.
    fn initialised_after_removal(conf_ver: u64) -> (View, History) {
        let peer_was = three();
        let mut history = History::begin(HistoryParts::ALL, &peer_was);
        let removed = with(&peer_was, |view| write_tombstone(view, 3, voters(3, &[1, 2])));
        follow(&mut history, &peer_was, Action::Apply { region: 1, store: 3 }, &removed);
        let leader = with(&removed, |view| peer(view, 1).region = voters(4, &[1, 2, 3]));
        let created = with(&leader, |view| create(view, 3, 3));
        follow(&mut history, &leader, replicate(1, 3, rollcall_traces::Reply::Delivered), &created);
        let after = with(&created, |view| initialise(view, 3, voters(conf_ver, &[1, 2, 3])));
        follow(&mut history, &created, Action::ApplySnapshot { region: 1, store: 3 }, &after);
        (after, history)
    }

    #[test]
    fn a_snapshot_from_before_the_tombstone() {
        let (after, history) = initialised_after_removal(1);
        let violation = epoch_monotone(&after, &history).unwrap_err();
        assert!(violation.what.contains("store 3 decreased from {conf_ver 3"), "{violation}");
    }

    #[test]
    fn a_snapshot_from_behind_the_tombstone() {
        let (after, history) = initialised_after_removal(4);
        assert_eq!(epoch_monotone(&after, &history), Ok(()));
        assert!(history.region(1).destroyed.is_empty(), "the view shows the epoch again");
    }

    #[test]
    fn an_epoch_that_is_raised_for_nothing() {
        let (after, history) = applied(voters(2, &[1, 2, 3]), voters(3, &[1, 2, 3]));
        let violation = epoch_comparable(&after, &history).unwrap_err();
        assert!(violation.what.contains("neither members nor range changed"), "{violation}");
    }

    /// A member left and joined again: the same members at a later epoch, by a snapshot.
    #[test]
    fn the_same_members_again_behind_a_snapshot() {
        let before = with(&three(), |view| peer(view, 1).region = voters(2, &[1, 2, 3]));
        let after = with(&before, |view| peer(view, 1).region = voters(4, &[1, 2, 3]));
        let mut history = History::begin(HistoryParts::ALL, &before);
        follow(&mut history, &before, Action::ApplySnapshot { region: 1, store: 1 }, &after);
        assert_eq!(epoch_comparable(&after, &history), Ok(()));
    }

    #[test]
    fn epochs_of_which_neither_is_ahead() {
        let split = Region { epoch: Epoch { conf_ver: 1, version: 2 }, ..three_voters() };
        let view = with(&three(), |view| {
            peer(view, 1).region = split.clone();
            peer(view, 2).region = voters(2, &[1, 2, 3, 4]);
        });
        let violation = epoch_comparable(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("neither ahead"), "{violation}");
    }

    /// Store 2 had moved on to {2, 2}, so no state shows both.
    #[test]
    fn an_epoch_that_cannot_be_compared_with_one_that_was_left() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let apply = |store| Action::Apply { region: 1, store };
        let at = |conf_ver, version| Region { epoch: Epoch { conf_ver, version }, ..voters(1, &[1, 2, 3]) };
        let first = with(&three(), |view| peer(view, 2).region = at(1, 2));
        follow(&mut history, &three(), apply(2), &first);
        let gone_on = with(&first, |view| peer(view, 2).region = at(2, 2));
        follow(&mut history, &first, apply(2), &gone_on);
        let after = with(&gone_on, |view| peer(view, 3).region = at(2, 1));
        follow(&mut history, &gone_on, apply(3), &after);
        let violation = epoch_comparable(&after, &history).unwrap_err();
        assert!(violation.what.contains("is not comparable with {conf_ver 1, version 2}"), "{violation}");
    }

    #[test]
    fn epochs_of_which_one_is_ahead() {
        let view = with(&three(), |view| peer(view, 2).region = voters(2, &[1, 2, 3, 4]));
        assert_eq!(epoch_comparable(&view, &History::default()), Ok(()));
    }

    #[test]
    fn one_epoch_with_two_lists_of_members() {
        let view = with(&three(), |view| {
            peer(view, 1).region = voters(2, &[1, 2, 3, 4]);
            peer(view, 2).region = voters(2, &[1, 2]);
        });
        let violation = epoch_comparable(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("different regions under epoch"), "{violation}");
    }

    /// Store 3 still has the whole region: it overlaps the child, at a lower version.
    fn slow_third(version: u64) -> View {
        with(&three(), |view| {
            commit_split(view);
            split(view, 1);
            split(view, 2);
            peer(view, 3).region.epoch.version = version;
        })
    }

    #[test]
    fn a_child_is_ahead_of_its_parent_on_a_slow_store() {
        assert_eq!(epoch_comparable(&slow_third(1), &History::default()), Ok(()));
        assert_eq!(epoch_comparable(&three_split(), &History::default()), Ok(()), "one epoch, no shared key");
    }

    #[test]
    fn regions_of_one_version_share_a_key() {
        let decided = with(&slow_third(2), |view| {
            for store in [1, 2] {
                view.stores.get_mut(&store).unwrap().peers.remove(&1);
            }
        });
        let violation = epoch_comparable(&decided, &History::default()).unwrap_err();
        assert!(violation.what.contains("which share a key"), "{violation}");
        let buried = with(&decided, |view| peer(view, 3).state = PeerState::Tombstone);
        assert!(epoch_comparable(&buried, &History::default()).is_err(), "a tombstone keeps its region");
        // At version 1 this is allowed only for the later region, which unsafe recovery created.
        let at_first = |ended: u64| {
            with(&decided, |view| {
                for peers in view.stores.values_mut().map(|store| &mut store.peers) {
                    for (region, peer) in peers.iter_mut() {
                        peer.region.epoch.version = 1;
                        let state = if *region == ended { PeerState::Tombstone } else { PeerState::Normal };
                        peer.state = state;
                    }
                }
            })
        };
        assert_eq!(epoch_comparable(&at_first(1), &History::default()), Ok(()));
        assert!(epoch_comparable(&at_first(CHILD), &History::default()).is_err(), "the older one lives");
        let unknown = with(&decided, |view| peer(view, 3).state = PeerState::Uninitialised);
        assert_eq!(epoch_comparable(&unknown, &History::default()), Ok(()));
    }

    /// The child's first meta is kept: store 3 will still pass through it.
    #[test]
    fn metas_that_a_peer_is_yet_to_be_born_with() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let waiting = with(&three(), commit_split);
        let mut view = waiting.clone();
        for store in [1, 2] {
            let after = with(&view, |view| split(view, store));
            follow(&mut history, &view, apply(store), &after);
            view = after;
        }
        let change = |view: &View, history: &mut History| {
            let mut view = view.clone();
            for store in [1, 2] {
                let after = with(&view, |view| {
                    let region = &mut peer_of(view, store, CHILD).region;
                    region.epoch.conf_ver = 2;
                    region.peers.retain(|member| member.id != 13);
                });
                follow(history, &view, Action::Apply { region: CHILD, store }, &after);
                view = after;
            }
            view
        };
        let gone_on = change(&view, &mut history);
        assert_eq!(history.region(CHILD).metas.len(), 2, "store 3 has not split");
        let born = with(&gone_on, |view| split(view, 3));
        let mut other = history.clone();
        follow(&mut history, &gone_on, apply(3), &born);
        assert_eq!(epoch_comparable(&born, &history), Ok(()));
        let forged = with(&born, |view| peer_of(view, 3, CHILD).region.start = Key::from("n"));
        follow(&mut other, &gone_on, apply(3), &forged);
        assert!(epoch_comparable(&forged, &other).is_err(), "the same epoch with another range");
    }

    #[test]
    fn metas_that_all_have_left_behind_are_forgotten() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let mut view = three();
        for store in 1..=3 {
            let after = with(&view, |view| peer(view, store).region = voters(2, &[1, 2, 3, 4]));
            follow(&mut history, &view, Action::Apply { region: 1, store }, &after);
            view = after;
        }
        assert_eq!(history.region(1).metas, [voters(2, &[1, 2, 3, 4])]);
    }

    fn leader_with_changes_at(indexes: &[u64]) -> View {
        with(&three(), |view| {
            lead(view, 1, 6);
            for index in 6..=9 {
                append(view, 1, if indexes.contains(&index) { add_voter(6, 4) } else { empty(6) });
            }
            commit(view, 1, 7);
        })
    }

    #[test]
    fn a_leader_with_two_unapplied_changes() {
        let violation = single_change(&leader_with_changes_at(&[8, 9]), &History::default()).unwrap_err();
        assert!(violation.what.contains("conf changes at [8, 9]"), "{violation}");
    }

    #[test]
    fn a_leader_with_an_applied_and_an_unapplied_change() {
        assert_eq!(single_change(&leader_with_changes_at(&[7, 9]), &History::default()), Ok(()));
    }

    #[test]
    fn a_follower_may_have_two_unapplied_changes() {
        let view = with(&leader_with_changes_at(&[8, 9]), |view| step_down(view, 1));
        assert_eq!(single_change(&view, &History::default()), Ok(()));
    }

    #[test]
    fn two_voters_are_replaced_at_once() {
        let (after, history) = applied(voters(1, &[1, 2, 3]), voters(2, &[3, 4, 5]));
        let violation = single_change(&after, &history).unwrap_err();
        assert!(violation.what.contains("quorums need not intersect"), "{violation}");
    }

    #[test]
    fn one_voter_comes_or_goes() {
        for (from, to) in [(&[1, 2, 3][..], &[1, 2, 3, 4][..]), (&[1, 2], &[1]), (&[1], &[1, 2])] {
            let (after, history) = applied(voters(1, from), voters(2, to));
            assert_eq!(single_change(&after, &history), Ok(()));
        }
    }

    #[test]
    fn a_joint_configuration_leads_from_three_voters_to_three_others() {
        let member = |id, role| Member { id, store: id, role };
        let joint = Region {
            peers: (1..=3)
                .map(|id| member(id, MemberRole::DemotingVoter))
                .chain((4..=6).map(|id| member(id, MemberRole::IncomingVoter)))
                .collect(),
            ..voters(7, &[])
        };
        for (from, to) in [(voters(1, &[1, 2, 3]), joint.clone()), (joint, voters(13, &[4, 5, 6]))] {
            let (after, history) = applied(from, to);
            assert_eq!(single_change(&after, &history), Ok(()));
        }
    }
}
