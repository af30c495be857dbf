//! What each property still promises after an administrator gave up a store by force. Each forgery
//! is a violation if no store was given up. It is forged on a remaining store and on the given-up
//! one. Most properties bind the remaining stores only. Some, about the placement driver's own
//! conduct, bind as before. What the lost disk may have disproved binds no store.

mod forgeries;

use rollcall_traces::{
    Action, History, HistoryParts, Key, Member, MemberRole, Outcome, Region, Reply, StoreId, StoreState, View,
};

use super::Property;
use super::forge::*;
use forgeries::*;

/// Store 3 was given up; stores 1 and 2 are left, a majority of region 1.
const GONE: StoreId = 3;
const LEFT: StoreId = 2;

/// Three stores with a placement driver, and what is remembered of them.
struct Run {
    view: View,
    history: History,
}

impl Run {
    /// No store was given up.
    fn begun() -> Self {
        let view = governed(3);
        let history = History::begin(HistoryParts::ALL, &view);
        Self { view, history }
    }

    /// Store 3 was given up.
    fn given_up() -> Self {
        let mut run = Self::begun();
        run.gives_up();
        assert_eq!(run.history.abandoned().iter().copied().collect::<Vec<_>>(), [GONE]);
        assert_eq!(run.history.buried(GONE).count(), 0, "who is given up is not said to be empty");
        run
    }

    fn gives_up(&mut self) {
        self.by(Action::RemoveFailedStores { stores: vec![GONE] }, |view| {
            let known = known(view, GONE);
            (known.state, known.physically_destroyed) = (StoreState::Tombstone, true);
        });
    }

    /// Five voters; no store was given up.
    fn of_five() -> Self {
        let voter = |id| Member { id, store: id, role: MemberRole::Voter };
        let region = Region { peers: (1..=5).map(voter).collect(), ..three_voters() };
        let view = with(&governed(5), |view| {
            (1..=5).for_each(|store| peer(view, store).region = region.clone());
            believe(view, region.clone());
        });
        let history = History::begin(HistoryParts::ALL, &view);
        Self { view, history }
    }

    /// Three of five stores, store 3 included, are given up. A remaining peer leads by force, in a
    /// new term.
    fn led_by_force(&mut self, on: StoreId, change: impl FnOnce(&mut View)) {
        let lost: Vec<StoreId> = (GONE..=5).collect();
        self.by(Action::RemoveFailedStores { stores: lost.clone() }, |view| {
            for store in GONE..=5 {
                let known = known(view, store);
                (known.state, known.physically_destroyed) = (StoreState::Tombstone, true);
            }
        });
        self.then(on, |view| {
            lead(view, on, 7);
            peer(view, on).failed_stores = lost.into_iter().collect();
            change(view);
        });
    }

    fn by(&mut self, action: Action, change: impl FnOnce(&mut View)) {
        self.returning(&Outcome::DONE, action, change);
    }

    fn returning(&mut self, outcome: &Outcome, action: Action, change: impl FnOnce(&mut View)) {
        let after = with(&self.view, change);
        self.history.fold(&self.view, &action, outcome, &after);
        self.view = after;
    }

    /// By a step that touches every store that matters here.
    fn then(&mut self, on: StoreId, change: impl FnOnce(&mut View)) {
        self.by(replicate(1, on, Reply::Delivered), change);
    }

    fn violated(&self) -> Vec<Property> {
        let is_violated = |property: &Property| property.check(&self.view, &self.history).is_err();
        Property::ALL.iter().copied().filter(is_violated).collect()
    }
}

/// Some steps; the last one is a violation on the given store.
type Forgery = fn(&mut Run, StoreId);

/// For which stores a promise holds after the recovery.
#[derive(Clone, Copy, Debug)]
enum Binds {
    WhoIsLeft,
    Everybody,
    Nobody,
}

/// The forgeries of each property, with the stores that are judged. Every property has one.
fn forgeries(of: Property) -> &'static [(Binds, Forgery)] {
    use Binds::{Everybody, Nobody, WhoIsLeft};
    match of {
        Property::ElectionSafety => &[(WhoIsLeft, second_leader)],
        Property::LogMatching => &[(WhoIsLeft, other_entry_of_the_term)],
        Property::LeaderCompleteness => &[(WhoIsLeft, leader_without_the_commit)],
        Property::StateMachineSafety => &[(WhoIsLeft, other_commit)],
        Property::AppliedAgreement => &[(WhoIsLeft, other_data)],
        Property::EpochMonotone => &[(WhoIsLeft, epoch_back)],
        Property::EpochComparable => &[(WhoIsLeft, epoch_beside)],
        Property::SingleChange => &[(WhoIsLeft, two_changes)],
        Property::NoResurrection => &[(WhoIsLeft, resurrection)],
        Property::CleanTombstone => &[(WhoIsLeft, tombstone_with_a_commit)],
        Property::RangeDisjoint => &[(WhoIsLeft, child_beside_the_whole)],
        // The disk may have had a newer range of any region.
        Property::RangeCover => &[(Nobody, hole), (Nobody, range_kept_beyond_the_split)],
        Property::SplitLineage => &[(WhoIsLeft, child_of_another_epoch)],
        Property::MetaConsistent => &[(WhoIsLeft, empty_index), (WhoIsLeft, pending_for_nothing)],
        Property::ReadSafety => &[(WhoIsLeft, stale_read), (WhoIsLeft, wrong_answer)],
        Property::NoLostWrite => &[(WhoIsLeft, write_not_shown)],
        Property::TombstoneStoreEmpty => &[
            (WhoIsLeft, buried_with_a_member),
            (WhoIsLeft, member_in_what_pd_knew_empty),
            // The disk may have had what PD believes.
            (Nobody, member_in_what_is_older),
            (Everybody, record_thrown_away),
        ],
        Property::NoUnsafeRemoval => &[(WhoIsLeft, removal_beside_a_store_that_is_down)],
        Property::NoUnsafePlan => &[(WhoIsLeft, removal_beside_a_silent_store)],
        Property::OneOperator => &[(Everybody, displaced_operator)],
        Property::TombstoneAbsorbing => &[(Everybody, risen_tombstone), (Everybody, returned_disk)],
        Property::PdView => &[
            (WhoIsLeft, replica_beside_the_belief),
            (Nobody, belief_in_what_nobody_has),
            (Everybody, belief_gone_back),
        ],
    }
}

#[test]
fn a_promise_binds_after_the_recovery_whom_it_says() {
    for &property in Property::ALL {
        assert!(!forgeries(property).is_empty(), "{property} has no forgery");
        for (at, &(binds, forgery)) in forgeries(property).iter().enumerate() {
            let violated = |mut run: Run, on| {
                forgery(&mut run, on);
                run.violated().contains(&property)
            };
            assert!(violated(Run::begun(), GONE), "{property}, {at}: nobody was given up");
            let (left, gone) = (violated(Run::given_up(), LEFT), violated(Run::given_up(), GONE));
            let due = match binds {
                Binds::WhoIsLeft => (true, false),
                Binds::Everybody => (true, true),
                Binds::Nobody => (false, false),
            };
            assert_eq!((left, gone), due, "{property}, {at}: on who is left, on who was given up");
        }
    }
}

/// A commit that only the lost stores knew is lost, and no property forbids that. What the
/// remaining stores knew is kept.
#[test]
fn a_commit_that_only_the_lost_store_knew() {
    let known_to = |store| {
        let mut run = Run::of_five();
        run.then(LEFT, |view| write(view, store, put(6, "a", "1")));
        run.led_by_force(LEFT, |_| {});
        Property::LeaderCompleteness.check(&run.view, &run.history)
    };
    assert_eq!(known_to(GONE), Ok(()));
    assert!(known_to(1).is_err());
}

/// The same for a write that a remaining store had applied: it may be overwritten only in the first
/// case.
#[test]
fn a_write_that_only_the_lost_store_had_applied() {
    let written_over = |applied_on| {
        let mut run = Run::of_five();
        run.then(applied_on, |view| {
            lead(view, applied_on, 6);
            write(view, applied_on, put(6, "a", "1"));
        });
        run.led_by_force(LEFT, |view| write(view, LEFT, put(7, "a", "2")));
        Property::NoLostWrite.check(&run.view, &run.history)
    };
    let violation = written_over(1).unwrap_err();
    assert!(violation.what.contains("store 2 has applied index 6 and shows Some(2)"), "{violation}");
    assert_eq!(written_over(GONE), Ok(()));
}

/// The remaining store had not applied it yet; the client had its response from the lost store.
#[test]
fn a_write_that_who_is_left_knew_to_be_committed() {
    let led_without = |commit| {
        let mut run = Run::of_five();
        run.then(GONE, |view| {
            lead(view, GONE, 6);
            write(view, GONE, put(6, "a", "1"));
        });
        run.then(1, |view| {
            append(view, 1, put(6, "a", "1"));
            peer(view, 1).commit = commit;
        });
        run.led_by_force(LEFT, |_| {});
        Property::NoLostWrite.check(&run.view, &run.history)
    };
    assert!(led_without(6).unwrap_err().what.contains("the leader of term 7 on store 2"));
    assert_eq!(led_without(5), Ok(()));
}

/// The lost store had applied a later write of the key, which is lost with it. The remaining store
/// shows the earlier write, which its log has discarded, and must keep it.
#[test]
fn a_write_that_who_is_left_has_discarded() {
    let recovered = |change: fn(&mut View)| {
        let mut run = Run::of_five();
        run.then(1, |view| {
            let peer = peer(view, 1);
            (peer.log, peer.commit, peer.applied) = (log_from(6, 6), 6, 6);
            peer.data.insert(Key::from("a"), Key::from("1"));
        });
        run.then(GONE, |view| {
            lead(view, GONE, 6);
            write(view, GONE, put(6, "a", "1"));
            write(view, GONE, put(6, "a", "2"));
        });
        run.led_by_force(1, change);
        Property::NoLostWrite.check(&run.view, &run.history)
    };
    assert_eq!(recovered(|_| {}), Ok(()));
    assert_eq!(recovered(|view| write(view, 1, put(7, "a", "3"))), Ok(()));
    assert!(recovered(|view| peer(view, 1).data.clear()).is_err());
}

/// PD declares the given-up store lost, not empty. Its record stays, it never serves again, and its
/// peers may be removed.
#[test]
fn the_record_of_who_was_given_up() {
    let after = |action, change: fn(&mut View)| {
        let mut run = Run::given_up();
        run.by(action, change);
        run.violated()
    };
    assert_eq!(after(Action::CheckStores, |_| {}), [], "region 1 lists peer 3");
    let other = |view: &mut View| known(view, LEFT).state = StoreState::Tombstone;
    assert_eq!(after(Action::CheckStores, other), [Property::TombstoneStoreEmpty]);
    let back = |view: &mut View| known(view, GONE).state = StoreState::Up;
    assert_eq!(after(Action::CancelDecommission { store: GONE }, back), [Property::TombstoneAbsorbing]);
    let forgotten = |view: &mut View| forget(view, GONE);
    assert_eq!(after(Action::RemoveTombstone { store: GONE }, forgotten), [Property::TombstoneStoreEmpty]);
    assert_eq!(after(Action::CheckStores, |view| remove_peer(view, GONE)), []);
    assert_eq!(after(Action::CheckStores, |view| remove_peer(view, LEFT)), [Property::NoUnsafePlan]);
}
