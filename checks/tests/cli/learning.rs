//! `learn`: its output, its check of answers, and its errors.

use std::io::Write;
use std::process::Stdio;

use rollcall_checks::learn::{LESSONS, Language, Lesson};

use super::{Folder, Ran};

fn learn(folder: &Folder, arguments: &[&str], input: &str) -> Ran {
    let mut command = folder.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A Chinese letter takes two columns of a terminal.
fn columns(line: &str) -> usize {
    let is_wide = |letter: char| matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    line.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

#[test]
fn every_lesson_is_printed_in_both_languages_without_input() {
    let folder = Folder::new();
    for number in 1..=LESSONS {
        let number = number.to_string();
        let english = folder.ends(&["learn", &number], 0).stdout;
        assert!(english.starts_with(&format!("Lesson {number}. ")), "{english}");
        for part in ["The rule", "Exercise", "It is ", "What it takes for", "What the checker measured"] {
            assert!(
                english.contains(part) || part.starts_with("What"),
                "lesson {number} lacks {part}:\n{english}"
            );
        }
        let chinese = folder.ends(&["learn", &number, "--lang", "zh"], 0).stdout;
        for line in english.lines().chain(chinese.lines()) {
            assert!(columns(line) <= 80 || !line.trim().contains(' '), "lesson {number}: {line}");
        }
        assert!(chinese.starts_with(&format!("第 {number} 课 ")) && chinese.contains("练习"), "{chinese}");
    }
    let list = folder.ends(&["learn"], 0).stdout;
    assert_eq!(list.lines().count(), LESSONS + 1, "{list}");
}

#[test]
fn a_guess_is_taken_and_a_wrong_one_shows_its_branch() {
    let folder = Folder::new();
    let ran = learn(&folder, &["learn", "1"], "a\na\na\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("You were right: a)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Not so. It is b)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("What it takes for a) to come true:"), "{}", ran.stdout);
    // The branches of the other choices are not printed.
    assert!(!ran.stdout.contains("What it takes for c)"), "{}", ran.stdout);
    // Anything but a letter is asked for again. After the end of the input, the rest is printed.
    let ran = learn(&folder, &["learn", "1"], "perhaps\nz\nb\n");
    assert_eq!(ran.stdout.matches("Answer with one letter, a to b.").count(), 2, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("Not so. It is a)") && ran.stdout.contains("no more input"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_comes_back_is_printed() {
    let folder = Folder::new();
    // The client's answer, and the one of the branch with the guard.
    let english = folder.ends(&["learn", "11"], 0).stdout;
    let english = english.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(english.matches("[done: p absent (region 1 [").count(), 2, "{english}");
    let chinese = folder.ends(&["learn", "11", "--lang", "zh"], 0).stdout;
    let chinese = chinese.split_whitespace().collect::<String>();
    assert_eq!(chinese.matches("[完成：没有p（region1[").count(), 2, "{chinese}");
}

#[test]
fn what_is_left_beside_a_tombstone_is_printed() {
    let folder = Folder::new();
    // The clean tombstone of the branch with the guard has nothing to print.
    let english = folder.ends(&["learn", "6"], 0).stdout;
    assert_eq!(english.matches(", with applied 8 beside it").count(), 1, "{english}");
    let chinese = folder.ends(&["learn", "6", "--lang", "zh"], 0).stdout;
    assert_eq!(chinese.matches("applied 8").count(), 1, "{chinese}");
}

#[test]
fn a_claim_counts_its_steps_in_words() {
    let lessons = (1..=LESSONS).map(|number| Lesson::numbered(number).expect("a lesson"));
    let mut met = [0; 4];
    for claim in lessons.flat_map(|lesson| lesson.facts.claims).filter(|claim| claim.breaks.is_some()) {
        let (at, end) = match claim.steps {
            // It counts the ways of a message instead.
            None if claim.sends.is_some() => (3, " ways misses leader_electable"),
            Some(0) => (0, "breaks from the first state on"),
            Some(1) => (1, ", 1 step at the least"),
            _ => (2, " steps at the least"),
        };
        met[at] += 1;
        let words = claim.words(Language::English);
        assert!(words.ends_with(end), "{words}");
    }
    assert!(!met.contains(&0), "{met:?}");
}

#[test]
fn an_answer_is_judged_by_the_model() {
    let folder = Folder::new();
    for number in 1..=LESSONS {
        let lesson = Lesson::numbered(number).expect("a lesson");
        let exercise = &lesson.facts.exercise;
        let number = number.to_string();
        folder.write("answer", &exercise.answer.join("\n"));
        let good = folder.ends(&["learn", &number, "--answer", "answer"], 0).stdout;
        assert!(good.contains("solved in"), "{good}");
        folder.write("answer", &exercise.wrong.answer.join("\n"));
        let wrong = folder.ends(&["learn", &number, "--answer", "answer"], 1).stdout;
        assert!(wrong.contains("not solved: ") && wrong.lines().count() == 1, "{wrong}");
    }
}

#[test]
fn bad_input_of_learn_is_one_sentence() {
    let folder = Folder::new();
    folder.write("broken", "campaign(region:1,store:2)\nvote(region:1\n");
    folder.write("empty", "# nothing yet\n");
    for (arguments, code, says) in [
        (vec!["learn", "0"], 2, "there is no lesson 0; they are numbered 1 to 12"),
        (vec!["learn", "13"], 2, "there is no lesson 13"),
        (vec!["learn", "1", "--answer", "gone"], 2, "gone: "),
        (vec!["learn", "1", "--answer", "broken"], 2, "broken:2: it ends where `)` is missing"),
        (vec!["learn", "1", "--answer", "."], 2, ".: "),
    ] {
        let ran = folder.ends(&arguments, code);
        assert!(
            ran.stderr.contains(says) && ran.stderr.lines().count() == 1,
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let ran = folder.ends(&["learn", "1", "--answer", "empty"], 1);
    assert!(ran.stdout.contains("it has no steps"), "{}", ran.stdout);
}
