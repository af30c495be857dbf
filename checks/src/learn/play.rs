//! A lesson in the terminal: step by step, with its questions.

use std::io::BufRead;

use rollcall_traces::{Action, Outcome, Returned, render};

use super::{Language, Lesson, Prose, Question, QuestionProse};
use crate::explore::Steps;

/// The source of guesses, one on each line.
pub struct Guesses<'a> {
    lines: &'a mut dyn BufRead,
    /// Whether the input has ended.
    ended: bool,
}

/// A reader's guess.
enum Guess {
    Choice(usize),
    /// No guess: the input has ended.
    Nobody,
}

impl<'a> Guesses<'a> {
    /// Reads guesses from these lines. After their end, the rest of the lesson is printed without
    /// asking.
    pub fn from(lines: &'a mut dyn BufRead) -> Self {
        Self { lines, ended: false }
    }

    fn next(&mut self, choices: usize, language: Language, say: &mut dyn FnMut(&str)) -> Guess {
        let last = char::from(b'a' + choices.saturating_sub(1) as u8);
        while !self.ended {
            let mut line = String::new();
            // Invalid UTF-8 counts as no guess.
            if !matches!(self.lines.read_line(&mut line), Ok(length) if length > 0) {
                self.ended = true;
                say(words(language).ended);
                break;
            }
            let word = line.trim().to_ascii_lowercase();
            match word.bytes().next() {
                Some(letter) if word.len() == 1 && (b'a'..b'a' + choices as u8).contains(&letter) => {
                    return Guess::Choice(usize::from(letter - b'a'));
                }
                _ => say(&words(language).no_guess.replace("{last}", &last.to_string())),
            }
        }
        Guess::Nobody
    }
}

/// The program's own texts in a lesson.
struct Words {
    language: Language,
    lesson: &'static str,
    begins: &'static str,
    without: &'static str,
    ended: &'static str,
    no_guess: &'static str,
    right: &'static str,
    wrong: &'static str,
    is: &'static str,
    branch: &'static str,
    refused: &'static str,
    violated: &'static str,
    rule: &'static str,
    guard: &'static str,
    claims: &'static str,
    exercise: &'static str,
    how: &'static str,
}

fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    }
}

const ENGLISH: Words = Words {
    language: Language::English,
    lesson: "Lesson",
    begins: "It begins after these steps:",
    without: "The rules here are broken on purpose. This guard is off:",
    ended: "  (no more input: the rest is printed without asking)",
    no_guess: "  Answer with one letter, a to {last}.",
    right: "You were right: {choice}",
    wrong: "Not so. It is {choice}",
    is: "It is {choice}",
    branch: "What it takes for {choice} to come true:",
    refused: "refused",
    violated: "VIOLATED",
    rule: "The rule",
    guard: "Guard",
    claims: "What the checker measured",
    exercise: "Exercise",
    how: "Write the steps into a file, one action on each line, and let the model check it:",
};

const CHINESE: Words = Words {
    language: Language::Chinese,
    lesson: "第",
    begins: "从这些步骤之后开始：",
    without: "这里的规则是故意改坏的，关掉了这个 guard：",
    ended: "  （输入结束：下面不再提问，直接讲完）",
    no_guess: "  请输入一个字母，a 到 {last}。",
    right: "猜对了：{choice}",
    wrong: "不是这样。答案是 {choice}",
    is: "答案是 {choice}",
    branch: "要让 {choice} 成真，得这样：",
    refused: "被拒绝",
    violated: "违反",
    rule: "规则",
    guard: "Guard",
    claims: "检查器测得",
    exercise: "练习",
    how: "把步骤写进文件，一行一个动作，交给模型判：",
};

/// Prints the lesson from its beginning to its exercise.
///
/// # Errors
/// If one of the lesson's files is broken.
pub fn play(
    lesson: &Lesson,
    language: Language,
    guesses: &mut Guesses<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let (mut steps, actions) = lesson.steps()?;
    let prose = lesson.prose(language)?;
    let said = words(language);
    say(&heading(lesson, &prose, language));
    say(&format!("\n{}\n", prose.story));
    for region in &lesson.schedule.header.scope.regions {
        say(&format!("  {region}"));
    }
    if !lesson.schedule.header.without.is_empty() {
        say(&format!("  {} {}", said.without, lesson.schedule.header.without.join(", ")));
    }
    if !steps.model().scope().setup.is_empty() {
        say(&format!("  {}", said.begins));
        for action in &steps.model().scope().setup {
            say(&format!("      {}", language.of(action)));
        }
    }
    for (number, action) in (1..).zip(&actions) {
        let asked = (0..).zip(&lesson.facts.questions).find(|(_, question)| question.before == number);
        let chosen = asked.map(|(at, question)| {
            let asked: &QuestionProse = &prose.asked[at];
            say(&format!("\n? {}", asked.question));
            for (letter, choice) in ('a'..).zip(&asked.choices) {
                say(&format!("    {letter}) {choice}"));
            }
            (question, asked, guesses.next(asked.choices.len(), language, say))
        });
        say(&narrate(&mut steps, action, prose.steps.get(number - 1), said));
        if let Some((question, asked, guess)) = chosen {
            answer(lesson, question, asked, &guess, &steps, said, say)?;
        }
    }
    end(lesson, &prose, language, say);
    Ok(())
}

fn heading(lesson: &Lesson, prose: &Prose, language: Language) -> String {
    match language {
        Language::English => format!("{} {}. {}", words(language).lesson, lesson.number, prose.title),
        Language::Chinese => format!("{} {} 课 {}", words(language).lesson, lesson.number, prose.title),
    }
}

/// Prints the step and what it changed.
fn narrate(steps: &mut Steps, action: &Action, narrated: Option<&String>, said: &Words) -> String {
    let before = steps.view();
    let outcome = steps.take(action).clone();
    let mut text = format!("\n{:>3} {}", steps.len(), said.language.of(action));
    text += &answered(&outcome, said);
    if let Some(words) = narrated {
        text += &format!("\n      {words}");
    }
    for change in render::changes_in(said.language, &before, &steps.view()) {
        text += &format!("\n      | {change}");
    }
    for violation in steps.violations(steps.len()) {
        text += &format!("\n      {}: {violation}", said.violated);
    }
    text
}

/// What the step's sender is told, in brackets: the reason of a refusal, or what comes back. Empty
/// where nothing comes back.
fn answered(outcome: &Outcome, said: &Words) -> String {
    match outcome {
        Outcome::Refused(reason) => format!("  [{}: {reason}]", said.refused),
        Outcome::Done(Returned::Nothing) => String::new(),
        Outcome::Done(_) => format!("  [{}]", said.language.of(outcome)),
    }
}

/// Prints what really happens, and the branch of a wrong guess. Without a guess, every branch is
/// printed.
fn answer(
    lesson: &Lesson,
    question: &Question,
    asked: &QuestionProse,
    guess: &Guess,
    steps: &Steps,
    said: &Words,
    say: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let right = question.right(steps)?;
    let letter = |at: usize| char::from(b'a' + at as u8);
    let how = match guess {
        Guess::Choice(choice) if *choice == right => said.right,
        Guess::Choice(_) => said.wrong,
        Guess::Nobody => said.is,
    };
    say(&format!("\n  {} {}", how.replace("{choice}", &format!("{})", letter(right))), asked.choices[right]));
    say(&format!("  {}", asked.answer.replace('\n', "\n  ")));
    for (at, choice) in question.choices.iter().enumerate() {
        let is_shown = match guess {
            Guess::Choice(guessed) => *guessed == at,
            Guess::Nobody => true,
        };
        let Some(branch) = choice.branch.as_ref().filter(|_| is_shown && at != right) else { continue };
        say(&format!("\n  {}", said.branch.replace("{choice}", &format!("{})", letter(at)))));
        say(&format!("  {}", asked.branches[at].replace('\n', "\n  ")));
        let other = lesson.branch(branch)?;
        for number in branch.behind + 1..=other.len() {
            let (action, outcome) = other.step(number).expect("it was taken");
            say(&format!("    > {}{}", said.language.of(action), answered(outcome, said)));
        }
        for violation in other.violations(other.len()) {
            say(&format!("      {}: {violation}", said.violated));
        }
    }
    Ok(())
}

fn end(lesson: &Lesson, prose: &Prose, language: Language, say: &mut dyn FnMut(&str)) {
    let said = words(language);
    say(&format!("\n{}\n{}", said.rule, prose.rule));
    say(&format!("{}: {1} (rollcall explain {1})", said.guard, lesson.facts.guard));
    say(&format!("\n{}", said.claims));
    for claim in &lesson.facts.claims {
        say(&format!("  {}", claim.words(language)));
    }
    let exercise = &lesson.facts.exercise;
    say(&format!("\n{}\n{}", said.exercise, prose.exercise));
    let without: String = exercise.without.iter().map(|guard| format!(" --without {guard}")).collect();
    say(&format!("  {}\n    rollcall learn {} --answer FILE", said.how, lesson.number));
    say(&format!("    rollcall explore {}{without}", exercise.scope));
}
