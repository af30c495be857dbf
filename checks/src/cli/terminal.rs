//! Prints steps and divergences on a terminal: wrapped to its width, with continuations indented,
//! and coloured by the kind of line.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use rollcall_traces::{Divergence, Trace, render};
use unicode_width::UnicodeWidthStr as _;

use super::out;

/// The width without a terminal, in columns.
const COLUMNS: usize = 80;

/// The beginning of a line that ends in a command.
const COMMAND: &str = "to see it again: ";

/// How special lines begin, and their colours.
const MARKS: &[(&str, AnsiColor)] = &[
    ("VIOLATED", AnsiColor::Red),
    ("refused: ", AnsiColor::Yellow),
    ("verdict: holds", AnsiColor::Green),
    ("verdict: ", AnsiColor::Red),
    ("# ", AnsiColor::Cyan),
    ("decided by: ", AnsiColor::Magenta),
    ("look at: ", AnsiColor::Cyan),
    (COMMAND, AnsiColor::Cyan),
];

/// A trace, as wide as standard output.
pub(super) fn trace(trace: &Trace) -> String {
    let columns = columns();
    wrapped(&render::terminal_in(trace, columns), columns, shows_colour(&std::io::stdout()))
}

/// The same for a file, without colour.
pub(super) fn trace_in(trace: &Trace, columns: usize) -> String {
    wrapped(&render::terminal_in(trace, columns), columns, false)
}

/// A divergence, as wide as standard output.
pub(super) fn divergence(divergence: &Divergence) -> String {
    wrapped(divergence.to_string().trim_end(), columns(), shows_colour(&std::io::stdout()))
}

/// The same on standard error.
pub(super) fn divergence_on_stderr(divergence: &Divergence) -> String {
    wrapped(divergence.to_string().trim_end(), columns(), shows_colour(&std::io::stderr()))
}

fn columns() -> usize {
    out::columns().unwrap_or(COLUMNS).max(40)
}

/// Wraps every line that is too wide, between words.
fn wrapped(text: &str, columns: usize, in_colour: bool) -> String {
    let line = |(at, line): (usize, &str)| {
        let broken = broken(line, columns);
        if in_colour { painted(&broken, line.trim_start(), at == 0) } else { broken }
    };
    text.split('\n').enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// The line, wrapped; continuations are indented by two more columns.
fn broken(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_string();
    }
    let indent = (line.len() - line.trim_start().len() + 2).min(columns / 2);
    // A command that will be pasted must stay on one line.
    let is_command = line.trim_start().starts_with(COMMAND);
    let (columns, end) = if is_command { (columns - 2, " \\") } else { (columns, "") };
    let most = if is_command { usize::MAX } else { columns - indent };
    let (mut text, mut used) = (String::new(), 0);
    for word in pieces(line, most) {
        let wide = word.width();
        if used > indent && used + word.trim_end().width() > columns {
            text.truncate(text.trim_end().len());
            text.push_str(end);
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = indent;
        }
        text.push_str(word);
        used += wide;
    }
    text.truncate(text.trim_end().len());
    text
}

/// The words, each with the space after it. A word that is wider than a line is cut: Chinese text
/// and paths have no spaces.
fn pieces(line: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    for word in line.split_inclusive(' ') {
        let mut rest = word;
        while rest.trim_end().width() > most {
            let mut used = 0;
            let fits = |(_, letter): &(usize, char)| {
                used += unicode_width::UnicodeWidthChar::width(*letter).unwrap_or(0);
                used > most
            };
            let at = rest.char_indices().find(fits).map_or(rest.len(), |(at, _)| at);
            pieces.push(&rest[..at]);
            rest = &rest[at..];
        }
        pieces.push(rest);
    }
    pieces
}

/// Whether `stream` shows colour: `--color` decides, otherwise `NO_COLOR` and the terminal.
fn shows_colour(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// A line, wrapped or not, in the colour of its kind.
fn painted(broken: &str, words: &str, is_first: bool) -> String {
    let style = style_of(words, is_first);
    let mut painted = Vec::new();
    for line in broken.split('\n') {
        let (indent, words_here) = line.split_at(line.len() - line.trim_start().len());
        let refused = words_here.find("refused: ").filter(|_| is_step(words)).unwrap_or(words_here.len());
        let (before, refused) = words_here.split_at(refused);
        let mut text = indent.to_string();
        for (part, style) in [(before, style), (refused, AnsiColor::Yellow.on_default())] {
            if !part.is_empty() {
                text += &format!("{style}{part}{style:#}");
            }
        }
        painted.push(text);
    }
    painted.join("\n")
}

fn style_of(words: &str, is_first: bool) -> Style {
    if let Some((_, colour)) = MARKS.iter().find(|(mark, _)| words.starts_with(mark)) {
        return colour.on_default().bold();
    }
    if is_first || is_step(words) { Style::new().bold() } else { Style::new() }
}

/// A step's line begins with its number.
fn is_step(words: &str) -> bool {
    let rest = words.trim_start_matches(|is: char| is.is_ascii_digit());
    rest.len() < words.len() && rest.starts_with(' ')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rollcall_impl::Sound;
    use rollcall_traces::{ReplayError, Sides, replay};

    use super::*;
    use crate::world::World;

    fn traces(folder: &str) -> Vec<Trace> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces").join(folder);
        let files =
            std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
        files
            .filter(|path| path.extension().is_some_and(|is| is == "jsonl"))
            .map(|path| Trace::read(&path).expect("a trace"))
            .collect()
    }

    #[test]
    fn no_line_of_a_trace_or_divergence_is_wider_than_the_terminal() {
        let (mut broken, mut parted) = (0, 0);
        for trace in traces("museum").into_iter().chain(traces("golden")) {
            for columns in [40, 80] {
                let text = trace_in(&trace, columns);
                let whole = render::terminal_in(&trace, columns);
                broken += text.lines().count() - whole.lines().count();
                let wide: Vec<&str> = text.lines().filter(|line| line.width() > columns).collect();
                assert!(wide.is_empty(), "{}: {wide:?}", trace.header.scenario);
                let letters = |text: &str| text.split_whitespace().collect::<String>();
                assert_eq!(letters(&text), letters(&whole), "nothing is lost");
            }
            if let Err(ReplayError::Diverged(found)) =
                replay(&mut World::new(Sound), &trace, Sides::TRACE_AND_IMPL)
            {
                let text = wrapped(&found.to_string(), 80, false);
                assert!(text.lines().all(|line| line.width() <= 80), "{text}");
                parted += 1;
            }
        }
        assert!(broken > 1_000 && parted > 50, "{broken} lines broken, {parted} divergences");
    }

    #[test]
    fn a_broken_command_is_a_command() {
        let command = format!("  {COMMAND}rollcall replay a/path/{} --without a_guard", "to/".repeat(8));
        let text = broken(&command, 50);
        assert!(text.lines().count() > 1, "{text}");
        assert_eq!(text.replace(" \\\n    ", " "), command);
    }

    #[test]
    fn chinese_is_two_columns_a_letter() {
        let text = broken(&format!("  说明：{}", "成员变更".repeat(20)), 40);
        assert!(text.lines().count() > 3 && text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    ")), "{text}");
    }

    #[test]
    fn colour_says_what_a_line_is_and_changes_no_letter() {
        let text = "a title\n\n  1 Campaign region 1: store 2  refused: not_promotable\n      VIOLATED: range_cover\n\nverdict: holds";
        let painted = wrapped(text, 80, true);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
        assert!(painted.contains("\u{1b}[33mrefused: not_promotable"), "{painted:?}");
        assert!(painted.contains("\u{1b}[31mVIOLATED: range_cover"), "{painted:?}");
    }
}
