use rollcall_model::{Guard, ModelSubject};
use rollcall_traces::{
    Held, LogPosition, Message, Peer, PeerState, Reason, Role, Snapshot, Store, StoreStatus,
};

use super::*;

fn scope() -> Scope {
    Scope::builder("two_voters")
        .stores([1, 2])
        .region(1, [(101, 1), (102, 2)])
        .elections(1)
        .build()
        .expect("sound")
}

/// The model with one part forged.
#[derive(Clone)]
struct Forged {
    model: ModelSubject,
    part: Part,
}

impl Forged {
    fn new(part: Part) -> Self {
        Self { model: ModelSubject::new(GuardSet::ALL, &[]), part }
    }
}

impl Subject for Forged {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.model.reset(scope)
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        match (self.part, self.model.apply(action)) {
            (Part::Reason, Outcome::Refused(_)) => Outcome::Refused(Reason::JointState),
            (Part::Returned, Outcome::Done(_)) => {
                Outcome::Done(rollcall_traces::Returned::Entered(rollcall_traces::RecoveryStage::Failed))
            }
            (_, outcome) => outcome,
        }
    }

    fn view(&self) -> View {
        let mut view = self.model.view();
        forge(self.part, &mut view);
        view
    }
}

/// Changes that part and no other.
fn forge(part: Part, view: &mut View) {
    if part == Part::Delayed {
        let nobody = rollcall_traces::Member { id: 7, store: 7, role: rollcall_traces::MemberRole::Voter };
        view.held.push(Held {
            region: 1,
            from: nobody,
            to: nobody,
            term: 1,
            epoch: Default::default(),
            range: Default::default(),
            message: Message::TimeoutNow,
        });
    }
    if part == Part::PlacementDriver {
        view.pd.next_id += 1;
    }
    let store = view.stores.get_mut(&1).expect("store 1 is there");
    forge_store(part, store);
    forge_peer(part, store.peers.get_mut(&1).expect("it has a peer"));
}

fn forge_store(part: Part, store: &mut Store) {
    match part {
        Part::StoreStatus => store.status = StoreStatus::Down,
        Part::Peers => {
            let other = store.peers[&1].clone();
            store.peers.insert(2, other);
        }
        Part::Ranges => store.ranges.clear(),
        _ => {}
    }
}

fn forge_peer(part: Part, peer: &mut Peer) {
    match part {
        Part::Role => {
            peer.role = if peer.role == Role::Leader { Role::Follower } else { Role::Leader };
        }
        Part::Term => peer.term += 1,
        Part::Vote => peer.vote += 1,
        Part::Leader => peer.leader += 1,
        Part::Log => peer.log.truncated.term += 1,
        Part::Commit => peer.commit += 1,
        Part::Applied => peer.applied += 1,
        Part::Region => peer.region.epoch.version += 1,
        Part::Data => drop(peer.data.insert("k".into(), "v".into())),
        Part::Campaign => {
            let mut campaign = peer.campaign.take().unwrap_or_default();
            campaign.commit.index += 1;
            peer.campaign = Some(campaign);
        }
        Part::Progress => {
            let mut leading = peer.leading.take().unwrap_or_default();
            leading.pending_conf_index += 9;
            peer.leading = Some(leading);
        }
        Part::Snapshot => {
            let (position, region) = (LogPosition { index: 9, term: 9 }, peer.region.clone());
            peer.snapshot = Some(Snapshot { position, region, data: Default::default() });
        }
        Part::Merge => peer.state = PeerState::Merging,
        Part::Origin => peer.log_since = Some(Default::default()),
        Part::Recovery => drop(peer.failed_stores.insert(9)),
        _ => {}
    }
}

/// The parts that one region without a placement driver can forge.
fn forgeable() -> impl Iterator<Item = Part> {
    let cannot = [Part::Read, Part::PendingMessages];
    Part::ALL.into_iter().filter(move |part| !cannot.contains(part))
}

#[test]
fn a_wrong_part_diverges_unless_it_is_left_out() {
    for part in forgeable() {
        let check = |projection| Conform::new(scope()).compare(projection).run(|| Forged::new(part));
        let error = check(Projection::everything()).expect_err("the part is wrong");
        assert!(error.divergence().is_some(), "{part}: {error}");
        let agrees = check(Projection::everything().without([part]));
        agrees.unwrap_or_else(|error| panic!("without {part}: {error}"));
        let error = check(Projection::only([Part::Peers, part])).expect_err("the part is wrong");
        assert!(error.to_string().contains("compared: "), "{error}");
    }
}

#[test]
fn clones_and_fresh_starts_find_the_same() {
    let make = || ModelSubject::new(GuardSet::ALL, &[]);
    let (cloned, anew) = (Conform::new(scope()).run(make), Conform::new(scope()).run_anew(make));
    let (cloned, anew) = (cloned.expect("it agrees"), anew.expect("it agrees"));
    let counts = |report: &Report| (report.states, report.transitions, report.refusals);
    assert_eq!(counts(&cloned), counts(&anew));
    assert!(cloned.steps <= anew.steps && cloned.refusals > 0, "{cloned}\n{anew}");
    let blind = Conform::new(scope()).without_refusals().threads(2).run(make).expect("it agrees");
    assert_eq!((blind.transitions, blind.refusals), (cloned.transitions, 0));
}

#[test]
fn a_lacking_guard_diverges_unless_the_rules_lack_it_too() {
    let scope = rollcall_model::scopes::named("two_voters_to_one_smoke").expect("there is one").scope;
    let lacking = || GuardSet::without(Guard::LeaderNotRemoved);
    let check = Conform::new(scope);
    let error = check.run(|| ModelSubject::new(lacking(), &[])).expect_err("it lacks a guard");
    assert!(error.divergence().is_some(), "{error}");
    check.guards(lacking()).run(|| ModelSubject::new(lacking(), &[])).expect("the rules lack it too");
}

/// Panics at the first campaign.
#[derive(Clone)]
struct Panics(ModelSubject);

impl Subject for Panics {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.0.reset(scope)
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        assert!(!matches!(action, Action::Campaign { .. }), "elections are not implemented");
        self.0.apply(action)
    }

    fn view(&self) -> View {
        self.0.view()
    }
}

#[test]
fn a_panic_is_a_divergence_with_its_message() {
    let made = || Panics(ModelSubject::new(GuardSet::ALL, &[]));
    let error = Conform::new(scope()).run(made).expect_err("it panics");
    let divergence = error.divergence().expect("a divergence");
    assert_eq!(divergence.step, 1, "{divergence}");
    assert!(error.to_string().contains("elections are not implemented"), "{error}");
}

#[test]
fn a_scope_that_is_too_large_is_not_half_checked() {
    let check = Conform::new(scope()).most_states(3);
    let error = check.run(|| ModelSubject::new(GuardSet::ALL, &[])).expect_err("it is larger");
    assert!(matches!(error, ConformError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("most_states"), "{error}");
}

#[test]
fn a_subject_that_cannot_begin_is_an_error() {
    let mut broken = scope();
    broken.regions[0].peers[0].store = 9;
    let error = Conform::new(broken).run(|| ModelSubject::new(GuardSet::ALL, &[])).expect_err("no store 9");
    assert!(matches!(error, ConformError::Scope(_)), "{error}");
}
