//! What each property still promises where an administrator gave up a store by
//! force. Of every property a forgery, which is a violation where nobody was
//! given up, is tried on a store that is left and on the one that was given up.
//! Most bind those who are left and nobody else; some, of the placement driver's
//! own conduct, bind as before; what the lost disk may have disproved binds nobody.

use rollcall_traces::{
    Action, Epoch, History, HistoryParts, Key, Liveness, Member, MemberRole, Operator, OperatorStep, Outcome,
    Purpose, Read, Region, Reply, Returned, Seat, StoreId, StoreState, StoreStatus, View,
};

use super::Property;
use super::forge::*;

/// Store 3 was given up; stores 1 and 2 are left, a majority of region 1.
const GONE: StoreId = 3;
const LEFT: StoreId = 2;

/// Three stores with a placement driver, and what is remembered of them.
struct Run {
    view: View,
    history: History,
}

impl Run {
    /// Nobody was given up.
    fn begun() -> Self {
        let view = governed(3);
        let history = History::begin(HistoryParts::ALL, &view);
        Self { view, history }
    }

    /// Store 3 was.
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

    /// Five voters, of whom nobody was given up.
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

    /// Three of five stores are given up, the third among them, and a peer that is left
    /// leads by force, in a term of its own.
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

/// A few steps, the last of which is a violation on the store that is named.
type Forgery = fn(&mut Run, StoreId);

/// On whom a promise is binding after the recovery.
#[derive(Clone, Copy, Debug)]
enum Binds {
    WhoIsLeft,
    Everybody,
    Nobody,
}

/// What is tried of each property, with who is bound. There is none without.
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
        assert!(!forgeries(property).is_empty(), "{property} is not tried");
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

fn second_leader(run: &mut Run, on: StoreId) {
    run.then(on, |view| lead(view, 1, 6));
    run.then(on, |view| lead(view, on, 6));
}

fn other_entry_of_the_term(run: &mut Run, on: StoreId) {
    run.then(on, |view| append(view, 1, put(6, "a", "1")));
    run.then(on, |view| append(view, on, put(6, "a", "2")));
}

fn leader_without_the_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| lead(view, on, 7));
}

fn other_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| write(view, on, put(7, "a", "2")));
}

fn other_data(run: &mut Run, on: StoreId) {
    run.then(on, |view| write(view, 1, put(6, "a", "1")));
    run.then(on, |view| write(view, on, put(6, "b", "1")));
}

fn epoch_back(run: &mut Run, on: StoreId) {
    run.then(on, |view| peer(view, on).region.epoch.version = 3);
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

fn epoch_beside(run: &mut Run, on: StoreId) {
    run.then(on, |view| peer(view, 1).region.epoch.conf_ver = 2);
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

fn two_changes(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        lead(view, on, 6);
        append(view, on, add_voter(6, 4));
        append(view, on, add_voter(6, 5));
    });
}

/// Region 1 as its newest configuration is without the member on `store`.
fn without(store: StoreId) -> Region {
    let mut region = three_voters();
    region.peers.retain(|member: &Member| member.store != store);
    region.epoch.conf_ver = 2;
    region
}

fn resurrection(run: &mut Run, on: StoreId) {
    run.then(on, |view| write_tombstone(view, on, without(on)));
    run.then(on, |view| {
        create(view, on, on);
        reindex(view);
    });
}

fn tombstone_with_a_commit(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        write_tombstone(view, on, three_voters());
        peer(view, on).commit = 5;
    });
}

fn child_beside_the_whole(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.then(on, |view| {
        split(view, on);
        peer(view, on).region.end = Key::empty();
        reindex(view);
    });
}

fn hole(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        peer(view, on).region = halves().0;
        reindex(view);
    });
}

fn range_kept_beyond_the_split(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.by(apply(1), |view| split(view, 1));
    run.then(on, |view| peer(view, on).region.epoch.version = 3);
}

fn child_of_another_epoch(run: &mut Run, on: StoreId) {
    run.then(on, commit_split);
    run.by(apply(on), |view| {
        split(view, on);
        peer_of(view, on, CHILD).region.epoch.version = 3;
    });
}

fn empty_index(run: &mut Run, on: StoreId) {
    run.then(on, |view| store(view, on).ranges.clear());
}

/// For the peer that is there.
fn pending_for_nothing(run: &mut Run, on: StoreId) {
    run.then(on, |view| store(view, on).pending_messages.push(vote_request(1, on)));
}

/// A majority of the region has the write, and its leader has said so.
fn acknowledged(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        lead(view, 1, 6);
        write(view, 1, put(6, "a", "1"));
    });
}

fn write_not_shown(run: &mut Run, on: StoreId) {
    acknowledged(run, on);
    run.then(on, |view| {
        write(view, on, put(6, "a", "1"));
        peer(view, on).data.clear();
    });
}

/// The peer is asked for the key, which a client knows to be 1, and answers.
fn read(run: &mut Run, on: StoreId, value: Option<Key>) {
    let key = || Key::from("a");
    acknowledged(run, on);
    run.by(Action::Read { region: 1, store: on, key: key() }, |view| {
        peer(view, on).read = Some(Read { key: key(), index: 5, acks: [on].into(), ready: true });
    });
    let returned = Returned::Value { key: key(), value, region: three_voters() };
    let reply = Action::AnswerRead { region: 1, store: on };
    run.returning(&Outcome::Done(returned), reply, |view| peer(view, on).read = None);
}

/// It answers what it holds, which is nothing yet.
fn stale_read(run: &mut Run, on: StoreId) {
    read(run, on, None);
}

fn wrong_answer(run: &mut Run, on: StoreId) {
    read(run, on, Some(Key::from("1")));
}

fn buried_with_a_member(run: &mut Run, on: StoreId) {
    run.by(Action::CheckStores, |view| known(view, on).state = StoreState::Tombstone);
}

/// PD knows of a configuration without the store, and buries it; `applied` is
/// the configuration of those who are left.
fn buried_as_empty(run: &mut Run, on: StoreId, applied: Region) {
    run.then(on, |view| {
        believe(view, without(on));
        known(view, on).state = StoreState::Tombstone;
        peer(view, 1).region = applied;
    });
}

fn member_in_what_pd_knew_empty(run: &mut Run, on: StoreId) {
    buried_as_empty(run, on, Region { epoch: without(on).epoch, ..three_voters() });
}

fn member_in_what_is_older(run: &mut Run, on: StoreId) {
    buried_as_empty(run, on, three_voters());
}

/// Region 1 lists a peer there.
fn record_thrown_away(run: &mut Run, on: StoreId) {
    run.by(Action::RemoveTombstone { store: on }, |view| forget(view, on));
}

fn forget(view: &mut View, store: StoreId) {
    view.pd.stores.remove(&store);
}

fn plan(view: &mut View, purpose: Purpose, step: OperatorStep) {
    let operator = Operator { purpose, epoch: three_voters().epoch, steps: vec![step], done: 0 };
    view.pd.operators.insert(1, operator);
}

fn remove_peer(view: &mut View, on: StoreId) {
    plan(view, Purpose::AdminRemovePeer, OperatorStep::RemovePeer(Seat { store: on, peer: on }));
}

/// Of the other two stores only the first runs, and the leader removes its peer.
fn removal_beside_a_store_that_is_down(run: &mut Run, on: StoreId) {
    let other = LEFT + GONE - on;
    run.by(Action::Crash { store: other }, |view| store(view, other).status = StoreStatus::Down);
    run.then(1, |view| lead(view, 1, 6));
    run.then(1, |view| append(view, 1, removal(6, on)));
}

/// Of the other two stores only the first answers.
fn removal_beside_a_silent_store(run: &mut Run, on: StoreId) {
    let other = LEFT + GONE - on;
    run.by(Action::MissedHeartbeat { store: other }, |view| known(view, other).liveness = Liveness::Down);
    run.by(Action::CheckStores, |view| remove_peer(view, on));
}

fn displaced_operator(run: &mut Run, on: StoreId) {
    let schedule = || Action::Schedule { region: 1, reply: Reply::Dropped };
    for to in [on, 1] {
        let step = OperatorStep::TransferLeader { to };
        run.by(schedule(), |view| plan(view, Purpose::EvictLeader, step));
    }
}

fn risen_tombstone(run: &mut Run, on: StoreId) {
    run.by(Action::CheckStores, |view| known(view, on).state = StoreState::Tombstone);
    run.by(Action::CancelDecommission { store: on }, |view| known(view, on).state = StoreState::Up);
}

fn returned_disk(run: &mut Run, on: StoreId) {
    let destroyed = |is| move |view: &mut View| known(view, on).physically_destroyed = is;
    run.by(Action::Decommission { store: on, force: true }, destroyed(true));
    run.by(Action::CancelDecommission { store: on }, destroyed(false));
}

fn replica_beside_the_belief(run: &mut Run, on: StoreId) {
    run.then(on, |view| {
        peer(view, 1).region.epoch.conf_ver = 2;
        let newest = peer(view, 1).region.clone();
        believe(view, newest);
    });
    run.then(on, |view| peer(view, on).region.epoch.version = 2);
}

fn reported(run: &mut Run, on: StoreId, conf_ver: u64) {
    let report = Action::RegionHeartbeat { region: 1, store: on, reply: Reply::Delivered };
    let epoch = Epoch { conf_ver, version: 1 };
    run.by(report, |view| believe(view, Region { epoch, ..three_voters() }));
}

fn belief_in_what_nobody_has(run: &mut Run, on: StoreId) {
    reported(run, on, 2);
}

fn belief_gone_back(run: &mut Run, on: StoreId) {
    reported(run, on, 2);
    reported(run, on, 1);
}

/// What only the others knew to be committed is lost, and no property says
/// otherwise; what those who are left knew is kept.
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

/// So is a write that somebody who is left had applied: it is written over in the
/// first case and in no other.
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

/// It had not applied it yet, and a client was told by the store that is lost.
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

/// The lost store had applied a later write of the key, which goes with it; who is
/// left shows the one before, that it has discarded from its log, and must keep it.
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

/// Of the store that was given up PD says that it is gone, and not that it is
/// empty; its record stays, it never serves again, and its peers may be removed.
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
