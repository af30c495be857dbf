//! The lists of scopes, guards, exhibits and lessons in both languages, a complete lesson, and the
//! check of its exercise.

use std::sync::OnceLock;

use rollcall_model::{Guard, scopes};
use rollcall_traces::{Header, Trace};
use serde::Serialize;
use serde_json::{Value, json};

use super::server::LARGEST;
use super::shown::{Link, ServerState};
use super::{actions_of, chinese};
use crate::learn::{LESSONS, Language, Lesson};
use crate::museum::{PIECES, Piece, parts};

/// Everything that a link can begin with. It is the same for every page.
pub(super) fn list() -> &'static Value {
    static LIST: OnceLock<Value> = OnceLock::new();
    LIST.get_or_init(listed)
}

fn listed() -> Value {
    let scopes: Vec<Value> = scopes::all()
        .iter()
        .map(|plan| {
            let scope = &plan.scope;
            json!({ "name": scope.name, "en": scope.question,
                    "zh": chinese::of_scope(&scope.name),
                    "family": plan.family.name(), "size": plan.size.to_string() })
        })
        .collect();
    let guards: Vec<Value> = Guard::ALL
        .iter()
        .map(|guard| {
            json!({ "name": guard.name(), "en": parts(guard.incident()).0, "zh": chinese::of_guard(*guard) })
        })
        .collect();
    let titles = |number: usize| {
        let lesson = Lesson::numbered(number).ok()?;
        let title = |language| lesson.prose(language).ok().map(|prose| prose.title);
        Some(json!({ "number": number, "en": title(Language::English), "zh": title(Language::Chinese) }))
    };
    let lessons: Vec<Value> = (1..=LESSONS).filter_map(titles).collect();
    let exhibits: Vec<Value> = PIECES.iter().map(exhibit).collect();
    json!({ "scopes": scopes, "guards": guards, "exhibits": exhibits, "lessons": lessons,
            "properties": chinese::properties(), "goals": chinese::goals(), "largest": LARGEST })
}

/// An exhibit, titled by what goes wrong.
fn exhibit(piece: &Piece) -> Value {
    let guard = piece.guard;
    json!({ "name": piece.name(), "guard": guard.name(), "scope": piece.scope, "breaks": piece.harm.broken(),
            "en": consequence(parts(guard.incident()).0, "Otherwise "),
            "zh": consequence(chinese::of_guard(guard), "否则") })
}

/// The sentence that says what happens without the rule; the rule itself if there is none.
fn consequence(incident: &str, otherwise: &str) -> String {
    let consequence = incident.split_once(otherwise).map_or(incident, |(_, after)| after);
    let mut letters = consequence.trim_end_matches(['.', '。']).chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A lesson for the page: its schedule, its questions, and the branches of wrong guesses.
pub(super) fn lesson(known: &ServerState, number: usize, language: Language) -> Result<Value, String> {
    let lesson = Lesson::numbered(number)?;
    let prose = lesson.prose(language)?;
    let (mut steps, actions) = lesson.steps()?;
    // The lesson's file says nothing here, because its title tells how it ends.
    let header = Header {
        without: lesson.schedule.header.without.clone(),
        ..Header::new(lesson.schedule.header.scope.clone())
    };
    let taken = known.take_in(&Trace::scenario(header, actions.iter().cloned()));
    let (scope, without, names) = (taken.scope, taken.without, taken.actions);
    let mut questions = Vec::new();
    for (question, asked) in lesson.facts.questions.iter().zip(&prose.asked) {
        steps.back_to(0);
        for action in actions.iter().take(question.before) {
            steps.take(action);
        }
        let right = question.right(&steps)?;
        let branches: Vec<Value> = question
            .choices
            .iter()
            .map(|choice| match &choice.branch {
                None => Value::Null,
                Some(branch) => {
                    let own =
                        if branch.without.is_empty() { without.clone() } else { branch.without.join(",") };
                    let own = if own == "none" { String::new() } else { own };
                    let way: Vec<&String> = names.iter().take(branch.behind).chain(&branch.actions).collect();
                    json!({ "without": own, "do": way })
                }
            })
            .collect();
        questions
            .push(json!({ "before": question.before, "question": asked.question, "choices": asked.choices,
            "right": right, "answer": asked.answer, "told": asked.branches, "branches": branches }));
    }
    let exercise = &lesson.facts.exercise;
    let claims: Vec<String> = lesson.facts.claims.iter().map(|claim| claim.words(language)).collect();
    Ok(json!({
        "number": number, "title": prose.title, "story": prose.story, "guard": lesson.facts.guard,
        "scope": scope, "without": without, "do": names, "steps": prose.steps, "questions": questions,
        "rule": prose.rule, "claims": claims, "exercise": prose.exercise,
        "exercise_scope": exercise.scope, "exercise_without": exercise.without.join(","),
        "exercise_steps": exercise.steps,
    }))
}

/// The model's verdict on an answer to an exercise.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    /// The step after which the goal is reached.
    solved: Option<usize>,
    /// Why the answer is wrong or incomplete.
    because: String,
    /// Whether more steps may still solve it.
    open: bool,
}

impl ServerState {
    /// Checks the link's actions as an answer to the exercise of its lesson.
    pub(super) fn judged(&self, link: &Link) -> Result<Judged, String> {
        let exercise = Lesson::numbered(link.exercise)?.facts.exercise;
        let answer = actions_of(&link.actions)?;
        Ok(match exercise.judge(&answer) {
            Ok(steps) => Judged { solved: Some(steps), because: String::new(), open: false },
            Err(unmet) => {
                let because = unmet.words(link.language()).to_string();
                let open = !unmet.is_final() && answer.len() < exercise.steps;
                Judged { solved: None, because, open }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exhibit_is_called_by_what_goes_wrong() {
        let exhibits: Vec<Value> = PIECES.iter().map(exhibit).collect();
        let once = exhibits.iter().find(|one| one["name"] == "snapshot_once").expect("an exhibit");
        assert_eq!(once["en"], "The second overwrites the first half-way");
        assert_eq!(once["zh"], "第二个会把第一个写坏一半");
        let says = |one: &Value, language: &str| one[language].as_str().is_some_and(|title| title.len() > 12);
        assert!(exhibits.iter().all(|one| says(one, "en") && says(one, "zh")));
    }
}
