//! The museum on a subject: which guards another Raft library has.
//!
//! An exhibit's trace shows the rules without its guard. The model takes it once with the guard and
//! once without, in the subject's dialect, and the subject takes it too. All three agree up to the
//! step that the guard decides. There the subject agrees with one of the two.

use rollcall_impl::Decider;
use rollcall_model::{Dialect, GuardSet, ModelSubject};
use rollcall_traces::{Difference, Outcome, Subject, Trace, View, differences};

use super::needs::{lacking, needs};
use super::run::{SubjectWorld, caught, shown};
use super::{Fault, Link, world};
use crate::judge::Judge;
use crate::museum::Piece;

/// The result of an exhibit on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// At the step that the guard decides, it does what the rules with the guard do.
    HasIt {
        /// The step.
        step: u64,
    },
    /// It follows the rules without the guard.
    Lacks {
        /// The step that the guard would have decided.
        step: u64,
        /// What is violated, and after which step.
        violated: Option<(String, u64)>,
    },
    /// It differs from both, which says nothing about the guard.
    Diverges {
        /// The step.
        step: u64,
        /// The first field that differs.
        field: String,
    },
    /// It lacks something that the exhibit needs.
    Skipped(String),
    /// Its adapter failed.
    Broke {
        /// The step.
        step: u64,
        /// The fault.
        fault: Fault,
    },
}

/// Whether a Raft library decides the rule of this exhibit's guard, rather than Rollcall.
pub fn is_decided_by_raft(piece: &Piece) -> bool {
    is_raft_s(piece.guard)
}

/// The same for a guard.
pub(crate) fn is_raft_s(guard: rollcall_model::Guard) -> bool {
    let guard = rollcall_impl::Guard::from_name(guard.name());
    guard.is_none_or(|guard| guard.decider() == Decider::Raft)
}

/// Finds out whether the subject has a guard, by the trace of its exhibit.
pub fn ask(link: &Link, dialects: &[Dialect], piece: &Piece, trace: &Trace) -> Finding {
    let asked = needs(&trace.header.scope, trace.steps.iter().map(|step| &step.action));
    if let Some(lacks) = lacking(link, &asked) {
        return Finding::Skipped(lacks);
    }
    let sound = dialects.iter().fold(GuardSet::ALL, |guards, dialect| guards.in_dialect(*dialect));
    let without = ModelSubject::new(sound.and_without(piece.guard), &[]);
    let mut beside = Beside { without, with: ModelSubject::new(sound, &[]), subject: world(link), step: 0 };
    match caught(|| beside.go(trace)) {
        Ok(finding) => finding,
        Err(fault) => Finding::Broke { step: beside.step, fault },
    }
}

/// The two models and the subject on one schedule.
struct Beside {
    without: ModelSubject,
    with: ModelSubject,
    subject: SubjectWorld,
    step: u64,
}

impl Beside {
    fn go(&mut self, trace: &Trace) -> Finding {
        let scope = &trace.header.scope;
        let unbegun = "in this dialect the scope cannot be begun";
        if self.without.reset(scope).is_err() || self.with.reset(scope).is_err() {
            return Finding::Skipped(unbegun.into());
        }
        if let Err(error) = self.subject.reset(scope) {
            return Finding::Diverges { step: 0, field: error.to_string() };
        }
        let Ok(mut judge) = Judge::named(&trace.header.properties) else {
            return Finding::Skipped("its header names a property that there is not".into());
        };
        let first = shown(self.without.view());
        judge.names(&first, None);
        if let Some(field) = first_difference(&first, &self.subject.view()) {
            return Finding::Diverges { step: 0, field };
        }
        let (mut bitten, mut violated): (Option<u64>, Option<(String, u64)>) = (None, None);
        for taken in &trace.steps {
            self.step += 1;
            let action = &taken.action;
            let outcomes = (self.without.apply(action), self.subject.apply(action));
            let views = (shown(self.without.view()), self.subject.view());
            // After they have diverged, the rules with the guard are in another state.
            let mut sound = None;
            if bitten.is_none() {
                let (outcome, view) = (self.with.apply(action), shown(self.with.view()));
                if outcome != outcomes.0 || view != views.0 {
                    bitten = Some(self.step);
                    sound = Some((outcome, view));
                }
            }
            let Some(field) = differs((&outcomes.0, &views.0), (&outcomes.1, &views.1)) else {
                let names = judge.names(&views.1, Some((action, &outcomes.1)));
                if let (None, Some(name)) = (&violated, names.first()) {
                    violated = Some((name.clone(), self.step));
                }
                continue;
            };
            return match sound {
                Some((outcome, view)) if outcome == outcomes.1 && view == views.1 => {
                    Finding::HasIt { step: self.step }
                }
                Some(_) if without_what_was_sent(&views.0) == without_what_was_sent(&views.1) => {
                    Finding::Lacks { step: self.step, violated: None }
                }
                _ => Finding::Diverges { step: self.step, field },
            };
        }
        match bitten {
            Some(step) => Finding::Lacks { step, violated },
            None => Finding::Skipped("in this dialect the rules with the guard go the same way".into()),
        }
    }
}

/// A view without the snapshots that leaders note as sent. The rules without a guard refuse one
/// before raft sees it, and a library receives it and drops it. Neither has an effect, and both
/// were sent.
pub(crate) fn without_what_was_sent(view: &View) -> View {
    let mut view = view.clone();
    let peers = view.stores.values_mut().flat_map(|store| store.peers.values_mut());
    peers.filter_map(|peer| peer.leading.as_mut()).for_each(|leading| leading.sent_snapshot = 0);
    view
}

fn differs(expected: (&Outcome, &View), actual: (&Outcome, &View)) -> Option<String> {
    if expected.0 != actual.0 {
        return Some(format!("the outcome, {}", actual.0));
    }
    first_difference(expected.1, actual.1)
}

fn first_difference(expected: &View, actual: &View) -> Option<String> {
    let found: Vec<Difference> = differences(expected, actual);
    found.first().map(|difference| difference.path.clone())
}
