//! A wrong command line in one sentence, as any other wrong input.

use std::process::ExitCode;

use clap::error::ErrorKind;

use super::end::USAGE;
use super::out::errln;

/// Prints what is wrong with the command line. Help and the version are no error, and go to
/// standard output as they stand.
pub(super) fn refused(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => {
            errln!("rollcall: {}", sentence(&error.to_string()));
            ExitCode::from(USAGE)
        }
    }
}

/// The parser's paragraphs without the usage, joined to a sentence.
fn sentence(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut said = Vec::new();
    for paragraph in paragraphs {
        if paragraph.starts_with("Usage:") || paragraph.starts_with("For more information") {
            break;
        }
        let words = paragraph.trim_start_matches("error: ").trim_start_matches("tip: ");
        said.push(words.replace(" [possible values: ", "; it is one of: ").trim_end_matches(']').to_string());
    }
    format!("{}; --help tells more", said.join("; "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn a_wrong_command_line_is_told_in_a_sentence() {
        let number = "for '[N]': lessons are numbered 1 to 12; --help tells more";
        for (words, wanted) in [
            ("learn abc", format!("invalid value 'abc' {number}")),
            ("learn -1", format!("invalid value '-1' {number}")),
            (
                "learn 1 --lang de",
                "invalid value 'de' for '--lang <en|zh>'; it is one of: en, zh; --help tells more".into(),
            ),
            (
                "explore --port 99999",
                "invalid value '99999' for '--port <PORT>': 99999 is not in 0..=65535; --help tells more"
                    .into(),
            ),
            (
                "explore --host foo",
                "invalid value 'foo' for '--host <ADDRESS>': invalid IP address syntax; --help tells more"
                    .into(),
            ),
            ("show", "the following required arguments were not provided: <FILE>; --help tells more".into()),
            (
                "lern",
                "unrecognized subcommand 'lern'; a similar subcommand exists: 'learn'; --help tells more"
                    .into(),
            ),
        ] {
            let command = std::iter::once("rollcall").chain(words.split(' '));
            let error = Arguments::try_parse_from(command).err().expect("it is wrong");
            assert_eq!(sentence(&error.to_string()), wanted, "{words}");
        }
    }
}
