//! Random walks of a subject, judged only by properties over the history of its views.
//!
//! A step is any action that the scope's budgets allow in the subject's view and that the subject
//! takes. No rule of the model says what the result must be, so a subject may follow other rules.
//! Each walk has its own seed and prefers other kinds of action than the walk before (swarm
//! testing: Groce et al., ISSTA 2012). A schedule that finds something is shrunk until no action
//! can be left out. Left out: healing, and states that no walk reaches.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rollcall_model::properties::{Property, Violation};
use rollcall_model::{ACTION_KINDS, Walk};
use rollcall_traces::{Action, Header, Outcome, Scope, Step, Subject, Trace, Verdict, View, shrink};

use crate::random::Random;
use crate::subject::run::in_words;

/// How many walks with the same violation are shrunk. The shortest schedule is kept.
const SHRUNK: usize = 8;
/// How many schedules are tried to shrink one.
const TRIES: u64 = 4_000;
/// The same for a panic or a broken adapter: each try may restart the adapter and wait for it.
const TRIES_WHERE_IT_BREAKS: u64 = 40;
/// A scope ends after so many broken walks.
const BROKEN: u64 = 8;

/// The walks of one scope.
pub struct Walks<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// What must hold after every step.
    pub properties: &'a [Property],
    /// The seed of the first walk. Each next walk takes the next seed.
    pub seed: u64,
    /// The number of walks.
    pub walks: u64,
    /// The most steps of a walk.
    pub steps: usize,
    /// The number of threads, each with its own subject.
    pub threads: usize,
    /// No walk begins after this time.
    pub until: Option<Instant>,
    /// Whether the first finding ends the walks.
    pub fail_fast: bool,
    /// Whether the subject supports what an action needs.
    pub has: &'a (dyn Fn(&Action) -> bool + Sync),
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A property is violated.
    Violates(Property),
    /// The subject panicked, or its adapter failed.
    Breaks,
}

/// A finding, with the shortest schedule known to show it.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is wrong.
    pub wrong: Wrong,
    /// What is wrong, in words.
    pub words: String,
    /// The schedule. Its last action shows the finding.
    pub way: Vec<Action>,
    /// The seed of the walk that found it.
    pub seed: u64,
    /// The length of that walk in steps.
    pub before: usize,
    /// How many walks found it.
    pub times: u64,
}

/// The result of the walks.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// The number of walks.
    pub walks: u64,
    /// Steps that the subject took and that were judged. Steps of shrinking are not counted.
    pub steps: u64,
    /// Actions that it refused.
    pub refused: u64,
    /// Steps by kind ([`ACTION_KINDS`]).
    pub kinds: BTreeMap<&'static str, u64>,
    /// The findings, one of each kind.
    pub found: Vec<Found>,
    /// Why no walk could begin.
    pub not_begun: Option<String>,
}

/// Why a run ends early.
enum Stop {
    NotBegun(String),
    Wrong(Wrong, String),
}

impl Stop {
    fn breaks(words: String) -> Self {
        Self::Wrong(Wrong::Breaks, words)
    }

    fn violates(violation: &Violation) -> Self {
        Self::Wrong(Wrong::Violates(violation.property), violation.to_string())
    }
}

/// A finding of a walk before it is shrunk.
struct Raw {
    seed: u64,
    wrong: Wrong,
    words: String,
    /// The actions, refused ones included; `true` if done.
    way: Vec<(Action, bool)>,
}

/// Runs the walks. Each thread uses a subject from `make`.
pub fn walk<S: Subject>(walks: &Walks<'_>, make: impl Fn() -> S + Sync, interrupt: &AtomicBool) -> Walked {
    let total: Mutex<(Walked, Vec<Raw>)> = Mutex::default();
    let (next, broken, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let is_over = || {
        let late = walks.until.is_some_and(|until| Instant::now() >= until);
        late || stop.load(Ordering::Relaxed) || interrupt.load(Ordering::Relaxed)
    };
    std::thread::scope(|scope| {
        for _ in 0..walks.threads.max(1) {
            scope.spawn(|| {
                let mut walker = Walker { walks, subject: make(), done: Walked::default() };
                let mut raws = Vec::new();
                while !is_over() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= walks.walks {
                        break;
                    }
                    if let Some(raw) = walker.one(walks.seed.wrapping_add(number)) {
                        let breaks = u64::from(raw.wrong == Wrong::Breaks);
                        let many = broken.fetch_add(breaks, Ordering::Relaxed) + breaks >= BROKEN;
                        stop.fetch_or(many || walks.fail_fast, Ordering::Relaxed);
                        raws.push(raw);
                    }
                    if walker.done.not_begun.is_some() {
                        break;
                    }
                }
                let mut total = total.lock().expect("no thread panics while it holds this lock");
                total.0.add(walker.done);
                total.1.append(&mut raws);
            });
        }
    });
    let (mut walked, raws) = total.into_inner().expect("no thread panicked");
    walked.found = shortest_of_each(walks, raws, make);
    walked
}

impl Walked {
    fn add(&mut self, other: Walked) {
        self.walks += other.walks;
        self.steps += other.steps;
        self.refused += other.refused;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.not_begun = self.not_begun.take().or(other.not_begun);
    }
}

/// Shrinks the shortest finding of each kind. The choice does not depend on the order of threads.
fn shortest_of_each<S: Subject>(walks: &Walks<'_>, raws: Vec<Raw>, make: impl Fn() -> S) -> Vec<Found> {
    let mut of_each: BTreeMap<Wrong, Vec<Raw>> = BTreeMap::new();
    raws.into_iter().for_each(|raw| of_each.entry(raw.wrong).or_default().push(raw));
    let mut found = Vec::new();
    for mut raws in of_each.into_values() {
        let times = raws.len() as u64;
        raws.sort_by_key(|raw| (raw.way.len(), raw.seed));
        raws.truncate(SHRUNK);
        let mut walker = Walker { walks, subject: make(), done: Walked::default() };
        let shrunk = raws.into_iter().map(|raw| walker.shrink(raw));
        if let Some(shortest) = shrunk.min_by_key(|found| (found.way.len(), found.seed)) {
            found.push(Found { times, ..shortest });
        }
    }
    found
}

/// What is wrong, after how many actions of a schedule, and in words.
pub type Judged = (Wrong, usize, String);

/// Takes the subject through a schedule and judges each view. Returns what is wrong, after how many
/// actions, and in words.
///
/// # Errors
/// If the scope cannot begin.
pub fn judge(
    walks: &Walks<'_>,
    subject: impl Subject,
    way: &[Action],
) -> Result<(Walked, Option<Judged>), String> {
    let mut walker = Walker { walks, subject, done: Walked::default() };
    let judged = walker.play(way)?;
    Ok((walker.done, judged))
}

/// A schedule as a trace, with the subject's views.
pub fn trace_of(scope: &Scope, found: &Found, mut subject: impl Subject) -> Trace {
    let mut header = Header::new(scope.clone());
    let violated = match found.wrong {
        Wrong::Violates(property) => Some(property.name()),
        Wrong::Breaks => None,
    };
    header.properties = violated.into_iter().map(Into::into).collect();
    let mut begun = catch_unwind(AssertUnwindSafe(|| subject.reset(scope).is_ok())).unwrap_or(false);
    header.view = begun.then(|| subject.view());
    let mut steps: Vec<Step> = Vec::new();
    for (index, action) in (1..).zip(&found.way) {
        let mut step = Step::new(index, action.clone());
        if begun && let Ok((outcome, view)) = take(&mut subject, action) {
            (step.outcome, step.view) = (Some(outcome), Some(view));
        } else {
            begun = false;
        }
        steps.push(step);
    }
    let at = steps.len() as u64;
    if let (Some(last), Some(property)) = (steps.last_mut(), violated) {
        last.violated = vec![property.into()];
        last.note = found.words.clone();
    }
    Trace { header, steps, verdict: violated.map(|property| Verdict::violated(property, at)) }
}

fn take(subject: &mut impl Subject, action: &Action) -> Result<(Outcome, View), String> {
    let taken = catch_unwind(AssertUnwindSafe(|| {
        let outcome = subject.apply(action);
        (outcome, subject.view())
    }));
    taken.map_err(in_words)
}

/// One thread's subject.
struct Walker<'a, S> {
    walks: &'a Walks<'a>,
    subject: S,
    done: Walked,
}

impl<'a, S: Subject> Walker<'a, S> {
    /// Resets the subject to the scope's setup, as far as it takes it, and judges each view.
    fn begin(&mut self) -> Result<Walk<'a>, Stop> {
        let Walks { scope, properties, .. } = *self.walks;
        let unbegun = Scope { setup: Vec::new(), ..scope.clone() };
        let begun = catch_unwind(AssertUnwindSafe(|| self.subject.reset(&unbegun)));
        match begun.map_err(in_words) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Stop::NotBegun(error.to_string())),
            Err(words) => return Err(Stop::breaks(words)),
        }
        let mut walk = Walk::begin(scope, properties, self.subject.view());
        for action in &scope.setup {
            let (outcome, view) = take(&mut self.subject, action).map_err(Stop::breaks)?;
            // A subject with other rules may already be there.
            if outcome.is_done() {
                walk.prepare(action, &outcome, view);
                walk.violation().map_or(Ok(()), |violation| Err(Stop::violates(&violation)))?;
            }
        }
        Ok(walk)
    }

    /// Takes one action; returns whether it was done.
    fn take(&mut self, walk: &mut Walk<'_>, action: &Action) -> Result<bool, Stop> {
        let kind = ACTION_KINDS[walk.kind_of(action)];
        let (outcome, view) = take(&mut self.subject, action).map_err(Stop::breaks)?;
        if !outcome.is_done() {
            self.done.refused += 1;
            return Ok(false);
        }
        walk.go_on(action, &outcome, view);
        self.done.steps += 1;
        *self.done.kinds.entry(kind).or_default() += 1;
        walk.violation().map_or(Ok(true), |violation| Err(Stop::violates(&violation)))
    }

    /// One walk and its finding.
    fn one(&mut self, seed: u64) -> Option<Raw> {
        self.done.walks += 1;
        let mut way = Vec::new();
        let stop = self.begin().and_then(|walk| self.wander(walk, Random::new(seed), &mut way));
        match stop {
            Ok(()) => None,
            Err(Stop::NotBegun(why)) => {
                self.done.walks -= 1;
                self.done.not_begun = Some(why);
                None
            }
            Err(Stop::Wrong(wrong, words)) => Some(Raw { seed, wrong, words, way }),
        }
    }

    fn wander(
        &mut self,
        mut walk: Walk<'_>,
        mut random: Random,
        way: &mut Vec<(Action, bool)>,
    ) -> Result<(), Stop> {
        let drawn_weight = |kind: &&str| match ADDED_KINDS.contains(kind) {
            true => 8,
            false => 8_u64.pow(random.below(3) as u32),
        };
        let weights: Vec<u64> = ACTION_KINDS.iter().map(drawn_weight).collect();
        for _ in 0..self.walks.steps {
            let mut of_kinds: BTreeMap<usize, Vec<Action>> = BTreeMap::new();
            for action in walk.offered().into_iter().filter(self.walks.has) {
                of_kinds.entry(walk.kind_of(&action)).or_default().push(action);
            }
            loop {
                let Some(action) = drawn(&mut of_kinds, &weights, &mut random) else {
                    return Ok(());
                };
                way.push((action.clone(), true));
                if self.take(&mut walk, &action)? {
                    break;
                }
                way.last_mut().expect("it was pushed").1 = false;
            }
        }
        Ok(())
    }

    /// What is wrong on a schedule, and after how many of its actions.
    fn play(&mut self, way: &[Action]) -> Result<Option<Judged>, String> {
        let mut taken = 0;
        let run = self.begin().and_then(|mut walk| {
            way.iter().try_for_each(|action| {
                taken += 1;
                self.take(&mut walk, action).map(drop)
            })
        });
        match run {
            Ok(()) => Ok(None),
            Err(Stop::NotBegun(why)) => Err(why),
            Err(Stop::Wrong(wrong, words)) => Ok(Some((wrong, taken, words))),
        }
    }

    /// Removes every action that the finding does not need.
    fn shrink(&mut self, raw: Raw) -> Found {
        let Raw { seed, wrong, words, way } = raw;
        let done: Vec<Action> =
            way.iter().filter(|(_, done)| *done).map(|(action, _)| action.clone()).collect();
        // A refused action changes nothing, unless that is the finding itself.
        let shows_it = matches!(self.play(&done), Ok(Some((same, ..))) if same == wrong);
        let way = if shows_it { done } else { way.into_iter().map(|(action, _)| action).collect() };
        let mut found = Found { wrong, words, before: way.len(), way: way.clone(), seed, times: 1 };
        let mut tries = if wrong == Wrong::Breaks { TRIES_WHERE_IT_BREAKS } else { TRIES };
        let shrunk = shrink(&way, |part| {
            if tries == 0 {
                return false;
            }
            tries -= 1;
            let Ok(Some((same, at, words))) = self.play(part) else { return false };
            if same == wrong && at < found.way.len() {
                (found.way, found.words) = (part[..at].to_vec(), words);
            }
            same == wrong
        });
        // The last kept schedule may show the finding before its end.
        if shrunk.len() < found.way.len() {
            found.way = shrunk;
        }
        found
    }
}

/// Kinds that were added after seeds had been published. Their weight is not drawn, so that a
/// published seed still means the same walk.
const ADDED_KINDS: &[&str] = &["persist"];

/// Draws an action, its kind by weight, and removes it from the offer.
fn drawn(
    of_kinds: &mut BTreeMap<usize, Vec<Action>>,
    weights: &[u64],
    random: &mut Random,
) -> Option<Action> {
    let total: u64 = of_kinds.keys().map(|kind| weights[*kind]).sum();
    if total == 0 {
        return None;
    }
    let mut left = random.below(total);
    let kind = *of_kinds.keys().find(|kind| {
        let here = left < weights[**kind];
        left = left.saturating_sub(weights[**kind]);
        here
    })?;
    let actions = of_kinds.get_mut(&kind)?;
    let action = actions.swap_remove(random.below(actions.len() as u64) as usize);
    if actions.is_empty() {
        of_kinds.remove(&kind);
    }
    Some(action)
}

#[cfg(test)]
mod tests;
