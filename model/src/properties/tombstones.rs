//! How peers end, and which peers may follow them. After TiKV `apply.rs` `exec_change_peer`,
//! `fsm/store.rs` `check_msg`, `clear_meta_in_kv_and_raft`.

use rollcall_traces::{Cluster, Epoch, History, Log, Peer, PeerState, Role, StoreId};

use super::{Property, Violation, every_replica};

/// After a peer was destroyed, a new one is created only under a configuration of a higher conf_ver
/// that lists exactly that peer on that store (S7).
///
/// It is checked when a message creates the peer, against the sender's region, and again when a
/// snapshot initialises it, because until then it could still act as the removed one. The same peer
/// id may come back in this way, as in TinyKV's `TestBasicConfChange3B`. The store must remember
/// its tombstone's epoch across a peer that was never initialised: that was tikv#10533.
///
/// # Errors
/// A peer without such a configuration; latched by the history.
pub fn no_resurrection<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::NoResurrection.not_latched(history)
}

/// A removed peer leaves its tombstone and nothing else (S8).
///
/// The tombstone has no term, vote, log, index, data or role. Its region is the one that removed
/// the peer, of a higher conf_ver than the peer had; or the peer's last one, if a newer peer id
/// replaced it. Nothing is left for a peer that is yet to be initialised. An initialised peer lives
/// only while its own region lists it. No peer is replaced by one of another id without being
/// destroyed first (`TiKV apply.rs exec_batch_split` spares every peer but the child).
///
/// # Errors
/// Something that was left behind, or a tombstone that is missing or behind its removal.
pub fn clean_tombstone<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::CleanTombstone.not_latched(history)?;
    every_replica(cluster, |region, (store, peer)| {
        let wrong = match peer.state {
            PeerState::Tombstone => left_in_tombstone(peer),
            PeerState::Uninitialised => left_for_newcomer(peer),
            PeerState::Normal | PeerState::Merging => outlives_its_removal(store, peer),
        };
        let Some(wrong) = wrong else { return Ok(()) };
        let state = match peer.state {
            PeerState::Tombstone => "the tombstone of",
            PeerState::Uninitialised => "the uninitialised",
            PeerState::Normal | PeerState::Merging => "the",
        };
        let what = format!("{state} peer {} on store {store} {wrong}", peer.id);
        Err(Violation::new(Property::CleanTombstone, region, what))
    })
}

fn left_in_tombstone(peer: &Peer) -> Option<&'static str> {
    let volatile = peer.role != Role::Follower
        || peer.leader != 0
        || peer.campaign.is_some()
        || peer.leading.is_some()
        || peer.read.is_some()
        || peer.merge.is_some()
        || peer.snapshot.is_some();
    if volatile {
        return Some("still takes part");
    }
    if (peer.term, peer.vote) != (0, 0) {
        return Some("has a term or a vote");
    }
    if peer.region.epoch == Epoch::default() && peer.region.member(peer.id).is_none() {
        return Some("has an empty region, by which any removed peer could come back");
    }
    left_over(peer)
}

fn left_for_newcomer(peer: &Peer) -> Option<&'static str> {
    if peer.region.epoch != Epoch::default() {
        return Some("has a region");
    }
    left_over(peer)
}

fn left_over(peer: &Peer) -> Option<&'static str> {
    if peer.log != Log::default() {
        return Some("has a log");
    }
    if (peer.commit, peer.applied) != (0, 0) {
        return Some("has a commit or applied index");
    }
    (!peer.data.is_empty()).then_some("has data")
}

fn outlives_its_removal(store: StoreId, peer: &Peer) -> Option<&'static str> {
    let listed = peer.region.member_on(store).is_some_and(|member| member.id == peer.id);
    (!listed).then_some("lives, and its own region does not list it")
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, HistoryParts, Key, Member, MemberRole, Region, Reply, View};

    use super::super::{epoch_monotone, forge::*};
    use super::*;

    fn members(conf_ver: u64, peers: &[(u64, StoreId)]) -> Region {
        let voter = |&(id, store): &(u64, StoreId)| Member { id, store, role: MemberRole::Voter };
        Region {
            epoch: Epoch { conf_ver, version: 1 },
            peers: peers.iter().map(voter).collect(),
            ..three_voters()
        }
    }

    fn without_three() -> Region {
        members(2, &[(1, 1), (2, 2)])
    }

    const APPLY: Action = Action::Apply { region: 1, store: 3 };

    /// Peer 3 was removed from store 3 by epoch {2, 1}; store 1 has `knows`.
    fn removed(knows: Region) -> (View, History) {
        let before = with(&three(), |view| peer(view, 1).region = knows);
        let after = with(&before, |view| write_tombstone(view, 3, without_three()));
        let mut history = History::begin(HistoryParts::ALL, &before);
        follow(&mut history, &before, APPLY, &after);
        assert_eq!(clean_tombstone(&after, &history), Ok(()));
        (after, history)
    }

    /// A round from store 1 creates peer `id` on store 3.
    fn created_by(knows: Region, id: u64) -> (View, History) {
        let (before, mut history) = removed(knows);
        let after = with(&before, |view| create(view, 3, id));
        follow(&mut history, &before, replicate(1, 3, Reply::Delivered), &after);
        (after, history)
    }

    #[test]
    fn an_old_member_brings_the_removed_peer_back() {
        let (after, history) = created_by(three_voters(), 3);
        let violation = no_resurrection(&after, &history).unwrap_err();
        assert!(violation.what.contains("peer 3 was destroyed at epoch {conf_ver 2"), "{violation}");
    }

    #[test]
    fn a_configuration_that_lists_another_peer_brings_one() {
        let (after, history) = created_by(members(3, &[(1, 1), (2, 2), (4, 3)]), 3);
        assert!(no_resurrection(&after, &history).is_err());
    }

    #[test]
    fn the_same_peer_id_is_added_again() {
        let (after, history) = created_by(members(3, &[(1, 1), (2, 2), (3, 3)]), 3);
        assert_eq!(no_resurrection(&after, &history), Ok(()));
        assert_eq!(history.region(1).destroyed[&3].epoch.conf_ver, 2, "the tombstone is not forgotten");
    }

    #[test]
    fn a_new_peer_id_is_added_to_the_same_store() {
        let (after, history) = created_by(members(3, &[(1, 1), (2, 2), (4, 3)]), 4);
        assert_eq!(no_resurrection(&after, &history), Ok(()));
    }

    /// The snapshot was taken before the removal and arrived after the re-adding.
    #[test]
    fn the_peer_that_was_added_again_takes_the_place_of_the_removed_one() {
        let (before, mut history) = created_by(members(3, &[(1, 1), (2, 2), (3, 3)]), 3);
        let after = with(&before, |view| initialise(view, 3, three_voters()));
        follow(&mut history, &before, Action::ApplySnapshot { region: 1, store: 3 }, &after);
        assert!(no_resurrection(&after, &history).is_err());
    }

    /// tikv#10533: the peer in between was never initialised, so its tombstone is empty.
    #[test]
    fn the_removed_peer_comes_back_behind_one_that_was_never_initialised() {
        let (newer, mut history) = created_by(members(3, &[(1, 1), (2, 2), (4, 3)]), 4);
        let buried = with(&newer, |view| write_tombstone(view, 3, Region::unknown(1)));
        follow(&mut history, &newer, replicate(1, 3, Reply::Delivered), &buried);
        assert_eq!(no_resurrection(&buried, &history), Ok(()));
        let after = with(&buried, |view| create(view, 3, 3));
        let by_old = with(&buried, |view| peer(view, 2).region = three_voters());
        follow(&mut history, &by_old, replicate(2, 3, Reply::Delivered), &after);
        assert!(no_resurrection(&after, &history).is_err());
    }

    #[test]
    fn what_a_tombstone_must_not_have() {
        let (clean, history) = removed(without_three());
        type Forgery = fn(&mut Peer);
        let forgeries: [(&str, Forgery); 9] = [
            ("term or a vote", |peer| peer.term = 6),
            ("term or a vote", |peer| peer.vote = 1),
            ("a log", |peer| peer.log = log_from(5, 5)),
            ("commit or applied", |peer| peer.commit = 8),
            ("commit or applied", |peer| peer.applied = 8),
            ("has data", |peer| drop(peer.data.insert(Key::from("a"), Key::from("1")))),
            ("takes part", |peer| peer.leading = Some(Default::default())),
            ("takes part", |peer| peer.role = Role::Candidate),
            ("empty region", |peer| peer.region = Region::unknown(1)),
        ];
        for (expected, forge) in forgeries {
            let view = with(&clean, |view| forge(peer(view, 3)));
            let violation = clean_tombstone(&view, &history).unwrap_err();
            assert!(violation.what.contains(expected), "{violation}");
        }
    }

    #[test]
    fn the_tombstone_of_a_peer_that_was_never_initialised_lists_it() {
        let (before, mut history) = created_by(members(3, &[(1, 1), (2, 2), (4, 3)]), 4);
        let itself = Region {
            peers: vec![Member { id: 4, store: 3, role: MemberRole::Learner }],
            ..Region::unknown(1)
        };
        let after = with(&before, |view| write_tombstone(view, 3, itself));
        follow(&mut history, &before, replicate(1, 3, Reply::Delivered), &after);
        assert_eq!(clean_tombstone(&after, &history), Ok(()));
    }

    /// The seed's self-removal: destroyed before `conf_ver` is raised.
    #[test]
    fn a_tombstone_with_the_epoch_from_before_the_removal() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let after = with(&three(), |view| write_tombstone(view, 3, members(1, &[(1, 1), (2, 2)])));
        follow(&mut history, &three(), APPLY, &after);
        let violation = clean_tombstone(&after, &history).unwrap_err();
        assert!(violation.what.contains("has epoch {conf_ver 1"), "{violation}");
    }

    #[test]
    fn a_peer_that_a_newer_id_supersedes_keeps_its_last_region() {
        let superseded = with(&three(), |view| write_tombstone(view, 3, three_voters()));
        let mut by_message = History::begin(HistoryParts::ALL, &three());
        follow(&mut by_message, &three(), replicate(1, 3, Reply::Delivered), &superseded);
        assert_eq!(clean_tombstone(&superseded, &by_message), Ok(()));
        let mut by_removal = History::begin(HistoryParts::ALL, &three());
        follow(&mut by_removal, &three(), APPLY, &superseded);
        assert!(clean_tombstone(&superseded, &by_removal).is_err(), "a removal raises the epoch");
    }

    #[test]
    fn a_peer_that_disappears() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let after = with(&three(), |view| drop(view.stores.get_mut(&3).unwrap().peers.remove(&1)));
        follow(&mut history, &three(), APPLY, &after);
        let violation = clean_tombstone(&after, &history).unwrap_err();
        assert!(violation.what.contains("left no tombstone"), "{violation}");
    }

    #[test]
    fn a_store_that_is_destroyed_leaves_no_tombstone() {
        let mut history = History::begin(HistoryParts::ALL, &three());
        let after = with(&three(), |view| lose_disk(view, 3));
        follow(&mut history, &three(), Action::LoseDisk { store: 3 }, &after);
        assert_eq!(clean_tombstone(&after, &history), Ok(()));
    }

    #[test]
    fn a_newcomer_that_finds_an_applied_index() {
        let (clean, history) = created_by(members(3, &[(1, 1), (2, 2), (4, 3)]), 4);
        assert_eq!(clean_tombstone(&clean, &history), Ok(()));
        let view = with(&clean, |view| peer(view, 3).applied = 8);
        let violation = clean_tombstone(&view, &history).unwrap_err();
        assert!(violation.what.contains("the uninitialised peer 4"), "{violation}");
    }

    #[test]
    fn a_peer_whose_own_region_does_not_list_it() {
        let view = with(&three(), |view| peer(view, 3).region = without_three());
        let violation = clean_tombstone(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains("does not list it"), "{violation}");
    }

    /// Store 3 had the child by a snapshot, `then` it was removed. Now the store applies the split
    /// and shows the child's peer 13 with `born`.
    fn split_behind_a_removal(then: Option<Region>, born: Region) -> (View, History) {
        let before = with(&three(), |view| {
            commit_split(view);
            (1..=2).for_each(|store| split(view, store));
        });
        let mut history = History::begin(HistoryParts::ALL, &before);
        let mut view = before;
        if let Some(region) = then {
            let had = with(&view, |view| {
                let child = three_split().stores[&3].peers[&CHILD].clone();
                view.stores.get_mut(&3).unwrap().peers.insert(CHILD, child);
            });
            follow(&mut history, &view, Action::ApplySnapshot { region: CHILD, store: 3 }, &had);
            let removed = with(&had, |view| {
                let peer = peer_of(view, 3, CHILD);
                let (id, state) = (peer.id, PeerState::Tombstone);
                *peer = Peer { id, state, region, ..view_of_nothing() };
            });
            follow(&mut history, &had, Action::Apply { region: CHILD, store: 3 }, &removed);
            assert_eq!(clean_tombstone(&removed, &history), Ok(()));
            view = removed;
        }
        let after = with(&view, |view| {
            split(view, 3);
            peer_of(view, 3, CHILD).region = born;
        });
        follow(&mut history, &view, APPLY, &after);
        (after, history)
    }

    /// The tombstone of a forged peer, but for its region.
    fn view_of_nothing() -> Peer {
        let mut view = three();
        write_tombstone(&mut view, 3, three_voters());
        peer(&mut view, 3).clone()
    }

    /// The child with `peers` at `conf_ver`.
    fn child(conf_ver: u64, peers: &[(u64, StoreId)]) -> Region {
        let (_, child) = halves();
        Region { epoch: Epoch { conf_ver, ..child.epoch }, peers: members(conf_ver, peers).peers, ..child }
    }

    /// tikv#5852: the child's peer was removed before its store took the split.
    #[test]
    fn a_split_brings_the_removed_peer_back() {
        let gone = child(2, &[(11, 1), (12, 2)]);
        let (after, history) = split_behind_a_removal(Some(gone), halves().1);
        let violation = no_resurrection(&after, &history).unwrap_err();
        assert_eq!(violation.region, Some(CHILD));
        assert!(violation.what.contains("peer 13 was created on store 3"), "{violation}");
    }

    #[test]
    fn a_split_brings_a_peer_that_its_region_does_not_list() {
        let gone = child(2, &[(11, 1), (12, 2)]);
        let other = child(3, &[(11, 1), (12, 2), (14, 3)]);
        let (after, history) = split_behind_a_removal(Some(gone.clone()), other);
        assert!(no_resurrection(&after, &history).is_err());
        let listed = child(3, &[(11, 1), (12, 2), (13, 3)]);
        let (after, history) = split_behind_a_removal(Some(gone), listed);
        assert_eq!(no_resurrection(&after, &history), Ok(()), "a newer configuration lists it");
    }

    #[test]
    fn a_split_brings_a_peer_where_none_was() {
        let (after, history) = split_behind_a_removal(None, halves().1);
        assert_eq!(no_resurrection(&after, &history), Ok(()));
        assert_eq!(clean_tombstone(&after, &history), Ok(()));
        assert_eq!(epoch_monotone(&after, &history), Ok(()));
    }

    /// Store 3 applies the split; an uninitialised peer is in the child's place.
    fn split_over(id: u64) -> (View, History) {
        let (before, mut history) = split_beside(|view| {
            let newer = Peer {
                term: 6,
                leader: 1,
                ..Peer::blank(id, PeerState::Uninitialised, Region::unknown(CHILD))
            };
            store(view, 3).peers.insert(CHILD, newer);
        });
        let after = with(&before, |view| split(view, 3));
        follow(&mut history, &before, APPLY, &after);
        (after, history)
    }

    /// The split is committed, and no store has applied it.
    fn split_beside(change: impl FnOnce(&mut View)) -> (View, History) {
        let before = with(&three(), |view| {
            commit_split(view);
            change(view);
        });
        let history = History::begin(HistoryParts::ALL, &before);
        (before, history)
    }

    #[test]
    fn a_split_takes_the_place_of_a_peer_of_another_id() {
        for id in [9, 33] {
            let (after, history) = split_over(id);
            let violation = clean_tombstone(&after, &history).unwrap_err();
            assert!(
                violation.what.contains(&format!("peer {id} on store 3 was replaced by peer 13")),
                "{violation}"
            );
            assert_eq!(violation.region, Some(CHILD));
        }
    }

    #[test]
    fn a_split_takes_the_place_of_the_child_itself() {
        let (after, history) = split_over(13);
        assert_eq!(clean_tombstone(&after, &history), Ok(()));
    }

    /// A message for a newer peer destroys the present one and creates the newer one, in one step.
    #[test]
    fn a_newer_peer_takes_the_place_of_one_that_it_has_ended() {
        let replaced = |replaces_tombstone| {
            let before = with(&three(), |view| {
                peer(view, 1).region = members(3, &[(1, 1), (2, 2), (4, 3)]);
            });
            let after = with(&before, |view| {
                create(view, 3, 4);
                peer(view, 3).replaces_tombstone = replaces_tombstone;
                reindex(view);
            });
            let mut history = History::begin(HistoryParts::ALL, &before);
            follow(&mut history, &before, replicate(1, 3, Reply::Delivered), &after);
            clean_tombstone(&after, &history)
        };
        assert_eq!(replaced(true), Ok(()));
        assert!(replaced(false).unwrap_err().what.contains("peer 3 on store 3 was replaced by peer 4"));
    }
}
