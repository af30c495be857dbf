//! Output: to standard output, to standard error, or into a file that is written completely or not
//! at all.
//!
//! A failed print never ends a run. A reader that stops early (`| head`) is no error; a full disk
//! is reported at the end ([`unsaid`]).

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use rollcall_traces::Trace;

use super::end::End;

/// The first error of standard output.
static UNSAID: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints a line.
macro_rules! outln {
    ($($words:tt)*) => { $crate::cli::out::say_line(format_args!($($words)*)) };
}

/// Prints a line on standard error.
macro_rules! errln {
    ($($words:tt)*) => { $crate::cli::out::print_line(format_args!($($words)*)) };
}

pub(super) use crate::numbers::grouped;
pub(super) use {errln, outln};

pub(super) fn say_line(words: fmt::Arguments<'_>) {
    print(format!("{words}\n").as_bytes());
}

/// Prints a line. An error is ignored: there is nowhere to report it.
pub(super) fn print_line(words: fmt::Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{words}\n").as_bytes());
}

/// Prints it.
pub(super) fn say(text: &str) -> Result<End> {
    print(text.as_bytes());
    Ok(End::Holds)
}

fn print(bytes: &[u8]) {
    let mut output = std::io::stdout().lock();
    if let Err(error) = output.write_all(bytes).and_then(|()| output.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        UNSAID.lock().expect("no thread panics while it holds this lock").get_or_insert(error);
    }
}

/// The first error of standard output, if there was one.
pub(super) fn unsaid() -> Option<std::io::Error> {
    UNSAID.lock().expect("no thread panics while it holds this lock").take()
}

/// The width of a table in columns: `COLUMNS`, or the terminal's; `None` for a file, which has no
/// limit.
pub(super) fn columns() -> Option<usize> {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    asked.filter(|columns| *columns > 0).or_else(|| comfy_table::Table::new().width().map(usize::from))
}

/// A long line, wrapped to the terminal, with continuations indented further.
pub(super) fn wrapped(line: &str) -> String {
    wrapped_to(line, columns().unwrap_or(120))
}

fn wrapped_to(line: &str, width: usize) -> String {
    let width = width.max(40);
    let indent = line.len() - line.trim_start().len() + 2;
    let (mut text, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        if used > indent && used + word.trim_end().chars().count() > width {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = indent;
        }
        text.push_str(word);
        used += word.chars().count();
    }
    text
}

/// A line of a list: wrapped on a narrow terminal, unchanged in a file.
pub(super) fn fitted(line: &str) -> String {
    fitted_to(line, columns())
}

/// The same for a given number of columns.
pub(super) fn fitted_to(line: &str, columns: Option<usize>) -> String {
    columns.map_or_else(|| line.to_string(), |columns| wrapped_to(line, columns)) + "\n"
}

/// Writes a trace; returns whether that succeeded. A failed write changes neither the finding nor
/// the exit code.
pub(super) fn keep(trace: &Trace, path: &Path) -> bool {
    match trace.write(path) {
        Ok(()) => true,
        Err(error) => {
            errln!("rollcall: the finding stands, but it was not written: {error}");
            false
        }
    }
}

/// Writes all of it or nothing.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("{}: cannot be written; nothing was left behind", path.display()))
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_long_line_is_broken_between_words() {
        let words = "  judged: ".to_owned() + &"leader_completeness, ".repeat(12);
        let text = wrapped(words.trim_end());
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= 120), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    leader")), "{text}");
        assert_eq!(text.split_whitespace().count(), 13);
    }
}
