//! `explain`: what Rollcall knows about a guard, a reason, a property, a goal, a stuck reason, a
//! scope, a row of the catalogue, or a pasted message.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use rollcall_model::Guard;
use rollcall_model::liveness::{Goal, StuckReason};
use rollcall_model::properties::Property;
use rollcall_model::scopes::{self, Family, ScopePlan};
use rollcall_traces::{Divergence, Outcome, Reason};

use super::end::End;
use super::out;
use crate::museum::{Harm, PIECES, Piece};
use crate::places::{self, CodePlace};
use crate::symptoms::Symptom;

/// How many of several answers are printed.
const MOST: usize = 4;

/// An explanation of one thing.
struct Answer {
    title: String,
    lines: Vec<String>,
    next: Vec<String>,
}

pub(super) fn run(words: &[String]) -> Result<End> {
    let words = words.join(" ");
    let words = words.trim();
    if words.is_empty() {
        bail!("explain what? Name a guard, reason, property, goal, scope or row, or paste a message");
    }
    let mut answers = by_name(words);
    if answers.is_empty() {
        answers = by_row(words);
    }
    if answers.is_empty() {
        answers = Symptom::of(words).into_iter().map(of_symptom).collect();
    }
    if answers.is_empty() {
        answers = by_words(words);
    }
    if answers.is_empty() {
        bail!(
            "nothing was found for `{words}`; name a guard, reason, property, goal, scope or row, or paste a message (`rollcall guards`, `scopes`, `properties`, `situations` list them)"
        );
    }
    let text: Vec<String> = answers.iter().take(MOST).map(Answer::text).collect();
    let more =
        answers.iter().skip(MOST).map(|answer| format!("also: {}\n", answer.title)).collect::<String>();
    out::say(&(text.join("\n") + &more))
}

impl Answer {
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for line in &self.lines {
            text += &format!("{}\n", out::wrapped(&format!("  {line}")));
        }
        if !self.next.is_empty() {
            text += "  next:\n";
        }
        for command in self.next.iter().take(3) {
            text += &format!("    {command}\n");
        }
        text
    }
}

/// The command that explains a divergence: by the guard that decides it, or by a side's reason.
pub(super) fn pointer(divergence: &Divergence) -> Option<String> {
    let refused = |outcome: &Option<Outcome>| match outcome {
        Some(Outcome::Refused(reason)) => Some(reason.to_string()),
        _ => None,
    };
    let by_reason = || {
        let differ = divergence.outcomes_differ();
        differ.then(|| refused(&divergence.actual).or_else(|| refused(&divergence.expected))).flatten()
    };
    let by_guard = divergence.guards.first().map(|note| note.guard.clone());
    by_guard.or_else(by_reason).map(|name| format!("  more: rollcall explain {name}"))
}

/// The answers for exactly that name.
fn by_name(name: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    if Guard::from_name(name).is_some() || rollcall_impl::Guard::from_name(name).is_some() {
        answers.push(of_guard(name));
    }
    answers.extend(Property::from_name(name).map(of_property));
    answers.extend(Goal::from_name(name).map(of_goal));
    answers.extend(
        Reason::ALL.iter().find(|reason| reason.to_string() == name).map(|reason| of_reason(*reason)),
    );
    answers.extend(StuckReason::NAMES.contains(&name).then(|| of_stuck_reason(name)));
    answers.extend(scopes::named(name).map(|plan| of_scope(&plan)));
    answers
}

/// The answers for a row (`row 15`, `15`) or an issue (`tikv#10595`).
fn by_row(words: &str) -> Vec<Answer> {
    let number = words.trim_start_matches("row").trim();
    let is_row = !number.is_empty() && number.chars().all(|is| is.is_ascii_digit());
    if !is_row && !words.contains('#') {
        return Vec::new();
    }
    let names = |incident: &str| match is_row {
        true => rows_of(incident).contains(number),
        false => incident.split([' ', ',', ';', '(', ')', '.']).any(|part| part == words),
    };
    let guards: Vec<&str> =
        all_guards().into_iter().filter(|(_, incident)| names(incident)).map(|(name, _)| name).collect();
    let row = match guards[..] {
        _ if is_row => of_row(number, &guards),
        [] => of_issue(words),
        _ => None,
    };
    row.into_iter().chain(guards.iter().map(|name| of_guard(name))).collect()
}

/// The page with the rows.
const CATALOGUE: &str = include_str!("../../../docs/incidents.md");

/// A row of the catalogue, with or without a guard.
fn of_row(number: &str, guards: &[&str]) -> Option<Answer> {
    let row = CATALOGUE.lines().find_map(|line| line.strip_prefix(&format!("| {number} | ")))?;
    let [what, rule, report, checked] = cells(row)[..] else { return None };
    Some(Answer {
        title: format!("row {number} of docs/incidents.md"),
        lines: vec![
            what.into(),
            format!("rule: {rule}"),
            format!("report: {report}"),
            format!("checked by: {checked}"),
        ],
        next: guards.iter().map(|guard| format!("rollcall explain {guard}")).collect(),
    })
}

/// The cells of a line of a table, behind its first bar.
fn cells(line: &str) -> Vec<&str> {
    line.trim_end_matches(" |").split(" | ").collect()
}

/// The line of an issue in the catalogue's second table, which has no row numbers.
fn of_issue(issue: &str) -> Option<Answer> {
    let lists = |row: &&str| {
        row.split(" | ").next().is_some_and(|issues| issues.split(", ").any(|listed| listed == issue))
    };
    let row = CATALOGUE.lines().filter_map(|line| line.strip_prefix("| ")).find(lists)?;
    let [_, what, checked] = cells(row)[..] else { return None };
    Some(Answer {
        title: format!("{issue}, by docs/incidents.md"),
        lines: vec![what.into(), format!("checked by: {checked}")],
        next: vec!["rollcall replay traces/scenarios".into()],
    })
}

/// The rows that an incident names: `(row 15, tikv#10595)`, `rows 17, 26`.
fn rows_of(incident: &str) -> BTreeSet<&str> {
    let mut rows = BTreeSet::new();
    for (at, _) in incident.match_indices("row") {
        let rest = incident[at + 3..].trim_start_matches('s');
        let numbers = rest.split([' ', ',']).filter(|part| !part.is_empty());
        let number =
            |part: &&str| part.trim_end_matches([')', ';', '.']).chars().all(|is| is.is_ascii_digit());
        rows.extend(numbers.take_while(number).map(|part| part.trim_end_matches([')', ';', '.'])));
    }
    rows
}

/// Everything whose name or text contains all of these words.
fn by_words(words: &str) -> Vec<Answer> {
    let words: Vec<String> = words.to_lowercase().split_whitespace().map(Into::into).collect();
    let has = |name: &str, said: &str| {
        let text = format!("{} {}", name.replace('_', " "), said).to_lowercase();
        words.iter().all(|word| word.chars().count() > 2 && text.contains(&word.replace('_', " ")))
    };
    let mut answers: Vec<Answer> = all_guards()
        .into_iter()
        .filter(|(name, incident)| has(name, incident))
        .map(|(name, _)| of_guard(name))
        .collect();
    let properties = Property::ALL.iter().filter(|property| has(property.name(), property.statement()));
    answers.extend(properties.map(|property| of_property(*property)));
    answers.extend(
        Goal::ALL.iter().filter(|goal| has(goal.name(), goal.statement())).map(|goal| of_goal(*goal)),
    );
    let plans = scopes::all();
    let asked = plans.iter().filter(|plan| has(&plan.scope.name, &plan.scope.question));
    answers.extend(asked.map(of_scope));
    answers
}

/// The guards of both sides with their incidents.
fn all_guards() -> Vec<(&'static str, &'static str)> {
    let ours = Guard::ALL.iter().map(|guard| (guard.name(), guard.incident()));
    let below = rollcall_impl::Guard::ALL.iter().filter(|guard| guard.is_implementation_only());
    ours.chain(below.map(|guard| (guard.name(), guard.incident()))).collect()
}

fn listed(places: &[CodePlace]) -> String {
    places.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The places in model and implementation.
fn places_of(all: Vec<CodePlace>) -> Vec<String> {
    let (model, implementation): (Vec<CodePlace>, Vec<CodePlace>) =
        all.into_iter().partition(CodePlace::is_of_model);
    let mut lines = Vec::new();
    if !model.is_empty() {
        lines.push(format!("in the model: {}", listed(&model)));
    }
    if !implementation.is_empty() {
        lines.push(format!("in the implementation: {}", listed(&implementation)));
    }
    lines
}

/// An exhibit: what breaks, in which scope, and its file.
fn of_piece(piece: &Piece) -> String {
    let breaks = match piece.harm {
        Harm::Safety(property) => format!("{} is violated", property.name()),
        Harm::Recovery(goal) => format!("{} is missed once faults stop", goal.name()),
        Harm::Delay => "only time is lost".into(),
    };
    format!("without it {breaks} in {}; the exhibit is traces/museum/{}.jsonl", piece.scope, piece.name())
}

fn of_guard(name: &str) -> Answer {
    let (title, incident) = match Guard::from_name(name) {
        Some(guard) => (format!("guard {name}"), guard.incident()),
        None => {
            let below = rollcall_impl::Guard::from_name(name).map_or("", |guard| guard.incident());
            (format!("guard {name}, of the implementation alone"), below)
        }
    };
    let mut lines = vec![incident.to_string()];
    lines.extend(places_of(places::of_guard(name)));
    if let Some(guard) = rollcall_impl::Guard::from_name(name) {
        lines.push(format!("decided by {} on the implementation", guard.decider()));
    }
    let pieces: Vec<&Piece> = PIECES.iter().filter(|piece| piece.guard.name() == name).collect();
    lines.extend(pieces.iter().map(|piece| of_piece(piece)));
    let next = match pieces.first() {
        Some(piece) => {
            let file = format!("traces/museum/{}.jsonl", piece.name());
            vec![
                format!("rollcall check {} --without {name}", piece.scope),
                format!("rollcall show {file}"),
                format!("rollcall replay {file}"),
            ]
        }
        None => {
            lines.push(format!("tested by: cargo test -p rollcall-impl {name}"));
            vec!["rollcall record --out run.jsonl".into(), "rollcall accept run.jsonl".into()]
        }
    };
    Answer { title, lines, next }
}

/// The exhibits that break it, and the commands to see them.
fn exhibits(name: &str, harms: impl Fn(Harm) -> bool) -> (Vec<String>, Vec<String>) {
    let pieces: Vec<&Piece> = PIECES.iter().filter(|piece| harms(piece.harm)).collect();
    let Some(first) = pieces.first() else { return (Vec::new(), Vec::new()) };
    let guards: Vec<&str> = pieces.iter().map(|piece| piece.guard.name()).collect();
    let lines = vec![
        format!("breaks without: {}", guards.join(", ")),
        format!("an exhibit: traces/museum/{}.jsonl, of scope {}", first.name(), first.scope),
    ];
    let next = vec![
        format!("rollcall check {} --property {name}", first.scope),
        format!("rollcall check {} --without {}", first.scope, first.guard),
        format!("rollcall show traces/museum/{}.jsonl", first.name()),
    ];
    (lines, next)
}

fn of_property(property: Property) -> Answer {
    let name = property.name();
    let (more, next) = exhibits(name, |harm| harm == Harm::Safety(property));
    let mut lines = vec![property.statement().to_string()];
    lines.extend(places::of_property(name).iter().map(|place| format!("stated in full: {place}")));
    lines.extend(more);
    Answer { title: format!("property {name}: it holds in every state"), lines, next }
}

fn of_goal(goal: Goal) -> Answer {
    let (more, next) = exhibits(goal.name(), |harm| harm == Harm::Recovery(goal));
    let mut lines = vec![goal.statement().to_string(), "stated in full: model/src/liveness/goal.rs".into()];
    lines.extend(more);
    Answer { title: format!("goal {goal}: it is met once faults stop ({})", goal.liveness()), lines, next }
}

fn of_reason(reason: Reason) -> Answer {
    let mut lines = vec![places::meaning_of_reason(reason).to_string()];
    lines.extend(places_of(places::of_reason(reason)));
    let families: Vec<&str> =
        Family::ALL.iter().filter(|family| family.owes_reason(reason)).map(|family| family.name()).collect();
    lines.push(format!("scopes of {} refuse actions with this reason", families.join(", ")));
    let family = families.first().copied().unwrap_or("conf-change");
    let next = vec![
        format!("rollcall verify --family {family} --size smoke --details"),
        "rollcall actions".into(),
        "rollcall replay traces/scenarios".into(),
    ];
    Answer { title: format!("refused: {reason}"), lines, next }
}

fn of_stuck_reason(name: &str) -> Answer {
    let is = |plan: &&ScopePlan| plan.allowed_stuck.iter().any(|stuck_reason| stuck_reason.name() == name);
    let plans = scopes::all();
    let named: Vec<&str> = plans.iter().filter(is).map(|plan| plan.scope.name.as_str()).collect();
    let mut lines = vec![places::meaning_of_stuck_reason(name).to_string()];
    lines.push("stated in full: model/src/liveness/excuse.rs".into());
    lines.push("getting stuck is correct here".into());
    if !named.is_empty() {
        lines.push(format!("scopes that list it: {}", named.join(", ")));
    }
    let next = named
        .iter()
        .take(1)
        .flat_map(|scope| [format!("rollcall check {scope}"), format!("rollcall explain {scope}")]);
    Answer { title: format!("stuck: {name}"), lines, next: next.collect() }
}

fn of_scope(plan: &ScopePlan) -> Answer {
    let name = &plan.scope.name;
    let mut lines = vec![plan.scope.question.clone()];
    lines.push(format!("{} scope of {}, stores {:?}", plan.size, plan.family, plan.scope.stores));
    lines.push(format!("it allows {}; it has no {}", plan.covered(), plan.not_covered()));
    let reached: Vec<&str> = plan.reachable.iter().map(|reach| reach.name()).collect();
    lines.push(format!("it must reach: {}", reached.join("; ")));
    if !plan.allowed_stuck.is_empty() {
        let stuck_reasons: Vec<String> = plan.allowed_stuck.iter().map(ToString::to_string).collect();
        lines.push(format!("it may get stuck with: {}", stuck_reasons.join("; ")));
    }
    let pieces: Vec<&Piece> = PIECES.iter().filter(|piece| piece.scope == name).collect();
    if !pieces.is_empty() {
        let guards: Vec<&str> = pieces.iter().map(|piece| piece.guard.name()).collect();
        lines.push(format!("it has the exhibits of: {}", guards.join(", ")));
    }
    let mut next = vec![
        format!("rollcall check {name}"),
        format!("rollcall verify --family {} --size {} --scope {name}", plan.family, plan.size),
    ];
    next.extend(pieces.first().map(|piece| format!("rollcall check {name} --without {}", piece.guard)));
    Answer { title: format!("scope {name}"), lines, next }
}

fn of_symptom(symptom: &Symptom) -> Answer {
    let mut lines = vec![symptom.means.to_string()];
    lines.push(format!("look at the guards {}", symptom.guards.join(", ")));
    lines.push(format!("related: {}", symptom.about.join(", ")));
    if let Some(first) = symptom.guards.first() {
        let guard = of_guard(first);
        lines.push(format!("{first}: {}", guard.lines.join("; ")));
    }
    let of_guard = |guard: &&str| PIECES.iter().find(|piece| piece.guard.name() == *guard);
    let exhibit = symptom.guards.iter().find_map(of_guard);
    let next = vec![
        format!(
            "rollcall explain {}",
            symptom.guards.first().or(symptom.about.first()).copied().unwrap_or_default()
        ),
        format!("rollcall check {}", symptom.scope),
        exhibit.map_or_else(
            || "rollcall guards".into(),
            |piece| format!("rollcall show traces/museum/{}.jsonl", piece.name()),
        ),
    ];
    Answer { title: format!("symptom: {}", symptom.said[0]), lines, next }
}
