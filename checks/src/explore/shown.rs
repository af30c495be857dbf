//! What the page is told of a link: the steps up to where it is, the state there, what may
//! happen next and what may not, and the verdicts of this very state.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rollcall_model::{Guard, GuardSet, Rollcall, liveness, scopes};
use rollcall_traces::{Action, Header, Outcome, Reason, Scope, Trace, View, render};
use serde::{Deserialize, Serialize};

use super::{Steps, actions_of, name_of};
use crate::cli::lookup;
use crate::learn::guards;
use crate::places;

/// More steps than this are no link.
const LONGEST: usize = 5_000;

/// What a link asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    /// A scope by name, or a file that was given: `file`, `file2`.
    pub(super) scope: String,
    /// The guards that are dropped, divided by commas.
    pub(super) without: String,
    /// The actions by name, divided by semicolons.
    #[serde(rename = "do")]
    pub(super) actions: String,
    /// Behind how many of them; the last where it is left out.
    pub(super) at: Option<usize>,
    /// Of the second column: `model` or `impl`.
    pub(super) side: String,
    /// Of the second column: the guards that are dropped there.
    pub(super) other: String,
    /// The action that somebody asks about.
    pub(super) action: String,
    /// A refused action is a step, too, and does not end the link, if this says anything.
    pub(super) through: String,
}

/// What is known to the server beside the project's own scopes: the files that it was given.
#[derive(Default)]
pub(super) struct Known {
    files: Mutex<Vec<Header>>,
    models: Mutex<HashMap<(String, String), Rollcall>>,
}

/// A step that was taken.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownStep {
    name: String,
    words: String,
    outcome: String,
    changes: Vec<String>,
    violated: Vec<String>,
}

/// Where a link's actions end before their end.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stopped {
    step: usize,
    words: String,
    because: String,
}

/// Something that may happen next.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Next {
    name: String,
    words: String,
    region: u64,
    store: u64,
    changes: Vec<String>,
}

/// Something that may not.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NotNext {
    name: String,
    words: String,
    region: u64,
    store: u64,
    reason: String,
    meaning: &'static str,
}

/// What is violated.
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
    steps: Vec<ShownStep>,
    at: usize,
    stopped: Option<Stopped>,
    view: View,
    before: Option<View>,
    may: Vec<Next>,
    may_not: Vec<NotNext>,
    broken: Vec<Broken>,
    judged: usize,
}

/// How the state heals.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownHealing {
    heals: bool,
    steps: u64,
    way: Vec<String>,
    missed: Vec<String>,
    stuck_reasons: Vec<String>,
    refused: Vec<(String, String)>,
}

/// Why an action is refused, and without which guard it would not be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Why {
    words: String,
    outcome: String,
    meaning: &'static str,
    guards: Vec<String>,
    places: Vec<String>,
}

impl Known {
    /// Takes in a file: the name under which links find its scope, the guards that it drops
    /// and its actions.
    pub(super) fn take_in(&self, trace: &Trace) -> (String, String, Vec<String>) {
        let header = &trace.header;
        // Another wording of the question is no other scope.
        let is_it = |plan: &scopes::ScopePlan| {
            plan.scope == Scope { question: plan.scope.question.clone(), ..header.scope.clone() }
        };
        let own = scopes::named(&header.scope.name).filter(is_it);
        let name = match own {
            Some(plan) => plan.scope.name,
            None => {
                let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
                let at = files.iter().position(|known| known.scope == header.scope).unwrap_or_else(|| {
                    files.push(header.clone());
                    files.len() - 1
                });
                if at == 0 { "file".to_string() } else { format!("file{}", at + 1) }
            }
        };
        let without: Vec<&str> = header
            .without
            .iter()
            .map(String::as_str)
            .filter(|name| Guard::from_name(name).is_some())
            .collect();
        (name, without.join(","), trace.actions().map(name_of).collect())
    }

    /// The scope that links call so.
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

    /// The model of a link, its first state behind the scope's setup.
    pub(super) fn model(&self, scope: &str, without: &str) -> Result<Rollcall, String> {
        let key = (scope.to_string(), without.to_string());
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(&key) {
            return Ok(model.clone());
        }
        let steps =
            Steps::begin(&self.scope(scope)?, guards_of(without)?).map_err(|error| error.to_string())?;
        // Only what is looked at stays.
        if models.len() > 16 {
            models.clear();
        }
        Ok(models.entry(key).or_insert(steps.model().clone()).clone())
    }

    /// The steps of a link up to where it is, and where its actions end early.
    pub(super) fn steps(&self, link: &Link) -> Result<(Steps, Option<Stopped>), String> {
        let actions = actions_of(&link.actions)?;
        if actions.len() > LONGEST {
            return Err(format!("{} actions are too many; a link has at most {LONGEST}", actions.len()));
        }
        let mut steps = Steps::on(self.model(&link.scope, &link.without)?);
        for (step, action) in (1..).zip(&actions) {
            if let Outcome::Refused(reason) = *steps.take(action)
                && link.through.is_empty()
            {
                steps.back_to(step - 1);
                let because = format!("{reason}: {}", places::meaning_of_reason(reason));
                return Ok((steps, Some(Stopped { step, words: action.to_string(), because })));
            }
        }
        Ok((steps, None))
    }

    /// All that the page shows.
    pub(super) fn shown(&self, link: &Link) -> Result<Shown, String> {
        let (mut steps, mut stopped) = self.steps(link)?;
        let taken: Vec<ShownStep> = (1..=steps.len()).map(|number| shown_step(&steps, number)).collect();
        let at = link.at.unwrap_or(steps.len()).min(steps.len());
        if at < steps.len() {
            stopped = None;
        }
        let before = (at > 0).then(|| steps.view_behind(at - 1));
        steps.back_to(at);
        let model = steps.model();
        let violations = steps.violations(at);
        let broken = violations
            .iter()
            .map(|violation| Broken { property: violation.property.name(), words: violation.to_string() });
        Ok(Shown {
            scope: model.scope().name.clone(),
            question: model.scope().question.clone(),
            without: model.guards().dropped().map(|guard| guard.name().to_string()).collect(),
            setup: model.scope().setup.len(),
            steps: taken,
            at,
            stopped,
            view: steps.view(),
            before,
            may: may(&steps),
            may_not: may_not(&steps),
            broken: broken.collect(),
            judged: model.checked().len(),
        })
    }

    /// What comes of the state once faults stop.
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
        let healed = steps.healed();
        let refused = liveness::refused(model, &state).into_iter().take(12);
        Ok(ShownHealing {
            heals: healed.missed.is_empty(),
            steps: healed.steps,
            // Of one that goes round and round a beginning is enough.
            way: way.into_iter().take(400).collect(),
            missed: healed.missed,
            stuck_reasons: healed.stuck_reasons.into_values().collect(),
            refused: refused.map(|(action, reason)| (action.to_string(), reason.to_string())).collect(),
        })
    }

    /// Why the action is refused here.
    pub(super) fn why(&self, link: &Link) -> Result<Why, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let action = super::action_of(&link.action)?;
        let (model, state) = (steps.model(), *steps.state());
        let outcome = model.step(&state, &action).1;
        let Outcome::Refused(reason) = outcome else {
            let (words, outcome) = (action.to_string(), outcome.to_string());
            return Ok(Why { words, outcome, meaning: "", guards: Vec::new(), places: Vec::new() });
        };
        let model = model.forgetful();
        let decides = |guard: &&Guard| {
            model.guards().holds(**guard)
                && model.with_guards(model.guards().and_without(**guard)).step(&state, &action).1.is_done()
        };
        let guards = Guard::ALL.iter().filter(decides).map(|guard| guard.name().to_string()).collect();
        Ok(Why {
            words: action.to_string(),
            outcome: reason.to_string(),
            meaning: places::meaning_of_reason(reason),
            guards,
            places: places::of_action(&action).iter().map(ToString::to_string).collect(),
        })
    }

    /// The link as a scenario.
    pub(super) fn saved(&self, link: &Link) -> Result<String, String> {
        let (steps, _) = self.steps(link)?;
        let mut header = Header::new(steps.model().scope().clone());
        header.title = "Saved from the explorer".into();
        header.without = steps.model().guards().dropped().map(|guard| guard.name().to_string()).collect();
        let actions: Vec<Action> =
            (1..=steps.len()).filter_map(|at| Some(steps.step(at)?.0.clone())).collect();
        Trace::scenario(header, actions).to_text().map_err(|error| error.to_string())
    }
}

/// All guards but those that a link names.
pub(super) fn guards_of(without: &str) -> Result<GuardSet, String> {
    let names: Vec<String> =
        without.split(',').filter(|name| !name.is_empty()).map(ToString::to_string).collect();
    for name in &names {
        lookup::guard(name).map_err(|error| error.to_string())?;
    }
    guards(&names)
}

fn shown_step(steps: &Steps, number: usize) -> ShownStep {
    let (action, outcome) = steps.step(number).expect("it was taken");
    let violated =
        steps.violations(number).iter().map(|violation| violation.property.name().to_string()).collect();
    ShownStep {
        name: name_of(action),
        words: action.to_string(),
        outcome: outcome.to_string(),
        changes: render::changes(&steps.view_behind(number - 1), &steps.view_behind(number)),
        violated,
    }
}

/// What the scope offers and the rules take, within the budgets that are left.
fn may(steps: &Steps) -> Vec<Next> {
    let (model, before, mut next) = (steps.model(), steps.view(), Vec::new());
    model.expand(steps.state(), |_, action, after| {
        next.push(Next {
            name: name_of(action),
            words: action.to_string(),
            region: region_of(action),
            store: action.stores().first().copied().unwrap_or(0),
            changes: render::changes(&before, &model.seen(&after).view()),
        });
    });
    next
}

/// What the scope's vocabulary has and the rules refuse.
fn may_not(steps: &Steps) -> Vec<NotNext> {
    let mut met = BTreeSet::new();
    let shown = |(action, reason): (Action, Reason)| {
        let name = name_of(&action);
        met.insert(name.clone()).then(|| NotNext {
            name,
            words: action.to_string(),
            region: region_of(&action),
            store: action.stores().first().copied().unwrap_or(0),
            reason: reason.to_string(),
            meaning: places::meaning_of_reason(reason),
        })
    };
    steps.model().disabled(steps.state()).into_iter().filter_map(shown).collect()
}

/// The region that an action is about; 0 for none.
fn region_of(action: &Action) -> u64 {
    let value = serde_json::to_value(action).unwrap_or_default();
    let fields = value.as_object().and_then(|object| object.values().next());
    fields.and_then(|fields| fields["region"].as_u64()).unwrap_or(0)
}
