//! One trace as one file: the explorer's page without a server. It has the page's styles and
//! drawing code, and the views of all steps. Each step's view has only the stores that changed.

use std::collections::BTreeMap;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::{Property, Violation};
use rollcall_traces::render::{about_in, action_in, changes_in, title};
use rollcall_traces::{
    Action, Chinese as _, Header, Healed, Held, Language, Message, Outcome, PlacementDriver, Step, Store,
    Trace, VerdictResult, View,
};
use serde::Serialize;

use super::healed::{Healings, Unjudged, healings};
use super::{assets, chinese, name_of};
use crate::judge::Judge;
use crate::places;

/// A text in both languages.
#[derive(Serialize)]
pub(super) struct Both<T> {
    en: T,
    zh: T,
}

impl<T> Both<T> {
    fn of(mut shown: impl FnMut(Language) -> T) -> Self {
        Self { en: shown(Language::English), zh: shown(Language::Chinese) }
    }
}

/// The changed parts of a view.
#[derive(Serialize)]
struct Change<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stores: BTreeMap<u64, Option<&'a Store>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a [Held]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_words: Option<Both<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pd: Option<&'a PlacementDriver>,
}

impl<'a> Change<'a> {
    fn between(before: &View, after: &'a View) -> Self {
        let kept = before.stores.keys().chain(after.stores.keys());
        let changed = kept.filter(|store| before.stores.get(store) != after.stores.get(store));
        let stores = changed.map(|store| (*store, after.stores.get(store))).collect();
        let held = (before.held != after.held).then_some(&after.held[..]);
        let held_words = held.map(|held| Both::of(|language| held_words(language, held)));
        let pd = (before.pd != after.pd).then_some(&after.pd);
        Self { stores, held, held_words, pd }
    }
}

/// What comes of a state once faults stop.
#[derive(Serialize)]
struct Health {
    heals: bool,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<Both<Vec<String>>>,
}

impl Health {
    fn of(healed: &Healed) -> Self {
        let missed = |language| {
            healed.missed.iter().map(|missed| chinese::missed(language, missed.clone())).collect::<Vec<_>>()
        };
        let heals = healed.missed.is_empty();
        Self { heals, steps: healed.steps, missed: (!heals).then(|| Both::of(missed)) }
    }
}

/// A step as the page shows it.
#[derive(Serialize)]
struct StillStep<'a> {
    name: String,
    words: Both<String>,
    outcome: Both<String>,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<Both<String>>,
    changes: Both<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Both<String>>,
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<u64>,
    violated: Vec<&'static str>,
    broken: Both<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    change: Change<'a>,
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    question: Both<&'a str>,
    /// Every property by its name, with its text.
    properties: Vec<serde_json::Value>,
    about: Both<Vec<String>>,
    without: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Both<String>>,
    broken: Both<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unjudged: Option<Unjudged>,
    first: Change<'a>,
    steps: Vec<StillStep<'a>>,
}

/// The violation in words. The property's name is not translated.
pub(super) fn violation_words(language: Language, violation: &Violation) -> String {
    match language {
        Language::English => violation.to_string(),
        Language::Chinese => chinese::violation(violation),
    }
}

/// What a step changes, in words. As in the page's lanes a range without an end goes to infinity.
pub(super) fn change_words(language: Language, before: &View, after: &View) -> Vec<String> {
    changes_in(language, before, after).iter().map(|words| words.replace(", \"\")", ", ∞)")).collect()
}

/// Messages in flight, in words.
pub(super) fn held_words(language: Language, held: &[Held]) -> Vec<String> {
    held.iter().map(|held| language.of(held)).collect()
}

/// What an outcome's reason means.
pub(super) fn meaning(language: Language, outcome: &Outcome) -> Option<String> {
    let Outcome::Refused(reason) = outcome else { return None };
    Some(match language {
        Language::English => without_rows(places::meaning_of_reason(*reason)),
        Language::Chinese => reason.in_chinese(),
    })
}

/// The text without the catalogue's row numbers, because the page does not have the catalogue.
fn without_rows(words: &str) -> String {
    let Some((before, rest)) = words.split_once(" (row") else { return words.to_string() };
    match rest.split_once(')') {
        Some((rows, behind)) if rows.chars().all(|is| is.is_ascii_digit() || "s, ".contains(is)) => {
            format!("{before}{}", without_rows(behind))
        }
        _ => words.to_string(),
    }
}

/// The region whose report the step brings to PD, at once or late.
pub(super) fn reports(action: &Action, before: &View) -> Option<u64> {
    match action {
        Action::RegionHeartbeat { region, .. } => Some(*region),
        Action::Late { slot } => {
            let held = before.held.get(*slot)?;
            matches!(held.message, Message::RegionReport { .. }).then_some(held.region)
        }
        _ => None,
    }
}

/// The rule's file, and the function that takes the action in the implementation.
pub(super) fn rule_words(action: &Action) -> String {
    places::of_action(action).map(|place| place.to_string()).join(" · ")
}

/// The page. Every property is checked, whatever the trace states.
pub fn still(trace: &Trace) -> String {
    let nothing = View::default();
    let first = trace.header.view.as_ref().unwrap_or(&nothing);
    let mut judge = Judge::new(Property::ALL);
    let broken = judge.violations(first, None);
    let Healings { judged: healed, unjudged } = healings(trace);
    let (mut before, mut steps) = (first, Vec::new());
    for (number, step) in (1..).zip(&trace.steps) {
        let after = step.view.as_ref().unwrap_or(before);
        let outcome = step.outcome.clone().unwrap_or(Outcome::DONE);
        let violations = judge.violations(after, Some((&step.action, &outcome)));
        let health = healed.get(number).map(Health::of);
        steps.push(StillStep { health, ..still_step(step, &outcome, before, after, &violations) });
        before = after;
    }
    if let Some((step, goal)) = missed_goal(trace)
        && let Some(index) = step.checked_sub(1)
        && let (Some(step), Some(shown)) = (trace.steps.get(index), steps.get_mut(index))
    {
        shown.violated.push(goal.name());
        // What the model says of the state is more than what the file says.
        if shown.health.as_ref().is_none_or(|health| health.heals) {
            let told = step.note.starts_with(&format!("{goal}: "));
            let words = Both::of(|language| match language {
                _ if told => chinese::note(language, &step.note),
                Language::English => format!("{goal}: {}", goal.statement()),
                Language::Chinese => format!("{goal}：{}", chinese::of_goal(goal)),
            });
            shown.broken.en.push(words.en);
            shown.broken.zh.push(words.zh);
        }
    }
    let header = &trace.header;
    let page = Page {
        title: title(header),
        question: Both::of(|language| match language {
            Language::English => header.scope.question.as_str(),
            Language::Chinese => chinese::of_question(&header.scope.name, &header.scope.question)
                .unwrap_or(&header.scope.question),
        }),
        properties: chinese::properties(),
        about: Both::of(|language| about(language, header)),
        without: &header.without,
        verdict: trace
            .verdict
            .as_ref()
            .map(|verdict| Both::of(|language| chinese::verdict(language, verdict))),
        broken: Both::of(|language| broken.iter().map(|one| violation_words(language, one)).collect()),
        health: healed.first().map(Health::of),
        unjudged,
        first: Change::between(&nothing, first),
        steps,
    };
    let data = serde_json::to_string(&page).expect("a page becomes JSON");
    assets::still(page.title, &data)
}

/// What the trace begins with. A scope's own question has a Chinese form, a file's has not.
fn about(language: Language, header: &Header) -> Vec<String> {
    let mut lines = about_in(language, header);
    let scope = &header.scope;
    if let (Language::Chinese, Some(chinese)) = (language, chinese::of_question(&scope.name, &scope.question))
    {
        lines.iter_mut().filter(|line| **line == scope.question).for_each(|line| *line = chinese.into());
    }
    lines
}

/// The goal that the trace's verdict says is missed, and after which step.
fn missed_goal(trace: &Trace) -> Option<(usize, Goal)> {
    let verdict = trace.verdict.as_ref().filter(|verdict| verdict.result == VerdictResult::Violated)?;
    let goal = Goal::from_name(verdict.property.as_deref()?)?;
    Some((usize::try_from(verdict.at?).ok()?, goal))
}

fn still_step<'a>(
    step: &'a Step,
    outcome: &Outcome,
    before: &View,
    after: &'a View,
    violations: &[Violation],
) -> StillStep<'a> {
    let meaning = |language| meaning(language, outcome);
    StillStep {
        name: name_of(&step.action),
        words: Both::of(|language| action_in(language, &step.action, Some(before))),
        outcome: Both::of(|language| language.of(outcome)),
        done: outcome.is_done(),
        meaning: (!outcome.is_done()).then(|| Both::of(|language| meaning(language).unwrap_or_default())),
        changes: Both::of(|language| change_words(language, before, after)),
        note: (!step.note.is_empty()).then(|| Both::of(|language| chinese::note(language, &step.note))),
        rule: rule_words(&step.action),
        reports: reports(&step.action, before),
        violated: violations.iter().map(|violation| violation.property.name()).collect(),
        broken: Both::of(|language| violations.iter().map(|one| violation_words(language, one)).collect()),
        health: None,
        change: Change::between(before, after),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn a_missed_goal_is_marked_at_its_step() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum/merge_forwards_commit.jsonl");
        let page = still(&Trace::read(&path).expect("a trace"));
        assert!(page.contains(r#""violated":["requests_end"]"#), "its end is marked");
    }

    /// Healing ends in a term of its own, which no state of the page has.
    #[test]
    fn a_missed_goal_is_told_without_the_term_of_its_healing() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum/demote_before_removal.jsonl");
        let page = still(&Trace::read(&path).expect("a trace"));
        let words = "leader_electable: region 1: no leader: peer 1 on store 1 is candidate";
        let chinese = "leader_electable：region 有能接受写入的 leader（region 1：没有 leader：store 1 上的 peer 1 是 candidate）";
        assert!(
            page.contains(&format!(r#""missed":{{"en":["{words}"],"zh":["{chinese}"]}}"#)),
            "what its healing misses"
        );
        assert!(page.contains(&format!(r#""note":{{"en":"{words}","zh":"{chinese}"}}"#)), "its story");
    }

    /// Where the model does not take the trace as it stands the file's own verdict is told.
    #[test]
    fn a_goal_that_the_model_cannot_judge_is_told_by_the_file() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum/demote_before_removal.jsonl");
        let mut trace = Trace::read(&path).expect("a trace");
        trace.header.view = None;
        let page = still(&trace);
        let words = "leader_electable: region 1: no leader: peer 1 on store 1 is candidate";
        assert!(page.contains(&format!(r#""broken":{{"en":["{words}"],"#)), "its verdict");
        assert!(page.contains(r#""unjudged":{"step":0}"#), "and why no state is judged");
        assert!(!page.contains(r#""heals":true"#), "no state is said to heal");
    }

    /// The views that the page builds from the changes equal the trace's.
    #[test]
    fn the_views_of_a_page_are_those_of_its_trace() {
        let mut compared = 0;
        for name in [
            "golden/leader_on_a_forgotten_store",
            "golden/split_spares_a_later_life",
            "museum/force_spares_sources",
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../traces/{name}.jsonl"));
            let trace = Trace::read(&path).expect("a trace");
            let page = still(&trace);
            let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
            let data: Value = serde_json::from_str(data.expect("the views")).expect("JSON");
            let mut view = serde_json::json!({ "stores": {}, "held": [], "pd": {} });
            put(&mut view, &data["first"]);
            for (step, shown) in trace.steps.iter().zip(data["steps"].as_array().expect("steps")) {
                put(&mut view, &shown["change"]);
                let shown = serde_json::to_value(step.view.as_ref().expect("a view")).expect("JSON");
                for part in ["stores", "held", "pd"] {
                    let nothing =
                        || if part == "held" { serde_json::json!([]) } else { serde_json::json!({}) };
                    let wanted = shown.get(part).cloned().unwrap_or_else(nothing);
                    assert_eq!(view[part], wanted, "{name}, step {}: {part}", step.index);
                }
                compared += 1;
            }
        }
        assert!(compared > 90, "{compared}");
    }

    #[test]
    fn rows_of_the_catalogue_are_left_out() {
        for (words, told) in [
            ("An older epoch than PD knows (row 35).", "An older epoch than PD knows."),
            ("Two (rows 17, 26) and one (row 3) of them.", "Two and one of them."),
            ("It is row 3 (raft-rs `has_pending_conf`).", "It is row 3 (raft-rs `has_pending_conf`)."),
        ] {
            assert_eq!(without_rows(words), told);
        }
    }

    fn put(view: &mut Value, change: &Value) {
        let none = serde_json::Map::new();
        for (store, is) in change.get("stores").and_then(Value::as_object).unwrap_or(&none) {
            let stores = view["stores"].as_object_mut().expect("stores");
            if is.is_null() {
                stores.remove(store)
            } else {
                stores.insert(store.clone(), is.clone())
            };
        }
        for part in ["held", "pd"] {
            if let Some(is) = change.get(part) {
                view[part] = is.clone();
            }
        }
    }
}
