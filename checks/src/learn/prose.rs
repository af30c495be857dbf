//! A lesson's page: its sections, with the numbers of its claims filled in.

use super::Facts;

/// The texts of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuestionProse {
    /// The question.
    pub question: String,
    /// The choices.
    pub choices: Vec<String>,
    /// The answer.
    pub answer: String,
    /// What each wrong choice would take; empty for the right one.
    pub branches: Vec<String>,
}

/// The prose of a lesson in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prose {
    /// The title.
    pub title: String,
    /// The story.
    pub story: String,
    /// The questions.
    pub asked: Vec<QuestionProse>,
    /// A sentence for each step.
    pub steps: Vec<String>,
    /// The rule, and its guard.
    pub rule: String,
    /// The exercise's text.
    pub exercise: String,
}

impl Prose {
    /// Reads a page: `# title`, then the sections `Story` and `Steps`, for each question
    /// `Question`, `Answer` and `Branch N`, then `Rule` and `Exercise`.
    pub(super) fn parse(text: &str, facts: &Facts) -> Result<Self, String> {
        let mut prose = Self::default();
        let mut sections = text.split("\n## ");
        let head = sections.next().unwrap_or_default();
        prose.title = head.trim().strip_prefix("# ").ok_or("it has no title")?.trim().into();
        for section in sections {
            let (name, body) = section.split_once('\n').unwrap_or((section, ""));
            prose.take(name.trim(), &filled(&unbroken(body.trim()), facts)?)?;
        }
        prose.is_whole(facts)?;
        Ok(prose)
    }

    fn take(&mut self, name: &str, body: &str) -> Result<(), String> {
        match name.split_once(' ').unwrap_or((name, "")) {
            ("Story", _) => self.story = body.into(),
            ("Steps", _) => {
                let lines = body.lines().filter_map(|line| line.split_once(". "));
                self.steps = lines.map(|(_, words)| words.trim().into()).collect();
            }
            ("Question", _) => {
                let (question, choices) = body.split_once("\n- ").ok_or("a question has no choices")?;
                let choices: Vec<String> =
                    choices.split("\n- ").map(|choice| choice.replace('\n', " ").trim().into()).collect();
                let branches = vec![String::new(); choices.len()];
                let question = question.trim().into();
                self.asked.push(QuestionProse { question, choices, branches, ..QuestionProse::default() });
            }
            ("Answer", _) => self.last()?.answer = body.into(),
            ("Branch", letter) => {
                let at = letter.bytes().next().map(|byte| usize::from(byte.wrapping_sub(b'a')));
                let branches = &mut self.last()?.branches;
                let branch = at.and_then(|at| branches.get_mut(at));
                *branch.ok_or_else(|| format!("there is no choice `{letter}`"))? = body.into();
            }
            ("Rule", _) => self.rule = body.into(),
            ("Exercise", _) => self.exercise = body.into(),
            (other, _) => return Err(format!("there is no section `{other}`")),
        }
        Ok(())
    }

    fn last(&mut self) -> Result<&mut QuestionProse, String> {
        self.asked.last_mut().ok_or_else(|| "an answer stands before its question".into())
    }

    /// Checks that no section is missing.
    fn is_whole(&self, facts: &Facts) -> Result<(), String> {
        let said = [("Story", &self.story), ("Rule", &self.rule), ("Exercise", &self.exercise)];
        if let Some((name, _)) = said.iter().find(|(_, text)| text.is_empty()) {
            return Err(format!("the section `{name}` is missing"));
        }
        if self.asked.len() != facts.questions.len() {
            return Err(format!("it asks {} questions, not {}", self.asked.len(), facts.questions.len()));
        }
        for (asked, question) in self.asked.iter().zip(&facts.questions) {
            if asked.choices.len() != question.choices.len() || asked.answer.is_empty() {
                return Err(format!("the question before step {} is not whole", question.before));
            }
            for (said, choice) in asked.branches.iter().zip(&question.choices) {
                if said.is_empty() == choice.branch.is_some() {
                    return Err(format!(
                        "the question before step {}: a branch is not printed",
                        question.before
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Joins the lines of each paragraph and list item. Between Chinese characters a line break becomes
/// no space.
fn unbroken(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines().map(str::trim) {
        let begins = line.is_empty() || line.starts_with("- ") || is_numbered(line);
        match whole.chars().last() {
            None => {}
            Some('\n') if !line.is_empty() => {}
            Some(_) if begins => whole.push('\n'),
            Some(last) if last.is_ascii() || line.is_ascii() => whole.push(' '),
            Some(_) if line.starts_with(|is: char| is.is_ascii_alphanumeric() || is == '`') => {
                whole.push(' ')
            }
            Some(_) => {}
        }
        whole.push_str(line);
        if line.is_empty() {
            whole.push('\n');
        }
    }
    whole
}

/// Whether the line begins an item of a numbered list.
fn is_numbered(line: &str) -> bool {
    line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// Wraps the text to `width` columns; all lines but the first begin with `indent`. A Chinese
/// character takes two columns, and a line may break after any of them.
pub fn broken(text: &str, width: usize, indent: &str) -> String {
    let (mut whole, mut used) = (String::new(), 0);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            whole.push('\n');
            whole.push_str(if line.is_empty() { "" } else { indent });
            used = if line.is_empty() { 0 } else { columns(indent) };
        }
        for word in words(line) {
            let wide = columns(word.trim_end());
            if used > columns(indent) && used + wide > width {
                whole.truncate(whole.trim_end_matches(' ').len());
                whole.push('\n');
                whole.push_str(indent);
                used = columns(indent);
            }
            whole.push_str(word);
            used += columns(word);
        }
    }
    whole
}

fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

fn columns(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

/// The pieces after which a line may break: words with their space, and Chinese characters with the
/// punctuation after them.
fn words(line: &str) -> Vec<&str> {
    let (mut pieces, mut begin) = (Vec::new(), 0);
    let mut letters = line.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        let closes = letters.peek().is_some_and(|(_, next)| "，。；：、？！）”".contains(*next));
        let may_end = letter == ' ' || (is_wide(letter) && !closes && !"（“".contains(letter));
        if may_end {
            pieces.push(&line[begin..end]);
            begin = end;
        }
    }
    pieces.push(&line[begin..]);
    pieces
}

/// Replaces the placeholders: `{claim.steps}`, `{claim.states}`, and the exercise's own `{steps}`.
fn filled(text: &str, facts: &Facts) -> Result<String, String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').ok_or("a placeholder has no end")?;
        whole.push_str(before);
        let number = match name.split_once('.') {
            None if name == "steps" => Some(facts.exercise.steps as u64),
            Some((claim, of)) => {
                facts.claims.iter().find(|known| known.id == claim).and_then(|claim| claim.figure(of))
            }
            None => None,
        };
        match number {
            Some(number) => whole.push_str(&crate::numbers::grouped(number)),
            // Braces of Raft's own notation.
            None if name.starts_with(|is: char| is.is_ascii_digit() || is == ' ')
                || name.contains("conf_ver") =>
            {
                whole.push_str(&format!("{{{name}}}"));
            }
            None => return Err(format!("no claim is behind {{{name}}}")),
        }
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::{broken, columns, unbroken};

    #[test]
    fn lines_are_joined_and_broken_again() {
        let text = "One two\nthree.\n\nFour\n- five\n  six\n- seven\n1. eight\nnine";
        assert_eq!(unbroken(text), "One two three.\n\nFour\n- five six\n- seven\n1. eight nine");
        assert_eq!(unbroken("一个\n多数派\n`x` 和"), "一个多数派 `x` 和");
        let text = broken("aaa bbb ccc ddd", 8, "  ");
        assert_eq!(text, "aaa bbb\n  ccc\n  ddd");
        let text = broken("一二三，四五六", 8, "");
        assert!(text.lines().all(|line| columns(line) <= 10 && !line.starts_with('，')), "{text}");
    }
}
