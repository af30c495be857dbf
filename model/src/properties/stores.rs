//! What a store keeps about its peers as a whole. After TiKV `StoreMeta`
//! (`regions`, `region_ranges`, `pending_msgs`), and `fsm/peer.rs`
//! `on_ready_split_region`, `on_ready_persist_snapshot`, `destroy_peer`.

use rollcall_traces::{
    Cluster, History, Key, Member, Peer, PeerId, PeerState, RangeEntry, RegionId, StoreId, StoreStatus,
};

use super::{Few, Property, Violation, every_replica, is_initialized};

/// A store's shared metadata agrees with each of its peers (S9).
///
/// - Its range index, in key order, has the range of every initialised peer and no
///   others, neither of tombstones nor of uninitialised peers. The index of a stopped
///   store is the one that it will restart with.
/// - Its pending ranges are those of the snapshots that its peers have received but not
///   applied. With one too many, a peer that needs the range waits for nothing. With one
///   too few, two snapshots take one range.
/// - Every key that a peer holds lies in the peer's range.
/// - A message is pending only where its region has no live peer, one at most
///   for a peer, and on no store that is down.
/// - A region lists a peer id once and a store once, and no peer id belongs to
///   two regions. (Within one region an id may move to another store: TinyKV's
///   `TestBasicConfChange3B` adds peer 4 on store 2 that was removed from store
///   4, and a slow replica still has it there.)
///
/// # Errors
/// The first disagreement.
pub fn meta_consistent<C: Cluster>(cluster: &C, _: &History) -> Result<(), Violation> {
    let regions = Few::of(cluster.regions());
    for (store, status) in cluster.stores() {
        index_agrees(cluster, &regions, store)?;
        pending_agrees(cluster, &regions, store)?;
        pending_messages_agree(cluster, store, status)?;
    }
    every_replica(cluster, |region, (store, peer)| match stray_key(peer) {
        Some(key) => Err(wrong(region, format!("store {store} holds {key}, and has {}", peer.region))),
        None => Ok(()),
    })?;
    ids_agree(cluster)
}

fn wrong(region: RegionId, what: String) -> Violation {
    Violation::new(Property::MetaConsistent, region, what)
}

fn index_agrees<C: Cluster>(cluster: &C, regions: &Few<RegionId>, store: StoreId) -> Result<(), Violation> {
    let mut entries = 0;
    let mut last: Option<RangeEntry> = None;
    for entry in cluster.ranges(store) {
        let RangeEntry { start, end, region } = &entry;
        let peer = cluster.peer(store, *region).filter(|peer| is_initialized(peer));
        if peer.is_none_or(|peer| (&peer.region.start, &peer.region.end) != (start, end)) {
            let has = peer.map_or("no initialised peer".into(), |peer| peer.region.to_string());
            let what = format!("the index of store {store} has [{start}, {end}) for it, the store has {has}");
            return Err(wrong(*region, what));
        }
        if last.is_some_and(|last| (&last.start, last.region) >= (start, *region)) {
            return Err(wrong(*region, format!("the index of store {store} is not in key order at it")));
        }
        last = Some(entry);
        entries += 1;
    }
    let initialised = |region: &RegionId| cluster.peer(store, *region).is_some_and(is_initialized);
    if regions.iter().filter(initialised).count() == entries {
        return Ok(());
    }
    // Each entry has its own peer, so some peer has no entry.
    let indexed = |region: &RegionId| cluster.ranges(store).any(|entry| entry.region == *region);
    let missing = regions.iter().find(|region| initialised(region) && !indexed(region)).unwrap_or_default();
    Err(wrong(missing, format!("the index of store {store} does not have its range")))
}

fn pending_agrees<C: Cluster>(cluster: &C, regions: &Few<RegionId>, store: StoreId) -> Result<(), Violation> {
    let mut waiting = cluster.pending_ranges(store);
    for region in regions.iter() {
        let Some(needed) = cluster.peer(store, region).and_then(RangeEntry::pending) else { continue };
        match waiting.next() {
            Some(entry) if entry == needed => {}
            Some(entry) if entry.region < needed.region => return Err(needless(store, &entry)),
            _ => {
                let RangeEntry { start, end, .. } = needed;
                let what = format!("store {store} keeps no [{start}, {end}) free for its snapshot");
                return Err(wrong(region, what));
            }
        }
    }
    waiting.next().map_or(Ok(()), |entry| Err(needless(store, &entry)))
}

fn needless(store: StoreId, RangeEntry { start, end, region }: &RangeEntry) -> Violation {
    wrong(*region, format!("store {store} keeps [{start}, {end}) free for a snapshot that it does not have"))
}

fn pending_messages_agree<C: Cluster>(
    cluster: &C,
    store: StoreId,
    status: StoreStatus,
) -> Result<(), Violation> {
    let pending_messages = cluster.pending_messages(store);
    for (at, message) in pending_messages.iter().enumerate() {
        let live = cluster.peer(store, message.region).filter(|peer| peer.state != PeerState::Tombstone);
        let twice = pending_messages[..at]
            .iter()
            .any(|other| (other.region, other.to.id) == (message.region, message.to.id));
        let fault = match live {
            _ if status != StoreStatus::Up => format!("which is {status}"),
            Some(peer) => format!("which has peer {} of it", peer.id),
            None if twice => "where one for the same peer is pending already".into(),
            None => continue,
        };
        return Err(wrong(message.region, format!("\"{message}\" is pending on store {store}, {fault}")));
    }
    Ok(())
}

/// A key that the peer holds outside its range: the first or the last, if any.
fn stray_key(peer: &Peer) -> Option<&Key> {
    let ends = [peer.data.first_key_value(), peer.data.last_key_value()];
    ends.into_iter().flatten().map(|(key, _)| key).find(|key| !peer.region.contains(key))
}

/// The peer ids of a region: of its live peers and of the members that these list.
fn ids_of<C: Cluster>(cluster: &C, region: RegionId) -> impl Iterator<Item = PeerId> + '_ {
    let live = cluster.replicas(region).filter(|(_, peer)| peer.state != PeerState::Tombstone);
    live.flat_map(|(_, peer)| peer.region.peers.iter().map(|member| member.id).chain([peer.id]))
}

fn ids_agree<C: Cluster>(cluster: &C) -> Result<(), Violation> {
    every_replica(cluster, |region, (store, peer)| {
        let members = &peer.region.peers;
        let twice = |(at, member): (usize, &Member)| {
            members[..at].iter().any(|other| other.id == member.id || other.store == member.store)
        };
        if members.iter().enumerate().any(twice) {
            let what = format!("store {store} has {}, with a peer id or a store twice", peer.region);
            return Err(wrong(region, what));
        }
        Ok(())
    })?;
    let regions = Few::of(cluster.regions());
    if certainly_disjoint(cluster, &regions) {
        return Ok(());
    }
    for (one, other) in regions.pairs() {
        let shared = ids_of(cluster, one).find(|id| ids_of(cluster, other).any(|taken| taken == *id));
        if let Some(id) = shared {
            return Err(wrong(one, format!("peer id {id} is a peer's of region {other} too")));
        }
    }
    Ok(())
}

/// Whether no two regions share a peer id, decided in one pass with a bit for each small id. False
/// if an id is too large.
fn certainly_disjoint<C: Cluster>(cluster: &C, regions: &Few<RegionId>) -> bool {
    let mut taken: u128 = 0;
    regions.iter().all(|region| {
        let bit = |id: PeerId| u32::try_from(id).ok().and_then(|id| 1_u128.checked_shl(id));
        let own = ids_of(cluster, region).try_fold(0, |own, id| Some(own | bit(id)?));
        own.is_some_and(|own| {
            let disjoint = own & taken == 0;
            taken |= own;
            disjoint
        })
    })
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{LogPosition, MemberRole, Region, Snapshot, View};

    use super::super::forge::*;
    use super::*;

    /// `change` breaks the view of `three_split`, and `words` describe the fault.
    fn caught(change: impl FnOnce(&mut View), words: &str) {
        let view = with(&three_split(), change);
        let violation = meta_consistent(&view, &History::default()).unwrap_err();
        assert!(violation.what.contains(words), "{violation}");
    }

    fn fine(change: impl FnOnce(&mut View)) {
        assert_eq!(meta_consistent(&with(&three_split(), change), &History::default()), Ok(()));
    }

    #[test]
    fn an_index_that_says_what_the_peers_say() {
        fine(|_| {});
        fine(|view| store(view, 2).status = StoreStatus::Down);
        fine(|view| lose_disk(view, 2));
        fine(|view| *view = three());
    }

    /// The range from before the split or the snapshot is still there.
    #[test]
    fn an_index_that_was_not_brought_up_to_date() {
        caught(|view| store(view, 1).ranges[0].end = Key::from("z"), "has [\"\", z) for it");
        caught(|view| store(view, 1).ranges[0].end = Key::empty(), "the store has region 1");
    }

    #[test]
    fn a_range_that_nobody_on_the_store_has() {
        caught(|view| drop(store(view, 1).peers.remove(&CHILD)), "no initialised peer");
        for state in [PeerState::Uninitialised, PeerState::Tombstone] {
            caught(|view| peer_of(view, 1, CHILD).state = state, "no initialised peer");
        }
        caught(
            |view| {
                lose_disk(view, 1);
                store(view, 1).ranges = three().stores[&1].ranges.clone();
            },
            "no initialised peer",
        );
    }

    #[test]
    fn a_tombstone_and_a_peer_that_is_not_initialised_have_no_range() {
        for state in [PeerState::Uninitialised, PeerState::Tombstone] {
            fine(|view| {
                let peer = peer_of(view, 1, CHILD);
                (peer.state, peer.data) = (state, Default::default());
                reindex(view);
            });
        }
    }

    #[test]
    fn a_range_that_the_index_lacks() {
        caught(|view| drop(store(view, 3).ranges.pop()), "the index of store 3 does not have its range");
        caught(|view| store(view, 3).ranges.clear(), "does not have its range");
    }

    #[test]
    fn an_index_out_of_order_or_with_a_range_twice() {
        caught(|view| store(view, 2).ranges.swap(0, 1), "not in key order");
        caught(
            |view| {
                let first = store(view, 2).ranges[0].clone();
                store(view, 2).ranges[1] = first;
            },
            "not in key order",
        );
    }

    /// Store 3 has the child uninitialised, and its snapshot.
    fn received(view: &mut View) {
        let child = peer_of(view, 1, CHILD).clone();
        let snapshot = Snapshot {
            position: LogPosition { index: child.applied, term: child.term },
            region: child.region,
            data: child.data,
        };
        let peer = peer_of(view, 3, CHILD);
        *peer = Peer {
            snapshot: Some(snapshot),
            ..Peer::blank(peer.id, PeerState::Uninitialised, Region::unknown(CHILD))
        };
        reindex(view);
    }

    #[test]
    fn a_range_that_waits_for_its_snapshot() {
        fine(received);
        caught(
            |view| {
                received(view);
                store(view, 3).pending_ranges.clear();
            },
            "store 3 keeps no [m, ",
        );
        caught(
            |view| {
                received(view);
                store(view, 3).pending_ranges[0].start = Key::from("n");
            },
            "keeps no [m, ",
        );
    }

    /// The snapshot was applied, or its peer was replaced, but the range is still reserved.
    #[test]
    fn a_range_that_waits_for_nothing() {
        let words = "free for a snapshot that it does not have";
        for of in [1, CHILD, 20] {
            let entry = RangeEntry { start: Key::from("m"), end: Key::empty(), region: of };
            caught(|view| store(view, 3).pending_ranges.push(entry.clone()), words);
            if of != CHILD {
                caught(
                    |view| {
                        received(view);
                        store(view, 3).pending_ranges.push(entry);
                        store(view, 3).pending_ranges.sort_by_key(|entry| entry.region);
                    },
                    words,
                );
            }
        }
    }

    #[test]
    fn a_key_that_lies_outside() {
        let put = |view: &mut View, region, key: &str| {
            drop(peer_of(view, 1, region).data.insert(Key::from(key), Key::from("1")));
        };
        for (region, key) in [(1, "m"), (1, "z"), (CHILD, "a")] {
            caught(|view| put(view, region, key), "store 1 holds");
        }
        fine(|view| {
            put(view, 1, "a");
            put(view, CHILD, "m");
            put(view, CHILD, "z");
        });
    }

    /// Small ids are distinguished by bits, large ones by comparison.
    #[test]
    fn a_peer_id_that_two_regions_have() {
        for id in [2, 12, 1000] {
            caught(
                |view| {
                    for store in 1..=3 {
                        peer(view, store).region.peers[1].id = id;
                        peer_of(view, store, CHILD).region.peers[1].id = id;
                    }
                },
                &format!("peer id {id} is a peer's of region 10 too"),
            );
        }
        // An uninitialised peer lists no member, but has an id.
        caught(
            |view| {
                let peer = peer_of(view, 3, CHILD);
                (peer.state, peer.id, peer.region) = (PeerState::Uninitialised, 3, Region::unknown(CHILD));
                reindex(view);
            },
            "peer id 3 is a peer's of region 10 too",
        );
        fine(|view| {
            for store in 1..=3 {
                peer_of(view, store, CHILD).region.peers[1].id = 1000;
            }
        });
    }

    /// What a tombstone lists is no claim.
    #[test]
    fn a_peer_id_that_only_a_tombstone_has() {
        fine(|view| {
            let peer = peer_of(view, 3, CHILD);
            (peer.state, peer.id) = (PeerState::Tombstone, 3);
            reindex(view);
        });
    }

    #[test]
    fn a_region_that_lists_an_id_or_a_store_twice() {
        let member = |id, store| Member { id, store, role: MemberRole::Learner };
        caught(|view| peer(view, 1).region.peers.push(member(2, 4)), "twice");
        caught(|view| peer(view, 1).region.peers.push(member(4, 2)), "twice");
        fine(|view| peer(view, 1).region.peers.push(member(4, 4)));
    }

    /// Store 3 is slow, and a message for its child waits.
    fn pending_messages(view: &mut View) {
        let slow = three().stores[&3].clone();
        view.stores.insert(3, slow);
        store(view, 3).pending_messages.push(vote_request(CHILD, 13));
    }

    #[test]
    fn a_message_that_waits_for_a_peer() {
        fine(pending_messages);
        fine(|view| {
            pending_messages(view);
            store(view, 3).pending_messages.push(vote_request(CHILD, 14));
            store(view, 3).pending_messages.push(vote_request(20, 13));
        });
    }

    #[test]
    fn a_message_that_waits_for_nothing() {
        caught(
            |view| {
                pending_messages(view);
                split(view, 3);
            },
            "which has peer 13 of it",
        );
        caught(
            |view| {
                pending_messages(view);
                store(view, 3).pending_messages.push(vote_request(CHILD, 13));
            },
            "pending already",
        );
        caught(
            |view| {
                pending_messages(view);
                store(view, 3).status = StoreStatus::Down;
            },
            "which is down",
        );
    }
}
