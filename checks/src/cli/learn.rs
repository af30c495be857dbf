//! `learn`: the lessons in the terminal, and the check of an exercise's answer.

use std::io::stdin;
use std::path::Path;

use anyhow::{Result, anyhow};
use clap::ValueEnum;

use super::end::End;
use super::out;
use super::out::outln;
use crate::learn::{Guesses, LESSONS, Language, Lesson, broken, play, read_answer};

/// The language of a lesson.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LanguageArgument {
    En,
    Zh,
}

impl From<LanguageArgument> for Language {
    fn from(language: LanguageArgument) -> Self {
        match language {
            LanguageArgument::En => Self::English,
            LanguageArgument::Zh => Self::Chinese,
        }
    }
}

/// A lesson's number; whether there is such a lesson is asked later.
pub(super) fn number(word: &str) -> std::result::Result<usize, String> {
    word.parse().map_err(|_| format!("lessons are numbered 1 to {LESSONS}"))
}

pub(super) fn run(number: Option<usize>, language: Language, answer: Option<&Path>) -> Result<End> {
    let Some(number) = number else { return list(language) };
    let lesson = Lesson::numbered(number).map_err(|error| anyhow!(error))?;
    match answer {
        Some(path) => judge(&lesson, path, language),
        None => {
            let mut lines = stdin().lock();
            let played = play(&lesson, language, &mut Guesses::from(&mut lines), &mut say);
            played.map(|()| End::Holds).map_err(|error| anyhow!(error))
        }
    }
}

/// The width of a narrow terminal in columns, without the punctuation that may follow a Chinese
/// line.
const WIDTH: usize = 78;

/// Prints the text, wrapped to the terminal; a continuation has the indentation of its line.
fn say(text: &str) {
    let width = out::columns().unwrap_or(WIDTH).clamp(40, WIDTH);
    for line in text.split('\n') {
        let begins = line.len() - line.trim_start().len();
        let inside = " ".repeat(begins);
        outln!(
            "{}{}",
            inside,
            broken(line.trim_start(), width - begins.min(width / 2), "")
                .replace('\n', &format!("\n{inside}"))
        );
    }
}

fn list(language: Language) -> Result<End> {
    for lesson in Lesson::all().map_err(|error| anyhow!(error))? {
        let prose = lesson.prose(language).map_err(|error| anyhow!(error))?;
        outln!("{:>3}  {}  ({})", lesson.number, prose.title, lesson.facts.guard);
    }
    outln!(
        "{}",
        match language {
            Language::English => "rollcall learn 1 begins the first; --lang zh is Chinese",
            Language::Chinese => "rollcall learn 1 --lang zh 从第一课开始",
        }
    );
    Ok(End::Holds)
}

/// The model's verdict on an answer to the exercise.
fn judge(lesson: &Lesson, path: &Path, language: Language) -> Result<End> {
    let actions = read_answer(path).map_err(|error| anyhow!(error))?;
    let number = lesson.number;
    Ok(match (lesson.facts.exercise.judge(&actions), language) {
        (Ok(steps), Language::English) => {
            outln!("lesson {number}: solved in {steps} steps");
            End::Holds
        }
        (Ok(steps), Language::Chinese) => {
            outln!("第 {number} 课：{steps} 步，解出来了");
            End::Holds
        }
        (Err(because), Language::English) => {
            outln!("lesson {number}: not solved: {because}");
            End::Violated
        }
        (Err(because), Language::Chinese) => {
            outln!("第 {number} 课：还没有解出来：{}", because.words(language));
            End::Violated
        }
    })
}
