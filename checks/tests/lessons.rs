//! Every lesson in both languages: its guesses, its branches, its exercise with its answers, and
//! each claim measured again. Each statement of a lesson is a test under its name.
//!
//! `LESSONS=write cargo test --test lessons` writes the measured figures into the lessons.

mod harness;
#[path = "harness/measure.rs"]
mod measure;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rollcall_checks::explore::{Steps, action_of, name_of};
use rollcall_checks::learn::{Claim, Counted, Exercise, LESSONS, Language, Lesson, Sends};
use rollcall_checks::walk::walk;
use rollcall_checks::world::World;
use rollcall_impl::{Guard, Lacking};
use rollcall_traces::{Action, Outcome, Sides, replay};

use measure::{Measured, measure};

fn actions(names: &[String]) -> Result<Vec<Action>, Failed> {
    names.iter().map(|name| action_of(name).map_err(|error| format!("{name}: {error}").into())).collect()
}

/// Both pages have the same sections, and a sentence for each step.
fn has_both_languages(lesson: &Lesson) -> Result<(), Failed> {
    let (english, chinese) = (lesson.prose(Language::English)?, lesson.prose(Language::Chinese)?);
    let (_, actions) = lesson.steps()?;
    for prose in [&english, &chinese] {
        if prose.steps.len() != actions.len() {
            return Err(
                format!("{}: {} sentences, {} steps", prose.title, prose.steps.len(), actions.len()).into()
            );
        }
    }
    let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    if is_chinese(&english.story) || !is_chinese(&chinese.story) || !is_chinese(&chinese.title) {
        return Err("a page is in the wrong language".into());
    }
    Ok(())
}

/// Exactly one guess is right, and each other one comes true in its branch.
fn guesses_are_as_stated(lesson: &Lesson) -> Result<(), Failed> {
    if lesson.facts.questions.is_empty() {
        return Err("it asks nothing".into());
    }
    for question in &lesson.facts.questions {
        let (mut steps, actions) = lesson.steps()?;
        if question.before == 0 || question.before > actions.len() {
            return Err(format!("there is no step {}", question.before).into());
        }
        for action in actions.iter().take(question.before) {
            steps.take(action);
        }
        let right = question.right(&steps)?;
        for (at, choice) in question.choices.iter().enumerate() {
            let place = format!("before step {}, choice {}", question.before, char::from(b'a' + at as u8));
            match (&choice.branch, at == right) {
                (None, true) => {}
                (Some(branch), false) => {
                    let other = lesson.branch(branch)?;
                    choice.when.holds(&other).map_err(|error| format!("{place}: {error}"))?;
                }
                (Some(_), true) => return Err(format!("{place}: it is right and has a branch").into()),
                (None, false) => return Err(format!("{place}: it is wrong and has no branch").into()),
            }
        }
    }
    Ok(())
}

/// Before a guess neither the terminal nor the page says what decides it: what a choice says is
/// violated is not violated yet, and the page shows no verdict at all.
fn nothing_is_told_before_the_guess(lesson: &Lesson) -> Result<(), Failed> {
    for question in &lesson.facts.questions {
        let (mut steps, actions) = lesson.steps()?;
        for action in actions.iter().take(question.before - 1) {
            steps.take(action);
        }
        let told: Vec<&str> =
            (0..=steps.len()).flat_map(|at| steps.violations(at)).map(|one| one.property.name()).collect();
        for choice in &question.choices {
            if let Some(property) = choice.when.violates.as_deref().filter(|name| told.contains(name)) {
                return Err(format!("{property} is violated before step {}", question.before).into());
            }
        }
    }
    Ok(())
}

/// The right answer is accepted, on the implementation too; the wrong one is refused.
fn exercise_is_judged(lesson: &Lesson) -> Result<(), Failed> {
    let exercise = &lesson.facts.exercise;
    let answer = actions(&exercise.answer)?;
    let steps = exercise.judge(&answer)?;
    if steps > exercise.steps {
        return Err(format!("the answer takes {steps} steps").into());
    }
    let wrong = actions(&exercise.wrong.answer)?;
    match exercise.judge(&wrong) {
        Ok(steps) => return Err(format!("the wrong answer solves it in {steps} steps").into()),
        Err(because) if because.to_string().contains(&exercise.wrong.because) => {}
        Err(because) => return Err(format!("the wrong answer is refused otherwise: {because}").into()),
    }
    if exercise.judge(&[]).is_ok() {
        return Err("an empty answer is taken".into());
    }
    on_the_implementation(exercise, &answer)
}

/// The implementation shows the same for the answer.
fn on_the_implementation(exercise: &Exercise, answer: &[Action]) -> Result<(), Failed> {
    let begun = exercise.begin()?;
    let trace = walk(begun.model(), answer.iter().cloned());
    let lacking = exercise.without.iter().filter_map(|name| Guard::from_name(name)).collect::<Vec<_>>();
    if lacking.len() != exercise.without.len() {
        return Ok(()); // Only the model has this guard.
    }
    replay(&mut World::new(Lacking(&lacking)), &trace, Sides::MODEL_AND_IMPL)
        .map_err(|error| error.to_string())?;
    Ok(())
}

/// An answer uses the actions' own names.
fn names_are_plain(lesson: &Lesson) -> Result<(), Failed> {
    let exercise = &lesson.facts.exercise;
    for name in exercise.answer.iter().chain(&exercise.wrong.answer) {
        let again = name_of(&action_of(name)?);
        if *name != again {
            return Err(format!("{name} is written {again}").into());
        }
    }
    Ok(())
}

/// Every way is counted again, and the lesson's own steps are the way in which all is lost.
fn sends_are_counted(lesson: &Lesson, claim: &Claim, sends: &Sends) -> Result<(), Failed> {
    let goal = claim.breaks.as_deref().ok_or("a claim about sending names what is missed")?;
    let header = &lesson.schedule.header;
    if (&claim.scope, &claim.without) != (&header.scope.name, &header.without) {
        return Err("it is counted by the rules of the lesson's schedule".into());
    }
    let Counted { schedules, stuck } = sends.count(lesson, goal)?;
    if (Some(schedules), Some(stuck)) != (claim.schedules, claim.stuck) {
        return Err(format!(
            "{} states {:?} stuck of {:?}, and {stuck} of {schedules} were counted",
            claim.id, claim.stuck, claim.schedules
        )
        .into());
    }
    let (_, actions) = lesson.steps()?;
    let message = action_of(&sends.message)?;
    if actions.get(sends.behind) != Some(&message) {
        return Err("the lesson's schedule does not send it there".into());
    }
    Ok(())
}

fn claim_holds(lesson: &Lesson, claim: &Claim) -> Result<(), Failed> {
    if let Some(sends) = &claim.sends {
        return sends_are_counted(lesson, claim, sends);
    }
    let Measured { steps, states } = measure(claim)?;
    let states = if claim.states.is_some() || claim.breaks.is_none() { states } else { None };
    if (steps, states) == (claim.steps, claim.states) {
        return Ok(());
    }
    if std::env::var_os("LESSONS").is_some_and(|word| word == "write") {
        return write_down(lesson, claim, steps, states);
    }
    Err(format!(
        "{} states {:?} steps and {:?} states, and {steps:?} and {states:?} were measured; \
         LESSONS=write cargo test --test lessons writes that down",
        claim.id, claim.steps, claim.states
    )
    .into())
}

fn write_down(lesson: &Lesson, claim: &Claim, steps: Option<u64>, states: Option<u64>) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../traces/lessons/{}.json", lesson.name));
    let mut facts: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let claims = facts["claims"].as_array_mut().ok_or("it has claims")?;
    let known = claims.iter_mut().find(|known| known["id"] == claim.id).ok_or("it has that claim")?;
    for (name, figure) in [("steps", steps), ("states", states)] {
        if let Some(figure) = figure {
            known[name] = figure.into();
        }
    }
    std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&facts)?))?;
    Ok(())
}

/// The schedule's end shows the lesson's subject: something is violated, refused, or does not heal,
/// unless the lesson shows that good rules hold.
fn schedule_goes_wrong(lesson: &Lesson) -> Result<(), Failed> {
    let (mut steps, actions) = lesson.steps()?;
    let mut wrong = false;
    for action in &actions {
        wrong |= matches!(steps.take(action), Outcome::Refused(_));
        wrong |= !steps.violations(steps.len()).is_empty();
    }
    wrong |= !steps.healed().missed.is_empty() || lost_its_leader(&steps);
    if wrong { Ok(()) } else { Err("nothing goes wrong in it".into()) }
}

fn lost_its_leader(steps: &Steps) -> bool {
    let view = steps.view();
    let mut peers = view.stores.values().flat_map(|store| store.peers.values());
    peers.all(|peer| peer.role != rollcall_traces::Role::Leader)
}

fn trials_of(number: usize) -> Vec<Trial> {
    let lesson = move || Lesson::numbered(number).expect("a lesson");
    let name = lesson().name;
    type LessonCheck = fn(&Lesson) -> Result<(), Failed>;
    let asked: [(&str, LessonCheck); 6] = [
        ("languages", has_both_languages),
        ("guesses", guesses_are_as_stated),
        ("silence", nothing_is_told_before_the_guess),
        ("exercise", exercise_is_judged),
        ("names", names_are_plain),
        ("schedule", schedule_goes_wrong),
    ];
    let trial =
        |(what, is): (&str, LessonCheck)| Trial::test(format!("{name}/{what}"), move || is(&lesson()));
    let claims = lesson().facts.claims.into_iter().map(|claim| {
        Trial::test(format!("{name}/claim/{}", claim.id), move || claim_holds(&lesson(), &claim))
    });
    asked.into_iter().map(trial).chain(claims).collect()
}

fn main() -> ExitCode {
    let trials: Vec<Trial> = (1..=LESSONS).flat_map(trials_of).collect();
    assert!(LESSONS == 12 && trials.len() > 75, "{LESSONS} lessons with {} tests are too few", trials.len());
    harness::run(trials)
}
