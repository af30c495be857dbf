//! The museum on a subject: which guards somebody else's raft has.
//!
//! An exhibit's trace goes where the rules without its guard lead. The model goes it once
//! with the guard and once without, in the subject's dialect, and the subject beside them:
//! up to where those two part all three agree, and there it shows which it is.

use rollcall_impl::Decider;
use rollcall_model::{Dialect, GuardSet, ModelSubject};
use rollcall_traces::{Difference, Outcome, Subject, Trace, View, differences};

use super::needs::{lacking, needs};
use super::run::{SubjectWorld, caught, shown};
use super::{Fault, Link, world};
use crate::judge::Judge;
use crate::museum::Piece;

/// What a subject makes of an exhibit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Where the guard bites it does what the rules with the guard do.
    HasIt {
        /// The step.
        step: u64,
    },
    /// It goes where the rules without the guard go.
    Lacks {
        /// The step at which the guard would have bitten.
        step: u64,
        /// What is violated, and after which step.
        violated: Option<(String, u64)>,
    },
    /// It parts from both, which says nothing of the guard.
    Diverges {
        /// The step.
        step: u64,
        /// Where it is not as expected.
        field: String,
    },
    /// It cannot be asked.
    Skipped(String),
    /// Its adapter broke.
    Broke {
        /// The step.
        step: u64,
        /// What it says.
        fault: Fault,
    },
}

/// Who decides the rule of a guard: a raft library, or what Rollcall keeps.
pub fn is_decided_by_raft(piece: &Piece) -> bool {
    is_raft_s(piece.guard)
}

/// The same of a guard.
pub(crate) fn is_raft_s(guard: rollcall_model::Guard) -> bool {
    let guard = rollcall_impl::Guard::from_name(guard.name());
    guard.is_none_or(|guard| guard.decider() == Decider::Raft)
}

/// Asks the subject for one guard, by the trace of its exhibit.
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

/// The two models and the subject, on one way.
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
            // Once they have parted, the rules with the guard are somewhere else.
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

/// A view, but for the snapshots that leaders note as sent. The rules without a guard refuse
/// one before raft sees it, and a library takes it in and drops it: nothing has come of it
/// either way, and it was sent.
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
