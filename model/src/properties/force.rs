//! What each property still promises where an administrator gave up a store by
//! force: the same forgery is a violation among the stores that are left, and
//! none beside the one that was given up.

use rollcall_traces::{Action, Answer, History, HistoryParts, Key, StoreId, StoreState, View};

use super::Property;
use super::forge::*;

/// Store 3 was given up; stores 1 and 2 are left, a majority of region 1.
const GONE: StoreId = 3;
const LEFT: StoreId = 2;

type Forge = fn(&mut View, StoreId);

/// A forgery: two steps after the recovery, on the store that is named, beside store 1.
struct Case {
    property: Property,
    first: Forge,
    then: Forge,
}

fn case(property: Property, first: Forge, then: Forge) -> Case {
    Case { property, first, then }
}

fn nothing(_: &mut View, _: StoreId) {}

fn given_up() -> (View, History) {
    let before = governed(3);
    let after = with(&before, |view| {
        let known = known(view, GONE);
        (known.state, known.physically_destroyed) = (StoreState::Tombstone, true);
    });
    let mut history = History::begin(HistoryParts::ALL, &before);
    follow(&mut history, &before, Action::UnsafeRecover { stores: vec![GONE] }, &after);
    assert_eq!(history.abandoned().iter().copied().collect::<Vec<_>>(), [GONE]);
    (after, history)
}

fn violated(case: &Case, on: StoreId) -> bool {
    let (mut view, mut history) = given_up();
    for change in [case.first, case.then] {
        let after = with(&view, |view| change(view, on));
        follow(&mut history, &view, replicate(1, LEFT, Answer::Given), &after);
        view = after;
    }
    case.property.check(&view, &history).is_err()
}

/// A majority of the region has the write, and its leader has said so.
fn acknowledged(view: &mut View, on: StoreId) {
    lead(view, 1, 6);
    write(view, 1, put(6, "a", "1"));
    write(view, LEFT, put(6, "a", "1"));
    if on == GONE {
        write(view, GONE, put(6, "a", "1"));
    }
}

#[test]
fn a_promise_holds_among_who_is_left_and_binds_nobody_who_was_given_up() {
    let cases = [
        case(Property::ElectionSafety, |view, _| lead(view, 1, 6), |view, on| lead(view, on, 6)),
        case(
            Property::LogMatching,
            |view, _| append(view, 1, put(6, "a", "1")),
            |view, on| append(view, on, put(6, "a", "2")),
        ),
        case(
            Property::LeaderCompleteness,
            |view, _| write(view, 1, put(6, "a", "1")),
            |view, on| lead(view, on, 7),
        ),
        case(
            Property::StateMachineSafety,
            |view, _| write(view, 1, put(6, "a", "1")),
            |view, on| write(view, on, put(7, "a", "2")),
        ),
        case(
            Property::AppliedAgreement,
            |view, _| write(view, 1, put(6, "a", "1")),
            |view, on| write(view, on, put(6, "b", "1")),
        ),
        case(
            Property::EpochMonotone,
            |view, on| peer(view, on).region.epoch.version = 3,
            |view, on| peer(view, on).region.epoch.version = 2,
        ),
        case(
            Property::EpochComparable,
            |view, _| peer(view, 1).region.epoch.conf_ver = 2,
            |view, on| peer(view, on).region.epoch.version = 2,
        ),
        case(Property::SingleChange, nothing, |view, on| {
            lead(view, on, 6);
            append(view, on, add_voter(6, 4));
            append(view, on, add_voter(6, 5));
        }),
        case(Property::CleanTombstone, nothing, |view, on| {
            bury(view, on, three_voters());
            peer(view, on).commit = 5;
        }),
        case(
            Property::NoResurrection,
            |view, on| {
                let mut without = three_voters();
                without.peers.retain(|member| member.store != on);
                without.epoch.conf_ver = 2;
                bury(view, on, without);
            },
            |view, on| {
                create(view, on, on);
                reindex(view);
            },
        ),
        case(
            Property::RangeDisjoint,
            |view, _| commit_split(view),
            |view, on| {
                split(view, on);
                peer(view, on).region.end = Key::empty();
                reindex(view);
            },
        ),
        case(Property::MetaConsistent, nothing, |view, on| {
            view.stores.get_mut(&on).expect("a forged store").ranges.clear();
        }),
        case(Property::NoLostWrite, acknowledged, |view, on| peer(view, on).data.clear()),
    ];
    for case in &cases {
        assert!(violated(case, LEFT), "{} on a store that is left", case.property);
        assert!(!violated(case, GONE), "{} on the store that was given up", case.property);
    }
}

/// What only the others knew to be committed is lost, and no property says
/// otherwise; what those who are left knew is kept.
#[test]
fn a_commit_that_only_the_lost_store_knew() {
    let known_to = |store| {
        let before = governed(3);
        let written = with(&before, |view| write(view, store, put(6, "a", "1")));
        let mut history = History::begin(HistoryParts::ALL, &before);
        follow(&mut history, &before, replicate(1, LEFT, Answer::Given), &written);
        // A leader by force is in a term of its own.
        let led = with(&written, |view| lead(view, LEFT, 7));
        follow(&mut history, &written, Action::UnsafeRecover { stores: vec![GONE] }, &led);
        Property::LeaderCompleteness.check(&led, &history)
    };
    assert_eq!(known_to(GONE), Ok(()));
    assert!(known_to(1).is_err());
}

/// Of the store that was given up PD says that it is gone, and not that it is
/// empty; its record stays, and it never serves again.
#[test]
fn the_record_of_who_was_given_up() {
    let (view, history) = given_up();
    let after = |action, change: fn(&mut View)| {
        let (mut history, after) = (history.clone(), with(&view, change));
        follow(&mut history, &view, action, &after);
        let violated = |property: &Property| property.check(&after, &history).is_err();
        Property::ALL.iter().copied().filter(violated).collect::<Vec<_>>()
    };
    assert_eq!(after(Action::CheckStores, |_| {}), [], "region 1 lists peer 3");
    let other = |view: &mut View| known(view, LEFT).state = StoreState::Tombstone;
    assert_eq!(after(Action::CheckStores, other), [Property::TombstoneStoreEmpty]);
    let back = |view: &mut View| known(view, GONE).state = StoreState::Up;
    assert_eq!(after(Action::CancelDecommission { store: GONE }, back), [Property::TombstoneAbsorbing]);
    let forgotten = |view: &mut View| view.pd.stores.retain(|store, _| *store != GONE);
    assert_eq!(after(Action::RemoveTombstone { store: GONE }, forgotten), [Property::TombstoneStoreEmpty]);
}
