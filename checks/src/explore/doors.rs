//! Finds what to look at for a message or a name: the guards whose absence shows it, and their
//! exhibits.

use std::collections::BTreeSet;

use rollcall_model::{Guard, scopes};
use rollcall_traces::Language;
use serde::Serialize;

use super::chinese;
use crate::learn::{LESSONS, Lesson};
use crate::museum::{PIECES, parts};
use crate::symptoms::Symptom;

/// A guard, with the exhibits that show its absence.
#[derive(Clone, Debug, Serialize)]
struct GuardDoor {
    guard: &'static str,
    incident: &'static str,
    exhibits: Vec<String>,
    lessons: Vec<usize>,
}

/// The results for some words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Doors {
    /// What the matching symptoms mean, each with a scope to begin with.
    means: Vec<(&'static str, &'static str)>,
    guards: Vec<GuardDoor>,
    scopes: Vec<String>,
}

/// The most results.
const MOST: usize = 12;

/// One or two letters match everything; two Chinese characters are a word.
fn is_enough(words: &str) -> bool {
    words.chars().count() > if words.is_ascii() { 2 } else { 1 }
}

/// Whether the words are a part of a text, or all of them stand in the name.
fn is_about(words: &str, name: &str, texts: &[&str]) -> bool {
    let name = name.replace('_', " ");
    let named = words.replace('_', " ");
    is_enough(words)
        && (texts.iter().any(|text| text.contains(words))
            || named.split_whitespace().all(|word| name.contains(word)))
}

/// The results for these words.
pub(super) fn of(words: &str, language: Language) -> Doors {
    let words = words.trim().to_lowercase();
    let symptoms = if words.is_empty() { Vec::new() } else { Symptom::of(&words) };
    let of_symptoms = symptoms.iter().flat_map(|symptom| symptom.guards).copied();
    let is_named = |guard: &&Guard| {
        is_about(&words, guard.name(), &[&guard.incident().to_lowercase(), chinese::of_guard(**guard)])
    };
    let named = Guard::ALL.iter().filter(is_named).map(|guard| guard.name());
    let mut met = BTreeSet::new();
    let guards: Vec<GuardDoor> = of_symptoms
        .chain(named)
        .filter(|name| met.insert(*name))
        .filter_map(Guard::from_name)
        .take(MOST)
        .map(|guard| door(guard, language))
        .collect();
    let all = scopes::all().into_iter().map(|plan| plan.scope);
    let fits = |name: &str, question: &str| {
        is_about(&words, name, &[&question.to_lowercase(), chinese::of_scope(name).unwrap_or_default()])
    };
    let scopes = all.filter(|scope| fits(&scope.name, &scope.question)).map(|scope| scope.name);
    Doors {
        means: symptoms
            .iter()
            .map(|symptom| match language {
                Language::English => (symptom.means, symptom.scope),
                Language::Chinese => (chinese::of_symptom(symptom).unwrap_or(symptom.means), symptom.scope),
            })
            .collect(),
        guards,
        scopes: scopes.take(MOST).collect(),
    }
}

fn door(guard: Guard, language: Language) -> GuardDoor {
    let name = guard.name();
    let exhibits = PIECES.iter().filter(|piece| piece.guard == guard).map(|piece| piece.name());
    let about = |number: &usize| Lesson::numbered(*number).is_ok_and(|lesson| lesson.facts.guard == name);
    GuardDoor {
        guard: name,
        incident: match language {
            Language::English => parts(guard.incident()).0,
            Language::Chinese => chinese::of_guard(guard),
        },
        exhibits: exhibits.collect(),
        lessons: (1..=LESSONS).filter(about).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_words() {
        for words in ["one_store_leaves", "one store leaves", "Store one leaves", "store_leaves one"] {
            let found = of(words, Language::English);
            assert!(
                found.scopes.iter().any(|name| name == "one_store_leaves"),
                "{words}: {:?}",
                found.scopes
            );
        }
        let found = of("vote term one", Language::English);
        assert!(found.guards.iter().any(|door| door.guard == "one_vote_a_term"), "{:?}", found.guards);
        let found = of("one elephant leaves", Language::English);
        assert!(found.scopes.is_empty(), "every word counts: {:?}", found.scopes);
    }
}
