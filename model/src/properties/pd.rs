//! What the placement driver believes, buries and plans. After PD
//! `checkStores`, `processRegionHeartbeat`, `OperatorController.AddOperator`.
//!
//! PD hears only of what a leader has applied and reports, so what it promises
//! it promises by what it knew. Left out: that an empty store is buried and a
//! region is repaired at last, which no single state shows; and unsafe
//! recovery, which may give a region its first epoch anew.

use rollcall_traces::{Cluster, Epoch, History, Peer, Region, RegionId, StoreId, StoreStatus};

use super::{Property, Violation, is_initialized};

/// A store that PD has made Tombstone is empty (S11), in the form that sound
/// rules can promise: no configuration of a region has a member on it up to the
/// newest one that PD knew at the burial, or has known since without one.
///
/// That is judged of what PD believes, and of the newest configuration that a
/// replica has applied. What is newer than PD knows is not judged: an
/// `AddLearner` that was ordered while the store was Up, or is applied and not
/// yet reported, may put a peer there afterwards. Nor is a region that PD does
/// not know, such as a part of a split of which only the other part has
/// reported: PD counts the regions that it knows, and does not look for gaps
/// between them. So a store can be Tombstone with a peer of such a part on it,
/// and no rule of PD is broken.
///
/// Where a disk is gone for good that a peer of the region was on, that peer may
/// have been the one that had applied and reported the newest configuration: then
/// an older one that is left proves nothing. Where the region was merged away, the tombstones of those who
/// applied that have the newest. A peer that is on the store still, and does not know yet
/// that it was removed, is no violation. A region that PD takes for recreated
/// begins anew, and what was promised of it before is void. Who gives up a store
/// by force says that it is gone, and not that it is empty: nothing is judged of it.
/// But nobody's record is thrown away while PD knows of a member there: it could
/// not judge that peer any more (pd#3664).
///
/// # Errors
/// A member on a Tombstone store, in PD's view or in a replica's; a record that
/// was thrown away too early, latched by the history.
pub fn tombstone_store_empty<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneStoreEmpty.not_latched(history)?;
    for store in cluster.departed().filter(|store| !history.abandoned().contains(store)) {
        let without = cluster.believed().filter(|meta| meta.member_on(store).is_none());
        let promised = without.map(|meta| (meta.id, meta.epoch.conf_ver)).chain(history.buried(store));
        for (region, up_to) in promised {
            let believed = || believed_on(cluster, store, region, up_to).map(|meta| ("PD believes in", meta));
            let applied = || {
                let meta = applied_on(cluster, history, store, region, up_to)?;
                Some(("applied is", meta))
            };
            if let Some((whose, meta)) = believed().or_else(applied) {
                let what = format!(
                    "store {store} is Tombstone and has no member up to conf_ver {up_to}, by what PD knew; \
                     {whose} {meta}"
                );
                return Err(Violation::new(Property::TombstoneStoreEmpty, region, what));
            }
        }
    }
    Ok(())
}

/// What PD believes of the region, if that is no newer than `up_to` and lists a
/// member on the store.
fn believed_on<C: Cluster>(cluster: &C, store: StoreId, region: RegionId, up_to: u64) -> Option<&Region> {
    let meta = cluster.believed().find(|meta| meta.id == region)?;
    (meta.epoch.conf_ver <= up_to && meta.member_on(store).is_some()).then_some(meta)
}

/// The newest configuration that a living replica has applied, under the same condition.
fn applied_on<'a, C: Cluster>(
    cluster: &'a C,
    history: &History,
    store: StoreId,
    region: RegionId,
    up_to: u64,
) -> Option<&'a Region> {
    let knows = |peer: &&Peer| is_initialized(peer) || peer.is_merged_away();
    let living = cluster.replicas(region).map(|(_, peer)| peer).filter(knows);
    let newest = living.map(|peer| &peer.region).max_by_key(|meta| meta.epoch.conf_ver)?;
    let conf_ver = newest.epoch.conf_ver;
    newest.member_on(store)?;
    let is_old = conf_ver == up_to || conf_ver < up_to && !a_peer_is_lost(cluster, history, region);
    is_old.then_some(newest)
}

/// Whether a peer of the region may have been on a disk that is gone for good:
/// PD, a replica, a tombstone or a configuration that a replica has yet to reach
/// lists one there. Who reported what PD believes is a member of that, and who
/// removes the reporter is a member of what the tombstone shows.
fn a_peer_is_lost<C: Cluster>(cluster: &C, history: &History, region: RegionId) -> bool {
    let gone = cluster.stores().filter(|(_, status)| *status == StoreStatus::DiskLost);
    let believed = || cluster.believed().filter(|meta| meta.id == region);
    let shown = || cluster.replicas(region).map(|(_, peer)| &peer.region);
    let remembered = || history.region(region).metas.iter();
    let mut gone = gone.map(|(store, _)| store);
    gone.any(|store| {
        let mut metas = believed().chain(shown()).chain(remembered());
        metas.any(|meta| meta.member_on(store).is_some())
    })
}

/// No plan takes a live voter, and with it the live majority of its region,
/// where there is one (S12): what PD alone can promise. `no_unsafe_removal` says what
/// it and the leaders promise together.
///
/// It is judged when an operator comes to be, by what PD knows then: a voter
/// lives if its store has a record that is neither Down nor physically
/// destroyed, and the leader says that it answers and waits for no snapshot. A
/// peer that the plan brings will live. Of a region that has no live majority
/// there is none to take. What happens while the plan is carried out is not
/// PD's doing.
///
/// # Errors
/// Such a plan; latched by the history.
pub fn no_unsafe_plan<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::NoUnsafePlan.not_latched(history)
}

/// An operator that is under way gives way to none but one of a higher
/// priority: what an administrator typed is above what the patrol made. One that
/// waited begins only for the region that it was made for (PD
/// `checkAddOperator`, at its turn once more).
///
/// That there is one a region says the type; what could be lost is the one that
/// was there (the seed of row 38 has two stores of one region leaving). And it is for
/// a region that PD knows: one that another has displaced takes its operator with it.
///
/// # Errors
/// An operator that was displaced, or one that began too late; latched by the history.
pub fn one_operator<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::OneOperator.not_latched(history)
}

/// A store that is Tombstone stays so until its record is gone (row 47), and so
/// does one of which somebody said that its disk is gone (row 44).
///
/// # Errors
/// A Tombstone that is Up or Offline again, or a destroyed store that is not;
/// latched by the history.
pub fn tombstone_absorbing<C: Cluster>(_: &C, history: &History) -> Result<(), Violation> {
    Property::TombstoneAbsorbing.not_latched(history)
}

/// PD believes nothing of a region that nobody has applied, and never less than
/// before.
///
/// Some replica or tombstone is, or was, as new as PD's epoch in both components:
/// a leader reports what it has applied, and whoever removes that leader has
/// applied as much. Where a disk is gone for good this is not judged of the
/// regions that may have had a peer on it, for that may have been the reporter.
/// And PD's epoch can be compared with that of every replica: the two are of one
/// line.
///
/// PD's epoch of a region does not go back as long as PD knows the region,
/// unless it was recreated, and neither does the term of the leader that it knows.
///
/// # Errors
/// An epoch that nobody has, one beside the line, or one that went back.
pub fn pd_view<C: Cluster>(cluster: &C, history: &History) -> Result<(), Violation> {
    Property::PdView.not_latched(history)?;
    for believed in cluster.believed() {
        let region = believed.id;
        let wrong = |what: String| Err(Violation::new(Property::PdView, region, what));
        let epoch = believed.epoch;
        let shown = cluster.faces(region).filter(|face| face.shows_epoch()).map(|face| face.extent.epoch);
        // A tombstone in whose place a peer has yet to be initialised.
        let hidden = history.region(region).destroyed.values().map(|destroyed| destroyed.epoch);
        let is_known = shown.chain(hidden).any(|shown| !shown.is_stale_against(&epoch));
        if !is_known && !a_peer_is_lost(cluster, history, region) {
            return wrong(format!("PD believes in epoch {epoch}, and nobody has applied as much"));
        }
        let beside = |other: &Epoch| epoch.is_stale_against(other) && other.is_stale_against(&epoch);
        let replicas = cluster.faces(region).filter(|face| face.is_initialized());
        if let Some(other) = replicas.map(|face| face.extent.epoch).find(beside) {
            let who = cluster.replicas(region).find(|(_, peer)| peer.region.epoch == other);
            let store = who.map_or(0, |(store, _)| store);
            return wrong(format!("PD believes in epoch {epoch}, store {store} has {other}, neither ahead"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{
        Action, HistoryParts, Key, Liveness, Member, MemberRole, Operator, OperatorStep, Purpose, Reply,
        Seat, StoreState, View,
    };

    use super::super::forge::*;
    use super::*;

    /// Four stores and PD; peer 3 was replaced by peer 4 at conf_ver 2, which
    /// store 1 has applied and reported.
    fn replaced() -> View {
        with(&governed(4), |view| {
            view.stores.get_mut(&4).unwrap().peers.clear();
            reindex(view);
            append(view, 1, empty(6));
            commit(view, 1, 6);
            peer(view, 1).region = without_three();
            believe(view, without_three());
            known(view, 3).state = StoreState::Offline;
        })
    }

    fn without_three() -> Region {
        let peers = [1, 2, 4].map(|id| Member { id, store: id, role: MemberRole::Voter });
        Region { epoch: Epoch { conf_ver: 2, version: 1 }, peers: peers.into(), ..three_voters() }
    }

    /// PD finds store 3 empty in `before`; then there is `after`.
    fn buried(before: &View, after: impl FnOnce(&mut View)) -> Result<(), Violation> {
        let tomb = with(before, |view| known(view, 3).state = StoreState::Tombstone);
        let mut history = History::begin(HistoryParts::ALL, before);
        follow(&mut history, before, Action::CheckStores, &tomb);
        let last = with(&tomb, after);
        follow(&mut history, &tomb, REPORT, &last);
        tombstone_store_empty(&last, &history)
    }

    const REPORT: Action = Action::RegionHeartbeat { region: 1, store: 1, reply: Reply::Delivered };

    #[test]
    fn a_store_that_is_buried_with_a_member() {
        let offline = with(&governed(4), |view| known(view, 3).state = StoreState::Offline);
        let violation = buried(&offline, |_| {}).unwrap_err();
        assert_eq!(violation.region, Some(1));
        assert!(
            violation.what.contains("store 3 is Tombstone and has no member up to conf_ver 1"),
            "{violation}"
        );
        assert!(violation.what.contains("PD believes in"), "{violation}");
        assert_eq!(buried(&replaced(), |_| {}), Ok(()));
    }

    #[test]
    fn a_member_that_pd_believes_in_after_the_burial() {
        let at = |conf_ver| {
            buried(&replaced(), |view| {
                believe(view, Region { epoch: Epoch { conf_ver, version: 2 }, ..three_voters() });
            })
        };
        assert!(at(2).is_err(), "a conf_ver that PD has known without it");
        assert!(at(1).is_err());
        assert_eq!(at(3), Ok(()), "a learner whose adding PD did not know of");
    }

    #[test]
    fn a_recreated_region_lists_the_store() {
        let recreated = |end: &str| {
            let meta = Region { end: Key::from(end), ..three_voters() };
            buried(&replaced(), |view| believe(view, meta))
        };
        assert_eq!(recreated("m"), Ok(()));
        assert!(recreated("").is_err(), "every key: the first region of a cluster, come late");
        let first = with(&governed(4), |view| {
            believe(view, Region { end: Key::from("m"), ..three_voters() });
            known(view, 3).state = StoreState::Offline;
        });
        assert!(buried(&first, |_| {}).is_err(), "it is what PD knew at the burial");
    }

    #[test]
    fn a_member_in_what_is_applied() {
        let violation = buried(&replaced(), |view| peer(view, 1).region = three_voters()).unwrap_err();
        assert!(violation.what.contains("applied is"), "{violation}");
        let same = Region { epoch: without_three().epoch, ..three_voters() };
        assert!(buried(&replaced(), |view| peer(view, 2).region = same).is_err());
        let newer = Region { epoch: Epoch { conf_ver: 3, version: 1 }, ..three_voters() };
        assert_eq!(buried(&replaced(), |view| peer(view, 2).region = newer), Ok(()));
        assert!(buried(&replaced(), |view| write_tombstone(view, 1, three_voters())).is_err());
    }

    /// Stores 2 and 3 have yet to apply what store 1 had, and its disk is gone.
    #[test]
    fn the_only_one_that_had_applied_the_removal_is_gone() {
        assert_eq!(buried(&replaced(), |view| lose_disk(view, 1)), Ok(()));
        let same = Region { epoch: without_three().epoch, ..three_voters() };
        let forged = buried(&replaced(), |view| {
            lose_disk(view, 1);
            peer(view, 2).region = same;
        });
        assert!(forged.is_err(), "of one conf_ver there is one configuration");
    }

    /// Nobody shows that the removal was applied, and the disk that is gone is
    /// one that the region never had a peer on.
    #[test]
    fn a_member_that_is_left_while_another_disk_is_lost() {
        let of_five = |view: &mut View| {
            view.stores.insert(5, Default::default());
            peer(view, 1).region = three_voters();
            lose_disk(view, 5);
        };
        let violation = buried(&replaced(), of_five).unwrap_err();
        assert!(violation.what.contains("applied is"), "{violation}");
        let of_the_region = |view: &mut View| {
            of_five(view);
            lose_disk(view, 4);
        };
        assert_eq!(buried(&replaced(), of_the_region), Ok(()), "peer 4 may have applied it");
    }

    #[test]
    fn a_region_that_pd_did_not_know_at_the_burial() {
        let judged = buried(&replaced(), |view| {
            split_off(view);
            let (_, child) = halves();
            view.pd.regions.insert(CHILD, believed(child));
        });
        assert_eq!(judged, Ok(()));
        let known_before = with(&replaced(), |view| {
            let (_, child) = halves();
            view.pd.regions.insert(CHILD, believed(child));
        });
        assert_eq!(buried(&known_before, split_off).unwrap_err().region, Some(CHILD));
    }

    /// Every store has the child, with a member on store 3.
    fn split_off(view: &mut View) {
        let split = three_split();
        for (store, had) in split.stores {
            let child = had.peers[&CHILD].clone();
            view.stores.get_mut(&store).unwrap().peers.insert(CHILD, child);
        }
    }

    #[test]
    fn a_store_that_is_offline_may_have_members() {
        let mut history = History::begin(HistoryParts::ALL, &replaced());
        let back = with(&replaced(), |view| believe(view, three_voters()));
        follow(&mut history, &replaced(), REPORT, &back);
        assert_eq!(tombstone_store_empty(&back, &history), Ok(()));
    }

    /// What the step from `before` to `after` violates.
    fn after_step(action: Action, before: &View, after: &View) -> Vec<Property> {
        let mut history = History::begin(HistoryParts::ALL, before);
        follow(&mut history, before, action, after);
        let violated = |property: &Property| property.check(after, &history).is_err();
        Property::ALL.iter().copied().filter(violated).collect()
    }

    fn operator(purpose: Purpose, step: OperatorStep) -> Operator {
        Operator { purpose, epoch: three_voters().epoch, steps: vec![step], done: 0 }
    }

    #[test]
    fn a_plan_that_takes_the_majority() {
        let silent = with(&governed(3), |view| known(view, 3).liveness = Liveness::Down);
        let plan = |before: &View, peer| {
            let remove = OperatorStep::RemovePeer(Seat { store: peer, peer });
            let after = with(before, |view| {
                view.pd.operators.insert(1, operator(Purpose::AdminRemovePeer, remove));
            });
            after_step(Action::CheckStores, before, &after)
        };
        assert_eq!(plan(&silent, 2), [Property::NoUnsafePlan]);
        assert_eq!(plan(&silent, 3), []);
        assert_eq!(plan(&governed(3), 2), []);
    }

    #[test]
    fn an_operator_that_is_displaced() {
        let transfer = |to, purpose| {
            with(&governed(3), |view| {
                let step = OperatorStep::TransferLeader { to };
                view.pd.operators.insert(1, operator(purpose, step));
            })
        };
        let patrol = transfer(2, Purpose::LeaveJoint);
        let other = transfer(3, Purpose::LeaveJoint);
        let admin = transfer(3, Purpose::AdminTransferLeader);
        let action = Action::Schedule { region: 1, reply: Reply::Dropped };
        assert_eq!(after_step(action.clone(), &patrol, &other), [Property::OneOperator]);
        assert_eq!(after_step(action, &patrol, &admin), []);
    }

    #[test]
    fn a_tombstone_that_rises() {
        let tomb = with(&replaced(), |view| known(view, 3).state = StoreState::Tombstone);
        let up = with(&tomb, |view| known(view, 3).state = StoreState::Up);
        let gone = with(&tomb, |view| view.pd.stores.retain(|store, _| *store != 3));
        let action = Action::CancelDecommission { store: 3 };
        assert_eq!(after_step(action.clone(), &tomb, &up), [Property::TombstoneAbsorbing]);
        assert_eq!(after_step(action, &tomb, &gone), []);
    }

    #[test]
    fn a_destroyed_store_that_comes_back() {
        let gone = with(&replaced(), |view| known(view, 3).physically_destroyed = true);
        let action = Action::CancelDecommission { store: 3 };
        assert_eq!(after_step(action.clone(), &gone, &replaced()), [Property::TombstoneAbsorbing]);
        let forced = Action::Decommission { store: 3, force: true };
        assert_eq!(after_step(forced, &replaced(), &gone), []);
    }

    #[test]
    fn a_record_that_is_removed_too_early() {
        let removal = |before: &View| {
            let tomb = with(before, |view| known(view, 3).state = StoreState::Tombstone);
            let removed = with(&tomb, |view| view.pd.stores.retain(|store, _| *store != 3));
            after_step(Action::RemoveTombstone { store: 3 }, &tomb, &removed)
        };
        assert_eq!(removal(&governed(3)), [Property::TombstoneStoreEmpty], "region 1 lists peer 3");
        assert_eq!(removal(&replaced()), []);
    }

    #[test]
    fn a_belief_that_goes_back() {
        let back = with(&replaced(), |view| believe(view, three_voters()));
        assert_eq!(after_step(REPORT, &replaced(), &back), [Property::PdView]);
        assert_eq!(after_step(REPORT, &back, &replaced()), []);
    }

    /// The same members and range, reported by who led in an older term.
    #[test]
    fn a_leader_of_an_older_term_that_is_believed() {
        let led = |leader, term| {
            with(&governed(3), |view| {
                let known = view.pd.regions.get_mut(&1).expect("PD knows it");
                (known.leader, known.term) = (leader, term);
            })
        };
        assert_eq!(after_step(REPORT, &led(2, 7), &led(1, 6)), [Property::PdView]);
        assert_eq!(after_step(REPORT, &led(1, 6), &led(2, 7)), []);
        assert_eq!(after_step(Action::PdRestart, &led(2, 7), &led(0, 0)), [], "it knows of none");
        assert_eq!(after_step(REPORT, &led(0, 0), &led(1, 6)), [], "and takes the first that reports");
    }

    /// A region goes, and its operator with it, or not.
    #[test]
    fn an_operator_that_outlives_its_region() {
        let has = |region: bool, operators: bool| {
            with(&governed(3), |view| {
                let step = OperatorStep::TransferLeader { to: 2 };
                view.pd.operators.insert(1, operator(Purpose::LeaveJoint, step));
                view.pd.regions.retain(|_, _| region);
                view.pd.operators.retain(|_, _| operators);
            })
        };
        assert_eq!(after_step(REPORT, &has(true, true), &has(false, true)), [Property::OneOperator]);
        assert_eq!(after_step(REPORT, &has(true, true), &has(false, false)), []);
        assert_eq!(after_step(REPORT, &has(true, false), &has(true, true)), []);
    }

    fn judged(view: &View) -> Result<(), Violation> {
        pd_view(view, &History::begin(HistoryParts::ALL, view))
    }

    #[test]
    fn a_belief_in_what_nobody_has_applied() {
        let at = |conf_ver, version| Region { epoch: Epoch { conf_ver, version }, ..three_voters() };
        for ahead in [at(2, 1), at(1, 2)] {
            let view = with(&governed(3), |view| believe(view, ahead));
            assert!(judged(&view).unwrap_err().what.contains("nobody has applied"));
            let lost = with(&view, |view| lose_disk(view, 3));
            assert_eq!(judged(&lost), Ok(()), "store 3 may have had it");
        }
        assert_eq!(judged(&governed(3)), Ok(()));
        assert_eq!(judged(&replaced()), Ok(()), "store 1 has");
        let by_tombstone = with(&replaced(), |view| {
            peer(view, 1).region = three_voters();
            write_tombstone(view, 3, without_three());
        });
        assert_eq!(judged(&by_tombstone), Ok(()), "the one that was removed has");
        let unknown = with(&governed(3), |view| {
            view.pd.regions.insert(CHILD, believed(halves().1));
        });
        assert_eq!(judged(&unknown).unwrap_err().region, Some(CHILD));
    }

    /// Four stores, of which the last never had a peer of region 1 by what
    /// anybody shows; PD is ahead, and then that disk is gone.
    #[test]
    fn a_belief_ahead_while_a_disk_is_lost() {
        let ahead = |view: &mut View| {
            believe(view, Region { epoch: Epoch { conf_ver: 3, version: 1 }, ..three_voters() });
        };
        let elsewhere = with(&governed(4), |view| {
            view.stores.get_mut(&4).unwrap().peers.clear();
            reindex(view);
            ahead(view);
            lose_disk(view, 4);
        });
        assert!(judged(&elsewhere).unwrap_err().what.contains("nobody has applied"));

        let with_four = Region { epoch: Epoch { conf_ver: 2, version: 1 }, ..without_three() };
        let by_pd = with(&elsewhere, |view| believe(view, with_four.clone()));
        assert_eq!(judged(&by_pd), Ok(()), "PD lists a peer there");
        let by_replica = with(&elsewhere, |view| peer(view, 1).region = with_four.clone());
        assert_eq!(judged(&by_replica), Ok(()), "a replica lists a peer there");
        let by_tombstone = with(&elsewhere, |view| write_tombstone(view, 3, with_four.clone()));
        assert_eq!(judged(&by_tombstone), Ok(()), "whoever removed the reporter may have been there");

        // Only store 4 had applied the configuration that brought it there.
        let had = with(&governed(4), |view| {
            peer(view, 4).region = with_four.clone();
            ahead(view);
        });
        let history = History::begin(HistoryParts::ALL, &had);
        assert!(pd_view(&had, &history).is_err(), "it is there, and has applied less");
        let gone = with(&had, |view| lose_disk(view, 4));
        let mut after = history.clone();
        follow(&mut after, &had, Action::LoseDisk { store: 4 }, &gone);
        assert_eq!(pd_view(&gone, &after), Ok(()), "the history lists a peer there");
        assert!(judged(&gone).is_err(), "nothing does");
    }

    /// Peer 3 reported, was removed by what its tombstone shows, and comes again.
    #[test]
    fn a_belief_that_a_hidden_tombstone_shows() {
        let removed = with(&replaced(), |view| {
            peer(view, 1).region = three_voters();
            write_tombstone(view, 3, without_three());
        });
        let history = History::begin(HistoryParts::ALL, &removed);
        let again = with(&removed, |view| create(view, 3, 13));
        let mut after = history.clone();
        follow(&mut after, &removed, replicate(1, 3, Reply::Delivered), &again);
        let belief = |history: &History| pd_view(&again, history);
        assert_eq!(belief(&after), Ok(()));
        let nobody = History::begin(HistoryParts::ALL, &again);
        assert!(belief(&nobody).unwrap_err().what.contains("nobody has applied"));
    }

    #[test]
    fn a_belief_beside_what_is_applied() {
        let view = with(&replaced(), |view| peer(view, 2).region.epoch.version = 2);
        let violation = judged(&view).unwrap_err();
        assert!(violation.what.contains("store 2 has {conf_ver 1, version 2}, neither ahead"), "{violation}");
        let behind = with(&replaced(), |view| peer(view, 2).region = without_three());
        assert_eq!(judged(&behind), Ok(()));
    }
}
