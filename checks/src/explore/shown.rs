//! The page's data for a link: the steps so far, the state, the enabled and disabled actions, and
//! the verdicts of exactly this state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_model::{GuardSet, Rollcall, State, liveness};
use rollcall_traces::{Action, Header, Language, Outcome, RangeEntry, Reason, Scope, View, render};
use serde::{Deserialize, Serialize};

use super::given::{FileNotes, Noted};
use super::names::readable;
use super::{Steps, chinese, here, name_of, still};
use crate::learn::guards;
use crate::lookup;

/// The most steps of a link.
const LONGEST: usize = 5_000;

/// A link's parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    /// A scope's name, or a given file: `file`, `file2`.
    pub(super) scope: String,
    /// The dropped guards, separated by commas.
    pub(super) without: String,
    /// The actions, separated by semicolons.
    #[serde(rename = "do")]
    pub(super) actions: String,
    /// The number of steps to show; all if it is missing.
    pub(super) at: Option<usize>,
    /// For the second column: `model`; `impl`, or `sound` for the implementation with every guard.
    pub(super) side: String,
    /// For the second column: its dropped guards.
    pub(super) other: String,
    /// The action whose refusal is to be explained.
    pub(super) action: String,
    /// If not empty, a refused action counts as a step and does not end the link.
    pub(super) through: String,
    /// `zh` for Chinese; anything else is English.
    pub(super) lang: String,
    /// For an answer to an exercise, the lesson's number.
    pub(super) exercise: usize,
    /// For a search, the bound on states.
    pub(super) states: Option<usize>,
    /// For a search, the property to violate; any if empty.
    pub(super) property: String,
}

impl Link {
    pub(super) fn language(&self) -> Language {
        if self.lang == "zh" { Language::Chinese } else { Language::English }
    }
}

/// The server's state: the given files, what they say, and cached models.
#[derive(Default)]
pub(super) struct ServerState {
    pub(super) files: Mutex<Vec<Header>>,
    pub(super) noted: Mutex<Vec<Noted>>,
    models: Mutex<HashMap<(String, String), Arc<CachedModel>>>,
}

/// The key of a rendered step: language, state before, state after, action.
type StepKey = (Language, State, State, String);

/// A model with its rendered steps. A page that takes one more step requests all steps before it
/// again.
struct CachedModel {
    model: Rollcall,
    steps: Mutex<HashMap<StepKey, Arc<ShownStep>>>,
}

/// The most cached steps.
const MOST_CACHED: usize = 20_000;

impl CachedModel {
    fn step(&self, language: Language, steps: &Steps, number: usize) -> Arc<ShownStep> {
        let (action, _) = steps.step(number).expect("it was taken");
        let (before, after) = (*steps.state_behind(number - 1), *steps.state_behind(number));
        let key = (language, before, after, name_of(action));
        let mut known = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST_CACHED {
            known.clear();
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(shown_step(language, steps, number))))
    }
}

/// A step that was taken.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownStep {
    name: String,
    words: String,
    outcome: String,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    changes: Vec<String>,
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<u64>,
    violated: Vec<String>,
}

/// Where a link's actions end early.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stopped {
    step: usize,
    words: String,
    because: String,
    /// Whether it is not an action, so that it was not tried.
    unread: bool,
}

/// An enabled action.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Next {
    name: String,
    words: String,
    region: u64,
    store: u64,
    changes: Vec<String>,
}

/// A violation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Broken {
    property: &'static str,
    words: String,
}

/// Everything that the page shows of a state.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    scope: String,
    question: String,
    without: Vec<String>,
    setup: usize,
    steps: Vec<Arc<ShownStep>>,
    at: usize,
    stopped: Option<Stopped>,
    view: View,
    before: Option<View>,
    /// The ranges that the regions had at first.
    covered: Vec<RangeEntry>,
    held: Vec<String>,
    may: Vec<Next>,
    broken: Vec<Broken>,
    judged: usize,
    notes: FileNotes,
}

/// The healing of the state.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownHealing {
    heals: bool,
    steps: u64,
    way: Vec<String>,
    missed: Vec<String>,
    stuck_reasons: Vec<String>,
    refused: Vec<(String, String, String)>,
}

impl ServerState {
    /// The scope with this name in links.
    pub(super) fn scope(&self, name: &str) -> Result<Scope, String> {
        if let Some(number) = name.strip_prefix("file") {
            let at = if number.is_empty() { Some(1) } else { number.parse::<usize>().ok() };
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(header) = at.and_then(|at| files.get(at.checked_sub(1)?)) {
                return Ok(header.scope.clone());
            }
            return Err(format!("this server was given no `{name}`; drop the file again"));
        }
        lookup::plan(name).map(|plan| plan.scope).map_err(|error| error.to_string())
    }

    /// The model of a link. Its first state is after the scope's setup.
    pub(super) fn model(&self, scope: &str, without: &str) -> Result<Rollcall, String> {
        Ok(self.cached(scope, without)?.model.clone())
    }

    fn cached(&self, scope: &str, without: &str) -> Result<Arc<CachedModel>, String> {
        let key = (scope.to_string(), without.to_string());
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = models.get(&key) {
            return Ok(Arc::clone(cached));
        }
        let steps =
            Steps::begin(&self.scope(scope)?, guards_of(without)?).map_err(|error| error.to_string())?;
        // Only models in use are kept.
        if models.len() > 16 {
            models.clear();
        }
        let cached = CachedModel { model: steps.model().clone(), steps: Mutex::default() };
        Ok(Arc::clone(models.entry(key).or_insert(Arc::new(cached))))
    }

    /// The steps of a link so far, and where its actions end early.
    pub(super) fn steps(&self, link: &Link) -> Result<(Steps, Option<Stopped>), String> {
        let (actions, unread) = readable(&link.actions);
        if actions.len() > LONGEST {
            return Err(format!("{} actions are too many; a link has at most {LONGEST}", actions.len()));
        }
        let mut steps = Steps::on(self.model(&link.scope, &link.without)?);
        for (step, action) in (1..).zip(&actions) {
            if let Outcome::Refused(reason) = *steps.take(action)
                && link.through.is_empty()
            {
                steps.back_to(step - 1);
                let language = link.language();
                let meaning = refusal(language, action, reason, &steps.view());
                let (words, because) = (language.of(action), format!("{reason}: {meaning}"));
                return Ok((steps, Some(Stopped { step, words, because, unread: false })));
            }
        }
        let stopped = unread.map(|unread| {
            let because = match link.language() {
                Language::English => unread.because,
                Language::Chinese => chinese::of_unread(&unread.because),
            };
            let because = here::on_the_page(link.language(), &because);
            Stopped { step: actions.len() + 1, words: unread.text, because, unread: true }
        });
        Ok((steps, stopped))
    }

    /// Everything that the page shows.
    pub(super) fn shown(&self, link: &Link) -> Result<Shown, String> {
        let (mut steps, mut stopped) = self.steps(link)?;
        let language = link.language();
        let cached = self.cached(&link.scope, &link.without)?;
        let taken = (1..=steps.len()).map(|number| cached.step(language, &steps, number)).collect();
        let at = link.at.unwrap_or(steps.len()).min(steps.len());
        if at < steps.len() {
            stopped = None;
        }
        let notes = self.notes(link, &steps);
        let before = (at > 0).then(|| steps.view_behind(at - 1));
        let covered = steps.view_behind(0).stores.into_values().flat_map(|store| store.ranges).collect();
        steps.back_to(at);
        let model = steps.model();
        let violations = steps.violations(at);
        let broken = violations.iter().map(|violation| Broken {
            property: violation.property.name(),
            words: still::violation_words(language, violation),
        });
        let view = steps.view();
        Ok(Shown {
            scope: model.scope().name.clone(),
            question: question(language, model.scope()),
            without: model.guards().dropped().map(|guard| guard.name().to_string()).collect(),
            setup: model.scope().setup.len(),
            steps: taken,
            at,
            stopped,
            held: still::held_words(language, &view.held),
            may: may(language, &steps, &view),
            view,
            before,
            covered,
            broken: broken.collect(),
            judged: model.checked().len(),
            notes,
        })
    }

    /// The healing of the state once faults stop.
    pub(super) fn healing(&self, link: &Link) -> Result<ShownHealing, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let model = steps.model();
        let (mut state, mut way) = (model.at_rest(steps.state()), Vec::new());
        while let Some(action) = liveness::next(model, &state) {
            if way.len() as u64 >= liveness::LONGEST {
                break;
            }
            state = model.step(&state, &action).0;
            way.push(name_of(&action));
        }
        let (healed, language) = (steps.healed(), link.language());
        let refused = liveness::refused(model, &state).into_iter().take(12);
        Ok(ShownHealing {
            heals: healed.missed.is_empty(),
            steps: healed.steps,
            // The beginning of an endless healing is enough.
            way: way.into_iter().take(400).collect(),
            missed: healed.missed.into_iter().map(|missed| chinese::missed(language, missed)).collect(),
            stuck_reasons: healed
                .stuck_reasons
                .into_iter()
                .map(|(name, words)| chinese::stuck_reason(language, &name, words))
                .collect(),
            refused: refused
                .map(|(action, reason)| {
                    let meaning = still::meaning(language, &Outcome::Refused(reason)).unwrap_or_default();
                    (language.of(&action), reason.to_string(), meaning)
                })
                .collect(),
        })
    }
}

/// All guards except those that a link drops.
pub(super) fn guards_of(without: &str) -> Result<GuardSet, String> {
    let names: Vec<String> =
        without.split(',').filter(|name| !name.is_empty()).map(ToString::to_string).collect();
    for name in &names {
        lookup::guard(name).map_err(|error| error.to_string())?;
    }
    guards(&names)
}

fn shown_step(language: Language, steps: &Steps, number: usize) -> ShownStep {
    let (action, outcome) = steps.step(number).expect("it was taken");
    let violated =
        steps.violations(number).iter().map(|violation| violation.property.name().to_string()).collect();
    let (before, after) = (steps.view_behind(number - 1), steps.view_behind(number));
    ShownStep {
        name: name_of(action),
        words: render::action_in(language, action, Some(&before)),
        outcome: language.of(outcome),
        done: outcome.is_done(),
        meaning: match outcome {
            Outcome::Refused(reason) => Some(refusal(language, action, *reason, &before)),
            Outcome::Done(_) => None,
        },
        changes: still::change_words(language, &before, &after),
        rule: still::rule_words(action),
        reports: still::reports(action, &before),
        violated,
    }
}

/// What a reason means; if the store does not exist, that.
pub(super) fn refusal(language: Language, action: &Action, reason: Reason, view: &View) -> String {
    let unknown = action.stores().into_iter().find(|store| !view.stores.contains_key(store));
    match (unknown, language) {
        (Some(store), Language::English) => format!("There is no such store as {store}."),
        (Some(store), Language::Chinese) => format!("没有 store {store}。"),
        _ => still::meaning(language, &Outcome::Refused(reason)).unwrap_or_default(),
    }
}

/// The scope's question in the reader's language; a file's own question is not translated.
fn question(language: Language, scope: &Scope) -> String {
    match (language, chinese::of_question(&scope.name, &scope.question)) {
        (Language::Chinese, Some(chinese)) => chinese.into(),
        _ => scope.question.clone(),
    }
}

/// The actions that the scope offers and the rules take, within the remaining budgets.
fn may(language: Language, steps: &Steps, before: &View) -> Vec<Next> {
    let (model, mut next) = (steps.model(), Vec::new());
    model.expand(steps.state(), |_, action, after| {
        let (region, store) = place_of(action, before);
        next.push(Next {
            name: name_of(action),
            words: render::action_in(language, action, Some(before)),
            region,
            store,
            changes: still::change_words(language, before, &model.cluster(&after).view()),
        });
    });
    next
}

/// The region and the store of an action; 0 if it has none. A late message happens to its receiver.
fn place_of(action: &Action, before: &View) -> (u64, u64) {
    match action {
        Action::Late { slot } => before
            .held
            .get(*slot)
            .map_or((0, 0), |held| (held.region, if held.is_to_pd() { 0 } else { held.to.store })),
        _ => (region_of(action), action.stores().first().copied().unwrap_or(0)),
    }
}

/// The region of an action; 0 if it has none.
pub(super) fn region_of(action: &Action) -> u64 {
    let value = serde_json::to_value(action).unwrap_or_default();
    let fields = value.as_object().and_then(|object| object.values().next());
    fields.and_then(|fields| fields["region"].as_u64()).unwrap_or(0)
}
